/* What comes before the keeper: finding and locking the home, and listening; all that may go wrong at
 * a start goes wrong here, before anything runs. And the ways from one of the two processes to the
 * other, which are this program run again (/proc/self/exe: the same file, even if another one has
 * taken its name). */
#include "control/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "control/brain.h"
#include "control/home.h"
#include "control/keeper.h"
#include "control/log.h"
#include "rpc/address.h"
#include "rpc/limits.h"

static const char own_program[] = "/proc/self/exe";
static const char *own_name = "chainsd";

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* The front door's listening socket; -1 after a message. */
static int listen_front(int port)
{
    char why[256];
    chainsi_address address = {
        .kind = CHAINSI_ADDRESS_HTTP,
        .host = (char *)"127.0.0.1",
        .port = (uint16_t)port,
    };
    int fd = chainsi_address_listen(&address, CHAINSI_BACKLOG, why, sizeof why);
    if (fd < 0 && errno == EADDRINUSE)
        fprintf(stderr,
                "chainsd: port %d is in use by another program; choose another one with --port N "
                "(0: any)\n",
                port);
    else if (fd < 0)
        fprintf(stderr, "chainsd: %s; choose another port with --port\n", why);
    return fd;
}

/* Makes the home ready for a keeper that begins. False after a message. */
static bool prepare_home(const char *home)
{
    char token[CHAINSI_TOKEN_SIZE + 1];
    char *sockets = chainsi_path("%s/run", home);
    bool cleared = chainsi_remove_tree(sockets);
    free(sockets);
    if (cleared && chainsi_home_token(home, true, token))
        return true;
    fprintf(stderr, "chainsd: cannot write below %s: %s\n", home, strerror(errno));
    return false;
}

/* The home's lock; -1 after a message. */
static int open_home(void)
{
    char why[512];
    int lock = -1;
    char *home = chainsi_home_find(why, sizeof why);
    if (home && chainsi_home_make(home, why, sizeof why))
        lock = chainsi_home_lock(home, why, sizeof why);
    if (lock < 0)
        fprintf(stderr, "chainsd: %s\n", why);
    if (lock >= 0)
        chainsi_home_forget_address(home);
    if (lock >= 0 && !prepare_home(home)) {
        close(lock);
        lock = -1;
    }
    free(home);
    return lock;
}

static int keep(int lock, int front)
{
    return chainsi_keeper_run(&(chainsi_keeper_options){
        .lock = lock,
        .front = front,
        .program = own_program,
        .name = own_name,
    });
}

int chainsi_daemon_run(int port, const char *name)
{
    own_name = name;
    signal(SIGPIPE, SIG_IGN);
    chainsi_keeper_block_signals();
    raise_descriptor_limit();
    int lock = open_home();
    if (lock < 0)
        return 1;
    int front = listen_front(port);
    if (front < 0) {
        close(lock);
        return 1;
    }
    return keep(lock, front);
}

/* From brain to keeper: the lock and the front door stay in the process that has them. */
static void become_keeper(int lock, int front)
{
    char fds[64];
    snprintf(fds, sizeof fds, "%d:%d", lock, front);
    if (fcntl(lock, F_SETFD, 0) != 0 || front < 0 || fcntl(front, F_SETFD, 0) != 0)
        return;
    execl(own_program, own_name, "--keeper", fds, (char *)NULL);
    chainsi_say("the keeper's place can't be taken: %s", strerror(errno));
}

static bool take_fd(int fd)
{
    return fd >= 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

static bool run_brain(const char *fds, int *status)
{
    chainsi_brain_options options = { .on_lost = become_keeper };
    if (sscanf(fds, "%d:%d:%d", &options.keeper, &options.lock, &options.front) != 3 ||
        !take_fd(options.keeper) || !take_fd(options.lock) ||
        (options.front >= 0 && !take_fd(options.front)))
        return false;
    *status = chainsi_brain_run(&options);
    return true;
}

static bool run_keeper(const char *fds, int *status)
{
    int lock, front;
    char why[512];
    if (sscanf(fds, "%d:%d", &lock, &front) != 2 || !take_fd(lock) || !take_fd(front))
        return false;
    chainsi_keeper_block_signals();
    if (getenv("WATCHDOG_PID")) { /* it was for the keeper that is gone */
        char pid[24];
        snprintf(pid, sizeof pid, "%d", (int)getpid());
        setenv("WATCHDOG_PID", pid, 1);
    }
    char *home = chainsi_home_find(why, sizeof why);
    bool kept = home && chainsi_home_keep_lock(home, lock, why, sizeof why);
    if (!kept)
        fprintf(stderr, "chainsd: %s\n", why);
    *status = kept && prepare_home(home) ? keep(lock, front) : 1;
    free(home);
    return true;
}

bool chainsi_daemon_run_part(int argc, char **argv, int *status)
{
    if (argc != 3)
        return false;
    own_name = argv[0];
    signal(SIGPIPE, SIG_IGN);
    if (!strcmp(argv[1], "--brain"))
        return run_brain(argv[2], status);
    return !strcmp(argv[1], "--keeper") && run_keeper(argv[2], status);
}
