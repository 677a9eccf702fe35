/* Calls in the steady state ask for no memory, on either side: both are in this process here, and
 * every malloc is counted. */
#include "runtime/call_test_support.h"

static atomic_int allocations;

/* Sanitizers bring their own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { COUNTED = false };
#else
enum { COUNTED = true };

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);

void *malloc(size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    atomic_fetch_add(&allocations, 1);
    return __libc_realloc(memory, size);
}
#endif

enum { WARM_UP = 200, CALLS = 2000 };

/* A call with a ctx that gives its memory back. */
static void call_once(fixture *made, chainsi_arena *arena)
{
    chains_ctx ctx;
    chainsi_context_init_child(&ctx, made->ctx, false);
    ctx.arena = arena;
    worker_input input = { .text = "a text that is copied" };
    const char *text = NULL;
    assert_int_equal(call_worker(made, &ctx, &input, &text, NULL), CHAINS_OK);
    assert_string_equal(text, "<a text that is copied>");
    chainsi_context_done(&ctx);
    chainsi_arena_reset(arena);
}

static void calls_ask_for_no_memory(void **state)
{
    fixture *made = *state;
    chainsi_arena arena = { 0 };
    for (int i = 0; i < WARM_UP; i++)
        call_once(made, &arena);
    int before = atomic_load(&allocations);
    assert_true(before > 0 || !COUNTED);
    for (int i = 0; i < CALLS; i++)
        call_once(made, &arena);
    /* Another thread of the service may have run its first call. */
    if (COUNTED)
        assert_in_range(atomic_load(&allocations) - before, 0, CALLS / 20);
    chainsi_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(calls_ask_for_no_memory, open_fixture, close_fixture),
    };
    int failed = 0;
    static const fixture_distance distances[] = { DISTANCE_LOCAL, DISTANCE_QUEUE, DISTANCE_BOARD,
                                                  DISTANCE_TCP, DISTANCE_LIST };
    for (size_t i = 0; i < sizeof distances / sizeof distances[0]; i++) {
        fixture_at = distances[i];
        failed += cmocka_run_group_tests(tests, NULL, NULL);
    }
    return failed;
}
