/* The last lines of logs that are meant by a filter, all of them together in the order of their times: read from the
 * ends of the files, NAME.log and then NAME.log.1 before it, a piece at a time, so that a loop has time for others.
 *
 * What is found is what the files had when they were added, also where a file becomes NAME.log.1 meanwhile. One
 * file is open at a time. Each step blocks for as long as it takes to read its bytes. */
#ifndef CHAINSI_CONTROL_LOG_SEARCH_H
#define CHAINSI_CONTROL_LOG_SEARCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "control/log_line.h"

enum {
    CHAINSI_LOG_MAX_TAIL = 100000,            /* lines that can be asked for */
    CHAINSI_LOG_TAIL = 100,                   /* where nobody says how many */
    CHAINSI_LOG_MAX_FOUND = 64 * 1024 * 1024, /* bytes of them; the last ones that fit */
};

typedef struct chainsi_log_search chainsi_log_search;

/* For the last `tail` lines of those that the filter takes, whose texts must outlive the search. Never NULL. */
chainsi_log_search *chainsi_log_search_new(const chainsi_log_filter *filter, size_t tail);
/* NULL is allowed. */
void chainsi_log_search_free(chainsi_log_search *search);

/* Adds the log of a Chainlet by the path of its file; one that isn't there has no lines. */
void chainsi_log_search_add(chainsi_log_search *search, const char *path, const char *chainlet);
/* Adds those of all Chainlets that have one in a folder, but for those that the filter doesn't take. Returns how
 * many; -1: errno. */
int chainsi_log_search_add_folder(chainsi_log_search *search, const char *folder);

/* Adds lines of a Chainlet's that are in memory, each with its break, and are copied; before the first step. */
void chainsi_log_search_add_lines(chainsi_log_search *search, const char *lines, size_t size,
                                  const char *chainlet);

/* Reads about so many bytes. True: it goes on; false: all has been found. */
bool chainsi_log_search_step(chainsi_log_search *search, size_t bytes);
/* Appends the lines found so far, as they are or as JSON. Returns how many. */
size_t chainsi_log_search_give(chainsi_log_search *search, bool json, chainsi_buffer *out);
/* Appends those that it hasn't yet, up to about so many bytes. True: there are more; false: that were all. For a
 * search that has ended. */
bool chainsi_log_search_give_some(chainsi_log_search *search, bool json, size_t bytes,
                                  chainsi_buffer *out);

#endif
