/* Calls of a lane.
 *
 * Invariants: a SENT branch has one of the callee's in_flight slots, a trunk and an id on it; its
 * claim is withdrawn or used up when it leaves that state. A trunk that is placed is counted in the
 * service's queue. An error is first recorded on the fan-out's ctx, and moves to a ctx of the branch. */
#include "runtime/lane.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/limits.h"
#include "runtime/call.h"
#include "runtime/error.h"
#include "runtime/metrics.h"

enum {
    MOST_AT_ONCE = 64, /* claims that are made together */
    MOST_MOVES = 64,   /* of one call, from replicas that are gone */
    MOST_TRIES = 16,   /* replicas that can't be reached, before the queue is tried */
    QUEUE_AFTER_US = 200,
    LOOK_EVERY_MS = 5, /* for what others have: .concurrency_limit, places in the queue */
};

/* ------------------------------------------------------------------------------------------------
 * lists */

void chainsi_branches_add(chainsi_branches *list, chainsi_branch *branch)
{
    branch->next = NULL;
    branch->previous = list->last;
    if (list->last)
        list->last->next = branch;
    else
        list->first = branch;
    list->last = branch;
    list->count++;
}

static void add_first(chainsi_branches *list, chainsi_branch *branch)
{
    branch->previous = NULL;
    branch->next = list->first;
    if (list->first)
        list->first->previous = branch;
    else
        list->last = branch;
    list->first = branch;
    list->count++;
}

void chainsi_branches_remove(chainsi_branches *list, chainsi_branch *branch)
{
    if (branch->previous)
        branch->previous->next = branch->next;
    else
        list->first = branch->next;
    if (branch->next)
        branch->next->previous = branch->previous;
    else
        list->last = branch->previous;
    branch->next = branch->previous = NULL;
    list->count--;
}

void chainsi_lane_init(chainsi_lane *lane, chainsi_fanout *fanout, chainsi_callee *callee)
{
    chains_ctx *ctx = chainsi_fanout_ctx(fanout);
    *lane = (chainsi_lane){
        .fanout = fanout,
        .callee = callee,
        .link = callee->remote->link,
    };
    lane->frame.head.kind = CHAINSI_FRAME_CALL;
    if (chainsi_link_board(lane->link))
        lane->frame.head.flags = CHAINSI_FRAME_KEEPS;
    if (ctx->trace.recorded)
        lane->frame.head.flags |= CHAINSI_FRAME_RECORDED;
    lane->frame.call.interface = callee->interface->fingerprint;
    lane->frame.request_id = chainsi_remote_request_id(ctx);
    lane->frame.call.request_id_size = (uint32_t)strlen(lane->frame.request_id);
    chainsi_remote_trace(ctx, lane->frame.call.trace_id, lane->frame.call.span_id);
}

/* ------------------------------------------------------------------------------------------------
 * trunks */

static chainsi_trunk *add_trunk(chainsi_lane *lane, chainsi_wire *wire)
{
    chainsi_trunk *trunk = calloc(1, sizeof *trunk);
    if (!trunk)
        abort();
    chainsi_sheaf_init(&trunk->sheaf, wire);
    trunk->lane = lane;
    trunk->next = lane->trunks;
    if (lane->trunks)
        lane->trunks->previous = trunk;
    lane->trunks = trunk;
    return trunk;
}

static void leave_queue(chainsi_trunk *trunk)
{
    if (!trunk->placed)
        return;
    trunk->placed = false;
    trunk->lane->placed--;
    chainsi_board_leave_queue(chainsi_link_board(trunk->lane->link));
}

/* Keeps its connection if nothing is outstanding there, else closes it. */
static void remove_trunk(chainsi_trunk *trunk)
{
    chainsi_lane *lane = trunk->lane;
    assert(!trunk->sheaf.waiting);
    if (trunk->previous)
        trunk->previous->next = trunk->next;
    else
        lane->trunks = trunk->next;
    if (trunk->next)
        trunk->next->previous = trunk->previous;
    leave_queue(trunk);
    if (chainsi_sheaf_is_clean(&trunk->sheaf) && trunk->sheaf.wire.fd >= 0)
        chainsi_link_keep(lane->link, &trunk->sheaf.wire);
    chainsi_sheaf_done(&trunk->sheaf);
    free(trunk);
}

