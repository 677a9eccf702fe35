/* Loads. Every part is a function of time that tells how many calls have come by then; what comes
 * between two times is a difference. */
#include "control/load.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double most = 1e9; /* of rates, calls and seconds: their products can be counted */

enum { MAX_LINES = 10000000 }; /* of a trace */

/* A rate that holds from a time on. */
typedef struct load_segment {
    double from_s, rate;
    double before; /* calls that came before from_s */
} load_segment;

typedef struct load_part {
    load_segment *segments; /* owned; ascending; NULL: a curve, or a moment */
    size_t count, capacity;
    double low, high, period_s; /* a curve, where period_s is above 0 */
    double at_s, calls;         /* a moment, otherwise */
} load_part;

struct chainsi_load {
    load_part *parts; /* owned */
    size_t count;
};

typedef struct load_reader {
    const char *at;
    chainsi_load *load;
    char *why;
    size_t why_size;
} load_reader;

__attribute__((format(printf, 2, 3))) static bool fail(load_reader *reader, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reader->why, reader->why_size, format, arguments);
    va_end(arguments);
    return false;
}

static void *grow(void *items, size_t count, size_t size)
{
    void *more = realloc(items, count * size);
    if (!more)
        abort();
    return more;
}

static load_part *add_part(load_reader *reader)
{
    chainsi_load *load = reader->load;
    load->parts = grow(load->parts, load->count + 1, sizeof *load->parts);
    load->parts[load->count] = (load_part){ 0 };
    return &load->parts[load->count++];
}

static void add_segment(load_part *part, double from_s, double rate)
{
    if (part->count == part->capacity) {
        part->capacity = part->capacity ? part->capacity * 2 : 4;
        part->segments = grow(part->segments, part->capacity, sizeof *part->segments);
    }
    double before = 0;
    if (part->count) {
        const load_segment *last = &part->segments[part->count - 1];
        before = last->before + (from_s - last->from_s) * last->rate;
    }
    part->segments[part->count++] = (load_segment){ from_s, rate, before };
}

/* --- reading */

/* strtod alone would take "inf", "0x1p3" and " 1". */
static bool scan_number(const char *text, double *number, const char **end)
{
    char *behind;
    if (!isdigit((unsigned char)*text) && *text != '.')
        return false;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
        return false;
    double value = strtod(text, &behind);
    if (behind == text || !(value >= 0 && value <= most))
        return false;
    *number = value;
    *end = behind;
    return true;
}

bool chainsi_load_time(const char *text, double *seconds, const char **end)
{
    double number;
    const char *behind;
    if (!scan_number(text, &number, &behind))
        return false;
    double unit = 1;
    if (behind[0] == 'm' && behind[1] == 's') {
        *seconds = number / 1000;
        *end = behind + 2;
        return true;
    }
    switch (*behind) {
    case 's':
        break;
    case 'm':
        unit = 60;
        break;
    case 'h':
        unit = 3600;
        break;
    case 'd':
        unit = 86400;
        break;
    default:
        *seconds = number;
        *end = behind;
        return true;
    }
    *seconds = number * unit;
    *end = behind + 1;
    return true;
}

static bool read_number(load_reader *reader, const char *what, double *number)
{
    if (scan_number(reader->at, number, &reader->at))
        return true;
    return fail(reader, "expected %s at '%s'", what, reader->at);
}

static bool read_time(load_reader *reader, double *seconds)
{
    if (chainsi_load_time(reader->at, seconds, &reader->at))
        return true;
    return fail(reader, "expected a time, such as 90, 15m or 2h, at '%s'", reader->at);
}

static bool take(load_reader *reader, const char *word)
{
    size_t size = strlen(word);
    if (strncmp(reader->at, word, size) != 0)
        return false;
    reader->at += size;
    return true;
}

