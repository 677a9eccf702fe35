/* Groups of processes that are started, and those that wait to be removed.
 *
 * Invariant: a group that waits to be removed is the only one of its name. To remove it means to kill what is in
 * the folder of that name, so none may be made there before. */
#include "control/limiter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/digest.h"
#include "control/handle.h"
#include "control/home.h"
#include "control/log.h"
#include "control/machine.h"

enum {
    LONGEST_NAME = 200, /* of a group; the rest of a folder's name is for its prefix */
    FIRST_DELAY_MS = 5,
    LONGEST_DELAY_MS = 1000,
};

/* A group in which something hasn't ended yet. */
typedef struct leaving {
    char *name;            /* owned */
    chainsi_cgroup *group; /* owned */
    struct leaving *next;
} leaving;

struct chainsi_limiter {
    char *home;               /* owned */
    chainsi_cgroups *cgroups; /* owned; NULL: nobody has asked yet */
    leaving *leaving;         /* owned */
    uv_timer_t *timer;        /* owned; active while something leaves */
    uint64_t delay_ms;
};

/* The process's name without what can't be in a folder's; one that is too long ends with a digest of all of it. */
static char *group_name(const char *process)
{
    char *name = chainsi_copy_text(process);
    for (char *at = name; *at; at++)
        if (*at == '/')
            *at = ':';
    if (strlen(name) <= LONGEST_NAME)
        return name;
    char digest[CHAINSI_DIGEST_TEXT];
    chainsi_digest_text(name, strlen(name), digest);
    char *shortened = chainsi_path("%.*s:%s", LONGEST_NAME - CHAINSI_DIGEST_TEXT, name, digest);
    free(name);
    return shortened;
}

static chainsi_cgroups *open_cgroups(chainsi_limiter *limiter)
{
    if (!limiter->cgroups) {
        chainsi_cgroup_layout layout;
        chainsi_cgroup_layout_read(&layout);
        limiter->cgroups = chainsi_cgroups_open(&layout, limiter->home);
        chainsi_cgroup_layout_done(&layout);
    }
    return limiter->cgroups;
}

/* Whether the daemon has to leave its group for one below before it can have limits: not later, when replicas
 * without limits are in it, too. */
static bool is_unified(void)
{
    chainsi_cgroup_layout layout;
    chainsi_cgroup_layout_read(&layout);
    const chainsi_cgroup_place *places = layout.places;
    bool all_v1 = places[CHAINSI_CGROUP_CPU].reach != CHAINSI_CGROUP_ABSENT &&
                  places[CHAINSI_CGROUP_MEMORY].reach != CHAINSI_CGROUP_ABSENT;
    bool unified = !all_v1 && places[CHAINSI_CGROUP_UNIFIED].reach == CHAINSI_CGROUP_REACHED;
    chainsi_cgroup_layout_done(&layout);
    return unified;
}

static bool is_kept(const char *name, void *user)
{
    bool kept = false;
    for (const chainsi_found *found = chainsi_keeping_found(user); found && !kept;
         found = found->next) {
        if (!found->is_process)
            continue;
        char *its = group_name(found->said.name);
        kept = !strcmp(its, name);
        free(its);
    }
    return kept;
}

chainsi_limiter *chainsi_limiter_new(uv_loop_t *loop, const char *home, chainsi_keeping *keeping)
{
    chainsi_limiter *limiter = chainsi_make(sizeof *limiter);
    limiter->home = chainsi_copy_text(home);
    limiter->timer = chainsi_timer_new(loop, limiter);
    uv_unref((uv_handle_t *)limiter->timer); /* what is left when the loop ends is cleared */
    char *record = chainsi_path("%s/cgroups", home);
    bool is_recorded = access(record, F_OK) == 0;
    if (is_unified())
        open_cgroups(limiter);
    if (is_recorded && !chainsi_cgroups_clear(open_cgroups(limiter), is_kept, keeping))
        chainsi_say("what an earlier daemon has left in cgroups hasn't ended yet");
    free(record);
    return limiter;
}