void chainsi_lane_done(chainsi_lane *lane)
{
    while (lane->trunks)
        remove_trunk(lane->trunks);
}

/* ------------------------------------------------------------------------------------------------
 * ends of attempts and calls */

static void end_branch(chainsi_lane *lane, chainsi_branch *branch, chains_status status)
{
    branch->state = CHAINSI_BRANCH_DONE;
    branch->job.status = status;
    chainsi_edge_end(&lane->callee->edge, status, branch->timed_ns);
    chainsi_branch_tell_end(branch);
    chainsi_fanout_ended(lane->fanout, branch);
}

/* Takes a SENT branch off its trunk, which no longer knows it. True: its claim could be withdrawn,
 * so that it is certain that it wasn't and won't be started. */
static bool leave_trunk(chainsi_lane *lane, chainsi_branch *branch)
{
    bool withdrawn =
        branch->claimed && chainsi_board_withdraw(chainsi_link_board(lane->link), &branch->claim);
    branch->claimed = false;
    branch->trunk = NULL;
    chainsi_branches_remove(&lane->sent, branch);
    chainsi_slots_give(&lane->callee->in_flight);
    return withdrawn;
}

/* Moves the error of the fan-out's ctx to the branch's own, which is made. */
static void take_error(chainsi_lane *lane, chainsi_branch *branch)
{
    chains_ctx *from = chainsi_fanout_ctx(lane->fanout);
    chainsi_branch_error_ctx(branch, from);
    chainsi_error_move(branch->job.ctx, from);
    chainsi_error_forget(from);
    chainsi_error_leave_thread();
}

static void make_pending(chainsi_lane *lane, chainsi_branch *branch)
{
    branch->state = CHAINSI_BRANCH_PENDING;
    add_first(&lane->pending, branch);
}

/* After an attempt that failed with the error that the fan-out's ctx has. It is on no list. */
static void fail_attempt(chainsi_lane *lane, chainsi_branch *branch, chains_status status,
                         const chainsi_attempt *attempt, int64_t now_ns)
{
    chains_ctx *ctx = chainsi_fanout_ctx(lane->fanout);
    status = chainsi_call_explain(lane->callee, ctx, status, branch->deadline_ns);
    take_error(lane, branch);
    chainsi_retry_decision decision =
        chainsi_call_again(lane->callee, ctx, &branch->retry, status, attempt);
    if (!decision.again) {
        end_branch(lane, branch, status);
        return;
    }
    chainsi_edge_retry(&lane->callee->edge);
    chainsi_made_retry(&branch->made, branch->job.ctx, lane->callee->interface->name, status);
    memset(branch->scratch, 0, lane->callee->interface->output->size);
    if (decision.delay_ns <= 0) {
        make_pending(lane, branch);
        return;
    }
    branch->state = CHAINSI_BRANCH_PAUSED;
    branch->due_ns = now_ns + decision.delay_ns;
    chainsi_fanout_pause(lane->fanout, branch);
}

static void fail_exchange(chainsi_lane *lane, chainsi_branch *branch, chainsi_exchange_end end,
                          int error, const char *what, int64_t now_ns)
{
    char why[256];
    chainsi_attempt attempt = { .end = CHAINSI_ATTEMPT_ENDED };
    chainsi_failed_exchange failed = { end, error, why, branch->lost.replica, branch->lost.at_ns };
    snprintf(why, sizeof why, "%s%s%s", what, error ? ": " : "", error ? strerror(error) : "");
    branch->lost = (chainsi_lost_exchange){ 0 };
    chains_status status = chainsi_remote_fail(lane->callee->remote,
                                               chainsi_fanout_ctx(lane->fanout), &failed, &attempt);
    fail_attempt(lane, branch, status, &attempt, now_ns);
}

