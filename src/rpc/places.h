/* The slots of a server. With a board they are the words of its seat (rpc/board.h), which callers
 * claim; without one, and for slots beyond a board's, they are counted. Any thread; nothing blocks. */
#ifndef CHAINSI_RPC_PLACES_H
#define CHAINSI_RPC_PLACES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "rpc/board.h"

/* A slot that is held: a number of the seat's, or one of these. */
enum {
    CHAINSI_NO_PLACE = -1,
    CHAINSI_PLACE_OFF_BOARD = -2, /* one of those beyond the board's */
    CHAINSI_PLACE_COUNTED = -3,   /* of a server that is on no board, or not any more */
};

typedef struct chainsi_places {
    chainsi_seat seat; /* all zero bytes: there is no board */
    int count;         /* of slots, all together */
    int off_board;     /* of these, which callers can't claim though there is a board */
    atomic_int off_board_taken;
    atomic_int running; /* held ones */
    atomic_bool closed; /* the seat was left: what is still to be run is only counted */
    atomic_int late;    /* slots that were claimed then, whose calls have not come */
} chainsi_places;

/* seat: NULL without a board. */
void chainsi_places_init(chainsi_places *places, int count, const chainsi_seat *seat);
/* Leaves the board: no call is claimed from now on. */
void chainsi_places_close(chainsi_places *places);
/* Whether calls may come yet that had claimed a slot when the board was left. */
bool chainsi_places_expect(const chainsi_places *places);
/* A free slot, or CHAINSI_NO_PLACE. */
int chainsi_places_take(chainsi_places *places);
/* The slot that a call claimed, which is given to it if the claim still holds; else CHAINSI_NO_PLACE. */
int chainsi_places_start(chainsi_places *places, uint32_t slot, uint64_t claim);
/* Gives back the slot of a claim whose call isn't run on it. False: the claim didn't hold any more. */
bool chainsi_places_drop(chainsi_places *places, uint32_t slot, uint64_t claim);
/* Gives a held slot back. run_ns: what the call took; negative: none ran. */
void chainsi_places_free(chainsi_places *places, int place, int64_t run_ns);
/* Whether all slots are held (claimed ones aren't yet). */
bool chainsi_places_full(const chainsi_places *places);

#endif
