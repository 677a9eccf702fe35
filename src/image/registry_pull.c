/* Pulling a base: its manifest, then what that names and isn't here. */
#include "image/registry.h"

#include <stdio.h>
#include <string.h>

#include "schema/json.h"

#define DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define DOCKER_LIST     "application/vnd.docker.distribution.manifest.list.v2+json"

typedef struct pull_state {
    chainsi_exchange *exchange;
    chainsi_layout *layout;
    const char *repository;
    chainsi_problem *problem;
} pull_state;

static bool refuse_pull(const pull_state *pull, const chainsi_reply *reply, const char *what)
{
    char doing[512];
    snprintf(doing, sizeof doing, "give '%s' of '%s'", what, pull->repository);
    chainsi_exchange_refused(pull->exchange, reply, doing, pull->problem);
    if (reply->status == 404)
        snprintf(pull->problem->hint, sizeof pull->problem->hint,
                 "see that .image.base is spelt as the registry has it");
    return false;
}

/* Fetches a manifest or an index into the layout; text gets it too. */
static bool pull_document(const pull_state *pull, const char *reference, chainsi_buffer *text,
                          chainsi_oci_descriptor *document)
{
    chainsi_reply reply;
    const char *url = chainsi_arena_printf(&pull->exchange->arena, "/v2/%s/manifests/%s",
                                           pull->repository, reference);
    if (!chainsi_exchange_do(pull->exchange,
                             &(chainsi_ask){ .method = "GET",
                                             .url = url,
                                             .repository = pull->repository,
                                             .accept = CHAINSI_OCI_INDEX ", " CHAINSI_OCI_MANIFEST
                                                                         ", " DOCKER_LIST
                                                                         ", " DOCKER_MANIFEST },
                             &reply, pull->problem))
        return false;
    bool good = reply.status == 200 || refuse_pull(pull, &reply, reference);
    good = good && chainsi_layout_add(pull->layout, CHAINSI_OCI_MANIFEST, reply.body.data,
                                      reply.body.size, document, pull->problem);
    if (good && chainsi_is_digest(reference) && strcmp(reference, document->digest) != 0)
        good = chainsi_problem_set(pull->problem, "look for a proxy in between, and try again",
                                   "the registry '%s' gave %s of '%s' when asked for %s",
                                   pull->exchange->host, document->digest, pull->repository,
                                   reference);
    if (good)
        chainsi_buffer_add(text, reply.body.data, reply.body.size);
    chainsi_buffer_done(&reply.body);
    return good;
}

static bool pull_blob(const pull_state *pull, const chainsi_oci_descriptor *wanted)
{
    char digest[CHAINSI_OCI_DIGEST];
    chainsi_blob blob;
    chainsi_reply reply;
    if (!chainsi_is_digest(wanted->digest))
        return chainsi_problem_set(pull->problem, "name another base",
                                   "'%s' names '%.80s', which is no sha256 digest",
                                   pull->repository, wanted->digest);
    FILE *known = fopen(chainsi_layout_path(pull->layout, wanted->digest), "re");
    if (known) {
        fclose(known);
        return true;
    }
    bool good = chainsi_blob_begin(
        &blob, chainsi_arena_printf(&pull->layout->arena, "%s/blobs/sha256", pull->layout->folder),
        pull->problem);
    if (good) {
        const char *url = chainsi_arena_printf(&pull->exchange->arena, "/v2/%s/blobs/%s",
                                               pull->repository, wanted->digest);
        good = chainsi_exchange_do(
            pull->exchange,
            &(chainsi_ask){
                .method = "GET", .url = url, .repository = pull->repository, .into = &blob },
            &reply, pull->problem);
    }
    if (good) {
        good = (reply.status == 200 || refuse_pull(pull, &reply, wanted->digest)) &&
               chainsi_blob_end(&blob, wanted->digest, "what the registry sent", digest,
                                pull->problem);
        chainsi_buffer_done(&reply.body);
    }
    chainsi_blob_done(&blob);
    return good;
}

static const char *choose(const pull_state *pull, const chainsi_oci_index *index,
                          const char *architecture)
{
    for (size_t i = 0; i < index->manifests.count; i++) {
        const chainsi_oci_platform *platform = index->manifests.items[i].platform;
        if (platform && !strcmp(platform->os, "linux") &&
            !strcmp(platform->architecture, architecture))
            return index->manifests.items[i].digest;
    }
    chainsi_problem_set(pull->problem, "name a base for this machine's architecture",
                        "'%s' has no image for linux/%s", pull->repository, architecture);
    return NULL;
}

bool chainsi_registry_pull(chainsi_exchange *exchange, chainsi_layout *layout,
                           const char *repository, const char *reference, const char *architecture,
                           chainsi_oci_descriptor *manifest, chainsi_problem *problem)
{
    pull_state pull = { exchange, layout, repository, problem };
    chainsi_buffer text = { 0 };
    chainsi_oci_index index;
    chainsi_oci_manifest read;
    bool good = pull_document(&pull, reference, &text, manifest);
    if (good && chainsi_json_decode(&chainsi_type_oci_read_index, (char *)text.data, text.size,
                                    &layout->arena, &index, NULL) == CHAINS_OK) {
        const char *chosen = choose(&pull, &index, architecture);
        text.size = 0;
        good = chosen && pull_document(&pull, chosen, &text, manifest);
    }
    chainsi_codec_error error;
    if (good && chainsi_json_decode(&chainsi_type_oci_read_manifest, (char *)text.data, text.size,
                                    &layout->arena, &read, &error) != CHAINS_OK)
        good = chainsi_problem_set(problem, "name another base", "'%s' is no image: %s%s%s",
                                   repository, error.path, *error.path ? ": " : "", error.message);
    chainsi_buffer_done(&text);
    good = good && pull_blob(&pull, &read.config);
    for (size_t i = 0; good && i < read.layers.count; i++)
        good = pull_blob(&pull, &read.layers.items[i]);
    return good;
}
