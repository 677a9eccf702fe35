/* Calls that wait for a slot of any replica: one list, and a want at each replica for all of it, up to one for each
 * of its slots while so many calls wait.
 *
 * The first of the list leads: its thread watches the wants. A grant goes to the first call of the
 * list, whoever leads; who leaves the list while it leads wakes the next. When the list is empty the wants are
 * withdrawn, so nothing is ever granted to nobody for longer than the leader takes to see it.
 *
 * Only the leader touches wants, with the lock held; it waits without. A call leaves the list with the lock held, when its
 * `end` is set: by the leader, or by its own thread. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "rpc/calling.h"

struct chainsi_waiting_call {
    chainsi_waiting_call *next;
    chainsi_waiting_end end;
    chainsi_replica *replica;   /* GRANTED: a reference, */
    chainsi_channel connection; /* and a connection, both owned */
    int wake;                   /* owned: an eventfd; -1: it leads from the start */
};

/* ------------------------------------------------------------------------------------------------
 * the list */

static void wake(const chainsi_waiting_call *call)
{
    uint64_t one = 1;
    if (call->wake >= 0)
        (void)!write(call->wake, &one, sizeof one);
}

static void unlink_call(chainsi_replicas *set, chainsi_waiting_call *call)
{
    chainsi_waiting_call **at = &set->first_waiting, *before = NULL;
    while (*at != call) {
        before = *at;
        at = &before->next;
    }
    *at = call->next;
    if (set->last_waiting == call)
        set->last_waiting = before;
    set->waiting--;
}

/* Ends the waiting of the first of the list. */
static chainsi_waiting_call *end_first(chainsi_replicas *set, chainsi_waiting_end end)
{
    chainsi_waiting_call *call = set->first_waiting;
    unlink_call(set, call);
    call->end = end;
    wake(call);
    return call;
}

/* ------------------------------------------------------------------------------------------------
 * wants */

/* After a want was added, moved, or looked at. */
static void watch(chainsi_replicas *set, chainsi_wanted *wanted, int64_t now_ns)
{
    const short events = chainsi_want_events(wanted->want);
    if (chainsi_want_is_open(wanted->want))
        wanted->connect_by_ns = CHAINSI_NEVER;
    else if (wanted->connect_by_ns == CHAINSI_NEVER)
        wanted->connect_by_ns = now_ns + CHAINSI_CONNECT_MS * CHAINSI_NS_PER_MS;
    struct epoll_event event = { .events = (uint32_t)events,
                                 .data.u32 = (uint32_t)(wanted - set->wants) };
    const int fd = chainsi_want_fd(wanted->want);
    /* It may be a fresh one, whatever its number. What can't be watched is given up. */
    if (epoll_ctl(set->epoll, EPOLL_CTL_MOD, fd, &event) &&
        epoll_ctl(set->epoll, EPOLL_CTL_ADD, fd, &event))
        wanted->connect_by_ns = now_ns;
}

/* Takes the want number i out of the array, without freeing it. */
static chainsi_wanted take_out(chainsi_replicas *set, int i, int64_t now_ns)
{
    chainsi_wanted out = set->wants[i];
    out.replica->wants--;
    set->want_count--;
    if (i < set->want_count) {
        set->wants[i] = set->wants[set->want_count];
        watch(set, &set->wants[i], now_ns);
    }
    return out;
}

static void withdraw(chainsi_replicas *set, int i, int64_t now_ns)
{
    chainsi_wanted out = take_out(set, i, now_ns);
    chainsi_want_free(out.want);
    chainsi_replica_unref(out.replica);
}

/* Adds a want; a replica that can't be reached may not be wanted for a while. */
static void add_want(chainsi_replicas *set, chainsi_replica *replica, int64_t now_ns)
{
    chainsi_want *want = chainsi_want_new(replica->client);
    if (!want) {
        chainsi_replicas_fail(set, replica, now_ns);
        return;
    }
    replica->references++;
    replica->wants++;
    chainsi_wanted *wanted = &set->wants[set->want_count++];
    *wanted = (chainsi_wanted){ .replica = replica, .want = want, .connect_by_ns = CHAINSI_NEVER };
    watch(set, wanted, now_ns);
}

