/* Asking: a request, what its answer means, and whether to ask again. */
#include "cluster/cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/terminal.h"
#include "cluster/cluster_parts.h"
#include "cluster/refusal.h"

#define MOST_ANSWER ((size_t)512 << 20)
enum { FIRST_PAUSE_MS = 100, MOST_PAUSE_MS = 3000 };

static chainsi_cluster *make(chainsi_login *login)
{
    chainsi_cluster *cluster = calloc(1, sizeof *cluster);
    if (!cluster)
        abort();
    cluster->login = login;
    return cluster;
}

chainsi_cluster *chainsi_cluster_open(const chainsi_cluster_options *options, char *why,
                                      size_t why_size)
{
    chainsi_cluster_settings settings;
    bool found = chainsi_cluster_settings_find(options, &settings, why, why_size);
    chainsi_cluster *cluster = found ? make(chainsi_login_new(&settings)) : NULL;
    chainsi_cluster_settings_done(&settings);
    return cluster;
}

chainsi_cluster *chainsi_cluster_copy(const chainsi_cluster *cluster)
{
    chainsi_cluster *copy = make(chainsi_login_ref(cluster->login));
    copy->timeout_ms = cluster->timeout_ms;
    copy->stop = cluster->stop;
    return copy;
}

void chainsi_cluster_close(chainsi_cluster *cluster)
{
    if (!cluster)
        return;
    chainsi_cluster_line_done(&cluster->line);
    chainsi_login_unref(cluster->login);
    free(cluster);
}

void chainsi_cluster_limit(chainsi_cluster *cluster, int64_t timeout_ms, const atomic_bool *stop)
{
    cluster->timeout_ms = timeout_ms;
    cluster->stop = stop;
}

const char *chainsi_cluster_name_space(const chainsi_cluster *cluster)
{
    return chainsi_login_settings(cluster->login)->name_space;
}

const char *chainsi_cluster_server(const chainsi_cluster *cluster)
{
    return chainsi_login_settings(cluster->login)->server;
}

const char *chainsi_cluster_origin(const chainsi_cluster *cluster)
{
    return chainsi_login_settings(cluster->login)->origin;
}

void chainsi_cluster_answer_done(chainsi_cluster_answer *answer)
{
    chainsi_buffer_done(&answer->body);
}

void chainsi_cluster_pause(int64_t ms, const atomic_bool *stop)
{
    enum { LOOK_MS = 100 };
    while (ms > 0 && !(stop && atomic_load(stop))) {
        int64_t step = ms < LOOK_MS ? ms : LOOK_MS;
        nanosleep(&(struct timespec){ .tv_nsec = step * CHAINSI_NS_PER_MS }, NULL);
        ms -= step;
    }
}

void chainsi_cluster_make_plain(char *text, size_t size)
{
    chainsi_buffer plain = { 0 };
    chainsi_text_add(&plain, text, strlen(text), CHAINSI_TEXT_LINE);
    if (plain.size >= size)
        plain.size = chainsi_text_whole((char *)plain.data, size - 1);
    if (plain.size)
        memcpy(text, plain.data, plain.size);
    text[plain.size] = '\0';
    chainsi_buffer_done(&plain);
}

/* One attempt. *again: it may be made once more. */
static chains_status attempt(chainsi_cluster *cluster, chainsi_cluster_transfer *transfer,
                             chainsi_cluster_answer *answer, unsigned *generation, bool *again)
{
    const chainsi_cluster_settings *settings = chainsi_login_settings(cluster->login);
    bool repeatable = !strcmp(transfer->method, "GET") ||
                      (transfer->type && !strcmp(transfer->type, CHAINSI_CLUSTER_APPLY));
    chainsi_arena arena = { 0 };
    chainsi_credentials_now now;
    chains_status status = CHAINS_OK;
    *again = false;
    answer->status = 0;
    answer->body.size = 0;
    answer->reason[0] = answer->why[0] = '\0';
    if (!chainsi_login_now(cluster->login, &arena, &now, answer->why, sizeof answer->why)) {
        chainsi_arena_done(&arena);
        return CHAINS_UNAUTHENTICATED;
    }
    *generation = now.generation;
    chainsi_transfer_end end =
        chainsi_cluster_transfer_run(&cluster->line, settings, &now, transfer);
    if (end == CHAINSI_TRANSFER_DONE) {
        answer->status = transfer->status;
        if (transfer->status < 200 || transfer->status > 299)
            status =
                chainsi_cluster_refusal(settings, &now, transfer->method, transfer->path, answer);
        bool told = transfer->retry_after_s > 0;
        *again = transfer->status == 429 || (transfer->status == 503 && told) ||
                 (repeatable && transfer->status >= 500);
    } else {
        snprintf(answer->why, sizeof answer->why, "%s",
                 end == CHAINSI_TRANSFER_STOPPED ? "it was stopped" : transfer->why);
        answer->body.size = 0;
        *again = end == CHAINSI_TRANSFER_NOT_SENT ||
                 (repeatable && (end == CHAINSI_TRANSFER_BROKEN || end == CHAINSI_TRANSFER_LATE));
        status = end == CHAINSI_TRANSFER_STOPPED     ? CHAINS_CANCELLED
                 : end == CHAINSI_TRANSFER_UNTRUSTED ? CHAINS_FAILED_PRECONDITION
                                                     : CHAINS_UNAVAILABLE;
    }
    chainsi_arena_done(&arena);
    return status;
}

chains_status chainsi_cluster_ask(chainsi_cluster *cluster, const char *method, const char *path,
                                  const char *type, const void *body, size_t size,
                                  double patience_s, chainsi_cluster_answer *answer)
{
    int64_t pause_ms = FIRST_PAUSE_MS;
    int64_t end = chainsi_deadline_after_ms(chainsi_now_ns(), patience_s * 1000);
    bool renewed = false, again;
    for (;;) {
        chainsi_cluster_transfer transfer = { .method = method,
                                              .path = path,
                                              .type = type,
                                              .body = body,
                                              .size = size,
                                              .timeout_ms = cluster->timeout_ms,
                                              .stop = cluster->stop,
                                              .most = MOST_ANSWER,
                                              .answer = &answer->body };
        unsigned generation = 0;
        chains_status status = attempt(cluster, &transfer, answer, &generation, &again);
        if (answer->status == 401 && !renewed && chainsi_login_renew(cluster->login, generation)) {
            renewed = true;
            continue;
        }
        chainsi_cluster_make_plain(answer->why, sizeof answer->why);
        int64_t wait_ms = pause_ms;
        if (transfer.retry_after_s * 1000 > wait_ms)
            wait_ms = transfer.retry_after_s * 1000;
        int64_t now = chainsi_now_ns();
        if (!again || now >= end)
            return status;
        if (wait_ms > (end - now) / CHAINSI_NS_PER_MS)
            wait_ms = (end - now) / CHAINSI_NS_PER_MS + 1;
        chainsi_cluster_pause(wait_ms, cluster->stop);
        pause_ms = pause_ms * 2 < MOST_PAUSE_MS ? pause_ms * 2 : MOST_PAUSE_MS;
    }
}
