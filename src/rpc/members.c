/* Which replicas a set has, and which of them are in use.
 *
 * A replica is referred to by the set while it is in it, by each call that is there and by each want;
 * the last one frees it. So one that has left answers the calls that it runs.
 *
 * Those in use are the first in the set's arrays, in no order; another one is taken in by chance, so that
 * callers who know the same replicas call different ones. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rpc/calling.h"

/* ------------------------------------------------------------------------------------------------
 * places */

static char *copy(const char *text)
{
    char *made = strdup(text);
    if (!made)
        abort();
    return made;
}

void chainsi_replica_unref(chainsi_replica *replica)
{
    if (--replica->references)
        return;
    chainsi_client_free(replica->client);
    free(replica->host);
    free(replica);
}

int chainsi_members_chance(chainsi_replicas *set, int limit)
{
    set->chance ^= set->chance << 13;
    set->chance ^= set->chance >> 17;
    set->chance ^= set->chance << 5;
    return (int)(set->chance % (uint32_t)limit);
}

static void put(chainsi_replicas *set, int at, chainsi_replica *replica)
{
    set->all[at] = replica;
    set->known[at] = &replica->known;
    replica->at = at;
}

static void swap(chainsi_replicas *set, int a, int b)
{
    chainsi_replica *first = set->all[a];
    put(set, a, set->all[b]);
    put(set, b, first);
}

static void *resize(void *array, int count, size_t size)
{
    void *made = realloc(array, (size_t)count * size);
    if (!made)
        abort();
    return made;
}

static void make_room(chainsi_replicas *set)
{
    enum { FIRST = 8 };
    if (set->count < set->capacity)
        return;
    set->capacity = set->capacity ? 2 * set->capacity : FIRST;
    set->all = resize(set->all, set->capacity, sizeof *set->all);
    set->known = resize(set->known, set->capacity, sizeof *set->known);
    set->skipped = resize(set->skipped, set->capacity, sizeof *set->skipped);
}

void chainsi_members_add(chainsi_replicas *set, size_t source, const char *host, uint16_t port)
{
    if (set->count == CHAINSI_LOOKUP_MOST)
        return;
    chainsi_replica *replica = calloc(1, sizeof *replica);
    if (!replica)
        abort();
    replica->host = copy(host);
    replica->port = port;
    replica->source = source;
    replica->references = 1;
    replica->probe_fd = -1;
    make_room(set);
    put(set, set->count++, replica);
}

static void leave_out(chainsi_replicas *set, chainsi_replica *replica)
{
    if (replica->at < set->used) {
        set->engaged -= replica->known.outstanding > 0;
        swap(set, replica->at, --set->used);
    }
    swap(set, replica->at, --set->count);
    replica->at = -1;
    replica->gone = true;
    chainsi_probe_end(replica);
    chainsi_replica_unref(replica);
}

void chainsi_members_free(chainsi_replicas *set)
{
    if (set->has_looker)
        pthread_join(set->looker, NULL);
    while (set->count)
        leave_out(set, set->all[set->count - 1]);
    free(set->all);
    free(set->known);
    free(set->skipped);
}

/* ------------------------------------------------------------------------------------------------
 * those in use */

static void make_client(chainsi_replicas *set, chainsi_replica *replica)
{
    const chainsi_address *from = &set->sources[replica->source].address;
    chainsi_address address = { .kind = from->kind,
                                .path = copy(from->path),
                                .host = copy(replica->host),
                                .authority = copy(from->authority),
                                .port = replica->port };
    char why[128];
    replica->client = chainsi_client_new_at(&address, why, sizeof why);
    chainsi_client_know_peer(replica->client, set->options.identity,
                             set->options.name ? set->options.name : from->host, NULL);
}

/* Of the rest, the one at this place. */
static void take_in_at(chainsi_replicas *set, int at)
{
    swap(set, at, set->used);
    chainsi_replica *replica = set->all[set->used++];
    if (!replica->client)
        make_client(set, replica);
    set->engaged += replica->known.outstanding > 0;
}

