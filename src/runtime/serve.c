/* main() of a service: its sockets, its life from start to drain.
 *
 *   LOADING --_new has returned--> READY --SIGTERM--> DRAINING --calls have ended--> ended
 *      '--SIGTERM, _new failed------------------------------------------------------^
 *
 * Probes are answered from LOADING on. Calls that come before it is READY wait in the listening
 * socket's queue. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/running.h"
#include "base/share.h"
#include "rpc/address.h"
#include "rpc/near.h"
#include "runtime/error.h"
#include "runtime/glue.h"
#include "runtime/handed.h"
#include "runtime/identity.h"
#include "runtime/process.h"
#include "runtime/queue.h"
#include "runtime/service.h"
#include "runtime/spans.h"

enum {
    BACKLOG = 4096,
    DEFAULT_DRAIN_S = 30,
};

typedef struct sockets {
    int calls;   /* -1: none */
    int probes;  /* -1: one socket serves both */
    int board;   /* -1: none */
    int running; /* -1: none */
    bool shared; /* other replicas may take calls from the same queue */
    bool own;    /* the socket of calls was made here */
    bool told;   /* probes are asked over the network: by who reads no ring of ours */
    chainsi_tls_identity
        *identity; /* of a service that speaks TLS over TCP; NULL: it speaks none */
} sockets;

/* Posted when it is time to drain. */
static sem_t stop_asked;

static void ask_to_stop(int number)
{
    (void)number;
    sem_post(&stop_asked);
}

static int fail_start(const chainsi_node *node, const char *what, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", node->implementation->interface->name, what, why);
    return 1;
}

/* Takes the sockets that were handed over. */
static bool take_sockets(sockets *taken)
{
    if (!chainsi_handed_take())
        return false;
    taken->calls = chainsi_handed_find("calls");
    taken->probes = chainsi_handed_find("probes");
    taken->board = chainsi_handed_find("board");
    taken->running = chainsi_handed_find("running");
    chainsi_spans_use(chainsi_handed_find("spans"));
    return taken->calls >= 0;
}

static bool is_tcp(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    return getsockname(fd, (struct sockaddr *)&address, &size) == 0 && address.ss_family != AF_UNIX;
}

/* Listens and says where. secure: TLS will be spoken there, if it is TCP. -1 with a reason. */
static int listen_at(const char *text, bool secure, const char *label, char *why, size_t why_size)
{
    chainsi_address address;
    if (!chainsi_address_parse(text, &address, why, why_size))
        return -1;
    if (address.kind == CHAINSI_ADDRESS_HTTPS && !secure) {
        snprintf(why, why_size,
                 "https is served here only with the certificate of CHAINS_TLS_CERT, "
                 "CHAINS_TLS_KEY and CHAINS_TLS_CA");
        chainsi_address_done(&address);
        return -1;
    }
    if (address.kind == CHAINSI_ADDRESS_HTTPS)
        address.kind = CHAINSI_ADDRESS_HTTP;
    int fd = chainsi_address_listen(&address, BACKLOG, why, why_size);
    chainsi_address_done(&address);
    char shown[256];
    if (fd >= 0 && chainsi_address_of(fd, shown, sizeof shown)) {
        printf("%s%s%s\n", label, secure ? "https" : "http",
               shown + 4); /* port 0: only now is it known */
        fflush(stdout);
    }
    return fd;
}

/* Opens the sockets that the command line and the environment name, else takes those that were handed over. False with
 * a reason, or without one where there is nothing to listen on. */
static bool open_sockets(const char *address, sockets *made, char *why, size_t why_size)
{
    *why = 0;
    if (!address && !take_sockets(made))
        return false;
    if (!chainsi_identity_get(&made->identity, why, why_size))
        return false;
    if (address &&
        (made->calls = listen_at(address, made->identity != NULL, "", why, why_size)) < 0)
        return false;
    const char *probes = getenv("CHAINS_PROBES_LISTEN");
    if (made->probes >= 0 || !probes || !*probes)
        return true;
    made->probes = listen_at(probes, false, "probes ", why, why_size);
    made->told = true;
    return made->probes >= 0;
}

static int say_usage(const chainsi_node *node, FILE *out, int status)
{
    const char *name = node->implementation->interface->name;
    fprintf(
        out,
        "usage: %s [--listen ADDRESS] [--openapi]\n"
        "Serves the Chainlet %s on the sockets of LISTEN_FDS (calls, probes), or on ADDRESS:\n"
        "unix:/path or http://host:port, port 0 for any.\n"
        "Over TCP it speaks TLS with callers that have a certificate, if the PEM files are named\n"
        "by CHAINS_TLS_CERT, CHAINS_TLS_KEY and CHAINS_TLS_CA (who signs callers' certificates).\n"
        "CHAINS_PROBES_LISTEN=http://host:port serves /healthz, /readyz and /metrics there, too,\n"
        "and /demand and /spans for a controller, without TLS.\n"
        "  --openapi  prints the OpenAPI document and ends\n"
        "example: %s --listen http://127.0.0.1:0\n",
        name, name, name);
    return status;
}

