/* What the two processes of the daemon say to each other: packets over a SOCK_SEQPACKET pair, each
 * with at most one descriptor beside it.
 *
 * The brain sends commands, with numbers that go up; the keeper carries them out in their order and
 * answers each with DONE. All of them may be given twice: what is held is held, what runs is not
 * started again. What the keeper has to say by itself (ENDED, STOP) has number 0. Both ends are
 * one program, the very same file (/proc/self/exe), so structs travel as they are. Any thread. */
#ifndef CHAINSI_CONTROL_COMMAND_H
#define CHAINSI_CONTROL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

enum {
    CHAINSI_COMMAND_MAX_NAME = 320,  /* bytes with the NUL */
    CHAINSI_COMMAND_MAX_NOTE = 1024, /* bytes */
    CHAINSI_ORDER_MAX_SIZE = 16 * 1024 * 1024,
};

typedef enum chainsi_command_kind {
    /* Of the brain. */
    CHAINSI_COMMAND_LIST = 1, /* HELD and PROCESS for all there is, then DONE: value: as STOP's */
    CHAINSI_COMMAND_HOLD,     /* name, and a descriptor that takes the place of one of that name */
    CHAINSI_COMMAND_RELEASE,  /* name of what is held */
    CHAINSI_COMMAND_START,    /* name, note, an order. DONE: pid, since_ns, and its output's end */
    CHAINSI_COMMAND_SIGNAL,   /* name of a process; value: the signal, SIGKILL for all its group */
    CHAINSI_COMMAND_NOTE,     /* name of a process, note */
    CHAINSI_COMMAND_FORGET,   /* name of a process that has ended, which is acknowledged by this */
    CHAINSI_COMMAND_SERVING,  /* the brain is at work */
    /* Of the keeper. */
    CHAINSI_COMMAND_DONE,    /* error: 0, or an errno */
    CHAINSI_COMMAND_HELD,    /* name, and the descriptor */
    CHAINSI_COMMAND_PROCESS, /* name, note, pid, since_ns, ended, value: of waitpid(); its output */
    CHAINSI_COMMAND_ENDED,   /* name, value: of waitpid() */
    CHAINSI_COMMAND_STOP,    /* value: how often the daemon has been asked to end */
    CHAINSI_COMMAND_PING,    /* SERVING is the answer, if the brain is at work */
} chainsi_command_kind;

typedef struct chainsi_command {
    uint32_t kind;   /* chainsi_command_kind */
    uint32_t number; /* the brain's, and in the answer; 0: no answer */
    int32_t error, value, pid;
    uint32_t ended;   /* bool */
    int64_t since_ns; /* when the process was started, CLOCK_MONOTONIC */
    uint32_t note_size;
    char name[CHAINSI_COMMAND_MAX_NAME];
    /* What the brain wants to remember of a process: the keeper doesn't look at it. */
    unsigned char note[CHAINSI_COMMAND_MAX_NOTE];
} chainsi_command;

/* A command without note; false: the name is too long. */
bool chainsi_command_make(chainsi_command *command, chainsi_command_kind kind, const char *name);

/* Sends a command, with a copy of the descriptor (-1: none). Doesn't block on a non-blocking socket.
 * False: errno. */
bool chainsi_command_send(int socket, const chainsi_command *command, int fd);
/* Receives one; *fd gets the descriptor, CLOEXEC and the caller's, or -1. 1, or 0 at the end (the
 * other process is gone), or -1: errno, EBADMSG for what is no command. */
int chainsi_command_receive(int socket, chainsi_command *command, int *fd);

/* A descriptor that a process is to have: that of this name among what the keeper holds. */
typedef struct chainsi_order_fd {
    const char *held;
    const char *name; /* of LISTEN_FDNAMES */
} chainsi_order_fd;

/* What process to start. Texts may be of any size, so an order travels in a file of its own. */
typedef struct chainsi_order {
    const char *program, *directory;
    const char *const *environment; /* "NAME=value" up to a NULL; as of chainsi_process_start */
    const chainsi_order_fd *fds;
    size_t fd_count;
    /* What the keeper holds the entries of the process's cgroup as: chainsi_cgroup_entries. */
    const char *const *groups;
    size_t group_count; /* CHAINSI_CGROUPS_MOST_TREES at most; 0: it stays in the keeper's */
} chainsi_order;

/* A memfd with the order; the caller closes it. -1: errno. */
int chainsi_order_write(const chainsi_order *order);
/* Reads it again; everything is the arena's. False: errno, EBADMSG for what is no order. */
bool chainsi_order_read(int fd, chainsi_arena *arena, chainsi_order *order);

#endif
