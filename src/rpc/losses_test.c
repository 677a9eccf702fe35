/* Notes of deaths: who finds which, and that waiting for one ends. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "rpc/losses.h"

enum { NS_PER_S = 1000000000 };

static const int64_t now = INT64_C(1000) * NS_PER_S;

static void a_replica_is_found_by_its_incarnation(void **state)
{
    (void)state;
    chainsi_losses losses = { 0 };
    assert_int_equal(chainsi_losses_find(&losses, 7, now), CHAINSI_LOSS_UNKNOWN);
    chainsi_losses_note(&losses, 7, CHAINSI_LOSS_MEMORY, now);
    chainsi_losses_note(&losses, 8, CHAINSI_LOSS_OTHER, now);
    chainsi_losses_note(&losses, 10, CHAINSI_LOSS_DRAINED, now);
    assert_int_equal(chainsi_losses_find(&losses, 7, now), CHAINSI_LOSS_MEMORY);
    assert_int_equal(chainsi_losses_find(&losses, 8, now), CHAINSI_LOSS_OTHER);
    assert_int_equal(chainsi_losses_find(&losses, 9, now), CHAINSI_LOSS_UNKNOWN);
    assert_int_equal(chainsi_losses_find(&losses, 10, now), CHAINSI_LOSS_DRAINED);
    /* However late somebody asks. */
    assert_int_equal(chainsi_losses_find(&losses, 7, now + 60 * (int64_t)NS_PER_S),
                     CHAINSI_LOSS_MEMORY);
}

static void whichever_it_was_is_found_by_the_time(void **state)
{
    (void)state;
    chainsi_losses losses = { 0 };
    const int64_t before_ns = CHAINSI_LOSS_BEFORE_MS * CHAINSI_NS_PER_MS;
    chainsi_losses_note(&losses, 7, CHAINSI_LOSS_MEMORY, now);
    assert_int_equal(chainsi_losses_find(&losses, 0, now - 1), CHAINSI_LOSS_MEMORY);
    assert_int_equal(chainsi_losses_find(&losses, 0, now + before_ns), CHAINSI_LOSS_MEMORY);
    assert_int_equal(chainsi_losses_find(&losses, 0, now + before_ns + 1), CHAINSI_LOSS_UNKNOWN);
    /* Two that ended for the same reason agree, others don't. */
    chainsi_losses_note(&losses, 8, CHAINSI_LOSS_MEMORY, now + 1);
    assert_int_equal(chainsi_losses_find(&losses, 0, now), CHAINSI_LOSS_MEMORY);
    chainsi_losses_note(&losses, 0, CHAINSI_LOSS_OTHER, now + 2);
    assert_int_equal(chainsi_losses_find(&losses, 0, now), CHAINSI_LOSS_OTHER);
    assert_int_equal(chainsi_losses_find(&losses, 8, now), CHAINSI_LOSS_MEMORY);
}

static void a_signal_has_its_name(void **state)
{
    (void)state;
    chainsi_losses losses = { 0 };
    char text[32];
    chainsi_losses_note(&losses, 7, chainsi_loss_of(SIGABRT), now);
    chainsi_losses_note(&losses, 8, chainsi_loss_of(3 << 8), now);
    chainsi_losses_note(&losses, 9, CHAINSI_LOSS_LAST_SIGNAL, now);
    chainsi_losses_note(&losses, 10, CHAINSI_LOSS_LAST_SIGNAL + 1, now); /* by a stranger */
    assert_true(chainsi_loss_signal(chainsi_losses_find(&losses, 7, now), text, sizeof text));
    assert_string_equal(text, "signal 6 (SIGABRT)");
    assert_int_equal(chainsi_losses_find(&losses, 8, now), CHAINSI_LOSS_OTHER);
    assert_false(chainsi_loss_signal(CHAINSI_LOSS_OTHER, text, sizeof text));
    assert_string_equal(text, "");
    assert_false(chainsi_loss_signal(CHAINSI_LOSS_DRAINED, text, sizeof text));
    assert_true(chainsi_loss_signal(chainsi_losses_find(&losses, 9, now), text, sizeof text));
    assert_string_equal(text, "signal 64");
    assert_int_equal(chainsi_losses_find(&losses, 10, now), CHAINSI_LOSS_OTHER);
}

static void the_oldest_notes_go(void **state)
{
    (void)state;
    chainsi_losses losses = { 0 };
    for (uint64_t i = 1; i <= CHAINSI_LOSSES_KEPT; i++)
        chainsi_losses_note(&losses, i, CHAINSI_LOSS_MEMORY, now);
    assert_int_equal(chainsi_losses_find(&losses, 1, now), CHAINSI_LOSS_MEMORY);
    chainsi_losses_note(&losses, 1000, CHAINSI_LOSS_OTHER, now);
    assert_int_equal(chainsi_losses_find(&losses, 1, now), CHAINSI_LOSS_UNKNOWN);
    assert_int_equal(chainsi_losses_find(&losses, 2, now), CHAINSI_LOSS_MEMORY);
    assert_int_equal(chainsi_losses_find(&losses, 1000, now), CHAINSI_LOSS_OTHER);
}

