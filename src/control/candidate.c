/* The thread asks every renew_ms. No request may take longer than half of the deadline, so that one that hangs leaves time for
 * another. What it knows is its own; others see a copy. */
#include "control/candidate.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/terminal.h"
#include "cluster/object.h"
#include "control/time_text.h"

enum { RELEASE_MS = 2000 };

struct chainsi_candidate {
    chainsi_candidate_options options;
    pthread_t thread;
    char identity[CHAINSI_LEADER_TEXT];
    char *collection, *path; /* of the Lease; in arena */
    chainsi_arena arena;
    chainsi_leadership knows; /* the thread's */
    chainsi_cluster_answer answer;
    atomic_bool stop; /* breaks off what is asked, too */

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t stopped;
    chainsi_candidate_state state;
};

/* Two processes of one name are two: of a pod whose container was started again, the first may not have ended. */
static void make_identity(char text[CHAINSI_LEADER_TEXT])
{
    char host[256] = "chainsd";
    unsigned char random[8];
    const char *name = getenv("POD_NAME");
    if ((!name || !*name) && gethostname(host, sizeof host - 1) == 0)
        name = host;
    if (getrandom(random, sizeof random, 0) != sizeof random)
        abort();
    int size = snprintf(text, CHAINSI_LEADER_TEXT, "%.253s_", name ? name : host);
    for (size_t i = 0; i < sizeof random; i++)
        size += snprintf(text + size, CHAINSI_LEADER_TEXT - (size_t)size, "%02x", random[i]);
}

/* trouble NULL: as it was. */
static void tell(chainsi_candidate *it, const char *trouble)
{
    chainsi_arena arena = { 0 };
    pthread_mutex_lock(&it->lock);
    it->state.end_ns = chainsi_leadership_end_ns(&it->knows);
    snprintf(it->state.leader, sizeof it->state.leader, "%s",
             it->knows.seen_ns ? chainsi_text_shown(&arena, it->knows.seen.holder) : "");
    if (trouble)
        snprintf(it->state.trouble, sizeof it->state.trouble, "%s", trouble);
    pthread_mutex_unlock(&it->lock);
    chainsi_arena_done(&arena);
    uint64_t one = 1;
    if (write(it->options.wake_fd, &one, sizeof one) != sizeof one)
        return; /* it has been written to often enough */
}

/* --------------------------------------------------------------------------------------------
 * one attempt */

static chains_status ask(chainsi_candidate *it, const char *method, const char *path,
                         const char *type, chainsi_buffer *body)
{
    chains_status status = chainsi_cluster_ask(it->options.cluster, method, path, type, body->data,
                                               body->size, 0, &it->answer);
    chainsi_buffer_done(body);
    return status;
}

/* What came is the Lease. */
static bool read_lease(chainsi_candidate *it, chainsi_lease_record *record)
{
    if (chainsi_lease_read((char *)it->answer.body.data, it->answer.body.size, record))
        return true;
    snprintf(it->answer.why, sizeof it->answer.why, "%s answers %s with what is no Lease",
             chainsi_cluster_server(it->options.cluster), it->path);
    return false;
}

/* A request that makes it the leader, or lets it stay so. */
static chains_status win(chainsi_candidate *it, bool is_new)
{
    chainsi_buffer body = { 0 };
    chainsi_lease_record record;
    int64_t sent_ns = chainsi_leadership_now_ns();
    if (is_new)
        chainsi_leadership_write_new(&it->knows, it->options.lease, chainsi_unix_ms(), &body);
    else
        chainsi_leadership_write_patch(&it->knows, chainsi_unix_ms(), &body);
    chains_status status = is_new ? ask(it, "POST", it->collection, CHAINSI_CLUSTER_JSON, &body)
                                  : ask(it, "PATCH", it->path, CHAINSI_CLUSTER_MERGE, &body);
    if (status == CHAINS_OK && !read_lease(it, &record))
        return CHAINS_UNKNOWN;
    if (status == CHAINS_OK)
        chainsi_leadership_won(&it->knows, &record, sent_ns, chainsi_leadership_now_ns());
    return status;
}

static chains_status look(chainsi_candidate *it, bool *absent)
{
    chainsi_lease_record record;
    chains_status status = ask(it, "GET", it->path, NULL, &(chainsi_buffer){ 0 });
    *absent = status == CHAINS_NOT_FOUND && !strcmp(it->answer.reason, "NotFound");
    if (*absent) {
        chainsi_leadership_see(&it->knows, NULL, chainsi_leadership_now_ns());
        return CHAINS_OK;
    }
    if (status == CHAINS_OK && !read_lease(it, &record))
        return CHAINS_UNKNOWN;
    if (status == CHAINS_OK)
        chainsi_leadership_see(&it->knows, &record, chainsi_leadership_now_ns());
    return status;
}

