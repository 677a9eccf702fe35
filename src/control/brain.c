/* The brain's beginning and end.
 *
 *   ask the keeper what there is -> open the state -> open the front door -> pick up what was
 *   deployed -> say the address -> serve
 *   SIGHUP -> certificate and key are read again
 *   the keeper says stop -> no new connections -> chains stop from their entrypoints inwards, calls
 *   in flight are answered -> what is left of connections is closed -> end */
#include "control/brain.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/daemon_options.h"
#include "control/front.h"
#include "control/handle.h"
#include "control/home.h"
#include "control/journal.h"
#include "control/keeper.h"
#include "control/live.h"
#include "control/own_metrics.h"
#include "control/pod_versions.h"
#include "control/pods.h"
#include "control/registry.h"
#include "control/route.h"
#include "control/sampler.h"
#include "control/start_note.h"
#include "control/state_clock.h"
#include "control/state_place.h"
#include "control/store.h"

enum {
    BACK_UP_EVERY_MS = 24 * 60 * 60 * 1000,
    CLUSTER_MS = 30 * 1000, /* until the cluster has told what there is */
};

typedef struct brain {
    const chainsi_brain_options *options;
    uv_loop_t loop;
    char *home;          /* owned */
    chainsi_arena arena; /* of settings */
    int front_fd;        /* owned; -1 */
    int port;            /* of the front door */
    chainsi_supervisor supervisor;
    chainsi_store *store;               /* owned */
    chainsi_keyring *keyring;           /* owned */
    chainsi_vault *vault;               /* owned */
    uv_timer_t *back_up;                /* owned */
    chainsi_cluster *cluster;           /* owned; NULL: replicas are processes */
    chainsi_pods *pods;                 /* owned; likewise */
    chainsi_pod_versions *pod_versions; /* owned; likewise */
    chainsi_routes routes;
    chainsi_secure *secure; /* owned; NULL: plain HTTP */
    uv_signal_t *hang_up;   /* owned; NULL: not caught */
    chainsi_front *front;
    bool stopping;
} brain;

static size_t max_body(void *user, const chainsi_http_request *request)
{
    brain *b = user;
    return chainsi_route_max_body(&b->routes, request);
}

static void on_request(void *user, chainsi_exchange *exchange)
{
    brain *b = user;
    chainsi_route(&b->routes, exchange);
}

static void on_backed_up(chainsi_write *write, chains_status status, const char *why)
{
    (void)write;
    if (status != CHAINS_OK)
        chainsi_say("the state could not be backed up: %s", why);
}

static void on_back_up(uv_timer_t *timer)
{
    brain *b = timer->data;
    if (b)
        chainsi_store_back_up(b->store, on_backed_up, NULL);
}

/* Another one has the state: what this process knows is of the past. */
static void on_overtaken(void *user, const char *why)
{
    (void)user;
    chainsi_say("this brain ends: %s", why);
    exit(1);
}

/* A start is a moment at which the state was found good: it is worth a backup. 0, or the brain's exit
 * status. */
static int open_state(brain *b)
{
    char why[2048], *url;
    chains_status status = CHAINS_FAILED_PRECONDITION;
    if (chainsi_state_place(&url, why, sizeof why))
        b->store = chainsi_store_open(b->home, url, &b->loop, &status, why, sizeof why);
    free(url);
    if (b->store) {
        chainsi_store_on_overtaken(b->store, on_overtaken, b);
    } else {
        fprintf(stderr, "chainsd: %s\n", why);
        return status == CHAINS_DATA_LOSS || status == CHAINS_FAILED_PRECONDITION
                   ? CHAINSI_KEEPER_HELPLESS
                   : 1;
    }
    chainsi_clock_reading reading = chainsi_clock_read();
    if (chainsi_store_write_now(b->store, chainsi_clock_follow, &reading, why, sizeof why) !=
        CHAINS_OK) {
        chainsi_clock_go_back(&reading);
        chainsi_say("the state's times cannot follow the clock: %s", why);
    }
    b->keyring = chainsi_keyring_new(b->store, why, sizeof why);
    if (!b->keyring) {
        fprintf(stderr, "chainsd: %s\n", why);
        return 1;
    }
    b->supervisor.history = chainsi_history_new(&b->loop, b->store);
    b->vault = chainsi_vault_new(b->home, b->store);
    b->supervisor.vault = b->vault;
    chainsi_collector_redact(b->routes.collector, chainsi_vault_redactor(b->vault));
    b->routes.vault = b->vault;
    b->routes.gate = (chainsi_gate){ .keyring = b->keyring, .token = b->routes.token };
    b->back_up = chainsi_timer_new(&b->loop, b);
    uv_timer_start(b->back_up, on_back_up, 0, BACK_UP_EVERY_MS);
    return 0;
}