/* How many wants there should be at a replica: one for each of its slots, as far as calls wait. */
static int count_wanted(const chainsi_replicas *set, const chainsi_replica *replica)
{
    int most = replica->known.said.total ? (int)replica->known.said.total : 1;
    if (most > CHAINSI_MAX_WANTS_EACH)
        most = CHAINSI_MAX_WANTS_EACH;
    return set->waiting < most ? set->waiting : most;
}

static void append(chainsi_replicas *set, chainsi_waiting_call *call)
{
    if (set->last_waiting) {
        set->last_waiting->next = call;
    } else {
        set->first_waiting = call;
        set->lost_since_ns = 0;
    }
    set->last_waiting = call;
    set->waiting++;
    if (!set->leader) {
        set->leader = call;
        return;
    }
    bool more = false;
    for (int i = 0; i < set->used && !more; i++)
        more = set->all[i]->wants < count_wanted(set, set->all[i]);
    if (more)
        chainsi_replicas_tell(set);
}

/* Withdraws wants that are too many, or where they no longer belong. */
static void prune_wants(chainsi_replicas *set, int64_t now_ns)
{
    for (int i = set->want_count - 1; i >= 0; i--) {
        const chainsi_replica *replica = set->wants[i].replica;
        if (replica->gone || replica->wants > count_wanted(set, replica))
            withdraw(set, i, now_ns);
    }
}

/* Has up to `most` wants at a replica, as far as there should be so many. */
static void place_wants_at(chainsi_replicas *set, chainsi_replica *replica, int most,
                           int64_t now_ns, int64_t *next_ns)
{
    const int wanted = count_wanted(set, replica);
    while (replica->wants < most && replica->wants < wanted &&
           set->want_count < CHAINSI_MAX_WANTS &&
           chainsi_choice_may_want(&replica->known, now_ns, next_ns))
        add_want(set, replica, now_ns);
}

/* Sees to it that there is a want wherever there should be one, first at each replica, the last ones that were taken in
 * before the others. *next_ns is lowered to when to look again. */
static void place_wants(chainsi_replicas *set, int64_t now_ns, int64_t *next_ns)
{
    for (int i = set->used - 1; i >= 0; i--)
        place_wants_at(set, set->all[i], 1, now_ns, next_ns);
    for (int i = 0; i < set->used; i++)
        place_wants_at(set, set->all[i], CHAINSI_MAX_WANTS_EACH, now_ns, next_ns);
}

/* Gives up what is wanted at one of the replicas, by chance, and the replica, if nothing else is there. */
static void want_elsewhere(chainsi_replicas *set, int64_t now_ns)
{
    chainsi_replica *replica = set->wants[chainsi_members_chance(set, set->want_count)].replica;
    for (int i = set->want_count - 1; i >= 0; i--)
        if (set->wants[i].replica == replica && !set->wants[i].granted)
            withdraw(set, i, now_ns);
    chainsi_members_put_aside(set, replica);
}

/* When others may be taken in next. */
static int64_t next_exploration_ns(chainsi_replicas *set, int64_t now_ns)
{
    const int64_t round_ends_ns = set->round_ns + CHAINSI_EXPLORE_ROUND_MS * CHAINSI_NS_PER_MS;
    if (now_ns >= round_ends_ns) {
        set->round_ns = now_ns;
        set->explored = 0;
    }
    return set->explored < set->count ? set->explored_ns + CHAINSI_EXPLORE_MS * CHAINSI_NS_PER_MS
                                      : round_ends_ns;
}

/* While calls wait although there are replicas that aren't in use, some of these are taken in every now and then: one of
 * them may have a free slot. */
static void explore(chainsi_replicas *set, int64_t now_ns, int64_t *next_ns)
{
    if (set->used == set->count)
        return;
    if (now_ns >= next_exploration_ns(set, now_ns)) {
        const int room = CHAINSI_MAX_WANTS - set->want_count;
        for (int i = room; i < CHAINSI_EXPLORE && set->want_count; i++)
            want_elsewhere(set, now_ns);
        for (int i = 0; i < CHAINSI_EXPLORE; i++)
            chainsi_members_take_in(set);
        set->explored_ns = now_ns;
        set->explored += CHAINSI_EXPLORE;
    }
    const int64_t due_ns = next_exploration_ns(set, now_ns);
    *next_ns = due_ns < *next_ns ? due_ns : *next_ns;
}

