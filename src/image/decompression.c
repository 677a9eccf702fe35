/* Reading what others have compressed. zlib reads what isn't compressed at all as well; zstd's frames are told by their first
 * bytes. Several frames in a row are one file, as gzip's members are, and such as are there to be skipped are. */
#include "image/compression.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum {
    PIECE = 128 * 1024,
    MAX_WINDOW =
        27, /* as a power of two: 128 MiB, beyond which no level of zstd goes unless it is made to */
};

struct chainsi_decompressor {
    int fd;           /* zstd's; -1: it is zlib's */
    gzFile gzip;      /* NULL: zstd */
    ZSTD_DCtx *zstd;  /* NULL: gzip, or none */
    bool frame_ended; /* or none has begun */
    bool holds_more;  /* of what it has read */
    ZSTD_inBuffer in;
    uint8_t piece[PIECE];
};

static bool is_zstd(int fd)
{
    uint8_t head[4];
    if (pread(fd, head, sizeof head, 0) != sizeof head)
        return false;
    const uint32_t magic =
        head[0] | (uint32_t)head[1] << 8 | (uint32_t)head[2] << 16 | (uint32_t)head[3] << 24;
    return magic == ZSTD_MAGICNUMBER ||
           (magic & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START;
}

static void begin_zstd(chainsi_decompressor *opened)
{
    opened->zstd = ZSTD_createDCtx();
    if (!opened->zstd ||
        ZSTD_isError(ZSTD_DCtx_setParameter(opened->zstd, ZSTD_d_windowLogMax, MAX_WINDOW)))
        abort();
    opened->in = (ZSTD_inBuffer){ opened->piece, 0, 0 };
    opened->frame_ended = true;
}

chainsi_decompressor *chainsi_decompressor_open(const char *path)
{
    chainsi_decompressor *opened = calloc(1, sizeof *opened);
    if (!opened)
        abort();
    opened->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (opened->fd >= 0 && is_zstd(opened->fd)) {
        begin_zstd(opened);
        return opened;
    }
    if (opened->fd >= 0)
        opened->gzip = gzdopen(opened->fd, "rb");
    if (!opened->gzip) {
        const int why = opened->fd < 0 ? errno : ENOMEM;
        if (opened->fd >= 0)
            close(opened->fd);
        free(opened);
        errno = why;
        return NULL;
    }
    opened->fd = -1; /* the stream's now */
    return opened;
}

/* Reads on in the file. *end: there is nothing more. */
static bool refill(chainsi_decompressor *from, bool *end)
{
    ssize_t got;
    do
        got = read(from->fd, from->piece, sizeof from->piece);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return false;
    from->in.pos = 0;
    from->in.size = (size_t)got;
    *end = got == 0;
    return true;
}

/* A frame that has ended has given all that it held; one that filled `out` may hold more. */
static int64_t read_zstd(chainsi_decompressor *from, void *data, size_t size)
{
    ZSTD_outBuffer out = { data, size, 0 };
    while (out.pos < out.size) {
        bool end = false;
        if (from->in.pos == from->in.size && !from->holds_more && !refill(from, &end))
            return -1;
        if (end)
            return from->frame_ended ? (int64_t)out.pos : -1;
        const size_t left = ZSTD_decompressStream(from->zstd, &out, &from->in);
        if (ZSTD_isError(left))
            return -1;
        from->frame_ended = left == 0;
        from->holds_more = left != 0 && out.pos == out.size;
    }
    return (int64_t)out.pos;
}

static int64_t read_gzip(chainsi_decompressor *from, void *data, size_t size)
{
    size_t done = 0;
    while (done < size) {
        const size_t some = size - done < PIECE ? size - done : PIECE;
        const int got = gzread(from->gzip, (uint8_t *)data + done, (unsigned)some);
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (int64_t)done;
}

int64_t chainsi_decompressor_read(chainsi_decompressor *decompressor, void *out, size_t size)
{
    return decompressor->gzip ? read_gzip(decompressor, out, size)
                              : read_zstd(decompressor, out, size);
}

void chainsi_decompressor_close(chainsi_decompressor *decompressor)
{
    if (!decompressor)
        return;
    if (decompressor->gzip)
        gzclose(decompressor->gzip);
    ZSTD_freeDCtx(decompressor->zstd);
    if (decompressor->fd >= 0)
        close(decompressor->fd);
    free(decompressor);
}
