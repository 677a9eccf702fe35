/* API keys over the API: see api.h. They are for who may do everything: the home's token, or a key of
 * scope admin that is for all chains.
 *
 * A key works from when it is durable, and no more from when its revocation is asked for. */
#include <string.h>

#include "control/route.h"
#include "control/time_text.h"

enum { MAX_NOTE = 200 /* bytes */ };

/* A change on its way, in the write's arena. */
typedef struct key_change {
    chainsi_routes *routes;
    chainsi_exchange *exchange; /* NULL: the client has left */
    chainsi_new_key made;       /* to be erased */
    chainsi_stored_key stored;
    char created_at[CHAINSI_TIME_TEXT];
} key_change;

static void on_asker_gone(chainsi_exchange *exchange)
{
    key_change *change = exchange->user;
    change->exchange = NULL;
}

static void hand_over(key_change *change, chainsi_write *write)
{
    change->exchange->user = change;
    change->exchange->on_gone = on_asker_gone;
    chainsi_store_write(change->routes->store, write);
}

/* Making. */

static chains_status add_key(chainsi_database *database, void *arguments)
{
    const key_change *change = arguments;
    return chainsi_stored_key_add(database, &change->stored);
}

static void on_added(chainsi_write *write, chains_status status, const char *why)
{
    key_change *change = write->arguments;
    chainsi_exchange *exchange = change->exchange;
    const chainsi_stored_key *key = &change->stored;
    if (status == CHAINS_OK) {
        chainsi_keyring_add(change->routes->gate.keyring, key);
        chainsi_say("the key %s was made: %s%s%s", key->id, chainsi_scope_name(key->scope),
                    key->chain ? ", for " : "", key->chain ? key->chain : "");
    }
    if (exchange) {
        exchange->on_gone = NULL;
        chainsi_api_key_made made = {
            .key = change->made.text,
            .id = key->id,
            .scope = key->scope,
            .rate_per_s = key->rate_per_s,
            .chain = key->chain,
            .note = key->note,
            .created_at = key->created_at,
        };
        if (status == CHAINS_OK)
            chainsi_answer_value(exchange, 201, &chainsi_api_key_made_type, &made);
        else
            chainsi_exchange_fail(exchange, status, "the key can't be kept: %s", why);
    }
    chainsi_key_erase(&change->made);
}

/* Notes are shown on terminals. */
static bool is_shown_safely(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    return true;
}

/* What is wrong with what is asked for; NULL: nothing. */
static const char *find_fault(const chainsi_api_key_asked *asked)
{
    if (!(asked->rate_per_s >= 0 && asked->rate_per_s <= CHAINSI_RATE_MOST))
        return "rate_per_s: it must be from 0 (no limit) to 1000000";
    if (asked->chain && !chainsi_api_is_chain_name(asked->chain))
        return "chain: that is no name of a chain";
    if (asked->note && (strlen(asked->note) > MAX_NOTE || !is_shown_safely(asked->note)))
        return "note: it must be a line of at most 200 bytes";
    return NULL;
}

void chainsi_route_make_key(chainsi_routes *routes, chainsi_exchange *exchange,
                            const chainsi_names *names)
{
    (void)names;
    chainsi_api_key_asked asked;
    if (!chainsi_read_value(exchange, &chainsi_api_key_asked_type, &exchange->arena, &asked))
        return;
    const char *fault = find_fault(&asked);
    if (fault) {
        chainsi_exchange_fail(exchange, CHAINS_INVALID_ARGUMENT, "%s", fault);
        return;
    }
    if (chainsi_keyring_is_full(routes->gate.keyring)) {
        chainsi_exchange_fail(exchange, CHAINS_RESOURCE_EXHAUSTED,
                              "there are %d valid keys, no more are kept: revoke one",
                              CHAINSI_KEYRING_MOST);
        return;
    }
    chainsi_write *write = chainsi_write_new(sizeof(key_change));
    key_change *change = write->arguments;
    change->routes = routes;
    change->exchange = exchange;
    if (!chainsi_key_make(&change->made)) {
        chainsi_write_free(write);
        chainsi_exchange_fail(exchange, CHAINS_UNAVAILABLE, "the system gives no random bytes");
        return;
    }
    chainsi_time_text(change->created_at);
    change->stored = (chainsi_stored_key){
        .id = change->made.id,
        .scope = asked.scope,
        .rate_per_s = asked.rate_per_s,
        .chain = chainsi_arena_strdup(&write->arena, asked.chain),
        .note = chainsi_arena_strdup(&write->arena, asked.note),
        .created_at = change->created_at,
        .digest = { change->made.digest, sizeof change->made.digest },
    };
    write->run = add_key;
    write->on_end = on_added;
    hand_over(change, write);
}

/* Revoking. */

static chains_status revoke_key(chainsi_database *database, void *arguments)
{
    const key_change *change = arguments;
    return chainsi_stored_key_revoke(database, change->stored.id);
}

static void on_revoked(chainsi_write *write, chains_status status, const char *why)
{
    const key_change *change = write->arguments;
    chainsi_exchange *exchange = change->exchange;
    if (!exchange)
        return;
    exchange->on_gone = NULL;
    chainsi_api_key_revoked revoked = { .id = change->stored.id };
    if (status == CHAINS_OK)
        chainsi_answer_value(exchange, 200, &chainsi_api_key_revoked_type, &revoked);
    else if (status == CHAINS_NOT_FOUND)
        chainsi_exchange_fail(exchange, status, "%s", why);
    else
        chainsi_exchange_fail(exchange, status,
                              "the key is refused until chainsd starts again, but that it is "
                              "revoked can't be kept: %s",
                              why);
}

void chainsi_route_revoke_key(chainsi_routes *routes, chainsi_exchange *exchange,
                              const chainsi_names *names)
{
    const char *id = names->id;
    chainsi_write *write = chainsi_write_new(sizeof(key_change));
    key_change *change = write->arguments;
    change->routes = routes;
    change->exchange = exchange;
    change->stored.id = chainsi_arena_strdup(&write->arena, id);
    write->run = revoke_key;
    write->on_end = on_revoked;
    hand_over(change, write);
    if (!chainsi_keyring_revoke(routes->gate.keyring, id))
        return;
    chainsi_say("the key %s was revoked", id);
    chainsi_gate_cut_off(routes->front, id, exchange);
}

void chainsi_route_keys(chainsi_routes *routes, chainsi_exchange *exchange,
                        const chainsi_names *names)
{
    (void)names;
    chainsi_stored_keys keys;
    chainsi_database *reader = chainsi_store_reader(routes->store);
    chains_status status = chainsi_stored_key_list(reader, &exchange->arena, &keys);
    if (status == CHAINS_OK)
        chainsi_answer_value(exchange, 200, &chainsi_shown_keys_type, &keys);
    else
        chainsi_exchange_fail(exchange, status, "%s", chainsi_database_why(reader));
}
