/* The status page: static files that the program carries in itself. The page is index.html at `/`, what
 * belongs to it at `/page/NAME`. They need no key: everything that is anybody's comes from the API. */
#ifndef CHAINSI_CONTROL_PAGE_H
#define CHAINSI_CONTROL_PAGE_H

#include "control/exchange.h"

/* Constant. */
typedef struct chainsi_page_file {
    const char *path;   /* "" is the page itself, else "page/NAME" */
    const char *type;   /* for Content-Type */
    const char *digest; /* of its bytes, hex; part of its ETags */
    const unsigned char *bytes;
    size_t size;
    const unsigned char *gzip; /* the same by gzip; NULL: it isn't smaller */
    size_t gzip_size;
} chainsi_page_file;

/* Defined by the program, which is built with the files; ended by one without path. */
extern const chainsi_page_file chainsi_page_files[];

/* Whether this is a path of the page's, which goes on whether there is a file or not. */
bool chainsi_page_has(const char *const *segments, size_t count);
/* Answers with the file of that path, or with 304, 404 or 405. */
void chainsi_page_answer(chainsi_exchange *exchange, const char *const *segments, size_t count);

/* Whether a header Accept-Encoding takes gzip. NULL: there is none. */
bool chainsi_page_takes_gzip(const chainsi_slice *accepted);
/* Whether a header If-None-Match names the tag, which is in quotes. NULL: there is none. */
bool chainsi_page_matches(const chainsi_slice *none_match, const char *tag);

#endif
