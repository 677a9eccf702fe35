/* `chains simulate`: what autoscaling would do under a load, without running anything. */
#include <errno.h>
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/chain.h"
#include "cli/simulation_report.h"
#include "compiler/find.h"
#include "control/plot.h"
#include "runtime/queue.h"

static int run(int argc, char **argv);

const chainsi_verb chainsi_verb_simulate = {
    .name = "simulate",
    .usage = "[FOLDER] --load LOAD [--chainlet NAME] [--service-time TIME]\n"
             "                       [--for TIME] [--svg FILE] [--json] [OPTION VALUE]...",
    .summary = "Show what autoscaling would do under a load.",
    .help =
        "Plays a load against the scaling policy that chainsd uses, and prints replicas, waiting\n"
        "times and cost over time. Nothing is built or run. In a chain's folder the options of "
        "the\n"
        "entrypoint are taken from its header; elsewhere, or where FOLDER is -, all come from "
        "here.\n"
        "\n"
        "  --load LOAD      calls a second: a number, or one of these, several joined by +\n"
        "                     step:0,100@60,20@10m     from 60 s on 100, from 10 min on 20\n"
        "                     burst:500@60/30          500 more from 60 s on, for 30 s\n"
        "                     burst:500@60             500 calls at one moment\n"
        "                     daily:20..200            a day's curve; daily:20..200/1h in an hour\n"
        "                     trace:FILE               lines of time_s,calls_per_s\n"
        "  --chainlet NAME  another Chainlet than the entrypoint\n"
        "  --service-time TIME  how long a call takes on average, once it has begun. Default: 1s\n"
        "  --constant       all calls take that long; else the times are exponential\n"
        "  --cold-start TIME  until a replica that is started takes calls. Default: 5s\n"
        "  --noise SHARE    0.1: the load is up to 10 % more or less, anew each second. Default: "
        "0\n"
        "  --for TIME       how long. Default: the load's last change and 30 min, or one curve\n"
        "  --replicas N     that are ready at first. Default: the least number\n"
        "  --every TIME     between decisions. Default: 1s\n"
        "  --seed N         of all that is random. Default: 1\n"
        "\n"
        "Instead of what the header says, or its defaults:\n"
        "  --concurrency N  --max-queue N (-1: any number)  --cpu CORES  --memory-gib N  --gpus N\n"
        "  --min-replicas N  --max-replicas N  --concurrency-target N  --target-utilization N\n"
        "  --window TIME  --scale-down-delay TIME  --scale-to-zero-delay TIME\n"
        "\n"
        "  --rows N         of the table: 24, or another divisor of 240\n"
        "  --changes        print each change with its reason, too\n"
        "  --json           print {chainlet, load, options, summary, rows, changes}\n"
        "  --svg FILE       draw it, too\n"
        "\n"
        "TIME is in seconds, or has a unit: 250ms, 90s, 15m, 12h, 1d.\n"
        "\n"
        "Example:\n"
        "  chains simulate --load step:1,100@60,1@20m --max-replicas 200 --svg step.svg\n",
    .run = run,
};

/* What was asked for. Where nothing was, texts are NULL, and numbers unset, no_number or the default. */
typedef struct request {
    chainsi_words folders;
    const char *load, *chainlet, *svg;
    const char *service_time, *cold_start, *length, *every;
    const char *window, *scale_down_delay, *scale_to_zero_delay;
    double noise, concurrency_target, target_utilization, cpu, memory_gib, gpus;
    int64_t concurrency, max_queue, min_replicas, max_replicas, replicas, seed, rows;
    bool constant, changes, json;
} request;

static const int64_t unset = INT64_MIN;
static const double no_number = -DBL_MAX;
static const double most_s = 1e8; /* of times: more than three years */

/* The changes of a run, as they come. */
typedef struct change_list {
    chainsi_change *items; /* owned */
    size_t count, capacity;
} change_list;

static void note_change(void *user, double at_s, const chainsi_scaling_decision *decision)
{
    change_list *list = user;
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? list->capacity * 2 : 64;
        list->items = realloc(list->items, list->capacity * sizeof *list->items);
        if (!list->items)
            abort();
    }
    list->items[list->count++] = (chainsi_change){ at_s, *decision };
}

/* --- what was written on the command line */

static bool check_number(const char *option, double number, double least, double most)
{
    if (number >= least && number <= most)
        return true;
    chainsi_usage_error(&chainsi_verb_simulate, "'--%s' takes a number from %.10g to %.10g, not %g",
                        option, least, most, number);
    return false;
}

