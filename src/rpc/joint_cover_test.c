/* Who looks for slots for the calls in line, and which trunks stay, from within: in the running joint a thread has
 * to be caught between two instructions for the odd cases. */
#include "rpc/link_test_support.h"

#include "rpc/joint_parts.h"

/* A joint with a call in line that isn't sent away, and no replica that could take it. */
typedef struct line {
    stand place;
    chainsi_joint *joint;
    chainsi_joint_call waiting;
} line;

static void open_line(line *it)
{
    open_stand(&it->place, true, 0);
    it->joint = chainsi_link_joint(it->place.link);
    it->waiting =
        (chainsi_joint_call){ .since_ns = chainsi_now_ns() + 3600 * 1000 * CHAINSI_NS_PER_MS };
    chainsi_joint_append(&it->joint->line, &it->waiting);
    it->joint->covered = true; /* by the one who is to be told things */
}

static void close_line(line *it)
{
    chainsi_joint_take_out(&it->joint->line, &it->waiting);
    assert_null(it->joint->line.first);
    close_stand(&it->place);
}

static void test_one_whose_call_has_ended_passes_it_on(void **state)
{
    (void)state;
    const uint32_t ends[] = { CHAINSI_JOINT_DONE, CHAINSI_JOINT_ALONE,
                              CHAINSI_JOINT_DONE | CHAINSI_JOINT_LEAD,
                              CHAINSI_JOINT_DONE | CHAINSI_JOINT_LEAD | CHAINSI_JOINT_LOOK };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        line at;
        open_line(&at);
        chainsi_joint_call ended = { .word = ends[i] };
        assert_false(chainsi_joint_cover(at.joint, &ended));
        assert_true(at.joint->covered);
        assert_int_equal(at.waiting.word, CHAINSI_JOINT_COVER);
        close_line(&at);
    }
}

static void test_one_who_leads_sees_to_it(void **state)
{
    (void)state;
    line at;
    open_line(&at);
    chainsi_joint_call leader = { .word = CHAINSI_JOINT_LEAD };
    assert_false(chainsi_joint_cover(at.joint, &leader));
    assert_false(at.joint->covered); /* so its first read is timed */
    assert_int_equal(at.waiting.word, 0);
    close_line(&at);
}

static void test_one_in_line_goes_on_while_somebody_waits(void **state)
{
    (void)state;
    line at;
    open_line(&at);
    assert_true(chainsi_joint_cover(at.joint, &at.waiting));
    assert_true(at.joint->covered);
    chainsi_joint_take_out(&at.joint->line, &at.waiting);
    chainsi_joint_call served = { .word = 0 };
    assert_false(chainsi_joint_cover(at.joint, &served));
    assert_false(at.joint->covered);
    chainsi_joint_append(&at.joint->line, &at.waiting);
    close_line(&at);
}

/* A leader whose call has ended serves the line before it hands its trunk over, which may make another one. */
static void test_a_trunk_with_a_leader_stays(void **state)
{
    (void)state;
    stand place;
    open_stand(&place, true, 0);
    chainsi_joint *joint = chainsi_link_joint(place.link);
    stand_in gone = { .shared_fd = -1, .board = place.board, .slots = 1, .handle = stand_in_echo };
    stand_in there = gone;
    stand_in_start(&gone);
    stand_in_start(&there);
    chainsi_joint_trunk *on = chainsi_joint_trunk_to(joint, gone.seat.incarnation);
    assert_non_null(on);
    chainsi_joint_call leader = { .word = CHAINSI_JOINT_DONE | CHAINSI_JOINT_LEAD };
    on->leader = &leader;
    stand_in_stop(&gone); /* the connection is closed */
    chainsi_joint_trunk *other = chainsi_joint_trunk_to(joint, there.seat.incarnation);
    assert_non_null(other);
    assert_ptr_equal(joint->trunks, other);
    assert_ptr_equal(other->next, on);
    on->leader = NULL;
    assert_null(chainsi_joint_trunk_to(joint, 1)); /* which nobody has */
    assert_ptr_equal(joint->trunks, other);
    assert_null(other->next);
    stand_in_stop(&there);
    close_stand(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_whose_call_has_ended_passes_it_on),
        cmocka_unit_test(test_one_who_leads_sees_to_it),
        cmocka_unit_test(test_one_in_line_goes_on_while_somebody_waits),
        cmocka_unit_test(test_a_trunk_with_a_leader_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
