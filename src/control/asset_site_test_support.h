/* What tests of downloads share: a small HTTP server with faults to choose from, on loopback, a
 * CHAINS_HOME of the test's own, and a loop that runs until a job is done. */
#ifndef CHAINSI_CONTROL_ASSET_SITE_TEST_SUPPORT_H
#define CHAINSI_CONTROL_ASSET_SITE_TEST_SUPPORT_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

#include "control/asset_ranges.h"
#include "control/assets.h"
#include "control/courier_test_support.h"
#include "control/home.h"
#include "rpc/descriptors_test_support.h"

#define SHARED __attribute__((unused)) static

enum { MOST_CONNECTIONS = 256, HEAD_SIZE = 4096, SENT_AT_ONCE = 16 * 1024, KIB = 1024 };

/* ------------------------------------------------------------------------------------------------
 * the server */

/* What the server does. Set before it is asked, or under its lock. */
typedef struct behaviour {
    const uint8_t *content;
    size_t size;
    const char *etag, *modified; /* headers; NULL: none */
    bool ranges;                 /* it does ranges, and says so */
    bool pretends;               /* it says so, and doesn't */
    bool ignores_if_range;
    bool shifted;      /* ranges begin one byte too late */
    bool unsized;      /* no length: the body ends with the connection */
    int cuts;          /* so many answers more end early, */
    size_t cut_after;  /* after so many bytes of their bodies */
    int refusals;      /* so many answers more, and -1 all, */
    int refusal;       /* have this status, */
    bool empty;        /* and no body */
    size_t hold_after; /* bodies stop here until hold is false */
    bool hold;
    const char *redirect;   /* Location of all answers; NULL: none */
    const char *after_etag; /* after the last of the cuts the file is another one: */
    const uint8_t *after;
    const char *extra; /* header lines */
} behaviour;

typedef struct site site;

typedef struct connection {
    site *site;
    pthread_t thread;
    int fd;
    SSL *tls; /* NULL: plain */
} connection;

struct site {
    int fd;
    SSL_CTX *tls; /* owned; NULL: plain */
    char url[64];
    pthread_t acceptor;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    behaviour does;
    bool stopping;
    connection connections[MOST_CONNECTIONS];
    size_t connection_count;
    /* What it saw. */
    int requests, authorized, answering, most_answering;
    int64_t sent;       /* bytes of bodies */
    int64_t least_from; /* where the earliest range of all began */
};

static bool send_all(const connection *to, const void *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        const char *rest = (const char *)data + at;
        ssize_t sent = to->tls ? SSL_write(to->tls, rest, (int)(size - at))
                               : send(to->fd, rest, size - at, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        at += (size_t)sent;
    }
    return true;
}

static ssize_t receive(const connection *from, void *data, size_t size)
{
    return from->tls ? SSL_read(from->tls, data, (int)size) : recv(from->fd, data, size, 0);
}

/* Sends bytes of the content, and holds where it is told to. */
static bool send_body(const connection *to, const behaviour *does, size_t from, size_t size)
{
    site *it = to->site;
    size_t most = does->cuts ? (does->cut_after < size ? does->cut_after : size) : size;
    for (size_t at = 0; at < most;) {
        size_t part = most - at < SENT_AT_ONCE ? most - at : SENT_AT_ONCE;
        pthread_mutex_lock(&it->lock);
        while (it->does.hold && from + at + part > it->does.hold_after && !it->stopping)
            pthread_cond_wait(&it->changed, &it->lock);
        pthread_mutex_unlock(&it->lock);
        if (!send_all(to, does->content + from + at, part))
            return false;
        at += part;
        pthread_mutex_lock(&it->lock);
        it->sent += (int64_t)part;
        pthread_cond_broadcast(&it->changed);
        pthread_mutex_unlock(&it->lock);
    }
    return !does->cuts;
}

