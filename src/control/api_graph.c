#include "control/api_graph.h"

#include "control/fields.h"

static const chainsi_type some_double = CHAINSI_POINTER_TO(&chainsi_type_double);
#define MAYBE(struct_, field_) CHAINSI_FIELD_OPTIONAL(struct_, field_, &some_double)

static const chainsi_field box_fields[] = {
    CHAINSI_FIELD_TEXT(chainsi_api_box, name),
    CHAINSI_FIELD_OF(chainsi_api_box, entrypoint, &chainsi_type_bool),
    CHAINSI_FIELD_OF(chainsi_api_box, external, &chainsi_type_bool),
    CHAINSI_FIELD_NULLABLE(chainsi_api_box, colocated_in),
    CHAINSI_FIELD_TEXT(chainsi_api_box, state),
    CHAINSI_FIELD_INTEGER(chainsi_api_box, ready),
    CHAINSI_FIELD_INTEGER(chainsi_api_box, wanted),
    CHAINSI_FIELD_INTEGER(chainsi_api_box, concurrency),
    CHAINSI_FIELD_INTEGER(chainsi_api_box, slots),
    CHAINSI_FIELD_INTEGER(chainsi_api_box, in_flight),
    CHAINSI_FIELD_INTEGER(chainsi_api_box, waiting),
    CHAINSI_FIELD_NUMBER(chainsi_api_box, cpu),
    CHAINSI_FIELD_INTEGER(chainsi_api_box, memory),
    CHAINSI_FIELD_NULLABLE(chainsi_api_box, gpu),
    MAYBE(chainsi_api_box, calls_per_s),
    MAYBE(chainsi_api_box, errors_per_s),
    MAYBE(chainsi_api_box, p50_ms),
    MAYBE(chainsi_api_box, p99_ms),
};
static const chainsi_type box_type = CHAINSI_STRUCT_OF(chainsi_api_box, box_fields);
static const chainsi_type boxes_type = CHAINSI_LIST_OF(chainsi_api_boxes, &box_type);

static const chainsi_field arrow_fields[] = {
    CHAINSI_FIELD_TEXT(chainsi_api_arrow, caller),
    CHAINSI_FIELD_TEXT(chainsi_api_arrow, callee),
    MAYBE(chainsi_api_arrow, calls_per_s),
    MAYBE(chainsi_api_arrow, errors_per_s),
    MAYBE(chainsi_api_arrow, retries_per_s),
    MAYBE(chainsi_api_arrow, p50_ms),
    MAYBE(chainsi_api_arrow, p99_ms),
    CHAINSI_FIELD_OF(chainsi_api_arrow, colocated, &chainsi_type_bool),
};
static const chainsi_type arrow_type = CHAINSI_STRUCT_OF(chainsi_api_arrow, arrow_fields);
static const chainsi_type arrows_type = CHAINSI_LIST_OF(chainsi_api_arrows, &arrow_type);

static const chainsi_field graph_fields[] = {
    CHAINSI_FIELD_TEXT(chainsi_api_graph, chain),
    CHAINSI_FIELD_TEXT(chainsi_api_graph, environment),
    CHAINSI_FIELD_NULLABLE(chainsi_api_graph, version_id),
    CHAINSI_FIELD_INTEGER(chainsi_api_graph, window_s),
    CHAINSI_FIELD_OF(chainsi_api_graph, clients, &chainsi_api_clients_type),
    CHAINSI_FIELD_OF(chainsi_api_graph, chainlets, &boxes_type),
    CHAINSI_FIELD_OF(chainsi_api_graph, edges, &arrows_type),
};
const chainsi_type chainsi_api_graph_type = CHAINSI_STRUCT_OF(chainsi_api_graph, graph_fields);
