/* A connection of the serving side: its bytes, where its current request stands in them, and the
 * answer's way out. It speaks HTTP, or frames (rpc/frame.h) if it begins with their preface. Used by
 * the files of the server only; nothing here knows of slots and threads. All functions are for the
 * thread that owns the connection, and only chainsi_connection_send blocks. */
#ifndef CHAINSI_RPC_CONNECTION_H
#define CHAINSI_RPC_CONNECTION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rpc/channel.h"
#include "rpc/frame.h"
#include "rpc/http.h"
#include "rpc/server.h"

/* A read buffer that nobody uses, so that the next request needs no malloc. */
typedef struct chainsi_spare {
    char *data; /* owned */
    size_t capacity;
} chainsi_spare;

enum chainsi_connection_phase {
    CHAINSI_READING_HEAD,
    CHAINSI_READING_LENGTH,
    CHAINSI_READING_CHUNKS,
    CHAINSI_READ_WHOLE, /* the request is there; see chainsi_connection_next */
    CHAINSI_LINGERING,  /* refused; what comes is dropped until the other end closes */
};

enum chainsi_protocol {
    CHAINSI_ONLY_HTTP, /* frames are not taken */
    CHAINSI_UNDECIDED, /* the first byte will tell */
    CHAINSI_HTTP,
    CHAINSI_FRAMES,
};

/* Descriptors that came with bytes, first come first, and whose frame has not been taken yet. */
typedef struct chainsi_descriptors {
    int count;
    int fds[CHAINSI_FRAME_MAX_ATTACHMENTS]; /* owned */
} chainsi_descriptors;

typedef struct chainsi_connection {
    atomic_int state;                /* who owns it: see rpc/table.h */
    _Atomic int64_t deadline_ns;     /* of an incomplete request, or of lingering; CHAINSI_NEVER */
    _Atomic int64_t idle_since_ns;   /* of one that is between requests; CHAINSI_NEVER: it isn't */
    atomic_bool ended;               /* the other end sends no more; any thread sets it */
    struct chainsi_connection *next; /* in the list of free ones, or of waiting calls */

    int fd;                       /* owned */
    chainsi_tls_session *session; /* owned; NULL: plain */
    bool shaking;                 /* hands; nothing has been read yet */
    bool registered;              /* the epoll knows it */
    bool drained;    /* the last read has left nothing in the socket, an end included */
    bool direct;     /* it came by the server's own socket, not by the shared one */
    bool answered;   /* a call that came by it */
    bool keeps;      /* it is not to be closed for being idle while calls wait elsewhere */
    bool recallable; /* counted as one in frames that is idle and may be closed for that */
    bool timed;      /* deadline_ns is that of an incomplete request */
    bool continued;  /* "100 Continue" was sent for this request */
    bool announced;  /* its last request waits, and options.on_read was told of it */
    bool wants;      /* its last request asks for a slot, not to be run (rpc/grants.h) */
    _Atomic int64_t leased_until_ns; /* a slot is kept for it; 0: none is (rpc/lease.c) */
    atomic_int leased_place;         /* which */
    enum chainsi_protocol protocol;
    enum chainsi_connection_phase phase;
    chainsi_descriptors *attachments; /* owned; NULL until some came */
    struct chainsi_bundle *bundle;    /* a reference, which owns fd; NULL: calls come one by one */
    atomic_int under_way;             /* calls of the bundle that are not answered */
    int64_t received_ns; /* when the last request had been read, or the connection was accepted */

    /* The request that is being read begins at data + start; the offsets below count from there. */
    char *data; /* owned; NULL while nothing is kept */
    size_t capacity, start;
    size_t size;      /* bytes there */
    size_t head_size; /* once the head is complete */
    size_t body_size; /* decoded so far */
    size_t length;    /* of the whole body, by Content-Length */
    size_t end;       /* where the next request begins; once it is whole */
    size_t lingered;  /* bytes dropped */
    chainsi_http_scan scan;
    chainsi_http_chunked chunked;
} chainsi_connection;

typedef enum chainsi_read_end {
    CHAINSI_READ_REQUEST,    /* whole: *request is parsed, the body decoded */
    CHAINSI_READ_FRAME,      /* a whole frame: *frame is parsed */
    CHAINSI_READ_INCOMPLETE, /* nothing more has come yet */
    CHAINSI_READ_CLOSED,     /* end or failure of the connection */
    CHAINSI_READ_REFUSED,    /* *refusal says why */
    CHAINSI_READ_PLAIN,      /* what came is HTTP without TLS, where a session should be */
    CHAINSI_READ_STRANGER,   /* no session has come about */
} chainsi_read_end;

/* What was read. */
typedef struct chainsi_reading {
    chainsi_http_request *request;
    chainsi_frame *frame;
    chainsi_http_refusal refusal;
} chainsi_reading;

/* Starts with a fresh descriptor, and a fresh session over it, which is taken; NULL: none. */
void chainsi_connection_open(chainsi_connection *connection, int fd, chainsi_tls_session *session,
                             enum chainsi_protocol protocol);
/* Frees what it holds and closes the descriptor. */
void chainsi_connection_close(chainsi_connection *connection);

/* Its socket with its session; both stay the connection's. */
static inline chainsi_channel chainsi_connection_channel(const chainsi_connection *connection)
{
    return (chainsi_channel){ .fd = connection->fd, .session = connection->session };
}

/* Whether several calls may be on their way by it at once. */
static inline bool chainsi_connection_takes_many(const chainsi_connection *connection)
{
    return connection->direct || connection->protocol == CHAINSI_FRAMES;
}

/* Goes on reading, into *spare's buffer if it needs one. Bytes that are already there are used
 * before the socket is asked. */
chainsi_read_end chainsi_connection_read(chainsi_connection *connection, size_t max_body,
                                         chainsi_spare *spare, chainsi_reading *reading);
/* Parses the head of a whole request or frame again, after its bytes may have moved. */
void chainsi_connection_parse(chainsi_connection *connection, chainsi_reading *reading);
/* Takes the descriptors that belong to a whole frame, `count` of them, into fds. */
void chainsi_connection_take_attachments(chainsi_connection *connection, int *fds, int count);
/* The body of a whole request, a NUL behind it. What the NUL replaces comes back with _next. */
char *chainsi_connection_body(chainsi_connection *connection, char *replaced);
/* Forgets the whole request. True if bytes of a next one are there already. */
bool chainsi_connection_next(chainsi_connection *connection, char replaced);
/* Forgets a whole frame that nobody runs, with its descriptors, of which there are so many. */
void chainsi_connection_skip(chainsi_connection *connection, int attachments);
/* Whether one more whole frame of this kind is among the bytes that are there; *frame is parsed then, as
 * after reading it. */
bool chainsi_connection_has_frame(chainsi_connection *connection, chainsi_frame_kind kind,
                                  size_t max_body, chainsi_frame *frame);
/* Hands an empty buffer on to *spare, unless that has one. */
void chainsi_connection_rest(chainsi_connection *connection, chainsi_spare *spare);
/* Drops what comes while lingering: INCOMPLETE or CLOSED. */
chainsi_read_end chainsi_connection_drop(chainsi_connection *connection);

/* Sends head and body, together where the socket takes them, with descriptors beside the first
 * byte. Waits at most timeout_ms for the other end to read. False if it couldn't be sent. */
bool chainsi_connection_send(chainsi_connection *connection, const chainsi_buffer *head,
                             const void *body, size_t body_size, const int *fds, int fd_count,
                             int64_t timeout_ms);

#endif
