/* Commands are sent at once, or wait in a list until the socket takes them. Answers come in the order of
 * the commands; only that of a start is of interest, of others just that they are no errors. */
#include "control/keeping.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/handle.h"
#include "control/log.h"

/* A command that waits to be sent, or for its answer. */
typedef struct asked {
    chainsi_command command;
    int fd; /* owned; -1 */
    struct asked *next;
} asked;

/* A list with its end. */
typedef struct asked_list {
    asked *first, **end;
} asked_list;

struct chainsi_keeping {
    int socket;      /* owned */
    uv_poll_t *poll; /* owned */
    chainsi_keeping_events events;
    uint32_t number;      /* of the last command */
    asked_list unsent;    /* owned */
    asked_list starts;    /* owned; sent, not answered: only starts, with no note */
    chainsi_found *found; /* owned */
    unsigned stops;
    chainsi_kept_process *processes; /* not owned */
    bool lost;
};

static void add_to(asked_list *list, asked *item)
{
    item->next = NULL;
    *list->end = item;
    list->end = &item->next;
}

static asked *take_first(asked_list *list)
{
    asked *first = list->first;
    list->first = first->next;
    if (!list->first)
        list->end = &list->first;
    return first;
}

static void free_asked(asked *item)
{
    if (item->fd >= 0)
        close(item->fd);
    free(item);
}

/* Sending. */

static void on_poll(uv_poll_t *poll, int status, int events);

static void watch(chainsi_keeping *keeping)
{
    if (!keeping->lost)
        uv_poll_start(keeping->poll, UV_READABLE | (keeping->unsent.first ? UV_WRITABLE : 0),
                      on_poll);
}

/* Sends what waits. A keeper that is gone is noticed by reading. */
static void send_unsent(chainsi_keeping *keeping)
{
    while (keeping->unsent.first) {
        asked *first = keeping->unsent.first;
        if (!chainsi_command_send(keeping->socket, &first->command, first->fd) && errno == EAGAIN)
            break;
        take_first(&keeping->unsent);
        if (first->command.kind == CHAINSI_COMMAND_START) {
            if (first->fd >= 0)
                close(first->fd);
            first->fd = -1;
            add_to(&keeping->starts, first);
        } else {
            free_asked(first);
        }
    }
}

/* fd is taken. */
static void ask(chainsi_keeping *keeping, chainsi_command_kind kind, const char *name, int value,
                const void *note, size_t note_size, int fd)
{
    assert(note_size <= CHAINSI_COMMAND_MAX_NOTE);
    asked *item = chainsi_make(sizeof *item);
    bool made = chainsi_command_make(&item->command, kind, name);
    assert(made);
    (void)made;
    item->command.number = ++keeping->number;
    item->command.value = value;
    item->command.note_size = (uint32_t)note_size;
    if (note_size)
        memcpy(item->command.note, note, note_size);
    item->fd = fd;
    bool idle = !keeping->unsent.first;
    add_to(&keeping->unsent, item);
    if (!idle)
        return;
    send_unsent(keeping);
    if (keeping->unsent.first)
        watch(keeping);
}

void chainsi_keeping_flush(chainsi_keeping *keeping)
{
    struct pollfd writable = { .fd = keeping->socket, .events = POLLOUT };
    while (keeping->unsent.first && !keeping->lost) {
        send_unsent(keeping);
        if (keeping->unsent.first && poll(&writable, 1, -1) < 0 && errno != EINTR)
            return;
    }
}

/* Receiving. */

