/* The life of a process. All changes of state go through set_state; the drawing in the header is
 * what they follow. */
#include "control/replica.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/handle.h"
#include "rpc/address.h"

enum {
    PROBE_FIRST_DELAY_MS = 1,
    PROBE_MAX_DELAY_MS = 200,
    OUTPUT_SIZE = 64 * 1024,
    OUTPUT_AFTER_END = 4 * 1024 * 1024, /* of what a process left in its pipe, bytes */
};

static char output_buffer[OUTPUT_SIZE]; /* used within one callback at a time */

void chainsi_say(const char *format, ...)
{
    char now[CHAINSI_TIME_TEXT];
    chainsi_time_text(now);
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        abort();
    va_end(arguments);
    fprintf(stderr, "%s %s\n", now, text);
    free(text);
}

const char *chainsi_replica_state_name(chainsi_replica_state state)
{
    static const char *const names[] = {
        [CHAINSI_REPLICA_STOPPED] = "stopped",   [CHAINSI_REPLICA_STARTING] = "starting",
        [CHAINSI_REPLICA_READY] = "ready",       [CHAINSI_REPLICA_STALLED] = "stalled",
        [CHAINSI_REPLICA_DRAINING] = "draining", [CHAINSI_REPLICA_BACKING_OFF] = "backing_off",
        [CHAINSI_REPLICA_FAILED] = "failed",
    };
    return names[state];
}

static void set_state(chainsi_replica *replica, chainsi_replica_state state)
{
    chainsi_say("%s: %s -> %s%s%s", replica->options.label,
                chainsi_replica_state_name(replica->state), chainsi_replica_state_name(state),
                replica->last_end[0] &&
                        (state == CHAINSI_REPLICA_BACKING_OFF || state == CHAINSI_REPLICA_FAILED)
                    ? ": "
                    : "",
                state == CHAINSI_REPLICA_BACKING_OFF || state == CHAINSI_REPLICA_FAILED
                    ? replica->last_end
                    : "");
    replica->state = state;
    chainsi_time_text(replica->since);
    replica->options.on_state(replica->options.user);
}

chainsi_replica *chainsi_replica_new(const chainsi_replica_options *options, char *why,
                                     size_t why_size)
{
    chainsi_address address = { .kind = CHAINSI_ADDRESS_UNIX,
                                .path = (char *)options->probes_path };
    int fd = chainsi_address_listen(&address, CHAINSI_BACKLOG, why, why_size);
    if (fd < 0)
        return NULL;
    chainsi_replica *replica = chainsi_make(sizeof *replica);
    replica->options = *options;
    replica->probes_fd = fd;
    replica->probes = chainsi_upstream_new(options->supervisor->loop, options->probes_path);
    replica->timer = chainsi_timer_new(options->supervisor->loop, replica);
    replica->next = options->supervisor->replicas;
    if (replica->next)
        replica->next->previous = replica;
    options->supervisor->replicas = replica;
    chainsi_time_text(replica->since);
    return replica;
}

void chainsi_replica_free(chainsi_replica *replica)
{
    if (!replica)
        return;
    assert(!replica->pid);
    if (replica->previous)
        replica->previous->next = replica->next;
    else
        replica->options.supervisor->replicas = replica->next;
    if (replica->next)
        replica->next->previous = replica->previous;
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

/* What it says. */

static void allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(output_buffer, OUTPUT_SIZE);
}

static void on_output(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    chainsi_replica *replica = stream->data;
    if (!replica || size == 0)
        return;
    if (size < 0) {
        chainsi_handle_close(replica->output);
        replica->output = NULL;
        return;
    }
    chainsi_log_feed(replica->options.log, &replica->source, buffer->base, (size_t)size);
}

/* Reads what the process left; a child of it may still hold the pipe, so not until its end. */
static void finish_output(chainsi_replica *replica)
{
    if (replica->output) {
        uv_os_fd_t fd;
        if (uv_fileno((uv_handle_t *)replica->output, &fd) == 0)
            for (size_t total = 0; total < OUTPUT_AFTER_END;) {
                ssize_t size = read(fd, output_buffer, OUTPUT_SIZE);
                if (size <= 0)
                    break;
                chainsi_log_feed(replica->options.log, &replica->source, output_buffer,
                                 (size_t)size);
                total += (size_t)size;
            }
        chainsi_handle_close(replica->output);
        replica->output = NULL;
    }
    chainsi_log_end(replica->options.log, &replica->source);
}

