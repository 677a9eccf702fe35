/* Steps of environments: what each leads to, from every state in which it can be asked for. */
#include "store_test_support.h"

#include "control/steps.h"
#include "control/store_history.h"
#include "control/store_transitions.h"
#include "store_rows_test_support.h"

static chainsi_api_service services[] = {
    { .name = "hello", .c_name = "hello", .binary = "/bin/hello" },
};
static const chainsi_api_deploy deployed = {
    .chain = "hello",
    .environment = CHAINSI_PRODUCTION,
    .entrypoint = "hello",
    .services = { services, 1 },
    .created_by = "ada",
};
static const chainsi_api_canary tenth = {
    .percent = 10,
    .max_error_rate_increase = 0.5,
    .max_p99_ratio = 2,
    .minutes = 3,
};

/* A step of production; version may be NULL. */
static chainsi_step step_of(const char *version)
{
    return (chainsi_step){
        .arena = &arena,
        .chain = "hello",
        .environment = CHAINSI_PRODUCTION,
        .version = version,
        .deploy = &deployed,
        .why = "a reason",
    };
}

/* Deploys, and gives the version's id. */
static const char *deploy(void)
{
    chainsi_step step = step_of(NULL);
    OK(chainsi_step_deploy(database, &step));
    assert_int_equal(step.outcome, CHAINSI_OUTCOME_STARTS);
    return step.found.id;
}

static const char *deploy_and_switch(void)
{
    const char *id = deploy();
    chainsi_step step = step_of(id);
    OK(chainsi_step_switch(database, &step));
    assert_string_equal(step.now.version, id);
    return id;
}

static chainsi_stored_version version_of(const char *id)
{
    chainsi_stored_version version;
    OK(chainsi_stored_version_find(database, "hello", id, &arena, &version));
    return version;
}

static chainsi_stored_environment production(void)
{
    chainsi_stored_environment environment;
    OK(chainsi_stored_environment_find(database, "hello", CHAINSI_PRODUCTION, &arena,
                                       &environment));
    return environment;
}

/* The id of the version on its way; NULL: none is. */
static const char *on_its_way(void)
{
    chainsi_stored_transition transition;
    return chainsi_stored_transition_find(database, "hello", CHAINSI_PRODUCTION, &arena,
                                          &transition) == CHAINS_OK
               ? transition.version
               : NULL;
}

/* Has the latest version be tried. */
static const char *deploy_and_try(void)
{
    const char *id = deploy();
    chainsi_step step = step_of(id);
    step.canary = tenth;
    OK(chainsi_step_try(database, &step));
    return id;
}

static void check_latest_event(const char *kind, const char *message)
{
    chainsi_stored_events events;
    OK(chainsi_stored_event_list(database, &(chainsi_event_filter){ .chain = "hello", .limit = 1 },
                                 &arena, &events));
    assert_int_equal(events.count, 1);
    assert_string_equal(events.items[0].kind, kind);
    assert_string_equal(events.items[0].message, message);
}

static void check_failed(const char *id, const char *message)
{
    chainsi_stored_version version = version_of(id);
    assert_int_equal(version.state, CHAINSI_VERSION_FAILED);
    assert_string_equal(version.message, message);
}

static void deploys_and_switches(void **state)
{
    (void)state;
    const char *one = deploy();
    check_latest_event(
        "deployed",
        chainsi_arena_printf(&arena, "version %s is deployed to 'production' by ada", one));
    assert_string_equal(on_its_way(), one);
    assert_int_equal(version_of(one).state, CHAINSI_VERSION_STARTING);
    assert_string_equal(version_of(one).artefacts, "chains/hello/1");
    chainsi_step step = step_of(one);
    OK(chainsi_step_switch(database, &step));
    assert_null(on_its_way());
    assert_string_equal(production().version, one);
    assert_null(production().previous_version);
    assert_int_equal(version_of(one).state, CHAINSI_VERSION_READY);
    const char *two = deploy_and_switch();
    assert_string_equal(production().version, two);
    assert_string_equal(production().previous_version, one);
    check_latest_event("promoted",
                       chainsi_arena_printf(
                           &arena, "version %s answers the calls of 'production': a reason", two));
}

