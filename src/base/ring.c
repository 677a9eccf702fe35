/* The ring's memory and its protocol.
 *
 * A place's word has the number of its record, plus 1, in the upper 40 bits (0: never used); then 23 bits:
 * of a whole record its size, else the writer's process; and lowest whether it is being written. Data is
 * written between two changes of the word, by release stores, and read by acquire loads between two
 * looks at the word: a reader that has seen anything of a later record sees the word changed. */
#include "base/ring.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sealed.h"

enum {
    DATA_WORDS = CHAINSI_RING_RECORD / 8,
    NUMBER_SHIFT = 24,
    MOST_ATTEMPTS = 8, /* to take a place that others take meanwhile */
};
#define NUMBER_MASK ((UINT64_C(1) << (64 - NUMBER_SHIFT)) - 1)

static const uint64_t magic = UINT64_C(0x31676e6952636843);

typedef struct place {
    _Atomic uint64_t word;
    _Atomic uint64_t data[DATA_WORDS];
} place;
_Static_assert(sizeof(place) == 640, "a place is ten lines");

typedef struct memory {
    uint64_t magic;
    char padding[64 - 8];
    _Atomic uint64_t end; /* records that were begun */
    char more_padding[64 - 8];
    _Atomic uint64_t marked; /* records that were read */
    char last_padding[4096 - 128 - 8];
    place places[CHAINSI_RING_RECORDS];
} memory;

struct chainsi_ring {
    memory *memory; /* mapped */
    uint64_t process;
};

int chainsi_ring_create(void)
{
    return chainsi_sealed_create("chains-ring", sizeof(memory), &magic, sizeof magic);
}

chainsi_ring *chainsi_ring_open(int fd)
{
    chainsi_ring *ring = calloc(1, sizeof *ring);
    memory *mapped = ring ? chainsi_sealed_map(fd, sizeof *mapped, magic) : NULL;
    if (!mapped) {
        free(ring);
        return NULL;
    }
    *ring = (chainsi_ring){ .memory = mapped, .process = (uint64_t)getpid() };
    return ring;
}

void chainsi_ring_close(chainsi_ring *ring)
{
    if (!ring)
        return;
    munmap(ring->memory, sizeof *ring->memory);
    free(ring);
}

static uint64_t make_word(uint64_t number, uint64_t what, bool busy)
{
    return ((number + 1) & NUMBER_MASK) << NUMBER_SHIFT | what << 1 | busy;
}

static bool is_busy(uint64_t word)
{
    return word & 1;
}

static uint64_t what_of(uint64_t word)
{
    return word >> 1 & ((UINT64_C(1) << (NUMBER_SHIFT - 1)) - 1);
}

/* How many records later than `number` the one of the word is, modulo 2^40; negative: earlier, or never
 * used. */
static int64_t later_by(uint64_t word, uint64_t number)
{
    const uint64_t difference = (word >> NUMBER_SHIFT) - (number + 1);
    return (int64_t)(difference << NUMBER_SHIFT) >> NUMBER_SHIFT;
}

/* Whether the process that writes there has ended. */
static bool is_abandoned(uint64_t word)
{
    return kill((pid_t)what_of(word), 0) != 0 && errno == ESRCH;
}

static bool take_place(place *at, uint64_t number, uint64_t process)
{
    uint64_t seen = atomic_load_explicit(&at->word, memory_order_relaxed);
    for (int i = 0; i < MOST_ATTEMPTS; i++) {
        if ((seen && later_by(seen, number) > 0) || (is_busy(seen) && !is_abandoned(seen)))
            return false;
        if (atomic_compare_exchange_weak_explicit(&at->word, &seen,
                                                  make_word(number, process, true),
                                                  memory_order_acq_rel, memory_order_relaxed))
            return true;
    }
    return false;
}

bool chainsi_ring_write(chainsi_ring *ring, const void *record, size_t size)
{
    assert(size <= CHAINSI_RING_RECORD);
    const uint64_t number = atomic_fetch_add_explicit(&ring->memory->end, 1, memory_order_relaxed);
    place *at = &ring->memory->places[number % CHAINSI_RING_RECORDS];
    if (!take_place(at, number, ring->process))
        return false; /* the reader misses this number */
    const uint64_t *words = record;
    for (size_t i = 0; i < (size + 7) / 8; i++)
        atomic_store_explicit(&at->data[i], words[i], memory_order_release);
    atomic_store_explicit(&at->word, make_word(number, size, false), memory_order_release);
    return true;
}

void chainsi_ring_start(const chainsi_ring *ring, chainsi_ring_reader *reader)
{
    const uint64_t end = atomic_load_explicit(&ring->memory->end, memory_order_acquire);
    *reader = (chainsi_ring_reader){
        .next = end > CHAINSI_RING_RECORDS ? end - CHAINSI_RING_RECORDS : 0,
    };
}

void chainsi_ring_mark(chainsi_ring *ring, const chainsi_ring_reader *reader)
{
    atomic_store_explicit(&ring->memory->marked, reader->next, memory_order_relaxed);
}

uint64_t chainsi_ring_marked(const chainsi_ring *ring)
{
    return atomic_load_explicit(&ring->memory->marked, memory_order_relaxed);
}

void chainsi_ring_begin(const chainsi_ring *ring, chainsi_ring_reader *reader, int64_t now_ns)
{
    const uint64_t end = atomic_load_explicit(&ring->memory->end, memory_order_acquire);
    reader->end = end;
    /* A counter that went back is no counter of ours. */
    if (end < reader->next)
        reader->next = reader->old_end = reader->young_end = end;
    if (end - reader->next > CHAINSI_RING_RECORDS) {
        reader->lost += end - CHAINSI_RING_RECORDS - reader->next;
        reader->next = end - CHAINSI_RING_RECORDS;
    }
    if (now_ns - reader->young_ns >= CHAINSI_RING_PATIENCE_MS * CHAINSI_NS_PER_MS) {
        reader->old_end = reader->young_end;
        reader->young_end = end;
        reader->young_ns = now_ns;
    }
}

/* Copies the record of that number, if it is whole. Returns its size; 0: it isn't there, and *gone tells
 * that it won't come any more. */
static size_t copy_record(const place *at, uint64_t number, uint64_t *record, bool *gone)
{
    const uint64_t word = atomic_load_explicit(&at->word, memory_order_acquire);
    const size_t size = what_of(word);
    *gone = word && later_by(word, number) > 0;
    if (*gone || !word || is_busy(word) || later_by(word, number) != 0)
        return 0;
    *gone = true;
    if (!size || size > CHAINSI_RING_RECORD)
        return 0;
    for (size_t i = 0; i < (size + 7) / 8; i++)
        record[i] = atomic_load_explicit(&at->data[i], memory_order_acquire);
    return atomic_load_explicit(&at->word, memory_order_relaxed) == word ? size : 0;
}

size_t chainsi_ring_next(const chainsi_ring *ring, chainsi_ring_reader *reader, void *record)
{
    while (reader->next < reader->end) {
        bool gone;
        const uint64_t number = reader->next;
        size_t size = copy_record(&ring->memory->places[number % CHAINSI_RING_RECORDS], number,
                                  record, &gone);
        if (!size && !gone && number >= reader->old_end)
            return 0; /* it may still come, and what follows waits for it */
        reader->next++;
        if (size)
            return size;
        reader->lost++;
    }
    return 0;
}
