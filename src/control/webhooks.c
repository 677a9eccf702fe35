/* What is due is asked of the state; what is under way is known here. An attempt is over for us when its
 * end is on the disk: until then it isn't begun again. */
#include "control/webhooks.h"

#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/api_requests.h"
#include "control/handle.h"
#include "control/steady.h"
#include "control/time_text.h"
#include "control/url.h"
#include "runtime/context.h"
#include "schema/json.h"

enum { DISK_PAUSE_MS = 1000 /* before an end that could not be written is written again */ };

/* One attempt. */
typedef struct telling {
    chainsi_webhooks *webhooks;
    struct telling *next;
    char *id;                              /* owned */
    chainsi_errand *errand;                /* NULL: it has ended, or never began */
    char why[CHAINSI_ERRAND_MOST_WHY + 1]; /* "": it was taken */
    bool final;                            /* trying again won't change it */
    uv_timer_t *pause;                     /* owned; NULL: not waiting for the disk */
} telling;

struct chainsi_webhooks {
    chainsi_webhooks_options options;
    telling *tellings; /* owned */
    size_t count;
    bool stopped;
};

void chainsi_webhook_sign(const char *key, const void *body, size_t size, int64_t unix_s,
                          char text[CHAINSI_SIGNATURE_TEXT])
{
    chainsi_buffer signed_text = { 0 };
    chainsi_buffer_printf(&signed_text, "%lld.", (long long)unix_s);
    chainsi_buffer_add(&signed_text, body, size);
    uint8_t digest[CHAINSI_DIGEST_SIZE];
    unsigned written = 0;
    if (!HMAC(EVP_sha256(), key, (int)strlen(key), signed_text.data, signed_text.size, digest,
              &written) ||
        written != sizeof digest)
        abort(); /* out of memory */
    chainsi_buffer_done(&signed_text);
    char hex[CHAINSI_DIGEST_TEXT];
    chainsi_hex(digest, sizeof digest, hex);
    snprintf(text, CHAINSI_SIGNATURE_TEXT, "t=%lld,v1=%s", (long long)unix_s, hex);
}

bool chainsi_webhook_check_url(const char *url, char *why, size_t why_size)
{
    chainsi_url parts = { 0 };
    if (strlen(url) > CHAINSI_WEBHOOK_MOST_URL) {
        snprintf(why, why_size, "a URL may have %d bytes", CHAINSI_WEBHOOK_MOST_URL);
        return false;
    }
    bool good = chainsi_url_read(url, &parts) && parts.scheme != CHAINSI_URL_FILE;
    if (!good)
        snprintf(why, why_size, "it is no http or https URL");
    chainsi_url_done(&parts);
    return good;
}

static void free_telling(telling *t)
{
    telling **at = &t->webhooks->tellings;
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    t->webhooks->count--;
    if (t->errand)
        chainsi_courier_cancel(t->webhooks->options.courier, t->errand);
    chainsi_handle_close(t->pause);
    free(t->id);
    free(t);
}

/* Its end. */

struct told {
    const char *id, *error;
    const chainsi_request_policy *policy;
    uint64_t random;
    bool final;
};

/* When it is told again is decided here: steady time and the request's end may both have moved since the attempt
 * began, and go together only within a change (state_clock.h). */
static chains_status write_told(chainsi_database *database, void *arguments)
{
    const struct told *told = arguments;
    int64_t now_ms = chainsi_steady_ms(), ended_ms = now_ms, again_ms = -1;
    if (told->error && !told->final) {
        chainsi_arena arena = { 0 };
        chainsi_stored_request request;
        chainsi_statement find =
            chainsi_statement_begin(database, "SELECT * FROM requests WHERE id = :id");
        chainsi_statement_text(&find, ":id", told->id);
        chains_status status =
            chainsi_statement_read_one(&find, &chainsi_stored_request_type, &arena, &request);
        if (status == CHAINS_OK) {
            if (request.ended_at)
                chainsi_time_text_parse(request.ended_at, &ended_ms);
            again_ms = chainsi_webhook_again_ms(told->policy, ended_ms, request.webhook_attempts,
                                                now_ms, told->random);
        }
        chainsi_arena_done(&arena);
        if (status != CHAINS_OK)
            return status;
    }
    return chainsi_stored_request_told(database, told->id, told->error, again_ms);
}

static void note(telling *t);

static void on_pause_over(uv_timer_t *timer)
{
    telling *t = timer->data;
    if (!t)
        return;
    chainsi_handle_close(t->pause);
    t->pause = NULL;
    note(t);
}

static void on_noted(chainsi_write *write, chains_status status, const char *why)
{
    (void)why;
    telling *t = write->user;
    chainsi_webhooks *webhooks = t->webhooks;
    if (webhooks->stopped || status == CHAINS_OK || status == CHAINS_NOT_FOUND ||
        status == CHAINS_FAILED_PRECONDITION) {
        free_telling(t);
        if (!webhooks->stopped && webhooks->options.on_told)
            webhooks->options.on_told(webhooks->options.user);
        return;
    }
    t->pause = chainsi_timer_new(webhooks->options.loop, t);
    uv_timer_start(t->pause, on_pause_over, DISK_PAUSE_MS, 0);
}

