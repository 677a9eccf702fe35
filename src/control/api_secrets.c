/* Secrets over the API: see api.h. No answer has a value, and no error repeats one. What is for one chain
 * may be changed with an admin's key for that chain. */
#include <openssl/crypto.h>
#include <string.h>

#include "control/route.h"
#include "control/store_keys.h"

/* A change on its way, in the write's arena. */
typedef struct secret_change {
    chainsi_routes *routes;
    chainsi_exchange *exchange; /* NULL: the client has left */
    const char *chain, *name;   /* chain NULL: for all */
    const char *kept_name;
    chains_bytes sealed;
} secret_change;

static void on_asker_gone(chainsi_exchange *exchange)
{
    secret_change *change = exchange->user;
    change->exchange = NULL;
}

static bool is_named(const chains_string_list *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (!strcmp(names->items[i], name))
            return true;
    return false;
}

/* Whether it is this one that the process gets: a chain's own goes before the one for all. */
static bool is_handed(const secret_change *change, const chainsi_replica_options *options,
                      chainsi_arena *arena)
{
    chainsi_stored_secret own;
    if (!options->secrets_name || !is_named(options->secrets, change->name))
        return false;
    if (change->chain)
        return !strcmp(change->chain, options->chain);
    return chainsi_stored_secret_find(chainsi_store_reader(change->routes->store),
                                      chainsi_vault_kept_name(options->chain, change->name, arena),
                                      arena, &own) == CHAINS_NOT_FOUND;
}

/* The Chainlets whose processes get the secret. */
static chains_string_list list_users(const secret_change *change, chainsi_arena *arena)
{
    chains_string_list users = { 0 };
    const chainsi_replica *replicas = change->routes->registry->supervisor->replicas;
    size_t count = 0;
    for (const chainsi_replica *replica = replicas; replica; replica = replica->next)
        count++;
    users.items = chainsi_arena_array(arena, count, sizeof *users.items);
    for (const chainsi_replica *replica = replicas; replica; replica = replica->next) {
        const char *label = replica->options.label;
        if (replica->state != CHAINSI_REPLICA_DRAINING &&
            replica->state != CHAINSI_REPLICA_STOPPED && !is_named(&users, label) &&
            is_handed(change, &replica->options, arena))
            users.items[users.count++] = chainsi_arena_strdup(arena, label);
    }
    return users;
}

static void on_changed(chainsi_write *write, chains_status status, const char *why)
{
    const secret_change *change = write->arguments;
    chainsi_exchange *exchange = change->exchange;
    if (status == CHAINS_OK)
        chainsi_say("the secret %s was %s", change->kept_name,
                    change->sealed.size ? "set" : "deleted");
    if (!exchange)
        return;
    exchange->on_gone = NULL;
    chainsi_api_secret_changed changed = { .name = change->kept_name };
    if (status != CHAINS_OK) {
        chainsi_exchange_fail(exchange, status, "%s", why);
        return;
    }
    changed.used_by = list_users(change, &exchange->arena);
    chainsi_answer_value(exchange, 200, &chainsi_api_secret_changed_type, &changed);
}

static void hand_over(chainsi_write *write, chainsi_change run)
{
    secret_change *change = write->arguments;
    write->run = run;
    write->on_end = on_changed;
    change->exchange->user = change;
    change->exchange->on_gone = on_asker_gone;
    chainsi_store_write(change->routes->store, write);
}

/* One too many is taken back: a change that fails is as if it hadn't been made. */
static chains_status put_secret(chainsi_database *database, void *arguments)
{
    const secret_change *change = arguments;
    int64_t count = 0;
    chains_status status = chainsi_stored_secret_put(database, change->kept_name, change->sealed);
    if (status == CHAINS_OK)
        status = chainsi_stored_secret_count(database, &count);
    if (status == CHAINS_OK && count > CHAINSI_VAULT_MOST)
        return chainsi_database_fail(database, CHAINS_RESOURCE_EXHAUSTED,
                                     "there are %d secrets, no more are kept: delete one",
                                     CHAINSI_VAULT_MOST);
    return status;
}

