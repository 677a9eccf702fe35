/* What the codecs share: errors that name a place, and limits that hold for every format. */
#ifndef CHAINSI_SCHEMA_CODEC_H
#define CHAINSI_SCHEMA_CODEC_H

#include <chains.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "schema/type.h"

/* Limits on what a peer may send, in any format. Sizes are checked against what is there before
 * memory is asked for. */
enum {
    CHAINSI_MAX_DEPTH = 128, /* nested arrays and objects, as they are on the wire */
    CHAINSI_MAX_RANK = 32,   /* dimensions of a tensor */
};
#define CHAINSI_MAX_ITEMS ((size_t)1 << 28) /* of one list, map or object */

enum { CHAINSI_CODEC_PATH = 256, CHAINSI_CODEC_MESSAGE = 384 };

/* Why decoding, encoding or validating failed. */
typedef struct chainsi_codec_error {
    size_t offset;                 /* decoding: of the byte at fault, from 0; else 0 */
    char path[CHAINSI_CODEC_PATH]; /* "messages[3].role", "weights[\"a b\"]"; "" for the whole; cut
                                      with "..." in front if longer */
    char message[CHAINSI_CODEC_MESSAGE]; /* "expected a string, found the number 3" */
} chainsi_codec_error;

#endif
