/* Calls on one connection. An id is an index into the table of calls; free entries are chained. An
 * abandoned call keeps its entry until its late answer comes, so that no other is taken for it. */
#include "rpc/sheaf.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    NO_CALL = 0xffffffff,
    FIRST_CALLS = 32,
    FIRST_OUT = 4096, /* bytes that are to be sent */
    MOST_PARTS = 64,  /* in one write */
    LEAST_READ = 2048,
    LARGEST_READ = 64 * 1024,
    GUESSED_ANSWER = 256, /* bytes */
};

void chainsi_sheaf_init(chainsi_sheaf *sheaf, chainsi_wire *wire)
{
    *sheaf = (chainsi_sheaf){ .wire = *wire, .first_free = NO_CALL };
    *wire = (chainsi_wire){ .fd = -1 };
}

void chainsi_sheaf_done(chainsi_sheaf *sheaf)
{
    chainsi_wire_close(&sheaf->wire);
    while (sheaf->attachment_count)
        close(sheaf->attachments[--sheaf->attachment_count]);
    free(sheaf->calls);
    free(sheaf->parts);
    chainsi_buffer_done(&sheaf->out);
    *sheaf = (chainsi_sheaf){ .wire = { .fd = -1 }, .first_free = NO_CALL };
}

/* Room for `count` items in an array of `capacity` items. */
static void *make_room(void *items, size_t count, size_t *capacity, size_t item_size)
{
    if (count <= *capacity)
        return items;
    size_t larger = *capacity ? *capacity * 2 : FIRST_CALLS;
    items = realloc(items, larger * item_size);
    if (!items)
        abort();
    *capacity = larger;
    return items;
}

/* ------------------------------------------------------------------------------------------------
 * sending */

static uint32_t take_id(chainsi_sheaf *sheaf)
{
    uint32_t id = sheaf->first_free;
    if (id != NO_CALL) {
        sheaf->first_free = sheaf->calls[id].next_free;
        return id;
    }
    size_t capacity = sheaf->call_capacity;
    sheaf->calls = make_room(sheaf->calls, sheaf->call_count + 1u, &capacity, sizeof *sheaf->calls);
    sheaf->call_capacity = (uint32_t)capacity;
    return sheaf->call_count++;
}

static void free_id(chainsi_sheaf *sheaf, uint32_t id)
{
    chainsi_sheaf_call *call = &sheaf->calls[id];
    *call = (chainsi_sheaf_call){ .next_free = sheaf->first_free };
    sheaf->first_free = id;
}

static chainsi_sheaf_part *add_part(chainsi_sheaf *sheaf)
{
    sheaf->parts =
        make_room(sheaf->parts, sheaf->part_count + 1, &sheaf->part_capacity, sizeof *sheaf->parts);
    chainsi_sheaf_part *part = &sheaf->parts[sheaf->part_count++];
    *part = (chainsi_sheaf_part){ 0 };
    return part;
}

/* Counts the last `size` bytes of `out` as to be sent. */
static chainsi_sheaf_part *add_bytes(chainsi_sheaf *sheaf, size_t size, bool apart)
{
    chainsi_sheaf_part *last =
        sheaf->part_count > sheaf->next_part ? &sheaf->parts[sheaf->part_count - 1] : NULL;
    if (apart || !last || last->data) {
        last = add_part(sheaf);
        last->offset = sheaf->out.size - size;
    }
    last->size += size;
    sheaf->added += size;
    return last;
}

static void add_head(chainsi_sheaf *sheaf, const chainsi_frame *frame, const int *attachments)
{
    size_t size = 0;
    if (!sheaf->out.capacity)
        chainsi_buffer_reserve(&sheaf->out, FIRST_OUT);
    char *at = (char *)chainsi_buffer_reserve(&sheaf->out,
                                              CHAINSI_FRAME_PREFACE_SIZE + CHAINSI_FRAME_MAX_HEAD);
    if (!sheaf->wire.begun) {
        memcpy(at, CHAINSI_FRAME_PREFACE, CHAINSI_FRAME_PREFACE_SIZE);
        size = CHAINSI_FRAME_PREFACE_SIZE;
        sheaf->wire.begun = true;
    }
    size += chainsi_frame_write(frame, at + size);
    sheaf->out.size += size;
    chainsi_sheaf_part *part = add_bytes(sheaf, size, frame->head.attachments > 0);
    if (frame->head.attachments) {
        part->attachments = attachments;
        part->attachment_count = frame->head.attachments;
    }
}

