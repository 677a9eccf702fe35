/* Chains, versions, environments, scales, replicas and events: what is put in comes out, what belongs
 * together goes together, and what is bounded stays bounded. */
#include "store_test_support.h"

#include "control/steady.h"
#include "control/store_chains.h"
#include "control/store_environments.h"
#include "control/store_history.h"
#include "control/time_text.h"
#include "store_rows_test_support.h"

/* A chain as `chains deploy` describes it. */
static chainsi_api_variable variables[] = { { "OMP_NUM_THREADS", "1" },
                                            { "QUOTED", "\"\n\xc3\xa9" } };
static const char *dependencies[] = { "writer" };
static chainsi_api_service services[] = {
    { .name = "hello",
      .c_name = "hello",
      .binary = "/bin/hello",
      .dependencies = { dependencies, 1 },
      .env = { variables, 2 },
      .start_timeout_s = 1.5,
      .max_queue = 7,
      .max_body = INT64_MAX },
    { .name = "writer", .c_name = "hello_writer", .binary = "/bin/writer" },
};
static const chainsi_api_deploy deploy = {
    .chain = "hello",
    .environment = CHAINSI_PRODUCTION,
    .entrypoint = "hello",
    .services = { services, 2 },
};

static const char *add_version(const char *chain, const char *digest)
{
    chainsi_stored_version version = { .chain = chain, .deploy = deploy, .source_digest = digest };
    OK(chainsi_stored_version_add(database, &arena, &version));
    return version.id;
}

static void keeps_chains(void **state)
{
    (void)state;
    chainsi_stored_chain chain;
    chainsi_stored_chains chains;
    FAILS(CHAINS_NOT_FOUND, "there is no chain 'hello'",
          chainsi_stored_chain_find(database, "hello", &arena, &chain));
    OK(chainsi_stored_chain_put(database, "hello", "hello"));
    OK(chainsi_stored_chain_put(database, "another", "x"));
    OK(chainsi_stored_chain_put(database, "hello", "greeter"));
    OK(chainsi_stored_chain_list(database, &arena, &chains));
    assert_int_equal(chains.count, 2);
    assert_string_equal(chains.items[0].name, "another");
    assert_string_equal(chains.items[1].entrypoint, "greeter");
    OK(chainsi_stored_chain_condemn(database, "hello"));
    OK(chainsi_stored_chain_find(database, "hello", &arena, &chain));
    assert_true(chain.deleting);
    FAILS(CHAINS_ABORTED, "'hello' is being deleted",
          chainsi_stored_chain_put(database, "hello", "again"));
    OK(chainsi_stored_chain_remove(database, "hello"));
    FAILS(CHAINS_NOT_FOUND, "there is no chain 'hello'",
          chainsi_stored_chain_remove(database, "hello"));
    FAILS(CHAINS_NOT_FOUND, "there is no chain 'hello'",
          chainsi_stored_chain_condemn(database, "hello"));
}

