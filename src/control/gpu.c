/* Who has which GPU.
 *
 * Assigning is a matching: each request needs `count` of the free devices that are of its kind. Devices are
 * given one by one; where none is left, requests before are asked to move to another one (augmenting
 * paths), so that an answer is found whenever there is one. */
#include "control/gpu.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/handle.h"

bool chainsi_gpu_is(const chainsi_gpu *gpu, const char *kind)
{
    size_t size = strlen(kind);
    if (!size)
        return false;
    if (!strcasecmp(kind, "any"))
        return true;
    /* Whole words: A10 is neither A100 nor A10G. */
    for (const char *at = gpu->name; strlen(at) >= size; at++) {
        bool begins = at == gpu->name || !isalnum((unsigned char)at[-1]);
        if (begins && !strncasecmp(at, kind, size) && !isalnum((unsigned char)at[size]))
            return true;
    }
    return false;
}

bool chainsi_gpu_read_request(const char *text, char kind[CHAINSI_GPU_TEXT], size_t *count)
{
    size_t size = strcspn(text, ":"), number = 1;
    if (!size || size >= CHAINSI_GPU_TEXT)
        return false;
    if (text[size]) {
        char *end;
        const char *digits = text + size + 1;
        if (*digits < '1' || *digits > '9')
            return false;
        number = strtoul(digits, &end, 10);
        if (*end || number > CHAINSI_GPU_MOST)
            return false;
    }
    memcpy(kind, text, size);
    kind[size] = 0;
    *count = number;
    return true;
}

static const size_t nobody = (size_t)-1;

/* A plan in the making. */
typedef struct plan {
    const chainsi_gpus *gpus;
    const char *const *owners;
    const chainsi_gpu_request *requests;
    const char **names; /* a request: the only name of its devices; NULL: any that is of its kind */
    size_t *holders;    /* a device: the request that has it; nobody */
    size_t *saved;      /* of holders, while something is tried */
    bool *seen;         /* a device: asked for on this path already */
} plan;

static bool may_have(const plan *p, size_t request, size_t device)
{
    const chainsi_gpu *gpu = &p->gpus->items[device];
    const char *name = p->names[request];
    return !p->owners[device] && chainsi_gpu_is(gpu, p->requests[request].kind) &&
           (!name || !strcmp(gpu->name, name));
}

/* Finds one more device for the request: a free one, else one whose holder can move. */
static bool give_one(plan *p, size_t request)
{
    for (size_t device = 0; device < p->gpus->count; device++) {
        if (p->holders[device] != nobody || !may_have(p, request, device))
            continue;
        p->holders[device] = request;
        return true;
    }
    for (size_t device = 0; device < p->gpus->count; device++) {
        if (p->seen[device] || p->holders[device] == request || !may_have(p, request, device))
            continue;
        p->seen[device] = true;
        if (!give_one(p, p->holders[device]))
            continue;
        p->holders[device] = request;
        return true;
    }
    return false;
}

/* All that the request needs, or nothing. */
static bool give_all(plan *p, size_t request)
{
    size_t count = p->gpus->count;
    memcpy(p->saved, p->holders, count * sizeof *p->holders);
    for (size_t i = 0; i < p->requests[request].count; i++) {
        memset(p->seen, 0, count * sizeof *p->seen);
        if (give_one(p, request))
            continue;
        memcpy(p->holders, p->saved, count * sizeof *p->holders);
        return false;
    }
    return true;
}

/* The same with devices of one name, the first that works. */
static bool give_alike(plan *p, size_t request)
{
    for (size_t i = 0; i < p->gpus->count; i++) {
        const char *name = p->gpus->items[i].name;
        bool tried = false;
        for (size_t before = 0; before < i; before++)
            tried = tried || !strcmp(p->gpus->items[before].name, name);
        p->names[request] = name;
        if (!tried && give_all(p, request))
            return true;
    }
    p->names[request] = NULL;
    return false;
}

/* Makes the whole plan; false: the request that failed. */
static bool make_plan(plan *p, size_t request_count, bool alike, size_t *failed)
{
    for (size_t i = 0; i < p->gpus->count; i++)
        p->holders[i] = nobody;
    memset(p->names, 0, request_count * sizeof *p->names);
    for (size_t i = 0; i < request_count; i++) {
        if (alike ? give_alike(p, i) : give_all(p, i))
            continue;
        *failed = i;
        return false;
    }
    return true;
}

/* "2 x NVIDIA A10G, NVIDIA T4". */
static void list_names(const chainsi_gpus *gpus, chainsi_buffer *text)
{
    for (size_t i = 0; i < gpus->count; i++) {
        size_t same = 0;
        bool listed = false;
        for (size_t other = 0; other < gpus->count; other++) {
            bool is_same = !strcmp(gpus->items[other].name, gpus->items[i].name);
            same += is_same;
            listed = listed || (is_same && other < i);
        }
        if (listed)
            continue;
        chainsi_buffer_add_text(text, i ? ", " : "");
        if (same > 1)
            chainsi_buffer_printf(text, "%zu x ", same);
        chainsi_buffer_add_text(text, gpus->items[i].name);
    }
}

