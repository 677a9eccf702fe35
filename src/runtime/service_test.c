/* A service as HTTP clients see it. */
#include "runtime/call_test_support.h"

#include "rpc/client.h"
#include "schema/json.h"

typedef struct web {
    fixture *made;
    chainsi_client *client;
    chainsi_arena arena;
} web;

static int open_web(void **state)
{
    web *it = calloc(1, sizeof *it);
    void *made;
    fixture_at = DISTANCE_QUEUE;
    open_fixture(&made);
    it->made = made;
    char why[256];
    it->client = chainsi_client_new(it->made->address, why, sizeof why);
    assert_non_null(it->client);
    *state = it;
    return 0;
}

static int close_web(void **state)
{
    web *it = *state;
    chainsi_client_free(it->client);
    chainsi_arena_done(&it->arena);
    void *made = it->made;
    close_fixture(&made);
    free(it);
    return 0;
}

static chainsi_client_response ask(web *it, const char *method, const char *path,
                                   const char *headers, const char *body)
{
    chainsi_client_request request = {
        .method = method,
        .path = path,
        .headers = headers,
        .headers_size = headers ? strlen(headers) : 0,
        .body = body,
        .body_size = body ? strlen(body) : 0,
        .deadline_ns = CHAINSI_NEVER,
    };
    chainsi_client_response response;
    char why[256];
    chainsi_exchange_end end =
        chainsi_client_exchange(it->client, &request, &it->arena, &response, why, sizeof why);
    assert_int_equal(end, CHAINSI_EXCHANGE_ANSWERED);
    return response;
}

static const char *header_of(web *it, const chainsi_client_response *response, const char *name)
{
    const chainsi_slice *value = chainsi_http_find(&response->head, name);
    return value ? chainsi_arena_copy(&it->arena, value->data, value->size) : NULL;
}

static void json_in_and_out(void **state)
{
    web *it = *state;
    chainsi_client_response response =
        ask(it, "POST", "/run_remote", "Content-Type: application/json; charset=utf-8\r\n",
            "{\"text\": \"hi\", \"numbers\": [1, 2]}");
    assert_int_equal(response.status, 200);
    assert_string_equal(response.content_type, "application/json");
    assert_string_equal(response.body, "{\"text\":\"<hi>\",\"sum\":3}");
}

static void the_request_id_is_kept_or_made(void **state)
{
    web *it = *state;
    chainsi_client_response response =
        ask(it, "POST", "/run_remote", "X-Request-Id: my-own-1\r\n", "{\"text\": \"hi\"}");
    assert_string_equal(header_of(it, &response, "X-Request-Id"), "my-own-1");
    response = ask(it, "POST", "/run_remote", NULL, "{\"text\": \"hi\"}");
    assert_int_equal(strlen(header_of(it, &response, "X-Request-Id")), 32);
}

static void errors_are_json_with_their_http_status(void **state)
{
    web *it = *state;
    chainsi_client_response response = ask(it, "POST", "/run_remote", "X-Request-Id: r1\r\n",
                                           "{\"text\": \"hi\", \"fail_status\": 5}");
    assert_int_equal(response.status, 404);
    assert_string_equal(response.content_type, "application/json");
    chains_error error;
    assert_true(chainsi_error_decode(response.body, response.body_size, false, &it->arena, &error));
    assert_int_equal(error.status, CHAINS_NOT_FOUND);
    assert_string_equal(error.message, "worker was told to fail: hi");
    assert_int_equal(error.trace_count, 1);
    assert_non_null(strstr(response.body, "\"request_id\":\"r1\""));
    static const struct {
        int code, http;
    } statuses[] = {
        { CHAINS_CANCELLED, 499 },
        { CHAINS_INVALID_ARGUMENT, 400 },
        { CHAINS_DEADLINE_EXCEEDED, 504 },
        { CHAINS_ALREADY_EXISTS, 409 },
        { CHAINS_PERMISSION_DENIED, 403 },
        { CHAINS_RESOURCE_EXHAUSTED, 429 },
        { CHAINS_FAILED_PRECONDITION, 400 },
        { CHAINS_ABORTED, 409 },
        { CHAINS_OUT_OF_RANGE, 400 },
        { CHAINS_UNIMPLEMENTED, 501 },
        { CHAINS_INTERNAL, 500 },
        { CHAINS_UNAVAILABLE, 503 },
        { CHAINS_DATA_LOSS, 500 },
        { CHAINS_UNAUTHENTICATED, 401 },
    };
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        char body[64];
        snprintf(body, sizeof body, "{\"text\": \"x\", \"fail_status\": %d}", statuses[i].code);
        assert_int_equal(ask(it, "POST", "/run_remote", NULL, body).status, statuses[i].http);
    }
}

