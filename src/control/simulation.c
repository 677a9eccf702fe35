/* The queue of a Chainlet, tick by tick. Invariant: calls that came are refused, waiting, in flight or
 * ended, and whatever waits is in the queue of cohorts. */
#include "control/simulation.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "control/chance.h"

/* What a run may take, and how ticks divide a service time. */
static const double most_ticks = 5e7;
enum { TICKS_OF_SERVICE = 20, LEAST_TICKS_OF_SERVICE = 4 };

/* So many, since or from a tick on. */
typedef struct cohort {
    int64_t tick, count;
} cohort;

/* Cohorts by their ticks, in a ring that grows. */
typedef struct cohort_queue {
    cohort *items; /* owned */
    size_t first, count, capacity;
} cohort_queue;

typedef struct simulation_run {
    const chainsi_simulation_options *options;
    chainsi_simulation *simulation;
    chainsi_scaling scaling;
    chainsi_chance chance;
    cohort_queue waiting_calls, starting_replicas;
    int64_t *endings; /* owned; constant service times: calls that end at tick % service_ticks */
    int64_t service_ticks, tick, last_tick;
    double tick_s;
    double noise_factor;  /* of the load in this second */
    int64_t noise_second; /* that it was drawn for */
    int64_t in_flight, waiting, ready, starting;
    int64_t came; /* in this tick */
    bool called;  /* since the last decision */
} simulation_run;

static cohort *newest(cohort_queue *queue)
{
    return &queue->items[(queue->first + queue->count - 1) % queue->capacity];
}

static void push(cohort_queue *queue, int64_t tick, int64_t count)
{
    if (queue->count == queue->capacity) {
        size_t capacity = queue->capacity ? queue->capacity * 2 : 64;
        cohort *items = malloc(capacity * sizeof *items);
        if (!items)
            abort();
        for (size_t i = 0; i < queue->count; i++)
            items[i] = queue->items[(queue->first + i) % queue->capacity];
        free(queue->items);
        *queue = (cohort_queue){ items, 0, queue->count, capacity };
    }
    queue->count++;
    *newest(queue) = (cohort){ tick, count };
}

static void drop_oldest(cohort_queue *queue)
{
    queue->first = (queue->first + 1) % queue->capacity;
    queue->count--;
}

/* --- one tick */

static void make_ready(simulation_run *run)
{
    cohort_queue *queue = &run->starting_replicas;
    while (queue->count && queue->items[queue->first].tick <= run->tick) {
        run->ready += queue->items[queue->first].count;
        run->starting -= queue->items[queue->first].count;
        drop_oldest(queue);
    }
}

static void end_calls(simulation_run *run)
{
    int64_t ended;
    if (run->options->service_times == CHAINSI_SERVICE_CONSTANT) {
        int64_t *ending = &run->endings[run->tick % run->service_ticks];
        ended = *ending;
        *ending = 0;
    } else {
        ended =
            chainsi_chance_binomial(&run->chance, run->in_flight, 1 / (double)run->service_ticks);
    }
    run->in_flight -= ended;
    run->simulation->ended += ended;
}

static void begin_calls(simulation_run *run, chainsi_simulation_point *point, int64_t since_tick,
                        int64_t count)
{
    run->in_flight += count;
    chainsi_waits_add(&point->waits, (double)(run->tick - since_tick) * run->tick_s, count);
    if (run->options->service_times == CHAINSI_SERVICE_CONSTANT)
        run->endings[run->tick % run->service_ticks] += count; /* a whole turn from now */
}

