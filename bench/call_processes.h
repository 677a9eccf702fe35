/* The processes of call_bench and start_bench: their sockets in a folder, and the service, started as a supervisor starts
 * one. For one file of a program. */
#ifndef BENCH_CALL_PROCESSES_H
#define BENCH_CALL_PROCESSES_H

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>

#include "base/clock.h"
#include "bench.h"
#include "call_service.h"
#include "rpc/board.h"

static char folder[] = "/tmp/chains-bench-XXXXXX";
static char programs[4096]; /* the folder of this program and of those that it starts */
static int board_fd;        /* of the service */
static cpu_set_t all_cpus;

static void prepare(void)
{
    if (sched_getaffinity(0, sizeof all_cpus, &all_cpus) < 0)
        give_up("sched_getaffinity");
    find_programs(programs, sizeof programs);
    if (!mkdtemp(folder))
        give_up(folder);
    board_fd = chainsi_board_create(0);
    if (board_fd < 0)
        give_up("a board");
}

static void pin(int n)
{
    pin_to(&all_cpus, n);
}

/* ------------------------------------------------------------------------------------------------
 * sockets */

static struct sockaddr_un address_of(const char *name)
{
    return unix_address("%.40s/%s", folder, name);
}

static int listen_at(const char *name)
{
    return listen_unix(address_of(name));
}

static int connect_to(const char *name)
{
    return connect_unix(address_of(name));
}

/* names: of sockets, to a NULL. */
static void clean_up(const char *const *names)
{
    for (; *names; names++)
        unlink(address_of(*names).sun_path);
    rmdir(folder);
}

/* ------------------------------------------------------------------------------------------------
 * the service */

/* Starts the program beside this one on the listening sockets "calls" and "probes". exec_ns: where the moment before
 * exec is noted, in shared memory; or NULL. */
static pid_t start_program(const char *name, int cpu, int64_t *exec_ns)
{
    int calls = listen_at("calls"), probes = listen_at("probes");
    pid_t child = fork();
    if (child < 0)
        give_up("fork");
    if (child > 0) {
        close(calls);
        close(probes);
        return child;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (cpu >= 0)
        pin(cpu);
    hand_over((int[]){ calls, probes, board_fd }, 3, "calls:probes:board");
    char path[sizeof programs + 32];
    snprintf(path, sizeof path, "%s/%s", programs, name);
    if (exec_ns)
        *exec_ns = chainsi_now_ns();
    execl(path, name, (char *)NULL);
    fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, path, strerror(errno));
    _exit(127);
}

/* The service. cpu: where it runs; -1: anywhere. */
__attribute__((unused)) static pid_t start_service(int cpu)
{
    return start_program("call_service", cpu, NULL);
}

#endif
