/* Places of counters, and the pages of threads.
 *
 * Invariants: a counter's number is the same in every page; numbers that no tally has are 0 in all pages.
 * A page is written by its thread alone, but for zeroing what was given back. Pages of threads that ended
 * are added to one that belongs to nobody. */
#include "base/tally.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

enum { MOST_COUNTERS = CHAINSI_TALLY_CHUNK * CHAINSI_TALLY_CHUNKS, MOST_FREE = 1024 };

/* Numbers that were given back. */
typedef struct range {
    uint32_t base, count;
} range;

_Thread_local chainsi_tally_page *chainsi_tally_own;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of what follows */
static chainsi_tally_page gone;                          /* what ended threads had */
static chainsi_tally_page *pages = &gone;
static uint32_t used; /* numbers up to here have been given out */
static range freed[MOST_FREE];
static int freed_count;

static pthread_key_t key;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

/* The chunk with this number, made if need be. The page is the thread's own, or locked. */
static _Atomic uint64_t *chunk_of(chainsi_tally_page *page, uint32_t number)
{
    _Atomic(_Atomic uint64_t *) *at = &page->chunks[number / CHAINSI_TALLY_CHUNK];
    _Atomic uint64_t *chunk = atomic_load_explicit(at, memory_order_relaxed);
    if (chunk)
        return chunk;
    chunk = calloc(CHAINSI_TALLY_CHUNK, sizeof *chunk);
    if (!chunk)
        abort();
    atomic_store_explicit(at, chunk, memory_order_release);
    return chunk;
}

static void end_page(void *data)
{
    chainsi_tally_page *page = data;
    pthread_mutex_lock(&lock);
    chainsi_tally_page **at = &pages;
    while (*at != page)
        at = &(*at)->next;
    *at = page->next;
    for (uint32_t number = 0; number < used; number++) {
        _Atomic uint64_t *chunk = page->chunks[number / CHAINSI_TALLY_CHUNK];
        uint64_t value = chunk ? chunk[number % CHAINSI_TALLY_CHUNK] : 0;
        if (value)
            atomic_fetch_add(&chunk_of(&gone, number)[number % CHAINSI_TALLY_CHUNK], value);
    }
    pthread_mutex_unlock(&lock);
    chainsi_tally_own = NULL;
    for (int i = 0; i < CHAINSI_TALLY_CHUNKS; i++)
        free(page->chunks[i]);
    free(page);
}

static void make_key(void)
{
    pthread_key_create(&key, end_page);
}

static chainsi_tally_page *make_page(void)
{
    chainsi_tally_page *page = calloc(1, sizeof *page);
    if (!page)
        abort();
    pthread_once(&key_once, make_key);
    pthread_setspecific(key, page);
    pthread_mutex_lock(&lock);
    page->next = pages;
    pages = page;
    pthread_mutex_unlock(&lock);
    return chainsi_tally_own = page;
}

/* Gives a tally its numbers, locked. */
static void place_tally(chainsi_tally *tally)
{
    uint32_t base = used;
    int found = 0;
    while (found < freed_count && freed[found].count != tally->count)
        found++;
    if (found < freed_count) {
        base = freed[found].base;
        freed[found] = freed[--freed_count];
    } else {
        assert(tally->count <= MOST_COUNTERS - used); /* a bug of ours: somebody never gives back */
        used += tally->count;
    }
    atomic_store_explicit(&tally->base, base + 1, memory_order_release);
}

_Atomic uint64_t *chainsi_tally_place(chainsi_tally *tally, uint32_t counter)
{
    assert(counter < tally->count);
    chainsi_tally_page *own = chainsi_tally_own ? chainsi_tally_own : make_page();
    pthread_mutex_lock(&lock);
    if (!atomic_load(&tally->base))
        place_tally(tally);
    const uint32_t number = atomic_load(&tally->base) - 1 + counter;
    _Atomic uint64_t *chunk = chunk_of(own, number);
    pthread_mutex_unlock(&lock);
    return &chunk[number % CHAINSI_TALLY_CHUNK];
}

void chainsi_tally_begin_thread(void)
{
    chainsi_tally_page *own = chainsi_tally_own ? chainsi_tally_own : make_page();
    pthread_mutex_lock(&lock);
    for (uint32_t number = 0; number < used; number += CHAINSI_TALLY_CHUNK)
        chunk_of(own, number);
    pthread_mutex_unlock(&lock);
}

/* The sum of a number over all pages, locked. */
static uint64_t sum_of(uint32_t number)
{
    uint64_t sum = 0;
    for (chainsi_tally_page *page = pages; page; page = page->next) {
        _Atomic uint64_t *chunk =
            atomic_load_explicit(&page->chunks[number / CHAINSI_TALLY_CHUNK], memory_order_acquire);
        if (chunk)
            sum += atomic_load_explicit(&chunk[number % CHAINSI_TALLY_CHUNK], memory_order_relaxed);
    }
    return sum;
}

void chainsi_tally_read_all(const chainsi_tally *tally, uint64_t *sums)
{
    pthread_mutex_lock(&lock);
    const uint32_t base = atomic_load(&tally->base);
    for (uint32_t i = 0; i < tally->count; i++)
        sums[i] = base ? sum_of(base - 1 + i) : 0;
    pthread_mutex_unlock(&lock);
}

uint64_t chainsi_tally_read(const chainsi_tally *tally, uint32_t counter)
{
    assert(counter < tally->count);
    pthread_mutex_lock(&lock);
    const uint32_t base = atomic_load(&tally->base);
    uint64_t sum = base ? sum_of(base - 1 + counter) : 0;
    pthread_mutex_unlock(&lock);
    return sum;
}

void chainsi_tally_done(chainsi_tally *tally)
{
    pthread_mutex_lock(&lock);
    const uint32_t base = atomic_exchange(&tally->base, 0);
    for (chainsi_tally_page *page = base ? pages : NULL; page; page = page->next) {
        for (uint32_t number = base - 1; number < base - 1 + tally->count; number++) {
            _Atomic uint64_t *chunk = atomic_load(&page->chunks[number / CHAINSI_TALLY_CHUNK]);
            if (chunk)
                atomic_store(&chunk[number % CHAINSI_TALLY_CHUNK], 0);
        }
    }
    if (base && freed_count < MOST_FREE)
        freed[freed_count++] = (range){ base - 1, tally->count };
    pthread_mutex_unlock(&lock);
}