static void bad_arguments_name_path_and_byte(void **state)
{
    web *it = *state;
    chainsi_client_response response =
        ask(it, "POST", "/run_remote", NULL, "{\"text\": \"hi\", \"numbers\": [1, \"two\"]}");
    assert_int_equal(response.status, 400);
    chains_error error;
    assert_true(chainsi_error_decode(response.body, response.body_size, false, &it->arena, &error));
    assert_int_equal(error.status, CHAINS_INVALID_ARGUMENT);
    assert_string_equal(error.path, "numbers[1]");
    assert_non_null(strstr(error.message, "(byte 30)"));
    response = ask(it, "POST", "/run_remote", NULL, "{}");
    assert_int_equal(response.status, 400);
    assert_non_null(strstr(response.body, "text"));
    response = ask(it, "POST", "/run_remote", NULL, NULL);
    assert_int_equal(response.status, 400);
    assert_int_equal(atomic_load(&the_worker.calls), 0);
}

static void wrong_paths_methods_and_types(void **state)
{
    web *it = *state;
    chainsi_client_response response = ask(it, "GET", "/run_remote", NULL, NULL);
    assert_int_equal(response.status, 405);
    assert_string_equal(header_of(it, &response, "Allow"), "POST");
    response = ask(it, "POST", "/healthz", NULL, "");
    assert_int_equal(response.status, 405);
    response = ask(it, "POST", "/run_remotely", NULL, "{}");
    assert_int_equal(response.status, 404);
    assert_non_null(strstr(response.body, "/run_remote"));
    response = ask(it, "POST", "/run_remote", "Content-Type: text/plain\r\n", "{\"text\": \"hi\"}");
    assert_int_equal(response.status, 415);
    assert_int_equal(atomic_load(&the_worker.calls), 0);
}

static void another_interface_is_refused_clearly(void **state)
{
    web *it = *state;
    chainsi_client_response response =
        ask(it, "POST", "/run_remote", "X-Chains-Interface: 00000000deadbeef\r\n",
            "{\"text\": \"hi\"}");
    assert_int_equal(response.status, 400);
    assert_non_null(strstr(response.body, "FAILED_PRECONDITION"));
    assert_non_null(strstr(response.body, "built against another interface"));
    response = ask(it, "POST", "/run_remote", "X-Chains-Interface: 0123456789ABCDEF\r\n",
                   "{\"text\": \"hi\"}");
    assert_int_equal(response.status, 200);
}

static void deadlines_come_as_what_remains(void **state)
{
    web *it = *state;
    chainsi_client_response response = ask(it, "POST", "/run_remote", "X-Chains-Timeout-Ms: 30\r\n",
                                           "{\"text\": \"hi\", \"until_cancelled\": true}");
    assert_int_equal(response.status, 504);
    response = ask(it, "POST", "/run_remote", "X-Chains-Timeout-Ms: 0\r\n", "{\"text\": \"hi\"}");
    assert_int_equal(response.status, 504);
    response =
        ask(it, "POST", "/run_remote", "X-Chains-Timeout-Ms: soon\r\n", "{\"text\": \"hi\"}");
    assert_int_equal(response.status, 400);
    assert_int_equal(atomic_load(&the_worker.calls), 1);
}

static chains_status tell_trace(chains_ctx *ctx, const worker_input *input, worker_output *output)
{
    (void)input;
    char trace[CHAINSI_TRACEPARENT_SIZE];
    chainsi_trace_write(&ctx->trace, trace);
    output->text = chains_printf(ctx, "%s", trace);
    return CHAINS_OK;
}

static void traces_are_carried_with_a_new_span(void **state)
{
    web *it = *state;
    worker_hook = tell_trace;
    chainsi_client_response response =
        ask(it, "POST", "/run_remote",
            "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n",
            "{\"text\": \"hi\"}");
    assert_non_null(strstr(response.body, "\"00-0af7651916cd43dd8448eb211c80319c-"));
    assert_null(strstr(response.body, "b7ad6b7169203331"));
    response = ask(it, "POST", "/run_remote", "traceparent: 00-xyz\r\n", "{\"text\": \"hi\"}");
    assert_int_equal(response.status, 200);
}

static void probes_and_metrics(void **state)
{
    web *it = *state;
    assert_int_equal(ask(it, "GET", "/healthz", NULL, NULL).status, 200);
    assert_int_equal(ask(it, "GET", "/livez", NULL, NULL).status, 200);
    assert_int_equal(ask(it, "POST", "/livez", NULL, NULL).status, 405);
    assert_int_equal(ask(it, "GET", "/readyz", NULL, NULL).status, 200);
    ask(it, "POST", "/run_remote", NULL, "{\"text\": \"hi\"}");
    ask(it, "POST", "/run_remote", NULL, "{\"text\": \"hi\", \"fail_status\": 5}");
    chainsi_client_response response = ask(it, "GET", "/metrics", NULL, NULL);
    assert_int_equal(response.status, 200);
    assert_non_null(
        strstr(response.body, "chains_calls_total{chainlet=\"worker\",status=\"OK\"} 1\n"));
    assert_non_null(
        strstr(response.body, "chains_calls_total{chainlet=\"worker\",status=\"NOT_FOUND\"} 1\n"));
    assert_non_null(strstr(response.body, "chains_run_seconds_count{chainlet=\"worker\"} 2\n"));
    assert_non_null(strstr(response.body, "chains_ready{chainlet=\"worker\"} 1\n"));
    /* Not for callers: who serves them elsewhere says so. */
    assert_int_equal(ask(it, "GET", "/demand", NULL, NULL).status, 404);
    assert_int_equal(ask(it, "GET", "/spans", NULL, NULL).status, 404);
    response = ask(it, "GET", "/openapi.json", NULL, NULL);
    assert_string_equal(response.content_type, "application/json");
    assert_int_equal(chainsi_json_check(response.body, response.body_size, NULL), CHAINS_OK);
    assert_non_null(strstr(response.body, "\"/run_remote\""));
}

