/* What the files of the daemon's calling side share, and nobody else: upstream.c (life, and what others call),
 * upstream_answer.c (a call from its answer's first byte to its end), upstream_peer.c (connections), upstream_set.c (which
 * endpoint a call goes to, and the queue), upstream_members.c (the endpoints of a set). */
#ifndef CHAINSI_CONTROL_UPSTREAM_PARTS_H
#define CHAINSI_CONTROL_UPSTREAM_PARTS_H

#include <netinet/in.h>

#include "base/buffer.h"
#include "control/secure_client.h"
#include "control/upstream.h"
#include "rpc/address.h"

typedef struct chainsi_peer chainsi_peer;
typedef struct chainsi_member chainsi_member;

/* A connection: idle in a pool, or with one call. */
struct chainsi_peer {
    chainsi_upstream *upstream;
    chainsi_member *member;      /* whose it is; NULL: the Unix socket's */
    chainsi_peer *next;          /* of the idle ones */
    uv_stream_t *stream;         /* owned; its data is this, then NULL */
    chainsi_upstream_call *call; /* NULL: idle */
    bool ready;                  /* it is connected, and the handshake is done */
    bool ended;                  /* nothing comes any more */
    /* Of TCP. */
    bool kept;                       /* it has had a call before this one */
    unsigned generation;             /* of what the upstream's sessions are made by */
    uv_timer_t *limit;               /* owned; until it is ready; else NULL */
    chainsi_secure_session *session; /* owned; NULL: plain */
    int64_t idle_since_ns;
};

/* Connections without a call, the most recent first. */
typedef struct chainsi_idle {
    chainsi_peer *first; /* owned */
    size_t count;
} chainsi_idle;

/* An endpoint of a set, which lives until it is gone and its last call has left it. */
struct chainsi_member {
    chainsi_upstream *upstream;
    chainsi_endpoint at;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    chainsi_idle idle;
    uint32_t outstanding;      /* calls that it has */
    bool gone;                 /* it is in the set no more */
    unsigned failures;         /* in a row: it couldn't be reached */
    int64_t rest_until_ns;     /* it is left alone until then */
    int64_t busy_until_ns;     /* others fill it, as far as is known: calls would wait in it */
    struct chainsi_list *list; /* that it stands in; NULL: none */
    chainsi_member *previous, *following; /* there */
    chainsi_secure_ticket ticket;
};

typedef struct chainsi_list {
    chainsi_member *first, *last;
} chainsi_list;

enum {
    CHAINSI_SET_LEVELS = 64, /* numbers of calls that are told apart, to find the fewest */
    CHAINSI_UPSTREAM_WHY = 200,
};

typedef struct chainsi_set {
    bool single; /* one endpoint, where nothing waits */
    uint32_t slots, max_waiting;
    int64_t reach_ms; /* for so long no endpoint could be reached: calls that wait are given up */
    chainsi_member **members; /* owned; in order of their addresses */
    size_t count;
    chainsi_list free[CHAINSI_SET_LEVELS], busy[CHAINSI_SET_LEVELS]; /* by outstanding calls */
    chainsi_list resting;
    int64_t next_look_ns;     /* when the first of the busy and resting ones may be another's */
    size_t failing;           /* members with failures */
    int64_t failing_since_ns; /* that is all of them; 0: it isn't */
    chainsi_upstream_call *first, *last; /* those that wait */
    uint32_t waiting, running;
    uint64_t begun;
    bool sends_away;
    uv_timer_t *rest; /* owned; until one that rests may be tried again */
    uv_timer_t
        *sweep; /* owned; of connections that have been idle for long; not counted by the loop */
    uv_timer_t *wait; /* owned; to tell on_wait from the loop; NULL: nobody asks */
    void (*on_wait)(void *user);
    void *user;
    chainsi_secure_client *tls; /* owned; NULL: plain */
    unsigned generation;
    char why[CHAINSI_UPSTREAM_WHY]; /* what came of the last one that couldn't be reached */
} chainsi_set;

