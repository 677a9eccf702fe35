/* Bodies in memory or in a file. The file has no name from the start (O_TMPFILE), or from at once after it was
 * made where the file system knows no such files, so nothing stays behind however the daemon ends. */
#include "control/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "control/home.h"
#include "control/limits.h"

static int open_nameless(const char *folder)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;
    char *path = chainsi_path("%s/body-XXXXXX", folder);
    fd = mkostemp(path, O_CLOEXEC);
    int error = errno;
    if (fd >= 0)
        unlink(path);
    free(path);
    errno = error;
    return fd;
}

static bool write_all(int fd, const void *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        ssize_t put = write(fd, (const char *)data + at, size - at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return false;
        at += (size_t)put;
    }
    return true;
}

/* Has what is in memory, and all that follows, be in a file. */
static bool move_to_file(chainsi_spool *spool, const char *folder)
{
    int fd = open_nameless(folder);
    if (fd < 0)
        return false;
    if (!write_all(fd, spool->memory.data, spool->memory.size)) {
        int error = errno;
        close(fd);
        errno = error;
        return false;
    }
    chainsi_buffer_done(&spool->memory);
    spool->has_file = true;
    spool->fd = fd;
    return true;
}

bool chainsi_spool_add(chainsi_spool *spool, const char *folder, const void *data, size_t size)
{
    if (folder && !spool->has_file && spool->size + size > CHAINSI_SPOOL_FROM &&
        !move_to_file(spool, folder))
        return false;
    if (!spool->has_file)
        chainsi_buffer_add(&spool->memory, data, size);
    else if (!write_all(spool->fd, data, size))
        return false;
    spool->size += size;
    return true;
}

const char *chainsi_spool_whole(chainsi_spool *spool)
{
    if (!spool->has_file) {
        *chainsi_buffer_reserve(&spool->memory, 1) = 0;
        return (const char *)spool->memory.data;
    }
    if (!spool->mapped) {
        /* Behind the end of a file the rest of its last page reads as zero; one byte more makes sure that
         * there is such a page. */
        if (ftruncate(spool->fd, (off_t)spool->size + 1) != 0)
            return NULL;
        void *mapped = mmap(NULL, spool->size + 1, PROT_READ, MAP_SHARED, spool->fd, 0);
        if (mapped == MAP_FAILED)
            return NULL;
        spool->mapped = mapped;
        close(spool->fd); /* the mapping is enough, and descriptors are few */
        spool->fd = -1;
    }
    return spool->mapped;
}

void chainsi_spool_reset(chainsi_spool *spool)
{
    if (spool->mapped)
        munmap(spool->mapped, spool->size + 1);
    else if (spool->has_file)
        close(spool->fd);
    spool->mapped = NULL;
    spool->has_file = false;
    spool->size = 0;
    spool->memory.size = 0;
    if (spool->memory.capacity > CHAINSI_KEPT_BUFFER)
        chainsi_buffer_done(&spool->memory);
}

void chainsi_spool_done(chainsi_spool *spool)
{
    chainsi_spool_reset(spool);
    chainsi_buffer_done(&spool->memory);
}