/* Takes note of a request, and of what is to be done with it. */
static behaviour note_request(site *it, const char *head)
{
    pthread_mutex_lock(&it->lock);
    behaviour does = it->does;
    it->requests++;
    it->authorized += strcasestr(head, "\r\nAuthorization:") != NULL;
    if (++it->answering > it->most_answering)
        it->most_answering = it->answering;
    if (it->does.refusals > 0)
        it->does.refusals--;
    else if (it->does.cuts > 0 && --it->does.cuts == 0 && it->does.after) {
        it->does.content = it->does.after;
        it->does.etag = it->does.after_etag;
    }
    pthread_cond_broadcast(&it->changed);
    pthread_mutex_unlock(&it->lock);
    return does;
}

/* Whether the range that is asked for is of the version that is there. */
static bool range_applies(const behaviour *does, const char *head)
{
    const char *condition = strcasestr(head, "\r\nIf-Range: ");
    if (!condition || does->ignores_if_range)
        return true;
    condition += strlen("\r\nIf-Range: ");
    const char *current = does->etag ? does->etag : does->modified ? does->modified : "";
    return !strncmp(condition, current, strlen(current)) && condition[strlen(current)] == '\r';
}

/* Answers one request. False: the connection is to be closed. */
static bool answer(const connection *to, const char *head)
{
    site *it = to->site;
    behaviour does = note_request(it, head);
    char out[1024];
    size_t size = 0;
#define ADD(...) size += (size_t)snprintf(out + size, sizeof out - size, __VA_ARGS__)
    if (does.refusals || does.redirect) {
        ADD("HTTP/1.1 %d Refused\r\nContent-Length: %d\r\n", does.redirect ? 302 : does.refusal,
            does.empty ? 0 : 2);
        if (does.redirect)
            ADD("Location: %s\r\n", does.redirect);
        ADD("%s\r\n%s", does.extra ? does.extra : "", does.empty ? "" : "no");
        return send_all(to, out, size);
    }
    size_t from = 0, end = does.size, last = 0;
    const char *range = strcasestr(head, "\r\nRange: bytes=");
    bool partial = range && does.ranges && range_applies(&does, head);
    if (range && sscanf(range, "\r\nRange: bytes=%zu-%zu", &from, &last) == 2)
        end = last + 1;
    pthread_mutex_lock(&it->lock);
    if (range && (int64_t)from < it->least_from)
        it->least_from = (int64_t)from;
    pthread_mutex_unlock(&it->lock);
    if (partial && from >= does.size) {
        ADD("HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */%zu\r\n"
            "Content-Length: 0\r\n\r\n",
            does.size);
        return send_all(to, out, size);
    }
    if (!partial) {
        from = 0;
        end = does.size;
    }
    if (partial && does.shifted)
        from++;
    ADD("HTTP/1.1 %s\r\n", partial ? "206 Partial Content" : "200 OK");
    if (partial)
        ADD("Content-Range: bytes %zu-%zu/%zu\r\n", from, end - 1, does.size);
    if (does.ranges || does.pretends)
        ADD("Accept-Ranges: bytes\r\n");
    if (does.etag)
        ADD("ETag: %s\r\n", does.etag);
    if (does.modified)
        ADD("Last-Modified: %s\r\n", does.modified);
    if (does.unsized)
        ADD("Connection: close\r\n");
    else
        ADD("Content-Length: %zu\r\n", end - from);
    ADD("%s\r\n", does.extra ? does.extra : "");
#undef ADD
    return send_all(to, out, size) && send_body(to, &does, from, end - from) && !does.unsized;
}

static void *serve_connection(void *user)
{
    connection *from = user;
    site *it = from->site;
    char head[HEAD_SIZE + 1];
    size_t size = 0;
    for (bool open = !from->tls || SSL_accept(from->tls) == 1; open;) {
        ssize_t got = receive(from, head + size, HEAD_SIZE - size);
        if (got <= 0)
            break;
        size += (size_t)got;
        head[size] = 0;
        if (!strstr(head, "\r\n\r\n"))
            continue;
        open = answer(from, head);
        size = 0;
        pthread_mutex_lock(&it->lock);
        it->answering--;
        pthread_cond_broadcast(&it->changed);
        pthread_mutex_unlock(&it->lock);
    }
    shutdown(from->fd, SHUT_RDWR);
    return NULL;
}

