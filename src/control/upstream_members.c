/* The endpoints of a set. Each one stands in one list: those that should have room by how many calls they have, those that
 * others fill likewise, and those that can't be reached. One that has as many calls as it may, or is gone, stands in none.
 * So the one with the fewest calls is found without looking at the others, and those with as many come in turn. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/handle.h"
#include "control/upstream_parts.h"

enum {
    FIRST_REST_MS = 20, /* of one that couldn't be reached; doubled up to the longest */
    LONGEST_REST_MS = 1000,
};

/* Lists. */

static void leave_list(chainsi_member *member)
{
    chainsi_list *list = member->list;
    if (!list)
        return;
    *(member->previous ? &member->previous->following : &list->first) = member->following;
    *(member->following ? &member->following->previous : &list->last) = member->previous;
    member->list = NULL;
}

static void enter_list(chainsi_member *member, chainsi_list *list)
{
    member->list = list;
    member->following = NULL;
    member->previous = list->last;
    *(list->last ? &list->last->following : &list->first) = member;
    list->last = member;
}

/* One that couldn't be reached is tried by one call. */
static bool has_room(const chainsi_member *member)
{
    uint32_t slots = member->failures ? 1 : member->upstream->set->slots;
    return !member->gone && member->outstanding < slots;
}

static void look_by(chainsi_set *set, int64_t when_ns)
{
    if (when_ns < set->next_look_ns)
        set->next_look_ns = when_ns;
}

void chainsi_member_place(chainsi_member *member, int64_t now_ns)
{
    chainsi_set *set = member->upstream->set;
    uint32_t level =
        member->outstanding < CHAINSI_SET_LEVELS ? member->outstanding : CHAINSI_SET_LEVELS - 1;
    leave_list(member);
    if (!has_room(member))
        return;
    if (member->rest_until_ns > now_ns) {
        enter_list(member, &set->resting);
        look_by(set, member->rest_until_ns);
    } else if (member->busy_until_ns > now_ns) {
        enter_list(member, &set->busy[level]);
        look_by(set, member->busy_until_ns);
    } else {
        enter_list(member, &set->free[level]);
    }
}

/* Puts those of a list where they belong by now. */
static void look_at(chainsi_list *list, int64_t now_ns)
{
    const chainsi_member *last = list->last;
    for (chainsi_member *member = list->first, *next; member; member = next) {
        next = member == last ? NULL : member->following; /* it may come again at the end */
        chainsi_member_place(member, now_ns);
    }
}

static chainsi_member *find_least(chainsi_list lists[CHAINSI_SET_LEVELS])
{
    for (int i = 0; i < CHAINSI_SET_LEVELS; i++)
        if (lists[i].first)
            return lists[i].first;
    return NULL;
}

chainsi_member *chainsi_upstream_members_choose(chainsi_set *set, int64_t now_ns, bool *waits)
{
    if (now_ns >= set->next_look_ns) {
        set->next_look_ns = INT64_MAX;
        look_at(&set->resting, now_ns);
        for (int i = 0; i < CHAINSI_SET_LEVELS; i++)
            look_at(&set->busy[i], now_ns);
    }
    chainsi_member *found = find_least(set->free);
    *waits = !found;
    return found ? found : find_least(set->busy);
}

/* What is known of them. */

/* How many of them can't be reached has changed, or how many there are. */
static void review_failing(chainsi_set *set)
{
    bool all = set->count && set->failing == set->count;
    if (!all)
        set->failing_since_ns = 0;
    else if (!set->failing_since_ns)
        set->failing_since_ns = chainsi_now_ns();
}

void chainsi_member_note_failure(chainsi_member *member, int64_t now_ns)
{
    chainsi_set *set = member->upstream->set;
    if (member->rest_until_ns > now_ns) /* several calls found it so */
        return;
    int64_t ms = FIRST_REST_MS;
    for (unsigned i = 0; i < member->failures && ms < LONGEST_REST_MS; i++)
        ms *= 2;
    if (ms > LONGEST_REST_MS)
        ms = LONGEST_REST_MS;
    member->rest_until_ns = now_ns + ms * CHAINSI_NS_PER_MS;
    if (!member->failures++ && !member->gone) {
        set->failing++;
        review_failing(set);
    }
    chainsi_member_place(member, now_ns);
}

