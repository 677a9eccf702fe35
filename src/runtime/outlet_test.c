/* The answers of a method with a stream, as clients see them. */
#include <sys/socket.h>

#include "runtime/stream_test_support.h"

static int dial(fixture *made)
{
    chainsi_address address;
    char why[256];
    assert_true(chainsi_address_parse(made->address, &address, why, sizeof why));
    int fd = chainsi_address_connect(&address, CHAINSI_NEVER, NULL, why, sizeof why);
    chainsi_address_done(&address);
    assert_true(fd >= 0);
    return fd;
}

static int ask(fixture *made, const char *version, const char *accept, const char *arguments)
{
    char text[1024];
    int size =
        snprintf(text, sizeof text,
                 "POST /run_remote HTTP/%s\r\nHost: x\r\nContent-Type: application/json\r\n"
                 "X-Request-Id: r\r\nConnection: close\r\n%s%s%sContent-Length: %zu\r\n\r\n%s",
                 version, accept ? "Accept: " : "", accept ? accept : "", accept ? "\r\n" : "",
                 strlen(arguments), arguments);
    int fd = dial(made);
    assert_int_equal(send(fd, text, (size_t)size, MSG_NOSIGNAL), size);
    return fd;
}

/* All that comes up to the end; free it. */
static char *read_all(int fd, size_t *size)
{
    chainsi_buffer all = { 0 };
    ssize_t got;
    while ((got = recv(fd, chainsi_buffer_reserve(&all, 65536), 65536, 0)) > 0)
        all.size += (size_t)got;
    close(fd);
    chainsi_buffer_add_byte(&all, 0);
    if (size)
        *size = all.size - 1;
    return (char *)all.data;
}

static void assert_answer(fixture *made, const char *accept, const char *arguments,
                          const char *status, const char *type, const char *expected)
{
    /* An HTTP/1.0 client gets the bytes without chunks between them. */
    char *answer = read_all(ask(made, "1.0", accept, arguments), NULL);
    char *body = strstr(answer, "\r\n\r\n");
    assert_non_null(body);
    *body = 0;
    assert_non_null(strstr(answer, status));
    assert_non_null(strstr(answer, type));
    assert_string_equal(body + 4, expected);
    free(answer);
}

static void each_form_has_items_and_the_result(void **state)
{
    assert_answer(*state, "text/event-stream", "{\"count\":2}", "200 OK",
                  "Content-Type: text/event-stream",
                  "event: item\ndata: {\"text\":\"word 0\",\"index\":0}\n\n"
                  "event: item\ndata: {\"text\":\"word 1\",\"index\":1}\n\n"
                  "event: result\ndata: {\"said\":2}\n\n");
    assert_answer(*state, "application/x-ndjson, */*;q=0.1", "{\"count\":2}", "200 OK",
                  "Content-Type: application/x-ndjson",
                  "{\"item\":{\"text\":\"word 0\",\"index\":0}}\n"
                  "{\"item\":{\"text\":\"word 1\",\"index\":1}}\n{\"result\":{\"said\":2}}\n");
    static const char *const plain[] = {
        NULL,
        "application/json",
        "*/*",
        "image/png",
        "text/event-stream;q=0",
        "text/event-stream;q=0.5, APPLICATION/JSON",
        "text/event-stream;q=0.1, */*;q=0.2",
        "application/msgpack;q=0.2, application/json;q=0.3",
    };
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        assert_answer(*state, plain[i], "{\"count\":2}", "200 OK", "Content-Type: application/json",
                      "{\"words\":[{\"text\":\"word 0\",\"index\":0},"
                      "{\"text\":\"word 1\",\"index\":1}],\"said\":2}");
    static const char *const events[] = { "TEXT/EVENT-STREAM", "text/*, application/json;q=0.9" };
    for (int i = 0; i < 2; i++)
        assert_answer(*state, events[i], "{\"count\":0}", "200 OK",
                      "Content-Type: text/event-stream", "event: result\ndata: {\"said\":0}\n\n");
    assert_answer(*state, "application/json", "{\"count\":0}", "200 OK",
                  "Content-Type: application/json", "{\"words\":[],\"said\":0}");
    assert_answer(*state, "text/event-stream", "{\"count\":0}", "200 OK",
                  "Content-Type: text/event-stream", "event: result\ndata: {\"said\":0}\n\n");
}

