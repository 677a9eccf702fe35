/* What tests of asynchronous requests share: a state with a chain, and a service on threads of its own that
 * does what a request's body says, and notes what came. */
#ifndef CHAINSI_CONTROL_REQUEST_TEST_SUPPORT_H
#define CHAINSI_CONTROL_REQUEST_TEST_SUPPORT_H

#include "store_test_support.h"

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "control/handle.h"
#include "control/request_policy.h"
#include "control/store_chains.h"
#include "rpc/address.h"
#include "rpc/server.h"

enum { PATIENCE_MS = 30000, MOST_SEEN = 512, LARGE = 65 * 1024 * 1024 };

static const chainsi_request_policy quick = {
    .first_retry_ms = 20,
    .longest_retry_ms = 50,
    .first_loss_ms = 5,
    .longest_loss_ms = 5,
    .not_started_ms = 5,
    .first_telling_ms = 10,
    .longest_telling_ms = 20,
    .telling_ms = 100000,
};

/* One request that came. */
typedef struct seen {
    char id[64], trace[64], timeout[32], signature[128], type[64];
    char *body; /* owned */
    size_t size;
} seen;

typedef struct service {
    char address[128]; /* unix:... or http://... */
    int fd;            /* listening */
    chainsi_server *server;
    pthread_mutex_t mutex;
    pthread_cond_t opened;
    seen seen[MOST_SEEN];
    size_t count;
    bool open; /* what "wait" waits for */
    int running, most_running, gone;
    int failures; /* so many answers of 503 come first, whatever the body says */
    int status;   /* of the others; 0: 200 */
    /* Of a receiver of webhooks: so many answers that lead to itself, or elsewhere ("": itself) come
     * first; it answers at length; it holds answers back until the gate is open. */
    int redirects;
    char elsewhere[64];
    bool huge, hold;
} service;

static inline void copy_header(const chainsi_server_request *request, const char *name, char *text,
                               size_t size)
{
    const chainsi_slice *value = chainsi_http_find(&request->head.head, name);
    snprintf(text, size, "%.*s", value ? (int)value->size : 0, value ? value->data : "");
}

static inline void note_request(service *it, const chainsi_server_request *request)
{
    assert(it->count < MOST_SEEN);
    seen *s = &it->seen[it->count++];
    copy_header(request, "X-Request-Id", s->id, sizeof s->id);
    copy_header(request, "traceparent", s->trace, sizeof s->trace);
    copy_header(request, "X-Chains-Timeout-Ms", s->timeout, sizeof s->timeout);
    copy_header(request, "X-Chains-Signature", s->signature, sizeof s->signature);
    copy_header(request, "Content-Type", s->type, sizeof s->type);
    s->body = chainsi_copy_text(request->body);
    s->size = request->body_size;
}

static inline void fail_call(chainsi_server_response *response, int http, const char *status)
{
    response->status = http;
    chainsi_buffer_printf(response->body,
                          "{\"error\":{\"status\":\"%s\",\"message\":\"as told\",\"path\":null,"
                          "\"trace\":[],\"request_id\":\"r\"}}",
                          status);
}

/* Until the gate is open, or the caller has left. */
static inline void wait_at_gate(service *it, const chainsi_server_request *request)
{
    struct pollfd caller = { .fd = request->fd, .events = request->hang_up };
    for (int64_t until = chainsi_deadline_after_ms(chainsi_now_ns(), PATIENCE_MS);
         !it->open && chainsi_now_ns() < until;) {
        pthread_mutex_unlock(&it->mutex);
        bool left = poll(&caller, 1, 5) > 0;
        pthread_mutex_lock(&it->mutex);
        if (left) {
            it->gone++;
            return;
        }
    }
}

