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

static void *create(chains_ctx *ctx, void *const dependencies[])
{
    (void)ctx, (void)dependencies;
    return &mirror_config;
}

/* What the mirror does beside giving back. */
static enum { ONLY_MIRROR, WRITE_TO_INPUT, MAKE_ANEW } mirror_mode;

static chains_status run(void *self, chains_ctx *ctx, const void *input, void *output, void *stream)
{
    (void)self, (void)stream;
    const mirror_values *given = input;
    mirror_values *back = output;
    *back = *given;
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

typedef struct place {
    char folder[64], address[128];
    int listen_fd;
    chainsi_service service;
    chains_ctx *ctx;
    chainsi_link *link; /* for messages made by hand */
} place;

static int open_place(void **state)
{
    place *it = calloc(1, sizeof *it);
    char why[256];
    mirror_mode = ONLY_MIRROR;
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
    chainsi_service *service = &it->service;
    service->node = &mirror_node;
    service->process = *it->ctx->process;
    chainsi_context_init_root(&service->ctx, &service->process);
    service->graph = chainsi_graph_new(&service->ctx);
    atomic_store(&service->instance, chainsi_graph_make(service->graph, &mirror_node));
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
    *state = it;
    return 0;
}

static int close_place(void **state)
{
    place *it = *state;
    chainsi_link_free(it->link);
    chains_close(it->ctx);
    chainsi_server_free(atomic_load(&it->service.server));
    chainsi_graph_free(it->service.graph);
    chainsi_context_done(&it->service.ctx);
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

#define TEST(test) cmocka_unit_test_setup_teardown(test, open_place, close_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_service_takes_sealed_memfds_only),
        TEST(what_is_attached_counts_as_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
