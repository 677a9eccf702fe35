/* POST /api/v1/chains/CHAIN/environments/ENVIRONMENT/swap: other programs for what runs there. A client that
 * leaves before the new ones are all there takes back what it asked for. */
#include <string.h>

#include "control/route.h"
#include "control/swap.h"

/* A client that waits; in its exchange's arena. */
typedef struct asker {
    chainsi_exchange *exchange;
    chainsi_swap *swap; /* until its end; not owned */
    const char *chain, *environment, *version_id;
    int64_t version;
} asker;

static void on_asker_gone(chainsi_exchange *exchange)
{
    const asker *waits = exchange->user;
    chainsi_swap *swap = waits->swap;
    swap->on_end = NULL;
    if (swap->state == CHAINSI_SWAP_COPYING || swap->state == CHAINSI_SWAP_STARTING)
        chainsi_swap_abort(swap->deployment);
}

static void list_changed(const chainsi_swap *swap, chainsi_arena *arena, chains_string_list *names)
{
    size_t most = swap->asked.services.count;
    names->items = chainsi_arena_array(arena, most, sizeof *names->items);
    for (size_t i = 0; i < most; i++)
        if (swap->parts[i].differs)
            names->items[names->count++] = swap->asked.services.items[i].name;
}

static void on_swapped(void *user, chains_status status, const char *why, const chainsi_swap *swap)
{
    const asker *waits = user;
    waits->exchange->on_gone = NULL;
    if (status != CHAINS_OK && !swap->failed) {
        chainsi_exchange_fail(waits->exchange, status, "%s", why);
        return;
    }
    chainsi_api_swapped said = {
        .chain = waits->chain,
        .environment = waits->environment,
        .version = waits->version,
        .version_id = waits->version_id,
        .state = status != CHAINS_OK            ? "failed"
                 : chainsi_swap_count(swap) > 0 ? "swapped"
                                                : "unchanged",
        .chainlet = swap->failed,
        .message = status != CHAINS_OK ? why : NULL,
    };
    list_changed(swap, &waits->exchange->arena, &said.chainlets);
    chainsi_answer_value(waits->exchange, 200, &chainsi_api_swapped_type, &said);
}

/* Whether what was sent can be swapped for anything at all. */
static chains_status check(const chainsi_routes *routes, const chainsi_chain *chain,
                           const char *environment, const chainsi_api_deploy *asked, char *why,
                           size_t why_size)
{
    if (routes->registry->supervisor->pods) {
        snprintf(why, why_size,
                 "nothing is swapped in a cluster, whose programs are in images: deploy it");
        return CHAINS_FAILED_PRECONDITION;
    }
    if (strcmp(asked->chain, chain->name) != 0) {
        snprintf(why, why_size, "these are services of '%s', not of '%s'", asked->chain,
                 chain->name);
        return CHAINS_INVALID_ARGUMENT;
    }
    if (!strcmp(environment, CHAINSI_PRODUCTION)) {
        snprintf(why, why_size,
                 "nothing is swapped in production, whose versions stay as they are: deploy it");
        return CHAINS_INVALID_ARGUMENT;
    }
    chains_status status = chainsi_api_check_deploy(asked, why, why_size);
    return status == CHAINS_OK ? chainsi_vault_check(routes->vault, asked, why, why_size) : status;
}

/* Whether the version that answers is of no other environment, as far as is known before it is begun. */
static chains_status check_version(const chainsi_routes *routes,
                                   const chainsi_environment *environment,
                                   chainsi_exchange *exchange, char *why, size_t why_size)
{
    const char *other = NULL, *id = environment->current ? environment->current->options.id : "";
    chainsi_database *reader = chainsi_store_reader(routes->store);
    chains_status status = chainsi_stored_environment_find_other(
        reader, environment->chain->name, environment->name, id, &exchange->arena, &other);
    if (status != CHAINS_OK)
        snprintf(why, why_size, "%s", chainsi_database_why(reader));
    else if (other)
        snprintf(why, why_size, CHAINSI_SWAP_OF_ANOTHER, id, other);
    return other ? CHAINS_FAILED_PRECONDITION : status;
}

/* Begins it for a client that waits; else the client has been told. */
static bool begin(chainsi_routes *routes, chainsi_exchange *exchange, const chainsi_chain *chain,
                  const char *name, chainsi_swap *swap)
{
    char why[512];
    if (!chainsi_read_value(exchange, &chainsi_api_deploy_type, &swap->arena, &swap->asked))
        return false;
    chainsi_environment *environment = chainsi_chain_environment(chain, name);
    if (!environment) {
        chainsi_exchange_fail(exchange, CHAINS_NOT_FOUND, "'%s' has no environment '%s'",
                              chain->name, name);
        return false;
    }
    swap->asked.environment = chainsi_arena_strdup(&swap->arena, name);
    chains_status status = check(routes, chain, name, &swap->asked, why, sizeof why);
    if (status == CHAINS_OK)
        status = check_version(routes, environment, exchange, why, sizeof why);
    if (status == CHAINS_OK)
        status = chainsi_swap_begin(swap, environment, why, sizeof why);
    if (status != CHAINS_OK) {
        chainsi_exchange_fail(exchange, status, "%s", why);
        return false;
    }
    asker *waits = chainsi_arena_alloc(&exchange->arena, sizeof *waits);
    *waits = (asker){
        .exchange = exchange,
        .swap = swap,
        .chain = chainsi_arena_strdup(&exchange->arena, chain->name),
        .environment = chainsi_arena_strdup(&exchange->arena, name),
        .version = environment->current->options.version,
        .version_id = chainsi_arena_strdup(&exchange->arena, environment->current->options.id),
    };
    swap->on_end = on_swapped;
    swap->user = waits;
    exchange->user = waits;
    exchange->on_gone = on_asker_gone;
    return true;
}

void chainsi_answer_swap(chainsi_routes *routes, chainsi_exchange *exchange, chainsi_chain *chain,
                         const char *environment)
{
    chainsi_swap *swap = chainsi_swap_new();
    if (!begin(routes, exchange, chain, environment, swap))
        chainsi_swap_free(swap);
}
