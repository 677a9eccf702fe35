/* The calling side against a peer that follows a script. */
#include "rpc/client_test_support.h"

/* ------------------------------------------------------------------------------------------------
 * answers */

static void answer_until_end(peer *it, int fd, int index)
{
    (void)index;
    while (read_request(it, fd))
        send_text(fd, "HTTP/1.1 200 OK\r\nContent-Type: application/json; x=y  \r\n"
                      "Content-Length: 4\r\nX-Other: 1\r\n\r\n\"hi\"");
}

static void test_kept_alive(void **state)
{
    (void)state;
    for (int tcp = 0; tcp < 2; tcp++) {
        peer server;
        caller me;
        start_peer(&server, tcp, answer_until_end);
        start_caller(&me, server.address);
        for (int i = 0; i < 10; i++) {
            assert_int_equal(call(&me, &ask), CHAINSI_EXCHANGE_ANSWERED);
            assert_int_equal(me.response.status, 200);
            assert_string_equal(me.response.content_type, "application/json; x=y");
            assert_int_equal(me.response.body_size, 4);
            assert_string_equal(me.response.body, "\"hi\"");
            assert_true(chainsi_slice_is(*chainsi_http_find(&me.response.head, "x-other"), "1"));
        }
        chainsi_client_request with_headers = ask;
        with_headers.headers = "X-A: b\r\nX-C: d\r\n";
        with_headers.headers_size = strlen(with_headers.headers);
        assert_int_equal(call(&me, &with_headers), CHAINSI_EXCHANGE_ANSWERED);
        stop_caller(&me);
        stop_peer(&server);
        assert_int_equal(server.accepted, 1);
        assert_memory_equal(server.seen, "POST /run_remote HTTP/1.1\r\nHost: ", 33);
        assert_non_null(strstr(server.seen, "\r\nX-A: b\r\nX-C: d\r\n"));
        assert_non_null(strstr(server.seen, "\r\nContent-Length: 5\r\n"));
    }
}

static void test_prefix_and_long_head(void **state)
{
    (void)state;
    peer server;
    caller me;
    char address[200], *value = malloc(3000);
    start_peer(&server, true, answer_until_end);
    snprintf(address, sizeof address, "%s/v1/", server.address);
    start_caller(&me, address);
    memset(value, 'v', 3000);
    memcpy(value, "X: ", 3);
    memcpy(value + 2998, "\r\n", 2);
    chainsi_client_request request = ask;
    request.headers = value;
    request.headers_size = 3000;
    assert_int_equal(call(&me, &request), CHAINSI_EXCHANGE_ANSWERED);
    request = ask;
    request.method = "GET";
    request.body = NULL;
    request.body_size = 0;
    assert_int_equal(call(&me, &request), CHAINSI_EXCHANGE_ANSWERED);
    stop_caller(&me);
    stop_peer(&server);
    assert_memory_equal(server.seen, "GET /v1/run_remote HTTP/1.1\r\nHost: 127.0.0.1:", 45);
    assert_null(strstr(server.seen, "Content-Length"));
    free(value);
}

static const char *answer_text; /* of answer_with_text */
static size_t answer_piece;     /* bytes of it that leave together */

static void answer_with_text(peer *it, int fd, int index)
{
    (void)index;
    if (!read_request(it, fd))
        return;
    size_t size = strlen(answer_text);
    for (size_t at = 0; at < size; at += answer_piece)
        send(fd, answer_text + at, size - at < answer_piece ? size - at : answer_piece,
             MSG_NOSIGNAL);
}

