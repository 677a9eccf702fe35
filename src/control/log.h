/* The log of one Chainlet: a file with one line a message, written by its replicas through the
 * daemon, and whoever follows it.
 *
 * Every line begins with the time in UTC, 2026-01-31T12:00:00.123Z; lines that don't bring one get
 * the time at which they came. A file that has grown to CHAINSI_LOG_MAX_FILE becomes NAME.1, in
 * place of the one before. All of this belongs to the thread of the event loop; files block it
 * briefly. */
#ifndef CHAINSI_CONTROL_LOG_H
#define CHAINSI_CONTROL_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "control/redaction.h"
#include "control/time_text.h"

enum {
    CHAINSI_LOG_MAX_FILE = 16 * 1024 * 1024, /* bytes */
    CHAINSI_LOG_MAX_LINE = 16 * 1024,        /* bytes; a longer one is cut into several */
    CHAINSI_LOG_MAX_TAIL = 100000,           /* lines that can be asked for */
};

typedef struct chainsi_log chainsi_log;

/* What a replica has written since its last line break. All zero at first. */
typedef struct chainsi_log_source {
    chainsi_buffer rest;
    chainsi_redaction redaction;
} chainsi_log_source;

/* Somebody who follows a log; embedded in the follower. */
typedef struct chainsi_log_follower {
    /* A line, with its break; it lives until this returns. Must not unfollow others. */
    void (*on_line)(struct chainsi_log_follower *follower, const char *line, size_t size);
    /* The log has ended; it isn't followed any more. NULL: nobody wants to know. */
    void (*on_end)(struct chainsi_log_follower *follower);
    chainsi_log *log; /* NULL: follows none */
    struct chainsi_log_follower *next;
} chainsi_log_follower;

/* The log kept in the file at path, which is opened at the first line. Never NULL. */
chainsi_log *chainsi_log_new(const char *path);
/* Closes the file, and tells followers that it has ended. NULL is allowed. */
void chainsi_log_free(chainsi_log *log);

/* Takes secrets out of what replicas write from now on. The redactor must outlive the log. */
void chainsi_log_redact(chainsi_log *log, const chainsi_redactor *redactor);

/* Takes what a replica wrote: whole lines go to the log, the rest waits in source. */
void chainsi_log_feed(chainsi_log *log, chainsi_log_source *source, const char *data, size_t size);
/* Logs the unfinished line, if there is one, and frees the source's memory. */
void chainsi_log_end(chainsi_log *log, chainsi_log_source *source);
/* A line of the daemon's own, in the form of the library's. */
void chainsi_log_say(chainsi_log *log, const char *level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Appends the last `count` lines of the file. */
void chainsi_log_tail(const chainsi_log *log, size_t count, chainsi_buffer *out);

void chainsi_log_follow(chainsi_log *log, chainsi_log_follower *follower);
/* Does nothing if it follows none. */
void chainsi_log_unfollow(chainsi_log_follower *follower);

/* A line of the daemon's own, with the time, on stderr. */
void chainsi_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
