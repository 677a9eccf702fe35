/* Watching by inotify, which knows folders, not trees: whatever happens to a folder has the tree walked again, and a
 * folder that was not there before counts with all its files, since they may have been written before it was
 * watched. */
#include "cli/file_watch.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compiler/find.h"
#include "control/handle.h"
#include "control/home.h"

enum {
    EVENTS = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_DELETE_SELF |
             IN_MOVE_SELF | IN_ONLYDIR,
    MAX_DEPTH = 32, /* as where headers are looked for */
};

typedef struct chainsi_watched_folder {
    int number; /* inotify's */
    char *
        prefix; /* owned; "", "nlp/", or absolute with a slash at its end: what its files' names begin with */
    bool outside; /* watched for single files only */
    bool seen;    /* in this walk */
} chainsi_watched_folder;

static void add_once(chainsi_words *words, const char *prefix, const char *name)
{
    char *text = chainsi_path("%s%s", prefix, name);
    for (size_t i = 0; i < words->count; i++)
        if (!strcmp(words->items[i], text)) {
            free(text);
            return;
        }
    chainsi_words_add(words, text);
}

static void free_words(chainsi_words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free((char *)words->items[i]);
    chainsi_words_done(words);
}

static chainsi_watched_folder *find_folder(chainsi_file_watch *watch, int number)
{
    for (size_t i = 0; i < watch->folder_count; i++)
        if (watch->folders[i].number == number)
            return &watch->folders[i];
    return NULL;
}

/* Watches one folder. *is_new: it wasn't. False: errno. */
static bool add_folder(chainsi_file_watch *watch, const char *path, const char *prefix,
                       bool outside, bool *is_new)
{
    int number = inotify_add_watch(watch->fd, path, EVENTS);
    if (number < 0)
        return false;
    chainsi_watched_folder *known = find_folder(watch, number);
    *is_new = !known;
    if (!known) {
        watch->folders =
            realloc(watch->folders, (watch->folder_count + 1) * sizeof *watch->folders);
        if (!watch->folders)
            abort();
        known = &watch->folders[watch->folder_count++];
        *known = (chainsi_watched_folder){ .number = number, .outside = outside };
    } else if (outside) {
        return true; /* it is one of the chain's own */
    }
    free(known->prefix);
    known->prefix = chainsi_copy_text(prefix);
    known->outside = outside;
    known->seen = true;
    return true;
}

/* Watches a folder and those below it; prefix: "" or with a slash at its end. What is gone again is passed
 * over. */
static bool walk(chainsi_file_watch *watch, const char *prefix, int depth, bool first)
{
    char *path = chainsi_path("%s/%s", watch->folder, prefix);
    bool is_new, good = add_folder(watch, path, prefix, false, &is_new);
    if (!good) {
        free(path);
        return depth && (errno == ENOENT || errno == ENOTDIR || errno == EACCES);
    }
    DIR *entries = opendir(path);
    for (struct dirent *entry; entries && good && (entry = readdir(entries));) {
        struct stat about;
        const char *name = entry->d_name;
        if (fstatat(dirfd(entries), name, &about, AT_SYMLINK_NOFOLLOW))
            continue;
        if (S_ISDIR(about.st_mode) && !chainsi_find_passes_over(name) && depth < MAX_DEPTH) {
            char *below = chainsi_path("%s%s/", prefix, name);
            good = walk(watch, below, depth + 1, first);
            free(below);
        } else if (!S_ISDIR(about.st_mode) && is_new && !first && chainsi_find_is_source(name)) {
            add_once(&watch->changed, prefix, name);
        }
    }
    if (entries)
        closedir(entries);
    free(path);
    return good;
}

/* Walks all of it again, and lets go of what isn't there any more. */
static void walk_again(chainsi_file_watch *watch)
{
    for (size_t i = 0; i < watch->folder_count; i++)
        watch->folders[i].seen = watch->folders[i].outside;
    walk(watch, "", 0, false);
    size_t left = 0;
    for (size_t i = 0; i < watch->folder_count; i++) {
        if (watch->folders[i].seen) {
            watch->folders[left++] = watch->folders[i];
            continue;
        }
        inotify_rm_watch(watch->fd, watch->folders[i].number);
        free(watch->folders[i].prefix);
    }
    watch->folder_count = left;
}

