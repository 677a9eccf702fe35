/* What a Chainlet of a deployment has: sockets, shared memory, processes, and who scales them. */
#include "control/chainlet.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ring.h"
#include "base/running.h"
#include "control/api_scale.h"
#include "control/deployment.h"
#include "control/document.h"
#include "control/handle.h"
#include "control/home.h"
#include "control/obituary.h"
#include "control/pod_chainlet.h"
#include "control/pods.h"
#include "control/process.h"
#include "rpc/address.h"
#include "rpc/board.h"
#include "runtime/queue.h"

static chainsi_scaling_options choose_scaling(const chainsi_deployment *deployment,
                                              const chainsi_api_service *service)
{
    const chainsi_deployment_options *options = &deployment->options;
    chainsi_api_scaling scaling =
        chainsi_scale_fit(options->find_scale(options->user, service->name), &service->scaling);
    return chainsi_api_scaling_options(&scaling);
}

void chainsi_chainlet_init(chainsi_chainlet *chainlet, chainsi_deployment *deployment,
                           const chainsi_api_service *service)
{
    chainsi_arena *arena = &deployment->arena;
    const chainsi_deployment_options *options = &deployment->options;
    *chainlet = (chainsi_chainlet){
        .deployment = deployment,
        .service = service,
        .place = { options->deploy->chain, options->deploy->environment, options->id,
                   service->name },
        .label = chainsi_arena_printf(arena, "%s/%s", options->deploy->chain, service->name),
        .calls_path =
            chainsi_arena_printf(arena, "%s/%s.calls", deployment->run_directory, service->c_name),
        .calls_name = chainsi_arena_printf(arena, "%s/%s/calls", deployment->name, service->c_name),
        .board_name = chainsi_arena_printf(arena, "%s/%s/board", deployment->name, service->c_name),
        .spans_name = chainsi_arena_printf(arena, "%s/%s/spans", deployment->name, service->c_name),
        .running_name =
            chainsi_arena_printf(arena, "%s/%s/running", deployment->name, service->c_name),
        .calls_fd = -1,
        .board_fd = -1,
        .spans_fd = -1,
        .running_fd = -1,
        .scaling = choose_scaling(deployment, service),
        .pods = chainsi_pod_chainlet_set(deployment, service),
        .log = options->find_log(options->log_user, service->name),
    };
}

static chainsi_keeping *keeping_of(const chainsi_chainlet *chainlet)
{
    return chainlet->deployment->options.supervisor->keeping;
}

/* How its processes are started. */

/* What the processes of a Chainlet find in their environment. */
static const char **make_environment(const chainsi_chainlet *chainlet)
{
    chainsi_deployment *deployment = chainlet->deployment;
    const chainsi_api_service *service = chainlet->service;
    chainsi_arena *arena = &deployment->arena;
    enum { OWN = 5, END = 1 };
    const char **entries = chainsi_arena_array(
        arena, service->env.count + service->dependencies.count + OWN + END, sizeof *entries);
    size_t count = 0;
    if (service->cpu >
        0) /* pools make a thread for each CPU that they see; .env may say otherwise */
        entries[count++] = chainsi_arena_printf(arena, "OMP_NUM_THREADS=%.0f", ceil(service->cpu));
    for (size_t i = 0; i < service->env.count; i++)
        entries[count++] = chainsi_arena_printf(arena, "%s=%s", service->env.items[i].name,
                                                service->env.items[i].value);
    entries[count++] = chainsi_arena_printf(arena, "CHAINS_ENVIRONMENT=%s",
                                            deployment->options.deploy->environment);
    entries[count++] =
        chainsi_arena_printf(arena, "CHAINS_CHAIN=%s", deployment->options.deploy->chain);
    if (service->secrets.count)
        entries[count++] =
            chainsi_arena_printf(arena, "CHAINS_SECRETS_FD=%d", CHAINSI_REPLICA_SECRETS_FD);
    if (service->assets.count)
        entries[count++] = chainsi_arena_printf(
            arena, "CHAINS_ASSETS_DIR=%s",
            chainsi_asset_folders_path(arena, deployment->directory, service->c_name));
    for (size_t i = 0; i < service->dependencies.count; i++) {
        const chainsi_chainlet *callee =
            chainsi_deployment_find(deployment, service->dependencies.items[i]);
        char *name = chainsi_arena_strdup(arena, callee->service->c_name);
        for (char *at = name; *at; at++)
            *at = (char)toupper((unsigned char)*at);
        entries[count++] =
            chainsi_arena_printf(arena, "CHAINS_%s_URL=unix:%s", name, callee->calls_path);
    }
    return entries;
}

