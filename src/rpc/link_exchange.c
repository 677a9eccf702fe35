/* One call over a link: choose a way, send, read, keep the connection.
 *
 * In the usual case that is one sendmsg and one recvmsg, which blocks: only when the answer takes
 * longer than CHAINSI_LINK_PATIENCE_MS does the call go to poll(), where it also hears of its
 * deadline, of its interrupt, and of a replica that stands still with the claim in its hands.
 *
 * What decides between NOT_STARTED and MAYBE_STARTED when a connection is lost: EPIPE and ECONNRESET
 * before any byte of the answer mean that the callee had not read the whole call; so does a claim
 * that can still be withdrawn. End of file may mean anything else.
 *
 * A call that takes items reads them the same way, into a buffer of its own (rpc/items.h): the arena is
 * its sink's to use meanwhile, and gets the answer alone.
 *
 * Invariants: a claim is withdrawn, or was used up by an answer; the place in the queue is given back
 * with every end. */
#include "rpc/link.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "rpc/items.h"
#include "rpc/joint.h"
#include "rpc/limits.h"

enum {
    CALL_ID = 1, /* it is alone on its connection */
    MOST_TRIES = 64,
    FIRST_READ = 4096,
    LARGEST_FIRST_READ = 64 * 1024,
};

/* The answer as it comes in, in one allocation of the arena. */
typedef struct incoming {
    char *data; /* NULL before the first byte is asked for */
    size_t size, capacity;
    size_t head; /* bytes before the body; 0: not known yet */
    chainsi_frame frame;
} incoming;

typedef struct exchange {
    chainsi_link *link;
    const chainsi_link_request *request;
    chainsi_arena *arena;
    chainsi_link_answer *answer;
    chainsi_wire wire;
    chainsi_claim claim;
    int64_t made_ns;  /* the call; 0: not known yet */
    uint64_t avoided; /* a replica that is not wanted; 0: none */
    bool claimed, queued;
    bool alone;  /* on a kept connection without a claim: its replica may be busy */
    bool failed; /* nothing more can be sent */
    size_t sent;
    int64_t
        still_ns; /* since when a claim waits, and nothing more of the call was taken; 0: it was */
    size_t head_size;
    incoming in;
    chainsi_items items; /* with a sink: what was read, until it is the answer */
    bool begun;          /* with a sink: something was read */
    char head[CHAINSI_FRAME_PREFACE_SIZE + CHAINSI_FRAME_MAX_HEAD];
    char *why;
    size_t why_size;
} exchange;

static chainsi_exchange_end end_with(exchange *it, chainsi_exchange_end end, int error,
                                     const char *why)
{
    it->answer->error = error;
    if (error)
        snprintf(it->why, it->why_size, "%s: %s", why, strerror(error));
    else
        snprintf(it->why, it->why_size, "%s", why);
    return end;
}

/* ------------------------------------------------------------------------------------------------
 * a way for the call */

static bool take_or_connect(exchange *it, uint64_t incarnation, int *error)
{
    if (chainsi_link_take(it->link, incarnation, &it->wire))
        return true;
    *error = chainsi_link_connect(it->link, incarnation, &it->wire);
    return *error == 0;
}

/* A claimed slot and a connection to its replica. */
static bool open_claimed_way(exchange *it)
{
    for (int i = 0; i < MOST_TRIES; i++) {
        int error = 0;
        if (!chainsi_link_claim(it->link, it->avoided, &it->claim, 1))
            return false;
        if (take_or_connect(it, it->claim.incarnation, &error)) {
            it->claimed = true;
            return true;
        }
        chainsi_board_withdraw(chainsi_link_board(it->link), &it->claim);
        if (error != ECONNREFUSED) /* it is there but can't be reached now */
            return false;
    }
    return false;
}

