#include "control/pod_look.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "control/fields.h"
#include "control/handle.h"
#include "runtime/span_batch.h"
#include "schema/json.h"

enum {
    MOST_PATIENCE = 3, /* times that it is asked in vain, until what it said counts no more */
    MOST_ANSWER = 8 * 1024 * 1024,
};

/* Something that is asked of it, again and again. */
typedef struct question {
    chainsi_pod_look *look;
    chainsi_upstream_call *call; /* in flight; NULL */
    chainsi_buffer body;         /* owned */
    bool good;
    uint64_t next; /* X-Chains-Next of its answer; 0: it has none */
    void (*on_answer)(struct question *question);
} question;

struct chainsi_pod_look {
    chainsi_upstream *probes;
    chainsi_pod_look_events events;
    question demand, spans;
    int in_vain;
    chainsi_arena arena; /* of said */
    bool has_said;
    chainsi_pod_demand said;
    uint64_t told_calls; /* calls that it has told of, or may have */
    bool was_running;    /* then: those weren't told of whole */
    uint64_t after;      /* of /spans */
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

/* Questions. */

static void on_head(void *user, const chainsi_http_response *response)
{
    question *asked = user;
    asked->good = response->status == 200;
    char digits[24] = "";
    const chainsi_slice *next = chainsi_http_find(&response->head, CHAINSI_SPAN_BATCH_NEXT);
    if (next && next->size < sizeof digits)
        memcpy(digits, next->data, next->size);
    asked->next = strtoull(digits, NULL, 10);
}

static void on_body(void *user, const char *data, size_t size)
{
    question *asked = user;
    if (asked->body.size + size <= MOST_ANSWER)
        chainsi_buffer_add(&asked->body, data, size);
    else
        asked->good = false;
}

static void on_end(void *user, chainsi_upstream_end end, const char *why)
{
    (void)why;
    question *asked = user;
    asked->call = NULL;
    if (asked->good && end == CHAINSI_UPSTREAM_ANSWERED)
        asked->on_answer(asked);
}

static void ask(question *asked, const char *path)
{
    static const chainsi_upstream_events events = { on_head, on_body, on_end };
    char head[160];
    const int size =
        snprintf(head, sizeof head, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    asked->good = false;
    asked->body.size = 0;
    asked->call = chainsi_upstream_start(asked->look->probes, head, (size_t)size, NULL, 0, false,
                                         &events, asked);
}

static void cancel(question *asked)
{
    if (asked->call)
        chainsi_upstream_cancel(asked->call);
    asked->call = NULL;
}

/* What it tells of calls. */

static void on_spans(question *asked)
{
    chainsi_pod_look *look = asked->look;
    if (asked->next)
        look->after = asked->next;
    look->events.on_spans(look->events.user, asked->body.data, asked->body.size);
}

/* If there have been calls since it was asked last, or there were some that had not ended. */
static void ask_spans(chainsi_pod_look *look)
{
    char path[64];
    if (look->spans.call || (look->said.calls == look->told_calls && !look->was_running))
        return;
    look->told_calls = look->said.calls;
    look->was_running = look->said.running > 0;
    snprintf(path, sizeof path, CHAINSI_SPAN_BATCH_PATH "?after=%" PRIu64, look->after);
    ask(&look->spans, path);
}

/* What is asked of it. */

static void on_demand(question *asked)
{
    chainsi_pod_look *look = asked->look;
    chainsi_arena arena = { 0 };
    chainsi_pod_demand said;
    if (chainsi_json_decode(&demand_type, (const char *)asked->body.data, asked->body.size, &arena,
                            &said, NULL) != CHAINS_OK) {
        chainsi_arena_done(&arena);
        return;
    }
    chainsi_arena_done(&look->arena);
    look->arena = arena;
    look->said = said;
    look->has_said = true;
    look->in_vain = 0;
    ask_spans(look);
    look->events.on_answer(look->events.user);
}

void chainsi_pod_look_ask(chainsi_pod_look *look, bool answers)
{
    if (!answers || ++look->in_vain > MOST_PATIENCE) {
        cancel(&look->demand);
        cancel(&look->spans);
        look->has_said = false;
        look->in_vain = 0;
    }
    if (answers && !look->demand.call)
        ask(&look->demand, "/demand");
}

const chainsi_pod_demand *chainsi_pod_look_said(const chainsi_pod_look *look)
{
    return look->has_said ? &look->said : NULL;
}

chainsi_pod_look *chainsi_pod_look_new(chainsi_upstream *probes,
                                       const chainsi_pod_look_events *events)
{
    chainsi_pod_look *look = chainsi_make(sizeof *look);
    look->probes = probes;
    look->events = *events;
    look->demand = (question){ .look = look, .on_answer = on_demand };
    look->spans = (question){ .look = look, .on_answer = on_spans };
    return look;
}

void chainsi_pod_look_free(chainsi_pod_look *look)
{
    if (!look)
        return;
    cancel(&look->demand);
    cancel(&look->spans);
    chainsi_buffer_done(&look->demand.body);
    chainsi_buffer_done(&look->spans.body);
    chainsi_arena_done(&look->arena);
    free(look);
}
