/* Versions of chains. Whatever happens to a replica only asks for a review, which the loop calls
 * later: one place decides, and never in the midst of a change. */
#include "control/deployment.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ring.h"
#include "control/handle.h"
#include "control/home.h"
#include "control/process.h"
#include "rpc/address.h"
#include "rpc/board.h"
#include "runtime/queue.h"
#include "schema/json.h"

static const char *state_name(chainsi_deployment_state state)
{
    static const char *const names[] = {
        [CHAINSI_DEPLOYMENT_COPYING] = "copying", [CHAINSI_DEPLOYMENT_STARTING] = "starting",
        [CHAINSI_DEPLOYMENT_RUNNING] = "running", [CHAINSI_DEPLOYMENT_STOPPING] = "stopping",
        [CHAINSI_DEPLOYMENT_STOPPED] = "stopped",
    };
    return names[state];
}

static void set_state(chainsi_deployment *deployment, chainsi_deployment_state state)
{
    chainsi_say("%s: %s -> %s", deployment->title, state_name(deployment->state),
                state_name(state));
    deployment->state = state;
    deployment->options.on_change(deployment->options.user);
}

static void review(chainsi_deployment *deployment);

static void on_review(uv_timer_t *timer)
{
    if (timer->data)
        review(timer->data);
}

static void ask_review(void *user)
{
    chainsi_deployment *deployment = user;
    uv_timer_start(deployment->review, on_review, 0, 0);
    deployment->options.on_change(deployment->options.user);
}

/* The first failure is the one that is told. */
static void fail(chainsi_deployment *deployment, const char *chainlet, const char *what,
                 const char *why)
{
    if (deployment->failure[0])
        return;
    deployment->failed_chainlet = chainlet;
    snprintf(deployment->failure, sizeof deployment->failure, "%s%s%s", what, *why ? ": " : "",
             why);
    chainsi_say("%s failed: %s%s%s", deployment->title, chainlet ? chainlet : "",
                chainlet ? ": " : "", deployment->failure);
    chainsi_deployment_stop(deployment);
}

/* The copy of what was asked for. */

static void copy_strings(chainsi_arena *arena, chains_string_list *list)
{
    const char **items = chainsi_arena_array(arena, list->count, sizeof *items);
    for (size_t i = 0; i < list->count; i++)
        items[i] = chainsi_arena_strdup(arena, list->items[i]);
    list->items = items;
}

static chainsi_api_deploy *copy_deploy(chainsi_arena *arena, const chainsi_api_deploy *from)
{
    chainsi_api_deploy *copy = chainsi_arena_alloc(arena, sizeof *copy);
    copy->chain = chainsi_arena_strdup(arena, from->chain);
    copy->environment = chainsi_arena_strdup(arena, from->environment);
    copy->entrypoint = chainsi_arena_strdup(arena, from->entrypoint);
    copy->canary = from->canary;
    copy->source_digest = chainsi_arena_strdup(arena, from->source_digest);
    copy->interface = chainsi_arena_strdup(arena, from->interface);
    copy->created_by = chainsi_arena_strdup(arena, from->created_by);
    copy->services.count = from->services.count;
    copy->services.items =
        chainsi_arena_array(arena, from->services.count, sizeof *copy->services.items);
    for (size_t i = 0; i < from->services.count; i++) {
        chainsi_api_service *service = &copy->services.items[i];
        *service = from->services.items[i];
        service->name = chainsi_arena_strdup(arena, service->name);
        service->c_name = chainsi_arena_strdup(arena, service->c_name);
        service->binary = chainsi_arena_strdup(arena, service->binary);
        service->gpu = chainsi_arena_strdup(arena, service->gpu);
        copy_strings(arena, &service->dependencies);
        copy_strings(arena, &service->secrets);
        chainsi_api_asset *assets =
            chainsi_arena_array(arena, service->assets.count, sizeof *assets);
        for (size_t a = 0; a < service->assets.count; a++)
            assets[a] = (chainsi_api_asset){
                .url = chainsi_arena_strdup(arena, service->assets.items[a].url),
                .sha256 = chainsi_arena_strdup(arena, service->assets.items[a].sha256),
                .path = chainsi_arena_strdup(arena, service->assets.items[a].path),
            };
        service->assets.items = assets;
        chainsi_api_variable *variables =
            chainsi_arena_array(arena, service->env.count, sizeof *variables);
        for (size_t v = 0; v < service->env.count; v++) {
            variables[v].name = chainsi_arena_strdup(arena, service->env.items[v].name);
            variables[v].value = chainsi_arena_strdup(arena, service->env.items[v].value);
        }
        service->env.items = variables;
    }
    return copy;
}