static void test_kinds_of_answers(void **state)
{
    (void)state;
    static const struct {
        const char *text, *method;
        int end, status;
        const char *body;
    } cases[] = {
        { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "POST", 0, 200, "hello" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "POST", 0, 200, "" },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
          "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nT: r\r\n\r\n",
          "POST", 0, 200, "hello world" },
        { "HTTP/1.1 404 \r\n\r\nto the end", "POST", 0, 404, "to the end" },
        { "HTTP/1.0 200 OK\r\n\r\n", "POST", 0, 200, "" },
        { "HTTP/1.1 204 No Content\r\n\r\n", "POST", 0, 204, "" },
        { "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", "GET", 0, 304, "" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "HEAD", 0, 200, "" },
        { "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
          "POST", 0, 200, "x" },
        /* cut short */
        { "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", "POST",
          CHAINSI_EXCHANGE_MAYBE_STARTED, 0, NULL },
        { "HTTP/1.1 200 OK\r\nContent-Le", "POST", CHAINSI_EXCHANGE_MAYBE_STARTED, 0, NULL },
        { "H", "POST", CHAINSI_EXCHANGE_MAYBE_STARTED, 0, NULL },
        { "HTTP/1.1 100 Continue\r\n\r\n", "POST", CHAINSI_EXCHANGE_MAYBE_STARTED, 0, NULL },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "POST",
          CHAINSI_EXCHANGE_MAYBE_STARTED, 0, NULL },
        /* no HTTP, or not ours */
        { "SSH-2.0-x\r\n", "POST", CHAINSI_EXCHANGE_PROTOCOL, 0, NULL },
        { "HTTP/1.1 200 OK\nContent-Length: 0\n\n", "POST", CHAINSI_EXCHANGE_PROTOCOL, 0, NULL },
        { "HTTP/1.1 101 Switching Protocols\r\n\r\n", "POST", CHAINSI_EXCHANGE_PROTOCOL, 0, NULL },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "POST",
          CHAINSI_EXCHANGE_PROTOCOL, 0, NULL },
        { "HTTP/1.1 102 P\r\n\r\nHTTP/1.1 102 P\r\n\r\nHTTP/1.1 102 P\r\n\r\n"
          "HTTP/1.1 102 P\r\n\r\nHTTP/1.1 102 P\r\n\r\nHTTP/1.1 102 P\r\n\r\n"
          "HTTP/1.1 102 P\r\n\r\nHTTP/1.1 102 P\r\n\r\nHTTP/1.1 102 P\r\n\r\n",
          "POST", CHAINSI_EXCHANGE_PROTOCOL, 0, NULL },
    };
    static const size_t sizes[] = { SIZE_MAX / 2, 1, 7 };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        /* Both ways of waiting, too. */
        for (size_t p = 0; p < 3; p++) {
            peer server;
            caller me;
            answer_text = cases[i].text;
            answer_piece = sizes[p];
            start_peer(&server, i % 2, answer_with_text);
            start_caller(&me, server.address);
            chainsi_client_request request = ask;
            request.method = cases[i].method;
            if (p)
                request.deadline_ns = chainsi_now_ns() + INT64_C(60000000000);
            int end = call(&me, &request);
            if (end != cases[i].end)
                fail_msg("case %zu: ended as %d (%s) instead of %d", i, end, me.why, cases[i].end);
            if (!end) {
                assert_int_equal(me.response.status, cases[i].status);
                assert_int_equal(me.response.body_size, strlen(cases[i].body));
                assert_string_equal(me.response.body, cases[i].body);
                assert_string_equal(me.response.content_type, "");
            }
            stop_caller(&me);
            stop_peer(&server);
        }
    }
}

static void answer_large(peer *it, int fd, int index)
{
    (void)index;
    while (read_request(it, fd)) {
        char *text = malloc(3000000);
        memset(text, 'z', 3000000);
        if (strstr(it->seen, "/chunked"))
            send_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2dc6c0\r\n");
        else if (strstr(it->seen, "/close"))
            send_text(fd, "HTTP/1.1 200 OK\r\n\r\n");
        else
            send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n");
        send(fd, text, 3000000, MSG_NOSIGNAL);
        free(text);
        if (strstr(it->seen, "/chunked"))
            send_text(fd, "\r\n0\r\n\r\n");
        if (strstr(it->seen, "/close"))
            return;
    }
}

static void test_large_answers(void **state)
{
    (void)state;
    static const char *const paths[] = { "/length", "/chunked", "/close" };
    for (int i = 0; i < 3; i++) {
        peer server;
        caller me;
        start_peer(&server, false, answer_large);
        start_caller(&me, server.address);
        chainsi_client_request request = ask;
        request.path = paths[i];
        request.max_body = 3000000;
        for (int round = 0; round < 2; round++) {
            /* Something in front, so that growing in place does not always work. */
            chainsi_arena_alloc(&me.arena, 100);
            assert_int_equal(call(&me, &request), CHAINSI_EXCHANGE_ANSWERED);
            assert_int_equal(me.response.body_size, 3000000);
            assert_int_equal(me.response.body[0], 'z');
            assert_int_equal(me.response.body[2999999], 'z');
            assert_int_equal(me.response.body[3000000], 0);
            assert_int_equal(me.response.head.minor_version, 1);
        }
        request.max_body = 2999999;
        assert_int_equal(call(&me, &request), CHAINSI_EXCHANGE_PROTOCOL);
        assert_non_null(strstr(me.why, "larger"));
        stop_caller(&me);
        stop_peer(&server);
    }
}

