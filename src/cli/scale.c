/* `chains scale`: how many replicas a deployed Chainlet may have, in the place of what its header says. */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/environment.h"
#include "control/api_scale.h"
#include "schema/json.h"

extern const chainsi_verb chainsi_verb_scale;

/* What was given: NAN is what was not. Whole numbers, too, are read as these, and checked. */
typedef struct request {
    const char *chain, *chainlet, *environment;
    double min, max, concurrency_target, target_utilization, window, scale_down_delay,
        scale_to_zero_delay;
    bool reset, json;
} request;

static bool is_given(const request *r)
{
    return !(isnan(r->min) && isnan(r->max) && isnan(r->concurrency_target) &&
             isnan(r->target_utilization) && isnan(r->window) && isnan(r->scale_down_delay) &&
             isnan(r->scale_to_zero_delay));
}

static bool is_count(double number)
{
    return isnan(number) || (number >= 0 && number <= 1e6 && number == floor(number));
}

/* What is sent: nothing but what was given. */
static void write_body(const request *r, chainsi_buffer *body)
{
    const int32_t min = isnan(r->min) ? 0 : (int32_t)r->min;
    const int32_t max = isnan(r->max) ? 0 : (int32_t)r->max;
#define GIVEN(number) isnan(number) ? NULL : &(number)
    chainsi_stored_scale asked = {
        .min_replicas = isnan(r->min) ? NULL : &min,
        .max_replicas = isnan(r->max) ? NULL : &max,
        .concurrency_target = GIVEN(r->concurrency_target),
        .target_utilization = GIVEN(r->target_utilization),
        .window_s = GIVEN(r->window),
        .scale_down_delay_s = GIVEN(r->scale_down_delay),
        .scale_to_zero_delay_s = GIVEN(r->scale_to_zero_delay),
    };
#undef GIVEN
    chainsi_codec_error error;
    const chains_status status = chainsi_json_encode(&chainsi_api_scale_type, &asked, body, &error);
    assert(status == CHAINS_OK); /* options are finite numbers */
    (void)status;
}

/* Of an override what was given, "--min 1 --max 8", behind each other. */
static void print_override(const chainsi_stored_scale *override)
{
    const struct {
        const char *name;
        const double *number;
    } numbers[] = {
        { "concurrency-target", override->concurrency_target },
        { "target-utilization", override->target_utilization },
        { "window", override->window_s },
        { "scale-down-delay", override->scale_down_delay_s },
        { "scale-to-zero-delay", override->scale_to_zero_delay_s },
    };
    printf("as `chains scale` said at %.19sZ, until --reset:", override->set_at);
    if (override->min_replicas)
        printf(" --min %d", (int)*override->min_replicas);
    if (override->max_replicas)
        printf(" --max %d", (int)*override->max_replicas);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i].number)
            printf(" --%s %g", numbers[i].name, *numbers[i].number);
    putchar('\n');
}

static int print_scaling(chainsi_daemon *daemon, const chainsi_daemon_answer *answer,
                         const request *r)
{
    chainsi_api_scaled scaled;
    if (!chainsi_daemon_read(daemon, answer, &chainsi_api_scaled_type, &scaled))
        return CHAINSI_EXIT_FAILED;
    const chainsi_api_scaling *scaling = &scaled.scaling;
    bool elsewhere = strcmp(r->environment, CHAINSI_PRODUCTION) != 0;
    printf("%s of %s%s%s: %d to %d replicas, each for %g of %g calls over %g s;\n"
           "fewer after %g s, none after %g s without a call%s\n",
           r->chainlet, r->chain, elsewhere ? " in " : "", elsewhere ? r->environment : "",
           (int)scaling->min_replicas, (int)scaling->max_replicas,
           scaling->concurrency_target * scaling->target_utilization, scaling->concurrency_target,
           scaling->window_s, scaling->scale_down_delay_s, scaling->scale_to_zero_delay_s,
           scaling->min_replicas ? " (never: there is a minimum)" : "");
    if (scaled.override)
        print_override(scaled.override);
    else
        printf("as it was deployed\n");
    return CHAINSI_EXIT_OK;
}

