/* The keeper's loop: signals and the brain's commands.
 *
 * Nothing here waits for the brain: what can't be sent at once is kept until it can. Processes are
 * known by their numbers, which stay theirs until they are reaped, and nobody else reaps them. A
 * brain that has died leaves commands behind in the socket: they are carried out first, as their
 * sender may have told others of them. */
#include "control/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/backoff.h"
#include "control/cgroups.h"
#include "control/command.h"
#include "control/log.h"
#include "control/notify.h"
#include "control/process.h"
#include "control/strays.h"

enum {
    PIPE_SIZE = 1024 * 1024, /* of output that waits for a brain, bytes; if the kernel allows it */
    MOST_STOP_DEATHS = 2,    /* brains that may die while the daemon is to end */
};

static const chainsi_backoff_policy brain_policy = {
    .first_delay_ns = 5 * CHAINSI_NS_PER_MS,
    .max_delay_ns = 1000 * CHAINSI_NS_PER_MS,
    .stable_ns = 100 * CHAINSI_NS_PER_MS,
    .failed_delay_ns = 1000 * CHAINSI_NS_PER_MS,
    .max_deaths = UINT32_MAX,
};

typedef struct held {
    char *name;
    int fd;
    struct held *next;
} held;

typedef struct child {
    char *name;
    pid_t pid; /* 0: it could not be started */
    bool ended;
    uint64_t number; /* in the tags of it and of what it starts; 0: it never ran */
    int wait_status;
    int output; /* the end of its pipe to read from; -1: none */
    int64_t since_ns;
    uint32_t note_size;
    unsigned char note[CHAINSI_COMMAND_MAX_NOTE];
    struct child *next;
} child;

/* Something that the brain is to get. */
typedef struct outgoing {
    chainsi_command command;
    int fd; /* owned; -1 */
    struct outgoing *next;
} outgoing;

typedef struct keeper {
    const chainsi_keeper_options *options;
    int signals;
    held *held;
    child *children;
    uint64_t starts; /* of processes */

    pid_t brain;          /* 0: none runs */
    int socket;           /* to it; -1 */
    int64_t serving_ns;   /* since when it serves; -1: not yet */
    bool has_served;      /* it, or one before it */
    int64_t next_ns;      /* when to start the next one */
    int64_t watchdog_ns;  /* how often it is asked whether it works; 0: never */
    int64_t ping_ns;      /* when it is asked next */
    outgoing *out, **end; /* what waits to be sent, and where the last one's next is */
    chainsi_backoff deaths;

    unsigned stops; /* how often the end was asked for */
    unsigned stop_deaths;
    bool done;
    int status;
} keeper;

static void *make(size_t size)
{
    void *memory = calloc(1, size);
    if (!memory)
        abort();
    return memory;
}

