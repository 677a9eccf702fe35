#include "rpc/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Feeds a head in pieces, each call seeing all bytes so far in a fresh allocation of just their size,
 * so that a sanitizer sees every byte too many. */
static ptrdiff_t feed(bool is_request, const char *text, size_t size, size_t piece,
                      chainsi_http_request *request, chainsi_http_response *response, char **kept,
                      chainsi_http_refusal *refusal)
{
    chainsi_http_scan scan = { 0 };
    for (size_t have = 0;;) {
        have = have + piece < size ? have + piece : size;
        char *data = malloc(have ? have : 1);
        assert_non_null(data);
        memcpy(data, text, have);
        ptrdiff_t got = is_request
                            ? chainsi_http_parse_request(data, have, &scan, request, refusal)
                            : chainsi_http_parse_response(data, have, &scan, response, refusal);
        if (got > 0) {
            *kept = data;
            return got;
        }
        free(data);
        if (got < 0 || have == size)
            return got;
    }
}

static const size_t pieces[] = { SIZE_MAX / 2, 1, 2, 3, 7, 16, 61 };
enum { PIECES = sizeof pieces / sizeof pieces[0] };

/* ------------------------------------------------------------------------------------------------
 * requests */

#define HOST "Host: a\r\n"

static const struct {
    const char *text;
    int status; /* 0: accepted, -1: more is needed */
} request_cases[] = {
    { "GET / HTTP/1.1\r\n" HOST "\r\n", 0 },
    { "GET / HTTP/1.1\r\nHost:\r\n\r\n", 0 },
    { "GET / HTTP/1.1\r\nhOsT: [::1]:80\r\n\r\n", 0 },
    { "GET / HTTP/1.0\r\n\r\n", 0 },
    { "POST /run_remote?x=1 HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n", 0 },
    { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: CHUNKED\r\n\r\n", 0 },
    { "POST / HTTP/1.1\r\n" HOST "\r\n", 0 },
    { "GET http://h:80/x?y HTTP/1.1\r\n" HOST "\r\n", 0 },
    { "GET https://h HTTP/1.1\r\n" HOST "\r\n", 0 },
    { "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 0 },
    { "BREW /pot HTTP/1.1\r\n" HOST "\r\n", 0 },
    { "GET / HTTP/1.1\r\n" HOST "X: \ta b\xc3\xa9 \t\r\n\r\n", 0 },
    { "GET / HTTP/1.1\r\n" HOST "X:\r\n\r\n", 0 },
    { "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 0 },
    { "POST / HTTP/1.1\r\n" HOST "Content-Length: 9223372036854775807\r\n\r\n", 0 },
    { "POST / HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n", 0 },
    { "", -1 },
    { "G", -1 },
    { "GET / HTTP/1.1\r", -1 },
    { "GET / HTTP/1.1\r\n", -1 },
    { "GET / HTTP/1.1\r\n" HOST, -1 },
    { "GET / HTTP/1.1\r\n" HOST "\r", -1 },
    /* the start line */
    { "\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "\x16\x03\x01\x02", 400 },
    { " GET / HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET /\r\n", 400 },
    { "GET\r\n", 400 },
    { "GET  / HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET /  HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET / HTTP/1.1 \r\n" HOST "\r\n", 400 },
    { "GET\t/ HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GE(T / HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET x HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET * HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET ftp://x/ HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET http:///x HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET http://a b/ HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET http://u@h/ HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "CONNECT h:80 HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET /#x HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET /\x01 HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET /\x7f HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n", 400 },
    { "GET / http/1.1\r\n" HOST "\r\n", 400 },
    { "GET / HTTP/\r\n" HOST "\r\n", 400 },
    { "GET / HTTP/1.1x\r\n" HOST "\r\n", 400 },
    { "GET / HTTP/1.2\r\n" HOST "\r\n", 505 },
    { "GET / HTTP/2\r\n" HOST "\r\n", 505 },
    { "GET / HTTP/1.10\r\n" HOST "\r\n", 505 },
    { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505 },
    /* lines */
    { "GET / HTTP/1.1\n" HOST "\r\n", 400 },
    { "GET / HTTP/1.1\r\nHost: a\n\r\n", 400 },
    { "GET / HTTP/1.1\r\n" HOST "\n", 400 },
    { "GET / HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\n" HOST "X: a\r\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\n" HOST " folded\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\n" HOST "\tfolded: x\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\n" HOST "X : a\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\n" HOST "X\t: a\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\n" HOST "X Y: a\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\n" HOST "X\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\n" HOST "X@: a\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\n" HOST "X: a\x01\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\n" HOST "X: a\x7f\r\n\r\n", 400 },
    /* framing */
    { "GET / HTTP/1.1\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400 },
    { "GET / HTTP/1.0\r\n" HOST HOST "\r\n", 400 },
    { "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\n" HOST "Content-Length: -5\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\n" HOST "Content-Length: 5 5\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\n" HOST "Content-Length: 9223372036854775808\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400 },
    { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
      400 },
    { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501 },
    { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n", 501 },
    { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n", 501 },
    { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n", 501 },
    { "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: \"chunked\"\r\n\r\n", 501 },
    { "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
    { "POST / HTTP/1.0\r\n\r\n", 411 },
    { "POST / HTTP/1.1\r\n" HOST "Expect: tea\r\n\r\n", 417 },
};

static void test_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof request_cases / sizeof request_cases[0]; i++) {
        const char *text = request_cases[i].text;
        for (size_t p = 0; p < PIECES; p++) {
            chainsi_http_request request;
            chainsi_http_refusal refusal = { 0 };
            char *kept = NULL;
            ptrdiff_t got =
                feed(true, text, strlen(text), pieces[p], &request, NULL, &kept, &refusal);
            free(kept);
            int expected = request_cases[i].status;
            if (expected > 0 ? got != CHAINSI_HTTP_REFUSED || refusal.status != expected
                             : got != (expected ? CHAINSI_HTTP_MORE : (ptrdiff_t)strlen(text)))
                fail_msg("case %zu in pieces of %zu: %s: got %td, status %d (%s), expected %d", i,
                         pieces[p], text, got, refusal.status, refusal.reason ? refusal.reason : "",
                         expected);
        }
    }
}

static void test_request_parts(void **state)
{
    (void)state;
    static const char text[] = "POST /a/b?c=d&e HTTP/1.1\r\n"
                               "Host: example.org:8080\r\n"
                               "Content-Length: 12\r\n"
                               "CONTENT-type:  application/json \t\r\n"
                               "Connection: keep-alive, Close\r\n"
                               "Expect: 100-continue\r\n"
                               "Empty:\r\n"
                               "\r\n"
                               "the body is not looked at\n";
    for (size_t p = 0; p < PIECES; p++) {
        chainsi_http_request request;
        chainsi_http_refusal refusal;
        char *kept = NULL;
        ptrdiff_t got =
            feed(true, text, sizeof text - 1, pieces[p], &request, NULL, &kept, &refusal);
        assert_int_equal(got, strstr(text, "the body") - text);
        assert_int_equal(request.method, CHAINSI_HTTP_POST);
        assert_true(chainsi_slice_is(request.method_name, "POST"));
        assert_true(chainsi_slice_is(request.path, "/a/b"));
        assert_true(chainsi_slice_is(request.query, "c=d&e"));
        assert_true(request.expect_continue);
        assert_int_equal(request.head.minor_version, 1);
        assert_int_equal(request.head.content_length, 12);
        assert_false(request.head.chunked);
        assert_false(request.head.keep_alive);
        assert_int_equal(request.head.header_count, 6);
        const chainsi_slice *type = chainsi_http_find(&request.head, "Content-Type");
        assert_non_null(type);
        assert_true(chainsi_slice_is(*type, "application/json"));
        const chainsi_slice *empty = chainsi_http_find(&request.head, "empty");
        assert_non_null(empty);
        assert_int_equal(empty->size, 0);
        assert_null(chainsi_http_find(&request.head, "Content"));
        assert_true(chainsi_http_is_type(type, "Application/JSON"));
        assert_false(chainsi_http_is_type(type, "application/js"));
        assert_false(chainsi_http_is_type(type, "application/json5"));
        assert_false(chainsi_http_is_type(NULL, "application/json"));
        free(kept);
    }
}

static void test_targets(void **state)
{
    (void)state;
    static const struct {
        const char *target, *path, *query;
    } cases[] = {
        { "/", "/", "" },
        { "/?", "/", "" },
        { "/a%20b?x?y", "/a%20b", "x?y" },
        { "//x", "//x", "" },
        { "http://h/a?b", "/a", "b" },
        { "HTTP://h:1?b", "/", "b" },
        { "https://[::1]:1", "/", "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[128];
        int size = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\n" HOST "\r\n", cases[i].target);
        chainsi_http_scan scan = { 0 };
        chainsi_http_request request;
        chainsi_http_refusal refusal;
        assert_int_equal(chainsi_http_parse_request(text, (size_t)size, &scan, &request, &refusal),
                         size);
        assert_true(chainsi_slice_is(request.path, cases[i].path));
        assert_true(chainsi_slice_is(request.query, cases[i].query));
    }
}

static void test_keep_alive(void **state)
{
    (void)state;
    static const struct {
        const char *version, *connection;
        bool keep_alive;
    } cases[] = {
        { "1.1", "", true },
        { "1.1", "Connection: close\r\n", false },
        { "1.1", "Connection: x,close , y\r\n", false },
        { "1.1", "Connection: closed\r\n", true },
        { "1.1", "Connection: x\r\nConnection: CLOSE\r\n", false },
        { "1.0", "", false },
        { "1.0", "Connection: Keep-Alive\r\n", true },
        { "1.0", "Connection: keep-alive, close\r\n", false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[128];
        int size = snprintf(text, sizeof text, "GET / HTTP/%s\r\n" HOST "%s\r\n", cases[i].version,
                            cases[i].connection);
        chainsi_http_scan scan = { 0 };
        chainsi_http_request request;
        chainsi_http_refusal refusal;
        assert_int_equal(chainsi_http_parse_request(text, (size_t)size, &scan, &request, &refusal),
                         size);
        assert_int_equal(request.head.keep_alive, cases[i].keep_alive);
    }
}

/* ------------------------------------------------------------------------------------------------
 * limits: at the limit, and one past it */

/* The status a request is refused with; 0: accepted. The same in one piece and in pieces. */
static int outcome(const char *text, size_t size)
{
    int first = 0;
    for (size_t p = 0; p < 2; p++) {
        chainsi_http_request request;
        chainsi_http_refusal refusal = { 0 };
        char *kept = NULL;
        ptrdiff_t got = feed(true, text, size, p ? 997 : size, &request, NULL, &kept, &refusal);
        free(kept);
        assert_int_not_equal(got, CHAINSI_HTTP_MORE);
        if (!p)
            first = refusal.status;
        assert_int_equal(refusal.status, first);
    }
    return first;
}

/* prefix, `count` times 'x', suffix */
static int outcome_of_long(const char *prefix, size_t count, const char *suffix)
{
    size_t size = strlen(prefix) + count + strlen(suffix);
    char *text = malloc(size + 1);
    assert_non_null(text);
    memcpy(text, prefix, strlen(prefix));
    memset(text + strlen(prefix), 'x', count);
    memcpy(text + strlen(prefix) + count, suffix, strlen(suffix) + 1);
    int status = outcome(text, size);
    free(text);
    return status;
}

static void test_limits(void **state)
{
    (void)state;
    /* the method */
    assert_int_equal(outcome_of_long("", CHAINSI_MAX_METHOD, " / HTTP/1.1\r\n" HOST "\r\n"), 0);
    assert_int_equal(outcome_of_long("", CHAINSI_MAX_METHOD + 1, " / HTTP/1.1\r\n" HOST "\r\n"),
                     501);
    /* the request line */
    size_t others = strlen("GET / HTTP/1.1");
    assert_int_equal(
        outcome_of_long("GET /", CHAINSI_MAX_START_LINE - others, " HTTP/1.1\r\n" HOST "\r\n"), 0);
    assert_int_equal(
        outcome_of_long("GET /", CHAINSI_MAX_START_LINE - others + 1, " HTTP/1.1\r\n" HOST "\r\n"),
        414);
    /* the head */
    others = strlen("GET / HTTP/1.1\r\n" HOST "X: \r\n\r\n");
    assert_int_equal(
        outcome_of_long("GET / HTTP/1.1\r\n" HOST "X: ", CHAINSI_MAX_HEAD - others, "\r\n\r\n"), 0);
    assert_int_equal(
        outcome_of_long("GET / HTTP/1.1\r\n" HOST "X: ", CHAINSI_MAX_HEAD - others + 1, "\r\n\r\n"),
        431);
    /* the number of headers, Host among them */
    for (int count = CHAINSI_MAX_HEADERS; count <= CHAINSI_MAX_HEADERS + 1; count++) {
        char text[8192];
        int size = snprintf(text, sizeof text, "GET / HTTP/1.1\r\n" HOST);
        for (int i = 1; i < count; i++)
            size += snprintf(text + size, sizeof text - (size_t)size, "X%d: y\r\n", i);
        size += snprintf(text + size, sizeof text - (size_t)size, "\r\n");
        assert_int_equal(outcome(text, (size_t)size), count == CHAINSI_MAX_HEADERS ? 0 : 431);
    }
    /* A line or a head that does not end is refused without waiting for its end. */
    static char endless[CHAINSI_MAX_HEAD + 1];
    memset(endless, 'x', sizeof endless);
    assert_int_equal(outcome(endless, CHAINSI_MAX_START_LINE + 2), 414);
    memcpy(endless, "GET / HTTP/1.1\r\n", 16);
    assert_int_equal(outcome(endless, CHAINSI_MAX_HEAD), 431);
}

/* ------------------------------------------------------------------------------------------------
 * responses */

static const struct {
    const char *text;
    int status; /* 0: refused, -1: more */
} response_cases[] = {
    { "HTTP/1.1 200 OK\r\n\r\n", 200 },
    { "HTTP/1.0 404 \r\n\r\n", 404 },
    { "HTTP/1.1 599\r\n\r\n", 599 },
    { "HTTP/1.1 100 Continue\r\n\r\n", 100 },
    { "HTTP/1.1 200 \xc3\xa9\r\nX: y\r\n\r\n", 200 },
    { "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", 200 },
    { "HTTP/1.1 200 OK\r\n", -1 },
    { "H", -1 },
    { "HTTP/1.1 200 OK\n\n", 0 },
    { "HTTP/2 200 OK\r\n\r\n", 0 },
    { "HTTP/1.2 200 OK\r\n\r\n", 0 },
    { "HTTP/1.1 20 OK\r\n\r\n", 0 },
    { "HTTP/1.1 2000 OK\r\n\r\n", 0 },
    { "HTTP/1.1 099 OK\r\n\r\n", 0 },
    { "HTTP/1.1 600 OK\r\n\r\n", 0 },
    { "HTTP/1.1  200 OK\r\n\r\n", 0 },
    { "HTTP/1.1\r\n\r\n", 0 },
    { "HTTP/1.1 2x0 OK\r\n\r\n", 0 },
    { "HTTP/1.1 200 O\x01K\r\n\r\n", 0 },
    { "GET / HTTP/1.1\r\n\r\n", 0 },
    { "HTTP/1.1 200 OK\r\nX : y\r\n\r\n", 0 },
    { "HTTP/1.1 200 OK\r\n X: y\r\n\r\n", 0 },
    { "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 0 },
    { "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 0 },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", 0 },
    { "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 0 },
    { "\r\nHTTP/1.1 200 OK\r\n\r\n", 0 },
};

static void test_responses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof response_cases / sizeof response_cases[0]; i++) {
        const char *text = response_cases[i].text;
        for (size_t p = 0; p < PIECES; p++) {
            chainsi_http_response response = { .status = -5 };
            chainsi_http_refusal refusal = { 0 };
            char *kept = NULL;
            ptrdiff_t got =
                feed(false, text, strlen(text), pieces[p], NULL, &response, &kept, &refusal);
            free(kept);
            int expected = response_cases[i].status;
            if (expected == 0    ? got != CHAINSI_HTTP_REFUSED || !refusal.reason
                : expected == -1 ? got != CHAINSI_HTTP_MORE
                                 : got != (ptrdiff_t)strlen(text) || response.status != expected)
                fail_msg("case %zu in pieces of %zu: %s: got %td, expected %d", i, pieces[p], text,
                         got, expected);
        }
    }
}

static void test_reasons(void **state)
{
    (void)state;
    assert_string_equal(chainsi_http_reason(200), "OK");
    assert_string_equal(chainsi_http_reason(431), "Request Header Fields Too Large");
    assert_string_equal(chainsi_http_reason(499), "Client Closed Request");
    assert_string_equal(chainsi_http_reason(299), "Unknown");
}

/* ------------------------------------------------------------------------------------------------
 * chunked bodies */

/* Decodes text in pieces of `piece` bytes. The body is put together in `body`; the result is what the
 * last call said, *used the bytes it took in all. */
static chainsi_http_progress dechunk(const char *text, size_t size, size_t piece, uint64_t max_body,
                                     char *body, size_t *body_size, size_t *used, int *status)
{
    chainsi_http_chunked chunked = { .max_body = max_body };
    chainsi_http_progress progress = CHAINSI_HTTP_BODY_MORE;
    *body_size = *used = 0;
    for (size_t at = 0; at < size && progress == CHAINSI_HTTP_BODY_MORE; at += piece) {
        size_t part = size - at < piece ? size - at : piece;
        char *data = malloc(part);
        assert_non_null(data);
        memcpy(data, text + at, part);
        size_t decoded, consumed;
        chainsi_http_refusal refusal = { 0 };
        progress = chainsi_http_decode_chunked(&chunked, data, part, &decoded, &consumed, &refusal);
        memcpy(body + *body_size, data, decoded);
        *body_size += decoded;
        *used += consumed;
        *status = refusal.status;
        free(data);
    }
    return progress;
}

static const struct {
    const char *text, *body; /* NULL: not complete */
    int status;              /* of a refusal */
} chunked_cases[] = {
    { "0\r\n\r\n", "", 0 },
    { "5\r\nhello\r\n0\r\n\r\n", "hello", 0 },
    { "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world", 0 },
    { "00000A\r\n0123456789\r\n000\r\n\r\n", "0123456789", 0 },
    { "a\r\n0123456789\r\n0\r\n\r\n", "0123456789", 0 },
    { "2;x=y;z=\"q\"\r\n\r\n\r\n0;\r\n\r\n", "\r\n", 0 },
    { "1\r\nx\r\n0\r\nTrailer: v\r\nOther:\r\n\r\n", "x", 0 },
    { "", NULL, 0 },
    { "5", NULL, 0 },
    { "5\r\nhel", NULL, 0 },
    { "5\r\nhello\r\n0\r\n", NULL, 0 },
    { "5\r\nhello\r\n0\r\n\r", NULL, 0 },
    { "\r\n", NULL, 400 },
    { "x\r\n", NULL, 400 },
    { "-1\r\n", NULL, 400 },
    { "0x1\r\n", NULL, 400 },
    { " 1\r\nx\r\n", NULL, 400 },
    { "1 \r\nx\r\n", NULL, 400 },
    { ";x\r\n", NULL, 400 },
    { "1\nx\r\n", NULL, 400 },
    { "1\r\nx\n", NULL, 400 },
    { "1\r\nxy\r\n", NULL, 400 },
    { "1\r\nx\rx", NULL, 400 },
    { "1\rx", NULL, 400 },
    { "1;a\x01\r\n", NULL, 400 },
    { "1;a\n", NULL, 400 },
    { "0\r\n\n", NULL, 400 },
    { "0\r\n\rx", NULL, 400 },
    { "0\r\n folded\r\n\r\n", NULL, 400 },
    { "0\r\nX : y\r\n\r\n", NULL, 400 },
    { "0\r\nX\r\n\r\n", NULL, 400 },
    { "0\r\nX: y\n\r\n", NULL, 400 },
    { "0\r\nX: \x02\r\n\r\n", NULL, 400 },
    { "0000000000000001\r\nx\r\n", NULL, 400 },
    { "fffffffffffffff\r\n", NULL, 413 },
    { "3e9\r\n", NULL, 413 },
    { "3e8\r\n", NULL, 0 },
};

static void test_chunked(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof chunked_cases / sizeof chunked_cases[0]; i++) {
        const char *text = chunked_cases[i].text;
        for (size_t p = 0; p < PIECES; p++) {
            char body[256];
            size_t size, used;
            int status = 0;
            chainsi_http_progress progress =
                dechunk(text, strlen(text), pieces[p], 1000, body, &size, &used, &status);
            chainsi_http_progress expected = chunked_cases[i].body     ? CHAINSI_HTTP_BODY_DONE
                                             : chunked_cases[i].status ? CHAINSI_HTTP_BODY_REFUSED
                                                                       : CHAINSI_HTTP_BODY_MORE;
            if (progress != expected || status != chunked_cases[i].status)
                fail_msg("case %zu in pieces of %zu: %s: got %d, status %d", i, pieces[p], text,
                         progress, status);
            if (progress == CHAINSI_HTTP_BODY_DONE) {
                assert_int_equal(used, strlen(text));
                assert_int_equal(size, strlen(chunked_cases[i].body));
                assert_memory_equal(body, chunked_cases[i].body, size);
            }
        }
    }
}

static void test_chunked_leaves_the_rest(void **state)
{
    (void)state;
    char text[] = "3\r\nabc\r\n0\r\n\r\nGET /next";
    chainsi_http_chunked chunked = { .max_body = 3 };
    chainsi_http_refusal refusal;
    size_t decoded, consumed;
    assert_int_equal(
        chainsi_http_decode_chunked(&chunked, text, strlen(text), &decoded, &consumed, &refusal),
        CHAINSI_HTTP_BODY_DONE);
    assert_int_equal(decoded, 3);
    assert_memory_equal(text, "abc", 3);
    assert_string_equal(text + consumed, "GET /next");
}

/* head, `count` times 'x', tail */
static int chunked_outcome(const char *head, size_t count, const char *tail)
{
    size_t size = strlen(head) + count + strlen(tail);
    char *text = malloc(size + 1), *body = malloc(size + 1);
    assert_non_null(text);
    assert_non_null(body);
    memcpy(text, head, strlen(head));
    memset(text + strlen(head), 'x', count);
    memcpy(text + strlen(head) + count, tail, strlen(tail) + 1);
    size_t body_size, used;
    int status = 0;
    chainsi_http_progress progress =
        dechunk(text, size, 100, 1000, body, &body_size, &used, &status);
    assert_int_not_equal(progress, CHAINSI_HTTP_BODY_MORE);
    free(text);
    free(body);
    return status;
}

static void test_chunked_limits(void **state)
{
    (void)state;
    const char *end = "\r\n0\r\n\r\n";
    assert_int_equal(chunked_outcome("3e8\r\n", 1000, end), 0);
    assert_int_equal(chunked_outcome("3e9\r\n", 1001, end), 413);
    /* the sum counts */
    assert_int_equal(chunked_outcome("1\r\ny\r\n3e7\r\n", 999, end), 0);
    assert_int_equal(chunked_outcome("1\r\ny\r\n3e8\r\n", 1000, end), 413);
    /* extensions, counted from their semicolons, of all chunks together */
    assert_int_equal(chunked_outcome("1;\r\ny\r\n0;", CHAINSI_MAX_CHUNK_EXTENSIONS - 2, "\r\n\r\n"),
                     0);
    assert_int_equal(chunked_outcome("1;\r\ny\r\n0;", CHAINSI_MAX_CHUNK_EXTENSIONS - 1, "\r\n\r\n"),
                     400);
    /* trailers: all bytes but the last, empty line */
    size_t others = strlen("X:\r\n");
    assert_int_equal(chunked_outcome("0\r\nX:", CHAINSI_MAX_TRAILERS - others, "\r\n\r\n"), 0);
    assert_int_equal(chunked_outcome("0\r\nX:", CHAINSI_MAX_TRAILERS - others + 1, "\r\n\r\n"),
                     431);
}

/* A request whose head moves reads as before, without the bytes where it was. */
static void test_moving(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "POST /run_remote?x=1 HTTP/1.1\r\nHost: localhost\r\nEmpty:\r\nA: b\r\n\r\n",
        "GET http://h HTTP/1.1\r\nHost: h\r\n\r\n", /* its path is a constant */
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t size = strlen(texts[i]);
        char *first = malloc(size), *second = malloc(size);
        assert_true(first && second);
        memcpy(first, texts[i], size);
        memcpy(second, texts[i], size);
        chainsi_http_scan scan = { 0 };
        chainsi_http_request request;
        chainsi_http_refusal refusal;
        assert_int_equal(chainsi_http_parse_request(first, size, &scan, &request, &refusal), size);
        chainsi_http_move_request(&request, first, size, second);
        free(first);
        assert_true(chainsi_slice_is(request.method_name, i ? "GET" : "POST"));
        assert_true(chainsi_slice_is(request.path, i ? "/" : "/run_remote"));
        assert_true(chainsi_slice_is(request.query, i ? "" : "x=1"));
        assert_true(
            chainsi_slice_is(*chainsi_http_find(&request.head, "Host"), i ? "h" : "localhost"));
        assert_true(i || chainsi_slice_is(*chainsi_http_find(&request.head, "A"), "b"));
        free(second);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),       cmocka_unit_test(test_request_parts),
        cmocka_unit_test(test_moving),         cmocka_unit_test(test_targets),
        cmocka_unit_test(test_keep_alive),     cmocka_unit_test(test_limits),
        cmocka_unit_test(test_responses),      cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_chunked),        cmocka_unit_test(test_chunked_leaves_the_rest),
        cmocka_unit_test(test_chunked_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
