/* The brain: one loop with the front door, the chains and what is known of their processes. It holds
 * nothing that can't be found again: in CHAINS_HOME, or with the keeper (keeper.h), which starts
 * another brain whatever this one ends of. */
#ifndef CHAINSI_CONTROL_BRAIN_H
#define CHAINSI_CONTROL_BRAIN_H

/* What the keeper handed to this process. */
typedef struct chainsi_brain_options {
    const struct chainsi_daemon_options *daemon; /* not owned */
    const char *program;                         /* the daemon's own, for its courier */
    int keeper;                                  /* the socket to it; owned */
    int lock;  /* of CHAINS_HOME; owned; held so that nobody else takes it if the keeper ends */
    int front; /* the front door's listening socket; owned; -1: it has been given up */
    /* The keeper has ended, and the daemon was not asked to: every replica dies with it. Does not return if it
     * finds a way to go on. */
    void (*on_lost)(int lock, int front);
} chainsi_brain_options;

/* Picks up what runs, starts what should run, and serves until the keeper says that the daemon is to
 * end; then lets running calls end and stops every replica. Returns the exit status: 0 after an
 * orderly end, else 1 after a message on stderr, or CHAINSI_KEEPER_HELPLESS if the state can't be
 * used. */
int chainsi_brain_run(const chainsi_brain_options *options);

#endif