/* Whether it is ready. */

static void ask_ready(chainsi_replica *replica);

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
    chainsi_log_say(replica->options.log, "ERROR", "%s; replacing it", why);
    end_watch(replica);
    set_state(replica, CHAINSI_REPLICA_STALLED);
    chainsi_replica_kill(replica);
}

static void become_ready(chainsi_replica *replica)
{
    replica->ready_ns = chainsi_now_ns();
    uv_timer_stop(replica->timer);
    if (replica->options.progress_timeout_s > 0)
        replica->watch =
            chainsi_watch_new(replica->options.supervisor->loop, replica->probes,
                              replica->options.progress_timeout_s, on_stalled, replica);
    set_state(replica, CHAINSI_REPLICA_READY);
}

static void on_probe_head(void *user, const chainsi_http_response *response)
{
    chainsi_replica *replica = user;
    if (response->status == 200)
        replica->ready_ns = 0; /* to be acted on when the call has ended */
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
    if (replica->state != CHAINSI_REPLICA_STARTING)
        return;
    if (end == CHAINSI_UPSTREAM_ANSWERED && replica->ready_ns == 0) {
        become_ready(replica);
        return;
    }
    replica->ready_ns = -1;
    uv_timer_start(replica->timer, on_probe_time, replica->probe_delay_ms, 0);
    replica->probe_delay_ms *= 2;
    if (replica->probe_delay_ms > PROBE_MAX_DELAY_MS)
        replica->probe_delay_ms = PROBE_MAX_DELAY_MS;
}

static const chainsi_upstream_events probe_events = { on_probe_head, on_probe_body, on_probe_end };

static void on_start_time(uv_timer_t *timer)
{
    chainsi_replica *replica = timer->data;
    if (!replica || replica->state != CHAINSI_REPLICA_STARTING)
        return;
    chainsi_log_say(replica->options.log, "ERROR", "not ready after %g s (.start_timeout_s)",
                    replica->options.start_timeout_s);
    chainsi_replica_kill(replica);
}

