/* The shared blocks beside a message. A block that holds several values is there once. */
#include "base/attachments.h"

#include <string.h>
#include <unistd.h>

void chainsi_attachments_done(chainsi_attachments *attachments)
{
    for (unsigned i = 0; i < attachments->count; i++)
        chainsi_share_unref(attachments->shares[i]);
    attachments->count = 0;
    attachments->shared = attachments->copied = attachments->may_name = 0;
}

/* The index of share, which is taken; CHAINSI_MAX_ATTACHMENTS: there is no place. */
static unsigned place(chainsi_attachments *attachments, chainsi_share *share)
{
    for (unsigned i = 0; i < attachments->count; i++) {
        if (attachments->shares[i] == share) {
            chainsi_share_unref(share);
            return i;
        }
    }
    if (attachments->count == CHAINSI_MAX_ATTACHMENTS) {
        chainsi_share_unref(share);
        return CHAINSI_MAX_ATTACHMENTS;
    }
    attachments->shares[attachments->count] = share;
    return attachments->count++;
}

bool chainsi_attachments_add(chainsi_attachments *attachments, const void *data, size_t size,
                             bool text, chainsi_reference *reference)
{
    if (!chainsi_share_wants(size))
        return false;
    size_t offset;
    chainsi_share *share = chainsi_share_find(data, size + text, &offset);
    bool copied = !share;
    if (copied) {
        if (size < CHAINSI_SHARE_LEAST_COPY || attachments->count == CHAINSI_MAX_ATTACHMENTS)
            return false;
        offset = 0;
        share = chainsi_share_copy(data, size);
        if (!share)
            return false;
    }
    unsigned index = place(attachments, share);
    if (index == CHAINSI_MAX_ATTACHMENTS)
        return false;
    *(copied ? &attachments->copied : &attachments->shared) += size;
    *reference = (chainsi_reference){ index, (uint32_t)size, offset };
    return true;
}

unsigned chainsi_attachments_descriptors(const chainsi_attachments *attachments,
                                         int descriptors[CHAINSI_MAX_ATTACHMENTS])
{
    for (unsigned i = 0; i < attachments->count; i++)
        descriptors[i] = chainsi_share_descriptor(attachments->shares[i]);
    return attachments->count;
}

bool chainsi_attachments_receive(chainsi_attachments *attachments, const int *descriptors,
                                 unsigned count, uint64_t may_name, const char **why)
{
    *attachments = (chainsi_attachments){ .may_name = may_name };
    bool good = count <= CHAINSI_MAX_ATTACHMENTS;
    if (!good)
        *why = "more memfds than a message may have were attached";
    for (unsigned i = 0; i < count; i++) {
        chainsi_share *share = good ? chainsi_share_receive(descriptors[i], why) : NULL;
        if (share)
            attachments->shares[attachments->count++] = share;
        else if (!good)
            close(descriptors[i]);
        good = good && share;
    }
    if (!good)
        chainsi_attachments_done(attachments);
    return good;
}

const void *chainsi_attachments_find(chainsi_attachments *attachments,
                                     const chainsi_reference *reference, bool text,
                                     const char **why)
{
    if (reference->attachment >= attachments->count) {
        *why = "a reference to an attachment that isn't there";
        return NULL;
    }
    const chainsi_share *share = attachments->shares[reference->attachment];
    const uint64_t size = (uint64_t)reference->size + text, all = chainsi_share_size(share);
    if (reference->offset > all || size > all - reference->offset) {
        *why = "a reference beyond the end of its attachment";
        return NULL;
    }
    const uint8_t *data = (const uint8_t *)chainsi_share_data(share) + reference->offset;
    if (text && data[reference->size]) {
        *why = "a reference to a string without a NUL behind it";
        return NULL;
    }
    if (reference->size > attachments->may_name) {
        *why = "references to more bytes than a message may have";
        return NULL;
    }
    attachments->may_name -= reference->size;
    return data;
}

void chainsi_attachments_keep(const chainsi_attachments *attachments, chainsi_arena *arena)
{
    for (unsigned i = 0; i < attachments->count; i++)
        chainsi_arena_keep(arena, attachments->shares[i]);
}
