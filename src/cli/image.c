/* `chains image`: an OCI image of each service of a chain, in a folder or a registry. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/chain.h"
#include "cli/make_images.h"
#include "schema/json.h"

static int run(int argc, char **argv);

const chainsi_verb chainsi_verb_image = {
    .name = "image",
    .usage = "[FOLDER] [--entrypoint NAME] [--name NAME] [--tls on|off] [--compression zstd|gzip]\n"
             "                    [--output FOLDER] [--registry HOST[:PORT][/PATH]] [--tag TAG] "
             "[--json]\n"
             "       chains image --controller [--compression zstd|gzip] [--output FOLDER]\n"
             "                    [--registry HOST[:PORT][/PATH]] [--tag TAG] [--json]",
    .summary = "Make an OCI image of each service of a chain.",
    .help =
        "Builds the services that the entrypoint needs, and an image of each: the program, the\n"
        "libraries that it needs, .image.files, CA certificates, and a list of packages (SPDX).\n"
        "No container engine and no root are needed. The same input gives the same digest; a "
        "change\n"
        "of code changes the last, small layer alone. Images are written to an OCI layout.\n"
        "\n"
        "  --entrypoint NAME     the Chainlet called from outside, instead of the marked one\n"
        "  --name NAME           of the chain, instead of its entrypoint's\n"
        "  --tls off             without the libraries by which services speak TLS with each "
        "other,\n"
        "                        1.8 MiB: for `chains manifests --tls off`\n"
        "  --compression gzip    of layers, for engines that can't read zstd, as Docker before 23 "
        "and\n"
        "                        containerd before 1.5. Default: zstd, by which they are a seventh "
        "smaller\n"
        "  --controller          of chainsd instead, which a cluster runs (`chains controller`)\n"
        "  --output FOLDER       the layout; without, .chains/images below FOLDER of the chain, "
        "or\n"
        "                        images below CHAINS_HOME\n"
        "  --registry HOST/PATH  push them there as PATH/CHAIN/CHAINLET; what is there isn't sent "
        "again.\n"
        "                        http://HOST for one without TLS (the default for localhost). The\n"
        "                        login is that of `podman login` or `docker login`\n"
        "  --tag TAG             without, the first 12 digits of the image's digest\n"
        "  --json                print [{name, reference, digest, size, sent, layout, sbom, "
        "layers}]\n"
        "\n"
        "Examples:\n"
        "  chains image hello\n"
        "  chains image --controller --registry registry.example.com/team\n"
        "  chains image hello --registry registry.example.com/team --tag v1\n",
    .run = run,
};

typedef struct image_request {
    const char *entrypoint;
    const char *tls, *compression;
    chainsi_images_request images;
    bool controller, json;
} image_request;

static void print_size(int64_t size)
{
    if (size < 1024 * 1024)
        printf("%.1f KiB", (double)size / 1024);
    else
        printf("%.1f MiB", (double)size / 1048576);
}

static void print_image(const chainsi_made_image *made, void *user)
{
    const image_request *request = user;
    if (request->json)
        return;
    if (made->reference)
        printf("%-20s %s  %s  (", made->name, made->reference, made->digest);
    else
        printf("%-20s oci:%s:%s  %s  (", made->name, made->layout, made->name, made->digest);
    print_size(made->size);
    if (made->reference) {
        printf(", sent ");
        print_size(made->sent);
    }
    printf(")\n");
    fflush(stdout);
}

static void print_json(const chainsi_made_images *made)
{
    chainsi_buffer out = { 0 };
    if (chainsi_json_encode(&chainsi_made_images_type, made, &out, NULL) != CHAINS_OK)
        abort();
    printf("%.*s\n", (int)out.size, (const char *)out.data);
    chainsi_buffer_done(&out);
}

/* Says what came of it; ends the work. The exit status. */
static int finish(const image_request *request, chainsi_image_work *work,
                  const chainsi_problem *problem)
{
    if (!work) {
        fprintf(stderr, "chains image: error: %s\n", problem->message);
        if (*problem->hint)
            fprintf(stderr, "  hint: %s\n", problem->hint);
    } else if (request->json) {
        print_json(chainsi_images_made(work));
    }
    const int status = work ? CHAINSI_EXIT_OK : CHAINSI_EXIT_FAILED;
    chainsi_images_done(work);
    return status;
}

