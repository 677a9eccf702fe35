/* The rows, and how a path is looked up among them. There are few, and most paths differ early, so they are gone
 * through one after the other; calls come first. */
#include "control/route_table.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "control/api_chainlet.h"
#include "control/api_requests.h"
#include "control/api_scale.h"
#include "control/api_session.h"
#include "control/api_trace.h"
#include "control/graph.h"
#include "control/store_history.h"

#define TAKES(...)                                                                                 \
    (const chainsi_parameter[])                                                                    \
    {                                                                                              \
        __VA_ARGS__,                                                                               \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }

static const char TEXT_LINES[] = "text/plain; charset=utf-8";

/* Something that is asked of an entrypoint or of one Chainlet, in an environment or of a version. */
#define OF_CALLED(method_, verb_, id_, chainlet_scope_, about_, ...)                               \
    { method_,                                                                                     \
      "/chains/{chain}/{environment}/" verb_,                                                      \
      .id = id_,                                                                                   \
      .scope = CHAINSI_SCOPE_CALL,                                                                 \
      .about = about_ " of the chain's entrypoint.",                                               \
      __VA_ARGS__ },                                                                               \
        { method_,                                                                                 \
          "/chains/{chain}/{environment}/chainlets/{chainlet}/" verb_,                             \
          .id = id_ "_chainlet",                                                                   \
          .scope = chainlet_scope_,                                                                \
          .about = about_ " of one Chainlet.",                                                     \
          __VA_ARGS__ },                                                                           \
        { method_,                                                                                 \
          "/chains/{chain}/versions/{version}/" verb_,                                             \
          .id = id_ "_version",                                                                    \
          .scope = CHAINSI_SCOPE_CALL,                                                             \
          .about = about_ " of the entrypoint of a version.",                                      \
          __VA_ARGS__ },                                                                           \
    {                                                                                              \
        method_, "/chains/{chain}/versions/{version}/chainlets/{chainlet}/" verb_,                 \
            .id = id_ "_version_chainlet", .scope = chainlet_scope_,                               \
            .about = about_ " of one Chainlet of a version.", __VA_ARGS__                          \
    }

/* How a Chainlet is scaled, and which processes it has had: below an environment, or in production. */
#define OF_CHAINLET(prefix_, id_)                                                                  \
    { CHAINSI_HTTP_GET,                                                                            \
      prefix_ "/chainlets/{chainlet}",                                                             \
      chainsi_route_chainlet,                                                                      \
      .scope = CHAINSI_SCOPE_CALL,                                                                 \
      .id = "get_chainlet" id_,                                                                    \
      .about = "A Chainlet as it was deployed.",                                                   \
      .output = &chainsi_api_described_type },                                                     \
        { CHAINSI_HTTP_GET,                                                                        \
          prefix_ "/chainlets/{chainlet}/metrics",                                                 \
          chainsi_route_series,                                                                    \
          .scope = CHAINSI_SCOPE_CALL,                                                             \
          .id = "get_series" id_,                                                                  \
          .about = "How a Chainlet did of late, a column a number, for plotting.",                 \
          .takes = series_query,                                                                   \
          .media = "application/json",                                                             \
          .media_about = "step_s, and columns of one length: at (unix seconds), in_flight, "       \
                         "waiting, ready, wanted, calls_per_s, errors_per_s, p50_ms, p99_ms, "     \
                         "queue_p99_ms, cold_starts; null where nothing is known." },              \
        { CHAINSI_HTTP_GET,                                                                        \
          prefix_ "/chainlets/{chainlet}/scaling",                                                 \
          chainsi_route_scaling,                                                                   \
          .scope = CHAINSI_SCOPE_CALL,                                                             \
          .id = "get_scaling" id_,                                                                 \
          .about = "How a Chainlet is scaled.",                                                    \
          .output = &chainsi_api_scaled_type },                                                    \
        { CHAINSI_HTTP_PUT,                                                                        \
          prefix_ "/chainlets/{chainlet}/scaling",                                                 \
          chainsi_route_scaling,                                                                   \
          .scope = CHAINSI_SCOPE_DEPLOY,                                                           \
          .guarded = true,                                                                         \
          .id = "set_scaling" id_,                                                                 \
          .about = "Scales a Chainlet otherwise than it was deployed; what is null stays as it "   \
                   "was deployed.",                                                                \
          .body = &chainsi_api_scale_type,                                                         \
          .output = &chainsi_api_scaled_type },                                                    \
        { CHAINSI_HTTP_DELETE,                                                                     \
          prefix_ "/chainlets/{chainlet}/scaling",                                                 \
          chainsi_route_scaling,                                                                   \
          .scope = CHAINSI_SCOPE_ADMIN,                                                            \
          .guarded = true,                                                                         \
          .id = "reset_scaling" id_,                                                               \
          .about = "Scales a Chainlet as it was deployed again.",                                  \
          .output = &chainsi_api_scaled_type },                                                    \
    {                                                                                              \
        CHAINSI_HTTP_GET, prefix_ "/chainlets/{chainlet}/replicas", chainsi_route_replicas,        \
            .scope = CHAINSI_SCOPE_CALL, .id = "list_replicas" id_,                                \
            .about = "The processes that a Chainlet has and has had, the newest first.",           \
            .takes = page_query, .output = &chainsi_stored_replicas_type                           \
    }

