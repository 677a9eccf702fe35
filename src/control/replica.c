/* The life of a process. All changes of state go through set_state; the drawings in the header are
 * what they follow. */
#include "control/replica.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/handle.h"
#include "control/obituary.h"
#include "control/process.h"
#include "control/replica_output.h"
#include "control/sampler.h"
#include "rpc/address.h"
#include "runtime/handed.h"

enum {
    PROBE_FIRST_DELAY_MS = 1,
    PROBE_MAX_DELAY_MS = 200,
};

/* What the keeper keeps of a replica as the note of its process, from one brain to the next. */
typedef struct memory {
    chainsi_replica_state state;
    bool was_ready; /* in this process's life */
    uint64_t starts;
    int64_t ready_ns, retry_ns;
    chainsi_backoff backoff;
    chainsi_gpu_set gpus;
    char since[CHAINSI_TIME_TEXT], last_end[CHAINSI_REPLICA_END_TEXT], stalled[128];
} memory;
_Static_assert(sizeof(memory) <= CHAINSI_COMMAND_MAX_NOTE, "a memory is a note");

const char *chainsi_replica_state_name(chainsi_replica_state state)
{
    static const char *const names[] = {
        [CHAINSI_REPLICA_STOPPED] = "stopped",   [CHAINSI_REPLICA_STARTING] = "starting",
        [CHAINSI_REPLICA_READY] = "ready",       [CHAINSI_REPLICA_STALLED] = "stalled",
        [CHAINSI_REPLICA_DRAINING] = "draining", [CHAINSI_REPLICA_BACKING_OFF] = "backing_off",
        [CHAINSI_REPLICA_FAILED] = "failed",     [CHAINSI_REPLICA_PICKED_UP] = "picked_up",
    };
    return names[state];
}

static memory remember(const chainsi_replica *replica, chainsi_replica_state state)
{
    memory kept;
    memset(&kept, 0, sizeof kept); /* padding, too: all of it leaves this process */
    kept.state = state;
    kept.was_ready = replica->ready_ns >= 0;
    kept.starts = replica->starts;
    kept.ready_ns = replica->ready_ns;
    kept.retry_ns = replica->retry_ns;
    kept.backoff = replica->backoff;
    kept.gpus = replica->outfit.gpus;
    memcpy(kept.since, replica->since, sizeof kept.since);
    memcpy(kept.last_end, replica->last_end, sizeof kept.last_end);
    memcpy(kept.stalled, replica->stalled, sizeof kept.stalled);
    return kept;
}

/* Has the keeper note how things stand; a replica that is stopped is none of its business. */
static void note_state(chainsi_replica *replica)
{
    chainsi_keeping *keeping = replica->options.supervisor->keeping;
    if (!replica->kept)
        return;
    if (replica->state == CHAINSI_REPLICA_STOPPED) {
        chainsi_keeping_forget(keeping, &replica->process);
        replica->kept = false;
        return;
    }
    memory now = remember(replica, replica->state);
    chainsi_keeping_note(keeping, &replica->process, &now, sizeof now);
}

static void set_state(chainsi_replica *replica, chainsi_replica_state state)
{
    bool ended = state == CHAINSI_REPLICA_BACKING_OFF || state == CHAINSI_REPLICA_FAILED;
    chainsi_say("%s: %s -> %s%s%s%s", replica->options.label,
                chainsi_replica_state_name(replica->state), chainsi_replica_state_name(state),
                ended && replica->last_end[0] ? ": " : "", ended ? replica->last_end : "",
                ended ? replica->ran : "");
    if (!replica->keep_since)
        chainsi_time_text(replica->since);
    replica->keep_since = false;
    replica->state = state;
    note_state(replica);
    replica->options.on_state(replica->options.user);
    chainsi_sampler_expect(replica->options.supervisor->sampler, replica->options.place.chain);
}

static chainsi_history *history_of(const chainsi_replica *replica)
{
    return replica->options.supervisor->history;
}

static void count_phase(const chainsi_replica *replica, chainsi_start_phase phase, int64_t ns)
{
    chainsi_meters_start(replica->options.supervisor->meters, &replica->options.place, phase, ns);
}

static void on_started(chainsi_kept_process *process, pid_t pid, int error, int output);
static void on_ended(chainsi_kept_process *process, int wait_status);
static void on_gpus_known(chainsi_gpu_waiter *waiter);

