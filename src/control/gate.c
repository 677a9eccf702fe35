/* Rights of requests. No answer says more of a key than its id, which isn't secret. */
#include "control/gate.h"

#include <openssl/crypto.h>
#include <string.h>

#include "base/clock.h"
#include "control/home.h"
#include "control/time_text.h"

bool chainsi_gate_has_keys(const chainsi_gate *gate)
{
    return chainsi_keyring_is_used(gate->keyring);
}

static bool is_token(const chainsi_gate *gate, chainsi_slice text)
{
    return text.size == CHAINSI_TOKEN_SIZE &&
           CRYPTO_memcmp(text.data, gate->token, CHAINSI_TOKEN_SIZE) == 0;
}

/* Retry-After is in whole seconds: one that comes then is not too early. */
static void answer_too_often(chainsi_exchange *exchange, const chainsi_ring_key *key,
                             int64_t wait_ns)
{
    char line[64];
    snprintf(line, sizeof line, "Retry-After: %lld\r\n",
             (long long)((wait_ns + 999999999) / 1000000000));
    chainsi_exchange_refuse(exchange, 429, line, CHAINS_RESOURCE_EXHAUSTED,
                            "the key %s may be used %g times a second", key->id, key->rate_per_s);
}

bool chainsi_gate_enter(const chainsi_gate *gate, chainsi_exchange *exchange)
{
    chainsi_caller *caller = chainsi_arena_alloc(&exchange->arena, sizeof *caller);
    exchange->caller = caller;
    const chainsi_slice *given = chainsi_http_find(&exchange->request.head, "Authorization");
    chainsi_slice text;
    if (!given)
        return true;
    caller->kind = CHAINSI_CALLER_STRANGER;
    if (!chainsi_key_from_header(*given, &text))
        return true;
    if (is_token(gate, text)) {
        caller->kind = CHAINSI_CALLER_OWNER;
        return true;
    }
    chainsi_ring_key *key = chainsi_keyring_find(gate->keyring, text);
    if (!key)
        return true;
    caller->kind = CHAINSI_CALLER_KEY;
    memcpy(caller->id, key->id, sizeof caller->id);
    caller->scope = key->scope;
    caller->chain = chainsi_arena_strdup(&exchange->arena, key->chain);
    int64_t wait_ns;
    if (chainsi_keyring_use(gate->keyring, key, chainsi_now_ns(), chainsi_unix_ms(), &wait_ns))
        return true;
    answer_too_often(exchange, key, wait_ns);
    return false;
}

static bool is_for(const chainsi_caller *caller, const char *chain)
{
    return !caller->chain || !chain || !strcmp(caller->chain, chain);
}

bool chainsi_gate_allows(const chainsi_gate *gate, const chainsi_exchange *exchange,
                         chainsi_scope scope, bool guarded, const char *chain)
{
    const chainsi_caller *caller = exchange->caller;
    if (caller->kind == CHAINSI_CALLER_OWNER)
        return true;
    if (!chainsi_gate_has_keys(gate))
        return !guarded;
    return caller->kind == CHAINSI_CALLER_KEY && chainsi_scope_permits(caller->scope, scope) &&
           is_for(caller, chain);
}

/* 401: the way in is a key, or another one. */
static void answer_unknown(const chainsi_gate *gate, chainsi_exchange *exchange,
                           chainsi_scope scope)
{
    if (!chainsi_gate_has_keys(gate))
        chainsi_exchange_refuse(
            exchange, 401, "WWW-Authenticate: Bearer\r\n", CHAINS_UNAUTHENTICATED,
            "this needs the header 'Authorization: Bearer TOKEN' with the token "
            "in the file 'token' of CHAINS_HOME");
    else if (exchange->caller->kind == CHAINSI_CALLER_STRANGER)
        chainsi_exchange_refuse(exchange, 401,
                                "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n",
                                CHAINS_UNAUTHENTICATED,
                                "what the header 'Authorization' has is no valid API key: there is "
                                "none like it, or it has been revoked");
    else
        chainsi_exchange_refuse(exchange, 401, "WWW-Authenticate: Bearer\r\n",
                                CHAINS_UNAUTHENTICATED,
                                "this needs the header 'Authorization: Bearer KEY' with an API key "
                                "of scope '%s'",
                                chainsi_scope_name(scope));
}

bool chainsi_gate_permits(const chainsi_gate *gate, chainsi_exchange *exchange, chainsi_scope scope,
                          bool guarded, const char *chain)
{
    const chainsi_caller *caller = exchange->caller;
    if (chainsi_gate_allows(gate, exchange, scope, guarded, chain))
        return true;
    if (caller->kind != CHAINSI_CALLER_KEY)
        answer_unknown(gate, exchange, scope);
    else if (!chainsi_scope_permits(caller->scope, scope))
        chainsi_exchange_refuse(exchange, 403, NULL, CHAINS_PERMISSION_DENIED,
                                "this needs an API key of scope '%s'; the key %s has '%s'",
                                chainsi_scope_name(scope), caller->id,
                                chainsi_scope_name(caller->scope));
    else
        chainsi_exchange_refuse(exchange, 403, NULL, CHAINS_PERMISSION_DENIED,
                                "the key %s is for the chain '%s' alone", caller->id,
                                caller->chain);
    return false;
}

typedef struct revocation {
    const char *id;
    const chainsi_exchange *other;
} revocation;

static void cut_off(void *user, chainsi_exchange *exchange)
{
    const revocation *revoked = user;
    const chainsi_caller *caller = exchange->caller;
    if (exchange == revoked->other || !caller || caller->kind != CHAINSI_CALLER_KEY ||
        strcmp(caller->id, revoked->id) != 0)
        return;
    chainsi_exchange_cancel(exchange, 401, "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n",
                            CHAINS_UNAUTHENTICATED, "the key %s has been revoked", caller->id);
}

void chainsi_gate_cut_off(chainsi_front *front, const char *id, const chainsi_exchange *other)
{
    chainsi_front_visit(front, cut_off, &(revocation){ id, other });
}