/* Reads a TIME that was given; *seconds is left alone if none was. */
static bool read_time(const char *option, const char *text, double least, double most,
                      double *seconds)
{
    double number;
    const char *end;
    if (!text)
        return true;
    if (!chainsi_load_time(text, &number, &end) || *end) {
        chainsi_usage_error(&chainsi_verb_simulate,
                            "'--%s' takes a time, such as 90, 250ms or 15m, not '%s'", option,
                            text);
        return false;
    }
    if (!check_number(option, number, least, most))
        return false;
    *seconds = number;
    return true;
}

/* A delay in a config, where zero is unset and -1 none. */
static bool read_delay(const char *option, const char *text, double *seconds)
{
    if (!read_time(option, text, 0, most_s, seconds))
        return false;
    if (text && !(*seconds > 0))
        *seconds = -1;
    return true;
}

/* Takes an integer that was given; an int of a config is left alone if none was. */
static bool read_integer(const char *option, int64_t number, int64_t least, int64_t most, int *to)
{
    if (number == unset)
        return true;
    if (!check_number(option, (double)number, (double)least, (double)most))
        return false;
    *to = (int)number;
    return true;
}

static bool read_number(const char *option, double number, double least, double most, double *to)
{
    if (number == no_number)
        return true;
    if (!check_number(option, number, least, most))
        return false;
    *to = number;
    return true;
}

/* Puts the options of the command line over those of the header. */
static bool override(const request *r, chains_config *config)
{
    bool zero_queue = r->max_queue == 0;
    if (zero_queue)
        chainsi_usage_error(&chainsi_verb_simulate,
                            "'--max-queue' takes 1 or more, or -1 for any number");
    bool good =
        !zero_queue &&
        read_integer("concurrency", r->concurrency, 1, 1000000, &config->concurrency) &&
        read_integer("max-queue", r->max_queue, -1, CHAINSI_QUEUE_MOST, &config->max_queue) &&
        read_integer("min-replicas", r->min_replicas, 0, CHAINSI_SCALING_MOST,
                     &config->autoscaling.min_replicas) &&
        read_integer("max-replicas", r->max_replicas, 1, CHAINSI_SCALING_MOST,
                     &config->autoscaling.max_replicas) &&
        read_number("concurrency-target", r->concurrency_target, 0.01, 1e6,
                    &config->autoscaling.concurrency_target) &&
        read_number("target-utilization", r->target_utilization, 0.01, 1,
                    &config->autoscaling.target_utilization) &&
        read_time("window", r->window, 1, most_s, &config->autoscaling.window_s) &&
        read_delay("scale-down-delay", r->scale_down_delay,
                   &config->autoscaling.scale_down_delay_s) &&
        read_delay("scale-to-zero-delay", r->scale_to_zero_delay,
                   &config->autoscaling.scale_to_zero_delay_s);
    if (!good)
        return false;
    if (config->autoscaling.max_replicas > 0 &&
        config->autoscaling.min_replicas > config->autoscaling.max_replicas) {
        chainsi_usage_error(&chainsi_verb_simulate,
                            "the least number of replicas, %d, is above the "
                            "greatest, %d",
                            config->autoscaling.min_replicas, config->autoscaling.max_replicas);
        return false;
    }
    return true;
}

/* --- where options come from */

/* Whether there are headers of a chain. */
static bool is_chain(const char *folder)
{
    chainsi_arena arena = { 0 };
    chainsi_diagnostics diagnostics;
    char *path = realpath(folder, NULL);
    chainsi_diagnostics_init(&diagnostics, folder);
    bool found = path && chainsi_find_headers(path, &arena, &diagnostics).count > 0;
    chainsi_diagnostics_done(&diagnostics);
    free(path);
    chainsi_arena_done(&arena);
    return found;
}

/* The Chainlet that is meant; NULL, with what is wrong said, if there is none. */
static const chainsi_model_chainlet *find_chainlet(const chainsi_model *model, const char *name)
{
    const chainsi_model_chainlet *chainlet =
        name ? chainsi_model_find(model, name) : model->entrypoint;
    if (!chainlet && name)
        fprintf(stderr,
                "chains simulate: there is no Chainlet '%s' here; `chains graph` shows all\n",
                name);
    else if (!chainlet)
        fprintf(stderr, "chains simulate: no Chainlet is the entrypoint; name one with "
                        "--chainlet, or write '-' for none\n");
    else if (chainlet->external) {
        fprintf(stderr, "chains simulate: '%s' is deployed elsewhere, and scaled there\n", name);
        chainlet = NULL;
    }
    return chainlet;
}

/* --- the run */