/* Removes what can be removed. */
static void try_all(chainsi_limiter *limiter)
{
    for (leaving **at = &limiter->leaving; *at;) {
        leaving *each = *at;
        if (!chainsi_cgroup_remove(each->group)) {
            at = &each->next;
            continue;
        }
        *at = each->next;
        free(each->name);
        free(each);
    }
}

static void on_time(uv_timer_t *timer)
{
    chainsi_limiter *limiter = timer->data;
    if (!limiter)
        return;
    try_all(limiter);
    limiter->delay_ms *= 2;
    if (limiter->delay_ms > LONGEST_DELAY_MS)
        limiter->delay_ms = LONGEST_DELAY_MS;
    if (limiter->leaving)
        uv_timer_start(limiter->timer, on_time, limiter->delay_ms, 0);
}

void chainsi_limiter_free(chainsi_limiter *limiter)
{
    if (!limiter)
        return;
    chainsi_handle_close(limiter->timer);
    while (limiter->leaving) {
        leaving *first = limiter->leaving;
        limiter->leaving = first->next;
        chainsi_cgroup_forget(first->group);
        free(first->name);
        free(first);
    }
    /* What is left of anything is cleared like that of an earlier daemon. */
    if (limiter->cgroups)
        chainsi_cgroups_clear(limiter->cgroups, NULL, NULL);
    chainsi_cgroups_close(limiter->cgroups);
    free(limiter->home);
    free(limiter);
}

size_t chainsi_limiter_note(chainsi_limiter *limiter, const char *chainlet,
                            const chainsi_cgroup_limits *limits, chainsi_arena *arena,
                            const char *notes[2])
{
    char text[1024];
    size_t count = 0;
    chainsi_machine machine;
    if (limits->cpu <= 0 && !limits->memory_bytes)
        return 0;
    if (chainsi_cgroups_note(open_cgroups(limiter), chainlet, limits->cpu > 0,
                             limits->memory_bytes > 0, text, sizeof text))
        notes[count++] = chainsi_arena_strdup(arena, text);
    chainsi_machine_read(&machine);
    if (chainsi_machine_note(&machine, chainlet, limits, text, sizeof text))
        notes[count++] = chainsi_arena_strdup(arena, text);
    return count;
}

static leaving *find_leaving(const chainsi_limiter *limiter, const char *name)
{
    leaving *each = limiter->leaving;
    while (each && strcmp(each->name, name) != 0)
        each = each->next;
    return each;
}

chainsi_cgroup *chainsi_limiter_make(chainsi_limiter *limiter, const char *process,
                                     const chainsi_cgroup_limits *limits, char *why,
                                     size_t why_size)
{
    char *name = group_name(process);
    chainsi_cgroup *group = NULL;
    try_all(limiter);
    if (find_leaving(limiter, name))
        snprintf(why, why_size, "what the process before it has started hasn't ended yet");
    else
        group = chainsi_cgroup_make(open_cgroups(limiter), name, limits, why, why_size);
    free(name);
    return group;
}

chainsi_cgroup *chainsi_limiter_adopt(chainsi_limiter *limiter, const char *process,
                                      const chainsi_cgroup_limits *limits)
{
    char *name = group_name(process);
    chainsi_cgroup *group = chainsi_cgroup_adopt(open_cgroups(limiter), name, limits);
    free(name);
    return group;
}

void chainsi_limiter_remove(chainsi_limiter *limiter, const char *process, chainsi_cgroup *group)
{
    if (chainsi_cgroup_remove(group))
        return;
    leaving *added = chainsi_make(sizeof *added);
    added->name = group_name(process);
    added->group = group;
    added->next = limiter->leaving;
    limiter->leaving = added;
    limiter->delay_ms = FIRST_DELAY_MS;
    uv_timer_start(limiter->timer, on_time, limiter->delay_ms, 0);
}