/* What the keeper has of it. */

static chainsi_keeping *keeping_of(const chainsi_deployment *deployment)
{
    return deployment->options.supervisor->keeping;
}

/* Has the keeper hold what there is to know of the deployment, as "CHAIN/RUN/as". */
static void hold_document(chainsi_deployment *deployment, const char *as)
{
    chainsi_api_saved saved = {
        .version = deployment->options.version,
        .id = deployment->options.id,
        .run = deployment->options.run,
        .deployed_at = "",
        .deploy = *deployment->options.deploy,
    };
    chainsi_buffer text = { 0 };
    chainsi_codec_error error;
    char *name = chainsi_path("%s/%s", deployment->name, as);
    int fd = memfd_create("deployment", MFD_CLOEXEC);
    if (chainsi_json_encode(&chainsi_api_saved_type, &saved, &text, &error) != CHAINS_OK)
        chainsi_say("%s can't be kept: %s %s", name, error.path, error.message);
    else if (fd < 0 || write(fd, text.data, text.size) != (ssize_t)text.size)
        chainsi_say("%s can't be kept: %s", name, strerror(errno));
    else
        chainsi_keeping_hold(keeping_of(deployment), name, fd);
    if (fd >= 0)
        close(fd);
    chainsi_buffer_done(&text);
    free(name);
}

static void release_document(chainsi_deployment *deployment, const char *as)
{
    char *name = chainsi_path("%s/%s", deployment->name, as);
    chainsi_keeping_release(keeping_of(deployment), name);
    free(name);
}

/* Sockets and processes. */

/* What the processes of a Chainlet find in their environment. */
static const char **make_environment(chainsi_deployment *deployment,
                                     const chainsi_api_service *service)
{
    chainsi_arena *arena = &deployment->arena;
    const char **entries = chainsi_arena_array(
        arena, service->env.count + service->dependencies.count + 4, sizeof *entries);
    size_t count = 0;
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
    size_t most = service->dependencies.count + 3;
    chainsi_order_fd *fds = chainsi_arena_array(arena, most, sizeof *fds);
    *count = 0;
    fds[(*count)++] = (chainsi_order_fd){ chainlet->calls_name, "calls" };
    if (chainlet->board_fd >= 0)
        fds[(*count)++] = (chainsi_order_fd){ chainlet->board_name, "board" };
    if (chainlet->spans_fd >= 0)
        fds[(*count)++] = (chainsi_order_fd){ chainlet->spans_name, "spans" };
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
    chainlet->calls_fd = chainsi_keeping_take(keeping_of(deployment), chainlet->calls_name);
    chainlet->found = chainlet->calls_fd >= 0;
    if (chainlet->calls_fd >= 0 || deployment->options.begin == CHAINSI_BEGIN_STOPPING)
        return true;
    chainsi_address address = { .kind = CHAINSI_ADDRESS_UNIX,
                                .path = (char *)chainlet->calls_path };
    chainlet->calls_fd = chainsi_address_listen(
        &address, chainsi_queue_backlog(chainlet->service->max_queue), why, why_size);
    if (chainlet->calls_fd < 0)
        return false;
    chainsi_keeping_hold(keeping_of(deployment), chainlet->calls_name, chainlet->calls_fd);
    return true;
}

