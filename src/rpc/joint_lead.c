/* What the leader of a trunk does for all: it sends, reads, hands out answers, and watches what may end
 * the calls from the calling side. See joint.c. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "rpc/joint_parts.h"
#include "rpc/limits.h"

enum {
    WATCH_AFTER = 3,   /* reads that nothing came in, before the leader goes to poll() */
    LOOK_EVERY_MS = 3, /* at interrupts and deadlines, while answers come */
};

/* ------------------------------------------------------------------------------------------------
 * what ends a call from the calling side */

/* Whether a claim that no replica has begun may move to another. */
static bool may_move(chainsi_joint *joint, const chainsi_joint_call *call, int64_t now_ns)
{
    const int64_t waited_ns = now_ns - call->since_ns;
    if (!call->claimed || waited_ns < CHAINSI_LINK_MOVE_MS * CHAINSI_NS_PER_MS ||
        !chainsi_board_is_waiting(joint->board, &call->claim))
        return false;
    if (waited_ns >= CHAINSI_LINK_GIVE_UP_MS * CHAINSI_NS_PER_MS)
        return true;
    chainsi_claim elsewhere;
    if (!chainsi_link_claim(joint->link, call->claim.incarnation, &elsewhere, 1))
        return false;
    chainsi_board_withdraw(joint->board, &elsewhere); /* it is claimed again */
    return true;
}

/* Takes a call that isn't DONE from its trunk; the callee is told with the next flush. */
static void take_off(chainsi_joint *joint, chainsi_joint_call *call)
{
    chainsi_joint_trunk *on = call->trunk;
    const bool withdrawn = chainsi_joint_withdraw(joint, call);
    chainsi_sheaf_abandon(&on->sheaf, call->id, !withdrawn);
    chainsi_joint_take_out(&on->calls, call);
}

/* Ends a call that isn't DONE, for its own thread, which holds the lock. */
static void abandon(chainsi_joint *joint, chainsi_joint_call *call)
{
    if (!call->trunk) {
        chainsi_joint_take_out(&joint->line, call);
        return;
    }
    take_off(joint, call);
    chainsi_sheaf_flush(&call->trunk->sheaf);
}

bool chainsi_joint_look(chainsi_joint *joint, chainsi_joint_call *call)
{
    const chainsi_interrupt *interrupt = call->request->interrupt;
    bool interrupted = false;
    if (interrupt) {
        struct pollfd watched[2];
        for (int i = 0; i < interrupt->count; i++)
            watched[i] = (struct pollfd){ .fd = interrupt->watch[i].fd,
                                          .events = interrupt->watch[i].events };
        interrupted = poll(watched, (nfds_t)interrupt->count, 0) > 0 &&
                      (!interrupt->check || interrupt->check(interrupt->user));
    }
    const int64_t now_ns = chainsi_now_ns();
    bool ended = true;
    pthread_mutex_lock(&joint->lock);
    if (atomic_load(&call->word) & (CHAINSI_JOINT_DONE | CHAINSI_JOINT_ALONE)) {
        /* It will see; but who interrupts says so once, so it mustn't go on alone. */
        if (interrupted && call->how != CHAINSI_JOINT_ENDED)
            chainsi_joint_set_end(call, CHAINSI_EXCHANGE_INTERRUPTED, 0, "interrupted");
        ended = false;
    } else if (interrupted) {
        abandon(joint, call);
        chainsi_joint_set_end(call, CHAINSI_EXCHANGE_INTERRUPTED, 0, "interrupted");
    } else if (now_ns >= call->request->deadline_ns) {
        abandon(joint, call);
        chainsi_joint_set_end(call, CHAINSI_EXCHANGE_DEADLINE, 0,
                              "the deadline passed before an answer came");
    } else if (may_move(joint, call, now_ns) &&
               chainsi_board_withdraw(joint->board, &call->claim)) {
        chainsi_link_avoid(joint->link, call->claim.incarnation);
        call->claimed = false;
        chainsi_sheaf_abandon(&call->trunk->sheaf, call->id, false);
        chainsi_joint_take_out(&call->trunk->calls, call);
        call->how = CHAINSI_JOINT_MOVED;
    } else {
        ended = false;
    }
    if (!ended || !call->trunk || call->trunk->leader != call) {
        pthread_mutex_unlock(&joint->lock);
        return ended;
    }
    chainsi_joint_wakes to_wake = { .count = 0 };
    chainsi_joint_hand_over(joint, call->trunk, &to_wake);
    chainsi_joint_unlock(joint, &to_wake);
    return true;
}

