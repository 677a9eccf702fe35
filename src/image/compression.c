/* zlib and zstd behind one face. Neither fails here but for want of memory, which ends the process as elsewhere. */
#include "image/compression.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "image/oci.h"

enum {
    PIECE = 128 * 1024,
    GZIP_LEVEL = 6,
    GZIP_WINDOW = 15 + 16, /* gzip's frame around deflate's largest window */
    GZIP_MEMORY = 9,
    /* Of the levels above it 20 and more need larger windows, which readers may refuse, and gain nothing here. */
    ZSTD_SLOW = 18,
    ZSTD_QUICK = 9, /* as quick as gzip, and smaller */
};

/* Bytes up to which it takes its time: of those that each build makes a fraction of a second, of others some. */
#define SLOW_OFTEN  ((uint64_t)2 << 20)
#define SLOW_SELDOM ((uint64_t)32 << 20)

static const struct {
    const char *name, *media_type;
} known[] = {
    [CHAINSI_COMPRESSION_ZSTD] = { "zstd", CHAINSI_OCI_LAYER_ZSTD },
    [CHAINSI_COMPRESSION_GZIP] = { "gzip", CHAINSI_OCI_LAYER_GZIP },
};

struct chainsi_compressor {
    z_stream gzip;
    ZSTD_CCtx *zstd; /* NULL: gzip */
    chainsi_on_compressed on_compressed;
    void *user;
    uint8_t out[PIECE];
};

bool chainsi_compression_read(const char *text, chainsi_compression *out)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(text, known[i].name)) {
            *out = (chainsi_compression)i;
            return true;
        }
    return false;
}

const char *chainsi_compression_media_type(chainsi_compression compression)
{
    return known[compression].media_type;
}

int chainsi_compression_level(chainsi_compression compression, uint64_t size, bool often)
{
    if (compression == CHAINSI_COMPRESSION_GZIP)
        return GZIP_LEVEL;
    return size <= (often ? SLOW_OFTEN : SLOW_SELDOM) ? ZSTD_SLOW : ZSTD_QUICK;
}

const char *chainsi_compression_version(chainsi_compression compression)
{
    return compression == CHAINSI_COMPRESSION_GZIP ? zlibVersion() : ZSTD_versionString();
}

chainsi_compressor *chainsi_compressor_new(chainsi_compression compression, int level,
                                           chainsi_on_compressed on_compressed, void *user)
{
    chainsi_compressor *made = calloc(1, sizeof *made);
    if (!made)
        abort();
    made->on_compressed = on_compressed;
    made->user = user;
    if (compression == CHAINSI_COMPRESSION_GZIP) {
        if (deflateInit2(&made->gzip, level, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
                         Z_DEFAULT_STRATEGY) != Z_OK)
            abort();
    } else {
        made->zstd = ZSTD_createCCtx();
        if (!made->zstd ||
            ZSTD_isError(ZSTD_CCtx_setParameter(made->zstd, ZSTD_c_compressionLevel, level)))
            abort();
    }
    return made;
}

static bool hand_on(chainsi_compressor *compressor, size_t size)
{
    return !size || compressor->on_compressed(compressor->out, size, compressor->user);
}

static bool add_gzip(chainsi_compressor *compressor, const void *data, size_t size, bool end)
{
    z_stream *stream = &compressor->gzip;
    stream->next_in = (Bytef *)(uintptr_t)data;
    stream->avail_in = (uInt)size;
    do {
        stream->next_out = compressor->out;
        stream->avail_out = sizeof compressor->out;
        deflate(stream, end ? Z_FINISH : Z_NO_FLUSH);
        if (!hand_on(compressor, sizeof compressor->out - stream->avail_out))
            return false;
    } while (stream->avail_out == 0);
    return true;
}

static bool add_zstd(chainsi_compressor *compressor, const void *data, size_t size, bool end)
{
    ZSTD_inBuffer in = { data, size, 0 };
    size_t left;
    do {
        ZSTD_outBuffer out = { compressor->out, sizeof compressor->out, 0 };
        left =
            ZSTD_compressStream2(compressor->zstd, &out, &in, end ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left))
            abort();
        if (!hand_on(compressor, out.pos))
            return false;
    } while (end ? left != 0 : in.pos < in.size);
    return true;
}

/* In pieces, as zlib counts them by an unsigned int. */
bool chainsi_compressor_add(chainsi_compressor *compressor, const void *data, size_t size)
{
    const uint8_t *at = data;
    while (size) {
        const size_t some = size < PIECE ? size : PIECE;
        if (!(compressor->zstd ? add_zstd : add_gzip)(compressor, at, some, false))
            return false;
        at += some;
        size -= some;
    }
    return true;
}

bool chainsi_compressor_end(chainsi_compressor *compressor)
{
    return (compressor->zstd ? add_zstd : add_gzip)(compressor, NULL, 0, true);
}

void chainsi_compressor_free(chainsi_compressor *compressor)
{
    if (!compressor)
        return;
    if (compressor->zstd)
        ZSTD_freeCCtx(compressor->zstd);
    else
        deflateEnd(&compressor->gzip);
    free(compressor);
}
