/* The brain's side of the courier: its process, and what is to be told to it.
 *
 * Invariants: all that is done to the process is done from the loop, so nothing here calls back from within a
 * call; what is to be told of an errand is noted with it and sent as the socket takes it, in the order of the
 * errands. A process has gone when it has been reaped, and only then have its errands ended: until then a
 * thread of it might still write to a file. */
#include "control/courier.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/courier_line.h"
#include "control/courier_work.h"
#include "control/handle.h"
#include "control/process.h"

enum {
    MOST_SILENCE = 3,   /* looks without a word of it */
    LEAVING_MS = 10000, /* for a process that is to end */
};

struct chainsi_errand {
    chainsi_errand *next;
    chainsi_errand_events events;
    void *user;
    uint32_t number;
    int parcel; /* owned; -1: sent, or it can't be */
    int file;   /* the owner's; -1 */
    chainsi_line_message order;
    int unpacked;   /* an errno: why it can't be */
    bool sent;      /* the process knows of it */
    bool cancelled; /* it ends as such, whatever becomes of it */
    bool silent;    /* nobody wants to know of it any more */
    bool tell_take, tell_cancel;
    int64_t end; /* what TAKE says */
};

struct chainsi_courier {
    uv_loop_t *loop; /* not owned */
    const char *program;
    int idle_ms, watch_ms;
    pid_t pid;            /* 0: none */
    int socket;           /* owned; -1: none, or the process is leaving */
    uv_poll_t *poll;      /* owned; with socket */
    uv_signal_t *deaths;  /* owned */
    uv_timer_t *soon;     /* owned; there is something to do */
    uv_timer_t *patience; /* owned; until an idle process is to leave, or a leaving one is killed */
    uv_timer_t *watch;    /* owned; runs while there are errands */
    int silence;          /* looks since it has said something */
    chainsi_errand *errands; /* owned; in the order in which they came */
    uint32_t numbers;
    bool ping;
};

/* Errands. */

static chainsi_errand **find(chainsi_courier *courier, uint32_t number)
{
    chainsi_errand **at = &courier->errands;
    while (*at && (*at)->number != number)
        at = &(*at)->next;
    return at;
}

static void free_errand(chainsi_errand *errand)
{
    if (errand->parcel >= 0)
        close(errand->parcel);
    free(errand);
}

static bool has_errands(const chainsi_courier *courier)
{
    for (const chainsi_errand *errand = courier->errands; errand; errand = errand->next)
        if (!errand->silent)
            return true;
    return false;
}

static void on_soon(uv_timer_t *timer);
static void on_patience(uv_timer_t *timer);
static void on_watch(uv_timer_t *timer);

static void ask_work(chainsi_courier *courier)
{
    uv_timer_start(courier->soon, on_soon, 0, 0);
}

static void set_ref(void *handle, bool on)
{
    if (handle && on)
        uv_ref(handle);
    else if (handle)
        uv_unref(handle);
}

/* What follows from whether there are errands: they keep the loop running, and the process here. */
static void note_errands(chainsi_courier *courier)
{
    bool any = has_errands(courier);
    set_ref(courier->poll, any);
    set_ref(courier->deaths, any);
    if (any && !uv_is_active((uv_handle_t *)courier->watch)) {
        courier->silence = 0;
        uv_timer_start(courier->watch, on_watch, (uint64_t)courier->watch_ms,
                       (uint64_t)courier->watch_ms);
    } else if (!any) {
        uv_timer_stop(courier->watch);
    }
    if (courier->socket < 0)
        return;
    if (any)
        uv_timer_stop(courier->patience);
    else if (!uv_is_active((uv_handle_t *)courier->patience))
        uv_timer_start(courier->patience, on_patience, (uint64_t)courier->idle_ms, 0);
}

