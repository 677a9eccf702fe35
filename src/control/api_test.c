/* The API's types: there and back, defaults, and what a deployment may not say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/api.h"
#include "schema/json.h"

static void check_round_trip(const chainsi_type *type, const char *text)
{
    chainsi_arena arena = { 0 };
    chainsi_buffer out = { 0 };
    chainsi_codec_error error = { 0 };
    void *value = chainsi_arena_alloc(&arena, type->size);
    assert_int_equal(chainsi_json_decode(type, text, strlen(text), &arena, value, &error),
                     CHAINS_OK);
    assert_int_equal(chainsi_json_encode(type, value, &out, &error), CHAINS_OK);
    chainsi_buffer_add_byte(&out, 0);
    assert_string_equal(out.data, text);
    chainsi_buffer_done(&out);
    chainsi_arena_done(&arena);
}

#define REPLICA                                                                                    \
    "{\"state\":\"ready\",\"number\":0,\"pid\":12,\"pod\":null,\"node\":null,\"restarts\":1,"      \
    "\"since\":\"2026-01-31T12:00:00."                                                             \
    "123Z\","                                                                                      \
    "\"last_end\":\"exit status 1\",\"gpus\":[\"NVIDIA T4 (number 0)\"]}"
#define SCALING                                                                                    \
    "\"scaling\":{\"min_replicas\":0,\"max_replicas\":3,\"concurrency_target\":2.5,"               \
    "\"target_utilization\":0.5,\"window_s\":10.0,\"scale_down_delay_s\":20.0,"                    \
    "\"scale_to_zero_delay_s\":30.0}"
#define OVERRIDE                                                                                   \
    "\"override\":{\"min_replicas\":0,\"max_replicas\":null,\"concurrency_target\":2.5,"           \
    "\"target_utilization\":null,\"window_s\":null,\"scale_down_delay_s\":null,"                   \
    "\"scale_to_zero_delay_s\":30.0,\"set_at\":\"t\"}"
#define COUNTS                                                                                     \
    "\"ready\":1,\"wanted\":2,\"in_flight\":3,\"waiting\":4,\"dependencies\":[],\"notes\":[\"n\"]" \
    "," SCALING "," OVERRIDE ","
#define CHAINLETS                                                                                  \
    "[{\"name\":\"a\",\"entrypoint\":false,\"state\":\"ready\"," COUNTS "\"replicas\":[" REPLICA   \
    "]},"                                                                                          \
    "{\"name\":\"b\",\"entrypoint\":true,\"state\":\"ready\"," COUNTS "\"replicas\":[" REPLICA     \
    "," REPLICA "]}]"

static void descriptions_come_back(void **state)
{
    (void)state;
    check_round_trip(&chainsi_api_chains_type, "[]");
    check_round_trip(
        &chainsi_api_chains_type,
        "[{\"name\":\"x\",\"environment\":\"production\",\"entrypoint\":\"b\",\"state\":\"ready\","
        "\"url\":\"http://127.0.0.1:1/\",\"version\":3,\"version_id\":\"v0003-0\","
        "\"previous_version_id\":null,\"deployed_at\":null,"
        "\"chainlets\":" CHAINLETS
        ",\"deployment\":{\"version\":4,\"version_id\":\"v0004-1\",\"state\":\"failed\","
        "\"chainlet\":\"a\",\"message\":\"m\",\"chainlets\":" CHAINLETS
        ",\"assets\":{\"files\":3,\"files_done\":1,\"bytes\":-1,\"bytes_done\":5,\"bytes_per_s\":2."
        "5,"
        "\"verifying\":false,\"trouble\":\"t\"}},\"canary\":"
        "{\"version_id\":\"v0004-1\",\"percent\":10.0,\"since\":\"s\",\"until\":\"u\","
        "\"old_version\":{\"calls\":9,\"failed\":1,\"p99_ms\":0.5},"
        "\"new_version\":{\"calls\":1,\"failed\":0,\"p99_ms\":0.0}},"
        "\"clients\":{\"calls_per_s\":2.5,\"errors_per_s\":0.5,\"p50_ms\":1.5,\"p99_ms\":null}}]");
    check_round_trip(&chainsi_api_accepted_type,
                     "{\"chain\":\"x\",\"environment\":\"e\",\"version\":1,"
                     "\"version_id\":\"v0001-0\"}");
    check_round_trip(&chainsi_api_promote_type,
                     "{\"version\":\"v1\",\"canary\":{\"percent\":10.0,"
                     "\"max_error_rate_increase\":0.5,\"max_p99_ratio\":2.0,\"minutes\":3.0}}");
    check_round_trip(&chainsi_api_versions_type,
                     "[{\"id\":\"v0001-0\",\"number\":1,\"state\":\"ready\",\"message\":null,"
                     "\"kept\":true,\"source_digest\":\"0a\",\"interface\":null,"
                     "\"created_by\":\"me\",\"created_at\":\"t\",\"ready_at\":null,"
                     "\"environments\":[\"production\"]}]");
    check_round_trip(&chainsi_api_deleted_type,
                     "{\"chain\":\"x\",\"environment\":null,\"version_id\":\"v0001-0\"}");
    check_round_trip(&chainsi_api_health_type, "{\"status\":\"ok\",\"home\":\"/h\",\"pid\":7}");
}

#define A_SERVICE                                                                                  \
    "{\"name\":\"a\",\"c_name\":\"a_\",\"binary\":\"/bin/a\",\"program\":\"a_.3\","                \
    "\"interface\":\"00ff\",\"dependencies\":[\"b\"],"                                             \
    "\"env\":[{\"name\":\"N\",\"value\":\"v\"}],\"start_timeout_s\":1.0,"                          \
    "\"drain_timeout_s\":2.5,\"progress_timeout_s\":3.5,\"max_queue\":9,\"max_body\":77,"          \
    "\"concurrency\":4," SCALING ",\"cpu\":0.5,\"memory\":1024,"                                   \
    "\"gpu\":\"any:2\",\"secrets\":[\"key\"],\"assets\":[{\"url\":\"file:///m\",\"sha256\":"       \
    "\"0000000000000000000000000000000000000000000000000000000000000000\",\"path\":\"m\"}],"       \
    "\"inside\":[\"c\"],\"object\":null}"
#define B_SERVICE "{\"name\":\"b\",\"c_name\":\"b\",\"binary\":\"/bin/b\"}"

static void saved_state_comes_back(void **state)
{
    (void)state;
    check_round_trip(
        &chainsi_api_saved_type,
        "{\"version\":9,\"id\":\"v0009-0\",\"run\":\"e/9\","
        "\"deployed_at\":\"2026-01-31T12:00:00.123Z\",\"deploy\":"
        "{\"chain\":\"x\",\"environment\":\"e\",\"entrypoint\":\"a\","
        "\"services\":[" A_SERVICE "],\"canary\":{\"percent\":0.0,"
        "\"max_error_rate_increase\":0.0,\"max_p99_ratio\":0.0,\"minutes\":0.0},"
        "\"source_digest\":null,\"interface\":null,\"created_by\":\"me\",\"swappable\":true,"
        "\"links\":[{\"caller\":\"a\",\"callee\":\"c\",\"colocated\":true}],\"autoscaler\":null,"
        "\"patience_s\":null,\"tls\":false}}");
}

/* Decodes and checks; why gets what is wrong. */
static chains_status check_deploy(const char *text, char why[512])
{
    chainsi_arena arena = { 0 };
    chainsi_api_deploy deploy;
    chainsi_codec_error error;
    assert_int_equal(
        chainsi_json_decode(&chainsi_api_deploy_type, text, strlen(text), &arena, &deploy, &error),
        CHAINS_OK);
    chains_status status = chainsi_api_check_deploy(&deploy, why, 512);
    chainsi_arena_done(&arena);
    return status;
}

