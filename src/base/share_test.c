/* Shared blocks: what others see and don't see of them, what is refused, and how many there may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/share.h"

enum { SIZE = CHAINSI_SHARE_LEAST };

/* What a process that was given the descriptor would see. */
static const uint8_t *look(const chainsi_share *share)
{
    const uint8_t *view = mmap(NULL, chainsi_share_size(share), PROT_READ, MAP_PRIVATE,
                               chainsi_share_descriptor(share), 0);
    assert_ptr_not_equal(view, MAP_FAILED);
    return view;
}

static void is_memory_until_it_is_sealed(void **state)
{
    (void)state;
    chainsi_share *share = chainsi_share_new(SIZE);
    uint8_t *data = chainsi_share_data(share);
    assert_true(chainsi_share_size(share) >= SIZE);
    assert_int_equal(fcntl(chainsi_share_descriptor(share), F_GETFD), FD_CLOEXEC);
    for (size_t i = 0; i < SIZE; i++)
        assert_int_equal(data[i], 0);
    memset(data, 'a', SIZE);
    assert_int_equal(fcntl(chainsi_share_descriptor(share), F_GET_SEALS), 0);

    size_t offset = 0;
    chainsi_share *found = chainsi_share_find(data + 100, SIZE - 100, &offset);
    assert_ptr_equal(found, share);
    assert_int_equal(offset, 100);
    assert_int_equal(fcntl(chainsi_share_descriptor(share), F_GET_SEALS),
                     F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    chainsi_share_unref(found);
    chainsi_share_unref(share);
    assert_int_equal(chainsi_share_count(), 0);
}

static void later_writes_are_seen_by_nobody_else(void **state)
{
    (void)state;
    size_t offset;
    chainsi_share *share = chainsi_share_new(SIZE);
    uint8_t *data = chainsi_share_data(share);
    memset(data, 'a', SIZE);
    chainsi_share_unref(chainsi_share_find(data, SIZE, &offset));
    const uint8_t *view = look(share);
    data[5000] = 'b';
    assert_int_equal(data[5000], 'b');
    assert_int_equal(data[5001], 'a');
    for (size_t i = 0; i < SIZE; i++)
        assert_int_equal(view[i], 'a');
    munmap((void *)(uintptr_t)view, chainsi_share_size(share));
    chainsi_share_unref(share);
}

static void what_was_written_to_is_not_given_again(void **state)
{
    (void)state;
    size_t offset;
    chainsi_share *share = chainsi_share_new(2 * SIZE);
    uint8_t *data = chainsi_share_data(share);
    memset(data, 'a', 2 * SIZE);
    for (int i = 0; i < 3; i++) {
        chainsi_share *found = chainsi_share_find(data, 2 * SIZE, &offset);
        assert_ptr_equal(found, share);
        chainsi_share_unref(found);
    }
    data[2 * SIZE - 1] = 'b';
    assert_null(chainsi_share_find(data, 2 * SIZE, &offset));
    assert_int_equal(data[2 * SIZE - 1], 'b');
    chainsi_share_unref(share);
}

static void memory_elsewhere_is_not_found(void **state)
{
    (void)state;
    size_t offset;
    chainsi_share *first = chainsi_share_new(SIZE), *second = chainsi_share_new(SIZE);
    char *plain = malloc(SIZE);
    assert_null(chainsi_share_find(plain, SIZE, &offset));
    uint8_t *data = chainsi_share_data(first);
    size_t size = chainsi_share_size(first);
    assert_null(chainsi_share_find(data, size + 1, &offset));
    assert_null(chainsi_share_find(data + 1, size, &offset));
    assert_null(chainsi_share_find(data - 1, SIZE, &offset));
    chainsi_share *whole = chainsi_share_find(data, size, &offset);
    assert_ptr_equal(whole, first);
    assert_int_equal(offset, 0);
    chainsi_share_unref(first);
    chainsi_share *other = chainsi_share_find(chainsi_share_data(second), SIZE, &offset);
    assert_ptr_equal(other, second);
    chainsi_share_unref(other);
    chainsi_share_unref(whole);
    chainsi_share_unref(second);
    free(plain);
}

static void a_copy_is_sealed_and_ends_with_zero(void **state)
{
    (void)state;
    const size_t huge = 2 * 1024 * 1024;
    char *plain = malloc(huge);
    memset(plain, 'x', huge);
    chainsi_share *share = chainsi_share_copy(plain, huge);
    assert_non_null(share);
    const char *data = chainsi_share_data(share);
    assert_memory_equal(data, plain, huge);
    assert_true(chainsi_share_size(share) > huge);
    assert_int_equal(data[huge], 0);
    assert_true(fcntl(chainsi_share_descriptor(share), F_GET_SEALS) & F_SEAL_WRITE);
    chainsi_share_unref(share);
    free(plain);
}

static void what_is_received_must_be_sealed(void **state)
{
    (void)state;
    static const int too_few[] = {
        0,
        F_SEAL_WRITE | F_SEAL_GROW,
        F_SEAL_WRITE | F_SEAL_SHRINK,
        F_SEAL_SHRINK | F_SEAL_GROW,
        F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | 0x10 /* F_SEAL_FUTURE_WRITE */,
    };
    const char *why = NULL;
    for (size_t i = 0; i < sizeof too_few / sizeof *too_few; i++) {
        int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        assert_int_equal(ftruncate(fd, SIZE), 0);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, too_few[i]), 0);
        assert_null(chainsi_share_receive(fd, &why));
        assert_string_equal(why, "a memfd that isn't sealed was attached");
        assert_int_equal(fcntl(fd, F_GETFD), -1);
    }
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    assert_null(chainsi_share_receive(pipes[0], &why));
    assert_string_equal(why, "a descriptor that is no memfd was attached");
    assert_int_equal(fcntl(pipes[0], F_GETFD), -1);
    close(pipes[1]);
    int empty = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(fcntl(empty, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW), 0);
    assert_null(chainsi_share_receive(empty, &why));
    assert_string_equal(why, "a memfd of an impossible size was attached");
    assert_int_equal(fcntl(empty, F_GETFD), -1);
    assert_int_equal(chainsi_share_count(), 0);
}

