/* The table and its protocol.
 *
 * A cell's owner is 0 while it is free, else its process, and one bit while the id is being written: what a
 * process leaves half written is freed, but not read. */
#include "base/running.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/sealed.h"

enum {
    MOST_ATTEMPTS = 32, /* cells that are looked at */
    PAGE_BYTES = 4096,  /* the smallest that there are */
};

static const uint64_t magic = UINT64_C(0x326e6e7552636843);
static const uint64_t writing = UINT64_C(1) << 32;

typedef struct cell {
    _Atomic uint64_t owner;
    char id[CHAINSI_RUNNING_ID + 1];
} cell;
_Static_assert(sizeof(cell) == 128, "a cell is two lines");

typedef struct memory {
    uint64_t magic;
    _Atomic uint64_t
        used; /* parts in which a cell ever had an owner: a bit each; the others aren't touched by readers */
    char padding[128 - 16];
    cell cells[CHAINSI_RUNNING_CELLS];
} memory;

_Static_assert(sizeof(memory) <= 64 * PAGE_BYTES, "each page has its bit");

struct chainsi_running {
    memory *memory; /* mapped */
    uint64_t process;
    atomic_uint threads; /* that have a place of their own to look first */
};

int chainsi_running_create(void)
{
    return chainsi_sealed_create("chains-running", sizeof(memory), &magic, sizeof magic);
}

chainsi_running *chainsi_running_open(int fd)
{
    chainsi_running *running = calloc(1, sizeof *running);
    memory *mapped = running ? chainsi_sealed_map(fd, sizeof *mapped, magic) : NULL;
    if (!mapped) {
        free(running);
        return NULL;
    }
    running->memory = mapped;
    running->process = (uint32_t)getpid();
    return running;
}

void chainsi_running_close(chainsi_running *running)
{
    if (!running)
        return;
    munmap(running->memory, sizeof *running->memory);
    free(running);
}

/* Where this thread looks first: where it found one last, so that threads don't share lines. */
static _Thread_local unsigned hint;
static _Thread_local bool hinted;

static unsigned first_cell(chainsi_running *running)
{
    if (!hinted) {
        hint = (unsigned)running->process * 37 + atomic_fetch_add(&running->threads, 1);
        hinted = true;
    }
    return hint;
}

/* The bit of the page that the cell is in. */
static uint64_t page_of(size_t number)
{
    return UINT64_C(1) << ((offsetof(memory, cells) + number * sizeof(cell)) / PAGE_BYTES);
}

/* Before the first of its cells is taken: whoever dies with it is looked for there. */
static void note_use(memory *all, unsigned number)
{
    const uint64_t page = page_of(number);
    if (!(atomic_load_explicit(&all->used, memory_order_relaxed) & page))
        atomic_fetch_or(&all->used, page);
}

int chainsi_running_begin(chainsi_running *running, const char *id)
{
    if (!running || !id)
        return -1;
    unsigned first = first_cell(running);
    for (unsigned i = 0; i < MOST_ATTEMPTS; i++) {
        unsigned number = (first + i) % CHAINSI_RUNNING_CELLS;
        cell *at = &running->memory->cells[number];
        uint64_t nobody = 0;
        if (atomic_load_explicit(&at->owner, memory_order_relaxed))
            continue;
        note_use(running->memory, number);
        if (!atomic_compare_exchange_strong_explicit(&at->owner, &nobody,
                                                     running->process | writing,
                                                     memory_order_acquire, memory_order_relaxed))
            continue;
        size_t size = strnlen(id, CHAINSI_RUNNING_ID);
        memcpy(at->id, id, size);
        at->id[size] = 0;
        atomic_store_explicit(&at->owner, running->process, memory_order_release);
        hint = number;
        return (int)number;
    }
    return -1;
}

void chainsi_running_end(chainsi_running *running, int number)
{
    if (number >= 0)
        atomic_store_explicit(&running->memory->cells[number].owner, 0, memory_order_release);
}

static void copy_id(char *to, const char *from)
{
    size_t size = 0;
    for (; size < CHAINSI_RUNNING_ID && from[size]; size++)
        to[size] = from[size] > 0x20 && from[size] < 0x7f ? from[size] : '?';
    to[size] = 0;
}

/* Frees one of the process's cells, after what is in it was added to the list. */
static void take_cell(cell *at, pid_t process, chainsi_running_list *list)
{
    uint64_t owner = atomic_load_explicit(&at->owner, memory_order_acquire);
    if ((owner & ~writing) != (uint64_t)process)
        return;
    if (list && !(owner & writing)) {
        if (list->kept < sizeof list->ids / sizeof *list->ids)
            copy_id(list->ids[list->kept++], at->id);
        list->count++;
    }
    atomic_store_explicit(&at->owner, 0, memory_order_release);
}

void chainsi_running_take(chainsi_running *running, pid_t process, chainsi_running_list *list)
{
    if (list)
        list->kept = list->count = 0;
    if (!running || process <= 0)
        return;
    const uint64_t used = atomic_load(&running->memory->used);
    for (size_t i = 0; i < CHAINSI_RUNNING_CELLS; i++)
        if (used & page_of(i))
            take_cell(&running->memory->cells[i], process, list);
}

void chainsi_running_say(const chainsi_running_list *list, char *text, size_t size)
{
    static const char one[] = "; it ran the request ", many[] = "; it ran the requests ";
    enum { REST = 24 /* " and 512 more" */ };
    text[0] = 0;
    if (!list->count)
        return;
    const char *head = list->count == 1 ? one : many;
    if (size < strlen(head) + REST + 1)
        return;
    size_t at = (size_t)snprintf(text, size, "%s", head), named = 0;
    for (; named < list->kept; named++) {
        size_t needed = strlen(list->ids[named]) + 2;
        if (at + needed + REST >= size)
            break;
        at += (size_t)snprintf(text + at, size - at, "%s%s", named ? ", " : "", list->ids[named]);
    }
    if (!named)
        snprintf(text, size, "; it ran %zu request%s", list->count, list->count == 1 ? "" : "s");
    else if (named < list->count)
        snprintf(text + at, size - at, " and %zu more", list->count - named);
}