void chainsi_members_take_in_first(chainsi_replicas *set)
{
    const bool all = set->count <= CHAINSI_USED_FIRST;
    while (set->used < set->count && set->used < CHAINSI_USED_FIRST)
        take_in_at(set,
                   set->used + (all ? 0 : chainsi_members_chance(set, set->count - set->used)));
}

bool chainsi_members_put_aside(chainsi_replicas *set, chainsi_replica *replica)
{
    if (replica->at < 0 || replica->at >= set->used || replica->references > 1)
        return false;
    swap(set, replica->at, --set->used);
    replica->put_aside = ++set->put_aside;
    chainsi_client_free(replica->client);
    replica->client = NULL;
    /* What it has said is old when it is taken in again; that it can't be reached is remembered. */
    chainsi_probe_end(replica);
    replica->known = (chainsi_choice){ .failures = replica->known.failures,
                                       .back = replica->known.back,
                                       .down_until_ns = replica->known.down_until_ns };
    return true;
}

/* Puts one aside that nothing can be had from; false: a few that were looked at are needed. */
static bool make_way(chainsi_replicas *set)
{
    enum { LOOKS = 8 };
    for (int i = 0; i < LOOKS; i++)
        if (chainsi_members_put_aside(set, set->all[chainsi_members_chance(set, set->used)]))
            return true;
    return false;
}

/* One of the rest, by chance, but rather one that hasn't been in use for long, and none that can't be reached.
 * NULL: it found none. */
static chainsi_replica *draw(chainsi_replicas *set)
{
    enum { LOOKS = 16 };
    chainsi_replica *best = NULL;
    for (int i = 0; i < LOOKS; i++) {
        chainsi_replica *at =
            set->all[set->used + chainsi_members_chance(set, set->count - set->used)];
        if (!chainsi_choice_is_away(&at->known) && (!best || at->put_aside < best->put_aside))
            best = at;
    }
    return best;
}

bool chainsi_members_take_in(chainsi_replicas *set)
{
    if (set->used == set->count)
        return false;
    chainsi_replica *chosen = draw(set);
    if (!chosen)
        return false;
    if (set->used - set->engaged >= CHAINSI_USED_SPARE && !make_way(set))
        return false;
    take_in_at(set, chosen->at);
    return true;
}

void chainsi_members_sent(chainsi_replicas *set, chainsi_replica *replica, bool granted)
{
    set->engaged += !replica->gone && !replica->known.outstanding;
    chainsi_choice_sent(&replica->known, granted);
}

void chainsi_members_ended(chainsi_replicas *set, chainsi_replica *replica, int64_t run_ns)
{
    chainsi_choice_ended(&replica->known, run_ns);
    set->engaged -= !replica->gone && !replica->known.outstanding;
}

bool chainsi_members_are_down(const chainsi_replicas *set)
{
    for (int i = 0; i < set->used; i++)
        if (!chainsi_choice_is_away(&set->all[i]->known))
            return false;
    return true;
}

void chainsi_replicas_tell(chainsi_replicas *set)
{
    uint64_t one = 1;
    (void)!write(set->changed, &one, sizeof one);
}

void chainsi_replicas_fail(chainsi_replicas *set, chainsi_replica *replica, int64_t now_ns)
{
    chainsi_choice_failed(&replica->known, now_ns);
    /* What it has kept open may end any moment, and a call with it. */
    chainsi_client_close_idle(replica->client);
    chainsi_probe_later(set, replica, now_ns);
    set->lost = true;
    set->unreached++;
}

/* ------------------------------------------------------------------------------------------------
 * names */

/* Makes the replicas of a source those that were found, in order. */
static void apply(chainsi_replicas *set, size_t source, const chainsi_found *found)
{
    bool *known = calloc((size_t)found->count + 1, sizeof *known);
    if (!known)
        abort();
    /* From the last: what takes the place of one that is left out was looked at. */
    for (int i = set->count - 1; i >= 0; i--) {
        chainsi_replica *replica = set->all[i];
        if (replica->source != source)
            continue;
        int at = chainsi_found_find(found, replica->host, replica->port);
        if (at >= 0)
            known[at] = true;
        else
            leave_out(set, replica);
    }
    for (int at = 0; at < found->count; at++)
        if (!known[at])
            chainsi_members_add(set, source, found->all[at].host, found->all[at].port);
    chainsi_members_take_in_first(set);
    free(known);
}

