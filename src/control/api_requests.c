#include "control/api_requests.h"

#include <math.h>
#include <string.h>

#include "control/fields.h"

static const chainsi_enumerator states[] = {
    { "QUEUED", CHAINSI_REQUEST_QUEUED, NULL },
    { "RUNNING", CHAINSI_REQUEST_RUNNING, NULL },
    { "SUCCEEDED", CHAINSI_REQUEST_SUCCEEDED, NULL },
    { "FAILED", CHAINSI_REQUEST_FAILED, NULL },
    { "EXPIRED", CHAINSI_REQUEST_EXPIRED, NULL },
    { "CANCELLED", CHAINSI_REQUEST_CANCELLED, NULL },
};
const chainsi_type chainsi_request_state_type = CHAINSI_ENUM_OF(chainsi_request_state, states);

static const chainsi_enumerator webhook_states[] = {
    { "NONE", CHAINSI_WEBHOOK_NONE, NULL },
    { "PENDING", CHAINSI_WEBHOOK_PENDING, NULL },
    { "DELIVERED", CHAINSI_WEBHOOK_DELIVERED, NULL },
    { "FAILED", CHAINSI_WEBHOOK_FAILED, NULL },
};
const chainsi_type chainsi_webhook_state_type =
    CHAINSI_ENUM_OF(chainsi_webhook_state, webhook_states);

bool chainsi_request_state_from_name(const char *name, chainsi_request_state *state)
{
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        if (strcmp(states[i].name, name) != 0)
            continue;
        *state = (chainsi_request_state)states[i].value;
        return true;
    }
    return false;
}

const char *chainsi_request_state_name(chainsi_request_state state)
{
    return states[state].name;
}

static const chains_json no_input = { "{}", 2 };
static const int32_t zero = 0;
static const double no_limit = 0;
static const chainsi_limits priorities = {
    .has_range = true,
    .max.i = CHAINSI_REQUEST_MOST_PRIORITY,
};
static const chainsi_limits retries = {
    .has_range = true,
    .max.i = CHAINSI_REQUEST_MOST_RETRIES,
};
static const chainsi_limits times = {
    .has_range = true,
    .max.f = INFINITY,
};

static const chainsi_field async_fields[] = {
    { CHAINSI_FIELD(chainsi_api_async, input, &chainsi_type_json), .default_value = &no_input },
    CHAINSI_FIELD_NULLABLE(chainsi_api_async, webhook),
    { CHAINSI_FIELD(chainsi_api_async, priority, &chainsi_type_int32), .default_value = &zero,
      .limits = &priorities },
    { CHAINSI_FIELD(chainsi_api_async, max_time_in_queue_s, &chainsi_type_double),
      .default_value = &no_limit, .limits = &times },
    { CHAINSI_FIELD(chainsi_api_async, retries, &chainsi_type_int32), .default_value = &zero,
      .limits = &retries },
};
const chainsi_type chainsi_api_async_type = CHAINSI_STRUCT_OF(chainsi_api_async, async_fields);

static const chainsi_field accepted_fields[] = {
    CHAINSI_FIELD_TEXT(chainsi_api_async_accepted, request_id),
};
const chainsi_type chainsi_api_async_accepted_type =
    CHAINSI_STRUCT_OF(chainsi_api_async_accepted, accepted_fields);

static const chainsi_field request_fields[] = {
    CHAINSI_FIELD_TEXT(chainsi_api_request, request_id),
    CHAINSI_FIELD_TEXT(chainsi_api_request, chain),
    CHAINSI_FIELD_TEXT(chainsi_api_request, environment),
    CHAINSI_FIELD_NULLABLE(chainsi_api_request, version),
    CHAINSI_FIELD_NULLABLE(chainsi_api_request, chainlet),
    CHAINSI_FIELD_NULLABLE(chainsi_api_request, key),
    CHAINSI_FIELD_OF(chainsi_api_request, status, &chainsi_request_state_type),
    CHAINSI_FIELD_OPTIONAL(chainsi_api_request, result, &chainsi_type_json),
    CHAINSI_FIELD_OPTIONAL(chainsi_api_request, error, &chainsi_type_json),
    CHAINSI_FIELD_OF(chainsi_api_request, priority, &chainsi_type_int32),
    CHAINSI_FIELD_NUMBER(chainsi_api_request, max_time_in_queue_s),
    CHAINSI_FIELD_OF(chainsi_api_request, retries, &chainsi_type_int32),
    CHAINSI_FIELD_OF(chainsi_api_request, attempts, &chainsi_type_int32),
    CHAINSI_FIELD_OF(chainsi_api_request, losses, &chainsi_type_int32),
    CHAINSI_FIELD_TEXT(chainsi_api_request, created_at),
    CHAINSI_FIELD_NULLABLE(chainsi_api_request, expires_at),
    CHAINSI_FIELD_NULLABLE(chainsi_api_request, started_at),
    CHAINSI_FIELD_NULLABLE(chainsi_api_request, ended_at),
    CHAINSI_FIELD_NULLABLE(chainsi_api_request, webhook),
    CHAINSI_FIELD_OF(chainsi_api_request, webhook_status, &chainsi_webhook_state_type),
    CHAINSI_FIELD_OF(chainsi_api_request, webhook_attempts, &chainsi_type_int32),
    CHAINSI_FIELD_NULLABLE(chainsi_api_request, webhook_error),
};
const chainsi_type chainsi_api_request_type =
    CHAINSI_NAMED_STRUCT_OF("Request", chainsi_api_request, request_fields);
const chainsi_type chainsi_api_requests_type =
    CHAINSI_LIST_OF(chainsi_api_requests, &chainsi_api_request_type);

void chainsi_api_request_of(const chainsi_stored_request *row, chainsi_api_request *request)
{
    *request = (chainsi_api_request){
        .request_id = row->id,
        .chain = row->chain,
        .environment = row->environment,
        .version = row->version,
        .chainlet = row->chainlet,
        .key = row->key,
        .status = row->state,
        .result = row->result,
        .error = row->error,
        .priority = row->priority,
        .max_time_in_queue_s = row->max_time_in_queue_s,
        .retries = row->retries,
        .attempts = row->attempts,
        .losses = row->losses,
        .created_at = row->created_at,
        .expires_at = row->expires_at,
        .started_at = row->started_at,
        .ended_at = row->ended_at,
        .webhook = row->webhook,
        .webhook_status = row->webhook_state,
        .webhook_attempts = row->webhook_attempts,
        .webhook_error = row->webhook_error,
    };
}