static void *accept_connections(void *user)
{
    site *it = user;
    for (int fd; (fd = accept4(it->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
        pthread_mutex_lock(&it->lock);
        assert_true(it->connection_count < MOST_CONNECTIONS);
        connection *made = &it->connections[it->connection_count];
        *made = (connection){ .site = it, .fd = fd, .tls = it->tls ? SSL_new(it->tls) : NULL };
        if (made->tls)
            SSL_set_fd(made->tls, fd);
        pthread_create(&made->thread, NULL, serve_connection, made);
        it->connection_count++;
        pthread_mutex_unlock(&it->lock);
    }
    return NULL;
}

/* tls: what the server is to show, which becomes its own; NULL: it speaks plainly. */
static site *site_start(SSL_CTX *tls)
{
    site *it = calloc(1, sizeof *it);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    it->tls = tls;
    it->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(it->fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(it->fd, 64), 0);
    assert_int_equal(getsockname(it->fd, (struct sockaddr *)&address, &size), 0);
    snprintf(it->url, sizeof it->url, "%s://127.0.0.1:%d/file", tls ? "https" : "http",
             ntohs(address.sin_port));
    pthread_mutex_init(&it->lock, NULL);
    pthread_cond_init(&it->changed, NULL);
    it->least_from = INT64_MAX;
    pthread_create(&it->acceptor, NULL, accept_connections, it);
    return it;
}

static void site_stop(site *it)
{
    shutdown(it->fd, SHUT_RDWR);
    pthread_join(it->acceptor, NULL);
    close(it->fd);
    pthread_mutex_lock(&it->lock);
    it->stopping = true;
    pthread_cond_broadcast(&it->changed);
    for (size_t i = 0; i < it->connection_count; i++)
        shutdown(it->connections[i].fd, SHUT_RDWR);
    pthread_mutex_unlock(&it->lock);
    for (size_t i = 0; i < it->connection_count; i++) {
        pthread_join(it->connections[i].thread, NULL);
        SSL_free(it->connections[i].tls);
        close(it->connections[i].fd);
    }
    SSL_CTX_free(it->tls);
    free(it);
}

/* A look at a counter of the server's, under its lock. */
#define SEEN(site_, field_)                                                                        \
    ({                                                                                             \
        pthread_mutex_lock(&(site_)->lock);                                                        \
        __typeof__((site_)->field_) seen_ = (site_)->field_;                                       \
        pthread_mutex_unlock(&(site_)->lock);                                                      \
        seen_;                                                                                     \
    })
/* Changes what the server does. */
#define CHANGE(site_, change_)                                                                     \
    do {                                                                                           \
        pthread_mutex_lock(&(site_)->lock);                                                        \
        (site_)->does.change_;                                                                     \
        pthread_cond_broadcast(&(site_)->changed);                                                 \
        pthread_mutex_unlock(&(site_)->lock);                                                      \
    } while (0)

/* All of it. */
SHARED void site_do(site *it, behaviour does)
{
    pthread_mutex_lock(&it->lock);
    it->does = does;
    pthread_mutex_unlock(&it->lock);
}

/* ------------------------------------------------------------------------------------------------
 * the test's own things */

typedef struct fixture {
    char *home; /* a CHAINS_HOME */
    site *site;
    uint8_t *content;
    size_t size;
    char digest[CHAINSI_DIGEST_DIGITS + 1];
    uv_loop_t loop;
    chainsi_courier *courier;
    chainsi_assets *assets;
} fixture;

/* Impatient where the test would wait, and patient with a machine that stands still. */
static const chainsi_fetch_policy impatient = {
    .most_bytes = 64 * 1024 * KIB,
    .least_range = 64 * KIB,
    .most_failures = 4,
    .forgiving_bytes = 4 * KIB,
    .first_delay_ms = 1,
    .longest_delay_ms = 4,
    .connect_timeout_s = 60,
    .stall_s = 60,
    .stall_rate = 1,
    .save_ms = 0,
};

SHARED void digest_of(const void *data, size_t size, char digest[CHAINSI_DIGEST_DIGITS + 1])
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    assert_int_equal(EVP_Digest(data, size, bytes, NULL, EVP_sha256(), NULL), 1);
    for (size_t i = 0; i < CHAINSI_DIGEST_DIGITS / 2; i++)
        snprintf(digest + 2 * i, 3, "%02x", bytes[i]);
}

/* Bytes that no shift of themselves looks like. */
SHARED uint8_t *make_content(size_t size, uint32_t seed)
{
    uint8_t *content = malloc(size + 1);
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525 + 1013904223;
        content[i] = (uint8_t)(seed >> 24);
    }
    return content;
}

