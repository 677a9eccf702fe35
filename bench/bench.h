/* What benches have in common: giving up, CPUs, bytes of a descriptor, Unix sockets, what processes are handed and cost. For one file of a program. */
#ifndef CHAINSI_BENCH_H
#define CHAINSI_BENCH_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static inline _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
    exit(1);
}

/* The n-th of some CPUs, counted round. */
static inline cpu_set_t nth_cpu(const cpu_set_t *of, int n)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    n %= CPU_COUNT(of);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, of) && n-- == 0)
            CPU_SET(cpu, &one);
    return one;
}

/* Has this thread, and those that it starts, run on the n-th of some CPUs alone. */
static inline void pin_to(const cpu_set_t *of, int n)
{
    cpu_set_t one = nth_cpu(of, n);
    if (sched_setaffinity(0, sizeof one, &one) < 0)
        give_up("sched_setaffinity");
}

static inline void write_all(int fd, const void *data, size_t size)
{
    for (const char *at = data; size;) {
        ssize_t done = write(fd, at, size);
        if (done < 0)
            give_up("write");
        at += done;
        size -= (size_t)done;
    }
}

/* False at the end of the stream. */
static inline bool read_all(int fd, void *data, size_t size)
{
    for (char *at = data; size;) {
        ssize_t done = read(fd, at, size);
        if (done < 0)
            give_up("read");
        if (done == 0)
            return false;
        at += done;
        size -= (size_t)done;
    }
    return true;
}

/* Of the socket at that path. */
__attribute__((format(printf, 1, 2))) static inline struct sockaddr_un
unix_address(const char *format, ...)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(address.sun_path, sizeof address.sun_path, format, arguments);
    va_end(arguments);
    return address;
}

static inline int listen_unix(struct sockaddr_un address)
{
    unlink(address.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 64) < 0)
        give_up(address.sun_path);
    return fd;
}

static inline int connect_unix(struct sockaddr_un address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        give_up(address.sun_path);
    return fd;
}

/* The folder of this program, and of those that were built beside it. */
static inline void find_programs(char *folder, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", folder, size - 1);
    if (length < 0)
        give_up("/proc/self/exe");
    folder[length] = 0;
    *strrchr(folder, '/') = 0;
}

/* CPU time of this process and another one, nanoseconds. */
static inline int64_t cpu_ns(pid_t other)
{
    clockid_t clocks[2] = { CLOCK_PROCESS_CPUTIME_ID };
    int64_t total_ns = 0;
    if (clock_getcpuclockid(other, &clocks[1]) != 0)
        give_up("the CPU time of a process");
    for (int i = 0; i < 2; i++) {
        struct timespec used;
        clock_gettime(clocks[i], &used);
        total_ns += (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
    }
    return total_ns;
}

/* -1: it can't be told. */
static inline long resident_kib(pid_t process)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", (int)process);
    FILE *file = fopen(path, "re");
    long kib = -1;
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "VmRSS: %ld", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return kib;
}

/* Ends a process that this one has started, and waits for its end. */
static inline void stop(pid_t child)
{
    kill(child, SIGTERM);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* For qsort. */
static inline int compare_times(const void *a, const void *b)
{
    const int64_t *one = a, *other = b;
    return (*one > *other) - (*one < *other);
}

static inline int compare_figures(const void *a, const void *b)
{
    const double *one = a, *other = b;
    return (*one > *other) - (*one < *other);
}

typedef struct summary {
    double median, p99; /* microseconds */
} summary;

/* Of nanoseconds, which it puts in order. */
static inline summary summarize(int64_t *samples, size_t count)
{
    qsort(samples, count, sizeof *samples, compare_times);
    return (summary){ (double)samples[count / 2] / 1e3, (double)samples[count * 99 / 100] / 1e3 };
}

/* Hands descriptors to the program that this process is, or is going to be, as a supervisor does: four at most.
 * names: theirs, with colons between them. */
static inline void hand_over(const int *fds, int count, const char *names)
{
    enum { FIRST_FD = 3, MOST = 4 };
    int moved[MOST];
    for (int i = 0; i < count; i++)
        moved[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 64);
    for (int i = 0; i < count; i++)
        dup2(moved[i], FIRST_FD + i);
    char text[16];
    snprintf(text, sizeof text, "%d", (int)getpid());
    setenv("LISTEN_PID", text, 1);
    snprintf(text, sizeof text, "%d", count);
    setenv("LISTEN_FDS", text, 1);
    setenv("LISTEN_FDNAMES", names, 1);
}

#endif