void chainsi_member_note_success(chainsi_member *member)
{
    chainsi_set *set = member->upstream->set;
    if (!member->failures)
        return;
    member->failures = 0;
    member->rest_until_ns = 0;
    if (!member->gone) {
        set->failing--;
        review_failing(set);
    }
    chainsi_member_place(member, chainsi_now_ns());
}

void chainsi_member_write_name(const chainsi_member *member, char *text, size_t size)
{
    snprintf(text, size, strchr(member->at.host, ':') ? "[%s]:%u" : "%s:%u", member->at.host,
             member->at.port);
}

/* Which there are. */

static void free_member(chainsi_member *member)
{
    leave_list(member);
    chainsi_idle_close(&member->idle, INT64_MAX);
    chainsi_secure_ticket_done(&member->ticket);
    free(member);
}

void chainsi_member_free_if_over(chainsi_member *member)
{
    if (member->gone && !member->outstanding)
        free_member(member);
}

void chainsi_upstream_members_free(chainsi_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        free_member(set->members[i]);
    free(set->members);
}

static bool read_address(chainsi_member *member)
{
    const chainsi_endpoint *at = &member->at;
    return uv_ip4_addr(at->host, at->port, &member->address.v4) == 0 ||
           uv_ip6_addr(at->host, at->port, &member->address.v6) == 0;
}

/* A new one; NULL: it is no address. */
static chainsi_member *new_member(chainsi_upstream *upstream, const chainsi_endpoint *at)
{
    chainsi_member *member = chainsi_make(sizeof *member);
    member->upstream = upstream;
    member->at = *at;
    member->at.host[sizeof member->at.host - 1] = 0;
    if (read_address(member))
        return member;
    free(member);
    return NULL;
}

static int compare(const chainsi_endpoint *a, const chainsi_endpoint *b)
{
    int order = strncmp(a->host, b->host, sizeof a->host);
    return order ? order : (a->port > b->port) - (a->port < b->port);
}

static int compare_places(const void *a, const void *b)
{
    const chainsi_endpoint *const *one = a, *const *other = b;
    return compare(*one, *other);
}

static void leave_set(chainsi_member *member)
{
    chainsi_set *set = member->upstream->set;
    member->gone = true;
    set->failing -= member->failures > 0;
    leave_list(member);
    chainsi_idle_close(&member->idle, INT64_MAX);
    chainsi_member_free_if_over(member);
}

/* Both are in order. */
void chainsi_upstream_members_put(chainsi_upstream *upstream, const chainsi_endpoint *endpoints,
                                  size_t count)
{
    chainsi_set *set = upstream->set;
    const chainsi_endpoint **sorted = chainsi_make(count * sizeof(const chainsi_endpoint *));
    chainsi_member **members = chainsi_make(count * sizeof(chainsi_member *));
    const int64_t now_ns = chainsi_now_ns();
    size_t had = 0, put = 0;
    for (size_t i = 0; i < count; i++)
        sorted[i] = &endpoints[i];
    qsort(sorted, count, sizeof *sorted, compare_places);
    for (size_t i = 0; i < count; i++) {
        if (put && !compare(sorted[i], &members[put - 1]->at))
            continue;
        while (had < set->count && compare(&set->members[had]->at, sorted[i]) < 0)
            leave_set(set->members[had++]);
        chainsi_member *member;
        if (had < set->count && !compare(&set->members[had]->at, sorted[i]))
            member = set->members[had++];
        else if ((member = new_member(upstream, sorted[i])))
            chainsi_member_place(member, now_ns);
        if (member)
            members[put++] = member;
    }
    while (had < set->count)
        leave_set(set->members[had++]);
    free(set->members);
    free(sorted);
    set->members = members;
    set->count = put;
    review_failing(set);
}
