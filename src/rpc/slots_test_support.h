/* Notes when the slots of a board change hands (rpc/balance_test_support.h): around the board's functions, by the
 * linker's --wrap (chains_note_slots in cmake/unit_tests.cmake). */
#ifndef CHAINSI_RPC_SLOTS_TEST_SUPPORT_H
#define CHAINSI_RPC_SLOTS_TEST_SUPPORT_H

#include "rpc/balance_test_support.h"

static _Thread_local int64_t taken_ns; /* when this thread's slot was claimed or taken last */

/* When a slot was claimed last, and whether its row was left: of this process. */
static _Atomic int64_t claimed_ns[BALANCE_SLOTS];
static atomic_bool row_left[CHAINSI_BOARD_ROWS];

static uint32_t number_slot(uint32_t row, uint32_t slot)
{
    return row * CHAINSI_BOARD_SLOTS + slot;
}

bool __real_chainsi_board_join(chainsi_board *, uint32_t, uint64_t, chainsi_seat *);
bool __wrap_chainsi_board_join(chainsi_board *, uint32_t, uint64_t, chainsi_seat *);
bool __real_chainsi_board_claim(chainsi_board *, uint64_t, uint64_t, chainsi_claim *);
bool __wrap_chainsi_board_claim(chainsi_board *, uint64_t, uint64_t, chainsi_claim *);
size_t __real_chainsi_board_claim_many(chainsi_board *, uint64_t, uint64_t, chainsi_claim *,
                                       size_t);
size_t __wrap_chainsi_board_claim_many(chainsi_board *, uint64_t, uint64_t, chainsi_claim *,
                                       size_t);
bool __real_chainsi_board_withdraw(chainsi_board *, const chainsi_claim *);
bool __wrap_chainsi_board_withdraw(chainsi_board *, const chainsi_claim *);
uint32_t __real_chainsi_seat_leave(chainsi_seat *);
uint32_t __wrap_chainsi_seat_leave(chainsi_seat *);
int __real_chainsi_seat_take(const chainsi_seat *);
int __wrap_chainsi_seat_take(const chainsi_seat *);
void __real_chainsi_seat_free(const chainsi_seat *, uint32_t, int64_t);
void __wrap_chainsi_seat_free(const chainsi_seat *, uint32_t, int64_t);

bool __wrap_chainsi_board_join(chainsi_board *board, uint32_t slots, uint64_t incarnation,
                               chainsi_seat *seat)
{
    bool joined = __real_chainsi_board_join(board, slots, incarnation, seat);
    if (joined)
        atomic_store(&row_left[seat->row], false);
    for (uint32_t i = 0; joined && i < seat->slots; i++)
        balance_note(number_slot(seat->row, i), true, chainsi_now_ns());
    return joined;
}

bool __wrap_chainsi_board_claim(chainsi_board *board, uint64_t preferred, uint64_t avoided,
                                chainsi_claim *claim)
{
    return __wrap_chainsi_board_claim_many(board, preferred, avoided, claim, 1) == 1;
}

size_t __wrap_chainsi_board_claim_many(chainsi_board *board, uint64_t preferred, uint64_t avoided,
                                       chainsi_claim *claims, size_t count)
{
    size_t claimed = __real_chainsi_board_claim_many(board, preferred, avoided, claims, count);
    if (claimed)
        taken_ns = chainsi_now_ns();
    for (size_t i = 0; i < claimed; i++) {
        uint32_t slot = number_slot(claims[i].row, claims[i].slot);
        atomic_store(&claimed_ns[slot], taken_ns);
        balance_note(slot, false, taken_ns);
    }
    return claimed;
}

bool __wrap_chainsi_board_withdraw(chainsi_board *board, const chainsi_claim *claim)
{
    int64_t now_ns = chainsi_now_ns();
    bool withdrawn = __real_chainsi_board_withdraw(board, claim);
    if (withdrawn && !atomic_load(&row_left[claim->row]))
        balance_note(number_slot(claim->row, claim->slot), true, now_ns);
    return withdrawn;
}

uint32_t __wrap_chainsi_seat_leave(chainsi_seat *seat)
{
    if (seat->board)
        atomic_store(&row_left[seat->row], true);
    uint32_t claimed = __real_chainsi_seat_leave(seat);
    for (uint32_t i = 0; seat->board && i < seat->slots; i++)
        balance_note(number_slot(seat->row, i), false, chainsi_now_ns());
    return claimed;
}

int __wrap_chainsi_seat_take(const chainsi_seat *seat)
{
    int slot = __real_chainsi_seat_take(seat);
    if (slot >= 0) {
        taken_ns = chainsi_now_ns();
        balance_note(number_slot(seat->row, (uint32_t)slot), false, taken_ns);
    }
    return slot;
}

void __wrap_chainsi_seat_free(const chainsi_seat *seat, uint32_t slot, int64_t run_ns)
{
    const bool noted = seat->board && !atomic_load(&row_left[seat->row]);
    /* Before: afterwards another may have it already. */
    if (noted)
        balance_note(number_slot(seat->row, slot), true, chainsi_now_ns());
    __real_chainsi_seat_free(seat, slot, run_ns);
    if (noted && atomic_load(&row_left[seat->row]))
        balance_note(number_slot(seat->row, slot), false, chainsi_now_ns());
}

#endif