/* The socket that the keeper holds, or a new one that it holds from now on; -1 with a reason. */
static int open_probes(const chainsi_replica_options *options, char *why, size_t why_size)
{
    chainsi_keeping *keeping = options->supervisor->keeping;
    int fd = chainsi_keeping_take(keeping, options->probes_name);
    if (fd >= 0)
        return fd;
    chainsi_address address = { .kind = CHAINSI_ADDRESS_UNIX,
                                .path = (char *)options->probes_path };
    fd = chainsi_address_listen(&address, CHAINSI_BACKLOG, why, why_size);
    if (fd >= 0)
        chainsi_keeping_hold(keeping, options->probes_name, fd);
    return fd;
}

void chainsi_replica_list(chainsi_replica *replica)
{
    chainsi_supervisor *supervisor = replica->options.supervisor;
    replica->next = supervisor->replicas;
    if (replica->next)
        replica->next->previous = replica;
    supervisor->replicas = replica;
}

void chainsi_replica_unlist(chainsi_replica *replica)
{
    if (replica->previous)
        replica->previous->next = replica->next;
    else
        replica->options.supervisor->replicas = replica->next;
    if (replica->next)
        replica->next->previous = replica->previous;
}

chainsi_replica *chainsi_replica_new(const chainsi_replica_options *options, char *why,
                                     size_t why_size)
{
    int fd = open_probes(options, why, why_size);
    if (fd < 0)
        return NULL;
    chainsi_outfit_recall_secrets(options);
    chainsi_replica *replica = chainsi_make(sizeof *replica);
    replica->options = *options;
    replica->source.tag = (chainsi_log_tag){
        .chain = options->place.chain,
        .environment = options->place.environment,
        .version = options->place.version,
        .chainlet = options->place.chainlet,
        .replica = options->number,
    };
    replica->process = (chainsi_kept_process){
        .name = options->name,
        .on_started = on_started,
        .on_ended = on_ended,
    };
    replica->gpus_known.on_known = on_gpus_known;
    replica->ready_ns = replica->spawned_ns = -1;
    replica->retry_ns = CHAINSI_NEVER;
    replica->probes_fd = fd;
    replica->probes = chainsi_upstream_new(options->supervisor->loop, options->probes_path);
    replica->timer = chainsi_timer_new(options->supervisor->loop, replica);
    chainsi_replica_list(replica);
    chainsi_time_text(replica->since);
    return replica;
}

void chainsi_replica_free(chainsi_replica *replica)
{
    if (!replica)
        return;
    assert(!replica->runs);
    if (replica->kept)
        chainsi_keeping_forget(replica->options.supervisor->keeping, &replica->process);
    chainsi_keeping_release(replica->options.supervisor->keeping, replica->options.probes_name);
    if (replica->options.secrets_name)
        chainsi_keeping_release(replica->options.supervisor->keeping,
                                replica->options.secrets_name);
    chainsi_replica_unlist(replica);
    chainsi_handle_close(replica->timer);
    chainsi_upstream_free(replica->probes);
    close(replica->probes_fd);
    unlink(replica->options.probes_path);
    chainsi_buffer_done(&replica->source.rest);
    free(replica);
}

void chainsi_replica_set_policy(chainsi_replica *replica, const chainsi_backoff_policy *policy)
{
    replica->options.policy = policy;
}

/* Whether it is ready. */

static void ask_ready(chainsi_replica *replica);

static void cancel_probe(chainsi_replica *replica)
{
    if (replica->probe)
        chainsi_upstream_cancel(replica->probe);
    replica->probe = NULL;
}

static void end_watch(chainsi_replica *replica)
{
    chainsi_watch_free(replica->watch);
    replica->watch = NULL;
}

static void on_probe_time(uv_timer_t *timer)
{
    chainsi_replica *replica = timer->data;
    if (replica)
        ask_ready(replica);
}

/* What runs in it can't be saved, and what waits may go to others. Killed before another is started:
 * a machine, or a GPU, may not have room for both. */
static void on_stalled(void *user, const char *why)
{
    chainsi_replica *replica = user;
    snprintf(replica->stalled, sizeof replica->stalled, "%s", why);
    chainsi_log_say(replica->options.log, &replica->source.tag, CHAINSI_LOG_ERROR,
                    "%s; replacing it", why);
    end_watch(replica);
    cancel_probe(replica);
    uv_timer_stop(replica->timer);
    set_state(replica, CHAINSI_REPLICA_STALLED);
    chainsi_replica_kill(replica);
}

