/* Shared blocks: large pieces of memory that another process can be given without copying them.
 *
 * A block is a memfd of its own, mapped here. It begins writable, as any memory. To hand it out, it is
 * sealed: the memfd can't change any more, neither by us nor by whoever gets its descriptor, and our
 * own mapping of it becomes a private one. So whoever has a block may still write to it, but each page
 * that is written to is copied by the kernel first, and nobody else sees that. Blocks that are received
 * are mapped in the same way.
 *
 *              chainsi_share_find            written to since, or can't be sealed
 *   WRITABLE ----------------------> SEALED ------------------------------------> PRIVATE
 *                chainsi_share_receive ^                       (just memory, to be copied)
 *
 * A block counts its owners: arenas whose memory it is, and messages that carry it. With the last
 * one it is unmapped and its descriptor closed. Any thread, any function; none blocks but for as long
 * as the kernel takes to map. Descriptors are CLOEXEC. After fork() the child has the blocks as private
 * memory. */
#ifndef CHAINSI_BASE_SHARE_H
#define CHAINSI_BASE_SHARE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* Blocks with a descriptor that a process has at a time; lowered to an eighth of RLIMIT_NOFILE. */
    CHAINSI_SHARE_MAX_OPEN = 1024,
    /* From this size on memory is worth a block, bytes: a socket is faster below. */
    CHAINSI_SHARE_LEAST = 512 * 1024,
    /* The same where the kernel has no huge pages for us (Linux before 6.1, or configured without):
     * mapping 4 KiB at a time costs about as much as copying. */
    CHAINSI_SHARE_LEAST_SMALL_PAGES = 8 * 1024 * 1024,
    /* From this size on it is worth copying other memory to a block to send it, bytes. */
    CHAINSI_SHARE_LEAST_COPY = 1024 * 1024,
};
/* A memfd that is larger is refused. */
#define CHAINSI_SHARE_MAX_SIZE ((uint64_t)1 << 40)

typedef struct chainsi_share chainsi_share;

extern atomic_size_t chainsi_share_least;

/* Lets chainsi_share_wants say yes, unless the environment says CHAINS_SHARE=off. Called by programs
 * that have somebody to share with. */
void chainsi_share_enable(void);
/* True if so much memory should come from chainsi_share_new. */
static inline bool chainsi_share_wants(size_t size)
{
    return size >= atomic_load_explicit(&chainsi_share_least, memory_order_relaxed);
}

/* A block of at least size bytes, zeroed, with one owner. NULL: descriptors or memory ran out; use
 * other memory. */
chainsi_share *chainsi_share_new(size_t size);
/* A sealed block with a copy of size bytes, and zeros behind them; NULL as above. */
chainsi_share *chainsi_share_copy(const void *data, size_t size);
/* Maps a memfd that was received, and takes the descriptor, also on failure: NULL with *why, a
 * constant sentence. It must be sealed against writing, growing and shrinking. */
chainsi_share *chainsi_share_receive(int fd, const char **why);
/* The sealed block that holds these bytes as they are now, with one more owner. Seals it if it was
 * WRITABLE. *offset: of data in it. NULL: they lie elsewhere, or have been written to since the block
 * was sealed. Other threads mustn't be writing to them. */
chainsi_share *chainsi_share_find(const void *data, size_t size, size_t *offset);

chainsi_share *chainsi_share_ref(chainsi_share *share);
/* NULL is allowed. */
void chainsi_share_unref(chainsi_share *share);

/* Its memory, aligned to a page at least. */
void *chainsi_share_data(const chainsi_share *share);
/* All of it, bytes. */
size_t chainsi_share_size(const chainsi_share *share);
/* Its descriptor; -1: it was received while there were too many, and can't be passed on. */
int chainsi_share_descriptor(const chainsi_share *share);
/* Blocks with a descriptor that this process has now. */
size_t chainsi_share_count(void);

#endif
