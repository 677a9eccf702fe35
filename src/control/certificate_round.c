/* A chain's Secrets, one after the other: first its authority, which is in the cluster before anything that it issues is;
 * then a certificate each; then what tells that all of them are as they should be. */
#include "control/certificate_round.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/handle.h"

enum { PATIENCE_S = 0 /* the next round is soon enough */ };

static const char *const front_door_names[] = { "chainsd" };

void chainsi_round_chain_done(chainsi_round_chain *chain)
{
    chainsi_rotation_done(&chain->rotation);
    chainsi_pair_done(&chain->front);
    free(chain->front_bundle);
    free(chain->name);
    *chain = (chainsi_round_chain){ 0 };
}

/* What can't be done */

static void complain(chainsi_round_chain *chain, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Says it, unless that was the last thing said. Of one round the first thing is said. */
static void complain(chainsi_round_chain *chain, const char *format, ...)
{
    char text[sizeof chain->trouble];
    va_list arguments;
    if (chain->troubled)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    chain->troubled = true;
    if (strcmp(text, chain->trouble) != 0)
        fprintf(stderr, "chainsd: certificates of %s: %s\n", chain->name, text);
    memcpy(chain->trouble, text, sizeof text);
}

static void complain_of_answer(chainsi_round *round, chainsi_round_chain *chain,
                               chains_status status, const char *verb, const char *secret)
{
    const char *why = round->answer.why;
    if (status == CHAINS_CANCELLED)
        return; /* the thread is to end */
    if (status == CHAINS_PERMISSION_DENIED)
        complain(chain, "%s; `chains controller` writes one that does", why);
    else
        complain(chain, "can't %s the Secret %s: %s", verb, secret, why);
}

/* Secrets */

static const char *path_of(chainsi_round *round, const char *secret)
{
    return chainsi_arena_printf(&round->arena, "/api/v1/namespaces/%s/secrets%s%s",
                                round->name_space, *secret ? "/" : "", secret);
}

/* *record has no resource_version if there is none of that name. False: it can't be said. */
static bool get_secret(chainsi_round *round, chainsi_round_chain *chain, const char *name,
                       chainsi_secret_record *record)
{
    chains_status status = chainsi_cluster_ask(round->cluster, "GET", path_of(round, name), NULL,
                                               NULL, 0, PATIENCE_S, &round->answer);
    *record = (chainsi_secret_record){ .name = name };
    if (status == CHAINS_NOT_FOUND)
        return true;
    if (status != CHAINS_OK) {
        complain_of_answer(round, chain, status, "get", name);
        return false;
    }
    const chainsi_buffer *body = &round->answer.body;
    if (chainsi_secret_record_read((const char *)body->data, body->size, &round->arena, record) &&
        record->resource_version)
        return true;
    complain(chain, "the API server's answer about the Secret %s can't be read", name);
    return false;
}

/* Creates it, or patches the very one that was read, if it is still as it was. */
static bool put_secret(chainsi_round *round, chainsi_round_chain *chain,
                       const chainsi_secret_record *record)
{
    const bool patch = record->resource_version != NULL;
    chainsi_buffer body = { 0 };
    chainsi_secret_record_write(record, patch, &body);
    chains_status status = chainsi_cluster_ask(round->cluster, patch ? "PATCH" : "POST",
                                               path_of(round, patch ? record->name : ""),
                                               patch ? CHAINSI_CLUSTER_MERGE : CHAINSI_CLUSTER_JSON,
                                               body.data, body.size, PATIENCE_S, &round->answer);
    if (body.data)
        memset(body.data, 0, body.size);
    chainsi_buffer_done(&body);
    if (status != CHAINS_OK)
        complain_of_answer(round, chain, status, patch ? "patch" : "create", record->name);
    return status == CHAINS_OK;
}

/* Whether one that was read is to be as it is here; says so of one that is somebody else's. */
static bool is_ours(chainsi_round_chain *chain, const chainsi_secret_record *found,
                    const char *kind, const char *type)
{
    if (!found->resource_version)
        return true;
    if (!found->kind || strcmp(found->kind, kind) != 0) {
        complain(chain,
                 "the Secret %s isn't made by chainsd (it has no label chains.dev/kind=%s), and "
                 "stays as it is",
                 found->name, kind);
        return false;
    }
    if (found->type && !strcmp(found->type, type))
        return true;
    complain(chain,
             "the Secret %s has the type '%s' instead of '%s': delete it, and it is made anew",
             found->name, found->type ? found->type : "", type);
    return false;
}

static bool is_same(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static bool has_owner(const chainsi_secret_owners *owners, const chainsi_secret_owner *owner)
{
    for (size_t i = 0; i < owners->count; i++)
        if (is_same(owners->items[i].uid, owner->uid))
            return true;
    return false;
}

/* Whether all that is to be in there is. */
static bool has_all(const chainsi_secret_record *found, const chainsi_secret_record *wanted)
{
    for (size_t i = 0; i < wanted->entry_count; i++)
        if (!is_same(chainsi_secret_record_get(found, wanted->entries[i].key),
                     wanted->entries[i].text))
            return false;
    for (size_t i = 0; i < wanted->owners.count; i++)
        if (!has_owner(&found->owners, &wanted->owners.items[i]))
            return false;
    return true;
}

/* The authority */

/* Those whose authority's Secret is lost, and which nobody remembers, are trusted for as long as what they have
 * issued is in use: what Chainlets have been given says which. False: it can't be said which. */
static bool recover(chainsi_round *round, chainsi_round_chain *chain,
                    const chainsi_round_version *versions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < versions[i].object_count; k++) {
            chainsi_secret_record leaf;
            const char *name =
                chainsi_arena_printf(&round->arena, "%s-tls", versions[i].objects[k]);
            const char *bundle = NULL;
            if (!get_secret(round, chain, name, &leaf))
                return false;
            if (is_same(leaf.kind, CHAINSI_SECRET_CERTIFICATE))
                bundle = chainsi_secret_record_get(&leaf, "ca.crt");
            if (bundle && chainsi_certificate_count(bundle)) {
                chain->rotation.issuer.certificate = chainsi_copy_text(bundle);
                return true;
            }
        }
    }
    return true;
}