static void messagepack_goes_behind_lengths_or_gathered(void **state)
{
    size_t size;
    char *answer = read_all(
        ask(*state, "1.0", "application/x-chains-stream, application/msgpack", "{\"count\":1}"),
        &size);
    static const char frames[] = "\0\0\0\x1a\x81\xa4item\x82\xa4text\xa6word 0\xa5index\0"
                                 "\0\0\0\x0f\x81\xa6result\x81\xa4said\1";
    size_t expected = sizeof frames - 1;
    assert_non_null(strstr(answer, "Content-Type: application/x-chains-stream\r\n"));
    assert_memory_equal(answer + size - expected, frames, expected);
    assert_memory_equal(answer + size - expected - 4, "\r\n\r\n", 4);
    free(answer);

    answer = read_all(ask(*state, "1.0", "application/msgpack", "{\"count\":1}"), &size);
    static const char gathered[] = "\xde\0\2\xda\0\5words\xdd\0\0\0\1\x82\xa4text\xa6word 0"
                                   "\xa5index\0\xa4said\1";
    expected = sizeof gathered - 1;
    assert_non_null(strstr(answer, "Content-Type: application/msgpack\r\n"));
    assert_memory_equal(answer + size - expected, gathered, expected);
    free(answer);
}

static void chunks_and_a_kept_connection_for_newer_clients(void **state)
{
    fixture *made = *state;
    int fd = dial(made);
    static const char request[] =
        "POST /run_remote HTTP/1.1\r\nHost: x\r\nX-Request-Id: r\r\nContent-Length: 11\r\n"
        "Accept: application/x-ndjson\r\n\r\n{\"count\":1}";
    for (int i = 0; i < 2; i++) {
        assert_int_equal(send(fd, request, sizeof request - 1, MSG_NOSIGNAL), sizeof request - 1);
        chainsi_buffer all = { 0 };
        do {
            ssize_t got = recv(fd, chainsi_buffer_reserve(&all, 65536), 65536, 0);
            assert_true(got > 0);
            all.size += (size_t)got;
        } while (all.size < 5 || memcmp(all.data + all.size - 5, "0\r\n\r\n", 5));
        chainsi_buffer_add_byte(&all, 0);
        const char *body = strstr((char *)all.data, "\r\n\r\n");
        assert_non_null(strstr((char *)all.data, "Transfer-Encoding: chunked\r\n"));
        assert_string_equal(body, "\r\n\r\n25\r\n{\"item\":{\"text\":\"word 0\",\"index\":0}}\n\r\n"
                                  "16\r\n{\"result\":{\"said\":1}}\n\r\n0\r\n\r\n");
        chainsi_buffer_done(&all);
    }
    close(fd);
}

static void a_failure_before_the_first_item_is_an_ordinary_answer(void **state)
{
    static const char *const forms[] = { "text/event-stream", "application/x-ndjson",
                                         "application/json" };
    for (int i = 0; i < 3; i++) {
        char *answer = read_all(
            ask(*state, "1.0", forms[i], "{\"count\":2,\"fail_at\":0,\"fail_status\":5}"), NULL);
        assert_non_null(strstr(answer, " 404 Not Found\r\nContent-Type: application/json\r\n"));
        assert_non_null(strstr(answer, "\r\n\r\n{\"error\":{\"status\":\"NOT_FOUND\""));
        free(answer);
    }
}

static void a_failure_in_mid_stream_is_an_event(void **state)
{
    char *answer =
        read_all(ask(*state, "1.0", "text/event-stream", "{\"count\":2,\"fail_at\":1}"), NULL);
    assert_non_null(strstr(answer, "event: item\n"));
    assert_non_null(strstr(answer, "event: error\ndata: {\"status\":\"DATA_LOSS\",\"message\":"
                                   "\"failed at word 1\""));
    assert_null(strstr(answer, "event: result"));
    assert_string_equal(answer + strlen(answer) - 3, "}\n\n");
    free(answer);
    answer =
        read_all(ask(*state, "1.0", "application/x-ndjson", "{\"count\":2,\"fail_at\":1}"), NULL);
    assert_non_null(strstr(answer, "}}\n{\"error\":{\"status\":\"DATA_LOSS\",\"message\":"));
    assert_string_equal(answer + strlen(answer) - 3, "}}\n");
    free(answer);
    answer = read_all(ask(*state, "1.0", "application/json", "{\"count\":2,\"fail_at\":1}"), NULL);
    assert_non_null(strstr(answer, "500 Internal Server Error"));
    free(answer);
}