static int ask(const request *r)
{
    const char *names[] = { r->chain, r->chainlet, r->environment };
    if (!chainsi_check_names(&chainsi_verb_scale, names, sizeof names / sizeof *names))
        return CHAINSI_EXIT_USAGE;
    chainsi_buffer body = { 0 };
    const char *method = r->reset ? "DELETE" : is_given(r) ? "PUT" : "GET";
    if (is_given(r))
        write_body(r, &body);
    chainsi_daemon daemon;
    chainsi_daemon_answer answer;
    int status = CHAINSI_EXIT_FAILED;
    if (chainsi_daemon_find(&daemon) &&
        chainsi_daemon_ask(&daemon, method,
                           chainsi_arena_printf(&daemon.arena,
                                                "/api/v1/chains/%s/environments/%s/chainlets/%s/"
                                                "scaling",
                                                r->chain, r->environment, r->chainlet),
                           body.size ? &body : NULL, 0, &answer)) {
        if (answer.status != 200) {
            status = chainsi_daemon_fail(&daemon, &answer, r->json);
        } else if (r->json) {
            chainsi_daemon_print(&answer);
            status = CHAINSI_EXIT_OK;
        } else {
            status = print_scaling(&daemon, &answer, r);
        }
    }
    chainsi_daemon_close(&daemon);
    chainsi_buffer_done(&body);
    return status;
}

static int scale(int argc, char **argv)
{
    request r = {
        .environment = CHAINSI_PRODUCTION,
        .min = NAN,
        .max = NAN,
        .concurrency_target = NAN,
        .target_utilization = NAN,
        .window = NAN,
        .scale_down_delay = NAN,
        .scale_to_zero_delay = NAN,
    };
    chainsi_words names = { 0 };
    const chainsi_option options[] = {
        { "environment", CHAINSI_OPTION_TEXT, &r.environment },
        { "min", CHAINSI_OPTION_NUMBER, &r.min },
        { "max", CHAINSI_OPTION_NUMBER, &r.max },
        { "concurrency-target", CHAINSI_OPTION_NUMBER, &r.concurrency_target },
        { "target-utilization", CHAINSI_OPTION_NUMBER, &r.target_utilization },
        { "window", CHAINSI_OPTION_NUMBER, &r.window },
        { "scale-down-delay", CHAINSI_OPTION_NUMBER, &r.scale_down_delay },
        { "scale-to-zero-delay", CHAINSI_OPTION_NUMBER, &r.scale_to_zero_delay },
        { "reset", CHAINSI_OPTION_FLAG, &r.reset },
        { "json", CHAINSI_OPTION_FLAG, &r.json },
        { NULL, CHAINSI_OPTION_END, NULL },
    };
    int status;
    if (chainsi_options_read(&chainsi_verb_scale, options, argc, argv, 2, &names, &status)) {
        if (names.count != 2) {
            status = chainsi_usage_error(&chainsi_verb_scale,
                                         "it takes the name of a chain and that of a Chainlet");
        } else if (r.reset && is_given(&r)) {
            status = chainsi_usage_error(&chainsi_verb_scale, "'--reset' stands alone");
        } else if (!is_count(r.min) || !is_count(r.max)) {
            status = chainsi_usage_error(&chainsi_verb_scale, "'%s' takes a whole number",
                                         is_count(r.min) ? "--max" : "--min");
        } else {
            r.chain = names.items[0];
            r.chainlet = names.items[1];
            status = ask(&r);
        }
    }
    chainsi_words_done(&names);
    return status;
}

const chainsi_verb chainsi_verb_scale = {
    .name = "scale",
    .usage = "CHAIN CHAINLET [--environment NAME] [--min N] [--max N] [--concurrency-target X]\n"
             "             [--target-utilization X] [--window S] [--scale-down-delay S]\n"
             "             [--scale-to-zero-delay S] [--reset] [--json]",
    .summary = "Say how many replicas a deployed Chainlet may have.",
    .help =
        "Takes the place of the .autoscaling that the Chainlet was deployed with, at once, and in\n"
        "every version that comes into the environment, until --reset. What isn't given is as it\n"
        "was deployed, whatever an earlier `chains scale` said. Without options it shows what "
        "holds\n"
        "now.\n"
        "\n"
        "  --environment NAME        where. Default: production\n"
        "  --min N, --max N          replicas, at least and at most; --min 0 lets it scale to "
        "zero\n"
        "  --concurrency-target X    calls that a replica is to have in flight at its fullest\n"
        "  --target-utilization X    the share of that which is aimed at, up to 1\n"
        "  --window S                seconds over which calls are averaged\n"
        "  --scale-down-delay S      seconds for which fewer must have sufficed\n"
        "  --scale-to-zero-delay S   seconds without a call until there is none\n"
        "  --reset                   all as it was deployed\n"
        "  --json                    print what holds now as JSON\n"
        "\n"
        "Example:\n"
        "  chains scale transcribe speech --min 1 --max 8\n",
    .run = scale,
};
