/* Shared blocks.
 *
 * Every block with a descriptor stands in the table, sorted by address, where chainsi_share_find looks
 * for a pointer; the table's lock is held for the search only. A block's own lock guards its state.
 *
 * Memory of memfds comes in pages of 4 KiB, each of which is faulted in, mapped and unmapped by itself:
 * for a mebibyte that takes longer than copying it through a socket. So blocks are aligned and collapsed
 * into huge pages before they are used, which the kernel does on demand even where it doesn't by itself
 * (MADV_COLLAPSE). That waits until every CPU has emptied its list of new pages; where the system lets
 * memfds have huge pages from the start, it isn't needed. */
#include "base/share.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

enum {
    HUGE_PAGE = 2 * 1024 * 1024,
    PAGE = 4096, /* at least: sizes are rounded up to it, and the kernel's may be larger */
    PAGEMAP_ENTRIES = 512,    /* read at once */
    FEWEST_OPEN = 16,         /* blocks, however low RLIMIT_NOFILE is */
    SHARE_OF_DESCRIPTORS = 8, /* one of so many may be a block's */
};
static const int needed_seals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;

typedef enum share_state {
    WRITABLE, /* mapped shared; the memfd is what we see */
    SEALED,   /* mapped private; the memfd is what we see but for pages that we have written to */
    PRIVATE,  /* mapped private; the memfd is of no more use */
} share_state;

struct chainsi_share {
    atomic_uint owners;
    int fd; /* owned; -1: closed, and not in the table */
    uint8_t *data;
    size_t size;
    void *span; /* what was mapped: data and what it took to align it */
    size_t span_size;
    pthread_mutex_t lock;
    share_state state; /* guarded by lock */
};

atomic_size_t chainsi_share_least = SIZE_MAX;

static struct {
    pthread_mutex_t lock;
    pthread_once_t once;
    size_t most; /* constant after once */
    size_t count;
    chainsi_share *shares[CHAINSI_SHARE_MAX_OPEN]; /* by address; not owned */
    size_t promised; /* blocks that are being made, for which there will be room */
    int pagemap;     /* -1: not open */
} table = { .lock = PTHREAD_MUTEX_INITIALIZER, .once = PTHREAD_ONCE_INIT, .pagemap = -1 };
static atomic_bool without_huge_pages;
static bool huge_at_once; /* constant after table.once */

/* --------------------------------------------------------------------------------------------
 * fork */

static void lock_table(void)
{
    pthread_mutex_lock(&table.lock);
}

static void unlock_table(void)
{
    pthread_mutex_unlock(&table.lock);
}

/* A child's writes are its own, and its parent can go on to seal. */
static void make_private(void)
{
    for (size_t i = 0; i < table.count; i++) {
        chainsi_share *share = table.shares[i];
        pthread_mutex_init(&share->lock, NULL); /* a thread of the parent's may have held it */
        if (share->state != WRITABLE)
            continue;
        if (mmap(share->data, share->size, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED, share->fd, 0) == MAP_FAILED)
            abort();
        share->state = PRIVATE;
    }
    if (table.pagemap >= 0)
        close(table.pagemap); /* it is the parent's */
    table.pagemap = -1;
    pthread_mutex_unlock(&table.lock);
}

/* Whether memfds have huge pages where they are asked for. */
static bool read_huge_at_once(void)
{
    char text[128];
    int fd = open("/sys/kernel/mm/transparent_hugepage/shmem_enabled", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    if (size <= 0)
        return false;
    text[size] = 0;
    return !strstr(text, "[never]") && !strstr(text, "[deny]");
}

static void start(void)
{
    struct rlimit limit;
    huge_at_once = read_huge_at_once();
    table.most = CHAINSI_SHARE_MAX_OPEN;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / SHARE_OF_DESCRIPTORS < table.most)
        table.most = limit.rlim_cur / SHARE_OF_DESCRIPTORS;
    if (table.most < FEWEST_OPEN)
        table.most = FEWEST_OPEN;
    pthread_atfork(lock_table, unlock_table, make_private);
}

void chainsi_share_enable(void)
{
    const char *wish = getenv("CHAINS_SHARE");
    if (wish && strcmp(wish, "off") == 0)
        return;
    size_t least = atomic_load(&without_huge_pages) ? (size_t)CHAINSI_SHARE_LEAST_SMALL_PAGES
                                                    : (size_t)CHAINSI_SHARE_LEAST;
    atomic_store(&chainsi_share_least, least);
}

/* --------------------------------------------------------------------------------------------
 * the table */

/* False: there are as many blocks as there may be. Else one more may be entered. */
static bool promise_place(void)
{
    pthread_once(&table.once, start);
    lock_table();
    bool room = table.count + table.promised < table.most;
    table.promised += room;
    unlock_table();
    return room;
}