/* What is in the cluster goes before what is remembered: another controller may have written it. */
static bool load_authority(chainsi_round *round, chainsi_round_chain *chain,
                           const chainsi_round_version *versions, size_t count,
                           chainsi_secret_record *found)
{
    const char *name = chainsi_secret_authority_name(&round->arena, chain->name);
    chainsi_rotation read;
    if (!get_secret(round, chain, name, found) ||
        !is_ours(chain, found, CHAINSI_SECRET_AUTHORITY, CHAINSI_SECRET_AUTHORITY_TYPE))
        return false;
    if (found->resource_version && chainsi_secret_get_rotation(found, &read)) {
        /* A key that somebody has taken out is gone on purpose. */
        chainsi_rotation_done(&chain->rotation);
        chain->rotation = read;
    } else if (!chain->rotation.issuer.certificate) {
        return recover(round, chain, versions, count);
    }
    return true;
}

/* The owners of both; the cluster drops those that don't exist any more. */
static void set_owners(chainsi_round *round, chainsi_secret_record *record,
                       const chainsi_secret_owners *before, const chainsi_round_version *versions,
                       size_t count)
{
    chainsi_secret_owners *owners = &record->owners;
    owners->items =
        chainsi_arena_array(&round->arena, before->count + count, sizeof *owners->items);
    for (size_t i = 0; i < before->count; i++)
        owners->items[owners->count++] = before->items[i];
    for (size_t i = 0; i < count; i++)
        if (!has_owner(owners, &versions[i].owner))
            owners->items[owners->count++] = versions[i].owner;
}

