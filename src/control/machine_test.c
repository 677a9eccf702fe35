/* What the machine has, and the note that it is less than what is asked for. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/machine.h"

static void counts_the_cores_it_may_use(void **state)
{
    (void)state;
    chainsi_machine machine;
    chainsi_machine_read(&machine);
    assert_true(machine.cores >= 1);
    assert_true(machine.memory_bytes >= 1 << 20);
    cpu_set_t all, one;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    size_t first = 0;
    while (!CPU_ISSET(first, &all))
        first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    chainsi_machine_read(&machine);
    assert_int_equal(machine.cores, 1);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
}

static void notes_what_is_more_than_there_is(void **state)
{
    (void)state;
    chainsi_machine machine = { .cores = 2, .memory_bytes = UINT64_C(4) << 30 };
    chainsi_machine small = { .cores = 1 }; /* and memory that nobody told of */
    char note[256];
    chainsi_cgroup_limits none = { 0 }, all = { 2, UINT64_C(4) << 30 }, cpu = { 2.5, 0 };
    chainsi_cgroup_limits memory = { 0, UINT64_C(5) << 30 }, both = { 8, UINT64_C(8) << 30 };
    assert_false(chainsi_machine_note(&machine, "phi", &none, note, sizeof note));
    assert_false(chainsi_machine_note(&machine, "phi", &all, note, sizeof note));
    assert_true(chainsi_machine_note(&machine, "phi", &cpu, note, sizeof note));
    assert_string_equal(note, "phi: .cpu = 2.5 is more than the 2 cores here");
    assert_true(chainsi_machine_note(&machine, "phi", &memory, note, sizeof note));
    assert_string_equal(note, "phi: .memory of 5 GiB is more than the 4 GiB here");
    assert_true(chainsi_machine_note(&machine, "phi", &both, note, sizeof note));
    assert_string_equal(note,
                        "phi: .cpu = 8 is more than the 2 cores here, and .memory of 8 GiB is "
                        "more than the 4 GiB here");
    assert_true(chainsi_machine_note(&small, "phi", &both, note, sizeof note));
    assert_string_equal(note, "phi: .cpu = 8 is more than the 1 core here");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_the_cores_it_may_use),
        cmocka_unit_test(notes_what_is_more_than_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
