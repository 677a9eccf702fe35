/* Webhooks, with a real state and receivers: signatures, repeated attempts, giving up, redirects, receivers
 * that answer oddly, and what a killed daemon was doing. */
#include "request_test_support.h"

#include "control/api_requests.h"
#include "control/courier_test_support.h"
#include "control/time_text.h"
#include "control/webhooks.h"
#include "schema/json.h"

static service receiver;
static chainsi_courier *courier;
static chainsi_webhooks *webhooks;
static chainsi_request_policy policy;
static uv_timer_t *again;

static void on_again(uv_timer_t *timer)
{
    (void)timer;
    chainsi_webhooks_look(webhooks);
}

static void start(void)
{
    chainsi_webhooks_options options = {
        .loop = &loop,
        .store = store,
        .courier = courier,
        .policy = &policy,
    };
    assert_true(chainsi_home_webhook_key(home, options.key));
    webhooks = chainsi_webhooks_new(&options);
    again = chainsi_timer_new(&loop, NULL);
    uv_timer_start(again, on_again, 1, 5);
}

static void end(void)
{
    chainsi_handle_close(again);
    chainsi_webhooks_stop(webhooks);
    chainsi_store_close(store);
    chainsi_webhooks_free(webhooks);
    store = NULL;
    webhooks = NULL;
}

static int set_up(void **state)
{
    if (make_store(state) != 0 || change(put_chain, NULL) != CHAINS_OK)
        return -1;
    policy = quick;
    start_service(&receiver, "http://127.0.0.1:0");
    courier = new_courier(&loop);
    start();
    return 0;
}

static int tear_down(void **state)
{
    end();
    chainsi_courier_free(courier);
    stop_service(&receiver);
    return remove_home(state);
}

/* A request that has ended. */
struct one {
    const char *webhook, *result, *id;
    bool cancelled;
};

static chains_status add_ended(chainsi_database *database, void *arguments)
{
    struct one *one = arguments;
    chainsi_stored_request request = { .chain = "hello",
                                       .environment = "production",
                                       .webhook = one->webhook };
    chainsi_stored_requests taken;
    bool was_running;
    int64_t now_ms = chainsi_unix_ms();
    chains_status status = chainsi_stored_request_add(database, now_ms, &arena, &request);
    one->id = request.id;
    if (status == CHAINS_OK && one->cancelled)
        return chainsi_stored_request_cancel(database, request.id, now_ms, &was_running);
    if (status == CHAINS_OK)
        status =
            chainsi_stored_request_take(database, "hello", "production", 1, now_ms, &arena, &taken);
    if (status == CHAINS_OK)
        status = chainsi_stored_request_succeed(database, request.id, json(one->result), now_ms);
    return status;
}

static const char *add_one(struct one one)
{
    one.webhook = one.webhook ? one.webhook : receiver.address;
    one.result = one.result ? one.result : "\"done\"";
    meet(&receiver);
    if (change(add_ended, &one) != CHAINS_OK)
        fail_msg("%s", why);
    return one.id;
}

static chainsi_stored_request until_told(const char *id)
{
    UNTIL(find(id).webhook_state != CHAINSI_WEBHOOK_PENDING);
    meet(&receiver);
    return find(id);
}

/* As openssl says it. */
static void signs_time_and_body(void **state)
{
    (void)state;
    char text[CHAINSI_SIGNATURE_TEXT];
    /* printf '1800000000.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef */
    chainsi_webhook_sign("0123456789abcdef0123456789abcdef", "{\"a\":1}", 7, 1800000000, text);
    assert_string_equal(text, "t=1800000000,v1="
                              "d40e555bc2c1dae21953757b24b165a171698880732ac310a5c8cf0ab751abf2");
    chainsi_webhook_sign("Jefe", "", 0, 0, text); /* printf '0.' | ... -hmac Jefe */
    assert_string_equal(text,
                        "t=0,v1=813f643c8863ba9754215e64cdab172f2e96c1a413d772978aba7398cc864e55");
}