static void note(telling *t)
{
    chainsi_write *write = chainsi_write_new(sizeof(struct told));
    struct told *told = write->arguments;
    told->id = chainsi_arena_strdup(&write->arena, t->id);
    told->error = t->why[0] ? chainsi_arena_strdup(&write->arena, t->why) : NULL;
    told->policy = t->webhooks->options.policy;
    told->random = chainsi_random();
    told->final = t->final;
    write->run = write_told;
    write->on_end = on_noted;
    write->user = t;
    chainsi_store_write(t->webhooks->options.store, write);
}

static void on_end(void *user, chainsi_errand_outcome outcome, const chainsi_errand_answer *answer,
                   const char *why)
{
    telling *t = user;
    t->errand = NULL;
    /* Whoever said 2xx has it, whatever became of the rest of the answer. */
    if (answer->status >= 200 && answer->status < 300)
        t->why[0] = 0;
    else if (outcome == CHAINSI_ERRAND_DONE)
        snprintf(t->why, sizeof t->why, "HTTP %lld", (long long)answer->status);
    else
        snprintf(t->why, sizeof t->why, "%s", why);
    t->final = outcome == CHAINSI_ERRAND_NO_URL;
    note(t);
}

/* Its way. The key stays here: what is signed is sent. */
static void send_body(telling *t, const char *url, const chainsi_buffer *body)
{
    static const chainsi_errand_events events = { .on_end = on_end };
    char signature[CHAINSI_SIGNATURE_TEXT], signed_by[CHAINSI_SIGNATURE_TEXT + 32], id[128];
    chainsi_webhook_sign(t->webhooks->options.key, body->data, body->size, chainsi_unix_ms() / 1000,
                         signature);
    snprintf(signed_by, sizeof signed_by, "X-Chains-Signature: %s", signature);
    snprintf(id, sizeof id, "X-Request-Id: %s", t->id);
    const char *const headers[] = { "Content-Type: application/json", id, signed_by,
                                    "Expect:", /* a receiver need not know it */
                                    NULL };
    t->errand = chainsi_courier_send(
        t->webhooks->options.courier,
        &(chainsi_errand_request){
            .url = url,
            .agent = "chainsd",
            .headers = headers,
            .body = body->data,
            .body_size = body->size,
            .file = -1,
            .terms = { .connect_timeout_ms = CHAINSI_WEBHOOK_CONNECT_TIMEOUT_S * INT64_C(1000),
                       .timeout_ms = CHAINSI_WEBHOOK_TIMEOUT_S * INT64_C(1000),
                       .most_redirects = CHAINSI_WEBHOOK_MOST_REDIRECTS,
                       .most_answer = CHAINSI_WEBHOOK_MOST_ANSWER },
        },
        &events, t);
}

/* A request's row, with its result. */
static void tell(chainsi_webhooks *webhooks, const chainsi_stored_request *request)
{
    telling *t = chainsi_make(sizeof *t);
    t->webhooks = webhooks;
    t->next = webhooks->tellings;
    webhooks->tellings = t;
    webhooks->count++;
    t->id = chainsi_copy_text(request->id);
    chainsi_api_request object;
    chainsi_api_request_of(request, &object);
    chainsi_buffer body = { 0 };
    chainsi_codec_error error;
    if (chainsi_json_encode(&chainsi_api_request_type, &object, &body, &error) == CHAINS_OK) {
        send_body(t, request->webhook, &body);
    } else {
        snprintf(t->why, sizeof t->why, "it cannot be written: %.64s %.64s", error.path,
                 error.message);
        t->final = true;
        note(t);
    }
    chainsi_buffer_done(&body);
}

static bool is_under_way(const chainsi_webhooks *webhooks, const char *id)
{
    for (const telling *t = webhooks->tellings; t; t = t->next)
        if (!strcmp(t->id, id))
            return true;
    return false;
}

void chainsi_webhooks_look(chainsi_webhooks *webhooks)
{
    if (webhooks->stopped || webhooks->count >= CHAINSI_WEBHOOK_MOST_AT_ONCE)
        return;
    chainsi_database *reader = chainsi_store_reader(webhooks->options.store);
    chainsi_arena arena = { 0 };
    chainsi_stored_requests due = { 0 };
    /* Those under way are due, too, and were due before the others. */
    chainsi_stored_request_untold(reader, chainsi_steady_ms(), CHAINSI_WEBHOOK_MOST_AT_ONCE, &arena,
                                  &due);
    for (size_t i = 0; i < due.count && webhooks->count < CHAINSI_WEBHOOK_MOST_AT_ONCE; i++) {
        chainsi_stored_request request;
        if (!is_under_way(webhooks, due.items[i].id) &&
            chainsi_stored_request_find(reader, due.items[i].id, &arena, &request) == CHAINS_OK)
            tell(webhooks, &request);
    }
    chainsi_arena_done(&arena);
}

chainsi_webhooks *chainsi_webhooks_new(const chainsi_webhooks_options *options)
{
    chainsi_webhooks *webhooks = chainsi_make(sizeof *webhooks);
    webhooks->options = *options;
    return webhooks;
}

void chainsi_webhooks_stop(chainsi_webhooks *webhooks)
{
    webhooks->stopped = true;
    for (telling *t = webhooks->tellings, *next; t; t = next) {
        next = t->next;
        if (t->errand || t->pause)
            free_telling(t);
    }
}

void chainsi_webhooks_free(chainsi_webhooks *webhooks)
{
    if (!webhooks)
        return;
    while (webhooks->tellings)
        free_telling(webhooks->tellings);
    OPENSSL_cleanse(webhooks->options.key, sizeof webhooks->options.key);
    free(webhooks);
}
