/* The log of one Chainlet: a file with one line a message (log_line.h), written by its replicas through the
 * daemon, and whoever follows the logs of a chain.
 *
 * Lines that don't bring a time of their own get the one at which they came. A file that has grown to
 * CHAINSI_LOG_MAX_FILE becomes NAME.1, in place of the one before. Where the daemon's own words go to the journal,
 * lines go there as well (journal.h). All of this belongs to the thread of the event loop; files block it
 * briefly. */
#ifndef CHAINSI_CONTROL_LOG_H
#define CHAINSI_CONTROL_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "control/log_line.h"
#include "control/redaction.h"
#include "control/time_text.h"

enum {
    CHAINSI_LOG_MAX_FILE = 16 * 1024 * 1024, /* bytes */
    CHAINSI_LOG_MAX_LINE = 16 * 1024,        /* bytes; a longer one is cut into several */
};

typedef struct chainsi_log chainsi_log;

/* Those who follow the logs of a chain. All zero at first. */
typedef struct chainsi_log_hub {
    struct chainsi_log_follower *followers; /* not owned */
} chainsi_log_hub;

/* What a replica has written since its last line break, and whose it is. All zero at first but for the tag. */
typedef struct chainsi_log_source {
    chainsi_log_tag tag;
    chainsi_buffer rest;
    chainsi_redaction redaction;
} chainsi_log_source;

/* Somebody who follows logs; embedded in the follower. */
typedef struct chainsi_log_follower {
    /* A line of a Chainlet's log; it lives until this returns. Must not unfollow others. */
    void (*on_line)(struct chainsi_log_follower *follower, const chainsi_log_line *line);
    /* There are no more logs; they aren't followed any more. NULL: nobody wants to know. */
    void (*on_end)(struct chainsi_log_follower *follower);
    chainsi_log_hub *hub; /* NULL: follows none */
    struct chainsi_log_follower *next;
} chainsi_log_follower;

/* The log kept in the file at path, which is opened at the first line; the hub must outlive it. Never NULL. */
chainsi_log *chainsi_log_new(const char *path, chainsi_log_hub *hub);
/* Closes the file. NULL is allowed. */
void chainsi_log_free(chainsi_log *log);
/* The path of its file; as long as the log. */
const char *chainsi_log_path(const chainsi_log *log);

/* Takes secrets out of what replicas write from now on. The redactor must outlive the log. */
void chainsi_log_redact(chainsi_log *log, const chainsi_redactor *redactor);

/* Takes what a replica wrote: whole lines go to the log, the rest waits in source. */
void chainsi_log_feed(chainsi_log *log, chainsi_log_source *source, const char *data, size_t size);
/* Logs the unfinished line, if there is one, and frees the source's memory. */
void chainsi_log_end(chainsi_log *log, chainsi_log_source *source);
/* A line of the daemon's own about a replica. */
void chainsi_log_say(chainsi_log *log, const chainsi_log_tag *tag, chainsi_log_level level,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));

void chainsi_log_follow(chainsi_log_hub *hub, chainsi_log_follower *follower);
/* Does nothing if it follows none. */
void chainsi_log_unfollow(chainsi_log_follower *follower);
/* Tells all of them that there are no more logs. */
void chainsi_log_hub_end(chainsi_log_hub *hub);

/* A line of the daemon's own, with the time, on stderr, or in the journal. */
void chainsi_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
