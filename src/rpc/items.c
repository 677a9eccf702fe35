#include "rpc/items.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    FIRST_CAPACITY = 16 * 1024, /* more small items than that a socket doesn't hold */
    MOST_MOVED = 1024,       /* bytes that are moved to have all of the buffer for the next read */
    MOST_KEPT = 1024 * 1024, /* a buffer that has grown larger is given back */
};

void chainsi_items_init(chainsi_items *items, uint32_t id, size_t max_body)
{
    items->id = id;
    items->max_body = max_body;
    items->given = items->size = 0;
    items->attachment_count = 0;
    items->data = NULL;
    items->capacity = items->start = 0;
}

void chainsi_items_done(chainsi_items *items)
{
    free(items->data);
    items->data = NULL;
    while (items->attachment_count)
        close(items->attachments[--items->attachment_count]);
}

/* The bytes of the frame that the buffer ends in the middle of; 0: not known. Its head has been
 * found good. */
static size_t size_of_next(const chainsi_items *items)
{
    chainsi_frame_head head;
    if (items->size < sizeof head)
        return 0;
    memcpy(&head, items->data + items->start, sizeof head);
    return sizeof head + sizeof(chainsi_frame_answer) + head.body_size;
}

static void resize(chainsi_items *items, size_t capacity)
{
    char *data = realloc(items->data, capacity);
    if (!data) {
        fprintf(stderr, "chains: out of memory: no %zu bytes\n", capacity);
        abort();
    }
    items->data = data;
    items->capacity = capacity;
}

char *chainsi_items_make_room(chainsi_items *items, size_t *room)
{
    size_t need = size_of_next(items);
    if (need < FIRST_CAPACITY)
        need = FIRST_CAPACITY;
    if (items->start && (items->size <= MOST_MOVED || items->start + need > items->capacity)) {
        memmove(items->data, items->data + items->start, items->size);
        items->start = 0;
    }
    if (need > items->capacity - items->start ||
        (items->capacity > MOST_KEPT && need <= MOST_KEPT && !items->start))
        resize(items, need);
    char *at = items->data + items->start + items->size;
    *room = items->capacity - items->start - items->size;
    return at;
}

void chainsi_items_add(chainsi_items *items, size_t size)
{
    items->size += size;
}

static int refuse(const char **why, const char *text)
{
    *why = text;
    return CHAINSI_FRAME_REFUSED;
}

static void take_attachments(chainsi_items *items, int *attachments, int count)
{
    if (!count)
        return;
    memcpy(attachments, items->attachments, (size_t)count * sizeof *attachments);
    items->attachment_count -= count;
    memmove(items->attachments, items->attachments + count,
            (size_t)items->attachment_count * sizeof *attachments);
}

int chainsi_items_next(chainsi_items *items, chainsi_items_part *part, const char **why)
{
    const chainsi_frame_head *head = &part->frame.head;
    char *data = items->data + items->start;
    ptrdiff_t before = chainsi_frame_parse(data, items->size, items->max_body, &part->frame, why);
    if (before <= 0)
        return (int)before;
    if (head->id != items->id)
        return refuse(why, "it is for another call");
    if (head->kind != CHAINSI_FRAME_ITEM && head->kind != CHAINSI_FRAME_ANSWER &&
        (head->kind != CHAINSI_FRAME_NOT_STARTED || items->given))
        return refuse(why, "it is no answer to the call");
    if (items->size - (size_t)before < head->body_size)
        return 0;
    if (head->attachments > items->attachment_count)
        return refuse(why, "descriptors are missing");
    take_attachments(items, part->attachments, head->attachments);
    part->body = data + before;
    items->start += (size_t)before + head->body_size;
    items->size -= (size_t)before + head->body_size;
    items->given += head->kind == CHAINSI_FRAME_ITEM;
    return 1;
}
