/* Streams of services that answer with whatever bytes they like. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>

#include "runtime/stream_test_support.h"

/* A server whose every answer is `bytes`, after which it closes the connection. */
typedef struct server {
    int listen_fd;
    char address[64];
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    char *bytes;
    size_t size;
    char request[4096]; /* the last one */
    chains_ctx *ctx;
} server;

static void *answer_all(void *user)
{
    server *it = user;
    int fd;
    while ((fd = accept(it->listen_fd, NULL, NULL)) >= 0) {
        size_t size = 0;
        ssize_t got;
        pthread_mutex_lock(&it->lock);
        while (!memmem(it->request, size, "\r\n\r\n", 4) &&
               (got = recv(fd, it->request + size, sizeof it->request - 1 - size, 0)) > 0)
            size += (size_t)got;
        it->request[size] = 0;
        (void)!send(fd, it->bytes, it->size, MSG_NOSIGNAL);
        pthread_mutex_unlock(&it->lock);
        shutdown(fd, SHUT_WR);
        while (recv(fd, (char[64]){ 0 }, 64, 0) > 0)
            ;
        close(fd);
    }
    return NULL;
}

static int open_server(void **state)
{
    server *it = calloc(1, sizeof *it);
    char why[256];
    chainsi_address address;
    assert_true(chainsi_address_parse("http://127.0.0.1:0", &address, why, sizeof why));
    it->listen_fd = chainsi_address_listen(&address, 16, why, sizeof why);
    chainsi_address_done(&address);
    assert_true(it->listen_fd >= 0);
    int flags = fcntl(it->listen_fd, F_GETFL);
    assert_int_equal(fcntl(it->listen_fd, F_SETFL, flags & ~O_NONBLOCK), 0);
    assert_true(chainsi_address_of(it->listen_fd, it->address, sizeof it->address));
    pthread_mutex_init(&it->lock, NULL);
    it->ctx = chains_open(NULL);
    it->ctx->process->generated = true;
    assert_int_equal(pthread_create(&it->thread, NULL, answer_all, it), 0);
    *state = it;
    return 0;
}

static int close_server(void **state)
{
    server *it = *state;
    shutdown(it->listen_fd, SHUT_RDWR);
    pthread_join(it->thread, NULL);
    close(it->listen_fd);
    chains_close(it->ctx);
    pthread_mutex_destroy(&it->lock);
    free(it);
    return 0;
}

typedef struct heard {
    char words[256];
} heard;

static chains_status hear(words *stream, word item)
{
    heard *it = stream->user;
    size_t size = strlen(it->words);
    snprintf(it->words + size, sizeof it->words - size, "%s%d ", item.text, item.index);
    return CHAINS_OK;
}

typedef struct foreign_case {
    const char *type;
    enum { CHUNKED, LENGTH, TO_END, CUT } framing; /* CUT: chunked, without its end */
    const char *body;
    chains_status status;
    const char *words, *message;
    int32_t said;
} foreign_case;

static const chains_external_config external_config = { .path = "/v1/talk" };

static const chainsi_field optional_fields[] = {
    { CHAINSI_FIELD(talker_output, said, &chainsi_type_int32), .default_value = &(int32_t){ -5 } },
};
static const chainsi_type optional_output = { .kind = CHAINSI_STRUCT,
                                              .size = sizeof(talker_output),
                                              .fields = optional_fields,
                                              .field_count = 1 };