static void ask_ready(chainsi_replica *replica)
{
    static const char question[] = "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    int64_t deadline_ns =
        chainsi_deadline_after_ms(replica->started_ns, replica->options.start_timeout_s * 1000);
    int64_t now_ns = chainsi_now_ns();
    if (now_ns >= deadline_ns) {
        on_start_time(replica->timer);
        return;
    }
    /* The answer may take until the process accepts, so the time is watched meanwhile. */
    uv_timer_start(replica->timer, on_start_time,
                   (uint64_t)chainsi_poll_timeout(deadline_ns, now_ns), 0);
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

/* The process is gone, or never came to be. */
static void note_death(chainsi_replica *replica, int wait_status)
{
    uv_timer_stop(replica->timer);
    if (replica->state == CHAINSI_REPLICA_DRAINING) {
        set_state(replica, CHAINSI_REPLICA_STOPPED);
        return;
    }
    chainsi_backoff_decision decision =
        chainsi_backoff_note(&replica->backoff, replica->options.policy, chainsi_now_ns(),
                             replica->ready_ns, wait_status);
    chainsi_log_say(replica->options.log, "ERROR", "%s%s", replica->last_end,
                    decision.failed ? "; too often: giving up for now" : "; starting it again");
    if (decision.delay_ns != CHAINSI_NEVER)
        uv_timer_start(replica->timer, on_restart_time,
                       (uint64_t)(decision.delay_ns / CHAINSI_NS_PER_MS), 0);
    set_state(replica, decision.failed ? CHAINSI_REPLICA_FAILED : CHAINSI_REPLICA_BACKING_OFF);
}

static bool run_process(chainsi_replica *replica)
{
    int output[2];
    if (pipe2(output, O_CLOEXEC) != 0)
        return false;
    chainsi_process_fd fds[CHAINSI_MOST_PROCESS_FDS];
    size_t fd_count = replica->options.fd_count;
    assert(fd_count > 0 && fd_count < CHAINSI_MOST_PROCESS_FDS);
    /* The two sockets first: programs that know no names count on that. */
    fds[0] = replica->options.fds[0];
    fds[1] = (chainsi_process_fd){ replica->probes_fd, "probes" };
    memcpy(fds + 2, replica->options.fds + 1, (fd_count - 1) * sizeof *fds);
    fd_count++;
    replica->pid = chainsi_process_run(&(chainsi_process_start){
        .program = replica->options.program,
        .directory = replica->options.directory,
        .environment = replica->options.environment,
        .fds = fds,
        .fd_count = fd_count,
        .output_fd = output[1],
    });
    int error = errno;
    close(output[1]);
    if (replica->pid < 0) {
        replica->pid = 0;
        close(output[0]);
        errno = error;
        return false;
    }
    replica->output = chainsi_make(sizeof *replica->output);
    uv_pipe_init(replica->options.supervisor->loop, replica->output, 0);
    replica->output->data = replica;
    if (uv_pipe_open(replica->output, output[0]) != 0) {
        close(output[0]);
        chainsi_handle_close(replica->output);
        replica->output = NULL;
    } else {
        uv_read_start((uv_stream_t *)replica->output, allocate, on_output);
    }
    return true;
}

void chainsi_replica_start(chainsi_replica *replica)
{
    assert(!replica->pid);
    replica->starts++;
    replica->stalled[0] = 0;
    replica->started_ns = chainsi_now_ns();
    replica->ready_ns = -1;
    replica->probe_delay_ms = PROBE_FIRST_DELAY_MS;
    bool runs = run_process(replica);
    int error = errno;
    set_state(replica, CHAINSI_REPLICA_STARTING);
    if (runs) {
        ask_ready(replica);
        return;
    }
    snprintf(replica->last_end, sizeof replica->last_end, "cannot be run: %s", strerror(error));
    note_death(replica, 127 << 8);
}

void chainsi_replica_kill(chainsi_replica *replica)
{
    if (replica->pid)
        kill(-replica->pid, SIGKILL);
}

static void on_drain_time(uv_timer_t *timer)
{
    chainsi_replica *replica = timer->data;
    if (!replica)
        return;
    chainsi_log_say(replica->options.log, "WARNING",
                    "killed: not ended %g s after it was told to (.drain_timeout_s)",
                    replica->options.drain_timeout_s);
    chainsi_replica_kill(replica);
}

static void cancel_probe(chainsi_replica *replica)
{
    if (replica->probe)
        chainsi_upstream_cancel(replica->probe);
    replica->probe = NULL;
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
    case CHAINSI_REPLICA_STARTING:
        /* It has begun no call, so nothing is lost; and it may be too busy loading to listen. */
        cancel_probe(replica);
        uv_timer_stop(replica->timer);
        set_state(replica, CHAINSI_REPLICA_DRAINING);
        chainsi_replica_kill(replica);
        return;
    case CHAINSI_REPLICA_STALLED: /* it has been killed */
        set_state(replica, CHAINSI_REPLICA_DRAINING);
        return;
    case CHAINSI_REPLICA_READY:
        break;
    }
    cancel_probe(replica);
    end_watch(replica);
    set_state(replica, CHAINSI_REPLICA_DRAINING);
    kill(replica->pid, SIGTERM);
    /* The process itself gives up at drain_timeout_s; a little more, so that it can say so. */
    uv_timer_start(replica->timer, on_drain_time,
                   (uint64_t)(replica->options.drain_timeout_s * 1000) + 500, 0);
}

static void reap(chainsi_replica *replica)
{
    siginfo_t info = { 0 };
    if (waitid(P_PID, (id_t)replica->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        info.si_pid != replica->pid)
        return;
    /* What it started goes with it, while its number still stands for them. */
    kill(-replica->pid, SIGKILL);
    int wait_status = 0;
    waitpid(replica->pid, &wait_status, 0);
    replica->pid = 0;
    if (replica->stalled[0])
        snprintf(replica->last_end, sizeof replica->last_end, "%s", replica->stalled);
    else
        chainsi_process_describe_end(wait_status, replica->last_end, sizeof replica->last_end);
    cancel_probe(replica);
    end_watch(replica);
    finish_output(replica);
    note_death(replica, wait_status);
}

void chainsi_supervisor_reap(chainsi_supervisor *supervisor)
{
    for (chainsi_replica *replica = supervisor->replicas; replica; replica = replica->next)
        if (replica->pid)
            reap(replica);
}