/* Its replica was lost while it may have been running it. Others go on until it is known why. */
static void fail_lost(chainsi_lane *lane, chainsi_branch *branch, int64_t now_ns)
{
    const chainsi_lost_exchange *lost = &branch->lost;
    const int64_t due_ns = chainsi_remote_look_again(
        lane->callee->remote,
        &(chainsi_failed_exchange){ CHAINSI_EXCHANGE_MAYBE_STARTED, lost->error, "", lost->replica,
                                    lost->at_ns },
        now_ns);
    if (!due_ns) {
        fail_exchange(lane, branch, CHAINSI_EXCHANGE_MAYBE_STARTED, lost->error,
                      "the connection was closed before an answer came", now_ns);
        return;
    }
    branch->state = CHAINSI_BRANCH_PAUSED;
    branch->due_ns = due_ns;
    chainsi_fanout_pause(lane->fanout, branch);
}

void chainsi_lane_resume(chainsi_lane *lane, chainsi_branch *branch, int64_t now_ns)
{
    if (branch->lost.at_ns) {
        fail_lost(lane, branch, now_ns);
        return;
    }
    branch->state = CHAINSI_BRANCH_PENDING;
    chainsi_branches_add(&lane->pending, branch);
}

/* ------------------------------------------------------------------------------------------------
 * lost connections */

/* The connection of a trunk is of no further use. error: of sending or reading, 0 for an end of file.
 * refused: what came was no answer. */
static void lose_trunk(chainsi_trunk *trunk, int error, const char *refused, int64_t now_ns)
{
    chainsi_lane *lane = trunk->lane;
    chainsi_branches lost = { 0 };
    const bool alone = chainsi_sheaf_is_sole(&trunk->sheaf);
    const bool unread = error == ECONNRESET || error == EPIPE;
    const bool promised = trunk->sheaf.wire.kept && !trunk->heard;
    const bool partial = trunk->sheaf.in_size > trunk->sheaf.in_start;
    chainsi_branch *branch;
    bool has_left;
    while ((branch = chainsi_sheaf_take_back(&trunk->sheaf, &has_left))) {
        const bool claimed = branch->claimed;
        const bool withdrawn = leave_trunk(lane, branch);
        const bool not_started =
            withdrawn || !has_left || (alone && unread && !partial && !refused);
        /* Remembered until all are off the trunk: they go on in the order in which they were sent. */
        branch->claimed = not_started && (claimed || promised) &&
                          ++branch->moves <= MOST_MOVES; /* it moves without a word */
        branch->state = not_started ? CHAINSI_BRANCH_PENDING : CHAINSI_BRANCH_SENT;
        chainsi_branches_add(&lost, branch);
    }
    const uint64_t replica = trunk->sheaf.wire.incarnation;
    chainsi_link_forget(lane->link, replica);
    chainsi_wire_close(&trunk->sheaf.wire);
    remove_trunk(trunk);
    while ((branch = lost.last)) {
        const bool not_started = branch->state == CHAINSI_BRANCH_PENDING;
        const bool moves = branch->claimed;
        branch->claimed = false;
        chainsi_branches_remove(&lost, branch);
        if (moves)
            make_pending(lane, branch);
        else if (not_started)
            fail_exchange(lane, branch, CHAINSI_EXCHANGE_NOT_STARTED, error == EAGAIN ? 0 : error,
                          "the connection was closed before the call was taken", now_ns);
        else if (refused)
            fail_exchange(lane, branch, CHAINSI_EXCHANGE_PROTOCOL, 0, refused, now_ns);
        else {
            branch->lost = (chainsi_lost_exchange){ now_ns, replica, error };
            fail_lost(lane, branch, now_ns);
        }
    }
}

/* Sends what is to be sent. The trunk may be gone afterwards. */
static void flush_trunk(chainsi_trunk *trunk, int64_t now_ns)
{
    int error = chainsi_sheaf_flush(&trunk->sheaf);
    if (error && error != EAGAIN) /* what was answered before it closed still counts */
        chainsi_trunk_advance(trunk, false, now_ns);
}

/* ------------------------------------------------------------------------------------------------
 * answers */

