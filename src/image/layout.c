/* The folder of images. The index is the last that is written of an image, so that what it names is there. */
#include "image/layout.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/digest.h"
#include "image/blob.h"
#include "image/file.h"
#include "schema/json.h"

#define SUBJECT   "dev.chains.subject"
#define MAX_INDEX ((size_t)16 << 20)

static bool make_folders(const char *path, chainsi_problem *problem)
{
    char *copy = strdup(path);
    if (!copy)
        abort();
    bool good = true;
    for (char *at = copy + 1; good; at++)
        if (*at == '/' || !*at) {
            char kept = *at;
            *at = 0;
            good = mkdir(copy, 0755) == 0 || errno == EEXIST;
            *at = kept;
            if (!kept)
                break;
        }
    free(copy);
    return good || chainsi_problem_file(problem, "make the folder", path);
}

static bool read_index(chainsi_layout *layout, chainsi_problem *problem)
{
    const char *path = chainsi_arena_printf(&layout->arena, "%s/index.json", layout->folder);
    chainsi_buffer text = { 0 };
    chainsi_oci_index read = { 0 };
    chainsi_codec_error error;
    bool good = chainsi_file_read(path, MAX_INDEX, &text, problem);
    if (good && chainsi_json_decode(&chainsi_type_oci_read_index, (char *)text.data, text.size,
                                    &layout->arena, &read, &error) != CHAINS_OK)
        good = chainsi_problem_set(problem, "name another folder, or remove this one",
                                   "'%s' is no index of images: %s%s%s", path, error.path,
                                   *error.path ? ": " : "", error.message);
    chainsi_buffer_done(&text);
    if (!good)
        return false;
    layout->index.manifests.count = read.manifests.count;
    layout->index.manifests.items =
        calloc(read.manifests.count + 1, sizeof *layout->index.manifests.items);
    if (!layout->index.manifests.items)
        abort();
    if (read.manifests.count)
        memcpy(layout->index.manifests.items, read.manifests.items,
               read.manifests.count * sizeof *read.manifests.items);
    return true;
}

static void init(chainsi_layout *layout, const char *folder)
{
    *layout = (chainsi_layout){ .index = { 2, CHAINSI_OCI_INDEX, { 0 } } };
    size_t size = strlen(folder);
    while (size > 1 && folder[size - 1] == '/')
        size--;
    layout->folder = chainsi_arena_copy(&layout->arena, folder, size);
}

static bool is_there(chainsi_layout *layout, const char *name)
{
    return access(chainsi_arena_printf(&layout->arena, "%s/%s", layout->folder, name), F_OK) == 0;
}

bool chainsi_layout_read(chainsi_layout *layout, const char *folder, chainsi_problem *problem)
{
    init(layout, folder);
    if (!is_there(layout, "oci-layout"))
        return chainsi_problem_set(
            problem,
            "an OCI layout has a file of that name; `skopeo copy` and `chains "
            "image --output` make such folders",
            "'%s' is no folder of images: it has no file oci-layout", folder);
    return read_index(layout, problem);
}

static bool is_empty(const char *folder)
{
    DIR *opened = opendir(folder);
    bool empty = true;
    for (struct dirent *each; opened && empty && (each = readdir(opened));)
        empty = !strcmp(each->d_name, ".") || !strcmp(each->d_name, "..") ||
                !strcmp(each->d_name, "blobs");
    if (opened)
        closedir(opened);
    return empty;
}