/* ------------------------------------------------------------------------------------------------
 * losses */

static void close_unread(peer *it, int fd, int index)
{
    (void)index;
    char byte;
    if (recv(fd, &byte, 1, 0) == 1)
        it->saw_end = false;
}

static void close_read(peer *it, int fd, int index)
{
    (void)index;
    read_request(it, fd);
}

static void test_losses(void **state)
{
    (void)state;
    int accepted;
    /* Not wholly read: on a Unix socket the kernel tells, on TCP nobody. */
    assert_int_equal(end_with(false, close_unread, &ask, &accepted), CHAINSI_EXCHANGE_NOT_STARTED);
    assert_int_equal(accepted, 1);
    assert_int_equal(end_with(true, close_unread, &ask, &accepted), CHAINSI_EXCHANGE_MAYBE_STARTED);
    assert_int_equal(accepted, 1);
    /* Wholly read. */
    assert_int_equal(end_with(false, close_read, &ask, &accepted), CHAINSI_EXCHANGE_MAYBE_STARTED);
    assert_int_equal(accepted, 1);
    assert_int_equal(end_with(true, close_read, &ask, &accepted), CHAINSI_EXCHANGE_MAYBE_STARTED);
    assert_int_equal(accepted, 1);
    /* A large one that was read in part. */
    chainsi_client_request large = ask;
    large.body_size = 8 * 1024 * 1024;
    char *body = calloc(1, large.body_size);
    large.body = body;
    assert_int_equal(end_with(false, close_unread, &large, NULL), CHAINSI_EXCHANGE_NOT_STARTED);
    assert_int_equal(end_with(true, close_unread, &large, NULL), CHAINSI_EXCHANGE_MAYBE_STARTED);
    free(body);
}

static void test_nobody_listens(void **state)
{
    (void)state;
    caller me;
    start_caller(&me, "unix:/tmp/chains-client-none/s");
    assert_int_equal(call(&me, &ask), CHAINSI_EXCHANGE_NOT_STARTED);
    assert_int_equal(me.response.error, ENOENT);
    stop_caller(&me);
    /* A port that was free a moment ago. */
    chainsi_address address;
    char why[256], text[64];
    assert_true(chainsi_address_parse("http://127.0.0.1:0", &address, why, sizeof why));
    int fd = chainsi_address_listen(&address, 1, why, sizeof why);
    assert_true(fd >= 0);
    assert_true(chainsi_address_of(fd, text, sizeof text));
    close(fd);
    chainsi_address_done(&address);
    start_caller(&me, text);
    assert_int_equal(call(&me, &ask), CHAINSI_EXCHANGE_NOT_STARTED);
    assert_int_equal(me.response.error, ECONNREFUSED);
    stop_caller(&me);
}

static void test_full_queue(void **state)
{
    (void)state;
    char folder[] = "/tmp/chains-client-XXXXXX", text[64], why[256];
    assert_non_null(mkdtemp(folder));
    snprintf(text, sizeof text, "unix:%s/s", folder);
    chainsi_address address;
    assert_true(chainsi_address_parse(text, &address, why, sizeof why));
    int fd = chainsi_address_listen(&address, 0, why, sizeof why);
    assert_true(fd >= 0);
    int waiting = chainsi_address_connect(&address, CHAINSI_NEVER, NULL, why, sizeof why);
    assert_true(waiting >= 0);
    caller me;
    start_caller(&me, text);
    assert_int_equal(call(&me, &ask), CHAINSI_EXCHANGE_NOT_STARTED);
    assert_int_equal(me.response.error, EAGAIN);
    stop_caller(&me);
    close(waiting);
    close(fd);
    unlink(address.path);
    rmdir(folder);
    chainsi_address_done(&address);
}

static void answer_once(peer *it, int fd, int index)
{
    (void)index;
    if (read_request(it, fd))
        send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
}

