/* Where the calls of a joint wait, and how they leave: its trunks and its line. See joint.c. */
#include <assert.h>
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rpc/joint_parts.h"

enum { BRISK_MS = 4 /* calls wait in line if an answer came so lately */ };

/* ------------------------------------------------------------------------------------------------
 * lists and wakes */

void chainsi_joint_append(chainsi_joint_calls *list, chainsi_joint_call *call)
{
    call->next = NULL;
    call->previous = list->last;
    if (list->last)
        list->last->next = call;
    else
        list->first = call;
    list->last = call;
    list->count++;
}

void chainsi_joint_take_out(chainsi_joint_calls *list, chainsi_joint_call *call)
{
    if (call->previous)
        call->previous->next = call->next;
    else
        list->first = call->next;
    if (call->next)
        call->next->previous = call->previous;
    else
        list->last = call->previous;
    list->count--;
}

/* A word may be gone when it is woken by: then nobody sleeps there, or somebody who looks again. */
static void wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void chainsi_joint_tell(chainsi_joint_call *call, uint32_t what, chainsi_joint_wakes *to_wake)
{
    _Atomic uint32_t *word = &call->word;
    if (!(atomic_fetch_or(word, what) & CHAINSI_JOINT_SLEEPS))
        return;
    if (to_wake->count < CHAINSI_JOINT_MOST)
        to_wake->words[to_wake->count++] = word;
    else
        wake(word);
}

void chainsi_joint_unlock(chainsi_joint *joint, chainsi_joint_wakes *to_wake)
{
    pthread_mutex_unlock(&joint->lock);
    for (int i = 0; i < to_wake->count; i++)
        wake(to_wake->words[i]);
    to_wake->count = 0;
}

/* ------------------------------------------------------------------------------------------------
 * ends */

void chainsi_joint_set_end(chainsi_joint_call *call, chainsi_exchange_end end, int error,
                           const char *why)
{
    call->how = CHAINSI_JOINT_ENDED;
    call->end = end;
    call->answer->error = error;
    snprintf(call->why, call->why_size, "%s%s%s", why, error ? ": " : "",
             error ? strerror(error) : "");
}

bool chainsi_joint_withdraw(chainsi_joint *joint, chainsi_joint_call *call)
{
    bool withdrawn = call->claimed && chainsi_board_withdraw(joint->board, &call->claim);
    call->claimed = false;
    return withdrawn;
}

/* ------------------------------------------------------------------------------------------------
 * trunks */

void chainsi_joint_free_trunk(chainsi_joint *joint, chainsi_joint_trunk *on)
{
    chainsi_joint_trunk **at = &joint->trunks;
    while (*at != on)
        at = &(*at)->next;
    *at = on->next;
    chainsi_sheaf_done(&on->sheaf);
    chainsi_arena_done(&on->arena);
    free(on);
}

/* Frees trunks to replicas that have closed them. One without calls may still have its leader, who is about to
 * hand it over. */
static void sweep(chainsi_joint *joint)
{
    for (chainsi_joint_trunk *on = joint->trunks, *next; on; on = next) {
        next = on->next;
        struct pollfd end = { .fd = on->sheaf.wire.fd, .events = POLLIN };
        if (!on->leader && poll(&end, 1, 0) > 0)
            chainsi_joint_free_trunk(joint, on);
    }
}

chainsi_joint_trunk *chainsi_joint_trunk_to(chainsi_joint *joint, uint64_t incarnation)
{
    for (chainsi_joint_trunk *on = joint->trunks; on; on = on->next)
        if (on->sheaf.wire.incarnation == incarnation && on->leading != CHAINSI_JOINT_WATCHING &&
            on->calls.count < CHAINSI_JOINT_MOST)
            return on;
    sweep(joint);
    chainsi_wire wire;
    if (!chainsi_link_take(joint->link, incarnation, &wire) &&
        chainsi_link_connect(joint->link, incarnation, &wire))
        return NULL;
    chainsi_joint_trunk *on = calloc(1, sizeof *on);
    if (!on)
        abort();
    chainsi_sheaf_init(&on->sheaf, &wire);
    on->next = joint->trunks;
    joint->trunks = on;
    return on;
}

void chainsi_joint_add(chainsi_joint_trunk *on, chainsi_joint_call *call,
                       const chainsi_claim *claim, int64_t now_ns)
{
    const chainsi_link_request *request = call->request;
    chainsi_frame frame = {
        .head = { .kind = CHAINSI_FRAME_CALL,
                  .flags = CHAINSI_FRAME_KEEPS,
                  .body_size = request->body_size },
        .call = { .deadline_ns = request->deadline_ns,
                  .interface = request->interface,
                  .claim = claim->word,
                  .slot = claim->slot,
                  .request_id_size = (uint32_t)strlen(request->request_id),
                  .made_ns = call->made_ns },
        .request_id = request->request_id,
    };
    if (request->recorded)
        frame.head.flags |= CHAINSI_FRAME_RECORDED;
    memcpy(frame.call.trace_id, request->trace_id, sizeof frame.call.trace_id);
    memcpy(frame.call.span_id, request->span_id, sizeof frame.call.span_id);
    if (!on->calls.count) {
        on->silent = 0;
        on->checked_ns = now_ns;
    }
    call->trunk = on;
    call->claimed = true;
    call->claim = *claim;
    call->since_ns = now_ns;
    call->id = chainsi_sheaf_add(&on->sheaf, &frame, request->body, NULL, call);
    chainsi_joint_append(&on->calls, call);
}