static chainsi_exchange_end open_way(exchange *it, bool fresh)
{
    chainsi_board *board = chainsi_link_board(it->link);
    int error = 0;
    it->claimed = it->queued = it->alone = it->failed = false;
    it->sent = 0;
    if (board && open_claimed_way(it))
        return CHAINSI_EXCHANGE_ANSWERED;
    if (!board && !fresh && chainsi_link_take(it->link, 0, &it->wire)) {
        it->alone = true;
        return CHAINSI_EXCHANGE_ANSWERED;
    }
    if (it->request->claimed_only) {
        it->answer->error = EBUSY;
        snprintf(it->why, it->why_size, "no slot is free");
        return CHAINSI_EXCHANGE_NOT_STARTED;
    }
    if (board && !chainsi_board_enter_queue(board)) {
        it->answer->error = EAGAIN;
        snprintf(it->why, it->why_size, "as many calls wait as may");
        return CHAINSI_EXCHANGE_NOT_STARTED;
    }
    it->queued = board != NULL;
    error = chainsi_link_connect(it->link, 0, &it->wire);
    return error ? end_with(it, CHAINSI_EXCHANGE_NOT_STARTED, error, "can't connect")
                 : CHAINSI_EXCHANGE_ANSWERED;
}

/* Gives claim and place back. True: the call certainly was not and will not be started. */
static bool close_way(exchange *it)
{
    chainsi_board *board = chainsi_link_board(it->link);
    bool withdrawn = it->claimed && chainsi_board_withdraw(board, &it->claim);
    if (it->queued)
        chainsi_board_leave_queue(board);
    it->claimed = it->queued = false;
    return withdrawn;
}

static void write_head(exchange *it)
{
    const chainsi_link_request *request = it->request;
    if (!it->made_ns)
        it->made_ns = it->claimed ? it->claim.at_ns : chainsi_now_ns();
    chainsi_frame frame = {
        .head = { .kind = CHAINSI_FRAME_CALL,
                  .flags = CHAINSI_FRAME_SOLE,
                  .attachments = request->attachment_count,
                  .id = CALL_ID,
                  .body_size = request->body_size },
        .call = { .deadline_ns = request->deadline_ns,
                  .interface = request->interface,
                  .claim = it->claimed ? it->claim.word : 0,
                  .slot = it->claimed ? it->claim.slot : CHAINSI_FRAME_NO_SLOT,
                  .request_id_size = (uint32_t)strlen(request->request_id),
                  .made_ns = it->made_ns },
        .request_id = request->request_id,
    };
    if (chainsi_link_board(it->link))
        frame.head.flags |= CHAINSI_FRAME_KEEPS;
    if (request->sink)
        frame.head.flags |= CHAINSI_FRAME_TAKES_ITEMS;
    if (request->recorded)
        frame.head.flags |= CHAINSI_FRAME_RECORDED;
    memcpy(frame.call.trace_id, request->trace_id, sizeof frame.call.trace_id);
    memcpy(frame.call.span_id, request->span_id, sizeof frame.call.span_id);
    char *at = it->head;
    if (!it->wire.begun) {
        memcpy(at, CHAINSI_FRAME_PREFACE, CHAINSI_FRAME_PREFACE_SIZE);
        at += CHAINSI_FRAME_PREFACE_SIZE;
    }
    it->head_size = (size_t)(at - it->head) + chainsi_frame_write(&frame, at);
    it->wire.begun = true;
}

/* ------------------------------------------------------------------------------------------------
 * sending */

static bool is_sent(const exchange *it)
{
    return it->sent == it->head_size + it->request->body_size;
}

