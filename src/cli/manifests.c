/* `chains manifests`: prints what a chain is on Kubernetes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/chain.h"
#include "kubernetes/image_reference.h"
#include "kubernetes/manifests.h"
#include "kubernetes/object_names.h"

enum {
    MOST_IMAGES = 1024 * 1024, /* bytes of the file of --images */
    MOST_MINOR = 99,
};

extern const chainsi_verb chainsi_verb_manifests;

typedef struct request {
    chainsi_words folders;
    const char *entrypoint, *images, *kubernetes, *autoscaler;
    chainsi_manifest_options manifest;
} request;

/* "1.30", which is 30. */
static bool read_minor(const char *text, int *minor)
{
    char *end;
    if (strncmp(text, "1.", 2) != 0 || text[2] < '0' || text[2] > '9')
        return false;
    long number = strtol(text + 2, &end, 10);
    if (*end || number < CHAINSI_KUBERNETES_OLDEST || number > MOST_MINOR)
        return false;
    *minor = (int)number;
    return true;
}

/* A DNS label, as names of namespaces and of what is in them are. */
static bool is_dns_label(const char *text)
{
    const size_t size = strlen(text);
    return size && size <= CHAINSI_OBJECT_NAME_MOST &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == size && *text != '-' &&
           text[size - 1] != '-';
}

static bool check_names(const request *r, int *status)
{
    const chainsi_manifest_options *m = &r->manifest;
    const struct {
        const char *option, *text;
        bool label; /* else a name of ours */
    } names[] = {
        { "name", m->chain, false },
        { "environment", m->environment, false },
        { "namespace", m->name_space, true },
        { "front-door-namespace", m->front_door_name_space, true },
        { "pull-secret", m->pull_secret, true },
        { "asset-claim", m->asset_claim, true },
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text = names[i].text;
        if (!text || (names[i].label ? is_dns_label(text) : chainsi_is_name(text)))
            continue;
        *status = chainsi_usage_error(
            &chainsi_verb_manifests, "--%s is '%s': it has %s", names[i].option, text,
            names[i].label ? "lower-case letters, digits and '-', 63 at most"
                           : "letters, digits, '.', '_' and '-'");
        return false;
    }
    if (m->version && !chainsi_is_image_tag(m->version)) {
        *status = chainsi_usage_error(&chainsi_verb_manifests,
                                      "--version is '%s': it has letters, digits, '.', '_' and "
                                      "'-', as it is the images' tag as well",
                                      m->version);
        return false;
    }
    if (m->create_name_space && !m->name_space) {
        *status = chainsi_usage_error(&chainsi_verb_manifests,
                                      "--create-namespace needs --namespace NAME");
        return false;
    }
    return true;
}

static bool check_usage(request *r, int *status)
{
    if (r->kubernetes && !read_minor(r->kubernetes, &r->manifest.minor)) {
        *status = chainsi_usage_error(&chainsi_verb_manifests,
                                      "--kubernetes is '%s': it is a version from 1.%d on, such "
                                      "as 1.%d",
                                      r->kubernetes, CHAINSI_KUBERNETES_OLDEST,
                                      CHAINSI_KUBERNETES_DEFAULT);
        return false;
    }
    r->manifest.hpa = r->autoscaler && !strcmp(r->autoscaler, "hpa");
    if (r->autoscaler && !r->manifest.hpa && strcmp(r->autoscaler, "none") != 0) {
        *status = chainsi_usage_error(&chainsi_verb_manifests,
                                      "--autoscaler is '%s': it is hpa or none", r->autoscaler);
        return false;
    }
    return check_names(r, status);
}

/* The whole file, which may be a pipe. False: errno. */
static bool read_whole(const char *path, chainsi_buffer *text)
{
    enum { PIECE = 4096 };
    FILE *file = fopen(path, "re");
    size_t got = 1;
    while (file && got && text->size <= MOST_IMAGES) {
        got = fread(chainsi_buffer_reserve(text, PIECE), 1, PIECE, file);
        text->size += got;
    }
    const bool good = file && !ferror(file);
    if (file)
        fclose(file);
    return good;
}

static bool read_images(request *r, chainsi_arena *arena)
{
    chainsi_buffer text = { 0 };
    chainsi_codec_error why;
    if (!r->images)
        return true;
    bool good = read_whole(r->images, &text);
    if (!good)
        fprintf(stderr, "chains manifests: %s: %s\n", r->images, strerror(errno));
    else if (!chainsi_image_map_read((const char *)text.data, text.size, arena, &r->manifest.images,
                                     &why)) {
        good = false;
        fprintf(stderr,
                "chains manifests: %s: %s%s%s (byte %zu)\n"
                "  hint: it is a JSON object of digests, or a list of images: "
                "{\"phi_llm\": \"sha256:…\"}\n",
                r->images, why.path, *why.path ? ": " : "", why.message, why.offset);
    }
    chainsi_buffer_done(&text);
    return good;
}

