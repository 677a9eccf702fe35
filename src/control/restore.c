/* Taking up what was deployed: the state says which deployments are wanted, and how far each environment
 * was on its way; the keeper has what runs. What the keeper has and the state doesn't want ends.
 *
 * A home of a chainsd that had no state has a state.json for each chain: it is read once, into the
 * state, and removed. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/chain.h"
#include "control/handle.h"
#include "control/home.h"
#include "control/store_transitions.h"
#include "schema/json.h"

enum { MAX_STATE_FILE = 16 * 1024 * 1024 };

/* A document that the keeper holds. */
typedef struct document {
    chainsi_api_saved saved;
    bool stop;  /* it was to end */
    bool taken; /* its deployment is there again */
    struct document *next;
} document;

typedef struct restoring {
    chainsi_registry *registry;
    chainsi_database *reader;
    chainsi_arena arena;
    document *documents;
    bool failed;
} restoring;

/* What the keeper holds. */

static void read_document(restoring *r, const char *name, int fd, bool stop)
{
    struct stat info = { 0 };
    size_t size = fstat(fd, &info) == 0 ? (size_t)info.st_size : 0;
    char *text = chainsi_arena_alloc(&r->arena, size + 1);
    document *found = chainsi_arena_alloc(&r->arena, sizeof *found);
    chainsi_codec_error error;
    char why[256];
    if (pread(fd, text, size, 0) != (ssize_t)size ||
        chainsi_json_decode(&chainsi_api_saved_type, text, size, &r->arena, &found->saved,
                            &error) != CHAINS_OK ||
        chainsi_api_check_deploy(&found->saved.deploy, why, sizeof why) != CHAINS_OK) {
        chainsi_say("what is kept as %s can't be read", name);
        chainsi_keeping_release(r->registry->supervisor->keeping, name);
        return;
    }
    found->stop = stop;
    found->next = r->documents;
    r->documents = found;
}

static bool is_read(const restoring *r, const chainsi_api_saved *saved)
{
    for (const document *each = r->documents; each; each = each->next)
        if (&each->saved != saved && !strcmp(each->saved.run, saved->run) &&
            !strcmp(each->saved.deploy.chain, saved->deploy.chain))
            return true;
    return false;
}

/* Reads the deployments that are kept as "CHAIN/ENVIRONMENT/RUN/what". */
static void read_documents(restoring *r, const char *what)
{
    chainsi_keeping *keeping = r->registry->supervisor->keeping;
    for (const chainsi_found *found = chainsi_keeping_found(keeping); found;) {
        const char *end = strrchr(found->said.name, '/');
        if (found->is_process || !end || strcmp(end + 1, what) != 0) {
            found = found->next;
            continue;
        }
        char *name = chainsi_copy_text(found->said.name);
        int fd = chainsi_keeping_take(keeping, name);
        read_document(r, name, fd, !strcmp(what, "stop"));
        /* One that was just being stopped is both: then it stops. */
        if (r->documents && is_read(r, &r->documents->saved))
            r->documents->taken = true;
        if (fd >= 0)
            close(fd);
        free(name);
        found = chainsi_keeping_found(keeping); /* others are gone as well */
    }
}

/* The document of the deployment of a version that wasn't to end; NULL. */
static document *find_document(const restoring *r, const chainsi_environment *environment,
                               int64_t version)
{
    for (document *each = r->documents; each; each = each->next)
        if (!each->stop && !each->taken && each->saved.version == version &&
            !strcmp(each->saved.deploy.chain, environment->chain->name) &&
            !strcmp(each->saved.deploy.environment, environment->name))
            return each;
    return NULL;
}

/* What the state says. */

static void note_failure(restoring *r, chains_status status)
{
    if (status == CHAINS_OK)
        return;
    chainsi_say("the state can't be read: %s", chainsi_database_why(r->reader));
    r->failed = true;
}

static chainsi_chain *find_chain(const chainsi_registry *registry, const char *name)
{
    chainsi_chain *chain = registry->chains;
    while (chain && strcmp(chain->name, name) != 0)
        chain = chain->next;
    return chain;
}

/* The deployment of a version, as the keeper has it if it does. NULL: there can't be one. */
static chainsi_deployment *take_up(restoring *r, chainsi_environment *environment, const char *id,
                                   chainsi_deployment_begin begin)
{
    chainsi_stored_version version;
    chains_status status =
        chainsi_stored_version_find(r->reader, environment->chain->name, id, &r->arena, &version);
    note_failure(r, status);
    if (status != CHAINS_OK)
        return NULL;
    document *found = find_document(r, environment, version.number);
    if (found)
        found->taken = true;
    if (begin == CHAINSI_BEGIN_STARTING && version.state == CHAINSI_VERSION_STARTING &&
        !r->registry->supervisor->pods &&
        !chainsi_deployment_is_copied(&version.deploy, r->registry->home, version.number))
        begin = CHAINSI_BEGIN_COPYING;
    return chainsi_environment_deployment(environment, &version, found ? found->saved.run : NULL,
                                          begin);
}