static void take_calls(simulation_run *run, chainsi_simulation_point *point)
{
    int64_t free_slots = run->ready * run->options->concurrency - run->in_flight;
    cohort_queue *queue = &run->waiting_calls;
    while (free_slots > 0 && queue->count) {
        cohort *oldest = &queue->items[queue->first];
        int64_t count = oldest->count < free_slots ? oldest->count : free_slots;
        begin_calls(run, point, oldest->tick, count);
        run->waiting -= count;
        free_slots -= count;
        oldest->count -= count;
        if (!oldest->count)
            drop_oldest(queue);
    }
    int64_t came = run->came, at_once = came < free_slots ? came : free_slots;
    if (at_once > 0) {
        begin_calls(run, point, run->tick, at_once);
        came -= at_once;
    }
    int64_t room = run->options->max_queue ? run->options->max_queue - run->waiting : came;
    if (room > came)
        room = came;
    if (room > 0) {
        push(queue, run->tick, room);
        run->waiting += room;
        came -= room;
    }
    point->refused += came;
}

static void let_calls_come(simulation_run *run, chainsi_simulation_point *point)
{
    const chainsi_simulation_options *options = run->options;
    double from_s = (double)run->tick * run->tick_s;
    int64_t second = (int64_t)(from_s + 1e-9);
    if (second != run->noise_second) {
        run->noise_second = second;
        run->noise_factor = 1 + options->noise * (2 * chainsi_chance_share(&run->chance) - 1);
    }
    double expected = chainsi_load_calls(options->load, from_s, from_s + run->tick_s);
    run->came = chainsi_chance_poisson(&run->chance, expected * run->noise_factor);
    run->called |= run->came > 0;
    point->came += run->came;
    point->offered += expected * run->noise_factor * options->service_s;
}

static int64_t count_draining(const simulation_run *run)
{
    int64_t concurrency = run->options->concurrency;
    int64_t beyond = run->in_flight - run->ready * concurrency;
    return beyond > 0 ? (beyond + concurrency - 1) / concurrency : 0;
}

static void add_up(simulation_run *run, chainsi_simulation_point *point)
{
    int64_t draining = count_draining(run);
    point->in_flight += (double)run->in_flight * run->tick_s;
    point->waiting += (double)run->waiting * run->tick_s;
    point->ready += (double)run->ready * run->tick_s;
    point->starting += (double)run->starting * run->tick_s;
    point->draining += (double)draining * run->tick_s;
    run->simulation->replica_s += (double)(run->ready + run->starting + draining) * run->tick_s;
}

/* --- decisions */

static void scale_to(simulation_run *run, int64_t replicas)
{
    int64_t more = replicas - run->ready - run->starting;
    if (more > 0) {
        int64_t cold_ticks = (int64_t)ceil(run->options->cold_start_s / run->tick_s - 1e-9);
        push(&run->starting_replicas, run->tick + cold_ticks, more);
        run->starting += more;
        run->simulation->cold_starts += more;
    }
    while (more < 0 && run->starting_replicas.count) {
        cohort *last = newest(&run->starting_replicas);
        int64_t fewer = last->count < -more ? last->count : -more;
        last->count -= fewer;
        run->starting -= fewer;
        more += fewer;
        if (!last->count)
            run->starting_replicas.count--;
    }
    if (more < 0)
        run->ready += more;
}

static void decide(simulation_run *run)
{
    chainsi_simulation *simulation = run->simulation;
    double at_s = (double)run->tick * run->tick_s;
    chainsi_scaling_observation observation = {
        .now_ns = (int64_t)(at_s * 1e9),
        .in_flight = (double)run->in_flight,
        .waiting = (double)run->waiting,
        .ready = run->ready,
        .starting = run->starting,
        .called = run->called,
    };
    chainsi_scaling_decision decision =
        chainsi_scaling_decide(&run->scaling, &run->options->scaling, &observation);
    run->called = false;
    if (decision.replicas != decision.before) {
        simulation->changes++;
        if (run->options->on_change)
            run->options->on_change(run->options->user, at_s, &decision);
    }
    if (decision.replicas < simulation->least)
        simulation->least = decision.replicas;
    if (decision.replicas > simulation->most)
        simulation->most = decision.replicas;
    scale_to(run, decision.replicas);
}

/* --- a run */