static void close_live(brain *b)
{
    chainsi_live_free(b->routes.live);
    b->routes.live = NULL;
    chainsi_collector_set_listener(b->routes.collector, NULL, NULL);
    chainsi_sampler_free(b->routes.sampler);
    b->routes.sampler = b->supervisor.sampler = NULL;
}

/* Nothing else is left: without the keeper's socket the loop ends, once the last spans have left. */
static void on_front_finished(void *user)
{
    brain *b = user;
    chainsi_collector_collect(b->routes.collector);
    chainsi_exporter_finish(b->routes.exporter);
    chainsi_metric_exporter_free(b->routes.metric_exporter);
    b->routes.metric_exporter = NULL;
    close_live(b);
    chainsi_handle_close(b->back_up);
    b->back_up = NULL;
    chainsi_history_finish(b->supervisor.history);
    chainsi_store_close(b->store); /* a backup that is being made is given up */
    b->store = NULL;
    chainsi_routes_end_requests(&b->routes); /* what was cut is taken up by the next daemon */
    chainsi_handle_close(b->hang_up);
    b->hang_up = NULL;
    chainsi_keeping_flush(b->supervisor.keeping);
    chainsi_keeping_free(b->supervisor.keeping);
    b->supervisor.keeping = NULL;
}

static void on_chains_stopped(void *user)
{
    brain *b = user;
    chainsi_front_finish(b->front);
}

static void begin_stop(brain *b)
{
    b->stopping = true;
    chainsi_home_forget_address(b->home);
    chainsi_home_forget_certificate(b->home);
    chainsi_start_note_forget(b->home);
    chainsi_front_stop(b->front);
    chainsi_live_stop(b->routes.live);
    if (b->front_fd >= 0) {
        close(b->front_fd);
        b->front_fd = -1;
        chainsi_keeping_release(b->supervisor.keeping, CHAINSI_KEEPER_FRONT);
    }
    chainsi_requests_stop(b->routes.requests);
    chainsi_pod_versions_free(b->pod_versions);
    b->pod_versions = NULL;
    chainsi_registry_stop(b->routes.registry);
}

static void on_stop(void *user, unsigned times)
{
    brain *b = user;
    if (!b->stopping)
        begin_stop(b);
    if (times > 1)
        chainsi_registry_kill(b->routes.registry);
}

static void on_lost(void *user)
{
    brain *b = user;
    if (b->stopping) {
        chainsi_say("the keeper has ended while stopping: nothing is left");
        exit(1);
    }
    chainsi_say("the keeper has ended: taking its place");
    chainsi_registry_bury(b->routes.registry);
    b->options->on_lost(b->options->lock, b->front_fd);
    exit(1);
}

static bool open_home(brain *b)
{
    char why[512];
    b->home = chainsi_home_find(why, sizeof why);
    if (!b->home) {
        fprintf(stderr, "chainsd: %s\n", why);
        return false;
    }
    if (!chainsi_home_token(b->home, false, b->routes.token)) {
        fprintf(stderr, "chainsd: cannot read %s/token: %s\n", b->home, strerror(errno));
        return false;
    }
    b->routes.home = b->home;
    b->routes.keeper = getppid();
    return true;
}

/* Says what is odd about the certificate, and notes it for those who find the daemon by its home. */
static bool announce_certificate(const brain *b)
{
    const char *warning = chainsi_secure_warning(b->secure);
    if (*warning)
        chainsi_say("%s", warning);
    return chainsi_home_write_certificate(b->home, chainsi_secure_digest(b->secure));
}

static void on_hang_up(uv_signal_t *handle, int number)
{
    (void)number;
    char why[512];
    const brain *b = handle->data;
    if (!b)
        return;
    if (!chainsi_secure_reload(b->secure, why, sizeof why))
        chainsi_say("the certificate stays as it was: %s", why);
    else if (announce_certificate(b))
        chainsi_say("the certificate and its key were read again");
    else
        chainsi_say("cannot write below %s: %s", b->home, strerror(errno));
}

/* Reads certificate and key, if there are any. False after a message: there is no way back to plain HTTP. */
static bool open_certificate(brain *b)
{
    const chainsi_daemon_options *options = b->options->daemon;
    char why[512];
    if (!options->tls_certificate)
        return true;
    b->secure = chainsi_secure_new(options->tls_certificate, options->tls_key, why, sizeof why);
    if (!b->secure) {
        fprintf(stderr, "chainsd: %s\n", why);
        return false;
    }
    b->hang_up = chainsi_make(sizeof *b->hang_up);
    uv_signal_init(&b->loop, b->hang_up);
    b->hang_up->data = b;
    uv_signal_start(b->hang_up, on_hang_up, SIGHUP);
    return true;
}

