/* A simulation in words and in JSON. */
#include "cli/simulation_report.h"

#include <stdio.h>

#include "schema/json.h"

/* Seconds in three digits, with the unit that people would say. */
static const char *say_time(char text[32], double seconds)
{
    if (seconds <= 0)
        snprintf(text, 32, "0");
    else if (seconds < 1)
        snprintf(text, 32, "%.3g ms", seconds * 1e3);
    else if (seconds < 100)
        snprintf(text, 32, "%.3g s", seconds);
    else if (seconds < 7200)
        snprintf(text, 32, "%.3g min", seconds / 60);
    else
        snprintf(text, 32, "%.3g h", seconds / 3600);
    return text;
}

/* A moment of the run. */
static const char *say_moment(char text[32], double at_s)
{
    long whole = (long)(at_s + 0.5);
    snprintf(text, 32, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
    return text;
}

static const char *say_number(char text[32], double number)
{
    snprintf(text, 32, number < 100 ? "%.3g" : "%.0f", number);
    return text;
}

static double replica_hours(const chainsi_simulation_report *report)
{
    return report->simulation->replica_s / 3600;
}

void chainsi_report_title(const chainsi_simulation_report *report, chainsi_buffer *out)
{
    chainsi_buffer_printf(out, "%s under %s", report->chainlet ? report->chainlet : "A Chainlet",
                          report->load);
}

void chainsi_report_subtitle(const chainsi_simulation_report *report, chainsi_buffer *out)
{
    const chainsi_simulation *simulation = report->simulation;
    const chainsi_scaling_options *scaling = &report->options->scaling;
    char service[32], cold[32], wait[32], hours[32];
    chainsi_buffer_printf(
        out,
        "calls of %s, %lld at once a replica, cold start %s; %lld to %lld replicas at %.3g of "
        "%.3g; "
        "99 %% of calls waited %s at most; %s replica-hours",
        say_time(service, report->options->service_s), (long long)report->options->concurrency,
        say_time(cold, report->options->cold_start_s), (long long)scaling->min_replicas,
        (long long)scaling->max_replicas, scaling->target_utilization, scaling->concurrency_target,
        say_time(wait, chainsi_waits_quantile(&simulation->whole.waits, 0.99)),
        say_number(hours, replica_hours(report)));
}

/* --- for people */

static void add_rows(const chainsi_simulation_report *report, chainsi_buffer *out)
{
    int points = CHAINSI_SIMULATION_POINTS / report->rows;
    chainsi_buffer_printf(out, "%9s %9s %9s %9s %9s %8s %8s %9s %9s\n", "UNTIL", "CALLS/S",
                          "NEEDED", "RUNNING", "WAITING", "READY", "STARTING", "WAIT P50",
                          "WAIT P99");
    for (int row = 0; row < report->rows; row++) {
        chainsi_simulation_point point;
        char moment[32], rate[32], needed[32], running[32], waiting[32], ready[32], starting[32],
            half[32], most[32];
        chainsi_simulation_merge(report->simulation, row * points, (row + 1) * points, &point);
        double span_s = point.to_s - point.from_s;
        chainsi_buffer_printf(
            out, "%9s %9s %9s %9s %9s %8s %8s %9s %9s\n", say_moment(moment, point.to_s),
            say_number(rate, span_s > 0 ? (double)point.came / span_s : 0),
            say_number(needed, point.offered), say_number(running, point.in_flight),
            say_number(waiting, point.waiting), say_number(ready, point.ready),
            say_number(starting, point.starting),
            say_time(half, chainsi_waits_quantile(&point.waits, 0.5)),
            say_time(most, chainsi_waits_quantile(&point.waits, 0.99)));
    }
}

static void add_changes(const chainsi_simulation_report *report, chainsi_buffer *out)
{
    for (size_t i = 0; i < report->change_count; i++) {
        char moment[32], text[256];
        chainsi_scaling_text(&report->changes[i].decision, text, sizeof text);
        chainsi_buffer_printf(out, "%9s  %s\n", say_moment(moment, report->changes[i].at_s), text);
    }
}

static void add_cost(chainsi_buffer *out, double hours, double each, const char *name)
{
    char text[32];
    if (each > 0)
        chainsi_buffer_printf(out, ", %s %s", say_number(text, hours * each), name);
}

void chainsi_report_text(const chainsi_simulation_report *report, bool with_changes,
                         chainsi_buffer *out)
{
    const chainsi_simulation *simulation = report->simulation;
    const chainsi_simulation_point *whole = &simulation->whole;
    char span[32], service[32], cold[32], tick[32], mean[32], half[32], most[32], longest[32],
        hours[32];
    double replica_h = replica_hours(report);
    chainsi_report_title(report, out);
    chainsi_buffer_printf(
        out, " for %s\ncalls of %s, cold start %s, in ticks of %s\n\n", say_time(span, whole->to_s),
        say_time(service, report->options->service_s),
        say_time(cold, report->options->cold_start_s), say_time(tick, simulation->tick_s));
    add_rows(report, out);
    if (with_changes && report->change_count) {
        chainsi_buffer_add_byte(out, '\n');
        add_changes(report, out);
    }
    chainsi_buffer_printf(out, "\ncalls     %lld came, %lld were refused, %lld wait at the end\n",
                          (long long)whole->came, (long long)whole->refused,
                          (long long)simulation->left_waiting);
    chainsi_buffer_printf(out, "waiting   %s on average, 50 %% %s, 99 %% %s, longest %s\n",
                          say_time(mean, chainsi_waits_mean(&whole->waits)),
                          say_time(half, chainsi_waits_quantile(&whole->waits, 0.5)),
                          say_time(most, chainsi_waits_quantile(&whole->waits, 0.99)),
                          say_time(longest, whole->waits.max_s));
    chainsi_buffer_printf(out, "replicas  %lld to %lld wanted, %lld change%s, %lld cold start%s\n",
                          (long long)simulation->least, (long long)simulation->most,
                          (long long)simulation->changes, simulation->changes == 1 ? "" : "s",
                          (long long)simulation->cold_starts,
                          simulation->cold_starts == 1 ? "" : "s");
    chainsi_buffer_printf(out, "cost      %s replica-hours", say_number(hours, replica_h));
    add_cost(out, replica_h, report->cores, "core-hours");
    add_cost(out, replica_h, report->gibibytes, "GiB-hours");
    add_cost(out, replica_h, report->gpus, "GPU-hours");
    chainsi_buffer_add_byte(out, '\n');
}

/* --- JSON */

/* A member of an object; what comes first is preceded by '{'. */
static void add_key(chainsi_buffer *out, const char *key)
{
    chainsi_buffer_printf(
        out, "%s\"%s\": ", out->size && out->data[out->size - 1] == '{' ? "" : ", ", key);
}

static void add_double(chainsi_buffer *out, const char *key, double number)
{
    add_key(out, key);
    chainsi_json_write_double(out, number);
}

static void add_integer(chainsi_buffer *out, const char *key, int64_t number)
{
    add_key(out, key);
    chainsi_buffer_printf(out, "%lld", (long long)number);
}

static void add_text(chainsi_buffer *out, const char *key, const char *text)
{
    add_key(out, key);
    chainsi_json_write_text(out, text);
}

static void add_options(const chainsi_simulation_report *report, chainsi_buffer *out)
{
    const chainsi_simulation_options *options = report->options;
    const chainsi_scaling_options *scaling = &options->scaling;
    add_key(out, "options");
    chainsi_buffer_add_byte(out, '{');
    add_integer(out, "min_replicas", scaling->min_replicas);
    add_integer(out, "max_replicas", scaling->max_replicas);
    add_double(out, "concurrency_target", scaling->concurrency_target);
    add_double(out, "target_utilization", scaling->target_utilization);
    add_double(out, "window_s", scaling->window_s);
    add_double(out, "scale_down_delay_s", scaling->scale_down_delay_s);
    add_double(out, "scale_to_zero_delay_s", scaling->scale_to_zero_delay_s);
    add_integer(out, "concurrency", options->concurrency);
    add_integer(out, "max_queue", options->max_queue);
    add_double(out, "service_s", options->service_s);
    add_text(out, "service_times",
             options->service_times == CHAINSI_SERVICE_CONSTANT ? "constant" : "exponential");
    add_double(out, "cold_start_s", options->cold_start_s);
    add_double(out, "decide_s", options->decide_s);
    add_double(out, "noise", options->noise);
    add_integer(out, "replicas", options->replicas);
    add_integer(out, "seed", (int64_t)options->seed);
    add_double(out, "duration_s", report->simulation->whole.to_s);
    add_double(out, "tick_s", report->simulation->tick_s);
    chainsi_buffer_add_byte(out, '}');
}

static void add_waits(chainsi_buffer *out, const chainsi_waits *waits)
{
    add_double(out, "wait_mean_s", chainsi_waits_mean(waits));
    add_double(out, "wait_p50_s", chainsi_waits_quantile(waits, 0.5));
    add_double(out, "wait_p99_s", chainsi_waits_quantile(waits, 0.99));
    add_double(out, "wait_max_s", waits->max_s);
}

static void add_summary(const chainsi_simulation_report *report, chainsi_buffer *out)
{
    const chainsi_simulation *simulation = report->simulation;
    const chainsi_simulation_point *whole = &simulation->whole;
    double hours = replica_hours(report);
    add_key(out, "summary");
    chainsi_buffer_add_byte(out, '{');
    add_integer(out, "calls", whole->came);
    add_integer(out, "answered", simulation->ended);
    add_integer(out, "refused", whole->refused);
    add_integer(out, "left_waiting", simulation->left_waiting);
    add_waits(out, &whole->waits);
    add_integer(out, "least_replicas", simulation->least);
    add_integer(out, "most_replicas", simulation->most);
    add_integer(out, "changes", simulation->changes);
    add_integer(out, "cold_starts", simulation->cold_starts);
    add_double(out, "replica_hours", hours);
    add_double(out, "core_hours", hours * report->cores);
    add_double(out, "gib_hours", hours * report->gibibytes);
    add_double(out, "gpu_hours", hours * report->gpus);
    chainsi_buffer_add_byte(out, '}');
}

static void add_row(const chainsi_simulation_point *point, chainsi_buffer *out)
{
    chainsi_buffer_add_byte(out, '{');
    add_double(out, "from_s", point->from_s);
    add_double(out, "to_s", point->to_s);
    add_integer(out, "calls", point->came);
    add_integer(out, "refused", point->refused);
    add_double(out, "needed", point->offered);
    add_double(out, "in_flight", point->in_flight);
    add_double(out, "waiting", point->waiting);
    add_double(out, "ready", point->ready);
    add_double(out, "starting", point->starting);
    add_double(out, "draining", point->draining);
    add_waits(out, &point->waits);
    chainsi_buffer_add_byte(out, '}');
}

void chainsi_report_json(const chainsi_simulation_report *report, chainsi_buffer *out)
{
    int points = CHAINSI_SIMULATION_POINTS / report->rows;
    chainsi_buffer_add_byte(out, '{');
    add_text(out, "chainlet", report->chainlet);
    add_text(out, "load", report->load);
    add_options(report, out);
    add_summary(report, out);
    add_key(out, "rows");
    for (int row = 0; row < report->rows; row++) {
        chainsi_simulation_point point;
        chainsi_simulation_merge(report->simulation, row * points, (row + 1) * points, &point);
        chainsi_buffer_add_text(out, row ? ", " : "[");
        add_row(&point, out);
    }
    chainsi_buffer_add_byte(out, ']');
    add_key(out, "changes");
    chainsi_buffer_add_byte(out, '[');
    for (size_t i = 0; i < report->change_count; i++) {
        const chainsi_scaling_decision *decision = &report->changes[i].decision;
        char text[256];
        chainsi_scaling_text(decision, text, sizeof text);
        chainsi_buffer_add_text(out, i ? ", {" : "{");
        add_double(out, "at_s", report->changes[i].at_s);
        add_integer(out, "replicas", decision->replicas);
        add_integer(out, "before", decision->before);
        add_text(out, "reason", chainsi_scaling_reason_name(decision->reason));
        add_text(out, "message", text);
        chainsi_buffer_add_byte(out, '}');
    }
    chainsi_buffer_add_text(out, "]}\n");
}
