/* nng's services: service PATH (the worker, listening at PATH), or service PATH WORKER (the entry; its worker is at WORKER).
 *
 * A context of the socket a call, so many at a time; each goes round between waiting for a request
 * and sending its answer, in nng's callbacks, and none of them blocks. */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "wire.h"

enum {
    WORKER_CONTEXTS = 16,
    ENTRY_CONTEXTS = 64,
};

typedef enum exchange_state {
    RECEIVING, /* a request */
    ASKING,    /* sending a request on to the worker */
    WAITING,   /* for the worker's answer */
    FANNING,   /* many branches are out; the last one answers */
    ANSWERING,
} exchange_state;

/* One context of the service. */
typedef struct exchange {
    exchange_state state;
    nng_ctx served, asked; /* asked: of the entry alone */
    nng_aio *aio;
    nng_msg *fanned; /* the request of a fan-out */
    atomic_uint left, matched;
} exchange;

/* One call of a fan-out. Kept for the next one. */
typedef struct branch {
    struct branch *next;
    exchange *owner;
    nng_ctx asked;
    nng_aio *aio;
    bool sent;
} branch;

static nng_socket to_worker;
static bool is_entry;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static branch *idle; /* under lock */

static void receive(exchange *self)
{
    self->state = RECEIVING;
    nng_ctx_recv(self->served, self->aio);
}

static void answer(exchange *self, nng_msg *message)
{
    self->state = ANSWERING;
    nng_aio_set_msg(self->aio, message);
    nng_ctx_send(self->served, self->aio);
}

static nng_msg *work(nng_msg *message)
{
    nng_head head;
    memcpy(&head, nng_msg_body(message), sizeof head);
    nng_must(nng_msg_trim(message, sizeof head), "a short message");
    if (head.kind == NNG_BYTES) {
        size_t size = nng_msg_len(message);
        unsigned char *sample = malloc(size / PAYLOAD_PAGE_BYTES + 1);
        if (!sample)
            nng_must(NNG_ENOMEM, "memory");
        size_t count = payload_sample(nng_msg_body(message), size, sample);
        nng_msg_clear(message);
        nng_must(nng_msg_append(message, sample, count), "memory");
        free(sample);
    } else if (head.kind == NNG_DOUBLES) {
        double values[PAYLOAD_DOUBLES];
        if (nng_msg_len(message) > sizeof values)
            nng_must(NNG_EMSGSIZE, "doubles");
        memcpy(values, nng_msg_body(message), nng_msg_len(message));
        double sum = payload_sum(values, nng_msg_len(message) / sizeof *values);
        nng_msg_clear(message);
        nng_must(nng_msg_append(message, &sum, sizeof sum), "memory");
    }
    return message;
}

/* ------------------------------------------------------------------------------------------------
 * fan-out */

static void on_branch(void *user);

static branch *take_branch(exchange *owner)
{
    pthread_mutex_lock(&lock);
    branch *self = idle;
    if (self)
        idle = self->next;
    pthread_mutex_unlock(&lock);
    if (!self) {
        self = calloc(1, sizeof *self);
        if (!self)
            nng_must(NNG_ENOMEM, "memory");
        nng_must(nng_ctx_open(&self->asked, to_worker), "context");
        nng_must(nng_aio_alloc(&self->aio, on_branch, self), "aio");
    }
    self->owner = owner;
    self->sent = false;
    return self;
}

static void on_branch(void *user)
{
    branch *self = user;
    exchange *owner = self->owner;
    nng_must(nng_aio_result(self->aio), "branch");
    if (!self->sent) {
        self->sent = true;
        nng_ctx_recv(self->asked, self->aio);
        return;
    }
    nng_msg *reply = nng_aio_get_msg(self->aio);
    const char *text = (const char *)nng_msg_body(owner->fanned) + sizeof(nng_head);
    size_t size = nng_msg_len(owner->fanned) - sizeof(nng_head);
    if (nng_msg_len(reply) == size && memcmp(nng_msg_body(reply), text, size) == 0)
        atomic_fetch_add(&owner->matched, 1);
    nng_msg_free(reply);
    pthread_mutex_lock(&lock);
    self->next = idle;
    idle = self;
    pthread_mutex_unlock(&lock);
    if (atomic_fetch_sub(&owner->left, 1) > 1)
        return;
    uint32_t matched = atomic_load(&owner->matched);
    nng_msg_clear(owner->fanned);
    nng_must(nng_msg_append(owner->fanned, &matched, sizeof matched), "memory");
    answer(owner, owner->fanned);
}

static void fan(exchange *self, nng_msg *message, uint32_t count)
{
    self->state = FANNING;
    self->fanned = message;
    atomic_store(&self->matched, 0);
    atomic_store(&self->left, count);
    const char *text = (const char *)nng_msg_body(message) + sizeof(nng_head);
    size_t size = nng_msg_len(message) - sizeof(nng_head);
    /* The last branch may answer, and with it end the message, before this loop has ended. */
    nng_msg *request = nng_request(NNG_TEXT, 1, text, size);
    for (uint32_t i = 0; i < count; i++) {
        nng_msg *copy;
        nng_must(nng_msg_dup(&copy, request), "memory");
        branch *each = take_branch(self);
        nng_aio_set_msg(each->aio, copy);
        nng_ctx_send(each->asked, each->aio);
    }
    nng_msg_free(request);
}

/* ------------------------------------------------------------------------------------------------
 * one exchange */

static void start(exchange *self)
{
    nng_msg *message = nng_aio_get_msg(self->aio);
    nng_head head;
    if (nng_msg_len(message) < sizeof head)
        nng_must(NNG_EINVAL, "a short message");
    memcpy(&head, nng_msg_body(message), sizeof head);
    if (!is_entry) {
        answer(self, work(message));
    } else if (head.kind == NNG_FAN) {
        fan(self, message, head.count);
    } else {
        self->state = ASKING;
        nng_aio_set_msg(self->aio, message);
        nng_ctx_send(self->asked, self->aio);
    }
}

static void on_exchange(void *user)
{
    exchange *self = user;
    nng_must(nng_aio_result(self->aio), "exchange");
    switch (self->state) {
    case RECEIVING:
        start(self);
        break;
    case ASKING:
        self->state = WAITING;
        nng_ctx_recv(self->asked, self->aio);
        break;
    case WAITING:
        answer(self, nng_aio_get_msg(self->aio));
        break;
    case ANSWERING:
        receive(self);
        break;
    case FANNING:
        break;
    }
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    is_entry = argc > 2;
    if (is_entry)
        to_worker = nng_requester(argv[2]);
    char address[256];
    nng_socket served;
    snprintf(address, sizeof address, "ipc://%s", argv[1]);
    nng_must(nng_rep0_open(&served), "open");
    nng_must(nng_socket_set_size(served, NNG_OPT_RECVMAXSZ, 0), "option");
    static exchange exchanges[ENTRY_CONTEXTS];
    for (int i = 0; i < (is_entry ? ENTRY_CONTEXTS : WORKER_CONTEXTS); i++) {
        exchange *self = &exchanges[i];
        nng_must(nng_ctx_open(&self->served, served), "context");
        if (is_entry)
            nng_must(nng_ctx_open(&self->asked, to_worker), "context");
        nng_must(nng_aio_alloc(&self->aio, on_exchange, self), "aio");
    }
    nng_must(nng_listen(served, address, NULL, 0), address);
    for (int i = 0; i < (is_entry ? ENTRY_CONTEXTS : WORKER_CONTEXTS); i++)
        receive(&exchanges[i]);
    for (;;)
        pause();
}
