/* The loop: signals, the candidate's news, and the moment at which the Lease ends. Nothing in it waits for the network, so that
 * the child is killed in time whatever the API server does. */
#include "control/elector.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/candidate.h"
#include "control/elector_health.h"
#include "control/log.h"
#include "control/process.h"

enum { AGAIN_MS = 20 /* until it is looked again whether all of a group is gone */ };

typedef struct elector {
    const chainsi_daemon_options *options;
    const char *name;
    chainsi_candidate *candidate;
    chainsi_candidate_state state;                   /* as it was looked at last */
    char leader[CHAINSI_LEADER_TEXT], trouble[1024]; /* that were said last */
    int signals, wake_fd;
    pid_t child;       /* and its group's number; 0: none */
    bool child_ended;  /* it has; others of its group may be left */
    bool child_killed; /* by us: the Lease was lost */
    int wait_status;
    atomic_bool leads; /* a child runs, and isn't to end */
    bool stopping;     /* nothing is to be started any more */
    int status;        /* to exit with */
} elector;

/* --------------------------------------------------------------------------------------------
 * the child */

static void start_child(elector *e)
{
    static const char *const nothing[] = { NULL };
    size_t count = 0;
    while (e->options->words[count])
        count++;
    const char **arguments = calloc(count + 3, sizeof *arguments);
    if (!arguments)
        abort();
    arguments[0] = e->name;
    arguments[1] = CHAINSI_ELECTED_VERB;
    memcpy(arguments + 2, e->options->words, count * sizeof *arguments);
    pid_t pid = chainsi_process_run(&(chainsi_process_start){ .program = "/proc/self/exe",
                                                              .arguments = arguments,
                                                              .environment = nothing,
                                                              .output_fd = STDERR_FILENO });
    free(arguments);
    if (pid < 0) {
        chainsi_say("leads, and the daemon can't be started: %s", strerror(errno));
        e->stopping = true;
        e->status = 1;
        return;
    }
    chainsi_say("leads");
    e->child = pid;
    e->child_ended = e->child_killed = false;
    atomic_store(&e->leads, true);
}

static void kill_child(elector *e)
{
    atomic_store(&e->leads, false);
    e->child_killed = true;
    kill(-e->child, SIGKILL);
    kill(e->child, SIGKILL); /* before it had a group of its own */
    chainsi_say("leads no more: %s; what ran is killed",
                e->state.end_ns ? "the Lease couldn't be renewed in time"
                                : "the Lease is another's");
}

/* Everything of the group is gone. */
static void note_end(elector *e)
{
    char how[64];
    e->child = 0;
    if (e->child_killed) {
        e->status = e->stopping ? 1 : 0;
        return;
    }
    atomic_store(&e->leads, false);
    chainsi_process_describe_end(e->wait_status, how, sizeof how);
    if (!e->stopping)
        chainsi_say("the daemon ended: %s; giving the Lease up", how);
    e->stopping = true;
    e->status = WIFEXITED(e->wait_status) ? WEXITSTATUS(e->wait_status) : 1;
}

/* The child; and what was orphaned, which comes to us. */
static void reap(elector *e)
{
    int wait_status;
    for (pid_t pid; (pid = waitpid(-1, &wait_status, WNOHANG)) > 0;)
        if (pid == e->child) {
            e->child_ended = true;
            e->wait_status = wait_status;
        }
    if (!e->child || !e->child_ended)
        return;
    if (kill(-e->child, SIGKILL) != 0 && errno == ESRCH)
        note_end(e);
}

/* --------------------------------------------------------------------------------------------
 * what happens */

static void on_stop(elector *e, int number)
{
    if (!e->stopping)
        chainsi_say("%s: stopping", strsignal(number));
    e->stopping = true;
    if (e->child && !e->child_ended)
        kill(e->child, number);
}

static void on_signals(elector *e)
{
    struct signalfd_siginfo info;
    while (read(e->signals, &info, sizeof info) == sizeof info) {
        int number = (int)info.ssi_signo;
        if (number == SIGHUP && e->options->tls_certificate) {
            if (e->child && !e->child_ended)
                kill(e->child, SIGHUP);
        } else if (number != SIGCHLD) {
            on_stop(e, number == SIGHUP ? SIGTERM : number);
        }
    }
}