static int print_openapi(const chainsi_node *node)
{
    chainsi_buffer text = { 0 };
    chainsi_service_openapi(node->implementation->interface, &text);
    bool good = fwrite(text.data, 1, text.size, stdout) == text.size && putchar('\n') != EOF &&
                fflush(stdout) == 0;
    chainsi_buffer_done(&text);
    return good ? 0 : 1;
}

static void log_failure(const chains_ctx *ctx)
{
    const chains_error *error = chains_last_error(ctx);
    if (!error)
        return;
    const chains_trace_entry *hop =
        error->trace_count ? &error->trace[error->trace_count - 1] : NULL;
    if (hop && *hop->file)
        chains_log(ctx, CHAINS_ERROR, "can't start: %s: %s (%s, %s:%d)",
                   chains_status_name(error->status), error->message, hop->function, hop->file,
                   hop->line);
    else
        chains_log(ctx, CHAINS_ERROR, "can't start: %s: %s", chains_status_name(error->status),
                   error->message);
}

static chainsi_server *start_probes(chainsi_service *service, int fd, char *why, size_t why_size)
{
    chainsi_server_options options = {
        .listen_fd = fd,
        .slots = 1,
        .handler = chainsi_service_handle_probe,
        .after = chainsi_service_after,
        .user = service,
    };
    return chainsi_server_start(&options, why, why_size);
}

