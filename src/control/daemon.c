/* What comes before the keeper: finding and locking the home, and listening; all that may go wrong at
 * a start goes wrong here, before anything runs. And the ways from one of the two processes to the
 * other, which are this program run again (/proc/self/exe: the same file, even if another one has
 * taken its name). */
#include "control/daemon.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/brain.h"
#include "control/courier_work.h"
#include "control/elector.h"
#include "control/home.h"
#include "control/keeper.h"
#include "control/keyring.h"
#include "control/log.h"
#include "control/secure.h"
#include "control/start_note.h"
#include "control/state_place.h"
#include "rpc/address.h"
#include "rpc/limits.h"

static const char own_program[] = "/proc/self/exe";
static const char *own_name = "chainsd";
static chainsi_daemon_options own_options;

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static bool is_address(const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static bool is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* Whether the options can be meant; a message if not. */
static bool check_options(chainsi_daemon_options *options)
{
    if (!strcmp(options->host, "localhost"))
        options->host = "127.0.0.1";
    if (!is_address(options->host))
        fprintf(stderr, "chainsd: --host takes an IP address, not '%s'; 0.0.0.0 is every address\n",
                options->host);
    else if (!options->tls_certificate != !options->tls_key)
        fprintf(stderr, "chainsd: --tls-cert and --tls-key go together\n");
    else
        return true;
    return false;
}

static bool are_there_keys(void)
{
    char why[512];
    char *home = chainsi_home_find(why, sizeof why), *url = NULL;
    bool found =
        home && chainsi_state_place(&url, why, sizeof why) && chainsi_keyring_is_used_in(home, url);
    free(url);
    free(home);
    return found;
}

/* Whether the daemon may be reached as it is to be; a message if not. After the home was opened, which knows
 * of keys. */
static bool check_reach(const chainsi_daemon_options *options)
{
    if (is_loopback(options->host) || options->allow_insecure_network)
        return true;
    bool has_tls = options->tls_certificate != NULL, has_keys = are_there_keys();
    if (has_tls && has_keys)
        return true;
    fprintf(stderr,
            "chainsd: %s can be reached from other machines, which takes%s%s%s; or say "
            "--allow-insecure-network, if whoever reaches it may call the chains and read their "
            "logs\n",
            options->host, has_tls ? "" : " --tls-cert and --tls-key",
            has_tls || has_keys ? "" : " and",
            has_keys ? "" : " an API key (`chains key create`, with a daemon that is not)");
    return false;
}

/* Whether brains will be able to use certificate and key; a message if not. */
static bool check_certificate(const chainsi_daemon_options *options)
{
    char why[512];
    if (!options->tls_certificate)
        return true;
    chainsi_secure *secure =
        chainsi_secure_new(options->tls_certificate, options->tls_key, why, sizeof why);
    if (!secure)
        fprintf(stderr, "chainsd: %s\n", why);
    chainsi_secure_free(secure);
    return secure != NULL;
}

/* The front door's listening socket; -1 after a message. */
static int listen_front(const char *host, int port)
{
    char why[256];
    chainsi_address address = {
        .kind = CHAINSI_ADDRESS_HTTP,
        .host = (char *)host,
        .port = (uint16_t)port,
    };
    int fd = chainsi_address_listen(&address, CHAINSI_BACKLOG, why, sizeof why);
    if (fd < 0 && errno == EADDRINUSE)
        fprintf(stderr,
                "chainsd: port %d is in use by another program; choose another one with --port N "
                "(0: any)\n",
                port);
    else if (fd < 0)
        fprintf(stderr, "chainsd: %s; choose another place with --host and --port\n", why);
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

/* Whether the process that took the lock is gone: then it is held by one that it was just starting, which ends
 * now, or by its brain, which takes its place. */
static bool has_ended(long owner)
{
    return owner > 1 && kill((pid_t)owner, 0) != 0 && errno == ESRCH;
}

static int lock_home(const char *home, char *why, size_t why_size)
{
    enum { PATIENCE_MS = 2000, EVERY_MS = 10 };
    for (int waited_ms = 0;; waited_ms += EVERY_MS) {
        int lock = chainsi_home_lock(home, why, why_size);
        if (lock >= 0 || waited_ms >= PATIENCE_MS || !has_ended(chainsi_home_owner(home)))
            return lock;
        nanosleep(&(struct timespec){ .tv_nsec = EVERY_MS * CHAINSI_NS_PER_MS }, NULL);
    }
}

/* The home's lock; -1 after a message. */
static int open_home(void)
{
    char why[512];
    int lock = -1;
    char *home = chainsi_home_find(why, sizeof why);
    if (home && chainsi_home_make(home, why, sizeof why))
        lock = lock_home(home, why, sizeof why);
    if (lock < 0)
        fprintf(stderr, "chainsd: %s\n", why);
    if (lock >= 0)
        chainsi_home_forget_address(home);
    if (lock >= 0)
        chainsi_home_forget_certificate(home);
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
        .words = own_options.words,
        .passes_hang_up = own_options.tls_certificate != NULL,
    });
}

