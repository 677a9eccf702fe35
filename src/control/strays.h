/* Processes that replicas have started and that got away: whoever forks twice and takes a session of its own is the child
 * of nobody that we started, and so comes to the keeper, the nearest subreaper.
 *
 * Whose it is says a tag, a variable of the environment that the keeper gives each process and that what this starts inherits:
 * of which home, and the how manyth of its keeper's. A program that is run with another environment, or whose
 * environment may not be read, can't be told from anything else, and is left alone until the daemon ends.
 *
 * The calling process must have one thread. */
#ifndef CHAINSI_CONTROL_STRAYS_H
#define CHAINSI_CONTROL_STRAYS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { CHAINSI_TAG_TEXT = 80 };

/* What a keeper may tell of a process. */
typedef struct chainsi_strays_owner {
    bool (*is_own)(void *user, pid_t pid); /* it was started by the keeper itself */
    bool (*is_running)(void *user,
                       uint64_t number); /* so is what was tagged so, and hasn't ended */
    void *user;
} chainsi_strays_owner;

/* "CHAINSD_PROCESS=…" for the home whose lock that is. */
void chainsi_strays_tag(int lock, uint64_t number, char text[CHAINSI_TAG_TEXT]);

/* Kills the children of this process that belong to tagged ones which have ended. What those had started comes to this
 * process when they have ended, so call it again when something has. */
void chainsi_strays_end(int lock, const chainsi_strays_owner *owner);
/* Kills all children of this process, whatever they are, and waits until none is left that can be killed. */
void chainsi_strays_end_children(void);
/* Kills what keepers before this one have left on the machine: call it before anything is tagged. What is killed may not
 * have ended yet. */
void chainsi_strays_end_earlier(int lock);

#endif
