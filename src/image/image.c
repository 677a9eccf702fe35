/* From a service to its image. Layers stand in the order of how seldom they change. */
#include "image/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "control/digest.h"
#include "image/dpkg.h"
#include "image/sbom.h"
#include "image/shared.h"

#define USER         "65532"
#define CERTIFICATES "/etc/ssl/certs/ca-certificates.crt"
#define SERVICE      "chains/service"
enum { MAX_LAYERS = 3 };

typedef struct image_making {
    chainsi_layout *layout;
    const chainsi_image_input *input;
    chainsi_arena *arena; /* the layout's */
    chainsi_problem *problem;
    chainsi_packages_found packages;
    chainsi_oci_descriptor layers[MAX_LAYERS];
    const char *diff_ids[MAX_LAYERS];
    chainsi_oci_step history[MAX_LAYERS];
    size_t layer_count;
    const char *created;
} image_making;

static const char *creation_time(chainsi_arena *arena)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    time_t seconds = epoch ? (time_t)strtoll(epoch, NULL, 10) : 0;
    struct tm parts;
    char text[32];
    if (!gmtime_r(&seconds, &parts) || !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts))
        return "1970-01-01T00:00:00Z";
    return chainsi_arena_strdup(arena, text);
}

static bool add_layer(image_making *making, chainsi_tree *tree, const char *what)
{
    chainsi_tree_seal(tree);
    size_t at = making->layer_count;
    char *diff_id = chainsi_arena_alloc(making->arena, CHAINSI_OCI_DIGEST);
    if (!chainsi_layout_add_tree(making->layout, tree, &making->layers[at], diff_id,
                                 making->problem))
        return false;
    making->diff_ids[at] = diff_id;
    making->history[at] = (chainsi_oci_step){ making->created, what };
    making->layer_count++;
    return true;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static const char *folder_of(chainsi_arena *arena, const char *path)
{
    return chainsi_arena_copy(arena, path, (size_t)(last_part(path) - path));
}

/* --------------------------------------------------------------------------------------------
 * the layer of libraries */

/* Libraries lie in one folder, where the dynamic linker looks without a cache: that of the C library. */
static bool add_libraries(image_making *making, chainsi_tree *tree, const chainsi_shared_list *list)
{
    chainsi_arena *arena = making->arena;
    const char *folder = NULL;
    if (!list->interpreter)
        return true;
    for (size_t i = 0; i < list->count; i++)
        if (!strncmp(list->items[i].name, "libc.", 5))
            folder = folder_of(arena, list->items[i].source);
    if (!folder)
        folder = folder_of(arena, list->interpreter_source);
    for (size_t i = 0; i < list->count; i++)
        chainsi_tree_file(tree, chainsi_arena_printf(arena, "%s/%s", folder, list->items[i].name),
                          0755, list->items[i].source);
    /* /lib and /lib64 are links into /usr, as distributions have them. */
    bool in_usr = !strncmp(list->interpreter, "/lib", 4);
    chainsi_tree_file(tree,
                      chainsi_arena_printf(arena, "%s%s", in_usr ? "usr" : "", list->interpreter),
                      0755, list->interpreter_source);
    if (in_usr) {
        const char *top =
            chainsi_arena_copy(arena, list->interpreter + 1, strcspn(list->interpreter + 1, "/"));
        chainsi_tree_link(tree, top, chainsi_arena_printf(arena, "usr/%s", top));
        chainsi_tree_link(tree, "lib", "usr/lib");
        chainsi_tree_folder(tree, "usr/lib", 0755);
    }
    return true;
}

static bool note_unowned(image_making *making, const char *path)
{
    FILE *file = fopen(path, "rbe");
    if (!file)
        return chainsi_problem_file(making->problem, "read", path);
    chainsi_buffer text = { 0 };
    size_t got;
    while ((got = fread(chainsi_buffer_reserve(&text, 65536), 1, 65536, file)) > 0)
        text.size += got;
    fclose(file);
    char *digest = chainsi_arena_alloc(making->arena, CHAINSI_DIGEST_TEXT);
    chainsi_digest_text(text.data, text.size, digest);
    chainsi_buffer_done(&text);
    chainsi_packages_add(&making->packages,
                         &(chainsi_package){ .name = last_part(path),
                                             .version = "unknown",
                                             .architecture = "",
                                             .file = chainsi_arena_strdup(making->arena, path),
                                             .digest = digest });
    return true;
}

static bool note_packages(image_making *making, const chainsi_shared_list *list)
{
    size_t count = list->count + (list->interpreter != NULL);
    chainsi_owner *owners = chainsi_arena_array(making->arena, count + 1, sizeof *owners);
    for (size_t i = 0; i < list->count; i++)
        owners[i].path = list->items[i].source;
    if (list->interpreter)
        owners[list->count].path = list->interpreter_source;
    chainsi_dpkg_owners(NULL, owners, count, making->arena);
    for (size_t i = 0; i < count; i++) {
        if (!owners[i].name && !note_unowned(making, owners[i].path))
            return false;
        if (owners[i].name)
            chainsi_packages_add(&making->packages,
                                 &(chainsi_package){ .name = owners[i].name,
                                                     .version = owners[i].version,
                                                     .architecture = owners[i].architecture,
                                                     .file = owners[i].path });
    }
    return true;
}

static bool add_certificates(image_making *making, chainsi_tree *tree)
{
    static const char *const places[] = { CERTIFICATES, "/etc/pki/tls/certs/ca-bundle.crt",
                                          "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem" };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (access(places[i], R_OK) != 0)
            continue;
        chainsi_tree_file(tree, CERTIFICATES, 0644, places[i]);
        chainsi_owner owner = { .path = places[i] };
        if (chainsi_dpkg_find(NULL, "ca-certificates", making->arena, &owner))
            chainsi_packages_add(&making->packages,
                                 &(chainsi_package){ .name = owner.name,
                                                     .version = owner.version,
                                                     .architecture = owner.architecture,
                                                     .file = CERTIFICATES });
        return true;
    }
    return chainsi_problem_set(making->problem, "install the package ca-certificates",
                               "there are no CA certificates on this machine: '" CERTIFICATES
                               "' is missing");
}