#define BEFORE                                                                                     \
    {                                                                                              \
        "before", "integer", "Those before this number: the last of the page before."              \
    }
#define LIMIT                                                                                      \
    {                                                                                              \
        "limit", "integer", "So many at most: 100 unless it is said, 1000 at most."                \
    }
static const chainsi_parameter series_query[] = {
    { "minutes", "integer", "So many of the latest; 60 unless it is said, and at most." },
    { 0 },
};
static const chainsi_parameter page_query[] = { BEFORE, LIMIT, { 0 } };

static const chainsi_parameter call_takes[] = {
    { "X-Chains-Timeout-Ms", "number", "Limits the call everywhere below, waiting included." },
    { "X-Request-Id", "string", "Its id: it comes back, and stands in logs and traces." },
    { 0 },
};
static const chainsi_parameter event_query[] = {
    { "chainlet", "string", "Of this Chainlet alone." },
    { "kind", "string", "Of this kind alone: replica_crashed, say." },
    BEFORE,
    LIMIT,
    { 0 },
};
static const chainsi_parameter live_query[] = {
    { "chain", "string", "Tells of the graph of this chain, too." },
    { "environment", "string", "In this environment; production." },
    { 0 },
};
static const chainsi_parameter log_query[] = {
    { "tail", "integer", "So many of the latest lines that are like the rest says; 100." },
    { "follow", "integer", "1: and those that come, as they come." },
    { "environment", "string", "Of this environment." },
    { "version", "string", "Of this version." },
    { "replica", "integer", "Of the replica of this number." },
    { "level", "string", "Of this level or a graver one: debug, info, warning, error." },
    { "contains", "string", "With this text." },
    { "request_id", "string", "About this request." },
    { "since", "string", "Since then: a duration, as 90s or 1h30m, or a time." },
    { "format", "string", "text, or json: an object a line (application/x-ndjson)." },
    { 0 },
};
static const chainsi_parameter trace_query[] = {
    { "chain", "string", "Of calls of this chain." },
    { "chainlet", "string", "In which this Chainlet takes part." },
    { "state", "string", "ok, failed, partial, or the name of the status that it ended with." },
    { "request_id", "string", "Of the request of this id." },
    { "min_ms", "number", "That took so long, or longer." },
    { "limit", "integer", "So many at most: 50 unless it is said, 500 at most." },
    { "before", "integer", "Those that are older: `next` of the page before." },
    { 0 },
};
static const chainsi_parameter request_query[] = {
    { "chain", "string",
      "Of this chain. Without it a key of scope admin for all chains is needed." },
    { "status", "string", "QUEUED, RUNNING, SUCCEEDED, FAILED, EXPIRED or CANCELLED." },
    { "before", "string", "Those that are older than the one of this id." },
    { "limit", "integer", "So many at most: 100 unless it is said, 1000 at most." },
    { 0 },
};