static const char instead[] = "`chains deploy --fake FILE.c` puts a fake in its place (deploying "
                              "to a cluster that has others, "
                              "`--target kubernetes`, is not there yet)";

/* Why the request failed: the plan before it was possible. */
static void explain(const plan *p, size_t failed, char *why, size_t why_size)
{
    const chainsi_gpus *gpus = p->gpus;
    const chainsi_gpu_request *request = &p->requests[failed];
    chainsi_buffer text = { 0 };
    bool any = !strcasecmp(request->kind, "any");
    chainsi_buffer_printf(&text, "%s needs ", request->owner);
    if (request->count > 1)
        chainsi_buffer_printf(&text, "%zu GPUs", request->count);
    else
        chainsi_buffer_add_text(&text, "a GPU");
    if (!any)
        chainsi_buffer_printf(&text, " of the kind %s", request->kind);
    size_t fitting = 0;
    for (size_t i = 0; i < gpus->count; i++)
        fitting += chainsi_gpu_is(&gpus->items[i], request->kind);
    if (!gpus->count) {
        chainsi_buffer_printf(&text, ", and there is none here (%s): ", gpus->why);
        chainsi_buffer_add_text(&text, instead);
    } else if (fitting < request->count) {
        chainsi_buffer_add_text(&text, ", and here there is ");
        list_names(gpus, &text);
        chainsi_buffer_add_text(&text, ": ");
        chainsi_buffer_add_text(&text, instead);
    } else {
        chainsi_buffer_add_text(&text, ", and too few are free:");
        for (size_t i = 0, told = 0; i < gpus->count; i++) {
            const char *owner = p->owners[i];
            if (!owner && p->holders[i] != nobody)
                owner = p->requests[p->holders[i]].owner;
            if (!owner || !chainsi_gpu_is(&gpus->items[i], request->kind))
                continue;
            chainsi_buffer_printf(&text, "%s %s has %s (number %u)", told++ ? "," : "", owner,
                                  gpus->items[i].name, gpus->items[i].index);
        }
    }
    snprintf(why, why_size, "%.*s", (int)text.size, (const char *)text.data);
    chainsi_buffer_done(&text);
}

bool chainsi_gpus_assign(const chainsi_gpus *gpus, const char **owners,
                         const chainsi_gpu_request *requests, size_t request_count, char *why,
                         size_t why_size)
{
    plan p = { .gpus = gpus,
               .owners = owners,
               .requests = requests,
               .names = chainsi_make(request_count * sizeof *p.names),
               .holders = chainsi_make(gpus->count * sizeof *p.holders),
               .saved = chainsi_make(gpus->count * sizeof *p.saved),
               .seen = chainsi_make(gpus->count * sizeof *p.seen) };
    size_t failed;
    bool assigned =
        make_plan(&p, request_count, true, &failed) || make_plan(&p, request_count, false, &failed);
    for (size_t i = 0; assigned && i < gpus->count; i++)
        if (p.holders[i] != nobody)
            owners[i] = requests[p.holders[i]].owner;
    if (!assigned)
        explain(&p, failed, why, why_size);
    free(p.names);
    free(p.holders);
    free(p.saved);
    free(p.seen);
    return assigned;
}

void chainsi_gpus_release(const chainsi_gpus *gpus, const char **owners, const char *owner)
{
    for (size_t i = 0; i < gpus->count; i++)
        if (owners[i] && !strcmp(owners[i], owner))
            owners[i] = NULL;
}

size_t chainsi_gpus_environment(const chainsi_gpus *gpus, const char *const *owners,
                                const char *owner, chainsi_buffer *entries)
{
    /* Numbers, which mean the order of PCI addresses only if CUDA is told so, where a UUID is missing:
     * it takes one or the other. */
    bool by_number = false;
    for (size_t i = 0; i < gpus->count; i++)
        by_number = by_number || !gpus->items[i].uuid[0];
    chainsi_buffer_add_text(entries, "CUDA_VISIBLE_DEVICES=");
    bool first = true;
    for (size_t i = 0; i < gpus->count; i++) {
        if (!owners[i] || strcmp(owners[i], owner) != 0)
            continue;
        chainsi_buffer_add_text(entries, first ? "" : ",");
        if (by_number)
            chainsi_buffer_printf(entries, "%u", gpus->items[i].index);
        else
            chainsi_buffer_add_text(entries, gpus->items[i].uuid);
        first = false;
    }
    chainsi_buffer_add_byte(entries, 0);
    if (!by_number)
        return 1;
    chainsi_buffer_add_text(entries, "CUDA_DEVICE_ORDER=PCI_BUS_ID");
    chainsi_buffer_add_byte(entries, 0);
    return 2;
}
