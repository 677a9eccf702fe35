#include "control/api_scale.h"

#include "control/fields.h"

static const chainsi_type some_int32 = CHAINSI_POINTER_TO(&chainsi_type_int32);
static const chainsi_type some_double = CHAINSI_POINTER_TO(&chainsi_type_double);

#define SCALE_FIELDS                                                                               \
    CHAINSI_FIELD_OPTIONAL(chainsi_stored_scale, min_replicas, &some_int32),                       \
        CHAINSI_FIELD_OPTIONAL(chainsi_stored_scale, max_replicas, &some_int32),                   \
        CHAINSI_FIELD_OPTIONAL(chainsi_stored_scale, concurrency_target, &some_double),            \
        CHAINSI_FIELD_OPTIONAL(chainsi_stored_scale, target_utilization, &some_double),            \
        CHAINSI_FIELD_OPTIONAL(chainsi_stored_scale, window_s, &some_double),                      \
        CHAINSI_FIELD_OPTIONAL(chainsi_stored_scale, scale_down_delay_s, &some_double),            \
        CHAINSI_FIELD_OPTIONAL(chainsi_stored_scale, scale_to_zero_delay_s, &some_double)

static const chainsi_field scale_fields[] = { SCALE_FIELDS };
const chainsi_type chainsi_api_scale_type = CHAINSI_STRUCT_OF(chainsi_stored_scale, scale_fields);
static const chainsi_field override_fields[] = {
    SCALE_FIELDS,
    CHAINSI_FIELD_TEXT(chainsi_stored_scale, set_at),
};
const chainsi_type chainsi_api_override_type =
    CHAINSI_STRUCT_OF(chainsi_stored_scale, override_fields);
static const chainsi_type some_override = CHAINSI_POINTER_TO(&chainsi_api_override_type);

#define SCALING_FIELD(field_, type_)                                                               \
    {                                                                                              \
        .name = #field_, .name_size = sizeof #field_ - 1,                                          \
        .offset = offsetof(chainsi_api_scaled, scaling.field_), .type = (type_)                    \
    }
static const chainsi_field scaled_fields[] = {
    SCALING_FIELD(min_replicas, &chainsi_type_int32),
    SCALING_FIELD(max_replicas, &chainsi_type_int32),
    SCALING_FIELD(concurrency_target, &chainsi_type_double),
    SCALING_FIELD(target_utilization, &chainsi_type_double),
    SCALING_FIELD(window_s, &chainsi_type_double),
    SCALING_FIELD(scale_down_delay_s, &chainsi_type_double),
    SCALING_FIELD(scale_to_zero_delay_s, &chainsi_type_double),
    CHAINSI_FIELD_OPTIONAL(chainsi_api_scaled, override, &some_override),
};
const chainsi_type chainsi_api_scaled_type =
    CHAINSI_NAMED_STRUCT_OF("Scaled", chainsi_api_scaled, scaled_fields);

chainsi_api_scaling chainsi_scale_apply(const chainsi_stored_scale *scale,
                                        const chainsi_api_scaling *own)
{
    static const chainsi_stored_scale nothing;
    if (!scale)
        scale = &nothing;
#define CHOOSE(field) .field = scale->field ? *scale->field : own->field
    return (chainsi_api_scaling){
        CHOOSE(min_replicas),          CHOOSE(max_replicas), CHOOSE(concurrency_target),
        CHOOSE(target_utilization),    CHOOSE(window_s),     CHOOSE(scale_down_delay_s),
        CHOOSE(scale_to_zero_delay_s),
    };
#undef CHOOSE
}

chainsi_api_scaling chainsi_scale_fit(const chainsi_stored_scale *scale,
                                      const chainsi_api_scaling *own)
{
    chainsi_api_scaling result = chainsi_scale_apply(scale, own);
    if (result.min_replicas <= result.max_replicas)
        return result;
    if (scale && scale->max_replicas)
        result.min_replicas = result.max_replicas;
    else
        result.max_replicas = result.min_replicas;
    return result;
}