static void tells_with_a_signature(void **state)
{
    (void)state;
    const char *id = add_one((struct one){ .result = "{\"poems\":[\"\\u2603\"]}" });
    chainsi_stored_request request = until_told(id);
    assert_int_equal(request.webhook_state, CHAINSI_WEBHOOK_DELIVERED);
    assert_int_equal(request.webhook_attempts, 1);
    assert_null(request.webhook_error);
    assert_int_equal(receiver.count, 1);
    const seen *told = &receiver.seen[0];
    assert_string_equal(told->id, id);
    assert_string_equal(told->type, "application/json");
    chainsi_api_request object;
    chainsi_codec_error error;
    assert_int_equal(chainsi_json_decode(&chainsi_api_request_type, told->body, told->size, &arena,
                                         &object, &error),
                     CHAINS_OK);
    assert_string_equal(object.request_id, id);
    assert_int_equal(object.status, CHAINSI_REQUEST_SUCCEEDED);
    assert_string_equal(object.result.text, "{\"poems\":[\"\\u2603\"]}");
    char key[CHAINSI_TOKEN_SIZE + 1], expected[CHAINSI_SIGNATURE_TEXT];
    assert_true(chainsi_home_webhook_key(home, key));
    chainsi_webhook_sign(key, told->body, told->size, strtoll(told->signature + 2, NULL, 10),
                         expected);
    assert_string_equal(told->signature, expected);
}

static void tells_of_cancellations(void **state)
{
    (void)state;
    until_told(add_one((struct one){ .cancelled = true }));
    assert_non_null(strstr(receiver.seen[0].body, "\"status\":\"CANCELLED\""));
}