static chainsi_kept_process **find_process(chainsi_keeping *keeping, const char *name)
{
    chainsi_kept_process **at = &keeping->processes;
    while (*at && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    return at;
}

static void on_started(chainsi_keeping *keeping, const chainsi_command *answer, int output)
{
    chainsi_kept_process *process = *find_process(keeping, answer->name);
    free_asked(take_first(&keeping->starts));
    if (process) {
        process->since_ns = answer->since_ns;
        process->on_started(process, answer->pid, answer->error, output);
    } else if (output >= 0) {
        close(output);
    }
}

static void on_done(chainsi_keeping *keeping, const chainsi_command *answer, int fd)
{
    const asked *start = keeping->starts.first;
    if (start && start->command.number == answer->number) {
        on_started(keeping, answer, fd);
        return;
    }
    /* A process may end by itself before it can be told to. */
    if (answer->error && answer->error != ESRCH)
        chainsi_say("the keeper can't do what it should with %s: %s", answer->name,
                    strerror(answer->error));
    if (fd >= 0)
        close(fd);
}

static void on_ended(chainsi_keeping *keeping, const chainsi_command *command)
{
    chainsi_kept_process *process = *find_process(keeping, command->name);
    if (process)
        process->on_ended(process, command->value);
    else /* one that was found and not wanted */
        ask(keeping, CHAINSI_COMMAND_FORGET, command->name, 0, NULL, 0, -1);
}

static void take_command(chainsi_keeping *keeping, const chainsi_command *command, int fd)
{
    switch ((chainsi_command_kind)command->kind) {
    case CHAINSI_COMMAND_DONE:
        on_done(keeping, command, fd);
        return;
    case CHAINSI_COMMAND_ENDED:
        on_ended(keeping, command);
        break;
    case CHAINSI_COMMAND_PING:
        chainsi_keeping_say_serving(keeping);
        break;
    case CHAINSI_COMMAND_STOP:
        keeping->events.on_stop(keeping->events.user, (unsigned)command->value);
        break;
    case CHAINSI_COMMAND_HELD:
    case CHAINSI_COMMAND_PROCESS:
    case CHAINSI_COMMAND_LIST:
    case CHAINSI_COMMAND_HOLD:
    case CHAINSI_COMMAND_RELEASE:
    case CHAINSI_COMMAND_START:
    case CHAINSI_COMMAND_SIGNAL:
    case CHAINSI_COMMAND_NOTE:
    case CHAINSI_COMMAND_FORGET:
    case CHAINSI_COMMAND_SERVING:
        break;
    }
    if (fd >= 0)
        close(fd);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)status;
    chainsi_keeping *keeping = poll->data;
    if (!keeping)
        return;
    if (events & UV_WRITABLE) {
        send_unsent(keeping);
        if (!keeping->unsent.first)
            watch(keeping);
    }
    for (;;) {
        chainsi_command command;
        int fd = -1;
        int got = chainsi_command_receive(keeping->socket, &command, &fd);
        if (got > 0) {
            take_command(keeping, &command, fd);
            continue;
        }
        if (got < 0 && errno == EAGAIN)
            return;
        keeping->lost = true;
        uv_poll_stop(keeping->poll);
        keeping->events.on_lost(keeping->events.user);
        return;
    }
}

/* What was found. */

static void add_found(chainsi_keeping *keeping, const chainsi_command *command, int fd)
{
    chainsi_found *found = chainsi_make(sizeof *found);
    found->is_process = command->kind == CHAINSI_COMMAND_PROCESS;
    found->fd = fd;
    found->said = *command;
    found->next = keeping->found;
    keeping->found = found;
}

static chainsi_found **find_found(const chainsi_keeping *keeping, const char *name, bool is_process)
{
    chainsi_found **at = (chainsi_found **)&keeping->found;
    while (*at && ((*at)->is_process != is_process || strcmp((*at)->said.name, name) != 0))
        at = &(*at)->next;
    return at;
}

/* Unlinks it; its descriptor goes to the caller. */
static int drop_found(chainsi_found **at)
{
    chainsi_found *found = *at;
    int fd = found->fd;
    *at = found->next;
    free(found);
    return fd;
}

/* Reads the list until the answer to it; false if the keeper is gone. */
static bool read_list(chainsi_keeping *keeping)
{
    struct pollfd readable = { .fd = keeping->socket, .events = POLLIN };
    ask(keeping, CHAINSI_COMMAND_LIST, "", 0, NULL, 0, -1);
    for (;;) {
        chainsi_command command;
        int fd = -1;
        int got = chainsi_command_receive(keeping->socket, &command, &fd);
        if (got < 0 && errno == EAGAIN) {
            poll(&readable, 1, -1);
            continue;
        }
        if (got <= 0)
            return false;
        if (command.kind == CHAINSI_COMMAND_DONE && command.number == keeping->number) {
            keeping->stops = (unsigned)command.value;
            return true;
        }
        /* What else comes before that is in the list as well. */
        if (command.kind == CHAINSI_COMMAND_HELD || command.kind == CHAINSI_COMMAND_PROCESS)
            add_found(keeping, &command, fd);
    }
}

static void free_found(chainsi_keeping *keeping)
{
    while (keeping->found) {
        int fd = drop_found(&keeping->found);
        if (fd >= 0)
            close(fd);
    }
}