/* Waits until the server sends nothing any more: what it has sent may be freed. */
SHARED void wait_for_silence(site *it)
{
    pthread_mutex_lock(&it->lock);
    while (it->answering)
        pthread_cond_wait(&it->changed, &it->lock);
    pthread_mutex_unlock(&it->lock);
}

SHARED void set_content(fixture *it, size_t size)
{
    wait_for_silence(it->site);
    free(it->content);
    it->content = make_content(size, 7);
    it->size = size;
    digest_of(it->content, size, it->digest);
    pthread_mutex_lock(&it->site->lock);
    it->site->does.content = it->content;
    it->site->does.size = size;
    pthread_mutex_unlock(&it->site->lock);
}

/* The descriptors that libuv opens once for a process. */
SHARED int set_up_all(void **state)
{
    (void)state;
    uv_loop_t loop;
    uv_loop_init(&loop);
    return uv_loop_close(&loop);
}

/* Another policy, which must stay until use_policy or tear_down is called again. */
SHARED void use_policy(fixture *it, const chainsi_fetch_policy *policy)
{
    chainsi_assets_free(it->assets);
    uv_run(&it->loop, UV_RUN_DEFAULT);
    it->assets = policy ? chainsi_assets_new(&it->loop, it->courier, it->home, policy) : NULL;
}

SHARED int set_up(void **state)
{
    fixture *it = calloc(1, sizeof *it);
    char pattern[] = "/tmp/chains-assets-XXXXXX";
    note_descriptors(state);
    it->home = strdup(mkdtemp(pattern));
    it->site = site_start(NULL);
    site_do(it->site, (behaviour){ .etag = "\"v1\"", .ranges = true });
    set_content(it, 1024 * KIB);
    uv_loop_init(&it->loop);
    it->courier = new_courier(&it->loop);
    it->assets = chainsi_assets_new(&it->loop, it->courier, it->home, &impatient);
    *state = it;
    return 0;
}

/* Nothing may be left open: no handle of the loop, no descriptor. */
SHARED int tear_down(void **state)
{
    fixture *it = *state;
    chainsi_assets_free(it->assets);
    uv_run(&it->loop, UV_RUN_DEFAULT);
    chainsi_courier_free(it->courier);
    uv_run(&it->loop, UV_RUN_DEFAULT);
    bool closed = uv_loop_close(&it->loop) == 0;
    site_stop(it->site);
    closed = closed && compare_descriptors(state) == 0;
    chainsi_remove_tree(it->home);
    free(it->home);
    free(it->content);
    free(it);
    return closed ? 0 : -1;
}

#define ASSET_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

/* How a job went. */
typedef struct outcome {
    bool done;
    chains_status status;
    size_t failed; /* the index */
    char why[1024];
    char trouble[192]; /* that was told last */
    int told;          /* times */
    chainsi_assets_progress progress;
} outcome;

static void note_progress(void *user, const chainsi_assets_progress *progress)
{
    outcome *got = user;
    got->told++;
    got->progress = *progress;
    snprintf(got->trouble, sizeof got->trouble, "%s", progress->trouble ? progress->trouble : "");
}

