/* Calls of several threads on shared connections.
 *
 *             a slot was claimed             answered, lost, ended by its own thread
 *   (begin) ----------------------> on a trunk --------------------------------------> DONE
 *      |                                ^                                               ^
 *      '-- none is free, calls return --|-> in line --nothing returns, or too long------'
 *                                       '----' a slot came free                    (ALONE)
 *
 * A trunk with calls has one leader, the thread of one of them:
 *
 *   RUNNING   the leader is awake, or was told to lead: it sends what has been added before it sleeps
 *   READING   it sleeps in a read that gives up after CHAINSI_LINK_PATIENCE_MS: who adds sends
 *   WATCHING  nothing has come for a while: it sleeps in a poll() that also watches what may end the
 *             calls of the others (their interrupts, deadlines and claims); nothing is added
 *
 * Threads sleep in futexes without a timer, because setting one costs more than a call; it is the
 * leader who looks at the clock for all. Only a line of waiting calls needs a timer, so that a slot
 * that comes free elsewhere is seen: one thread's is enough (`covered`).
 *
 * Invariants, with the lock held: a call is on a trunk (and its sheaf), in line, or done; the leader's
 * call is on its trunk; a trunk with calls has a leader; while calls are in line a thread is in a
 * timed wait, or a leader is awake. `in` of a sheaf is its leader's alone. A call that was told DONE
 * or ALONE is not touched any more. */
#include <assert.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/yield.h"
#include "rpc/joint_parts.h"

enum {
    HURRY_MS = 20, /* a nearer deadline had better be watched by its own thread */
};

chainsi_joint *chainsi_joint_new(chainsi_link *link)
{
    chainsi_joint *joint = calloc(1, sizeof *joint);
    if (!joint)
        abort();
    joint->link = link;
    joint->board = chainsi_link_board(link);
    assert(joint->board);
    _Static_assert((int)CHAINSI_JOINT_BODY <= (int)CHAINSI_SHEAF_COPIED,
                   "who calls may leave before its body is sent");
    pthread_mutex_init(&joint->lock, NULL);
    return joint;
}

bool chainsi_joint_enter(chainsi_joint *joint)
{
    return atomic_fetch_add_explicit(&joint->callers, 1, memory_order_relaxed) + 1 >=
               CHAINSI_JOINT_CALLERS &&
           atomic_load_explicit(&joint->answer_size, memory_order_relaxed) <= CHAINSI_JOINT_BODY;
}

void chainsi_joint_leave(chainsi_joint *joint, size_t answer_size)
{
    size_t average = atomic_load_explicit(&joint->answer_size, memory_order_relaxed);
    if (answer_size != average) /* threads may overwrite each other's: it is an estimate */
        atomic_store_explicit(&joint->answer_size, average - average / 8 + answer_size / 8,
                              memory_order_relaxed);
    atomic_fetch_sub_explicit(&joint->callers, 1, memory_order_relaxed);
}

void chainsi_joint_close_idle(chainsi_joint *joint)
{
    pthread_mutex_lock(&joint->lock);
    for (chainsi_joint_trunk *on = joint->trunks, *next; on; on = next) {
        next = on->next;
        if (!on->calls.count)
            chainsi_joint_free_trunk(joint, on);
    }
    pthread_mutex_unlock(&joint->lock);
}

void chainsi_joint_free(chainsi_joint *joint)
{
    if (!joint)
        return;
    chainsi_joint_close_idle(joint);
    assert(!joint->trunks);
    pthread_mutex_destroy(&joint->lock);
    free(joint);
}

/* ------------------------------------------------------------------------------------------------
 * following */

/* Sleeps until the call is told something; timed: or CHAINSI_JOINT_LOOK_US have passed. */
static void sleep_for(chainsi_joint_call *call, bool timed)
{
    const struct timespec look = { .tv_nsec = CHAINSI_JOINT_LOOK_US * 1000 };
    uint32_t nothing = 0;
    if (atomic_compare_exchange_strong(&call->word, &nothing, CHAINSI_JOINT_SLEEPS))
        syscall(SYS_futex, &call->word, FUTEX_WAIT_PRIVATE, CHAINSI_JOINT_SLEEPS,
                timed ? &look : NULL, NULL, 0);
    atomic_fetch_and(&call->word, ~(uint32_t)CHAINSI_JOINT_SLEEPS);
}

static bool was_told_to_cover(chainsi_joint_call *call)
{
    return atomic_fetch_and(&call->word, ~(uint32_t)CHAINSI_JOINT_COVER) & CHAINSI_JOINT_COVER;
}

bool chainsi_joint_cover(chainsi_joint *joint, chainsi_joint_call *call)
{
    chainsi_joint_wakes to_wake = { .count = 0 };
    pthread_mutex_lock(&joint->lock);
    chainsi_joint_serve_line(joint, chainsi_now_ns(), &to_wake);
    const uint32_t told = atomic_load(&call->word);
    const bool ended = told & (CHAINSI_JOINT_DONE | CHAINSI_JOINT_ALONE);
    const bool leads = !ended && told & CHAINSI_JOINT_LEAD;
    joint->covered = joint->line.first && !ended && !leads;
    const bool again = joint->covered;
    if (!leads) /* who leads sees to it; LEAD outlives the call's end */
        chainsi_joint_keep_covered(joint, &to_wake);
    chainsi_joint_unlock(joint, &to_wake);
    return again;
}

/* The thread that was to wait for a time doesn't any more. */
static void stop_covering(chainsi_joint *joint)
{
    chainsi_joint_wakes to_wake = { .count = 0 };
    pthread_mutex_lock(&joint->lock);
    joint->covered = false;
    chainsi_joint_keep_covered(joint, &to_wake);
    chainsi_joint_unlock(joint, &to_wake);
}