static void deployments_have_defaults(void **state)
{
    (void)state;
    static const char text[] =
        "{\"chain\":\"x\",\"entrypoint\":\"b\",\"services\":[" B_SERVICE "]}";
    chainsi_arena arena = { 0 };
    chainsi_api_deploy deploy;
    assert_int_equal(
        chainsi_json_decode(&chainsi_api_deploy_type, text, strlen(text), &arena, &deploy, NULL),
        CHAINS_OK);
    assert_string_equal(deploy.environment, "production");
    assert_true(deploy.canary.percent == 0);
    assert_null(deploy.created_by);
    assert_int_equal(deploy.links.count, 0); /* as of what was deployed before there were any */
    const chainsi_api_service *service = &deploy.services.items[0];
    assert_true(service->start_timeout_s == 600);
    assert_true(service->drain_timeout_s == 30);
    assert_true(service->progress_timeout_s == 0);
    assert_int_equal(service->max_queue, 64);
    assert_int_equal(service->max_body, 64 * 1024 * 1024);
    assert_int_equal(service->dependencies.count, 0);
    chainsi_arena_done(&arena);
}

#define DEPLOY_B "{\"chain\":\"x\",\"entrypoint\":\"b\",\"services\":[" B_SERVICE "],"

#define ZEROS        "0000000000000000000000000000000000000000000000000000000000000000"
#define ASSET(path_) "{\"url\":\"file:///m\",\"sha256\":\"" ZEROS "\",\"path\":\"" path_ "\"}"
#define WITH_ASSETS(assets_)                                                                       \
    "{\"chain\":\"x\",\"entrypoint\":\"b\",\"services\":[{\"name\":\"b\",\"c_name\":\"b\","        \
    "\"binary\":\"/b\",\"assets\":[" assets_ "]}]}"

