/* Calls over kept connections to a service that closes them whenever it is busy: one that is closed while
 * the next call is sent on it has certainly not started that call. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/home.h"
#include "control/upstream.h"
#include "rpc/address.h"
#include "rpc/server.h"

enum { IN_FLIGHT = 8, CALLS = 4000 };
static const char head[] = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n";

typedef struct caller {
    struct load *load;
    bool again; /* it wasn't started */
} caller;

typedef struct load {
    chainsi_upstream *upstream;
    caller callers[IN_FLIGHT];
    int begun, answered, not_started, lost;
} load;

static void call_next(caller *it);

static void on_head(void *user, const chainsi_http_response *response)
{
    (void)user;
    assert_int_equal(response->status, 200);
}

static void on_body(void *user, const char *data, size_t size)
{
    (void)user;
    (void)data;
    (void)size;
}

static void on_end(void *user, chainsi_upstream_end end, const char *why)
{
    caller *it = user;
    (void)why;
    it->again = end == CHAINSI_UPSTREAM_NOT_STARTED;
    it->load->answered += end == CHAINSI_UPSTREAM_ANSWERED;
    it->load->not_started += it->again;
    it->load->lost += end != CHAINSI_UPSTREAM_ANSWERED && !it->again;
    call_next(it);
}

static void call_next(caller *it)
{
    static const chainsi_upstream_events events = { on_head, on_body, on_end };
    load *l = it->load;
    if (!it->again && l->begun == CALLS)
        return;
    l->begun += !it->again;
    chainsi_upstream_start(l->upstream, head, sizeof head - 1, "{}", 2, it->again, &events, it);
}

static void answer(void *user, chainsi_server_request *request, chainsi_server_response *response)
{
    (void)user;
    (void)request;
    chainsi_buffer_add_text(response->body, "{}");
}

static void knows_what_was_not_started(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    char folder[] = "/tmp/chains-upstream-XXXXXX", why[256];
    assert_non_null(mkdtemp(folder));
    char *path = chainsi_path("%s/calls", folder);
    chainsi_address address = { .kind = CHAINSI_ADDRESS_UNIX, .path = path };
    chainsi_server_options options = {
        .listen_fd = chainsi_address_listen(&address, CHAINSI_BACKLOG, why, sizeof why),
        .slots = 1,
        .handler = answer,
        .shared = true,
        .frames = true,
    };
    chainsi_server *server = chainsi_server_start(&options, why, sizeof why);
    assert_non_null(server);
    uv_loop_t loop;
    uv_loop_init(&loop);
    load l = { .upstream = chainsi_upstream_new(&loop, path) };
    for (size_t i = 0; i < IN_FLIGHT; i++) {
        l.callers[i].load = &l;
        call_next(&l.callers[i]);
    }
    while (l.answered + l.lost < CALLS)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(l.lost, 0);
    assert_int_equal(l.answered, CALLS);
    chainsi_upstream_free(l.upstream);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    chainsi_server_counters counters;
    chainsi_server_read_counters(server, &counters);
    assert_int_equal(counters.requests, CALLS); /* each of them ran once */
    chainsi_server_free(server);
    close(options.listen_fd);
    free(path);
    assert_true(chainsi_remove_tree(folder));
}

/* A service whose process ends while calls run. */
typedef struct ending {
    uv_loop_t loop;
    char folder[32], *path;
    int listen_fd;
    chainsi_upstream *upstream;
    int ends;
    chainsi_upstream_end end;
    char why[256];
} ending;

static int open_ending(void **state)
{
    ending *it = calloc(1, sizeof *it);
    char why[256];
    strcpy(it->folder, "/tmp/chains-upstream-XXXXXX");
    it->path = chainsi_path("%s/calls", mkdtemp(it->folder));
    chainsi_address address = { .kind = CHAINSI_ADDRESS_UNIX, .path = it->path };
    it->listen_fd = chainsi_address_listen(&address, CHAINSI_BACKLOG, why, sizeof why);
    uv_loop_init(&it->loop);
    it->upstream = chainsi_upstream_new(&it->loop, it->path);
    *state = it;
    return it->listen_fd < 0;
}

static int close_ending(void **state)
{
    ending *it = *state;
    chainsi_upstream_free(it->upstream);
    uv_run(&it->loop, UV_RUN_DEFAULT);
    bool clean = uv_loop_close(&it->loop) == 0;
    close(it->listen_fd);
    clean = chainsi_remove_tree(it->folder) && clean;
    free(it->path);
    free(it);
    return clean ? 0 : -1;
}

static void ignore_head(void *user, const chainsi_http_response *response)
{
    (void)user;
    (void)response;
}

static void ignore_body(void *user, const char *data, size_t size)
{
    (void)user;
    (void)data;
    (void)size;
}

static void note_end(void *user, chainsi_upstream_end end, const char *why)
{
    ending *it = user;
    it->ends++;
    it->end = end;
    snprintf(it->why, sizeof it->why, "%s", why);
}

/* A call that is read and not answered. */
static chainsi_upstream_call *lose(ending *it)
{
    static const chainsi_upstream_events events = { ignore_head, ignore_body, note_end };
    char data[4096];
    chainsi_upstream_call *call =
        chainsi_upstream_start(it->upstream, head, sizeof head - 1, "{}", 2, true, &events, it);
    int fd = accept(it->listen_fd, NULL, NULL);
    assert_true(fd >= 0);
    assert_true(read(fd, data, sizeof data) > 0);
    close(fd);
    uv_run(&it->loop, UV_RUN_NOWAIT);
    return call;
}