static void note_done(void *user, chains_status status, size_t failed, const char *why)
{
    outcome *got = user;
    assert_false(got->done);
    got->done = true;
    got->status = status;
    got->failed = failed;
    snprintf(got->why, sizeof got->why, "%s", why);
}

static const chainsi_assets_events noting = { note_progress, note_done };

SHARED chainsi_assets_job *start(fixture *it, const char *url, const char *digest, outcome *got)
{
    *got = (outcome){ 0 };
    chainsi_asset asset = { .url = url, .sha256 = digest, .path = "file" };
    return chainsi_assets_start(it->assets, &asset, 1, &noting, got);
}

SHARED void run_until(fixture *it, const bool *done)
{
    while (!*done)
        uv_run(&it->loop, UV_RUN_ONCE);
}

SHARED outcome fetch_from(fixture *it, const char *url, const char *digest)
{
    outcome got;
    start(it, url, digest, &got);
    run_until(it, &got.done);
    return got;
}

SHARED outcome fetch(fixture *it)
{
    return fetch_from(it, it->site->url, it->digest);
}

/* What is stored under the fixture's digest is its content, and nothing partial is left. */
SHARED void check_stored(fixture *it)
{
    struct stat info;
    char *path = chainsi_asset_store_path(it->home, it->digest);
    size_t size = 0;
    char *data = chainsi_read_file(path, it->size + 1, &size);
    assert_non_null(data);
    assert_int_equal(size, it->size);
    assert_memory_equal(data, it->content, size);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0444);
    free(data);
    free(path);
    char *partial = chainsi_asset_partial_path(it->home, it->digest);
    char *state = chainsi_asset_state_path(it->home, it->digest);
    assert_int_equal(access(partial, F_OK), -1);
    assert_int_equal(access(state, F_OK), -1);
    free(partial);
    free(state);
}

/* The bytes of the file that are noted to be there. */
SHARED int64_t noted_bytes(fixture *it)
{
    char *path = chainsi_asset_state_path(it->home, it->digest);
    size_t size = 0;
    chainsi_arena arena = { 0 };
    chainsi_asset_state state;
    char *text = chainsi_read_file(path, 64 * KIB, &size);
    int64_t done = 0;
    if (text && chainsi_asset_state_read(text, size, &arena, &state))
        for (size_t i = 0; i < state.ranges.count; i++)
            done += state.ranges.items[i].done;
    free(text);
    free(path);
    chainsi_arena_done(&arena);
    return done;
}

/* From where on the server is asked, from now on. */
SHARED void forget_ranges(site *it)
{
    pthread_mutex_lock(&it->lock);
    it->least_from = INT64_MAX;
    pthread_mutex_unlock(&it->lock);
}

/* Neither the file nor a part of it is there. */
SHARED void check_nothing(fixture *it, const char *digest)
{
    char *paths[] = { chainsi_asset_store_path(it->home, digest),
                      chainsi_asset_partial_path(it->home, digest),
                      chainsi_asset_state_path(it->home, digest) };
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(access(paths[i], F_OK), -1);
        free(paths[i]);
    }
}

SHARED void forget_stored(fixture *it)
{
    char *path = chainsi_asset_store_path(it->home, it->digest);
    assert_int_equal(unlink(path), 0);
    free(path);
}

#define assert_good(got_)                                                                          \
    do {                                                                                           \
        outcome judged_ = (got_);                                                                  \
        if (judged_.status != CHAINS_OK)                                                           \
            fail_msg("%s: %s", chains_status_name(judged_.status), judged_.why);                   \
    } while (0)
#define assert_said(got_, status_, words_)                                                         \
    do {                                                                                           \
        outcome judged_ = (got_);                                                                  \
        if (judged_.status != (status_) || !strstr(judged_.why, (words_)))                         \
            fail_msg("%s: %s", chains_status_name(judged_.status), judged_.why);                   \
    } while (0)

#endif