static void begin_watch(chainsi_replica *replica)
{
    if (replica->options.progress_timeout_s > 0 && !replica->watch)
        replica->watch =
            chainsi_watch_new(replica->options.supervisor->loop, replica->probes,
                              replica->options.progress_timeout_s, on_stalled, replica);
}

static void tell_ready(chainsi_replica *replica)
{
    chainsi_history_ready(history_of(replica), replica->options.name);
    if (replica->spawned_ns >= 0)
        count_phase(replica, CHAINSI_START_READY, replica->ready_ns - replica->spawned_ns);
    replica->spawned_ns = -1;
}

static void become_ready(chainsi_replica *replica)
{
    if (replica->ready_ns < 0)
        replica->ready_ns = chainsi_now_ns();
    uv_timer_stop(replica->timer);
    begin_watch(replica);
    replica->keep_since = replica->was_ready;
    set_state(replica, CHAINSI_REPLICA_READY);
    tell_ready(replica);
}

static bool is_probed(const chainsi_replica *replica)
{
    return replica->state == CHAINSI_REPLICA_STARTING ||
           replica->state == CHAINSI_REPLICA_PICKED_UP;
}

static void on_probe_head(void *user, const chainsi_http_response *response)
{
    chainsi_replica *replica = user;
    replica->said_ready = response->status == 200; /* to be acted on when the call has ended */
}

static void on_probe_body(void *user, const char *data, size_t size)
{
    (void)user;
    (void)data;
    (void)size;
}

static void on_probe_end(void *user, chainsi_upstream_end end, const char *why)
{
    (void)why;
    chainsi_replica *replica = user;
    replica->probe = NULL;
    replica->said_ready = replica->said_ready && end == CHAINSI_UPSTREAM_ANSWERED;
    if (!is_probed(replica))
        return;
    if (replica->said_ready) {
        if (replica->pid) /* else when the keeper has said which process it is: see on_started() */
            become_ready(replica);
        return;
    }
    uv_timer_start(replica->timer, on_probe_time, replica->probe_delay_ms, 0);
    replica->probe_delay_ms *= 2;
    if (replica->probe_delay_ms > PROBE_MAX_DELAY_MS)
        replica->probe_delay_ms = PROBE_MAX_DELAY_MS;
}

static const chainsi_upstream_events probe_events = { on_probe_head, on_probe_body, on_probe_end };

static void on_start_time(uv_timer_t *timer)
{
    chainsi_replica *replica = timer->data;
    if (!replica || !is_probed(replica))
        return;
    replica->late = true; /* its end tells of it */
    chainsi_replica_kill(replica);
}

static void ask_ready(chainsi_replica *replica)
{
    static const char question[] = "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    /* What was ready before it was picked up has started in time. */
    int64_t deadline_ns = replica->was_ready
                              ? CHAINSI_NEVER
                              : chainsi_deadline_after_ms(replica->started_ns,
                                                          replica->options.start_timeout_s * 1000);
    int64_t now_ns = chainsi_now_ns();
    if (now_ns >= deadline_ns) {
        on_start_time(replica->timer);
        return;
    }
    /* The answer may take until the process accepts, so the time is watched meanwhile. */
    if (deadline_ns != CHAINSI_NEVER)
        uv_timer_start(replica->timer, on_start_time,
                       (uint64_t)chainsi_poll_timeout(deadline_ns, now_ns), 0);
    replica->said_ready = false;
    replica->probe = chainsi_upstream_start(replica->probes, question, sizeof question - 1, NULL, 0,
                                            false, &probe_events, replica);
}

/* Starting and ending. */

static void on_restart_time(uv_timer_t *timer)
{
    chainsi_replica *replica = timer->data;
    if (!replica)
        return;
    uv_timer_stop(replica->timer);
    chainsi_replica_start(replica);
}

static void await_restart(chainsi_replica *replica)
{
    if (replica->retry_ns != CHAINSI_NEVER)
        uv_timer_start(replica->timer, on_restart_time,
                       (uint64_t)chainsi_poll_timeout(replica->retry_ns, chainsi_now_ns()), 0);
}

