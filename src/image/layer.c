/* A layer: the tree's tar, compressed while it is written. */
#include "image/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/blob.h"
#include "image/layer_cache.h"
#include "image/tar.h"

enum { PIECE = 128 * 1024 };

typedef struct layer_writer {
    chainsi_blob blob;
    chainsi_compressor *compressor; /* owned */
    void *diff;
    chainsi_problem *problem;
} layer_writer;

static bool write_compressed(const void *data, size_t size, void *user)
{
    layer_writer *layer = user;
    return chainsi_blob_write(&layer->blob, data, size, layer->problem);
}

static bool put(layer_writer *layer, const void *data, size_t size)
{
    chainsi_digest_add(layer->diff, data, size);
    return chainsi_compressor_add(layer->compressor, data, size);
}

static bool put_zeros(layer_writer *layer, size_t size)
{
    static const uint8_t zeros[2 * CHAINSI_TAR_BLOCK];
    return !size || put(layer, zeros, size);
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
        if (!put(layer, piece, (size_t)got))
            return false;
        left -= (uint64_t)got;
    }
    return put_zeros(layer, chainsi_tar_padding(size));
}

static bool put_header(layer_writer *layer, const chainsi_entry *entry, uint64_t size)
{
    chainsi_buffer header = { 0 };
    chainsi_tar_header(&header, entry, size);
    bool good = put(layer, header.data, header.size);
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
           (!size ||
            (put(layer, entry->text, size) && put_zeros(layer, chainsi_tar_padding(size))));
}

/* Of an archive, without what is between files. */
static uint64_t size_of(const chainsi_tree *tree)
{
    uint64_t size = 0;
    for (size_t i = 0; i < tree->count; i++) {
        struct stat about;
        const chainsi_entry *entry = &tree->entries[i];
        if (!entry->source)
            size += entry->text_size;
        else if (stat(entry->source, &about) == 0)
            size += (uint64_t)about.st_size;
    }
    return size;
}

static bool make_layer(chainsi_layout *layout, const chainsi_tree *tree,
                       chainsi_compression compression, int level, chainsi_oci_descriptor *added,
                       char *diff_id, chainsi_problem *problem)
{
    layer_writer *layer = calloc(1, sizeof *layer);
    if (!layer)
        abort();
    layer->problem = problem;
    layer->diff = chainsi_digest_begin();
    layer->compressor = chainsi_compressor_new(compression, level, write_compressed, layer);
    char digest[CHAINSI_OCI_DIGEST];
    bool good = chainsi_blob_begin(
        &layer->blob, chainsi_arena_printf(&layout->arena, "%s/blobs/sha256", layout->folder),
        problem);
    for (size_t i = 0; good && i < tree->count; i++)
        good = put_entry(layer, &tree->entries[i]);
    /* An archive ends with two blocks of zeros. */
    good = good && put_zeros(layer, 2 * CHAINSI_TAR_BLOCK) &&
           chainsi_compressor_end(layer->compressor) &&
           chainsi_blob_end(&layer->blob, NULL, NULL, digest, problem);
    chainsi_digest_end(layer->diff, good ? diff_id : NULL);
    if (good)
        *added = (chainsi_oci_descriptor){ chainsi_compression_media_type(compression),
                                           chainsi_arena_strdup(&layout->arena, digest),
                                           layer->blob.size };
    chainsi_blob_done(&layer->blob);
    chainsi_compressor_free(layer->compressor);
    free(layer);
    return good;
}

bool chainsi_layout_add_tree(chainsi_layout *layout, const chainsi_tree *tree,
                             chainsi_compression compression, bool often,
                             chainsi_oci_descriptor *added, char *diff_id, chainsi_problem *problem)
{
    const int level = chainsi_compression_level(compression, size_of(tree), often);
    char key[CHAINSI_OCI_DIGEST];
    bool keyed = chainsi_layer_key(tree, compression, level, key);
    if (keyed && chainsi_layer_recall(layout, key, compression, added, diff_id))
        return true;
    if (!make_layer(layout, tree, compression, level, added, diff_id, problem))
        return false;
    if (keyed)
        chainsi_layer_note(layout, key, added, diff_id);
    return true;
}
