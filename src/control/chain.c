/* Chains. What changes in a deployment asks for a review of its chain; reviews come from the loop
 * and are where deployments change their places: next_one to active, active to retiring, retiring to
 * nothing. */
#include "control/chain.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/handle.h"
#include "control/home.h"
#include "schema/json.h"

enum { MAX_STATE_FILE = 16 * 1024 * 1024 };

static void review(chainsi_chain *chain);

static void on_review(uv_timer_t *timer)
{
    if (timer->data)
        review(timer->data);
}

static void ask_review(void *user)
{
    chainsi_chain *chain = user;
    uv_timer_start(chain->review, on_review, 0, 0);
}

static chainsi_log *find_log(void *user, const char *name)
{
    chainsi_chain *chain = user;
    chainsi_log *found = chainsi_chain_find_log(chain, name);
    if (found)
        return found;
    char *folder = chainsi_path("%s/logs/%s", chain->registry->home, chain->name);
    char *path = chainsi_path("%s/%s.log", folder, name);
    if (!chainsi_make_folders(folder))
        chainsi_say("cannot make %s: %s", folder, strerror(errno));
    chainsi_chain_log *log = chainsi_make(sizeof *log);
    log->name = chainsi_copy_text(name);
    log->log = chainsi_log_new(path);
    log->next = chain->logs;
    chain->logs = log;
    free(path);
    free(folder);
    return log->log;
}

chainsi_log *chainsi_chain_find_log(const chainsi_chain *chain, const char *name)
{
    for (const chainsi_chain_log *log = chain->logs; log; log = log->next)
        if (!strcmp(log->name, name))
            return log->log;
    return NULL;
}

static chainsi_chain *add_chain(chainsi_registry *registry, const char *name)
{
    chainsi_chain *chain = chainsi_make(sizeof *chain);
    chain->registry = registry;
    chain->name = chainsi_copy_text(name);
    chain->review = chainsi_timer_new(registry->supervisor->loop, chain);
    chainsi_chain **at = &registry->chains;
    while (*at && strcmp((*at)->name, name) < 0)
        at = &(*at)->next;
    chain->next = *at;
    *at = chain;
    return chain;
}

static void free_chain(chainsi_chain *chain)
{
    chainsi_chain **at = &chain->registry->chains;
    while (*at != chain)
        at = &(*at)->next;
    *at = chain->next;
    while (chain->logs) {
        chainsi_chain_log *log = chain->logs;
        chain->logs = log->next;
        chainsi_log_free(log->log);
        free((char *)log->name);
        free(log);
    }
    chainsi_handle_close(chain->review);
    free(chain->retiring);
    free(chain->name);
    free(chain);
}

/* What is kept in a file. */

static char *state_path(const chainsi_chain *chain)
{
    return chainsi_path("%s/chains/%s/state.json", chain->registry->home, chain->name);
}

static void save(const chainsi_chain *chain)
{
    chainsi_api_saved saved = {
        .version = chain->active->options.version,
        .deployed_at = chain->deployed_at,
        .deploy = *chain->active->options.deploy,
    };
    chainsi_buffer out = { 0 };
    chainsi_codec_error error;
    char *path = state_path(chain);
    if (chainsi_json_encode(&chainsi_api_saved_type, &saved, &out, &error) != CHAINS_OK)
        chainsi_say("cannot save %s: %s %s", chain->name, error.path, error.message);
    else if (!chainsi_write_file(path, out.data, out.size))
        chainsi_say("cannot write %s: %s", path, strerror(errno));
    chainsi_buffer_done(&out);
    free(path);
}

/* What the keeper holds for "CHAIN/what"; to be freed. */
static char *kept_name(const chainsi_chain *chain, const char *what)
{
    return chainsi_path("%s/%s", chain->name, what);
}

/* Whether the keeper has a deployment of that version: its files are needed. */
static bool is_kept(const chainsi_chain *chain, const char *version)
{
    static const char *const documents[] = { "deploy", "stop" };
    bool kept = false;
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        char *name = chainsi_path("%s/%s/%s", chain->name, version, documents[i]);
        kept = kept || chainsi_keeping_has(chain->registry->supervisor->keeping, name);
        free(name);
    }
    return kept;
}