static bool store_authority(chainsi_round *round, chainsi_round_chain *chain,
                            const chainsi_round_version *versions, size_t count,
                            chainsi_secret_record *found)
{
    chainsi_secret_record wanted = {
        .name = chainsi_secret_authority_name(&round->arena, chain->name),
        .resource_version = found->resource_version,
        .type = CHAINSI_SECRET_AUTHORITY_TYPE,
        .kind = CHAINSI_SECRET_AUTHORITY,
        .chain = versions[0].chain_label,
    };
    set_owners(round, &wanted, &found->owners, versions, count);
    chainsi_secret_put_rotation(&wanted, &chain->rotation, &round->arena);
    if (found->resource_version && has_all(found, &wanted))
        return true;
    if (!put_secret(round, chain, &wanted))
        return false;
    /* What it is now, for another change in the same round. */
    const chainsi_buffer *body = &round->answer.body;
    chainsi_secret_record_read((const char *)body->data, body->size, &round->arena, found);
    return true;
}

/* Takes the step that is due. False: none could be taken. */
static bool take_step(chainsi_round *round, chainsi_round_chain *chain)
{
    static const char *const said[] = {
        "the old authority is trusted no longer",
        "a new authority is trusted beside the one that issues",
        "the new authority issues from now on, and the old one is still trusted",
    };
    const bool first = !chain->rotation.issuer.certificate;
    if (!chainsi_rotation_go_on(&chain->rotation, chain->name, round->now_s,
                                round->authority_life_s)) {
        complain(chain, "an authority can't be made: OpenSSL has no random numbers or no memory");
        return false;
    }
    fprintf(stderr, "chainsd: certificates of %s: %s\n", chain->name,
            first ? "an authority was made" : said[chainsi_rotation_get_state(&chain->rotation)]);
    return true;
}

/* Usually one step is due, if any: those behind it wait for files. */
static bool rotate(chainsi_round *round, chainsi_round_chain *chain)
{
    bool good = true;
    while (good && chainsi_rotation_is_due(&chain->rotation, round->now_s))
        good = take_step(round, chain);
    return good;
}

/* Certificates */

/* A Service's names, with and without its namespace. */
enum { NAMES = 4 };
static void name_service(chainsi_round *round, const char *object, const char *names[NAMES])
{
    names[0] = object;
    names[1] = chainsi_arena_printf(&round->arena, "%s.%s", object, round->name_space);
    names[2] = chainsi_arena_printf(&round->arena, "%s.svc", names[1]);
    names[3] = chainsi_arena_printf(&round->arena, "%s.cluster.local", names[2]);
}

/* Whether those who trust what is trusted now take it for what it says; it may be over soon. */
static bool is_trusted(const chainsi_rotation *rotation, const chainsi_pair *pair,
                       const char *const *names, size_t count)
{
    return pair->certificate && chainsi_pair_is_good(pair) &&
           chainsi_rotation_accepts(rotation, pair->certificate, names, count);
}

static bool may_stay(const chainsi_round *round, const chainsi_rotation *rotation,
                     const chainsi_pair *pair, const char *const *names, size_t count)
{
    return is_trusted(rotation, pair, names, count) &&
           !chainsi_certificate_is_due(pair->certificate, round->now_s);
}

static bool issue(chainsi_round *round, chainsi_round_chain *chain, const char *const *names,
                  size_t count, chainsi_pair *pair)
{
    if (chainsi_authority_issue(chainsi_rotation_signer(&chain->rotation), names, count,
                                round->now_s, round->certificate_life_s, pair))
        return true;
    complain(chain, "its authority can't issue one for %s", names[0]);
    return false;
}

/* *news: its Secret holds files of this state of the rotation from now on, for which the rotation waits; a certificate that
 * is renewed as it is over soon is none. False: it isn't as it should be. */