/* Whether none can be reached, but one is expected. */
static bool may_come(chainsi_replicas *set, int64_t now_ns)
{
    if (!set->options.at_zero_ms || !chainsi_members_are_down(set)) {
        set->lost_since_ns = 0;
        return false;
    }
    if (!set->lost_since_ns)
        set->lost_since_ns = now_ns;
    return now_ns - set->lost_since_ns < set->options.at_zero_ms * CHAINSI_NS_PER_MS;
}

/* Ends the waiting of all, where nobody is left to wait for. */
static void end_if_hopeless(chainsi_replicas *set, int64_t now_ns)
{
    if (may_come(set, now_ns) || set->want_count)
        return;
    bool full = false, plain = false;
    for (int i = 0; i < set->used; i++) {
        full = full ||
               (!chainsi_choice_is_away(&set->all[i]->known) && set->all[i]->known.full_until_ns);
        plain = plain || set->all[i]->known.plain;
    }
    while (set->first_waiting)
        end_first(set, plain  ? CHAINSI_WAITING_PLAIN
                       : full ? CHAINSI_WAITING_FULL
                              : CHAINSI_WAITING_UNREACHABLE);
}

/* What has become of the want number i. */
static void look_at(chainsi_replicas *set, int i, int64_t now_ns)
{
    chainsi_wanted *wanted = &set->wants[i];
    chainsi_replica *replica = wanted->replica;
    chainsi_grants_slots slots;
    chainsi_want_end end = chainsi_want_look(wanted->want, &slots);
    if (slots.total)
        chainsi_choice_said(&replica->known, slots, now_ns);
    if (end == CHAINSI_WANT_WAITS) {
        watch(set, wanted, now_ns);
        return;
    }
    if (end != CHAINSI_WANT_LOST)
        chainsi_choice_reached(&replica->known);
    replica->known.full_until_ns = 0;
    if (end == CHAINSI_WANT_GRANTED) {
        wanted->granted = true;
        return;
    }
    if (end == CHAINSI_WANT_FULL)
        replica->known.full_until_ns = now_ns + CHAINSI_CHOICE_FULL_MS * CHAINSI_NS_PER_MS;
    else if (end == CHAINSI_WANT_PLAIN)
        replica->known.plain = true;
    else if (end == CHAINSI_WANT_LOST && !replica->gone)
        chainsi_replicas_fail(set, replica, now_ns);
    withdraw(set, i, now_ns);
}

/* Hands what was granted to the calls that wait, in their order, the fastest replica first. What nobody
 * waits for any more is given back. */
static void hand_out_grants(chainsi_replicas *set, int64_t now_ns)
{
    for (;;) {
        int best = -1;
        for (int i = 0; i < set->want_count; i++) {
            const chainsi_wanted *wanted = &set->wants[i];
            if (wanted->granted && (best < 0 || wanted->replica->known.run_ns <
                                                    set->wants[best].replica->known.run_ns))
                best = i;
        }
        if (best < 0)
            return;
        if (!set->first_waiting) {
            withdraw(set, best, now_ns);
            continue;
        }
        epoll_ctl(set->epoll, EPOLL_CTL_DEL, chainsi_want_fd(set->wants[best].want), NULL);
        chainsi_wanted out = take_out(set, best, now_ns);
        chainsi_waiting_call *call = end_first(set, CHAINSI_WAITING_GRANTED);
        call->replica = out.replica;
        call->connection = chainsi_want_take(out.want);
        set->granted++;
    }
}

/* Looks at all wants of which the epoll tells, and gives up those that don't get connected. */
static void look_at_wants(chainsi_replicas *set, int64_t now_ns)
{
    struct epoll_event events[CHAINSI_MAX_WANTS + 1];
    bool touched[CHAINSI_MAX_WANTS] = { false };
    int count = epoll_wait(set->epoll, events, CHAINSI_MAX_WANTS + 1, 0);
    for (int i = 0; i < count; i++) {
        uint64_t changes;
        if (events[i].data.u32 < CHAINSI_MAX_WANTS)
            touched[events[i].data.u32] = true;
        else
            (void)!read(set->changed, &changes, sizeof changes);
    }
    /* From the last: a look moves only wants behind it. */
    for (int i = set->want_count - 1; i >= 0; i--) {
        if (touched[i]) {
            look_at(set, i, now_ns);
        } else if (set->wants[i].connect_by_ns <= now_ns) {
            chainsi_replicas_fail(set, set->wants[i].replica, now_ns);
            withdraw(set, i, now_ns);
        }
    }
    hand_out_grants(set, now_ns);
}