static void nobody_waits_for_what_nobody_notes(void **state)
{
    (void)state;
    chainsi_losses losses = { 0 };
    /* Would it wait, then for good: the time until which it would is far away. */
    assert_int_equal(chainsi_losses_await(&losses, 7, INT64_MAX / 2, CHAINSI_NEVER, NULL, NULL),
                     CHAINSI_LOSS_UNKNOWN);
    assert_false(chainsi_losses_are_promised(&losses));
    chainsi_losses_promise(&losses);
    assert_true(chainsi_losses_are_promised(&losses));
    /* The break was long ago, or the deadline has passed. */
    assert_int_equal(chainsi_losses_await(&losses, 7, 0, CHAINSI_NEVER, NULL, NULL),
                     CHAINSI_LOSS_UNKNOWN);
    assert_int_equal(chainsi_losses_await(&losses, 7, INT64_MAX / 2, chainsi_now_ns(), NULL, NULL),
                     CHAINSI_LOSS_UNKNOWN);
}

static bool is_over_at_last(void *user)
{
    return --*(int *)user == 0;
}

/* It would be more than a minute otherwise. */
static void who_is_not_to_wait_any_more_leaves(void **state)
{
    (void)state;
    chainsi_losses losses = { 0 };
    chainsi_losses_promise(&losses);
    int questions = 3;
    assert_int_equal(chainsi_losses_await(&losses, 7, chainsi_now_ns() + 60 * (int64_t)NS_PER_S,
                                          CHAINSI_NEVER, is_over_at_last, &questions),
                     CHAINSI_LOSS_UNKNOWN);
    assert_int_equal(questions, 0);
}

static void who_can_not_block_looks_again(void **state)
{
    (void)state;
    const int64_t lost = 5 * (int64_t)NS_PER_S, last = lost + CHAINSI_LOSS_WAIT_MS * 1000000LL;
    chainsi_losses losses = { 0 };
    assert_int_equal(chainsi_losses_look_again(&losses, 7, lost, lost), 0); /* nobody notes any */
    chainsi_losses_promise(&losses);
    int looks = 0;
    for (int64_t at = lost, next; (next = chainsi_losses_look_again(&losses, 7, lost, at));
         at = next) {
        assert_true(next > at && next <= last);
        looks++;
    }
    assert_in_range(looks, 5, 30);
    assert_int_equal(chainsi_losses_look_again(&losses, 7, lost, last), 0);
    chainsi_losses_note(&losses, 7, CHAINSI_LOSS_MEMORY, lost);
    assert_int_equal(chainsi_losses_look_again(&losses, 7, lost, lost), 0);
    assert_int_not_equal(chainsi_losses_look_again(&losses, 8, lost, lost), 0);
}

/* Another process waits, and is told. */
static void who_waits_is_woken_by_the_note(void **state)
{
    (void)state;
    chainsi_losses *losses =
        mmap(NULL, sizeof *losses, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(losses, MAP_FAILED);
    chainsi_losses_promise(losses);
    int begun[2];
    assert_int_equal(pipe(begun), 0);
    pid_t waiting = fork();
    assert_true(waiting >= 0);
    if (!waiting) {
        const int64_t lost_ns = chainsi_now_ns() + 60 * (int64_t)NS_PER_S;
        if (write(begun[1], "", 1) != 1)
            _exit(9);
        _exit((int)chainsi_losses_await(losses, 7, lost_ns, CHAINSI_NEVER, NULL, NULL));
    }
    char byte;
    assert_int_equal(read(begun[0], &byte, 1), 1);
    chainsi_losses_note(losses, 8, CHAINSI_LOSS_OTHER,
                        chainsi_now_ns()); /* not what it waits for */
    chainsi_losses_note(losses, 7, CHAINSI_LOSS_MEMORY, chainsi_now_ns());
    int status;
    assert_int_equal(waitpid(waiting, &status, 0), waiting);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), CHAINSI_LOSS_MEMORY);
    close(begun[0]);
    close(begun[1]);
    munmap(losses, sizeof *losses);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replica_is_found_by_its_incarnation),
        cmocka_unit_test(whichever_it_was_is_found_by_the_time),
        cmocka_unit_test(a_signal_has_its_name),
        cmocka_unit_test(the_oldest_notes_go),
        cmocka_unit_test(nobody_waits_for_what_nobody_notes),
        cmocka_unit_test(who_is_not_to_wait_any_more_leaves),
        cmocka_unit_test(who_can_not_block_looks_again),
        cmocka_unit_test(who_waits_is_woken_by_the_note),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