/* Looks one name up; the lock is not held. What can't be found stays as it was, unless it is sure that there is
 * nothing. */
static void look_up_source(chainsi_replicas *set, size_t i)
{
    chainsi_source *source = &set->sources[i];
    chainsi_found found = { 0 };
    char why[sizeof set->lookup_failure] = "";
    bool good = set->options.lookup(set->options.user, source->address.host, source->address.port,
                                    &found, why, sizeof why);
    chainsi_found_sort(&found);
    /* What is as it was, of thousands too, costs calls nothing. */
    bool changed = (good || found.is_nowhere) && !chainsi_found_equal(&found, &source->found);
    pthread_mutex_lock(&set->lock);
    if (changed)
        apply(set, i, &found);
    if (good)
        set->looked_up = true;
    else
        memcpy(set->lookup_failure, why, sizeof why);
    pthread_mutex_unlock(&set->lock);
    if (changed) {
        chainsi_found old = source->found;
        source->found = found;
        found = old;
    }
    chainsi_found_done(&found);
}

static void look_up(chainsi_replicas *set)
{
    for (size_t i = 0; i < set->source_count; i++)
        if (set->sources[i].is_name)
            look_up_source(set, i);
}

static void *run_look_up(void *user)
{
    chainsi_replicas *set = user;
    uint64_t one = 1;
    look_up(set);
    pthread_mutex_lock(&set->lock);
    set->looking = false;
    set->has_looked = true;
    (void)!write(set->first_look_up, &one, sizeof one); /* never read */
    chainsi_replicas_tell(set);
    pthread_mutex_unlock(&set->lock);
    return NULL;
}

/* Has the names looked up by a thread; one that has is ended but for its last instructions. */
static void begin_look_up(chainsi_replicas *set, int64_t now_ns)
{
    if (set->has_looker)
        pthread_join(set->looker, NULL);
    set->looked_up_ns = now_ns;
    set->lost = false;
    set->has_looker = !pthread_create(&set->looker, NULL, run_look_up, set);
    set->looking = set->has_looker;
}

static int64_t next_look_up_ns(const chainsi_replicas *set)
{
    int64_t after_ms = set->options.lookup_ms;
    if ((set->lost || !set->looked_up) && after_ms > CHAINSI_LOOKUP_SOON_MS)
        after_ms = CHAINSI_LOOKUP_SOON_MS;
    if (set->options.at_zero_ms && !set->count && after_ms > CHAINSI_LOOKUP_ZERO_MS)
        after_ms = CHAINSI_LOOKUP_ZERO_MS;
    return set->looked_up_ns + after_ms * CHAINSI_NS_PER_MS;
}

void chainsi_replicas_refresh(chainsi_replicas *set, int64_t now_ns, int64_t *next_ns)
{
    if (!set->has_names || set->looking)
        return;
    if (now_ns >= next_look_up_ns(set)) {
        begin_look_up(set, now_ns);
    }
    if (!set->looking && next_look_up_ns(set) < *next_ns)
        *next_ns = next_look_up_ns(set);
}

chainsi_wait_end chainsi_replicas_look_up_first(chainsi_replicas *set, int64_t deadline_ns,
                                                const chainsi_interrupt *interrupt)
{
    if (!set->has_names || set->has_looked)
        return CHAINSI_WAIT_READY;
    if (!set->looking)
        begin_look_up(set, chainsi_now_ns());
    if (!set->looking) {
        snprintf(set->lookup_failure, sizeof set->lookup_failure,
                 "no thread can be made to look its name up");
        return CHAINSI_WAIT_READY;
    }
    pthread_mutex_unlock(&set->lock);
    chainsi_wait_end end =
        chainsi_wait_for(set->first_look_up, POLLIN, NULL, deadline_ns, interrupt);
    pthread_mutex_lock(&set->lock);
    return end;
}
