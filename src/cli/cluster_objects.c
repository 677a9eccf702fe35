/* Server-side apply of what manifests say. It is first asked for without force: what somebody else has changed since is
 * told, and then taken back. */
#include "cli/cluster_objects.h"

#include <stdio.h>
#include <string.h>

#include "schema/fields.h"
#include "schema/json.h"

typedef struct raw_list {
    chains_json *items;
    size_t count;
} raw_list;
typedef struct manifest_list {
    raw_list items;
} manifest_list;
static const chainsi_type raw_list_type = CHAINSI_LIST_OF(raw_list, &chainsi_type_json);
static const chainsi_field manifest_list_fields[] = { CHAINSI_FIELD_OF(manifest_list, items,
                                                                       &raw_list_type) };
static const chainsi_type manifest_list_type =
    CHAINSI_STRUCT_OF(manifest_list, manifest_list_fields);

/* Of a Status. */
typedef struct refusal {
    const char *message;
} refusal;
static const chainsi_field refusal_fields[] = { CHAINSI_FIELD_NULLABLE(refusal, message) };
static const chainsi_type refusal_type = CHAINSI_STRUCT_OF(refusal, refusal_fields);

/* On one line: several are told as `conflicts with "kubectl-edit" using apps/v1:`, and a line `- .spec…` for each. */
static const char *join_lines(chainsi_arena *arena, const char *text)
{
    chainsi_buffer line = { 0 };
    for (const char *at = text; *at; at++) {
        if (!strncmp(at, "\n- ", 3)) {
            chainsi_buffer_printf(&line, "%s", at > text && at[-1] == ':' ? " " : ", ");
            at += 2;
        } else if (*at == '\n') {
            chainsi_buffer_printf(&line, "; ");
        } else {
            chainsi_buffer_add(&line, at, 1);
        }
    }
    const char *joined = chainsi_arena_printf(arena, "%.*s", (int)line.size,
                                              line.size ? (const char *)line.data : "");
    chainsi_buffer_done(&line);
    return joined;
}

/* Who changed what: `conflict with "kubectl-edit" using apps/v1: .spec.template…` */
static const char *conflict_of(chainsi_cluster_session *session)
{
    const chainsi_buffer *body = &session->answer.body;
    refusal said = { 0 };
    if (chainsi_json_decode(&refusal_type, (const char *)body->data, body->size, &session->arena,
                            &said, NULL) != CHAINS_OK ||
        !said.message)
        return "";
    const char *at = strstr(said.message, "conflict with");
    const char *several = strstr(said.message, "conflicts with");
    return join_lines(&session->arena, at ? at : several ? several : said.message);
}

static chains_status patch(chainsi_cluster_session *session, const char *path, const char *force,
                           bool try, const chains_json *text)
{
    const char *whole = chainsi_arena_printf(&session->arena, "%s?fieldManager=chains&force=%s%s",
                                             path, force, try ? "&dryRun=All" : "");
    return chainsi_cluster_session_ask(session, "PATCH", whole, CHAINSI_CLUSTER_APPLY, text->text,
                                       text->size);
}

static bool apply_one(chainsi_cluster_session *session, const chainsi_object *object,
                      const chains_json *text, bool try, chainsi_applied *applied)
{
    const char *path =
        chainsi_object_path(&session->arena, object, chainsi_cluster_name_space(session->cluster));
    chains_status status = patch(session, path, "false", try, text);
    if (status == CHAINS_ABORTED) {
        const char *conflict = conflict_of(session);
        status = patch(session, path, "true", try, text);
        if (status == CHAINS_OK && !try) {
            applied->changed++;
            chainsi_buffer_printf(&applied->notes, "%s %s had been changed by hand (%s)\n",
                                  object->kind, object->metadata.name, conflict);
        }
    }
    if (status == CHAINS_OK && session->answer.status == 201 && !try) {
        applied->made++;
        chainsi_buffer_printf(&applied->notes, "%s %s was missing\n", object->kind,
                              object->metadata.name);
    }
    if (status != CHAINS_OK)
        chainsi_cluster_session_complain(session);
    return status == CHAINS_OK;
}

bool chainsi_objects_apply(chainsi_cluster_session *session, const chainsi_buffer *list,
                           const char *only, const char *but, bool try, chainsi_applied *applied)
{
    manifest_list all;
    if (chainsi_json_decode(&manifest_list_type, (const char *)list->data, list->size,
                            &session->arena, &all, NULL) != CHAINS_OK)
        return false; /* it is our own */
    for (size_t i = 0; i < all.items.count; i++) {
        const chains_json *text = &all.items.items[i];
        chainsi_object object;
        if (!chainsi_object_read(text->text, text->size, &session->arena, &object))
            return false;
        if ((only && strcmp(object.kind, only) != 0) || (but && !strcmp(object.kind, but)))
            continue;
        if (!apply_one(session, &object, text, try, applied))
            return false;
    }
    return true;
}

bool chainsi_object_delete(chainsi_cluster_session *session, const char *path)
{
    static const char options[] = "{\"propagationPolicy\":\"Background\"}";
    const chains_status status = chainsi_cluster_session_ask(
        session, "DELETE", path, CHAINSI_CLUSTER_JSON, options, sizeof options - 1);
    if (status == CHAINS_OK || status == CHAINS_NOT_FOUND)
        return true;
    chainsi_cluster_session_complain(session);
    return false;
}