/* How clients on this machine reach the front door: every address means the loopback one, too. */
static bool make_url(brain *b)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getsockname(b->front_fd, (struct sockaddr *)&address, &size) != 0)
        return false;
    const char *host = b->options->daemon->host;
    if (!strcmp(host, "0.0.0.0"))
        host = "127.0.0.1";
    else if (!strcmp(host, "::"))
        host = "::1";
    bool long_form = address.ss_family == AF_INET6;
    in_port_t port = long_form ? ((struct sockaddr_in6 *)&address)->sin6_port
                               : ((struct sockaddr_in *)&address)->sin_port;
    b->port = ntohs(port);
    snprintf(b->routes.base_url, sizeof b->routes.base_url, "%s://%s%s%s:%d",
             b->secure ? "https" : "http", long_form ? "[" : "", host, long_form ? "]" : "",
             b->port);
    return true;
}

static bool open_front(brain *b)
{
    const chainsi_daemon_options *options = b->options->daemon;
    b->routes.site = (chainsi_site){
        .names = options->allowed_hosts,
        .name_count = options->allowed_host_count,
        .secure = b->secure,
    };
    b->front =
        chainsi_front_new(&b->loop, &(chainsi_front_options){
                                        .max_body = max_body,
                                        .on_request = on_request,
                                        .on_finished = on_front_finished,
                                        .user = b,
                                        .spool_folder = b->home,
                                        .secure = b->secure,
                                        .max_connections = options->max_connections,
                                        .max_connections_of_one = options->max_connections_of_one,
                                    });
    b->routes.front = b->front;
    if (b->front_fd < 0)
        return true; /* the daemon is ending */
    int error = chainsi_front_open(b->front, b->front_fd);
    if (error || !make_url(b)) {
        fprintf(stderr, "chainsd: cannot accept connections: %s\n", uv_strerror(error));
        return false;
    }
    return true;
}

/* Follows the cluster that the daemon controls, if it does. False: it can't be asked. */
static bool open_cluster(brain *b)
{
    char why[1024];
    if (!b->options->daemon->kubernetes)
        return true;
    b->cluster = chainsi_cluster_open(&(chainsi_cluster_options){ 0 }, why, sizeof why);
    if (!b->cluster) {
        fprintf(stderr, "chainsd: %s\n", why);
        return false;
    }
    b->pods = chainsi_pods_new(&b->loop, b->cluster);
    b->supervisor.pods = b->pods;
    if (chainsi_pods_await(b->pods, CLUSTER_MS, why, sizeof why)) {
        chainsi_say("chainsd controls the namespace %s of %s",
                    chainsi_cluster_name_space(b->cluster), chainsi_cluster_server(b->cluster));
        return true;
    }
    fprintf(stderr, "chainsd: %s doesn't tell what there is: %s\n",
            chainsi_cluster_server(b->cluster), why);
    return false;
}

static void on_calls(void *sampler)
{
    chainsi_sampler_expect(sampler, NULL);
}

/* False: nobody could find the daemon. */
static bool begin(brain *b)
{
    b->routes.registry =
        chainsi_registry_new(&b->supervisor, b->store, b->home, on_chains_stopped, b);
    b->routes.store = b->store;
    b->routes.live = chainsi_routes_open_live(&b->routes, &b->loop);
    b->routes.sampler = b->supervisor.sampler = chainsi_sampler_new(b->routes.registry);
    chainsi_collector_set_listener(b->routes.collector, on_calls, b->routes.sampler);
    unsigned stops = chainsi_keeping_stops(b->supervisor.keeping);
    b->routes.registry->stopping = stops > 0;
    char why[1024];
    if (!chainsi_registry_restore(b->routes.registry))
        return false;
    if (b->pods)
        b->pod_versions = chainsi_pod_versions_new(b->routes.registry, b->cluster);
    if (!chainsi_routes_begin_requests(&b->routes, &b->loop, b->options->daemon->keep_results_ms,
                                       why, sizeof why)) {
        fprintf(stderr, "chainsd: %s\n", why);
        return false;
    }
    if (!stops && !chainsi_start_note_write(b->home, b->options->daemon, b->port)) {
        chainsi_say("how the daemon was started can't be noted: %s", strerror(errno));
        chainsi_start_note_forget(b->home); /* another one's would be wrong */
    }
    if (stops) {
        on_stop(b, stops);
    } else if ((b->secure && !announce_certificate(b)) ||
               !chainsi_home_write_address(b->home, b->routes.base_url)) {
        fprintf(stderr, "chainsd: cannot write below %s: %s\n", b->home, strerror(errno));
        return false;
    } else {
        chainsi_say("chainsd serves %s on %s; `chains open` shows its status page", b->home,
                    b->routes.base_url);
    }
    chainsi_keeping_say_serving(b->supervisor.keeping);
    return true;
}

