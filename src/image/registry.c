/* Pushing: blobs first, then manifests, then the tag. */
#include "image/registry.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/json.h"

typedef struct push_state {
    chainsi_exchange *exchange;
    chainsi_layout *layout;
    const char *repository;
    chainsi_pushed *pushed;
    chainsi_problem *problem;
} push_state;

static bool ask_registry(push_state *push, const chainsi_ask *ask, chainsi_reply *reply)
{
    chainsi_ask whole = *ask;
    whole.repository = push->repository;
    return chainsi_exchange_do(push->exchange, &whole, reply, push->problem);
}

static bool refuse(push_state *push, const chainsi_reply *reply, const char *what)
{
    char doing[512];
    snprintf(doing, sizeof doing, "take %s of '%s'", what, push->repository);
    return chainsi_exchange_refused(push->exchange, reply, doing, push->problem);
}

static bool is_there(push_state *push, const char *kind, const char *digest, bool *there)
{
    chainsi_reply reply;
    const char *url = chainsi_arena_printf(&push->exchange->arena, "/v2/%s/%s/%s", push->repository,
                                           kind, digest);
    if (!ask_registry(
            push, &(chainsi_ask){ .method = "HEAD", .url = url, .accept = CHAINSI_OCI_MANIFEST },
            &reply))
        return false;
    *there = reply.status == 200;
    /* Some answer 403 to a question for what isn't there, and would take it. */
    bool good =
        *there || reply.status == 404 || reply.status == 403 || refuse(push, &reply, "blobs");
    chainsi_buffer_done(&reply.body);
    return good;
}

/* Begins an upload: *location is where to. What another repository of the registry has (chains share libraries) may be
 * taken from there; then there is nothing to send, and *location is NULL. */
static bool begin_upload(push_state *push, const char *digest, const char **location)
{
    chainsi_arena *arena = &push->exchange->arena;
    const char *from = push->exchange->pushed;
    const char *url = from ? chainsi_arena_printf(arena, "/v2/%s/blobs/uploads/?mount=%s&from=%s",
                                                  push->repository, digest, from)
                           : chainsi_arena_printf(arena, "/v2/%s/blobs/uploads/", push->repository);
    chainsi_reply reply;
    if (!ask_registry(push, &(chainsi_ask){ .method = "POST", .url = url }, &reply))
        return false;
    bool mounted = from && reply.status == 201;
    bool good = mounted || (reply.status == 202 && reply.location);
    if (!good)
        refuse(push, &reply, "a blob");
    *location = mounted ? NULL : reply.location;
    chainsi_buffer_done(&reply.body);
    return good;
}

static bool push_blob(push_state *push, const chainsi_oci_descriptor *blob)
{
    bool there;
    const char *location = NULL;
    if (!is_there(push, "blobs", blob->digest, &there) ||
        (!there && !begin_upload(push, blob->digest, &location)))
        return false;
    if (!location)
        return true;
    const char *url = chainsi_arena_printf(&push->exchange->arena, "%s%cdigest=%s", location,
                                           strchr(location, '?') ? '&' : '?', blob->digest);
    chainsi_reply reply;
    if (!ask_registry(push,
                      &(chainsi_ask){ .method = "PUT",
                                      .url = url,
                                      .type = "application/octet-stream",
                                      .file = chainsi_layout_path(push->layout, blob->digest),
                                      .size = blob->size },
                      &reply))
        return false;
    bool good = reply.status == 201 || refuse(push, &reply, blob->digest);
    chainsi_buffer_done(&reply.body);
    push->pushed->sent += good ? blob->size : 0;
    push->pushed->blobs += good;
    return good;
}

