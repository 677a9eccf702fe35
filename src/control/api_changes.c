/* Requests that change what is deployed: each is asked of an environment or a chain, and answered when
 * that says what became of it. */
#include <stddef.h>
#include <string.h>

#include "control/pod_versions.h"
#include "control/query.h"
#include "control/route.h"

/* A client that waits for an answer; in its exchange's arena. */
typedef struct asker {
    chainsi_routes *routes;
    chainsi_exchange *exchange;
    chainsi_intent *intent;          /* until its end; not owned */
    const char *chain, *environment; /* names */
    const chainsi_api_deploy
        *deploy; /* in the intent's arena; not handed over yet: it waits until GPUs were
                                         found, and owns the intent. Else NULL */
    chainsi_gpu_waiter gpus_known;
} asker;

static void on_asker_gone(chainsi_exchange *exchange)
{
    asker *waits = exchange->user;
    if (waits->deploy) {
        chainsi_gpu_pool_leave(waits->routes->registry->supervisor->gpus, &waits->gpus_known);
        chainsi_intent_free(waits->intent);
        return;
    }
    waits->intent->on_end = NULL;
}

/* Has the client wait for the intent's end. */
static void await(chainsi_routes *routes, chainsi_exchange *exchange, chainsi_intent *intent,
                  const char *chain, const char *environment,
                  void (*on_end)(void *, chains_status, const char *, const chainsi_step *))
{
    asker *waits = chainsi_arena_alloc(&exchange->arena, sizeof *waits);
    *waits = (asker){
        .routes = routes,
        .exchange = exchange,
        .intent = intent,
        .chain = chainsi_arena_strdup(&exchange->arena, chain),
        .environment = chainsi_arena_strdup(&exchange->arena, environment),
    };
    intent->on_end = on_end;
    intent->user = waits;
    exchange->user = waits;
    exchange->on_gone = on_asker_gone;
}

/* Nobody waits any more: it could not be asked. */
static void refuse(chainsi_exchange *exchange, chains_status status, const char *why)
{
    exchange->on_gone = NULL;
    chainsi_exchange_fail(exchange, status, "%s", why);
}

/* Whether it succeeded; else the client has been told. */
static bool check_end(const asker *waits, chains_status status, const char *why)
{
    waits->exchange->on_gone = NULL;
    if (status != CHAINS_OK)
        chainsi_exchange_fail(waits->exchange, status, "%s", why);
    return status == CHAINS_OK;
}

static void on_deployed(void *user, chains_status status, const char *why, const chainsi_step *step)
{
    const asker *waits = user;
    if (!check_end(waits, status, why))
        return;
    chainsi_api_accepted accepted = {
        .chain = waits->chain,
        .environment = waits->environment,
        .version = step->found.number,
        .version_id = step->found.id,
    };
    chainsi_answer_value(waits->exchange, 202, &chainsi_api_accepted_type, &accepted);
}

/* Whether the client only wants to know whether it could be. */
static bool only_checks(const chainsi_exchange *exchange)
{
    double number = 0;
    return chainsi_query_double(exchange->request.query, "only_check", 1, &number) && number == 1;
}

/* Hands the deployment over that the client waits for, or checks it. */
static void hand_over(asker *waits, const chainsi_api_deploy *deploy)
{
    char why[1024];
    chainsi_exchange *exchange = waits->exchange;
    chainsi_registry *registry = waits->routes->registry;
    chainsi_intent *intent = waits->intent;
    waits->deploy = NULL;
    chains_status status;
    if (!only_checks(exchange)) {
        status = chainsi_registry_deploy(registry, deploy, intent, why, sizeof why);
        if (status != CHAINS_OK)
            refuse(exchange, status, why);
        return;
    }
    status = chainsi_registry_check(registry, deploy, why, sizeof why);
    chainsi_intent_free(intent);
    if (status != CHAINS_OK) {
        refuse(exchange, status, why);
        return;
    }
    exchange->on_gone = NULL;
    chainsi_answer_value(exchange, 200, &chainsi_api_accepted_type,
                         &(chainsi_api_accepted){ .chain = waits->chain,
                                                  .environment = waits->environment,
                                                  .version_id = "" });
}

static void on_gpus_known(chainsi_gpu_waiter *waiter)
{
    asker *waits = (asker *)((char *)waiter - offsetof(asker, gpus_known));
    hand_over(waits, waits->deploy);
}