static bool read_steps(load_reader *reader)
{
    load_part *steps = add_part(reader);
    double rate, from_s = 0;
    do {
        if (!read_number(reader, "calls a second", &rate))
            return false;
        if (steps->count) {
            double last_s = from_s;
            if (!take(reader, "@"))
                return fail(reader, "expected @ and a time behind a rate of 'step' at '%s'",
                            reader->at);
            if (!read_time(reader, &from_s))
                return false;
            if (from_s <= last_s)
                return fail(reader, "the times of 'step' must rise: %g s comes behind %g s", from_s,
                            last_s);
        }
        add_segment(steps, from_s, rate);
    } while (take(reader, ","));
    return true;
}

static bool read_bursts(load_reader *reader)
{
    do {
        double calls, at_s, for_s;
        if (!read_number(reader, "a number of calls", &calls))
            return false;
        if (!take(reader, "@"))
            return fail(reader, "expected @ and a time behind the calls of 'burst' at '%s'",
                        reader->at);
        if (!read_time(reader, &at_s))
            return false;
        load_part *burst = add_part(reader);
        if (!take(reader, "/")) {
            burst->at_s = at_s;
            burst->calls = calls;
            continue;
        }
        if (!read_time(reader, &for_s))
            return false;
        add_segment(burst, 0, 0);
        add_segment(burst, at_s, calls);
        add_segment(burst, at_s + for_s, 0);
    } while (take(reader, ","));
    return true;
}

static bool read_daily(load_reader *reader)
{
    /* By hand: strtod would take the first dot of "20..200" for the number's. */
    double low, high, period_s = 86400;
    const char *dots = strstr(reader->at, "..");
    char number[32];
    const char *end;
    size_t size = dots ? (size_t)(dots - reader->at) : sizeof number;
    if (size >= sizeof number)
        return fail(reader, "expected LOW..HIGH behind 'daily:' at '%s'", reader->at);
    memcpy(number, reader->at, size);
    number[size] = '\0';
    if (!scan_number(number, &low, &end) || *end)
        return fail(reader, "expected calls a second at '%s'", reader->at);
    reader->at = dots + 2;
    if (!read_number(reader, "calls a second", &high))
        return false;
    if (take(reader, "/") && !read_time(reader, &period_s))
        return false;
    if (!(period_s > 0))
        return fail(reader, "the period of 'daily' is 0");
    load_part *curve = add_part(reader);
    curve->low = low;
    curve->high = high;
    curve->period_s = period_s;
    return true;
}

/* Takes one line of a trace in. False where it is neither data nor to be passed over. */
static bool read_line(load_reader *reader, load_part *trace, const char *line, size_t number,
                      const char *file)
{
    while (*line == ' ' || *line == '\t')
        line++;
    if (!*line || *line == '\n' || *line == '\r' || *line == '#')
        return true;
    double from_s, rate;
    const char *end;
    bool good = scan_number(line, &from_s, &end);
    if (!good && number == 1)
        return true; /* a heading */
    while (good && (*end == ' ' || *end == '\t'))
        end++;
    good = good && (*end == ',' || *end == ';');
    end += good;
    while (good && (*end == ' ' || *end == '\t'))
        end++;
    good = good && scan_number(end, &rate, &end) && (!*end || isspace((unsigned char)*end));
    if (!good)
        return fail(reader, "%s:%zu: expected time_s,calls_per_s", file, number);
    if (trace->count && from_s <= trace->segments[trace->count - 1].from_s &&
        (trace->count > 1 || from_s > 0 || trace->segments[0].rate > 0))
        return fail(reader, "%s:%zu: times must rise", file, number);
    if (trace->count == 1 && from_s <= 0)
        trace->count = 0; /* it tells what is from the beginning */
    add_segment(trace, from_s, rate);
    return true;
}

