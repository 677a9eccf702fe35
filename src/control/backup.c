/* Backups. The copy is made by VACUUM INTO: it reads one moment of the database while others write to
 * it, and writes every page anew, so that a damaged page shows. */
#include "control/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/home.h"
#include "control/time_text.h"

/* The paths that take part; each is owned. */
typedef struct backup_paths {
    char *newest, *before, *next, *next_before;
} backup_paths;

static backup_paths paths_of(const char *home)
{
    return (backup_paths){
        .newest = chainsi_path("%s/state.backup.db", home),
        .before = chainsi_path("%s/state.backup.db.1", home),
        .next = chainsi_path("%s/state.backup.db.new", home),
        .next_before = chainsi_path("%s/state.backup.db.1.new", home),
    };
}

static void free_paths(backup_paths *paths)
{
    free(paths->newest);
    free(paths->before);
    free(paths->next);
    free(paths->next_before);
}

static chains_status copy(chainsi_database *database, const char *path)
{
    /* An empty file is what VACUUM INTO writes to as well, and so nobody else may read it. */
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return chainsi_database_fail(database, CHAINS_UNAVAILABLE, "cannot make %s: %s", path,
                                     strerror(errno));
    chainsi_statement into = chainsi_statement_begin(database, "VACUUM INTO :path");
    chainsi_statement_text(&into, ":path", path);
    chains_status status = chainsi_statement_run(&into);
    if (status != CHAINS_OK) {
        char why[512];
        snprintf(why, sizeof why, "%s", chainsi_database_why(database));
        chainsi_database_fail(database, status, "cannot write %s: %s", path, why);
    }
    if (status == CHAINS_OK && fsync(fd) != 0)
        status = chainsi_database_fail(database, CHAINS_UNAVAILABLE, "cannot write %s: %s", path,
                                       strerror(errno));
    close(fd);
    return status;
}

static chains_status check(chainsi_database *database, const char *path)
{
    char why[512];
    chainsi_database *made = chainsi_database_open(path, CHAINSI_DATABASE_READ, why, sizeof why);
    if (!made)
        return chainsi_database_fail(database, CHAINS_UNAVAILABLE, "%s", why);
    chains_status status = chainsi_database_check(made);
    if (status != CHAINS_OK)
        chainsi_database_fail(database, status, "%s", chainsi_database_why(made));
    chainsi_database_close(made);
    return status;
}

/* By a second link, so that the newest is under its name all the time. */
static bool put_in_place(const backup_paths *paths)
{
    unlink(paths->next_before);
    if (link(paths->newest, paths->next_before) == 0) {
        if (rename(paths->next_before, paths->before) != 0)
            return false;
    } else if (errno != ENOENT) {
        return false;
    }
    return chainsi_replace_file(paths->next, paths->newest);
}

chains_status chainsi_backup_make(chainsi_database *database, const char *home)
{
    backup_paths paths = paths_of(home);
    chains_status status = copy(database, paths.next);
    if (status == CHAINS_OK)
        status = check(database, paths.next);
    if (status == CHAINS_OK && !put_in_place(&paths))
        status = chainsi_database_fail(database, CHAINS_UNAVAILABLE, "cannot replace %s: %s",
                                       paths.newest, strerror(errno));
    if (status != CHAINS_OK)
        unlink(paths.next);
    free_paths(&paths);
    return status;
}

static bool is_there(const char *home, const char *name)
{
    char *path = chainsi_path("%s/%s", home, name);
    bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

bool chainsi_backup_exists(const char *home)
{
    return is_there(home, "state.backup.db");
}

void chainsi_backup_advise(const char *home, char *text, size_t size)
{
    char *path = chainsi_path("%s/state.backup.db", home);
    const char *put_away = is_there(home, "state.db") || is_there(home, "state.db-wal")
                               ? " && mkdir -p damaged && mv -t damaged state.db*"
                               : "";
    struct stat info;
    if (stat(path, &info) == 0) {
        char when[CHAINSI_TIME_TEXT];
        chainsi_time_text_of(when, (int64_t)info.st_mtim.tv_sec * 1000);
        snprintf(text, size,
                 "the last good backup is %s, of %.19sZ; what came later is not in it. To take it "
                 "up, stop chainsd and run: cd '%s'%s && cp state.backup.db state.db",
                 path, when, home, put_away);
    } else {
        snprintf(text, size,
                 "there is no backup of it. To begin anew without what it held, stop chainsd and "
                 "run: cd '%s'%s",
                 home, put_away);
    }
    free(path);
}
