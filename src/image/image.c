/* From a service to its image. Layers stand in the order of how seldom they change. */
#include "image/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "control/digest.h"
#include "image/apt.h"
#include "image/base.h"
#include "image/file.h"
#include "image/sbom.h"
#include "image/shared.h"

#define USER         "65532"
#define CERTIFICATES "/etc/ssl/certs/ca-certificates.crt"
enum { MAX_LAYERS = 128 };
#define MAX_UNOWNED ((size_t)4 << 30) /* bytes of a library that no package has */

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
    chainsi_base base;         /* all zero: none */
    const char *packages_root; /* NULL: none */
    chainsi_tree files;        /* .image.files */
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

static bool add_layer(image_making *making, chainsi_tree *tree, bool often, const char *what)
{
    chainsi_tree_seal(tree);
    size_t at = making->layer_count;
    char *diff_id = chainsi_arena_alloc(making->arena, CHAINSI_OCI_DIGEST);
    if (!chainsi_layout_add_tree(making->layout, tree, making->input->compression, often,
                                 &making->layers[at], diff_id, making->problem))
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

static const char *find_architecture(chainsi_arena *arena)
{
    struct utsname about;
    uname(&about);
    return !strcmp(about.machine, "x86_64")    ? "amd64"
           : !strcmp(about.machine, "aarch64") ? "arm64"
                                               : chainsi_arena_strdup(arena, about.machine);
}

/* --------------------------------------------------------------------------------------------
 * the layers of the base and of packages */

static bool add_base(image_making *making)
{
    const chainsi_image_input *input = making->input;
    if (!input->base)
        return true;
    if (!chainsi_base_get(making->layout, input->base, input->work,
                          find_architecture(making->arena), &making->base, making->problem))
        return false;
    const chainsi_base *base = &making->base;
    if (base->layers.count > MAX_LAYERS - 8)
        return chainsi_problem_set(making->problem, "name a base with fewer layers",
                                   "the base '%s' has %zu layers", base->name, base->layers.count);
    for (size_t i = 0; i < base->layers.count; i++) {
        making->layers[i] = base->layers.items[i];
        making->diff_ids[i] = base->diff_ids.items[i];
        making->history[i] = (chainsi_oci_step){ making->created, "the base" };
    }
    making->layer_count = base->layers.count;
    return chainsi_base_packages(base, making->arena, &making->packages);
}

static bool add_packages(image_making *making)
{
    const chainsi_image_input *input = making->input;
    chainsi_tree tree = { 0 };
    if (!input->apt_count)
        return true;
    bool good = chainsi_apt_unpack(input->work, input->apt, input->apt_count, making->base.status,
                                   making->arena, &making->packages_root, &making->packages,
                                   making->problem) &&
                chainsi_tree_copy(&tree, "", making->packages_root, making->problem);
    /* A base has its own folders of that name, or links to other ones. */
    static const char *const links[] = { "lib", "lib64", "bin", "sbin" };
    for (size_t i = 0; making->base.root && i < sizeof links / sizeof *links; i++)
        chainsi_tree_drop(&tree, links[i]);
    good = good && add_layer(making, &tree, false, "chains image: .image.apt");
    chainsi_tree_done(&tree);
    return good;
}

/* --------------------------------------------------------------------------------------------
 * the layer of libraries */

static bool is_in_roots(const image_making *making, const char *name)
{
    const char *const roots[] = { making->base.root, making->packages_root };
    struct stat about;
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++)
        if (roots[i] &&
            lstat(chainsi_arena_printf(making->arena, "%s/%s", roots[i], name), &about) == 0)
            return true;
    return false;
}

/* /lib and /lib64 are links into /usr, as distributions have them, unless what is below has them already: then the
 * dynamic linker finds its place there. */