/* Removes what deployments left that are neither the saved one nor kept. */
static void remove_other_versions(const chainsi_chain *chain, int64_t version)
{
    char *folder = chainsi_path("%s/chains/%s", chain->registry->home, chain->name);
    DIR *entries = opendir(folder);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        char *end;
        long long number = strtoll(entry->d_name, &end, 10);
        if (*end || end == entry->d_name || number == version || is_kept(chain, entry->d_name))
            continue;
        char *path = chainsi_path("%s/%s", folder, entry->d_name);
        if (!chainsi_remove_tree(path))
            chainsi_say("cannot remove %s: %s", path, strerror(errno));
        free(path);
    }
    if (entries)
        closedir(entries);
    free(folder);
}

static chainsi_deployment *make_deployment(chainsi_chain *chain, const chainsi_api_deploy *deploy,
                                           int64_t version, chainsi_deployment_begin begin)
{
    return chainsi_deployment_new(&(chainsi_deployment_options){
        .supervisor = chain->registry->supervisor,
        .home = chain->registry->home,
        .version = version,
        .deploy = deploy,
        .begin = chain->registry->stopping ? CHAINSI_BEGIN_STOPPING : begin,
        .find_log = find_log,
        .on_change = ask_review,
        .user = chain,
    });
}

static void restore_chain(chainsi_registry *registry, const char *name)
{
    char *path = chainsi_path("%s/chains/%s/state.json", registry->home, name);
    size_t size = 0;
    char *text = chainsi_read_file(path, MAX_STATE_FILE, &size);
    chainsi_arena arena = { 0 };
    chainsi_api_saved saved;
    chainsi_codec_error error;
    char why[256];
    if (!text) {
        if (errno != ENOENT && errno != ENOTDIR)
            chainsi_say("cannot read %s: %s", path, strerror(errno));
    } else if (chainsi_json_decode(&chainsi_api_saved_type, text, size, &arena, &saved, &error) !=
               CHAINS_OK) {
        chainsi_say("%s is damaged: %s %s", path, error.path, error.message);
    } else if (strcmp(saved.deploy.chain, name) != 0 || strlen(saved.deployed_at) != 24 ||
               chainsi_api_check_deploy(&saved.deploy, why, sizeof why) != CHAINS_OK) {
        chainsi_say("%s is damaged", path);
    } else {
        chainsi_chain *chain = add_chain(registry, name);
        memcpy(chain->deployed_at, saved.deployed_at, sizeof chain->deployed_at);
        chain->last_version = saved.version;
        remove_other_versions(chain, saved.version);
        chain->active = make_deployment(chain, &saved.deploy, saved.version, CHAINSI_BEGIN_RUNNING);
    }
    chainsi_arena_done(&arena);
    free(text);
    free(path);
}

static void retire(chainsi_chain *chain, chainsi_deployment *deployment);

static bool has_version(const chainsi_chain *chain, int64_t version)
{
    for (size_t i = 0; i < chain->retiring_count; i++)
        if (chain->retiring[i]->options.version == version)
            return true;
    return (chain->active && chain->active->options.version == version) ||
           (chain->next_one && chain->next_one->options.version == version);
}

/* Takes up a deployment that isn't the saved one: it was to become it, or to end. */
static void restore_version(chainsi_registry *registry, const chainsi_api_saved *saved, bool stop)
{
    chainsi_slice name = { saved->deploy.chain, strlen(saved->deploy.chain) };
    chainsi_chain *chain = registry->chains;
    while (chain && !chainsi_slice_is(name, chain->name))
        chain = chain->next;
    if (!chain) {
        chain = add_chain(registry, saved->deploy.chain);
        char *mark = kept_name(chain, "delete");
        chain->deleting = chainsi_keeping_has(registry->supervisor->keeping, mark);
        free(mark);
    }
    if (has_version(chain, saved->version))
        return;
    bool newest = saved->version > chain->last_version;
    if (newest)
        chain->last_version = saved->version;
    if (stop || !newest || chain->deleting) {
        retire(chain,
               make_deployment(chain, &saved->deploy, saved->version, CHAINSI_BEGIN_STOPPING));
        return;
    }
    if (chain->next_one)
        retire(chain, chain->next_one);
    bool copied = chainsi_deployment_is_copied(&saved->deploy, registry->home, saved->version);
    chain->next_one = make_deployment(chain, &saved->deploy, saved->version,
                                      copied ? CHAINSI_BEGIN_STARTING : CHAINSI_BEGIN_COPYING);
}