static void open_board(chainsi_chainlet *chainlet)
{
    const chainsi_deployment *deployment = chainlet->deployment;
    chainlet->board_fd = chainsi_keeping_take(keeping_of(deployment), chainlet->board_name);
    if (chainlet->board_fd >= 0)
        return;
    chainlet->board_fd = chainsi_board_create((uint32_t)chainlet->service->max_queue);
    if (chainlet->board_fd >= 0)
        chainsi_keeping_hold(keeping_of(deployment), chainlet->board_name, chainlet->board_fd);
}

static void open_spans(chainsi_chainlet *chainlet)
{
    const chainsi_deployment *deployment = chainlet->deployment;
    chainlet->spans_fd = chainsi_keeping_take(keeping_of(deployment), chainlet->spans_name);
    if (chainlet->spans_fd < 0 && (chainlet->spans_fd = chainsi_ring_create()) >= 0)
        chainsi_keeping_hold(keeping_of(deployment), chainlet->spans_name, chainlet->spans_fd);
    chainlet->spans = chainsi_collector_add(deployment->options.supervisor->collector,
                                            deployment->options.deploy->chain, chainlet->spans_fd);
}

/* How each process of a Chainlet is started: all that is said of a start comes together here. */
static chainsi_replica_options describe_start(chainsi_chainlet *chainlet)
{
    const chainsi_deployment *deployment = chainlet->deployment;
    const chainsi_api_service *service = chainlet->service;
    chainsi_replica_options start = {
        .supervisor = deployment->options.supervisor,
        .label = chainlet->label,
        .program = service->binary,
        .directory = deployment->directory,
        .environment = chainlet->environment,
        .chain = deployment->options.deploy->chain,
        .secrets = &service->secrets,
        .log = chainlet->log,
        .start_timeout_s = service->start_timeout_s,
        .drain_timeout_s = service->drain_timeout_s,
        .progress_timeout_s = service->progress_timeout_s,
        .policy = deployment->options.begin == CHAINSI_BEGIN_RUNNING ? &chainsi_backoff_running
                                                                     : &chainsi_backoff_deploying,
    };
    start.fds = list_descriptors(chainlet, &start.fd_count);
    return start;
}

/* Its sockets, and what runs of it. */
static bool take_up(chainsi_chainlet *chainlet, char *why, size_t why_size)
{
    chainsi_deployment *deployment = chainlet->deployment;
    if (!open_calls(chainlet, why, why_size))
        return false;
    chainlet->calls =
        chainsi_upstream_new(deployment->options.supervisor->loop, chainlet->calls_path);
    chainlet->fleet = chainsi_fleet_new(&(chainsi_fleet_options){
        .start = describe_start(chainlet),
        .name = chainlet->name,
        .probes_prefix = chainsi_arena_printf(&deployment->arena, "%s/%s",
                                              deployment->run_directory, chainlet->service->c_name),
        .board_fd = chainlet->board_fd,
        .on_change = ask_review,
        .user = deployment,
    });
    chainsi_fleet_pick_up(chainlet->fleet);
    return true;
}

/* Starts what has to be there before it is scaled. What was found with the keeper is being scaled
 * already, and may be at zero; all else begins with one replica, so that it is seen to start. */
static bool start_first(chainsi_chainlet *chainlet, char *why, size_t why_size)
{
    int64_t first = chainlet->service->scaling.min_replicas;
    if (first < 1)
        first = 1;
    if (chainlet->deployment->options.begin == CHAINSI_BEGIN_RUNNING && chainlet->found)
        first = 0;
    if (first < chainlet->fleet->wanted)
        first = chainlet->fleet->wanted;
    return chainsi_fleet_resize(chainlet->fleet, first, why, why_size);
}

static void begin_scaling(chainsi_deployment *deployment);

