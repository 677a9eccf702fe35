/* The calling side that all peers share: a closed loop of so many callers for so long, what it
 * took, and the CPU time of all processes meanwhile.
 *
 * A client program is this and one load_peer. It reads commands from standard input, one a line,
 * and answers each with a line on standard output:
 *   run KIND CALLERS WIDTH MILLISECONDS PID...
 *       "ok CALLS NANOSECONDS MEDIAN P99 BYTES CPU CPU..." (nanoseconds; BYTES that all processes
 *       copied in system calls, 0 unless they are counted, see copies.c; CPU of this process, then
 *       of the PIDs in their order)
 *   once
 *       "calling", and then, when one call of kind hop was answered, "answered CLOCK" (nanoseconds
 *       of CLOCK_MONOTONIC)
 * An answer that isn't what was asked for ends the program with a message. */
#ifndef BENCH_PEERS_LOAD_H
#define BENCH_PEERS_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "payload.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum load_kind {
    LOAD_HOP,       /* a small text to the worker itself */
    LOAD_SMALL,     /* a small text through the chain */
    LOAD_ECHO,      /* 10 KB of text through the chain */
    LOAD_BYTES,     /* 1 MiB of bytes through the chain */
    LOAD_DOUBLES,   /* 1,536 doubles through the chain */
    LOAD_FAN,       /* the entry makes `width` calls to the worker at once */
    LOAD_FAN_BATCH, /* the same as one message; the floor alone */
    LOAD_KINDS,
} load_kind;

typedef struct load_job {
    load_kind kind;
    int callers;     /* in flight at once */
    int width;       /* of a fan-out */
    int64_t ends_ns; /* no call begins after it, by load_now */
} load_job;

/* How a peer calls. Either open, call and close (a thread for each caller), or run (callers that
 * are not threads). Functions end the program by load_fail when a call fails or its answer is
 * wrong. */
typedef struct load_peer {
    /* What one caller keeps, made on its thread; and its end. */
    void *(*open)(load_kind kind);
    void (*close)(void *caller);
    /* One call of the stamped payload, and the check of what came back. */
    void (*call)(void *caller, const load_job *job, const payload *what);

    /* Keeps job->callers calls in flight until job->ends_ns, and waits for the last one. Stamps
     * (load_stamp) and records (load_record) each. */
    void (*run)(const load_job *job);
} load_peer;

int64_t load_now(void);
/* Makes the payload of a call of this kind. */
void load_stamp(payload *what, load_kind kind);
/* A call took so long. From any thread. */
void load_record(int64_t ns);
/* Ends the program. */
__attribute__((format(printf, 1, 2), noreturn)) void load_fail(const char *format, ...);
/* Fails unless the texts are equal. */
void load_expect_text(const char *expected, const char *got, size_t size);
/* Reads commands until the end of standard input. Returns the exit status. */
int load_main(const load_peer *peer);

#ifdef __cplusplus
}
#endif
#endif
