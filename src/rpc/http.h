/* HTTP/1.1 heads and chunked bodies, parsed strictly: where the standard lets a recipient guess,
 * this one refuses. Nothing here allocates, blocks or keeps state beyond what is passed in. Slices
 * point into the caller's buffer and live as long as that.
 *
 * Refused: bare LF, space before a colon, folded lines, control characters, names that are no
 * tokens, Transfer-Encoding beside Content-Length, any Transfer-Encoding but exactly "chunked",
 * Content-Length that differ or are no plain number, a missing, repeated or malformed Host, targets
 * that are neither a path nor an http(s) URL, versions other than 1.0 and 1.1, and whatever exceeds
 * rpc/limits.h. */
#ifndef CHAINSI_RPC_HTTP_H
#define CHAINSI_RPC_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "rpc/limits.h"

typedef struct chainsi_slice {
    const char *data; /* not owned, not terminated */
    size_t size;
} chainsi_slice;

typedef struct chainsi_http_header {
    chainsi_slice name, value; /* value without the white space around it */
} chainsi_http_header;

/* What requests and responses have in common. */
typedef struct chainsi_http_head {
    int minor_version;      /* 1 for HTTP/1.1, 0 for HTTP/1.0 */
    int64_t content_length; /* -1: there is none */
    bool chunked;
    bool keep_alive; /* by version and Connection header */
    size_t header_count;
    chainsi_http_header headers[CHAINSI_MAX_HEADERS];
} chainsi_http_head;

typedef enum chainsi_http_method {
    CHAINSI_HTTP_OTHER, /* a well-formed method that has no number here: see request.method_name */
    CHAINSI_HTTP_GET,
    CHAINSI_HTTP_HEAD,
    CHAINSI_HTTP_POST,
    CHAINSI_HTTP_PUT,
    CHAINSI_HTTP_DELETE,
    CHAINSI_HTTP_OPTIONS,
} chainsi_http_method;

typedef struct chainsi_http_request {
    chainsi_http_method method;
    chainsi_slice method_name;
    chainsi_slice path;  /* of the target, from its '/', not decoded; "*" for OPTIONS * */
    chainsi_slice query; /* what follows '?', without it; empty if there is none */
    bool expect_continue;
    chainsi_http_head head;
} chainsi_http_request;

typedef struct chainsi_http_response {
    int status; /* 100 to 599 */
    chainsi_slice reason;
    chainsi_http_head head;
} chainsi_http_response;

/* Why something was refused. */
typedef struct chainsi_http_refusal {
    int status;         /* 400, 411, 413, 414, 417, 431, 501 or 505: the answer to give */
    const char *reason; /* a constant: one sentence without quotes, fit for JSON */
} chainsi_http_refusal;

/* How far a head that came in parts has been looked at; zero before its first byte. Belongs to one
 * head in one buffer, whose start may move. */
typedef struct chainsi_http_scan {
    size_t scanned;    /* bytes looked at */
    size_t line_start; /* where the line begins that is not complete */
    size_t lines;      /* complete ones */
} chainsi_http_scan;

enum { CHAINSI_HTTP_REFUSED = -1, CHAINSI_HTTP_MORE = 0 };

/* Parses the head at the start of data. Returns its bytes, the empty line included, once it is
 * complete and good; CHAINSI_HTTP_MORE while it is neither complete nor wrong yet; or
 * CHAINSI_HTTP_REFUSED with *refusal filled. Call again with the same *scan and the longer buffer
 * after MORE: bytes are not scanned twice. *request is meaningful only after a complete head. */
ptrdiff_t chainsi_http_parse_request(const char *data, size_t size, chainsi_http_scan *scan,
                                     chainsi_http_request *request, chainsi_http_refusal *refusal);
/* The same for the head of a response. refusal->status means nothing then. */
ptrdiff_t chainsi_http_parse_response(const char *data, size_t size, chainsi_http_scan *scan,
                                      chainsi_http_response *response,
                                      chainsi_http_refusal *refusal);

/* Has the slices of a request that was parsed from `size` bytes at `from` point into a copy of them at `to`. */
void chainsi_http_move_request(chainsi_http_request *request, const char *from, size_t size,
                               const char *to);

/* The header of a server's own 429 and 503: the call was refused because others wait, or because it
 * wasn't to wait, and not begun. (A 429 without it is the Chainlet's.) */
#define CHAINSI_HTTP_NOT_STARTED "X-Chains-Not-Started"
/* The header with which the daemon says when a call was made: CLOCK_MONOTONIC, in whole microseconds. For
 * callees on this machine alone. */
#define CHAINSI_HTTP_MADE_US     "X-Chains-Made-Us"

/* The first header of this name, whatever its case; NULL if there is none. */
const chainsi_slice *chainsi_http_find(const chainsi_http_head *head, const char *name);
/* Whether a Content-Type is this one, whatever its case and its parameters. NULL is none. */
bool chainsi_http_is_type(const chainsi_slice *type, const char *text);

/* A chunked body as it comes in. Zero it but for max_body. */
typedef struct chainsi_http_chunked {
    uint64_t max_body;   /* bytes that the body may have, decoded */
    uint64_t total;      /* decoded so far, and announced by the current chunk */
    uint64_t chunk_left; /* bytes of the current chunk still to come */
    size_t extensions, trailers;
    int state, digits;
} chainsi_http_chunked;

typedef enum chainsi_http_progress {
    CHAINSI_HTTP_BODY_MORE,
    CHAINSI_HTTP_BODY_DONE,
    CHAINSI_HTTP_BODY_REFUSED, /* *refusal is filled; the connection is of no further use */
} chainsi_http_progress;

/* Decodes size bytes in place: the body's bytes among them move to data[0 .. *decoded). *consumed
 * is how many of the size bytes were used: all of them unless DONE, then what follows them is the
 * next message. */
chainsi_http_progress chainsi_http_decode_chunked(chainsi_http_chunked *chunked, char *data,
                                                  size_t size, size_t *decoded, size_t *consumed,
                                                  chainsi_http_refusal *refusal);

/* The standard's phrase for a status, such as "Not Found"; "Unknown" where there is none. */
const char *chainsi_http_reason(int status);

/* Whether a slice is this text; _case: whatever the case of ASCII letters. */
static inline bool chainsi_slice_is(chainsi_slice slice, const char *text)
{
    size_t size = strlen(text);
    return slice.size == size && !memcmp(slice.data, text, size);
}
bool chainsi_slice_is_case(chainsi_slice slice, const char *text);

#endif
