/* A ring of small records in shared memory, which many processes write and one reads: what is written
 * when the ring is full takes the place of what is oldest, read or not. Nobody waits for anybody.
 *
 * Writers take places by adding to one counter. A place has a word that says whose it is and whether it
 * is whole: the writer's process while it writes, then the size. A writer that was killed leaves its
 * place half written, which the reader passes over after a while; whoever comes by next takes it. A
 * writer that finds a place still being written by a living process drops its own record.
 *
 * Every process that has the memory may write anything into it: what is read from it is copied first
 * and bounds-checked, and a reader's work is bounded whatever the words say. */
#ifndef CHAINSI_BASE_RING_H
#define CHAINSI_BASE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CHAINSI_RING_RECORD = 632,      /* bytes of a record at most */
    CHAINSI_RING_RECORDS = 4096,    /* places */
    CHAINSI_RING_PATIENCE_MS = 100, /* how long a reader waits for a record that isn't whole */
};

typedef struct chainsi_ring chainsi_ring; /* a mapping */

/* Makes the memory of a new ring: a CLOEXEC descriptor of a sealed-size memfd, or -1 with errno. */
int chainsi_ring_create(void);
/* Maps a ring; NULL if fd is none. fd stays the caller's and may be closed at once. */
chainsi_ring *chainsi_ring_open(int fd);
/* NULL is allowed. */
void chainsi_ring_close(chainsi_ring *ring);

/* Writes a record, size bytes (at most CHAINSI_RING_RECORD) at an address that is aligned as an uint64_t
 * and may be read up to the next multiple of eight. False: it was dropped, and counted. Any thread;
 * doesn't block. */
bool chainsi_ring_write(chainsi_ring *ring, const void *record, size_t size);

/* Where a reader is. All zero bytes: at the beginning. */
typedef struct chainsi_ring_reader {
    uint64_t next;      /* number of the record that is read next */
    uint64_t old_end;   /* what isn't whole before this one won't be */
    uint64_t young_end; /* where the ring ended at young_ns */
    int64_t young_ns;
    uint64_t end;  /* of this round */
    uint64_t lost; /* records that were overwritten, dropped or never finished; only goes up */
} chainsi_ring_reader;

/* Where a new reader begins: at the oldest record that may still be there, of which nothing is lost. */
void chainsi_ring_start(const chainsi_ring *ring, chainsi_ring_reader *reader);
/* Notes in the ring how far the reader is, for whoever reads after this process has ended. */
void chainsi_ring_mark(chainsi_ring *ring, const chainsi_ring_reader *reader);
/* How far a reader was that has made a note: records before that number have been read; 0: none has. */
uint64_t chainsi_ring_marked(const chainsi_ring *ring);
/* Begins a round, in which everything written so far can be read; now_ns: CLOCK_MONOTONIC. */
void chainsi_ring_begin(const chainsi_ring *ring, chainsi_ring_reader *reader, int64_t now_ns);
/* Copies the next record of the round, and returns its size; 0: there is none. record has room for
 * CHAINSI_RING_RECORD bytes, aligned as an uint64_t. */
size_t chainsi_ring_next(const chainsi_ring *ring, chainsi_ring_reader *reader, void *record);

#endif
