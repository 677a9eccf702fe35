#include "runtime/near.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"
#include "schema/msgpack.h"

chainsi_near *chainsi_near_find(const chainsi_interface *interface)
{
    char name[256];
    snprintf(name, sizeof name, "CHAINS_%s_NEAR", interface->c_name);
    for (char *at = name; *at; at++)
        *at = (char)toupper((unsigned char)*at);
    const char *folder = getenv(name);
    return folder && *folder && !interface->external ? chainsi_near_new(folder) : NULL;
}

/* The blocks once more, as who receives them sees them. */
static bool copy_attachments(const chainsi_message *message, chainsi_attachments *copy,
                             const char **why)
{
    int descriptors[CHAINSI_MAX_ATTACHMENTS];
    unsigned count = chainsi_attachments_descriptors(&message->attachments, descriptors);
    for (unsigned i = 0; i < count; i++)
        descriptors[i] = fcntl(descriptors[i], F_DUPFD_CLOEXEC, 0); /* what is none is refused */
    return chainsi_attachments_receive(copy, descriptors, count, UINT64_MAX, why);
}

chains_status chainsi_near_flatten(const chainsi_interface *interface, chains_ctx *ctx,
                                   const chainsi_message *message, chainsi_message *flat)
{
    chainsi_attachments beside = { .count = 0 };
    const char *refusal;
    if (!copy_attachments(message, &beside, &refusal))
        return chainsi_error_set(ctx, CHAINS_RESOURCE_EXHAUSTED, interface->name, "run_remote",
                                 NULL, "the arguments of the call to %s can't be copied: %s",
                                 interface->name, refusal);
    chainsi_arena arena = { 0 };
    chainsi_codec_error why;
    char *body = chainsi_arena_copy(&arena, (const char *)message->body.data, message->body.size);
    void *input = chainsi_arena_alloc(&arena, interface->input->size);
    chains_status status = chainsi_msgpack_decode_shared(interface->input, body, message->body.size,
                                                         &beside, &arena, input, &why);
    if (status == CHAINS_OK)
        status = chainsi_msgpack_encode(interface->input, input, &flat->body, &why);
    if (status != CHAINS_OK)
        status = chainsi_error_argument(ctx, interface, &why);
    chainsi_attachments_done(&beside);
    chainsi_arena_done(&arena);
    return status;
}