/* When a call was made, which the daemon says, counts over a Unix socket and where it makes sense. */
static void what_a_call_has_waited(void **state)
{
    web *it = *state;
    char line[64], expected[80];
    const int64_t now_us = chainsi_now_ns() / 1000;
    snprintf(line, sizeof line, "X-Chains-Made-Us: %lld\r\n", (long long)now_us);
    assert_int_equal(ask(it, "POST", "/run_remote", line, "{\"text\": \"hi\"}").status, 200);
    snprintf(line, sizeof line, "X-Chains-Made-Us: %lld\r\n",
             (long long)(now_us + INT64_C(3600000000)));
    assert_int_equal(ask(it, "POST", "/run_remote", line, "{\"text\": \"hi\"}").status, 200);
    assert_int_equal(
        ask(it, "POST", "/run_remote", "X-Chains-Made-Us: -1\r\n", "{\"text\": \"hi\"}").status,
        200);
    assert_int_equal(ask(it, "POST", "/run_remote", NULL, "{\"text\": \"hi\"}").status, 200);
    snprintf(expected, sizeof expected, "chains_queue_seconds_count{chainlet=\"worker\"} %d\n",
             fixture_is_over_tcp() ? 0 : 1);
    assert_non_null(strstr(ask(it, "GET", "/metrics", NULL, NULL).body, expected));
}

static atomic_int begun, ended;

static chains_status wait_to_be_cancelled(chains_ctx *child, void *argument)
{
    (void)argument;
    atomic_fetch_add(&begun, 1);
    while (!chains_cancelled(child))
        usleep(200);
    atomic_fetch_add(&ended, 1);
    return CHAINS_CANCELLED;
}

static chains_status leave_a_gather(chains_ctx *ctx, const worker_input *input,
                                    worker_output *output)
{
    (void)input;
    chains_spawn(chains_gather(ctx), wait_to_be_cancelled, NULL, 0);
    while (!atomic_load(&begun)) /* else it would be cancelled before it begins */
        usleep(200);
    output->text = "answered";
    return CHAINS_OK;
}

static void what_nobody_waited_for_ends_with_the_request(void **state)
{
    web *it = *state;
    worker_hook = leave_a_gather;
    atomic_store(&begun, 0);
    atomic_store(&ended, 0);
    chainsi_client_response response = ask(it, "POST", "/run_remote", NULL, "{\"text\": \"hi\"}");
    assert_int_equal(response.status, 200);
    while (!atomic_load(&ended))
        usleep(200);
}

static void secrets_are_given_to_who_names_them(void **state)
{
    web *it = *state;
    static const chains_secret_value secrets[] = { { "token", "t0p" }, { "other", "x" }, { 0 } };
    chains_ctx *ctx = it->made->ctx;
    ctx->process->secrets = secrets;
    ctx->chainlet = "worker";
    ctx->config = &worker_config;
    assert_string_equal(chains_secret(ctx, "token"), "t0p");
    assert_null(chains_secret(ctx, "other"));
    assert_int_equal(chains_last_error(ctx)->status, CHAINS_PERMISSION_DENIED);
    ctx->config = NULL;
    assert_string_equal(chains_secret(ctx, "other"), "x");
    assert_null(chains_secret(ctx, "absent"));
    assert_int_equal(chains_last_error(ctx)->status, CHAINS_FAILED_PRECONDITION);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, open_web, close_web)
    const struct CMUnitTest tests[] = {
        TEST(json_in_and_out),
        TEST(the_request_id_is_kept_or_made),
        TEST(errors_are_json_with_their_http_status),
        TEST(bad_arguments_name_path_and_byte),
        TEST(wrong_paths_methods_and_types),
        TEST(another_interface_is_refused_clearly),
        TEST(deadlines_come_as_what_remains),
        TEST(traces_are_carried_with_a_new_span),
        TEST(probes_and_metrics),
        TEST(what_a_call_has_waited),
        TEST(what_nobody_waited_for_ends_with_the_request),
        TEST(secrets_are_given_to_who_names_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
