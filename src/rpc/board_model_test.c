/* The board beside a model of it that is a plain table: whatever is done to both, in whatever order, they agree. One
 * thread; what many do at once is in board_test.c. */
#include "rpc/board.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "rpc/pick.h"

enum { SEED = 4711, BOARDS = 60, STEPS = 1000, MOST_ROWS = 24, MOST_SLOTS = 5, MOST_CLAIMS = 64 };

typedef enum slot_state { ABSENT, FREE, CLAIMED, RUNNING } slot_state;

typedef struct model_row {
    chainsi_seat seat;
    bool open;
    uint64_t average_ns;
    slot_state slots[MOST_SLOTS];
    int holds[MOST_SLOTS]; /* the claim, where CLAIMED */
} model_row;

typedef struct model_claim {
    chainsi_claim claim;
    int row;
} model_claim;

static struct {
    chainsi_board *board;
    model_row rows[MOST_ROWS];
    int count;
    uint64_t turns;                  /* slots that have become free */
    model_claim claims[MOST_CLAIMS]; /* the latest, over and over; old ones hold no more */
    int claim_count;
} the;

static unsigned seed;

static int below(int most)
{
    return rand_r(&seed) % most;
}

static model_row *any_row(void)
{
    return the.count ? &the.rows[below(the.count)] : NULL;
}

static int find_slot(const model_row *it, slot_state state)
{
    for (uint32_t i = 0; i < it->seat.slots; i++)
        if (it->slots[i] == state)
            return (int)i;
    return -1;
}

/* A slot is left: free again, unless its row has closed. */
static void release(model_row *it, uint32_t slot)
{
    it->slots[slot] = it->open ? FREE : ABSENT;
    the.turns += it->open;
}

/* Whether the claim still stands. */
static bool holds(int number)
{
    const model_claim *at = &the.claims[number];
    const model_row *it = &the.rows[at->row];
    return it->slots[at->claim.slot] == CLAIMED && it->holds[at->claim.slot] == number;
}

/* ------------------------------------------------------------------------------------------------
 * what is done to both */

static void join(void)
{
    if (the.count == MOST_ROWS || (the.count && below(4)))
        return;
    model_row *it = &the.rows[the.count++];
    *it = (model_row){ .open = true };
    assert_true(chainsi_board_join(the.board, 1 + (uint32_t)below(MOST_SLOTS), (uint64_t)the.count,
                                   &it->seat));
    for (uint32_t i = 0; i < it->seat.slots; i++)
        release(it, i);
}

static void leave(void)
{
    model_row *it = any_row();
    if (!it || below(8))
        return;
    uint32_t claimed = 0;
    for (uint32_t i = 0; i < it->seat.slots; i++) {
        claimed += it->slots[i] == CLAIMED;
        if (it->slots[i] != RUNNING)
            it->slots[i] = ABSENT;
    }
    it->open = false;
    assert_int_equal(chainsi_seat_leave(&it->seat), claimed);
}

/* The row to claim in, by what the model knows. */
static int pick_row(uint64_t preferred, uint64_t avoided)
{
    chainsi_pick pick = chainsi_pick_begin(preferred, avoided);
    for (int i = 0; i < the.count; i++) {
        const model_row *it = &the.rows[i];
        uint64_t incarnation = it->open ? it->seat.incarnation : 0;
        if (chainsi_pick_may(&pick, incarnation) && find_slot(it, FREE) >= 0)
            chainsi_pick_see(&pick, i, incarnation, it->average_ns);
    }
    return chainsi_pick_end(&pick);
}

static void claim(void)
{
    chainsi_claim claims[3];
    uint64_t preferred = (uint64_t)below(MOST_ROWS), avoided = (uint64_t)below(MOST_ROWS);
    size_t wanted = 1 + (size_t)below(3);
    int row = pick_row(preferred, avoided);
    size_t got = chainsi_board_claim_many(the.board, preferred, avoided, claims, wanted);
    for (size_t i = 0; i < got; i++) {
        model_row *it = &the.rows[row];
        int slot = find_slot(it, FREE), number = the.claim_count++ % MOST_CLAIMS;
        assert_int_equal(claims[i].incarnation, it->seat.incarnation);
        assert_int_equal(claims[i].slot, slot);
        /* What an older claim of this number has stays claimed, with nobody who knows of it. */
        for (int other = 0; other < the.count; other++)
            for (int each = 0; each < MOST_SLOTS; each++)
                if (the.rows[other].holds[each] == number)
                    the.rows[other].holds[each] = -1;
        the.claims[number] = (model_claim){ claims[i], row };
        it->slots[slot] = CLAIMED;
        it->holds[slot] = number;
    }
    if (got < wanted)
        assert_true(row == CHAINSI_PICK_NONE ? got == 0
                                             : got && find_slot(&the.rows[row], FREE) < 0);
}