static void add_system_files(chainsi_tree *tree)
{
    chainsi_tree_text(tree, "etc/passwd", 0644,
                      "root:x:0:0:root:/:/nonexistent\n"
                      "chains:x:" USER ":" USER ":chains:" CHAINSI_IMAGE_FOLDER ":/nonexistent\n");
    chainsi_tree_text(tree, "etc/group", 0644, "root:x:0:\nchains:x:" USER ":\n");
    chainsi_tree_text(tree, "etc/nsswitch.conf", 0644, "hosts: files dns\n");
    chainsi_tree_folder(tree, "tmp", 01777);
}

static bool add_first_layer(image_making *making)
{
    chainsi_tree tree = { 0 };
    chainsi_shared_list list;
    bool good = chainsi_shared_find(&making->input->binary, 1, NULL, making->arena, &list,
                                    making->problem) &&
                add_libraries(making, &tree, &list) && note_packages(making, &list) &&
                add_certificates(making, &tree);
    if (good)
        add_system_files(&tree);
    good = good && add_layer(making, &tree, "chains image: shared libraries and CA certificates");
    chainsi_tree_done(&tree);
    return good;
}

/* --------------------------------------------------------------------------------------------
 * the layers of files and of the service */

static bool add_files(image_making *making)
{
    const chainsi_image_input *input = making->input;
    chainsi_tree tree = { 0 };
    bool good = true;
    for (size_t i = 0; good && i < input->file_count; i++) {
        const char *source =
            chainsi_arena_printf(making->arena, "%s/%s", input->files_folder, input->files[i]);
        if (access(source, R_OK) != 0) {
            char hint[512];
            snprintf(hint, sizeof hint, "paths are relative to '%s', where the header is",
                     input->files_folder);
            good = chainsi_problem_set(
                making->problem, hint,
                "the file '%s' of .image.files of '%s' is not there or not readable",
                input->files[i], input->name);
        } else {
            good = chainsi_tree_copy(
                &tree, chainsi_arena_printf(making->arena, "chains/%s", input->files[i]), source,
                making->problem);
        }
    }
    good = good && (!input->file_count || add_layer(making, &tree, "chains image: .image.files"));
    chainsi_tree_done(&tree);
    return good;
}

static bool add_service(image_making *making)
{
    chainsi_tree tree = { 0 };
    chainsi_tree_file(&tree, SERVICE, 0755, making->input->binary);
    bool good = add_layer(making, &tree, "chains image: the service");
    chainsi_tree_done(&tree);
    return good;
}

/* --------------------------------------------------------------------------------------------
 * its documents */

static const char *architecture(chainsi_arena *arena)
{
    struct utsname about;
    uname(&about);
    return !strcmp(about.machine, "x86_64")    ? "amd64"
           : !strcmp(about.machine, "aarch64") ? "arm64"
                                               : chainsi_arena_strdup(arena, about.machine);
}

static chainsi_oci_texts make_env(image_making *making)
{
    const chainsi_image_input *input = making->input;
    chainsi_oci_texts env = { 0 };
    env.items = chainsi_arena_array(making->arena, input->env_count + 2, sizeof *env.items);
    env.items[env.count++] = "SSL_CERT_FILE=" CERTIFICATES;
    for (size_t i = 0; i < input->env_count; i++)
        env.items[env.count++] =
            chainsi_arena_printf(making->arena, "%s=%s", input->env[i].key, input->env[i].value);
    return env;
}

