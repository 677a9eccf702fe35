/* A VFS is a table of functions: this one is the system's with another way to make a path whole. */
#include "control/long_path.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/home.h"

#define NAME "chains"

typedef struct folder {
    char *path; /* owned */
    int fd;     /* owned */
    struct folder *next;
} folder;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static folder *folders; /* guarded by lock; never freed: SQLite has paths through them */
static sqlite3_vfs whole;
static int (*make_whole)(sqlite3_vfs *vfs, const char *path, int size, char *made);

/* -1: errno. */
static int open_folder(const char *path)
{
    for (const folder *known = folders; known; known = known->next)
        if (!strcmp(known->path, path))
            return known->fd;
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    folder *added = malloc(sizeof *added);
    if (!added)
        abort();
    *added = (folder){ .path = chainsi_path("%s", path), .fd = fd, .next = folders };
    folders = added;
    return fd;
}

static int make_path(sqlite3_vfs *vfs, const char *path, int size, char *made)
{
    if (strlen(path) < (size_t)size)
        return make_whole(vfs, path, size, made);
    const char *slash = strrchr(path, '/');
    char *parent = chainsi_path("%.*s", slash ? (int)(slash - path) : 0, path);
    pthread_mutex_lock(&lock);
    int fd = open_folder(parent);
    pthread_mutex_unlock(&lock);
    free(parent);
    if (fd < 0)
        return SQLITE_CANTOPEN;
    int length = snprintf(made, (size_t)size, "/proc/self/fd/%d%s", fd, slash);
    return length < size ? SQLITE_OK : SQLITE_CANTOPEN;
}

static void make_vfs(void)
{
    whole = *sqlite3_vfs_find(NULL);
    whole.zName = NAME;
    make_whole = whole.xFullPathname;
    whole.xFullPathname = make_path;
    if (sqlite3_vfs_register(&whole, 0) != SQLITE_OK)
        abort();
}

const char *chainsi_long_path_vfs(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    sqlite3_initialize();
    pthread_once(&once, make_vfs);
    return NAME;
}