static void keeps_versions(void **state)
{
    (void)state;
    OK(chainsi_stored_chain_put(database, "hello", "hello"));
    chainsi_stored_version version = {
        .chain = "hello",
        .deploy = deploy,
        .source_digest = "9f3c1a77aa",
        .interface = "00ff",
        .artefacts = "/home/chains/hello/1",
        .created_by = "k1",
    };
    OK(chainsi_stored_version_add(database, &arena, &version));
    assert_string_equal(version.id, "v0001-9f3c1a");
    assert_int_equal(version.number, 1);
    assert_int_equal(strlen(version.created_at), 24);

    chainsi_stored_version read;
    const char *names[] = { "v0001-9f3c1a", "v1", "1", "v0001" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        OK(chainsi_stored_version_find(database, "hello", names[i], &arena, &read));
        assert_string_equal(read.id, version.id);
    }
    assert_int_equal(read.state, CHAINSI_VERSION_STARTING);
    assert_null(read.message);
    assert_null(read.ready_at);
    assert_string_equal(read.source_digest, "9f3c1a77aa");
    assert_string_equal(read.interface, "00ff");
    assert_string_equal(read.artefacts, "/home/chains/hello/1");
    assert_string_equal(read.created_by, "k1");
    assert_int_equal(read.deploy.services.count, 2);
    const chainsi_api_service *service = &read.deploy.services.items[0];
    assert_string_equal(service->dependencies.items[0], "writer");
    assert_string_equal(service->env.items[1].value, "\"\n\xc3\xa9");
    assert_true(service->start_timeout_s == 1.5);
    assert_int_equal(service->max_body, INT64_MAX);

    const char *wrong[] = { "", "v", "v2", "1x", "-1", "v0001-9f3c1b", "99999999999999999999" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(chainsi_stored_version_find(database, "hello", wrong[i], &arena, &read),
                         CHAINS_NOT_FOUND);
    assert_string_equal(chainsi_database_why(database),
                        "'hello' has no version '99999999999999999999'");
    version.chain = "nobody";
    FAILS(CHAINS_NOT_FOUND, "there is no chain 'nobody'",
          chainsi_stored_version_add(database, &arena, &version));
}

static void numbers_versions_once(void **state)
{
    (void)state;
    OK(chainsi_stored_chain_put(database, "hello", "hello"));
    OK(chainsi_stored_chain_put(database, "other", "hello"));
    const char *first = add_version("hello", "abcdef01");
    assert_string_equal(add_version("hello", "abcdef01"), "v0002-abcdef");
    OK(chainsi_stored_version_remove(database, "hello", "v0002-abcdef"));
    assert_string_equal(add_version("hello", "123"), "v0003-123");
    assert_string_equal(add_version("other", "abcdef01"), first);
    /* Without a snapshot, what is deployed tells versions apart. */
    const char *third = add_version("hello", NULL), *fourth = add_version("hello", NULL);
    assert_string_equal(strchr(third, '-'), strchr(fourth, '-'));
    assert_true(strcmp(third, fourth) < 0);
    FAILS(CHAINS_NOT_FOUND, "'hello' has no version 'v0002-abcdef'",
          chainsi_stored_version_remove(database, "hello", "v0002-abcdef"));

    chainsi_stored_versions versions;
    OK(chainsi_stored_version_list(database, "hello", 0, 2, &arena, &versions));
    assert_int_equal(versions.count, 2);
    assert_int_equal(versions.items[0].number, 5);
    OK(chainsi_stored_version_list(database, "hello", versions.items[1].number, 100, &arena,
                                   &versions));
    assert_int_equal(versions.count, 2);
    assert_int_equal(versions.items[0].number, 3);
    assert_int_equal(versions.items[1].number, 1);
}

static void follows_a_version(void **state)
{
    (void)state;
    OK(chainsi_stored_chain_put(database, "hello", "hello"));
    const char *id = add_version("hello", "abc");
    chainsi_stored_version version;
    OK(chainsi_stored_version_set_state(database, "hello", id, CHAINSI_VERSION_READY, NULL));
    OK(chainsi_stored_version_find(database, "hello", id, &arena, &version));
    assert_int_equal(version.state, CHAINSI_VERSION_READY);
    assert_non_null(version.ready_at);
    OK(chainsi_stored_version_set_state(database, "hello", id, CHAINSI_VERSION_FAILED, "it died"));
    OK(chainsi_stored_version_set_artefacts(database, "hello", id, "/x"));
    OK(chainsi_stored_version_set_artefacts(database, "hello", id, NULL));
    OK(chainsi_stored_version_find(database, "hello", id, &arena, &version));
    assert_int_equal(version.state, CHAINSI_VERSION_FAILED);
    assert_string_equal(version.message, "it died");
    assert_non_null(version.ready_at);
    assert_null(version.artefacts);
    assert_int_equal(
        chainsi_stored_version_set_state(database, "hello", "v9", CHAINSI_VERSION_READY, NULL),
        CHAINS_NOT_FOUND);
}

static void moves_environments(void **state)
{
    (void)state;
    chainsi_stored_environment environment;
    OK(chainsi_stored_chain_put(database, "hello", "hello"));
    const char *one = add_version("hello", "aa"), *two = add_version("hello", "bb");
    FAILS(CHAINS_NOT_FOUND, "'hello' has no version 'v9'",
          chainsi_stored_environment_promote(database, "hello", "production", "v9"));
    FAILS(CHAINS_INVALID_ARGUMENT, "no environment can be called 'versions'",
          chainsi_stored_environment_promote(database, "hello", "versions", one));
    OK(chainsi_stored_environment_promote(database, "hello", "production", one));
    FAILS(CHAINS_FAILED_PRECONDITION, "'production' of 'hello' has no previous version",
          chainsi_stored_environment_roll_back(database, "hello", "production"));
    OK(chainsi_stored_environment_promote(database, "hello", "production", two));
    OK(chainsi_stored_environment_promote(database, "hello", "production", two));
    OK(chainsi_stored_environment_find(database, "hello", "production", &arena, &environment));
    assert_string_equal(environment.version, two);
    assert_string_equal(environment.previous_version, one);
    assert_null(environment.canary_version);
    OK(chainsi_stored_environment_roll_back(database, "hello", "production"));
    OK(chainsi_stored_environment_find(database, "hello", "production", &arena, &environment));
    assert_string_equal(environment.version, one);
    assert_string_equal(environment.previous_version, two);
    FAILS(CHAINS_FAILED_PRECONDITION, "an environment of 'hello' refers to version 'v0002-bb'",
          chainsi_stored_version_remove(database, "hello", two));

    chainsi_stored_environment canary = {
        .chain = "hello",
        .name = "production",
        .canary_version = two,
        .canary_percent = 10,
        .canary_max_error_rate_increase = 0.01,
        .canary_max_p99_ratio = 1.5,
        .canary_until = "2026-01-01T00:00:00.000Z",
    };
    OK(chainsi_stored_environment_try(database, &canary));
    OK(chainsi_stored_environment_find(database, "hello", "production", &arena, &environment));
    assert_string_equal(environment.canary_version, two);
    assert_true(environment.canary_percent == 10);
    assert_true(environment.canary_max_error_rate_increase == 0.01);
    assert_true(environment.canary_max_p99_ratio == 1.5);
    assert_string_equal(environment.canary_until, canary.canary_until);
    assert_non_null(environment.canary_since);
    OK(chainsi_stored_environment_stop_trying(database, "hello", "production"));
    OK(chainsi_stored_environment_find(database, "hello", "production", &arena, &environment));
    assert_null(environment.canary_version);
    assert_true(environment.canary_percent == 0);
    canary.canary_version = "v9";
    FAILS(CHAINS_NOT_FOUND, "'hello' has no version 'v9'",
          chainsi_stored_environment_try(database, &canary));
    canary.name = "staging";
    FAILS(CHAINS_NOT_FOUND, "'hello' has no environment 'staging'",
          chainsi_stored_environment_try(database, &canary));
    canary.name = "production";
    canary.canary_version = two;
    OK(chainsi_stored_environment_try(database, &canary));
    OK(chainsi_stored_environment_promote(database, "hello", "production", two));
    OK(chainsi_stored_environment_find(database, "hello", "production", &arena, &environment));
    assert_null(environment.canary_version); /* promoted, it is tried no more */
}

static void keeps_scales(void **state)
{
    (void)state;
    OK(chainsi_stored_chain_put(database, "hello", "hello"));
    const char *one = add_version("hello", "aa");
    const int32_t zero = 0, many = 9;
    const double half = 0.5;
    chainsi_stored_scale scale = {
        .chain = "hello",
        .environment = "production",
        .chainlet = "writer",
        .min_replicas = &zero,
        .max_replicas = &many,
        .target_utilization = &half,
    };
    FAILS(CHAINS_NOT_FOUND, "'hello' has no environment 'production'",
          chainsi_stored_scale_set(database, &scale));
    OK(chainsi_stored_environment_promote(database, "hello", "production", one));
    OK(chainsi_stored_scale_set(database, &scale));
    OK(chainsi_stored_scale_set(database, &scale));
    chainsi_stored_scales scales;
    OK(chainsi_stored_scale_list(database, "hello", "production", &arena, &scales));
    assert_int_equal(scales.count, 1);
    assert_int_equal(*scales.items[0].min_replicas, 0);
    assert_int_equal(*scales.items[0].max_replicas, 9);
    assert_true(*scales.items[0].target_utilization == 0.5);
    assert_null(scales.items[0].window_s);
    scale.min_replicas = NULL;
    OK(chainsi_stored_scale_set(database, &scale));
    OK(chainsi_stored_scale_list(database, "hello", "production", &arena, &scales));
    assert_null(scales.items[0].min_replicas);
    OK(chainsi_stored_scale_reset(database, "hello", "production", "writer"));
    OK(chainsi_stored_scale_reset(database, "hello", "production", "writer"));
    OK(chainsi_stored_scale_set(database, &scale));
    OK(chainsi_stored_environment_remove(database, "hello", "production"));
    OK(chainsi_stored_scale_list(database, "hello", "production", &arena, &scales));
    assert_int_equal(scales.count, 0);
}

static const char at[] = "2026-01-31T12:00:00.000Z", later[] = "2026-01-31T12:00:01.000Z";

/* One of 'hello', in production, under that name of the keeper's. */
static chainsi_stored_replica replica_of(const char *chainlet, const char *process, int64_t pid)
{
    return (chainsi_stored_replica){
        .chain = "hello",
        .environment = "production",
        .version = "v1",
        .chainlet = chainlet,
        .process = process,
        .pid = pid,
        .started_at = at,
    };
}

static void end_replica(const char *chainlet, const char *process, const char *ending,
                        int32_t exit_status)
{
    chainsi_stored_replica ended = replica_of(chainlet, process, 0);
    ended.ended_at = later;
    ended.ending = ending;
    ended.exit_status = &exit_status;
    ended.how = "exit status 1";
    OK(chainsi_stored_replica_end(database, &ended));
}

static chainsi_stored_replicas list_replicas(const char *chainlet, int64_t before, int64_t limit)
{
    chainsi_stored_replicas replicas;
    OK(chainsi_stored_replica_list(database, "hello", "production", chainlet, before, limit, &arena,
                                   &replicas));
    return replicas;
}

static void follows_replicas(void **state)
{
    (void)state;
    OK(chainsi_stored_chain_put(database, "hello", "hello"));
    chainsi_stored_replica one = replica_of("writer", "a/0", 7);
    OK(chainsi_stored_replica_start(database, "brain 1", &one));
    OK(chainsi_stored_replica_ready(database, "a/0", later));
    OK(chainsi_stored_replica_ready(database, "a/0", "2026-02-01T00:00:00.000Z")); /* once counts */
    chainsi_stored_replicas found = list_replicas("writer", 0, 10);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.items[0].pid, 7);
    assert_string_equal(found.items[0].ready_at, later);
    assert_null(found.items[0].ended_at);
    assert_null(found.items[0].exit_status);
    end_replica("writer", "a/0", CHAINSI_ENDING_EXITED, 1);
    end_replica("writer", "a/0", CHAINSI_ENDING_DRAINED, 0); /* it has ended */
    found = list_replicas("writer", 0, 10);
    assert_string_equal(found.items[0].ending, "exited");
    assert_string_equal(found.items[0].ended_at, later);
    assert_int_equal(*found.items[0].exit_status, 1);
    assert_null(found.items[0].signal);
    /* Another process under the same name. */
    one.pid = 8;
    OK(chainsi_stored_replica_start(database, "brain 1", &one));
    found = list_replicas("writer", 0, 10);
    assert_int_equal(found.count, 2);
    assert_int_equal(found.items[0].pid, 8);
    assert_null(found.items[0].ended_at);
    found = list_replicas("writer", found.items[0].id, 10);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.items[0].pid, 7);
    /* One whose end nobody saw gives way to the next. */
    one.pid = 9;
    OK(chainsi_stored_replica_start(database, "brain 1", &one));
    found = list_replicas("writer", 0, 10);
    assert_string_equal(found.items[1].ending, "lost");
    assert_null(found.items[0].ended_at);
    chainsi_stored_replica failed = replica_of("writer", "a/1", 0);
    failed.ended_at = at;
    failed.ending = CHAINSI_ENDING_NOT_STARTED;
    OK(chainsi_stored_replica_add_failed(database, &failed));
    assert_string_equal(list_replicas("writer", 0, 1).items[0].ending, "not_started");
    failed.chain = one.chain = "nobody";
    FAILS(CHAINS_NOT_FOUND, "there is no chain 'nobody'",
          chainsi_stored_replica_start(database, "brain 1", &one));
    FAILS(CHAINS_NOT_FOUND, "there is no chain 'nobody'",
          chainsi_stored_replica_add_failed(database, &failed));
}