#define LOGS_OF(path_, id_, about_)                                                                \
    {                                                                                              \
        CHAINSI_HTTP_GET, path_, chainsi_route_logs,                                               \
            .scope = CHAINSI_SCOPE_DEPLOY, .no_head = true, .id = id_, .about = about_,            \
            .takes = log_query, .media = TEXT_LINES,                                               \
            .media_about = "A line a message, with its time."                                      \
    }

#define CHAIN       "/api/v1/chains/{chain}"
#define ENVIRONMENT CHAIN "/environments/{environment}"

const chainsi_route_row chainsi_route_table[] = {
    OF_CALLED(CHAINSI_HTTP_POST, "run_remote", "run", CHAINSI_SCOPE_ADMIN, "A call",
              .answer = chainsi_route_run, .takes = call_takes,
              .body_about = "The arguments by name, as openapi.json of the same path says.",
              .media = "application/json",
              .media_about = "The answer, as openapi.json of the same path says; of a stream also "
                             "text/event-stream or application/x-ndjson, whichever is accepted."),
    OF_CALLED(CHAINSI_HTTP_POST, "async_run_remote", "run_later", CHAINSI_SCOPE_ADMIN,
              "A call that nobody waits for,", .answer = chainsi_route_async, .takes = call_takes,
              .status = 202, .body = &chainsi_api_async_type,
              .output = &chainsi_api_async_accepted_type),
    OF_CALLED(CHAINSI_HTTP_GET, "openapi.json", "describe", CHAINSI_SCOPE_CALL, "The description",
              .answer = chainsi_route_describe, .no_head = true, .media = "application/json",
              .media_about = "An OpenAPI 3.1 document."),

    { CHAINSI_HTTP_GET, "/requests", chainsi_route_requests, CHAINSI_ACCESS_LATER,
      CHAINSI_SCOPE_CALL, .guarded = true, .id = "list_requests",
      .about = "Asynchronous requests, the newest first, without their results.",
      .takes = request_query, .output = &chainsi_api_requests_type },
    { CHAINSI_HTTP_GET, "/requests/{id}", chainsi_route_request, CHAINSI_ACCESS_LATER,
      CHAINSI_SCOPE_CALL, .id = "get_request", .about = "An asynchronous request with its result.",
      .output = &chainsi_api_request_type },
    { CHAINSI_HTTP_DELETE, "/requests/{id}", chainsi_route_cancel, CHAINSI_ACCESS_LATER,
      CHAINSI_SCOPE_CALL, .id = "cancel_request", .about = "Cancels an asynchronous request.",
      .output = &chainsi_api_request_type },

    { CHAINSI_HTTP_GET, "/healthz", chainsi_route_health, CHAINSI_ACCESS_OPEN, .id = "get_health",
      .about = "Whether the daemon is there, and to who may call whose it is.",
      .output = &chainsi_api_health_type },
    { CHAINSI_HTTP_GET, "/metrics", chainsi_route_metrics, .scope = CHAINSI_SCOPE_CALL,
      .id = "get_metrics", .about = "Metrics of the daemon and of all processes.",
      .media = "text/plain; version=0.0.4; charset=utf-8",
      .media_about = "Prometheus' text format." },

    { CHAINSI_HTTP_GET, "/api/v1/openapi.json", chainsi_route_document, CHAINSI_ACCESS_OPEN,
      .id = "get_document", .about = "This document.", .media = "application/json",
      .media_about = "An OpenAPI 3.1 document." },
    { CHAINSI_HTTP_GET, "/api/v1/session", chainsi_route_session, CHAINSI_ACCESS_OPEN,
      .id = "get_session",
      .about = "What whoever asks may do, with the key or token sent, or without.",
      .output = &chainsi_api_session_type },
    { CHAINSI_HTTP_GET, "/api/v1/chains", chainsi_route_chains, .scope = CHAINSI_SCOPE_CALL,
      .id = "list_chains", .about = "All chains, one item for each environment.",
      .output = &chainsi_api_chains_type },
    { CHAINSI_HTTP_POST, "/api/v1/chains", chainsi_route_deploy, .scope = CHAINSI_SCOPE_DEPLOY,
      .guarded = true, .id = "deploy",
      .about = "Deploys a version of a chain. The answer comes when it has begun.",
      .takes = TAKES({ "only_check", "integer",
                       "1: whether it could be, GPUs included; then the "
                       "status is 200, and the version 0." }),
      .body = &chainsi_api_deploy_type, .status = 202, .other_status = 200,
      .output = &chainsi_api_accepted_type },
    { CHAINSI_HTTP_GET, CHAIN, chainsi_route_chain, .scope = CHAINSI_SCOPE_CALL, .id = "get_chain",
      .about = "A chain in production, else in the first environment there is.",
      .output = &chainsi_api_chain_type },
    { CHAINSI_HTTP_DELETE, CHAIN, chainsi_route_delete_chain, .scope = CHAINSI_SCOPE_ADMIN,
      .guarded = true, .id = "delete_chain",
      .about = "Deletes a chain. The answer comes when all its processes have ended.",
      .output = &chainsi_api_deleted_type },
    { CHAINSI_HTTP_GET, CHAIN "/environments", chainsi_route_chains, .scope = CHAINSI_SCOPE_CALL,
      .id = "list_environments", .about = "A chain in each of its environments.",
      .output = &chainsi_api_chains_type },
    { CHAINSI_HTTP_GET, ENVIRONMENT, chainsi_route_chain, .scope = CHAINSI_SCOPE_CALL,
      .id = "get_environment", .about = "A chain in one environment.",
      .output = &chainsi_api_chain_type },
    { CHAINSI_HTTP_DELETE, ENVIRONMENT, chainsi_route_delete_environment,
      .scope = CHAINSI_SCOPE_ADMIN, .guarded = true, .id = "delete_environment",
      .about = "Deletes an environment. The answer comes when its processes have ended.",
      .output = &chainsi_api_deleted_type },
    { CHAINSI_HTTP_POST, ENVIRONMENT "/promote", chainsi_route_promote,
      .scope = CHAINSI_SCOPE_DEPLOY, .guarded = true, .id = "promote",
      .about =
          "Has a version that is kept answer in an environment. The answer comes when it does.",
      .body = &chainsi_api_promote_type, .output = &chainsi_api_chain_type },
    { CHAINSI_HTTP_POST, ENVIRONMENT "/rollback", chainsi_route_roll_back,
      .scope = CHAINSI_SCOPE_DEPLOY, .guarded = true, .id = "roll_back",
      .about = "Has the version before answer in an environment. The answer comes when it does.",
      .output = &chainsi_api_chain_type },
    { CHAINSI_HTTP_POST, ENVIRONMENT "/swap", chainsi_route_swap, .scope = CHAINSI_SCOPE_DEPLOY,
      .guarded = true, .id = "swap",
      .about = "Puts other programs in the place of those of a running version.",
      .body = &chainsi_api_deploy_type, .output = &chainsi_api_swapped_type },
    { CHAINSI_HTTP_GET, ENVIRONMENT "/graph", chainsi_route_graph, .scope = CHAINSI_SCOPE_CALL,
      .id = "get_graph", .about = "An environment's Chainlets and the calls between them, of late.",
      .output = &chainsi_api_graph_type },
    OF_CHAINLET(ENVIRONMENT, "_of_environment"),
    OF_CHAINLET(CHAIN, ""),
    { CHAINSI_HTTP_GET, CHAIN "/versions", chainsi_route_versions, .scope = CHAINSI_SCOPE_CALL,
      .id = "list_versions", .about = "The versions of a chain, the newest first.",
      .output = &chainsi_api_versions_type },
    { CHAINSI_HTTP_DELETE, CHAIN "/versions/{version}", chainsi_route_delete_version,
      .scope = CHAINSI_SCOPE_ADMIN, .guarded = true, .id = "delete_version",
      .about = "Deletes a version that answers nowhere.", .output = &chainsi_api_deleted_type },
    { CHAINSI_HTTP_GET, CHAIN "/events", chainsi_route_events, .scope = CHAINSI_SCOPE_DEPLOY,
      .id = "list_events_of_chain",
      .about = "What happened to a chain, also to one that is gone, the newest first.",
      .takes = event_query, .output = &chainsi_stored_events_type },
    { CHAINSI_HTTP_GET, "/api/v1/events", chainsi_route_events, .scope = CHAINSI_SCOPE_DEPLOY,
      .id = "list_events", .about = "What happened, the newest first.", .takes = event_query,
      .output = &chainsi_stored_events_type },
    { CHAINSI_HTTP_GET, "/api/v1/live", chainsi_route_live, CHAINSI_ACCESS_LATER,
      CHAINSI_SCOPE_CALL, .no_head = true, .id = "watch",
      .about = "What there is, told as it changes.", .takes = live_query,
      .media = "text/event-stream",
      .media_about = "Events named chains (as list_chains), graph (as get_graph, where chain is "
                     "given), happened (one of list_events) and traces ({newest}, a number)." },
    LOGS_OF(CHAIN "/logs", "read_logs", "What all Chainlets of a chain say."),
    LOGS_OF(CHAIN "/chainlets/{chainlet}/logs", "read_logs_of_chainlet", "What a Chainlet says."),
    { CHAINSI_HTTP_GET, "/api/v1/traces", chainsi_route_traces, .scope = CHAINSI_SCOPE_DEPLOY,
      .id = "list_traces", .about = "Recent calls, the newest first.", .takes = trace_query,
      .output = &chainsi_api_traces_type },
    { CHAINSI_HTTP_GET, "/api/v1/traces/{id}", chainsi_route_trace, .scope = CHAINSI_SCOPE_DEPLOY,
      .id = "get_trace", .about = "A trace, by its id or that of its request, with all spans.",
      .output = &chainsi_api_trace_tree_type },
    { CHAINSI_HTTP_GET, "/api/v1/keys", chainsi_route_keys, CHAINSI_ACCESS_ALL, CHAINSI_SCOPE_ADMIN,
      .guarded = true, .id = "list_keys", .about = "The API keys, without what is secret of them.",
      .output = &chainsi_shown_keys_type },
    { CHAINSI_HTTP_POST, "/api/v1/keys", chainsi_route_make_key, CHAINSI_ACCESS_ALL,
      CHAINSI_SCOPE_ADMIN, .guarded = true, .id = "make_key",
      .about = "Makes an API key, which is told this once.", .body = &chainsi_api_key_asked_type,
      .status = 201, .output = &chainsi_api_key_made_type },
    { CHAINSI_HTTP_DELETE, "/api/v1/keys/{id}", chainsi_route_revoke_key, CHAINSI_ACCESS_ALL,
      CHAINSI_SCOPE_ADMIN, .guarded = true, .id = "revoke_key",
      .about = "Revokes an API key, and ends what is being answered to it.",
      .output = &chainsi_api_key_revoked_type },
    { CHAINSI_HTTP_GET, "/api/v1/secrets", chainsi_route_secrets, CHAINSI_ACCESS_ALL,
      CHAINSI_SCOPE_ADMIN, .guarded = true, .id = "list_secrets",
      .about = "The names of the secrets.", .output = &chainsi_shown_secrets_type },
#define SECRET_AT(path_, id_, about_)                                                              \
    { CHAINSI_HTTP_PUT,                                                                            \
      "/api/v1/secrets" path_,                                                                     \
      chainsi_route_secret,                                                                        \
      CHAINSI_ACCESS_ALL,                                                                          \
      CHAINSI_SCOPE_ADMIN,                                                                         \
      .guarded = true,                                                                             \
      .id = "set_secret" id_,                                                                      \
      .about = "Sets a secret " about_ ".",                                                        \
      .body = &chainsi_api_secret_value_type,                                                      \
      .output = &chainsi_api_secret_changed_type },                                                \
    {                                                                                              \
        CHAINSI_HTTP_DELETE, "/api/v1/secrets" path_, chainsi_route_secret, CHAINSI_ACCESS_ALL,    \
            CHAINSI_SCOPE_ADMIN, .guarded = true, .id = "delete_secret" id_,                       \
                                 .about = "Deletes a secret " about_ ".",                          \
                                 .output = &chainsi_api_secret_changed_type                        \
    }
    SECRET_AT("/{name}", "", "for all chains"),
    SECRET_AT("/{chain}/{name}", "_of_chain", "of one chain"),
};
const size_t chainsi_route_count = sizeof chainsi_route_table / sizeof *chainsi_route_table;

