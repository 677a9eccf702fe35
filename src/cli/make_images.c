/* Images of services, one after another: the program without what debuggers alone read, and its way into a layout and a
 * registry. */
#include "cli/make_images.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/daemon.h"
#include "cli/options.h"
#include "control/daemon_options.h"
#include "control/home.h"
#include "image/file.h"
#include "image/registry.h"
#include "kubernetes/image_reference.h"
#include "schema/fields.h"

extern char **environ;

static const chainsi_field layer_fields[] = {
    CHAINSI_FIELD_TEXT(chainsi_made_layer, digest),
    CHAINSI_FIELD_INTEGER(chainsi_made_layer, size),
};
static const chainsi_type layer_type = CHAINSI_STRUCT_OF(chainsi_made_layer, layer_fields);
static const chainsi_type layers_type = CHAINSI_LIST_OF(chainsi_made_layers, &layer_type);
static const chainsi_field image_fields[] = {
    CHAINSI_FIELD_TEXT(chainsi_made_image, name),
    CHAINSI_FIELD_NULLABLE(chainsi_made_image, reference),
    CHAINSI_FIELD_TEXT(chainsi_made_image, digest),
    CHAINSI_FIELD_INTEGER(chainsi_made_image, size),
    CHAINSI_FIELD_INTEGER(chainsi_made_image, sent),
    CHAINSI_FIELD_TEXT(chainsi_made_image, layout),
    CHAINSI_FIELD_TEXT(chainsi_made_image, sbom),
    CHAINSI_FIELD_OF(chainsi_made_image, layers, &layers_type),
};
static const chainsi_type image_type = CHAINSI_STRUCT_OF(chainsi_made_image, image_fields);
const chainsi_type chainsi_made_images_type = CHAINSI_LIST_OF(chainsi_made_images, &image_type);

typedef struct chainsi_image_work {
    const chainsi_images_request *request;
    const chainsi_model *model; /* NULL: it is chainsd's image */
    const char *folder;         /* for what is made on the way */
    chainsi_arena arena;
    chainsi_layout layout;
    chainsi_exchange exchange;
    const char *path; /* in the registry */
    chainsi_problem *problem;
    chainsi_made_images made;
} image_work;

bool chainsi_images_compression(const chainsi_verb *verb, const char *word,
                                chainsi_compression *out)
{
    *out = CHAINSI_COMPRESSION_ZSTD;
    if (!word || chainsi_compression_read(word, out))
        return true;
    chainsi_usage_error(verb, "--compression is '%s': it is zstd or gzip", word);
    return false;
}

/* Symbols stay, for traces of what crashed; what debuggers alone read is four fifths of a program. */
static const char *strip(image_work *work, const char *binary, const char *name)
{
    const char *stripped = chainsi_arena_printf(&work->arena, "%s/%s", work->folder, name);
    const char *objcopy = getenv("OBJCOPY");
    const char *words[] = { objcopy && *objcopy ? objcopy : "objcopy", "--strip-debug", binary,
                            stripped, NULL };
    pid_t child;
    int status = -1;
    if (mkdir(work->folder, 0755) != 0 && errno != EEXIST) {
        chainsi_problem_file(work->problem, "make the folder", work->folder);
        return NULL;
    }
    if (posix_spawnp(&child, words[0], NULL, NULL, (char **)(uintptr_t)words, environ) == 0)
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
    if (status != 0) {
        chainsi_problem_set(work->problem, "it is part of binutils; OBJCOPY names another",
                            "'%s' could not take the debug information out of '%s'", words[0],
                            binary);
        return NULL;
    }
    return stripped;
}

static const char *chain_name(const image_work *work)
{
    if (!work->model)
        return CHAINSI_CONTROLLER_IMAGE_CHAIN;
    return work->request->chain ? work->request->chain : work->model->entrypoint->wire_name;
}

static chainsi_image_input describe(image_work *work, const chainsi_service *service,
                                    const char *binary)
{
    static const char *const with_tls[] = { "tls", NULL };
    const chainsi_model_chainlet *chainlet = service->chainlet;
    const chains_config *config = &chainlet->config;
    const char *slash = strrchr(chainlet->header, '/');
    chainsi_image_input input = {
        .name = chainlet->wire_name,
        .chain = chain_name(work),
        .description = chainlet->doc,
        .version = CHAINSI_VERSION,
        .binary = binary,
        .files_folder =
            chainsi_arena_printf(&work->arena, "%s/%.*s", work->model->folder,
                                 slash ? (int)(slash - chainlet->header) : 0, chainlet->header),
        .files = config->image.files,
        .base = config->image.base,
        .apt = config->image.apt,
        .work = work->folder,
        .features = work->request->tls ? with_tls : NULL,
        .compression = work->request->compression,
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
                                   work->problem);
    good = good && chainsi_file_write(path, text.data, text.size, work->problem);
    chainsi_buffer_done(&text);
    return good ? path : NULL;
}