/* What one brain leaves to the next. */
static void settles_replicas(void **state)
{
    (void)state;
    OK(chainsi_stored_chain_put(database, "hello", "hello"));
    chainsi_stored_replica kept = replica_of("writer", "a/0", 1),
                           gone = replica_of("writer", "a/1", 2),
                           unknown = replica_of("writer", "a/2", 3);
    OK(chainsi_stored_replica_start(database, "brain 1", &kept));
    OK(chainsi_stored_replica_start(database, "brain 1", &gone));
    OK(chainsi_stored_replica_pick_up(database, "brain 2", &kept));
    OK(chainsi_stored_replica_pick_up(database, "brain 2", &unknown));
    OK(chainsi_stored_replica_settle(database, "brain 2", later));
    chainsi_stored_replicas found = list_replicas("writer", 0, 10);
    assert_int_equal(found.count, 3);
    assert_int_equal(found.items[0].pid, 3);
    assert_null(found.items[0].ended_at);
    assert_int_equal(found.items[1].pid, 2);
    assert_string_equal(found.items[1].ending, "lost");
    assert_int_equal(found.items[2].pid, 1);
    assert_null(found.items[2].ended_at);
}

static void bounds_the_history_of_replicas(void **state)
{
    (void)state;
    OK(chainsi_stored_chain_put(database, "hello", "hello"));
    chainsi_stored_replica first = replica_of("writer", "a/0", 1000),
                           other = replica_of("hello", "b/0", 1), next;
    int64_t begun_ms = chainsi_steady_ms();
    OK(chainsi_stored_replica_start(database, "", &first)); /* runs on, and so is kept */
    OK(chainsi_stored_replica_start(database, "", &other));
    end_replica("hello", "b/0", CHAINSI_ENDING_EXITED, 1);
    for (int i = 0; i <= CHAINSI_REPLICAS_KEPT + 1; i++) {
        next = replica_of("writer", "a/1", i);
        OK(chainsi_stored_replica_start(database, "", &next));
        end_replica("writer", "a/1", CHAINSI_ENDING_EXITED, 1);
    }
    assert_int_equal(list_replicas("writer", 0, 1000).count, CHAINSI_REPLICAS_KEPT + 1);
    next.pid = 999;
    OK(chainsi_stored_replica_start(database, "", &next));
    chainsi_stored_replicas found = list_replicas("writer", 0, 1000);
    assert_int_equal(found.count, CHAINSI_REPLICAS_KEPT + 2);
    assert_int_equal(found.items[0].pid, 999);
    assert_int_equal(found.items[CHAINSI_REPLICAS_KEPT].pid, 2);
    assert_int_equal(found.items[CHAINSI_REPLICAS_KEPT + 1].pid, 1000);
    assert_int_equal(list_replicas("hello", 0, 1000).count, 1);
    /* The days are counted from the end; what runs stays. */
    int64_t kept_ms = INT64_C(86400000) * CHAINSI_REPLICA_DAYS_KEPT;
    OK(chainsi_stored_replica_purge(database, begun_ms + kept_ms));
    assert_int_equal(list_replicas("hello", 0, 1000).count, 1);
    OK(chainsi_stored_replica_purge(database, chainsi_steady_ms() + kept_ms + 1));
    assert_int_equal(list_replicas("hello", 0, 1000).count, 0);
    assert_int_equal(list_replicas("writer", 0, 1000).count, 2);
}

