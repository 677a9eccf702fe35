/* Rings: many writers, writers that are killed at any instant, and memory that anybody has written to. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/ring.h"

enum { WORDS = CHAINSI_RING_RECORD / 8, WRITERS = 4 };

/* What is written here: a writer's number and a count, and words that follow from them. */
typedef struct note {
    uint64_t writer, count, words[WORDS - 2];
} note;
_Static_assert(sizeof(note) == CHAINSI_RING_RECORD, "a whole record");

static note make_note(uint64_t writer, uint64_t count)
{
    note made = { writer, count, { 0 } };
    for (size_t i = 0; i < WORDS - 2; i++)
        made.words[i] = writer << 32 ^ count ^ i;
    return made;
}

static void assert_is_whole(const note *read, size_t size)
{
    assert_int_equal(size, sizeof *read);
    note expected = make_note(read->writer, read->count);
    assert_memory_equal(read, &expected, sizeof *read);
}

static chainsi_ring *open_new(int *fd)
{
    *fd = chainsi_ring_create();
    assert_true(*fd >= 0);
    chainsi_ring *ring = chainsi_ring_open(*fd);
    assert_non_null(ring);
    return ring;
}

static int64_t patience_ns(int rounds)
{
    return (rounds + 1) * CHAINSI_RING_PATIENCE_MS * CHAINSI_NS_PER_MS;
}

static void what_is_written_is_read_in_order(void **state)
{
    (void)state;
    int fd;
    chainsi_ring *ring = open_new(&fd);
    chainsi_ring_reader reader = { 0 };
    note read;
    chainsi_ring_begin(ring, &reader, 1);
    assert_int_equal(chainsi_ring_next(ring, &reader, &read), 0);
    for (uint64_t i = 0; i < 10; i++) {
        note written = make_note(1, i);
        assert_true(chainsi_ring_write(ring, &written, i ? sizeof written : 1));
    }
    assert_int_equal(chainsi_ring_next(ring, &reader, &read), 0); /* not of this round */
    chainsi_ring_begin(ring, &reader, 2);
    assert_int_equal(chainsi_ring_next(ring, &reader, &read), 1);
    for (uint64_t i = 1; i < 10; i++) {
        assert_is_whole(&read, chainsi_ring_next(ring, &reader, &read));
        assert_int_equal(read.count, i);
    }
    assert_int_equal(chainsi_ring_next(ring, &reader, &read), 0);
    assert_int_equal(reader.lost, 0);
    chainsi_ring_close(ring);
    close(fd);
}

static void what_is_oldest_is_written_over_and_counted(void **state)
{
    (void)state;
    int fd;
    chainsi_ring *ring = open_new(&fd);
    chainsi_ring_reader reader = { 0 };
    const uint64_t all = CHAINSI_RING_RECORDS * 2 + 7;
    for (uint64_t i = 0; i < all; i++) {
        note written = make_note(1, i);
        assert_true(chainsi_ring_write(ring, &written, sizeof written));
    }
    chainsi_ring_begin(ring, &reader, 1);
    for (uint64_t i = all - CHAINSI_RING_RECORDS; i < all; i++) {
        note read;
        assert_is_whole(&read, chainsi_ring_next(ring, &reader, &read));
        assert_int_equal(read.count, i);
    }
    assert_int_equal(reader.lost, all - CHAINSI_RING_RECORDS);
    chainsi_ring_close(ring);
    close(fd);
}