static void gives_up_what_fails(void **state)
{
    (void)state;
    const char *one = deploy();
    chainsi_step step = step_of(one);
    OK(chainsi_step_give_up(database, &step));
    check_failed(one, "a reason");
    assert_null(version_of(one).artefacts);
    assert_int_equal(step.collected_count, 1);
    assert_int_equal(step.collected[0], 1);
    assert_null(on_its_way());
    check_latest_event(
        "deployment_failed",
        chainsi_arena_printf(&arena, "version %s is given up in 'production': a reason", one));
    const char *two = deploy(), *three = deploy();
    check_failed(two, "another deployment has taken its place");
    assert_string_equal(on_its_way(), three);
}

static void promotes(void **state)
{
    (void)state;
    const char *one = deploy_and_switch(), *two = deploy_and_switch(), *three = deploy();
    chainsi_step step = step_of("v9");
    FAILS(CHAINS_NOT_FOUND, "'hello' has no version 'v9'", chainsi_step_promote(database, &step));
    step = step_of(three);
    assert_int_equal(chainsi_step_promote(database, &step), CHAINS_FAILED_PRECONDITION);
    assert_non_null(strstr(chainsi_database_why(database), "still being started"));
    assert_string_equal(on_its_way(), three);
    step = step_of("1");
    OK(chainsi_step_promote(database, &step));
    assert_int_equal(step.outcome, CHAINSI_OUTCOME_STARTS);
    assert_string_equal(on_its_way(), one);
    check_failed(three, "another version is promoted");
    step = step_of(three);
    assert_int_equal(chainsi_step_promote(database, &step), CHAINS_FAILED_PRECONDITION);
    assert_non_null(strstr(chainsi_database_why(database), "has failed: another version"));
    /* What answers already only ends what is under way. */
    step = step_of(two);
    OK(chainsi_step_promote(database, &step));
    assert_int_equal(step.outcome, CHAINSI_OUTCOME_STAYS);
    assert_null(on_its_way());
    assert_int_equal(version_of(one).state, CHAINSI_VERSION_READY);
    /* To an environment that doesn't exist yet. */
    step = step_of(one);
    step.environment = "staging";
    OK(chainsi_step_promote(database, &step));
    assert_int_equal(step.outcome, CHAINSI_OUTCOME_STARTS);
    assert_null(step.now.version);
    OK(chainsi_stored_version_set_artefacts(database, "hello", two, NULL));
    step = step_of(two);
    step.environment = "staging";
    assert_int_equal(chainsi_step_promote(database, &step), CHAINS_FAILED_PRECONDITION);
    assert_non_null(strstr(chainsi_database_why(database), "no longer kept"));
}

static void tries(void **state)
{
    (void)state;
    const char *one = deploy_and_switch(), *two = deploy_and_try();
    chainsi_stored_environment environment = production();
    assert_string_equal(environment.version, one);
    assert_string_equal(environment.canary_version, two);
    assert_true(environment.canary_percent == 10);
    assert_true(environment.canary_max_p99_ratio == 2);
    assert_non_null(environment.canary_since);
    assert_non_null(environment.canary_until);
    assert_null(on_its_way());
    assert_int_equal(version_of(two).state, CHAINSI_VERSION_READY);
    chainsi_step step = step_of(two);
    OK(chainsi_step_give_up(database, &step));
    assert_null(production().canary_version);
    assert_int_equal(version_of(two).state, CHAINSI_VERSION_READY);
    assert_non_null(version_of(two).artefacts);
    check_latest_event(
        "canary_rolled_back",
        chainsi_arena_printf(&arena, "version %s is given up in 'production': a reason", two));
    /* Promoted while it is tried, it answers without being started; with margins it is tried anew. */
    const char *three = deploy_and_try();
    step = step_of(three);
    step.canary = tenth;
    OK(chainsi_step_promote(database, &step));
    assert_int_equal(step.outcome, CHAINSI_OUTCOME_STARTS);
    assert_null(production().canary_version);
    step = step_of(three);
    step.canary = tenth;
    OK(chainsi_step_try(database, &step));
    step = step_of(three);
    OK(chainsi_step_promote(database, &step));
    assert_int_equal(step.outcome, CHAINSI_OUTCOME_SWITCHES);
    assert_string_equal(production().version, three);
    assert_string_equal(production().previous_version, one);
    /* A deployment ends the trial of another version. */
    const char *four = deploy_and_try(), *five = deploy();
    assert_null(production().canary_version);
    assert_int_equal(version_of(four).state, CHAINSI_VERSION_READY);
    assert_string_equal(on_its_way(), five);
}