static int any_claim(void)
{
    int known = the.claim_count < MOST_CLAIMS ? the.claim_count : MOST_CLAIMS;
    return known ? below(known) : -1;
}

static void withdraw(void)
{
    int number = any_claim();
    if (number < 0)
        return;
    const model_claim *at = &the.claims[number];
    const bool held = holds(number);
    assert_int_equal(chainsi_board_is_waiting(the.board, &at->claim), held);
    assert_int_equal(chainsi_board_withdraw(the.board, &at->claim), held);
    if (held)
        release(&the.rows[at->row], at->claim.slot);
}

static void start(void)
{
    int number = any_claim();
    if (number < 0)
        return;
    const model_claim *at = &the.claims[number];
    model_row *it = &the.rows[at->row];
    const bool held = holds(number);
    assert_int_equal(chainsi_seat_start(&it->seat, at->claim.slot, at->claim.word), held);
    if (held)
        it->slots[at->claim.slot] = RUNNING;
}

static void take(void)
{
    model_row *it = any_row();
    if (!it)
        return;
    int slot = find_slot(it, FREE);
    assert_int_equal(chainsi_seat_take(&it->seat), slot);
    if (slot >= 0)
        it->slots[slot] = RUNNING;
}

static void end(void)
{
    model_row *it = any_row();
    int slot = it ? find_slot(it, RUNNING) : -1;
    if (slot < 0)
        return;
    int64_t run_ns = below(5) ? below(2000) : -1;
    chainsi_seat_free(&it->seat, (uint32_t)slot, run_ns);
    if (run_ns >= 0) {
        int64_t average_ns = (int64_t)it->average_ns;
        average_ns = average_ns ? average_ns + (run_ns - average_ns) / 8 : run_ns;
        it->average_ns = average_ns > 0 ? (uint64_t)average_ns : 1;
    }
    release(it, (uint32_t)slot);
}

/* All claims are old enough, or none is. */
static void revoke_claims(void)
{
    model_row *it = any_row();
    if (!it)
        return;
    const bool all = below(2);
    int64_t oldest_ns;
    int claimed = 0;
    for (uint32_t i = 0; i < it->seat.slots; i++) {
        if (it->slots[i] != CLAIMED)
            continue;
        claimed++;
        if (all)
            release(it, i);
    }
    assert_int_equal(chainsi_seat_revoke(&it->seat, all ? CHAINSI_NEVER : 0, &oldest_ns),
                     all ? claimed : 0);
    assert_int_equal(oldest_ns == CHAINSI_NEVER, all || !claimed);
}

/* ------------------------------------------------------------------------------------------------
 * whether they agree */

static void compare(void)
{
    uint32_t slots = 0, replicas = 0, free_slots = 0, open = 0;
    for (int i = 0; i < the.count; i++) {
        const model_row *it = &the.rows[i];
        if (!it->open)
            continue;
        open++;
        slots += it->seat.slots;
        for (uint32_t slot = 0; slot < it->seat.slots; slot++)
            free_slots += it->slots[slot] == FREE;
    }
    assert_int_equal(chainsi_board_slots(the.board, &replicas), slots);
    assert_int_equal(replicas, open);
    assert_int_equal(chainsi_board_free_slots(the.board), free_slots);
    assert_int_equal(chainsi_board_turns(the.board), the.turns);
}

static void test_whatever_is_done(void **state)
{
    (void)state;
    static void (*const doings[])(void) = { join,  leave, claim, claim, withdraw, start,
                                            start, take,  end,   end,   end,      revoke_claims };
    seed = SEED;
    print_message("seed %u\n", seed);
    for (int i = 0; i < BOARDS; i++) {
        int fd = chainsi_board_create(0);
        memset(&the, 0, sizeof the);
        the.board = chainsi_board_open(fd);
        assert_non_null(the.board);
        close(fd);
        for (int step = 0; step < STEPS; step++) {
            doings[below(sizeof doings / sizeof *doings)]();
            compare();
        }
        assert_true(the.turns > STEPS / 20); /* it was worth something */
        chainsi_board_close(the.board);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_whatever_is_done) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
