/* The pool, with a folder in the place of the driver's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/gpu_pool.h"
#include "control/home.h"

typedef struct fixture {
    uv_loop_t loop;
    char *folder;
    chainsi_gpu_pool *pool;
    chainsi_gpu_waiter waiters[2];
    int known[2]; /* how often each was told */
    char why[1024];
} fixture;

static void add_device(fixture *it, unsigned number, const char *name)
{
    char *folder = chainsi_path("%s/0000:0%u:00.0", it->folder, number);
    char *path = chainsi_path("%s/information", folder);
    char *text = chainsi_path("Model: \t\t %s\nGPU UUID: \t GPU-%u\n", name, number);
    assert_true(chainsi_make_folders(folder));
    assert_true(chainsi_write_file(path, text, strlen(text)));
    free(text);
    free(path);
    free(folder);
}

static int open_all(void **state)
{
    fixture *it = calloc(1, sizeof *it);
    char pattern[] = "/tmp/chains-gpu-pool-XXXXXX";
    it->folder = strdup(mkdtemp(pattern));
    uv_loop_init(&it->loop);
    add_device(it, 0, "NVIDIA A10G");
    add_device(it, 1, "NVIDIA A10G");
    add_device(it, 2, "NVIDIA T4");
    chainsi_gpu_sources sources = { .nvml = "libthere-is-none.so.1", .folder = it->folder };
    it->pool = chainsi_gpu_pool_new(&it->loop, &sources);
    *state = it;
    return 0;
}

static int close_all(void **state)
{
    fixture *it = *state;
    chainsi_gpu_pool_free(it->pool);
    uv_run(&it->loop, UV_RUN_DEFAULT);
    bool clean = uv_loop_close(&it->loop) == 0 && chainsi_remove_tree(it->folder);
    free(it->folder);
    free(it);
    return clean ? 0 : -1;
}

static fixture *told; /* whose waiters are told */

static void on_known(chainsi_gpu_waiter *waiter)
{
    told->known[waiter - told->waiters]++;
}

static void look(fixture *it)
{
    told = it;
    for (size_t i = 0; i < 2; i++) {
        it->waiters[i].on_known = on_known;
        chainsi_gpu_pool_await(it->pool, &it->waiters[i]);
    }
}

static void find(fixture *it)
{
    look(it);
    uv_run(&it->loop, UV_RUN_DEFAULT);
    assert_non_null(chainsi_gpu_pool_known(it->pool));
}

static bool take(fixture *it, const char *owner, const char *kind, size_t count,
                 chainsi_gpu_set *set)
{
    chainsi_gpu_request request = { .owner = owner, .kind = kind, .count = count };
    return chainsi_gpu_pool_take(it->pool, &request, set, it->why, sizeof it->why);
}

/* What a process of the owner sees. */
static void expect_seen(fixture *it, const char *owner, const char *seen)
{
    chainsi_buffer entries = { 0 };
    assert_int_equal(chainsi_gpu_pool_environment(it->pool, owner, &entries), 1);
    assert_string_equal((const char *)entries.data, seen);
    chainsi_buffer_done(&entries);
}

static void looks_once_and_tells_all(void **state)
{
    fixture *it = *state;
    assert_null(chainsi_gpu_pool_known(it->pool));
    look(it);
    assert_null(chainsi_gpu_pool_known(it->pool));
    uv_run(&it->loop, UV_RUN_DEFAULT);
    assert_int_equal(chainsi_gpu_pool_known(it->pool)->count, 3);
    assert_int_equal(it->known[0], 1);
    assert_int_equal(it->known[1], 1);
}

static void who_has_left_is_not_told(void **state)
{
    fixture *it = *state;
    look(it);
    chainsi_gpu_pool_leave(it->pool, &it->waiters[0]);
    chainsi_gpu_pool_leave(it->pool, &it->waiters[0]); /* who doesn't wait can leave as well */
    uv_run(&it->loop, UV_RUN_DEFAULT);
    assert_int_equal(it->known[0], 0);
    assert_int_equal(it->known[1], 1);
}

static void may_end_while_it_looks(void **state)
{
    fixture *it = *state;
    look(it);
    for (size_t i = 0; i < 2; i++)
        chainsi_gpu_pool_leave(it->pool, &it->waiters[i]);
    chainsi_gpu_pool_free(it->pool);
    it->pool = NULL;
    uv_run(&it->loop, UV_RUN_DEFAULT);
}

