/* Streams of Chainlets on this machine that answer with whatever frames they like, or die of it. */
#include "rpc/link_test_support.h"
#include "runtime/stream_test_support.h"

/* Frames one behind the other, as a script. */
typedef struct said {
    chainsi_frame_kind kind; /* 0: it hangs up */
    const char *body;
    size_t size;
    uint8_t status;
    bool attached; /* what is no memfd goes beside it */
} said;

#define SAY(what, text, ...)                                                                       \
    {                                                                                              \
        .kind = CHAINSI_FRAME_##what, .body = text, .size = sizeof(text) - 1, __VA_ARGS__          \
    }
#define ITEM_A                                                                                     \
    SAY(ITEM, "\x82\xa4text\xa1"                                                                   \
              "a\xa5index\0")
#define ITEM_B                                                                                     \
    SAY(ITEM, "\x82\xa4text\xa1"                                                                   \
              "b\xa5index\1")

enum { MOST_SAID = 4 };

typedef struct stream_case {
    said frames[MOST_SAID]; /* hangs up behind the last one, unless that is an answer */
    chains_status status;
    const char *words, *message;
} stream_case;

static const stream_case cases[] = {
    { { ITEM_A, ITEM_B, SAY(ANSWER, "\x03") }, CHAINS_OK, "a0 b1 ", NULL },
    { { SAY(ANSWER, "\x03") }, CHAINS_OK, "", NULL },
    { { ITEM_A, SAY(ANSWER, "nonsense", .status = CHAINS_NOT_FOUND) },
      CHAINS_NOT_FOUND,
      "a0 ",
      "status 5" },
    { { ITEM_A }, CHAINS_UNAVAILABLE, "a0 ", "it may have been running the call" },
    { { ITEM_A, SAY(ITEM, "\x05"), SAY(ANSWER, "\x03") }, CHAINS_INTERNAL, "a0 ", "words[1]" },
    { { SAY(ITEM, ""), SAY(ANSWER, "\x03") }, CHAINS_INTERNAL, "", "words[0]" },
    { { ITEM_A, SAY(ANSWER, "\xa1x") }, CHAINS_INTERNAL, "a0 ", "can't be read" },
    { { ITEM_A, SAY(NOT_STARTED, "") }, CHAINS_INTERNAL, "a0 ", "no answer to the call" },
    { { ITEM_A, SAY(CANCEL, "") }, CHAINS_INTERNAL, "a0 ", "no answer to the call" },
    { { ITEM_A, SAY(ITEM, "\xc0", .attached = true) },
      CHAINS_INTERNAL,
      "a0 ",
      "a descriptor that is no memfd was attached" },
};

static void send_with_descriptor(int fd, const void *data, size_t size, int attached)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof attached)] = { 0 };
    struct iovec part = { (void *)(uintptr_t)data, size };
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
    };
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof attached);
    memcpy(CMSG_DATA(rights), &attached, sizeof attached);
    assert_int_equal(sendmsg(fd, &message, MSG_NOSIGNAL), size);
}

static void say_all(stand_in *it, int connection, const chainsi_frame *call, const char *body)
{
    (void)body;
    const stream_case *of = it->user;
    bool answered = false;
    for (const said *each = of->frames; each < of->frames + MOST_SAID && each->kind; each++) {
        chainsi_frame frame = { .head = { .kind = (uint8_t)each->kind,
                                          .attachments = each->attached,
                                          .status = each->status,
                                          .id = call->head.id,
                                          .body_size = each->size } };
        char data[CHAINSI_FRAME_MAX_HEAD + 64];
        size_t size = chainsi_frame_write(&frame, data);
        memcpy(data + size, each->body, each->size);
        if (each->attached)
            send_with_descriptor(it->connections[connection].fd, data, size + each->size, it->wake);
        else
            stand_in_send(it, connection, data, size + each->size);
        answered = each->kind == CHAINSI_FRAME_ANSWER;
    }
    if (!answered)
        stand_in_close(it, connection);
}

typedef struct heard {
    char words[64];
} heard;

static chains_status hear(words *stream, word item)
{
    heard *it = stream->user;
    size_t size = strlen(it->words);
    snprintf(it->words + size, sizeof it->words - size, "%s%d ", item.text, item.index);
    return CHAINS_OK;
}

static void try_case(const stream_case *of, bool gathered)
{
    static const chains_depends_config options = { .retries = 2 };
    stand place;
    char address[96], why[256];
    open_stand(&place, false, 0);
    stand_in replica = { .shared_fd = place.shared_fd, .handle = say_all };
    replica.user = (void *)(uintptr_t)of;
    stand_in_start(&replica);
    chains_ctx *ctx = chains_open(NULL);
    ctx->process->generated = true;
    snprintf(address, sizeof address, "unix:%s", place.path);
    chainsi_callee *callee =
        chainsi_callee_new(ctx, &talker_interface, &options, NULL,
                           chainsi_remote_new(&talker_interface, address, why, sizeof why));
    heard all = { "" };
    words to = { .emit = hear, .user = &all };
    int32_t said_words = 99;
    const chainsi_stream stream = { .deliver = deliver_word, .user = &to };
    fixture_gathered = gathered;
    chains_status status =
        make_call(callee, ctx, &(talker_input){ .count = 1 }, (void *[]){ &said_words }, &stream);
    const char *message = chains_last_error(ctx) ? chains_last_error(ctx)->message : "";
    if (status != of->status || (of->message && !strstr(message, of->message)))
        fail_msg("case %td: %s (%s)", of - cases, chains_status_name(status), message);
    assert_string_equal(all.words, of->words);
    assert_int_equal(said_words, of->status == CHAINS_OK ? 3 : 99);
    chainsi_callee_done(callee);
    chains_close(ctx);
    stand_in_stop(&replica);
    assert_true(replica.last.head.flags & CHAINSI_FRAME_TAKES_ITEMS);
    /* What came after an item is not asked for again. */
    if (*of->words)
        assert_int_equal(replica.calls, 1);
    close_stand(&place);
}

static void what_ends_a_stream(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++)
        try_case(&cases[i / 2], i % 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(what_ends_a_stream) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
