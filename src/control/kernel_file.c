/* Reading until there is no more; writing at once, as the kernel takes each write() for a whole. */
#include "control/kernel_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "control/home.h"

static int open_file(const char *folder, const char *file, int flags)
{
    char *path = chainsi_path("%s/%s", folder, file);
    int fd = open(path, flags | O_CLOEXEC);
    int error = errno;
    free(path);
    errno = error;
    return fd;
}

char *chainsi_kernel_file_read(const char *folder, const char *file)
{
    size_t size;
    return chainsi_kernel_file_read_bytes(folder, file, &size);
}

char *chainsi_kernel_file_read_bytes(const char *folder, const char *file, size_t *size)
{
    int fd = open_file(folder, file, O_RDONLY);
    if (fd < 0)
        return NULL;
    chainsi_buffer text = { 0 };
    ssize_t count;
    do {
        uint8_t *room = chainsi_buffer_reserve(&text, 4096);
        count = read(fd, room, 4096);
        if (count > 0)
            text.size += (size_t)count;
    } while (count > 0 || (count < 0 && errno == EINTR));
    int error = errno;
    close(fd);
    if (count < 0) {
        chainsi_buffer_done(&text);
        errno = error;
        return NULL;
    }
    *size = text.size;
    chainsi_buffer_add_byte(&text, 0);
    return (char *)text.data;
}

int chainsi_kernel_file_write(const char *folder, const char *file, const char *text)
{
    int fd = open_file(folder, file, O_WRONLY);
    int error = fd < 0 || write(fd, text, strlen(text)) < 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    return error;
}