void chainsi_joint_send_added(chainsi_joint_trunk *on, chainsi_joint_wakes *to_wake)
{
    if (!on->leader) {
        on->leader = on->calls.first;
        on->leading = CHAINSI_JOINT_RUNNING;
        chainsi_joint_tell(on->leader, CHAINSI_JOINT_LEAD, to_wake);
    } else if (on->leading != CHAINSI_JOINT_RUNNING) {
        chainsi_sheaf_flush(&on->sheaf);
    }
}

void chainsi_joint_lose(chainsi_joint *joint, chainsi_joint_trunk *on, int error,
                        const char *refused, chainsi_joint_wakes *to_wake)
{
    chainsi_sheaf *sheaf = &on->sheaf;
    const bool alone = chainsi_sheaf_is_sole(sheaf);
    const bool unread =
        (error == ECONNRESET || error == EPIPE) && sheaf->in_size == sheaf->in_start;
    chainsi_joint_call *call;
    bool has_left;
    while ((call = chainsi_sheaf_take_back(sheaf, &has_left))) {
        chainsi_joint_take_out(&on->calls, call);
        call->answer->incarnation = sheaf->wire.incarnation;
        if (chainsi_joint_withdraw(joint, call) || !has_left || (alone && unread && !refused))
            call->how = CHAINSI_JOINT_MOVED;
        else if (refused)
            chainsi_joint_set_end(call, CHAINSI_EXCHANGE_PROTOCOL, 0, refused);
        else
            chainsi_joint_set_end(call, CHAINSI_EXCHANGE_MAYBE_STARTED, error,
                                  "the connection was closed before an answer came");
        chainsi_joint_tell(call, CHAINSI_JOINT_DONE, to_wake);
    }
    chainsi_link_forget(joint->link, sheaf->wire.incarnation);
    chainsi_joint_free_trunk(joint, on);
}

void chainsi_joint_keep_covered(chainsi_joint *joint, chainsi_joint_wakes *to_wake)
{
    if (!joint->line.first || joint->covered)
        return;
    joint->covered = true;
    chainsi_joint_tell(joint->line.first, CHAINSI_JOINT_COVER, to_wake);
}

void chainsi_joint_hand_over(chainsi_joint *joint, chainsi_joint_trunk *on,
                             chainsi_joint_wakes *to_wake)
{
    on->leader = NULL;
    if (on->calls.first) {
        chainsi_joint_send_added(on, to_wake);
        return;
    }
    if (!chainsi_sheaf_is_clean(&on->sheaf))
        chainsi_joint_free_trunk(joint, on); /* nobody waits for what is due: closing cancels it */
    chainsi_joint_keep_covered(joint, to_wake);
}

/* ------------------------------------------------------------------------------------------------
 * the line */

/* Takes the first out of the line, to go alone. */
static void send_away(chainsi_joint *joint, chainsi_joint_wakes *to_wake)
{
    chainsi_joint_call *call = joint->line.first;
    chainsi_joint_take_out(&joint->line, call);
    call->how = CHAINSI_JOINT_DECLINED;
    chainsi_joint_tell(call, CHAINSI_JOINT_ALONE, to_wake);
}

void chainsi_joint_serve_line(chainsi_joint *joint, int64_t now_ns, chainsi_joint_wakes *to_wake)
{
    while (joint->line.first) {
        chainsi_claim claims[CHAINSI_JOINT_TOGETHER];
        size_t wanted =
            joint->line.count < CHAINSI_JOINT_TOGETHER ? joint->line.count : CHAINSI_JOINT_TOGETHER;
        size_t claimed = chainsi_link_claim(joint->link, 0, claims, wanted), used = 0;
        if (!claimed)
            break;
        chainsi_joint_trunk *on = chainsi_joint_trunk_to(joint, claims->incarnation);
        for (; on && used < claimed && on->calls.count < CHAINSI_JOINT_MOST; used++) {
            chainsi_joint_call *call = joint->line.first;
            chainsi_joint_take_out(&joint->line, call);
            chainsi_joint_add(on, call, &claims[used], now_ns);
        }
        if (used)
            chainsi_joint_send_added(on, to_wake);
        for (size_t i = used; i < claimed; i++)
            chainsi_board_withdraw(joint->board, &claims[i]);
        if (!used)
            send_away(joint, to_wake); /* alone it finds out why */
    }
    const int64_t too_long_ns = now_ns - CHAINSI_JOINT_WAIT_MS * CHAINSI_NS_PER_MS;
    while (joint->line.first && joint->line.first->since_ns <= too_long_ns)
        send_away(joint, to_wake);
}

void chainsi_joint_clear_line(chainsi_joint *joint, chainsi_joint_wakes *to_wake)
{
    while (joint->line.first)
        send_away(joint, to_wake);
}

bool chainsi_joint_is_brisk(const chainsi_joint *joint, int64_t now_ns)
{
    return now_ns - joint->answered_ns < BRISK_MS * CHAINSI_NS_PER_MS;
}