struct chainsi_upstream {
    uv_loop_t *loop;         /* not owned */
    chainsi_address address; /* owned; of a Unix socket */
    chainsi_idle idle;       /* likewise */
    chainsi_set *set;        /* owned; of TCP endpoints; NULL: a Unix socket */
    size_t references;       /* the owner's, and one of each call */
    bool closed;
    chainsi_losses *losses;      /* owned; how processes ended; NULL: nobody tells */
    chainsi_upstream_call *lost; /* calls that wait for it; not owned */
};

typedef enum chainsi_refusal {
    CHAINSI_REFUSAL_NONE,
    CHAINSI_REFUSAL_BUSY,  /* no slot is free, and it wasn't to wait */
    CHAINSI_REFUSAL_FULL,  /* as many wait as may */
    CHAINSI_REFUSAL_LEAVES /* it takes no calls any more */
} chainsi_refusal;

/* A call's way to one of several endpoints: what is needed to send it again. */
typedef struct chainsi_trip {
    chainsi_member *member;                 /* that it is with; NULL: it waits, or is to end */
    chainsi_upstream_call *previous, *next; /* that wait, while `queued` */
    bool queued, begun, fresh;
    bool waits;              /* it may wait in the endpoint */
    bool sent;               /* a byte of it may have left */
    unsigned refusals;       /* by endpoints that had no slot for it */
    chainsi_refusal refusal; /* that is being read */
    int64_t since_ns;        /* when it came */
    int64_t timeout_ms;      /* that its caller gave it then; -1: none */
    chainsi_buffer base;     /* the head, without its end and what tells times */
    chainsi_buffer head;     /* as it is sent */
    const char *body;        /* the caller's */
    size_t body_size;
    size_t put; /* bytes of head and body that the session has */
} chainsi_trip;

struct chainsi_upstream_call {
    chainsi_upstream *upstream; /* referenced */
    chainsi_upstream_events events;
    void *user;
    chainsi_peer *peer; /* owned; NULL: there is no connection */
    chainsi_trip *trip; /* owned; NULL: to a Unix socket */
    uv_timer_t
        *timer; /* owned; tells of a connection that couldn't be made, or that a lost call has
                          waited for its reason for long enough; else NULL */
    chainsi_upstream_end failure;
    char why[CHAINSI_UPSTREAM_WHY];
    bool in_body;        /* the head of the answer came */
    bool paused;         /* no events are wanted */
    bool writing;        /* what became of the request isn't known yet */
    int write_error;     /* 0, or libuv's */
    int read_error;      /* by which the connection ended while it was written; 0 */
    bool answer_began;   /* a byte of it came */
    chainsi_buffer head; /* of the answer, until it is complete */
    chainsi_http_scan scan;
    chainsi_http_response response;
    size_t interim;
    bool until_end; /* the body ends with the connection */
    uint64_t left;  /* of a body whose length is known */
    chainsi_http_chunked chunked;
    int64_t lost_ns; /* when it was lost; 0: it wasn't */
    chainsi_upstream_call *next_lost;
};

/* upstream.c */

/* Frees a call, and what it has. */
void chainsi_upstream_free_call(chainsi_upstream_call *call);
/* Lets go of a reference. */
void chainsi_upstream_release(chainsi_upstream *upstream);

/* upstream_answer.c */

/* Ends a call, which is gone when this returns, or waits for another endpoint. */
void chainsi_upstream_end_call(chainsi_upstream_call *call, chainsi_upstream_end end,
                               const char *why);
/* Has it end from the loop, with call->why. */
void chainsi_upstream_fail_later(chainsi_upstream_call *call, chainsi_upstream_end end);
/* Bytes of its connection came (got > 0), or its end did (libuv's error); and what became of the last byte of the request. */
void chainsi_upstream_take(chainsi_upstream_call *call, ssize_t got, char *data);
void chainsi_upstream_note_written(chainsi_upstream_call *call, int status);