static int print(request *r, chainsi_chain *chain)
{
    chainsi_buffer out = { 0 };
    bool good = chainsi_manifests_write(chain->model, &r->manifest, &chain->diagnostics, &out);
    chainsi_chain_report(chain);
    int status = good ? CHAINSI_EXIT_OK : CHAINSI_EXIT_USAGE;
    if (good && (fwrite(out.data, 1, out.size, stdout) != out.size || fflush(stdout) != 0)) {
        perror("chains manifests");
        status = CHAINSI_EXIT_FAILED;
    }
    chainsi_buffer_done(&out);
    return status;
}

static int run(int argc, char **argv)
{
    request r = { 0 };
    chainsi_manifest_options *m = &r.manifest;
    const chainsi_option options[] = {
        { "entrypoint", CHAINSI_OPTION_TEXT, &r.entrypoint },
        { "name", CHAINSI_OPTION_TEXT, &m->chain },
        { "version", CHAINSI_OPTION_TEXT, &m->version },
        { "environment", CHAINSI_OPTION_TEXT, &m->environment },
        { "registry", CHAINSI_OPTION_TEXT, &m->registry },
        { "images", CHAINSI_OPTION_TEXT, &r.images },
        { "pull-secret", CHAINSI_OPTION_TEXT, &m->pull_secret },
        { "namespace", CHAINSI_OPTION_TEXT, &m->name_space },
        { "create-namespace", CHAINSI_OPTION_FLAG, &m->create_name_space },
        { "front-door-namespace", CHAINSI_OPTION_TEXT, &m->front_door_name_space },
        { "asset-claim", CHAINSI_OPTION_TEXT, &m->asset_claim },
        { "fetch-image", CHAINSI_OPTION_TEXT, &m->fetch_image },
        { "owner-uid", CHAINSI_OPTION_TEXT, &m->owner_uid },
        { "autoscaler", CHAINSI_OPTION_TEXT, &r.autoscaler },
        { "kubernetes", CHAINSI_OPTION_TEXT, &r.kubernetes },
        { "json", CHAINSI_OPTION_FLAG, &m->json },
        { NULL, CHAINSI_OPTION_END, NULL },
    };
    int status;
    chainsi_arena arena = { 0 };
    if (chainsi_options_read(&chainsi_verb_manifests, options, argc, argv, 1, &r.folders,
                             &status) &&
        check_usage(&r, &status)) {
        chainsi_chain chain = { 0 };
        status = CHAINSI_EXIT_USAGE;
        if (read_images(&r, &arena) &&
            chainsi_chain_open(&chain, r.folders.count ? r.folders.items[0] : NULL, r.entrypoint,
                               true))
            status = print(&r, &chain);
        chainsi_chain_close(&chain);
    }
    chainsi_arena_done(&arena);
    chainsi_words_done(&r.folders);
    return status;
}

const chainsi_verb chainsi_verb_manifests = {
    .name = "manifests",
    .usage = "[FOLDER] [--registry REGISTRY] [--images FILE] [--namespace NAME] [--version NAME]",
    .summary = "Print the Kubernetes objects of a chain.",
    .help =
        "Prints YAML for `kubectl apply -f -`: of each Chainlet that has a process of its own a\n"
        "Deployment, a headless Service, a PodDisruptionBudget, a NetworkPolicy and a\n"
        "ServiceAccount, and a ConfigMap of the version. Nothing is built, and no cluster asked;\n"
        "the same input gives the same text.\n"
        "\n"
        "  --registry REGISTRY  where the images are: REGISTRY/CHAIN/CHAINLET:VERSION\n"
        "  --images FILE        their digests instead of the tag, as JSON: {\"phi_llm\":\n"
        "                       \"sha256:…\"}; a whole reference in the place of a digest is "
        "taken\n"
        "                       as it is\n"
        "  --pull-secret NAME   the Secret that the registry wants\n"
        "  --version NAME       of the chain; else v0- and a hash of what is printed\n"
        "  --namespace NAME     of the objects; else the one that they are applied to\n"
        "  --create-namespace   print an object for it, too\n"
        "  --environment NAME   what chains_environment says (production)\n"
        "  --entrypoint NAME    another Chainlet than the marked one\n"
        "  --name NAME          of the chain; else the entrypoint's\n"
        "  --asset-claim NAME   a PersistentVolumeClaim that many nodes can write to, for the\n"
        "                       files of .assets; else each pod fetches its own\n"
        "  --fetch-image IMAGE  what fetches them: it has sh, curl and sha256sum\n"
        "  --front-door-namespace NAME\n"
        "                       where pods with chains.dev/front-door: \"true\" may call the\n"
        "                       entrypoint from; else the chain's own namespace\n"
        "  --autoscaler hpa     have Kubernetes scale by CPU, between .min_replicas and\n"
        "                       .max_replicas; else Deployments keep the replicas they have\n"
        "  --owner-uid UID      of the version's ConfigMap, which then owns all else\n"
        "  --kubernetes 1.N     the cluster's version, from 1.20 on (1.30)\n"
        "  --json               print a v1 List\n"
        "\n"
        "Example:\n"
        "  chains manifests hello --registry registry.example.com/me | kubectl apply -f -\n",
    .run = run,
};
