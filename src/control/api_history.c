/* The tables of what the state knows of the past: the daemon's answers are rows, and the command line reads
 * them, which has no database. */
#include "control/fields.h"
#include "control/store_history.h"

static const chainsi_type some_int32 = CHAINSI_POINTER_TO(&chainsi_type_int32);

static const chainsi_field replica_fields[] = {
    CHAINSI_FIELD_INTEGER(chainsi_stored_replica, id),
    CHAINSI_FIELD_TEXT(chainsi_stored_replica, chain),
    CHAINSI_FIELD_TEXT(chainsi_stored_replica, environment),
    CHAINSI_FIELD_TEXT(chainsi_stored_replica, version),
    CHAINSI_FIELD_TEXT(chainsi_stored_replica, chainlet),
    CHAINSI_FIELD_TEXT(chainsi_stored_replica, process),
    CHAINSI_FIELD_INTEGER(chainsi_stored_replica, pid),
    CHAINSI_FIELD_TEXT(chainsi_stored_replica, started_at),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_replica, ready_at),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_replica, ended_at),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_replica, ending),
    CHAINSI_FIELD_OPTIONAL(chainsi_stored_replica, exit_status, &some_int32),
    CHAINSI_FIELD_OPTIONAL(chainsi_stored_replica, signal, &some_int32),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_replica, how),
};
const chainsi_type chainsi_stored_replica_type =
    CHAINSI_NAMED_STRUCT_OF("PastReplica", chainsi_stored_replica, replica_fields);
const chainsi_type chainsi_stored_replicas_type =
    CHAINSI_LIST_OF(chainsi_stored_replicas, &chainsi_stored_replica_type);

static const chainsi_field event_fields[] = {
    CHAINSI_FIELD_INTEGER(chainsi_stored_event, id),
    CHAINSI_FIELD_TEXT(chainsi_stored_event, at),
    CHAINSI_FIELD_TEXT(chainsi_stored_event, kind),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_event, chain),
    CHAINSI_FIELD_NULLABLE(chainsi_stored_event, chainlet),
    CHAINSI_FIELD_TEXT(chainsi_stored_event, message),
    CHAINSI_FIELD_OPTIONAL(chainsi_stored_event, details, &chainsi_type_json),
};
const chainsi_type chainsi_stored_event_type =
    CHAINSI_NAMED_STRUCT_OF("Event", chainsi_stored_event, event_fields);
const chainsi_type chainsi_stored_events_type =
    CHAINSI_LIST_OF(chainsi_stored_events, &chainsi_stored_event_type);