double chainsi_simulation_tick(const chainsi_simulation_options *options)
{
    for (int parts = TICKS_OF_SERVICE; parts >= LEAST_TICKS_OF_SERVICE; parts--) {
        double tick_s = options->service_s / parts;
        /* Long calls need no finer ticks than decisions and cold starts do. */
        double fine_s = fmin(options->decide_s, options->service_s / LEAST_TICKS_OF_SERVICE);
        if (tick_s > fine_s)
            tick_s = options->service_s / ceil(options->service_s / fine_s);
        if (options->duration_s / tick_s <= most_ticks)
            return tick_s;
    }
    return 0;
}

static void settle(chainsi_simulation_point *point)
{
    double span_s = point->to_s - point->from_s;
    double *const sums[] = { &point->offered, &point->in_flight, &point->waiting,
                             &point->ready,   &point->starting,  &point->draining };
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++)
        *sums[i] = span_s > 0 ? *sums[i] / span_s : 0;
}

chainsi_simulation *chainsi_simulation_run(const chainsi_simulation_options *options)
{
    simulation_run run = { .options = options,
                           .chance = { options->seed },
                           .ready = options->replicas,
                           .noise_second = -1 };
    run.tick_s = chainsi_simulation_tick(options);
    assert(run.tick_s > 0 && options->concurrency > 0);
    run.last_tick = (int64_t)ceil(options->duration_s / run.tick_s - 1e-9);
    run.service_ticks = (int64_t)round(options->service_s / run.tick_s);
    chainsi_simulation *simulation = calloc(1, sizeof *simulation);
    run.endings = calloc((size_t)run.service_ticks, sizeof *run.endings);
    if (!simulation || !run.endings)
        abort();
    run.simulation = simulation;
    simulation->tick_s = run.tick_s;
    simulation->least = INT64_MAX;

    int64_t decided = -1;
    for (int i = 0; i < CHAINSI_SIMULATION_POINTS; i++) {
        chainsi_simulation_point *point = &simulation->points[i];
        int64_t behind = run.last_tick * (i + 1) / CHAINSI_SIMULATION_POINTS;
        point->from_s = (double)run.tick * run.tick_s;
        point->to_s = (double)behind * run.tick_s;
        for (; run.tick < behind; run.tick++) {
            make_ready(&run);
            end_calls(&run);
            let_calls_come(&run, point);
            take_calls(&run, point);
            int64_t turn = (int64_t)((double)run.tick * run.tick_s / options->decide_s + 1e-9);
            if (turn != decided) {
                decided = turn;
                decide(&run);
            }
            add_up(&run, point);
        }
        settle(point);
    }
    for (cohort_queue *queue = &run.waiting_calls; queue->count; drop_oldest(queue)) {
        const cohort *oldest = &queue->items[queue->first];
        chainsi_waits_add(&simulation->points[CHAINSI_SIMULATION_POINTS - 1].waits,
                          (double)(run.tick - oldest->tick) * run.tick_s, oldest->count);
    }
    simulation->left_waiting = run.waiting;
    chainsi_simulation_merge(simulation, 0, CHAINSI_SIMULATION_POINTS, &simulation->whole);
    free(run.endings);
    free(run.waiting_calls.items);
    free(run.starting_replicas.items);
    return simulation;
}

void chainsi_simulation_free(chainsi_simulation *simulation)
{
    free(simulation);
}

void chainsi_simulation_merge(const chainsi_simulation *simulation, int first, int behind,
                              chainsi_simulation_point *point)
{
    *point = (chainsi_simulation_point){ .from_s = simulation->points[first].from_s,
                                         .to_s = simulation->points[behind - 1].to_s };
    for (int i = first; i < behind; i++) {
        const chainsi_simulation_point *from = &simulation->points[i];
        double span_s = from->to_s - from->from_s;
        point->offered += from->offered * span_s;
        point->in_flight += from->in_flight * span_s;
        point->waiting += from->waiting * span_s;
        point->ready += from->ready * span_s;
        point->starting += from->starting * span_s;
        point->draining += from->draining * span_s;
        point->came += from->came;
        point->refused += from->refused;
        chainsi_waits_merge(&point->waits, &from->waits);
    }
    settle(point);
}