static void a_received_size_has_a_limit(void **state)
{
    (void)state;
    for (int past = 0; past < 2; past++) {
        const char *why = NULL;
        int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        assert_int_equal(ftruncate(fd, (off_t)CHAINSI_SHARE_MAX_SIZE + past), 0);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW), 0);
        chainsi_share *share = chainsi_share_receive(fd, &why);
        if (past) {
            assert_null(share);
            assert_string_equal(why, "a memfd of an impossible size was attached");
        } else if (!share) { /* where address space is scarce */
            assert_string_equal(why, "an attached memfd can't be mapped");
        }
        chainsi_share_unref(share);
    }
}

static void what_is_received_is_ours_alone_and_goes_on(void **state)
{
    (void)state;
    const char *why = NULL;
    size_t offset;
    for (size_t size = 5000; size < 8 * 1024 * 1024; size *= 40) {
        chainsi_share *sent = chainsi_share_new(size);
        uint8_t *data = chainsi_share_data(sent);
        memset(data, 'a', size);
        chainsi_share_unref(chainsi_share_find(data, size, &offset));
        chainsi_share *share = chainsi_share_receive(dup(chainsi_share_descriptor(sent)), &why);
        assert_non_null(share);
        uint8_t *received = chainsi_share_data(share);
        assert_memory_equal(received, data, size);
        chainsi_share *again = chainsi_share_find(received, size, &offset);
        assert_ptr_equal(again, share);
        chainsi_share_unref(again);
        received[size / 2] = 'b';
        assert_int_equal(data[size / 2], 'a');
        assert_null(chainsi_share_find(received, size, &offset));
        chainsi_share_unref(share);
        chainsi_share_unref(sent);
    }
}