static void start_all(chainsi_deployment *deployment)
{
    char why[256];
    size_t count = deployment->options.deploy->services.count;
    chainsi_deployment_begin begin = deployment->options.begin;
    if (!chainsi_make_folders(deployment->run_directory)) {
        fail(deployment, NULL, "cannot make the folder of its sockets", strerror(errno));
        return;
    }
    for (size_t i = 0; i < count; i++) {
        open_board(&deployment->chainlets[i]);
        open_spans(&deployment->chainlets[i]);
    }
    for (size_t i = 0; i < count; i++) {
        if (take_up(&deployment->chainlets[i], why, sizeof why))
            continue;
        fail(deployment, deployment->chainlets[i].service->name, "cannot listen", why);
        return;
    }
    if (begin != CHAINSI_BEGIN_STOPPING)
        set_state(deployment, begin == CHAINSI_BEGIN_RUNNING ? CHAINSI_DEPLOYMENT_RUNNING
                                                             : CHAINSI_DEPLOYMENT_STARTING);
    for (size_t i = 0; i < count && begin != CHAINSI_BEGIN_STOPPING; i++) {
        if (start_first(&deployment->chainlets[i], why, sizeof why))
            continue;
        fail(deployment, deployment->chainlets[i].service->name, "cannot listen", why);
        return;
    }
    /* What stops is scaled until its turn comes: its callers' calls may still need it. */
    if (begin == CHAINSI_BEGIN_RUNNING || begin == CHAINSI_BEGIN_STOPPING)
        begin_scaling(deployment);
    if (begin == CHAINSI_BEGIN_STOPPING)
        chainsi_deployment_stop(deployment);
}

/* Scaling. */

static void on_scaled(void *user, const chainsi_scaled *scaled)
{
    const chainsi_chainlet *chainlet = user;
    const chainsi_deployment_options *options = &chainlet->deployment->options;
    chainsi_say("%s: %s", chainlet->label, scaled->text);
    if (options->on_scaled)
        options->on_scaled(options->user, chainlet->service->name, scaled);
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

static void begin_scaling(chainsi_deployment *deployment)
{
    for (size_t i = 0; i < deployment->options.deploy->services.count; i++) {
        chainsi_chainlet *chainlet = &deployment->chainlets[i];
        if (chainlet->calls_fd < 0)
            continue; /* it only has to end */
        chainsi_fleet_set_policy(chainlet->fleet, &chainsi_backoff_running);
        chainlet->scaler = chainsi_scaler_new(&(chainsi_scaler_options){
            .fleet = chainlet->fleet,
            .calls_fd = chainlet->calls_fd,
            .scaling = chainlet->scaling,
            .on_woken = on_woken,
            .on_scaled = on_scaled,
            .user = chainlet,
        });
    }
}

bool chainsi_deployment_scale(chainsi_deployment *deployment, const char *name,
                              const chainsi_scaling_options *scaling)
{
    chainsi_chainlet *chainlet = chainsi_deployment_find(deployment, name);
    if (!chainlet)
        return false;
    chainlet->scaling =
        scaling ? *scaling : chainsi_api_scaling_options(&chainlet->service->scaling);
    if (chainlet->scaler)
        chainsi_scaler_set_options(chainlet->scaler, &chainlet->scaling);
    return true;
}

/* Binaries. A file under its name is whole and on the disk: what is being copied has another. */

typedef struct copy {
    uv_work_t request;
    chainsi_deployment *deployment;
    chainsi_chainlet *chainlet;
    char *from; /* owned */
    int error;  /* of libuv; 0: none */
} copy;

static int sync_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int error = fd < 0 || fsync(fd) != 0 ? uv_translate_sys_error(errno) : 0;
    if (fd >= 0)
        close(fd);
    return error;
}

/* On a thread of the pool. */
static void copy_binary(uv_work_t *request)
{
    copy *doing = (copy *)request;
    const char *to = doing->chainlet->service->binary;
    char *part = chainsi_path("%s.part", to);
    uv_fs_t copying;
    doing->error = uv_fs_copyfile(NULL, &copying, doing->from, part, UV_FS_COPYFILE_FICLONE, NULL);
    uv_fs_req_cleanup(&copying);
    if (!doing->error)
        doing->error = sync_file(part);
    if (!doing->error && !chainsi_replace_file(part, to))
        doing->error = uv_translate_sys_error(errno);
    free(part);
}

