/* Answers in the place of a Chainlet that has failed: whoever calls it, also from within the chain,
 * is told so at once, instead of waiting in the socket's queue for a process that may never come. */
#ifndef CHAINSI_CONTROL_REFUSER_H
#define CHAINSI_CONTROL_REFUSER_H

#include <uv.h>

typedef struct chainsi_refuser chainsi_refuser;

/* Takes every call that comes in on the listening socket fd (which stays the caller's) and answers
 * UNAVAILABLE with the message. NULL if the socket can't be listened on. */
chainsi_refuser *chainsi_refuser_new(uv_loop_t *loop, int fd, const char *message);
/* Stops taking calls; what has been taken is still answered. NULL is allowed. */
void chainsi_refuser_free(chainsi_refuser *refuser);

#endif
