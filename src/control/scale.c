/* Scaling in the API. */
#include "control/scale.h"

#include <string.h>

#include "control/fields.h"
#include "control/route.h"
#include "schema/json.h"

static const chainsi_type some_int32 = CHAINSI_POINTER_TO(&chainsi_type_int32);
static const chainsi_type some_double = CHAINSI_POINTER_TO(&chainsi_type_double);

static const chainsi_field scale_fields[] = {
    CHAINSI_FIELD_OPTIONAL(chainsi_api_scale, min_replicas, &some_int32),
    CHAINSI_FIELD_OPTIONAL(chainsi_api_scale, max_replicas, &some_int32),
    CHAINSI_FIELD_OPTIONAL(chainsi_api_scale, concurrency_target, &some_double),
    CHAINSI_FIELD_OPTIONAL(chainsi_api_scale, target_utilization, &some_double),
    CHAINSI_FIELD_OPTIONAL(chainsi_api_scale, window_s, &some_double),
    CHAINSI_FIELD_OPTIONAL(chainsi_api_scale, scale_down_delay_s, &some_double),
    CHAINSI_FIELD_OPTIONAL(chainsi_api_scale, scale_to_zero_delay_s, &some_double),
};
const chainsi_type chainsi_api_scale_type = CHAINSI_STRUCT_OF(chainsi_api_scale, scale_fields);

chains_status chainsi_api_scale_apply(const chainsi_api_scale *scale,
                                      const chainsi_api_scaling *own, chainsi_api_scaling *result,
                                      char *why, size_t why_size)
{
#define CHOOSE(field) scale->field ? *scale->field : own->field
    chainsi_api_scaling asked = {
        .min_replicas = CHOOSE(min_replicas),
        .max_replicas = CHOOSE(max_replicas),
        .concurrency_target = CHOOSE(concurrency_target),
        .target_utilization = CHOOSE(target_utilization),
        .window_s = CHOOSE(window_s),
        .scale_down_delay_s = CHOOSE(scale_down_delay_s),
        .scale_to_zero_delay_s = CHOOSE(scale_to_zero_delay_s),
    };
#undef CHOOSE
    chains_status status = chainsi_api_check_scaling(&asked, why, why_size);
    if (status == CHAINS_OK)
        *result = asked;
    return status;
}

static void answer_scaling(chainsi_exchange *exchange, const chainsi_chainlet *chainlet)
{
    chainsi_api_scaling scaling = chainsi_api_scaling_of(&chainlet->scaling);
    chainsi_answer_value(exchange, 200, &chainsi_api_scaling_type, &scaling);
}

static void set_scaling(chainsi_exchange *exchange, const chainsi_chainlet *chainlet)
{
    chainsi_api_scale asked;
    chainsi_api_scaling result;
    chainsi_codec_error error;
    char why[256];
    if (chainsi_json_decode(&chainsi_api_scale_type, exchange->body, exchange->body_size,
                            &exchange->arena, &asked, &error) != CHAINS_OK) {
        chainsi_exchange_fail(exchange, CHAINS_INVALID_ARGUMENT, "%s%s%s", error.path,
                              error.path[0] ? ": " : "", error.message);
        return;
    }
    if (chainsi_api_scale_apply(&asked, &chainlet->service->scaling, &result, why, sizeof why) !=
        CHAINS_OK) {
        chainsi_exchange_fail(exchange, CHAINS_INVALID_ARGUMENT, "%s", why);
        return;
    }
    chainsi_scaling_options options = chainsi_api_scaling_options(&result);
    chainsi_deployment_scale(chainlet->deployment, chainlet->service->name, &options);
    answer_scaling(exchange, chainlet);
}

void chainsi_route_scale(chainsi_exchange *exchange, chainsi_deployment *deployment,
                         const char *name)
{
    const chainsi_chainlet *chainlet = chainsi_deployment_find(deployment, name);
    if (!chainlet) {
        chainsi_exchange_fail(exchange, CHAINS_NOT_FOUND, "there is no Chainlet '%s' in '%s'", name,
                              deployment->options.deploy->chain);
        return;
    }
    switch (exchange->request.method) {
    case CHAINSI_HTTP_GET:
    case CHAINSI_HTTP_HEAD:
        answer_scaling(exchange, chainlet);
        return;
    case CHAINSI_HTTP_PUT:
        set_scaling(exchange, chainlet);
        return;
    case CHAINSI_HTTP_DELETE:
        chainsi_deployment_scale(deployment, name, NULL);
        answer_scaling(exchange, chainlet);
        return;
    default:
        chainsi_answer_other_method(exchange, "GET, HEAD, PUT, DELETE");
    }
}