static char *copy_text(const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        abort();
    return copy;
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* What is held. */

static held **find_held(keeper *k, const char *name)
{
    held **at = &k->held;
    while (*at && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    return at;
}

static void hold(keeper *k, const char *name, int fd)
{
    held **at = find_held(k, name);
    if (*at) {
        close((*at)->fd);
    } else {
        *at = make(sizeof **at);
        (*at)->name = copy_text(name);
    }
    (*at)->fd = fd;
}

static void release(keeper *k, const char *name)
{
    held **at = find_held(k, name), *gone = *at;
    if (!gone)
        return;
    *at = gone->next;
    close(gone->fd);
    free(gone->name);
    free(gone);
}

static child **find_child(keeper *k, const char *name)
{
    child **at = &k->children;
    while (*at && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    return at;
}

static void forget(child **at)
{
    child *gone = *at;
    *at = gone->next;
    close_if_open(gone->output);
    free(gone->name);
    free(gone);
}

static void kill_children(const keeper *k)
{
    for (const child *c = k->children; c; c = c->next)
        if (!c->ended)
            kill(-c->pid, SIGKILL);
}

/* What the brain is told. */

static void drop_outgoing(keeper *k)
{
    outgoing *first = k->out;
    k->out = first->next;
    if (!k->out)
        k->end = &k->out;
    close_if_open(first->fd);
    free(first);
}

/* Sends what waits, as far as it goes. A brain that is ending takes nothing; one that can't be told
 * anything for other reasons has to end. */
static void flush(keeper *k)
{
    while (k->out) {
        if (!chainsi_command_send(k->socket, &k->out->command, k->out->fd)) {
            if (errno == EAGAIN)
                return;
            if (errno != EPIPE && errno != ECONNRESET) {
                chainsi_say("the brain can't be told anything: %s", strerror(errno));
                kill(k->brain, SIGKILL);
            }
        }
        drop_outgoing(k);
    }
}

/* fd stays the caller's. */
static void tell(keeper *k, const chainsi_command *command, int fd)
{
    if (!k->brain || k->socket < 0)
        return;
    outgoing *next = make(sizeof *next);
    next->command = *command;
    next->fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    *k->end = next;
    k->end = &next->next;
    flush(k);
}

static void tell_child(keeper *k, const child *c, chainsi_command_kind kind)
{
    chainsi_command command;
    chainsi_command_make(&command, kind, c->name);
    command.pid = c->pid;
    command.since_ns = c->since_ns;
    command.ended = c->ended;
    command.value = c->wait_status;
    if (kind == CHAINSI_COMMAND_PROCESS) {
        command.note_size = c->note_size;
        memcpy(command.note, c->note, c->note_size);
    }
    tell(k, &command, kind == CHAINSI_COMMAND_PROCESS ? c->output : -1);
}

static void tell_stops(keeper *k)
{
    chainsi_command command;
    chainsi_command_make(&command, CHAINSI_COMMAND_STOP, "");
    command.value = (int32_t)k->stops;
    tell(k, &command, -1);
}

static void list(keeper *k)
{
    for (const held *h = k->held; h; h = h->next) {
        chainsi_command command;
        if (!strcmp(h->name, CHAINSI_KEEPER_FRONT))
            continue; /* it was born with that */
        chainsi_command_make(&command, CHAINSI_COMMAND_HELD, h->name);
        tell(k, &command, h->fd);
    }
    for (const child *c = k->children; c; c = c->next)
        tell_child(k, c, CHAINSI_COMMAND_PROCESS);
}

/* What the brain asks for. */

static void take_note(child *c, const chainsi_command *command)
{
    c->note_size = command->note_size;
    memcpy(c->note, command->note, command->note_size);
}

/* The environment that was ordered with one entry more. The array is the arena's. */
static const char *const *add_entry(chainsi_arena *arena, const char *const *environment,
                                    const char *entry)
{
    size_t count = 0;
    while (environment[count])
        count++;
    const char **all = chainsi_arena_array(arena, count + 2, sizeof *all);
    memcpy(all, environment, count * sizeof *all);
    all[count] = entry;
    all[count + 1] = NULL;
    return all;
}

/* Runs what was ordered, with its output in a pipe whose other end is c->output. 0 or an errno. */
static int run_order(keeper *k, child *c, const chainsi_order *order, chainsi_arena *arena)
{
    char tag[CHAINSI_TAG_TEXT];
    uint64_t number = ++k->starts;
    chainsi_strays_tag(k->options->lock, number, tag);
    chainsi_process_fd fds[CHAINSI_MOST_PROCESS_FDS];
    int groups[CHAINSI_CGROUPS_MOST_TREES];
    if (order->fd_count > CHAINSI_MOST_PROCESS_FDS ||
        order->group_count > CHAINSI_CGROUPS_MOST_TREES)
        return E2BIG;
    for (size_t i = 0; i < order->group_count; i++) {
        const held *found = *find_held(k, order->groups[i]);
        if (!found)
            return ENOENT;
        groups[i] = found->fd;
    }
    for (size_t i = 0; i < order->fd_count; i++) {
        const held *found = *find_held(k, order->fds[i].held);
        if (!found)
            return ENOENT;
        fds[i] = (chainsi_process_fd){ found->fd, order->fds[i].name };
    }
    int output[2];
    if (pipe2(output, O_CLOEXEC) != 0)
        return errno;
    fcntl(output[0], F_SETFL, O_NONBLOCK);
    fcntl(output[0], F_SETPIPE_SZ, PIPE_SIZE); /* less will do, too */
    pid_t pid = chainsi_process_run(&(chainsi_process_start){
        .program = order->program,
        .directory = order->directory,
        .environment = add_entry(arena, order->environment, tag),
        .fds = fds,
        .fd_count = order->fd_count,
        .group_fds = groups,
        .group_fd_count = order->group_count,
        .output_fd = output[1],
    });
    int error = pid < 0 ? errno : 0;
    close(output[1]);
    if (error) {
        close(output[0]);
        return error;
    }
    c->pid = pid;
    c->ended = false;
    c->number = number;
    c->wait_status = 0;
    c->output = output[0];
    return 0;
}

/* One that runs is left as it is; what has ended makes room for its successor. Where none could be
 * started the note stays, with the status that shells give to that. */
static int start(keeper *k, const chainsi_command *command, int fd, chainsi_command *answer)
{
    child **at = find_child(k, command->name), *c = *at;
    if (!c) {
        c = *at = make(sizeof *c);
        c->name = copy_text(command->name);
        c->ended = true;
        c->output = -1;
    }
    int error = 0;
    if (c->ended) {
        close_if_open(c->output);
        c->output = -1;
        c->pid = 0;
        c->wait_status = 127 << 8;
        c->since_ns = chainsi_now_ns();
        take_note(c, command);
        chainsi_arena arena = { 0 };
        chainsi_order order;
        error = chainsi_order_read(fd, &arena, &order) ? run_order(k, c, &order, &arena) : errno;
        chainsi_arena_done(&arena);
    }
    answer->pid = c->pid;
    answer->since_ns = c->since_ns;
    return error;
}

static int send_signal(keeper *k, const chainsi_command *command)
{
    const child *c = *find_child(k, command->name);
    if (!c || c->ended)
        return ESRCH;
    return kill(command->value == SIGKILL ? -c->pid : c->pid, command->value) == 0 ? 0 : errno;
}

/* The service manager hears of the daemon through the brain: one that is no longer at work doesn't
 * answer, and the watchdog bites. */
static void note_serving(keeper *k)
{
    k->has_served = true;
    if (k->serving_ns < 0) {
        k->serving_ns = chainsi_now_ns();
        chainsi_notify("READY=1\nMAINPID=%d\nSTATUS=serving", (int)getpid());
    }
    if (k->watchdog_ns)
        chainsi_notify("WATCHDOG=1");
}

/* Asks the brain whether it is at work, when it is time to. */
static void ping(keeper *k, int64_t now_ns)
{
    if (!k->watchdog_ns || now_ns < k->ping_ns || k->serving_ns < 0)
        return;
    chainsi_command command;
    chainsi_command_make(&command, CHAINSI_COMMAND_PING, "");
    k->ping_ns = now_ns + k->watchdog_ns;
    tell(k, &command, -1);
}

/* How long to wait for something to happen, milliseconds as of poll(). */
static int rest_ms(const keeper *k, int64_t now_ns)
{
    if (!k->brain)
        return chainsi_poll_timeout(k->next_ns, now_ns);
    return k->watchdog_ns && k->serving_ns >= 0 ? chainsi_poll_timeout(k->ping_ns, now_ns) : -1;
}

static void execute(keeper *k, const chainsi_command *command, int fd)
{
    chainsi_command answer;
    chainsi_command_make(&answer, CHAINSI_COMMAND_DONE, command->name);
    answer.number = command->number;
    int output = -1;
    child **at = find_child(k, command->name);
    switch ((chainsi_command_kind)command->kind) {
    case CHAINSI_COMMAND_LIST:
        list(k);
        answer.value = (int32_t)k->stops;
        break;
    case CHAINSI_COMMAND_HOLD:
        if (fd < 0) {
            answer.error = EBADF; /* descriptors have run out here */
            break;
        }
        hold(k, command->name, fd);
        fd = -1;
        break;
    case CHAINSI_COMMAND_RELEASE:
        release(k, command->name);
        break;
    case CHAINSI_COMMAND_START:
        answer.error = start(k, command, fd, &answer);
        if (!answer.error)
            output = (*find_child(k, command->name))->output;
        break;
    case CHAINSI_COMMAND_SIGNAL:
        answer.error = send_signal(k, command);
        break;
    case CHAINSI_COMMAND_NOTE:
        if (*at)
            take_note(*at, command);
        else
            answer.error = ESRCH;
        break;
    case CHAINSI_COMMAND_FORGET:
        if (*at && !(*at)->ended)
            answer.error = EBUSY;
        else if (*at)
            forget(at);
        break;
    case CHAINSI_COMMAND_SERVING:
        note_serving(k);
        break;
    case CHAINSI_COMMAND_DONE:
    case CHAINSI_COMMAND_HELD:
    case CHAINSI_COMMAND_PROCESS:
    case CHAINSI_COMMAND_ENDED:
    case CHAINSI_COMMAND_STOP:
    case CHAINSI_COMMAND_PING:
    default:
        answer.error = EINVAL;
    }
    close_if_open(fd);
    tell(k, &answer, output);
}

/* Carries out what has come. A brain that sends nonsense has to end; one that has closed its end is
 * about to. */
static void execute_all(keeper *k)
{
    for (;;) {
        chainsi_command command;
        int fd = -1;
        int got = chainsi_command_receive(k->socket, &command, &fd);
        if (got > 0) {
            execute(k, &command, fd);
            continue;
        }
        if (got < 0 && errno == EAGAIN)
            return;
        if (got < 0 && k->brain) {
            chainsi_say("the brain can't be understood: %s", strerror(errno));
            kill(k->brain, SIGKILL);
        }
        close(k->socket);
        k->socket = -1;
        return;
    }
}

/* The brain's life. */

static void start_brain(keeper *k)
{
    int pair[2];
    k->next_ns = chainsi_now_ns() + brain_policy.max_delay_ns; /* if it can't be started */
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
        chainsi_say("the brain can't be started: %s", strerror(errno));
        return;
    }
    const held *front = *find_held(k, CHAINSI_KEEPER_FRONT);
    char fds[64];
    snprintf(fds, sizeof fds, "%d:%d:%d", pair[1], k->options->lock, front ? front->fd : -1);
    size_t word_count = 0;
    while (k->options->words && k->options->words[word_count])
        word_count++;
    char **arguments = calloc(word_count + 4, sizeof *arguments);
    if (!arguments)
        abort();
    arguments[0] = (char *)k->options->name;
    arguments[1] = (char *)"--brain";
    arguments[2] = fds;
    if (word_count)
        memcpy(arguments + 3, k->options->words, word_count * sizeof *arguments);
    posix_spawn_file_actions_t handed;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&handed);
    posix_spawnattr_init(&attributes);
    /* Onto themselves: so they stay open there. */
    posix_spawn_file_actions_adddup2(&handed, pair[1], pair[1]);
    posix_spawn_file_actions_adddup2(&handed, k->options->lock, k->options->lock);
    if (front)
        posix_spawn_file_actions_adddup2(&handed, front->fd, front->fd);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    pid_t pid;
    int error = posix_spawn(&pid, k->options->program, &handed, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&handed);
    free(arguments);
    close(pair[1]);
    if (error) {
        chainsi_say("the brain can't be started: %s", strerror(error));
        close(pair[0]);
        return;
    }
    k->brain = pid;
    k->socket = pair[0];
    k->serving_ns = -1;
}

static void finish(keeper *k, int status)
{
    k->done = true;
    k->status = status;
}

static void note_brain_death(keeper *k, int wait_status)
{
    k->brain = 0;
    if (k->socket >= 0)
        execute_all(k);
    close_if_open(k->socket);
    k->socket = -1;
    while (k->out)
        drop_outgoing(k);
    if (k->stops && wait_status == 0) {
        finish(k, 0);
        return;
    }
    if (!k->has_served && WIFEXITED(wait_status) &&
        WEXITSTATUS(wait_status) == CHAINSI_KEEPER_HELPLESS) {
        finish(k, 1);
        return;
    }
    int64_t now_ns = chainsi_now_ns();
    chainsi_backoff_decision decision =
        chainsi_backoff_note(&k->deaths, &brain_policy, now_ns, k->serving_ns, wait_status);
    char how[128];
    chainsi_process_describe_end(wait_status, how, sizeof how);
    if (k->stops && ++k->stop_deaths >= MOST_STOP_DEATHS) {
        chainsi_say("the brain ended again while stopping: %s; killing what is left", how);
        finish(k, 1);
        return;
    }
    int64_t delay_ns = k->stops || k->deaths.in_a_row == 1 ? 0 : decision.delay_ns;
    if (delay_ns)
        chainsi_say("the brain ended: %s; starting another one in %lld ms", how,
                    (long long)(delay_ns / CHAINSI_NS_PER_MS));
    else
        chainsi_say("the brain ended: %s; starting another one", how);
    k->next_ns = now_ns + delay_ns;
}

static void note_death(keeper *k, pid_t pid, int wait_status)
{
    for (child *c = k->children; c; c = c->next) {
        if (c->ended || c->pid != pid)
            continue;
        c->ended = true;
        c->wait_status = wait_status;
        tell_child(k, c, CHAINSI_COMMAND_ENDED);
        return;
    }
}

static bool is_own(void *user, pid_t pid)
{
    const keeper *k = user;
    const child *c = k->children;
    while (c && (c->ended || c->pid != pid))
        c = c->next;
    return c || pid == k->brain;
}

static bool is_running(void *user, uint64_t number)
{
    const child *c = ((const keeper *)user)->children;
    while (c && (c->ended || c->number != number))
        c = c->next;
    return c;
}

static void reap(keeper *k)
{
    bool any_ended = false;
    for (;;) {
        siginfo_t info = { 0 };
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || !info.si_pid)
            break;
        any_ended = any_ended || info.si_pid != k->brain;
        /* What a replica started goes with it, while its number still stands for them. What has left
         * its session comes to us, and is found by its tag. */
        for (const child *c = k->children; c; c = c->next)
            if (!c->ended && c->pid == info.si_pid)
                kill(-c->pid, SIGKILL);
        int wait_status = 0;
        waitpid(info.si_pid, &wait_status, 0);
        if (info.si_pid == k->brain)
            note_brain_death(k, wait_status);
        else
            note_death(k, info.si_pid, wait_status);
    }
    if (any_ended)
        chainsi_strays_end(k->options->lock, &(chainsi_strays_owner){ is_own, is_running, k });
}