/* Sends what can be sent now. 0, EAGAIN, or why no more can be sent. */
static int send_some(exchange *it)
{
    const chainsi_link_request *request = it->request;
    while (!is_sent(it)) {
        struct iovec parts[2];
        struct msghdr message = { .msg_iov = parts };
        union {
            struct cmsghdr head;
            char space[CMSG_SPACE(sizeof(int) * CHAINSI_FRAME_MAX_ATTACHMENTS)];
        } control;
        size_t body_sent = 0;
        if (it->sent < it->head_size)
            parts[message.msg_iovlen++] =
                (struct iovec){ it->head + it->sent, it->head_size - it->sent };
        else
            body_sent = it->sent - it->head_size;
        if (request->body_size)
            parts[message.msg_iovlen++] =
                (struct iovec){ (char *)(uintptr_t)request->body + body_sent,
                                request->body_size - body_sent };
        if (request->attachment_count && !it->sent) {
            size_t size = sizeof(int) * request->attachment_count;
            message.msg_control = &control;
            message.msg_controllen = CMSG_SPACE(size);
            control.head.cmsg_level = SOL_SOCKET;
            control.head.cmsg_type = SCM_RIGHTS;
            control.head.cmsg_len = CMSG_LEN(size);
            memcpy(CMSG_DATA(&control.head), request->attachments, size);
        }
        ssize_t sent = sendmsg(it->wire.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno;
        it->sent += (size_t)sent;
        it->still_ns = 0;
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------
 * reading */

static void make_room(exchange *it)
{
    incoming *in = &it->in;
    if (!in->data) {
        chainsi_arena *arena = it->arena;
        size_t rest = arena->blocks ? (size_t)(arena->end - arena->next) : 0;
        in->capacity = rest < FIRST_READ / 2       ? FIRST_READ
                       : rest > LARGEST_FIRST_READ ? LARGEST_FIRST_READ
                                                   : rest;
        in->data = chainsi_arena_alloc_raw(arena, in->capacity);
    } else if (in->head && in->head + in->frame.head.body_size + 1 > in->capacity) {
        size_t need = in->head + in->frame.head.body_size + 1;
        if (!chainsi_arena_extend(it->arena, in->data, in->capacity, need)) {
            char *moved = chainsi_arena_alloc_raw(it->arena, need);
            in->data = memcpy(moved, in->data, in->size);
        }
        in->capacity = need;
    }
}

static ssize_t read_some(exchange *it, int flags)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int) * CHAINSI_FRAME_MAX_ATTACHMENTS)];
    } control;
    chainsi_items *items = it->request->sink ? &it->items : NULL;
    incoming *in = &it->in;
    struct iovec part;
    if (items) {
        part.iov_base = chainsi_items_make_room(items, &part.iov_len);
    } else {
        make_room(it);
        part = (struct iovec){ in->data + in->size, in->capacity - in->size - 1 };
    }
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    ssize_t got = recvmsg(it->wire.fd, &message, flags | MSG_CMSG_CLOEXEC);
    if (got >= 0 && message.msg_controllen && items)
        items->attachment_count = chainsi_wire_take_attachments(
            &message, items->attachments, items->attachment_count,
            (int)(sizeof items->attachments / sizeof *items->attachments));
    else if (got >= 0 && message.msg_controllen)
        it->answer->attachment_count = chainsi_wire_take_attachments(
            &message, it->answer->attachments, it->answer->attachment_count,
            CHAINSI_FRAME_MAX_ATTACHMENTS);
    return got;
}

static size_t max_body(const exchange *it)
{
    return it->request->max_body ? it->request->max_body : CHAINSI_MAX_BODY;
}

/* Puts the answer behind the items where every answer is looked for. */
static void take_answer(exchange *it, const chainsi_items_part *part)
{
    incoming *in = &it->in;
    in->frame = part->frame;
    const size_t size = part->frame.head.body_size;
    in->head = sizeof part->frame.head; /* which nobody looks at again */
    in->capacity = in->head + size + 1;
    in->data = chainsi_arena_alloc_raw(it->arena, in->capacity);
    memcpy(in->data + in->head, part->body, size);
    /* What else is there nobody asked for: the connection is not to be kept. */
    in->size = in->head + size + it->items.size + (size_t)it->items.attachment_count;
    it->answer->attachment_count = part->frame.head.attachments;
    memcpy(it->answer->attachments, part->attachments,
           part->frame.head.attachments * sizeof *part->attachments);
}

/* Hands on what is whole of `fresh` bytes more. ANSWERED: so far all is well. */
static chainsi_exchange_end take_items(exchange *it, size_t fresh)
{
    const chainsi_link_sink *sink = it->request->sink;
    const char *why;
    chainsi_items_part part;
    int taken;
    it->begun = true;
    chainsi_items_add(&it->items, fresh);
    while ((taken = chainsi_items_next(&it->items, &part, &why)) > 0) {
        const chainsi_frame_head *head = &part.frame.head;
        if (head->kind != CHAINSI_FRAME_ITEM) {
            take_answer(it, &part);
            return CHAINSI_EXCHANGE_ANSWERED;
        }
        if (!sink->take(sink->user, part.body, head->body_size, part.attachments,
                        head->attachments))
            return end_with(it, CHAINSI_EXCHANGE_INTERRUPTED, 0, "no more items were wanted");
    }
    return taken == 0 ? CHAINSI_EXCHANGE_ANSWERED : end_with(it, CHAINSI_EXCHANGE_PROTOCOL, 0, why);
}