static void test_kept_connection_closed(void **state)
{
    (void)state;
    for (int tcp = 0; tcp < 2; tcp++) {
        peer server;
        caller me;
        start_peer(&server, tcp, answer_once);
        start_caller(&me, server.address);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(call(&me, &ask), CHAINSI_EXCHANGE_ANSWERED);
            assert_string_equal(me.response.body, "hi");
            await_close(&server);
        }
        stop_caller(&me);
        stop_peer(&server);
        assert_int_equal(server.accepted, 3);
    }
}

static void answer_then_reset(peer *it, int fd, int index)
{
    answer_once(it, fd, index);
    char byte;
    if (!index) /* the second request of the first connection: taken, not read to its end */
        (void)!recv(fd, &byte, 1, 0);
}

static void test_kept_connection_resets(void **state)
{
    (void)state;
    peer server;
    caller me;
    start_peer(&server, false, answer_then_reset);
    start_caller(&me, server.address);
    assert_int_equal(call(&me, &ask), CHAINSI_EXCHANGE_ANSWERED);
    /* Certainly not started, so that it goes to a fresh connection by itself. */
    assert_int_equal(call(&me, &ask), CHAINSI_EXCHANGE_ANSWERED);
    stop_caller(&me);
    stop_peer(&server);
    assert_int_equal(server.accepted, 2);
}

static void close_silently_later(peer *it, int fd, int index)
{
    (void)index;
    if (read_request(it, fd))
        send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    read_request(it, fd);
}

static void test_kept_connection_lost(void **state)
{
    (void)state;
    peer server;
    caller me;
    start_peer(&server, false, close_silently_later);
    start_caller(&me, server.address);
    assert_int_equal(call(&me, &ask), CHAINSI_EXCHANGE_ANSWERED);
    /* Read to its end and then nothing: nobody may send that again. */
    assert_int_equal(call(&me, &ask), CHAINSI_EXCHANGE_MAYBE_STARTED);
    stop_caller(&me);
    stop_peer(&server);
    assert_int_equal(server.accepted, 1);
}

static void answer_with_extra(peer *it, int fd, int index)
{
    (void)index;
    if (read_request(it, fd))
        send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 500 Other\r\n\r\n");
    it->saw_end = !read_request(it, fd);
}

static void test_extra_bytes_end_a_connection(void **state)
{
    (void)state;
    peer server;
    caller me;
    start_peer(&server, false, answer_with_extra);
    start_caller(&me, server.address);
    assert_int_equal(call(&me, &ask), CHAINSI_EXCHANGE_ANSWERED);
    assert_string_equal(me.response.body, "hi");
    assert_int_equal(call(&me, &ask), CHAINSI_EXCHANGE_ANSWERED);
    assert_int_equal(me.response.status, 200);
    stop_caller(&me);
    stop_peer(&server);
    assert_int_equal(server.accepted, 2);
    assert_true(server.saw_end);
}

/* ------------------------------------------------------------------------------------------------
 * early answers */

