/* The board's memory and its protocol.
 *
 * A slot's word is the law; beside the words each row has a bit for every slot, set by whoever makes
 * a slot FREE and cleared by whoever is going to take it, so that a free slot is found without
 * looking at all words. Whoever clears a bit owns the attempt to change that word; nobody else
 * tries. If he dies in between, the slot is FREE without a bit: its replica finds that out
 * (chainsi_seat_take, chainsi_seat_revoke) and sets the bit again. A bit too many only costs a failed
 * attempt.
 *
 * A word: 2 bits of state, 22 of the claiming process, 20 of the time of claiming (milliseconds), 20
 * of generation, which goes up whenever the slot becomes FREE: the same word comes back after 2^20
 * calls within one millisecond at the earliest. */
#include "rpc/board.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sealed.h"
#include "rpc/pick.h"

enum {
    FIELD_BITS = 20, /* of generation, and of time */
    OWNER_BITS = 22, /* PID_MAX_LIMIT of Linux is 2^22 */
    WORD_COUNT = CHAINSI_BOARD_SLOTS / 64,
    MOST_ATTEMPTS = 64, /* of a claim that others are faster with */
};
#define FIELD_MASK ((UINT64_C(1) << FIELD_BITS) - 1)
#define OWNER_MASK ((UINT64_C(1) << OWNER_BITS) - 1)

static const uint64_t magic = UINT64_C(0x3164726f42636843);

enum slot_state { ABSENT, FREE, CLAIMED, RUNNING };

typedef struct row {
    _Atomic uint64_t incarnation; /* 0: closed to claims */
    _Atomic uint64_t average_ns;  /* what calls take, a moving average; 0: none has run */
    _Atomic uint32_t slots;
    _Atomic int32_t owner;             /* the replica's process, also while it drains; 0: nobody */
    _Atomic uint64_t free[WORD_COUNT]; /* a bit for each slot that is FREE */
    _Atomic uint64_t last_incarnation; /* also when it was buried; 0: none was here */
    /* Of whom the owner has taken the row over: whoever notes deaths may not have heard of that one's yet. */
    _Atomic int32_t owner_before;
    _Atomic uint64_t incarnation_before;
    char padding[512 - 104]; /* the words are on lines of their own */
    _Atomic uint64_t words[CHAINSI_BOARD_SLOTS];
} row;
_Static_assert(sizeof(row) == 4096, "a row is a page");

typedef struct caller {
    _Atomic int32_t process; /* 0: nobody */
    _Atomic uint32_t waiting;
} caller;

typedef struct memory {
    uint64_t magic;
    uint32_t max_queue;
    _Atomic uint32_t row_count; /* rows used so far */
    _Atomic uint32_t waiting;   /* calls, about: a caller that was killed may have left it wrong */
    _Atomic uint32_t uncounted; /* calls that wait of callers that found no counter */
    uint32_t
        strange; /* not 0: numbers of processes mean nothing here, and none is known to be gone */
    char padding[64 - 28];
    caller callers[CHAINSI_BOARD_CALLERS];
    chainsi_losses losses;
    char more_padding[4096 - 64 - CHAINSI_BOARD_CALLERS * sizeof(caller) - sizeof(chainsi_losses)];
    row rows[CHAINSI_BOARD_ROWS];
} memory;
_Static_assert(sizeof(memory) == 4096 * (1 + CHAINSI_BOARD_ROWS), "pages");

struct chainsi_board {
    memory *memory; /* mapped */
    int32_t process;
    _Atomic int caller; /* index of this process's counter; -1: none yet */
};

static enum slot_state state_of(uint64_t word)
{
    return (enum slot_state)(word & 3);
}

/* The word that follows `word` in this state, of the next generation where a slot becomes free. */
static uint64_t next_word(uint64_t word, enum slot_state state)
{
    uint64_t generation = word >> (64 - FIELD_BITS);
    if (state == FREE)
        generation = (generation + 1) & FIELD_MASK;
    return generation << (64 - FIELD_BITS) | state;
}

static uint64_t claimed_word(uint64_t word, int32_t process, int64_t now_ns)
{
    uint64_t now_ms = (uint64_t)(now_ns / CHAINSI_NS_PER_MS) & FIELD_MASK;
    return next_word(word, CLAIMED) | ((uint64_t)process & OWNER_MASK) << 2 |
           now_ms << (2 + OWNER_BITS);
}

