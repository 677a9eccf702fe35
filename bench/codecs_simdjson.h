/* simdjson as a contender: one JSON text, and what can be done with it. Functions that return a bool
 * return false if simdjson reports an error. */
#ifndef CODECS_SIMDJSON_H
#define CODECS_SIMDJSON_H

#include "codecs_document.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct codecs_simdjson codecs_simdjson;

/* Copies the text into padded memory, as simdjson wants it. NULL if it isn't JSON. */
codecs_simdjson *codecs_simdjson_new(const char *json, size_t size, codecs_shape shape);
void codecs_simdjson_free(codecs_simdjson *peer);

/* Parses into simdjson's tree (its "tape"), which nobody reads. */
bool codecs_simdjson_dom(codecs_simdjson *peer);
/* Walks the text on demand by the kinds that it meets, and takes every key and value. */
bool codecs_simdjson_visit(codecs_simdjson *peer);
/* Walks the text on demand as a program that knows its structs does, and fills them. */
bool codecs_simdjson_typed(codecs_simdjson *peer);
/* Turns the tree of codecs_simdjson_new into text. Returns its size, bytes. */
size_t codecs_simdjson_encode(codecs_simdjson *peer);

#ifdef __cplusplus
}
#endif

#endif