static void on_copied(uv_work_t *request, int status)
{
    copy *done = (copy *)request;
    chainsi_deployment *deployment = done->deployment;
    int error = status ? status : done->error;
    if (error && !deployment->stop_asked)
        fail(deployment, done->chainlet->service->name, "cannot copy its program",
             uv_strerror(error));
    free(done->from);
    free(done);
    deployment->copies--;
    ask_review(deployment);
}

static char *binary_path(const char *home, const char *chain, int64_t version, const char *c_name)
{
    return chainsi_path("%s/chains/%s/%lld/%s", home, chain, (long long)version, c_name);
}

/* Has a service run the copy of its program. */
static void use_copy(chainsi_deployment *deployment, chainsi_api_service *service)
{
    char *path = binary_path(deployment->options.home, deployment->options.deploy->chain,
                             deployment->options.version, service->c_name);
    service->binary = chainsi_arena_strdup(&deployment->arena, path);
    free(path);
}

bool chainsi_deployment_is_copied(const chainsi_api_deploy *deploy, const char *home,
                                  int64_t version)
{
    bool copied = true;
    for (size_t i = 0; copied && i < deploy->services.count; i++) {
        char *path = binary_path(home, deploy->chain, version, deploy->services.items[i].c_name);
        copied = access(path, X_OK) == 0;
        free(path);
    }
    return copied;
}

static void copy_binaries(chainsi_deployment *deployment)
{
    if (!chainsi_make_folders(deployment->directory)) {
        fail(deployment, NULL, "cannot make the folder of its programs", strerror(errno));
        return;
    }
    for (size_t i = 0; i < deployment->options.deploy->services.count; i++) {
        chainsi_api_service *service = &deployment->options.deploy->services.items[i];
        const char *from = service->binary;
        use_copy(deployment, service);
        copy *started = chainsi_make(sizeof *started);
        started->deployment = deployment;
        started->chainlet = &deployment->chainlets[i];
        started->from = chainsi_copy_text(from);
        deployment->copies++;
        uv_queue_work(deployment->options.supervisor->loop, &started->request, copy_binary,
                      on_copied);
    }
}

chainsi_deployment *chainsi_deployment_new(const chainsi_deployment_options *options)
{
    chainsi_deployment *deployment = chainsi_make(sizeof *deployment);
    chainsi_arena *arena = &deployment->arena;
    const char *chain = options->deploy->chain;
    deployment->options = *options;
    deployment->options.deploy = copy_deploy(arena, options->deploy);
    deployment->options.home = chainsi_arena_strdup(arena, options->home);
    deployment->options.id = chainsi_arena_strdup(arena, options->id);
    deployment->options.run = chainsi_arena_strdup(arena, options->run);
    deployment->review = chainsi_timer_new(options->supervisor->loop, deployment);
    deployment->directory = chainsi_arena_printf(arena, "%s/chains/%s/%lld", options->home, chain,
                                                 (long long)options->version);
    deployment->name = chainsi_arena_printf(arena, "%s/%s", chain, options->run);
    bool elsewhere = strcmp(options->deploy->environment, CHAINSI_PRODUCTION) != 0;
    deployment->title = chainsi_arena_printf(arena, "%s version %lld%s%s", chain,
                                             (long long)options->version, elsewhere ? " in " : "",
                                             elsewhere ? options->deploy->environment : "");
    deployment->run_directory =
        chainsi_arena_printf(arena, "%s/run/%s", options->home, deployment->name);
    size_t count = options->deploy->services.count;
    deployment->chainlets = chainsi_arena_array(arena, count, sizeof *deployment->chainlets);
    for (size_t i = 0; i < count; i++) {
        chainsi_api_service *service = &deployment->options.deploy->services.items[i];
        if (deployment->options.begin != CHAINSI_BEGIN_COPYING)
            use_copy(deployment, service);
        deployment->chainlets[i] = (chainsi_chainlet){
            .deployment = deployment,
            .service = service,
            .label = chainsi_arena_printf(arena, "%s/%s", chain, service->name),
            .calls_path = chainsi_arena_printf(arena, "%s/%s.calls", deployment->run_directory,
                                               service->c_name),
            .name = chainsi_arena_printf(arena, "%s/%s", deployment->name, service->c_name),
            .calls_name =
                chainsi_arena_printf(arena, "%s/%s/calls", deployment->name, service->c_name),
            .board_name =
                chainsi_arena_printf(arena, "%s/%s/board", deployment->name, service->c_name),
            .spans_name =
                chainsi_arena_printf(arena, "%s/%s/spans", deployment->name, service->c_name),
            .calls_fd = -1,
            .board_fd = -1,
            .spans_fd = -1,
            .scaling = chainsi_api_scaling_options(&service->scaling),
            .log = options->find_log(options->log_user, service->name),
        };
        if (!strcmp(service->name, options->deploy->entrypoint))
            deployment->entrypoint = i;
    }
    for (size_t i = 0; i < count; i++)
        deployment->chainlets[i].environment =
            make_environment(deployment, deployment->chainlets[i].service);
    /* Before anything of it: whatever is begun, somebody knows whose it is. */
    if (options->begin != CHAINSI_BEGIN_STOPPING)
        hold_document(deployment, "deploy");
    if (deployment->options.begin == CHAINSI_BEGIN_COPYING)
        copy_binaries(deployment);
    else
        start_all(deployment);
    return deployment;
}