/* What may end the calls of a trunk: fills in what to poll() for, and whose it is; how many. *until_ns
 * is lowered to when the clock may end or move one. */
static nfds_t list_interrupts(chainsi_joint *joint, chainsi_joint_trunk *on, int64_t now_ns,
                              struct pollfd *watched, chainsi_joint_call **whose, int64_t *until_ns)
{
    nfds_t count = 0;
    for (chainsi_joint_call *call = on->calls.first; call; call = call->next) {
        const chainsi_interrupt *interrupt = call->request->interrupt;
        for (int i = 0; interrupt && i < interrupt->count; i++) {
            whose[count] = call;
            watched[count++] = (struct pollfd){ .fd = interrupt->watch[i].fd,
                                                .events = interrupt->watch[i].events };
        }
        if (call->request->deadline_ns < *until_ns)
            *until_ns = call->request->deadline_ns;
        if (call->claimed && chainsi_board_is_waiting(joint->board, &call->claim) &&
            *until_ns > now_ns + CHAINSI_LINK_MOVE_MS * CHAINSI_NS_PER_MS)
            *until_ns = now_ns + CHAINSI_LINK_MOVE_MS * CHAINSI_NS_PER_MS;
    }
    return count;
}

/* Ends a call in its thread's place. */
static void interrupt(chainsi_joint *joint, chainsi_joint_call *call, chainsi_joint_wakes *to_wake)
{
    take_off(joint, call);
    chainsi_joint_set_end(call, CHAINSI_EXCHANGE_INTERRUPTED, 0, "interrupted");
    chainsi_joint_tell(call, CHAINSI_JOINT_DONE, to_wake);
}

/* Looks into the events of what list_interrupts has listed: calls may have left since, none was added.
 * Where one call is interrupted others are, too: the leader ends them all, so that they leave in one
 * write, and each thread is woken once. */
static void heed_events(chainsi_joint *joint, chainsi_joint_trunk *on, const struct pollfd *watched,
                        chainsi_joint_call *const *whose, nfds_t count,
                        chainsi_joint_wakes *to_wake)
{
    bool any = false;
    for (nfds_t i = 0; i < count; i++)
        any = any || watched[i].revents;
    if (!any)
        return;
    nfds_t at = 0;
    for (chainsi_joint_call *call = on->calls.first, *next; call; call = next) {
        const chainsi_interrupt *by = call->request->interrupt;
        bool touched = false;
        next = call->next;
        /* One that nothing interrupts has none in the list: to look for them would pass over those of others. */
        while (by && by->count && at < count && whose[at] != call)
            at++;
        for (; at < count && whose[at] == call; at++)
            touched = touched || watched[at].revents;
        if ((touched && (!by->check || by->check(by->user))) ||
            (by && by->is_due && by->is_due(by->user)))
            interrupt(joint, call, to_wake);
    }
    chainsi_sheaf_flush(&on->sheaf); /* before anybody is woken who wants the CPU */
}

/* Tells those whose deadline has passed, or whose claim stands still. */
static void tell_late(chainsi_joint *joint, chainsi_joint_trunk *on, int64_t now_ns,
                      chainsi_joint_wakes *to_wake)
{
    for (chainsi_joint_call *call = on->calls.first; call; call = call->next)
        if (now_ns >= call->request->deadline_ns || may_move(joint, call, now_ns))
            chainsi_joint_tell(call, CHAINSI_JOINT_LOOK, to_wake);
}