static void end_errand(chainsi_courier *courier, chainsi_errand **at,
                       chainsi_errand_outcome outcome, const chainsi_errand_answer *answer,
                       const char *why)
{
    static const chainsi_errand_answer none = { .size = -1 };
    chainsi_errand *ended = *at;
    *at = ended->next;
    if (ended->cancelled)
        outcome = CHAINSI_ERRAND_CANCELLED;
    note_errands(courier);
    if (!ended->silent)
        ended->events.on_end(ended->user, outcome, answer ? answer : &none, why);
    free_errand(ended);
}

/* The process. */

/* No more is heard from it; it ends, by itself or not. */
static void hang_up(chainsi_courier *courier, bool kills)
{
    if (courier->socket >= 0) {
        chainsi_handle_close(courier->poll);
        close(courier->socket);
        courier->poll = NULL;
        courier->socket = -1;
        uv_timer_start(courier->patience, on_patience, LEAVING_MS, 0);
    }
    if (kills && courier->pid)
        kill(courier->pid, SIGKILL);
}

/* It stops what waited for the process, and has the next one started if there is something to do. */
static void note_death(chainsi_courier *courier, int wait_status)
{
    char end[96], why[CHAINSI_ERRAND_MOST_WHY];
    chainsi_process_describe_end(wait_status, end, sizeof end);
    snprintf(why, sizeof why, "the courier, which carries it, has ended: %s", end);
    hang_up(courier, false);
    courier->pid = 0;
    uv_timer_stop(courier->patience);
    for (chainsi_errand **at = &courier->errands; *at;) {
        if ((*at)->sent) {
            end_errand(courier, at, CHAINSI_ERRAND_BROKE, NULL, why);
            at = &courier->errands; /* others may have come and gone */
        } else {
            at = &(*at)->next;
        }
    }
    if (courier->errands)
        ask_work(courier);
}

static void take_answer(chainsi_courier *courier, chainsi_errand *errand,
                        const chainsi_errand_answer *answer)
{
    if (errand->cancelled || errand->file < 0)
        return;
    errand->end = errand->events.on_answer(errand->user, answer);
    if (errand->end >= 0)
        errand->tell_take = true;
    else
        errand->cancelled = errand->tell_cancel = true;
    ask_work(courier);
}

static void hear(chainsi_courier *courier, const chainsi_line_message *message)
{
    chainsi_errand **at = find(courier, message->number);
    courier->silence = 0;
    if (!*at)
        return;
    if (message->kind == CHAINSI_LINE_ANSWER)
        take_answer(courier, *at, &message->answer);
    else if (message->kind == CHAINSI_LINE_WRITTEN && (*at)->file >= 0)
        (*at)->events.on_written((*at)->user, (size_t)message->value, message->error);
    else if (message->kind == CHAINSI_LINE_ENDED)
        end_errand(courier, at, message->outcome, &message->answer, message->why);
}

/* All that it has said. */
static void hear_all(chainsi_courier *courier)
{
    chainsi_line_message message;
    int fds[CHAINSI_PACKET_MOST_FDS], got = -1;
    errno = EAGAIN;
    while (courier->socket >= 0 &&
           (got = chainsi_line_receive(courier->socket, &message, fds)) > 0) {
        chainsi_packet_close(fds); /* there should be none */
        hear(courier, &message);
    }
    if (courier->socket >= 0 && (got == 0 || errno != EAGAIN))
        hang_up(courier, true);
}

static void on_death(uv_signal_t *handle, int number)
{
    (void)number;
    chainsi_courier *courier = handle->data;
    int wait_status = 0;
    if (!courier || !courier->pid)
        return;
    pid_t pid = waitpid(courier->pid, &wait_status, WNOHANG);
    if (pid == 0)
        return;
    hear_all(courier);
    note_death(courier, wait_status);
}

static void on_line(uv_poll_t *poll, int status, int events)
{
    chainsi_courier *courier = poll->data;
    if (!courier)
        return;
    hear_all(courier);
    if (status == 0 && (events & UV_WRITABLE))
        ask_work(courier);
}

