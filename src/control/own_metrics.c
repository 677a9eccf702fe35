#include "control/own_metrics.h"

#include <inttypes.h>

#include "control/exposition.h"

/* What is said of a Chainlet that runs. */
typedef struct numbers {
    chainsi_fleet_counts counts;
    int64_t wanted;
    chainsi_demand demand;
} numbers;

typedef enum gauge { REPLICAS, WANTED, IN_FLIGHT, WAITING, GAUGES } gauge;

static const char *const heads[GAUGES] = {
    [REPLICAS] = "# HELP chains_replicas Processes of a Chainlet, by state.\n"
                 "# TYPE chains_replicas gauge\n",
    [WANTED] = "# HELP chains_replicas_wanted Processes that there should be.\n"
               "# TYPE chains_replicas_wanted gauge\n",
    [IN_FLIGHT] =
        "# HELP chains_chainlet_in_flight Calls that run in all processes of a Chainlet.\n"
        "# TYPE chains_chainlet_in_flight gauge\n",
    [WAITING] = "# HELP chains_chainlet_waiting Calls that no process has begun.\n"
                "# TYPE chains_chainlet_waiting gauge\n",
};

static void add_labels(const chainsi_history_place *place, chainsi_buffer *out)
{
    chainsi_exposition_add_label(out, "chain", place->chain);
    chainsi_buffer_add_byte(out, ',');
    chainsi_exposition_add_label(out, "environment", place->environment);
    chainsi_buffer_add_byte(out, ',');
    chainsi_exposition_add_label(out, "version", place->version);
    chainsi_buffer_add_byte(out, ',');
    chainsi_exposition_add_label(out, "chainlet", place->chainlet);
}

static void write_line(const char *name, const chainsi_chainlet *chainlet, const char *state,
                       int64_t number, chainsi_buffer *out)
{
    chainsi_buffer_printf(out, "%s{", name);
    add_labels(&chainlet->place, out);
    if (state) {
        chainsi_buffer_add_byte(out, ',');
        chainsi_exposition_add_label(out, "state", state);
    }
    chainsi_buffer_printf(out, "} %" PRId64 "\n", number);
}

static void write_gauge(gauge which, const chainsi_chainlet *chainlet, const numbers *of,
                        chainsi_buffer *out)
{
    switch (which) {
    case REPLICAS:
        write_line("chains_replicas", chainlet, "ready", of->counts.ready, out);
        write_line("chains_replicas", chainlet, "starting", of->counts.starting, out);
        write_line("chains_replicas", chainlet, "leaving", of->counts.leaving, out);
        break;
    case WANTED:
        write_line("chains_replicas_wanted", chainlet, NULL, of->wanted, out);
        break;
    case IN_FLIGHT:
        write_line("chains_chainlet_in_flight", chainlet, NULL, (int64_t)of->demand.running, out);
        break;
    case WAITING:
        write_line("chains_chainlet_waiting", chainlet, NULL, (int64_t)of->demand.waiting, out);
        break;
    case GAUGES:
        break;
    }
}

static void write_deployment(gauge which, const chainsi_deployment *deployment, chainsi_buffer *out)
{
    for (size_t i = 0; deployment && i < deployment->options.deploy->services.count; i++) {
        const chainsi_chainlet *chainlet = &deployment->chainlets[i];
        numbers of = {
            .counts = chainsi_fleet_count(chainlet->fleet),
            .wanted = chainlet->fleet ? chainlet->fleet->wanted : 0,
        };
        if (chainlet->scaler && (which == IN_FLIGHT || which == WAITING))
            of.demand = chainsi_scaler_measure(chainlet->scaler);
        write_gauge(which, chainlet, &of, out);
    }
}

/* A number without labels. */
static void write_number(const char *name, const char *type, const char *help, uint64_t number,
                         chainsi_buffer *out)
{
    chainsi_buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %" PRIu64 "\n", name, help, name,
                          type, name, number);
}

static void count_exchange(void *user, chainsi_exchange *exchange)
{
    (void)exchange;
    ++*(uint64_t *)user;
}

static void write_daemon(const chainsi_routes *routes, chainsi_buffer *out)
{
    chainsi_store_counts store = chainsi_store_count(routes->store);
    uint64_t answered = 0;
    chainsi_front_visit(routes->front, count_exchange, &answered);
    write_number("chainsd_requests_in_flight", "gauge", "Requests that are being answered.",
                 answered, out);
    write_number("chainsd_spans_lost_total", "counter", "Spans that were not read in time.",
                 chainsi_collector_lost(routes->collector), out);
    write_number("chainsd_spans_exported_total", "counter", "Spans that were sent by OTLP.",
                 chainsi_exporter_sent(routes->exporter), out);
    write_number("chainsd_spans_not_exported_total", "counter", "Spans that could not be.",
                 chainsi_exporter_dropped(routes->exporter), out);
    write_number("chainsd_metric_exports_total", "counter",
                 "Sets of metrics that were sent by OTLP.",
                 chainsi_metric_exporter_sent(routes->metric_exporter), out);
    write_number("chainsd_metric_exports_failed_total", "counter", "Those that were not taken.",
                 chainsi_metric_exporter_failed(routes->metric_exporter), out);
    write_number("chainsd_state_changes_total", "counter", "Changes of the state that ended.",
                 store.writes, out);
    write_number("chainsd_state_changes_failed_total", "counter", "Those of them that failed.",
                 store.failed, out);
    write_number("chainsd_state_commits_total", "counter", "Transactions that were made durable.",
                 store.commits, out);
    write_number("chainsd_state_changes_waiting", "gauge", "Changes that wait for the disk.",
                 store.waiting, out);
}

void chainsi_own_metrics_write(const chainsi_routes *routes,
                               bool (*shows)(void *user, const char *chain), void *user,
                               chainsi_buffer *out)
{
    const chainsi_registry *registry = routes->registry;
    chainsi_meters_write(registry->supervisor->meters, shows, user, out);
    for (gauge which = 0; which < GAUGES; which++) {
        chainsi_buffer_add_text(out, heads[which]);
        for (const chainsi_chain *chain = registry->chains; chain; chain = chain->next) {
            if (shows && !shows(user, chain->name))
                continue;
            for (const chainsi_environment *at = chain->environments; at; at = at->next) {
                write_deployment(which, at->current, out);
                write_deployment(which, at->candidate, out);
            }
        }
    }
    write_daemon(routes, out);
}