/* Looks at what may end the calls of a trunk, without waiting. */
static void check_calls(chainsi_joint *joint, chainsi_joint_trunk *on, int64_t now_ns,
                        chainsi_joint_wakes *to_wake)
{
    struct pollfd watched[CHAINSI_JOINT_MOST * 2];
    chainsi_joint_call *whose[CHAINSI_JOINT_MOST * 2];
    int64_t until_ns = CHAINSI_NEVER;
    on->checked_ns = now_ns;
    nfds_t count = list_interrupts(joint, on, now_ns, watched, whose, &until_ns);
    if (count && poll(watched, count, 0) > 0)
        heed_events(joint, on, watched, whose, count, to_wake);
    tell_late(joint, on, now_ns, to_wake);
}

/* ------------------------------------------------------------------------------------------------
 * leading */

/* Sleeps until something can be read, or one of the calls should look after itself. The lock is
 * released meanwhile; nothing is added to a trunk that is WATCHING. */
static void watch_calls(chainsi_joint *joint, chainsi_joint_trunk *on, chainsi_joint_wakes *to_wake)
{
    struct pollfd watched[CHAINSI_JOINT_MOST * 2 + 1];
    chainsi_joint_call *whose[CHAINSI_JOINT_MOST * 2 + 1];
    int64_t now_ns = chainsi_now_ns(), until_ns = CHAINSI_NEVER;
    chainsi_joint_clear_line(joint, to_wake);
    on->leading = CHAINSI_JOINT_WATCHING;
    nfds_t count = list_interrupts(joint, on, now_ns, watched, whose, &until_ns);
    watched[count] = (struct pollfd){ .fd = on->sheaf.wire.fd, .events = POLLIN };
    if (chainsi_sheaf_is_unsent(&on->sheaf))
        watched[count].events |= POLLOUT;
    chainsi_joint_unlock(joint, to_wake);
    int ready = poll(watched, count + 1, chainsi_poll_timeout(until_ns, now_ns));
    pthread_mutex_lock(&joint->lock);
    on->leading = CHAINSI_JOINT_RUNNING;
    if (ready > 0)
        heed_events(joint, on, watched, whose, count, to_wake);
    on->checked_ns = chainsi_now_ns();
    tell_late(joint, on, on->checked_ns, to_wake);
}

/* Reads once, the lock released meanwhile: as chainsi_sheaf_read. timed: gives up after
 * CHAINSI_JOINT_LOOK_US. */
static ptrdiff_t read_trunk(chainsi_joint *joint, chainsi_joint_trunk *on, bool timed,
                            chainsi_joint_wakes *to_wake)
{
    on->leading = CHAINSI_JOINT_READING;
    chainsi_sheaf_prepare(&on->sheaf, &on->arena);
    chainsi_joint_unlock(joint, to_wake);
    ptrdiff_t got = -EAGAIN;
    struct pollfd readable = { .fd = on->sheaf.wire.fd, .events = POLLIN };
    const struct timespec look = { .tv_nsec = CHAINSI_JOINT_LOOK_US * 1000 };
    if (!timed || ppoll(&readable, 1, &look, NULL) > 0)
        got = chainsi_sheaf_read(&on->sheaf, &on->arena, !timed);
    pthread_mutex_lock(&joint->lock);
    on->leading = CHAINSI_JOINT_RUNNING;
    return got;
}

/* The memory of the call's arena is free to use: its thread sleeps, or is this one. */
static void take_answer(chainsi_joint *joint, chainsi_joint_trunk *on, chainsi_sheaf_answer *got,
                        chainsi_joint_wakes *to_wake)
{
    chainsi_joint_call *call = got->user;
    chainsi_link_answer *answer = call->answer;
    const chainsi_frame *frame = &got->frame;
    chainsi_joint_take_out(&on->calls, call);
    answer->incarnation = frame->answer.incarnation;
    answer->retry_after_ms = frame->answer.retry_after_ms;
    if (frame->head.kind == CHAINSI_FRAME_NOT_STARTED) {
        chainsi_joint_withdraw(joint, call);
        chainsi_joint_set_end(call, CHAINSI_EXCHANGE_NOT_STARTED, 0, "it was not taken");
    } else {
        call->how = CHAINSI_JOINT_ENDED;
        call->end = CHAINSI_EXCHANGE_ANSWERED;
        answer->status = frame->head.status;
        answer->body_size = frame->head.body_size;
        answer->body = chainsi_arena_alloc_raw(call->arena, answer->body_size + 1);
        memcpy(answer->body, got->body, answer->body_size);
        answer->body[answer->body_size] = 0;
        answer->attachment_count = frame->head.attachments;
        memcpy(answer->attachments, got->attachments,
               frame->head.attachments * sizeof *answer->attachments);
    }
    chainsi_joint_tell(call, CHAINSI_JOINT_DONE, to_wake);
}