static void only_a_sealed_ring_is_one(void **state)
{
    (void)state;
    int fd = memfd_create("no-ring", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_null(chainsi_ring_open(fd));
    assert_null(chainsi_ring_open(-1));
    close(fd);
    chainsi_ring_close(NULL);
}

/* ------------------------------------------------------------------------------------------------
 * threads */

typedef struct writer {
    pthread_t thread;
    chainsi_ring *ring;
    uint64_t number, count, written;
} writer;

static void *write_notes(void *user)
{
    writer *it = user;
    for (uint64_t i = 0; i < it->count; i++) {
        note written = make_note(it->number, i);
        it->written += chainsi_ring_write(it->ring, &written, sizeof written);
    }
    return NULL;
}

static void threads_write_while_one_reads(void **state)
{
    (void)state;
    int fd;
    chainsi_ring *ring = open_new(&fd);
    chainsi_ring_reader reader = { 0 };
    writer writers[WRITERS];
    const uint64_t each = CHAINSI_RING_RECORDS * 3;
    for (uint64_t i = 0; i < WRITERS; i++) {
        writers[i] = (writer){ .ring = ring, .number = i, .count = each };
        pthread_create(&writers[i].thread, NULL, write_notes, &writers[i]);
    }
    uint64_t last[WRITERS] = { 0 }, got = 0;
    note read;
    size_t size;
    while (got + reader.lost < WRITERS * each) {
        chainsi_ring_begin(ring, &reader, chainsi_now_ns());
        while ((size = chainsi_ring_next(ring, &reader, &read))) {
            assert_is_whole(&read, size);
            assert_true(read.writer < WRITERS && read.count + 1 > last[read.writer]);
            last[read.writer] = read.count + 1;
            got++;
        }
    }
    for (uint64_t i = 0; i < WRITERS; i++)
        pthread_join(writers[i].thread, NULL);
    assert_true(got > 0);
    chainsi_ring_close(ring);
    close(fd);
}

/* ------------------------------------------------------------------------------------------------
 * processes */

/* Writes until it is killed; *begun tells that it does. */
static void write_for_ever(int fd, uint64_t number, atomic_int *begun)
{
    chainsi_ring *ring = chainsi_ring_open(fd);
    for (uint64_t i = 0; ring; i++) {
        note written = make_note(number, i);
        chainsi_ring_write(ring, &written, sizeof written);
        atomic_store(begun, 1);
    }
    _exit(1);
}

static void killed_writers_stop_nobody(void **state)
{
    (void)state;
    int fd;
    chainsi_ring *ring = open_new(&fd);
    chainsi_ring_reader reader = { 0 };
    atomic_int *begun =
        mmap(NULL, sizeof *begun, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(begun != MAP_FAILED);
    for (uint64_t round = 0; round < 40; round++) {
        atomic_store(begun, 0);
        pid_t child = fork();
        if (child == 0)
            write_for_ever(fd, round, begun);
        assert_true(child > 0);
        while (!atomic_load(begun))
            sched_yield();
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        /* What is whole is read; what isn't is passed over in the second round after its time. */
        note read;
        size_t size;
        for (int i = 0; i < 3; i++) {
            chainsi_ring_begin(ring, &reader, patience_ns((int)round * 3 + i));
            while ((size = chainsi_ring_next(ring, &reader, &read)))
                assert_is_whole(&read, size);
        }
        assert_int_equal(reader.next, reader.end);
        /* And places that it left half written are taken by others. */
        for (uint64_t i = 0; i < CHAINSI_RING_RECORDS; i++) {
            note written = make_note(100 + round, i);
            assert_true(chainsi_ring_write(ring, &written, sizeof written));
        }
    }
    munmap(begun, sizeof *begun);
    chainsi_ring_close(ring);
    close(fd);
}

static void a_half_written_place_is_passed_over_in_time(void **state)
{
    (void)state;
    int fd;
    chainsi_ring *ring = open_new(&fd);
    chainsi_ring_reader reader = { 0 };
    /* The number of a record that nobody ever writes, as by a writer that died at once. */
    uint64_t *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(memory != MAP_FAILED);
    memory[8]++;
    note written = make_note(1, 1), read;
    assert_true(chainsi_ring_write(ring, &written, sizeof written));
    chainsi_ring_begin(ring, &reader, patience_ns(1));
    assert_int_equal(chainsi_ring_next(ring, &reader, &read), 0);
    chainsi_ring_begin(ring, &reader, patience_ns(1) + 1); /* too soon */
    assert_int_equal(chainsi_ring_next(ring, &reader, &read), 0);
    chainsi_ring_begin(ring, &reader, patience_ns(2));
    assert_is_whole(&read, chainsi_ring_next(ring, &reader, &read));
    assert_int_equal(reader.lost, 1);
    munmap(memory, 4096);
    chainsi_ring_close(ring);
    close(fd);
}

/* ------------------------------------------------------------------------------------------------
 * hostile memory */

static void whatever_is_in_the_memory_reading_is_bounded(void **state)
{
    (void)state;
    int fd;
    chainsi_ring *ring = open_new(&fd);
    const size_t size = 4096 + (size_t)CHAINSI_RING_RECORDS * 640;
    uint8_t *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(memory != MAP_FAILED);
    chainsi_ring_reader reader = { 0 };
    uint64_t random = 88172645463325252u;
    for (int round = 0; round < 30; round++) {
        for (size_t i = 8; i + 8 <= size; i += 8) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            /* Some words fit by chance alone, some nearly do. */
            uint64_t word = round % 3 ? random : (random % 9000 + 1) << 24 | (random >> 50);
            memcpy(memory + i, &word, 8);
        }
        uint64_t end = round % 2 ? random : random % 9000;
        memcpy(memory + 64, &end, 8);
        chainsi_ring_begin(ring, &reader, patience_ns(round));
        uint64_t record[WORDS];
        size_t got, times = 0;
        while ((got = chainsi_ring_next(ring, &reader, record))) {
            assert_true(got <= CHAINSI_RING_RECORD);
            assert_true(++times <= CHAINSI_RING_RECORDS);
        }
        note written = make_note(1, 1);
        chainsi_ring_write(ring, &written, sizeof written); /* may be dropped, and ends */
    }
    munmap(memory, size);
    chainsi_ring_close(ring);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_in_order),
        cmocka_unit_test(what_is_oldest_is_written_over_and_counted),
        cmocka_unit_test(only_a_sealed_ring_is_one),
        cmocka_unit_test(threads_write_while_one_reads),
        cmocka_unit_test(killed_writers_stop_nobody),
        cmocka_unit_test(a_half_written_place_is_passed_over_in_time),
        cmocka_unit_test(whatever_is_in_the_memory_reading_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