/* The process is gone, or never came to be. */
static void note_death(chainsi_replica *replica, int wait_status)
{
    chainsi_outfit_give_back(&replica->outfit, &replica->options);
    replica->runs = false;
    replica->pid = 0;
    uv_timer_stop(replica->timer);
    if (replica->state == CHAINSI_REPLICA_DRAINING) {
        set_state(replica, CHAINSI_REPLICA_STOPPED);
        return;
    }
    int64_t now_ns = chainsi_now_ns();
    chainsi_backoff_decision decision = chainsi_backoff_note(
        &replica->backoff, replica->options.policy, now_ns, replica->ready_ns, wait_status);
    if (decision.failed)
        chainsi_obituary_failed(replica); /* with its own lines alone */
    chainsi_log_say(replica->options.log, &replica->source.tag, CHAINSI_LOG_ERROR, "%s%s%s",
                    replica->last_end, replica->ran,
                    decision.failed ? "; too often: giving up for now" : "; starting it again");
    replica->retry_ns =
        decision.delay_ns == CHAINSI_NEVER ? CHAINSI_NEVER : now_ns + decision.delay_ns;
    await_restart(replica);
    set_state(replica, decision.failed ? CHAINSI_REPLICA_FAILED : CHAINSI_REPLICA_BACKING_OFF);
}

/* Has it kept that there is a process, and counts what its start took so far. */
static void tell_started(chainsi_replica *replica)
{
    replica->spawned_ns = replica->process.since_ns;
    chainsi_history_started(history_of(replica), &replica->options.place, replica->options.name,
                            replica->pid, replica->started_at);
    count_phase(replica, CHAINSI_START_SPAWN, replica->spawned_ns - replica->started_ns);
}

static void on_started(chainsi_kept_process *process, pid_t pid, int error, int output)
{
    chainsi_replica *replica =
        (chainsi_replica *)((char *)process - offsetof(chainsi_replica, process));
    if (!error) {
        replica->pid = pid;
        chainsi_replica_begin_output(replica, output);
        tell_started(replica);
        /* It may have said so itself before the keeper told of it. */
        if (is_probed(replica) && replica->said_ready && !replica->probe)
            become_ready(replica);
        return;
    }
    cancel_probe(replica);
    snprintf(replica->last_end, sizeof replica->last_end, "cannot be run: %s", strerror(error));
    replica->ran[0] = 0;
    chainsi_obituary_not_started(replica);
    note_death(replica, 127 << 8);
}

static void find_requests(chainsi_replica *replica, chainsi_running_list *requests)
{
    chainsi_running_take(replica->options.running, replica->pid, requests);
    chainsi_running_say(requests, replica->ran, sizeof replica->ran);
}

/* Notes if it is its drain time that has ended it, by its own hand or ours. */
static void note_overdue(chainsi_replica *replica, int wait_status)
{
    bool by_itself = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == CHAINSI_EXIT_OVERDUE;
    replica->overdue = replica->state == CHAINSI_REPLICA_DRAINING &&
                       (by_itself || (replica->overdue && WIFSIGNALED(wait_status)));
    if (replica->overdue)
        snprintf(replica->last_end, sizeof replica->last_end,
                 "calls were still running %g s after it was told to end (.drain_timeout_s)",
                 replica->options.drain_timeout_s);
}

static void on_ended(chainsi_kept_process *process, int wait_status)
{
    chainsi_replica *replica =
        (chainsi_replica *)((char *)process - offsetof(chainsi_replica, process));
    chainsi_cgroup_end end = CHAINSI_ENDED_OTHERWISE;
    replica->wait_status = wait_status;
    if (replica->stalled[0])
        snprintf(replica->last_end, sizeof replica->last_end, "%s", replica->stalled);
    else
        end = chainsi_cgroup_explain_end(replica->outfit.group, wait_status, replica->last_end,
                                         sizeof replica->last_end);
    if (end == CHAINSI_ENDED_OTHERWISE && replica->late)
        snprintf(replica->last_end, sizeof replica->last_end,
                 "not ready after %g s (.start_timeout_s)", replica->options.start_timeout_s);
    else if (end == CHAINSI_ENDED_OTHERWISE)
        note_overdue(replica, wait_status);
    chainsi_running_list requests;
    find_requests(replica, &requests);
    replica->options.on_death(replica->options.user, replica, end);
    if (replica->pid)
        chainsi_obituary_ended(replica, wait_status, end, &requests);
    else
        chainsi_obituary_not_started(replica);
    cancel_probe(replica);
    end_watch(replica);
    chainsi_replica_end_output(replica);
    note_death(replica, wait_status);
}

