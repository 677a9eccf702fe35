#include "control/otlp_post.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "control/handle.h"
#include "runtime/retry.h"

struct chainsi_otlp_post {
    chainsi_transfer
        transfer; /* first: on_done is handed a pointer to it. Its easy: owned; NULL: none is
                                  under way */
    chainsi_transfers *transfers;          /* not owned */
    const chainsi_otlp_settings *settings; /* not owned */
    struct curl_slist *headers;            /* owned */
    char error[CURL_ERROR_SIZE];
    void (*on_done)(void *user, const chainsi_otlp_answer *answer);
    void *user;
};

/* How long the answer asks to wait; 0: it doesn't say. */
static int64_t retry_after_ms(CURL *easy)
{
    struct curl_header *header;
    if (curl_easy_header(easy, "Retry-After", 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return 0;
    return chainsi_retry_after_ns(header->value, strlen(header->value), time(NULL)) /
           CHAINSI_NS_PER_MS;
}

static void end(chainsi_otlp_post *post)
{
    curl_easy_cleanup(post->transfer.easy);
    post->transfer.easy = NULL;
}

static void on_done(chainsi_transfer *transfer, CURLcode code)
{
    chainsi_otlp_post *post = (chainsi_otlp_post *)transfer;
    chainsi_otlp_answer answer = { .why = "" };
    if (code == CURLE_OK) {
        curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &answer.status);
        answer.retry_after_ms = retry_after_ms(transfer->easy);
    } else {
        answer.why = *post->error ? post->error : curl_easy_strerror(code);
    }
    end(post);
    post->on_done(post->user, &answer);
}

chainsi_otlp_post *
chainsi_otlp_post_new(chainsi_transfers *transfers, const chainsi_otlp_settings *settings,
                      void (*done)(void *user, const chainsi_otlp_answer *answer), void *user)
{
    chainsi_otlp_post *post = chainsi_make(sizeof *post);
    post->transfer.on_done = on_done;
    post->transfers = transfers;
    post->settings = settings;
    post->on_done = done;
    post->user = user;
    post->headers = curl_slist_append(NULL, "Content-Type: application/json");
    post->headers = curl_slist_append(post->headers, "Expect:");
    for (size_t i = 0; i < settings->headers.count; i++) {
        chainsi_buffer line = { 0 };
        chainsi_buffer_printf(&line, "%s: %s", settings->headers.items[i].name,
                              settings->headers.items[i].value);
        chainsi_buffer_add_byte(&line, 0);
        post->headers = curl_slist_append(post->headers, (const char *)line.data);
        chainsi_buffer_done(&line);
    }
    return post;
}

bool chainsi_otlp_post_is_sending(const chainsi_otlp_post *post)
{
    return post->transfer.easy != NULL;
}

void chainsi_otlp_post_cancel(chainsi_otlp_post *post)
{
    if (!chainsi_otlp_post_is_sending(post))
        return;
    chainsi_transfers_stop(post->transfers, &post->transfer);
    end(post);
}

void chainsi_otlp_post_free(chainsi_otlp_post *post)
{
    if (!post)
        return;
    chainsi_otlp_post_cancel(post);
    curl_slist_free_all(post->headers);
    free(post);
}

/* The answer's body says nothing that is needed. */
static size_t ignore_body(char *data, size_t size, size_t count, void *user)
{
    (void)data;
    (void)user;
    return size * count;
}

void chainsi_otlp_post_send(chainsi_otlp_post *post, const chainsi_buffer *body, long timeout_ms)
{
    CURL *easy = curl_easy_init();
    if (!easy)
        abort(); /* out of memory */
    curl_easy_setopt(easy, CURLOPT_URL, post->settings->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, post->headers);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "chains");
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, (const char *)body->data);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->size);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore_body);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, post->error);
    post->error[0] = 0;
    post->transfer.easy = easy;
    chainsi_transfers_start(post->transfers, &post->transfer);
}