static void break_promise(void)
{
    lock_table();
    table.promised--;
    unlock_table();
}

/* The index of the first block that ends behind address. Locked. */
static size_t find_place(const uint8_t *address)
{
    size_t low = 0, high = table.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const chainsi_share *share = table.shares[middle];
        if ((uintptr_t)share->data + share->size <= (uintptr_t)address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* As was promised. */
static void enter(chainsi_share *share)
{
    lock_table();
    table.promised--;
    size_t place = find_place(share->data);
    memmove(&table.shares[place + 1], &table.shares[place],
            (table.count - place) * sizeof *table.shares);
    table.shares[place] = share;
    table.count++;
    unlock_table();
}

static void leave(const chainsi_share *share)
{
    lock_table();
    size_t place = find_place(share->data);
    table.count--;
    memmove(&table.shares[place], &table.shares[place + 1],
            (table.count - place) * sizeof *table.shares);
    unlock_table();
}

size_t chainsi_share_count(void)
{
    lock_table();
    size_t count = table.count;
    unlock_table();
    return count;
}

/* --------------------------------------------------------------------------------------------
 * making */

static size_t round_up(size_t size, size_t unit)
{
    return (size + unit - 1) / unit * unit;
}

/* Maps size bytes of fd, at an address where huge pages can be. */
static bool map(chainsi_share *share, int fd, size_t size, int flags)
{
    share->size = size;
    if (size < HUGE_PAGE) { /* a memfd of someone else's */
        share->span_size = round_up(size, PAGE);
        share->span = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
        share->data = share->span;
        return share->span != MAP_FAILED;
    }
    share->span_size = round_up(size, PAGE) + HUGE_PAGE;
    share->span =
        mmap(NULL, share->span_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (share->span == MAP_FAILED)
        return false;
    share->data =
        (uint8_t *)share->span + (HUGE_PAGE - (uintptr_t)share->span % HUGE_PAGE) % HUGE_PAGE;
    if (mmap(share->data, size, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0) != MAP_FAILED)
        return true;
    munmap(share->span, share->span_size);
    return false;
}

static void use_huge_pages(chainsi_share *share)
{
    if (atomic_load_explicit(&without_huge_pages, memory_order_relaxed))
        return;
    if (huge_at_once)
        madvise(share->data, share->size, MADV_HUGEPAGE);
    /* What is empty is not collapsed. */
    for (size_t at = 0; at < share->size; at += HUGE_PAGE)
        ((volatile uint8_t *)share->data)[at] = 0;
    if (!huge_at_once && madvise(share->data, share->size, MADV_COLLAPSE) < 0 && errno == EINVAL) {
        atomic_store(&without_huge_pages, true);
        size_t wanted = CHAINSI_SHARE_LEAST;
        atomic_compare_exchange_strong(&chainsi_share_least, &wanted,
                                       (size_t)CHAINSI_SHARE_LEAST_SMALL_PAGES);
    }
}

/* Not in the table yet. */
static chainsi_share *make(size_t size)
{
    if (size > CHAINSI_SHARE_MAX_SIZE - HUGE_PAGE)
        return NULL;
    size = round_up(size ? size : 1, HUGE_PAGE);
    int fd = memfd_create("chains", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    chainsi_share *share = calloc(1, sizeof *share);
    if (!share || fd < 0 || ftruncate(fd, (off_t)size) < 0 || !map(share, fd, size, MAP_SHARED)) {
        if (fd >= 0)
            close(fd);
        free(share);
        return NULL;
    }
    share->fd = fd;
    atomic_init(&share->owners, 1);
    pthread_mutex_init(&share->lock, NULL);
    use_huge_pages(share);
    return share;
}

chainsi_share *chainsi_share_new(size_t size)
{
    if (!promise_place())
        return NULL;
    chainsi_share *share = make(size);
    if (share)
        enter(share);
    else
        break_promise();
    return share;
}

/* From WRITABLE to SEALED, or to PRIVATE if the kernel won't. Locked, or nobody else's. */
static void seal(chainsi_share *share)
{
    if (mmap(share->data, share->size, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED, share->fd, 0) == MAP_FAILED)
        abort(); /* the old mapping may be gone */
    share->state = PRIVATE;
    if (fcntl(share->fd, F_ADD_SEALS, needed_seals | F_SEAL_SEAL) == 0)
        share->state = SEALED;
}

chainsi_share *chainsi_share_copy(const void *data, size_t size)
{
    chainsi_share *share = chainsi_share_new(size + 1); /* the byte behind is a text's NUL */
    if (!share)
        return NULL;
    memcpy(share->data, data, size);
    pthread_mutex_lock(&share->lock);
    seal(share);
    bool sealed = share->state == SEALED;
    pthread_mutex_unlock(&share->lock);
    if (sealed)
        return share;
    chainsi_share_unref(share);
    return NULL;
}

static chainsi_share *refuse(chainsi_share *share, int fd, const char **why, const char *reason)
{
    if (fd >= 0)
        close(fd);
    free(share);
    *why = reason;
    return NULL;
}

chainsi_share *chainsi_share_receive(int fd, const char **why)
{
    chainsi_share *share = NULL;
    struct stat status;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0)
        return refuse(share, fd, why, "a descriptor that is no memfd was attached");
    if ((seals & needed_seals) != needed_seals)
        return refuse(share, fd, why, "a memfd that isn't sealed was attached");
    if (fstat(fd, &status) < 0 || status.st_size <= 0 ||
        (uint64_t)status.st_size > CHAINSI_SHARE_MAX_SIZE)
        return refuse(share, fd, why, "a memfd of an impossible size was attached");
    share = calloc(1, sizeof *share);
    if (!share || !map(share, fd, (size_t)status.st_size, MAP_PRIVATE | MAP_NORESERVE))
        return refuse(share, fd, why, "an attached memfd can't be mapped");
    atomic_init(&share->owners, 1);
    pthread_mutex_init(&share->lock, NULL);
    share->state = SEALED;
    if (promise_place()) {
        share->fd = fd;
        enter(share);
    } else {
        close(fd);
        share->fd = -1;
    }
    return share;
}

/* --------------------------------------------------------------------------------------------
 * finding */

/* True if no page of what lies at data was written to since it was mapped privately: then the kernel
 * still maps the memfd's own, or nothing at all. */
static bool is_unwritten(const uint8_t *data, size_t size)
{
    enum { ENTRY = 8 };
    const uint64_t swapped = UINT64_C(1) << 62, present = UINT64_C(1) << 63;
    const uint64_t of_file = UINT64_C(1) << 61;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    lock_table();
    if (table.pagemap < 0)
        table.pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    int pagemap = table.pagemap;
    unlock_table();
    if (pagemap < 0)
        return false;
    uintptr_t first = (uintptr_t)data / page, behind = ((uintptr_t)data + size + page - 1) / page;
    uint64_t entries[PAGEMAP_ENTRIES];
    while (first < behind) {
        size_t count = behind - first < PAGEMAP_ENTRIES ? behind - first : PAGEMAP_ENTRIES;
        if (pread(pagemap, entries, count * ENTRY, (off_t)(first * ENTRY)) !=
            (ssize_t)(count * ENTRY))
            return false;
        for (size_t i = 0; i < count; i++)
            if ((entries[i] & (swapped | present)) && !(entries[i] & of_file))
                return false;
        first += count;
    }
    return true;
}

chainsi_share *chainsi_share_find(const void *data, size_t size, size_t *offset)
{
    const uint8_t *start = data;
    lock_table();
    size_t place = find_place(start);
    chainsi_share *share = place < table.count ? table.shares[place] : NULL;
    if (share && (uintptr_t)start >= (uintptr_t)share->data &&
        size <= share->size - (size_t)(start - share->data))
        chainsi_share_ref(share);
    else
        share = NULL;
    unlock_table();
    if (!share)
        return NULL;
    pthread_mutex_lock(&share->lock);
    if (share->state == WRITABLE)
        seal(share);
    else if (share->state == SEALED && !is_unwritten(start, size))
        share->state = PRIVATE; /* whoever wrote to it will again */
    bool found = share->state == SEALED;
    pthread_mutex_unlock(&share->lock);
    if (!found) {
        chainsi_share_unref(share);
        return NULL;
    }
    *offset = (size_t)(start - share->data);
    return share;
}

/* --------------------------------------------------------------------------------------------
 * owners */

chainsi_share *chainsi_share_ref(chainsi_share *share)
{
    atomic_fetch_add_explicit(&share->owners, 1, memory_order_relaxed);
    return share;
}

void chainsi_share_unref(chainsi_share *share)
{
    if (!share || atomic_fetch_sub_explicit(&share->owners, 1, memory_order_acq_rel) != 1)
        return;
    if (share->fd >= 0) {
        leave(share);
        close(share->fd);
    }
    munmap(share->span, share->span_size);
    pthread_mutex_destroy(&share->lock);
    free(share);
}

void *chainsi_share_data(const chainsi_share *share)
{
    return share->data;
}

size_t chainsi_share_size(const chainsi_share *share)
{
    return share->size;
}

int chainsi_share_descriptor(const chainsi_share *share)
{
    return share->fd;
}
