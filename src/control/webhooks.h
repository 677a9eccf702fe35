/* Webhooks: whoever asked for it is told of the end of a request by a POST to its URL, with the object
 * that GET /requests/ID gives as the body.
 *
 * At least once: an answer of 2xx ends it, all else is tried again with backoff for a day, and what the
 * daemon was doing when it ended is done again. The same id comes every time, as X-Request-Id and in
 * the body. The answer's body is ignored. Redirects are followed a few times, to http and https only.
 *
 * Each attempt is signed: X-Chains-Signature: t=<unix s>,v1=<hex>, where v1 is the HMAC-SHA256 with the
 * text of CHAINS_HOME/webhook.key of "t.body". A receiver compares it, and refuses an old t. */
#ifndef CHAINSI_CONTROL_WEBHOOKS_H
#define CHAINSI_CONTROL_WEBHOOKS_H

#include "control/courier.h"
#include "control/digest.h"
#include "control/home.h"
#include "control/request_policy.h"
#include "control/store.h"

enum {
    CHAINSI_WEBHOOK_MOST_AT_ONCE = 32,
    CHAINSI_WEBHOOK_MOST_REDIRECTS = 3,
    CHAINSI_WEBHOOK_CONNECT_TIMEOUT_S = 10,
    CHAINSI_WEBHOOK_TIMEOUT_S = 30,
    CHAINSI_WEBHOOK_MOST_URL = 2048,           /* bytes */
    CHAINSI_WEBHOOK_MOST_ANSWER = 1024 * 1024, /* bytes of an answer that are read, to be ignored */
};

typedef struct chainsi_webhooks chainsi_webhooks;

typedef struct chainsi_webhooks_options {
    uv_loop_t *loop;
    chainsi_store *store;
    chainsi_courier *courier;
    const chainsi_request_policy *policy;
    char key[CHAINSI_TOKEN_SIZE + 1];
    /* An attempt has ended, and that is on the disk: look again at what is due. NULL: nobody wants to
     * know. */
    void (*on_told)(void *user);
    void *user;
} chainsi_webhooks_options;

/* Never NULL. */
chainsi_webhooks *chainsi_webhooks_new(const chainsi_webhooks_options *options);
/* Begins to tell what is due, as much of it as may be under way at once. */
void chainsi_webhooks_look(chainsi_webhooks *webhooks);
/* Breaks off what is under way; nothing begins any more. */
void chainsi_webhooks_stop(chainsi_webhooks *webhooks);
/* After the store has been closed. NULL is allowed. */
void chainsi_webhooks_free(chainsi_webhooks *webhooks);

/* "t=...,v1=..." for a body that is sent at unix_s. */
enum { CHAINSI_SIGNATURE_TEXT = 32 + CHAINSI_DIGEST_TEXT };
void chainsi_webhook_sign(const char *key, const void *body, size_t size, int64_t unix_s,
                          char text[CHAINSI_SIGNATURE_TEXT]);
/* Whether a URL may be told: http or https, with a host. False with a sentence. */
bool chainsi_webhook_check_url(const char *url, char *why, size_t why_size);

#endif
