/* Tells which files of a chain are saved, whichever way an editor does that: written in place, renamed over the old
 * one, removed and made anew. What counts are sources and headers below the chain's folder, except where no headers
 * are looked for, and single files elsewhere (fakes, `.sources`). Folders that appear are watched, too. */
#ifndef CHAINSI_CLI_FILE_WATCH_H
#define CHAINSI_CLI_FILE_WATCH_H

#include "cli/options.h"

typedef struct chainsi_file_watch {
    int fd;       /* owned; readable when something has happened; for poll() */
    char *folder; /* owned; absolute */
    struct chainsi_watched_folder *folders; /* owned */
    size_t folder_count;
    chainsi_words outside; /* owned texts: absolute paths of single files */
    chainsi_words changed; /* owned texts: relative to the folder, or absolute; each once */
    bool gone;             /* the chain's folder isn't there any more */
} chainsi_file_watch;

/* Begins to watch a folder. False with a reason; done must be called in any case. */
bool chainsi_file_watch_init(chainsi_file_watch *watch, const char *folder, char *why,
                             size_t why_size);
void chainsi_file_watch_done(chainsi_file_watch *watch);
/* Watches a file that may lie elsewhere, as a process here would open it. What can't be found is passed over. */
void chainsi_file_watch_add(chainsi_file_watch *watch, const char *path);

/* Takes in what has happened, without waiting. True if files have changed since they were forgotten. */
bool chainsi_file_watch_look(chainsi_file_watch *watch);
void chainsi_file_watch_forget(chainsi_file_watch *watch);

#endif
