/* The keeper: the one of the daemon's two processes that must not fail, and so does next to nothing.
 *
 * It holds what would be lost with the process that has it: the home's lock, the front door's
 * listening socket, every Chainlet's listening sockets and boards, and the replicas, which are its
 * children, with the pipes that they write their output to. All else is the business of the brain,
 * a process that may end at any moment: the keeper starts another one, which asks what there is
 * (CHAINSI_COMMAND_LIST) and goes on from there. What calls wait in, and what runs calls, never
 * notices.
 *
 *             start               SERVING                  exit 0 after STOP
 *   (none) -----------> STARTING ---------> SERVING ------------------------------> end
 *     ^                     |                  |
 *     '--- after a delay ---+--- it ends ------'
 *
 * After the first death there is no delay. Then it doubles with each one that follows another before
 * the brain has served for a moment. One that says that only people can help
 * (CHAINSI_KEEPER_HELPLESS) ends the daemon, unless a brain has served before: what runs goes on.
 *
 * SIGTERM and SIGINT are told to the brain (STOP), which stops the replicas and ends; the second kills the
 * replicas, the third the brain, too. Replicas die with the keeper (chainsi_process_run), however
 * that comes about; what they have started ends with them (strays.h), or else when the next keeper begins. A brain outlives it, holds the lock and the front door as well, and takes the
 * keeper's place (daemon.h). Names that are held are the brain's to choose, but for one:
 * CHAINSI_KEEPER_FRONT. */
#ifndef CHAINSI_CONTROL_KEEPER_H
#define CHAINSI_CONTROL_KEEPER_H

#include <stdbool.h>

#define CHAINSI_KEEPER_FRONT "front" /* what the front door's listening socket is held as */

enum { CHAINSI_KEEPER_HELPLESS = 78 /* exit status of a brain: it can't begin, nor can another */ };

typedef struct chainsi_keeper_options {
    int lock;  /* of the home; owned; each brain gets it, too */
    int front; /* the front door's listening socket; owned; likewise */
    /* The brain: a program, run as `name --brain SOCKET:LOCK:FRONT WORDS...`, numbers of descriptors; the last
     * is -1 once the front door has been given up. words: ended by NULL; NULL: none. */
    const char *program, *name;
    char *const *words;
    bool passes_hang_up; /* SIGHUP is sent on to the brain, instead of ending the keeper */
} chainsi_keeper_options;

/* Blocks SIGCHLD, SIGTERM and SIGINT, so that none of them is lost: before anybody can know the
 * keeper's process number. */
void chainsi_keeper_block_signals(void);

/* Keeps until it has been asked to end, and no brain and no replica is left. Returns the exit status:
 * that of an orderly end is 0. Call it from the process's first thread, when there is no other. */
int chainsi_keeper_run(const chainsi_keeper_options *options);

#endif
