/* Values that travel beside their message: through a real socket to another process and back, what is
 * shared and what is copied, and references that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "schema/msgpack.h"
#include "schema/msgpack_scan.h"

enum { LARGE = CHAINSI_SHARE_LEAST, COPIED = CHAINSI_SHARE_LEAST_COPY, MOST_BODY = 4096 };

typedef struct parts {
    chains_bytes bytes;
    const char *text;
    chains_tensor tensor;
    int32_t number;
} parts;

static const chainsi_field part_fields[] = {
    { CHAINSI_FIELD(parts, bytes, &chainsi_type_bytes) },
    { CHAINSI_FIELD(parts, text, &chainsi_type_string) },
    { CHAINSI_FIELD(parts, tensor, &chainsi_type_tensor) },
    { CHAINSI_FIELD(parts, number, &chainsi_type_int32) },
};
static const chainsi_type parts_type = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(parts),
    .fields = part_fields,
    .field_count = sizeof part_fields / sizeof *part_fields,
};
static const chainsi_type bytes_list_type = {
    .kind = CHAINSI_LIST,
    .size = sizeof(chains_bytes_list),
    .item = &chainsi_type_bytes,
};
typedef struct text_entry {
    const char *key;
    const char *value;
} text_entry;
static const chainsi_type text_map_type = {
    .kind = CHAINSI_MAP,
    .size = 2 * sizeof(size_t),
    .item = &chainsi_type_string,
    .entry_size = sizeof(text_entry),
    .value_offset = offsetof(text_entry, value),
};

static chainsi_arena arena;
static chainsi_buffer body;
static chainsi_attachments attachments;

static int begin(void **state)
{
    (void)state;
    chainsi_share_enable();
    return 0;
}

static int end(void **state)
{
    (void)state;
    chainsi_arena_done(&arena);
    chainsi_buffer_done(&body);
    chainsi_attachments_done(&attachments);
    return chainsi_share_count() == 0 ? 0 : -1;
}

static char *fill(char byte, size_t size)
{
    return memset(chainsi_arena_alloc_sendable_raw(&arena, size), byte, size);
}

static char *fill_text(char byte, size_t size)
{
    char *text = chainsi_arena_alloc_sendable(&arena, size + 1);
    memset(text, byte, size);
    return text;
}

/* --------------------------------------------------------------------------------------------
 * between processes */

static bool send_message(int fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * CHAINSI_MAX_ATTACHMENTS)];
        struct cmsghdr aligned;
    } control = { 0 };
    int descriptors[CHAINSI_MAX_ATTACHMENTS];
    unsigned count = chainsi_attachments_descriptors(&attachments, descriptors);
    struct iovec data = { body.data, body.size };
    struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };
    if (count) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(head), descriptors, count * sizeof(int));
    }
    return sendmsg(fd, &message, 0) == (ssize_t)body.size;
}

