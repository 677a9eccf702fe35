/* Viewers over real sockets, on a clock of the test's own: what they get when, and who reads slowly. */
#include "front_test_support.h"

#include "control/live.h"

enum { LARGE_TEXT = 8 * 1024 * 1024, SPACE = 4 * LARGE_TEXT }; /* more than the kernel holds */

/* What there is to tell. */
static struct tale {
    int number;       /* of the text of "a", that is "b" for all but "a" */
    bool large;       /* it is */
    int64_t happened; /* newest number */
    int written;      /* times that a topic was */
} tale;

static chainsi_live *live;
static chainsi_live_wish wish;
static bool refused;

static void write_topic(void *user, const chainsi_topic *topic, chainsi_buffer *out)
{
    (void)user;
    tale.written++;
    if (!strcmp(topic->event, "none"))
        return;
    chainsi_buffer_printf(out, "{\"%s\":%d}", topic->chain ? topic->chain : topic->event,
                          tale.number);
    for (size_t i = 0; tale.large && i < LARGE_TEXT; i++)
        chainsi_buffer_add_byte(out, ' ');
}

static int64_t write_happened(void *user, const char *chain, int64_t after, chainsi_buffer *out)
{
    (void)user;
    (void)chain;
    for (int64_t i = after + 1; i <= tale.happened; i++) {
        char text[32];
        int size = snprintf(text, sizeof text, "%lld", (long long)i);
        chainsi_live_add_event(out, "happened", text, (size_t)size);
    }
    return tale.happened;
}

static void on_request(void *user, chainsi_exchange *exchange)
{
    (void)user;
    refused = !chainsi_live_begin(live, exchange, &wish);
    if (refused)
        chainsi_exchange_fail(exchange, CHAINS_RESOURCE_EXHAUSTED, "no more");
}

static void open_live(door *it, size_t max_connections)
{
    open_door(it, &(chainsi_front_options){ .max_connections = max_connections,
                                            .max_connections_of_one = max_connections });
    tale = (struct tale){ .number = 1 };
    wish = (chainsi_live_wish){ .topics = { { .event = "a" } }, .topic_count = 1 };
    live = chainsi_live_new(&(chainsi_live_options){
        .loop = &it->loop, .write = write_topic, .write_happened = write_happened });
}

static void close_live(door *it)
{
    chainsi_live_stop(live);
    assert_int_equal(chainsi_live_count(live), 0);
    chainsi_live_free(live);
    close_door(it);
}