uint32_t chainsi_sheaf_add(chainsi_sheaf *sheaf, chainsi_frame *frame, const void *body,
                           const int *attachments, void *user)
{
    assert(user);
    uint32_t id = take_id(sheaf);
    frame->head.id = id;
    add_head(sheaf, frame, attachments);
    size_t size = frame->head.body_size;
    if (size && size <= CHAINSI_SHEAF_COPIED) {
        chainsi_buffer_add(&sheaf->out, body, size);
        add_bytes(sheaf, size, false);
    } else if (size) {
        chainsi_sheaf_part *part = add_part(sheaf);
        part->data = body;
        part->size = size;
        sheaf->added += size;
    }
    sheaf->calls[id] = (chainsi_sheaf_call){
        .user = user,
        .end_at = sheaf->added,
        .outstanding = true,
    };
    sheaf->waiting++;
    return id;
}

static void advance(chainsi_sheaf *sheaf, size_t sent)
{
    sheaf->sent += sent;
    while (sent) {
        chainsi_sheaf_part *part = &sheaf->parts[sheaf->next_part];
        size_t now = sent < part->size ? sent : part->size;
        if (part->data)
            part->data = (const char *)part->data + now;
        else
            part->offset += now;
        part->size -= now;
        part->attachment_count = 0;
        sent -= now;
        if (!part->size)
            sheaf->next_part++;
    }
    if (sheaf->next_part == sheaf->part_count)
        sheaf->next_part = sheaf->part_count = sheaf->out.size = 0;
}

int chainsi_sheaf_flush(chainsi_sheaf *sheaf)
{
    while (sheaf->next_part < sheaf->part_count) {
        struct iovec vector[MOST_PARTS];
        struct msghdr message = { .msg_iov = vector };
        union {
            struct cmsghdr head;
            char space[CMSG_SPACE(sizeof(int) * CHAINSI_FRAME_MAX_ATTACHMENTS)];
        } control;
        for (size_t i = sheaf->next_part; i < sheaf->part_count && message.msg_iovlen < MOST_PARTS;
             i++) {
            const chainsi_sheaf_part *part = &sheaf->parts[i];
            if (part->attachment_count) {
                if (message.msg_iovlen)
                    break; /* they go with the first byte of a write */
                size_t size = sizeof(int) * part->attachment_count;
                message.msg_control = &control;
                message.msg_controllen = CMSG_SPACE(size);
                control.head.cmsg_level = SOL_SOCKET;
                control.head.cmsg_type = SCM_RIGHTS;
                control.head.cmsg_len = CMSG_LEN(size);
                memcpy(CMSG_DATA(&control.head), part->attachments, size);
            }
            const void *data = part->data ? part->data : sheaf->out.data + part->offset;
            vector[message.msg_iovlen++] = (struct iovec){ (void *)(uintptr_t)data, part->size };
        }
        ssize_t sent = sendmsg(sheaf->wire.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0)
            advance(sheaf, (size_t)sent);
        else if (errno != EINTR)
            return errno;
    }
    return 0;
}

bool chainsi_sheaf_has_left(const chainsi_sheaf *sheaf, uint32_t id)
{
    return sheaf->sent >= sheaf->calls[id].end_at;
}

bool chainsi_sheaf_is_sole(const chainsi_sheaf *sheaf)
{
    if (sheaf->waiting != 1 || sheaf->abandoned)
        return false;
    uint32_t id = 0;
    while (!sheaf->calls[id].user)
        id++;
    return sheaf->calls[id].end_at == sheaf->added;
}

void chainsi_sheaf_abandon(chainsi_sheaf *sheaf, uint32_t id, bool cancel)
{
    chainsi_sheaf_call *call = &sheaf->calls[id];
    assert(call->outstanding && call->user);
    call->user = NULL;
    sheaf->waiting--;
    sheaf->abandoned++;
    if (cancel) {
        chainsi_frame frame = { .head = { .kind = CHAINSI_FRAME_CANCEL, .id = id } };
        add_head(sheaf, &frame, NULL);
    }
}

/* ------------------------------------------------------------------------------------------------
 * reading */

/* The bytes of the frame that the buffer ends in the middle of; 0: not known. */
static size_t size_of_next(const chainsi_sheaf *sheaf)
{
    chainsi_frame_head head;
    size_t have = sheaf->in_size - sheaf->in_start;
    if (have < sizeof head)
        return 0;
    memcpy(&head, sheaf->in + sheaf->in_start, sizeof head);
    return sizeof head + sizeof(chainsi_frame_answer) + head.body_size;
}

/* Sees to room behind what was read: for the rest of the frame that has begun, or for some answers.
 * What was taken from the buffer stays where it is. */