/* Has the keeper start the process; STARTING already, or STARTING from now on. */
static void start_process(chainsi_replica *replica)
{
    const chainsi_replica_options *options = &replica->options;
    char why[sizeof replica->last_end - 16];
    replica->started_ns = chainsi_now_ns();
    chainsi_time_text(replica->started_at);
    if (!chainsi_outfit_take(&replica->outfit, options, why, sizeof why)) {
        snprintf(replica->last_end, sizeof replica->last_end, "cannot be run: %s", why);
        replica->ran[0] = 0;
        if (replica->state != CHAINSI_REPLICA_STARTING)
            set_state(replica, CHAINSI_REPLICA_STARTING);
        chainsi_obituary_not_started(replica);
        note_death(replica, 127 << 8);
        return;
    }
    chainsi_order_fd fds[CHAINSI_MOST_PROCESS_FDS];
    size_t fd_count = 0, given = options->fd_count;
    assert(given > 0 && given + 2 <= CHAINSI_MOST_PROCESS_FDS);
    /* The two sockets first: programs that know no names count on that. */
    fds[fd_count++] = options->fds[0];
    fds[fd_count++] = (chainsi_order_fd){ options->probes_name, "probes" };
    if (options->secrets_name)
        fds[fd_count++] = (chainsi_order_fd){ options->secrets_name, "secrets" };
    memcpy(fds + fd_count, options->fds + 1, (given - 1) * sizeof *fds);
    fd_count += given - 1;
    chainsi_order order = {
        .program = options->program,
        .directory = options->directory,
        .environment = options->environment,
        .fds = fds,
        .fd_count = fd_count,
    };
    chainsi_arena arena = { 0 };
    chainsi_outfit_add(&replica->outfit, options, &arena, &order);
    /* The note goes along: one of a process without its state would tell of the one before. */
    memory now = remember(replica, CHAINSI_REPLICA_STARTING);
    replica->kept = replica->runs = true;
    chainsi_keeping_start(options->supervisor->keeping, &replica->process, &order, &now,
                          sizeof now);
    chainsi_arena_done(&arena);
    chainsi_outfit_settle(&replica->outfit, options);
    if (replica->state != CHAINSI_REPLICA_STARTING)
        set_state(replica, CHAINSI_REPLICA_STARTING);
    ask_ready(replica);
}

static void on_gpus_known(chainsi_gpu_waiter *waiter)
{
    start_process((chainsi_replica *)((char *)waiter - offsetof(chainsi_replica, gpus_known)));
}

void chainsi_replica_start(chainsi_replica *replica)
{
    assert(!replica->runs);
    replica->starts++;
    replica->stalled[0] = 0;
    replica->late = replica->overdue = false;
    replica->ready_ns = -1;
    replica->spawned_ns = -1;
    replica->retry_ns = CHAINSI_NEVER;
    replica->was_ready = false;
    replica->probe_delay_ms = PROBE_FIRST_DELAY_MS;
    if (chainsi_outfit_can_be_taken(&replica->options)) {
        start_process(replica);
        return;
    }
    set_state(replica, CHAINSI_REPLICA_STARTING);
    chainsi_gpu_pool_await(replica->options.supervisor->gpus, &replica->gpus_known);
}

void chainsi_replica_kill(chainsi_replica *replica)
{
    if (replica->runs)
        chainsi_keeping_signal(replica->options.supervisor->keeping, &replica->process, SIGKILL);
}

static void on_drain_time(uv_timer_t *timer)
{
    chainsi_replica *replica = timer->data;
    if (!replica)
        return;
    chainsi_log_say(replica->options.log, &replica->source.tag, CHAINSI_LOG_WARNING,
                    "killed: not ended %g s after it was told to (.drain_timeout_s)",
                    replica->options.drain_timeout_s);
    replica->overdue = true;
    chainsi_replica_kill(replica);
}

/* Tells the process to end, and waits for it with patience. */
static void drain(chainsi_replica *replica)
{
    chainsi_keeping_signal(replica->options.supervisor->keeping, &replica->process, SIGTERM);
    /* The process itself gives up at drain_timeout_s; a little more, so that it can say so. */
    uv_timer_start(replica->timer, on_drain_time,
                   (uint64_t)(replica->options.drain_timeout_s * 1000) + 500, 0);
}