static void take_answer(chainsi_trunk *trunk, chainsi_sheaf_answer *answer, int64_t now_ns)
{
    chainsi_lane *lane = trunk->lane;
    chainsi_branch *branch = answer->user;
    const chainsi_frame *frame = &answer->frame;
    if (!trunk->sheaf.wire.incarnation)
        trunk->sheaf.wire.incarnation = frame->answer.incarnation;
    if (frame->head.kind == CHAINSI_FRAME_ANSWER)
        branch->claimed = false; /* the replica has freed the slot */
    const bool claimed = branch->claimed;
    leave_trunk(lane, branch);
    if (frame->head.kind == CHAINSI_FRAME_NOT_STARTED && !claimed && trunk->sheaf.wire.kept &&
        ++branch->moves <= MOST_MOVES) {
        /* A kept connection to a replica that is busy by now: that is nobody's news. */
        chainsi_wire_close(&trunk->sheaf.wire);
        make_pending(lane, branch);
        return;
    }
    if (frame->head.kind == CHAINSI_FRAME_NOT_STARTED) {
        chainsi_attempt attempt = { .end = CHAINSI_ATTEMPT_NOT_STARTED,
                                    .retry_after_ns =
                                        frame->answer.retry_after_ms * CHAINSI_NS_PER_MS };
        chains_status status =
            chainsi_remote_fail(lane->callee->remote, chainsi_fanout_ctx(lane->fanout),
                                &(chainsi_failed_exchange){ .end = CHAINSI_EXCHANGE_NOT_STARTED,
                                                            .why = "it was not taken" },
                                &attempt);
        fail_attempt(lane, branch, status, &attempt, now_ns);
        return;
    }
    chains_status status = chainsi_remote_read(
        lane->callee->remote, chainsi_fanout_ctx(lane->fanout), frame->head.status, answer->body,
        frame->head.body_size, answer->attachments, frame->head.attachments, branch->scratch);
    if (status == CHAINS_OK) {
        end_branch(lane, branch, CHAINS_OK);
        return;
    }
    chainsi_attempt attempt = { .end = CHAINSI_ATTEMPT_ENDED,
                                .retry_after_ns =
                                    frame->answer.retry_after_ms * CHAINSI_NS_PER_MS };
    fail_attempt(lane, branch, status, &attempt, now_ns);
}

/* Takes what was read. False: the trunk is gone. */
static bool take_answers(chainsi_trunk *trunk, int64_t now_ns)
{
    chainsi_sheaf_answer answer;
    const char *why = "";
    int taken;
    while ((taken = chainsi_sheaf_next(&trunk->sheaf, CHAINSI_MAX_BODY, &answer, &why)) > 0)
        take_answer(trunk, &answer, now_ns);
    if (taken < 0) {
        lose_trunk(trunk, 0, why, now_ns);
        return false;
    }
    if (trunk->sheaf.waiting || (!trunk->sole && !trunk->sheaf.abandoned))
        return true;
    remove_trunk(
        trunk); /* closed if only answers are due that nobody waits for: that cancels them */
    return false;
}

void chainsi_trunk_advance(chainsi_trunk *trunk, bool block, int64_t now_ns)
{
    chainsi_sheaf *sheaf = &trunk->sheaf;
    int send_error = chainsi_sheaf_flush(sheaf);
    if (send_error == EAGAIN)
        send_error = 0;
    for (;;) {
        ptrdiff_t got = chainsi_sheaf_read(sheaf, chainsi_fanout_ctx(trunk->lane->fanout)->arena,
                                           block && !send_error);
        if (got == -EAGAIN && !send_error)
            return;
        if (got <= 0) {
            lose_trunk(trunk, send_error ? send_error : (int)-got, NULL, now_ns);
            return;
        }
        trunk->heard = true;
        if (!take_answers(trunk, now_ns))
            return;
        block = false;
        if (!send_error && sheaf->in_size < sheaf->in_capacity)
            return; /* there was no more */
    }
}

/* ------------------------------------------------------------------------------------------------
 * sending */

