/* What authors allocate: lists that grow wherever they come from, maps, texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <chains.h>

CHAINS_MAP(double, weights);

static void memory_is_zeroed_and_aligned(void **state)
{
    chains_ctx *ctx = *state;
    for (size_t size = 0; size < 3000; size += 7) {
        unsigned char *data = chains_alloc(ctx, size);
        assert_int_equal((uintptr_t)data % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(data[i], 0);
        memset(data, 0xff, size);
    }
}

static void texts_of_any_length(void **state)
{
    chains_ctx *ctx = *state;
    assert_null(chains_strdup(ctx, NULL));
    assert_string_equal(chains_strdup(ctx, "abc"), "abc");
    for (int width = 1; width < 2000; width *= 3) {
        char *text = chains_printf(ctx, "%*d", width, 7);
        assert_int_equal(strlen(text), width);
        assert_int_equal(text[width - 1], '7');
    }
}

static void an_empty_list_grows(void **state)
{
    chains_ctx *ctx = *state;
    chains_int32_list list = { 0 };
    for (int32_t i = 0; i < 10000; i++)
        chains_push(ctx, &list, i);
    assert_int_equal(list.count, 10000);
    for (int32_t i = 0; i < 10000; i++)
        assert_int_equal(list.items[i], i);
}

static void a_full_list_grows_without_touching_what_is_behind_it(void **state)
{
    chains_ctx *ctx = *state;
    chains_int32_list list = chains_int32_list_new(ctx, 4);
    int32_t *behind = chains_alloc(ctx, sizeof *behind);
    *behind = 77;
    chains_push(ctx, &list, 5);
    assert_int_equal(list.count, 5);
    assert_int_equal(list.items[4], 5);
    assert_int_equal(list.items[0], 0);
    assert_int_equal(*behind, 77);
}

static void an_array_of_ones_own_is_not_written_to(void **state)
{
    chains_ctx *ctx = *state;
    int32_t own[4] = { 1, 2, 3, 99 };
    chains_int32_list list = { own, 3 };
    chains_push(ctx, &list, 4);
    assert_int_equal(own[3], 99);
    assert_ptr_not_equal(list.items, own);
    assert_int_equal(list.items[2], 3);
    assert_int_equal(list.items[3], 4);
}

static void many_lists_grow_in_turn(void **state)
{
    chains_ctx *ctx = *state;
    enum { LISTS = 40, ITEMS = 200 };
    chains_string_list lists[LISTS] = { 0 };
    for (int i = 0; i < ITEMS; i++)
        for (int l = 0; l < LISTS; l++)
            chains_push(ctx, &lists[l], chains_printf(ctx, "%d-%d", l, i));
    for (int l = 0; l < LISTS; l++) {
        assert_int_equal(lists[l].count, ITEMS);
        for (int i = 0; i < ITEMS; i++)
            assert_string_equal(lists[l].items[i], chains_printf(ctx, "%d-%d", l, i));
    }
}

static void maps_put_and_get(void **state)
{
    chains_ctx *ctx = *state;
    weights map = weights_new(ctx, 0);
    assert_null(weights_get(&map, "a"));
    weights_put(ctx, &map, "a", 1);
    weights_put(ctx, &map, "b", 2);
    weights_put(ctx, &map, "a", 3);
    assert_int_equal(map.count, 2);
    assert_string_equal(map.items[0].key, "a");
    assert_true(*weights_get(&map, "a") == 3);
    assert_true(*weights_get(&map, "b") == 2);
    assert_null(weights_get(&map, "c"));
    weights filled = weights_new(ctx, 2); /* keys are NULL until they are set */
    assert_null(weights_get(&filled, "a"));
}

static void sizes_of_elements(void **state)
{
    (void)state;
    assert_int_equal(chains_dtype_size(CHAINS_FLOAT16), 2);
    assert_int_equal(chains_dtype_size(CHAINS_FLOAT64), 8);
    assert_int_equal(chains_dtype_size(CHAINS_BOOL), 1);
    assert_int_equal(chains_dtype_size((chains_dtype)0), 0);
}

static int open_ctx(void **state)
{
    *state = chains_open(NULL);
    return 0;
}

static int close_ctx(void **state)
{
    chains_close(*state);
    return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_ctx, close_ctx)
    const struct CMUnitTest tests[] = {
        TEST(memory_is_zeroed_and_aligned),
        TEST(texts_of_any_length),
        TEST(an_empty_list_grows),
        TEST(a_full_list_grows_without_touching_what_is_behind_it),
        TEST(an_array_of_ones_own_is_not_written_to),
        TEST(many_lists_grow_in_turn),
        TEST(maps_put_and_get),
        TEST(sizes_of_elements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