static void add_interpreter(image_making *making, chainsi_tree *tree,
                            const chainsi_shared_list *list)
{
    chainsi_arena *arena = making->arena;
    if (list->interpreter_from_root)
        return;
    const char *top =
        chainsi_arena_copy(arena, list->interpreter + 1, strcspn(list->interpreter + 1, "/"));
    const char *path = list->interpreter;
    const char *const links[] = { top, "lib" };
    for (size_t i = 0; !strncmp(top, "lib", 3) && i < 2; i++) {
        if (is_in_roots(making, links[i]))
            continue;
        const char *target = chainsi_arena_printf(arena, "usr/%s", links[i]);
        chainsi_tree_link(tree, links[i], target);
        chainsi_tree_folder(tree, target, 0755);
        if (i == 0)
            path = chainsi_arena_printf(arena, "/usr%s", list->interpreter);
    }
    chainsi_tree_file(tree, path, 0755, list->interpreter_source);
}

/* Libraries lie in one folder, where the dynamic linker looks without a cache: that of the C library. */
static void add_libraries(image_making *making, chainsi_tree *tree, const chainsi_shared_list *list)
{
    chainsi_arena *arena = making->arena;
    const char *folder = NULL;
    if (!list->interpreter)
        return;
    for (size_t i = 0; i < list->count; i++)
        if (!strncmp(list->items[i].name, "libc.", 5))
            folder = folder_of(arena, list->items[i].source);
    if (!folder)
        folder = folder_of(arena, list->interpreter_source);
    const char *const roots[] = { making->base.root, making->packages_root };
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++)
        if (roots[i] && !strncmp(folder, roots[i], strlen(roots[i])))
            folder += strlen(roots[i]);
    for (size_t i = 0; i < list->count; i++)
        if (!list->items[i].from_root)
            chainsi_tree_file(tree,
                              chainsi_arena_printf(arena, "%s/%s", folder, list->items[i].name),
                              0755, list->items[i].source);
    add_interpreter(making, tree, list);
}

static bool note_unowned(image_making *making, const char *path)
{
    chainsi_buffer text = { 0 };
    if (!chainsi_file_read(path, MAX_UNOWNED, &text, making->problem)) {
        chainsi_buffer_done(&text);
        return false;
    }
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
    chainsi_owner *owners = chainsi_arena_array(making->arena, list->count + 2, sizeof *owners);
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++)
        if (!list->items[i].from_root)
            owners[count++].path = list->items[i].source;
    if (list->interpreter && !list->interpreter_from_root)
        owners[count++].path = list->interpreter_source;
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

/* Programs and libraries among .image.files need libraries as well. */
static const char *const *find_programs(image_making *making, size_t *count)
{
    const char **programs =
        chainsi_arena_array(making->arena, making->files.count + 1, sizeof *programs);
    programs[(*count)++] = making->input->binary;
    for (size_t i = 0; i < making->files.count; i++)
        if (making->files.entries[i].source)
            programs[(*count)++] = making->files.entries[i].source;
    return programs;
}

static bool add_system(image_making *making)
{
    chainsi_tree tree = { 0 };
    chainsi_shared_list list;
    const char *roots[3] = { 0 };
    size_t count = 0, root_count = 0;
    if (making->packages_root)
        roots[root_count++] = making->packages_root;
    if (making->base.root)
        roots[root_count++] = making->base.root;
    const char *const *programs = find_programs(making, &count);
    bool good = chainsi_shared_find(programs, count, roots, making->input->features, making->arena,
                                    &list, making->problem) &&
                note_packages(making, &list) && add_certificates(making, &tree);
    if (good) {
        add_libraries(making, &tree, &list);
        if (!making->base.root)
            add_system_files(&tree);
    }
    good = good &&
           add_layer(making, &tree, false, "chains image: shared libraries and CA certificates");
    chainsi_tree_done(&tree);
    return good;
}

/* --------------------------------------------------------------------------------------------
 * the layers of files and of the service */