static void say_news(elector *e)
{
    const chainsi_candidate_state *state = &e->state;
    if (strcmp(state->trouble, e->trouble) != 0) {
        snprintf(e->trouble, sizeof e->trouble, "%s", state->trouble);
        if (e->trouble[0])
            chainsi_say("the Lease '%s' can't be asked for: %s", e->options->lease, e->trouble);
        else if (!state->over)
            chainsi_say("the Lease '%s' can be asked for again", e->options->lease);
    }
    if (!state->end_ns && !e->child && !e->stopping && strcmp(state->leader, e->leader) != 0 &&
        state->leader[0])
        chainsi_say("stands by: %s leads", state->leader);
    snprintf(e->leader, sizeof e->leader, "%s", state->leader);
}

/* Does what is due. Returns the milliseconds until it has to be called again; -1: when something has happened. */
static int step(elector *e)
{
    chainsi_candidate_look(e->candidate, &e->state);
    int64_t left_ns = e->state.end_ns - chainsi_leadership_now_ns();
    bool may_lead = e->state.end_ns && left_ns > 0;
    if (e->child && !e->child_killed && !may_lead)
        kill_child(e);
    reap(e);
    say_news(e);
    if (!e->child && !e->stopping && may_lead)
        start_child(e);
    if (!e->child && e->stopping)
        chainsi_candidate_stop(e->candidate);
    if (e->child && (e->child_ended || e->child_killed))
        return AGAIN_MS;
    return e->child ? (int)(left_ns / CHAINSI_NS_PER_MS) + 1 : -1;
}

static int run(elector *e)
{
    for (;;) {
        int timeout_ms = step(e);
        if (!e->child && e->stopping && e->state.over)
            return e->status;
        struct pollfd polled[] = { { e->signals, POLLIN, 0 }, { e->wake_fd, POLLIN, 0 } };
        poll(polled, 2, timeout_ms);
        uint64_t news;
        while (read(e->wake_fd, &news, sizeof news) == sizeof news)
            ;
        on_signals(e);
    }
}

/* --------------------------------------------------------------------------------------------
 * its beginning */

/* Those of the variable are for tests: "LEASE:DEADLINE:RENEW", milliseconds. */
static chainsi_leadership_times find_times(void)
{
    long long lease, deadline, renew;
    const char *text = getenv("CHAINS_LEASE_TIMES");
    if (!text || sscanf(text, "%lld:%lld:%lld", &lease, &deadline, &renew) != 3 || renew < 1 ||
        deadline <= renew || lease <= deadline)
        return chainsi_leadership_usual;
    return (chainsi_leadership_times){ lease, deadline, renew };
}

/* Before there are threads, which begin with the same ones. */
static int block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGCHLD, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int chainsi_elector_run(const chainsi_daemon_options *options, const char *name)
{
    char why[1024];
    elector e = { .options = options, .name = name, .signals = block_signals() };
    e.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    chainsi_cluster *cluster =
        chainsi_cluster_open(&(chainsi_cluster_options){ 0 }, why, sizeof why);
    if (!cluster || e.signals < 0 || e.wake_fd < 0) {
        fprintf(stderr, "chainsd: %s\n", cluster ? strerror(errno) : why);
        chainsi_cluster_close(cluster);
        return 1;
    }
    chainsi_say("is a candidate for the Lease '%s' of namespace '%s' of %s", options->lease,
                chainsi_cluster_name_space(cluster), chainsi_cluster_server(cluster));
    e.candidate = chainsi_candidate_new(&(chainsi_candidate_options){
        .cluster = cluster, .lease = options->lease, .times = find_times(), .wake_fd = e.wake_fd });
    /* In a pod it is the node that asks, wherever the front door may be reached from. */
    bool here_only = !getenv("KUBERNETES_SERVICE_HOST") &&
                     (!strncmp(options->host, "127.", 4) || !strcmp(options->host, "localhost") ||
                      !strcmp(options->host, "::1"));
    chainsi_elector_health *health =
        chainsi_elector_health_start(options->health_port, here_only, e.candidate, &e.leads);
    int status = health ? run(&e) : 1;
    chainsi_elector_health_stop(health);
    chainsi_candidate_free(e.candidate);
    close(e.signals);
    close(e.wake_fd);
    return status;
}
