/* `chains image`: an OCI image of each service of a chain, in a folder or a registry. */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/chain.h"
#include "control/fields.h"
#include "image/file.h"
#include "image/registry.h"
#include "schema/json.h"

extern char **environ;

static int run(int argc, char **argv);

const chainsi_verb chainsi_verb_image = {
    .name = "image",
    .usage = "[FOLDER] [--entrypoint NAME] [--output FOLDER] [--registry HOST[:PORT][/PATH]]\n"
             "                    [--tag TAG] [--json]",
    .summary = "Make an OCI image of each service of a chain.",
    .help =
        "Builds the services that the entrypoint needs, and an image of each: the program, the\n"
        "libraries that it needs, .image.files, CA certificates, and a list of packages (SPDX).\n"
        "No container engine and no root are needed. The same input gives the same digest; a "
        "change\n"
        "of code changes the last, small layer alone. Images are written to an OCI layout.\n"
        "\n"
        "  --entrypoint NAME     the Chainlet called from outside, instead of the marked one\n"
        "  --output FOLDER       the layout; without, .chains/images below FOLDER of the chain\n"
        "  --registry HOST/PATH  push them there as PATH/CHAINLET; what is there isn't sent "
        "again.\n"
        "                        http://HOST for one without TLS (the default for localhost). The\n"
        "                        login is that of `podman login` or `docker login`\n"
        "  --tag TAG             without, the first 12 digits of the image's digest\n"
        "  --json                print [{name, reference, digest, size, sent, layout, sbom, "
        "layers}]\n"
        "\n"
        "Examples:\n"
        "  chains image hello\n"
        "  chains image hello --registry registry.example.com/team --tag v1\n",
    .run = run,
};

typedef struct image_request {
    const char *entrypoint, *output, *registry, *tag;
    bool json;
} image_request;

/* What is printed of an image with --json. */
typedef struct shown_layer {
    const char *digest;
    int64_t size;
} shown_layer;
typedef struct shown_image {
    const char *name, *reference, *digest;
    int64_t size, sent;
    const char *layout, *sbom;
    struct shown_layers {
        shown_layer *items;
        size_t count;
    } layers;
} shown_image;
typedef struct shown_images {
    shown_image *items;
    size_t count;
} shown_images;

static const chainsi_field layer_fields[] = {
    CHAINSI_FIELD_TEXT(shown_layer, digest),
    CHAINSI_FIELD_INTEGER(shown_layer, size),
};
static const chainsi_type layer_type = CHAINSI_STRUCT_OF(shown_layer, layer_fields);
static const chainsi_type layers_type = CHAINSI_LIST_OF(struct shown_layers, &layer_type);
static const chainsi_field image_fields[] = {
    CHAINSI_FIELD_TEXT(shown_image, name),    CHAINSI_FIELD_NULLABLE(shown_image, reference),
    CHAINSI_FIELD_TEXT(shown_image, digest),  CHAINSI_FIELD_INTEGER(shown_image, size),
    CHAINSI_FIELD_INTEGER(shown_image, sent), CHAINSI_FIELD_TEXT(shown_image, layout),
    CHAINSI_FIELD_TEXT(shown_image, sbom),    CHAINSI_FIELD_OF(shown_image, layers, &layers_type),
};
static const chainsi_type image_type = CHAINSI_STRUCT_OF(shown_image, image_fields);
static const chainsi_type images_type = CHAINSI_LIST_OF(shown_images, &image_type);

typedef struct image_work {
    const image_request *request;
    const chainsi_model *model;
    chainsi_arena arena;
    chainsi_layout layout;
    chainsi_exchange exchange;
    const char *path; /* in the registry */
    chainsi_problem problem;
    shown_images shown;
} image_work;

/* Symbols stay, for traces of what crashed; what debuggers alone read is four fifths of a program. */
static const char *strip(image_work *work, const chainsi_service *service)
{
    const char *folder =
        chainsi_arena_printf(&work->arena, "%s/.chains/image", work->model->folder);
    const char *stripped =
        chainsi_arena_printf(&work->arena, "%s/%s", folder, service->chainlet->c_name);
    const char *objcopy = getenv("OBJCOPY");
    const char *words[] = { objcopy && *objcopy ? objcopy : "objcopy", "--strip-debug",
                            service->binary, stripped, NULL };
    pid_t child;
    int status = -1;
    if (mkdir(folder, 0755) != 0 && errno != EEXIST) {
        chainsi_problem_file(&work->problem, "make the folder", folder);
        return NULL;
    }
    if (posix_spawnp(&child, words[0], NULL, NULL, (char **)(uintptr_t)words, environ) == 0)
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
    if (status != 0) {
        chainsi_problem_set(&work->problem, "it is part of binutils; OBJCOPY names another",
                            "'%s' could not take the debug information out of '%s'", words[0],
                            service->binary);
        return NULL;
    }
    return stripped;
}

