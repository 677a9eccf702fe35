/* Writes a tree of maps, lists, texts, numbers and truth values as it is walked: as YAML in blocks, or as
 * JSON on one line. The same calls give the same bytes.
 *
 * The YAML is such that YAML 1.1 and 1.2 read the same from it: a text that either could take for something
 * else ("no", "1e3", "~", "4Gi") stands in quotes, one of several lines in a literal block. */
#ifndef CHAINSI_KUBERNETES_DOCUMENT_H
#define CHAINSI_KUBERNETES_DOCUMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

enum { CHAINSI_DOCUMENT_DEPTH = 32 }; /* maps and lists in each other, at most */

typedef struct chainsi_document {
    chainsi_buffer *out; /* the caller's */
    bool json;
    int depth; /* maps and lists that are open */
    struct {
        bool list;
        int indent; /* columns before what is in it */
        size_t count;
    } open[CHAINSI_DOCUMENT_DEPTH];
    bool in_line; /* what comes stands behind "- " */
} chainsi_document;

void chainsi_document_init(chainsi_document *document, bool json, chainsi_buffer *out);

/* key names the value in the map that is open; NULL in a list, and for the outermost value. Texts are UTF-8;
 * what isn't becomes U+FFFD. */
void chainsi_document_open_map(chainsi_document *document, const char *key);
void chainsi_document_open_list(chainsi_document *document, const char *key);
/* Ends the map or list that was opened last. */
void chainsi_document_close(chainsi_document *document);
/* A text that is NULL leaves its key out. */
void chainsi_document_text(chainsi_document *document, const char *key, const char *text);
void chainsi_document_number(chainsi_document *document, const char *key, int64_t number);
void chainsi_document_truth(chainsi_document *document, const char *key, bool truth);

#endif