/* Where the value goes of what stands in braces. */
static const char **place_of(chainsi_names *names, const char *word, size_t size)
{
    static const struct {
        const char *word;
        size_t offset;
    } places[] = {
        { "chain", offsetof(chainsi_names, chain) },
        { "environment", offsetof(chainsi_names, environment) },
        { "version", offsetof(chainsi_names, version) },
        { "chainlet", offsetof(chainsi_names, chainlet) },
        { "id", offsetof(chainsi_names, id) },
        { "name", offsetof(chainsi_names, name) },
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (!strncmp(places[i].word, word, size) && !places[i].word[size])
            return (const char **)((char *)names + places[i].offset);
    return NULL;
}

static bool is_at(const char *path, const char *const *segments, size_t count, chainsi_names *names)
{
    *names = (chainsi_names){ 0 };
    for (size_t i = 0; i < count; i++) {
        if (*path++ != '/')
            return false;
        size_t size = strcspn(path, "/");
        if (*path != '{') {
            if (strncmp(path, segments[i], size) != 0 || segments[i][size])
                return false;
        } else {
            if (!*segments[i])
                return false;
            *place_of(names, path + 1, size - 2) = segments[i];
        }
        path += size;
    }
    return !*path;
}

static bool takes(const chainsi_route_row *row, chainsi_http_method method)
{
    return row->method == method ||
           (method == CHAINSI_HTTP_HEAD && row->method == CHAINSI_HTTP_GET && !row->no_head);
}

/* In the order of the methods, whatever that of the rows. */
static void list_methods(const chainsi_route_row *row, char allowed[CHAINSI_ROUTE_METHODS])
{
    static const struct {
        chainsi_http_method method;
        const char *name;
    } methods[] = {
        { CHAINSI_HTTP_GET, "GET" },       { CHAINSI_HTTP_HEAD, "HEAD" },
        { CHAINSI_HTTP_POST, "POST" },     { CHAINSI_HTTP_PUT, "PUT" },
        { CHAINSI_HTTP_DELETE, "DELETE" },
    };
    const chainsi_route_row *end = chainsi_route_table + chainsi_route_count;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        bool taken = false;
        for (const chainsi_route_row *each = row; each < end && !strcmp(each->path, row->path);
             each++)
            taken = taken || takes(each, methods[i].method);
        size_t used = strlen(allowed);
        if (taken)
            snprintf(allowed + used, CHAINSI_ROUTE_METHODS - used, "%s%s", used ? ", " : "",
                     methods[i].name);
    }
}

const chainsi_route_row *chainsi_route_find(chainsi_http_method method, const char *const *segments,
                                            size_t count, chainsi_names *names,
                                            char allowed[CHAINSI_ROUTE_METHODS])
{
    const chainsi_route_row *first = NULL;
    *allowed = 0;
    for (size_t i = 0; i < chainsi_route_count; i++) {
        const chainsi_route_row *row = &chainsi_route_table[i];
        if (!is_at(row->path, segments, count, names))
            continue;
        if (takes(row, method))
            return row;
        first = first ? first : row;
    }
    if (first)
        list_methods(first, allowed);
    return NULL;
}