/* The listening socket of an incarnation, -1. */
static int listen_directly(uint64_t incarnation)
{
    struct sockaddr_un address;
    socklen_t size = chainsi_board_address(incarnation, &address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Opens the slots to claims of callers on this machine. Where that can't be done the service lives by its
 * queue alone. */
static void join_board(chainsi_board *board, chainsi_server_options *options, chainsi_seat *seat)
{
    uint64_t incarnation = 0;
    if (getrandom(&incarnation, sizeof incarnation, 0) != sizeof incarnation || !incarnation)
        return;
    int fd = listen_directly(incarnation);
    if (fd < 0)
        return;
    if (!chainsi_board_join(board, (uint32_t)options->slots, incarnation, seat)) {
        close(fd);
        return;
    }
    options->direct = true;
    options->direct_fd = fd;
    options->seat = seat;
}

/* Offers the slots to callers on this node in the folder of CHAINS_NEAR_LISTEN, beside TCP. Where that can't be
 * done they come by TCP as well. */
static void offer_near(chainsi_service *service, chainsi_server_options *options,
                       chainsi_seat *seat)
{
    const char *folder = getenv("CHAINS_NEAR_LISTEN");
    char why[256];
    if (!folder || !*folder)
        return;
    service->near = chainsi_near_offer_new(folder, (uint32_t)options->slots, seat,
                                           &options->direct_fd, why, sizeof why);
    if (!service->near) {
        chains_log(&service->ctx, CHAINS_WARNING,
                   "callers on this node come by TCP (CHAINS_NEAR_LISTEN): %s", why);
        return;
    }
    options->direct = true;
    options->seat = seat;
}

/* A queue that replicas share is the kernel's, and a call waits there for the first free slot of
 * any of them: no replica takes more than it can run, and what comes on a kept connection while it is
 * busy goes back there. A socket of this process alone is accepted from at once, so that probes don't wait behind
 * calls. */
static chainsi_server *start_calls(chainsi_service *service, const sockets *listening, char *why,
                                   size_t why_size)
{
    const chains_config *config = service->node->implementation->interface->config;
    chainsi_server_options options = {
        .listen_fd = listening->calls,
        .slots = chainsi_batch_slots(service->node->implementation),
        .max_body = chainsi_interface_max_body(service->node->implementation->interface),
        .handler = chainsi_service_handle,
        .after = chainsi_service_after,
        .on_read = chainsi_batch_waits(atomic_load(&service->instance)->batch)
                       ? chainsi_service_note_read
                       : NULL,
        .wake = chainsi_service_wake,
        .user = service,
        .frames = !is_tcp(listening->calls),
        .identity = listening->identity,
        .shared = listening->shared,
        .eager = !listening->shared,
        .ends_listening = listening->own,
        .max_waiting = (size_t)chainsi_queue_most(config),
        .probe = listening->shared ? NULL : chainsi_service_is_probe,
    };
    chainsi_seat seat;
    chainsi_board *board = listening->board >= 0 ? chainsi_board_open(listening->board) : NULL;
    if (listening->shared && board)
        join_board(board, &options, &seat);
    service->board = board;
    if (is_tcp(listening->calls))
        offer_near(service, &options, &seat);
    service->running = listening->running >= 0 ? chainsi_running_open(listening->running) : NULL;
    chainsi_running_take(service->running, getpid(), NULL); /* of one with the same number */
    return chainsi_server_start(&options, why, why_size);
}

/* Waits for SIGTERM, and then for the calls that run. The exit status. */
static int serve_until_stopped(chainsi_service *service, chainsi_server *server)
{
    const chains_config *config = service->node->implementation->interface->config;
    double drain_s =
        config && config->drain_timeout_s > 0 ? config->drain_timeout_s : DEFAULT_DRAIN_S;
    while (sem_wait(&stop_asked) != 0)
        ; /* EINTR */
    atomic_store(&service->draining, true);
    if (service->near)
        chainsi_near_offer_end(service->near);
    if (!chainsi_server_drain(server,
                              chainsi_deadline_after_ms(chainsi_now_ns(), drain_s * 1000))) {
        /* Calls still run in the author's code: nothing that they use may be freed. */
        chains_log(&service->ctx, CHAINS_WARNING,
                   "calls were still running after %g s (.drain_timeout_s)", drain_s);
        _exit(CHAINSI_EXIT_OVERDUE);
    }
    return 0;
}

static int run_service(chainsi_service *service, const sockets *listening)
{
    const chainsi_node *node = service->node;
    char why[256] = "";
    /* Threads are started with signals blocked: only this one hears of SIGTERM. Not so the threads
     * of the author's _new: hence a handler, which may run on any of them. */
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    chainsi_server *probes = NULL;
    if (listening->probes >= 0) {
        probes = start_probes(service, listening->probes, why, sizeof why);
        if (!probes)
            return fail_start(node, "the probe socket", why);
    }
    int status = 1;
    const char *near = getenv("CHAINS_NEAR_LISTEN");
    if (!is_tcp(listening->calls) || (near && *near))
        chainsi_share_enable(); /* before _new, whose memory may be sent, too */
    service->graph = chainsi_graph_new(&service->ctx);
    /* While it loads there is nothing to drain: SIGTERM ends it at once. */
    pthread_sigmask(SIG_UNBLOCK, &stop, NULL);
    const int64_t began_ns = chainsi_now_ns();
    chainsi_instance *instance = chainsi_graph_make(service->graph, node);
    service->new_ns = chainsi_now_ns() - began_ns;
    if (!instance) {
        log_failure(&service->ctx);
    } else {
        sem_init(&stop_asked, 0, 0);
        struct sigaction action = { .sa_handler = ask_to_stop, .sa_flags = SA_RESTART };
        sigaction(SIGTERM, &action, NULL);
        sigaction(SIGINT, &action, NULL);
        pthread_sigmask(SIG_BLOCK, &stop, NULL);
        atomic_store(&service->instance, instance);
        chainsi_server *server = start_calls(service, listening, why, sizeof why);
        pthread_sigmask(SIG_UNBLOCK, &stop, NULL);
        if (!server) {
            fail_start(node, "the socket of calls", why);
        } else {
            atomic_store(&service->server, server);
            status = serve_until_stopped(service, server);
            chainsi_server_free(probes);
            probes = NULL;
            atomic_store(&service->server, NULL);
            chainsi_server_free(server);
        }
        chainsi_near_offer_free(service->near);
        chainsi_board_close(service->board);
        chainsi_running_close(service->running);
    }
    chainsi_server_free(probes);
    chainsi_graph_free(service->graph);
    return status;
}

int chainsi_serve_main(const chainsi_node *node, int argc, char **argv)
{
    sockets listening = { .calls = -1, .probes = -1, .board = -1, .running = -1 };
    const char *address = NULL;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--openapi"))
            return print_openapi(node);
        if (!strcmp(argv[i], "--help"))
            return say_usage(node, stdout, 0);
        if (strcmp(argv[i], "--listen") != 0 || i + 1 == argc)
            return say_usage(node, stderr, 2);
        address = argv[++i];
    }
    char why[512];
    if (!open_sockets(address, &listening, why, sizeof why))
        return *why ? fail_start(node, address ? address : "its sockets", why)
                    : say_usage(node, stderr, 2);
    listening.own = address != NULL;
    listening.shared = !address && !is_tcp(listening.calls);
    signal(SIGPIPE, SIG_IGN);
    static chainsi_service service = { .health = PTHREAD_MUTEX_INITIALIZER,
                                       .metrics = CHAINSI_METRICS,
                                       .teller.lock = PTHREAD_MUTEX_INITIALIZER };
    service.node = node;
    if (listening.told && !chainsi_spans_ring && chainsi_spans_keep())
        service.teller.ring = chainsi_spans_ring;
    chainsi_context_init_root(&service.ctx, &service.process);
    if (!chainsi_process_init(&service.process, "local", service.ctx.arena))
        return 2;
    service.process.generated = true;
    service.process.strict = false; /* for local programs */
    const chains_config *config = node->implementation->interface->config;
    if (config && config->progress_timeout_s > 0)
        service.process.progress = &service.progress;
    service.ctx.chainlet = node->implementation->interface->name;
    int status = run_service(&service, &listening);
    chainsi_context_done(&service.ctx);
    return status;
}
