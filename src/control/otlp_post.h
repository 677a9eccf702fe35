/* Requests to where OTLP goes, one at a time: what spans and metrics have in common on their way. Belongs to
 * the thread of the loop. */
#ifndef CHAINSI_CONTROL_OTLP_POST_H
#define CHAINSI_CONTROL_OTLP_POST_H

#include "control/courier.h"
#include "control/otlp.h"

/* What came of one. */
typedef struct chainsi_otlp_answer {
    long status;            /* HTTP's; 0: there was no answer */
    int64_t retry_after_ms; /* 0: it doesn't say */
    const char *why;        /* where status is 0: a sentence; until the callback returns */
} chainsi_otlp_answer;

typedef struct chainsi_otlp_post chainsi_otlp_post;

/* settings, with a URL, and courier must outlive it. Never NULL. */
chainsi_otlp_post *
chainsi_otlp_post_new(chainsi_courier *courier, const chainsi_otlp_settings *settings,
                      void (*on_done)(void *user, const chainsi_otlp_answer *answer), void *user);
/* Ends one that is under way. NULL is allowed. */
void chainsi_otlp_post_free(chainsi_otlp_post *post);

/* Sends a body; none may be under way. */
void chainsi_otlp_post_send(chainsi_otlp_post *post, const chainsi_buffer *body, long timeout_ms);
bool chainsi_otlp_post_is_sending(const chainsi_otlp_post *post);
/* Ends it without on_done; nothing where none is under way. */
void chainsi_otlp_post_cancel(chainsi_otlp_post *post);

#endif