static void answer_early(peer *it, int fd, int index)
{
    char byte;
    (void)index;
    (void)!recv(fd, &byte, 1, 0);
    send_text(fd, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno!");
    shutdown(fd, SHUT_WR);
    /* Reads nothing more until the caller has its answer. */
    eventfd_t value;
    eventfd_read(it->wake, &value);
}

static void test_early_answer(void **state)
{
    (void)state;
    chainsi_client_request large = ask;
    large.body_size = 32 * 1024 * 1024;
    char *body = calloc(1, large.body_size);
    large.body = body;
    for (int tcp = 0; tcp < 2; tcp++) {
        peer server;
        caller me;
        start_peer(&server, tcp, answer_early);
        start_caller(&me, server.address);
        assert_int_equal(call(&me, &large), CHAINSI_EXCHANGE_ANSWERED);
        assert_int_equal(me.response.status, 413);
        assert_string_equal(me.response.body, "no!");
        eventfd_write(server.wake, 1);
        stop_caller(&me);
        stop_peer(&server);
    }
    free(body);
}

/* ------------------------------------------------------------------------------------------------
 * deadlines and interrupts */

static void never_answer(peer *it, int fd, int index)
{
    char byte;
    (void)index;
    if (!read_request(it, fd))
        return;
    if (it->wake >= 0)
        eventfd_write(it->wake, 1);
    /* The caller's leaving is how this side learns. */
    it->saw_end = recv(fd, &byte, 1, 0) <= 0;
}

static void test_deadline(void **state)
{
    (void)state;
    for (int tcp = 0; tcp < 2; tcp++) {
        peer server;
        caller me;
        start_peer(&server, tcp, never_answer);
        start_caller(&me, server.address);
        chainsi_client_request request = ask;
        request.deadline_ns = chainsi_now_ns() + 30 * CHAINSI_NS_PER_MS;
        assert_int_equal(call(&me, &request), CHAINSI_EXCHANGE_DEADLINE);
        assert_true(chainsi_now_ns() >= request.deadline_ns);
        await_close(&server);
        assert_true(server.saw_end);
        stop_caller(&me);
        stop_peer(&server);
    }
}

/* Nobody accepts, and one already waits: there is no connection in time. */
static void test_deadline_while_connecting(void **state)
{
    (void)state;
    char text[64], why[256];
    chainsi_address address, bound;
    assert_true(chainsi_address_parse("http://127.0.0.1:0", &address, why, sizeof why));
    int fd = chainsi_address_listen(&address, 0, why, sizeof why);
    assert_true(fd >= 0);
    assert_true(chainsi_address_of(fd, text, sizeof text));
    assert_true(chainsi_address_parse(text, &bound, why, sizeof why));
    int waiting = chainsi_address_connect(&bound, CHAINSI_NEVER, NULL, why, sizeof why);
    assert_true(waiting >= 0);
    caller me;
    start_caller(&me, text);
    chainsi_client_request request = ask;
    request.deadline_ns = chainsi_now_ns() + 30 * CHAINSI_NS_PER_MS;
    assert_int_equal(call(&me, &request), CHAINSI_EXCHANGE_DEADLINE);
    assert_non_null(strstr(me.why, "deadline"));
    stop_caller(&me);
    close(waiting);
    close(fd);
    chainsi_address_done(&bound);
    chainsi_address_done(&address);
}

static void trickle(peer *it, int fd, int index)
{
    (void)index;
    if (!read_request(it, fd))
        return;
    send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
    while (send(fd, "x", 1, MSG_NOSIGNAL) == 1) {
    }
    it->saw_end = true;
}

static void test_trickle_ends_at_deadline(void **state)
{
    (void)state;
    peer server;
    caller me;
    start_peer(&server, false, trickle);
    start_caller(&me, server.address);
    chainsi_client_request request = ask;
    request.max_body = 1000000000;
    request.deadline_ns = chainsi_now_ns() + 30 * CHAINSI_NS_PER_MS;
    assert_int_equal(call(&me, &request), CHAINSI_EXCHANGE_DEADLINE);
    await_close(&server);
    assert_true(server.saw_end);
    stop_caller(&me);
    stop_peer(&server);
}

static void never_read(peer *it, int fd, int index)
{
    (void)index;
    struct pollfd watched = { .fd = fd };
    while (poll(&watched, 1, 60000) > 0 && !(watched.revents & (POLLHUP | POLLERR))) {
    }
    it->saw_end = true;
}

static void test_deadline_while_sending(void **state)
{
    (void)state;
    chainsi_client_request large = ask;
    large.body_size = 32 * 1024 * 1024;
    char *body = calloc(1, large.body_size);
    large.body = body;
    large.deadline_ns = chainsi_now_ns() + 30 * CHAINSI_NS_PER_MS;
    assert_int_equal(end_with(false, never_read, &large, NULL), CHAINSI_EXCHANGE_DEADLINE);
    free(body);
}

typedef struct doubt {
    int wake, asked;
} doubt;

/* Not this time; next time yes. */
static bool ask_again(void *user)
{
    doubt *its = user;
    eventfd_t value;
    eventfd_read(its->wake, &value);
    eventfd_write(its->wake, 1);
    return ++its->asked == 2;
}

static void interrupt_call(bool with_check)
{
    peer server;
    caller me;
    start_peer(&server, false, never_answer);
    start_caller(&me, server.address);
    /* The peer raises it when it has read the request. */
    doubt its = { .wake = server.wake };
    chainsi_interrupt watch = { .count = 2,
                                .watch = { { .fd = -1 }, { .fd = server.wake, .events = POLLIN } },
                                .check = with_check ? ask_again : NULL,
                                .user = &its };
    chainsi_client_request waiting = ask;
    waiting.interrupt = &watch;
    assert_int_equal(call(&me, &waiting), CHAINSI_EXCHANGE_INTERRUPTED);
    assert_int_equal(its.asked, with_check ? 2 : 0);
    await_close(&server);
    assert_true(server.saw_end);
    stop_caller(&me);
    stop_peer(&server);
}

static void test_interrupt(void **state)
{
    (void)state;
    interrupt_call(false);
    interrupt_call(true);
}

/* ------------------------------------------------------------------------------------------------
 * the rest */

static void test_what_cannot_be_sent(void **state)
{
    (void)state;
    static const struct {
        const char *path, *headers;
    } cases[] = {
        { "/a b", "" },
        { "/a\r\nX: y", "" },
        { "/\xc3\xa9", "" },
        { "/", "X: y" },
        { "/", "X: y\n" },
        { "/", "X: y\r" },
        { "/", "X: y\rZ\r\n" },
        { "/", "X: y\r\n\r\n" },
        { "/", "\r\n" },
        { "/", "X: y\x01\r\n" },
        { "/", "X: y\r\n\r\nGET / HTTP/1.1\r\n" },
    };
    caller me;
    start_caller(&me, "unix:/tmp/chains-client-none/s");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        chainsi_client_request request = ask;
        request.path = cases[i].path;
        request.headers = cases[i].headers;
        request.headers_size = strlen(cases[i].headers);
        if (call(&me, &request) != CHAINSI_EXCHANGE_PROTOCOL)
            fail_msg("case %zu is not refused", i);
    }
    stop_caller(&me);
}