static void restore_document(chainsi_registry *registry, const char *name, int fd, bool stop)
{
    struct stat info = { 0 };
    size_t size = fstat(fd, &info) == 0 ? (size_t)info.st_size : 0;
    chainsi_arena arena = { 0 };
    char *text = chainsi_arena_alloc(&arena, size + 1);
    chainsi_api_saved saved;
    chainsi_codec_error error;
    char why[256];
    if (pread(fd, text, size, 0) != (ssize_t)size ||
        chainsi_json_decode(&chainsi_api_saved_type, text, size, &arena, &saved, &error) !=
            CHAINS_OK ||
        chainsi_api_check_deploy(&saved.deploy, why, sizeof why) != CHAINS_OK) {
        chainsi_say("what is kept as %s can't be read", name);
        chainsi_keeping_release(registry->supervisor->keeping, name);
    } else {
        restore_version(registry, &saved, stop);
    }
    chainsi_arena_done(&arena);
}

/* Takes up the deployments that are kept as "CHAIN/VERSION/what". */
static void restore_documents(chainsi_registry *registry, const char *what)
{
    chainsi_keeping *keeping = registry->supervisor->keeping;
    for (const chainsi_found *found = chainsi_keeping_found(keeping); found;) {
        const char *end = strrchr(found->said.name, '/');
        if (found->is_process || !end || strcmp(end + 1, what) != 0) {
            found = found->next;
            continue;
        }
        char *name = chainsi_copy_text(found->said.name);
        int fd = chainsi_keeping_take(keeping, name);
        restore_document(registry, name, fd, !strcmp(what, "stop"));
        if (fd >= 0)
            close(fd);
        free(name);
        found = chainsi_keeping_found(keeping); /* others are gone as well */
    }
}

void chainsi_registry_restore(chainsi_registry *registry)
{
    char *folder = chainsi_path("%s/chains", registry->home);
    DIR *entries = opendir(folder);
    for (struct dirent *entry; entries && (entry = readdir(entries));)
        if (entry->d_name[0] != '.')
            restore_chain(registry, entry->d_name);
    if (entries)
        closedir(entries);
    free(folder);
    restore_documents(registry, "stop"); /* first: one that was just being stopped is both */
    restore_documents(registry, "deploy");
    chainsi_keeping_settle(registry->supervisor->keeping);
}

/* Deployments change places. */

static void retire(chainsi_chain *chain, chainsi_deployment *deployment)
{
    chainsi_deployment **list =
        realloc(chain->retiring, (chain->retiring_count + 1) * sizeof *list);
    if (!list)
        abort();
    chain->retiring = list;
    list[chain->retiring_count++] = deployment;
    chainsi_deployment_stop(deployment);
    ask_review(chain);
}

static void promote(chainsi_chain *chain)
{
    chainsi_deployment *before = chain->active;
    chain->active = chain->next_one;
    chain->next_one = NULL;
    chainsi_time_text(chain->deployed_at);
    save(chain);
    if (chain->failed)
        retire(chain, chain->failed);
    chain->failed = NULL;
    if (before)
        retire(chain, before);
}

static void free_retired(chainsi_chain *chain)
{
    for (size_t i = 0; i < chain->retiring_count;) {
        chainsi_deployment *deployment = chain->retiring[i];
        if (deployment->state != CHAINSI_DEPLOYMENT_STOPPED) {
            i++;
            continue;
        }
        chain->retiring[i] = chain->retiring[--chain->retiring_count];
        chainsi_deployment_free(deployment, deployment->options.version != chain->kept_version);
    }
}

static void finish_deletion(chainsi_chain *chain)
{
    const char *kinds[] = { "chains", "run", "logs" };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char *path = chainsi_path("%s/%s/%s", chain->registry->home, kinds[i], chain->name);
        if (!chainsi_remove_tree(path))
            chainsi_say("cannot remove %s: %s", path, strerror(errno));
        free(path);
    }
    char *mark = kept_name(chain, "delete");
    chainsi_keeping_release(chain->registry->supervisor->keeping, mark);
    free(mark);
    chainsi_say("%s: deleted", chain->name);
    if (chain->on_deleted)
        chain->on_deleted(chain->deleted_user);
    free_chain(chain);
}

static void on_all_stopped(uv_timer_t *timer)
{
    chainsi_registry *registry = timer->data;
    if (!registry)
        return;
    chainsi_handle_close(registry->stopped);
    registry->stopped = NULL;
    registry->on_stopped(registry->user);
}

static void review_stopping(chainsi_registry *registry)
{
    if (registry->stopping && !registry->chains && registry->stopped)
        uv_timer_start(registry->stopped, on_all_stopped, 0, 0);
}

