#include "control/otlp_post.h"

#include <stdlib.h>

#include "control/handle.h"

struct chainsi_otlp_post {
    chainsi_courier *courier;              /* not owned */
    const chainsi_otlp_settings *settings; /* not owned */
    chainsi_errand *errand;                /* NULL: none is under way */
    char **headers;                        /* owned, with the texts of settings; ended by NULL */
    void (*on_done)(void *user, const chainsi_otlp_answer *answer);
    void *user;
};

static void on_end(void *user, chainsi_errand_outcome outcome, const chainsi_errand_answer *answer,
                   const char *why)
{
    chainsi_otlp_post *post = user;
    chainsi_otlp_answer given = { .why = "" };
    if (outcome == CHAINSI_ERRAND_DONE) {
        given.status = (long)answer->status;
        given.retry_after_ms = answer->pause_ms;
    } else {
        given.why = why;
    }
    post->errand = NULL;
    post->on_done(post->user, &given);
}

static char *make_header(const char *name, const char *value)
{
    chainsi_buffer line = { 0 };
    chainsi_buffer_printf(&line, "%s: %s", name, value);
    chainsi_buffer_add_byte(&line, 0);
    char *header = chainsi_copy_text((const char *)line.data);
    chainsi_buffer_done(&line);
    return header;
}

chainsi_otlp_post *
chainsi_otlp_post_new(chainsi_courier *courier, const chainsi_otlp_settings *settings,
                      void (*on_done)(void *user, const chainsi_otlp_answer *answer), void *user)
{
    size_t count = 0;
    chainsi_otlp_post *post = chainsi_make(sizeof *post);
    post->courier = courier;
    post->settings = settings;
    post->on_done = on_done;
    post->user = user;
    post->headers = chainsi_make((settings->headers.count + 3) * sizeof *post->headers);
    post->headers[count++] = chainsi_copy_text("Content-Type: application/json");
    post->headers[count++] = chainsi_copy_text("Expect:");
    for (size_t i = 0; i < settings->headers.count; i++)
        post->headers[count++] =
            make_header(settings->headers.items[i].name, settings->headers.items[i].value);
    return post;
}

bool chainsi_otlp_post_is_sending(const chainsi_otlp_post *post)
{
    return post->errand != NULL;
}

void chainsi_otlp_post_cancel(chainsi_otlp_post *post)
{
    if (!post->errand)
        return;
    chainsi_courier_cancel(post->courier, post->errand);
    post->errand = NULL;
}

void chainsi_otlp_post_free(chainsi_otlp_post *post)
{
    if (!post)
        return;
    chainsi_otlp_post_cancel(post);
    for (char **header = post->headers; *header; header++)
        free(*header);
    free(post->headers);
    free(post);
}

/* The answer's body says nothing that is needed. */
void chainsi_otlp_post_send(chainsi_otlp_post *post, const chainsi_buffer *body, long timeout_ms)
{
    static const chainsi_errand_events events = { .on_end = on_end };
    post->errand = chainsi_courier_send(post->courier,
                                        &(chainsi_errand_request){
                                            .url = post->settings->url,
                                            .agent = "chains",
                                            .headers = (const char *const *)post->headers,
                                            .body = body->data ? (const void *)body->data : "",
                                            .body_size = body->size,
                                            .file = -1,
                                            .terms = { .timeout_ms = timeout_ms },
                                        },
                                        &events, post);
}