/* Takes in `fresh` bytes. ANSWERED: they belong to an answer to this call. */
static chainsi_exchange_end take_in(exchange *it, size_t fresh)
{
    incoming *in = &it->in;
    const char *why;
    if (it->request->sink)
        return take_items(it, fresh);
    in->size += fresh;
    if (in->head)
        return CHAINSI_EXCHANGE_ANSWERED;
    ptrdiff_t head = chainsi_frame_parse(in->data, in->size, max_body(it), &in->frame, &why);
    if (head == CHAINSI_FRAME_REFUSED)
        return end_with(it, CHAINSI_EXCHANGE_PROTOCOL, 0, why);
    if (head == CHAINSI_FRAME_MORE)
        return CHAINSI_EXCHANGE_ANSWERED;
    in->head = (size_t)head;
    if (in->frame.head.id == CALL_ID && (in->frame.head.kind == CHAINSI_FRAME_ANSWER ||
                                         in->frame.head.kind == CHAINSI_FRAME_NOT_STARTED))
        return CHAINSI_EXCHANGE_ANSWERED;
    return end_with(it, CHAINSI_EXCHANGE_PROTOCOL, 0, "it is no answer to the call");
}

static bool is_complete(const incoming *in)
{
    return in->head && in->size - in->head >= in->frame.head.body_size;
}

/* ------------------------------------------------------------------------------------------------
 * waiting */

static int64_t nearest_deadline(const exchange *it)
{
    const chainsi_link_request *request = it->request;
    return request->sink && request->sink->deadline_ns < request->deadline_ns
               ? request->sink->deadline_ns
               : request->deadline_ns;
}

/* Whether a blocking read would outlast the deadline. */
static bool is_hurried(const exchange *it)
{
    const int64_t deadline_ns = nearest_deadline(it);
    return deadline_ns != CHAINSI_NEVER &&
           deadline_ns - chainsi_now_ns() < 2 * CHAINSI_LINK_PATIENCE_MS * CHAINSI_NS_PER_MS;
}

/* Whether a claim that a replica has not begun since it was sent should move. */
static bool should_move(exchange *it, int64_t waited_ns)
{
    if (waited_ns < CHAINSI_LINK_MOVE_MS * CHAINSI_NS_PER_MS)
        return false;
    if (waited_ns >= CHAINSI_LINK_GIVE_UP_MS * CHAINSI_NS_PER_MS)
        return true;
    chainsi_claim elsewhere;
    if (!chainsi_link_claim(it->link, it->claim.incarnation, &elsewhere, 1))
        return false;
    chainsi_board_withdraw(chainsi_link_board(it->link), &elsewhere); /* it is claimed again */
    return true;
}

/* Waits until the connection has one of the events: ANSWERED. NOT_STARTED: the replica stands still,
 * and the claim is withdrawn. */
static chainsi_exchange_end wait_for_callee(exchange *it, short events)
{
    const int64_t deadline_ns = nearest_deadline(it);
    for (;;) {
        int64_t until_ns = deadline_ns;
        if (it->claimed && chainsi_board_is_waiting(chainsi_link_board(it->link), &it->claim)) {
            int64_t now_ns = chainsi_now_ns();
            if (!it->still_ns)
                it->still_ns = now_ns;
            if (should_move(it, now_ns - it->still_ns) && close_way(it)) {
                chainsi_link_avoid(it->link, it->claim.incarnation);
                return end_with(it, CHAINSI_EXCHANGE_NOT_STARTED, 0, "the replica stands still");
            }
            int64_t look_ns = now_ns + CHAINSI_LINK_MOVE_MS * CHAINSI_NS_PER_MS;
            until_ns = look_ns < until_ns ? look_ns : until_ns;
        }
        switch (chainsi_wait_for(it->wire.fd, events, NULL, until_ns, it->request->interrupt)) {
        case CHAINSI_WAIT_READY:
            return CHAINSI_EXCHANGE_ANSWERED;
        case CHAINSI_WAIT_INTERRUPTED:
            return end_with(it, CHAINSI_EXCHANGE_INTERRUPTED, 0, "interrupted");
        case CHAINSI_WAIT_DEADLINE:
            if (until_ns == deadline_ns)
                return end_with(it, CHAINSI_EXCHANGE_DEADLINE, 0,
                                "the deadline passed before an answer came");
        }
    }
}