static void what_is_gathered_is_limited(void **state)
{
    /* Items of 1 MiB with some bytes around them: 63 fit into 64 MiB, 64 do not. */
    size_t size;
    char *answer =
        read_all(ask(*state, "1.0", "application/json", "{\"count\":63,\"size\":1048576}"), &size);
    assert_non_null(strstr(answer, "200 OK"));
    assert_true(size > 63u << 20);
    free(answer);
    answer =
        read_all(ask(*state, "1.0", "application/json", "{\"count\":64,\"size\":1048576}"), NULL);
    assert_non_null(strstr(answer, "429"));
    assert_non_null(strstr(answer, "RESOURCE_EXHAUSTED"));
    assert_non_null(strstr(answer, "accept text/event-stream"));
    free(answer);
}

static bool stands_still(void *user)
{
    int *seen = user;
    int now = atomic_load(&talker_emitted);
    if (now != *seen || !now) {
        *seen = now;
        usleep(30000);
        return false;
    }
    return true;
}

static void a_slow_reader_slows_the_method(void **state)
{
    int fd = ask(*state, "1.0", "application/x-ndjson", "{\"count\":2000,\"size\":65536}");
    int seen = 0;
    assert_true(comes_true(stands_still, &seen));
    assert_true(seen < 100); /* what the sockets hold, of 2000 */
    size_t size;
    char *answer = read_all(fd, &size);
    assert_true(size > 2000u * 65536);
    assert_non_null(strstr(answer + size - 40, "{\"result\":{\"said\":2000}}\n"));
    free(answer);
}

static bool has_been_refused(void *user)
{
    (void)user;
    return atomic_load(&talker_refused) > 0;
}

static void a_reader_that_leaves_cancels_the_method(void **state)
{
    int fd = ask(*state, "1.1", "text/event-stream", "{\"count\":1000000000}");
    char first[16];
    assert_true(recv(fd, first, sizeof first, 0) > 0);
    close(fd);
    assert_true(comes_true(has_been_refused, NULL));
    assert_int_equal(atomic_load(&talker_last_emit), CHAINS_CANCELLED);
    assert_true(atomic_load(&talker_was_cancelled));
}

static void wait_for_release(chains_ctx *ctx)
{
    while (!atomic_load(&worker_released) && !chains_cancelled(ctx))
        usleep(500);
}

static void items_leave_one_by_one_as_they_come(void **state)
{
    talker_pause = wait_for_release;
    int fd = ask(*state, "1.0", "application/x-ndjson", "{\"count\":2,\"pause_at\":1}");
    char text[4096];
    size_t size = 0;
    while (!size || text[size - 1] != '\n' || !memmem(text, size, "{\"item\"", 7)) {
        ssize_t got = recv(fd, text + size, sizeof text - size, 0);
        assert_true(got > 0);
        size += (size_t)got;
    }
    /* The method stands still, and its first item is here. */
    assert_null(memmem(text, size, "word 1", 6));
    atomic_store(&worker_released, true);
    char *rest = read_all(fd, NULL);
    assert_non_null(strstr(rest, "word 1"));
    free(rest);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, open_talker, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(each_form_has_items_and_the_result),
        WITH_FIXTURE(messagepack_goes_behind_lengths_or_gathered),
        WITH_FIXTURE(chunks_and_a_kept_connection_for_newer_clients),
        WITH_FIXTURE(a_failure_before_the_first_item_is_an_ordinary_answer),
        WITH_FIXTURE(a_failure_in_mid_stream_is_an_event),
        WITH_FIXTURE(what_is_gathered_is_limited),
        WITH_FIXTURE(a_slow_reader_slows_the_method),
        WITH_FIXTURE(a_reader_that_leaves_cancels_the_method),
        WITH_FIXTURE(items_leave_one_by_one_as_they_come),
    };
    fixture_at = DISTANCE_QUEUE;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
