/* The courier: a process of its own that carries what the daemon sends elsewhere, and fetches what it wants
 * from there. It is there only while it is needed, as libcurl and what comes with it are as much memory again
 * as all else of an idle daemon.
 *
 *            the first errand               no errand for a while
 *   (none) ------------------> RUNNING --------------------------> LEAVING --> (none)
 *                                 '---- it dies, or is killed -------------------^
 *
 * An errand is one HTTP request with its answer, redirects and all. What an errand is, which are repeated, and
 * when, is the business of whoever sends it: where the courier dies, the errands that it was on end as broken,
 * and the next errand starts another one. Those that it had not been told of are the next one's.
 *
 * The body of an answer goes to a file that the courier is handed the descriptor of, so that the brain touches
 * none of it, or is thrown away. What is sent travels in a file as well: all that goes over the socket between
 * the two is small and of one size (courier_line.h).
 *
 * The courier has that socket, the files of its errands, and no other descriptor of the daemon's; what is to be
 * signed is signed before it is sent, so it is given no key for that. It ends when the brain does, however that happens,
 * and nothing is lost with it. One that says nothing any more (it is stopped, or hangs) is killed.
 *
 * Belongs to the thread of the loop, which must be the process's first: the courier dies with the thread that
 * started it. Nothing blocks but for the moment in which the process is started. */
#ifndef CHAINSI_CONTROL_COURIER_H
#define CHAINSI_CONTROL_COURIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

enum {
    CHAINSI_COURIER_IDLE_MS = 5000,   /* without an errand, and it leaves */
    CHAINSI_COURIER_WATCH_MS = 15000, /* between looks at whether it works, while it has errands */
    CHAINSI_ERRAND_MOST_TEXTS = 1024 * 1024, /* bytes of an errand's URL and headers together */
    CHAINSI_ERRAND_MOST_VALIDATOR = 256,
    CHAINSI_ERRAND_MOST_WHY = 256,
};

typedef struct chainsi_courier chainsi_courier;
typedef struct chainsi_errand chainsi_errand;

/* The numbers of an errand. 0, where nothing else is said: no limit. */
typedef struct chainsi_errand_terms {
    int64_t connect_timeout_ms;
    int64_t timeout_ms;          /* for all of it */
    int64_t stall_s, stall_rate; /* so long below so many bytes a second, and it has broken */
    int64_t most_redirects;      /* 0: none is followed */
    int64_t most_answer;         /* bytes of a body that is thrown away; without a file */
    /* With a file: the place in it of the body's first byte, and of what is behind the last one that is wanted,
     * INT64_MAX: it ends with the answer. */
    int64_t from, end;
    bool ranged;       /* asks for the bytes between these alone */
    bool stays_secure; /* no redirect leads from https to http */
} chainsi_errand_terms;

/* What is asked for. Nothing of it is kept but the file. */
typedef struct chainsi_errand_request {
    const char *url;   /* http or https; with name and password, if need be: for that host alone */
    const char *agent; /* User-Agent */
    const char *authorities; /* a file of certificates to trust; NULL: the system's */
    /* "Name: value", ended by NULL; "Name:" takes out one that libcurl would send by itself. NULL: none. */
    const char *const *headers;
    const void *body; /* of a POST; NULL: it is a GET */
    size_t body_size;
    int file; /* the answer's body is written there; must stay open until on_end; -1: thrown away */
    chainsi_errand_terms terms;
} chainsi_errand_request;

/* The head of an answer, the last one after redirects. */
typedef struct chainsi_errand_answer {
    int64_t status; /* 0: there was none */
    int64_t from;   /* the place of its body in what was asked for */
    int64_t size;   /* of the whole; -1: it isn't said */
    bool ranges;    /* the server does ranges */
    /* By what this version is known: an ETag that isn't weak, or its time; "" */
    char validator[CHAINSI_ERRAND_MOST_VALIDATOR];
    int64_t pause_ms; /* that the server asks for; 0 */
} chainsi_errand_answer;

typedef enum chainsi_errand_outcome {
    CHAINSI_ERRAND_DONE = 1, /* the answer came, or as much of it as is wanted */
    CHAINSI_ERRAND_BROKE, /* connection, time, size, file or courier: the next one may go better */
    CHAINSI_ERRAND_REFUSED,   /* trying again won't change it: certificates, too many redirects */
    CHAINSI_ERRAND_NO_URL,    /* nor this */
    CHAINSI_ERRAND_CANCELLED, /* by its owner */
} chainsi_errand_outcome;

/* Called from the loop, never from within the functions below. All may send and cancel errands. */
typedef struct chainsi_errand_events {
    /* The answer's head is there: where in the file what is wanted of its body ends, or -1: nothing is, and the
     * errand is as good as cancelled. The body waits. Not for errands without a file. */
    int64_t (*on_answer)(void *user, const chainsi_errand_answer *answer);
    /* `size` bytes more are in the file, one behind the other; or error (libuv's): none will be. */
    void (*on_written)(void *user, size_t size, int error);
    /* It has ended, and is gone; nothing is being written to the file any more. answer: as much as there was of
     * one, whatever the outcome. why: a sentence, where it isn't DONE. Both live until this returns. */
    void (*on_end)(void *user, chainsi_errand_outcome outcome, const chainsi_errand_answer *answer,
                   const char *why);
} chainsi_errand_events;

typedef struct chainsi_courier_options {
    uv_loop_t *loop;
    const char *program; /* chainsd's; not copied */
    int idle_ms, watch_ms;
} chainsi_courier_options;

/* Starts no process yet. Never NULL. */
chainsi_courier *chainsi_courier_new(const chainsi_courier_options *options);
/* The usual one of a program: its own with the usual times. */
chainsi_courier *chainsi_courier_usual(uv_loop_t *loop, const char *program);
/* Ends the process, and waits for that. No errand may be under way, but for cancelled ones. Handles of the loop
 * are still closing when it returns. NULL is allowed. */
void chainsi_courier_free(chainsi_courier *courier);
/* Its process; 0: there is none now. */
pid_t chainsi_courier_process(const chainsi_courier *courier);

/* Sends an errand. Never NULL: failures are told by on_end. It lives until then, or until it is cancelled.
 * Errands keep the loop running; a courier that waits doesn't. */
chainsi_errand *chainsi_courier_send(chainsi_courier *courier,
                                     const chainsi_errand_request *request,
                                     const chainsi_errand_events *events, void *user);
/* Has it end. With a file on_end still comes, and perhaps on_written before; without one nothing does, and the
 * errand is gone for its owner. */
void chainsi_courier_cancel(chainsi_courier *courier, chainsi_errand *errand);

#endif