static bool put_manifest(push_state *push, const char *as, const char *type, const void *data,
                         size_t size, const char *digest, bool *knows_subjects)
{
    chainsi_reply reply;
    const char *url =
        chainsi_arena_printf(&push->exchange->arena, "/v2/%s/manifests/%s", push->repository, as);
    if (!ask_registry(
            push,
            &(chainsi_ask){
                .method = "PUT", .url = url, .type = type, .data = data, .size = (int64_t)size },
            &reply))
        return false;
    bool good = reply.status == 201 || refuse(push, &reply, "the manifest");
    if (good && digest && reply.digest && strcmp(reply.digest, digest) != 0)
        good =
            chainsi_problem_set(push->problem,
                                "something between here and there changes what is sent: look for a "
                                "proxy, and push again",
                                "the registry '%s' has the manifest of '%s' as %.80s instead of %s",
                                push->exchange->host, push->repository, reply.digest, digest);
    *knows_subjects = reply.subject != NULL;
    chainsi_buffer_done(&reply.body);
    return good;
}

static bool push_manifest(push_state *push, const chainsi_oci_descriptor *manifest, const char *as,
                          bool *knows_subjects)
{
    chainsi_buffer text = { 0 };
    bool good =
        chainsi_layout_get(push->layout, manifest->digest, (size_t)4 << 20, &text, push->problem) &&
        put_manifest(push, as, manifest->media_type, text.data, text.size, manifest->digest,
                     knows_subjects);
    chainsi_buffer_done(&text);
    return good;
}

/* Where the registry keeps no list of what has an image as its subject, clients do, under a tag. */
static bool push_referrers(push_state *push, const chainsi_image *image)
{
    chainsi_oci_pair title = { "org.opencontainers.image.title", "sbom.spdx.json" };
    chainsi_oci_listed listed = { .media_type = image->sbom_manifest.media_type,
                                  .digest = image->sbom_manifest.digest,
                                  .size = image->sbom_manifest.size,
                                  .artifact_type = CHAINSI_SPDX,
                                  .annotations = { &title, 1 } };
    chainsi_oci_index index = { 2, CHAINSI_OCI_INDEX, { &listed, 1 } };
    chainsi_buffer text = { 0 };
    if (chainsi_json_encode(&chainsi_type_oci_index, &index, &text, NULL) != CHAINS_OK)
        abort();
    bool ignored;
    bool good = put_manifest(
        push, chainsi_arena_printf(&push->exchange->arena, "sha256-%s", image->manifest.digest + 7),
        CHAINSI_OCI_INDEX, text.data, text.size, NULL, &ignored);
    chainsi_buffer_done(&text);
    return good;
}

bool chainsi_registry_push(chainsi_exchange *exchange, chainsi_layout *layout,
                           const char *repository, const chainsi_image *image, const char *tag,
                           chainsi_pushed *pushed, chainsi_problem *problem)
{
    chainsi_arena *arena = &layout->arena;
    *pushed = (chainsi_pushed){ 0 };
    push_state push = { exchange, layout, repository, pushed, problem };
    tag = tag ? tag : chainsi_arena_copy(arena, image->manifest.digest + 7, 12);
    pushed->reference = chainsi_arena_printf(arena, "%s/%s:%s", exchange->host, repository, tag);

    for (size_t i = 0; i < image->layers.count; i++)
        if (!push_blob(&push, &image->layers.items[i]))
            return false;
    const chainsi_oci_descriptor empty = {
        CHAINSI_OCI_EMPTY,
        "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", 2
    };
    bool ignored, knows_subjects;
    bool good =
        push_blob(&push, &image->config) && push_blob(&push, &image->sbom) &&
        push_blob(&push, &empty) &&
        /* By its digest first: what is said about it needs it, and the tag is last. */
        push_manifest(&push, &image->manifest, image->manifest.digest, &ignored) &&
        push_manifest(&push, &image->sbom_manifest, image->sbom_manifest.digest, &knows_subjects) &&
        (knows_subjects || push_referrers(&push, image)) &&
        push_manifest(&push, &image->manifest, tag, &ignored);
    if (good)
        exchange->pushed = chainsi_arena_strdup(&exchange->arena, repository);
    return good;
}