static inline void serve_request(void *user, chainsi_server_request *request,
                                 chainsi_server_response *response)
{
    service *it = user;
    pthread_mutex_lock(&it->mutex);
    note_request(it, request);
    if (++it->running > it->most_running)
        it->most_running = it->running;
    response->status = it->status ? it->status : 200;
    if (it->failures) {
        it->failures--;
        fail_call(response, 503, "UNAVAILABLE");
    } else if (it->redirects) {
        it->redirects--;
        response->status = 308;
        chainsi_buffer_printf(response->headers, "Location: %s\r\n",
                              it->elsewhere[0] ? it->elsewhere : it->address);
    } else if (it->hold || !strcmp(request->body, "\"wait\"")) {
        wait_at_gate(it, request);
        chainsi_buffer_add_text(response->body, "\"waited\"");
    } else if (!strcmp(request->body, "\"lose\"")) {
        shutdown(request->fd, SHUT_RDWR); /* as of a process that ended */
    } else if (!strcmp(request->body, "\"invalid\"")) {
        fail_call(response, 400, "INVALID_ARGUMENT");
    } else if (!strcmp(request->body, "\"busy\"")) {
        chainsi_buffer_add_text(response->headers, "Retry-After: 600\r\n");
        fail_call(response, 429, "RESOURCE_EXHAUSTED");
    } else if (!strcmp(request->body, "\"foreign\"")) {
        response->status = 418;
        chainsi_buffer_add_text(response->body, "<html>");
    } else if (!strcmp(request->body, "\"garbage\"")) {
        chainsi_buffer_add_text(response->body, "{\"a\":");
    } else if (it->huge || !strcmp(request->body, "\"huge\"")) {
        memset(chainsi_buffer_reserve(response->body, LARGE), ' ', LARGE);
        response->body->size = LARGE;
    } else if (strcmp(request->body, "\"nothing\"") != 0) {
        chainsi_buffer_add(response->body, request->body, request->body_size);
    }
    it->running--;
    pthread_mutex_unlock(&it->mutex);
}

/* Listens at an address and answers. */
static inline void start_service(service *it, const char *text)
{
    chainsi_address address;
    pthread_mutex_init(&it->mutex, NULL);
    snprintf(it->address, sizeof it->address, "%s", text);
    assert_true(chainsi_address_parse(text, &address, why, sizeof why));
    it->fd = chainsi_address_listen(&address, CHAINSI_BACKLOG, why, sizeof why);
    assert_true(it->fd >= 0);
    if (address.kind == CHAINSI_ADDRESS_HTTP)
        assert_true(chainsi_address_of(it->fd, it->address, sizeof it->address));
    chainsi_address_done(&address);
    chainsi_server_options options = {
        .listen_fd = it->fd,
        .slots = 16,
        .max_body = 2 * (size_t)LARGE,
        .handler = serve_request,
        .user = it,
    };
    it->server = chainsi_server_start(&options, why, sizeof why);
    assert_non_null(it->server);
}

static inline void open_gate(service *it)
{
    pthread_mutex_lock(&it->mutex);
    it->open = true;
    pthread_mutex_unlock(&it->mutex);
}

static inline void stop_service(service *it)
{
    if (!it->server)
        return;
    open_gate(it);
    chainsi_server_free(it->server);
    close(it->fd);
    for (size_t i = 0; i < it->count; i++)
        free(it->seen[i].body);
    pthread_mutex_destroy(&it->mutex);
    memset(it, 0, sizeof *it);
}

/* What either side has written until now the other one sees from now on: between it and the test may be another
 * process, so that no socket of this one says so. */
static inline void meet(service *it)
{
    pthread_mutex_lock(&it->mutex);
    pthread_mutex_unlock(&it->mutex);
}

static inline int read_counter(service *it, const int *counter)
{
    pthread_mutex_lock(&it->mutex);
    int value = *counter;
    pthread_mutex_unlock(&it->mutex);
    return value;
}

static inline size_t count_seen(service *it)
{
    pthread_mutex_lock(&it->mutex);
    size_t count = it->count;
    pthread_mutex_unlock(&it->mutex);
    return count;
}

static inline void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

/* Runs the loop until the condition holds. */
#define UNTIL(condition)                                                                           \
    do {                                                                                           \
        uv_timer_t *tick_ = chainsi_timer_new(&loop, NULL);                                        \
        int64_t limit_ = chainsi_deadline_after_ms(chainsi_now_ns(), PATIENCE_MS);                 \
        uv_timer_start(tick_, on_tick, 2, 2);                                                      \
        while (!(condition)) {                                                                     \
            uv_run(&loop, UV_RUN_ONCE);                                                            \
            if (chainsi_now_ns() > limit_) {                                                       \
                chainsi_handle_close(tick_); /* else the loop would never end */                   \
                fail_msg("never: %s", #condition);                                                 \
            }                                                                                      \
        }                                                                                          \
        chainsi_handle_close(tick_);                                                               \
    } while (0)

static inline chains_status put_chain(chainsi_database *database, void *arguments)
{
    (void)arguments;
    return chainsi_stored_chain_put(database, "hello", "hello");
}

static inline chains_json json(const char *text)
{
    return (chains_json){ text, strlen(text) };
}

static inline chainsi_stored_request find(const char *id)
{
    chainsi_stored_request request;
    chainsi_database *reader = chainsi_store_reader(store);
    if (chainsi_stored_request_find(reader, id, &arena, &request) != CHAINS_OK)
        fail_msg("%s", chainsi_database_why(reader));
    return request;
}

#endif