static void answer_twice(peer *it, int fd, int index)
{
    (void)index;
    while (read_request(it, fd))
        send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

/* A connection of the request's own: used, kept, and closed if it can't be used. */
static void test_a_connection_that_is_brought(void **state)
{
    (void)state;
    peer server;
    caller me;
    chainsi_address address;
    char why[256];
    start_peer(&server, true, answer_twice);
    start_caller(&me, server.address);
    assert_true(chainsi_address_parse(server.address, &address, why, sizeof why));
    chainsi_channel own = CHAINSI_NO_CHANNEL;
    own.fd = chainsi_address_connect(&address, CHAINSI_NEVER, NULL, why, sizeof why);
    assert_true(own.fd >= 0);
    chainsi_client_request brings = ask;
    brings.connection = &own;
    assert_int_equal(call(&me, &brings), CHAINSI_EXCHANGE_ANSWERED);
    assert_int_equal(call(&me, &ask), CHAINSI_EXCHANGE_ANSWERED);
    assert_int_equal(server.accepted, 1);
    /* Handed out, it is the caller's; and one that has ended is not used, nor replaced. */
    own = chainsi_client_take_idle(me.client);
    assert_true(own.fd >= 0);
    assert_int_equal(chainsi_client_take_idle(me.client).fd, -1);
    shutdown(own.fd, SHUT_RDWR);
    await_close(&server);
    assert_int_equal(call(&me, &brings), CHAINSI_EXCHANGE_NOT_STARTED);
    assert_int_equal(server.accepted, 1);
    /* Nor is it lost where nothing can be sent. */
    own.fd = chainsi_address_connect(&address, CHAINSI_NEVER, NULL, why, sizeof why);
    brings.path = "/a b";
    assert_int_equal(call(&me, &brings), CHAINSI_EXCHANGE_PROTOCOL);
    chainsi_address_done(&address);
    stop_caller(&me);
    stop_peer(&server);
}

static void test_clients_that_cannot_be(void **state)
{
    (void)state;
    char why[256] = "";
    assert_null(chainsi_client_new("tcp:1", why, sizeof why));
    assert_non_null(strstr(why, "tcp:1"));
    assert_null(chainsi_client_new("https://example.org", why, sizeof why));
    assert_non_null(strstr(why, "TLS"));
    chainsi_client_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_kept_alive),
        TEST(test_prefix_and_long_head),
        TEST(test_kinds_of_answers),
        TEST(test_large_answers),
        TEST(test_losses),
        TEST(test_nobody_listens),
        TEST(test_full_queue),
        TEST(test_kept_connection_closed),
        TEST(test_kept_connection_resets),
        TEST(test_kept_connection_lost),
        TEST(test_extra_bytes_end_a_connection),
        TEST(test_early_answer),
        TEST(test_deadline),
        TEST(test_deadline_while_connecting),
        TEST(test_trickle_ends_at_deadline),
        TEST(test_deadline_while_sending),
        TEST(test_interrupt),
        TEST(test_what_cannot_be_sent),
        TEST(test_a_connection_that_is_brought),
        TEST(test_clients_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
