#include "cli/snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "compiler/find.h"
#include "control/home.h"

typedef struct snapshot {
    const chainsi_model *model;
    chainsi_words files; /* owned texts, relative to the folder */
} snapshot;

static void add_file(snapshot *s, const char *path)
{
    for (size_t i = 0; i < s->files.count; i++)
        if (!strcmp(s->files.items[i], path))
            return;
    chainsi_words_add(&s->files, chainsi_path("%s", path));
}

/* below: relative to the folder, "" or with a slash at its end. */
static void add_folder(snapshot *s, const char *below)
{
    char *path = chainsi_path("%s/%s", s->model->folder, below);
    DIR *entries = opendir(path);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        const char *name = entry->d_name;
        char *inside = chainsi_path("%s%s", below, name);
        if (entry->d_type == DT_DIR && !chainsi_find_passes_over(name)) {
            char *folder = chainsi_path("%s/", inside);
            add_folder(s, folder);
            free(folder);
        } else if (entry->d_type != DT_DIR && chainsi_find_is_source(name)) {
            add_file(s, inside);
        }
        free(inside);
    }
    if (entries)
        closedir(entries);
    free(path);
}

/* `.sources` are relative to the header that names them. */
static void add_sources(snapshot *s, const chainsi_model_chainlet *chainlet)
{
    const char *const *sources = chainlet->config.sources;
    size_t most = sizeof chainlet->config.sources / sizeof *chainlet->config.sources;
    const char *slash = strrchr(chainlet->header, '/');
    int folder = slash ? (int)(slash + 1 - chainlet->header) : 0;
    for (size_t i = 0; i < most && sources[i]; i++) {
        char *path = chainsi_path("%.*s%s", folder, chainlet->header, sources[i]);
        if (!strncmp(sources[i], "../", 3) || strstr(sources[i], "/../"))
            add_file(s, path);
        free(path);
    }
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* A name and contents, each with its size before it, so that none can pass for another. */
static bool add_contents(chainsi_buffer *out, const char *folder, const char *name)
{
    enum { MAX_SIZE = 256 * 1024 * 1024 };
    size_t size;
    char *path = chainsi_path("%s%s%s", folder, *folder ? "/" : "", name);
    char *text = chainsi_read_file(path, MAX_SIZE, &size);
    if (text) {
        chainsi_buffer_printf(out, "%zu:%s,%zu:", strlen(name), name, size);
        chainsi_buffer_add(out, text, size);
    }
    free(text);
    free(path);
    return text != NULL;
}

bool chainsi_snapshot_digest(const chainsi_model *model, const chainsi_words *fakes,
                             char digest[CHAINSI_DIGEST_TEXT])
{
    snapshot s = { .model = model };
    chainsi_buffer all = { 0 };
    add_folder(&s, "");
    for (size_t i = 0; i < model->chainlet_count; i++)
        add_sources(&s, model->chainlets[i]);
    qsort(s.files.items, s.files.count, sizeof *s.files.items, compare_names);
    bool good = true;
    for (size_t i = 0; good && i < s.files.count; i++)
        good = add_contents(&all, model->folder, s.files.items[i]);
    for (size_t i = 0; good && i < fakes->count; i++)
        good = add_contents(&all, "", fakes->items[i]);
    chainsi_buffer_printf(&all, "%s", model->entrypoint->c_name);
    chainsi_digest_text(all.data, all.size, digest);
    int error = errno;
    for (size_t i = 0; i < s.files.count; i++)
        free((char *)s.files.items[i]);
    chainsi_words_done(&s.files);
    chainsi_buffer_done(&all);
    errno = error;
    return good;
}