static void rolls_back(void **state)
{
    (void)state;
    OK(chainsi_stored_chain_put(database, "hello", "hello"));
    chainsi_step step = step_of(NULL);
    FAILS(CHAINS_NOT_FOUND, "'hello' has no environment 'production'",
          chainsi_step_roll_back(database, &step));
    deploy();
    FAILS(CHAINS_FAILED_PRECONDITION, "'production' of 'hello' is on its way to its first version",
          chainsi_step_roll_back(database, &step));
    const char *one = deploy_and_switch();
    FAILS(CHAINS_FAILED_PRECONDITION, "'production' of 'hello' has no previous version",
          chainsi_step_roll_back(database, &step));
    const char *two = deploy_and_switch();
    OK(chainsi_step_roll_back(database, &step));
    assert_int_equal(step.outcome, CHAINSI_OUTCOME_STARTS);
    assert_string_equal(step.found.id, one);
    step = step_of(one);
    step.why = NULL;
    OK(chainsi_step_switch(database, &step));
    check_latest_event(
        "rolled_back",
        chainsi_arena_printf(&arena, "version %s answers the calls of 'production' again", one));
    assert_string_equal(production().previous_version, two);
    /* What is under way is given up first. */
    const char *three = deploy();
    step = step_of(NULL);
    OK(chainsi_step_roll_back(database, &step));
    assert_int_equal(step.outcome, CHAINSI_OUTCOME_STAYS);
    check_failed(three, "it was rolled back");
    assert_null(on_its_way());
    deploy_and_try();
    OK(chainsi_step_roll_back(database, &step));
    assert_int_equal(step.outcome, CHAINSI_OUTCOME_STAYS);
    assert_null(production().canary_version);
    assert_string_equal(production().version, one);
    /* The version before may not be collected. */
    assert_non_null(version_of(two).artefacts);
}

/* Promotes it by hand and has it answer; checks what is told of that. */
static void promote_and_switch(const char *id)
{
    chainsi_step step = step_of(id);
    OK(chainsi_step_promote(database, &step));
    step = step_of(id);
    step.why = NULL;
    OK(chainsi_step_switch(database, &step));
    check_latest_event("promoted", chainsi_arena_printf(
                                       &arena, "version %s answers the calls of 'production'", id));
}

static void what_is_promoted_is_promoted_even_if_it_was_the_one_before(void **state)
{
    (void)state;
    const char *one = deploy_and_switch(), *two = deploy_and_switch();
    promote_and_switch(one);
    /* In the place of a rollback to the same version, too. */
    chainsi_step step = step_of(NULL);
    OK(chainsi_step_roll_back(database, &step));
    assert_string_equal(step.found.id, two);
    promote_and_switch(two);
}

/* Swaps programs of the version in production; the arguments stay in force for the next. */
static chainsi_step swap_of(const char *id)
{
    static chainsi_api_service swapped[] = {
        { .name = "hello", .c_name = "hello", .binary = "/bin/hello", .program = "hello.1" },
    };
    static chainsi_api_deploy with;
    with = deployed;
    with.services.items = swapped;
    with.source_digest = "abcd";
    chainsi_step step = step_of(id);
    step.deploy = &with;
    step.why = "hello";
    return step;
}

