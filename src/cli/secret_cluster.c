/* `chains secret --target kubernetes`: keys of the Secret that a chain's pods have their secrets from. A pod gets a value
 * when it starts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/terminal.h"
#include "cli/cluster_verbs.h"
#include "kubernetes/object_names.h"
#include "schema/base64.h"
#include "schema/json.h"

typedef struct work {
    chainsi_cluster_session session;
    const char *name; /* of the Secret */
    const char *path;
} work;

static bool begin(work *w, const chainsi_verb *verb, const chainsi_cluster_words *where,
                  const char *chain)
{
    if (!chainsi_cluster_session_open(&w->session, verb, where))
        return false;
    w->name = chainsi_object_name_of_chain(&w->session.arena, chain, "secrets");
    w->path = chainsi_cluster_session_path(&w->session, "v1", "secrets", w->name);
    return true;
}

static int end(work *w, bool good)
{
    chainsi_cluster_session_close(&w->session);
    return good ? CHAINSI_EXIT_OK : CHAINSI_EXIT_FAILED;
}

/* {"data":{NAME:VALUE}}, of a new one with its metadata; value NULL: the key goes. */
static void write_body(const work *w, const char *chain, const char *name,
                       const chainsi_buffer *value, bool new, chainsi_buffer *body)
{
    body->size = 0;
    chainsi_buffer_add_text(body, "{");
    if (new) {
        chainsi_buffer_add_text(body, "\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{"
                                      "\"name\":");
        chainsi_json_write_text(body, w->name);
        chainsi_buffer_add_text(body, ",\"labels\":{\"app.kubernetes.io/managed-by\":\"chains\","
                                      "\"chains.dev/chain\":");
        chainsi_arena arena = { 0 };
        chainsi_json_write_text(body, chainsi_label_value(&arena, chain));
        chainsi_arena_done(&arena);
        chainsi_buffer_add_text(body, "}},");
    }
    chainsi_buffer_add_text(body, "\"data\":{");
    chainsi_json_write_text(body, name);
    chainsi_buffer_add_text(body, ":");
    if (value) {
        const size_t size = chainsi_base64_size(value->size);
        chainsi_buffer_add_text(body, "\"");
        chainsi_base64_write((char *)chainsi_buffer_reserve(body, size), value->data, value->size);
        body->size += size;
        chainsi_buffer_add_text(body, "\"");
    } else {
        chainsi_buffer_add_text(body, "null");
    }
    chainsi_buffer_add_text(body, "}}");
}

static chains_status patch(work *w, const chainsi_buffer *body)
{
    return chainsi_cluster_session_ask(&w->session, "PATCH", w->path, CHAINSI_CLUSTER_MERGE,
                                       body->data, body->size);
}

int chainsi_secret_set_in_cluster(const chainsi_verb *verb, const chainsi_cluster_words *where,
                                  const char *chain, const char *name, const chainsi_buffer *value)
{
    work w = { 0 };
    chainsi_buffer body = { 0 };
    bool good = begin(&w, verb, where, chain);
    if (good) {
        write_body(&w, chain, name, value, false, &body);
        chains_status status = patch(&w, &body);
        if (status == CHAINS_NOT_FOUND) {
            write_body(&w, chain, name, value, true, &body);
            status = chainsi_cluster_session_ask(
                &w.session, "POST", chainsi_cluster_session_path(&w.session, "v1", "secrets", NULL),
                CHAINSI_CLUSTER_JSON, body.data, body.size);
        }
        good = status == CHAINS_OK;
        if (!good)
            chainsi_cluster_session_complain(&w.session);
        else
            printf(
                "%s/%s is set in the Secret '%s' of namespace '%s'; pods get it when they start\n",
                chain, name, w.name, chainsi_cluster_name_space(w.session.cluster));
    }
    if (body.data)
        explicit_bzero(body.data, body.capacity);
    chainsi_buffer_done(&body);
    return end(&w, good);
}

/* The chain's Secret; one that isn't there is an empty one. False, said on stderr. */
static bool look(work *w, chainsi_view_object *secret)
{
    const chains_status status =
        chainsi_cluster_session_get(&w->session, w->path, &w->session.arena, secret);
    if (status == CHAINS_OK || status == CHAINS_NOT_FOUND)
        return true;
    chainsi_cluster_session_complain(&w->session);
    return false;
}

static int compare(const void *one, const void *other)
{
    return strcmp(((const chainsi_object_entry *)one)->key,
                  ((const chainsi_object_entry *)other)->key);
}

int chainsi_secret_list_in_cluster(const chainsi_verb *verb, const chainsi_cluster_words *where,
                                   const char *chain, bool json)
{
    work w = { 0 };
    chainsi_view_object secret = { 0 };
    chainsi_buffer out = { 0 };
    const bool good = begin(&w, verb, where, chain) && look(&w, &secret);
    const size_t count = secret.data ? secret.data->count : 0;
    if (count)
        qsort(secret.data->items, count, sizeof *secret.data->items, compare);
    chainsi_buffer_add_text(&out, json ? "[" : "");
    for (size_t i = 0; i < count; i++) {
        const char *name = secret.data->items[i].key;
        if (json) {
            chainsi_buffer_add_text(&out, i ? "," : "");
            chainsi_json_write_text(&out, name);
        } else {
            chainsi_buffer_printf(&out, "%s\n", chainsi_text_shown(&w.session.arena, name));
        }
    }
    chainsi_buffer_add_text(&out, json ? "]\n" : "");
    if (good && out.size)
        fwrite(out.data, 1, out.size, stdout);
    chainsi_buffer_done(&out);
    return end(&w, good);
}

int chainsi_secret_delete_in_cluster(const chainsi_verb *verb, const chainsi_cluster_words *where,
                                     const char *chain, const char *name)
{
    work w = { 0 };
    chainsi_view_object secret = { 0 };
    chainsi_buffer body = { 0 };
    bool good = begin(&w, verb, where, chain) && look(&w, &secret);
    if (good && !chainsi_view_find(secret.data, name)) {
        chainsi_cluster_session_say(&w.session, "the Secret '%s' in namespace '%s' has no '%s'",
                                    w.name, chainsi_cluster_name_space(w.session.cluster), name);
        good = false;
    } else if (good) {
        write_body(&w, chain, name, NULL, false, &body);
        good = patch(&w, &body) == CHAINS_OK;
        if (good)
            printf("%s/%s is deleted\n", chain, name);
        else
            chainsi_cluster_session_complain(&w.session);
    }
    chainsi_buffer_done(&body);
    return end(&w, good);
}
