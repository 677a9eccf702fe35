/* Becomes a program that is started as a supervisor starts a service: on one CPU, with listening
 * sockets from descriptor 3 on.
 *
 *   launch CPU SOCKETS NAMES PROGRAM ARGUMENT...
 *
 * SOCKETS is their number, NAMES what LISTEN_FDNAMES says. The moment before exec (nanoseconds of
 * CLOCK_MONOTONIC) is written to the descriptor behind the last socket, which is then closed. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: launch CPU SOCKETS NAMES PROGRAM ARGUMENT...\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)atoi(argv[1]), &one);
    if (sched_setaffinity(0, sizeof one, &one) < 0)
        perror("launch: sched_setaffinity");
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", argv[2], 1);
    setenv("LISTEN_FDNAMES", argv[3], 1);
    int report = 3 + atoi(argv[2]);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    dprintf(report, "%lld\n", (long long)now.tv_sec * 1000000000 + now.tv_nsec);
    close(report);
    execvp(argv[4], argv + 4);
    fprintf(stderr, "launch: %s: %s\n", argv[4], strerror(errno));
    return 127;
}