static const char *look_up(const char *name)
{
    return getenv(name);
}

/* False: what a signal is to be sent to isn't said. */
static bool read_otlp(brain *b, chainsi_otlp_signal signal, chainsi_otlp_settings *settings)
{
    const char *why;
    chainsi_otlp_read(settings, signal, look_up, &b->arena, &why);
    if (why)
        chainsi_say("%s", why);
    return settings->url != NULL;
}

/* What replicas are given of the machine. */
static void open_machine(brain *b)
{
    const chainsi_gpu_sources sources = chainsi_gpu_own_sources();
    b->supervisor.limiter = chainsi_limiter_new(&b->loop, b->home, b->supervisor.keeping);
    b->supervisor.gpus = chainsi_gpu_pool_new(&b->loop, &sources);
}

static void open_traces(brain *b)
{
    chainsi_otlp_settings settings;
    b->supervisor.collector = b->routes.collector = chainsi_collector_new(&b->loop);
    chainsi_arena_init(&b->arena);
    b->supervisor.courier = b->routes.courier =
        chainsi_courier_usual(&b->loop, b->options->program);
    if (!read_otlp(b, CHAINSI_OTLP_TRACES, &settings))
        return;
    b->routes.exporter =
        chainsi_exporter_new(&b->loop, b->routes.courier, &settings, &chainsi_export_usual);
    chainsi_collector_set_taker(b->routes.collector, chainsi_exporter_take, b->routes.exporter);
}

static void write_metrics(void *user, chainsi_buffer *out)
{
    const brain *b = user;
    chainsi_own_metrics_write(&b->routes, NULL, NULL, out);
}

static void open_metrics(brain *b)
{
    chainsi_metric_exporter_options options = {
        .loop = &b->loop,
        .courier = b->routes.courier,
        .registry = b->routes.registry,
        .write_own = write_metrics,
        .user = b,
    };
    if (read_otlp(b, CHAINSI_OTLP_METRICS, &options.settings))
        b->routes.metric_exporter = chainsi_metric_exporter_new(&options);
}

int chainsi_brain_run(const chainsi_brain_options *options)
{
    static brain the_brain;
    brain *b = &the_brain;
    b->options = options;
    b->front_fd = options->front;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, SIG_IGN); /* the keeper says when to end */
    signal(SIGINT, SIG_IGN);
    uv_loop_init(&b->loop);
    chainsi_journal_begin(&b->loop);
    b->supervisor.loop = &b->loop;
    b->supervisor.meters = chainsi_meters_new();
    b->supervisor.keeping = chainsi_keeping_new(
        &b->loop, options->keeper,
        &(chainsi_keeping_events){ .on_stop = on_stop, .on_lost = on_lost, .user = b });
    if (!b->supervisor.keeping) {
        chainsi_say("the keeper has ended: taking its place");
        options->on_lost(options->lock, options->front);
        return 1;
    }
    open_traces(b);
    if (!open_home(b))
        return 1; /* and the keeper tries again */
    open_machine(b);
    int status = open_state(b);
    if (status)
        return status;
    if (!open_cluster(b))
        return 1;
    if (!open_certificate(b) || !open_front(b) || !begin(b))
        return 1;
    open_metrics(b);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    chainsi_front_free(b->front);
    chainsi_registry_free(b->routes.registry);
    chainsi_pods_free(b->pods);
    chainsi_cluster_close(b->cluster);
    chainsi_limiter_free(b->supervisor.limiter);
    chainsi_gpu_pool_free(b->supervisor.gpus);
    chainsi_collector_free(b->routes.collector);
    chainsi_exporter_free(b->routes.exporter);
    chainsi_courier_free(b->routes.courier);
    chainsi_arena_done(&b->arena);
    chainsi_history_free(b->supervisor.history);
    chainsi_meters_free(b->supervisor.meters);
    chainsi_vault_free(b->vault);
    chainsi_keyring_free(b->keyring);
    chainsi_journal_end();
    uv_run(&b->loop, UV_RUN_DEFAULT); /* handles that are still closing */
    if (uv_loop_close(&b->loop) != 0)
        chainsi_say("chainsd: something was left open");
    chainsi_say("chainsd has stopped");
    close(options->lock);
    chainsi_secure_free(b->secure);
    free(b->home);
    return 0;
}
