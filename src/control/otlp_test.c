/* What the variables say, and what is sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/otlp.h"

/* The environment of a case: names and values in turn, up to a NULL. */
static const char *const *environment;

static const char *look_up(const char *name)
{
    for (const char *const *at = environment; *at; at += 2)
        if (!strcmp(*at, name))
            return at[1];
    return NULL;
}

static void urls(void **state)
{
    (void)state;
    static const struct {
        const char *environment[9];
        const char *url;
        bool why;
    } cases[] = {
        { { NULL }, NULL, false },
        { { "OTEL_EXPORTER_OTLP_ENDPOINT", "" }, NULL, false },
        { { "OTEL_EXPORTER_OTLP_ENDPOINT", "http://x:4318" }, "http://x:4318/v1/traces", false },
        { { "OTEL_EXPORTER_OTLP_ENDPOINT", "http://x:4318/" }, "http://x:4318/v1/traces", false },
        { { "OTEL_EXPORTER_OTLP_ENDPOINT", "https://x/base" }, "https://x/base/v1/traces", false },
        { { "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://y/as/it/is",
            "OTEL_EXPORTER_OTLP_ENDPOINT", "http://x" },
          "http://y/as/it/is",
          false },
        { { "OTEL_EXPORTER_OTLP_ENDPOINT", "x:4317" }, NULL, true },
        { { "OTEL_EXPORTER_OTLP_ENDPOINT", "http://x", "OTEL_TRACES_EXPORTER", "none" },
          NULL,
          false },
        { { "OTEL_EXPORTER_OTLP_ENDPOINT", "http://x", "OTEL_TRACES_EXPORTER", "otlp" },
          "http://x/v1/traces",
          false },
        { { "OTEL_EXPORTER_OTLP_ENDPOINT", "http://x", "OTEL_SDK_DISABLED", "True" }, NULL, false },
        { { "OTEL_EXPORTER_OTLP_ENDPOINT", "http://x", "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc" },
          "http://x/v1/traces",
          true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        chainsi_arena arena;
        chainsi_otlp_settings settings;
        const char *why;
        chainsi_arena_init(&arena);
        environment = cases[i].environment;
        chainsi_otlp_read(&settings, look_up, &arena, &why);
        if (cases[i].url)
            assert_string_equal(settings.url, cases[i].url);
        else
            assert_null(settings.url);
        assert_true((why != NULL) == cases[i].why);
        chainsi_arena_done(&arena);
    }
}

static void the_rest(void **state)
{
    (void)state;
    static const char *const given[] = {
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "http://x",
        "OTEL_EXPORTER_OTLP_HEADERS",
        "unused=1",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
        " api-key = a%3Db%2Cc , x=1,,=none,bad=%0Ax,y",
        "OTEL_EXPORTER_OTLP_TIMEOUT",
        "250",
        "OTEL_SERVICE_NAME",
        "door",
        "OTEL_RESOURCE_ATTRIBUTES",
        "deployment.environment=test",
        NULL,
    };
    chainsi_arena arena;
    chainsi_otlp_settings settings;
    const char *why;
    chainsi_arena_init(&arena);
    environment = given;
    chainsi_otlp_read(&settings, look_up, &arena, &why);
    assert_null(why);
    assert_int_equal(settings.headers.count, 3);
    assert_string_equal(settings.headers.items[0].name, "api-key");
    assert_string_equal(settings.headers.items[0].value, "a=b,c");
    assert_string_equal(settings.headers.items[1].value, "1");
    assert_string_equal(settings.headers.items[2].value, ""); /* it would end the header */
    assert_int_equal(settings.timeout_ms, 250);
    assert_string_equal(settings.service_name, "door");
    assert_string_equal(settings.attributes.items[0].name, "deployment.environment");
    chainsi_arena_done(&arena);
}

static chainsi_otlp_span make_span(const char *chainlet, uint64_t id, uint64_t parent)
{
    return (chainsi_otlp_span){
        .chain = "books",
        .unix_offset_ns = 1000000000000000000,
        .span = {
            .trace_high = 1,
            .trace_low = 2,
            .id = id,
            .parent = parent,
            .began_ns = 5,
            .ended_ns = 7,
            .queue_ns = -1,
            .decode_ns = -1,
            .run_ns = 1500000,
            .encode_ns = -1,
            .first_item_ns = -1,
            .process = 42,
            .kind = CHAINSI_SPAN_SERVED,
            .chainlet = chainlet,
            .callee = "",
            .request_id = "order \"1\"",
            .raised_by = "",
            .file = "",
            .message = "",
        },
    };
}

static void spans_are_grouped_by_service(void **state)
{
    (void)state;
    static const chainsi_otlp_pair more[] = { { "zone", "z1" }, { "service.name", "ignored" } };
    const chainsi_otlp_settings settings = {
        .service_name = "door",
        .attributes = { (chainsi_otlp_pair *)more, 2 },
    };
    chainsi_otlp_span front = make_span("", 0x10, 0), first = make_span("reader", 0x11, 0x10),
                      second = make_span("reader", 0x12, 0x10);
    front.span.kind = CHAINSI_SPAN_FRONT;
    front.span.callee = "reader";
    second.span.status = CHAINS_NOT_FOUND;
    second.span.message = "no";
    second.span.file = "reader.c";
    second.span.line = 3;
    const chainsi_otlp_span *const all[] = { &first, &front, &second };
    chainsi_buffer out = { 0 };
    chainsi_otlp_encode(&settings, all, 3, &out);
    chainsi_buffer_add_byte(&out, 0);
    /* clang-format off */
    assert_string_equal((const char *)out.data,
        "{\"resourceSpans\":["
        "{\"resource\":{\"attributes\":["
        "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"reader\"}},"
        "{\"key\":\"service.namespace\",\"value\":{\"stringValue\":\"books\"}},"
        "{\"key\":\"zone\",\"value\":{\"stringValue\":\"z1\"}}]},"
        "\"scopeSpans\":[{\"scope\":{\"name\":\"chains\"},\"spans\":["
        "{\"traceId\":\"00000000000000010000000000000002\",\"spanId\":\"0000000000000011\","
        "\"parentSpanId\":\"0000000000000010\",\"name\":\"reader/run_remote\",\"kind\":2,"
        "\"startTimeUnixNano\":\"1000000000000000005\",\"endTimeUnixNano\":\"1000000000000000007\","
        "\"attributes\":["
        "{\"key\":\"rpc.system\",\"value\":{\"stringValue\":\"chains\"}},"
        "{\"key\":\"rpc.service\",\"value\":{\"stringValue\":\"reader\"}},"
        "{\"key\":\"rpc.method\",\"value\":{\"stringValue\":\"run_remote\"}},"
        "{\"key\":\"chains.kind\",\"value\":{\"stringValue\":\"served\"}},"
        "{\"key\":\"chains.request_id\",\"value\":{\"stringValue\":\"order \\\"1\\\"\"}},"
        "{\"key\":\"chains.status\",\"value\":{\"stringValue\":\"OK\"}},"
        "{\"key\":\"chains.run_ms\",\"value\":{\"doubleValue\":1.5}},"
        "{\"key\":\"process.pid\",\"value\":{\"intValue\":\"42\"}}],"
        "\"status\":{\"code\":1,\"message\":\"\"}},"
        "{\"traceId\":\"00000000000000010000000000000002\",\"spanId\":\"0000000000000012\","
        "\"parentSpanId\":\"0000000000000010\",\"name\":\"reader/run_remote\",\"kind\":2,"
        "\"startTimeUnixNano\":\"1000000000000000005\",\"endTimeUnixNano\":\"1000000000000000007\","
        "\"attributes\":["
        "{\"key\":\"rpc.system\",\"value\":{\"stringValue\":\"chains\"}},"
        "{\"key\":\"rpc.service\",\"value\":{\"stringValue\":\"reader\"}},"
        "{\"key\":\"rpc.method\",\"value\":{\"stringValue\":\"run_remote\"}},"
        "{\"key\":\"chains.kind\",\"value\":{\"stringValue\":\"served\"}},"
        "{\"key\":\"chains.request_id\",\"value\":{\"stringValue\":\"order \\\"1\\\"\"}},"
        "{\"key\":\"chains.status\",\"value\":{\"stringValue\":\"NOT_FOUND\"}},"
        "{\"key\":\"chains.run_ms\",\"value\":{\"doubleValue\":1.5}},"
        "{\"key\":\"process.pid\",\"value\":{\"intValue\":\"42\"}},"
        "{\"key\":\"code.file.path\",\"value\":{\"stringValue\":\"reader.c\"}},"
        "{\"key\":\"code.line.number\",\"value\":{\"intValue\":\"3\"}}],"
        "\"status\":{\"code\":2,\"message\":\"no\"}}]}]},"
        "{\"resource\":{\"attributes\":["
        "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"door\"}},"
        "{\"key\":\"service.namespace\",\"value\":{\"stringValue\":\"books\"}},"
        "{\"key\":\"zone\",\"value\":{\"stringValue\":\"z1\"}}]},"
        "\"scopeSpans\":[{\"scope\":{\"name\":\"chains\"},\"spans\":["
        "{\"traceId\":\"00000000000000010000000000000002\",\"spanId\":\"0000000000000010\","
        "\"parentSpanId\":\"\",\"name\":\"reader/run_remote\",\"kind\":2,"
        "\"startTimeUnixNano\":\"1000000000000000005\",\"endTimeUnixNano\":\"1000000000000000007\","
        "\"attributes\":["
        "{\"key\":\"rpc.system\",\"value\":{\"stringValue\":\"chains\"}},"
        "{\"key\":\"rpc.service\",\"value\":{\"stringValue\":\"reader\"}},"
        "{\"key\":\"rpc.method\",\"value\":{\"stringValue\":\"run_remote\"}},"
        "{\"key\":\"chains.kind\",\"value\":{\"stringValue\":\"front\"}},"
        "{\"key\":\"chains.request_id\",\"value\":{\"stringValue\":\"order \\\"1\\\"\"}},"
        "{\"key\":\"chains.status\",\"value\":{\"stringValue\":\"OK\"}},"
        "{\"key\":\"chains.run_ms\",\"value\":{\"doubleValue\":1.5}},"
        "{\"key\":\"process.pid\",\"value\":{\"intValue\":\"42\"}}],"
        "\"status\":{\"code\":1,\"message\":\"\"}}]}]}]}");
    /* clang-format on */
    chainsi_buffer_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls),
        cmocka_unit_test(the_rest),
        cmocka_unit_test(spans_are_grouped_by_service),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