static void send_branch(chainsi_lane *lane, chainsi_trunk *trunk, const chainsi_claim *claim,
                        int64_t now_ns)
{
    chainsi_branch *branch = lane->pending.first;
    double timeout_ms = lane->callee->options->timeout_ms;
    chainsi_branches_remove(&lane->pending, branch);
    branch->state = CHAINSI_BRANCH_SENT;
    branch->sent_ns = now_ns;
    if (!branch->made_ns) {
        branch->made_ns = now_ns;
        branch->timed_ns = chainsi_metrics_sample() ? now_ns : 0;
    }
    branch->deadline_ns = chainsi_fanout_ctx(lane->fanout)->deadline_ns;
    if (timeout_ms > 0) {
        int64_t limit_ns = chainsi_deadline_after_ms(now_ns, timeout_ms);
        if (limit_ns < branch->deadline_ns)
            branch->deadline_ns = limit_ns;
    }
    branch->trunk = trunk;
    branch->claimed = claim != NULL;
    chainsi_frame *frame = &lane->frame;
    frame->head.flags =
        (uint8_t)((frame->head.flags & (CHAINSI_FRAME_KEEPS | CHAINSI_FRAME_RECORDED)) |
                  (trunk->sole ? CHAINSI_FRAME_SOLE : 0));
    frame->head.body_size = branch->body_size;
    frame->head.attachments = branch->attachments ? (uint8_t)branch->attachments->count : 0;
    frame->call.deadline_ns = branch->deadline_ns;
    frame->call.made_ns = branch->made_ns;
    if (branch->made.began_ns) {
        memcpy(frame->call.span_id, &branch->made.attempt, sizeof frame->call.span_id);
        if (branch->made.queue_ns < 0)
            branch->made.queue_ns = now_ns - branch->made.began_ns;
        if (branch->made.attempts > 1)
            frame->call.made_ns = branch->made.attempt_ns =
                now_ns; /* each attempt waits by itself */
    }
    frame->call.slot = CHAINSI_FRAME_NO_SLOT;
    frame->call.claim = 0;
    if (claim) {
        branch->claim = *claim;
        frame->call.slot = claim->slot;
        frame->call.claim = claim->word;
    }
    branch->id = chainsi_sheaf_add(&trunk->sheaf, frame, branch->body, branch->descriptors, branch);
    chainsi_branches_add(&lane->sent, branch);
}

/* The trunk to a replica. NULL with *error. */
static chainsi_trunk *trunk_to(chainsi_lane *lane, uint64_t incarnation, int *error)
{
    for (chainsi_trunk *trunk = lane->trunks; trunk; trunk = trunk->next)
        if (!trunk->sole && trunk->sheaf.wire.incarnation == incarnation)
            return trunk;
    chainsi_wire wire;
    *error = chainsi_link_take(lane->link, incarnation, &wire)
                 ? 0
                 : chainsi_link_connect(lane->link, incarnation, &wire);
    return *error ? NULL : add_trunk(lane, &wire);
}

/* Sends as many pending calls as there are claims, of one replica, in one write. 0 or an errno: it
 * can't be reached, and the claims are withdrawn. */
static int send_claimed(chainsi_lane *lane, const chainsi_claim *claims, size_t count,
                        int64_t now_ns)
{
    int error;
    chainsi_trunk *trunk = trunk_to(lane, claims->incarnation, &error);
    if (!trunk) {
        for (size_t i = 0; i < count; i++)
            chainsi_board_withdraw(chainsi_link_board(lane->link), &claims[i]);
        return error;
    }
    for (size_t i = 0; i < count; i++)
        send_branch(lane, trunk, &claims[i], now_ns);
    flush_trunk(trunk, now_ns);
    return 0;
}

/* Ends the first pending call as one that there was no way for. */
static void fail_first(chainsi_lane *lane, int error, int64_t now_ns)
{
    chainsi_branch *branch = lane->pending.first;
    chainsi_branches_remove(&lane->pending, branch);
    branch->deadline_ns = chainsi_fanout_ctx(lane->fanout)->deadline_ns;
    fail_exchange(lane, branch, CHAINSI_EXCHANGE_NOT_STARTED, error, "can't connect", now_ns);
}

/* Whether the first pending call may go to the queue, now that no slot is free. */
static bool may_queue(chainsi_lane *lane, chainsi_board *board, int64_t now_ns)
{
    if (!lane->starved_ns)
        lane->starved_ns = now_ns;
    if (lane->sent.count && now_ns - lane->starved_ns < QUEUE_AFTER_US * INT64_C(1000))
        return false;
    if (!lane->placed)
        return true;
    return lane->placed < chainsi_board_slots(board, NULL);
}

/* Sends the first pending call to the service's shared socket. False: it goes on waiting, and none of
 * in_flight was used. */
