/* Places and who is there. Invariant: unless the fleet stops, or a start could not be made, as many
 * replicas as are wanted neither drain nor have stopped. */
#include "control/fleet.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/handle.h"
#include "control/obituary.h"
#include "control/pod_fleet.h"

chainsi_fleet *chainsi_fleet_new(const chainsi_fleet_options *options)
{
    chainsi_fleet *fleet = chainsi_make(sizeof *fleet);
    fleet->options = *options;
    fleet->options.name = chainsi_arena_strdup(&fleet->arena, options->name);
    fleet->options.probes_prefix = chainsi_arena_strdup(&fleet->arena, options->probes_prefix);
    fleet->options.start.program = chainsi_arena_strdup(&fleet->arena, options->start.program);
    if (options->board_fd >= 0)
        fleet->board = chainsi_board_open(options->board_fd);
    if (fleet->board)
        chainsi_losses_promise(chainsi_board_losses(fleet->board));
    return fleet;
}

static void free_replica(chainsi_fleet_place *place)
{
    if (place->replica && place->replica->pod)
        chainsi_pod_replica_free(place->replica);
    else
        chainsi_replica_free(place->replica);
    place->replica = NULL;
}

void chainsi_fleet_free(chainsi_fleet *fleet)
{
    if (!fleet)
        return;
    if (fleet->options.pods)
        chainsi_pod_fleet_leave(fleet);
    for (size_t i = 0; i < fleet->place_count; i++)
        free_replica(&fleet->places[i]);
    free(fleet->places);
    chainsi_board_close(fleet->board);
    chainsi_arena_done(&fleet->arena);
    free(fleet);
}

/* Whether it is one of those that there should be. */
static bool counts(const chainsi_replica *replica)
{
    return replica && replica->state != CHAINSI_REPLICA_DRAINING &&
           replica->state != CHAINSI_REPLICA_STOPPED;
}

static int64_t count_there(const chainsi_fleet *fleet)
{
    int64_t count = 0;
    for (size_t i = 0; i < fleet->place_count; i++)
        count += counts(fleet->places[i].replica);
    return count;
}

/* Coming. */

static void on_state(void *user)
{
    const chainsi_fleet *fleet = user;
    fleet->options.on_change(fleet->options.user);
}

static void on_death(void *user, const chainsi_replica *replica, chainsi_cgroup_end end)
{
    const chainsi_fleet *fleet = user;
    if (fleet->board)
        chainsi_losses_note(chainsi_board_losses(fleet->board),
                            chainsi_board_incarnation(fleet->board, (int32_t)replica->pid),
                            chainsi_obituary_loss(replica, end), chainsi_now_ns());
    fleet->options.on_death(fleet->options.user, replica, end);
}

void chainsi_fleet_make_places(chainsi_fleet *fleet, size_t count)
{
    if (count <= fleet->place_count)
        return;
    chainsi_fleet_place *places = chainsi_make(count * sizeof *places);
    if (fleet->place_count)
        memcpy(places, fleet->places, fleet->place_count * sizeof *places);
    for (size_t i = fleet->place_count; i < count; i++) {
        const char *name = chainsi_arena_printf(&fleet->arena, "%s/%zu", fleet->options.name, i);
        places[i] = (chainsi_fleet_place){
            .name = name,
            .probes_name = chainsi_arena_printf(&fleet->arena, "%s/probes", name),
            .secrets_name = chainsi_arena_printf(&fleet->arena, "%s/secrets", name),
            .probes_path = chainsi_arena_printf(&fleet->arena, "%s.%zu.probes",
                                                fleet->options.probes_prefix, i),
        };
    }
    free(fleet->places);
    fleet->places = places;
    fleet->place_count = count;
}

/* Makes a stopped replica there. */
static bool occupy(chainsi_fleet *fleet, size_t index, char *why, size_t why_size)
{
    chainsi_fleet_make_places(fleet, index + 1);
    chainsi_fleet_place *place = &fleet->places[index];
    chainsi_replica_options options = fleet->options.start;
    options.number = (int64_t)index;
    options.name = place->name;
    options.probes_name = place->probes_name;
    options.probes_path = place->probes_path;
    options.secrets_name = options.secrets->count ? place->secrets_name : NULL;
    options.on_state = on_state;
    options.on_death = on_death;
    options.user = fleet;
    place->replica = chainsi_replica_new(&options, why, why_size);
    return place->replica != NULL;
}

