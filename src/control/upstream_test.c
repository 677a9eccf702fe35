/* Calls over kept connections to a service that closes them whenever it is busy: one that is closed while
 * the next call is sent on it has certainly not started that call. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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
        .recall_idle = true,
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

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(knows_what_was_not_started) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