static void bad_deployments_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } cases[] = {
        { "{\"chain\":\"../x\",\"entrypoint\":\"b\",\"services\":[" B_SERVICE "]}", "no name" },
        { "{\"chain\":\"\",\"entrypoint\":\"b\",\"services\":[" B_SERVICE "]}", "no name" },
        { "{\"chain\":\"x\",\"entrypoint\":\"b\",\"services\":[]}", "between 1" },
        { "{\"chain\":\"x\",\"entrypoint\":\"c\",\"services\":[" B_SERVICE "]}",
          "there is no service 'c'" },
        { "{\"chain\":\"x\",\"entrypoint\":\"b\",\"services\":[" B_SERVICE "," B_SERVICE "]}",
          "one name" },
        { "{\"chain\":\"x\",\"entrypoint\":\"a\",\"services\":[" A_SERVICE "]}",
          "dependencies[0]: there is no service 'b'" },
        { "{\"chain\":\"x\",\"entrypoint\":\"a\",\"services\":[" A_SERVICE
          ",{\"name\":\"b\",\"c_name\":\"b\",\"binary\":\"/b\",\"dependencies\":[\"a\"]}]}",
          "lead back" },
        { "{\"chain\":\"x\",\"entrypoint\":\"b\",\"services\":[{\"name\":\"b\",\"c_name\":\"b\","
          "\"binary\":\"b\"}]}",
          "no absolute path" },
        { "{\"chain\":\"x\",\"entrypoint\":\"b\",\"services\":[{\"name\":\"b\",\"c_name\":\"b-b\","
          "\"binary\":\"/b\"}]}",
          "no C name" },
        { "{\"chain\":\"x\",\"entrypoint\":\"b\",\"services\":[{\"name\":\"b/\",\"c_name\":\"b\","
          "\"binary\":\"/b\"}]}",
          "no name" },
        { "{\"chain\":\"x\",\"entrypoint\":\"b\",\"services\":[{\"name\":\"b\",\"c_name\":\"b\","
          "\"binary\":\"/b\",\"concurrency\":0}]}",
          "out of range" },
        { "{\"chain\":\"x\",\"entrypoint\":\"b\",\"services\":[{\"name\":\"b\",\"c_name\":\"b\","
          "\"binary\":\"/b\",\"max_queue\":0}]}",
          "out of range" },
        { "{\"chain\":\"x\",\"entrypoint\":\"b\",\"services\":[{\"name\":\"b\",\"c_name\":\"b\","
          "\"binary\":\"/b\",\"max_queue\":1000001}]}",
          "out of range" },
        { "{\"chain\":\"x\",\"entrypoint\":\"b\",\"services\":[{\"name\":\"b\",\"c_name\":\"b\","
          "\"binary\":\"/b\",\"env\":[{\"name\":\"A=B\",\"value\":\"\"}]}]}",
          "no variable" },
        { WITH_ASSETS(ASSET("..")), "'b': the path \"..\" of an asset has '.' or '..' in it" },
        { WITH_ASSETS(ASSET("m") "," ASSET("m")), "clash" },
        { WITH_ASSETS(ASSET("m") "," ASSET("m/n")), "clash" },
        { WITH_ASSETS("{\"url\":\"\",\"sha256\":\"" ZEROS "\",\"path\":\"m\"}"), "no url" },
        { WITH_ASSETS("{\"url\":\"u\",\"sha256\":\"0\",\"path\":\"m\"}"), "no SHA-256 digest" },
        { "{\"chain\":\"x\",\"entrypoint\":\"b\",\"services\":[{\"name\":\"b\",\"c_name\":\"b\","
          "\"binary\":\"/b\",\"gpu\":\"A10G:0\"}]}",
          "gpu 'A10G:0' is neither" },
        { DEPLOY_B "\"environment\":\"a b\"}", "environment 'a b' is no name" },
        { DEPLOY_B "\"environment\":\"versions\"}", "a part of paths" },
        { DEPLOY_B "\"canary\":{\"percent\":100}}", "canary.percent" },
        { DEPLOY_B "\"canary\":{\"percent\":-1}}", "canary.percent" },
        { DEPLOY_B "\"canary\":{\"percent\":1,\"max_error_rate_increase\":2}}", "increase" },
        { DEPLOY_B "\"canary\":{\"percent\":1,\"max_p99_ratio\":0.9}}", "max_p99_ratio" },
        { DEPLOY_B "\"canary\":{\"percent\":1,\"minutes\":0}}", "canary.minutes" },
        { DEPLOY_B "\"canary\":{\"percent\":1,\"minutes\":10081}}", "canary.minutes" },
        { DEPLOY_B "\"source_digest\":\"AB\"}", "source_digest" },
        { DEPLOY_B "\"interface\":\"12\"}", "interface" },
        { DEPLOY_B "\"patience_s\":-1}", "patience_s is not from 0 to 86400" },
        { DEPLOY_B "\"patience_s\":86401}", "patience_s is not from 0 to 86400" },
    };
    char why[512];
    assert_int_equal(
        check_deploy("{\"chain\":\"x-1.y_Z\",\"entrypoint\":\"a\",\"services\":[" A_SERVICE
                     "," B_SERVICE "]}",
                     why),
        CHAINS_OK);
    assert_int_equal(check_deploy(DEPLOY_B
                                  "\"environment\":\"a.b_c-1\",\"canary\":{\"percent\":99.5,"
                                  "\"max_error_rate_increase\":1,\"max_p99_ratio\":1,\"minutes\":"
                                  "10080},\"interface\":\"0123456789abcdef\",\"patience_s\":"
                                  "86400}",
                                  why),
                     CHAINS_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(check_deploy(cases[i].text, why), CHAINS_INVALID_ARGUMENT);
        if (!strstr(why, cases[i].why))
            fail_msg("case %zu: '%s' does not say '%s'", i, why, cases[i].why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptions_come_back),
        cmocka_unit_test(saved_state_comes_back),
        cmocka_unit_test(deployments_have_defaults),
        cmocka_unit_test(bad_deployments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