static bool add_one(chainsi_fleet *fleet, char *why, size_t why_size)
{
    size_t index = 0;
    while (index < fleet->place_count && fleet->places[index].replica)
        index++;
    if (!occupy(fleet, index, why, why_size))
        return false;
    chainsi_replica_start(fleet->places[index].replica);
    return true;
}

/* The place of a process that the keeper knows by that name; false: it is none of ours. */
static bool read_place(const chainsi_fleet *fleet, const char *name, size_t *index)
{
    size_t size = strlen(fleet->options.name);
    if (strncmp(name, fleet->options.name, size) != 0 || name[size] != '/')
        return false;
    char *end;
    unsigned long number = strtoul(name + size + 1, &end, 10);
    if (*end || end == name + size + 1)
        return false;
    *index = number;
    return true;
}

bool chainsi_fleet_pick_up(chainsi_fleet *fleet)
{
    if (fleet->options.pods)
        return chainsi_pod_fleet_take_up(fleet);
    chainsi_keeping *keeping = fleet->options.start.supervisor->keeping;
    char why[256];
    bool some = false;
    for (const chainsi_found *found = chainsi_keeping_found(keeping); found;) {
        size_t index;
        if (!found->is_process || !read_place(fleet, found->said.name, &index)) {
            found = found->next;
            continue;
        }
        if (!occupy(fleet, index, why, sizeof why)) {
            chainsi_say("%s can't be watched: %s", found->said.name, why);
            found = found->next; /* it is ended with all that nobody takes */
            continue;
        }
        chainsi_replica_pick_up(fleet->places[index].replica);
        some = true;
        found = chainsi_keeping_found(keeping); /* what was found is another list now */
    }
    fleet->wanted = count_there(fleet);
    return some;
}

/* Going. */

/* What speaks for stopping one rather than another. */
typedef struct worth {
    bool serves;
    uint32_t busy;
    uint64_t average_ns;
    int64_t started_ns;
} worth;

static worth judge(const chainsi_fleet *fleet, const chainsi_replica *replica)
{
    worth found = {
        .serves = replica->state == CHAINSI_REPLICA_READY,
        .started_ns = replica->started_ns,
    };
    if (found.serves && fleet->board)
        chainsi_board_look(fleet->board, (int32_t)replica->pid, &found.busy, &found.average_ns);
    return found;
}

static bool is_missed_less(const worth *one, const worth *other)
{
    if (one->serves != other->serves)
        return other->serves;
    if (one->busy != other->busy)
        return one->busy < other->busy;
    if (one->average_ns != other->average_ns)
        return one->average_ns > other->average_ns;
    return one->started_ns > other->started_ns;
}

static void remove_one(chainsi_fleet *fleet)
{
    chainsi_replica *victim = NULL;
    worth least = { 0 };
    for (size_t i = 0; i < fleet->place_count; i++) {
        chainsi_replica *replica = fleet->places[i].replica;
        if (!counts(replica))
            continue;
        worth found = judge(fleet, replica);
        if (!victim || is_missed_less(&found, &least)) {
            victim = replica;
            least = found;
        }
    }
    assert(victim);
    chainsi_replica_stop(victim);
}

bool chainsi_fleet_resize(chainsi_fleet *fleet, int64_t wanted, char *why, size_t why_size)
{
    assert(!fleet->stopping);
    if (fleet->options.pods) {
        chainsi_pod_fleet_resize(fleet, wanted);
        return true;
    }
    fleet->wanted = wanted;
    int64_t there = count_there(fleet);
    for (; there > wanted; there--)
        remove_one(fleet);
    for (; there < wanted; there++)
        if (!add_one(fleet, why, why_size))
            return false;
    return true;
}

void chainsi_fleet_review(chainsi_fleet *fleet)
{
    for (size_t i = 0; i < fleet->place_count; i++) {
        chainsi_fleet_place *place = &fleet->places[i];
        if (!place->replica || place->replica->state != CHAINSI_REPLICA_STOPPED)
            continue;
        free_replica(place);
    }
}

void chainsi_fleet_stop(chainsi_fleet *fleet, bool keep_failed)
{
    if (fleet->options.pods) {
        chainsi_pod_fleet_stop(fleet);
        return;
    }
    fleet->stopping = true;
    fleet->wanted = 0;
    for (size_t i = 0; i < fleet->place_count; i++) {
        chainsi_replica *replica = fleet->places[i].replica;
        if (replica && !(keep_failed && replica->state == CHAINSI_REPLICA_FAILED))
            chainsi_replica_stop(replica);
    }
}