static chainsi_stored_events list_events(chainsi_event_filter filter)
{
    chainsi_stored_events events;
    OK(chainsi_stored_event_list(database, &filter, &arena, &events));
    return events;
}

static void bounds_events(void **state)
{
    (void)state;
    static const char details[] = "{\"replicas\":3}";
    OK(chainsi_database_run(database, "BEGIN"));
    for (int i = 0; i < CHAINSI_EVENTS_KEPT + 5; i++) {
        char message[16];
        snprintf(message, sizeof message, "%d", i);
        OK(chainsi_stored_event_add(
            database, &(chainsi_stored_event){
                          .kind = i % 5 ? CHAINSI_EVENT_SCALED : "deployed",
                          .chain = i % 2 ? "odd" : NULL,
                          .chainlet = i % 2 ? "writer" : NULL,
                          .message = message,
                          .details = i % 2 ? (chains_json){ details, sizeof details - 1 }
                                           : (chains_json){ 0 },
                      }));
    }
    OK(chainsi_database_run(database, "COMMIT"));
    chainsi_stored_events events = list_events((chainsi_event_filter){ .limit = 1 << 20 });
    assert_int_equal(events.count, CHAINSI_EVENTS_KEPT);
    assert_string_equal(events.items[events.count - 1].message, "5");
    assert_null(events.items[0].chain);
    assert_null(events.items[0].details.text);
    events = list_events((chainsi_event_filter){ .chain = "odd", .limit = 2 });
    assert_int_equal(events.count, 2);
    assert_string_equal(events.items[0].message, "20003");
    assert_string_equal(events.items[0].details.text, details);
    events = list_events(
        (chainsi_event_filter){ .chain = "odd", .before = events.items[1].id, .limit = 1 });
    assert_string_equal(events.items[0].message, "19999");
    events = list_events((chainsi_event_filter){ .kind = "deployed", .limit = 2 });
    assert_string_equal(events.items[1].message, "19995");
    events = list_events((chainsi_event_filter){ .chainlet = "none", .limit = 2 });
    assert_int_equal(events.count, 0);
    /* Those of scaling have a bound of their own, and leave the others alone. */
    OK(chainsi_stored_event_trim(database));
    events = list_events((chainsi_event_filter){ .limit = 1 << 20 });
    assert_int_equal(events.count, CHAINSI_SCALING_EVENTS_KEPT + CHAINSI_EVENTS_KEPT / 5);
    events = list_events((chainsi_event_filter){ .kind = CHAINSI_EVENT_SCALED, .limit = 1 << 20 });
    assert_int_equal(events.count, CHAINSI_SCALING_EVENTS_KEPT);
    OK(chainsi_stored_event_trim(database));
    assert_int_equal(list_events((chainsi_event_filter){ .limit = 1 << 20 }).count,
                     CHAINSI_SCALING_EVENTS_KEPT + CHAINSI_EVENTS_KEPT / 5);
}

