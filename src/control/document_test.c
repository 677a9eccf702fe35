/* A Chainlet's document on its way to the disk while another program takes the place of the one that told it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/document.h"
#include "control/home.h"
#include "rpc/address.h"

/* A Chainlet with one ready replica, as far as a document needs them, whose probes the test answers. */
typedef struct kept {
    uv_loop_t loop;
    char folder[32], *path;
    int listen_fd;
    chainsi_supervisor supervisor;
    chainsi_replica replica;
    chainsi_fleet_place place;
    chainsi_fleet fleet;
    chainsi_api_service service;
    chainsi_deployment deployment;
    chainsi_chainlet chainlet;
    uv_work_t blocker;
    uv_sem_t go_on; /* of the only thread of the pool */
} kept;

static int open_kept(void **state)
{
    kept *it = calloc(1, sizeof *it);
    char why[256];
    strcpy(it->folder, "/tmp/chains-document-XXXXXX");
    it->path = chainsi_path("%s/probes", mkdtemp(it->folder));
    chainsi_address address = { .kind = CHAINSI_ADDRESS_UNIX, .path = it->path };
    it->listen_fd = chainsi_address_listen(&address, CHAINSI_BACKLOG, why, sizeof why);
    uv_loop_init(&it->loop);
    uv_sem_init(&it->go_on, 0);
    it->supervisor.loop = &it->loop;
    it->replica.state = CHAINSI_REPLICA_READY;
    it->replica.probes = chainsi_upstream_new(&it->loop, it->path);
    it->place.replica = &it->replica;
    it->fleet.places = &it->place;
    it->fleet.place_count = 1;
    it->service.c_name = "x";
    it->deployment.directory = it->folder;
    it->deployment.options.supervisor = &it->supervisor;
    it->chainlet.deployment = &it->deployment;
    it->chainlet.service = &it->service;
    it->chainlet.fleet = &it->fleet;
    *state = it;
    return it->listen_fd < 0;
}

static int close_kept(void **state)
{
    kept *it = *state;
    chainsi_document_close(&it->chainlet);
    chainsi_upstream_free(it->replica.probes);
    uv_run(&it->loop, UV_RUN_DEFAULT);
    bool clean = uv_loop_close(&it->loop) == 0;
    uv_sem_destroy(&it->go_on);
    close(it->listen_fd);
    clean = chainsi_remove_tree(it->folder) && clean;
    free(it->path);
    free(it);
    return clean ? 0 : -1;
}

static void wait_to_go_on(uv_work_t *work)
{
    uv_sem_wait(work->data);
}

static void on_gone_on(uv_work_t *work, int status)
{
    (void)work;
    (void)status;
}

/* Nothing is written until go_on is posted. */
static void hold_pool(kept *it)
{
    it->blocker.data = &it->go_on;
    uv_queue_work(&it->loop, &it->blocker, wait_to_go_on, on_gone_on);
}

/* Answers the question that has been asked, and lets the answer come in: until it is being written. */
static void tell(kept *it, const char *document)
{
    char text[512], asked[512];
    int fd = accept(it->listen_fd, NULL, NULL);
    assert_true(fd >= 0);
    while (uv_run(&it->loop, UV_RUN_NOWAIT) && recv(fd, asked, sizeof asked, MSG_DONTWAIT) < 0)
        ;
    int size = snprintf(text, sizeof text,
                        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
                        strlen(document), document);
    assert_int_equal(write(fd, text, (size_t)size), size);
    close(fd);
    for (int i = 0; i < 10; i++)
        uv_run(&it->loop, UV_RUN_NOWAIT);
}

static void expect(const kept *it, const char *document)
{
    size_t size;
    char *text = chainsi_document_read(&it->chainlet, &size);
    if (document)
        assert_string_equal(text, document);
    else
        assert_null(text);
    free(text);
}

static void is_kept_beside_the_program(void **state)
{
    kept *it = *state;
    chainsi_document_keep(&it->chainlet);
    tell(it, "{\"one\":1}");
    uv_run(&it->loop, UV_RUN_DEFAULT);
    expect(it, "{\"one\":1}");
    assert_null(it->chainlet.document);
    chainsi_document_forget(&it->chainlet);
    expect(it, NULL);
}

static void of_an_earlier_program_is_not_kept(void **state)
{
    kept *it = *state;
    hold_pool(it);
    chainsi_document_keep(&it->chainlet);
    tell(it, "{\"one\":1}");
    chainsi_document_forget(&it->chainlet);
    expect(it, NULL);
    uv_sem_post(&it->go_on);
    /* Once it has been written the other program is asked. */
    while (uv_run(&it->loop, UV_RUN_ONCE) && !it->chainlet.documented)
        ;
    chainsi_document_keep(&it->chainlet);
    expect(it, NULL);
    tell(it, "{\"two\":2}");
    uv_run(&it->loop, UV_RUN_DEFAULT);
    expect(it, "{\"two\":2}");
}

static void is_written_though_its_chainlet_has_gone(void **state)
{
    kept *it = *state;
    hold_pool(it);
    chainsi_document_keep(&it->chainlet);
    tell(it, "{\"one\":1}");
    chainsi_document_close(&it->chainlet);
    assert_null(it->chainlet.document);
    uv_sem_post(&it->go_on);
    uv_run(&it->loop, UV_RUN_DEFAULT);
    expect(it, "{\"one\":1}");
}

int main(void)
{
    setenv("UV_THREADPOOL_SIZE", "1", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(is_kept_beside_the_program, open_kept, close_kept),
        cmocka_unit_test_setup_teardown(of_an_earlier_program_is_not_kept, open_kept, close_kept),
        cmocka_unit_test_setup_teardown(is_written_though_its_chainlet_has_gone, open_kept,
                                        close_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