/* Hands out what was read. False: the trunk is lost. */
static bool take_answers(chainsi_joint *joint, chainsi_joint_trunk *on,
                         chainsi_joint_wakes *to_wake)
{
    chainsi_sheaf *sheaf = &on->sheaf;
    chainsi_sheaf_answer answer;
    const char *why = "";
    int taken;
    while ((taken = chainsi_sheaf_next(sheaf, CHAINSI_MAX_BODY, &answer, &why)) > 0)
        take_answer(joint, on, &answer, to_wake);
    if (taken < 0) {
        chainsi_joint_lose(joint, on, 0, why, to_wake);
        return false;
    }
    if (sheaf->in_start == sheaf->in_size) {
        sheaf->in = NULL;
        sheaf->in_start = sheaf->in_size = sheaf->in_capacity = 0;
        chainsi_arena_reset(&on->arena);
    }
    return true;
}

/* One round of the leader: sends, sleeps, and hands out what has come. False: the trunk is lost, with
 * the leader's own call. The lock is held before and afterwards, and released meanwhile. */
static bool lead_once(chainsi_joint *joint, chainsi_joint_trunk *on, chainsi_joint_wakes *to_wake)
{
    int send_error = chainsi_sheaf_flush(&on->sheaf);
    on->sender = false;
    ptrdiff_t got;
    if (send_error && send_error != EAGAIN) {
        /* Answers that came before it closed. */
        got = chainsi_sheaf_read(&on->sheaf, &on->arena, false);
    } else if (on->silent >= WATCH_AFTER || send_error) {
        watch_calls(joint, on, to_wake);
        got = chainsi_sheaf_read(&on->sheaf, &on->arena, false);
        send_error = 0;
    } else {
        const bool covers = joint->line.first && !joint->covered;
        joint->covered |= covers;
        got = read_trunk(joint, on, covers, to_wake);
        if (covers)
            joint->covered = false;
        if (got == -EAGAIN && !covers)
            on->silent++;
    }
    const int64_t now_ns = chainsi_now_ns();
    if (got > 0) {
        on->silent = 0;
        joint->answered_ns = now_ns;
        if (!take_answers(joint, on, to_wake))
            return false;
    } else if (got != -EAGAIN || send_error) {
        chainsi_joint_lose(joint, on, send_error ? send_error : (int)-got, NULL, to_wake);
        return false;
    } else if (!chainsi_joint_is_brisk(joint, now_ns)) {
        chainsi_joint_clear_line(joint, to_wake);
    }
    chainsi_joint_serve_line(joint, now_ns, to_wake);
    if (now_ns - on->checked_ns >= LOOK_EVERY_MS * CHAINSI_NS_PER_MS)
        check_calls(joint, on, now_ns, to_wake);
    return true;
}

void chainsi_joint_lead(chainsi_joint *joint, chainsi_joint_call *call)
{
    chainsi_joint_wakes to_wake = { .count = 0 };
    chainsi_joint_trunk *on = call->trunk;
    while (!(atomic_load(&call->word) & (CHAINSI_JOINT_DONE | CHAINSI_JOINT_LOOK)))
        if (!lead_once(joint, on, &to_wake))
            on = NULL; /* the call is DONE */
    if (on && (atomic_load(&call->word) & CHAINSI_JOINT_DONE))
        chainsi_joint_hand_over(joint, on, &to_wake);
    else if (!on)
        chainsi_joint_keep_covered(joint, &to_wake);
    chainsi_joint_unlock(joint, &to_wake);
}