static void set_secret(chainsi_exchange *exchange, chainsi_write *write)
{
    secret_change *change = write->arguments;
    chainsi_api_secret_value asked;
    char why[512];
    if (!chainsi_read_value(exchange, &chainsi_api_secret_value_type, &exchange->arena, &asked)) {
        chainsi_write_free(write);
        return;
    }
    size_t size = strlen(asked.value);
    chains_status status =
        chainsi_vault_seal(change->routes->vault, change->kept_name, asked.value, size,
                           &write->arena, &change->sealed, why, sizeof why);
    OPENSSL_cleanse((char *)asked.value, size);
    if (status == CHAINS_OK) {
        hand_over(write, put_secret);
    } else {
        chainsi_write_free(write);
        chainsi_exchange_fail(exchange, status, "%s", why);
    }
}

static chains_status remove_secret(chainsi_database *database, void *arguments)
{
    const secret_change *change = arguments;
    return chainsi_stored_secret_remove(database, change->kept_name);
}

/* What a process that is started again would miss stays. */
static void delete_secret(chainsi_exchange *exchange, chainsi_write *write)
{
    const secret_change *change = write->arguments;
    chains_string_list users = list_users(change, &exchange->arena);
    if (!users.count) {
        hand_over(write, remove_secret);
        return;
    }
    chainsi_exchange_fail(
        exchange, CHAINS_FAILED_PRECONDITION,
        "the secret '%s' is in use by %s%s: set another value, or delete the chain "
        "first",
        change->kept_name, users.items[0], users.count > 1 ? " and others" : "");
    chainsi_write_free(write);
}

/* Secrets of pods are the cluster's, and which there are isn't for the controller to see: it may read certificates by
 * their names, and list nothing. True: that was answered. */
static bool refuse_in_cluster(const chainsi_routes *routes, chainsi_exchange *exchange,
                              const char *words)
{
    if (!routes->registry->supervisor->pods)
        return false;
    chainsi_exchange_fail(exchange, CHAINS_FAILED_PRECONDITION,
                          "in a cluster secrets are keys of each chain's Secret CHAIN-secrets: "
                          "`chains secret %s --chain CHAIN --target kubernetes`",
                          words);
    return true;
}

void chainsi_route_secret(chainsi_routes *routes, chainsi_exchange *exchange,
                          const chainsi_names *names)
{
    const char *chain = names->chain, *name = names->name;
    const bool deletes = exchange->request.method == CHAINSI_HTTP_DELETE;
    if (refuse_in_cluster(routes, exchange, deletes ? "delete NAME" : "set NAME"))
        return;
    if ((chain && !chainsi_api_is_chain_name(chain)) || !chainsi_vault_is_name(name)) {
        chainsi_exchange_fail(
            exchange, CHAINS_INVALID_ARGUMENT,
            "the name of a secret has letters, digits, '_' and '-', 63 at most; it "
            "may stand behind the name of a chain");
        return;
    }
    chainsi_write *write = chainsi_write_new(sizeof(secret_change));
    secret_change *change = write->arguments;
    *change = (secret_change){
        .routes = routes,
        .exchange = exchange,
        .chain = chainsi_arena_strdup(&write->arena, chain),
        .name = chainsi_arena_strdup(&write->arena, name),
        .kept_name = chainsi_vault_kept_name(chain, name, &write->arena),
    };
    if (deletes)
        delete_secret(exchange, write);
    else
        set_secret(exchange, write);
}

void chainsi_route_secrets(chainsi_routes *routes, chainsi_exchange *exchange,
                           const chainsi_names *names)
{
    (void)names;
    chainsi_stored_secrets secrets;
    if (refuse_in_cluster(routes, exchange, "list"))
        return;
    chainsi_database *reader = chainsi_store_reader(routes->store);
    chains_status status = chainsi_stored_secret_list(reader, &exchange->arena, &secrets);
    if (status == CHAINS_OK)
        chainsi_answer_value(exchange, 200, &chainsi_shown_secrets_type, &secrets);
    else
        chainsi_exchange_fail(exchange, status, "%s", chainsi_database_why(reader));
}