static int view(door *it)
{
    int fd = enter(it);
    say_text(it, fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    return fd;
}

static char space[SPACE];

/* Whether just these events have come, in this order. */
static void expect(door *it, int fd, const char *events)
{
    const char *text = hear(it, fd, space, sizeof space);
    char found[1024] = "";
    for (const char *at = text; at && (at = strstr(at, "data: ")); at++) {
        size_t size = strcspn(at + 6, " \n"), used = strlen(found);
        snprintf(found + used, sizeof found - used, "%s%.*s", used ? " " : "", (int)size, at + 6);
    }
    assert_non_null(text);
    assert_string_equal(found, events);
}

/* Adds what comes to what was heard before, `used` bytes of space. Returns how much it is then. */
static size_t hear_more(door *it, int fd, size_t used)
{
    for (size_t more = 1; more; used += more) {
        assert_true(used < sizeof space - 1);
        more = strlen(hear(it, fd, space + used, sizeof space - used));
    }
    return used;
}

static void test_all_at_once_and_then_what_changed(void **state)
{
    (void)state;
    door it;
    open_live(&it, 10);
    wish.topics[1] = (chainsi_topic){ .event = "none" };
    wish.topics[2] = (chainsi_topic){ .event = "b", .chain = "c", .environment = "e" };
    wish.topic_count = 3;
    wish.happened = true;
    int fd = view(&it);
    expect(&it, fd, "{\"a\":1} {\"c\":1}");
    assert_non_null(strstr(space, "Content-Type: text/event-stream\r\n"));
    assert_non_null(strstr(space, "event: b\ndata: "));
    skip_ms(&it, CHAINSI_LIVE_TICK_MS);
    expect(&it, fd, "");
    tale.number = 2;
    expect(&it, fd, "");
    tale.happened = 2;
    skip_ms(&it, CHAINSI_LIVE_TICK_MS);
    expect(&it, fd, "{\"a\":2} {\"c\":2} 1 2");
    tale.happened = 3;
    skip_ms(&it, CHAINSI_LIVE_TICK_MS);
    expect(&it, fd, "3");
    /* Nothing to say: now and then that the line is open. */
    for (int i = 0; i < CHAINSI_LIVE_COMMENT_TICKS - 1; i++) {
        skip_ms(&it, CHAINSI_LIVE_TICK_MS);
        assert_true(is_quiet(&it, fd));
    }
    skip_ms(&it, CHAINSI_LIVE_TICK_MS);
    assert_non_null(strstr(hear(&it, fd, space, sizeof space), "\r\n:\n\n"));
    close(fd);
    settle(&it);
    assert_int_equal(chainsi_live_count(live), 0);
    close_live(&it);
}

static void test_many_share_what_is_written(void **state)
{
    (void)state;
    enum { VIEWERS = 20 };
    door it;
    int fds[VIEWERS];
    open_live(&it, VIEWERS);
    for (int i = 0; i < VIEWERS; i++) {
        fds[i] = view(&it);
        expect(&it, fds[i], "{\"a\":1}");
    }
    tale.written = 0;
    tale.number = 2;
    skip_ms(&it, CHAINSI_LIVE_TICK_MS);
    assert_int_equal(tale.written, 1);
    for (int i = 0; i < VIEWERS; i++) {
        expect(&it, fds[i], "{\"a\":2}");
        close(fds[i]);
    }
    settle(&it);
    assert_int_equal(chainsi_live_count(live), 0);
    /* Nobody looks: nothing is written. */
    tale.written = 0;
    skip_ms(&it, 10 * CHAINSI_LIVE_TICK_MS);
    assert_int_equal(tale.written, 0);
    close_live(&it);
}

static void test_a_slow_one_gets_the_newest(void **state)
{
    (void)state;
    door it;
    open_live(&it, 10);
    wish.happened = true;
    int slow = view(&it);
    expect(&it, slow, "{\"a\":1}");
    int quick = view(&it);
    expect(&it, quick, "{\"a\":1}");
    tale.large = true;
    for (int i = 2; i < 12; i++) {
        tale.number = i;
        tale.happened = i;
        skip_ms(&it, CHAINSI_LIVE_TICK_MS);
        while (*hear(&it, quick, space, sizeof space))
            ;
    }
    /* What was on its way for a start, then the newest, and none between; of what happened, all. */
    size_t used = hear_more(&it, slow, 0);
    skip_ms(&it, CHAINSI_LIVE_TICK_MS);
    used = hear_more(&it, slow, used);
    int texts = 0;
    for (const char *at = space; (at = memmem(at, used - (size_t)(at - space), "{\"a\":", 5)); at++)
        texts++;
    assert_in_range(texts, 2, 3);
    assert_non_null(memmem(space, used, "{\"a\":11}", 8));
    assert_non_null(memmem(space, used, "event: happened\ndata: 11\n", 25));
    assert_non_null(memmem(space, used, "event: happened\ndata: 5\n", 24));
    assert_true(used < SPACE - 1);
    close(slow);
    close(quick);
    close_live(&it);
}

static void test_as_many_as_may(void **state)
{
    (void)state;
    door it;
    int fds[CHAINSI_LIVE_VIEWERS + 1];
    open_live(&it, CHAINSI_LIVE_VIEWERS + 1);
    for (int i = 0; i <= CHAINSI_LIVE_VIEWERS; i++) {
        assert_false(refused);
        fds[i] = view(&it);
    }
    assert_true(refused);
    assert_int_equal(chainsi_live_count(live), CHAINSI_LIVE_VIEWERS);
    refused = false;
    /* The end of the daemon is the end of all answers. */
    chainsi_live_stop(live);
    settle(&it);
    for (int i = 0; i <= CHAINSI_LIVE_VIEWERS; i++) {
        if (i < CHAINSI_LIVE_VIEWERS)
            assert_non_null(strstr(hear(&it, fds[i], space, sizeof space), "\r\n0\r\n\r\n"));
        close(fds[i]);
    }
    int late = view(&it);
    assert_true(refused);
    refused = false;
    close(late);
    close_live(&it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_at_once_and_then_what_changed),
        cmocka_unit_test(test_many_share_what_is_written),
        cmocka_unit_test(test_a_slow_one_gets_the_newest),
        cmocka_unit_test(test_as_many_as_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
