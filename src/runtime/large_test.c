/* Large values between Chainlets of one machine: they arrive, nothing is copied, nobody sees later
 * writes, and what a hostile peer attaches is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rpc/address.h"
#include "rpc/link.h"
#include "runtime/answer.h"
#include "runtime/callee.h"
#include "runtime/error.h"
#include "runtime/gather.h"
#include "runtime/service.h"
#include "runtime/traffic.h"
#include "schema/msgpack.h"

enum { LARGE = CHAINSI_SHARE_LEAST, COPIED = CHAINSI_SHARE_LEAST_COPY, MAX_BODY = 4 * COPIED };

/* mirror: gives back what it is given. */
typedef struct mirror_values {
    chains_bytes data;
    const char *text; /* optional */
} mirror_values;

static const chainsi_field mirror_fields[] = {
    { CHAINSI_FIELD(mirror_values, data, &chainsi_type_bytes) },
    { CHAINSI_FIELD(mirror_values, text, &chainsi_type_string), .optional = true },
};
static const chainsi_type mirror_type = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(mirror_values),
    .fields = mirror_fields,
    .field_count = 2,
};
static chains_config mirror_config = { .concurrency = 4, .max_body = MAX_BODY };
static const chainsi_interface mirror_interface = {
    .name = "mirror",
    .c_name = "mirror",
    .file = "mirror.h",
    .line = 7,
    .fingerprint = 0x6d6972726f72,
    .input = &mirror_type,
    .output = &mirror_type,
    .config = &mirror_config,
};

static chainsi_interface streamed_interface; /* the mirror, with a stream that has no items */

static void *create(chains_ctx *ctx, void *const dependencies[])
{
    (void)ctx, (void)dependencies;
    return &mirror_config;
}

/* What the mirror does beside giving back. */
static enum { ONLY_MIRROR, WRITE_TO_INPUT, MAKE_ANEW, FAIL_ONCE, WAIT } mirror_mode;
static atomic_bool released; /* those that WAIT */
static atomic_int failures;

static chains_status run(void *self, chains_ctx *ctx, const void *input, void *output, void *stream)
{
    (void)self, (void)stream;
    const mirror_values *given = input;
    mirror_values *back = output;
    *back = *given;
    while (mirror_mode == WAIT && !atomic_load(&released))
        usleep(200);
    if (mirror_mode == FAIL_ONCE && atomic_fetch_add(&failures, 1) == 0)
        return chains_fail(ctx, CHAINS_UNAVAILABLE, "not yet");
    if (mirror_mode == WRITE_TO_INPUT)
        ((char *)(uintptr_t)given->data.data)[1] = 'W';
    if (mirror_mode == MAKE_ANEW) {
        back->data.data = memset(chains_alloc(ctx, LARGE), 'n', LARGE);
        back->data.size = LARGE;
    }
    return CHAINS_OK;
}

static void destroy(void *self)
{
    (void)self;
}

static const chainsi_implementation mirror_implementation = {
    .interface = &mirror_interface,
    .create = create,
    .run = run,
    .destroy = destroy,
};
static const chainsi_node mirror_node = { .implementation = &mirror_implementation };
static chainsi_implementation streamed_implementation;
static const chainsi_node streamed_node = { .implementation = &streamed_implementation };
static bool streamed; /* the place serves streamed_interface */

typedef struct place {
    char folder[64], address[128];
    int listen_fd;
    chainsi_service service;
    chains_ctx *ctx;
    chainsi_link *link; /* for messages made by hand */
    chains_depends_config options;
    chainsi_callee *callee;
} place;