static void swaps(void **state)
{
    (void)state;
    const char *one = deploy_and_switch(), *two = deploy_and_switch();
    chainsi_step step = swap_of(two);
    OK(chainsi_step_swap(database, &step));
    assert_int_equal(step.outcome, CHAINSI_OUTCOME_STAYS);
    assert_string_equal(production().version, two);
    assert_string_equal(production().previous_version, one);
    assert_string_equal(version_of(two).deploy.services.items[0].program, "hello.1");
    assert_string_equal(version_of(two).source_digest, "abcd");
    assert_null(version_of(one).deploy.services.items[0].program);
    check_latest_event(
        "swapped",
        chainsi_arena_printf(&arena, "version %s in 'production' has other programs: hello", two));

    /* Nothing but what answers, and only where it is alone. */
    const char *other = "'production' of 'hello' is on its way to another version";
    step = swap_of(one);
    FAILS(CHAINS_ABORTED, other, chainsi_step_swap(database, &step));
    const char *three = deploy();
    step = swap_of(two);
    FAILS(CHAINS_ABORTED, other, chainsi_step_swap(database, &step));
    step = step_of(three);
    step.canary = tenth;
    OK(chainsi_step_try(database, &step));
    step = swap_of(two);
    FAILS(CHAINS_ABORTED, other, chainsi_step_swap(database, &step));
    step = step_of(NULL);
    OK(chainsi_step_roll_back(database, &step));
    step = step_of(two);
    step.environment = "staging";
    OK(chainsi_step_promote(database, &step));
    const char *shared = chainsi_arena_printf(&arena, CHAINSI_SWAP_OF_ANOTHER, two, "staging");
    step = swap_of(two);
    FAILS(CHAINS_FAILED_PRECONDITION, shared, chainsi_step_swap(database, &step));
    step = step_of(two);
    step.environment = "staging";
    OK(chainsi_step_switch(database, &step));
    step = swap_of(two);
    FAILS(CHAINS_FAILED_PRECONDITION, shared, chainsi_step_swap(database, &step));
    step = step_of(NULL);
    step.environment = "staging";
    OK(chainsi_step_forget_environment(database, &step));
    step = swap_of(two);
    OK(chainsi_step_swap(database, &step));
}

static void forgets(void **state)
{
    (void)state;
    const char *one = deploy_and_switch(), *two = deploy();
    chainsi_step step = step_of(two);
    assert_int_equal(chainsi_step_forget_version(database, &step), CHAINS_FAILED_PRECONDITION);
    step = step_of(NULL);
    OK(chainsi_step_forget_environment(database, &step));
    check_failed(two, "its environment was deleted");
    FAILS(CHAINS_NOT_FOUND, "'hello' has no environment 'production'",
          chainsi_step_forget_environment(database, &step));
    deploy(); /* an environment that is only on its way to its first version */
    OK(chainsi_step_forget_environment(database, &step));
    assert_null(on_its_way());
    step = step_of("v1");
    OK(chainsi_step_forget_version(database, &step));
    assert_int_equal(step.collected[0], 1);
    FAILS(CHAINS_NOT_FOUND, chainsi_arena_printf(&arena, "'hello' has no version '%s'", one),
          chainsi_stored_version_find(database, "hello", one, &arena, &step.found));
    deploy_and_switch();
    deploy();
    OK(chainsi_step_condemn_chain(database, &step));
    FAILS(CHAINS_ABORTED, "'hello' is being deleted", chainsi_step_deploy(database, &step));
    OK(chainsi_step_forget_chain(database, &step));
    check_latest_event("deleted", "'hello' is deleted");
    assert_null(on_its_way());
}

