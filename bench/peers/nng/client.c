/* nng's client: client ENTRY WORKER. A caller is a context that goes round in nng's callbacks. */
#include <pthread.h>

#include "../load.h"
#include "wire.h"

typedef struct caller {
    payload what;
    nng_ctx context;
    nng_aio *aio;
    bool sent;
    int64_t start_ns;
} caller;

enum { MOST_CALLERS = 1024 };

static const char *entry_path, *worker_path;
static caller *callers[2][MOST_CALLERS]; /* of the entry, and of the worker */
static const load_job *job;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int running; /* under lock */

static void start(caller *self)
{
    load_stamp(&self->what, job->kind);
    self->start_ns = load_now();
    nng_msg *message;
    switch (job->kind) {
    case LOAD_ECHO:
        message = nng_request(NNG_TEXT, 1, self->what.echo, PAYLOAD_ECHO_BYTES);
        break;
    case LOAD_BYTES:
        message = nng_request(NNG_BYTES, 1, self->what.blob, sizeof self->what.blob);
        break;
    case LOAD_DOUBLES:
        message = nng_request(NNG_DOUBLES, 1, self->what.doubles, sizeof self->what.doubles);
        break;
    case LOAD_FAN:
        message = nng_request(NNG_FAN, (uint32_t)job->width, self->what.small, PAYLOAD_SMALL_BYTES);
        break;
    default:
        message = nng_request(NNG_TEXT, 1, self->what.small, PAYLOAD_SMALL_BYTES);
    }
    self->sent = false;
    nng_aio_set_msg(self->aio, message);
    nng_ctx_send(self->context, self->aio);
}

static void check(const caller *self, const void *body, size_t size)
{
    double sum = 0;
    uint32_t matched = 0;
    switch (job->kind) {
    case LOAD_ECHO:
        load_expect_text(self->what.echo, body, size);
        break;
    case LOAD_BYTES:
        if (!payload_is_sample(&self->what, body, size))
            load_fail("wrong sample");
        break;
    case LOAD_DOUBLES:
        if (size == sizeof sum)
            memcpy(&sum, body, size);
        if (!payload_is_sum(&self->what, sum))
            load_fail("wrong sum");
        break;
    case LOAD_FAN:
        if (size == sizeof matched)
            memcpy(&matched, body, size);
        if (matched != (uint32_t)job->width)
            load_fail("%u of %d answers", matched, job->width);
        break;
    default:
        load_expect_text(self->what.small, body, size);
    }
}

static void on_event(void *user)
{
    caller *self = user;
    nng_must(nng_aio_result(self->aio), "call");
    if (!self->sent) {
        self->sent = true;
        nng_ctx_recv(self->context, self->aio);
        return;
    }
    nng_msg *reply = nng_aio_get_msg(self->aio);
    check(self, nng_msg_body(reply), nng_msg_len(reply));
    nng_msg_free(reply);
    int64_t now = load_now();
    load_record(now - self->start_ns);
    if (now < job->ends_ns) {
        start(self);
        return;
    }
    pthread_mutex_lock(&lock);
    if (--running == 0)
        pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

/* Made when first needed: a cold worker has no entry. */
static caller *caller_for(load_kind kind, int number)
{
    static nng_socket sockets[2];
    static bool open[2];
    int of = kind == LOAD_HOP;
    if (!open[of])
        sockets[of] = nng_requester(of ? worker_path : entry_path);
    open[of] = true;
    if (!callers[of][number]) {
        caller *self = calloc(1, sizeof *self);
        if (!self)
            load_fail("no memory");
        payload_init(&self->what, (uint64_t)number + 1);
        nng_must(nng_ctx_open(&self->context, sockets[of]), "context");
        nng_must(nng_aio_alloc(&self->aio, on_event, self), "aio");
        callers[of][number] = self;
    }
    return callers[of][number];
}

static void run(const load_job *what)
{
    if (what->callers > MOST_CALLERS)
        load_fail("%d callers", what->callers);
    job = what;
    running = what->callers;
    for (int i = 0; i < what->callers; i++)
        caller_for(what->kind, i);
    for (int i = 0; i < what->callers; i++)
        start(caller_for(what->kind, i));
    pthread_mutex_lock(&lock);
    while (running > 0)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        load_fail("client ENTRY WORKER");
    entry_path = argv[1];
    worker_path = argv[2];
    static const load_peer peer = { .run = run };
    _Exit(load_main(&peer));
}