/* ------------------------------------------------------------------------------------------------
 * waiting */

/* Watches the wants for all, once. */
static chainsi_wait_end lead(chainsi_replicas *set, const chainsi_waiting_call *self,
                             const chainsi_client_request *request)
{
    int64_t now_ns = chainsi_now_ns(), next_ns = request->deadline_ns;
    chainsi_replicas_refresh(set, now_ns, &next_ns);
    prune_wants(set, now_ns);
    explore(set, now_ns, &next_ns);
    place_wants(set, now_ns, &next_ns);
    end_if_hopeless(set, now_ns);
    if (self->end != CHAINSI_WAITING_STILL)
        return CHAINSI_WAIT_READY;
    for (int i = 0; i < set->want_count; i++)
        if (set->wants[i].connect_by_ns < next_ns)
            next_ns = set->wants[i].connect_by_ns;
    pthread_mutex_unlock(&set->lock);
    chainsi_wait_end end = chainsi_wait_for(set->epoll, POLLIN, NULL, next_ns, request->interrupt);
    pthread_mutex_lock(&set->lock);
    now_ns = chainsi_now_ns();
    look_at_wants(set, now_ns);
    return end == CHAINSI_WAIT_DEADLINE && now_ns < request->deadline_ns ? CHAINSI_WAIT_READY : end;
}

/* Waits until another leads it to its end, or it leads. */
static chainsi_wait_end follow(chainsi_replicas *set, const chainsi_waiting_call *self,
                               const chainsi_client_request *request)
{
    pthread_mutex_unlock(&set->lock);
    uint64_t ignored;
    chainsi_wait_end end =
        chainsi_wait_for(self->wake, POLLIN, NULL, request->deadline_ns, request->interrupt);
    if (end == CHAINSI_WAIT_READY)
        (void)!read(self->wake, &ignored, sizeof ignored);
    pthread_mutex_lock(&set->lock);
    return end;
}

/* Somebody who led has left. */
static void pass_lead(chainsi_replicas *set)
{
    set->leader = set->first_waiting;
    if (set->leader)
        wake(set->leader);
    else
        prune_wants(set, chainsi_now_ns()); /* none waits: all of them */
}

/* A call that was interrupted in the moment in which its waiting ended otherwise: who interrupts says so
 * once, so it mustn't go on. A slot that was granted is given back by closing. */
static void give_up(chainsi_waiting_call *call)
{
    if (call->end == CHAINSI_WAITING_GRANTED) {
        chainsi_channel_close(&call->connection);
        chainsi_replica_unref(call->replica);
        call->replica = NULL;
    }
    call->end = CHAINSI_WAITING_INTERRUPTED;
}

chainsi_waiting_end chainsi_waiting_take(chainsi_replicas *set,
                                         const chainsi_client_request *request,
                                         chainsi_replica **replica, chainsi_channel *connection)
{
    if (set->waiting >= set->options.max_waiting)
        return CHAINSI_WAITING_FULL;
    chainsi_waiting_call self = { .connection = CHAINSI_NO_CHANNEL, .wake = -1 };
    if (set->leader && (self.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
        return CHAINSI_WAITING_FULL; /* no descriptor is left to wait with */
    append(set, &self);
    while (self.end == CHAINSI_WAITING_STILL) {
        chainsi_wait_end end =
            set->leader == &self ? lead(set, &self, request) : follow(set, &self, request);
        if (self.end != CHAINSI_WAITING_STILL && end == CHAINSI_WAIT_INTERRUPTED)
            give_up(&self);
        if (self.end != CHAINSI_WAITING_STILL || end == CHAINSI_WAIT_READY)
            continue;
        unlink_call(set, &self);
        self.end =
            end == CHAINSI_WAIT_DEADLINE ? CHAINSI_WAITING_DEADLINE : CHAINSI_WAITING_INTERRUPTED;
    }
    if (set->leader == &self)
        pass_lead(set);
    if (self.wake >= 0)
        close(self.wake);
    *replica = self.replica;
    *connection = self.connection;
    return self.end;
}
