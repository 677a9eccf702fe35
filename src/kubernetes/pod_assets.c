/* The files of .assets in a pod. A step before its container fetches what the cache hasn't got, checks the digest, and links
 * each file to the path that the Chainlet knows it by. The cache holds files by their digests, so that Chainlets,
 * versions and chains may share it: nothing has a digest's name before it was checked. */
#include "kubernetes/manifest_state.h"

#define CACHE_DIR "/run/chains/cache"

/* Its arguments are digest, URL and path of each file. No "$(" and no "$$": Kubernetes reads those. */
static const char script[] =
    "while [ \"$#\" -ge 3 ]; do\n"
    "  sha256=\"$1\" url=\"$2\" path=\"$3\"; shift 3\n"
    "  file=\"" CACHE_DIR "/$sha256\"\n"
    "  if [ ! -f \"$file\" ]; then\n"
    "    part=\"$file.$POD_NAME\"\n"
    "    echo \"fetching $path\"\n"
    "    curl -fsSL --proto '=http,https' --retry 8 --retry-connrefused -o \"$part\" \"$url\"\n"
    "    if ! echo \"$sha256  $part\" | sha256sum -c - >/dev/null 2>&1; then\n"
    "      rm -f \"$part\"\n"
    "      echo \"the asset $path is not what its .sha256 says ($sha256)\" >&2\n"
    "      exit 1\n"
    "    fi\n"
    "    chmod a+r \"$part\"\n"
    "    mv \"$part\" \"$file\"\n"
    "  fi\n"
    "  link=\"" CHAINSI_MANIFEST_ASSETS_DIR "/$path\"\n"
    "  mkdir -p \"${link%/*}\"\n"
    "  ln -sf \"$file\" \"$link\"\n"
    "done\n";

bool chainsi_manifest_has_assets(const chainsi_service *service)
{
    for (size_t i = 0; i < service->inside_count; i++)
        if (service->inside[i]->config.assets[0].url)
            return true;
    return false;
}

static void write_arguments(chainsi_manifest *manifest, const chainsi_service *service)
{
    chainsi_document *d = &manifest->document;
    chainsi_service_asset *assets;
    const size_t count = chainsi_service_assets(service, manifest->arena, &assets);
    chainsi_document_open_list(d, "args");
    for (size_t i = 0; i < count; i++) {
        chainsi_document_text(d, NULL, assets[i].sha256);
        chainsi_document_text(d, NULL, chainsi_manifest_literal(manifest, assets[i].url));
        chainsi_document_text(d, NULL, chainsi_manifest_literal(manifest, assets[i].path));
    }
    chainsi_document_close(d);
}

static void write_pod_name(chainsi_document *d)
{
    chainsi_document_open_list(d, "env");
    chainsi_document_open_map(d, NULL);
    chainsi_document_text(d, "name", "POD_NAME");
    chainsi_document_open_map(d, "valueFrom");
    chainsi_document_open_map(d, "fieldRef");
    chainsi_document_text(d, "fieldPath", "metadata.name");
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_close(d);
}

void chainsi_manifest_asset_step(chainsi_manifest *manifest, const chainsi_service *service)
{
    chainsi_document *d = &manifest->document;
    if (!chainsi_manifest_has_assets(service))
        return;
    chainsi_document_open_list(d, "initContainers");
    chainsi_document_open_map(d, NULL);
    chainsi_document_text(d, "name", "assets");
    chainsi_document_text(d, "image", manifest->options.fetch_image);
    chainsi_document_open_list(d, "command");
    chainsi_document_text(d, NULL, "/bin/sh");
    chainsi_document_text(d, NULL, "-euc");
    chainsi_document_text(d, NULL, script);
    chainsi_document_text(d, NULL, "assets");
    chainsi_document_close(d);
    write_arguments(manifest, service);
    write_pod_name(d);
    chainsi_document_open_map(d, "resources");
    chainsi_document_open_map(d, "requests");
    chainsi_document_text(d, "cpu", "100m");
    chainsi_document_text(d, "memory", "64Mi");
    chainsi_document_close(d);
    chainsi_document_open_map(d, "limits");
    chainsi_document_text(d, "cpu", "1");
    chainsi_document_text(d, "memory", "256Mi");
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_manifest_container_security(manifest);
    chainsi_document_open_list(d, "volumeMounts");
    chainsi_manifest_mount(manifest, "asset-cache", CACHE_DIR, false);
    chainsi_manifest_mount(manifest, "assets", CHAINSI_MANIFEST_ASSETS_DIR, false);
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_close(d);
}

void chainsi_manifest_asset_volumes(chainsi_manifest *manifest, const chainsi_service *service)
{
    chainsi_document *d = &manifest->document;
    if (!chainsi_manifest_has_assets(service))
        return;
    chainsi_document_open_map(d, NULL);
    chainsi_document_text(d, "name", "assets"); /* links alone */
    chainsi_document_open_map(d, "emptyDir");
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_open_map(d, NULL);
    chainsi_document_text(d, "name", "asset-cache");
    if (manifest->options.asset_claim) {
        chainsi_document_open_map(d, "persistentVolumeClaim");
        chainsi_document_text(d, "claimName", manifest->options.asset_claim);
        chainsi_document_close(d);
    } else {
        chainsi_document_open_map(d, "emptyDir");
        chainsi_document_close(d);
    }
    chainsi_document_close(d);
}

void chainsi_manifest_asset_mounts(chainsi_manifest *manifest, const chainsi_service *service)
{
    if (!chainsi_manifest_has_assets(service))
        return;
    chainsi_manifest_mount(manifest, "asset-cache", CACHE_DIR, true);
    chainsi_manifest_mount(manifest, "assets", CHAINSI_MANIFEST_ASSETS_DIR, true);
}
