#include "control/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { MOST_TEXT = 1024 };

bool chainsi_notify_is_own(const char *entry)
{
    static const char *const own[] = { "NOTIFY_SOCKET=", "WATCHDOG_USEC=", "WATCHDOG_PID=",
                                       "JOURNAL_STREAM=", "CHAINS_JOURNAL_SOCKET=" };
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (!strncmp(entry, own[i], strlen(own[i])))
            return true;
    return false;
}

bool chainsi_notify(const char *format, ...)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t size = path ? strlen(path) : 0;
    if (size < 2 || size >= sizeof address.sun_path || (*path != '/' && *path != '@'))
        return false;
    memcpy(address.sun_path, path, size);
    if (*path == '@')
        address.sun_path[0] = 0; /* an abstract name */
    char text[MOST_TEXT];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length < 0 || length >= MOST_TEXT)
        return false;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;
    ssize_t sent = sendto(fd, text, (size_t)length, MSG_NOSIGNAL, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size));
    close(fd);
    return sent == length;
}

int64_t chainsi_notify_watchdog_ns(void)
{
    const char *text = getenv("WATCHDOG_USEC"), *whose = getenv("WATCHDOG_PID");
    char *end;
    if (!text || (whose && strtol(whose, NULL, 10) != getpid()))
        return 0;
    errno = 0;
    int64_t us = strtoll(text, &end, 10);
    return errno || end == text || *end || us <= 0 || us > INT64_MAX / 1000 ? 0 : us * 1000 / 2;
}

bool chainsi_notify_is_journal(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM");
    uintmax_t device, inode;
    struct stat info;
    return stream && sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &device, &inode) == 2 &&
           fstat(fd, &info) == 0 && info.st_dev == (dev_t)device && info.st_ino == (ino_t)inode;
}
