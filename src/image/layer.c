/* A layer: the tree's tar, compressed while it is written. zlib gives the same bytes for the same input and version
 * of it; its header has neither time nor name. */
#include "image/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "image/blob.h"
#include "image/layer_cache.h"
#include "image/tar.h"

enum { PIECE = 128 * 1024, LEVEL = 6, GZIP = 15 + 16 };

typedef struct layer_writer {
    chainsi_blob blob;
    z_stream stream;
    bool deflating;
    void *diff;
    uint8_t out[PIECE];
    chainsi_problem *problem;
} layer_writer;

static bool put(layer_writer *layer, const void *data, size_t size, int flush)
{
    if (size)
        chainsi_digest_add(layer->diff, data, size);
    layer->stream.next_in = (Bytef *)data;
    layer->stream.avail_in = (uInt)size;
    int ended;
    do {
        layer->stream.next_out = layer->out;
        layer->stream.avail_out = sizeof layer->out;
        ended = deflate(&layer->stream, flush);
        size_t made = sizeof layer->out - layer->stream.avail_out;
        if (made && !chainsi_blob_write(&layer->blob, layer->out, made, layer->problem))
            return false;
    } while (layer->stream.avail_out == 0);
    return flush != Z_FINISH || ended == Z_STREAM_END;
}

static bool put_zeros(layer_writer *layer, size_t size)
{
    static const uint8_t zeros[2 * CHAINSI_TAR_BLOCK];
    return !size || put(layer, zeros, size, Z_NO_FLUSH);
}

static bool put_contents(layer_writer *layer, const char *path, int fd, uint64_t size)
{
    uint8_t piece[PIECE];
    uint64_t left = size;
    while (left) {
        ssize_t got = read(fd, piece, left < sizeof piece ? (size_t)left : sizeof piece);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return chainsi_problem_file(layer->problem, "read", path);
        if (got == 0)
            return chainsi_problem_set(layer->problem, "let whatever writes it end, and try again",
                                       "'%s' became shorter while it was read", path);
        if (!put(layer, piece, (size_t)got, Z_NO_FLUSH))
            return false;
        left -= (uint64_t)got;
    }
    return put_zeros(layer, chainsi_tar_padding(size));
}

static bool put_header(layer_writer *layer, const chainsi_entry *entry, uint64_t size)
{
    chainsi_buffer header = { 0 };
    chainsi_tar_header(&header, entry, size);
    bool good = put(layer, header.data, header.size, Z_NO_FLUSH);
    chainsi_buffer_done(&header);
    return good;
}

static bool put_file(layer_writer *layer, const chainsi_entry *entry)
{
    int fd = open(entry->source, O_RDONLY | O_CLOEXEC);
    struct stat about;
    bool good = fd >= 0 && fstat(fd, &about) == 0;
    if (good && !S_ISREG(about.st_mode)) {
        errno = EINVAL;
        good = false;
    }
    if (good)
        good = put_header(layer, entry, (uint64_t)about.st_size) &&
               put_contents(layer, entry->source, fd, (uint64_t)about.st_size);
    else
        chainsi_problem_file(layer->problem, "read", entry->source);
    if (fd >= 0)
        close(fd);
    return good;
}

static bool put_entry(layer_writer *layer, const chainsi_entry *entry)
{
    if (entry->source)
        return put_file(layer, entry);
    size_t size = entry->kind == CHAINSI_ENTRY_FILE ? entry->text_size : 0;
    return put_header(layer, entry, size) &&
           (!size || (put(layer, entry->text, size, Z_NO_FLUSH) &&
                      put_zeros(layer, chainsi_tar_padding(size))));
}

static bool make_layer(chainsi_layout *layout, const chainsi_tree *tree,
                       chainsi_oci_descriptor *added, char *diff_id, chainsi_problem *problem)
{
    layer_writer *layer = calloc(1, sizeof *layer);
    if (!layer)
        abort();
    layer->problem = problem;
    layer->diff = chainsi_digest_begin();
    layer->deflating =
        deflateInit2(&layer->stream, LEVEL, Z_DEFLATED, GZIP, 9, Z_DEFAULT_STRATEGY) == Z_OK;
    if (!layer->deflating)
        abort();
    char digest[CHAINSI_OCI_DIGEST];
    bool good = chainsi_blob_begin(
        &layer->blob, chainsi_arena_printf(&layout->arena, "%s/blobs/sha256", layout->folder),
        problem);
    for (size_t i = 0; good && i < tree->count; i++)
        good = put_entry(layer, &tree->entries[i]);
    /* An archive ends with two blocks of zeros. */
    good = good && put_zeros(layer, 2 * CHAINSI_TAR_BLOCK) && put(layer, NULL, 0, Z_FINISH) &&
           chainsi_blob_end(&layer->blob, NULL, NULL, digest, problem);
    chainsi_digest_end(layer->diff, good ? diff_id : NULL);
    if (good)
        *added = (chainsi_oci_descriptor){ CHAINSI_OCI_LAYER,
                                           chainsi_arena_strdup(&layout->arena, digest),
                                           layer->blob.size };
    chainsi_blob_done(&layer->blob);
    deflateEnd(&layer->stream);
    free(layer);
    return good;
}

bool chainsi_layout_add_tree(chainsi_layout *layout, const chainsi_tree *tree,
                             chainsi_oci_descriptor *added, char *diff_id, chainsi_problem *problem)
{
    char key[CHAINSI_OCI_DIGEST];
    bool keyed = chainsi_layer_key(tree, LEVEL, key);
    if (keyed && chainsi_layer_recall(layout, key, added, diff_id))
        return true;
    if (!make_layer(layout, tree, added, diff_id, problem))
        return false;
    if (keyed)
        chainsi_layer_note(layout, key, added, diff_id);
    return true;
}