/* When a claimed word was claimed: the last time before now that fits. */
static int64_t claimed_ns(uint64_t word, int64_t now_ns)
{
    uint64_t then_ms = word >> (2 + OWNER_BITS) & FIELD_MASK;
    uint64_t now_ms = (uint64_t)(now_ns / CHAINSI_NS_PER_MS);
    return now_ns - (int64_t)((now_ms - then_ms) & FIELD_MASK) * CHAINSI_NS_PER_MS;
}

static int create(uint32_t max_queue, bool strange)
{
    const struct {
        uint64_t magic;
        uint32_t max_queue, row_count, waiting, uncounted, strange;
    } head = { .magic = magic, .max_queue = max_queue, .strange = strange };
    _Static_assert(offsetof(memory, strange) == 24, "the memory begins like that");
    return chainsi_sealed_create("chains-board", sizeof(memory), &head, 28);
}

int chainsi_board_create(uint32_t max_queue)
{
    return create(max_queue, false);
}

int chainsi_board_create_for_strangers(void)
{
    return create(0, true);
}

chainsi_board *chainsi_board_open(int fd)
{
    chainsi_board *board = calloc(1, sizeof *board);
    memory *mapped = board ? chainsi_sealed_map(fd, sizeof *mapped, magic) : NULL;
    if (!mapped) {
        free(board);
        return NULL;
    }
    board->memory = mapped;
    board->process = getpid();
    atomic_init(&board->caller, -1);
    return board;
}

void chainsi_board_close(chainsi_board *board)
{
    if (!board)
        return;
    munmap(board->memory, sizeof *board->memory);
    free(board);
}

static uint32_t count_rows(const chainsi_board *board)
{
    uint32_t count = atomic_load_explicit(&board->memory->row_count, memory_order_acquire);
    return count < CHAINSI_BOARD_ROWS ? count : CHAINSI_BOARD_ROWS;
}

static uint32_t count_slots(const row *at)
{
    uint32_t slots = atomic_load_explicit(&at->slots, memory_order_relaxed);
    return slots < CHAINSI_BOARD_SLOTS ? slots : CHAINSI_BOARD_SLOTS;
}

static void set_bit(row *at, uint32_t slot)
{
    atomic_fetch_or(&at->free[slot / 64], UINT64_C(1) << slot % 64);
}

/* Clears the bit of a free slot, the lowest that is set, and returns its number; -1: none is. */
static int take_bit(row *at)
{
    for (uint32_t i = 0; i < WORD_COUNT; i++) {
        uint64_t bits = atomic_load_explicit(&at->free[i], memory_order_relaxed);
        while (bits) {
            uint64_t lowest = bits & -bits;
            bits = atomic_fetch_and(&at->free[i], ~lowest);
            if (bits & lowest)
                return (int)(i * 64) + __builtin_ctzll(lowest);
        }
    }
    return -1;
}

static bool has_bits(const row *at)
{
    for (uint32_t i = 0; i < WORD_COUNT; i++)
        if (atomic_load_explicit(&at->free[i], memory_order_relaxed))
            return true;
    return false;
}

/* ------------------------------------------------------------------------------------------------
 * replicas */

static bool is_gone(int32_t process)
{
    return kill(process, 0) != 0 && errno == ESRCH;
}

/* before: whose it was; 0: nobody's. */
static bool own_row(chainsi_board *board, uint32_t *number, int32_t *before)
{
    for (uint32_t i = 0; i < CHAINSI_BOARD_ROWS; i++) {
        row *at = &board->memory->rows[i];
        int32_t owner = atomic_load(&at->owner);
        if (owner && !is_gone(owner))
            continue;
        if (atomic_compare_exchange_strong(&at->owner, &owner, board->process)) {
            *number = i;
            *before = owner;
            return true;
        }
    }
    return false;
}

