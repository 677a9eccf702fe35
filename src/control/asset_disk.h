/* Work on a whole partial file, on libuv's threads: copying a local file into it, and verifying and
 * storing it. It goes in portions, so that others get their turn on those threads, too.
 *
 * Belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_ASSET_DISK_H
#define CHAINSI_CONTROL_ASSET_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/evp.h>
#include <uv.h>

#include <chains.h>

#include "control/asset_store.h"

enum { CHAINSI_ASSET_PORTION = 32 * 1024 * 1024 /* bytes */ };

/* One piece of work; embedded in its owner. */
typedef struct chainsi_asset_disk {
    /* What the owner sets; texts live as long as the work. */
    uv_loop_t *loop;
    int fd; /* the partial file, for reading and writing */
    const char *home, *digest;
    const char *source; /* of a copy: the local file */
    int64_t most_bytes; /* of a copy */
    int64_t size;       /* of what is verified; a copy finds it out */
    /* It has ended. OK, or with why: DATA_LOSS (why is the digest that it has), NOT_FOUND,
     * PERMISSION_DENIED, RESOURCE_EXHAUSTED, INTERNAL; CANCELLED after a stop. */
    void (*on_end)(struct chainsi_asset_disk *disk, chains_status status, const char *why);

    int64_t done; /* bytes */
    bool busy;    /* it must not be freed */
    bool stop_asked;

    /* Of the thread that does a portion; the loop's when none does. */
    uv_work_t request;
    bool (*portion)(struct chainsi_asset_disk *disk); /* true: there is more to do */
    int64_t at;
    int source_fd;
    EVP_MD_CTX *context; /* owned */
    uint8_t *buffer;     /* owned */
    chains_status status;
    char why[256];
} chainsi_asset_disk;

/* Both begin; on_end comes later. */
void chainsi_asset_disk_copy(chainsi_asset_disk *disk);
void chainsi_asset_disk_verify(chainsi_asset_disk *disk);
/* Has it end after the portion that is being done. */
void chainsi_asset_disk_stop(chainsi_asset_disk *disk);

/* The status and the sentence for an errno from writing what is to be `size` bytes (-1: unknown). */
chains_status chainsi_asset_disk_failure(const char *what, int error, int64_t size, char *why,
                                         size_t why_size);

#endif
