/* Messages of nng's services: a head and a body; and what both sides open. */
#ifndef BENCH_PEERS_NNG_WIRE_H
#define BENCH_PEERS_NNG_WIRE_H

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdio.h>
#include <stdlib.h>

#include "../payload.h"

typedef enum nng_kind {
    NNG_TEXT,    /* answered with the same body */
    NNG_BYTES,   /* with a byte of each page */
    NNG_DOUBLES, /* with their sum */
    NNG_FAN,     /* count calls of the text; with the number of equal answers */
} nng_kind;

/* In front of a request's body; answers have none. */
typedef struct nng_head {
    uint32_t kind;
    uint32_t count;
} nng_head;

static inline void nng_must(int result, const char *what)
{
    if (result != 0) {
        fprintf(stderr, "nng: %s: %s\n", what, nng_strerror(result));
        _Exit(1);
    }
}

/* A requester of the service at path, which may come later. */
static inline nng_socket nng_requester(const char *path)
{
    char address[256];
    nng_socket socket;
    snprintf(address, sizeof address, "ipc://%s", path);
    nng_must(nng_req0_open(&socket), "open");
    nng_must(nng_socket_set_size(socket, NNG_OPT_RECVMAXSZ, 0), "option");
    nng_must(nng_socket_set_ms(socket, NNG_OPT_RECONNMINT, 10), "option");
    nng_must(nng_socket_set_ms(socket, NNG_OPT_RECONNMAXT, 10), "option");
    nng_must(nng_dial(socket, address, NULL, NNG_FLAG_NONBLOCK), address);
    return socket;
}

static inline nng_msg *nng_request(nng_kind kind, uint32_t count, const void *body, size_t size)
{
    nng_msg *message;
    nng_head head = { (uint32_t)kind, count };
    nng_must(nng_msg_alloc(&message, 0), "memory");
    nng_must(nng_msg_reserve(message, sizeof head + size), "memory");
    nng_must(nng_msg_append(message, &head, sizeof head), "memory");
    nng_must(nng_msg_append(message, body, size), "memory");
    return message;
}

#endif