static void knows_what_was_not_read(void **state)
{
    static const chainsi_upstream_events events = { ignore_head, ignore_body, note_end };
    ending *it = *state;
    char data[sizeof head + 1];
    chainsi_upstream_call *call =
        chainsi_upstream_start(it->upstream, head, sizeof head - 1, "{}", 2, true, &events, it);
    assert_true(chainsi_upstream_is_unread(call)); /* it waits in the queue */
    int fd = accept(it->listen_fd, NULL, NULL);
    assert_true(fd >= 0);
    assert_true(chainsi_upstream_is_unread(call));
    assert_int_equal(read(fd, data, sizeof data), sizeof head + 1);
    assert_false(chainsi_upstream_is_unread(call));
    chainsi_upstream_cancel(call);
    close(fd);
}

static void what_is_lost_ends_at_once_where_nobody_tells_why(void **state)
{
    ending *it = *state;
    lose(it);
    assert_int_equal(it->ends, 1);
    assert_int_equal(it->end, CHAINSI_UPSTREAM_LOST);
}

static void what_is_lost_waits_for_its_reason(void **state)
{
    ending *it = *state;
    chainsi_upstream_promise_losses(it->upstream);
    lose(it);
    lose(it);
    assert_int_equal(it->ends, 0);
    chainsi_upstream_note_loss(it->upstream, CHAINSI_LOSS_MEMORY);
    assert_int_equal(it->ends, 2);
    assert_int_equal(it->end, CHAINSI_UPSTREAM_EXHAUSTED);
    assert_non_null(strstr(it->why, "memory limit"));
    /* It may have been told before the connection was seen to break. */
    lose(it);
    assert_int_equal(it->ends, 3);
    assert_int_equal(it->end, CHAINSI_UPSTREAM_EXHAUSTED);
}

static void what_is_lost_for_another_reason_is_just_lost(void **state)
{
    ending *it = *state;
    chainsi_upstream_promise_losses(it->upstream);
    lose(it);
    chainsi_upstream_note_loss(it->upstream, CHAINSI_LOSS_OTHER);
    assert_int_equal(it->ends, 1);
    assert_int_equal(it->end, CHAINSI_UPSTREAM_LOST);
    assert_string_equal(it->why, "the process ended while the call ran");
}

static void a_signal_that_ended_it_is_named(void **state)
{
    ending *it = *state;
    chainsi_upstream_promise_losses(it->upstream);
    lose(it);
    chainsi_upstream_note_loss(it->upstream, chainsi_loss_of(SIGSEGV));
    assert_int_equal(it->ends, 1);
    assert_int_equal(it->end, CHAINSI_UPSTREAM_LOST);
    assert_string_equal(it->why, "the process ended while the call ran: it was ended by signal 11 "
                                 "(SIGSEGV)");
}

static void what_outlives_its_drain_is_lost_for_that(void **state)
{
    ending *it = *state;
    chainsi_upstream_promise_losses(it->upstream);
    lose(it);
    chainsi_upstream_note_loss(it->upstream, CHAINSI_LOSS_DRAINED);
    assert_int_equal(it->ends, 1);
    assert_int_equal(it->end, CHAINSI_UPSTREAM_LOST);
    assert_string_equal(it->why, "the process ended while the call ran: it had been told to end, "
                                 "and waits .drain_timeout_s for calls");
}

static void nobody_waits_for_good(void **state)
{
    ending *it = *state;
    chainsi_upstream_promise_losses(it->upstream);
    lose(it);
    assert_int_equal(it->ends, 0);
    uv_run(&it->loop, UV_RUN_DEFAULT);
    assert_int_equal(it->ends, 1);
    assert_int_equal(it->end, CHAINSI_UPSTREAM_LOST);
}

static void a_call_may_be_cancelled_while_it_waits(void **state)
{
    ending *it = *state;
    chainsi_upstream_promise_losses(it->upstream);
    lose(it);
    chainsi_upstream_cancel(lose(it));
    lose(it);
    chainsi_upstream_free(it->upstream); /* those that wait go on */
    it->upstream = NULL;
    uv_run(&it->loop, UV_RUN_DEFAULT);
    assert_int_equal(it->ends, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_what_was_not_started),
        cmocka_unit_test_setup_teardown(knows_what_was_not_read, open_ending, close_ending),
        cmocka_unit_test_setup_teardown(what_is_lost_ends_at_once_where_nobody_tells_why,
                                        open_ending, close_ending),
        cmocka_unit_test_setup_teardown(what_is_lost_waits_for_its_reason, open_ending,
                                        close_ending),
        cmocka_unit_test_setup_teardown(what_is_lost_for_another_reason_is_just_lost, open_ending,
                                        close_ending),
        cmocka_unit_test_setup_teardown(a_signal_that_ended_it_is_named, open_ending, close_ending),
        cmocka_unit_test_setup_teardown(what_outlives_its_drain_is_lost_for_that, open_ending,
                                        close_ending),
        cmocka_unit_test_setup_teardown(nobody_waits_for_good, open_ending, close_ending),
        cmocka_unit_test_setup_teardown(a_call_may_be_cancelled_while_it_waits, open_ending,
                                        close_ending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
