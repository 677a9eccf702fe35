#include "rpc/places.h"

void chainsi_places_init(chainsi_places *places, int count, const chainsi_seat *seat)
{
    if (seat)
        places->seat = *seat;
    places->count = count;
    places->off_board = places->seat.board ? count - (int)places->seat.slots : 0;
}

void chainsi_places_close(chainsi_places *places)
{
    if (!places->seat.board || atomic_exchange(&places->closed, true))
        return;
    atomic_fetch_add(&places->late, (int)chainsi_seat_leave(&places->seat));
}

bool chainsi_places_expect(const chainsi_places *places)
{
    return atomic_load(&places->late) > 0;
}

/* Starts the call of a claim. One that comes after the board was left can't be. */
static bool start_claimed(chainsi_places *places, uint32_t slot, uint64_t claim)
{
    if (chainsi_seat_start(&places->seat, slot, claim))
        return true;
    if (claim && atomic_load(&places->closed))
        atomic_fetch_sub(&places->late, 1);
    return false;
}

/* One more, unless there are as many as may be. */
static bool count_up(atomic_int *counter, int most)
{
    int now = atomic_load(counter);
    while (now < most)
        if (atomic_compare_exchange_weak(counter, &now, now + 1))
            return true;
    return false;
}

int chainsi_places_take(chainsi_places *places)
{
    if (!places->seat.board || atomic_load(&places->closed))
        return count_up(&places->running, places->count) ? CHAINSI_PLACE_COUNTED : CHAINSI_NO_PLACE;
    int place = CHAINSI_PLACE_OFF_BOARD;
    if (!places->off_board || !count_up(&places->off_board_taken, places->off_board))
        place = chainsi_seat_take(&places->seat);
    if (place != CHAINSI_NO_PLACE)
        atomic_fetch_add(&places->running, 1);
    return place;
}

int chainsi_places_start(chainsi_places *places, uint32_t slot, uint64_t claim)
{
    if (!start_claimed(places, slot, claim))
        return CHAINSI_NO_PLACE;
    atomic_fetch_add(&places->running, 1);
    return (int)slot;
}

bool chainsi_places_drop(chainsi_places *places, uint32_t slot, uint64_t claim)
{
    if (!start_claimed(places, slot, claim))
        return false;
    chainsi_seat_free(&places->seat, slot, -1);
    return true;
}

void chainsi_places_free(chainsi_places *places, int place, int64_t run_ns)
{
    if (place == CHAINSI_NO_PLACE)
        return;
    atomic_fetch_sub(&places->running, 1);
    if (place == CHAINSI_PLACE_OFF_BOARD)
        atomic_fetch_sub(&places->off_board_taken, 1);
    else if (place >= 0)
        chainsi_seat_free(&places->seat, (uint32_t)place, run_ns);
}

bool chainsi_places_full(const chainsi_places *places)
{
    return atomic_load(&places->running) >= places->count;
}
