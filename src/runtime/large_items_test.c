/* Items with large values between Chainlets of one machine: they go beside the item, nobody sees later
 * writes, and a reader that is slow holds as little memory in flight as with small ones. */
#include "runtime/call_test_support.h"

#include "rpc/limits.h"
#include "runtime/traffic.h"

enum { LARGE = CHAINSI_SHARE_LEAST_COPY, MANY = 100 };

typedef struct talk_input {
    int32_t count, size; /* items, and bytes of each: the first item all 'a', the next all 'b' */
    bool reuse;          /* all of them in the same memory */
    bool small_too;      /* an item of one byte behind each */
} talk_input;

typedef struct talk_output {
    chains_bytes last;
} talk_output;

static const chainsi_field input_fields[] = {
    { CHAINSI_FIELD(talk_input, count, &chainsi_type_int32) },
    { CHAINSI_FIELD(talk_input, size, &chainsi_type_int32) },
    { CHAINSI_FIELD(talk_input, reuse, &chainsi_type_bool) },
    { CHAINSI_FIELD(talk_input, small_too, &chainsi_type_bool) },
};
static const chainsi_type input_type = {
    .kind = CHAINSI_STRUCT, .size = sizeof(talk_input), .fields = input_fields, .field_count = 4
};
static const chainsi_field output_fields[] = {
    { CHAINSI_FIELD(talk_output, last, &chainsi_type_bytes) },
};
static const chainsi_type output_type = {
    .kind = CHAINSI_STRUCT, .size = sizeof(talk_output), .fields = output_fields, .field_count = 1
};
static const chains_config talk_config = { .concurrency = 4 };
static const chainsi_interface talk_interface = {
    .name = "talk",
    .c_name = "talk",
    .file = "talk.h",
    .line = 3,
    .fingerprint = 0x74616c6b,
    .input = &input_type,
    .output = &output_type,
    .stream_name = "pieces",
    .stream_item = &chainsi_type_bytes,
    .config = &talk_config,
};

static atomic_int emitted;

static void *create(chains_ctx *ctx, void *const dependencies[])
{
    (void)ctx, (void)dependencies;
    return &emitted;
}

static chains_status talk(void *self, chains_ctx *ctx, const void *input, void *output,
                          void *stream)
{
    (void)self;
    const talk_input *in = input;
    const size_t size = (size_t)in->size;
    char *memory = NULL;
    for (int32_t i = 0; i < in->count; i++) {
        if (!memory || !in->reuse)
            memory = chains_alloc(ctx, size);
        memset(memory, 'a' + i % 26, size);
        const chains_bytes item = { memory, size }, small = { ".", 1 };
        CHAINS_TRY(chainsi_emit(stream, &item));
        if (in->small_too)
            CHAINS_TRY(chainsi_emit(stream, &small));
        atomic_fetch_add(&emitted, 1);
    }
    ((talk_output *)output)->last = (chains_bytes){ memory, size };
    return CHAINS_OK;
}

static void destroy(void *self)
{
    (void)self;
}

static const chainsi_implementation talk_implementation = {
    .interface = &talk_interface, .create = create, .run = talk, .destroy = destroy
};
static const chainsi_node talk_node = { .implementation = &talk_implementation };

static int open_talk(void **state)
{
    fixture_node = &talk_node;
    atomic_store(&emitted, 0);
    return open_fixture(state);
}

static int close_talk(void **state)
{
    close_fixture(state);
    return chainsi_share_count() == 0 ? 0 : -1;
}

/* Who hears them. */
typedef struct listener {
    int large, small;
    size_t size;
    bool waits;          /* at the first, until nothing is emitted any more */
    int emitted_waiting; /* by then */
} listener;

static chains_status hear(chainsi_stream *stream, const void *value)
{
    listener *it = stream->user;
    const chains_bytes *item = value;
    const char *data = item->data;
    if (item->size == 1) {
        it->small++;
        return *data == '.' ? CHAINS_OK : CHAINS_DATA_LOSS;
    }
    if (item->size != it->size)
        return CHAINS_DATA_LOSS;
    for (size_t i = 0; i < item->size; i++)
        if (data[i] != 'a' + it->large % 26)
            return CHAINS_DATA_LOSS;
    it->large++;
    for (int before = -1; it->waits && before != it->emitted_waiting;) {
        before = it->emitted_waiting;
        usleep(50000);
        it->emitted_waiting = atomic_load(&emitted);
    }
    it->waits = false;
    return CHAINS_OK;
}

