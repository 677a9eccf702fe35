/* Bases. Whatever they were called by, what is used of them is named by digests, which are checked. */
#include "image/base.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/blob.h"
#include "image/registry.h"
#include "image/tool.h"
#include "image/unpack.h"
#include "schema/json.h"

#define MAX_DOCUMENT ((size_t)16 << 20)

typedef struct getting {
    chainsi_layout *layout;
    chainsi_arena *arena;
    const char *name, *architecture;
    chainsi_problem *problem;
} base_getting;

static bool decode(const base_getting *getting, const chainsi_type *type,
                   const chainsi_buffer *text, void *value)
{
    chainsi_codec_error error;
    return chainsi_json_decode(type, (char *)text->data, text->size, getting->arena, value,
                               &error) == CHAINS_OK ||
           chainsi_problem_set(getting->problem, "name another base, or pull it anew",
                               "the base '%s' can't be read: %s%s%s", getting->name, error.path,
                               *error.path ? ": " : "", error.message);
}

/* --------------------------------------------------------------------------------------------
 * from a folder */

static bool copy_blob(const base_getting *getting, chainsi_layout *from, const char *digest)
{
    if (!chainsi_is_digest(digest))
        return chainsi_problem_set(getting->problem, NULL,
                                   "the base '%s' names '%.80s', which is no digest", getting->name,
                                   digest);
    if (access(chainsi_layout_path(getting->layout, digest), F_OK) == 0)
        return true;
    const char *path = chainsi_layout_path(from, digest);
    FILE *file = fopen(path, "re");
    if (!file)
        return chainsi_problem_file(getting->problem, "read a part of the base,", path);
    static uint8_t piece[1 << 16];
    char found[CHAINSI_OCI_DIGEST];
    chainsi_blob blob;
    size_t got;
    bool good = chainsi_blob_begin(
        &blob, chainsi_arena_printf(getting->arena, "%s/blobs/sha256", getting->layout->folder),
        getting->problem);
    while (good && (got = fread(piece, 1, sizeof piece, file)) > 0)
        good = chainsi_blob_write(&blob, piece, got, getting->problem);
    good = good && chainsi_blob_end(&blob, digest, path, found, getting->problem);
    chainsi_blob_done(&blob);
    fclose(file);
    return good;
}

static const char *ref_name(const chainsi_oci_listed *listed)
{
    for (size_t i = 0; i < listed->annotations.count; i++)
        if (!strcmp(listed->annotations.items[i].key, CHAINSI_OCI_REF_NAME))
            return listed->annotations.items[i].value;
    return NULL;
}

static bool from_folder(const base_getting *getting, const char *place, const char **digest)
{
    const char *colon = strchr(place, ':');
    const char *wanted = colon ? colon + 1 : NULL;
    const char *folder =
        chainsi_arena_copy(getting->arena, place, colon ? (size_t)(colon - place) : strlen(place));
    chainsi_layout from;
    bool good = chainsi_layout_read(&from, folder, getting->problem);
    const chainsi_oci_listed *found = NULL;
    for (size_t i = 0; good && i < from.index.manifests.count; i++) {
        const chainsi_oci_listed *listed = &from.index.manifests.items[i];
        const char *name = ref_name(listed);
        if (!found && !listed->artifact_type && (!wanted || (name && !strcmp(name, wanted))))
            found = listed;
    }
    if (good && !found)
        good = chainsi_problem_set(
            getting->problem, "`skopeo list-tags` or its index.json tells the names",
            "the base '%s' is not there: '%s' has no image%s%s", getting->name, folder,
            wanted ? " named " : "", wanted ? wanted : "");
    chainsi_buffer text = { 0 };
    chainsi_oci_manifest manifest;
    if (good) {
        *digest = chainsi_arena_strdup(getting->arena, found->digest);
        good = chainsi_layout_get(&from, found->digest, MAX_DOCUMENT, &text, getting->problem) &&
               decode(getting, &chainsi_type_oci_read_manifest, &text, &manifest) &&
               copy_blob(getting, &from, found->digest) &&
               copy_blob(getting, &from, manifest.config.digest);
        for (size_t i = 0; good && i < manifest.layers.count; i++)
            good = copy_blob(getting, &from, manifest.layers.items[i].digest);
    }
    chainsi_buffer_done(&text);
    chainsi_layout_close(&from);
    return good;
}

/* --------------------------------------------------------------------------------------------
 * from a registry */

static bool from_registry(const base_getting *getting, const char **digest)
{
    chainsi_arena *arena = getting->arena;
    const char *name = getting->name;
    size_t first = strcspn(name, "/");
    /* A first part is a host if it looks like one. */
    bool hosted = name[first] && (memchr(name, '.', first) || memchr(name, ':', first) ||
                                  (first == 9 && !strncmp(name, "localhost", 9)));
    const char *host = hosted ? chainsi_arena_copy(arena, name, first) : "registry-1.docker.io";
    const char *rest = hosted ? name + first + 1 : name;
    const char *at = strchr(rest, '@'), *slash = strrchr(rest, '/');
    const char *colon = strchr(slash ? slash : rest, ':');
    if (at && colon > at)
        colon = NULL;
    size_t size = colon ? (size_t)(colon - rest) : at ? (size_t)(at - rest) : strlen(rest);
    const char *repository = chainsi_arena_printf(
        arena, "%s%.*s", hosted || memchr(rest, '/', size) ? "" : "library/", (int)size, rest);
    const char *reference = at ? at + 1 : colon ? colon + 1 : "latest";
    chainsi_exchange exchange;
    chainsi_oci_descriptor manifest;
    bool good = chainsi_exchange_open(&exchange, host, getting->problem) &&
                chainsi_registry_pull(&exchange, getting->layout, repository, reference,
                                      getting->architecture, &manifest, getting->problem);
    if (good)
        *digest = manifest.digest;
    chainsi_exchange_close(&exchange);
    return good;
}