static bool send_unclaimed(chainsi_lane *lane, int64_t now_ns)
{
    chainsi_board *board = chainsi_link_board(lane->link);
    chainsi_wire wire;
    if (board && !may_queue(lane, board, now_ns))
        return false;
    bool placed = board && chainsi_board_enter_queue(board);
    /* Calls of this process may be what fills it: the others wait until one of them has ended. */
    const bool others = lane->sent.count || chainsi_slots_taken(&lane->callee->in_flight) > 1;
    if (board && !placed && others) {
        lane->blocked = true;
        return false;
    }
    int error = board && !placed ? EAGAIN : 0;
    if (!error && (board || !chainsi_link_take(lane->link, 0, &wire)))
        error = chainsi_link_connect(lane->link, 0, &wire);
    if (error) {
        if (placed)
            chainsi_board_leave_queue(board);
        if (others && error == EAGAIN) {
            lane->blocked = true;
            return false;
        }
        chainsi_slots_give(&lane->callee->in_flight);
        fail_first(lane, error, now_ns);
        return true;
    }
    chainsi_trunk *trunk = add_trunk(lane, &wire);
    trunk->sole = true;
    trunk->placed = placed;
    lane->placed += placed;
    send_branch(lane, trunk, NULL, now_ns);
    flush_trunk(trunk, now_ns);
    return true;
}

static void send_pending(chainsi_lane *lane, int64_t now_ns)
{
    chainsi_slots *in_flight = &lane->callee->in_flight;
    int tries = 0;
    lane->blocked = false;
    /* What fails at once goes back to the front: not for ever. */
    for (size_t rounds = lane->pending.count + MOST_MOVES; lane->pending.first && rounds;
         rounds--) {
        chainsi_claim claims[MOST_AT_ONCE];
        size_t wanted = lane->pending.count < MOST_AT_ONCE ? lane->pending.count : MOST_AT_ONCE;
        size_t room = chainsi_slots_try(in_flight, wanted);
        if (!room) {
            lane->blocked = !lane->sent.count;
            return;
        }
        size_t claimed = tries < MOST_TRIES ? chainsi_link_claim(lane->link, 0, claims, room) : 0;
        size_t used = claimed ? claimed : 1;
        for (size_t i = used; i < room; i++)
            chainsi_slots_give(in_flight);
        if (claimed) {
            lane->starved_ns = 0;
            int error = send_claimed(lane, claims, claimed, now_ns);
            for (size_t i = 0; error && i < claimed; i++)
                chainsi_slots_give(in_flight);
            tries += error == ECONNREFUSED ? 1 : error ? MOST_TRIES : 0;
        } else if (!send_unclaimed(lane, now_ns)) {
            chainsi_slots_give(in_flight);
            return;
        }
    }
    lane->blocked = lane->pending.first != NULL; /* no event may tell when to go on */
}

/* ------------------------------------------------------------------------------------------------
 * time */

/* Takes a SENT call off its trunk though it isn't answered; it is cancelled, unless it is certain that
 * it won't be started. */
static void abandon(chainsi_lane *lane, chainsi_branch *branch, bool certain, int64_t now_ns)
{
    chainsi_trunk *trunk = branch->trunk;
    uint32_t id = branch->id;
    bool withdrawn = leave_trunk(lane, branch) || certain;
    chainsi_sheaf_abandon(&trunk->sheaf, id, !withdrawn);
    if (!trunk->sheaf.waiting)
        remove_trunk(trunk);
    else if (!withdrawn)
        flush_trunk(trunk, now_ns);
}

/* Ends attempts whose time is over. All have the same, so those sent first end first. */
static void end_late(chainsi_lane *lane, int64_t now_ns)
{
    chainsi_branch *branch;
    while ((branch = lane->sent.first) && now_ns >= branch->deadline_ns) {
        abandon(lane, branch, false, now_ns);
        fail_exchange(lane, branch, CHAINSI_EXCHANGE_DEADLINE, 0, "", now_ns);
    }
}