void chainsi_replica_stop(chainsi_replica *replica)
{
    switch (replica->state) {
    case CHAINSI_REPLICA_STOPPED:
    case CHAINSI_REPLICA_DRAINING:
        return;
    case CHAINSI_REPLICA_BACKING_OFF:
    case CHAINSI_REPLICA_FAILED:
        uv_timer_stop(replica->timer);
        set_state(replica, CHAINSI_REPLICA_STOPPED);
        return;
    case CHAINSI_REPLICA_STALLED: /* it has been killed */
        set_state(replica, CHAINSI_REPLICA_DRAINING);
        return;
    case CHAINSI_REPLICA_STARTING: /* may run calls before we know that they are ready */
    case CHAINSI_REPLICA_PICKED_UP:
    case CHAINSI_REPLICA_READY:
        break;
    }
    if (!replica->runs) {
        chainsi_gpu_pool_leave(replica->options.supervisor->gpus, &replica->gpus_known);
        set_state(replica, CHAINSI_REPLICA_STOPPED);
        return;
    }
    cancel_probe(replica);
    end_watch(replica);
    set_state(replica, CHAINSI_REPLICA_DRAINING);
    drain(replica);
}

/* Picking up. */

static void pick_up_running(chainsi_replica *replica, const memory *found)
{
    switch (found->state) {
    case CHAINSI_REPLICA_DRAINING:
        set_state(replica, CHAINSI_REPLICA_DRAINING);
        drain(replica); /* told twice it ends no sooner, and it may not have been told at all */
        return;
    case CHAINSI_REPLICA_STALLED:
        set_state(replica, CHAINSI_REPLICA_STALLED);
        chainsi_replica_kill(replica);
        return;
    case CHAINSI_REPLICA_STOPPED:
    case CHAINSI_REPLICA_STARTING:
    case CHAINSI_REPLICA_PICKED_UP:
    case CHAINSI_REPLICA_READY:
    case CHAINSI_REPLICA_BACKING_OFF:
    case CHAINSI_REPLICA_FAILED:
        break;
    }
    replica->was_ready = found->was_ready;
    replica->probe_delay_ms = PROBE_FIRST_DELAY_MS;
    set_state(replica, CHAINSI_REPLICA_PICKED_UP);
    if (replica->was_ready)
        begin_watch(replica);
    ask_ready(replica);
}

/* What the brain before this one may not have had the time to keep. */
static void tell_picked_up(chainsi_replica *replica, pid_t pid)
{
    replica->pid = pid;
    if (!pid)
        return; /* it never ran */
    chainsi_time_text_of(replica->started_at,
                         chainsi_unix_ms() -
                             (chainsi_now_ns() - replica->started_ns) / CHAINSI_NS_PER_MS);
    chainsi_history_picked_up(history_of(replica), &replica->options.place, replica->options.name,
                              pid, replica->started_at);
}

static void pick_up_ended(chainsi_replica *replica, const memory *found,
                          const chainsi_command *said)
{
    if (found->state == CHAINSI_REPLICA_BACKING_OFF || found->state == CHAINSI_REPLICA_FAILED) {
        chainsi_replica_end_output(replica);
        await_restart(replica);
        set_state(replica, found->state);
        return;
    }
    tell_picked_up(replica, said->pid);
    replica->runs = true; /* until the last line, to which its end is news */
    set_state(replica, found->state == CHAINSI_REPLICA_DRAINING ? CHAINSI_REPLICA_DRAINING
                                                                : CHAINSI_REPLICA_PICKED_UP);
    on_ended(&replica->process, said->value);
}

bool chainsi_replica_pick_up(chainsi_replica *replica)
{
    assert(replica->state == CHAINSI_REPLICA_STOPPED);
    chainsi_command said;
    memory found;
    int output;
    if (!chainsi_keeping_take_process(replica->options.supervisor->keeping, &replica->process,
                                      &said, &output))
        return false;
    assert(said.note_size == sizeof found);
    memcpy(&found, said.note, sizeof found);
    replica->kept = true;
    replica->starts = found.starts;
    replica->started_ns = said.since_ns;
    replica->ready_ns = found.ready_ns;
    replica->retry_ns = found.retry_ns;
    replica->backoff = found.backoff;
    memcpy(replica->since, found.since, sizeof replica->since);
    replica->keep_since = true; /* to be picked up is nothing that happens to a process */
    if (found.state != CHAINSI_REPLICA_BACKING_OFF && found.state != CHAINSI_REPLICA_FAILED)
        chainsi_outfit_recall(&replica->outfit, &replica->options, &found.gpus);
    memcpy(replica->last_end, found.last_end, sizeof replica->last_end);
    memcpy(replica->stalled, found.stalled, sizeof replica->stalled);
    chainsi_replica_begin_output(replica, output);
    if (said.ended) {
        pick_up_ended(replica, &found, &said);
    } else {
        replica->runs = true;
        tell_picked_up(replica, said.pid);
        pick_up_running(replica, &found);
    }
    return true;
}
