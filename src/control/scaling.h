/* How many replicas a Chainlet should have: a pure function of what was measured, of the time and of
 * the options. docs/scaling.md tells it in words and formulas.
 *
 *   chainsi_scaling scaling = { 0 };
 *   every second or so (a tenth of the shortest window at most), for each Chainlet:
 *       decision = chainsi_scaling_decide(&scaling, &options, &(chainsi_scaling_observation){ … });
 *       start or stop replicas until there are decision.replicas;
 *       if (decision.replicas != decision.before) note chainsi_scaling_text(&decision, …);
 *
 * It reads no clock, allocates nothing and looks at no more than CHAINSI_SCALING_BUCKETS sums and
 * maxima, so that a decision takes the same time whatever the load. What can't be (negative numbers,
 * NaN, a clock that goes back) is taken for the nearest that can. The options may be others at each
 * decision (`chains scale`): bounds hold at once, and what was measured is kept when .window_s or
 * .scale_down_delay_s change.
 *
 * With share = concurrency_target * target_utilization, calls that one replica is for:
 *   load     the calls in flight, averaged over window_s. More than 10 % above what the replicas are
 *            for: ceil(load / share). In the first window 5 % are enough, so that the number it ends
 *            with lies well within what is tolerated later.
 *   down     the largest load of scale_down_delay_s and 15 % more needs fewer replicas: as many as
 *            that load needs. The 15 % cover what one noisy moment may have started too many.
 *   burst    calls in flight and waiting, averaged over a tenth of window_s, are at least twice
 *            what the replicas are for, and that many have just come (within a sixtieth of window_s
 *            or two; twice as many while what was asked for starts): enough for them. Or all that
 *            was asked for is there, that average is at least twice concurrency_target a replica,
 *            and those that wait will not be gone in three windows: twice as many replicas at least,
 *            or the geometric mean of what there is and what all calls would need at once. What was
 *            measured before is forgotten. For one window, and as long as replicas start or the
 *            backlog will be gone within another, nothing is stopped, and moments in which calls
 *            wait, or did a tenth of a window before, don't count as load: a backlog that is worked
 *            off fills every slot whatever the load is.
 *   woken    a call is there and no replica: at once, enough for those that wait.
 *   idle     min_replicas is 0 and no call was there for scale_to_zero_delay_s: none. */
#ifndef CHAINSI_CONTROL_SCALING_H
#define CHAINSI_CONTROL_SCALING_H

#include <chains.h>

enum {
    CHAINSI_SCALING_MOST = 100000, /* replicas that are ever asked for */
    CHAINSI_SCALING_BUCKETS = 64,  /* at least 61 */
};

/* What the author or `chains scale` says: fields of chains_config, with their defaults filled in.
 * A delay of 0 is none. */
typedef struct chainsi_scaling_options {
    int64_t min_replicas, max_replicas;
    double concurrency_target, target_utilization;
    double window_s, scale_down_delay_s, scale_to_zero_delay_s;
} chainsi_scaling_options;

/* The options of a Chainlet. config may be NULL: all defaults. -1 for a delay is none. */
chainsi_scaling_options chainsi_scaling_options_of(const chains_config *config);

/* What is there at a moment. The numbers of calls may be read at that moment or averaged since the
 * observation before, and stand for the time since then, a tenth of window_s at most. */
typedef struct chainsi_scaling_observation {
    int64_t now_ns;
    double in_flight; /* calls that replicas run */
    double waiting;   /* calls that no replica has begun */
    int64_t ready;    /* replicas that take calls */
    int64_t starting; /* replicas that will */
    bool called;      /* a call came since the observation before, though there may be none now */
} chainsi_scaling_observation;

typedef enum chainsi_scaling_reason {
    CHAINSI_SCALING_STEADY,  /* nothing changes */
    CHAINSI_SCALING_AT_MOST, /* nothing changes, but more are wanted than max_replicas */
    CHAINSI_SCALING_LOAD,    /* more */
    CHAINSI_SCALING_BURST,   /* more, at once */
    CHAINSI_SCALING_WOKEN,   /* from none */
    CHAINSI_SCALING_DOWN,    /* fewer */
    CHAINSI_SCALING_IDLE,    /* to none */
    CHAINSI_SCALING_BOUNDS,  /* min_replicas or max_replicas alone */
} chainsi_scaling_reason;

typedef struct chainsi_scaling_decision {
    int64_t replicas; /* that there should be */
    int64_t before;   /* what the decision before said */
    int64_t wanted;   /* replicas without min_replicas and max_replicas */
    chainsi_scaling_reason reason;
    double calls;                    /* the number that it was decided by */
    double over_s;                   /* seconds that it was averaged over; 0: of now */
    chainsi_scaling_options options; /* that it was decided by */
} chainsi_scaling_decision;

/* Sums over one sixtieth of window_s. */
typedef struct chainsi_scaling_bucket {
    int64_t index;              /* time / width: what an older one left is taken for empty */
    double load_s, in_flight_s; /* seconds that count as load, and call-seconds in them */
    double seen_s, calls_s;     /* seconds in all, and call-seconds, waiting ones included */
    double least;               /* calls, waiting ones included */
} chainsi_scaling_bucket;

/* The largest need, in replicas, of one sixtieth of scale_down_delay_s. */
typedef struct chainsi_scaling_peak {
    int64_t index;
    double need;
} chainsi_scaling_peak;

/* What is kept of the past. All zero at first; owned by the caller, no pointers in it. */
typedef struct chainsi_scaling {
    bool begun;
    int64_t replicas;         /* what was decided last; at first ready and starting ones */
    int64_t now_ns;           /* of the last observation */
    int64_t last_call_ns;     /* when a call was there last; at first the beginning */
    int64_t last_starting_ns; /* when something that was asked for wasn't there yet */
    int64_t last_waiting_ns;  /* when a call waited last */
    int64_t catching_up_ns;   /* until then a burst is being worked off */
    double calls;             /* of the last observation */
    double measured_s;        /* that count as load, since the beginning or the last burst */
    double window_s, delay_s; /* that the buckets are for */
    chainsi_scaling_bucket buckets[CHAINSI_SCALING_BUCKETS];
    chainsi_scaling_peak peaks[CHAINSI_SCALING_BUCKETS];
} chainsi_scaling;

/* Takes an observation in and decides. What it says is remembered as what was asked for. */
chainsi_scaling_decision chainsi_scaling_decide(chainsi_scaling *scaling,
                                                const chainsi_scaling_options *options,
                                                const chainsi_scaling_observation *observation);

/* "burst", say, for data. A constant. */
const char *chainsi_scaling_reason_name(chainsi_scaling_reason reason);
/* Why, in a sentence for people, cut off at size bytes with its NUL: "12 calls in flight over the
 * last 60 s, at 0.7 of 4 a replica: 5 replicas, up from 3". */
void chainsi_scaling_text(const chainsi_scaling_decision *decision, char *text, size_t size);

#endif