static int open_place(void **state)
{
    place *it = calloc(1, sizeof *it);
    char why[256];
    mirror_mode = ONLY_MIRROR;
    atomic_store(&released, false);
    atomic_store(&failures, 0);
    chainsi_share_enable();
    strcpy(it->folder, "/tmp/chains-test-XXXXXX");
    assert_non_null(mkdtemp(it->folder));
    snprintf(it->address, sizeof it->address, "unix:%s/calls", it->folder);
    chainsi_address address;
    assert_true(chainsi_address_parse(it->address, &address, why, sizeof why));
    it->listen_fd = chainsi_address_listen(&address, 64, why, sizeof why);
    chainsi_address_done(&address);
    assert_true(it->listen_fd >= 0);
    it->ctx = chains_open(NULL);
    it->ctx->process->generated = true;
    streamed_interface = mirror_interface;
    streamed_interface.stream_name = "items";
    streamed_interface.stream_item = &chainsi_type_int32;
    streamed_implementation = mirror_implementation;
    streamed_implementation.interface = &streamed_interface;
    const chainsi_node *node = streamed ? &streamed_node : &mirror_node;
    const chainsi_interface *interface = node->implementation->interface;
    chainsi_service *service = &it->service;
    service->node = node;
    service->metrics = (chainsi_metrics)CHAINSI_METRICS;
    service->process = *it->ctx->process;
    chainsi_context_init_root(&service->ctx, &service->process);
    service->graph = chainsi_graph_new(&service->ctx);
    atomic_store(&service->instance, chainsi_graph_make(service->graph, node));
    chainsi_server_options options = {
        .listen_fd = it->listen_fd,
        .slots = 4,
        .max_body = MAX_BODY,
        .frames = true,
        .handler = chainsi_service_handle,
        .after = chainsi_service_after,
        .wake = chainsi_service_wake,
        .user = service,
    };
    chainsi_server *server = chainsi_server_start(&options, why, sizeof why);
    assert_non_null(server);
    atomic_store(&service->server, server);
    it->link = chainsi_link_new(it->address + strlen("unix:"), -1);
    it->callee = chainsi_callee_new(it->ctx, interface, &it->options, NULL,
                                    chainsi_remote_new(interface, it->address, why, sizeof why));
    *state = it;
    return 0;
}

static int open_streamed_place(void **state)
{
    streamed = true;
    int result = open_place(state);
    streamed = false;
    return result;
}

static int close_place(void **state)
{
    place *it = *state;
    atomic_store(&released, true);
    chainsi_gathers_end(it->ctx);
    chainsi_callee_done(it->callee);
    chainsi_link_free(it->link);
    chains_close(it->ctx);
    chainsi_server_free(atomic_load(&it->service.server));
    chainsi_graph_free(it->service.graph);
    chainsi_context_done(&it->service.ctx);
    chainsi_metrics_done(&it->service.metrics);
    close(it->listen_fd);
    unlink(it->address + strlen("unix:"));
    rmdir(it->folder);
    free(it);
    return chainsi_share_count() == 0 ? 0 : -1;
}

/* ------------------------------------------------------------------------------------------------
 * messages made by hand */