static void bounds_what_is_kept(void **state)
{
    (void)state;
    const char *first = deploy_and_switch();
    chainsi_step step = step_of(first);
    step.environment = "staging";
    OK(chainsi_step_promote(database, &step));
    step = step_of(first);
    step.environment = "staging";
    OK(chainsi_step_switch(database, &step));
    for (int i = 2; i <= CHAINSI_VERSIONS_KEPT + 20; i++)
        deploy_and_switch();
    chainsi_stored_versions versions;
    OK(chainsi_stored_version_list(database, "hello", 0, 1000, &arena, &versions));
    assert_int_equal(versions.count, CHAINSI_VERSIONS_KEPT + 1); /* and the one in staging */
    size_t with_programs = 0;
    for (size_t i = 0; i < versions.count; i++)
        with_programs += versions.items[i].artefacts != NULL;
    assert_int_equal(with_programs, CHAINSI_VERSIONS_WITH_PROGRAMS + 1);
    assert_non_null(versions.items[versions.count - 1].artefacts);
    /* Failures don't take the places of those that could be promoted. */
    for (int i = 0; i < 20; i++) {
        step = step_of(deploy());
        OK(chainsi_step_give_up(database, &step));
        assert_int_equal(step.collected_count, 1);
    }
    OK(chainsi_stored_version_list(database, "hello", 0, 1000, &arena, &versions));
    with_programs = 0;
    for (size_t i = 0; i < versions.count; i++)
        with_programs += versions.items[i].artefacts != NULL;
    assert_int_equal(with_programs, CHAINSI_VERSIONS_WITH_PROGRAMS + 1);
}

static void keeps_transitions(void **state)
{
    (void)state;
    const char *one = deploy_and_switch();
    chainsi_stored_transition transition = {
        .chain = "hello",
        .environment = "staging",
        .version = "v9",
        .percent = 12.5,
        .max_error_rate_increase = 0.25,
        .max_p99_ratio = 3,
        .minutes = 7,
    };
    FAILS(CHAINS_NOT_FOUND, "'hello' has no version 'v9'",
          chainsi_stored_transition_put(database, &transition));
    transition.version = one;
    OK(chainsi_stored_transition_put(database, &transition));
    OK(chainsi_stored_transition_put(database, &transition)); /* in the place of the other */
    chainsi_stored_transitions transitions;
    OK(chainsi_stored_transition_list(database, &arena, &transitions));
    assert_int_equal(transitions.count, 1);
    const chainsi_stored_transition *kept = &transitions.items[0];
    assert_string_equal(kept->chain, "hello");
    assert_string_equal(kept->environment, "staging");
    assert_string_equal(kept->version, one);
    assert_true(kept->percent == 12.5 && kept->max_error_rate_increase == 0.25);
    assert_true(kept->max_p99_ratio == 3 && kept->minutes == 7);
    assert_int_equal(strlen(kept->begun_at), 24);
    FAILS(
        CHAINS_NOT_FOUND, "'production' of 'hello' is on its way to no other version",
        chainsi_stored_transition_find(database, "hello", CHAINSI_PRODUCTION, &arena, &transition));
    OK(chainsi_stored_transition_remove(database, "hello", "staging"));
    OK(chainsi_stored_transition_remove(database, "hello", "staging"));
    OK(chainsi_stored_transition_list(database, &arena, &transitions));
    assert_int_equal(transitions.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(deploys_and_switches, open_database, close_database),
        cmocka_unit_test_setup_teardown(gives_up_what_fails, open_database, close_database),
        cmocka_unit_test_setup_teardown(promotes, open_database, close_database),
        cmocka_unit_test_setup_teardown(tries, open_database, close_database),
        cmocka_unit_test_setup_teardown(rolls_back, open_database, close_database),
        cmocka_unit_test_setup_teardown(what_is_promoted_is_promoted_even_if_it_was_the_one_before,
                                        open_database, close_database),
        cmocka_unit_test_setup_teardown(swaps, open_database, close_database),
        cmocka_unit_test_setup_teardown(forgets, open_database, close_database),
        cmocka_unit_test_setup_teardown(keeps_transitions, open_database, close_database),
        cmocka_unit_test_setup_teardown(bounds_what_is_kept, open_database, close_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