bool chainsi_file_watch_init(chainsi_file_watch *watch, const char *folder, char *why,
                             size_t why_size)
{
    *watch = (chainsi_file_watch){ .fd = -1, .folder = realpath(folder, NULL) };
    if (!watch->folder) {
        snprintf(why, why_size, "%s: %s", folder, strerror(errno));
        return false;
    }
    watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch->fd >= 0 && walk(watch, "", 0, true))
        return true;
    snprintf(why, why_size, "%s can't be watched: %s%s", folder, strerror(errno),
             errno == ENOSPC   ? " (sysctl fs.inotify.max_user_watches is how many folders may be)"
             : errno == EMFILE ? " (sysctl fs.inotify.max_user_instances is how many may watch)"
                               : "");
    return false;
}

void chainsi_file_watch_done(chainsi_file_watch *watch)
{
    if (watch->fd >= 0)
        close(watch->fd);
    for (size_t i = 0; i < watch->folder_count; i++)
        free(watch->folders[i].prefix);
    free(watch->folders);
    free(watch->folder);
    free_words(&watch->outside);
    free_words(&watch->changed);
}

void chainsi_file_watch_add(chainsi_file_watch *watch, const char *path)
{
    /* Its folder by its real path; itself not: what is a link is replaced as a link. */
    const char *slash = strrchr(path, '/');
    char *given = slash ? chainsi_path("%.*s", (int)(slash + 1 - path), path) : chainsi_path(".");
    char real[PATH_MAX];
    bool is_new;
    if (realpath(given, real)) {
        char *prefix = chainsi_path("%s/", real);
        if (add_folder(watch, real, prefix, true, &is_new))
            add_once(&watch->outside, prefix, slash ? slash + 1 : path);
        free(prefix);
    }
    free(given);
}

/* Looking. */

static bool is_outside_file(const chainsi_file_watch *watch, const char *prefix, const char *name)
{
    size_t size = strlen(prefix);
    for (size_t i = 0; i < watch->outside.count; i++)
        if (!strncmp(watch->outside.items[i], prefix, size) &&
            !strcmp(watch->outside.items[i] + size, name))
            return true;
    return false;
}

/* A file that was made counts once it has been written, which one that is but another name never is. */
static bool is_link(const chainsi_file_watch *watch, const chainsi_watched_folder *folder,
                    const char *name)
{
    struct stat about;
    char *path = chainsi_path("%s%s%s%s", folder->outside ? "" : watch->folder,
                              folder->outside ? "" : "/", folder->prefix, name);
    bool other = !lstat(path, &about) && (S_ISLNK(about.st_mode) || about.st_nlink > 1);
    free(path);
    return other;
}

/* *folders: something has happened to one. */
static void take_in(chainsi_file_watch *watch, const struct inotify_event *event, bool *folders)
{
    const chainsi_watched_folder *folder = find_folder(watch, event->wd);
    if (event->mask & IN_Q_OVERFLOW) { /* nobody knows what */
        *folders = true;
        add_once(&watch->changed, "", "(many)");
        return;
    }
    if (!folder || event->mask & IN_IGNORED)
        return;
    if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF)) {
        watch->gone = watch->gone || (!folder->outside && !*folder->prefix);
        return;
    }
    if (!event->len)
        return;
    if (event->mask & IN_ISDIR) {
        if (folder->outside || chainsi_find_passes_over(event->name))
            return;
        *folders = true;
        if (event->mask & (IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)) {
            char *below = chainsi_path("%s%s", folder->prefix, event->name);
            add_once(&watch->changed, below, "/");
            free(below);
        }
        return;
    }
    bool counts = folder->outside ? is_outside_file(watch, folder->prefix, event->name)
                                  : event->name[0] != '.' && chainsi_find_is_source(event->name);
    if (counts && (!(event->mask & IN_CREATE) || is_link(watch, folder, event->name)))
        add_once(&watch->changed, folder->prefix, event->name);
}

bool chainsi_file_watch_look(chainsi_file_watch *watch)
{
    _Alignas(struct inotify_event) char events[16 * 1024];
    bool folders = false;
    for (ssize_t size; (size = read(watch->fd, events, sizeof events)) > 0;)
        for (ssize_t at = 0; at < size;) {
            const struct inotify_event *event = (const struct inotify_event *)(events + at);
            take_in(watch, event, &folders);
            at += (ssize_t)(sizeof *event + event->len);
        }
    if (folders)
        walk_again(watch);
    return watch->changed.count > 0;
}

void chainsi_file_watch_forget(chainsi_file_watch *watch)
{
    free_words(&watch->changed);
    watch->changed = (chainsi_words){ 0 };
}