static chainsi_image_input describe(image_work *work, const chainsi_service *service,
                                    const char *binary)
{
    const chainsi_model_chainlet *chainlet = service->chainlet;
    const chains_config *config = &chainlet->config;
    const char *slash = strrchr(chainlet->header, '/');
    chainsi_image_input input = {
        .name = chainlet->wire_name,
        .chain = work->model->entrypoint->wire_name,
        .description = chainlet->doc,
        .version = CHAINSI_VERSION,
        .binary = binary,
        .files_folder =
            chainsi_arena_printf(&work->arena, "%s/%.*s", work->model->folder,
                                 slash ? (int)(slash - chainlet->header) : 0, chainlet->header),
        .files = config->image.files,
        .base = config->image.base,
        .apt = config->image.apt,
        .work = chainsi_arena_printf(&work->arena, "%s/.chains/image", work->model->folder),
    };
    size_t packages = sizeof config->image.apt / sizeof *config->image.apt;
    while (input.apt_count < packages && config->image.apt[input.apt_count])
        input.apt_count++;
    size_t most = sizeof config->image.files / sizeof *config->image.files;
    while (input.file_count < most && config->image.files[input.file_count])
        input.file_count++;
    size_t variables = sizeof config->env / sizeof *config->env;
    chainsi_oci_pair *env = chainsi_arena_array(&work->arena, variables, sizeof *env);
    for (size_t i = 0; i < variables && config->env[i].name; i++)
        env[input.env_count++] = (chainsi_oci_pair){ config->env[i].name, config->env[i].value };
    input.env = env;
    return input;
}

/* A copy of the list of packages under a name that people find. */
static const char *show_sbom(image_work *work, const char *name, const chainsi_image *image)
{
    const char *path =
        chainsi_arena_printf(&work->arena, "%s/%s.spdx.json", work->layout.folder, name);
    chainsi_buffer text = { 0 };
    bool good = chainsi_layout_get(&work->layout, image->sbom.digest, (size_t)64 << 20, &text,
                                   &work->problem);
    good = good && chainsi_file_write(path, text.data, text.size, &work->problem);
    chainsi_buffer_done(&text);
    return good ? path : NULL;
}

static const char *size_text(chainsi_arena *arena, int64_t size)
{
    return size < 1024 * 1024 ? chainsi_arena_printf(arena, "%.1f KiB", (double)size / 1024)
                              : chainsi_arena_printf(arena, "%.1f MiB", (double)size / 1048576);
}

static void print_image(image_work *work, const shown_image *shown)
{
    const char *size = size_text(&work->arena, shown->size);
    if (work->request->json)
        return;
    if (shown->reference)
        printf("%-20s %s  %s  (%s, sent %s)\n", shown->name, shown->reference, shown->digest, size,
               size_text(&work->arena, shown->sent));
    else
        printf("%-20s oci:%s:%s  %s  (%s)\n", shown->name, shown->layout, shown->name,
               shown->digest, size);
    fflush(stdout);
}

static bool make_one(image_work *work, const chainsi_service *service)
{
    const char *binary = strip(work, service);
    if (!binary)
        return false;
    chainsi_image_input input = describe(work, service, binary);
    chainsi_image image;
    if (!chainsi_image_make(&work->layout, &input, &image, &work->problem) ||
        !chainsi_layout_save(&work->layout, &work->problem))
        return false;
    shown_image *shown = &work->shown.items[work->shown.count];
    *shown = (shown_image){ .name = input.name,
                            .digest = image.manifest.digest,
                            .size = image.size,
                            .layout = work->layout.folder,
                            .sbom = show_sbom(work, input.name, &image) };
    if (!shown->sbom)
        return false;
    shown->layers.items =
        chainsi_arena_array(&work->arena, image.layers.count, sizeof *shown->layers.items);
    for (size_t i = 0; i < image.layers.count; i++)
        shown->layers.items[shown->layers.count++] =
            (shown_layer){ image.layers.items[i].digest, image.layers.items[i].size };
    if (work->request->registry) {
        chainsi_pushed pushed;
        if (!chainsi_registry_push(&work->exchange, &work->layout, work->path, input.name, &image,
                                   work->request->tag, &pushed, &work->problem))
            return false;
        shown->reference = pushed.reference;
        shown->sent = pushed.sent;
    }
    work->shown.count++;
    print_image(work, shown);
    return true;
}