bool chainsi_board_join(chainsi_board *board, uint32_t slots, uint64_t incarnation,
                        chainsi_seat *seat)
{
    assert(incarnation && slots);
    uint32_t number;
    int32_t before;
    if (!own_row(board, &number, &before))
        return false;
    row *at = &board->memory->rows[number];
    atomic_store(&at->incarnation_before, atomic_load(&at->last_incarnation));
    atomic_store(&at->owner_before, before);
    if (slots > CHAINSI_BOARD_SLOTS)
        slots = CHAINSI_BOARD_SLOTS;
    atomic_store(&at->incarnation, 0); /* of one that was killed */
    atomic_store(&at->last_incarnation, 0);
    for (uint32_t i = 0; i < WORD_COUNT; i++)
        atomic_store(&at->free[i], 0);
    atomic_store(&at->slots, slots);
    atomic_store(&at->average_ns, 0);
    for (uint32_t i = 0; i < CHAINSI_BOARD_SLOTS; i++) {
        uint64_t word = next_word(atomic_load(&at->words[i]), FREE);
        atomic_store(&at->words[i], i < slots ? word : next_word(word, ABSENT));
        if (i < slots)
            set_bit(at, i);
    }
    uint32_t count = atomic_load(&board->memory->row_count);
    while (count <= number &&
           !atomic_compare_exchange_weak(&board->memory->row_count, &count, number + 1))
        ;
    *seat = (chainsi_seat){ board, number, slots, incarnation };
    atomic_store(&at->last_incarnation, incarnation);
    atomic_store(&at->incarnation, incarnation);
    return true;
}

uint32_t chainsi_seat_leave(chainsi_seat *seat)
{
    if (!seat->board)
        return 0;
    uint32_t claimed = 0;
    row *at = &seat->board->memory->rows[seat->row];
    uint64_t own = seat->incarnation;
    atomic_compare_exchange_strong(&at->incarnation, &own, 0);
    for (uint32_t i = 0; i < seat->slots; i++) {
        uint64_t word = atomic_load(&at->words[i]);
        while ((state_of(word) == FREE || state_of(word) == CLAIMED) &&
               !atomic_compare_exchange_weak(&at->words[i], &word, next_word(word, ABSENT)))
            ;
        claimed += state_of(word) == CLAIMED;
    }
    for (uint32_t i = 0; i < WORD_COUNT; i++)
        atomic_store(&at->free[i], 0);
    return claimed;
}

static bool run_free_slot(row *at, uint32_t slot)
{
    uint64_t word = atomic_load(&at->words[slot]);
    return state_of(word) == FREE &&
           atomic_compare_exchange_strong(&at->words[slot], &word, next_word(word, RUNNING));
}

int chainsi_seat_take(const chainsi_seat *seat)
{
    if (!seat->board)
        return -1;
    row *at = &seat->board->memory->rows[seat->row];
    for (int slot; (slot = take_bit(at)) >= 0;)
        if ((uint32_t)slot < seat->slots && run_free_slot(at, (uint32_t)slot))
            return slot;
    /* Free ones whose bit got lost. */
    for (uint32_t i = 0; i < seat->slots; i++)
        if (run_free_slot(at, i))
            return (int)i;
    return -1;
}

bool chainsi_seat_start(const chainsi_seat *seat, uint32_t slot, uint64_t claim)
{
    if (!seat->board || slot >= seat->slots || state_of(claim) != CLAIMED)
        return false;
    row *at = &seat->board->memory->rows[seat->row];
    return atomic_compare_exchange_strong(&at->words[slot], &claim, next_word(claim, RUNNING));
}

void chainsi_seat_free(const chainsi_seat *seat, uint32_t slot, int64_t run_ns)
{
    if (!seat->board)
        return;
    assert(slot < seat->slots);
    row *at = &seat->board->memory->rows[seat->row];
    if (run_ns >= 0) {
        int64_t average = (int64_t)atomic_load_explicit(&at->average_ns, memory_order_relaxed);
        average = average ? average + (run_ns - average) / 8 : run_ns;
        atomic_store_explicit(&at->average_ns, (uint64_t)(average > 0 ? average : 1),
                              memory_order_relaxed);
    }
    bool open = atomic_load_explicit(&at->incarnation, memory_order_relaxed) == seat->incarnation;
    uint64_t word = atomic_load_explicit(&at->words[slot], memory_order_relaxed);
    atomic_store(&at->words[slot], next_word(word, open ? FREE : ABSENT));
    if (open)
        set_bit(at, slot);
}