static bool make_image(image_work *work, const chainsi_image_input *input)
{
    chainsi_image image;
    if (!chainsi_image_make(&work->layout, input, &image, work->problem) ||
        !chainsi_layout_save(&work->layout, work->problem))
        return false;
    chainsi_made_image *made = &work->made.items[work->made.count];
    *made = (chainsi_made_image){ .name = input->name,
                                  .digest = image.manifest.digest,
                                  .size = image.size,
                                  .layout = work->layout.folder,
                                  .sbom = show_sbom(work, input->name, &image) };
    if (!made->sbom)
        return false;
    made->layers.items =
        chainsi_arena_array(&work->arena, image.layers.count, sizeof *made->layers.items);
    for (size_t i = 0; i < image.layers.count; i++)
        made->layers.items[made->layers.count++] =
            (chainsi_made_layer){ image.layers.items[i].digest, image.layers.items[i].size };
    if (work->request->registry) {
        chainsi_pushed pushed;
        const char *repository =
            chainsi_image_repository(&work->arena, work->path, chain_name(work), input->name);
        if (!chainsi_registry_push(&work->exchange, &work->layout, repository, &image,
                                   work->request->tag, &pushed, work->problem))
            return false;
        made->reference = pushed.reference;
        made->sent = pushed.sent;
    }
    work->made.count++;
    if (work->request->on_made)
        work->request->on_made(made, work->request->user);
    return true;
}

static bool make_one(image_work *work, const chainsi_service *service)
{
    const char *binary = strip(work, service->binary, service->chainlet->c_name);
    if (!binary)
        return false;
    const chainsi_image_input input = describe(work, service, binary);
    return make_image(work, &input);
}

/* What it opens late it is to have: it talks to the API server, and its state may be in PostgreSQL. */
static bool make_controller(image_work *work)
{
    static const char *const features[] = { "transfers", NULL };
    static const char *const arguments[] = { "--kubernetes", NULL };
    char *program = chainsi_daemon_program();
    const char *binary =
        program ? strip(work, chainsi_arena_strdup(&work->arena, program), "chainsd") : NULL;
    free(program);
    if (!binary)
        return false;
    const chainsi_image_input input = {
        .name = CHAINSI_CONTROLLER_IMAGE,
        .chain = CHAINSI_CONTROLLER_IMAGE_CHAIN,
        .description = "The controller and front door of Chains",
        .version = CHAINSI_VERSION,
        .binary = binary,
        .program = "chainsd",
        .arguments = arguments,
        .port = CHAINSI_DEFAULT_PORT,
        .features = features,
        .work = work->folder,
        .compression = work->request->compression,
    };
    return make_image(work, &input);
}

static bool open_registry(image_work *work)
{
    const char *where = work->request->registry;
    if (!where)
        return true;
    if (!chainsi_exchange_open(&work->exchange, where, work->problem))
        return false;
    const char *scheme = strstr(where, "://");
    const char *slash = strchr(scheme ? scheme + 3 : where, '/');
    char *path = chainsi_arena_strdup(&work->arena, slash ? slash + 1 : "");
    size_t size = strlen(path);
    while (size && path[size - 1] == '/')
        path[--size] = 0;
    work->path = path;
    return !path[strspn(path, "abcdefghijklmnopqrstuvwxyz0123456789._-/")] ||
           chainsi_problem_set(work->problem,
                               "write small letters, digits and '.', '_', '-' between them",
                               "'%s' can't be a path of a registry", path);
}

/* below: where its folders are, unless another was asked for. */
static bool begin(image_work *work, const char *below, size_t count)
{
    const char *output = work->request->output;
    if (!output)
        output = chainsi_arena_printf(&work->arena, "%s/images", below);
    work->folder = chainsi_arena_printf(&work->arena, "%s/image", below);
    work->made.items = chainsi_arena_array(&work->arena, count, sizeof *work->made.items);
    return open_registry(work) && chainsi_layout_open(&work->layout, output, work->problem);
}

static bool make_all(image_work *work, const chainsi_built *built)
{
    bool good = begin(work, chainsi_arena_printf(&work->arena, "%s/.chains", work->model->folder),
                      built->service_count);
    for (size_t i = 0; good && i < built->service_count; i++)
        good = make_one(work, &built->services[i]);
    return good;
}

static image_work *new_work(const chainsi_images_request *request, chainsi_problem *problem)
{
    image_work *work = calloc(1, sizeof *work);
    if (!work)
        abort();
    work->request = request;
    work->problem = problem;
    return work;
}

chainsi_image_work *chainsi_images_make(const chainsi_model *model, const chainsi_built *built,
                                        const chainsi_images_request *request,
                                        chainsi_problem *problem)
{
    image_work *work = new_work(request, problem);
    work->model = model;
    if (make_all(work, built))
        return work;
    chainsi_images_done(work);
    return NULL;
}

chainsi_image_work *chainsi_images_make_controller(const chainsi_images_request *request,
                                                   chainsi_problem *problem)
{
    char why[256];
    image_work *work = new_work(request, problem);
    char *home = chainsi_home_find(why, sizeof why);
    const bool good = home && chainsi_home_make(home, why, sizeof why)
                          ? begin(work, home, 1) && make_controller(work)
                          : chainsi_problem_set(problem, "CHAINS_HOME names a folder", "%s", why);
    free(home);
    if (good)
        return work;
    chainsi_images_done(work);
    return NULL;
}

const chainsi_made_images *chainsi_images_made(const chainsi_image_work *work)
{
    return &work->made;
}

void chainsi_images_done(chainsi_image_work *work)
{
    if (!work)
        return;
    chainsi_layout_close(&work->layout);
    chainsi_exchange_close(&work->exchange);
    chainsi_arena_done(&work->arena);
    free(work);
}