static bool write_svg(const chainsi_simulation_report *report, const char *file)
{
    chainsi_buffer title = { 0 }, subtitle = { 0 }, svg = { 0 };
    chainsi_report_title(report, &title);
    chainsi_report_subtitle(report, &subtitle);
    chainsi_buffer_add_byte(&title, '\0');
    chainsi_buffer_add_byte(&subtitle, '\0');
    chainsi_plot_simulation(report->simulation, report->options, (const char *)title.data,
                            (const char *)subtitle.data, &svg);
    FILE *out = fopen(file, "we");
    bool good = out && fwrite(svg.data, 1, svg.size, out) == svg.size;
    if (out && fclose(out) != 0)
        good = false;
    if (!good)
        fprintf(stderr, "chains simulate: %s: %s\n", file, strerror(errno));
    chainsi_buffer_done(&title);
    chainsi_buffer_done(&subtitle);
    chainsi_buffer_done(&svg);
    return good;
}

/* Reads what isn't in a header. False, with the usage said, where it makes no sense. */
static bool read_run(const request *r, chainsi_simulation_options *options)
{
    options->service_s = 1;
    options->cold_start_s = 5;
    options->decide_s = 1;
    options->duration_s = chainsi_load_length(options->load);
    options->service_times = r->constant ? CHAINSI_SERVICE_CONSTANT : CHAINSI_SERVICE_EXPONENTIAL;
    options->seed = (uint64_t)r->seed;
    options->replicas = options->scaling.min_replicas;
    if (!read_time("service-time", r->service_time, 1e-4, 86400, &options->service_s) ||
        !read_time("cold-start", r->cold_start, 0, most_s, &options->cold_start_s) ||
        !read_time("every", r->every, 0.01, most_s, &options->decide_s) ||
        !read_time("for", r->length, 1, most_s, &options->duration_s) ||
        !check_number("noise", r->noise, 0, 1))
        return false;
    options->noise = r->noise;
    if (r->replicas != unset) {
        if (!check_number("replicas", (double)r->replicas, 0, CHAINSI_SCALING_MOST))
            return false;
        options->replicas = r->replicas;
    }
    if (r->rows < 1 || r->rows > CHAINSI_SIMULATION_POINTS || CHAINSI_SIMULATION_POINTS % r->rows) {
        chainsi_usage_error(&chainsi_verb_simulate, "'--rows' takes a divisor of %d, not %lld",
                            CHAINSI_SIMULATION_POINTS, (long long)r->rows);
        return false;
    }
    if (chainsi_simulation_tick(options) > 0)
        return true;
    chainsi_usage_error(&chainsi_verb_simulate,
                        "%g s of calls that take %g s are too much to simulate; make --for shorter",
                        options->duration_s, options->service_s);
    return false;
}

/* Puts what a replica costs into the report. chainlet may be NULL. */
static bool read_cost(const request *r, const chainsi_model_chainlet *chainlet,
                      chainsi_simulation_report *report)
{
    if (chainlet) {
        report->cores = chainlet->config.cpu;
        report->gibibytes = (double)chainlet->memory_bytes / 0x1p30;
        report->gpus = chainlet->gpu_count;
    }
    return read_number("cpu", r->cpu, 0, 1e6, &report->cores) &&
           read_number("memory-gib", r->memory_gib, 0, 1e6, &report->gibibytes) &&
           read_number("gpus", r->gpus, 0, 1e6, &report->gpus);
}

/* Runs it and reports. */
static int run_and_report(const request *r, const chainsi_simulation_options *options,
                          chainsi_simulation_report *report)
{
    change_list changes = { 0 };
    chainsi_simulation_options noting = *options;
    noting.on_change = note_change;
    noting.user = &changes;
    chainsi_simulation *simulation = chainsi_simulation_run(&noting);
    report->simulation = simulation;
    report->changes = changes.items;
    report->change_count = changes.count;
    chainsi_buffer out = { 0 };
    if (r->json)
        chainsi_report_json(report, &out);
    else
        chainsi_report_text(report, r->changes, &out);
    fwrite(out.data, 1, out.size, stdout);
    chainsi_buffer_done(&out);
    bool good = !r->svg || write_svg(report, r->svg);
    chainsi_simulation_free(simulation);
    free(changes.items);
    return good ? CHAINSI_EXIT_OK : CHAINSI_EXIT_FAILED;
}

