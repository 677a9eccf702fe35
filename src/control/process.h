/* Starting a process: of a replica, or the courier. */
#ifndef CHAINSI_CONTROL_PROCESS_H
#define CHAINSI_CONTROL_PROCESS_H

#include <stddef.h>
#include <sys/types.h>

/* A descriptor that the process is to have. */
typedef struct chainsi_process_fd {
    int fd;           /* stays the caller's */
    const char *name; /* of LISTEN_FDNAMES: no colon in it */
} chainsi_process_fd;

enum { CHAINSI_MOST_PROCESS_FDS = 256 };

/* What to start, and with what. Nothing is kept. */
typedef struct chainsi_process_start {
    const char *program;          /* path of the executable */
    const char *const *arguments; /* its argv, up to a NULL; NULL: the program alone */
    const char *directory;        /* to run in; NULL: where this process runs */
    const char *const
        *environment;              /* "NAME=value" up to a NULL, on top of this process's own; later
                                       ones win */
    const chainsi_process_fd *fds; /* the child has them as 3, 4, … */
    size_t fd_count;               /* at most CHAINSI_MOST_PROCESS_FDS */
    const int *group_fds; /* entries of its cgroup, as of chainsi_cgroup_enter; the caller's */
    size_t group_fd_count;
    int output_fd; /* its stdout and stderr */
} chainsi_process_start;

/* Starts the process in a session of its own, with LISTEN_PID, LISTEN_FDS and
 * LISTEN_FDNAMES, no other descriptors, default signals, and stdin at /dev/null. The
 * kernel kills it when the calling thread ends, however that comes about: so always call it from
 * the main thread. Blocks until the program runs (about a millisecond). -1 with errno if it can't
 * be run. */
pid_t chainsi_process_run(const chainsi_process_start *start);

/* "exit status 1", "killed by signal 9 (Killed)": how a process ended, by its waitpid() status. */
void chainsi_process_describe_end(int wait_status, char *text, size_t size);

#endif