static int memfd_of(size_t size, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

/* Sends {"data": a reference to size bytes at 0 of the memfd}. Returns the answer's status; *message: of
 * the error. The memfd is closed. */
static chains_status send_reference(place *it, int fd, uint32_t size, const char **message)
{
    uint8_t body[] = { 0x81,
                       0xa4,
                       'd',
                       'a',
                       't',
                       'a',
                       0xd8,
                       0x43,
                       0,
                       0,
                       0,
                       0,
                       (uint8_t)(size >> 24),
                       (uint8_t)(size >> 16),
                       (uint8_t)(size >> 8),
                       (uint8_t)size,
                       0,
                       0,
                       0,
                       0,
                       0,
                       0,
                       0,
                       0 };
    chainsi_link_request request = {
        .interface = mirror_interface.fingerprint,
        .request_id = "",
        .body = body,
        .body_size = sizeof body,
        .attachments = &fd,
        .attachment_count = 1,
        .deadline_ns = CHAINSI_NEVER,
    };
    chainsi_link_answer answer;
    char why[256];
    assert_int_equal(
        chainsi_link_exchange(it->link, &request, it->ctx->arena, &answer, why, sizeof why),
        CHAINSI_EXCHANGE_ANSWERED);
    close(fd);
    while (answer.attachment_count)
        close(answer.attachments[--answer.attachment_count]);
    *message = NULL;
    chains_error error;
    if (answer.status) {
        assert_true(
            chainsi_error_decode(answer.body, answer.body_size, true, it->ctx->arena, &error));
        *message = error.message;
    }
    return (chains_status)answer.status;
}

static const int all_seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;

static void a_service_takes_sealed_memfds_only(void **state)
{
    place *it = *state;
    const char *message;
    assert_int_equal(send_reference(it, memfd_of(LARGE, all_seals), LARGE, &message), CHAINS_OK);
    static const int too_few[] = { 0, F_SEAL_SHRINK | F_SEAL_GROW, F_SEAL_WRITE | F_SEAL_GROW,
                                   F_SEAL_WRITE | F_SEAL_SHRINK };
    for (size_t i = 0; i < sizeof too_few / sizeof *too_few; i++) {
        assert_int_equal(send_reference(it, memfd_of(LARGE, too_few[i]), LARGE, &message),
                         CHAINS_INVALID_ARGUMENT);
        assert_string_equal(message, "a memfd that isn't sealed was attached");
    }
    assert_int_equal(send_reference(it, open("/dev/null", O_RDONLY | O_CLOEXEC), LARGE, &message),
                     CHAINS_INVALID_ARGUMENT);
    assert_string_equal(message, "a descriptor that is no memfd was attached");
    assert_int_equal(send_reference(it, memfd_of(LARGE - 1, all_seals), LARGE, &message),
                     CHAINS_INVALID_ARGUMENT);
    assert_non_null(strstr(message, "a reference beyond the end of its attachment"));
    assert_int_equal(send_reference(it, memfd_of(LARGE, all_seals), LARGE, &message), CHAINS_OK);
}

static void what_is_attached_counts_as_body(void **state)
{
    place *it = *state;
    const char *message;
    const uint32_t most = MAX_BODY - 24; /* the body itself has 24 bytes */
    assert_int_equal(send_reference(it, memfd_of(MAX_BODY, all_seals), most, &message), CHAINS_OK);
    assert_int_equal(send_reference(it, memfd_of(MAX_BODY, all_seals), most + 1, &message),
                     CHAINS_INVALID_ARGUMENT);
    assert_non_null(strstr(message, "more bytes than a message may have"));
}

/* ------------------------------------------------------------------------------------------------
 * calls */

static chains_status call(place *it, chains_ctx *ctx, const mirror_values *input,
                          mirror_values *back)
{
    return chainsi_call(it->callee, ctx, input, (void *[]){ &back->data, (void *)&back->text },
                        NULL);
}

static chains_bytes bytes_of(chains_ctx *ctx, char byte, size_t size)
{
    return (chains_bytes){ memset(chains_alloc(ctx, size), byte, size), size };
}

static void expect_bytes(chains_bytes bytes, char byte, size_t size)
{
    assert_int_equal(bytes.size, size);
    const char *data = bytes.data;
    for (size_t i = 0; i < size; i++)
        assert_int_equal(data[i], byte);
}

/* What was copied of values since the last time. */
static uint64_t copied_since(void)
{
    static uint64_t before;
    uint64_t now = chainsi_traffic_read().copied, since = now - before;
    before = now;
    return since;
}

/* What went through sockets, counted at both ends. */
static uint64_t sent_since(void)
{
    static uint64_t before;
    uint64_t now = chainsi_traffic_read().socket, since = now - before;
    before = now;
    return since;
}

/* The service, in this process, lets go of an answer only once it was sent. */
static void expect_blocks(size_t count)
{
    for (int i = 0; i < 5000 && chainsi_share_count() != count; i++)
        usleep(1000);
    assert_int_equal(chainsi_share_count(), count);
}

static void nothing_is_copied(void **state)
{
    place *it = *state;
    mirror_values back = { { 0 }, NULL };
    char *text = chains_alloc(it->ctx, LARGE + 1);
    memset(text, 't', LARGE);
    mirror_values input = { bytes_of(it->ctx, 'd', COPIED), text };
    copied_since();
    sent_since();
    for (int i = 0; i < 3; i++) {
        uint64_t shared = chainsi_traffic_read().shared;
        assert_int_equal(call(it, it->ctx, &input, &back), CHAINS_OK);
        expect_bytes(back.data, 'd', COPIED);
        assert_string_equal(back.text, text);
        assert_int_equal(copied_since(), 0);
        assert_true(sent_since() < 1000);
        /* There and back, counted at both ends. */
        assert_int_equal(chainsi_traffic_read().shared - shared, 4 * (uint64_t)(COPIED + LARGE));
    }
}

static void what_comes_back_lives_as_long_as_the_ctx(void **state)
{
    place *it = *state;
    chains_ctx *ctx = chains_open(NULL);
    mirror_values back = { { 0 }, NULL };
    mirror_mode = MAKE_ANEW;
    mirror_values input = { { "", 0 }, NULL };
    copied_since();
    assert_int_equal(call(it, ctx, &input, &back), CHAINS_OK);
    expect_bytes(back.data, 'n', LARGE);
    assert_int_equal(copied_since(), 0);
    expect_blocks(1);
    /* It may be passed on as it is. */
    mirror_mode = ONLY_MIRROR;
    mirror_values next = { { 0 }, NULL };
    assert_int_equal(call(it, ctx, &back, &next), CHAINS_OK);
    expect_bytes(next.data, 'n', LARGE);
    assert_int_equal(copied_since(), 0);
    chains_close(ctx);
    expect_blocks(0);
}

static void a_started_call_has_what_was_there_when_it_was_started(void **state)
{
    place *it = *state;
    mirror_values back[3];
    mirror_mode = WAIT;
    chains_bytes data = bytes_of(it->ctx, 'a', COPIED);
    chains_ctx *all = chains_gather(it->ctx);
    for (int i = 0; i < 3; i++) {
        mirror_values input = { data, NULL };
        assert_int_equal(call(it, all, &input, &back[i]), CHAINS_OK);
        memset((char *)(uintptr_t)data.data, 'b' + i, data.size);
    }
    atomic_store(&released, true);
    assert_int_equal(chains_wait(all), CHAINS_OK);
    for (int i = 0; i < 3; i++)
        expect_bytes(back[i].data, (char)('a' + i), COPIED);
    expect_bytes(data, 'd', COPIED);
}

static void a_callee_that_writes_to_its_input_harms_nobody(void **state)
{
    place *it = *state;
    mirror_values back;
    mirror_mode = WRITE_TO_INPUT;
    mirror_values input = { bytes_of(it->ctx, 'd', COPIED), NULL };
    assert_int_equal(call(it, it->ctx, &input, &back), CHAINS_OK);
    expect_bytes(input.data, 'd', COPIED);
    assert_int_equal(((const char *)back.data.data)[1], 'W');
    assert_int_equal(((const char *)back.data.data)[2], 'd');
}

static void memory_of_malloc_is_copied_once(void **state)
{
    place *it = *state;
    mirror_values back;
    char *data = malloc(COPIED);
    memset(data, 'm', COPIED);
    copied_since();
    sent_since();
    mirror_values input = { { data, COPIED }, NULL };
    assert_int_equal(call(it, it->ctx, &input, &back), CHAINS_OK);
    expect_bytes(back.data, 'm', COPIED);
    assert_int_equal(copied_since(), COPIED);
    assert_true(sent_since() < 1000);
    input.data.size = COPIED - 1; /* less is quicker through the socket */
    assert_int_equal(call(it, it->ctx, &input, &back), CHAINS_OK);
    expect_bytes(back.data, 'm', COPIED - 1);
    assert_int_equal(copied_since(), 0);
    assert_true(sent_since() > COPIED);
    free(data);
}

static void many_at_once_leave_nothing(void **state)
{
    enum { CALLS = 40 };
    place *it = *state;
    for (int round = 0; round < 2; round++) {
        chains_ctx *ctx = chains_open(NULL);
        ctx->process->generated = true;
        mirror_values back[CALLS];
        chains_ctx *all = chains_gather(ctx);
        for (int i = 0; i < CALLS; i++) {
            size_t size = i % 3 == 0 ? (size_t)100 : i % 3 == 1 ? LARGE : LARGE + (size_t)i * 1000;
            mirror_values input = { bytes_of(ctx, (char)('0' + i), size), i % 2 ? "text" : NULL };
            assert_int_equal(call(it, all, &input, &back[i]), CHAINS_OK);
        }
        assert_int_equal(chains_wait(all), CHAINS_OK);
        for (int i = 0; i < CALLS; i++) {
            size_t size = i % 3 == 0 ? (size_t)100 : i % 3 == 1 ? LARGE : LARGE + (size_t)i * 1000;
            expect_bytes(back[i].data, (char)('0' + i), size);
        }
        chains_close(ctx);
        expect_blocks(0);
    }
}

static void a_second_attempt_carries_the_same(void **state)
{
    place *it = *state;
    mirror_values back;
    mirror_mode = FAIL_ONCE;
    it->options.retries = 1;
    mirror_values input = { bytes_of(it->ctx, 'd', COPIED), NULL };
    assert_int_equal(call(it, it->ctx, &input, &back), CHAINS_OK);
    assert_int_equal(atomic_load(&failures), 2);
    expect_bytes(back.data, 'd', COPIED);
    atomic_store(&failures, 0);
    chains_ctx *all = chains_gather(it->ctx);
    assert_int_equal(call(it, all, &input, &back), CHAINS_OK);
    assert_int_equal(chains_wait(all), CHAINS_OK);
    assert_int_equal(atomic_load(&failures), 2);
    expect_bytes(back.data, 'd', COPIED);
}

static void too_much_is_refused_as_through_the_socket(void **state)
{
    place *it = *state;
    mirror_values back;
    mirror_values input = { bytes_of(it->ctx, 'd', MAX_BODY), NULL };
    for (int shared = 1; shared >= 0; shared--) {
        if (!shared)
            atomic_store(&chainsi_share_least, SIZE_MAX);
        input.data.size = MAX_BODY;
        assert_int_equal(call(it, it->ctx, &input, &back), CHAINS_INVALID_ARGUMENT);
        assert_non_null(strstr(chains_last_error(it->ctx)->message, "takes 4194304 at most"));
        input.data.size = MAX_BODY - 100;
        assert_int_equal(call(it, it->ctx, &input, &back), CHAINS_OK);
        expect_bytes(back.data, 'd', MAX_BODY - 100);
    }
}

static void sharing_can_be_turned_off(void **state)
{
    place *it = *state;
    mirror_values back;
    mirror_values input = { bytes_of(it->ctx, 'd', COPIED), NULL };
    atomic_store(&chainsi_share_least, SIZE_MAX);
    setenv("CHAINS_SHARE", "off", 1);
    chainsi_share_enable();
    uint64_t shared = chainsi_traffic_read().shared;
    copied_since();
    assert_int_equal(call(it, it->ctx, &input, &back), CHAINS_OK);
    expect_bytes(back.data, 'd', COPIED);
    assert_int_equal(chainsi_traffic_read().shared, shared);
    assert_int_equal(copied_since(), 0);
    unsetenv("CHAINS_SHARE");
}

static void methods_with_a_stream_have_them_beside_as_well(void **state)
{
    place *it = *state;
    mirror_values back = { { 0 }, NULL };
    mirror_values input = { bytes_of(it->ctx, 'd', COPIED), NULL };
    copied_since();
    sent_since();
    assert_int_equal(call(it, it->ctx, &input, &back), CHAINS_OK);
    expect_bytes(back.data, 'd', COPIED);
    chains_ctx *all = chains_gather(it->ctx);
    back = (mirror_values){ { 0 }, NULL };
    assert_int_equal(call(it, all, &input, &back), CHAINS_OK);
    assert_int_equal(chains_wait(all), CHAINS_OK);
    expect_bytes(back.data, 'd', COPIED);
    assert_int_equal(copied_since(), 0);
    assert_true(sent_since() < 1000);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_place, close_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_service_takes_sealed_memfds_only),
        TEST(what_is_attached_counts_as_body),
        TEST(nothing_is_copied),
        TEST(what_comes_back_lives_as_long_as_the_ctx),
        TEST(a_started_call_has_what_was_there_when_it_was_started),
        TEST(a_callee_that_writes_to_its_input_harms_nobody),
        TEST(memory_of_malloc_is_copied_once),
        TEST(many_at_once_leave_nothing),
        TEST(a_second_attempt_carries_the_same),
        TEST(too_much_is_refused_as_through_the_socket),
        TEST(sharing_can_be_turned_off),
        cmocka_unit_test_setup_teardown(methods_with_a_stream_have_them_beside_as_well,
                                        open_streamed_place, close_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