int chainsi_seat_revoke(const chainsi_seat *seat, int64_t claimed_before_ns, int64_t *oldest_ns)
{
    *oldest_ns = CHAINSI_NEVER;
    if (!seat->board)
        return 0;
    row *at = &seat->board->memory->rows[seat->row];
    int64_t now_ns = chainsi_now_ns();
    int count = 0;
    for (uint32_t i = 0; i < seat->slots; i++) {
        uint64_t word = atomic_load(&at->words[i]);
        if (state_of(word) == FREE) {
            set_bit(at, i);
            continue;
        }
        if (state_of(word) != CLAIMED)
            continue;
        int64_t since = claimed_ns(word, now_ns);
        if (since >= claimed_before_ns &&
            (seat->board->memory->strange || !is_gone((int32_t)(word >> 2 & OWNER_MASK)))) {
            if (since < *oldest_ns)
                *oldest_ns = since;
        } else if (atomic_compare_exchange_strong(&at->words[i], &word, next_word(word, FREE))) {
            set_bit(at, i);
            count++;
        }
    }
    return count;
}

/* ------------------------------------------------------------------------------------------------
 * callers */

static row *choose_row(chainsi_board *board, uint64_t preferred, uint64_t avoided)
{
    chainsi_pick pick = chainsi_pick_begin(preferred, avoided);
    uint32_t count = count_rows(board);
    for (uint32_t i = 0; i < count; i++) {
        row *at = &board->memory->rows[i];
        uint64_t incarnation = atomic_load_explicit(&at->incarnation, memory_order_relaxed);
        if (chainsi_pick_may(&pick, incarnation) && has_bits(at))
            chainsi_pick_see(&pick, (int)i, incarnation,
                             atomic_load_explicit(&at->average_ns, memory_order_relaxed));
    }
    int picked = chainsi_pick_end(&pick);
    return picked == CHAINSI_PICK_NONE ? NULL : &board->memory->rows[picked];
}

/* Gives a free slot back that was claimed on a row which has changed hands or closed meanwhile. */
static void unclaim(row *at, uint32_t slot, uint64_t claim)
{
    if (atomic_compare_exchange_strong(&at->words[slot], &claim, next_word(claim, FREE)))
        set_bit(at, slot);
}

static bool claim_slot(chainsi_board *board, row *at, int64_t now_ns, chainsi_claim *claim)
{
    uint64_t incarnation = atomic_load(&at->incarnation);
    int slot = incarnation ? take_bit(at) : -1;
    if (slot < 0)
        return false;
    uint64_t word = atomic_load(&at->words[slot]);
    uint64_t claimed = claimed_word(word, board->process, now_ns);
    if (state_of(word) != FREE || !atomic_compare_exchange_strong(&at->words[slot], &word, claimed))
        return false;
    if (atomic_load(&at->incarnation) != incarnation) {
        unclaim(at, (uint32_t)slot, claimed);
        return false;
    }
    *claim = (chainsi_claim){ .incarnation = incarnation,
                              .word = claimed,
                              .row = (uint32_t)(at - board->memory->rows),
                              .slot = (uint32_t)slot,
                              .at_ns = now_ns };
    return true;
}

size_t chainsi_board_claim_many(chainsi_board *board, uint64_t preferred, uint64_t avoided,
                                chainsi_claim *claims, size_t count)
{
    int64_t now_ns = count ? chainsi_now_ns() : 0;
    for (int attempt = 0; count && attempt < MOST_ATTEMPTS; attempt++) {
        row *at = choose_row(board, preferred, avoided);
        if (!at)
            return 0;
        size_t claimed = 0;
        while (claimed < count && claim_slot(board, at, now_ns, &claims[claimed])) {
            if (claims[claimed].incarnation != claims[0].incarnation) {
                chainsi_board_withdraw(board, &claims[claimed]); /* the row has changed hands */
                break;
            }
            claimed++;
        }
        if (claimed)
            return claimed;
    }
    return 0;
}

bool chainsi_board_claim(chainsi_board *board, uint64_t preferred, uint64_t avoided,
                         chainsi_claim *claim)
{
    return chainsi_board_claim_many(board, preferred, avoided, claim, 1) == 1;
}