static void restore_scales(restoring *r, chainsi_environment *environment)
{
    chainsi_stored_scales scales = { 0 };
    note_failure(r, chainsi_stored_scale_list(r->reader, environment->chain->name,
                                              environment->name, &r->arena, &scales));
    for (size_t i = 0; i < scales.count; i++)
        chainsi_scales_set(&environment->scales, &scales.items[i]);
}

static void restore_environment(restoring *r, const chainsi_stored_environment *stored)
{
    chainsi_chain *chain = find_chain(r->registry, stored->chain);
    chainsi_environment *environment =
        chain && !chain->deleting ? chainsi_chain_make_environment(chain, stored->name) : NULL;
    if (!environment)
        return;
    restore_scales(r, environment);
    chainsi_deployment *current = take_up(r, environment, stored->version, CHAINSI_BEGIN_RUNNING);
    if (current)
        chainsi_environment_take_current(environment, current, stored);
    if (!stored->canary_version)
        return;
    chainsi_deployment *tried =
        take_up(r, environment, stored->canary_version, CHAINSI_BEGIN_RUNNING);
    if (tried)
        chainsi_environment_take_trial(environment, tried, stored);
}

static void restore_transition(restoring *r, const chainsi_stored_transition *stored)
{
    chainsi_chain *chain = find_chain(r->registry, stored->chain);
    chainsi_environment *environment =
        chain && !chain->deleting ? chainsi_chain_make_environment(chain, stored->environment)
                                  : NULL;
    if (!environment)
        return;
    chainsi_deployment *candidate =
        take_up(r, environment, stored->version, CHAINSI_BEGIN_STARTING);
    if (candidate)
        chainsi_environment_take_candidate(
            environment, candidate,
            &(chainsi_api_canary){ stored->percent, stored->max_error_rate_increase,
                                   stored->max_p99_ratio, stored->minutes });
}

/* Ends what the keeper has and nobody wants. */
static void end_document(restoring *r, document *found)
{
    chainsi_registry *registry = r->registry;
    const chainsi_api_saved *saved = &found->saved;
    chainsi_chain *chain = find_chain(registry, saved->deploy.chain);
    if (!chain)
        chain = chainsi_chain_new(registry, saved->deploy.chain);
    chainsi_environment *environment =
        chainsi_chain_make_environment(chain, saved->deploy.environment);
    chainsi_stored_version version = {
        .chain = chain->name,
        .id = saved->id,
        .number = saved->version,
        .deploy = saved->deploy,
    };
    found->taken = true;
    chainsi_environment_retire(
        environment,
        chainsi_environment_deployment(environment, &version, saved->run, CHAINSI_BEGIN_STOPPING));
}

/* Programs that nothing refers to: their removal was under way, or the copying of those of a version
 * that was never accepted. */
static void remove_other_programs(restoring *r, chainsi_chain *chain)
{
    char *folder = chainsi_path("%s/chains/%s", r->registry->home, chain->name);
    DIR *entries = opendir(folder);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        char *end;
        long long number = strtoll(entry->d_name, &end, 10);
        if (*end || end == entry->d_name)
            continue;
        chainsi_stored_version version;
        chains_status status =
            chainsi_stored_version_find(r->reader, chain->name, entry->d_name, &r->arena, &version);
        /* Another one may be called by that number. */
        if (status == CHAINS_NOT_FOUND ||
            (status == CHAINS_OK && version.number == number && !version.artefacts))
            chainsi_chain_collect(chain, &(int64_t){ number }, 1);
    }
    if (entries)
        closedir(entries);
    free(folder);
}

/* What was there before there was a state. */

/* A change that takes a chain over as it was; arguments: what its file says. */
static chains_status import_saved(chainsi_database *database, void *arguments)
{
    const chainsi_api_saved *saved = arguments;
    const char *chain = saved->deploy.chain;
    chainsi_arena arena = { 0 };
    chainsi_stored_version version = {
        .chain = chain,
        .state = CHAINSI_VERSION_READY,
        .deploy = saved->deploy,
        .ready_at = saved->deployed_at,
    };
    chains_status status = chainsi_stored_chain_put(database, chain, saved->deploy.entrypoint);
    if (status == CHAINS_OK) {
        chainsi_statement count = chainsi_statement_begin(
            database, "UPDATE chains SET last_number = :before WHERE name = :chain");
        chainsi_statement_text(&count, ":chain", chain);
        chainsi_statement_integer(&count, ":before", saved->version - 1);
        status = chainsi_statement_run(&count);
    }
    if (status == CHAINS_OK)
        status = chainsi_stored_version_add(database, &arena, &version);
    if (status == CHAINS_OK)
        status = chainsi_stored_version_set_artefacts(
            database, chain, version.id,
            chainsi_arena_printf(&arena, "chains/%s/%lld", chain, (long long)saved->version));
    if (status == CHAINS_OK)
        status =
            chainsi_stored_environment_promote(database, chain, CHAINSI_PRODUCTION, version.id);
    if (status == CHAINS_OK) {
        chainsi_statement since = chainsi_statement_begin(
            database, "UPDATE environments SET since = :since WHERE chain = :chain");
        chainsi_statement_text(&since, ":chain", chain);
        chainsi_statement_text(&since, ":since", saved->deployed_at);
        status = chainsi_statement_run(&since);
    }
    chainsi_arena_done(&arena);
    return status;
}