static void on_stop(keeper *k, int number)
{
    k->stops++;
    if (k->stops == 1) {
        chainsi_say("%s: stopping", strsignal(number));
        chainsi_notify("STOPPING=1\nSTATUS=stopping");
        k->next_ns = 0; /* a brain is needed for that, now */
    } else {
        chainsi_say("%s again: killing what is left", strsignal(number));
        kill_children(k);
        if (k->stops > 2 || !k->brain)
            finish(k, 1);
    }
    tell_stops(k);
}

static void on_signals(keeper *k)
{
    struct signalfd_siginfo info;
    while (read(k->signals, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGHUP && k->brain)
            kill(k->brain, SIGHUP);
        else if (info.ssi_signo != SIGCHLD && info.ssi_signo != SIGHUP)
            on_stop(k, (int)info.ssi_signo);
    }
    reap(k);
}

static sigset_t own_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    return set;
}

void chainsi_keeper_block_signals(void)
{
    sigset_t set = own_signals();
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGCHLD, SIG_DFL); /* who is started with this ignored never hears of children */
    /* Brains begin with these ignored: a terminal sends Ctrl-C to them as well, but it is the keeper who
     * tells them. While they are blocked here they come nevertheless. */
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
}

/* Ends everything that is left. */
static void clear(keeper *k)
{
    kill_children(k);
    chainsi_strays_end_children();
    while (k->children)
        forget(&k->children);
    while (k->held)
        release(k, k->held->name);
    while (k->out)
        drop_outgoing(k);
    close_if_open(k->socket);
    close_if_open(k->signals);
    close_if_open(k->options->lock);
}

