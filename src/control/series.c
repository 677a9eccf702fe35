#include "control/series.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "control/handle.h"

/* Numbers are written as 1 + 2048 * (log2(number) + 14), rounded: from 0.00006 to 131,000. */
enum { UNKNOWN = UINT16_MAX, ZERO = 0, STEPS = 2048, SHIFT = 14 };

typedef struct chainsi_packed_point {
    uint16_t in_flight, waiting, ready, wanted;
    uint16_t calls, errors, p50, p99, queue_p99, starts;
} packed;

static uint16_t pack(double number)
{
    if (isnan(number))
        return UNKNOWN;
    if (!(number > 0))
        return ZERO;
    const double code = 1 + round(STEPS * (log2(number) + SHIFT));
    return code < 1 ? 1 : code > UNKNOWN - 1 ? UNKNOWN - 1 : (uint16_t)code;
}

static double unpack(uint16_t code)
{
    if (code == UNKNOWN)
        return NAN;
    return code == ZERO ? 0 : exp2((code - 1) / (double)STEPS - SHIFT);
}

/* Numbers that count something. */
static double unpack_whole(uint16_t code)
{
    const double number = unpack(code);
    return number < STEPS ? round(number) : number;
}

static packed make_quiet(uint16_t ready, uint16_t wanted)
{
    return (packed){
        .ready = ready, .wanted = wanted, .p50 = UNKNOWN, .p99 = UNKNOWN, .queue_p99 = UNKNOWN
    };
}

static packed *place(const chainsi_series *series, int64_t slot)
{
    return &series->points[slot % CHAINSI_SERIES_POINTS];
}

void chainsi_series_done(chainsi_series *series)
{
    free(series->points);
    *series = (chainsi_series){ 0 };
}

/* Says of the slots from one up to another that nothing happened. */
static void fill_quiet(chainsi_series *series, int64_t from, int64_t end)
{
    if (end - from > CHAINSI_SERIES_POINTS)
        from = end - CHAINSI_SERIES_POINTS;
    for (int64_t slot = from; series->points && slot < end; slot++)
        *place(series, slot) = make_quiet(series->ready, series->wanted);
}

void chainsi_series_add(chainsi_series *series, int64_t slot, const chainsi_point *point)
{
    if (slot < series->last)
        return;
    const packed made = {
        .in_flight = pack(point->in_flight),
        .waiting = pack(point->waiting),
        .ready = pack(point->ready),
        .wanted = pack(point->wanted),
        .calls = pack(point->calls_per_s),
        .errors = pack(point->errors_per_s),
        .p50 = pack(point->p50_ms),
        .p99 = pack(point->p99_ms),
        .queue_p99 = pack(point->queue_p99_ms),
        .starts = pack(point->cold_starts),
    };
    if (!series->first) {
        series->first = slot;
        series->ready = made.ready;
        series->wanted = made.wanted;
    }
    const packed quiet = make_quiet(series->ready, series->wanted);
    const bool is_quiet = !memcmp(&made, &quiet, sizeof made);
    if (!series->points && !is_quiet) {
        series->points = chainsi_make(CHAINSI_SERIES_POINTS * sizeof *series->points);
        fill_quiet(series, series->first, slot);
    } else if (series->last) {
        fill_quiet(series, series->last + 1, slot);
    }
    if (series->points)
        *place(series, slot) = made;
    if (!is_quiet)
        series->busy = slot;
    series->last = slot;
    series->ready = made.ready;
    series->wanted = made.wanted;
    if (slot - series->busy >= CHAINSI_SERIES_POINTS) {
        free(series->points);
        series->points = NULL;
        series->first = slot - CHAINSI_SERIES_POINTS + 1;
    }
}

chainsi_point chainsi_series_at(const chainsi_series *series, int64_t slot)
{
    packed of;
    if (!series->first || slot < series->first || slot <= series->last - CHAINSI_SERIES_POINTS)
        memset(&of, UINT8_MAX, sizeof of);
    else if (slot > series->last || !series->points)
        of = make_quiet(series->ready, series->wanted);
    else
        of = *place(series, slot);
    return (chainsi_point){
        .in_flight = unpack_whole(of.in_flight),
        .waiting = unpack_whole(of.waiting),
        .ready = unpack_whole(of.ready),
        .wanted = unpack_whole(of.wanted),
        .calls_per_s = unpack(of.calls),
        .errors_per_s = unpack(of.errors),
        .p50_ms = unpack(of.p50),
        .p99_ms = unpack(of.p99),
        .queue_p99_ms = unpack(of.queue_p99),
        .cold_starts = unpack_whole(of.starts),
    };
}