/* upstream_peer.c */

/* A connection to the Unix socket for the call. NULL: the call ends from the loop. */
chainsi_peer *chainsi_peer_open_unix(chainsi_upstream *upstream, chainsi_upstream_call *call);
/* Begins to make one to the call's member, which sends the call when it is ready, and tells chainsi_set_miss if it can't be
 * made. 0, or libuv's error. */
int chainsi_peer_connect(chainsi_upstream_call *call);
/* Closes it. */
void chainsi_peer_close(chainsi_peer *peer);
/* Sends the call's request over its connection, as much as the kernel takes now, and the rest from the loop; of the head a
 * copy is made for that. 0, or libuv's error: nothing was sent. */
int chainsi_peer_send(chainsi_upstream_call *call, const void *head, size_t head_size,
                      const void *body, size_t body_size);
/* The same over TCP, as its trip has it. */
int chainsi_peer_send_trip(chainsi_upstream_call *call);
/* Goes on with what the session takes a part at a time. */
void chainsi_peer_go_on(chainsi_upstream_call *call);
/* Reads, or doesn't. */
void chainsi_peer_read(chainsi_peer *peer, bool wanted);

void chainsi_idle_put(chainsi_idle *pool, chainsi_peer *peer);
/* The most recent one, of TCP one that hasn't ended as far as can be told; NULL: none. */
chainsi_peer *chainsi_idle_take(chainsi_idle *pool);
/* Closes those that have been idle since before that, all of them with INT64_MAX. */
void chainsi_idle_close(chainsi_idle *pool, int64_t before_ns);

/* upstream_set.c */

chainsi_set *chainsi_set_new(uv_loop_t *loop, uint32_t slots, uint32_t max_waiting);
void chainsi_set_free(chainsi_set *set);
/* A new call, whose trip this makes. */
void chainsi_set_start(chainsi_upstream_call *call, const void *head, size_t head_size,
                       const void *body, size_t body_size, bool fresh);
/* Sends what waits to endpoints that have room. No call ends within. */
void chainsi_set_go_on(chainsi_upstream *upstream);
/* The call leaves its endpoint, with its connection or without. */
void chainsi_set_leave(chainsi_upstream_call *call, bool keep);
/* It leaves the queue, if it is there. */
void chainsi_set_leave_queue(chainsi_upstream_call *call);
/* Its endpoint couldn't be reached: nothing was sent. */
void chainsi_set_miss(chainsi_upstream_call *call, const char *how);
/* Its kept connection turned out to be closed before a byte was sent. */
void chainsi_set_again(chainsi_upstream_call *call);
/* What its endpoint says by an answer that is none. */
chainsi_refusal chainsi_set_read_refusal(const chainsi_upstream_call *call);
/* That has come to its end. */
void chainsi_set_refused(chainsi_upstream_call *call, bool keep);
/* Writes trip->head as it has to be now. */
void chainsi_trip_write_head(chainsi_trip *trip);

/* upstream_members.c */

/* The one that is called next, and whether calls would wait in it; NULL: none has room. */
chainsi_member *chainsi_upstream_members_choose(chainsi_set *set, int64_t now_ns, bool *waits);
/* Something of it has changed: it goes where it belongs. */
void chainsi_member_place(chainsi_member *member, int64_t now_ns);
/* It couldn't be reached / it could. */
void chainsi_member_note_failure(chainsi_member *member, int64_t now_ns);
void chainsi_member_note_success(chainsi_member *member);
/* Frees one that is gone and has no call any more. */
void chainsi_member_free_if_over(chainsi_member *member);
/* "10.0.0.3:8080" for messages. */
void chainsi_member_write_name(const chainsi_member *member, char *text, size_t size);
/* Frees all of them. */
void chainsi_upstream_members_free(chainsi_set *set);
void chainsi_upstream_members_put(chainsi_upstream *upstream, const chainsi_endpoint *endpoints,
                                  size_t count);

#endif