void chainsi_route_deploy(chainsi_routes *routes, chainsi_exchange *exchange,
                          const chainsi_names *names)
{
    (void)names;
    chainsi_intent *intent = chainsi_intent_new(chainsi_step_deploy, true);
    chainsi_api_deploy *asked = chainsi_arena_alloc(intent->step->arena, sizeof *asked);
    if (!chainsi_read_value(exchange, &chainsi_api_deploy_type, intent->step->arena, asked)) {
        chainsi_intent_free(intent);
        return;
    }
    /* Again, now that it is known with which chain. */
    if (!chainsi_route_permits(routes, exchange, CHAINSI_SCOPE_DEPLOY, true, asked->chain)) {
        chainsi_intent_free(intent);
        return;
    }
    for (size_t i = 0; i < asked->services.count; i++)
        asked->services.items[i].program = NULL; /* is ours to say */
    await(routes, exchange, intent, asked->chain, asked->environment, on_deployed);
    asker *waits = exchange->user;
    chainsi_gpu_pool *gpus = routes->registry->supervisor->gpus;
    if (!chainsi_gpu_pool_is_asked(asked) || chainsi_gpu_pool_known(gpus)) {
        hand_over(waits, asked);
        return;
    }
    waits->deploy = asked;
    waits->gpus_known.on_known = on_gpus_known;
    chainsi_gpu_pool_await(gpus, &waits->gpus_known);
}

/* Answers with the environment as it is now. */
static void on_changed(void *user, chains_status status, const char *why, const chainsi_step *step)
{
    (void)step;
    const asker *waits = user;
    if (!check_end(waits, status, why))
        return;
    chainsi_slice name = { waits->chain, strlen(waits->chain) };
    const chainsi_chain *chain = chainsi_registry_find(waits->routes->registry, name);
    const chainsi_environment *environment =
        chain ? chainsi_chain_environment(chain, waits->environment) : NULL;
    chainsi_api_chain description;
    if (environment && chainsi_environment_describe(environment, waits->routes->base_url,
                                                    &waits->exchange->arena, &description))
        chainsi_answer_value(waits->exchange, 200, &chainsi_api_chain_type, &description);
    else
        chainsi_exchange_fail(waits->exchange, CHAINS_NOT_FOUND, "'%s' has no environment '%s'",
                              waits->chain, waits->environment);
}

static void promote(chainsi_routes *routes, chainsi_exchange *exchange, const char *chain,
                    const char *environment)
{
    char why[512];
    chainsi_api_promote asked;
    chainsi_intent *intent = chainsi_intent_new(chainsi_step_promote, false);
    if (!chainsi_read_value(exchange, &chainsi_api_promote_type, intent->step->arena, &asked)) {
        chainsi_intent_free(intent);
        return;
    }
    intent->step->version = asked.version;
    intent->step->canary = asked.canary;
    await(routes, exchange, intent, chain, environment, on_changed);
    chains_status status = chainsi_api_check_environment(environment, why, sizeof why);
    if (status == CHAINS_OK)
        status = chainsi_api_check_canary(&asked.canary, why, sizeof why);
    if (status == CHAINS_OK)
        status = chainsi_registry_check_secrets(routes->registry, chain, environment, asked.version,
                                                why, sizeof why);
    if (status == CHAINS_OK)
        status = chainsi_pod_versions_check_promotion(routes->registry, chain, environment,
                                                      asked.version, why, sizeof why);
    if (status != CHAINS_OK)
        chainsi_intent_free(intent);
    else
        status =
            chainsi_registry_ask(routes->registry, chain, environment, intent, why, sizeof why);
    if (status != CHAINS_OK)
        refuse(exchange, status, why);
}

/* What has no body is asked of an environment that must exist. */
static void ask(chainsi_routes *routes, chainsi_exchange *exchange, const chainsi_chain *chain,
                const char *environment, chainsi_change run,
                void (*on_end)(void *, chains_status, const char *, const chainsi_step *))
{
    char why[512];
    if (!chainsi_chain_environment(chain, environment)) {
        chainsi_exchange_fail(exchange, CHAINS_NOT_FOUND, "'%s' has no environment '%s'",
                              chain->name, environment);
        return;
    }
    chainsi_intent *intent = chainsi_intent_new(run, false);
    await(routes, exchange, intent, chain->name, environment, on_end);
    chains_status status =
        chainsi_registry_ask(routes->registry, chain->name, environment, intent, why, sizeof why);
    if (status != CHAINS_OK)
        refuse(exchange, status, why);
}