/* What the processes of a Chainlet are handed: its socket, board and ring, and the boards of those that it
 * calls. *count gets how many. */
static const chainsi_order_fd *list_descriptors(chainsi_chainlet *chainlet, size_t *count)
{
    chainsi_deployment *deployment = chainlet->deployment;
    const chainsi_api_service *service = chainlet->service;
    chainsi_arena *arena = &deployment->arena;
    size_t most = service->dependencies.count + 4;
    chainsi_order_fd *fds = chainsi_arena_array(arena, most, sizeof *fds);
    *count = 0;
    fds[(*count)++] = (chainsi_order_fd){ chainlet->calls_name, "calls" };
    if (chainlet->board_fd >= 0)
        fds[(*count)++] = (chainsi_order_fd){ chainlet->board_name, "board" };
    if (chainlet->spans_fd >= 0)
        fds[(*count)++] = (chainsi_order_fd){ chainlet->spans_name, "spans" };
    if (chainlet->running_fd >= 0)
        fds[(*count)++] = (chainsi_order_fd){ chainlet->running_name, "running" };
    for (size_t i = 0; i < service->dependencies.count; i++) {
        const chainsi_chainlet *callee =
            chainsi_deployment_find(deployment, service->dependencies.items[i]);
        if (callee->board_fd < 0 || *count + 2 == CHAINSI_MOST_PROCESS_FDS)
            continue; /* calls to it go by the queue */
        fds[(*count)++] =
            (chainsi_order_fd){ callee->board_name,
                                chainsi_arena_printf(arena, "board.%s", callee->service->c_name) };
    }
    return fds;
}

/* The socket of its calls: what the keeper holds, else a new one. What only has to end needs none. */
static bool open_calls(chainsi_chainlet *chainlet, char *why, size_t why_size)
{
    const chainsi_deployment *deployment = chainlet->deployment;
    chainlet->calls_fd = chainsi_keeping_take(keeping_of(chainlet), chainlet->calls_name);
    chainlet->found = chainlet->calls_fd >= 0;
    if (chainlet->calls_fd >= 0 || deployment->options.begin == CHAINSI_BEGIN_STOPPING)
        return true;
    chainsi_address address = { .kind = CHAINSI_ADDRESS_UNIX,
                                .path = (char *)chainlet->calls_path };
    chainlet->calls_fd = chainsi_address_listen(
        &address, chainsi_queue_backlog(chainlet->service->max_queue), why, why_size);
    if (chainlet->calls_fd < 0)
        return false;
    chainsi_keeping_hold(keeping_of(chainlet), chainlet->calls_name, chainlet->calls_fd);
    return true;
}

static void open_board(chainsi_chainlet *chainlet)
{
    chainlet->board_fd = chainsi_keeping_take(keeping_of(chainlet), chainlet->board_name);
    if (chainlet->board_fd >= 0)
        return;
    chainlet->board_fd = chainsi_board_create((uint32_t)chainlet->service->max_queue);
    if (chainlet->board_fd >= 0)
        chainsi_keeping_hold(keeping_of(chainlet), chainlet->board_name, chainlet->board_fd);
}

static void open_spans(chainsi_chainlet *chainlet)
{
    const chainsi_deployment *deployment = chainlet->deployment;
    chainlet->spans_fd = chainsi_keeping_take(keeping_of(chainlet), chainlet->spans_name);
    if (chainlet->spans_fd < 0 && (chainlet->spans_fd = chainsi_ring_create()) >= 0)
        chainsi_keeping_hold(keeping_of(chainlet), chainlet->spans_name, chainlet->spans_fd);
    chainlet->spans = chainsi_collector_add(deployment->options.supervisor->collector,
                                            deployment->options.deploy->chain, chainlet->spans_fd);
}

static void open_running(chainsi_chainlet *chainlet)
{
    chainlet->running_fd = chainsi_keeping_take(keeping_of(chainlet), chainlet->running_name);
    if (chainlet->running_fd < 0 && (chainlet->running_fd = chainsi_running_create()) >= 0)
        chainsi_keeping_hold(keeping_of(chainlet), chainlet->running_name, chainlet->running_fd);
    if (chainlet->running_fd >= 0)
        chainlet->running = chainsi_running_open(chainlet->running_fd);
}