static void devices_are_given_and_taken_back(void **state)
{
    fixture *it = *state;
    chainsi_gpu_set set, other;
    find(it);
    assert_true(take(it, "a", "A10G", 2, &set));
    assert_int_equal(set.bits[0], 3);
    expect_seen(it, "a", "CUDA_VISIBLE_DEVICES=GPU-0,GPU-1");
    chainsi_arena arena = { 0 };
    chains_string_list list = chainsi_gpu_pool_describe(it->pool, &set, &arena);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.items[1], "NVIDIA A10G (number 1)");
    chainsi_arena_done(&arena);
    expect_seen(it, NULL, "CUDA_VISIBLE_DEVICES=");
    expect_seen(it, "b", "CUDA_VISIBLE_DEVICES=");
    assert_false(take(it, "b", "A10G", 1, &other));
    assert_non_null(strstr(it->why, "too few are free: a has NVIDIA A10G (number 0), a has"));
    assert_true(take(it, "b", "any", 1, &other));
    assert_int_equal(other.bits[0], 4);
    chainsi_gpu_pool_release(it->pool, "a");
    assert_true(take(it, "c", "A10G", 1, &set));
    expect_seen(it, "c", "CUDA_VISIBLE_DEVICES=GPU-0");
}

static void what_is_recalled_before_is_taken(void **state)
{
    fixture *it = *state;
    chainsi_gpu_set set = { { 2 } }, none = { { 0 } };
    chainsi_gpu_pool_recall(it->pool, "old", &set);
    chainsi_gpu_pool_recall(it->pool, "has none", &none);
    find(it);
    expect_seen(it, "old", "CUDA_VISIBLE_DEVICES=GPU-1");
    assert_true(take(it, "new", "A10G", 1, &set));
    assert_int_equal(set.bits[0], 1);
    assert_false(take(it, "third", "A10G", 1, &set));
    chainsi_gpu_pool_release(it->pool, "old");
    assert_true(take(it, "third", "A10G", 1, &set));
    assert_int_equal(set.bits[0], 2);
}

static void a_deployment_is_checked_as_a_whole(void **state)
{
    fixture *it = *state;
    chainsi_api_service services[] = {
        { .name = "entry" },
        { .name = "phi", .gpu = "A10G", .scaling = { .min_replicas = 0 } },
        { .name = "llama", .gpu = "any" },
    };
    chainsi_api_deploy deploy = { .chain = "poem",
                                  .environment = "staging",
                                  .services = { services, 3 } };
    chainsi_gpu_set set;
    find(it);
    assert_true(chainsi_gpu_pool_is_asked(&deploy));
    assert_true(chainsi_gpu_pool_check(it->pool, &deploy, it->why, sizeof it->why));
    assert_true(take(it, "x", "T4", 1, &set)); /* checking takes nothing */
    assert_true(chainsi_gpu_pool_check(it->pool, &deploy, it->why, sizeof it->why));
    services[1].scaling.min_replicas = 2; /* all of these at once */
    assert_false(chainsi_gpu_pool_check(it->pool, &deploy, it->why, sizeof it->why));
    assert_non_null(strstr(it->why, "llama needs a GPU, and too few are free: phi has"));
    assert_non_null(strstr(it->why, ", phi (replica 2) has"));
    assert_null(strstr(it->why, "chains delete"));
    services[1].scaling.min_replicas = 1;
    assert_true(take(it, "poem/staging/1/phi/0", "A10G", 1, &set));
    assert_false(chainsi_gpu_pool_check(it->pool, &deploy, it->why, sizeof it->why));
    assert_non_null(strstr(it->why, "`chains delete poem --environment staging` ends"));
    deploy.services.count = 1;
    assert_false(chainsi_gpu_pool_is_asked(&deploy));
}

static void requests_are_read(void **state)
{
    (void)state;
    char kind[CHAINSI_GPU_TEXT];
    size_t count = 0;
    assert_true(chainsi_gpu_read_request("A10G", kind, &count));
    assert_string_equal(kind, "A10G");
    assert_int_equal(count, 1);
    assert_true(chainsi_gpu_read_request("a100-sxm4:16", kind, &count));
    assert_string_equal(kind, "a100-sxm4");
    assert_int_equal(count, 16);
    assert_true(chainsi_gpu_read_request("x:1024", kind, &count));
    static const char *const bad[] = { "", ":1", "x:", "x:0", "x:-1", "x: 1", "x:1x", "x:1025" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(chainsi_gpu_read_request(bad[i], kind, &count));
    char text[CHAINSI_GPU_TEXT + 1];
    memset(text, 'x', sizeof text);
    text[CHAINSI_GPU_TEXT] = 0;
    assert_false(chainsi_gpu_read_request(text, kind, &count));
    assert_true(chainsi_gpu_read_request(text + 1, kind, &count));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(looks_once_and_tells_all, open_all, close_all),
        cmocka_unit_test_setup_teardown(who_has_left_is_not_told, open_all, close_all),
        cmocka_unit_test_setup_teardown(may_end_while_it_looks, open_all, close_all),
        cmocka_unit_test_setup_teardown(devices_are_given_and_taken_back, open_all, close_all),
        cmocka_unit_test_setup_teardown(what_is_recalled_before_is_taken, open_all, close_all),
        cmocka_unit_test_setup_teardown(a_deployment_is_checked_as_a_whole, open_all, close_all),
        cmocka_unit_test(requests_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
