/* Portions: each runs on one of libuv's threads and hands the whole struct back. */
#include "control/asset_disk.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/handle.h"

enum { BUFFER = 256 * 1024 };

chains_status chainsi_asset_disk_failure(const char *what, int error, int64_t size, char *why,
                                         size_t why_size)
{
    bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
    char needed[48] = "";
    if (full && size >= 0)
        snprintf(needed, sizeof needed, " (it has %lld bytes)", (long long)size);
    snprintf(why, why_size, "%s: %s%s%s", what, error == ENOSPC ? "the disk is full: " : "",
             strerror(error), needed);
    return full ? CHAINS_RESOURCE_EXHAUSTED : CHAINS_INTERNAL;
}

static bool fail(chainsi_asset_disk *disk, const char *what, int error)
{
    disk->status = chainsi_asset_disk_failure(what, error, disk->size, disk->why, sizeof disk->why);
    return false;
}

static bool end_with(chainsi_asset_disk *disk, chains_status status, const char *why)
{
    disk->status = status;
    snprintf(disk->why, sizeof disk->why, "%s", why);
    return false;
}

/* Copying. */

static bool open_source(chainsi_asset_disk *disk)
{
    struct stat info;
    /* Not blocking: a FIFO would wait for its writer. */
    disk->source_fd = open(disk->source, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (disk->source_fd < 0 || fstat(disk->source_fd, &info) != 0)
        return end_with(disk, errno == EACCES ? CHAINS_PERMISSION_DENIED : CHAINS_NOT_FOUND,
                        strerror(errno));
    if (!S_ISREG(info.st_mode))
        return end_with(disk, CHAINS_NOT_FOUND, "it is no regular file");
    disk->size = info.st_size;
    if (disk->size > disk->most_bytes)
        return end_with(disk, CHAINS_RESOURCE_EXHAUSTED, "it is larger than an asset may be");
    return true;
}

/* Copies some bytes; 0 at the end, or -1 with errno. */
static ssize_t copy_some(chainsi_asset_disk *disk, size_t most)
{
    /* Shares the blocks of the two files where the file system can. */
    off64_t from = disk->at, to = disk->at;
    ssize_t copied = copy_file_range(disk->source_fd, &from, disk->fd, &to, most, 0);
    if (copied > 0 || (copied < 0 && (errno == ENOSPC || errno == EFBIG || errno == EDQUOT)))
        return copied;
    ssize_t got = pread(disk->source_fd, disk->buffer, most < BUFFER ? most : BUFFER, disk->at);
    for (ssize_t at = 0; at < got;) {
        ssize_t written = pwrite(disk->fd, disk->buffer + at, (size_t)(got - at), disk->at + at);
        if (written < 0)
            return -1;
        at += written;
    }
    return got;
}

static bool copy_portion(chainsi_asset_disk *disk)
{
    if (disk->source_fd < 0 && !open_source(disk))
        return false;
    /* Not beyond the size that was found: a file that grows must not keep this going. */
    for (int64_t end = disk->at + CHAINSI_ASSET_PORTION; disk->at < disk->size && disk->at < end;) {
        int64_t most = disk->size - disk->at;
        ssize_t copied =
            copy_some(disk, most < CHAINSI_ASSET_PORTION ? (size_t)most : CHAINSI_ASSET_PORTION);
        if (copied < 0)
            return fail(disk, "cannot copy it", errno);
        if (copied == 0) {
            disk->size = disk->at; /* it became shorter; the digest will tell */
            break;
        }
        disk->at += copied;
    }
    return disk->at < disk->size;
}

/* Verifying. */

static bool judge(chainsi_asset_disk *disk)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    char digest[CHAINSI_DIGEST_DIGITS + 1];
    EVP_DigestFinal_ex(disk->context, bytes, &size);
    for (unsigned i = 0; i < size && i < CHAINSI_DIGEST_DIGITS / 2; i++)
        snprintf(digest + 2 * (size_t)i, 3, "%02x", bytes[i]);
    if (strcmp(digest, disk->digest) != 0)
        return end_with(disk, CHAINS_DATA_LOSS, digest);
    /* It was given its blocks for the size that the server spoke of. */
    if (ftruncate(disk->fd, disk->size) != 0 ||
        !chainsi_asset_store_keep(disk->home, disk->digest, disk->fd))
        return fail(disk, "cannot store it", errno);
    return false;
}

static bool verify_portion(chainsi_asset_disk *disk)
{
    if (!disk->context && (!(disk->context = EVP_MD_CTX_new()) ||
                           !EVP_DigestInit_ex(disk->context, EVP_sha256(), NULL)))
        abort(); /* out of memory */
    for (int64_t end = disk->at + CHAINSI_ASSET_PORTION; disk->at < disk->size && disk->at < end;) {
        int64_t most = disk->size - disk->at;
        ssize_t got =
            pread(disk->fd, disk->buffer, most < BUFFER ? (size_t)most : BUFFER, disk->at);
        if (got <= 0)
            return fail(disk, "cannot read it back", got < 0 ? errno : EIO);
        EVP_DigestUpdate(disk->context, disk->buffer, (size_t)got);
        disk->at += got;
    }
    return disk->at < disk->size || judge(disk);
}

/* Both. */

static void work(uv_work_t *request)
{
    chainsi_asset_disk *disk = request->data;
    if (!disk->portion(disk))
        disk->portion = NULL;
}

static void on_worked(uv_work_t *request, int status)
{
    (void)status;
    chainsi_asset_disk *disk = request->data;
    disk->done = disk->at;
    if (disk->portion && !disk->stop_asked) {
        uv_queue_work(disk->loop, &disk->request, work, on_worked);
        return;
    }
    if (disk->portion)
        disk->status = CHAINS_CANCELLED;
    if (disk->source_fd >= 0)
        close(disk->source_fd);
    EVP_MD_CTX_free(disk->context);
    free(disk->buffer);
    disk->busy = false;
    disk->on_end(disk, disk->status, disk->why);
}

static void begin(chainsi_asset_disk *disk, bool (*portion)(chainsi_asset_disk *disk))
{
    assert(!disk->busy);
    disk->portion = portion;
    disk->at = disk->done = 0;
    disk->source_fd = -1;
    disk->buffer = chainsi_make(BUFFER);
    disk->context = NULL;
    disk->status = CHAINS_OK;
    disk->why[0] = 0;
    disk->busy = true;
    disk->stop_asked = false;
    disk->request.data = disk;
    uv_queue_work(disk->loop, &disk->request, work, on_worked);
}

void chainsi_asset_disk_copy(chainsi_asset_disk *disk)
{
    begin(disk, copy_portion);
}

void chainsi_asset_disk_verify(chainsi_asset_disk *disk)
{
    begin(disk, verify_portion);
}

void chainsi_asset_disk_stop(chainsi_asset_disk *disk)
{
    disk->stop_asked = true;
}