static chainsi_cgroup_limits limits_of(const chainsi_api_service *service)
{
    return (chainsi_cgroup_limits){ .cpu = service->cpu,
                                    .memory_bytes = (uint64_t)service->memory };
}

/* What the deployment shows of its limits. */
static void note_limits(chainsi_chainlet *chainlet)
{
    const chainsi_cgroup_limits limits = limits_of(chainlet->service);
    const char *notes[2];
    chainsi_arena *arena = &chainlet->deployment->arena;
    chainlet->notes.count = chainsi_limiter_note(chainlet->deployment->options.supervisor->limiter,
                                                 chainlet->service->name, &limits, arena, notes);
    chainlet->notes.items = chainsi_arena_array(arena, chainlet->notes.count, sizeof *notes);
    for (size_t i = 0; i < chainlet->notes.count; i++)
        chainlet->notes.items[i] = notes[i];
}

/* How each process of a Chainlet is started: all that is said of a start comes together here. */
static chainsi_replica_options describe_start(chainsi_chainlet *chainlet)
{
    const chainsi_deployment *deployment = chainlet->deployment;
    const chainsi_api_service *service = chainlet->service;
    chainsi_replica_options start = {
        .supervisor = deployment->options.supervisor,
        .label = chainlet->label,
        .place = chainlet->place,
        .directory = deployment->directory,
        .environment = chainlet->environment,
        .chain = deployment->options.deploy->chain,
        .secrets = &service->secrets,
        .limits = limits_of(service),
        .gpu = service->gpu,
        .log = chainlet->log,
        .running = chainlet->running,
        .start_timeout_s = service->start_timeout_s,
        .drain_timeout_s = service->drain_timeout_s,
        .progress_timeout_s = service->progress_timeout_s,
        .policy = deployment->options.begin == CHAINSI_BEGIN_RUNNING ? &chainsi_backoff_running
                                                                     : &chainsi_backoff_deploying,
    };
    if (!chainlet->fds)
        chainlet->fds = list_descriptors(chainlet, &chainlet->fd_count);
    start.fds = chainlet->fds;
    start.fd_count = chainlet->fd_count;
    return start;
}

static void on_change(void *user)
{
    const chainsi_chainlet *chainlet = user;
    if (chainlet->pods)
        chainsi_pod_chainlet_note(chainlet);
    chainsi_deployment_review_later(chainlet->deployment);
}

static void on_death(void *user, const chainsi_replica *replica, chainsi_cgroup_end end)
{
    const chainsi_chainlet *chainlet = user;
    const chainsi_deployment_options *options = &chainlet->deployment->options;
    chainsi_upstream_note_loss(chainlet->calls, chainsi_obituary_loss(replica, end));
    char death[CHAINSI_REPLICA_DEATH_TEXT];
    chainsi_obituary_text(replica, death);
    if (end != CHAINSI_ENDED_OTHERWISE && options->on_exhausted)
        options->on_exhausted(options->user, chainlet->service->name, death);
}

static const char *program_of(const chainsi_chainlet *chainlet)
{
    return chainlet->service->program ? chainlet->service->program : chainlet->service->c_name;
}

/* Of pods: what is said of replicas, and nothing to start. */
static chainsi_fleet *make_pod_fleet(chainsi_chainlet *chainlet)
{
    const chainsi_deployment *deployment = chainlet->deployment;
    chainsi_fleet_options options = {
        .start = {
            .supervisor = deployment->options.supervisor,
            .label = chainlet->label,
            .place = chainlet->place,
            .program = "",
            .chain = deployment->options.deploy->chain,
            .secrets = &chainlet->service->secrets,
            .log = chainlet->log,
            .start_timeout_s = chainlet->service->start_timeout_s,
            .drain_timeout_s = chainlet->service->drain_timeout_s,
            .patience_s = deployment->options.deploy->patience_s,
            .policy = deployment->options.begin == CHAINSI_BEGIN_RUNNING ? &chainsi_backoff_running
                                                                         : &chainsi_backoff_deploying,
        },
        .name = chainlet->pods->object,
        .probes_prefix = "",
        .board_fd = -1,
        .pods = chainlet->pods,
        .others_scale = chainsi_pod_chainlet_scaled_by_others(chainlet),
        .on_change = on_change,
        .on_measured = chainsi_pod_chainlet_measured,
        .on_death = on_death,
        .user = chainlet,
    };
    return chainsi_fleet_new(&options);
}