/* chainlet is NULL outside of a chain. */
static int simulate(const request *r, const chainsi_model_chainlet *chainlet)
{
    char why[4300];
    chains_config config = { 0 };
    if (chainlet)
        config = chainlet->config;
    if (!override(r, &config))
        return CHAINSI_EXIT_USAGE;
    chainsi_load *load = chainsi_load_read(r->load, why, sizeof why);
    if (!load)
        return chainsi_usage_error(&chainsi_verb_simulate, "--load: %s", why);
    chainsi_simulation_options options = {
        .scaling = chainsi_scaling_options_of(&config),
        .load = load,
        .concurrency = config.concurrency > 0 ? config.concurrency : 1,
        .max_queue = config.max_queue < 0 ? 0 : chainsi_queue_most(&config),
    };
    chainsi_simulation_report report = { .options = &options,
                                         .chainlet = chainlet ? chainlet->wire_name : NULL,
                                         .load = r->load,
                                         .rows = (int)r->rows };
    int status = CHAINSI_EXIT_USAGE;
    if (read_run(r, &options) && read_cost(r, chainlet, &report))
        status = run_and_report(r, &options, &report);
    chainsi_load_free(load);
    return status;
}

static int open_and_simulate(const request *r)
{
    if (!r->load)
        return chainsi_usage_error(&chainsi_verb_simulate,
                                   "a load is needed, such as --load step:1,100@60");
    const char *folder = r->folders.count ? r->folders.items[0] : NULL;
    bool none = folder && !strcmp(folder, "-");
    if (none && r->chainlet)
        return chainsi_usage_error(&chainsi_verb_simulate,
                                   "'-' is no chain, with no --chainlet in it");
    if (none || (!folder && !r->chainlet && !is_chain(".")))
        return simulate(r, NULL);
    chainsi_chain chain;
    int status = CHAINSI_EXIT_USAGE;
    if (chainsi_chain_open(&chain, folder, NULL, false)) {
        const chainsi_model_chainlet *chainlet = find_chainlet(chain.model, r->chainlet);
        if (chainlet)
            status = simulate(r, chainlet);
    }
    chainsi_chain_close(&chain);
    return status;
}

static int run(int argc, char **argv)
{
    request r = {
        .noise = 0,
        .concurrency_target = no_number,
        .target_utilization = no_number,
        .cpu = no_number,
        .memory_gib = no_number,
        .gpus = no_number,
        .concurrency = unset,
        .max_queue = unset,
        .min_replicas = unset,
        .max_replicas = unset,
        .replicas = unset,
        .seed = 1,
        .rows = 24,
    };
    const chainsi_option options[] = {
        { "load", CHAINSI_OPTION_TEXT, &r.load },
        { "chainlet", CHAINSI_OPTION_TEXT, &r.chainlet },
        { "service-time", CHAINSI_OPTION_TEXT, &r.service_time },
        { "constant", CHAINSI_OPTION_FLAG, &r.constant },
        { "cold-start", CHAINSI_OPTION_TEXT, &r.cold_start },
        { "noise", CHAINSI_OPTION_NUMBER, &r.noise },
        { "for", CHAINSI_OPTION_TEXT, &r.length },
        { "replicas", CHAINSI_OPTION_INTEGER, &r.replicas },
        { "every", CHAINSI_OPTION_TEXT, &r.every },
        { "seed", CHAINSI_OPTION_INTEGER, &r.seed },
        { "concurrency", CHAINSI_OPTION_INTEGER, &r.concurrency },
        { "max-queue", CHAINSI_OPTION_INTEGER, &r.max_queue },
        { "cpu", CHAINSI_OPTION_NUMBER, &r.cpu },
        { "memory-gib", CHAINSI_OPTION_NUMBER, &r.memory_gib },
        { "gpus", CHAINSI_OPTION_NUMBER, &r.gpus },
        { "min-replicas", CHAINSI_OPTION_INTEGER, &r.min_replicas },
        { "max-replicas", CHAINSI_OPTION_INTEGER, &r.max_replicas },
        { "concurrency-target", CHAINSI_OPTION_NUMBER, &r.concurrency_target },
        { "target-utilization", CHAINSI_OPTION_NUMBER, &r.target_utilization },
        { "window", CHAINSI_OPTION_TEXT, &r.window },
        { "scale-down-delay", CHAINSI_OPTION_TEXT, &r.scale_down_delay },
        { "scale-to-zero-delay", CHAINSI_OPTION_TEXT, &r.scale_to_zero_delay },
        { "rows", CHAINSI_OPTION_INTEGER, &r.rows },
        { "changes", CHAINSI_OPTION_FLAG, &r.changes },
        { "json", CHAINSI_OPTION_FLAG, &r.json },
        { "svg", CHAINSI_OPTION_TEXT, &r.svg },
        { NULL, CHAINSI_OPTION_END, NULL },
    };
    int status;
    if (chainsi_options_read(&chainsi_verb_simulate, options, argc, argv, 1, &r.folders, &status))
        status = open_and_simulate(&r);
    chainsi_words_done(&r.folders);
    return status;
}