static void import_file(restoring *r, const char *chain, const char *path, const char *text,
                        size_t size)
{
    chainsi_api_saved saved;
    chainsi_codec_error error;
    chainsi_stored_chain known;
    char why[512] = "";
    if (chainsi_json_decode(&chainsi_api_saved_type, text, size, &r->arena, &saved, &error) !=
        CHAINS_OK) {
        chainsi_say("%s is damaged: %s %s", path, error.path, error.message);
    } else if (strcmp(saved.deploy.chain, chain) != 0 || strlen(saved.deployed_at) != 24 ||
               saved.version < 1 ||
               chainsi_api_check_deploy(&saved.deploy, why, sizeof why) != CHAINS_OK) {
        chainsi_say("%s is damaged", path);
    } else if (chainsi_stored_chain_find(r->reader, chain, &r->arena, &known) == CHAINS_OK) {
        unlink(path); /* it was taken over, and the daemon killed at once */
    } else if (chainsi_store_write_now(r->registry->store, import_saved, &saved, why, sizeof why) !=
               CHAINS_OK) {
        chainsi_say("cannot take %s over: %s", path, why);
        r->failed = true;
    } else {
        chainsi_say("%s has been taken over into the state", path);
        unlink(path);
    }
}

static void import_files(restoring *r)
{
    char *folder = chainsi_path("%s/chains", r->registry->home);
    DIR *entries = opendir(folder);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        if (entry->d_name[0] == '.')
            continue;
        char *path = chainsi_path("%s/%s/state.json", folder, entry->d_name);
        size_t size = 0;
        char *text = chainsi_read_file(path, MAX_STATE_FILE, &size);
        if (text)
            import_file(r, entry->d_name, path, text, size);
        else if (errno != ENOENT && errno != ENOTDIR)
            chainsi_say("cannot read %s: %s", path, strerror(errno));
        free(text);
        free(path);
    }
    if (entries)
        closedir(entries);
    free(folder);
}

bool chainsi_registry_restore(chainsi_registry *registry)
{
    restoring r = { .registry = registry, .reader = chainsi_store_reader(registry->store) };
    chainsi_stored_chains chains = { 0 };
    chainsi_stored_environments environments = { 0 };
    chainsi_stored_transitions transitions = { 0 };
    import_files(&r);
    read_documents(&r, "stop");
    read_documents(&r, "deploy");
    note_failure(&r, chainsi_stored_chain_list(r.reader, &r.arena, &chains));
    note_failure(&r, chainsi_stored_environment_list(r.reader, NULL, &r.arena, &environments));
    note_failure(&r, chainsi_stored_transition_list(r.reader, &r.arena, &transitions));
    for (size_t i = 0; i < chains.count; i++) {
        chainsi_chain *chain = chainsi_chain_new(registry, chains.items[i].name);
        chain->stored = true;
        chain->deleting = chains.items[i].deleting;
    }
    /* What ends comes first: its names are taken. */
    for (document *each = r.documents; !r.failed && each; each = each->next)
        if (each->stop && !each->taken)
            end_document(&r, each);
    for (size_t i = 0; !r.failed && i < environments.count; i++)
        restore_environment(&r, &environments.items[i]);
    for (size_t i = 0; !r.failed && i < transitions.count; i++)
        restore_transition(&r, &transitions.items[i]);
    for (document *each = r.documents; !r.failed && each; each = each->next)
        if (!each->taken)
            end_document(&r, each);
    for (chainsi_chain *chain = registry->chains; !r.failed && chain; chain = chain->next) {
        if (chain->deleting)
            chainsi_chain_delete_on(chain);
        else
            remove_other_programs(&r, chain);
    }
    if (!r.failed) {
        chainsi_keeping_settle(registry->supervisor->keeping);
        chainsi_history_settle(registry->supervisor->history);
    }
    chainsi_sweep_ask(registry->sweep);
    chainsi_arena_done(&r.arena);
    return !r.failed;
}
