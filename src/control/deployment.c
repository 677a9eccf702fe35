/* Versions of chains. Whatever happens to a replica only asks for a review, which the loop calls
 * later: one place decides, and never in the midst of a change. */
#include "control/deployment.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "control/document.h"
#include "control/handle.h"
#include "control/home.h"
#include "control/process.h"
#include "control/swap.h"
#include "schema/json.h"
#include "schema/value.h"

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

void chainsi_deployment_review_later(void *user)
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

void chainsi_deployment_give_up(chainsi_deployment *deployment, const char *why)
{
    fail(deployment, NULL, why, "");
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

void chainsi_deployment_hold(chainsi_deployment *deployment)
{
    hold_document(deployment, "deploy");
}

static void release_document(chainsi_deployment *deployment, const char *as)
{
    char *name = chainsi_path("%s/%s", deployment->name, as);
    chainsi_keeping_release(keeping_of(deployment), name);
    free(name);
}

static void begin_scaling(chainsi_deployment *deployment)
{
    for (size_t i = 0; i < deployment->options.deploy->services.count; i++)
        chainsi_chainlet_begin_scaling(&deployment->chainlets[i]);
}

static void start_all(chainsi_deployment *deployment)
{
    char why[256];
    size_t count = deployment->options.deploy->services.count;
    chainsi_deployment_begin begin = deployment->options.begin;
    if (!chainsi_make_folders(deployment->run_directory)) {
        fail(deployment, NULL, "cannot make the folder of its sockets", strerror(errno));
        return;
    }
    for (size_t i = 0; i < count; i++)
        chainsi_chainlet_open_shared(&deployment->chainlets[i]);
    for (size_t i = 0; i < count; i++) {
        if (chainsi_chainlet_take_up(&deployment->chainlets[i], why, sizeof why))
            continue;
        fail(deployment, deployment->chainlets[i].service->name, "cannot listen", why);
        return;
    }
    if (begin != CHAINSI_BEGIN_STOPPING)
        set_state(deployment, begin == CHAINSI_BEGIN_RUNNING ? CHAINSI_DEPLOYMENT_RUNNING
                                                             : CHAINSI_DEPLOYMENT_STARTING);
    for (size_t i = 0; i < count && begin != CHAINSI_BEGIN_STOPPING; i++) {
        if (chainsi_chainlet_start_first(&deployment->chainlets[i], why, sizeof why))
            continue;
        fail(deployment, deployment->chainlets[i].service->name, "cannot listen", why);
        return;
    }
    /* What stops is scaled until its turn comes: its callers' calls may still need it. */
    if (begin == CHAINSI_BEGIN_RUNNING || begin == CHAINSI_BEGIN_STOPPING)
        begin_scaling(deployment);
    if (begin == CHAINSI_BEGIN_RUNNING)
        chainsi_swap_clean(deployment);
    if (begin == CHAINSI_BEGIN_STOPPING)
        chainsi_deployment_stop(deployment);
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

int chainsi_deployment_copy(const char *from, const char *to)
{
    char *part = chainsi_path("%s.part", to);
    uv_fs_t copying;
    int error = uv_fs_copyfile(NULL, &copying, from, part, UV_FS_COPYFILE_FICLONE, NULL);
    uv_fs_req_cleanup(&copying);
    if (!error)
        error = sync_file(part);
    if (!error && !chainsi_replace_file(part, to))
        error = uv_translate_sys_error(errno);
    free(part);
    return error;
}

/* On a thread of the pool. */
static void copy_binary(uv_work_t *request)
{
    copy *doing = (copy *)request;
    doing->error = chainsi_deployment_copy(doing->from, doing->chainlet->service->binary);
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
    chainsi_deployment_review_later(deployment);
}

static char *binary_path(const char *home, const char *chain, int64_t version,
                         const chainsi_api_service *service)
{
    return chainsi_path("%s/chains/%s/%lld/%s", home, chain, (long long)version,
                        service->program ? service->program : service->c_name);
}

/* Has a service run the copy of its program. */
static void use_copy(chainsi_deployment *deployment, chainsi_api_service *service)
{
    char *path = binary_path(deployment->options.home, deployment->options.deploy->chain,
                             deployment->options.version, service);
    service->binary = chainsi_arena_strdup(&deployment->arena, path);
    free(path);
}

void chainsi_deployment_use(chainsi_deployment *deployment, chainsi_api_service *service,
                            const char *program)
{
    service->program = chainsi_arena_strdup(&deployment->arena, program);
    use_copy(deployment, service);
}

bool chainsi_deployment_is_copied(const chainsi_api_deploy *deploy, const char *home,
                                  int64_t version)
{
    bool copied = true;
    for (size_t i = 0; copied && i < deploy->services.count; i++) {
        char *path = binary_path(home, deploy->chain, version, &deploy->services.items[i]);
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

/* Assets. */

static void on_assets_end(void *user, chains_status status, const char *service, const char *why)
{
    chainsi_deployment *deployment = user;
    if (status != CHAINS_OK && deployment->state == CHAINSI_DEPLOYMENT_COPYING)
        fail(deployment, service, why, "");
    else if (status != CHAINS_OK)
        chainsi_say("%s: %s", deployment->title, why);
    chainsi_deployment_review_later(deployment);
}

static void find_assets(chainsi_deployment *deployment)
{
    deployment->assets = chainsi_asset_folders_new(&(chainsi_asset_folders_options){
        .assets = deployment->options.assets,
        .home = deployment->options.home,
        .directory = deployment->directory,
        .services = &deployment->options.deploy->services,
        .anew = deployment->options.begin == CHAINSI_BEGIN_COPYING,
        .on_end = on_assets_end,
        .user = deployment,
    });
}

/* Whether all that it needs to start has been copied and fetched. */
static bool is_provided(const chainsi_deployment *deployment)
{
    return !deployment->copies && !(deployment->assets && deployment->assets->job);
}

chainsi_deployment *chainsi_deployment_new(const chainsi_deployment_options *options)
{
    chainsi_deployment *deployment = chainsi_make(sizeof *deployment);
    chainsi_arena *arena = &deployment->arena;
    const char *chain = options->deploy->chain;
    deployment->options = *options;
    chainsi_api_deploy *deploy = chainsi_arena_alloc(arena, sizeof *deploy);
    chainsi_value_copy(&chainsi_api_deploy_type, options->deploy, deploy, arena);
    deployment->options.deploy = deploy;
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
        chainsi_chainlet_init(&deployment->chainlets[i], deployment, service);
        if (!strcmp(service->name, options->deploy->entrypoint))
            deployment->entrypoint = i;
    }
    const bool pods =
        options->supervisor->pods; /* they bring their programs, and fetch what they need */
    if (pods && !chainsi_make_folders(deployment->directory)) /* for documents (document.h) */
        chainsi_say("cannot make %s: %s", deployment->directory, strerror(errno));
    /* Before anything of it: whatever is begun, somebody knows whose it is. */
    if (options->begin != CHAINSI_BEGIN_STOPPING && !pods) {
        chainsi_deployment_hold(deployment);
        find_assets(deployment);
    }
    /* What has been running goes on, whatever has become of its assets meanwhile. */
    if (options->begin == CHAINSI_BEGIN_COPYING && pods)
        deployment->options.begin = CHAINSI_BEGIN_STARTING;
    if (deployment->options.begin == CHAINSI_BEGIN_COPYING)
        copy_binaries(deployment);
    else if (options->begin != CHAINSI_BEGIN_STARTING || is_provided(deployment))
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

void chainsi_deployment_rescale(chainsi_deployment *deployment, const char *name)
{
    chainsi_chainlet *chainlet = chainsi_deployment_find(deployment, name);
    if (chainlet)
        chainsi_chainlet_rescale(chainlet);
}

/* Stopping. */

static bool calls(const chainsi_chainlet *caller, const chainsi_chainlet *callee)
{
    for (size_t i = 0; i < caller->service->dependencies.count; i++)
        if (!strcmp(caller->service->dependencies.items[i], callee->service->name))
            return true;
    return false;
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
                         !chainsi_chainlet_has_ended(&deployment->chainlets[k]);
            if (!called && !chainlet->stop_asked) {
                chainsi_chainlet_stop(chainlet);
                again = true;
            }
            ended += chainsi_chainlet_has_ended(chainlet);
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
    chainsi_deployment_review_later(deployment);
}

/* Has calls of a Chainlet that has failed answered, and those of one that is tried again wait. */
static void review_running(chainsi_deployment *deployment)
{
    for (size_t i = 0; i < deployment->options.deploy->services.count; i++) {
        chainsi_chainlet *chainlet = &deployment->chainlets[i];
        chainsi_document_keep(chainlet);
        if (chainlet->pods)
            continue; /* its calls wait here, and end by their deadlines */
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
        chainsi_chainlet_review(&deployment->chainlets[i]);
    switch (deployment->state) {
    case CHAINSI_DEPLOYMENT_COPYING:
        if (is_provided(deployment) && !deployment->stop_asked)
            start_all(deployment);
        break;
    case CHAINSI_DEPLOYMENT_STARTING:
        review_start(deployment);
        break;
    case CHAINSI_DEPLOYMENT_STOPPING:
        review_stop(deployment);
        break;
    case CHAINSI_DEPLOYMENT_RUNNING:
        chainsi_swap_review(deployment);
        review_running(deployment);
        break;
    case CHAINSI_DEPLOYMENT_STOPPED:
        break;
    }
}

void chainsi_deployment_stop(chainsi_deployment *deployment)
{
    if (deployment->stop_asked) {
        chainsi_deployment_review_later(
            deployment); /* what it waits for may be none of its business any more */
        return;
    }
    deployment->stop_asked = true;
    chainsi_swap_abort(deployment);
    chainsi_asset_folders_stop(deployment->assets);
    if (!deployment->options.supervisor->pods) {
        hold_document(deployment, "stop");
        release_document(deployment, "deploy");
    }
    set_state(deployment, CHAINSI_DEPLOYMENT_STOPPING);
    chainsi_deployment_review_later(deployment);
}

void chainsi_deployment_kill(chainsi_deployment *deployment)
{
    for (size_t i = 0; i < deployment->options.deploy->services.count; i++)
        chainsi_chainlet_kill(&deployment->chainlets[i]);
}

void chainsi_deployment_free(chainsi_deployment *deployment)
{
    if (!deployment)
        return;
    assert(deployment->state == CHAINSI_DEPLOYMENT_STOPPED);
    for (size_t i = 0; i < deployment->options.deploy->services.count; i++)
        chainsi_chainlet_close(&deployment->chainlets[i]);
    chainsi_asset_folders_free(deployment->assets);
    if (!chainsi_remove_tree(deployment->run_directory))
        chainsi_say("cannot remove %s: %s", deployment->run_directory, strerror(errno));
    if (!deployment->options.supervisor->pods)
        release_document(deployment, "stop"); /* last: until then there is something to be done */
    chainsi_handle_close(deployment->review);
    chainsi_arena_done(&deployment->arena);
    free(deployment);
}
