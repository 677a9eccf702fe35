/* Requests to a registry by libcurl, with the login that it asks for: Basic, or a token of the server that it names. */
#ifndef CHAINSI_IMAGE_EXCHANGE_H
#define CHAINSI_IMAGE_EXCHANGE_H

#include "base/buffer.h"
#include "image/blob.h"
#include "image/credentials.h"

typedef struct chainsi_exchange {
    chainsi_arena arena; /* owned */
    void *curl;          /* owned; CURL: its connection is kept between requests */
    const char *host;    /* as messages and files of logins name it: "127.0.0.1:5000" */
    const char *base;    /* "http://127.0.0.1:5000" */
    chainsi_credentials credentials;
    bool looked;               /* for credentials */
    const char *authorization; /* the whole header; NULL: none so far */
    const char *pushed;        /* the repository that was pushed to before; NULL: none */
} chainsi_exchange;

/* One request. All zero but method and url. */
typedef struct chainsi_ask {
    const char *method;     /* "HEAD", "GET", "POST", "PUT" */
    const char *url;        /* whole, or from "/" on */
    const char *repository; /* for credentials */
    const char *type;       /* of the body; NULL: there is none */
    const void *data;       /* the body */
    const char *file;       /* or what is in this file */
    int64_t size;           /* of the body */
    const char *accept;     /* media types; NULL: any */
    chainsi_blob *into;     /* a good answer's body goes there; NULL: to `body` */
} chainsi_ask;

typedef struct chainsi_reply {
    long status;
    const char *location, *digest, *type,
        *subject;        /* headers, in the exchange's arena; NULL: not there */
    chainsi_buffer body; /* at most 16 MiB; owned, chainsi_buffer_done */
} chainsi_reply;

/* where: "HOST[:PORT]", or with "http://" or "https://" before it. Without, it is https, and http for this machine's own
 * names. chainsi_exchange_close in any case. */
bool chainsi_exchange_open(chainsi_exchange *exchange, const char *where, chainsi_problem *problem);
void chainsi_exchange_close(chainsi_exchange *exchange);

/* Does it, once more with a login if it is refused without. False: there was no answer, or no login would do. Any other status
 * is the caller's to judge. */
bool chainsi_exchange_do(chainsi_exchange *exchange, const chainsi_ask *ask, chainsi_reply *reply,
                         chainsi_problem *problem);

/* Notes an answer that was no success, with what the registry said and the next step; false. `doing`: "push 'x'". */
bool chainsi_exchange_refused(const chainsi_exchange *exchange, const chainsi_reply *reply,
                              const char *doing, chainsi_problem *problem);

#endif
