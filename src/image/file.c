/* Reading and writing of files. */
#include "image/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

bool chainsi_file_read(const char *path, size_t max, chainsi_buffer *out, chainsi_problem *problem)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t before = out->size;
    ssize_t got = -1;
    while (fd >= 0 && out->size - before <= max) {
        got = read(fd, chainsi_buffer_reserve(out, 65536), 65536);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        out->size += (size_t)got;
    }
    int why = errno;
    if (fd >= 0)
        close(fd);
    if (out->size - before > max)
        return chainsi_problem_set(problem, NULL, "'%s' is longer than %zu bytes", path, max);
    errno = why;
    return got == 0 || chainsi_problem_file(problem, "read", path);
}

bool chainsi_file_write(const char *path, const void *data, size_t size, chainsi_problem *problem)
{
    char part[PATH_MAX];
    if (snprintf(part, sizeof part, "%s.part", path) >= (int)sizeof part) {
        errno = ENAMETOOLONG;
        return chainsi_problem_file(problem, "write", path);
    }
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool good = fd >= 0;
    for (size_t at = 0; good && at < size;) {
        ssize_t written = write(fd, (const char *)data + at, size - at);
        good = written >= 0 || errno == EINTR;
        at += written > 0 ? (size_t)written : 0;
    }
    good = good && rename(part, path) == 0;
    if (!good)
        chainsi_problem_file(problem, "write", path);
    if (fd >= 0)
        close(fd);
    if (!good)
        unlink(part);
    return good;
}
