/* A simulation of one Chainlet: what the scaling policy (scaling.h) does under a load, what its
 * callers wait and what it costs. The decisions are those of the same function that the daemon calls.
 *
 * The model. Time goes in ticks of a twentieth of the mean service time (longer where a run would take
 * too many, at most a quarter). In each tick
 *   - replicas whose cold start is over become ready;
 *   - of the calls that run, those end whose time it is: with exponential service times each with the
 *     probability tick / mean, with constant ones those that began one service time ago;
 *   - calls come, as many as a Poisson distribution gives around the load's expectation, which noise
 *     multiplies anew each second by 1 - noise to 1 + noise;
 *   - free slots (concurrency of each ready replica) take the calls that wait, oldest first, then
 *     those that came; others wait, and beyond max_queue are refused;
 *   - every decide_s the policy is shown what is there, and its decision is carried out: what starts
 *     takes calls after cold_start_s; fewer are wanted: first those that still start are given up, then
 *     idle ones stop at once, and busy ones when their calls have ended.
 *
 * Its limits. A call that starts in the tick in which it came waits 0, so that waiting times below a
 * tick can't be told, and are wrong by about a tick in general. Every free slot can take any call.
 * Replicas don't fail, cold starts all take the same time, and callers neither give up nor come again.
 * A replica costs from its start to its end; calls that outlast a scale-down are packed into as few
 * replicas as can hold them. Calls that still wait in the end count with what they have waited so far.
 *
 * Calls are counted, not followed: the time that a run takes depends on the number of ticks, not on
 * calls or replicas. The same options give the same numbers. Functions block; any thread. */
#ifndef CHAINSI_CONTROL_SIMULATION_H
#define CHAINSI_CONTROL_SIMULATION_H

#include "control/load.h"
#include "control/scaling.h"
#include "control/waits.h"

enum { CHAINSI_SIMULATION_POINTS = 240 };

typedef enum chainsi_service_times {
    CHAINSI_SERVICE_EXPONENTIAL, /* most are short, few are long */
    CHAINSI_SERVICE_CONSTANT,
} chainsi_service_times;

typedef struct chainsi_simulation_options {
    chainsi_scaling_options scaling;
    const chainsi_load *load;
    double duration_s;
    double service_s; /* mean time that a slot runs a call; above 0 */
    chainsi_service_times service_times;
    int64_t concurrency; /* slots of a replica; 1 or more */
    int64_t max_queue;   /* calls that may wait; 0: any number */
    double cold_start_s; /* from start to ready */
    double decide_s;     /* between decisions; above 0 */
    double noise;        /* of the load, as a share of it; 0 to 1 */
    int64_t replicas;    /* ready at first */
    uint64_t seed;
    /* Called for each decision that changes something, with its time. NULL: not wanted. */
    void (*on_change)(void *user, double at_s, const chainsi_scaling_decision *decision);
    void *user;
} chainsi_simulation_options;

/* What happened in a piece of time. Numbers are averages over it, in the order of a call's life. */
typedef struct chainsi_simulation_point {
    double from_s, to_s;
    double offered;   /* slots that the load needs: calls that come a second times service_s */
    double in_flight; /* calls that run */
    double waiting;   /* calls that wait */
    double ready, starting, draining; /* replicas */
    int64_t came, refused;            /* calls in all */
    chainsi_waits waits;              /* of calls that began to run */
} chainsi_simulation_point;

typedef struct chainsi_simulation {
    chainsi_simulation_point points[CHAINSI_SIMULATION_POINTS]; /* equally long */
    double tick_s;
    chainsi_simulation_point whole; /* the same of all */
    int64_t ended;                  /* calls that were answered */
    int64_t left_waiting;           /* calls that still wait in the end */
    int64_t cold_starts;            /* replicas that were started */
    int64_t changes;                /* decisions that changed something */
    int64_t least, most;            /* replicas wanted */
    double replica_s;               /* seconds of replicas, whatever they did */
} chainsi_simulation;

/* The tick that a run would have; 0 where it would take too many. */
double chainsi_simulation_tick(const chainsi_simulation_options *options);
/* Runs it. The options must make sense and their tick be above 0. The caller frees it with
 * chainsi_simulation_free. */
chainsi_simulation *chainsi_simulation_run(const chainsi_simulation_options *options);
/* NULL is ignored. */
void chainsi_simulation_free(chainsi_simulation *simulation);

/* The points from `first` up to `behind` as one. */
void chainsi_simulation_merge(const chainsi_simulation *simulation, int first, int behind,
                              chainsi_simulation_point *point);

#endif
