#include "control/pod_look.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "control/fields.h"
#include "control/handle.h"
#include "schema/json.h"

enum {
    MOST_PATIENCE = 3, /* asks in vain, until what it said counts no more */
    MOST_ANSWER = 256 * 1024,
};

struct chainsi_pod_look {
    chainsi_upstream *probes;
    chainsi_upstream_call *call; /* in flight; NULL */
    chainsi_buffer body;
    bool good;
    int in_vain;
    chainsi_arena arena; /* of said */
    bool has_said;
    chainsi_pod_demand said;
    void (*on_answer)(void *user);
    void *user;
};

static const uint32_t none;
static const uint64_t no_calls;
static const chainsi_type waits_type = {
    .kind = CHAINSI_MAP,
    .size = sizeof((chainsi_pod_demand *)0)->waits,
    .item = &chainsi_type_uint32,
    .entry_size = sizeof(chainsi_pod_wait),
    .value_offset = offsetof(chainsi_pod_wait, value),
};
static const struct {
    chainsi_pod_wait *items;
    size_t count;
} no_waits;
static const chainsi_field demand_fields[] = {
    { CHAINSI_FIELD(chainsi_pod_demand, running, &chainsi_type_uint32) },
    { CHAINSI_FIELD(chainsi_pod_demand, waiting, &chainsi_type_uint32), .default_value = &none },
    { CHAINSI_FIELD(chainsi_pod_demand, slots, &chainsi_type_uint32), .default_value = &none },
    { CHAINSI_FIELD(chainsi_pod_demand, calls, &chainsi_type_uint64), .default_value = &no_calls },
    { CHAINSI_FIELD(chainsi_pod_demand, waits, &waits_type), .default_value = &no_waits },
};
static const chainsi_type demand_type = CHAINSI_STRUCT_OF(chainsi_pod_demand, demand_fields);

static void on_head(void *user, const chainsi_http_response *response)
{
    chainsi_pod_look *look = user;
    look->good = response->status == 200;
}

static void on_body(void *user, const char *data, size_t size)
{
    chainsi_pod_look *look = user;
    if (look->body.size + size <= MOST_ANSWER)
        chainsi_buffer_add(&look->body, data, size);
    else
        look->good = false;
}

static bool read_answer(chainsi_pod_look *look)
{
    chainsi_arena arena = { 0 };
    chainsi_pod_demand said;
    if (chainsi_json_decode(&demand_type, (const char *)look->body.data, look->body.size, &arena,
                            &said, NULL) != CHAINS_OK) {
        chainsi_arena_done(&arena);
        return false;
    }
    chainsi_arena_done(&look->arena);
    look->arena = arena;
    look->said = said;
    look->has_said = true;
    look->in_vain = 0;
    return true;
}

static void on_end(void *user, chainsi_upstream_end end, const char *why)
{
    (void)why;
    chainsi_pod_look *look = user;
    look->call = NULL;
    if (look->good && end == CHAINSI_UPSTREAM_ANSWERED && read_answer(look))
        look->on_answer(look->user);
}

chainsi_pod_look *chainsi_pod_look_new(chainsi_upstream *probes, void (*on_answer)(void *user),
                                       void *user)
{
    chainsi_pod_look *look = chainsi_make(sizeof *look);
    look->probes = probes;
    look->on_answer = on_answer;
    look->user = user;
    return look;
}

static void cancel(chainsi_pod_look *look)
{
    if (look->call)
        chainsi_upstream_cancel(look->call);
    look->call = NULL;
}

void chainsi_pod_look_ask(chainsi_pod_look *look, bool answers)
{
    static const char question[] = "GET /demand HTTP/1.1\r\nHost: localhost\r\n\r\n";
    static const chainsi_upstream_events events = { on_head, on_body, on_end };
    if (!answers || ++look->in_vain > MOST_PATIENCE) {
        cancel(look);
        look->has_said = false;
        look->in_vain = 0;
    }
    if (!answers || look->call)
        return;
    look->good = false;
    look->body.size = 0;
    look->call = chainsi_upstream_start(look->probes, question, sizeof question - 1, NULL, 0, false,
                                        &events, look);
}

const chainsi_pod_demand *chainsi_pod_look_said(const chainsi_pod_look *look)
{
    return look->has_said ? &look->said : NULL;
}

void chainsi_pod_look_free(chainsi_pod_look *look)
{
    if (!look)
        return;
    cancel(look);
    chainsi_buffer_done(&look->body);
    chainsi_arena_done(&look->arena);
    free(look);
}
