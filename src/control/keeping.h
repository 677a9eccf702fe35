/* The brain's side of the keeper: what it has us hold, what it runs for us, what it tells.
 *
 * What is asked for is carried out later but in the order of asking, so nothing here has to be waited
 * for: a process whose start was asked for may be signalled, a descriptor that was handed over may be
 * named in an order. Everything belongs to the thread of the loop; only chainsi_keeping_new and
 * chainsi_keeping_flush block. */
#ifndef CHAINSI_CONTROL_KEEPING_H
#define CHAINSI_CONTROL_KEEPING_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <uv.h>

#include "control/command.h"

typedef struct chainsi_keeping chainsi_keeping;

/* A process that the keeper runs for us; embedded in its owner. Events come from the loop. */
typedef struct chainsi_kept_process {
    const char *name; /* unique; as long as the keeper knows of the process */
    /* It runs: output is the end to read from of the pipe that it writes to, and is handed over. Or it
     * can't be run: pid 0, error is an errno, output -1. Only after chainsi_keeping_start. */
    void (*on_started)(struct chainsi_kept_process *process, pid_t pid, int error, int output);
    /* As of waitpid(). Not after on_started with an error. */
    void (*on_ended)(struct chainsi_kept_process *process, int wait_status);
    int64_t since_ns;                  /* when the keeper began to start it; from on_started on */
    struct chainsi_kept_process *next; /* keeping.c's */
} chainsi_kept_process;

/* What a brain before this one had held or run. */
typedef struct chainsi_found {
    bool is_process;
    int fd; /* what is held, or the process's output; owned; -1: none */
    chainsi_command said;
    struct chainsi_found *next;
} chainsi_found;

typedef struct chainsi_keeping_events {
    /* The daemon is to end; times: how often that was said. */
    void (*on_stop)(void *user, unsigned times);
    /* The keeper is gone. The last event. */
    void (*on_lost)(void *user);
    void *user;
} chainsi_keeping_events;

/* Asks the keeper at the other end of the socket, which is taken, what there is. NULL if it has gone
 * meanwhile. */
chainsi_keeping *chainsi_keeping_new(uv_loop_t *loop, int socket,
                                     const chainsi_keeping_events *events);
/* NULL is allowed. */
void chainsi_keeping_free(chainsi_keeping *keeping);
/* How often the daemon had been asked to end when this began; on_stop tells of more. */
unsigned chainsi_keeping_stops(const chainsi_keeping *keeping);
/* Returns when all that was asked for is on its way, whatever becomes of this process. */
void chainsi_keeping_flush(chainsi_keeping *keeping);
/* The brain is at work. */
void chainsi_keeping_say_serving(chainsi_keeping *keeping);

/* --- what was found --- */

/* All that was found and nobody has taken; valid until something is taken or held. */
const chainsi_found *chainsi_keeping_found(const chainsi_keeping *keeping);
/* Whether something was, under that name. */
bool chainsi_keeping_has(const chainsi_keeping *keeping, const char *name);
/* The descriptor found under that name, which is the caller's from now on, and still held. -1: there
 * is none. */
int chainsi_keeping_take(chainsi_keeping *keeping, const char *name);
/* Makes the process found under that name the caller's. *said: its note, pid, since_ns, ended and value; the
 * caller acknowledges by forgetting it, or starting it again. *output: its pipe's end, the caller's,
 * or -1. False: there is none. */
bool chainsi_keeping_take_process(chainsi_keeping *keeping, chainsi_kept_process *process,
                                  chainsi_command *said, int *output);
/* Nobody will take more: lets go of what is held, and kills what runs. */
void chainsi_keeping_settle(chainsi_keeping *keeping);

/* --- what is asked for --- */

/* Has a copy of the descriptor held, in the place of one of that name; fd stays the caller's. */
void chainsi_keeping_hold(chainsi_keeping *keeping, const char *name, int fd);
void chainsi_keeping_release(chainsi_keeping *keeping, const char *name);
/* Starts the process, one that runs under its name must have ended; the note goes with it. */
void chainsi_keeping_start(chainsi_keeping *keeping, chainsi_kept_process *process,
                           const chainsi_order *order, const void *note, size_t note_size);
/* SIGKILL is for all that the process started, too. Does nothing if it has ended. */
void chainsi_keeping_signal(chainsi_keeping *keeping, const chainsi_kept_process *process,
                            int number);
/* What to find with the process after a restart: CHAINSI_COMMAND_MAX_NOTE bytes at most. */
void chainsi_keeping_note(chainsi_keeping *keeping, const chainsi_kept_process *process,
                          const void *note, size_t note_size);
/* Acknowledges its end. */
void chainsi_keeping_forget(chainsi_keeping *keeping, chainsi_kept_process *process);

#endif
