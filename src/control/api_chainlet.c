/* What there is to know of one Chainlet of an environment: as what it was deployed, and how it did in the last
 * hour. */
#include <math.h>
#include <string.h>

#include "control/api_chainlet.h"
#include "control/fields.h"
#include "control/route.h"
#include "control/sampler.h"
#include "control/url.h"
#include "schema/json.h"

enum { MOST_MINUTES = CHAINSI_SERIES_POINTS * CHAINSI_SERIES_STEP_S / 60 };

static const chainsi_type strings_type = CHAINSI_LIST_OF(chains_string_list, &chainsi_type_string);
static const chainsi_field config_fields[] = {
    CHAINSI_FIELD_OF(chainsi_api_service, concurrency, &chainsi_type_int32),
    CHAINSI_FIELD_NUMBER(chainsi_api_service, cpu),
    CHAINSI_FIELD_INTEGER(chainsi_api_service, memory),
    CHAINSI_FIELD_NULLABLE(chainsi_api_service, gpu),
    CHAINSI_FIELD_OF(chainsi_api_service, scaling, &chainsi_api_scaling_type),
    CHAINSI_FIELD_OF(chainsi_api_service, max_queue, &chainsi_type_int32),
    CHAINSI_FIELD_INTEGER(chainsi_api_service, max_body),
    CHAINSI_FIELD_NUMBER(chainsi_api_service, start_timeout_s),
    CHAINSI_FIELD_NUMBER(chainsi_api_service, drain_timeout_s),
    CHAINSI_FIELD_NUMBER(chainsi_api_service, progress_timeout_s),
    CHAINSI_FIELD_OF(chainsi_api_service, secrets, &strings_type),
    CHAINSI_FIELD_OF(chainsi_api_service, assets, &chainsi_api_assets_type),
    CHAINSI_FIELD_OF(chainsi_api_service, dependencies, &strings_type),
    CHAINSI_FIELD_OF(chainsi_api_service, inside, &strings_type),
    CHAINSI_FIELD_NULLABLE(chainsi_api_service, interface),
};
static const chainsi_type config_type = CHAINSI_STRUCT_OF(chainsi_api_service, config_fields);
static const chainsi_type config_pointer = CHAINSI_POINTER_TO(&config_type);
static const chainsi_type override_pointer = CHAINSI_POINTER_TO(&chainsi_api_override_type);
static const chainsi_field description_fields[] = {
    CHAINSI_FIELD_TEXT(chainsi_api_described, name),
    CHAINSI_FIELD_TEXT(chainsi_api_described, c_name),
    CHAINSI_FIELD_OF(chainsi_api_described, config, &config_pointer),
    CHAINSI_FIELD_OPTIONAL(chainsi_api_described, override, &override_pointer),
};
const chainsi_type chainsi_api_described_type =
    CHAINSI_STRUCT_OF(chainsi_api_described, description_fields);

/* The same service, with the URLs of its assets as they may be told: without names and passwords. */
static const chainsi_api_service *hide_passwords(const chainsi_api_service *service,
                                                 chainsi_arena *arena)
{
    chainsi_api_service *told = chainsi_arena_alloc(arena, sizeof *told);
    chainsi_asset *assets = chainsi_arena_array(arena, service->assets.count, sizeof *assets);
    for (size_t i = 0; i < service->assets.count; i++) {
        chainsi_url url = { 0 };
        assets[i] = service->assets.items[i];
        chainsi_url_read(assets[i].url, &url);
        assets[i].url = url.shown ? chainsi_arena_strdup(arena, url.shown) : "";
        chainsi_url_done(&url);
    }
    *told = *service;
    told->assets.items = assets;
    return told;
}

static void answer_description(chainsi_exchange *exchange, const chainsi_environment *environment,
                               const chainsi_chainlet *chainlet)
{
    const chainsi_api_described found = {
        .name = chainlet->service->name,
        .c_name = chainlet->service->c_name,
        .config = hide_passwords(chainlet->service, &exchange->arena),
        .override = chainsi_scales_find(&environment->scales, chainlet->service->name),
    };
    chainsi_answer_value(exchange, 200, &chainsi_api_described_type, &found);
}