static bool tend_certificate(chainsi_round *round, chainsi_round_chain *chain,
                             const chainsi_round_version *version, const char *object,
                             const char *bundle, bool *news)
{
    const char *names[NAMES];
    chainsi_secret_record found;
    name_service(round, object, names);
    const char *secret = chainsi_arena_printf(&round->arena, "%s-tls", object);
    if (!get_secret(round, chain, secret, &found))
        return false;
    if (!is_ours(chain, &found, CHAINSI_SECRET_CERTIFICATE, CHAINSI_SECRET_CERTIFICATE_TYPE))
        return true; /* nothing is to be waited for */
    chainsi_pair fresh = { 0 };
    const chainsi_pair old = {
        (char *)(uintptr_t)chainsi_secret_record_get(&found, "tls.crt"),
        (char *)(uintptr_t)chainsi_secret_record_get(&found, "tls.key"),
    };
    const bool stays = may_stay(round, &chain->rotation, &old, names, NAMES);
    const bool was_settled = is_trusted(&chain->rotation, &old, names, NAMES) &&
                             is_same(chainsi_secret_record_get(&found, "ca.crt"), bundle);
    if (!stays && !issue(round, chain, names, NAMES, &fresh))
        return false;
    const chainsi_pair *pair = stays ? &old : &fresh;
    chainsi_secret_entry entries[] = {
        { "tls.crt", pair->certificate },
        { "tls.key", pair->key },
        { "ca.crt", bundle },
    };
    chainsi_secret_owner owner = version->owner;
    const chainsi_secret_record wanted = {
        .name = secret,
        .resource_version = found.resource_version,
        .type = CHAINSI_SECRET_CERTIFICATE_TYPE,
        .kind = CHAINSI_SECRET_CERTIFICATE,
        .chain = version->chain_label,
        .chain_version = version->version_label,
        .owners = { &owner, 1 },
        .entries = entries,
        .entry_count = sizeof entries / sizeof *entries,
    };
    bool good = has_all(&found, &wanted);
    if (!good) {
        good = put_secret(round, chain, &wanted);
        *news = *news || (good && !was_settled);
    }
    chainsi_pair_done(&fresh);
    return good;
}

/* *late: what was written is of pods that may be there, which have to read it. */
static bool tend_certificates(chainsi_round *round, chainsi_round_chain *chain,
                              const chainsi_round_version *versions, size_t count,
                              const char *bundle, bool *late)
{
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        bool news = false;
        for (size_t k = 0; k < versions[i].object_count; k++)
            good = tend_certificate(round, chain, &versions[i], versions[i].objects[k], bundle,
                                    &news) &&
                   good;
        *late = *late || (news && versions[i].seen);
    }
    return good;
}

/* The front door */

static bool tend_front(chainsi_round *round, chainsi_round_chain *chain, const char *bundle,
                       bool *changed)
{
    const size_t names = sizeof front_door_names / sizeof *front_door_names;
    const bool stays = may_stay(round, &chain->rotation, &chain->front, front_door_names, names);
    *changed = !stays || !is_same(chain->front_bundle, bundle);
    if (!*changed)
        return true;
    if (!stays) {
        chainsi_pair fresh;
        if (!issue(round, chain, front_door_names, names, &fresh)) {
            *changed = false;
            return false;
        }
        chainsi_pair_done(&chain->front);
        chain->front = fresh;
    }
    free(chain->front_bundle);
    chain->front_bundle = chainsi_copy_text(bundle);
    return true;
}

static bool tend(chainsi_round *round, chainsi_round_chain *chain,
                 const chainsi_round_version *versions, size_t count, bool *front_changed)
{
    chainsi_secret_record found;
    if (!load_authority(round, chain, versions, count, &found) || !rotate(round, chain) ||
        !store_authority(round, chain, versions, count, &found))
        return false;
    char *bundle = chainsi_rotation_bundle(&chain->rotation);
    bool late = false;
    bool good = tend_certificates(round, chain, versions, count, bundle, &late);
    good = tend_front(round, chain, bundle, front_changed) && good;
    free(bundle);
    if (chainsi_rotation_get_state(&chain->rotation) == CHAINSI_ROTATION_STEADY)
        return good;
    if (late || !good)
        chainsi_rotation_settle(&chain->rotation, false, round->now_s);
    if (good)
        chainsi_rotation_settle(&chain->rotation, true, round->now_s);
    return store_authority(round, chain, versions, count, &found) && good;
}

bool chainsi_round_tend(chainsi_round *round, chainsi_round_chain *chain,
                        const chainsi_round_version *versions, size_t count, bool *front_changed)
{
    *front_changed = false;
    chain->troubled = false;
    bool good = tend(round, chain, versions, count, front_changed);
    if (!chain->troubled && *chain->trouble) {
        fprintf(stderr, "chainsd: certificates of %s: all is well again\n", chain->name);
        *chain->trouble = 0;
    }
    return good;
}