/* Answers with the body, calls, and compares. */
static void try_case(server *it, const foreign_case *of, size_t body_size, bool external)
{
    static const chains_depends_config options = { .retries = 2 };
    chainsi_interface interface = talker_interface;
    if (external) {
        interface.config = NULL;
        interface.external = &external_config;
        interface.output = &optional_output;
    }
    chainsi_buffer answer = { 0 };
    chainsi_buffer_printf(&answer, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\n", of->type);
    if (of->framing == LENGTH)
        chainsi_buffer_printf(&answer, "Content-Length: %zu\r\n\r\n", body_size);
    else if (of->framing == TO_END)
        chainsi_buffer_add_text(&answer, "Connection: close\r\n\r\n");
    else
        chainsi_buffer_printf(&answer, "Transfer-Encoding: chunked\r\n\r\n%zx\r\n", body_size);
    chainsi_buffer_add(&answer, of->body, body_size);
    if (of->framing == CHUNKED)
        chainsi_buffer_add_text(&answer, "\r\n0\r\n\r\n");
    pthread_mutex_lock(&it->lock);
    it->bytes = (char *)answer.data;
    it->size = answer.size;
    pthread_mutex_unlock(&it->lock);

    char why[256];
    chainsi_remote *remote = chainsi_remote_new(&interface, it->address, why, sizeof why);
    assert_non_null(remote);
    chainsi_callee *callee = chainsi_callee_new(it->ctx, &interface, &options, NULL, remote);
    heard all = { "" };
    words to = { .emit = hear, .user = &all };
    int32_t said = 99;
    void *const outputs[] = { &said };
    const chainsi_stream stream = { .deliver = deliver_word, .user = &to };
    const talker_input input = { .count = 1 };
    chains_status status = chainsi_call(callee, it->ctx, &input, outputs, &stream);
    if (status != of->status)
        fail_msg("%s: %s (%s)", of->body, chains_status_name(status),
                 chains_last_error(it->ctx) ? chains_last_error(it->ctx)->message : "");
    assert_string_equal(all.words, of->words);
    assert_int_equal(said, of->status == CHAINS_OK ? of->said : 99);
    if (of->message && !strstr(chains_last_error(it->ctx)->message, of->message))
        fail_msg("'%s', not '%s'", chains_last_error(it->ctx)->message, of->message);
    chainsi_callee_done(callee);
    pthread_mutex_lock(&it->lock);
    it->bytes = NULL;
    it->size = 0;
    pthread_mutex_unlock(&it->lock);
    chainsi_buffer_done(&answer);
}

static void external_services_stream_in_their_own_ways(void **state)
{
    static const foreign_case cases[] = {
        { "text/event-stream", CHUNKED,
          "event: item\ndata: {\"text\":\"a\",\"index\":0}\n\nevent: result\ndata: "
          "{\"said\":1}\n\n",
          CHAINS_OK, "a0 ", NULL, 1 },
        { "text/event-stream; charset=utf-8", CHUNKED,
          "data: {\"text\":\"a\",\"index\":0}\n\n: ping\n\ndata: {\"text\":\"b\",\"index\":1,"
          "\"more\":[]}\n\ndata: [DONE]\n\n",
          CHAINS_OK, "a0 b1 ", NULL, -5 },
        { "text/event-stream", TO_END, "data: {\"text\":\"a\",\"index\":0}\n\ndata: [DONE]\n\n",
          CHAINS_OK, "a0 ", NULL, -5 },
        { "text/event-stream", LENGTH, "event: delta\ndata: {\"text\":\"a\",\"index\":0}\n\n",
          CHAINS_OK, "a0 ", NULL, -5 },
        { "text/event-stream", TO_END, "data: {\"text\":\"a\",\"index\":0}\n\n", CHAINS_UNAVAILABLE,
          "a0 ", "without a result", 0 },
        { "text/event-stream", CUT, "data: {\"text\":\"a\",\"index\":0}\n\n", CHAINS_UNAVAILABLE,
          "a0 ", "lost", 0 },
        { "text/event-stream", CHUNKED,
          "data: {\"text\":\"a\",\"index\":0}\n\nevent: error\ndata: {\"status\":\"NOT_FOUND\","
          "\"message\":\"no b\",\"path\":null,\"trace\":[],\"request_id\":\"\"}\n\n",
          CHAINS_NOT_FOUND, "a0 ", "no b", 0 },
        { "text/event-stream", CHUNKED, "event: error\ndata: {\"type\":\"overloaded\"}\n\n",
          CHAINS_UNKNOWN, "", "overloaded", 0 },
        { "text/event-stream", CHUNKED, "data: {\"text\":\"a\"}\n\n", CHAINS_INTERNAL, "",
          "words[0].index", 0 },
        { "application/x-ndjson", CHUNKED,
          "{\"item\":{\"text\":\"a\",\"index\":0}}\n{\"result\": {\"said\": 3} }\n", CHAINS_OK,
          "a0 ", NULL, 3 },
        { "application/x-ndjson", LENGTH,
          "{\"text\":\"a\",\"index\":0}\n\n{\"text\":\"b\",\"index\":1}", CHAINS_OK, "a0 b1 ", NULL,
          -5 },
        { "application/x-ndjson", CHUNKED, "{\"text\":\"a\",\"index\":0}\n{\"error\":\"bad\"}\n",
          CHAINS_UNKNOWN, "a0 ", "bad", 0 },
        { "application/json", LENGTH, "{\"words\":[],\"said\":0}", CHAINS_INTERNAL, "",
          "without a stream", 0 },
    };
    server *it = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        try_case(it, &cases[i], strlen(cases[i].body), true);
    pthread_mutex_lock(&it->lock);
    assert_non_null(strstr(it->request, "POST /v1/talk HTTP/1.1\r\n"));
    assert_non_null(strstr(it->request, "Accept: text/event-stream, application/x-ndjson\r\n"));
    pthread_mutex_unlock(&it->lock);
}

#define ITEM                                                                                       \
    "\0\0\0\x15\x81\xa4item\x82\xa4text\xa1"                                                       \
    "a\xa5index\0"
#define ENDED "\0\0\0\x0f\x81\xa6result\x81\xa4said\1"
#define FRAMES(framing, body, ...)                                                                 \
    {                                                                                              \
        { "application/x-chains-stream", framing, body, __VA_ARGS__ }, sizeof(body) - 1            \
    }

static void a_chainlet_that_breaks_the_form_is_no_success(void **state)
{
    static const struct {
        foreign_case of;
        size_t size;
    } cases[] = {
        FRAMES(CHUNKED, ITEM ENDED, CHAINS_OK, "a0 ", NULL, 1),
        FRAMES(TO_END, ITEM ENDED, CHAINS_OK, "a0 ", NULL, 1),
        FRAMES(CUT, ITEM ENDED, CHAINS_OK, "a0 ", NULL, 1),
        FRAMES(CHUNKED, ITEM, CHAINS_UNAVAILABLE, "a0 ", "without a result", 0),
        FRAMES(CUT, ITEM, CHAINS_UNAVAILABLE, "a0 ", "lost", 0),
        FRAMES(TO_END, ITEM "\0\0\0\x0f\x81\xa6result", CHAINS_UNAVAILABLE, "a0 ",
               "without a result", 0),
        FRAMES(CHUNKED, ITEM ENDED ITEM, CHAINS_INTERNAL, "a0 ", "behind its end", 0),
        FRAMES(CHUNKED, "\x7f\xff\xff\xff", CHAINS_INTERNAL, "", "larger than is allowed", 0),
        FRAMES(CHUNKED, "\0\0\0\3\x81\xa1x", CHAINS_INTERNAL, "", "neither item nor result", 0),
        FRAMES(CHUNKED, ITEM "\0\0\0\7\x81\xa4item\x05", CHAINS_INTERNAL, "a0 ", "words[1]", 0),
        FRAMES(CHUNKED, "\0\0\0\x09\x81\xa6result\x05", CHAINS_INTERNAL, "", "its result", 0),
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        try_case(*state, &cases[i].of, cases[i].size, false);
    const foreign_case json = { "application/json", LENGTH, "{}", CHAINS_INTERNAL, "",
                                "without a stream", 0 };
    try_case(*state, &json, 2, false);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, open_server, close_server)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(external_services_stream_in_their_own_ways),
        WITH_SERVER(a_chainlet_that_breaks_the_form_is_no_success),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
