/* What the Chainlets of this chain note in files, which stay open: a call that notes when it ended
 * mustn't take so long that it is the notes that are measured. Whoever appends does so with one write. */
#pragma once
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include <chains.h>

/* kept: the file's descriptor, once it is open; 0: not yet. */
static inline void note(chains_ctx *ctx, const char *notes, const char *who, const char *what,
                        const void *data, size_t size, atomic_int *kept)
{
    int fd = atomic_load(kept);
    if (!fd) {
        int none = 0;
        fd = open(chains_printf(ctx, "%s.%s.%s", notes, who, what),
                  O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (fd < 0)
            return;
        if (!atomic_compare_exchange_strong(kept, &none, fd)) { /* another thread was faster */
            close(fd);
            fd = none;
        }
    }
    ssize_t written = write(fd, data, size);
    (void)written;
}

static inline void note_begun(chains_ctx *ctx, const char *notes, const char *who)
{
    static atomic_int kept;
    note(ctx, notes, who, "begun", "b", 1, &kept);
}

static inline void note_ended(chains_ctx *ctx, const char *notes, const char *who)
{
    static atomic_int kept;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t now_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    note(ctx, notes, who, "ended", &now_ns, sizeof now_ns, &kept);
}