void chainsi_fleet_kill(chainsi_fleet *fleet)
{
    for (size_t i = 0; fleet && i < fleet->place_count; i++)
        if (fleet->places[i].replica)
            chainsi_replica_kill(fleet->places[i].replica);
}

void chainsi_fleet_set_policy(chainsi_fleet *fleet, const chainsi_backoff_policy *policy)
{
    fleet->options.start.policy = policy;
    for (size_t i = 0; i < fleet->place_count; i++)
        if (fleet->places[i].replica)
            chainsi_replica_set_policy(fleet->places[i].replica, policy);
    if (fleet->options.pods)
        chainsi_pod_fleet_sync(fleet);
}

/* Looking. */

/* Before it was picked up: it takes calls, for all that is known. */
static bool was_ready(const chainsi_replica *replica)
{
    return replica->state == CHAINSI_REPLICA_PICKED_UP && replica->was_ready;
}

chainsi_fleet_counts chainsi_fleet_count(const chainsi_fleet *fleet)
{
    chainsi_fleet_counts found = { 0 };
    for (size_t i = 0; fleet && i < fleet->place_count; i++) {
        const chainsi_replica *replica = fleet->places[i].replica;
        if (!replica || replica->state == CHAINSI_REPLICA_STOPPED)
            continue;
        if (replica->state == CHAINSI_REPLICA_DRAINING)
            found.leaving++;
        else if (replica->state == CHAINSI_REPLICA_READY || was_ready(replica))
            found.ready++;
        else
            found.starting++;
    }
    return found;
}

chainsi_replica *chainsi_fleet_find(const chainsi_fleet *fleet, chainsi_replica_state state)
{
    for (size_t i = 0; fleet && i < fleet->place_count; i++)
        if (fleet->places[i].replica && fleet->places[i].replica->state == state)
            return fleet->places[i].replica;
    return NULL;
}

chainsi_replica *chainsi_fleet_find_ready(const chainsi_fleet *fleet)
{
    chainsi_replica *ready = chainsi_fleet_find(fleet, CHAINSI_REPLICA_READY);
    for (size_t i = 0; fleet && !ready && i < fleet->place_count; i++) {
        chainsi_replica *replica = fleet->places[i].replica;
        if (replica && was_ready(replica))
            ready = replica;
    }
    return ready;
}

chainsi_replica_state chainsi_fleet_state(const chainsi_fleet *fleet)
{
    static const chainsi_replica_state order[] = {
        CHAINSI_REPLICA_READY,   CHAINSI_REPLICA_PICKED_UP,   CHAINSI_REPLICA_STARTING,
        CHAINSI_REPLICA_STALLED, CHAINSI_REPLICA_BACKING_OFF, CHAINSI_REPLICA_DRAINING,
        CHAINSI_REPLICA_FAILED,
    };
    for (size_t o = 0; o < sizeof order / sizeof *order; o++)
        if (chainsi_fleet_find(fleet, order[o]))
            return order[o];
    return CHAINSI_REPLICA_STOPPED;
}

const char *chainsi_fleet_last_end(const chainsi_fleet *fleet)
{
    const chainsi_replica *failed = chainsi_fleet_find(fleet, CHAINSI_REPLICA_FAILED);
    if (failed)
        return failed->last_end;
    for (size_t i = 0; fleet && i < fleet->place_count; i++)
        if (fleet->places[i].replica && fleet->places[i].replica->last_end[0])
            return fleet->places[i].replica->last_end;
    return "";
}

bool chainsi_fleet_has_left(const chainsi_fleet *fleet)
{
    uint32_t busy;
    uint64_t average_ns;
    for (size_t i = 0; fleet->board && i < fleet->place_count; i++) {
        const chainsi_replica *replica = fleet->places[i].replica;
        if (replica && replica->runs &&
            chainsi_board_look(fleet->board, (int32_t)replica->pid, &busy, &average_ns))
            return false;
    }
    return true;
}

bool chainsi_fleet_has_ended(const chainsi_fleet *fleet)
{
    if (fleet && fleet->options.pods)
        return chainsi_pod_fleet_has_ended(fleet);
    for (size_t i = 0; fleet && i < fleet->place_count; i++) {
        const chainsi_replica *replica = fleet->places[i].replica;
        if (replica && replica->state != CHAINSI_REPLICA_STOPPED &&
            replica->state != CHAINSI_REPLICA_FAILED)
            return false;
    }
    return true;
}