static chainsi_exchange_end end_of_loss(exchange *it, int send_error, int read_error)
{
    /* What kept the call from being sent says more than the end of reading. */
    int error = send_error ? send_error : read_error;
    if (it->in.size || it->begun)
        return end_with(it, CHAINSI_EXCHANGE_MAYBE_STARTED, error,
                        "the connection ended in the middle of the answer");
    if (!is_sent(it) || error == ECONNRESET || error == EPIPE)
        return end_with(it, CHAINSI_EXCHANGE_NOT_STARTED, error,
                        "the connection was closed before the call was taken");
    return end_with(it, CHAINSI_EXCHANGE_MAYBE_STARTED, error,
                    "the connection was closed before an answer came");
}

/* Sends and reads on the connection until there is an answer or an end. */
static chainsi_exchange_end run_exchange(exchange *it)
{
    it->still_ns = 0;
    bool patient =
        true; /* until the callee was waited for in vain: the next item may take as long */
    while (!is_complete(&it->in)) {
        int send_error = it->failed ? EPIPE : send_some(it);
        bool sending = send_error == EAGAIN;
        it->failed = send_error && !sending;
        ssize_t got = -1;
        errno = EAGAIN;
        if (!sending)
            got = read_some(it, patient && !it->failed && !is_hurried(it) ? 0 : MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN && !it->failed) {
            patient = patient && sending;
            /* While sending, an answer is also waited for: it may come early. */
            chainsi_exchange_end end =
                wait_for_callee(it, (short)(sending ? POLLIN | POLLOUT : POLLIN));
            if (end != CHAINSI_EXCHANGE_ANSWERED)
                return end;
            if (!sending)
                continue;
            got = read_some(it, MSG_DONTWAIT);
            if (got < 0 && (errno == EAGAIN || errno == EINTR))
                continue;
        }
        if (got <= 0)
            return end_of_loss(it, it->failed ? send_error : 0, got ? errno : 0);
        chainsi_exchange_end end = take_in(it, (size_t)got);
        if (end != CHAINSI_EXCHANGE_ANSWERED)
            return end;
    }
    return CHAINSI_EXCHANGE_ANSWERED;
}

/* ------------------------------------------------------------------------------------------------ */

static void drop_attachments(chainsi_link_answer *answer)
{
    while (answer->attachment_count)
        close(answer->attachments[--answer->attachment_count]);
}

/* Fills the answer, and gives what isn't used back to the arena. */
static chainsi_exchange_end hand_out(exchange *it)
{
    incoming *in = &it->in;
    chainsi_link_answer *answer = it->answer;
    const size_t end = in->head + in->frame.head.body_size;
    const bool clean =
        in->size == end && is_sent(it) && answer->attachment_count == in->frame.head.attachments;
    answer->incarnation = it->wire.incarnation = in->frame.answer.incarnation;
    if (clean)
        chainsi_link_keep(it->link, &it->wire);
    else
        chainsi_wire_close(&it->wire);
    if (answer->attachment_count != in->frame.head.attachments)
        return end_with(it, CHAINSI_EXCHANGE_PROTOCOL, 0, "descriptors are missing");
    answer->retry_after_ms = in->frame.answer.retry_after_ms;
    if (in->frame.head.kind == CHAINSI_FRAME_NOT_STARTED)
        return end_with(it, CHAINSI_EXCHANGE_NOT_STARTED, 0, "it was not taken");
    answer->status = in->frame.head.status;
    answer->body = in->data + in->head;
    answer->body_size = in->frame.head.body_size;
    answer->body[answer->body_size] = 0;
    chainsi_arena_extend(it->arena, in->data, in->capacity, end + 1);
    return CHAINSI_EXCHANGE_ANSWERED;
}