/* 0, or an errno. */
static int start_process(chainsi_courier *courier)
{
    static const char *const arguments[] = { "chainsd", CHAINSI_COURIER_VERB, NULL };
    static const char *const environment[] = { NULL };
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0)
        return errno;
    courier->pid = chainsi_process_run(&(chainsi_process_start){
        .program = courier->program,
        .arguments = arguments,
        .environment = environment,
        .fds = &(chainsi_process_fd){ pair[1], "courier" },
        .fd_count = 1,
        .output_fd = STDERR_FILENO,
    });
    int error = courier->pid < 0 ? errno : 0;
    close(pair[1]);
    if (error) {
        courier->pid = 0;
        close(pair[0]);
        return error;
    }
    courier->socket = pair[0];
    courier->poll = chainsi_make(sizeof *courier->poll);
    uv_poll_init(courier->loop, courier->poll, courier->socket);
    courier->poll->data = courier;
    uv_poll_start(courier->poll, UV_READABLE, on_line);
    courier->silence = 0;
    note_errands(courier);
    return 0;
}

/* What it is told. */

static bool tell(const chainsi_courier *courier, uint32_t number, chainsi_line_kind kind,
                 int64_t value)
{
    chainsi_line_message message = { .kind = kind, .number = number, .value = value };
    return chainsi_line_send(courier->socket, &message, NULL, 0);
}

/* False: errno. */
static bool tell_errand(const chainsi_courier *courier, chainsi_errand *errand)
{
    if (!errand->sent) {
        const int fds[] = { errand->parcel, errand->file };
        if (!chainsi_line_send(courier->socket, &errand->order, fds, errand->file >= 0 ? 2 : 1))
            return false;
        close(errand->parcel);
        errand->parcel = -1;
        errand->sent = true;
    }
    if (errand->tell_take) {
        if (!tell(courier, errand->number, CHAINSI_LINE_TAKE, errand->end))
            return false;
        errand->tell_take = false;
    }
    if (errand->tell_cancel) {
        if (!tell(courier, errand->number, CHAINSI_LINE_CANCEL, 0))
            return false;
        errand->tell_cancel = false;
    }
    return true;
}

static void tell_all(chainsi_courier *courier)
{
    bool all = true;
    if (courier->ping) {
        all = tell(courier, 0, CHAINSI_LINE_PING, 0);
        courier->ping = !all;
    }
    for (chainsi_errand *errand = courier->errands; all && errand; errand = errand->next)
        all = tell_errand(courier, errand);
    /* Where it is gone the end of the line is still to be read, behind what it said. */
    bool waits = !all && errno == EAGAIN;
    uv_poll_start(courier->poll, UV_READABLE | (waits ? UV_WRITABLE : 0), on_line);
    if (!all && !waits && errno != EPIPE && errno != ECONNRESET)
        hang_up(courier, true);
}

/* Those that can't be sent, or needn't be. */
static void end_unsent(chainsi_courier *courier, int error)
{
    for (chainsi_errand **at = &courier->errands; *at;) {
        chainsi_errand *errand = *at;
        char why[CHAINSI_ERRAND_MOST_WHY];
        if (errand->sent || !(error || errand->unpacked || errand->cancelled)) {
            at = &errand->next;
            continue;
        }
        snprintf(why, sizeof why, "it cannot be handed to a courier: %s",
                 strerror(errand->unpacked ? errand->unpacked : error));
        end_errand(courier, at,
                   errand->unpacked == E2BIG ? CHAINSI_ERRAND_REFUSED : CHAINSI_ERRAND_BROKE, NULL,
                   why);
        at = &courier->errands;
    }
}

