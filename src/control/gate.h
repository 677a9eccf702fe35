/* Who may do what at the front door.
 *
 * Who has the home's token is its owner and may do all. As long as there never was an API key, everybody
 * who reaches the door may call and look, and what is guarded (changes, keys, secrets) takes the token.
 * From the first key on, everything but /healthz takes a key of the scope that it needs, or the token.
 *
 * Every request is asked once who it is (chainsi_gate_enter, which keeps to its key's rate), and then
 * for each thing that it wants (chainsi_gate_permits). Belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_GATE_H
#define CHAINSI_CONTROL_GATE_H

#include "control/front.h"
#include "control/keyring.h"

typedef struct chainsi_gate {
    chainsi_keyring *keyring; /* not owned */
    const char *token;        /* not owned; of the home, CHAINSI_TOKEN_SIZE digits */
} chainsi_gate;

/* Whose request it is. A copy: the key may be revoked while it runs. */
typedef struct chainsi_caller {
    enum chainsi_caller_kind {
        CHAINSI_CALLER_NOBODY,   /* without a key */
        CHAINSI_CALLER_STRANGER, /* with something that is no valid key */
        CHAINSI_CALLER_KEY,
        CHAINSI_CALLER_OWNER, /* with the home's token */
    } kind;
    /* Of the key. */
    char id[CHAINSI_KEY_ID + 1];
    chainsi_scope scope;
    const char *chain; /* NULL: it is for all */
} chainsi_caller;

/* No chain's name: what isn't about one chain alone takes a key that is for all. */
#define CHAINSI_EVERY_CHAIN "*"

/* Whether there ever was a key. */
bool chainsi_gate_has_keys(const chainsi_gate *gate);

/* Finds out who asks, into exchange->caller. False: its key came too often, and the exchange has been
 * answered with 429. */
bool chainsi_gate_enter(const chainsi_gate *gate, chainsi_exchange *exchange);

/* Whether the caller may do what takes that scope with the chain of this name, whether there is one or
 * not; NULL: with whichever its key is for. guarded: it takes the token where there are no keys. */
bool chainsi_gate_allows(const chainsi_gate *gate, const chainsi_exchange *exchange,
                         chainsi_scope scope, bool guarded, const char *chain);
/* The same; false: the exchange has been answered with 401 or 403. */
bool chainsi_gate_permits(const chainsi_gate *gate, chainsi_exchange *exchange, chainsi_scope scope,
                          bool guarded, const char *chain);

/* Ends what is being answered to the key of that id; but not the exchange `other`, which may be NULL. */
void chainsi_gate_cut_off(chainsi_front *front, const char *id, const chainsi_exchange *other);

#endif