/* Waits in the caller's thread until the call has ended. `covers`: its wait is the timed one. */
static void follow(chainsi_joint *joint, chainsi_joint_call *call, bool covers)
{
    for (;;) {
        sleep_for(call, covers);
        covers |= was_told_to_cover(call);
        if (covers)
            covers = chainsi_joint_cover(joint, call);
        const uint32_t told = atomic_load(&call->word);
        if (told & (CHAINSI_JOINT_DONE | CHAINSI_JOINT_ALONE))
            break;
        if (told & CHAINSI_JOINT_LOOK) {
            atomic_fetch_and(&call->word, ~(uint32_t)CHAINSI_JOINT_LOOK);
            if (chainsi_joint_look(joint, call))
                break;
        }
        if (told & CHAINSI_JOINT_LEAD) {
            pthread_mutex_lock(&joint->lock);
            if (call->trunk->leader == call) {
                /* Its reads aren't timed, unless it finds the line uncovered. */
                covers |= was_told_to_cover(call);
                joint->covered &= !covers;
                covers = false;
                chainsi_joint_lead(joint, call);
            } else {
                pthread_mutex_unlock(&joint->lock);
            }
        }
    }
    /* It may have been told to cover just before it left the line. */
    if (covers || was_told_to_cover(call))
        stop_covering(joint);
}

/* What the thread of a call that has begun does next. */
typedef enum duty { FOLLOW, FOLLOW_AND_COVER, SEND_AND_FOLLOW, LEAD_NOW, GO_ALONE } duty;

/* Puts a call for which no slot is free, or others are ahead, in line. */
static duty get_in_line(chainsi_joint *joint, chainsi_joint_call *call, int64_t now_ns,
                        chainsi_joint_wakes *to_wake)
{
    const bool first = !joint->line.first;
    if (!chainsi_joint_is_brisk(joint, now_ns))
        return GO_ALONE;
    call->since_ns = now_ns;
    chainsi_joint_append(&joint->line, call);
    if (!first)
        chainsi_joint_serve_line(joint, now_ns, to_wake);
    if (joint->covered)
        return FOLLOW;
    joint->covered = true;
    return FOLLOW_AND_COVER;
}

/* Puts the call on a trunk or in line, the lock held. */
static duty begin(chainsi_joint *joint, chainsi_joint_call *call, chainsi_joint_wakes *to_wake)
{
    const int64_t now_ns = chainsi_now_ns();
    chainsi_claim claim;
    call->made_ns = now_ns;
    if (joint->line.first || !chainsi_link_claim(joint->link, 0, &claim, 1))
        return get_in_line(joint, call, now_ns, to_wake);
    chainsi_joint_trunk *on = chainsi_joint_trunk_to(joint, claim.incarnation);
    if (!on) {
        chainsi_board_withdraw(joint->board, &claim);
        return GO_ALONE;
    }
    chainsi_joint_add(on, call, &claim, now_ns);
    if (!on->leader) {
        on->leader = call;
        on->leading = CHAINSI_JOINT_RUNNING;
        atomic_fetch_or(&call->word, CHAINSI_JOINT_LEAD);
        return LEAD_NOW;
    }
    if (on->leading == CHAINSI_JOINT_RUNNING || on->sender)
        return FOLLOW;
    on->sender = true;
    return SEND_AND_FOLLOW;
}

/* Sends what was added to the trunk of the call, with what others that are ready add meanwhile. */
static void send_for_all(chainsi_joint *joint, chainsi_joint_call *call)
{
    chainsi_yield();
    pthread_mutex_lock(&joint->lock);
    if (!(atomic_load(&call->word) & CHAINSI_JOINT_DONE)) { /* else the leader has sent it */
        call->trunk->sender = false;
        chainsi_sheaf_flush(&call->trunk->sheaf);
    }
    pthread_mutex_unlock(&joint->lock);
}

static bool can_join(const chainsi_link_request *request)
{
    return !request->attachment_count && !request->elsewhere && !request->max_body &&
           request->body_size <= CHAINSI_JOINT_BODY &&
           (request->deadline_ns == CHAINSI_NEVER ||
            request->deadline_ns - chainsi_now_ns() > HURRY_MS * CHAINSI_NS_PER_MS);
}

chainsi_joint_end chainsi_joint_exchange(chainsi_joint *joint, const chainsi_link_request *request,
                                         chainsi_arena *arena, chainsi_link_answer *answer,
                                         chainsi_exchange_end *end, char *why, size_t why_size)
{
    if (!can_join(request))
        return CHAINSI_JOINT_DECLINED;
    chainsi_joint_call call = {
        .request = request, .arena = arena, .answer = answer, .why = why, .why_size = why_size
    };
    chainsi_joint_wakes to_wake = { .count = 0 };
    answer->attachment_count = 0;
    answer->incarnation = 0;
    answer->retry_after_ms = 0;
    answer->error = 0;
    pthread_mutex_lock(&joint->lock);
    const duty what = begin(joint, &call, &to_wake);
    if (what == LEAD_NOW)
        chainsi_joint_lead(joint, &call);
    else
        chainsi_joint_unlock(joint, &to_wake);
    if (what == GO_ALONE)
        return CHAINSI_JOINT_DECLINED;
    if (what == SEND_AND_FOLLOW)
        send_for_all(joint, &call);
    follow(joint, &call, what == FOLLOW_AND_COVER);
    *end = call.end;
    return call.how;
}
