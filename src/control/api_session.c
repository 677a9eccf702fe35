/* GET /api/v1/session. */
#include "control/api_session.h"

#include "control/fields.h"
#include "control/route.h"
#include "control/store_keys.h"

static const chainsi_type scopes_type = CHAINSI_LIST_OF(chainsi_api_scopes, &chainsi_scope_type);
static const chainsi_field session_fields[] = {
    CHAINSI_FIELD_OF(chainsi_api_session, scopes, &scopes_type),
    CHAINSI_FIELD_OF(chainsi_api_session, may_read_logs, &chainsi_type_bool),
    CHAINSI_FIELD_NULLABLE(chainsi_api_session, key_id),
    CHAINSI_FIELD_NULLABLE(chainsi_api_session, chain),
    CHAINSI_FIELD_OF(chainsi_api_session, keys_wanted, &chainsi_type_bool),
    CHAINSI_FIELD_NULLABLE(chainsi_api_session, home),
    CHAINSI_FIELD_TEXT(chainsi_api_session, version),
};
const chainsi_type chainsi_api_session_type =
    CHAINSI_NAMED_STRUCT_OF("Session", chainsi_api_session, session_fields);

void chainsi_route_session(chainsi_routes *routes, chainsi_exchange *exchange,
                           const chainsi_names *names)
{
    (void)names;
    static const chainsi_scope all[] = { CHAINSI_SCOPE_CALL, CHAINSI_SCOPE_DEPLOY,
                                         CHAINSI_SCOPE_ADMIN };
    enum { COUNT = sizeof all / sizeof *all };
    const chainsi_gate *gate = &routes->gate;
    const chainsi_caller *caller = exchange->caller;
    bool has_key = caller->kind == CHAINSI_CALLER_KEY;
    chainsi_scope may[COUNT];
    chainsi_api_session session = {
        .scopes = { .items = may },
        .may_read_logs = chainsi_gate_allows(gate, exchange, CHAINSI_SCOPE_DEPLOY, false, NULL),
        .key_id = has_key ? caller->id : NULL,
        .chain = has_key ? caller->chain : NULL,
        .keys_wanted = chainsi_gate_has_keys(gate),
        .version = CHAINSI_VERSION,
    };
    for (size_t i = 0; i < COUNT; i++)
        if (chainsi_gate_allows(gate, exchange, all[i], all[i] != CHAINSI_SCOPE_CALL, NULL))
            may[session.scopes.count++] = all[i];
    if (session.scopes.count)
        session.home = routes->home;
    chainsi_answer_value(exchange, 200, &chainsi_api_session_type, &session);
}