static void on_environment_deleted(void *user, chains_status status, const char *why,
                                   const chainsi_step *step)
{
    (void)step;
    const asker *waits = user;
    if (!check_end(waits, status, why))
        return;
    chainsi_api_deleted deleted = { .chain = waits->chain, .environment = waits->environment };
    chainsi_answer_value(waits->exchange, 200, &chainsi_api_deleted_type, &deleted);
}

static void on_version_deleted(void *user, chains_status status, const char *why,
                               const chainsi_step *step)
{
    const asker *waits = user;
    if (!check_end(waits, status, why))
        return;
    chainsi_api_deleted deleted = { .chain = waits->chain, .version_id = step->found.id };
    chainsi_answer_value(waits->exchange, 200, &chainsi_api_deleted_type, &deleted);
}

static void delete_version(chainsi_routes *routes, chainsi_exchange *exchange, chainsi_chain *chain,
                           const char *version)
{
    chainsi_intent *intent = chainsi_intent_new(chainsi_step_forget_version, true);
    intent->step->version = chainsi_arena_strdup(intent->step->arena, version);
    await(routes, exchange, intent, chain->name, NULL, on_version_deleted);
    chainsi_chain_forget_version(chain, intent);
}

static void on_deleter_gone(chainsi_exchange *exchange)
{
    chainsi_chain *chain = exchange->user;
    chain->on_deleted = NULL;
}

static void on_deleted(void *user, chains_status status, const char *why)
{
    chainsi_exchange *exchange = user;
    const chainsi_chain *chain = exchange->user;
    chainsi_api_deleted deleted = { .chain = chain->name };
    exchange->on_gone = NULL;
    if (status == CHAINS_OK)
        chainsi_answer_value(exchange, 200, &chainsi_api_deleted_type, &deleted);
    else
        chainsi_exchange_fail(exchange, status, "%s", why);
}

/* What is started again must get its secrets. */
static void roll_back(chainsi_routes *routes, chainsi_exchange *exchange,
                      const chainsi_chain *chain, const char *environment)
{
    char why[512];
    chains_status status = chainsi_registry_check_secrets(routes->registry, chain->name,
                                                          environment, NULL, why, sizeof why);
    if (status == CHAINS_OK)
        ask(routes, exchange, chain, environment, chainsi_step_roll_back, on_changed);
    else
        chainsi_exchange_fail(exchange, status, "%s", why);
}

/* The chain that is to be changed; NULL: it can't be, which has been answered. */
static chainsi_chain *find_chain(const chainsi_routes *routes, chainsi_exchange *exchange,
                                 const chainsi_names *names)
{
    chainsi_chain *chain = chainsi_route_find_chain(routes, exchange, names->chain);
    if (!chain || !routes->registry->stopping)
        return chain;
    chainsi_exchange_fail(exchange, CHAINS_UNAVAILABLE, "chainsd is stopping");
    return NULL;
}

void chainsi_route_delete_chain(chainsi_routes *routes, chainsi_exchange *exchange,
                                const chainsi_names *names)
{
    chainsi_chain *chain = find_chain(routes, exchange, names);
    if (!chain)
        return;
    exchange->user = chain;
    exchange->on_gone = on_deleter_gone;
    chainsi_chain_delete(chain, on_deleted, exchange);
}

void chainsi_route_delete_version(chainsi_routes *routes, chainsi_exchange *exchange,
                                  const chainsi_names *names)
{
    chainsi_chain *chain = find_chain(routes, exchange, names);
    if (chain)
        delete_version(routes, exchange, chain, names->version);
}

void chainsi_route_delete_environment(chainsi_routes *routes, chainsi_exchange *exchange,
                                      const chainsi_names *names)
{
    const chainsi_chain *chain = find_chain(routes, exchange, names);
    if (chain)
        ask(routes, exchange, chain, names->environment, chainsi_step_forget_environment,
            on_environment_deleted);
}

void chainsi_route_promote(chainsi_routes *routes, chainsi_exchange *exchange,
                           const chainsi_names *names)
{
    const chainsi_chain *chain = find_chain(routes, exchange, names);
    if (chain)
        promote(routes, exchange, chain->name, names->environment);
}

void chainsi_route_roll_back(chainsi_routes *routes, chainsi_exchange *exchange,
                             const chainsi_names *names)
{
    const chainsi_chain *chain = find_chain(routes, exchange, names);
    if (chain)
        roll_back(routes, exchange, chain, names->environment);
}

void chainsi_route_swap(chainsi_routes *routes, chainsi_exchange *exchange,
                        const chainsi_names *names)
{
    chainsi_chain *chain = find_chain(routes, exchange, names);
    if (chain)
        chainsi_answer_swap(routes, exchange, chain, names->environment);
}