bool chainsi_board_withdraw(chainsi_board *board, const chainsi_claim *claim)
{
    if (claim->row >= CHAINSI_BOARD_ROWS || claim->slot >= CHAINSI_BOARD_SLOTS)
        return false;
    row *at = &board->memory->rows[claim->row];
    uint64_t word = claim->word;
    bool open = atomic_load(&at->incarnation) == claim->incarnation;
    if (!atomic_compare_exchange_strong(&at->words[claim->slot], &word,
                                        next_word(word, open ? FREE : ABSENT)))
        return false;
    if (open)
        set_bit(at, claim->slot);
    return true;
}

bool chainsi_board_is_waiting(const chainsi_board *board, const chainsi_claim *claim)
{
    return claim->row < CHAINSI_BOARD_ROWS && claim->slot < CHAINSI_BOARD_SLOTS &&
           atomic_load(&board->memory->rows[claim->row].words[claim->slot]) == claim->word;
}

void chainsi_board_bury(chainsi_board *board, uint64_t incarnation)
{
    uint32_t count = count_rows(board);
    for (uint32_t i = 0; incarnation && i < count; i++) {
        uint64_t found = incarnation;
        if (atomic_compare_exchange_strong(&board->memory->rows[i].incarnation, &found, 0))
            return;
    }
}

/* Frees the slots that callers had claimed who are gone. Their replica does that only when somebody waits. */
static void free_claims_of_dead(row *at, uint64_t incarnation)
{
    uint32_t count = count_slots(at);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t word = atomic_load(&at->words[i]);
        if (state_of(word) != CLAIMED || !is_gone((int32_t)(word >> 2 & OWNER_MASK)) ||
            atomic_load(&at->incarnation) != incarnation)
            continue;
        if (atomic_compare_exchange_strong(&at->words[i], &word, next_word(word, FREE)))
            set_bit(at, i);
    }
}

void chainsi_board_bury_dead(chainsi_board *board)
{
    uint32_t count = count_rows(board);
    for (uint32_t i = 0; i < count; i++) {
        row *at = &board->memory->rows[i];
        /* In this order: whoever takes the row over changes the owner first. */
        uint64_t incarnation = atomic_load(&at->incarnation);
        int32_t owner = atomic_load(&at->owner);
        if (incarnation && owner && is_gone(owner))
            atomic_compare_exchange_strong(&at->incarnation, &incarnation, 0);
        else if (incarnation)
            free_claims_of_dead(at, incarnation);
    }
}

uint32_t chainsi_board_slots(const chainsi_board *board, uint32_t *replicas)
{
    uint32_t slots = 0, open = 0, count = count_rows(board);
    for (uint32_t i = 0; i < count; i++) {
        const row *at = &board->memory->rows[i];
        if (!atomic_load(&at->incarnation))
            continue;
        slots += count_slots(at);
        open++;
    }
    if (replicas)
        *replicas = open;
    return slots;
}

uint32_t chainsi_board_free_slots(const chainsi_board *board)
{
    uint32_t total = 0, count = count_rows(board);
    for (uint32_t i = 0; i < count; i++) {
        const row *at = &board->memory->rows[i];
        if (!atomic_load(&at->incarnation))
            continue;
        for (uint32_t slot = 0; slot < count_slots(at); slot++)
            total += state_of(atomic_load(&at->words[slot])) == FREE;
    }
    return total;
}

uint64_t chainsi_board_turns(const chainsi_board *board)
{
    uint64_t turns = 0;
    uint32_t count = count_rows(board);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t slot = 0; slot < count_slots(&board->memory->rows[i]); slot++)
            turns += atomic_load(&board->memory->rows[i].words[slot]) >> (64 - FIELD_BITS);
    return turns;
}

bool chainsi_board_look(const chainsi_board *board, int32_t process, uint32_t *busy,
                        uint64_t *average_ns)
{
    uint32_t count = count_rows(board);
    for (uint32_t i = 0; i < count; i++) {
        const row *at = &board->memory->rows[i];
        if (atomic_load(&at->owner) != process || !atomic_load(&at->incarnation))
            continue;
        uint32_t claimed = 0;
        for (uint32_t slot = 0; slot < count_slots(at); slot++) {
            enum slot_state state = state_of(atomic_load(&at->words[slot]));
            claimed += state == CLAIMED || state == RUNNING;
        }
        *busy = claimed;
        *average_ns = atomic_load(&at->average_ns);
        return true;
    }
    return false;
}