/* Moves claims away from a replica that hasn't begun the calls in all that time: it stands still. */
static void look_after_claims(chainsi_lane *lane, int64_t now_ns)
{
    chainsi_board *board = chainsi_link_board(lane->link);
    lane->look_ns = now_ns + CHAINSI_LINK_MOVE_MS * CHAINSI_NS_PER_MS;
    for (chainsi_branch *branch = lane->sent.first, *next; branch; branch = next) {
        int64_t waited_ns = now_ns - branch->sent_ns;
        next = branch->next;
        if (waited_ns < CHAINSI_LINK_MOVE_MS * CHAINSI_NS_PER_MS)
            return;
        if (!branch->claimed || !chainsi_board_is_waiting(board, &branch->claim))
            continue;
        uint64_t incarnation = branch->claim.incarnation;
        if (waited_ns < CHAINSI_LINK_GIVE_UP_MS * CHAINSI_NS_PER_MS) {
            chainsi_claim elsewhere;
            if (!chainsi_link_claim(lane->link, incarnation, &elsewhere, 1))
                continue;
            chainsi_board_withdraw(board, &elsewhere); /* it is claimed again */
        }
        if (!chainsi_board_withdraw(board, &branch->claim))
            continue;
        branch->claimed = false;
        chainsi_link_avoid(lane->link, incarnation);
        abandon(lane, branch, true, now_ns);
        make_pending(lane, branch);
    }
}

/* When claims are to be looked after; CHAINSI_NEVER: there are none. */
static int64_t look_due_ns(const chainsi_lane *lane)
{
    if (!lane->sent.first || !chainsi_link_board(lane->link))
        return CHAINSI_NEVER;
    int64_t due_ns = lane->sent.first->sent_ns + CHAINSI_LINK_MOVE_MS * CHAINSI_NS_PER_MS;
    return due_ns > lane->look_ns ? due_ns : lane->look_ns;
}

void chainsi_lane_advance(chainsi_lane *lane, int64_t now_ns)
{
    if (lane->sent.first) {
        end_late(lane, now_ns);
        if (now_ns >= look_due_ns(lane))
            look_after_claims(lane, now_ns);
    }
    if (lane->pending.first)
        send_pending(lane, now_ns);
    else
        lane->starved_ns = 0;
}

int64_t chainsi_lane_wakes(const chainsi_lane *lane, int64_t now_ns)
{
    int64_t wakes_ns = CHAINSI_NEVER;
    if (lane->sent.first) {
        wakes_ns = lane->sent.first->deadline_ns;
        if (look_due_ns(lane) < wakes_ns)
            wakes_ns = look_due_ns(lane);
    }
    const int64_t again_ns = now_ns + LOOK_EVERY_MS * CHAINSI_NS_PER_MS;
    if (lane->pending.first && lane->blocked && again_ns < wakes_ns)
        wakes_ns = again_ns;
    if (lane->pending.first && lane->starved_ns) {
        int64_t queue_ns = lane->starved_ns + QUEUE_AFTER_US * INT64_C(1000);
        /* Later than that it has gone to the queue, or as many have as may. */
        if (queue_ns > now_ns && queue_ns < wakes_ns)
            wakes_ns = queue_ns;
    }
    return wakes_ns;
}

/* Closes the trunks that stand in the service's queue, or the others, with what is on them. */
static void close_trunks(chainsi_lane *lane, bool queued, chainsi_branches *stopped)
{
    for (chainsi_trunk *trunk = lane->trunks, *next; trunk; trunk = next) {
        chainsi_branch *branch;
        bool has_left;
        next = trunk->next;
        if (trunk->sole != queued)
            continue;
        while ((branch = chainsi_sheaf_take_back(&trunk->sheaf, &has_left))) {
            leave_trunk(lane, branch);
            chainsi_branches_add(stopped, branch);
        }
        remove_trunk(trunk); /* with something abandoned on it, it is closed */
    }
}

void chainsi_lane_stop(chainsi_lane *lane, chains_status status)
{
    chainsi_branches stopped = { 0 };
    chainsi_branch *branch;
    /* What waits in the queue leaves it before a slot comes free; and those below hear of it before
     * anything is done here: it is there that something runs. */
    close_trunks(lane, true, &stopped);
    close_trunks(lane, false, &stopped);
    assert(!lane->sent.count);
    while ((branch = lane->pending.first)) {
        chainsi_branches_remove(&lane->pending, branch);
        chainsi_branches_add(&stopped, branch);
    }
    while ((branch = stopped.first)) {
        chainsi_branches_remove(&stopped, branch);
        end_branch(lane, branch, status);
    }
}
