/* Cuts a body that comes in bytes into the parts of a stream. Written for whatever the other end may
 * send: sizes are checked before memory is asked for, and a part is at most max_part bytes.
 *
 *   FRAMES   each part behind its length: four bytes, most significant first
 *   LINES    each line that isn't blank; LF or CRLF (NDJSON)
 *   EVENTS   server-sent events, as the HTML standard reads them, with LF or CRLF: name is `event`, ""
 *            where it isn't said; data the lines of `data` with LF between them. Comments and other
 *            fields are skipped, as are events without data */
#ifndef CHAINSI_RPC_SPLITTER_H
#define CHAINSI_RPC_SPLITTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

typedef enum chainsi_splitter_kind {
    CHAINSI_SPLIT_FRAMES,
    CHAINSI_SPLIT_LINES,
    CHAINSI_SPLIT_EVENTS,
} chainsi_splitter_kind;

enum { CHAINSI_SPLITTER_NAME = 64 }; /* an event's name, bytes with its NUL; longer ones are cut */

typedef struct chainsi_splitter {
    chainsi_splitter_kind kind;
    size_t max_part; /* bytes */
    /* Private. */
    char *input; /* what was added and not looked at yet; not owned */
    size_t input_size;
    chainsi_buffer kept; /* the beginning of a part, or line, that isn't whole yet */
    chainsi_buffer text; /* data lines of the event that isn't whole yet */
    bool used;           /* kept was given out: it is emptied with the next call */
    bool has_data, begun;
    char name[CHAINSI_SPLITTER_NAME];
} chainsi_splitter;

typedef struct chainsi_split_part {
    const char *name; /* of an event; "" otherwise. Valid as data is */
    char *data;       /* may be written to; valid until the next call; no NUL behind it */
    size_t size;
} chainsi_split_part;

typedef enum chainsi_split_end {
    CHAINSI_SPLIT_PART,    /* *part is filled */
    CHAINSI_SPLIT_MORE,    /* there is no whole part: add more bytes */
    CHAINSI_SPLIT_REFUSED, /* larger than max_part, or cut off; the splitter is of no further use */
} chainsi_split_end;

/* Nothing has come yet. max_part is at least 1. End it with _done. */
void chainsi_splitter_init(chainsi_splitter *splitter, chainsi_splitter_kind kind, size_t max_part);
void chainsi_splitter_done(chainsi_splitter *splitter);
/* Adds bytes, which must stay until _next has given MORE. Not before it has. */
void chainsi_splitter_add(chainsi_splitter *splitter, char *data, size_t size);
chainsi_split_end chainsi_splitter_next(chainsi_splitter *splitter, chainsi_split_part *part);
/* After the last byte and the last part: PART for a last line without its LF, MORE if nothing is
 * left, REFUSED if what is left is no whole part. */
chainsi_split_end chainsi_splitter_finish(chainsi_splitter *splitter, chainsi_split_part *part);

#endif