static void a_small_memfd_of_others_is_taken(void **state)
{
    (void)state;
    const char *why = NULL;
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(write(fd, "hello", 5), 5);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW), 0);
    chainsi_share *share = chainsi_share_receive(fd, &why);
    assert_non_null(share);
    assert_int_equal(chainsi_share_size(share), 5);
    assert_memory_equal(chainsi_share_data(share), "hello", 5);
    chainsi_share_unref(share);
}

/* Runs a check in a process of its own; it ends with _exit. */
static void in_child(void (*check)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        check();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition))                                                                          \
            _exit(__LINE__ & 127 ? __LINE__ & 127 : 1);                                            \
    } while (0)

static void use_up_blocks(void)
{
    /* Before the first block: the limit is read once. An eighth of 160 is 20. */
    struct rlimit limit = { 160, 160 };
    EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    chainsi_share *shares[20];
    for (int i = 0; i < 20; i++) {
        shares[i] = chainsi_share_new(SIZE);
        EXPECT(shares[i]);
    }
    EXPECT(!chainsi_share_new(SIZE));
    chainsi_arena arena = { 0 };
    chainsi_share_enable();
    char *plain = chainsi_arena_alloc_sendable(&arena, SIZE);
    plain[SIZE - 1] = 1;
    size_t offset;
    EXPECT(!chainsi_share_find(plain, SIZE, &offset));
    chainsi_arena_done(&arena);

    /* What comes is taken, without keeping its descriptor. */
    const char *why;
    EXPECT(chainsi_share_find(chainsi_share_data(shares[0]), SIZE, &offset) == shares[0]);
    chainsi_share *received = chainsi_share_receive(dup(chainsi_share_descriptor(shares[0])), &why);
    EXPECT(received && chainsi_share_descriptor(received) == -1);
    EXPECT(!chainsi_share_find(chainsi_share_data(received), SIZE, &offset));
    EXPECT(chainsi_share_count() == 20);
    chainsi_share_unref(received);
    chainsi_share_unref(shares[0]);
    chainsi_share_unref(shares[0]);
    EXPECT(chainsi_share_new(SIZE));
}

static void there_are_so_many_and_no_more(void **state)
{
    (void)state;
    in_child(use_up_blocks);
}

