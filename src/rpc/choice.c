#include "rpc/choice.h"

#include "base/clock.h"

enum { AVERAGED = 8 }; /* a new time counts for one in so many */

/* How many slots should be free; of one that has said nothing, one. */
static int count_free(const chainsi_choice *replica)
{
    if (replica->plain || !replica->said.total)
        return 1 - replica->outstanding;
    int said = (int)replica->said.free - replica->sent_since;
    int left = (int)replica->said.total - replica->outstanding;
    return said < left ? said : left;
}

/* How long it is worth believing a replica that it is busy. */
static int64_t belief_ns(const chainsi_choice *replica)
{
    const int64_t soonest = CHAINSI_CHOICE_SOONEST_MS * CHAINSI_NS_PER_MS;
    const int64_t latest = CHAINSI_CHOICE_LATEST_MS * CHAINSI_NS_PER_MS;
    int64_t ns = replica->run_ns / (replica->said.total ? replica->said.total : 1);
    return ns < soonest ? soonest : ns > latest ? latest : ns;
}

enum likely { NEVER, IN_NEED, PERHAPS, SURELY };

/* What is to be compared, of two that are likely: what a call takes, and as long again for asking in vain. */
static int64_t cost_ns(const chainsi_choice *replica, enum likely likely)
{
    return likely == SURELY ? replica->run_ns : replica->run_ns * 2;
}

/* In need: where no replica is better than one that can't be reached, or that lets calls wait. */
static enum likely judge(const chainsi_choice *replica, bool may_guess, bool all_down,
                         bool none_grants, int64_t now_ns)
{
    if (chainsi_choice_is_away(replica))
        return all_down ? IN_NEED : NEVER;
    if (count_free(replica) > 0)
        return SURELY;
    if (replica->plain)
        return none_grants ? IN_NEED : NEVER;
    bool is_old = replica->said.total && now_ns - replica->said_ns >= belief_ns(replica);
    return may_guess && is_old ? PERHAPS : NEVER;
}

/* Whether a is better than b. */
static bool is_better(const chainsi_choice *a, enum likely a_likely, const chainsi_choice *b,
                      enum likely b_likely)
{
    if (a_likely == IN_NEED && b_likely == IN_NEED)
        return chainsi_choice_is_away(a) || chainsi_choice_is_away(b)
                   ? a->down_until_ns < b->down_until_ns
                   : a->outstanding < b->outstanding;
    if (a_likely == IN_NEED || b_likely == IN_NEED)
        return a_likely > b_likely;
    int64_t a_ns = cost_ns(a, a_likely), b_ns = cost_ns(b, b_likely);
    return a_ns != b_ns ? a_ns < b_ns : a_likely > b_likely;
}

int chainsi_choice_pick(const chainsi_choice *const replicas[], const bool skipped[], int count,
                        unsigned start, bool may_guess, int64_t now_ns)
{
    bool all_down = true, none_grants = true;
    for (int i = 0; i < count; i++) {
        const bool away = chainsi_choice_is_away(replicas[i]);
        all_down = all_down && away;
        none_grants = none_grants && (away || replicas[i]->plain);
    }
    int best = CHAINSI_CHOICE_NONE;
    enum likely best_likely = NEVER;
    for (int i = 0; i < count; i++) {
        int at = (int)((start + (unsigned)i) % (unsigned)count);
        enum likely likely = judge(replicas[at], may_guess, all_down, none_grants, now_ns);
        if (skipped[at] || likely == NEVER)
            continue;
        if (best == CHAINSI_CHOICE_NONE ||
            is_better(replicas[at], likely, replicas[best], best_likely)) {
            best = at;
            best_likely = likely;
        }
    }
    return best;
}

bool chainsi_choice_in_need(const chainsi_choice *replica)
{
    return chainsi_choice_is_away(replica) || (replica->plain && count_free(replica) <= 0);
}

void chainsi_choice_sent(chainsi_choice *replica, bool granted)
{
    replica->outstanding++;
    if (!granted)
        replica->sent_since++;
}

void chainsi_choice_ended(chainsi_choice *replica, int64_t run_ns)
{
    replica->outstanding--;
    if (run_ns > 0)
        replica->run_ns += replica->run_ns ? (run_ns - replica->run_ns) / AVERAGED : run_ns;
}

void chainsi_choice_said(chainsi_choice *replica, chainsi_grants_slots slots, int64_t now_ns)
{
    replica->said = slots;
    replica->said_ns = now_ns;
    replica->sent_since = 0;
    replica->plain = false;
}

void chainsi_choice_busy(chainsi_choice *replica, int64_t now_ns)
{
    uint32_t total = replica->said.total ? replica->said.total : 1;
    chainsi_choice_said(replica, (chainsi_grants_slots){ .total = total }, now_ns);
}

void chainsi_choice_failed(chainsi_choice *replica, int64_t now_ns)
{
    int64_t pause_ms = CHAINSI_CHOICE_FIRST_PAUSE_MS;
    for (int i = 0; i < replica->failures && pause_ms < CHAINSI_CHOICE_LONGEST_PAUSE_MS; i++)
        pause_ms *= 2;
    if (pause_ms > CHAINSI_CHOICE_LONGEST_PAUSE_MS)
        pause_ms = CHAINSI_CHOICE_LONGEST_PAUSE_MS;
    if (replica->failures < INT32_MAX)
        replica->failures++;
    replica->back = false;
    replica->down_until_ns = now_ns + pause_ms * CHAINSI_NS_PER_MS;
    /* What answers there next may be another process. */
    replica->said = (chainsi_grants_slots){ 0 };
    replica->plain = false;
}

void chainsi_choice_reached(chainsi_choice *replica)
{
    replica->failures = 0;
    replica->back = false;
}

bool chainsi_choice_may_want(const chainsi_choice *replica, int64_t now_ns, int64_t *next_ns)
{
    int64_t from_ns = replica->full_until_ns;
    if (chainsi_choice_is_away(replica) && replica->down_until_ns > from_ns)
        from_ns = replica->down_until_ns;
    if (from_ns <= now_ns)
        return !replica->plain;
    if (from_ns < *next_ns)
        *next_ns = from_ns;
    return false;
}
