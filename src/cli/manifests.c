/* `chains manifests`: prints what a chain is on Kubernetes. */
#include <stdio.h>

#include "cli/manifest_options.h"

extern const chainsi_verb chainsi_verb_manifests;

typedef struct request {
    chainsi_words folders;
    const char *entrypoint;
    chainsi_manifest_words words;
} request;

static int print(request *r, chainsi_chain *chain, chainsi_arena *arena)
{
    chainsi_buffer out = { 0 };
    chainsi_manifest_options *m = &r->words.manifest;
    const chainsi_api_deploy deploy = chainsi_deploy_identity(chain->model, m, arena);
    m->deploy = chainsi_deploy_text(&chainsi_verb_manifests, &deploy, arena);
    bool good = m->deploy && chainsi_manifests_write(chain->model, m, &chain->diagnostics, &out);
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
    chainsi_manifest_options *m = &r.words.manifest;
    const chainsi_option options[] = {
        { "entrypoint", CHAINSI_OPTION_TEXT, &r.entrypoint },
        { "name", CHAINSI_OPTION_TEXT, &m->chain },
        { "environment", CHAINSI_OPTION_TEXT, &m->environment },
        { "images", CHAINSI_OPTION_TEXT, &r.words.images },
        { "namespace", CHAINSI_OPTION_TEXT, &m->name_space },
        { "create-namespace", CHAINSI_OPTION_FLAG, &m->create_name_space },
        { "front-door-namespace", CHAINSI_OPTION_TEXT, &m->front_door_name_space },
        { "owner-uid", CHAINSI_OPTION_TEXT, &m->owner_uid },
        { "kubernetes", CHAINSI_OPTION_TEXT, &r.words.kubernetes },
        CHAINSI_MANIFEST_OPTIONS(r.words),
        { "json", CHAINSI_OPTION_FLAG, &m->json },
        { NULL, CHAINSI_OPTION_END, NULL },
    };
    int status;
    chainsi_arena arena = { 0 };
    if (chainsi_options_read(&chainsi_verb_manifests, options, argc, argv, 1, &r.folders,
                             &status)) {
        chainsi_chain chain = { 0 };
        status = CHAINSI_EXIT_USAGE;
        if (chainsi_manifest_words_read(&chainsi_verb_manifests, &r.words) &&
            chainsi_manifest_words_images(&chainsi_verb_manifests, &r.words, &arena) &&
            chainsi_chain_open(&chain, r.folders.count ? r.folders.items[0] : NULL, r.entrypoint,
                               true))
            status = print(&r, &chain, &arena);
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
        "  --near-claim NAME    a PersistentVolumeClaim of a folder that each node has of its "
        "own,\n"
        "                       where calls go to Chainlets that are .near\n"
        "  --fetch-image IMAGE  what fetches them: it has sh, curl and sha256sum\n"
        "  --front-door-namespace NAME\n"
        "                       where pods with chains.dev/front-door: \"true\" may call\n"
        "                       Chainlets from; else the chain's own namespace\n"
        "  --autoscaler WHICH   who scales: chains, which is chainsd in the cluster (the "
        "default);\n"
        "                       hpa: Kubernetes by CPU, between .min_replicas and\n"
        "                       .max_replicas, where the cluster has a metrics API;\n"
        "                       knative, whose Services Chainlets then are;\n"
        "                       none: Deployments keep the replicas they have\n"
        "  --tls on|off         calls between Chainlets by TLS, with certificates that chainsd\n"
        "                       makes. Default: on with --autoscaler chains, else off\n"
        "  --owner-uid UID      of the version's ConfigMap, which then owns all else\n"
        "  --kubernetes 1.N     the cluster's version, from 1.20 on (1.30)\n"
        "  --json               print a v1 List\n"
        "\n"
        "Example:\n"
        "  chains manifests hello --registry registry.example.com/me | kubectl apply -f -\n",
    .run = run,
};