/* With a chain goes all that is its own; events stay. */
static void forgets_a_chain_whole(void **state)
{
    (void)state;
    OK(chainsi_stored_chain_put(database, "hello", "hello"));
    const char *one = add_version("hello", "aa"), *two = add_version("hello", "bb");
    OK(chainsi_stored_environment_promote(database, "hello", "production", one));
    OK(chainsi_stored_environment_promote(database, "hello", "production", two));
    const int32_t many = 9;
    OK(chainsi_stored_scale_set(database, &(chainsi_stored_scale){ .chain = "hello",
                                                                   .environment = "production",
                                                                   .chainlet = "writer",
                                                                   .max_replicas = &many }));
    chainsi_stored_replica replica = replica_of("writer", "a/0", 1);
    OK(chainsi_stored_replica_start(database, "", &replica));
    OK(chainsi_stored_event_add(
        database, &(chainsi_stored_event){ .kind = "x", .chain = "hello", .message = "deployed" }));
    OK(chainsi_stored_chain_remove(database, "hello"));
    const char *tables[] = { "chains", "versions", "environments", "scales", "replicas" };
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        int64_t count = -1;
        OK(chainsi_database_ask(
            database, chainsi_arena_printf(&arena, "SELECT count(*) FROM %s", tables[i]), &count));
        assert_int_equal(count, 0);
    }
    assert_int_equal(list_events((chainsi_event_filter){ .chain = "hello", .limit = 10 }).count, 1);
}

