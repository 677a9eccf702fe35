/* Lines "KEY DIGEST DIFF_ID SIZE", the newest last. Lines that are none are passed over. */
#include "image/layer_cache.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "image/blob.h"

enum { MAX_LINE = 512, MAX_LINES = 200 };

bool chainsi_layer_key(const chainsi_tree *tree, chainsi_compression compression, int level,
                       char key[CHAINSI_OCI_DIGEST])
{
    void *digest = chainsi_digest_begin();
    chainsi_buffer text = { 0 };
    bool good = true;
    chainsi_buffer_printf(&text, "%s %s %d\n", chainsi_compression_media_type(compression),
                          chainsi_compression_version(compression), level);
    for (size_t i = 0; good && i < tree->count; i++) {
        const chainsi_entry *entry = &tree->entries[i];
        struct stat about = { 0 };
        good = !entry->source || stat(entry->source, &about) == 0;
        chainsi_buffer_printf(
            &text, "%s\n%d %o %s\n%lld %lld %lld.%09ld %lld.%09ld %zu\n", entry->path, entry->kind,
            entry->mode, entry->source ? entry->source : "", (long long)about.st_size,
            (long long)about.st_ino, (long long)about.st_mtim.tv_sec, about.st_mtim.tv_nsec,
            (long long)about.st_ctim.tv_sec, about.st_ctim.tv_nsec, entry->text_size);
        chainsi_buffer_add(&text, entry->text, entry->text_size);
    }
    chainsi_digest_add(digest, text.data, text.size);
    chainsi_buffer_done(&text);
    chainsi_digest_end(digest, key);
    return good;
}

static const char *path_of(chainsi_layout *layout)
{
    return chainsi_arena_printf(&layout->arena, "%s/layers", layout->folder);
}

static bool read_line(const char *line, char key[80], char digest[80], char diff_id[80],
                      int64_t *size)
{
    return sscanf(line, "%79s %79s %79s %" SCNd64, key, digest, diff_id, size) == 4 &&
           chainsi_is_digest(key) && chainsi_is_digest(digest) && chainsi_is_digest(diff_id);
}

bool chainsi_layer_recall(chainsi_layout *layout, const char *key, chainsi_compression compression,
                          chainsi_oci_descriptor *layer, char *diff_id)
{
    FILE *file = fopen(path_of(layout), "re");
    char line[MAX_LINE], found[80], digest[80], diff[80];
    int64_t size;
    bool known = false;
    struct stat about;
    while (file && fgets(line, sizeof line, file))
        if (read_line(line, found, digest, diff, &size) && !strcmp(found, key) &&
            stat(chainsi_layout_path(layout, digest), &about) == 0 && about.st_size == size) {
            *layer = (chainsi_oci_descriptor){ chainsi_compression_media_type(compression),
                                               chainsi_arena_strdup(&layout->arena, digest), size };
            memcpy(diff_id, diff, CHAINSI_OCI_DIGEST);
            known = true;
        }
    if (file)
        fclose(file);
    return known;
}

void chainsi_layer_note(chainsi_layout *layout, const char *key,
                        const chainsi_oci_descriptor *layer, const char *diff_id)
{
    const char *path = path_of(layout);
    struct stat about;
    bool long_one = stat(path, &about) == 0 && about.st_size > MAX_LINES * 240;
    FILE *file = fopen(path, long_one ? "we" : "ae");
    if (!file)
        return;
    fprintf(file, "%s %s %s %" PRId64 "\n", key, layer->digest, diff_id, layer->size);
    fclose(file);
}