int chainsi_keeper_run(const chainsi_keeper_options *options)
{
    keeper k = { .options = options, .socket = -1, .watchdog_ns = chainsi_notify_watchdog_ns() };
    k.end = &k.out;
    chainsi_keeper_block_signals();
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    chainsi_strays_end_earlier(options->lock);
    sigset_t set = own_signals();
    if (options->passes_hang_up) {
        /* Brains begin with it ignored, and catch it when they are ready. */
        sigaddset(&set, SIGHUP);
        sigprocmask(SIG_BLOCK, &set, NULL);
        signal(SIGHUP, SIG_IGN);
    }
    k.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    hold(&k, CHAINSI_KEEPER_FRONT, options->front);
    if (k.signals < 0) {
        chainsi_say("signals can't be received: %s", strerror(errno));
        finish(&k, 1);
    }
    while (!k.done) {
        int64_t now_ns = chainsi_now_ns();
        if (!k.brain && now_ns >= k.next_ns)
            start_brain(&k);
        ping(&k, now_ns);
        struct pollfd polled[] = {
            { .fd = k.signals, .events = POLLIN },
            { .fd = k.socket, .events = (short)(POLLIN | (k.out ? POLLOUT : 0)) },
        };
        if (poll(polled, 2, rest_ms(&k, now_ns)) < 0)
            continue; /* EINTR */
        if (polled[1].revents & POLLOUT)
            flush(&k);
        if (polled[1].revents & ~POLLOUT)
            execute_all(&k);
        if (polled[0].revents)
            on_signals(&k);
    }
    clear(&k);
    return k.status;
}
