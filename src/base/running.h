/* Which requests processes run, in shared memory that survives them: what died is asked what it was doing.
 *
 * A table of cells. A thread takes a free one before it runs a request, and gives it back after; neither
 * takes a lock or a call into the kernel, and both together some ten nanoseconds. Where no cell is found soon the
 * request isn't noted. Of a process that has ended somebody else reads the cells and frees them.
 *
 * Every process that has the memory may write anything into it: what is read from it is bounded, and is
 * printable text whatever it was. */
#ifndef CHAINSI_BASE_RUNNING_H
#define CHAINSI_BASE_RUNNING_H

#include <stddef.h>
#include <sys/types.h>

enum {
    CHAINSI_RUNNING_ID = 119,    /* characters of an id that are kept; of a longer one the first */
    CHAINSI_RUNNING_CELLS = 512, /* requests of all processes together */
};

typedef struct chainsi_running chainsi_running; /* a mapping */

/* Makes the memory: a CLOEXEC descriptor of a sealed-size memfd, or -1 with errno. */
int chainsi_running_create(void);
/* Maps it; NULL if fd is no such memory. fd stays the caller's and may be closed at once. */
chainsi_running *chainsi_running_open(int fd);
/* NULL is allowed. */
void chainsi_running_close(chainsi_running *running);

/* This process runs a request from now on. Returns the cell, or a negative number: it isn't noted; so it
 * is without a table (NULL). Any thread. */
int chainsi_running_begin(chainsi_running *running, const char *id);
/* The request of that cell has ended. A negative cell is allowed. */
void chainsi_running_end(chainsi_running *running, int cell);

/* What a process ran: ids, each ended by a zero byte. */
typedef struct chainsi_running_list {
    char ids[16][CHAINSI_RUNNING_ID + 1]; /* the first `kept` */
    size_t kept, count;                   /* count: all there were */
} chainsi_running_list;

/* Frees the cells of a process that has ended, and says what was in them. list may be NULL. */
void chainsi_running_take(chainsi_running *running, pid_t process, chainsi_running_list *list);
/* "; it ran the request A", "; it ran the requests A, B and 3 more"; nothing if it ran none. Writes at most
 * size bytes, the zero byte included, and names fewer where all don't fit. */
void chainsi_running_say(const chainsi_running_list *list, char *text, size_t size);

#endif