chainsi_fleet *chainsi_chainlet_make_fleet(chainsi_chainlet *chainlet, const char *program,
                                           const chainsi_backoff_policy *policy)
{
    chainsi_deployment *deployment = chainlet->deployment;
    char *name = chainsi_path("%s/%s", deployment->name, program);
    char *prefix = chainsi_path("%s/%s", deployment->run_directory, program);
    char *path = chainsi_path("%s/%s", deployment->directory, program);
    chainsi_fleet_options options = {
        .start = describe_start(chainlet),
        .name = name,
        .probes_prefix = prefix,
        .board_fd = chainlet->board_fd,
        .on_change = on_change,
        .on_death = on_death,
        .user = chainlet,
    };
    options.start.program = path;
    if (policy)
        options.start.policy = policy;
    chainsi_fleet *fleet = chainsi_fleet_new(&options);
    free(path);
    free(prefix);
    free(name);
    return fleet;
}

/* Whether a process that the keeper has is one of this Chainlet's; *size gets the size of the name of its
 * fleet, "CHAIN/RUN/C_NAME" or "CHAIN/RUN/C_NAME.NUMBER". */
static bool is_of(const chainsi_chainlet *chainlet, const char *process, size_t *size)
{
    const char *run = chainlet->deployment->name, *c_name = chainlet->service->c_name;
    const char *end = strrchr(process, '/');
    size_t run_size = strlen(run), c_size = strlen(c_name);
    if (!end || strncmp(process, run, run_size) != 0 || process[run_size] != '/')
        return false;
    const char *program = process + run_size + 1;
    if (strncmp(program, c_name, c_size) != 0)
        return false;
    const char *rest = program + c_size;
    if (*rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    *size = (size_t)(end - process);
    return rest == end;
}

/* Ends processes of programs that aren't its own: whose place was taken, or that were to take it, when
 * the brain before this one ended. */
static void end_others(chainsi_chainlet *chainlet)
{
    size_t prefix = strlen(chainlet->deployment->name) + 1, size;
    for (const chainsi_found *found = chainsi_keeping_found(keeping_of(chainlet)); found;) {
        if (!found->is_process || !is_of(chainlet, found->said.name, &size)) {
            found = found->next;
            continue;
        }
        char *program = chainsi_path("%.*s", (int)(size - prefix), found->said.name + prefix);
        chainsi_fleet *fleet =
            chainsi_chainlet_make_fleet(chainlet, program, &chainsi_backoff_running);
        free(program);
        bool taken = chainsi_fleet_pick_up(fleet);
        chainsi_chainlet_retire(chainlet, fleet);
        /* What was found is another list now. What can't be taken is ended with all that nobody takes. */
        found = taken ? chainsi_keeping_found(keeping_of(chainlet)) : found->next;
    }
}

void chainsi_chainlet_open_shared(chainsi_chainlet *chainlet)
{
    if (chainlet->pods)
        return;
    open_board(chainlet);
    open_spans(chainlet);
    open_running(chainlet);
}

static void take_up_pods(chainsi_chainlet *chainlet)
{
    chainlet->calls = chainsi_pod_chainlet_open_calls(chainlet);
    chainlet->fleet = make_pod_fleet(chainlet);
    chainlet->found = chainsi_fleet_pick_up(chainlet->fleet);
}

bool chainsi_chainlet_take_up(chainsi_chainlet *chainlet, char *why, size_t why_size)
{
    if (chainlet->pods) {
        take_up_pods(chainlet);
        return true;
    }
    chainsi_deployment *deployment = chainlet->deployment;
    chainlet->environment = make_environment(chainlet);
    note_limits(chainlet);
    if (!open_calls(chainlet, why, why_size))
        return false;
    chainlet->calls =
        chainsi_upstream_new(deployment->options.supervisor->loop, chainlet->calls_path);
    chainsi_upstream_promise_losses(chainlet->calls);
    chainlet->fleet = chainsi_chainlet_make_fleet(chainlet, program_of(chainlet), NULL);
    chainsi_fleet_pick_up(chainlet->fleet);
    end_others(chainlet);
    return true;
}

bool chainsi_chainlet_start_first(chainsi_chainlet *chainlet, char *why, size_t why_size)
{
    int64_t first = chainlet->scaling.min_replicas;
    if (first < 1)
        first = 1;
    if (chainlet->deployment->options.begin == CHAINSI_BEGIN_RUNNING && chainlet->found)
        first = 0;
    if (first < chainlet->fleet->wanted)
        first = chainlet->fleet->wanted;
    return chainsi_fleet_resize(chainlet->fleet, first, why, why_size);
}

/* Other programs. */

void chainsi_chainlet_retire(chainsi_chainlet *chainlet, chainsi_fleet *fleet)
{
    fleet->next = chainlet->leaving;
    chainlet->leaving = fleet;
    chainsi_fleet_stop(fleet, false);
}

void chainsi_chainlet_exchange(chainsi_chainlet *chainlet)
{
    chainsi_fleet *before = chainlet->fleet;
    chainsi_scaler_free(chainlet->scaler);
    chainlet->fleet = chainlet->coming;
    chainlet->coming = NULL;
    chainsi_document_forget(chainlet);
    chainsi_chainlet_begin_scaling(chainlet);
    chainsi_chainlet_retire(chainlet, before);
}

void chainsi_chainlet_review(chainsi_chainlet *chainlet)
{
    if (chainlet->fleet)
        chainsi_fleet_review(chainlet->fleet);
    if (chainlet->coming)
        chainsi_fleet_review(chainlet->coming);
    for (chainsi_fleet **at = &chainlet->leaving; *at;) {
        chainsi_fleet *fleet = *at;
        chainsi_fleet_review(fleet);
        if (!chainsi_fleet_has_ended(fleet)) {
            at = &fleet->next;
            continue;
        }
        *at = fleet->next;
        chainsi_fleet_free(fleet);
    }
}

/* Scaling. */

static void on_scaled(void *user, const chainsi_scaled *scaled)
{
    const chainsi_chainlet *chainlet = user;
    chainsi_say("%s: %s", chainlet->label, scaled->text);
    chainsi_history_scaled(chainlet->deployment->options.supervisor->history, &chainlet->place,
                           scaled->from, scaled->to, scaled->reason, scaled->text);
}

/* Wakes all that is at zero of what it calls, and of what those call. */
static void wake_callees(chainsi_chainlet *caller, bool *seen)
{
    chainsi_deployment *deployment = caller->deployment;
    for (size_t i = 0; i < caller->service->dependencies.count; i++) {
        chainsi_chainlet *callee =
            chainsi_deployment_find(deployment, caller->service->dependencies.items[i]);
        size_t index = (size_t)(callee - deployment->chainlets);
        if (seen[index])
            continue;
        seen[index] = true;
        if (callee->scaler)
            chainsi_scaler_wake(callee->scaler);
        wake_callees(callee, seen);
    }
}

static void on_woken(void *user)
{
    chainsi_chainlet *chainlet = user;
    size_t count = chainlet->deployment->options.deploy->services.count;
    bool *seen = chainsi_make(count * sizeof *seen);
    wake_callees(chainlet, seen);
    free(seen);
}

void chainsi_chainlet_begin_scaling(chainsi_chainlet *chainlet)
{
    if (chainlet->calls_fd < 0 && !chainlet->pods)
        return; /* it only has to end */
    chainsi_fleet_set_policy(chainlet->fleet, &chainsi_backoff_running);
    if (chainsi_pod_chainlet_scaled_by_others(chainlet))
        return;
    chainlet->scaler = chainsi_scaler_new(&(chainsi_scaler_options){
        .fleet = chainlet->fleet,
        .calls_fd = chainlet->calls_fd,
        .measure = chainlet->pods ? chainsi_pod_chainlet_measure : NULL,
        .scaling = chainlet->scaling,
        .on_woken = on_woken,
        .on_scaled = on_scaled,
        .user = chainlet,
    });
}

void chainsi_chainlet_rescale(chainsi_chainlet *chainlet)
{
    chainlet->scaling = choose_scaling(chainlet->deployment, chainlet->service);
    if (chainlet->scaler)
        chainsi_scaler_set_options(chainlet->scaler, &chainlet->scaling);
}

/* Looking. */

bool chainsi_chainlet_is_at_zero(const chainsi_chainlet *chainlet)
{
    return chainlet->scaler && !chainlet->fleet->wanted;
}

bool chainsi_chainlet_is_well(const chainsi_chainlet *chainlet)
{
    if (chainsi_chainlet_is_at_zero(chainlet))
        return true;
    chainsi_replica_state state = chainsi_fleet_state(chainlet->fleet);
    return state == CHAINSI_REPLICA_READY ||
           (state == CHAINSI_REPLICA_STARTING && !chainsi_fleet_last_end(chainlet->fleet)[0]);
}

bool chainsi_chainlet_has_ended(const chainsi_chainlet *chainlet)
{
    for (const chainsi_fleet *fleet = chainlet->leaving; fleet; fleet = fleet->next)
        if (!chainsi_fleet_has_ended(fleet))
            return false;
    return chainlet->stop_asked && chainsi_fleet_has_ended(chainlet->fleet);
}

/* Stopping. */

/* A call that still waits in the queue of a Chainlet that is being stopped is closed unread, which
 * tells its caller for certain that it wasn't started: the front door then sends it to the version
 * that has taken over. */
static void on_waiting_call(uv_poll_t *poll, int status, int events)
{
    (void)events;
    chainsi_chainlet *chainlet = poll->data;
    if (!chainlet || status < 0)
        return;
    int fd = accept4(chainlet->calls_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
}

static void sweep(chainsi_chainlet *chainlet)
{
    if (chainlet->pods && chainlet->calls)
        chainsi_upstream_send_away(chainlet->calls);
    if (chainlet->calls_fd < 0)
        return;
    uv_poll_t *poll = chainsi_make(sizeof *poll);
    if (uv_poll_init(chainlet->deployment->options.supervisor->loop, poll, chainlet->calls_fd)) {
        free(poll);
        return;
    }
    poll->data = chainlet;
    chainlet->sweeper = poll;
    uv_poll_start(poll, UV_READABLE, on_waiting_call);
}

void chainsi_chainlet_stop(chainsi_chainlet *chainlet)
{
    chainlet->stop_asked = true;
    chainsi_refuser_free(chainlet->refuser);
    chainlet->refuser = NULL;
    chainsi_scaler_free(chainlet->scaler);
    chainlet->scaler = NULL;
    sweep(chainlet);
    if (chainlet->calls)
        chainsi_upstream_send_away(chainlet->calls);
    /* What made a deployment fail keeps its state, to be looked at. */
    if (chainlet->fleet)
        chainsi_fleet_stop(chainlet->fleet, chainlet->deployment->failure[0]);
}

void chainsi_chainlet_kill(chainsi_chainlet *chainlet)
{
    chainsi_fleet_kill(chainlet->fleet);
    chainsi_fleet_kill(chainlet->coming);
    for (chainsi_fleet *fleet = chainlet->leaving; fleet; fleet = fleet->next)
        chainsi_fleet_kill(fleet);
}

void chainsi_chainlet_close(chainsi_chainlet *chainlet)
{
    chainsi_document_close(chainlet);
    chainsi_fleet_free(chainlet->fleet);
    chainsi_fleet_free(chainlet->coming);
    for (chainsi_fleet *fleet; (fleet = chainlet->leaving);) {
        chainlet->leaving = fleet->next;
        chainsi_fleet_free(fleet);
    }
    chainsi_handle_close(chainlet->sweeper);
    chainsi_upstream_free(chainlet->calls);
    if (chainlet->calls_fd >= 0)
        close(chainlet->calls_fd);
    if (chainlet->board_fd >= 0)
        close(chainlet->board_fd);
    chainsi_collector_remove(chainlet->spans);
    if (chainlet->spans_fd >= 0)
        close(chainlet->spans_fd);
    chainsi_running_close(chainlet->running);
    if (chainlet->running_fd >= 0)
        close(chainlet->running_fd);
    chainsi_keeping_release(keeping_of(chainlet), chainlet->calls_name);
    chainsi_keeping_release(keeping_of(chainlet), chainlet->board_name);
    chainsi_keeping_release(keeping_of(chainlet), chainlet->spans_name);
    chainsi_keeping_release(keeping_of(chainlet), chainlet->running_name);
}