static void attempt(chainsi_candidate *it)
{
    chains_status status = CHAINS_ABORTED;
    bool absent = false;
    if (it->knows.leads && it->knows.seen.version[0])
        status = win(it, false);
    /* Somebody has changed it, or taken it away, or it isn't known how it is. */
    if (status == CHAINS_ABORTED || status == CHAINS_NOT_FOUND) {
        status = look(it, &absent);
        if (status == CHAINS_OK &&
            chainsi_leadership_may_take(&it->knows, chainsi_leadership_now_ns()))
            status = win(it, absent);
        if (status == CHAINS_ABORTED || status == CHAINS_ALREADY_EXISTS)
            status = CHAINS_OK; /* another one was faster */
    }
    tell(it, status == CHAINS_OK ? "" : status == CHAINS_CANCELLED ? NULL : it->answer.why);
}

/* --------------------------------------------------------------------------------------------
 * the thread */

/* What was just broken off may have been carried out: then the Lease is another version of its own. */
static void release(chainsi_candidate *it)
{
    bool absent = false;
    if (!it->knows.leads)
        return;
    chainsi_cluster_limit(it->options.cluster, RELEASE_MS, NULL);
    for (int tries = 0; tries < 2; tries++) {
        chainsi_buffer body = { 0 };
        chainsi_leadership_write_release(&it->knows, chainsi_unix_ms(), &body);
        if (ask(it, "PATCH", it->path, CHAINSI_CLUSTER_MERGE, &body) != CHAINS_ABORTED ||
            look(it, &absent) != CHAINS_OK || absent || !it->knows.leads)
            break;
    }
    it->knows.leads = false;
}

static void wait_a_while(chainsi_candidate *it, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + ms * CHAINSI_NS_PER_MS;
    until.tv_sec += (time_t)(ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    pthread_mutex_lock(&it->lock);
    int error = 0;
    while (!atomic_load(&it->stop) && error != ETIMEDOUT)
        error = pthread_cond_timedwait(&it->stopped, &it->lock, &until);
    pthread_mutex_unlock(&it->lock);
}

static void *run(void *argument)
{
    chainsi_candidate *it = argument;
    int64_t every_ms = it->options.times.renew_ms;
    while (!atomic_load(&it->stop)) {
        attempt(it);
        /* Those who stand by aren't to come all at once. */
        wait_a_while(it, it->knows.leads ? every_ms
                                         : every_ms + chainsi_now_ns() / 1000 % (every_ms / 4 + 1));
    }
    release(it);
    pthread_mutex_lock(&it->lock);
    it->state.over = true;
    pthread_mutex_unlock(&it->lock);
    tell(it, NULL);
    return NULL;
}

chainsi_candidate *chainsi_candidate_new(const chainsi_candidate_options *options)
{
    chainsi_candidate *it = calloc(1, sizeof *it);
    if (!it)
        abort();
    it->options = *options;
    make_identity(it->identity);
    it->knows = (chainsi_leadership){ .identity = it->identity, .times = options->times };
    const char *name_space = chainsi_cluster_name_space(options->cluster);
    it->collection = chainsi_cluster_path(&it->arena, "coordination.k8s.io/v1", "leases",
                                          name_space, NULL, NULL);
    it->path = chainsi_cluster_path(&it->arena, "coordination.k8s.io/v1", "leases", name_space,
                                    options->lease, NULL);
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&it->stopped, &clock);
    pthread_condattr_destroy(&clock);
    pthread_mutex_init(&it->lock, NULL);
    chainsi_cluster_limit(options->cluster, options->times.deadline_ms / 2, &it->stop);
    if (pthread_create(&it->thread, NULL, run, it) != 0)
        abort();
    return it;
}

void chainsi_candidate_look(chainsi_candidate *it, chainsi_candidate_state *state)
{
    pthread_mutex_lock(&it->lock);
    *state = it->state;
    pthread_mutex_unlock(&it->lock);
}

void chainsi_candidate_stop(chainsi_candidate *it)
{
    pthread_mutex_lock(&it->lock);
    atomic_store(&it->stop, true);
    pthread_cond_signal(&it->stopped);
    pthread_mutex_unlock(&it->lock);
}

void chainsi_candidate_free(chainsi_candidate *it)
{
    if (!it)
        return;
    chainsi_candidate_stop(it);
    pthread_join(it->thread, NULL);
    pthread_mutex_destroy(&it->lock);
    pthread_cond_destroy(&it->stopped);
    chainsi_cluster_answer_done(&it->answer);
    chainsi_cluster_close(it->options.cluster);
    chainsi_arena_done(&it->arena);
    free(it);
}
