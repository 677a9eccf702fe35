/* Chainlets that a caller wants `.near`: on its node, if that can be, and called there through a folder of the node
 * (rpc/near.h), where a claim of one is given. */
#include "kubernetes/manifest_state.h"

#include <string.h>

#include "compiler/build.h"

#define NEAR_DIR "/run/chains/near"

/* Whether what is in the caller's process wants the Chainlet on its node. */
static bool wants_near(const chainsi_service *caller, const chainsi_model_chainlet *callee)
{
    for (size_t i = 0; i < caller->inside_count; i++)
        for (size_t k = 0; k < caller->inside[i]->dependency_count; k++) {
            const chainsi_model_dependency *dependency = &caller->inside[i]->dependencies[k];
            if (dependency->chainlet == callee && dependency->options.near)
                return true;
        }
    return false;
}

bool chainsi_manifest_is_near(const chainsi_manifest *manifest, const chainsi_service *service)
{
    for (size_t i = 0; i < manifest->service_count; i++)
        if (wants_near(&manifest->services[i], service->chainlet))
            return true;
    return false;
}

void chainsi_manifest_near_affinity(chainsi_manifest *manifest, const chainsi_service *service)
{
    chainsi_document *d = &manifest->document;
    chainsi_document_open_map(d, "podAffinity");
    chainsi_document_open_list(d, "preferredDuringSchedulingIgnoredDuringExecution");
    for (size_t i = 0; i < manifest->service_count; i++) {
        if (!wants_near(&manifest->services[i], service->chainlet))
            continue;
        chainsi_document_open_map(d, NULL);
        chainsi_document_number(d, "weight", 100);
        chainsi_document_open_map(d, "podAffinityTerm");
        chainsi_manifest_select(manifest, "labelSelector", manifest->services[i].chainlet);
        chainsi_document_text(d, "topologyKey", "kubernetes.io/hostname");
        chainsi_document_close(d);
        chainsi_document_close(d);
    }
    chainsi_document_close(d);
    chainsi_document_close(d);
}

/* Whether it calls one there, or is called. */
static bool has_folder(const chainsi_manifest *manifest, const chainsi_service *service)
{
    if (!manifest->options.near_claim || chainsi_manifest_is_knative(manifest))
        return false;
    for (size_t i = 0; i < service->dependency_count; i++)
        if (wants_near(service, service->dependencies[i]))
            return true;
    return chainsi_manifest_is_near(manifest, service);
}

const char *chainsi_manifest_near_folder(const chainsi_manifest *manifest,
                                         const chainsi_service *caller,
                                         const chainsi_model_chainlet *callee)
{
    if (!manifest->options.near_claim || chainsi_manifest_is_knative(manifest) ||
        (caller && !wants_near(caller, callee)))
        return NULL;
    return chainsi_arena_printf(manifest->arena, NEAR_DIR "/%s",
                                chainsi_manifest_name(manifest, callee));
}

const char *chainsi_manifest_near_variable(chainsi_arena *arena,
                                           const chainsi_model_chainlet *callee)
{
    const char *url = chainsi_build_url_variable(arena, callee);
    return chainsi_arena_printf(arena, "%.*sNEAR", (int)(strlen(url) - strlen("URL")), url);
}

void chainsi_manifest_near_mount(chainsi_manifest *manifest, const chainsi_service *service)
{
    chainsi_document *d = &manifest->document;
    if (!has_folder(manifest, service))
        return;
    chainsi_document_open_map(d, NULL);
    chainsi_document_text(d, "name", "near");
    chainsi_document_text(d, "mountPath", NEAR_DIR);
    /* Other chains have other folders, with the mode of the volume's own. */
    chainsi_document_text(d, "subPath", manifest->options.chain);
    chainsi_document_close(d);
}

void chainsi_manifest_near_volume(chainsi_manifest *manifest, const chainsi_service *service)
{
    chainsi_document *d = &manifest->document;
    if (!has_folder(manifest, service))
        return;
    chainsi_document_open_map(d, NULL);
    chainsi_document_text(d, "name", "near");
    chainsi_document_open_map(d, "persistentVolumeClaim");
    chainsi_document_text(d, "claimName", manifest->options.near_claim);
    chainsi_document_close(d);
    chainsi_document_close(d);
}
