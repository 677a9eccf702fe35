/* What the variables say, and what is sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "control/exposition.h"
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

static void check_read(chainsi_otlp_signal signal, const char *const *given, const char *url,
                       long interval_ms, bool says_why)
{
    chainsi_arena arena;
    chainsi_otlp_settings settings;
    const char *why;
    chainsi_arena_init(&arena);
    environment = given;
    chainsi_otlp_read(&settings, signal, look_up, &arena, &why);
    if (url)
        assert_string_equal(settings.url, url);
    else
        assert_null(settings.url);
    assert_int_equal(settings.interval_ms, interval_ms);
    assert_true((why != NULL) == says_why);
    chainsi_arena_done(&arena);
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
        check_read(CHAINSI_OTLP_TRACES, cases[i].environment, cases[i].url, 60000, cases[i].why);
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
    chainsi_otlp_read(&settings, CHAINSI_OTLP_TRACES, look_up, &arena, &why);
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

/* Metrics have the same variables under other names, and some of their own. */
static void metrics_are_asked_for_apart(void **state)
{
    (void)state;
    static const struct {
        const char *environment[12];
        const char *url;
        long interval_ms;
        bool why;
    } cases[] = {
        { { "OTEL_EXPORTER_OTLP_ENDPOINT", "http://x" }, "http://x/v1/metrics", 60000, false },
        { { "OTEL_EXPORTER_OTLP_ENDPOINT", "http://x", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
            "https://y/m", "OTEL_METRIC_EXPORT_INTERVAL", "250" },
          "https://y/m",
          250,
          false },
        { { "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://x/v1/traces" }, NULL, 60000, false },
        { { "OTEL_EXPORTER_OTLP_ENDPOINT", "http://x", "OTEL_METRICS_EXPORTER", "none" },
          NULL,
          60000,
          false },
        { { "OTEL_EXPORTER_OTLP_ENDPOINT", "http://x", "OTEL_TRACES_EXPORTER", "none" },
          "http://x/v1/metrics",
          60000,
          false },
        { { "OTEL_EXPORTER_OTLP_ENDPOINT", "http://x", "OTEL_METRIC_EXPORT_INTERVAL", "soon" },
          "http://x/v1/metrics",
          60000,
          true },
        { { "OTEL_EXPORTER_OTLP_ENDPOINT", "http://x", "OTEL_METRIC_EXPORT_INTERVAL", "0" },
          "http://x/v1/metrics",
          60000,
          true },
        { { "OTEL_EXPORTER_OTLP_ENDPOINT", "http://x",
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta" },
          "http://x/v1/metrics",
          60000,
          true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_read(CHAINSI_OTLP_METRICS, cases[i].environment, cases[i].url, cases[i].interval_ms,
                   cases[i].why);
    }
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

static void families_become_metrics(void **state)
{
    (void)state;
    static const char text[] = "# HELP calls_total Calls.\n# TYPE calls_total counter\n"
                               "calls_total{status=\"OK\"} 3\ncalls_total{status=\"NO\"} NaN\n"
                               "# TYPE running gauge\nrunning 2\n"
                               "# TYPE run_seconds histogram\n"
                               "run_seconds_bucket{a=\"b\",le=\"0.5\"} 1\n"
                               "run_seconds_bucket{a=\"b\",le=\"1\"} 4\n"
                               "run_seconds_bucket{a=\"b\",le=\"+Inf\"} 6\n"
                               "run_seconds_sum{a=\"b\"} 7.5\nrun_seconds_count{a=\"b\"} 6\n"
                               "# TYPE odd_seconds histogram\n" /* whose buckets don't add up */
                               "odd_seconds_bucket{le=\"1\"} 4\nodd_seconds_bucket{le=\"2\"} 3\n"
                               "odd_seconds_sum 1\nodd_seconds_count 4\n";
    chainsi_arena arena = { 0 };
    const chainsi_otlp_settings settings = { .service_name = "door" };
    const chainsi_otlp_metrics source = {
        .families = chainsi_exposition_read(text, sizeof text - 1, &arena),
        .chain = "books",
        .environment = "production",
        .version = "v0001",
        .chainlet = "reader",
        .instance = "42",
        .started_unix_ms = 1000,
    };
    chainsi_buffer out = { 0 };
    chainsi_otlp_encode_metrics(&settings, &source, 1, 2000, &out);
    chainsi_buffer_add_byte(&out, 0);
    /* clang-format off */
    assert_string_equal((const char *)out.data,
        "{\"resourceMetrics\":["
        "{\"resource\":{\"attributes\":["
        "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"reader\"}},"
        "{\"key\":\"service.namespace\",\"value\":{\"stringValue\":\"books\"}},"
        "{\"key\":\"deployment.environment.name\",\"value\":{\"stringValue\":\"production\"}},"
        "{\"key\":\"service.version\",\"value\":{\"stringValue\":\"v0001\"}},"
        "{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":\"42\"}}]},"
        "\"scopeMetrics\":[{\"scope\":{\"name\":\"chains\"},\"metrics\":["
        "{\"name\":\"calls_total\",\"description\":\"Calls.\",\"unit\":\"1\",\"sum\":{\"dataPoints\":["
        "{\"attributes\":[{\"key\":\"status\",\"value\":{\"stringValue\":\"OK\"}}],"
        "\"startTimeUnixNano\":\"1000000000\",\"timeUnixNano\":\"2000000000\",\"asDouble\":3.0}],"
        "\"aggregationTemporality\":2,\"isMonotonic\":true}},"
        "{\"name\":\"running\",\"description\":\"\",\"unit\":\"1\",\"gauge\":{\"dataPoints\":["
        "{\"attributes\":[],"
        "\"startTimeUnixNano\":\"1000000000\",\"timeUnixNano\":\"2000000000\",\"asDouble\":2.0}]}},"
        "{\"name\":\"run_seconds\",\"description\":\"\",\"unit\":\"s\",\"histogram\":{\"dataPoints\":["
        "{\"attributes\":[{\"key\":\"a\",\"value\":{\"stringValue\":\"b\"}}],"
        "\"startTimeUnixNano\":\"1000000000\",\"timeUnixNano\":\"2000000000\","
        "\"count\":\"6\",\"sum\":7.5,\"bucketCounts\":[\"1\",\"3\",\"2\"],\"explicitBounds\":[0.5,1.0]}],"
        "\"aggregationTemporality\":2}}]}]}]}");
    /* clang-format on */
    chainsi_buffer_done(&out);
    chainsi_arena_done(&arena);
}

/* What no integer holds is left out, and nothing else with it. */
static void what_is_no_count_is_left_out(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "x_bucket{le=\"1\"} 1e300\nx_sum 1\nx_count 1e300\n",
        "x_bucket{le=\"1\"} +Inf\nx_sum 1\nx_count 1\n",
        "x_bucket{le=\"1\"} 1e300\nx_sum 1\nx_count 1\n",
        "x_bucket{le=\"1\"} -2\nx_sum 1\nx_count -1\n",
        "x_sum 1\nx_count -1\n",
        "x_bucket{le=\"1\"} NaN\nx_sum 1\nx_count 1\n",
    };
    const chainsi_otlp_settings settings = { .service_name = "door" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        chainsi_arena arena = { 0 };
        chainsi_buffer text = { 0 }, out = { 0 };
        chainsi_buffer_printf(&text, "# TYPE x histogram\n%s# TYPE y gauge\ny 2\n", bad[i]);
        const chainsi_otlp_metrics source = {
            .families = chainsi_exposition_read((const char *)text.data, text.size, &arena),
            .chain = "c",
            .environment = "e",
            .version = "v",
            .chainlet = "x",
            .instance = "1",
        };
        chainsi_otlp_encode_metrics(&settings, &source, 1, 2000, &out);
        chainsi_buffer_add_byte(&out, 0);
        assert_null(strstr((const char *)out.data, "\"name\":\"x\""));
        assert_non_null(strstr((const char *)out.data, "\"name\":\"y\""));
        chainsi_buffer_done(&text);
        chainsi_buffer_done(&out);
        chainsi_arena_done(&arena);
    }
}

/* The most memory that this process has had, in bytes. */
static int64_t most_memory(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (int64_t)usage.ru_maxrss * 1024;
}

/* A daemon says of each of its Chainlets how long starts took: what is needed grows with the lines, not with
 * their square. */
static void many_histograms_take_little_memory(void **state)
{
    (void)state;
    enum { MANY = 4000, LINES = 4, MOST_OF_A_LINE = 4096 };
    chainsi_buffer text = { 0 }, out = { 0 };
    chainsi_arena arena = { 0 };
    chainsi_buffer_add_text(&text, "# TYPE start_seconds histogram\n");
    for (int i = 0; i < MANY; i++)
        chainsi_buffer_printf(&text,
                              "start_seconds_bucket{chainlet=\"%d\",le=\"1\"} 1\n"
                              "start_seconds_bucket{chainlet=\"%d\",le=\"+Inf\"} 2\n"
                              "start_seconds_sum{chainlet=\"%d\"} 3\n"
                              "start_seconds_count{chainlet=\"%d\"} 2\n",
                              i, i, i, i);
    const chainsi_otlp_settings settings = { .service_name = "door" };
    const chainsi_otlp_metrics source = {
        .families = chainsi_exposition_read((const char *)text.data, text.size, &arena),
        .chain = "",
        .environment = "",
        .version = "",
        .chainlet = "",
        .instance = "1",
    };
    const int64_t before = most_memory();
    chainsi_otlp_encode_metrics(&settings, &source, 1, 2000, &out);
    assert_true(most_memory() - before < (int64_t)MANY * LINES * MOST_OF_A_LINE);
    chainsi_buffer_add_byte(&out, 0);
    const char *last = strstr((const char *)out.data, "\"stringValue\":\"3999\"");
    assert_non_null(last);
    assert_non_null(strstr(last, "\"bucketCounts\":[\"1\",\"1\"],\"explicitBounds\":[1.0]"));
    chainsi_buffer_done(&out);
    chainsi_buffer_done(&text);
    chainsi_arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls),
        cmocka_unit_test(the_rest),
        cmocka_unit_test(metrics_are_asked_for_apart),
        cmocka_unit_test(spans_are_grouped_by_service),
        cmocka_unit_test(families_become_metrics),
        cmocka_unit_test(what_is_no_count_is_left_out),
        cmocka_unit_test(many_histograms_take_little_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