void chainsi_sheaf_prepare(chainsi_sheaf *sheaf, chainsi_arena *arena)
{
    size_t have = sheaf->in_size - sheaf->in_start;
    size_t next = have ? size_of_next(sheaf) : 0;
    size_t room = sheaf->in_capacity - sheaf->in_size;
    if (room >= LEAST_READ / 4 && (!next || sheaf->in_start + next <= sheaf->in_capacity))
        return;
    size_t capacity = (size_t)sheaf->waiting * GUESSED_ANSWER;
    if (capacity < LEAST_READ)
        capacity = LEAST_READ;
    if (capacity > LARGEST_READ)
        capacity = LARGEST_READ;
    if (capacity < next + LEAST_READ / 4)
        capacity = next + LEAST_READ / 4;
    if (capacity < have + LEAST_READ)
        capacity = have + LEAST_READ;
    char *moved = chainsi_arena_alloc_raw(arena, capacity);
    if (have)
        memcpy(moved, sheaf->in + sheaf->in_start, have);
    sheaf->in = moved;
    sheaf->in_start = 0;
    sheaf->in_size = have;
    sheaf->in_capacity = capacity;
}

ptrdiff_t chainsi_sheaf_read(chainsi_sheaf *sheaf, chainsi_arena *arena, bool block)
{
    union {
        struct cmsghdr head;
        char space[CMSG_SPACE(sizeof(int) * CHAINSI_FRAME_MAX_ATTACHMENTS)];
    } control;
    chainsi_sheaf_prepare(sheaf, arena);
    struct iovec part = { sheaf->in + sheaf->in_size, sheaf->in_capacity - sheaf->in_size };
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    ssize_t got = recvmsg(sheaf->wire.fd, &message, MSG_CMSG_CLOEXEC | (block ? 0 : MSG_DONTWAIT));
    if (got < 0)
        return errno == EINTR ? -EAGAIN : -errno;
    if (message.msg_controllen)
        sheaf->attachment_count = chainsi_wire_take_attachments(
            &message, sheaf->attachments, sheaf->attachment_count,
            (int)(sizeof sheaf->attachments / sizeof *sheaf->attachments));
    sheaf->in_size += (size_t)got;
    return got;
}

static int refuse(const char **why, const char *text)
{
    *why = text;
    return CHAINSI_FRAME_REFUSED;
}

static bool take_attachments(chainsi_sheaf *sheaf, chainsi_sheaf_answer *answer)
{
    int count = answer->frame.head.attachments;
    if (count > sheaf->attachment_count)
        return false;
    memcpy(answer->attachments, sheaf->attachments, (size_t)count * sizeof(int));
    sheaf->attachment_count -= count;
    memmove(sheaf->attachments, sheaf->attachments + count,
            (size_t)sheaf->attachment_count * sizeof(int));
    return true;
}

int chainsi_sheaf_next(chainsi_sheaf *sheaf, uint64_t max_body, chainsi_sheaf_answer *answer,
                       const char **why)
{
    for (;;) {
        size_t have = sheaf->in_size - sheaf->in_start;
        chainsi_frame *frame = &answer->frame;
        if (!have)
            return 0;
        ptrdiff_t head =
            chainsi_frame_parse(sheaf->in + sheaf->in_start, have, max_body, frame, why);
        if (head <= 0)
            return (int)head;
        if (frame->head.kind != CHAINSI_FRAME_ANSWER &&
            frame->head.kind != CHAINSI_FRAME_NOT_STARTED)
            return refuse(why, "it is no answer");
        uint32_t id = frame->head.id;
        if (id >= sheaf->call_count || !sheaf->calls[id].outstanding ||
            !chainsi_sheaf_has_left(sheaf, id))
            return refuse(why, "it is no answer to any call");
        if (have - (size_t)head < frame->head.body_size)
            return 0;
        if (!take_attachments(sheaf, answer))
            return refuse(why, "descriptors are missing");
        answer->body = sheaf->in + sheaf->in_start + head;
        sheaf->in_start += (size_t)head + frame->head.body_size;
        answer->user = sheaf->calls[id].user;
        free_id(sheaf, id);
        if (answer->user) {
            sheaf->waiting--;
            return 1;
        }
        sheaf->abandoned--;
        for (int i = 0; i < frame->head.attachments; i++)
            close(answer->attachments[i]);
    }
}

void *chainsi_sheaf_take_back(chainsi_sheaf *sheaf, bool *has_left)
{
    for (uint32_t id = 0; sheaf->waiting && id < sheaf->call_count; id++) {
        void *user = sheaf->calls[id].user;
        if (!user)
            continue;
        *has_left = chainsi_sheaf_has_left(sheaf, id);
        sheaf->calls[id].user = NULL;
        sheaf->waiting--;
        sheaf->abandoned++;
        return user;
    }
    return NULL;
}

bool chainsi_sheaf_is_clean(const chainsi_sheaf *sheaf)
{
    return !sheaf->waiting && !sheaf->abandoned && sheaf->next_part == sheaf->part_count &&
           sheaf->in_start == sheaf->in_size && !sheaf->attachment_count;
}