chainsi_losses *chainsi_board_losses(chainsi_board *board)
{
    return &board->memory->losses;
}

uint64_t chainsi_board_incarnation(const chainsi_board *board, int32_t process)
{
    const row *rows = board->memory->rows;
    uint32_t count = count_rows(board);
    for (uint32_t i = 0; process && i < count; i++)
        if (atomic_load(&rows[i].owner) == process)
            return atomic_load(&rows[i].last_incarnation);
    for (uint32_t i = 0; process && i < count; i++)
        if (atomic_load(&rows[i].owner_before) == process)
            return atomic_load(&rows[i].incarnation_before);
    return 0;
}

/* The counter of this process; NULL: all are taken. */
static caller *own_caller(chainsi_board *board)
{
    int index = atomic_load(&board->caller);
    if (index >= 0)
        return &board->memory->callers[index];
    for (int i = 0; i < CHAINSI_BOARD_CALLERS; i++) {
        caller *at = &board->memory->callers[i];
        int32_t nobody = 0;
        if (!atomic_compare_exchange_strong(&at->process, &nobody, board->process))
            continue;
        int none = -1;
        if (!atomic_compare_exchange_strong(&board->caller, &none, i)) {
            atomic_store(&at->process, 0); /* another thread was faster */
            return &board->memory->callers[none];
        }
        return at;
    }
    return NULL;
}

/* Forgets the waiting calls of processes that are gone. A counter is this process's while it is emptied, so that
 * it is neither emptied twice nor meanwhile taken by a new caller; if this process ends, others see to it. */
static void forget_dead_callers(chainsi_board *board)
{
    for (int i = 0; i < CHAINSI_BOARD_CALLERS; i++) {
        caller *at = &board->memory->callers[i];
        int32_t process = atomic_load(&at->process);
        if (!process || process == board->process || !is_gone(process) ||
            !atomic_compare_exchange_strong(&at->process, &process, board->process))
            continue;
        uint32_t waiting = atomic_exchange(&at->waiting, 0);
        atomic_fetch_sub(&board->memory->waiting, waiting);
        atomic_store(&at->process, 0);
    }
}

/* The calls of all callers that are there. */
static uint32_t count_waiting(chainsi_board *board)
{
    forget_dead_callers(board);
    uint32_t waiting = atomic_load(&board->memory->uncounted);
    for (int i = 0; i < CHAINSI_BOARD_CALLERS; i++)
        waiting += atomic_load(&board->memory->callers[i].waiting);
    return waiting;
}

/* Where the calls of this process are counted that wait. */
static _Atomic uint32_t *own_counter(chainsi_board *board)
{
    caller *own = own_caller(board);
    return own ? &own->waiting : &board->memory->uncounted;
}

bool chainsi_board_enter_queue(chainsi_board *board)
{
    memory *shared = board->memory;
    uint32_t limit = shared->max_queue;
    /* Callers can't tell when a call is taken out of the queue, and count it until it is answered: as
     * many as there are slots may be running. The kernel's own limit is the exact one. */
    if (limit)
        limit += chainsi_board_slots(board, NULL);
    atomic_fetch_add(own_counter(board), 1);
    if (atomic_fetch_add(&shared->waiting, 1) + 1 <= limit || !limit)
        return true;
    if (count_waiting(board) <= limit)
        return true;
    chainsi_board_leave_queue(board);
    return false;
}

void chainsi_board_leave_queue(chainsi_board *board)
{
    atomic_fetch_sub(own_counter(board), 1);
    atomic_fetch_sub(&board->memory->waiting, 1);
}

uint32_t chainsi_board_waiting(chainsi_board *board)
{
    return count_waiting(board);
}

uint32_t chainsi_board_address(uint64_t incarnation, void *sockaddr_un)
{
    struct sockaddr_un *address = sockaddr_un;
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    int size = snprintf(address->sun_path + 1, sizeof address->sun_path - 1, "chains-%016llx",
                        (unsigned long long)incarnation);
    return (uint32_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)size);
}