static int make_images(chainsi_chain *chain, image_request *request)
{
    chainsi_build_options options = { .quiet = request->json };
    chainsi_problem problem = { 0 };
    chainsi_built *built = chainsi_build_services(chain->model, &options, &chain->diagnostics);
    chainsi_chain_report(chain);
    if (!built)
        return CHAINSI_EXIT_FAILED;
    const int status = finish(
        request, chainsi_images_make(chain->model, built, &request->images, &problem), &problem);
    chainsi_built_free(built);
    return status;
}

static int make_controller(image_request *request)
{
    chainsi_problem problem = { 0 };
    return finish(request, chainsi_images_make_controller(&request->images, &problem), &problem);
}

static bool is_tag(const char *tag)
{
    return chainsi_is_name(tag) && strlen(tag) <= 128 && *tag != '.' && *tag != '-';
}

static int run(int argc, char **argv)
{
    image_request request = { 0 };
    chainsi_images_request *images = &request.images;
    chainsi_words folders = { 0 };
    const chainsi_option options[] = {
        { "entrypoint", CHAINSI_OPTION_TEXT, &request.entrypoint },
        { "name", CHAINSI_OPTION_TEXT, &images->chain },
        { "output", CHAINSI_OPTION_TEXT, &images->output },
        { "registry", CHAINSI_OPTION_TEXT, &images->registry },
        { "tag", CHAINSI_OPTION_TEXT, &images->tag },
        { "tls", CHAINSI_OPTION_TEXT, &request.tls },
        { "compression", CHAINSI_OPTION_TEXT, &request.compression },
        { "controller", CHAINSI_OPTION_FLAG, &request.controller },
        { "json", CHAINSI_OPTION_FLAG, &request.json },
        { NULL, CHAINSI_OPTION_END, NULL },
    };
    int status;
    if (chainsi_options_read(&chainsi_verb_image, options, argc, argv, 1, &folders, &status)) {
        chainsi_chain chain = { 0 };
        status = CHAINSI_EXIT_USAGE;
        images->tls = !request.tls || !strcmp(request.tls, "on");
        images->on_made = print_image;
        images->user = &request;
        if (images->chain && !chainsi_is_name(images->chain))
            chainsi_usage_error(&chainsi_verb_image,
                                "--name '%s': write letters, digits, '.', '_' and '-'",
                                images->chain);
        else if (images->tag && !is_tag(images->tag))
            chainsi_usage_error(&chainsi_verb_image,
                                "--tag '%s': write letters, digits, '.', '_' and '-'", images->tag);
        else if (images->tag && !images->registry)
            chainsi_usage_error(&chainsi_verb_image, "--tag is for --registry");
        else if (!images->tls && strcmp(request.tls, "off") != 0)
            chainsi_usage_error(&chainsi_verb_image, "--tls is '%s': it is on or off", request.tls);
        else if (request.controller &&
                 (folders.count || request.entrypoint || images->chain || request.tls))
            chainsi_usage_error(&chainsi_verb_image,
                                "--controller is no image of a chain, and goes with "
                                "--compression, --output, --registry, --tag and --json");
        else if (!chainsi_images_compression(&chainsi_verb_image, request.compression,
                                             &images->compression))
            ; /* said */
        else if (request.controller)
            status = make_controller(&request);
        else if (chainsi_chain_open(&chain, folders.count ? folders.items[0] : NULL,
                                    request.entrypoint, true))
            status = make_images(&chain, &request);
        chainsi_chain_close(&chain);
    }
    chainsi_words_done(&folders);
    return status;
}