static void expect_talk(fixture *made, const talk_input *input, listener *it)
{
    chains_ctx ctx;
    chains_bytes last = { NULL, 0 };
    chainsi_context_init_child(&ctx, made->ctx, true);
    it->size = (size_t)input->size;
    const chainsi_stream stream = { .deliver = hear, .user = it };
    chains_status status = chainsi_call(made->callee, &ctx, input, (void *[]){ &last }, &stream);
    if (status != CHAINS_OK)
        fail_msg("%s", chains_last_error(&ctx)->message);
    assert_int_equal(it->large, input->count);
    assert_int_equal(it->small, input->small_too ? input->count : 0);
    assert_int_equal(last.size, input->size);
    assert_int_equal(((const char *)last.data)[last.size - 1], 'a' + (input->count - 1) % 26);
    chainsi_context_done(&ctx);
    /* The service, in this process, lets go of it once the answer was sent. */
    for (int i = 0; i < 5000 && chainsi_share_count(); i++)
        usleep(1000);
}

static void nothing_is_copied(void **state)
{
    const chainsi_traffic before = chainsi_traffic_read();
    listener it = { 0 };
    expect_talk(*state, &(talk_input){ .count = 5, .size = LARGE }, &it);
    const chainsi_traffic after = chainsi_traffic_read();
    assert_int_equal(after.copied, before.copied);
    assert_true(after.socket - before.socket < 1000);
    /* Five items and the output, counted at both ends. */
    assert_int_equal(after.shared - before.shared, 2 * 6 * (uint64_t)LARGE);
}

static void memory_may_be_used_again(void **state)
{
    listener it = { 0 };
    expect_talk(*state, &(talk_input){ .count = 30, .size = LARGE, .reuse = true }, &it);
}

static void small_ones_between_them_come_in_order(void **state)
{
    listener it = { 0 };
    expect_talk(*state, &(talk_input){ .count = 30, .size = LARGE, .small_too = true }, &it);
}

static void a_slow_reader_has_little_in_flight(void **state)
{
    listener it = { .waits = true };
    const uint64_t before = chainsi_traffic_read().socket;
    expect_talk(*state, &(talk_input){ .count = MANY, .size = LARGE }, &it);
    /* Those beyond go through the socket, which holds none of them whole. */
    assert_in_range(it.emitted_waiting, 2, CHAINSI_MAX_AFLOAT / LARGE + 2);
    assert_true(chainsi_traffic_read().socket - before > LARGE);
}

static void started_calls_hand_them_over_as_well(void **state)
{
    fixture *made = *state;
    chains_ctx *all = chains_gather(made->ctx);
    listener its[3] = { { .size = LARGE }, { .size = LARGE }, { .size = LARGE } };
    chains_bytes last[3];
    for (int i = 0; i < 3; i++) {
        const chainsi_stream stream = { .deliver = hear, .user = &its[i] };
        assert_int_equal(chainsi_call(made->callee, all, &(talk_input){ .count = 4, .size = LARGE },
                                      (void *[]){ &last[i] }, &stream),
                         CHAINS_OK);
    }
    assert_int_equal(chains_wait(all), CHAINS_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(its[i].large, 4);
        assert_int_equal(((const char *)last[i].data)[0], 'd');
    }
}

#define WITH_TALK(test) cmocka_unit_test_setup_teardown(test, open_talk, close_talk)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TALK(nothing_is_copied),
        WITH_TALK(memory_may_be_used_again),
        WITH_TALK(small_ones_between_them_come_in_order),
        WITH_TALK(a_slow_reader_has_little_in_flight),
        WITH_TALK(started_calls_hand_them_over_as_well),
    };
    int failed = 0;
    for (fixture_at = DISTANCE_QUEUE; fixture_at <= DISTANCE_BOARD; fixture_at++)
        failed += cmocka_run_group_tests(tests, NULL, NULL);
    return failed;
}
