/* What the Chainlets of this chain note in files. Whoever appends to a file does so with one write. */
#pragma once
#include <fcntl.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include <chains.h>

static inline void note(chains_ctx *ctx, const char *notes, const char *who, const char *what,
                        const void *data, size_t size)
{
    int fd = open(chains_printf(ctx, "%s.%s.%s", notes, who, what),
                  O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    ssize_t written = write(fd, data, size);
    (void)written;
    close(fd);
}

static inline void note_begun(chains_ctx *ctx, const char *notes, const char *who)
{
    note(ctx, notes, who, "begun", "b", 1);
}

static inline void note_ended(chains_ctx *ctx, const char *notes, const char *who)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t now_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    note(ctx, notes, who, "ended", &now_ns, sizeof now_ns);
}