int chainsi_daemon_run(const chainsi_daemon_options *options, const char *name)
{
    own_name = name;
    own_options = *options;
    chainsi_start_note_begin();
    if (!check_options(&own_options))
        return 2;
    signal(SIGPIPE, SIG_IGN);
    chainsi_keeper_block_signals();
    raise_descriptor_limit();
    int lock = open_home(), front = -1, status = 1;
    if (lock < 0)
        return 1;
    if (!check_reach(&own_options))
        status = 2;
    else if (check_certificate(&own_options))
        front = listen_front(own_options.host, own_options.port);
    if (front < 0) {
        close(lock);
        return status;
    }
    return keep(lock, front);
}

/* From brain to keeper: the lock and the front door stay in the process that has them. Not below an elector, who has
 * ended, or ends all of us: another one may lead by now. */
static void become_keeper(int lock, int front)
{
    char fds[64];
    if (own_options.kubernetes)
        return;
    snprintf(fds, sizeof fds, "%d:%d", lock, front);
    if (fcntl(lock, F_SETFD, 0) != 0 || front < 0 || fcntl(front, F_SETFD, 0) != 0)
        return;
    size_t count = 0;
    while (own_options.words[count])
        count++;
    char **arguments = calloc(count + 4, sizeof *arguments);
    if (!arguments)
        abort();
    arguments[0] = (char *)(uintptr_t)own_name;
    arguments[1] = (char *)(uintptr_t) "--keeper";
    arguments[2] = fds;
    memcpy(arguments + 3, own_options.words, count * sizeof *arguments);
    execv(own_program, arguments);
    free(arguments);
    chainsi_say("the keeper's place can't be taken: %s", strerror(errno));
}

static bool take_fd(int fd)
{
    return fd >= 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

static bool run_brain(const char *fds, int *status)
{
    chainsi_brain_options options = { .daemon = &own_options,
                                      .program = own_program,
                                      .on_lost = become_keeper };
    if (sscanf(fds, "%d:%d:%d", &options.keeper, &options.lock, &options.front) != 3 ||
        !take_fd(options.keeper) || !take_fd(options.lock) ||
        (options.front >= 0 && !take_fd(options.front)))
        return false;
    /* With the keeper, which is killed with its elector. Where it is gone already, that is noticed (become_keeper). */
    if (own_options.kubernetes)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
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
    if (chainsi_courier_is_meant(argc, argv)) {
        *status = chainsi_courier_work();
        return true;
    }
    if (argc > 1 && !strcmp(argv[1], CHAINSI_ELECTED_VERB)) {
        chainsi_daemon_options options;
        if (chainsi_daemon_options_read(argv + 2, &options, status))
            *status = chainsi_daemon_run(&options, argv[0]);
        chainsi_daemon_options_done(&options);
        return true;
    }
    bool brain = argc > 2 && !strcmp(argv[1], "--brain");
    if (!brain && (argc < 3 || strcmp(argv[1], "--keeper") != 0))
        return false;
    own_name = argv[0];
    signal(SIGPIPE, SIG_IGN);
    /* They were good when the daemon began. */
    if (!chainsi_daemon_options_read(argv + 3, &own_options, status) ||
        !check_options(&own_options))
        return true;
    return brain ? run_brain(argv[2], status) : run_keeper(argv[2], status);
}
