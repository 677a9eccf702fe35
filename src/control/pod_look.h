/* Asks a pod what is asked of it (GET /demand at its port of probes), and when it has had calls what it tells of them
 * (GET /spans, runtime/span_batch.h). Belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_POD_LOOK_H
#define CHAINSI_CONTROL_POD_LOOK_H

#include "control/upstream.h"

typedef struct chainsi_pod_wait {
    const char *key; /* a Chainlet that it calls, by its name on the wire */
    uint32_t value;  /* calls that wait for it */
} chainsi_pod_wait;

/* Its answer. */
typedef struct chainsi_pod_demand {
    uint32_t running, waiting, slots;
    uint64_t calls; /* begun so far */
    struct {
        chainsi_pod_wait *items;
        size_t count;
    } waits;
} chainsi_pod_demand;

typedef struct chainsi_pod_look_events {
    /* It has said what is asked of it. */
    void (*on_answer)(void *user);
    /* What it told of calls; lives until this returns. */
    void (*on_spans)(void *user, const void *body, size_t size);
    void *user;
} chainsi_pod_look_events;

typedef struct chainsi_pod_look chainsi_pod_look;

/* probes isn't owned, and outlives it. Never NULL. */
chainsi_pod_look *chainsi_pod_look_new(chainsi_upstream *probes,
                                       const chainsi_pod_look_events *events);
/* Asks, unless it hasn't answered yet; one that doesn't for some seconds is asked anew, and what it said isn't known
 * any more. answers: whether it does, for all that is known. */
void chainsi_pod_look_ask(chainsi_pod_look *look, bool answers);
/* What it said last; NULL: nothing, or not for long. Until it answers again. */
const chainsi_pod_demand *chainsi_pod_look_said(const chainsi_pod_look *look);
/* NULL is allowed. */
void chainsi_pod_look_free(chainsi_pod_look *look);

#endif