bool chainsi_layout_open(chainsi_layout *layout, const char *folder, chainsi_problem *problem)
{
    init(layout, folder);
    bool known = is_there(layout, "oci-layout");
    if (!known && !is_empty(layout->folder))
        return chainsi_problem_set(problem, "name a folder that is empty or not there yet",
                                   "'%s' holds other things than images", folder);
    static const char version[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
    if (!make_folders(chainsi_arena_printf(&layout->arena, "%s/blobs/sha256", layout->folder),
                      problem) ||
        (!known &&
         !chainsi_file_write(chainsi_arena_printf(&layout->arena, "%s/oci-layout", layout->folder),
                             version, sizeof version - 1, problem)))
        return false;
    return !is_there(layout, "index.json") || read_index(layout, problem);
}

void chainsi_layout_close(chainsi_layout *layout)
{
    free(layout->index.manifests.items);
    chainsi_arena_done(&layout->arena);
    *layout = (chainsi_layout){ 0 };
}

const char *chainsi_layout_path(chainsi_layout *layout, const char *digest)
{
    return chainsi_arena_printf(&layout->arena, "%s/blobs/sha256/%s", layout->folder,
                                chainsi_is_digest(digest) ? digest + 7 : "no-digest");
}

bool chainsi_layout_add(chainsi_layout *layout, const char *media_type, const void *data,
                        size_t size, chainsi_oci_descriptor *added, chainsi_problem *problem)
{
    chainsi_blob blob;
    char digest[CHAINSI_OCI_DIGEST];
    bool good = chainsi_blob_begin(
                    &blob, chainsi_arena_printf(&layout->arena, "%s/blobs/sha256", layout->folder),
                    problem) &&
                chainsi_blob_write(&blob, data, size, problem) &&
                chainsi_blob_end(&blob, NULL, NULL, digest, problem);
    chainsi_blob_done(&blob);
    if (good)
        *added =
            (chainsi_oci_descriptor){ chainsi_arena_strdup(&layout->arena, media_type),
                                      chainsi_arena_strdup(&layout->arena, digest), (int64_t)size };
    return good;
}

bool chainsi_layout_add_value(chainsi_layout *layout, const char *media_type,
                              const chainsi_type *type, const void *value,
                              chainsi_oci_descriptor *added, chainsi_problem *problem)
{
    chainsi_buffer text = { 0 };
    chainsi_codec_error error;
    bool good = chainsi_json_encode(type, value, &text, &error) == CHAINS_OK;
    good = good ? chainsi_layout_add(layout, media_type, text.data, text.size, added, problem)
                : chainsi_problem_set(problem, "write it in UTF-8, without other bytes",
                                      "%s can't be written as JSON: %s", error.path, error.message);
    chainsi_buffer_done(&text);
    return good;
}

bool chainsi_layout_get(chainsi_layout *layout, const char *digest, size_t max, chainsi_buffer *out,
                        chainsi_problem *problem)
{
    if (!chainsi_is_digest(digest))
        return chainsi_problem_set(problem, NULL, "'%s' names '%.80s', which is no sha256 digest",
                                   layout->folder, digest);
    const char *path = chainsi_layout_path(layout, digest);
    size_t before = out->size;
    if (!chainsi_file_read(path, max, out, problem))
        return false;
    char found[CHAINSI_DIGEST_TEXT];
    chainsi_digest_text(out->data + before, out->size - before, found);
    return !strcmp(found, digest + 7) ||
           chainsi_problem_set(
               problem, "the folder was changed by hand, or its disk is damaged: make it anew",
               "'%s' has the digest sha256:%s", path, found);
}

static const char *annotation(const chainsi_oci_listed *listed, const char *key)
{
    for (size_t i = 0; i < listed->annotations.count; i++)
        if (!strcmp(listed->annotations.items[i].key, key))
            return listed->annotations.items[i].value;
    return NULL;
}

/* Forgets entries of that name or digest, and what has one of them as its subject. */
static void forget(chainsi_layout *layout, const char *name, const char *digest)
{
    struct chainsi_oci_listing *list = &layout->index.manifests;
    for (size_t i = 0; i < list->count; i++) {
        const char *other = annotation(&list->items[i], CHAINSI_OCI_REF_NAME);
        bool same = name ? other && !strcmp(other, name) : !strcmp(list->items[i].digest, digest);
        if (!same)
            continue;
        const char *subject = list->items[i].digest;
        size_t kept = 0;
        for (size_t j = 0; j < list->count; j++) {
            const char *of = annotation(&list->items[j], SUBJECT);
            if (j != i && !(of && !strcmp(of, subject)))
                list->items[kept++] = list->items[j];
        }
        list->count = kept;
        i = (size_t)-1; /* from the first again: places have changed */
    }
}

static void add_listed(chainsi_layout *layout, const chainsi_oci_listed *listed)
{
    struct chainsi_oci_listing *list = &layout->index.manifests;
    chainsi_oci_listed *more = reallocarray(list->items, list->count + 1, sizeof *more);
    if (!more)
        abort();
    list->items = more;
    list->items[list->count++] = *listed;
}

static chainsi_oci_pairs one_pair(chainsi_layout *layout, const char *key, const char *value)
{
    chainsi_oci_pair *pair = chainsi_arena_alloc(&layout->arena, sizeof *pair);
    *pair = (chainsi_oci_pair){ key, chainsi_arena_strdup(&layout->arena, value) };
    return (chainsi_oci_pairs){ pair, 1 };
}

void chainsi_layout_name(chainsi_layout *layout, const chainsi_oci_descriptor *manifest,
                         const char *name)
{
    forget(layout, name, manifest->digest);
    add_listed(layout, &(chainsi_oci_listed){
                           .media_type = manifest->media_type,
                           .digest = manifest->digest,
                           .size = manifest->size,
                           .annotations = name ? one_pair(layout, CHAINSI_OCI_REF_NAME, name)
                                               : (chainsi_oci_pairs){ 0 } });
}

void chainsi_layout_attach(chainsi_layout *layout, const chainsi_oci_descriptor *artifact,
                           const char *artifact_type, const char *subject)
{
    forget(layout, NULL, artifact->digest);
    add_listed(layout, &(chainsi_oci_listed){ .media_type = artifact->media_type,
                                              .digest = artifact->digest,
                                              .size = artifact->size,
                                              .artifact_type = artifact_type,
                                              .annotations = one_pair(layout, SUBJECT, subject) });
}

/* --------------------------------------------------------------------------------------------
 * what nothing names any more */

typedef struct needed_set {
    const char **digests;
    size_t count, capacity;
} needed_set;

static void need(needed_set *needed, const char *digest)
{
    if (needed->count == needed->capacity) {
        needed->capacity = 2 * needed->capacity + 64;
        needed->digests = reallocarray(needed->digests, needed->capacity, sizeof *needed->digests);
        if (!needed->digests)
            abort();
    }
    needed->digests[needed->count++] = digest;
}

static bool is_needed(const needed_set *needed, const char *name)
{
    for (size_t i = 0; i < needed->count; i++)
        if (!strcmp(needed->digests[i] + 7, name))
            return true;
    return false;
}

/* Of what isn't understood (an index in the index) nothing is known: then nothing is taken away. */
static bool find_needed(chainsi_layout *layout, needed_set *found)
{
    for (size_t i = 0; i < layout->index.manifests.count; i++) {
        const chainsi_oci_listed *listed = &layout->index.manifests.items[i];
        chainsi_buffer text = { 0 };
        chainsi_problem ignored;
        chainsi_oci_manifest manifest;
        bool good = chainsi_layout_get(layout, listed->digest, MAX_INDEX, &text, &ignored) &&
                    chainsi_json_decode(&chainsi_type_oci_read_manifest, (char *)text.data,
                                        text.size, &layout->arena, &manifest, NULL) == CHAINS_OK;
        chainsi_buffer_done(&text);
        if (!good)
            return false;
        need(found, listed->digest);
        need(found, manifest.config.digest);
        for (size_t j = 0; j < manifest.layers.count; j++)
            need(found, manifest.layers.items[j].digest);
    }
    return true;
}

static void sweep(chainsi_layout *layout)
{
    needed_set found = { 0 };
    const char *path = chainsi_arena_printf(&layout->arena, "%s/blobs/sha256", layout->folder);
    DIR *folder = find_needed(layout, &found) ? opendir(path) : NULL;
    for (struct dirent *each; folder && (each = readdir(folder));)
        if ((strlen(each->d_name) == 64 && !is_needed(&found, each->d_name)) ||
            !strncmp(each->d_name, ".part-", 6))
            unlinkat(dirfd(folder), each->d_name, 0);
    if (folder)
        closedir(folder);
    free(found.digests);
}

/* The codec writes an absent artifactType as null, which some readers refuse, so that it is left out here. */
static void encode_index(chainsi_layout *layout, chainsi_buffer *out)
{
    chainsi_buffer_printf(out, "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"manifests\":[",
                          CHAINSI_OCI_INDEX);
    for (size_t i = 0; i < layout->index.manifests.count; i++) {
        const chainsi_oci_listed *listed = &layout->index.manifests.items[i];
        chainsi_buffer_add_text(out, i ? ",{\"mediaType\":" : "{\"mediaType\":");
        chainsi_json_write_text(out, listed->media_type);
        chainsi_buffer_add_text(out, ",\"digest\":");
        chainsi_json_write_text(out, listed->digest);
        chainsi_buffer_printf(out, ",\"size\":%lld", (long long)listed->size);
        if (listed->artifact_type) {
            chainsi_buffer_add_text(out, ",\"artifactType\":");
            chainsi_json_write_text(out, listed->artifact_type);
        }
        for (size_t j = 0; j < listed->annotations.count; j++) {
            chainsi_buffer_add_text(out, j ? "," : ",\"annotations\":{");
            chainsi_json_write_text(out, listed->annotations.items[j].key);
            chainsi_buffer_add_byte(out, ':');
            chainsi_json_write_text(out, listed->annotations.items[j].value);
        }
        chainsi_buffer_add_text(out, listed->annotations.count ? "}}" : "}");
    }
    chainsi_buffer_add_text(out, "]}");
}

bool chainsi_layout_save(chainsi_layout *layout, chainsi_problem *problem)
{
    chainsi_buffer text = { 0 };
    encode_index(layout, &text);
    bool good =
        chainsi_file_write(chainsi_arena_printf(&layout->arena, "%s/index.json", layout->folder),
                           text.data, text.size, problem);
    chainsi_buffer_done(&text);
    if (good)
        sweep(layout);
    return good;
}
