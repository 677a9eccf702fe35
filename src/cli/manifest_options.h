/* What verbs that make Kubernetes objects are told alike: `chains manifests`, and those with `--target kubernetes`. */
#ifndef CHAINSI_CLI_MANIFEST_OPTIONS_H
#define CHAINSI_CLI_MANIFEST_OPTIONS_H

#include "cli/chain.h"
#include "control/api.h"
#include "kubernetes/manifests.h"

typedef struct chainsi_manifest_words {
    const char *images, *kubernetes, *autoscaler, *tls;
    bool tls_said; /* set by reading: --tls was given */
    chainsi_manifest_options manifest;
} chainsi_manifest_words;

/* The options that they have in common, into one that begins as all zero. */
#define CHAINSI_MANIFEST_OPTIONS(words)                                                            \
    { "version", CHAINSI_OPTION_TEXT, &(words).manifest.version },                                 \
        { "registry", CHAINSI_OPTION_TEXT, &(words).manifest.registry },                           \
        { "pull-secret", CHAINSI_OPTION_TEXT, &(words).manifest.pull_secret },                     \
        { "asset-claim", CHAINSI_OPTION_TEXT, &(words).manifest.asset_claim },                     \
        { "near-claim", CHAINSI_OPTION_TEXT, &(words).manifest.near_claim },                       \
        { "fetch-image", CHAINSI_OPTION_TEXT, &(words).manifest.fetch_image },                     \
        { "autoscaler", CHAINSI_OPTION_TEXT, &(words).autoscaler },                                \
    {                                                                                              \
        "tls", CHAINSI_OPTION_TEXT, &(words).tls                                                   \
    }

/* Makes the manifest's options of the words. False: said as a usage error. */
bool chainsi_manifest_words_read(const chainsi_verb *verb, chainsi_manifest_words *words);
/* Reads the file of --images, if one is given ("-": stdin), into arena. False: said on stderr. */
bool chainsi_manifest_words_images(const chainsi_verb *verb, chainsi_manifest_words *words,
                                   chainsi_arena *arena);
/* What is deployed, as the ConfigMap has it, in arena: JSON. NULL, said on stderr: texts in it are no UTF-8. */
const char *chainsi_deploy_text(const chainsi_verb *verb, const chainsi_api_deploy *deploy,
                                chainsi_arena *arena);
/* What is deployed, under the names of the options, without who, from where and how it is tried: what makes a version. */
chainsi_api_deploy chainsi_deploy_identity(const chainsi_model *model,
                                           const chainsi_manifest_options *options,
                                           chainsi_arena *arena);

#endif