chainsi_keeping *chainsi_keeping_new(uv_loop_t *loop, int socket,
                                     const chainsi_keeping_events *events)
{
    chainsi_keeping *keeping = chainsi_make(sizeof *keeping);
    keeping->socket = socket;
    keeping->events = *events;
    keeping->unsent.end = &keeping->unsent.first;
    keeping->starts.end = &keeping->starts.first;
    keeping->poll = chainsi_make(sizeof *keeping->poll);
    keeping->lost = true; /* until it is known what there is, nothing comes from the loop */
    if (uv_poll_init(loop, keeping->poll, socket) != 0) {
        free(keeping->poll);
        keeping->poll = NULL;
    } else if (read_list(keeping)) {
        keeping->poll->data = keeping;
        keeping->lost = false;
        watch(keeping);
        return keeping;
    }
    chainsi_keeping_free(keeping);
    return NULL;
}

void chainsi_keeping_free(chainsi_keeping *keeping)
{
    if (!keeping)
        return;
    free_found(keeping);
    while (keeping->unsent.first)
        free_asked(take_first(&keeping->unsent));
    while (keeping->starts.first)
        free_asked(take_first(&keeping->starts));
    chainsi_handle_close(keeping->poll);
    close(keeping->socket);
    free(keeping);
}

unsigned chainsi_keeping_stops(const chainsi_keeping *keeping)
{
    return keeping->stops;
}

const chainsi_found *chainsi_keeping_found(const chainsi_keeping *keeping)
{
    return keeping->found;
}

bool chainsi_keeping_has(const chainsi_keeping *keeping, const char *name)
{
    return *find_found(keeping, name, false) != NULL;
}

int chainsi_keeping_take(chainsi_keeping *keeping, const char *name)
{
    chainsi_found **at = find_found(keeping, name, false);
    return *at ? drop_found(at) : -1;
}

bool chainsi_keeping_take_process(chainsi_keeping *keeping, chainsi_kept_process *process,
                                  chainsi_command *said, int *output)
{
    chainsi_found **at = find_found(keeping, process->name, true);
    if (!*at)
        return false;
    *said = (*at)->said;
    *output = drop_found(at);
    process->next = keeping->processes;
    keeping->processes = process;
    return true;
}

void chainsi_keeping_settle(chainsi_keeping *keeping)
{
    for (const chainsi_found *found = keeping->found; found; found = found->next) {
        const char *name = found->said.name;
        if (!found->is_process) {
            ask(keeping, CHAINSI_COMMAND_RELEASE, name, 0, NULL, 0, -1);
        } else if (found->said.ended) {
            ask(keeping, CHAINSI_COMMAND_FORGET, name, 0, NULL, 0, -1);
        } else {
            chainsi_say("%s runs, but belongs to nothing: killing it", name);
            ask(keeping, CHAINSI_COMMAND_SIGNAL, name, SIGKILL, NULL, 0, -1);
        }
    }
    free_found(keeping);
}

/* What is asked for. */

void chainsi_keeping_say_serving(chainsi_keeping *keeping)
{
    ask(keeping, CHAINSI_COMMAND_SERVING, "", 0, NULL, 0, -1);
}

void chainsi_keeping_hold(chainsi_keeping *keeping, const char *name, int fd)
{
    int found = chainsi_keeping_take(keeping, name);
    if (found >= 0)
        close(found);
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        chainsi_say("%s can't be held: %s", name, strerror(errno));
    else
        ask(keeping, CHAINSI_COMMAND_HOLD, name, 0, NULL, 0, copy);
}

void chainsi_keeping_release(chainsi_keeping *keeping, const char *name)
{
    ask(keeping, CHAINSI_COMMAND_RELEASE, name, 0, NULL, 0, -1);
}

void chainsi_keeping_start(chainsi_keeping *keeping, chainsi_kept_process *process,
                           const chainsi_order *order, const void *note, size_t note_size)
{
    if (!*find_process(keeping, process->name)) {
        process->next = keeping->processes;
        keeping->processes = process;
    }
    /* Without an order the answer is an error, and on_started tells of it. */
    ask(keeping, CHAINSI_COMMAND_START, process->name, 0, note, note_size,
        chainsi_order_write(order));
}

void chainsi_keeping_signal(chainsi_keeping *keeping, const chainsi_kept_process *process,
                            int number)
{
    ask(keeping, CHAINSI_COMMAND_SIGNAL, process->name, number, NULL, 0, -1);
}

void chainsi_keeping_note(chainsi_keeping *keeping, const chainsi_kept_process *process,
                          const void *note, size_t note_size)
{
    ask(keeping, CHAINSI_COMMAND_NOTE, process->name, 0, note, note_size, -1);
}

void chainsi_keeping_forget(chainsi_keeping *keeping, chainsi_kept_process *process)
{
    chainsi_kept_process **at = find_process(keeping, process->name);
    if (*at != process)
        return;
    *at = process->next;
    process->next = NULL;
    ask(keeping, CHAINSI_COMMAND_FORGET, process->name, 0, NULL, 0, -1);
}