static void says_what_row_is_damaged(void **state)
{
    (void)state;
    OK(chainsi_stored_chain_put(database, "hello", "hello"));
    const char *id = add_version("hello", "aa");
    chainsi_stored_version version;
    OK(chainsi_database_run(database, "UPDATE versions SET state = 'odd'"));
    FAILS(CHAINS_DATA_LOSS, "what is kept as state is damaged: odd",
          chainsi_stored_version_find(database, "hello", id, &arena, &version));
    OK(chainsi_database_run(database, "UPDATE versions SET state = 'ready', deploy = '{'"));
    assert_int_equal(chainsi_stored_version_find(database, "hello", id, &arena, &version),
                     CHAINS_DATA_LOSS);
    assert_non_null(strstr(chainsi_database_why(database), "what is kept as deploy is damaged"));
}

static void lists_assets_of_kept_versions(void **state)
{
    (void)state;
    chainsi_asset one[] = { { "file:///a", "aa", "a" }, { "file:///b", "bb", "b" } };
    chainsi_asset other[] = { { "file:///c", "bb", "c" }, { "file:///d", "dd", "d" } };
    chainsi_api_service with[2] = { services[0], services[1] };
    chainsi_stored_version version = { .artefacts = "/there", .deploy = deploy };
    chains_string_list digests = { 0 };
    OK(chainsi_stored_version_assets(database, &arena, &digests));
    assert_int_equal(digests.count, 0);
    with[0].assets = (chainsi_api_assets){ one, 2 };
    version.deploy.services.items = with;
    version.chain = "hello";
    OK(chainsi_stored_chain_put(database, "hello", "hello"));
    OK(chainsi_stored_version_add(database, &arena, &version));
    with[1].assets = (chainsi_api_assets){ other, 2 };
    version.chain = "another";
    OK(chainsi_stored_chain_put(database, "another", "hello"));
    OK(chainsi_stored_version_add(database, &arena, &version));
    OK(chainsi_stored_version_assets(database, &arena, &digests));
    assert_int_equal(digests.count, 3);
    OK(chainsi_stored_version_set_artefacts(database, "another", version.id, NULL));
    OK(chainsi_stored_version_assets(database, &arena, &digests));
    assert_int_equal(digests.count, 2);
    for (size_t i = 0; i < 2; i++)
        assert_true(!strcmp(digests.items[i], "aa") || !strcmp(digests.items[i], "bb"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keeps_chains, open_database, close_database),
        cmocka_unit_test_setup_teardown(keeps_versions, open_database, close_database),
        cmocka_unit_test_setup_teardown(numbers_versions_once, open_database, close_database),
        cmocka_unit_test_setup_teardown(follows_a_version, open_database, close_database),
        cmocka_unit_test_setup_teardown(moves_environments, open_database, close_database),
        cmocka_unit_test_setup_teardown(keeps_scales, open_database, close_database),
        cmocka_unit_test_setup_teardown(follows_replicas, open_database, close_database),
        cmocka_unit_test_setup_teardown(settles_replicas, open_database, close_database),
        cmocka_unit_test_setup_teardown(bounds_the_history_of_replicas, open_database,
                                        close_database),
        cmocka_unit_test_setup_teardown(bounds_events, open_database, close_database),
        cmocka_unit_test_setup_teardown(forgets_a_chain_whole, open_database, close_database),
        cmocka_unit_test_setup_teardown(lists_assets_of_kept_versions, open_database,
                                        close_database),
        cmocka_unit_test_setup_teardown(says_what_row_is_damaged, open_database, close_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