/* One attempt on the way that was opened. */
static chainsi_exchange_end use_way(exchange *it)
{
    write_head(it);
    if (it->request->sink)
        chainsi_items_init(&it->items, CALL_ID, max_body(it));
    chainsi_exchange_end end = run_exchange(it);
    if (end == CHAINSI_EXCHANGE_ANSWERED) {
        end = hand_out(it);
        if (end == CHAINSI_EXCHANGE_ANSWERED && it->claimed)
            it->claimed = false; /* the replica has freed it */
    }
    if (it->request->sink)
        chainsi_items_done(&it->items);
    const bool lost = end == CHAINSI_EXCHANGE_MAYBE_STARTED && !it->begun;
    if (end == CHAINSI_EXCHANGE_MAYBE_STARTED)
        it->answer->incarnation = it->wire.incarnation;
    if (close_way(it) && lost)
        end = CHAINSI_EXCHANGE_NOT_STARTED;
    if (end != CHAINSI_EXCHANGE_ANSWERED)
        drop_attachments(it->answer);
    return end;
}

/* On a connection of its own. */
static chainsi_exchange_end exchange_alone(chainsi_link *link, const chainsi_link_request *request,
                                           chainsi_arena *arena, chainsi_link_answer *answer,
                                           char *why, size_t why_size)
{
    exchange it;
    it.link = link;
    it.request = request;
    it.arena = arena;
    it.answer = answer;
    it.why = why;
    it.why_size = why_size;
    it.in.data = NULL;
    it.made_ns = 0;
    it.avoided = request->elsewhere ? chainsi_link_recent(link) : 0;
    bool fresh = request->elsewhere;
    for (int tries = 0;; tries++) {
        answer->attachment_count = 0;
        answer->incarnation = 0;
        answer->retry_after_ms = 0;
        answer->error = 0;
        it.in.size = it.in.head = 0;
        it.begun = false;
        it.wire = (chainsi_wire){ .fd = -1 };
        chainsi_exchange_end end = open_way(&it, fresh);
        if (end != CHAINSI_EXCHANGE_ANSWERED) {
            close_way(&it);
            return end;
        }
        const bool kept = it.wire.kept, alone = it.alone, claimed = it.claimed;
        end = use_way(&it);
        if (end == CHAINSI_EXCHANGE_ANSWERED)
            return end;
        const bool open = it.wire.fd < 0 && answer->incarnation; /* it answered that it won't */
        chainsi_wire_close(&it.wire);
        if (end != CHAINSI_EXCHANGE_NOT_STARTED || tries == MOST_TRIES)
            return end;
        /* What a kept connection or a claim had promised didn't hold any more: that is nobody's
         * news. */
        if (kept && claimed && !open)
            chainsi_link_forget(link, it.claim.incarnation);
        if (alone)
            fresh = true;
        else if (!kept && !claimed)
            return end;
        if (open && !alone)
            return end; /* refused by a replica that is there: the caller decides, and counts */
    }
}

chainsi_exchange_end chainsi_link_exchange(chainsi_link *link, const chainsi_link_request *request,
                                           chainsi_arena *arena, chainsi_link_answer *answer,
                                           char *why, size_t why_size)
{
    chainsi_joint *joint = chainsi_link_joint(link);
    if (!joint || request->sink) /* items come to a call that is alone */
        return exchange_alone(link, request, arena, answer, why, why_size);
    chainsi_exchange_end end;
    const bool joined =
        chainsi_joint_enter(joint) && chainsi_joint_exchange(joint, request, arena, answer, &end,
                                                             why, why_size) == CHAINSI_JOINT_ENDED;
    if (!joined)
        end = exchange_alone(link, request, arena, answer, why, why_size);
    chainsi_joint_leave(joint, end == CHAINSI_EXCHANGE_ANSWERED ? answer->body_size : 0);
    return end;
}
