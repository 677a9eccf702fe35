/* Counts the bytes that a process hands to or takes from system calls, each of which is copied once
 * there. For LD_PRELOAD; they are added to the 64-bit counter in the file $PEERS_COPIES, which all
 * processes that are counted share. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_llong nowhere, *counter = &nowhere;

__attribute__((constructor)) static void find_counter(void)
{
    const char *path = getenv("PEERS_COPIES");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *at = mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (at != MAP_FAILED)
        counter = at;
}

static ssize_t count(ssize_t size)
{
    if (size > 0)
        atomic_fetch_add_explicit(counter, size, memory_order_relaxed);
    return size;
}

/* Defines `name` as libc's own with its answer counted. Two threads may look it up at once. */
#define COUNTED(name, parameters, arguments)                                                       \
    ssize_t name parameters;                                                                       \
    ssize_t name parameters                                                                        \
    {                                                                                              \
        static ssize_t(*_Atomic next) parameters;                                                  \
        ssize_t(*call) parameters = atomic_load_explicit(&next, memory_order_relaxed);             \
        if (!call) {                                                                               \
            *(void **)&call = dlsym(RTLD_NEXT, #name);                                             \
            atomic_store_explicit(&next, call, memory_order_relaxed);                              \
        }                                                                                          \
        return count(call arguments);                                                              \
    }

COUNTED(read, (int fd, void *data, size_t size), (fd, data, size))
COUNTED(write, (int fd, const void *data, size_t size), (fd, data, size))
COUNTED(pread, (int fd, void *data, size_t size, off_t at), (fd, data, size, at))
COUNTED(pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
COUNTED(readv, (int fd, const struct iovec *parts, int number), (fd, parts, number))
COUNTED(writev, (int fd, const struct iovec *parts, int number), (fd, parts, number))
COUNTED(recv, (int fd, void *data, size_t size, int flags), (fd, data, size, flags))
COUNTED(send, (int fd, const void *data, size_t size, int flags), (fd, data, size, flags))
COUNTED(recvfrom,
        (int fd, void *data, size_t size, int flags, struct sockaddr *from, socklen_t *from_size),
        (fd, data, size, flags, from, from_size))
COUNTED(sendto,
        (int fd, const void *data, size_t size, int flags, const struct sockaddr *to,
         socklen_t to_size),
        (fd, data, size, flags, to, to_size))
COUNTED(recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags))
COUNTED(sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))
/* What programs call that were compiled with checks of their buffers. */
COUNTED(__read_chk, (int fd, void *data, size_t size, size_t room), (fd, data, size, room))
COUNTED(__recv_chk, (int fd, void *data, size_t size, size_t room, int flags),
        (fd, data, size, room, flags))