static void tries_again_until_it_is_taken(void **state)
{
    (void)state;
    receiver.failures = 4;
    const char *id = add_one((struct one){ 0 });
    chainsi_stored_request request = until_told(id);
    assert_int_equal(request.webhook_state, CHAINSI_WEBHOOK_DELIVERED);
    assert_int_equal(request.webhook_attempts, 5);
    assert_int_equal(receiver.count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(receiver.seen[i].id, id);
}

static void gives_up_in_the_end(void **state)
{
    (void)state;
    receiver.status = 500;
    policy.telling_ms = 1000; /* a second attempt fits in, also on a slow machine */
    chainsi_stored_request request = until_told(add_one((struct one){ 0 }));
    assert_int_equal(request.webhook_state, CHAINSI_WEBHOOK_FAILED);
    assert_string_equal(request.webhook_error, "HTTP 500");
    assert_true(request.webhook_attempts > 1);
}

static void does_not_mind_what_is_answered(void **state)
{
    (void)state;
    static const int statuses[] = { 200, 202, 204, 299 };
    for (size_t i = 0; i < 4; i++) {
        receiver.status = statuses[i];
        assert_int_equal(until_told(add_one((struct one){ 0 })).webhook_attempts, 1);
    }
    receiver.status = 0;
    receiver.huge = true; /* it is not read to its end */
    chainsi_stored_request request = until_told(add_one((struct one){ 0 }));
    assert_int_equal(request.webhook_state, CHAINSI_WEBHOOK_DELIVERED);
    assert_int_equal(request.webhook_attempts, 1);
}

static void follows_few_redirects(void **state)
{
    (void)state;
    policy.telling_ms = 0;
    for (int hops = CHAINSI_WEBHOOK_MOST_REDIRECTS; hops < CHAINSI_WEBHOOK_MOST_REDIRECTS + 2;
         hops++) {
        receiver.redirects = hops;
        chainsi_stored_request request = until_told(add_one((struct one){ 0 }));
        assert_int_equal(request.webhook_state, hops > CHAINSI_WEBHOOK_MOST_REDIRECTS
                                                    ? CHAINSI_WEBHOOK_FAILED
                                                    : CHAINSI_WEBHOOK_DELIVERED);
    }
    const seen *last = &receiver.seen[CHAINSI_WEBHOOK_MOST_REDIRECTS];
    assert_true(last->size > 0); /* still a POST with its body */
    receiver.redirects = 1;
    snprintf(receiver.elsewhere, sizeof receiver.elsewhere, "file:///etc/passwd");
    chainsi_stored_request request = until_told(add_one((struct one){ 0 }));
    assert_int_equal(request.webhook_state, CHAINSI_WEBHOOK_FAILED);
    assert_non_null(strstr(request.webhook_error, "rotocol"));
}

static void notes_receivers_that_are_not_there(void **state)
{
    (void)state;
    policy.telling_ms = 0;
    chainsi_stored_request request =
        until_told(add_one((struct one){ .webhook = "http://127.0.0.1:1/" }));
    assert_int_equal(request.webhook_state, CHAINSI_WEBHOOK_FAILED);
    assert_non_null(strstr(request.webhook_error, "connect"));
}

/* More than may be under way at once, and every one is told. */
static void tells_many(void **state)
{
    (void)state;
    enum { COUNT = 3 * CHAINSI_WEBHOOK_MOST_AT_ONCE };
    for (size_t i = 0; i < COUNT; i++)
        add_one((struct one){ 0 });
    UNTIL(ask("SELECT count(*) FROM requests WHERE webhook_state = 'DELIVERED'") == COUNT);
    assert_int_equal(count_seen(&receiver), COUNT);
}

static void tells_again_what_a_killed_daemon_told(void **state)
{
    (void)state;
    receiver.hold = true;
    const char *id = add_one((struct one){ 0 });
    UNTIL(count_seen(&receiver) == 1);
    end();
    open_store();
    assert_int_equal(find(id).webhook_state, CHAINSI_WEBHOOK_PENDING);
    open_gate(&receiver);
    start();
    until_told(id);
    assert_int_equal(receiver.count, 2);
    assert_string_equal(receiver.seen[1].id, id);
}

static void refuses_what_is_no_web_address(void **state)
{
    (void)state;
    static const char *const good[] = { "http://localhost", "https://example.com:8443/a?b=c",
                                        "HTTP://[::1]:80/", "http://user:word@host/" };
    static const char *const bad[] = {
        "",
        "x",
        "localhost",
        "/path",
        "//host/",
        "ftp://h/",
        "file:///x",
        "unix:/run/x",
        "gopher://h/",
        "javascript:alert(1)",
        "http://",
        "http://h:99999",
        "http://h h/",
        "http://h/\r\nX: y",
        "http://[/",
        "https:host",
        "data:,x",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!chainsi_webhook_check_url(good[i], why, sizeof why))
            fail_msg("%s: %s", good[i], why);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (chainsi_webhook_check_url(bad[i], why, sizeof why))
            fail_msg("'%s' was taken", bad[i]);
    char url[CHAINSI_WEBHOOK_MOST_URL + 2] = "http://h/";
    memset(url + 9, 'a', CHAINSI_WEBHOOK_MOST_URL - 9);
    assert_true(chainsi_webhook_check_url(url, why, sizeof why));
    url[CHAINSI_WEBHOOK_MOST_URL] = 'a';
    assert_false(chainsi_webhook_check_url(url, why, sizeof why));
    assert_string_equal(why, "a URL may have 2048 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_time_and_body),
        cmocka_unit_test_setup_teardown(tells_with_a_signature, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tells_of_cancellations, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tries_again_until_it_is_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(gives_up_in_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(does_not_mind_what_is_answered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(follows_few_redirects, set_up, tear_down),
        cmocka_unit_test_setup_teardown(notes_receivers_that_are_not_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tells_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tells_again_what_a_killed_daemon_told, set_up, tear_down),
        cmocka_unit_test(refuses_what_is_no_web_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