/* Looking. */

chainsi_chainlet *chainsi_deployment_find(chainsi_deployment *deployment, const char *name)
{
    if (!name)
        return &deployment->chainlets[deployment->entrypoint];
    for (size_t i = 0; i < deployment->options.deploy->services.count; i++)
        if (!strcmp(deployment->chainlets[i].service->name, name))
            return &deployment->chainlets[i];
    return NULL;
}

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

/* Whether nothing of it runs, and nothing will. */
static bool has_ended(const chainsi_chainlet *chainlet)
{
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

static bool calls(const chainsi_chainlet *caller, const chainsi_chainlet *callee)
{
    for (size_t i = 0; i < caller->service->dependencies.count; i++)
        if (!strcmp(caller->service->dependencies.items[i], callee->service->name))
            return true;
    return false;
}

static void stop_chainlet(chainsi_chainlet *chainlet)
{
    chainlet->stop_asked = true;
    chainsi_refuser_free(chainlet->refuser);
    chainlet->refuser = NULL;
    chainsi_scaler_free(chainlet->scaler);
    chainlet->scaler = NULL;
    sweep(chainlet);
    /* What made a deployment fail keeps its state, to be looked at. */
    if (chainlet->fleet)
        chainsi_fleet_stop(chainlet->fleet, chainlet->deployment->failure[0]);
}

static void review_stop(chainsi_deployment *deployment)
{
    size_t count = deployment->options.deploy->services.count, ended = 0;
    /* Stopping one may let the next be stopped at once: what had failed has no process to wait for. */
    for (bool again = true; again;) {
        again = false;
        ended = 0;
        for (size_t i = 0; i < count; i++) {
            chainsi_chainlet *chainlet = &deployment->chainlets[i];
            bool called = false;
            for (size_t k = 0; k < count && !called; k++)
                called = calls(&deployment->chainlets[k], chainlet) &&
                         !has_ended(&deployment->chainlets[k]);
            if (!called && !chainlet->stop_asked) {
                stop_chainlet(chainlet);
                again = true;
            }
            ended += has_ended(chainlet);
        }
    }
    if (ended == count && !deployment->copies)
        set_state(deployment, CHAINSI_DEPLOYMENT_STOPPED);
}

static void review_start(chainsi_deployment *deployment)
{
    size_t count = deployment->options.deploy->services.count;
    bool ready = true;
    for (size_t i = 0; i < count; i++) {
        const chainsi_chainlet *chainlet = &deployment->chainlets[i];
        const chainsi_replica *failed = chainsi_fleet_find(chainlet->fleet, CHAINSI_REPLICA_FAILED);
        if (failed) {
            fail(deployment, chainlet->service->name, "it does not start", failed->last_end);
            return;
        }
        ready = ready && chainsi_fleet_count(chainlet->fleet).ready >= chainlet->fleet->wanted;
    }
    if (!ready)
        return;
    set_state(deployment, CHAINSI_DEPLOYMENT_RUNNING);
    begin_scaling(deployment);
}

/* Has calls of a Chainlet that has failed answered, and those of one that is tried again wait. */
static void review_running(chainsi_deployment *deployment)
{
    for (size_t i = 0; i < deployment->options.deploy->services.count; i++) {
        chainsi_chainlet *chainlet = &deployment->chainlets[i];
        bool failed = chainsi_fleet_state(chainlet->fleet) == CHAINSI_REPLICA_FAILED;
        if (failed == (chainlet->refuser != NULL))
            continue;
        if (failed) {
            char message[512];
            snprintf(message, sizeof message,
                     "the Chainlet '%s' has failed: %s; see `chains logs %s %s`",
                     chainlet->service->name, chainsi_fleet_last_end(chainlet->fleet),
                     deployment->options.deploy->chain, chainlet->service->name);
            chainlet->refuser = chainsi_refuser_new(deployment->options.supervisor->loop,
                                                    chainlet->calls_fd, message);
        } else {
            chainsi_refuser_free(chainlet->refuser);
            chainlet->refuser = NULL;
        }
    }
}

static void review(chainsi_deployment *deployment)
{
    for (size_t i = 0; i < deployment->options.deploy->services.count; i++)
        if (deployment->chainlets[i].fleet)
            chainsi_fleet_review(deployment->chainlets[i].fleet);
    switch (deployment->state) {
    case CHAINSI_DEPLOYMENT_COPYING:
        if (deployment->copies || deployment->stop_asked)
            break;
        start_all(deployment);
        break;
    case CHAINSI_DEPLOYMENT_STARTING:
        review_start(deployment);
        break;
    case CHAINSI_DEPLOYMENT_STOPPING:
        review_stop(deployment);
        break;
    case CHAINSI_DEPLOYMENT_RUNNING:
        review_running(deployment);
        break;
    case CHAINSI_DEPLOYMENT_STOPPED:
        break;
    }
}

void chainsi_deployment_stop(chainsi_deployment *deployment)
{
    if (deployment->stop_asked)
        return;
    deployment->stop_asked = true;
    hold_document(deployment, "stop");
    release_document(deployment, "deploy");
    set_state(deployment, CHAINSI_DEPLOYMENT_STOPPING);
    ask_review(deployment);
}

void chainsi_deployment_kill(chainsi_deployment *deployment)
{
    for (size_t i = 0; i < deployment->options.deploy->services.count; i++)
        chainsi_fleet_kill(deployment->chainlets[i].fleet);
}

void chainsi_deployment_free(chainsi_deployment *deployment)
{
    if (!deployment)
        return;
    assert(deployment->state == CHAINSI_DEPLOYMENT_STOPPED);
    for (size_t i = 0; i < deployment->options.deploy->services.count; i++) {
        chainsi_chainlet *chainlet = &deployment->chainlets[i];
        chainsi_fleet_free(chainlet->fleet);
        chainsi_handle_close(chainlet->sweeper);
        chainsi_upstream_free(chainlet->calls);
        if (chainlet->calls_fd >= 0)
            close(chainlet->calls_fd);
        if (chainlet->board_fd >= 0)
            close(chainlet->board_fd);
        chainsi_collector_remove(chainlet->spans);
        if (chainlet->spans_fd >= 0)
            close(chainlet->spans_fd);
        chainsi_keeping_release(keeping_of(deployment), chainlet->calls_name);
        chainsi_keeping_release(keeping_of(deployment), chainlet->board_name);
        chainsi_keeping_release(keeping_of(deployment), chainlet->spans_name);
    }
    if (!chainsi_remove_tree(deployment->run_directory))
        chainsi_say("cannot remove %s: %s", deployment->run_directory, strerror(errno));
    release_document(deployment, "stop"); /* last: until then there is something to be done */
    chainsi_handle_close(deployment->review);
    chainsi_arena_done(&deployment->arena);
    free(deployment);
}