static void a_forked_child_has_memory_of_its_own(void **state)
{
    (void)state;
    size_t offset;
    int pipes[2], ready[2];
    char byte;
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(pipe(ready), 0);
    chainsi_share *share = chainsi_share_new(SIZE);
    uint8_t *data = chainsi_share_data(share);
    memset(data, 'a', SIZE);
    pid_t child = fork();
    if (child == 0) {
        EXPECT(data[100] == 'a');
        data[100] = 'b';
        EXPECT(data[100] == 'b' && data[101] == 'a');
        EXPECT(!chainsi_share_find(data, SIZE, &offset));
        close(pipes[1]);
        EXPECT(write(ready[1], "r", 1) == 1);
        EXPECT(read(pipes[0], &byte, 1) == 0); /* lives while the parent seals */
        _exit(0);
    }
    close(pipes[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    chainsi_share *found = chainsi_share_find(data, SIZE, &offset);
    assert_ptr_equal(found, share);
    assert_int_equal(data[100], 'a');
    close(pipes[1]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    chainsi_share_unref(found);
    chainsi_share_unref(share);
}

static void what_cannot_be_sealed_is_copied(void **state)
{
    (void)state;
    size_t offset;
    chainsi_share *share = chainsi_share_new(SIZE);
    uint8_t *data = chainsi_share_data(share);
    memset(data, 'a', SIZE);
    /* Somebody else can still write to it. */
    void *other =
        mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, chainsi_share_descriptor(share), 0);
    assert_ptr_not_equal(other, MAP_FAILED);
    assert_null(chainsi_share_find(data, SIZE, &offset));
    assert_int_equal(data[SIZE - 1], 'a');
    munmap(other, SIZE);
    assert_null(chainsi_share_find(data, SIZE, &offset));
    chainsi_share_unref(share);
}

static void *make_and_find(void *user)
{
    const uint8_t *common = user;
    size_t offset;
    for (int i = 0; i < 50; i++) {
        chainsi_share *share = chainsi_share_new(SIZE);
        uint8_t *data = chainsi_share_data(share);
        data[SIZE - 1] = (uint8_t)i;
        chainsi_share *found = chainsi_share_find(data, SIZE, &offset);
        chainsi_share *shared = chainsi_share_find(common, SIZE, &offset);
        if (found != share || !shared || data[SIZE - 1] != (uint8_t)i || common[7] != 'c')
            return "wrong";
        chainsi_share_unref(shared);
        chainsi_share_unref(found);
        chainsi_share_unref(share);
    }
    return NULL;
}

static void threads_do_not_meet(void **state)
{
    (void)state;
    chainsi_share *common = chainsi_share_new(SIZE);
    memset(chainsi_share_data(common), 'c', SIZE);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, make_and_find, chainsi_share_data(common));
    for (int i = 0; i < 4; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    assert_int_equal(chainsi_share_count(), 1);
    chainsi_share_unref(common);
}

static void arenas_own_blocks(void **state)
{
    (void)state;
    chainsi_arena arena = { 0 }, other = { 0 }, lent = { 0 };
    assert_false(chainsi_share_wants(SIZE));
    chainsi_arena_alloc_sendable(&arena, SIZE);
    assert_int_equal(chainsi_share_count(), 0);
    chainsi_share_enable();
    assert_true(chainsi_share_wants(SIZE));
    assert_false(chainsi_share_wants(SIZE - 1));

    chainsi_arena_alloc_sendable(&arena, SIZE - 1);
    assert_int_equal(chainsi_share_count(), 0);
    char *data = chainsi_arena_alloc_sendable(&arena, SIZE);
    assert_int_equal(chainsi_share_count(), 1);
    assert_true(chainsi_arena_footprint(&arena) >= 3 * (size_t)SIZE - 1);
    chainsi_arena_reset(&arena);
    assert_int_equal(chainsi_share_count(), 0);

    /* Into one that is empty, and into one that is not. */
    data = chainsi_arena_alloc_sendable_raw(&arena, SIZE);
    data[0] = 'a';
    chainsi_arena_adopt(&other, &arena);
    chainsi_arena_done(&arena);
    assert_int_equal(data[0], 'a');
    char *more = chainsi_arena_alloc_sendable_raw(&arena, SIZE);
    more[0] = 'b';
    chainsi_arena_adopt(&other, &arena);
    chainsi_arena_done(&arena);
    assert_int_equal(data[0], 'a');
    assert_int_equal(more[0], 'b');
    assert_int_equal(chainsi_share_count(), 2);
    chainsi_arena_done(&other);
    assert_int_equal(chainsi_share_count(), 0);

    char *memory = aligned_alloc(16, 2 * SIZE);
    chainsi_arena_lend(&lent, memory, 2 * SIZE);
    assert_ptr_equal(chainsi_arena_alloc_sendable(&lent, SIZE), memory);
    chainsi_arena_done(&lent);
    free(memory);
}

int main(void)
{
    /* Starts a process, so it is first: afterwards the limit is read. */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_are_so_many_and_no_more),
        cmocka_unit_test(is_memory_until_it_is_sealed),
        cmocka_unit_test(later_writes_are_seen_by_nobody_else),
        cmocka_unit_test(what_was_written_to_is_not_given_again),
        cmocka_unit_test(memory_elsewhere_is_not_found),
        cmocka_unit_test(a_copy_is_sealed_and_ends_with_zero),
        cmocka_unit_test(what_is_received_must_be_sealed),
        cmocka_unit_test(a_received_size_has_a_limit),
        cmocka_unit_test(what_is_received_is_ours_alone_and_goes_on),
        cmocka_unit_test(a_small_memfd_of_others_is_taken),
        cmocka_unit_test(a_forked_child_has_memory_of_its_own),
        cmocka_unit_test(what_cannot_be_sealed_is_copied),
        cmocka_unit_test(threads_do_not_meet),
        cmocka_unit_test(arenas_own_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