static bool open_registry(image_work *work)
{
    const char *where = work->request->registry;
    if (!where)
        return true;
    if (!chainsi_exchange_open(&work->exchange, where, &work->problem))
        return false;
    const char *scheme = strstr(where, "://");
    const char *slash = strchr(scheme ? scheme + 3 : where, '/');
    char *path = chainsi_arena_strdup(&work->arena, slash ? slash + 1 : "");
    size_t size = strlen(path);
    while (size && path[size - 1] == '/')
        path[--size] = 0;
    work->path = path;
    return !path[strspn(path, "abcdefghijklmnopqrstuvwxyz0123456789._-/")] ||
           chainsi_problem_set(&work->problem,
                               "write small letters, digits and '.', '_', '-' between them",
                               "'%s' can't be a path of a registry", path);
}

static bool make_all(image_work *work, const chainsi_built *built)
{
    const char *output = work->request->output;
    if (!output)
        output = chainsi_arena_printf(&work->arena, "%s/.chains/images", work->model->folder);
    work->shown.items =
        chainsi_arena_array(&work->arena, built->service_count, sizeof *work->shown.items);
    bool good = open_registry(work) && chainsi_layout_open(&work->layout, output, &work->problem);
    for (size_t i = 0; good && i < built->service_count; i++)
        good = make_one(work, &built->services[i]);
    return good;
}

static void print_json(const image_work *work)
{
    chainsi_buffer out = { 0 };
    if (chainsi_json_encode(&images_type, &work->shown, &out, NULL) != CHAINS_OK)
        abort();
    printf("%.*s\n", (int)out.size, (const char *)out.data);
    chainsi_buffer_done(&out);
}

static int make_images(chainsi_chain *chain, const image_request *request)
{
    chainsi_build_options options = { .quiet = request->json };
    chainsi_built *built = chainsi_build_services(chain->model, &options, &chain->diagnostics);
    chainsi_chain_report(chain);
    if (!built)
        return CHAINSI_EXIT_FAILED;
    image_work work = { .request = request, .model = chain->model };
    bool good = make_all(&work, built);
    if (!good) {
        fprintf(stderr, "chains image: error: %s\n", work.problem.message);
        if (*work.problem.hint)
            fprintf(stderr, "  hint: %s\n", work.problem.hint);
    } else if (request->json) {
        print_json(&work);
    }
    chainsi_layout_close(&work.layout);
    chainsi_exchange_close(&work.exchange);
    chainsi_arena_done(&work.arena);
    chainsi_built_free(built);
    return good ? CHAINSI_EXIT_OK : CHAINSI_EXIT_FAILED;
}

static bool is_tag(const char *tag)
{
    return chainsi_is_name(tag) && strlen(tag) <= 128 && *tag != '.' && *tag != '-';
}

static int run(int argc, char **argv)
{
    image_request request = { 0 };
    chainsi_words folders = { 0 };
    const chainsi_option options[] = {
        { "entrypoint", CHAINSI_OPTION_TEXT, &request.entrypoint },
        { "output", CHAINSI_OPTION_TEXT, &request.output },
        { "registry", CHAINSI_OPTION_TEXT, &request.registry },
        { "tag", CHAINSI_OPTION_TEXT, &request.tag },
        { "json", CHAINSI_OPTION_FLAG, &request.json },
        { NULL, CHAINSI_OPTION_END, NULL },
    };
    int status;
    if (chainsi_options_read(&chainsi_verb_image, options, argc, argv, 1, &folders, &status)) {
        chainsi_chain chain = { 0 };
        status = CHAINSI_EXIT_USAGE;
        if (request.tag && !is_tag(request.tag))
            chainsi_usage_error(&chainsi_verb_image,
                                "--tag '%s': write letters, digits, '.', '_' and '-'", request.tag);
        else if (request.tag && !request.registry)
            chainsi_usage_error(&chainsi_verb_image, "--tag is for --registry");
        else if (chainsi_chain_open(&chain, folders.count ? folders.items[0] : NULL,
                                    request.entrypoint, true))
            status = make_images(&chain, &request);
        chainsi_chain_close(&chain);
    }
    chainsi_words_done(&folders);
    return status;
}
