/* A line in the log of a Chainlet, and what is asked of lines.
 *
 *   2026-01-31T12:00:00.123Z production v0003-1a2b3c phi_llm/2 INFO    [3f2a91] the model is loaded
 *   TIME                     ENVIRONMENT VERSION CHAINLET/REPLICA LEVEL  [REQUEST] MESSAGE
 *
 * What stands before the message is the daemon's word: whatever a replica writes becomes the message of a line
 * that is tagged with where it ran. LEVEL has seven columns; it and the request's id are taken from lines as
 * chains_log writes them, any other has the level '-'. What the daemon says of a replica begins with "chainsd: ",
 * and a message of a Chainlet that would begin so gets a backslash before it.
 *
 * Lines without a tag, which are none of these, have their time and text alone. Functions are pure. */
#ifndef CHAINSI_CONTROL_LOG_LINE_H
#define CHAINSI_CONTROL_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "control/time_text.h"
#include "rpc/http.h"

/* Whose lines they are; not owned. */
typedef struct chainsi_log_tag {
    const char *chain, *environment;
    const char *version;  /* id */
    const char *chainlet; /* name on the wire */
    int64_t replica;      /* its place among those of its Chainlet, from 0 on */
} chainsi_log_tag;

typedef enum chainsi_log_level {
    CHAINSI_LOG_NO_LEVEL,
    CHAINSI_LOG_DEBUG,
    CHAINSI_LOG_INFO,
    CHAINSI_LOG_WARNING,
    CHAINSI_LOG_ERROR
} chainsi_log_level;

/* "debug", ... from a text in any case. False: it is none; *level stays as it is. */
bool chainsi_log_level_read(const char *text, chainsi_log_level *level);

/* A line that was read; slices point into its text, and are empty where there is no such thing. */
typedef struct chainsi_log_line {
    chainsi_slice text;                           /* all of it, without its break */
    chainsi_slice at;                             /* CHAINSI_TIME_TEXT - 1 bytes, or none */
    chainsi_slice environment, version, chainlet; /* all or none */
    int64_t replica;                              /* -1: no tag */
    chainsi_log_level level;
    chainsi_slice request_id;
    chainsi_slice message;
    bool own; /* the daemon says it of the replica */
} chainsi_log_line;

/* Appends the line, with its break, for what a replica wrote: text without a break. now: of time_text.h, for what
 * brings no time of its own. */
void chainsi_log_line_add(chainsi_buffer *out, const chainsi_log_tag *tag, const char *now,
                          const char *text, size_t size);
/* The same for what the daemon says of the replica. */
void chainsi_log_line_add_own(chainsi_buffer *out, const chainsi_log_tag *tag, const char *now,
                              chainsi_log_level level, const char *text);
/* Reads a line, with or without its break; it must live as long as what is read. */
chainsi_log_line chainsi_log_line_read(const char *text, size_t size);
/* Appends it as a JSON object and a break: at, environment, version, chainlet, replica, level, request_id, message;
 * null where there is none. chainlet: whose log it is in; NULL: the tag says so. */
void chainsi_log_line_add_json(chainsi_buffer *out, const chainsi_log_line *line,
                               const char *chainlet);

/* Which lines are meant; texts are not owned, NULL and -1 are any. */
typedef struct chainsi_log_filter {
    const char *chainlet, *environment;
    const char *version;    /* id, "v3" or "3" */
    const char *contains;   /* text in the message */
    const char *request_id; /* of the line, or told by the daemon of a process that died with it */
    int64_t replica;
    chainsi_log_level level; /* this one and worse ones; CHAINSI_LOG_NO_LEVEL: any, also none */
    char since[CHAINSI_TIME_TEXT]; /* "": from the beginning */
} chainsi_log_filter;

/* Sets `since` from a time of time_text.h, or from how long before now_ms: "90s", "1h30m", "2d", "500ms". False:
 * it is neither. */
bool chainsi_log_filter_since(chainsi_log_filter *filter, const char *text, int64_t now_ms);
/* Whether it is meant; chainlet as above. */
bool chainsi_log_filter_takes(const chainsi_log_filter *filter, const chainsi_log_line *line,
                              const char *chainlet);

#endif