static bool read_trace(load_reader *reader)
{
    char file[4096], line[512];
    size_t size = strcspn(reader->at, "+");
    if (!size || size >= sizeof file)
        return fail(reader, "expected a file behind 'trace:'");
    memcpy(file, reader->at, size);
    file[size] = '\0';
    reader->at += size;
    FILE *in = fopen(file, "re");
    if (!in)
        return fail(reader, "%s: %s", file, strerror(errno));
    load_part *trace = add_part(reader);
    add_segment(trace, 0, 0);
    bool good = true;
    size_t number = 0;
    while (good && fgets(line, sizeof line, in)) {
        if (++number > MAX_LINES)
            good = fail(reader, "%s has more than %d lines", file, MAX_LINES);
        else
            good = read_line(reader, trace, line, number, file);
    }
    if (good && ferror(in))
        good = fail(reader, "%s: %s", file, strerror(errno));
    fclose(in);
    if (good && trace->count == 1 && trace->segments[0].rate <= 0)
        good = fail(reader, "%s says nothing: expected lines of time_s,calls_per_s", file);
    return good;
}

static bool read_part(load_reader *reader)
{
    if (take(reader, "step:"))
        return read_steps(reader);
    if (take(reader, "burst:"))
        return read_bursts(reader);
    if (take(reader, "daily:"))
        return read_daily(reader);
    if (take(reader, "trace:"))
        return read_trace(reader);
    double rate;
    if (!scan_number(reader->at, &rate, &reader->at))
        return fail(reader, "expected calls a second, or step:, burst:, daily: or trace:, at '%s'",
                    reader->at);
    add_segment(add_part(reader), 0, rate);
    return true;
}

chainsi_load *chainsi_load_read(const char *text, char *why, size_t why_size)
{
    chainsi_load *load = calloc(1, sizeof *load);
    if (!load)
        abort();
    load_reader reader = { text, load, why, why_size };
    bool good;
    do
        good = read_part(&reader);
    while (good && take(&reader, "+"));
    if (good && *reader.at)
        good = fail(&reader, "'%s' is too much", reader.at);
    if (good)
        return load;
    chainsi_load_free(load);
    return NULL;
}

void chainsi_load_free(chainsi_load *load)
{
    if (!load)
        return;
    for (size_t i = 0; i < load->count; i++)
        free(load->parts[i].segments);
    free(load->parts);
    free(load);
}

/* --- telling */

/* The calls of a part that have come before a time. */
static double count_until(const load_part *part, double at_s)
{
    if (part->period_s > 0) {
        double middle = (part->low + part->high) / 2, swing = (part->high - part->low) / 2;
        double turn = 2 * M_PI / part->period_s;
        return middle * at_s - swing / turn * sin(turn * fmod(at_s, part->period_s));
    }
    if (!part->segments)
        return at_s > part->at_s ? part->calls : 0;
    size_t first = 0, behind = part->count;
    while (behind - first > 1) {
        size_t middle = first + (behind - first) / 2;
        if (part->segments[middle].from_s <= at_s)
            first = middle;
        else
            behind = middle;
    }
    const load_segment *segment = &part->segments[first];
    return segment->before + (at_s - segment->from_s) * segment->rate;
}

double chainsi_load_calls(const chainsi_load *load, double from_s, double to_s)
{
    double calls = 0;
    for (size_t i = 0; i < load->count; i++)
        calls += count_until(&load->parts[i], to_s) - count_until(&load->parts[i], from_s);
    return calls > 0 ? calls : 0; /* a rounding may be below */
}

double chainsi_load_length(const chainsi_load *load)
{
    double curve_s = 0, change_s = 0;
    for (size_t i = 0; i < load->count; i++) {
        const load_part *part = &load->parts[i];
        if (part->period_s > 0)
            curve_s = fmax(curve_s, part->period_s);
        else
            change_s = fmax(change_s,
                            part->segments ? part->segments[part->count - 1].from_s : part->at_s);
    }
    return curve_s > change_s ? curve_s : change_s + 1800;
}
