/* What happens, told to those who look, as server-sent events on an answer that doesn't end.
 *
 * A viewer wants topics. Once a second each topic that somebody wants is written anew, once for all of them, and
 * goes to those of them who haven't this text yet. Who hasn't read what it was sent before is passed over, and gets
 * the newest the next time: nothing queues up for it but one text a topic. Without viewers there is no timer.
 * Belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_LIVE_H
#define CHAINSI_CONTROL_LIVE_H

#include <uv.h>

#include "control/exchange.h"

enum {
    CHAINSI_LIVE_VIEWERS = 256, /* at once */
    CHAINSI_LIVE_TOPICS = 3,    /* of one viewer */
    CHAINSI_LIVE_TICK_MS = 1000,
    CHAINSI_LIVE_COMMENT_TICKS = 15, /* after which a comment says that the line is open */
};

typedef struct chainsi_live chainsi_live;

/* What can be wanted. */
typedef struct chainsi_topic {
    const char *event;               /* its name for viewers */
    const char *chain, *environment; /* NULL: none in particular */
} chainsi_topic;

typedef struct chainsi_live_options {
    uv_loop_t *loop;
    /* Appends what there is to say of a topic, on one line. Nothing: nothing is sent. */
    void (*write)(void *user, const chainsi_topic *topic, chainsi_buffer *out);
    /* Appends, as whole events, what happened to a chain (NULL: to any) after the number `after`, and returns
     * the number to go on from. */
    int64_t (*write_happened)(void *user, const char *chain, int64_t after, chainsi_buffer *out);
    void *user;
} chainsi_live_options;

/* Never NULL. */
chainsi_live *chainsi_live_new(const chainsi_live_options *options);
/* After _stop. NULL is allowed. */
void chainsi_live_free(chainsi_live *live);

/* What a viewer wants. */
typedef struct chainsi_live_wish {
    chainsi_topic topics[CHAINSI_LIVE_TOPICS]; /* texts are copied */
    size_t topic_count;
    bool happened;     /* and what happens from now on, */
    const char *chain; /* to this chain; NULL: to any */
    int64_t after;
} chainsi_live_wish;

/* Answers with all that is wanted, at once and from then on, until the client leaves. False: there are as many
 * viewers as may be, or the daemon ends; nothing has been answered. */
bool chainsi_live_begin(chainsi_live *live, chainsi_exchange *exchange,
                        const chainsi_live_wish *wish);
size_t chainsi_live_count(const chainsi_live *live);
/* Ends all answers; there will be no more. */
void chainsi_live_stop(chainsi_live *live);

/* Appends an event with one line of data. */
void chainsi_live_add_event(chainsi_buffer *out, const char *event, const void *data, size_t size);

#endif