static void review(chainsi_chain *chain)
{
    chainsi_registry *registry = chain->registry;
    if (chain->next_one) {
        if (chain->next_one->state == CHAINSI_DEPLOYMENT_RUNNING) {
            promote(chain);
        } else if (chain->next_one->failure[0]) {
            chainsi_deployment *before = chain->failed;
            chain->failed = chain->next_one;
            chain->next_one = NULL;
            if (before)
                retire(chain, before);
        }
    }
    free_retired(chain);
    if (chain->active || chain->next_one || chain->failed || chain->retiring_count)
        return;
    if (chain->deleting)
        finish_deletion(chain);
    else
        free_chain(chain); /* the daemon is stopping, or what there was of it was given up */
    review_stopping(registry);
}

/* Requests. */

chainsi_registry *chainsi_registry_new(chainsi_supervisor *supervisor, const char *home,
                                       void (*on_stopped)(void *user), void *user)
{
    chainsi_registry *registry = chainsi_make(sizeof *registry);
    registry->supervisor = supervisor;
    registry->home = chainsi_copy_text(home);
    registry->on_stopped = on_stopped;
    registry->user = user;
    registry->stopped = chainsi_timer_new(supervisor->loop, registry);
    return registry;
}

void chainsi_registry_free(chainsi_registry *registry)
{
    if (!registry)
        return;
    chainsi_handle_close(registry->stopped);
    free(registry->home);
    free(registry);
}

chainsi_chain *chainsi_registry_find(const chainsi_registry *registry, chainsi_slice name)
{
    for (chainsi_chain *chain = registry->chains; chain; chain = chain->next)
        if (chainsi_slice_is(name, chain->name))
            return chain->deleting ? NULL : chain;
    return NULL;
}

chains_status chainsi_registry_deploy(chainsi_registry *registry, const chainsi_api_deploy *deploy,
                                      int64_t *version, char *why, size_t why_size)
{
    chains_status status = chainsi_api_check_deploy(deploy, why, why_size);
    if (status != CHAINS_OK)
        return status;
    if (registry->stopping) {
        snprintf(why, why_size, "chainsd is stopping");
        return CHAINS_UNAVAILABLE;
    }
    chainsi_chain *chain = registry->chains;
    while (chain && strcmp(chain->name, deploy->chain) != 0)
        chain = chain->next;
    if (chain && chain->deleting) {
        snprintf(why, why_size, "'%s' is being deleted", deploy->chain);
        return CHAINS_ABORTED;
    }
    if (!chain)
        chain = add_chain(registry, deploy->chain);
    if (chain->next_one) {
        chainsi_deployment *before = chain->next_one;
        chain->next_one = NULL;
        retire(chain, before);
    }
    *version = ++chain->last_version;
    chain->next_one = make_deployment(chain, deploy, *version, CHAINSI_BEGIN_COPYING);
    chainsi_keeping_flush(registry->supervisor->keeping); /* it counts as accepted from here on */
    ask_review(chain);
    return CHAINS_OK;
}

/* Stops all of a chain's versions. */
static void stop_chain(chainsi_chain *chain)
{
    if (chain->active && !chain->deleting)
        chain->kept_version = chain->active->options.version;
    chainsi_deployment *all[] = { chain->active, chain->next_one, chain->failed };
    chain->active = chain->next_one = chain->failed = NULL;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i])
            retire(chain, all[i]);
    ask_review(chain);
}

void chainsi_chain_delete(chainsi_chain *chain, void (*on_deleted)(void *user), void *user)
{
    chain->deleting = true;
    chain->on_deleted = on_deleted;
    chain->deleted_user = user;
    char *mark = kept_name(chain, "delete");
    int fd = memfd_create("delete", MFD_CLOEXEC);
    if (fd >= 0) {
        chainsi_keeping_hold(chain->registry->supervisor->keeping, mark, fd);
        close(fd);
    }
    free(mark);
    char *path = state_path(chain);
    if (!chainsi_remove_tree(path)) /* first, so that no restart takes half of it up again */
        chainsi_say("cannot remove %s: %s", path, strerror(errno));
    free(path);
    stop_chain(chain);
}

void chainsi_registry_stop(chainsi_registry *registry)
{
    registry->stopping = true;
    for (chainsi_chain *chain = registry->chains; chain; chain = chain->next)
        stop_chain(chain);
    review_stopping(registry);
}

void chainsi_registry_kill(chainsi_registry *registry)
{
    for (chainsi_replica *replica = registry->supervisor->replicas; replica;
         replica = replica->next)
        chainsi_replica_kill(replica);
}

void chainsi_registry_bury(chainsi_registry *registry)
{
    for (const chainsi_replica *replica = registry->supervisor->replicas; replica;
         replica = replica->next)
        if (replica->pid)
            kill(-replica->pid, SIGKILL);
}
