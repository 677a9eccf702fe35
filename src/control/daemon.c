/* The daemon's beginning and end.
 *
 *   lock the home -> listen -> take up what was deployed -> say the address -> serve
 *   signal -> no new connections -> chains stop from their entrypoints inwards, calls in flight
 *   are answered -> what is left of connections is closed -> end */
#include "control/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "control/handle.h"
#include "control/home.h"
#include "control/route.h"

typedef struct chainsi_daemon {
    uv_loop_t loop;
    char *home;
    int lock;
    chainsi_supervisor supervisor;
    chainsi_routes routes;
    chainsi_front *front;
    uv_signal_t *signals[3];
    bool stopping;
} chainsi_daemon;

static size_t max_body(void *user, const chainsi_http_request *request)
{
    chainsi_daemon *daemon = user;
    return chainsi_route_max_body(&daemon->routes, request);
}

static void on_request(void *user, chainsi_exchange *exchange)
{
    chainsi_daemon *daemon = user;
    chainsi_route(&daemon->routes, exchange);
}

static void on_front_finished(void *user)
{
    chainsi_daemon *daemon = user;
    for (size_t i = 0; i < 3; i++) {
        chainsi_handle_close(daemon->signals[i]);
        daemon->signals[i] = NULL;
    }
}

static void on_chains_stopped(void *user)
{
    chainsi_daemon *daemon = user;
    chainsi_front_finish(daemon->front);
}

static void on_child(uv_signal_t *handle, int number)
{
    (void)number;
    chainsi_daemon *daemon = handle->data;
    if (daemon)
        chainsi_supervisor_reap(&daemon->supervisor);
}

static void on_stop(uv_signal_t *handle, int number)
{
    chainsi_daemon *daemon = handle->data;
    if (!daemon)
        return;
    if (daemon->stopping) {
        chainsi_say("%s again: killing what is left", strsignal(number));
        chainsi_registry_kill(daemon->routes.registry);
        return;
    }
    chainsi_say("%s: stopping", strsignal(number));
    daemon->stopping = true;
    chainsi_home_forget_address(daemon->home);
    chainsi_front_stop(daemon->front);
    chainsi_registry_stop(daemon->routes.registry);
}

static void catch_signal(chainsi_daemon *daemon, size_t index, int number, uv_signal_cb callback)
{
    uv_signal_t *handle = chainsi_make(sizeof *handle);
    uv_signal_init(&daemon->loop, handle);
    handle->data = daemon;
    uv_signal_start(handle, callback, number);
    daemon->signals[index] = handle;
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Opens the front door. False after a message. */
static bool listen_front(chainsi_daemon *daemon, int port)
{
    int got = chainsi_front_listen(daemon->front, port);
    if (got == UV_EADDRINUSE) {
        fprintf(stderr,
                "chainsd: port %d is in use by another program; choose another one with --port N "
                "(0: any)\n",
                port);
        return false;
    }
    if (got < 0) {
        fprintf(stderr, "chainsd: cannot listen on 127.0.0.1:%d: %s; choose another with --port\n",
                port, uv_strerror(got));
        return false;
    }
    snprintf(daemon->routes.base_url, sizeof daemon->routes.base_url, "http://127.0.0.1:%d", got);
    return true;
}

/* Locks and prepares the home. False after a message. */
static bool open_home(chainsi_daemon *daemon)
{
    char why[512];
    daemon->home = chainsi_home_find(why, sizeof why);
    if (!daemon->home || !chainsi_home_make(daemon->home, why, sizeof why)) {
        fprintf(stderr, "chainsd: %s\n", why);
        return false;
    }
    daemon->lock = chainsi_home_lock(daemon->home, why, sizeof why);
    if (daemon->lock < 0) {
        fprintf(stderr, "chainsd: %s\n", why);
        return false;
    }
    chainsi_home_forget_address(daemon->home);
    char *sockets = chainsi_path("%s/run", daemon->home);
    bool cleared = chainsi_remove_tree(sockets);
    free(sockets);
    if (!cleared || !chainsi_home_token(daemon->home, true, daemon->routes.token)) {
        fprintf(stderr, "chainsd: cannot write below %s: %s\n", daemon->home, strerror(errno));
        return false;
    }
    daemon->routes.home = daemon->home;
    return true;
}

static int serve(chainsi_daemon *daemon, int port)
{
    daemon->routes.registry =
        chainsi_registry_new(&daemon->supervisor, daemon->home, on_chains_stopped, daemon);
    daemon->front = chainsi_front_new(&daemon->loop, &(chainsi_front_options){
                                                         .max_body = max_body,
                                                         .on_request = on_request,
                                                         .on_finished = on_front_finished,
                                                         .user = daemon,
                                                     });
    int status = 1;
    if (listen_front(daemon, port)) {
        catch_signal(daemon, 0, SIGCHLD, on_child);
        catch_signal(daemon, 1, SIGTERM, on_stop);
        catch_signal(daemon, 2, SIGINT, on_stop);
        chainsi_registry_restore(daemon->routes.registry);
        if (chainsi_home_write_address(daemon->home, daemon->routes.base_url)) {
            chainsi_say("chainsd serves %s on %s", daemon->home, daemon->routes.base_url);
            status = 0;
        } else {
            fprintf(stderr, "chainsd: cannot write below %s: %s\n", daemon->home, strerror(errno));
            raise(SIGTERM);
        }
    }
    uv_run(&daemon->loop, UV_RUN_DEFAULT);
    chainsi_front_free(daemon->front);
    chainsi_registry_free(daemon->routes.registry);
    return status;
}

int chainsi_daemon_run(int port)
{
    chainsi_daemon *daemon = chainsi_make(sizeof *daemon);
    daemon->lock = -1;
    signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    int status = 1;
    if (open_home(daemon)) {
        uv_loop_init(&daemon->loop);
        daemon->supervisor.loop = &daemon->loop;
        status = serve(daemon, port);
        uv_run(&daemon->loop, UV_RUN_DEFAULT); /* handles that are still closing */
        if (uv_loop_close(&daemon->loop) != 0)
            chainsi_say("chainsd: something was left open");
        if (status == 0)
            chainsi_say("chainsd has stopped");
    }
    if (daemon->lock >= 0)
        close(daemon->lock);
    free(daemon->home);
    free(daemon);
    return status;
}