/* --------------------------------------------------------------------------------------------
 * what is known of it */

static bool unpack(const base_getting *getting, chainsi_base *base, const char *work)
{
    chainsi_arena *arena = getting->arena;
    const char *whole = chainsi_arena_printf(arena, "%s/base-%.16s", work, base->digest + 7);
    const char *part = chainsi_arena_printf(arena, "%s.part", whole);
    base->root = whole;
    if (access(whole, F_OK) != 0) {
        const char *remove[] = { "rm", "-rf", "--", part, NULL };
        chainsi_buffer said = { 0 };
        bool good =
            chainsi_tool_run(remove, "coreutils", "can't begin anew", &said, getting->problem);
        chainsi_buffer_done(&said);
        if (good && mkdir(part, 0755) != 0)
            good = chainsi_problem_file(getting->problem, "make the folder", part);
        for (size_t i = 0; good && i < base->layers.count; i++)
            good = chainsi_unpack_layer(
                chainsi_layout_path(getting->layout, base->layers.items[i].digest), part,
                getting->problem);
        if (good && rename(part, whole) != 0)
            good = chainsi_problem_file(getting->problem, "make the folder", whole);
        if (!good)
            return false;
    }
    const char *status = chainsi_arena_printf(arena, "%s/var/lib/dpkg/status", whole);
    base->status = access(status, R_OK) == 0 ? status : NULL;
    return true;
}

/* Docker's names of layers, in OCI's words. */
static const char *oci_name(const char *media_type)
{
    static const char *const names[][2] = {
        { "application/vnd.docker.image.rootfs.diff.tar.gzip", CHAINSI_OCI_LAYER_GZIP },
        { "application/vnd.docker.image.rootfs.diff.tar.zstd", CHAINSI_OCI_LAYER_ZSTD },
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(media_type, names[i][0]))
            return names[i][1];
    return media_type;
}

static bool read_base(const base_getting *getting, chainsi_base *base)
{
    chainsi_buffer text = { 0 };
    chainsi_oci_manifest manifest;
    chainsi_oci_config config;
    bool good =
        chainsi_layout_get(getting->layout, base->digest, MAX_DOCUMENT, &text, getting->problem) &&
        decode(getting, &chainsi_type_oci_read_manifest, &text, &manifest);
    text.size = 0;
    good = good &&
           chainsi_layout_get(getting->layout, manifest.config.digest, MAX_DOCUMENT, &text,
                              getting->problem) &&
           decode(getting, &chainsi_type_oci_read_config, &text, &config);
    chainsi_buffer_done(&text);
    if (!good)
        return false;
    if (strcmp(config.architecture, getting->architecture) != 0)
        return chainsi_problem_set(getting->problem, "name a base for this machine's architecture",
                                   "the base '%s' is for %s, and this machine is %s", getting->name,
                                   config.architecture, getting->architecture);
    if (config.rootfs.diff_ids.count != manifest.layers.count)
        return chainsi_problem_set(
            getting->problem, "name another base",
            "the base '%s' is damaged: it has %zu layers, and digests of %zu", getting->name,
            manifest.layers.count, config.rootfs.diff_ids.count);
    base->layers = manifest.layers;
    for (size_t i = 0; i < manifest.layers.count; i++)
        manifest.layers.items[i].media_type = oci_name(manifest.layers.items[i].media_type);
    base->diff_ids = config.rootfs.diff_ids;
    base->env = config.config.env;
    base->labels = config.config.labels;
    return true;
}

bool chainsi_base_get(chainsi_layout *layout, const char *name, const char *work,
                      const char *architecture, chainsi_base *base, chainsi_problem *problem)
{
    base_getting getting = { layout, &layout->arena, name, architecture, problem };
    chainsi_base found = { .name = name };
    bool good = !strncmp(name, "oci:", 4) ? from_folder(&getting, name + 4, &found.digest)
                                          : from_registry(&getting, &found.digest);
    good = good && read_base(&getting, &found) && unpack(&getting, &found, work);
    if (good)
        *base = found;
    return good;
}

bool chainsi_base_packages(const chainsi_base *base, chainsi_arena *arena,
                           chainsi_packages_found *packages)
{
    FILE *file = base->status ? fopen(base->status, "re") : NULL;
    char line[4096], name[256] = "", architecture[64] = "";
    while (file && fgets(line, sizeof line, file)) {
        char version[256];
        if (sscanf(line, "Package: %255s", name) == 1 ||
            sscanf(line, "Architecture: %63s", architecture) == 1)
            continue;
        if (sscanf(line, "Version: %255s", version) == 1 && *name)
            chainsi_packages_add(
                packages,
                &(chainsi_package){ .name = chainsi_arena_strdup(arena, name),
                                    .version = chainsi_arena_strdup(arena, version),
                                    .architecture = chainsi_arena_strdup(arena, architecture) });
    }
    if (file)
        fclose(file);
    return true;
}