static bool find_files(image_making *making)
{
    const chainsi_image_input *input = making->input;
    for (size_t i = 0; i < input->file_count; i++) {
        const char *source =
            chainsi_arena_printf(making->arena, "%s/%s", input->files_folder, input->files[i]);
        if (access(source, R_OK) != 0) {
            char hint[512];
            snprintf(hint, sizeof hint, "paths are relative to '%s', where the header is",
                     input->files_folder);
            return chainsi_problem_set(
                making->problem, hint,
                "the file '%s' of .image.files of '%s' is not there or not readable",
                input->files[i], input->name);
        }
        if (!chainsi_tree_copy(&making->files,
                               chainsi_arena_printf(making->arena, "chains/%s", input->files[i]),
                               source, making->problem))
            return false;
    }
    return true;
}

static bool add_files(image_making *making)
{
    return !making->input->file_count ||
           add_layer(making, &making->files, false, "chains image: .image.files");
}

static const char *program_of(image_making *making)
{
    const char *name = making->input->program;
    return chainsi_arena_printf(making->arena, "chains/%s", name ? name : "service");
}

static bool add_service(image_making *making)
{
    chainsi_tree tree = { 0 };
    chainsi_tree_file(&tree, program_of(making), 0755, making->input->binary);
    bool good = add_layer(making, &tree, true, "chains image: the service");
    chainsi_tree_done(&tree);
    return good;
}

/* --------------------------------------------------------------------------------------------
 * its documents */

static chainsi_oci_texts make_env(image_making *making)
{
    const chainsi_image_input *input = making->input;
    chainsi_oci_texts env = { 0 };
    const chainsi_oci_texts *base = &making->base.env;
    env.items =
        chainsi_arena_array(making->arena, base->count + input->env_count + 2, sizeof *env.items);
    for (size_t i = 0; i < base->count; i++)
        env.items[env.count++] = base->items[i];
    env.items[env.count++] = "SSL_CERT_FILE=" CERTIFICATES;
    for (size_t i = 0; i < input->env_count; i++)
        env.items[env.count++] =
            chainsi_arena_printf(making->arena, "%s=%s", input->env[i].key, input->env[i].value);
    return env;
}

static chainsi_oci_pairs make_labels(image_making *making)
{
    const chainsi_image_input *input = making->input;
    chainsi_oci_pairs labels = { chainsi_arena_array(making->arena, 10, sizeof *labels.items), 0 };
    const chainsi_oci_pair known[] = {
        { "org.opencontainers.image.title", input->name },
        { "org.opencontainers.image.description", input->description },
        { "org.opencontainers.image.created", making->created },
        { "dev.chains.chain", input->chain },
        { "dev.chains.chainlet", input->name },
        { "dev.chains.version", input->version },
        { "org.opencontainers.image.base.name", making->base.name },
        { "org.opencontainers.image.base.digest", making->base.digest },
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
    static const char *const usual[] = { "--listen", "http://0.0.0.0:" TEXT_OF(CHAINSI_IMAGE_PORT),
                                         NULL };
    const chainsi_image_input *input = making->input;
    const char *const *cmd = input->arguments ? input->arguments : usual;
    const char *entrypoint[] = { chainsi_arena_printf(making->arena, "/%s", program_of(making)) };
    struct chainsi_oci_port port = { chainsi_arena_printf(making->arena, "%d/tcp",
                                                          input->port ? input->port
                                                                      : CHAINSI_IMAGE_PORT),
                                     { "{}", 2 } };
    size_t words = 0;
    while (cmd[words])
        words++;
    chainsi_oci_config config = {
        .created = making->created,
        .architecture = find_architecture(making->arena),
        .os = "linux",
        .config = { .user = USER ":" USER,
                    .working_dir = CHAINSI_IMAGE_FOLDER,
                    .env = make_env(making),
                    .entrypoint = { entrypoint, 1 },
                    .cmd = { (const char **)(uintptr_t)cmd, words },
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
    bool good = find_files(&making) && add_base(&making) && add_packages(&making) &&
                add_system(&making) && add_files(&making) && add_service(&making) &&
                add_config(&making, &made.config) && add_manifest(&making, &made) &&
                add_sbom(&making, &made);
    free(making.packages.items);
    chainsi_tree_done(&making.files);
    if (good)
        *image = made;
    return good;
}