/* The columns of a series; each by its place in a point. */
static const struct column {
    const char *name;
    size_t offset;
} columns[] = {
    { "in_flight", offsetof(chainsi_point, in_flight) },
    { "waiting", offsetof(chainsi_point, waiting) },
    { "ready", offsetof(chainsi_point, ready) },
    { "wanted", offsetof(chainsi_point, wanted) },
    { "calls_per_s", offsetof(chainsi_point, calls_per_s) },
    { "errors_per_s", offsetof(chainsi_point, errors_per_s) },
    { "p50_ms", offsetof(chainsi_point, p50_ms) },
    { "p99_ms", offsetof(chainsi_point, p99_ms) },
    { "queue_p99_ms", offsetof(chainsi_point, queue_p99_ms) },
    { "cold_starts", offsetof(chainsi_point, cold_starts) },
};

static double number_at(const chainsi_point *point, size_t offset)
{
    double number;
    memcpy(&number, (const char *)point + offset, sizeof number);
    return number;
}

/* By hand: most numbers may be null, and a list a column, not an object a point, is what is plotted. */
static void write_columns(const chainsi_series *series, int64_t first, int64_t last,
                          chainsi_buffer *out)
{
    chainsi_buffer_printf(out, "{\"step_s\":%d,\"at\":[", CHAINSI_SERIES_STEP_S);
    for (int64_t slot = first; slot <= last; slot++)
        chainsi_buffer_printf(out, "%s%lld", slot > first ? "," : "",
                              (long long)slot * CHAINSI_SERIES_STEP_S);
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        chainsi_buffer_printf(out, "],\"%s\":[", columns[i].name);
        for (int64_t slot = first; slot <= last; slot++) {
            const chainsi_point point = chainsi_series_at(series, slot);
            if (slot > first)
                chainsi_buffer_add_byte(out, ',');
            chainsi_json_write_double(out, number_at(&point, columns[i].offset));
        }
    }
    chainsi_buffer_add_text(out, "]}");
}

static void answer_series(const chainsi_routes *routes, chainsi_exchange *exchange,
                          const chainsi_environment *environment, const chainsi_chainlet *chainlet)
{
    static const chainsi_series unknown;
    const chainsi_series *series =
        routes->sampler ? chainsi_sampler_series(routes->sampler, environment->chain->name,
                                                 environment->name, chainlet->service->name)
                        : NULL;
    size_t minutes = chainsi_query_number(exchange->request.query, "minutes", MOST_MINUTES);
    if (minutes < 1 || minutes > MOST_MINUTES)
        minutes = MOST_MINUTES;
    /* The point of this moment may be about to be made. */
    int64_t last = chainsi_sampler_slot();
    if (series && series->last == last - 1)
        last--;
    chainsi_buffer body = { 0 };
    write_columns(series ? series : &unknown,
                  last - (int64_t)minutes * 60 / CHAINSI_SERIES_STEP_S + 1, last, &body);
    chainsi_exchange_answer(exchange, 200, "application/json", NULL, body.data, body.size);
    chainsi_buffer_done(&body);
}

/* In an environment; NULL: there is none, and it has been said. */
static const chainsi_chainlet *find(const chainsi_routes *routes, chainsi_exchange *exchange,
                                    const chainsi_names *names,
                                    const chainsi_environment **environment)
{
    const chainsi_chain *chain = chainsi_route_find_chain(routes, exchange, names->chain);
    if (!chain)
        return NULL;
    const char *name = chainsi_environment_named(names);
    *environment = chainsi_chain_environment(chain, name);
    chainsi_deployment *deployment = !*environment               ? NULL
                                     : (*environment)->current   ? (*environment)->current
                                     : (*environment)->candidate ? (*environment)->candidate
                                                                 : (*environment)->failed;
    const chainsi_chainlet *found =
        deployment ? chainsi_deployment_find(deployment, names->chainlet) : NULL;
    if (!deployment)
        chainsi_exchange_fail(exchange, CHAINS_NOT_FOUND, "'%s' has no environment '%s'",
                              chain->name, name);
    else if (!found)
        chainsi_exchange_fail(exchange, CHAINS_NOT_FOUND, "there is no Chainlet '%s' in '%s'",
                              names->chainlet, chain->name);
    return found;
}

void chainsi_route_chainlet(chainsi_routes *routes, chainsi_exchange *exchange,
                            const chainsi_names *names)
{
    const chainsi_environment *environment;
    const chainsi_chainlet *found = find(routes, exchange, names, &environment);
    if (found)
        answer_description(exchange, environment, found);
}

void chainsi_route_series(chainsi_routes *routes, chainsi_exchange *exchange,
                          const chainsi_names *names)
{
    const chainsi_environment *environment;
    const chainsi_chainlet *found = find(routes, exchange, names, &environment);
    if (found)
        answer_series(routes, exchange, environment, found);
}