static chainsi_oci_pairs make_labels(image_making *making)
{
    const chainsi_image_input *input = making->input;
    chainsi_oci_pairs labels = { chainsi_arena_array(making->arena, 8, sizeof *labels.items), 0 };
    const chainsi_oci_pair known[] = {
        { "org.opencontainers.image.title", input->name },
        { "org.opencontainers.image.description", input->description },
        { "org.opencontainers.image.created", making->created },
        { "dev.chains.chain", input->chain },
        { "dev.chains.chainlet", input->name },
        { "dev.chains.version", input->version },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].value)
            labels.items[labels.count++] = known[i];
    return labels;
}

#define TEXT_OF(macro)  TEXT_OF_(macro)
#define TEXT_OF_(macro) #macro

static bool add_config(image_making *making, chainsi_oci_descriptor *added)
{
    const char *entrypoint[] = { "/" SERVICE };
    const char *cmd[] = { "--listen", "http://0.0.0.0:" TEXT_OF(CHAINSI_IMAGE_PORT) };
    struct chainsi_oci_port port = { TEXT_OF(CHAINSI_IMAGE_PORT) "/tcp", { "{}", 2 } };
    chainsi_oci_config config = {
        .created = making->created,
        .architecture = architecture(making->arena),
        .os = "linux",
        .config = { .user = USER ":" USER,
                    .working_dir = CHAINSI_IMAGE_FOLDER,
                    .env = make_env(making),
                    .entrypoint = { entrypoint, 1 },
                    .cmd = { cmd, 2 },
                    .exposed_ports = { &port, 1 },
                    .labels = make_labels(making) },
        .rootfs = { "layers", { making->diff_ids, making->layer_count } },
        .history = { making->history, making->layer_count },
    };
    return chainsi_layout_add_value(making->layout, CHAINSI_OCI_CONFIG, &chainsi_type_oci_config,
                                    &config, added, making->problem);
}

static bool add_manifest(image_making *making, chainsi_image *image)
{
    image->layers.count = making->layer_count;
    image->layers.items =
        chainsi_arena_array(making->arena, making->layer_count, sizeof *image->layers.items);
    memcpy(image->layers.items, making->layers, making->layer_count * sizeof *making->layers);
    chainsi_oci_manifest manifest = { .schema_version = 2,
                                      .media_type = CHAINSI_OCI_MANIFEST,
                                      .config = image->config,
                                      .layers = image->layers,
                                      .annotations = make_labels(making) };
    image->size = image->config.size;
    for (size_t i = 0; i < image->layers.count; i++)
        image->size += image->layers.items[i].size;
    if (!chainsi_layout_add_value(making->layout, CHAINSI_OCI_MANIFEST, &chainsi_type_oci_manifest,
                                  &manifest, &image->manifest, making->problem))
        return false;
    image->size += image->manifest.size;
    chainsi_layout_name(making->layout, &image->manifest, making->input->name);
    return true;
}

static bool add_sbom(image_making *making, chainsi_image *image)
{
    chainsi_sbom sbom = { .name = making->input->name,
                          .version = making->input->version,
                          .created = making->created,
                          .packages = making->packages.items,
                          .package_count = making->packages.count };
    chainsi_buffer text = { 0 };
    chainsi_oci_descriptor empty;
    bool good =
        chainsi_sbom_write(&sbom, &text, making->problem) &&
        chainsi_layout_add(making->layout, CHAINSI_SPDX, text.data, text.size, &image->sbom,
                           making->problem) &&
        chainsi_layout_add(making->layout, CHAINSI_OCI_EMPTY, "{}", 2, &empty, making->problem);
    chainsi_buffer_done(&text);
    if (!good)
        return false;
    chainsi_oci_pair title = { "org.opencontainers.image.title", "sbom.spdx.json" };
    chainsi_oci_artifact artifact = { .schema_version = 2,
                                      .media_type = CHAINSI_OCI_MANIFEST,
                                      .artifact_type = CHAINSI_SPDX,
                                      .config = empty,
                                      .layers = { &image->sbom, 1 },
                                      .subject = image->manifest,
                                      .annotations = { &title, 1 } };
    if (!chainsi_layout_add_value(making->layout, CHAINSI_OCI_MANIFEST, &chainsi_type_oci_artifact,
                                  &artifact, &image->sbom_manifest, making->problem))
        return false;
    chainsi_layout_attach(making->layout, &image->sbom_manifest, CHAINSI_SPDX,
                          image->manifest.digest);
    return true;
}

bool chainsi_image_make(chainsi_layout *layout, const chainsi_image_input *input,
                        chainsi_image *image, chainsi_problem *problem)
{
    image_making making = {
        .layout = layout, .input = input, .arena = &layout->arena, .problem = problem
    };
    making.created = creation_time(making.arena);
    chainsi_image made = { 0 };
    bool good = add_first_layer(&making) && add_files(&making) && add_service(&making) &&
                add_config(&making, &made.config) && add_manifest(&making, &made) &&
                add_sbom(&making, &made);
    free(making.packages.items);
    if (good)
        *image = made;
    return good;
}
