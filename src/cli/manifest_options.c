/* Options of manifests, read and checked. */
#include "cli/manifest_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/describe.h"
#include "compiler/service.h"
#include "kubernetes/image_reference.h"
#include "kubernetes/object_names.h"
#include "schema/json.h"

enum {
    MOST_IMAGES = 1024 * 1024, /* bytes of the file of --images */
    MOST_MINOR = 99,
};

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

static bool check_names(const chainsi_verb *verb, const chainsi_manifest_options *m)
{
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
        { "near-claim", m->near_claim, true },
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text = names[i].text;
        if (!text || (names[i].label ? is_dns_label(text) : chainsi_is_name(text)))
            continue;
        chainsi_usage_error(verb, "--%s is '%s': it has %s", names[i].option, text,
                            names[i].label ? "lower-case letters, digits and '-', 63 at most"
                                           : "letters, digits, '.', '_' and '-'");
        return false;
    }
    if (m->version && !chainsi_is_image_tag(m->version)) {
        chainsi_usage_error(verb,
                            "--version is '%s': it has letters, digits, '.', '_' and "
                            "'-', as it is the images' tag as well",
                            m->version);
        return false;
    }
    if (m->create_name_space && !m->name_space) {
        chainsi_usage_error(verb, "--create-namespace needs --namespace NAME");
        return false;
    }
    return true;
}

/* NULL: none of them was given. */
static bool read_autoscaler(const chainsi_verb *verb, const char *text, chainsi_autoscaler *which)
{
    if (!text || chainsi_autoscaler_read(text, which))
        return true;
    chainsi_usage_error(verb, "--autoscaler is '%s': it is chains, hpa, knative or none", text);
    return false;
}

/* Where chainsd scales, it makes certificates as well. */
static bool read_tls(const chainsi_verb *verb, chainsi_manifest_words *words)
{
    chainsi_manifest_options *m = &words->manifest;
    const char *text = words->tls;
    words->tls_said = text != NULL;
    m->tls = text ? !strcmp(text, "on") : m->autoscaler == CHAINSI_AUTOSCALER_CHAINS;
    if (text && !m->tls && strcmp(text, "off") != 0)
        chainsi_usage_error(verb, "--tls is '%s': it is on or off", text);
    else if (m->tls && m->autoscaler == CHAINSI_AUTOSCALER_KNATIVE)
        chainsi_usage_error(verb, "--tls on can't be with --autoscaler knative: its proxies stand "
                                  "between Chainlets and read what they say");
    else
        return true;
    return false;
}

bool chainsi_manifest_words_read(const chainsi_verb *verb, chainsi_manifest_words *words)
{
    chainsi_manifest_options *m = &words->manifest;
    if (words->kubernetes && !read_minor(words->kubernetes, &m->minor)) {
        chainsi_usage_error(verb,
                            "--kubernetes is '%s': it is a version from 1.%d on, such as "
                            "1.%d",
                            words->kubernetes, CHAINSI_KUBERNETES_OLDEST,
                            CHAINSI_KUBERNETES_DEFAULT);
        return false;
    }
    return read_autoscaler(verb, words->autoscaler, &m->autoscaler) && read_tls(verb, words) &&
           check_names(verb, m);
}

/* The whole file, which may be a pipe. False: errno. */
static bool read_whole(const char *path, chainsi_buffer *text)
{
    enum { PIECE = 4096 };
    const bool input = !strcmp(path, "-");
    FILE *file = input ? stdin : fopen(path, "re");
    size_t got = 1;
    while (file && got && text->size <= MOST_IMAGES) {
        got = fread(chainsi_buffer_reserve(text, PIECE), 1, PIECE, file);
        text->size += got;
    }
    const bool good = file && !ferror(file);
    if (file && !input)
        fclose(file);
    return good;
}

bool chainsi_manifest_words_images(const chainsi_verb *verb, chainsi_manifest_words *r,
                                   chainsi_arena *arena)
{
    chainsi_buffer text = { 0 };
    chainsi_codec_error why;
    if (!r->images)
        return true;
    bool good = read_whole(r->images, &text);
    if (!good)
        fprintf(stderr, "chains %s: %s: %s\n", verb->name, r->images, strerror(errno));
    else if (!chainsi_image_map_read((const char *)text.data, text.size, arena, &r->manifest.images,
                                     &why)) {
        good = false;
        fprintf(stderr,
                "chains %s: %s: %s%s%s (byte %zu)\n"
                "  hint: it is a JSON object of digests, or a list of images: "
                "{\"phi_llm\": \"sha256:…\"}\n",
                verb->name, r->images, why.path, *why.path ? ": " : "", why.message, why.offset);
    }
    chainsi_buffer_done(&text);
    return good;
}

const char *chainsi_deploy_text(const chainsi_verb *verb, const chainsi_api_deploy *deploy,
                                chainsi_arena *arena)
{
    chainsi_buffer text = { 0 };
    chainsi_codec_error why;
    const char *copied = NULL;
    if (chainsi_json_encode(&chainsi_api_deploy_type, deploy, &text, &why) == CHAINS_OK)
        copied = chainsi_arena_copy(arena, text.data, text.size);
    else
        fprintf(stderr, "chains %s: %s: %s\n", verb->name, why.path, why.message);
    chainsi_buffer_done(&text);
    return copied;
}

chainsi_api_deploy chainsi_deploy_identity(const chainsi_model *model,
                                           const chainsi_manifest_options *options,
                                           chainsi_arena *arena)
{
    const chainsi_service *services;
    const size_t count = chainsi_services_list(model, arena, &services);
    chainsi_api_deploy deploy = chainsi_describe_deploy(model, services, count, arena);
    if (options->chain)
        deploy.chain = options->chain;
    if (options->environment)
        deploy.environment = options->environment;
    return deploy;
}