static void on_soon(uv_timer_t *timer)
{
    chainsi_courier *courier = timer->data;
    if (!courier)
        return;
    end_unsent(courier, 0);
    int error = 0;
    if (courier->errands && !courier->pid)
        error = start_process(courier);
    if (error)
        end_unsent(courier, error);
    if (courier->socket >= 0)
        tell_all(courier);
}

static void on_patience(uv_timer_t *timer)
{
    chainsi_courier *courier = timer->data;
    if (!courier)
        return;
    hang_up(courier, courier->socket < 0);
}

/* The loop may have been held up itself: what has been said is heard first. */
static void on_watch(uv_timer_t *timer)
{
    chainsi_courier *courier = timer->data;
    if (!courier)
        return;
    hear_all(courier);
    if (courier->socket < 0)
        return;
    if (++courier->silence > MOST_SILENCE) {
        hang_up(courier, true);
        return;
    }
    courier->ping = true;
    tell_all(courier);
}

/* What others call. */

chainsi_courier *chainsi_courier_new(const chainsi_courier_options *options)
{
    chainsi_courier *courier = chainsi_make(sizeof *courier);
    courier->loop = options->loop;
    courier->program = options->program;
    courier->idle_ms = options->idle_ms;
    courier->watch_ms = options->watch_ms;
    courier->socket = -1;
    courier->soon = chainsi_timer_new(options->loop, courier);
    courier->patience = chainsi_timer_new(options->loop, courier);
    courier->watch = chainsi_timer_new(options->loop, courier);
    uv_unref((uv_handle_t *)courier->patience);
    uv_unref((uv_handle_t *)courier->watch);
    courier->deaths = chainsi_make(sizeof *courier->deaths);
    uv_signal_init(options->loop, courier->deaths);
    courier->deaths->data = courier;
    uv_unref((uv_handle_t *)courier->deaths);
    uv_signal_start(courier->deaths, on_death, SIGCHLD);
    return courier;
}

chainsi_courier *chainsi_courier_usual(uv_loop_t *loop, const char *program)
{
    return chainsi_courier_new(&(chainsi_courier_options){
        .loop = loop,
        .program = program,
        .idle_ms = CHAINSI_COURIER_IDLE_MS,
        .watch_ms = CHAINSI_COURIER_WATCH_MS,
    });
}

void chainsi_courier_free(chainsi_courier *courier)
{
    if (!courier)
        return;
    hang_up(courier, true);
    if (courier->pid)
        waitpid(courier->pid, NULL, 0);
    while (courier->errands) {
        chainsi_errand *gone = courier->errands;
        courier->errands = gone->next;
        free_errand(gone);
    }
    chainsi_handle_close(courier->soon);
    chainsi_handle_close(courier->patience);
    chainsi_handle_close(courier->watch);
    chainsi_handle_close(courier->deaths);
    free(courier);
}

pid_t chainsi_courier_process(const chainsi_courier *courier)
{
    return courier->pid;
}

chainsi_errand *chainsi_courier_send(chainsi_courier *courier,
                                     const chainsi_errand_request *request,
                                     const chainsi_errand_events *events, void *user)
{
    chainsi_errand *errand = chainsi_make(sizeof *errand);
    errand->events = *events;
    errand->user = user;
    errand->number = ++courier->numbers;
    errand->file = request->file;
    errand->order = (chainsi_line_message){ .kind = CHAINSI_LINE_ERRAND,
                                            .number = errand->number,
                                            .terms = request->terms };
    errand->parcel = chainsi_line_pack(request, &errand->order.parcel);
    if (errand->parcel < 0)
        errand->unpacked = errno;
    chainsi_errand **at = &courier->errands;
    while (*at)
        at = &(*at)->next;
    *at = errand;
    note_errands(courier);
    ask_work(courier);
    return errand;
}

void chainsi_courier_cancel(chainsi_courier *courier, chainsi_errand *errand)
{
    errand->cancelled = errand->tell_cancel = true;
    errand->silent = errand->file < 0;
    note_errands(courier);
    ask_work(courier);
}
