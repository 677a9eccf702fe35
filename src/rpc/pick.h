/* In which row of a board a slot is claimed: a pure function of what is seen of the rows, so that it can be
 * tested without any. They are seen one after the other, as who claims doesn't want to copy them; all of it is
 * inline, as it stands in the way of every call.
 *
 *   chainsi_pick pick = chainsi_pick_begin(preferred, avoided);
 *   for each row: if (chainsi_pick_may(&pick, incarnation) && it has a free slot)
 *                     chainsi_pick_see(&pick, number, incarnation, average_ns);
 *   chainsi_pick_end(&pick) */
#ifndef CHAINSI_RPC_PICK_H
#define CHAINSI_RPC_PICK_H

#include <stdbool.h>
#include <stdint.h>

enum { CHAINSI_PICK_NONE = -1 };

typedef struct chainsi_pick {
    uint64_t preferred, avoided; /* incarnations; 0: none */
    uint64_t best_ns, liked_ns;
    int best, liked; /* rows; NONE: not seen yet */
} chainsi_pick;

static inline chainsi_pick chainsi_pick_begin(uint64_t preferred, uint64_t avoided)
{
    return (chainsi_pick){ .preferred = preferred,
                           .avoided = avoided,
                           .best = CHAINSI_PICK_NONE,
                           .liked = CHAINSI_PICK_NONE };
}

/* Whether a row of this incarnation may be claimed in: it is open (not 0), and not the one to be avoided. */
static inline bool chainsi_pick_may(const chainsi_pick *pick, uint64_t incarnation)
{
    return incarnation && incarnation != pick->avoided;
}

/* A row that may be, and has a free slot. average_ns: what its calls take; 0: none has run, which counts as fast. */
static inline void chainsi_pick_see(chainsi_pick *pick, int row, uint64_t incarnation,
                                    uint64_t average_ns)
{
    if (incarnation == pick->preferred) {
        pick->liked = row;
        pick->liked_ns = average_ns;
    }
    if (pick->best == CHAINSI_PICK_NONE || average_ns < pick->best_ns) {
        pick->best = row;
        pick->best_ns = average_ns;
    }
}

/* The fastest of those that were seen, the first of equal ones; or the preferred one, if it is at most a quarter
 * slower: averages of equal replicas differ by chance. NONE: none was seen. */
static inline int chainsi_pick_end(const chainsi_pick *pick)
{
    if (pick->liked == CHAINSI_PICK_NONE || pick->liked_ns > pick->best_ns + pick->best_ns / 4)
        return pick->best;
    return pick->liked;
}

#endif