/* Into body and attachments, which are empty. */
static bool receive_message(int fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int) * CHAINSI_MAX_ATTACHMENTS)];
        struct cmsghdr aligned;
    } control;
    int descriptors[CHAINSI_MAX_ATTACHMENTS];
    unsigned count = 0;
    struct iovec data = { chainsi_buffer_reserve(&body, MOST_BODY), MOST_BODY };
    struct msghdr message = {
        .msg_iov = &data,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control,
    };
    ssize_t size = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    if (size <= 0 || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
        return false;
    body.size = (size_t)size;
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (head) {
        count = (unsigned)((head->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(descriptors, CMSG_DATA(head), count * sizeof(int));
    }
    const char *why;
    return chainsi_attachments_receive(&attachments, descriptors, count, UINT64_MAX, &why);
}

static void forget_message(void)
{
    body.size = 0;
    chainsi_attachments_done(&attachments);
}

/* Another process: decodes, looks, breaks the rules by writing, and hands back what it got. */
static int answer(int fd)
{
    parts value;
    if (!receive_message(fd) ||
        chainsi_msgpack_decode_shared(&parts_type, body.data, body.size, &attachments, &arena,
                                      &value, NULL) != CHAINS_OK)
        return 1;
    const char *bytes = value.bytes.data;
    for (size_t i = 0; i < value.bytes.size; i++)
        if (bytes[i] != 'b')
            return 2;
    if (strlen(value.text) != LARGE || strspn(value.text, "t") != LARGE)
        return 3;
    const double *numbers = value.tensor.data;
    for (size_t i = 0; i < LARGE / 4; i++)
        if (numbers[i] < 0.5 || numbers[i] > 0.5)
            return 4;
    chainsi_buffer_done(&body);
    chainsi_attachments_done(&attachments);
    ((char *)(uintptr_t)value.bytes.data)[1] = 'X';
    value.number++;
    if (chainsi_msgpack_encode_shared(&parts_type, &value, &body, &attachments, NULL) != CHAINS_OK)
        return 5;
    /* The two that weren't written to go on as they came. */
    if (attachments.shared != (size_t)LARGE * 3 || attachments.copied != COPIED)
        return 6;
    return send_message(fd) ? 0 : 7;
}

static void values_cross_and_come_back(void **state)
{
    (void)state;
    int sockets[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(answer(sockets[1]));
    close(sockets[1]);
    double *numbers = chainsi_arena_alloc_sendable(&arena, LARGE * 2);
    for (size_t i = 0; i < LARGE / 4; i++)
        numbers[i] = 0.5;
    const int64_t shape[] = { LARGE / 4 };
    char *bytes = fill('b', COPIED), *text = fill_text('t', LARGE);
    parts value = {
        .bytes = { bytes, COPIED },
        .text = text,
        .tensor = { CHAINS_FLOAT64, shape, 1, numbers },
        .number = 1,
    };
    assert_int_equal(chainsi_msgpack_encode_shared(&parts_type, &value, &body, &attachments, NULL),
                     CHAINS_OK);
    assert_true(body.size < 200);
    assert_int_equal(attachments.count, 3);
    assert_int_equal(attachments.shared, (size_t)LARGE * 3 + COPIED);
    assert_int_equal(attachments.copied, 0);
    bytes[0] = text[0] = 'Y'; /* too late to be seen there */
    numbers[0] = 1;
    assert_true(send_message(sockets[0]));
    forget_message();

    assert_true(receive_message(sockets[0]));
    parts back;
    assert_int_equal(chainsi_msgpack_decode_shared(&parts_type, body.data, body.size, &attachments,
                                                   &arena, &back, NULL),
                     CHAINS_OK);
    assert_int_equal(back.number, 2);
    assert_int_equal(back.bytes.size, COPIED);
    const char *changed = back.bytes.data;
    for (size_t i = 0; i < COPIED; i++)
        assert_int_equal(changed[i], i == 1 ? 'X' : 'b');
    assert_int_equal(strlen(back.text), LARGE);
    assert_int_equal(back.text[0], 't');
    assert_true(*(const double *)back.tensor.data < 1);
    assert_int_equal(bytes[1], 'b');
    close(sockets[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* --------------------------------------------------------------------------------------------
 * what is shared */

static void encode_bytes(const void *data, size_t size)
{
    chains_bytes bytes = { data, size };
    forget_message();
    assert_int_equal(
        chainsi_msgpack_encode_shared(&chainsi_type_bytes, &bytes, &body, &attachments, NULL),
        CHAINS_OK);
}

static void sizes_decide(void **state)
{
    (void)state;
    char *data = fill('a', COPIED + 1), *plain = calloc(1, COPIED);
    encode_bytes(data, LARGE);
    assert_int_equal(attachments.count, 1);
    encode_bytes(data, LARGE - 1);
    assert_int_equal(attachments.count, 0);
    assert_int_equal(body.size, LARGE - 1 + 5);
    encode_bytes(plain, COPIED - 1);
    assert_int_equal(attachments.count, 0);
    encode_bytes(plain, COPIED);
    assert_int_equal(attachments.count, 1);
    assert_int_equal(attachments.copied, COPIED);
    assert_int_equal(attachments.shared, 0);
    free(plain);
}

static void values_that_find_no_place_lie_in_the_body(void **state)
{
    (void)state;
    chains_bytes items[CHAINSI_MAX_ATTACHMENTS + 1];
    for (size_t i = 0; i <= CHAINSI_MAX_ATTACHMENTS; i++)
        items[i] = (chains_bytes){ fill((char)('a' + i), LARGE), LARGE };
    for (size_t count = CHAINSI_MAX_ATTACHMENTS; count <= CHAINSI_MAX_ATTACHMENTS + 1; count++) {
        forget_message();
        chains_bytes_list list = { items, count }, back;
        assert_int_equal(
            chainsi_msgpack_encode_shared(&bytes_list_type, &list, &body, &attachments, NULL),
            CHAINS_OK);
        assert_int_equal(attachments.count, CHAINSI_MAX_ATTACHMENTS);
        assert_int_equal(body.size > LARGE, count > CHAINSI_MAX_ATTACHMENTS);
        attachments.may_name = UINT64_MAX;
        assert_int_equal(chainsi_msgpack_decode_shared(&bytes_list_type, body.data, body.size,
                                                       &attachments, &arena, &back, NULL),
                         CHAINS_OK);
        assert_int_equal(back.count, count);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(back.items[i].size, LARGE);
            assert_memory_equal(back.items[i].data, items[i].data, LARGE);
        }
    }
}

static void values_of_one_block_share_it(void **state)
{
    (void)state;
    char *data = fill('a', (size_t)LARGE * 2);
    chains_bytes items[] = { { data, LARGE }, { data + LARGE, LARGE }, { data, LARGE * 2 } };
    chains_bytes_list list = { items, 3 };
    assert_int_equal(
        chainsi_msgpack_encode_shared(&bytes_list_type, &list, &body, &attachments, NULL),
        CHAINS_OK);
    assert_int_equal(attachments.count, 1);
    assert_int_equal(attachments.shared, (size_t)LARGE * 4);
}

static void a_failure_leaves_nothing(void **state)
{
    (void)state;
    char *text = fill_text('t', LARGE);
    parts value = {
        .bytes = { fill('b', LARGE), LARGE },
        .text = text,
        .tensor = { .dtype = (chains_dtype)99 },
    };
    chainsi_codec_error why;
    assert_int_equal(chainsi_msgpack_encode_shared(&parts_type, &value, &body, &attachments, &why),
                     CHAINS_INVALID_ARGUMENT);
    assert_string_equal(why.path, "tensor");
    assert_int_equal(attachments.count, 0);
    assert_int_equal(body.size, 0);
    text[LARGE - 1] = (char)0xff;
    assert_int_equal(chainsi_msgpack_encode_shared(&parts_type, &value, &body, &attachments, &why),
                     CHAINS_INVALID_ARGUMENT);
    assert_string_equal(why.path, "text");
}

static void names_lie_in_the_body(void **state)
{
    (void)state;
    text_entry entry = { fill_text('k', LARGE), fill_text('v', LARGE) };
    struct {
        text_entry *items;
        size_t count;
    } map = { &entry, 1 };
    assert_int_equal(chainsi_msgpack_encode_shared(&text_map_type, &map, &body, &attachments, NULL),
                     CHAINS_OK);
    assert_int_equal(attachments.count, 1);
    assert_true(body.size > LARGE && body.size < LARGE + 100);
}

/* --------------------------------------------------------------------------------------------
 * references that lie */

/* Attaches one sealed memfd that holds data. */
static void attach(const void *data, size_t size, uint64_t may_name)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(write(fd, data, size), size);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW), 0);
    const char *why;
    forget_message();
    assert_true(chainsi_attachments_receive(&attachments, &fd, 1, may_name, &why));
}

static void add_reference(uint32_t index, uint32_t size, uint64_t offset)
{
    uint8_t bytes[] = { 0xd8,
                        0x43,
                        (uint8_t)(index >> 24),
                        (uint8_t)(index >> 16),
                        (uint8_t)(index >> 8),
                        (uint8_t)index,
                        (uint8_t)(size >> 24),
                        (uint8_t)(size >> 16),
                        (uint8_t)(size >> 8),
                        (uint8_t)size,
                        (uint8_t)(offset >> 56),
                        (uint8_t)(offset >> 48),
                        (uint8_t)(offset >> 40),
                        (uint8_t)(offset >> 32),
                        (uint8_t)(offset >> 24),
                        (uint8_t)(offset >> 16),
                        (uint8_t)(offset >> 8),
                        (uint8_t)offset };
    chainsi_buffer_add(&body, bytes, sizeof bytes);
}

/* NULL: it was decoded. */
static const char *decode(const chainsi_type *type, void *value)
{
    static chainsi_codec_error why;
    return chainsi_msgpack_decode_shared(type, body.data, body.size, &attachments, &arena, value,
                                         &why) == CHAINS_OK
               ? NULL
               : why.message;
}

static const char *decode_bytes(uint32_t index, uint32_t size, uint64_t offset)
{
    chains_bytes bytes;
    body.size = 0;
    add_reference(index, size, offset);
    return decode(&chainsi_type_bytes, &bytes);
}

static const char *decode_text(uint32_t size, uint64_t offset)
{
    const char *text;
    body.size = 0;
    add_reference(0, size, offset);
    const char *wrong = decode(&chainsi_type_string, &text);
    if (!wrong)
        assert_int_equal(strlen(text), size);
    return wrong;
}

static void references_stay_inside(void **state)
{
    (void)state;
    attach("0123456789", 10, UINT64_MAX);
    const char *beyond = "expected bytes, found a reference beyond the end of its attachment";
    assert_null(decode_bytes(0, 10, 0));
    assert_null(decode_bytes(0, 0, 10));
    assert_null(decode_bytes(0, 1, 9));
    assert_string_equal(decode_bytes(0, 11, 0), beyond);
    assert_string_equal(decode_bytes(0, 2, 9), beyond);
    assert_string_equal(decode_bytes(0, 0, 11), beyond);
    assert_string_equal(decode_bytes(0, 2, UINT64_MAX), beyond);
    assert_string_equal(decode_bytes(0, UINT32_MAX, UINT64_MAX - 2), beyond);
    assert_string_equal(decode_bytes(1, 1, 0),
                        "expected bytes, found a reference to an attachment that isn't there");
    assert_string_equal(decode_bytes(UINT32_MAX, 1, 0),
                        "expected bytes, found a reference to an attachment that isn't there");
}

static void attached_text_is_text(void **state)
{
    (void)state;
    attach("abc\0de\xff\0\xc3\xa4", 10, UINT64_MAX);
    assert_null(decode_text(3, 0));
    assert_null(decode_text(0, 3));
    assert_string_equal(decode_text(2, 0),
                        "expected a string, found a reference to a string without a NUL behind it");
    assert_string_equal(decode_text(7, 0), "expected a string in valid UTF-8, found another byte "
                                           "at 6 of an attached one");
    assert_string_equal(decode_text(3, 4), "expected a string in valid UTF-8, found another byte "
                                           "at 2 of an attached one");
    /* Its NUL would lie behind the end. */
    assert_string_equal(decode_text(2, 8),
                        "expected a string, found a reference beyond the end of its attachment");
    attach("a\0b\0", 4, UINT64_MAX);
    assert_string_equal(decode_text(3, 0),
                        "expected text without U+0000, found it in an attached one of 3 bytes");
    attach("\xc3\xa4", 3, UINT64_MAX);
    assert_null(decode_text(2, 0));
}

static void references_name_no_more_than_a_message_may_have(void **state)
{
    (void)state;
    chains_bytes_list list;
    for (uint64_t may_name = 19; may_name <= 20; may_name++) {
        attach("0123456789", 10, may_name);
        chainsi_buffer_add_byte(&body, 0x92);
        add_reference(0, 10, 0);
        add_reference(0, 10, 0);
        const char *wrong = decode(&bytes_list_type, &list);
        if (may_name == 20)
            assert_null(wrong);
        else
            assert_string_equal(
                wrong, "expected bytes, found references to more bytes than a message may have");
    }
}

static void references_have_their_places(void **state)
{
    (void)state;
    int32_t number;
    chains_json json;
    chains_bytes bytes;
    struct {
        void *items;
        size_t count;
    } map;
    attach("abc", 4, UINT64_MAX);
    add_reference(0, 3, 0);
    assert_string_equal(decode(&chainsi_type_int32, &number),
                        "expected an integer from -2147483648 to 2147483647, found an extension");
    assert_non_null(decode(&chainsi_type_json, &json));
    for (size_t size = 1; size < MSGPACK_REFERENCE_SIZE; size++) {
        body.size = size;
        assert_non_null(decode(&chainsi_type_bytes, &bytes));
    }
    body.size = 0;
    chainsi_buffer_add_byte(&body, 0x81);
    add_reference(0, 3, 0);
    add_reference(0, 3, 0);
    assert_string_equal(decode(&text_map_type, &map), "expected a string, found an extension");
    /* Other extensions are nothing to us. */
    body.size = 0;
    add_reference(0, 3, 0);
    body.data[1] = 0x44;
    assert_string_equal(decode(&chainsi_type_bytes, &bytes), "expected bytes, found an extension");
    /* Nor are references where nothing can be attached. */
    body.data[1] = 0x43;
    chainsi_codec_error why;
    assert_int_equal(chainsi_msgpack_decode_in_place(&chainsi_type_bytes, body.data, body.size,
                                                     &arena, &bytes, &why),
                     CHAINS_INVALID_ARGUMENT);
}

static void tensors_are_aligned(void **state)
{
    (void)state;
    static const char head[] = "\x84\xc4\x02nd\xc3\xc4\x04type\xa3<f8\xc4\x05shape\x91\x01\xc4\x04"
                               "data";
    static const char data[] = "\0\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\xf0\x3f";
    chains_tensor tensor;
    for (uint64_t offset = 1; offset <= 9; offset += 8) {
        attach(data, sizeof data - 1, UINT64_MAX);
        chainsi_buffer_add(&body, head, sizeof head - 1);
        add_reference(0, 8, offset);
        assert_null(decode(&chainsi_type_tensor, &tensor));
        assert_int_equal((uintptr_t)tensor.data % 8, 0);
        assert_true(*(const double *)tensor.data > 0.9);
    }
    /* As many bytes as its shape needs. */
    body.size -= MSGPACK_REFERENCE_SIZE;
    add_reference(0, 7, 9);
    assert_string_equal(decode(&chainsi_type_tensor, &tensor),
                        "expected 8 bytes of data for the tensor's shape, found 7");
}

static void too_many_are_refused_and_closed(void **state)
{
    (void)state;
    const char *why = NULL;
    int descriptors[CHAINSI_MAX_ATTACHMENTS + 1];
    for (unsigned count = CHAINSI_MAX_ATTACHMENTS; count <= CHAINSI_MAX_ATTACHMENTS + 1; count++) {
        for (unsigned i = 0; i < count; i++) {
            descriptors[i] = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
            assert_int_equal(ftruncate(descriptors[i], 1), 0);
            assert_int_equal(
                fcntl(descriptors[i], F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW), 0);
        }
        bool taken = chainsi_attachments_receive(&attachments, descriptors, count, 1, &why);
        assert_int_equal(taken, count == CHAINSI_MAX_ATTACHMENTS);
        chainsi_attachments_done(&attachments);
        for (unsigned i = 0; i < count; i++)
            assert_int_equal(fcntl(descriptors[i], F_GETFD), -1);
    }
    assert_string_equal(why, "more memfds than a message may have were attached");
    /* One that isn't right among others. */
    for (int i = 0; i < 3; i++) {
        descriptors[i] = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        assert_int_equal(ftruncate(descriptors[i], 1), 0);
        if (i != 1)
            assert_int_equal(
                fcntl(descriptors[i], F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW), 0);
    }
    assert_false(chainsi_attachments_receive(&attachments, descriptors, 3, 1, &why));
    assert_string_equal(why, "a memfd that isn't sealed was attached");
    assert_int_equal(attachments.count, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(fcntl(descriptors[i], F_GETFD), -1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(values_cross_and_come_back),
        TEST(sizes_decide),
        TEST(values_that_find_no_place_lie_in_the_body),
        TEST(values_of_one_block_share_it),
        TEST(a_failure_leaves_nothing),
        TEST(names_lie_in_the_body),
        TEST(references_stay_inside),
        TEST(attached_text_is_text),
        TEST(references_name_no_more_than_a_message_may_have),
        TEST(references_have_their_places),
        TEST(tensors_are_aligned),
        TEST(too_many_are_refused_and_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
