/* Asking a cluster for a verb. */
#include "cli/cluster_session.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/terminal.h"
#include "kubernetes/object_names.h"
#include "schema/fields.h"
#include "schema/json.h"

enum {
    AGAIN_MS = 500,
    MOST_ANSWER_MS = 60000, /* of one request: what takes longer is as good as away */
};

bool chainsi_cluster_words_read(const chainsi_verb *verb, const chainsi_cluster_words *words,
                                bool *cluster)
{
    *cluster = words->target && !strcmp(words->target, "kubernetes");
    if (words->target && !*cluster && strcmp(words->target, "local") != 0)
        chainsi_usage_error(verb, "--target is '%s': it is kubernetes or local", words->target);
    else if (!*cluster && (words->kubeconfig || words->context || words->name_space))
        chainsi_usage_error(verb, "--%s is for --target kubernetes",
                            words->kubeconfig ? "kubeconfig"
                            : words->context  ? "context"
                                              : "namespace");
    else
        return true;
    return false;
}

typedef struct server_version {
    const char *minor;
} server_version;
static const chainsi_field version_fields[] = { CHAINSI_FIELD_TEXT(server_version, minor) };
static const chainsi_type version_type = CHAINSI_STRUCT_OF(server_version, version_fields);

static bool ask_version(chainsi_cluster_session *session)
{
    server_version version;
    if (chainsi_cluster_session_ask(session, "GET", "/version", NULL, NULL, 0) != CHAINS_OK) {
        chainsi_cluster_session_complain(session);
        return false;
    }
    const chainsi_buffer *body = &session->answer.body;
    if (chainsi_json_decode(&version_type, (const char *)body->data, body->size, &session->arena,
                            &version, NULL) != CHAINS_OK) {
        chainsi_cluster_session_fail(session, CHAINS_INTERNAL,
                                     "%s doesn't answer as a Kubernetes API server does",
                                     chainsi_cluster_server(session->cluster));
        return false;
    }
    session->minor = atoi(version.minor); /* "30+" on some */
    return true;
}

bool chainsi_cluster_session_open(chainsi_cluster_session *session, const chainsi_verb *verb,
                                  const chainsi_cluster_words *words)
{
    char why[1024];
    const chainsi_cluster_options options = { words->kubeconfig, words->context,
                                              words->name_space };
    *session = (chainsi_cluster_session){
        .verb = verb,
        .keeps = session->keeps,
        .makes_name_space = session->makes_name_space,
    };
    session->cluster = chainsi_cluster_open(&options, why, sizeof why);
    if (!session->cluster) {
        chainsi_cluster_session_fail(session, CHAINS_INVALID_ARGUMENT, "%s", why);
        return false;
    }
    chainsi_cluster_limit(session->cluster, MOST_ANSWER_MS, NULL);
    return ask_version(session);
}

void chainsi_cluster_session_close(chainsi_cluster_session *session)
{
    chainsi_cluster_close(session->cluster);
    chainsi_cluster_answer_done(&session->answer);
    chainsi_arena_done(&session->arena);
}

static char *print_text(const char *format, va_list arguments)
{
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        abort();
    return text;
}

static void write_line(chainsi_cluster_session *session, const char *text)
{
    chainsi_buffer line = { 0 };
    chainsi_text_add(&line, text, strlen(text), CHAINSI_TEXT_LINES);
    if (session->on_line)
        session->on_line(session->user);
    fprintf(stderr, "chains %s: %.*s\n", session->verb->name, (int)line.size, (char *)line.data);
    chainsi_buffer_done(&line);
}

void chainsi_cluster_session_say(chainsi_cluster_session *session, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = print_text(format, arguments);
    va_end(arguments);
    write_line(session, text);
    free(text);
}

/* What goes wrong after the first one, as when that is cleared away, is said. */
void chainsi_cluster_session_fail(chainsi_cluster_session *session, chains_status status,
                                  const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = print_text(format, arguments);
    va_end(arguments);
    if (!session->keeps || session->failure) {
        write_line(session, text);
    } else {
        session->failure = chainsi_arena_strdup(&session->arena, text);
        session->failed_as = status;
    }
    free(text);
}

void chainsi_cluster_session_complain(chainsi_cluster_session *session)
{
    static const char absent[] = "there is no namespace ";
    const char *why = session->answer.why,
               *name_space = chainsi_cluster_name_space(session->cluster);
    const bool hint = session->makes_name_space && !strncmp(why, absent, sizeof absent - 1);
    chainsi_cluster_session_fail(session, session->status, "%s%s%s%s", why,
                                 hint ? "\n  hint: or have it made by --namespace " : "",
                                 hint ? name_space : "", hint ? " --create-namespace" : "");
}

static bool is_away(const chainsi_cluster_session *session, chains_status status)
{
    return (status == CHAINS_UNAVAILABLE || session->answer.status == 429) &&
           session->deadline_ns && chainsi_now_ns() < session->deadline_ns;
}

chains_status chainsi_cluster_session_ask(chainsi_cluster_session *session, const char *method,
                                          const char *path, const char *type, const void *body,
                                          size_t size)
{
    for (;;) {
        const chains_status status = chainsi_cluster_ask(session->cluster, method, path, type, body,
                                                         size, 0, &session->answer);
        session->status = status;
        if (!is_away(session, status)) {
            if (session->away && status != CHAINS_UNAVAILABLE) {
                session->away = false;
                chainsi_cluster_session_say(session, "the API server answers again");
            }
            return status;
        }
        if (!session->away)
            chainsi_cluster_session_say(session, "%s; it is asked again", session->answer.why);
        session->away = true;
        nanosleep(&(struct timespec){ .tv_nsec = AGAIN_MS * CHAINSI_NS_PER_MS }, NULL);
    }
}

/* An answer that can't be read is one of something else than an API server. */
static chains_status unreadable(chainsi_cluster_session *session, const char *path)
{
    snprintf(session->answer.why, sizeof session->answer.why,
             "%s answers %.200s with something else than such objects",
             chainsi_cluster_server(session->cluster), path);
    return session->status = CHAINS_INTERNAL;
}

chains_status chainsi_cluster_session_get(chainsi_cluster_session *session, const char *path,
                                          chainsi_arena *arena, chainsi_view_object *object)
{
    const chains_status status = chainsi_cluster_session_ask(session, "GET", path, NULL, NULL, 0);
    if (status != CHAINS_OK || chainsi_view_read(&session->answer.body, arena, object))
        return status;
    return unreadable(session, path);
}

chains_status chainsi_cluster_session_list(chainsi_cluster_session *session, const char *path,
                                           chainsi_arena *arena, chainsi_view_list *list)
{
    const chains_status status = chainsi_cluster_session_ask(session, "GET", path, NULL, NULL, 0);
    if (status != CHAINS_OK || chainsi_view_read_list(&session->answer.body, arena, list))
        return status;
    return unreadable(session, path);
}

const char *chainsi_cluster_session_path(chainsi_cluster_session *session, const char *api,
                                         const char *resource, const char *name)
{
    return chainsi_cluster_path(&session->arena, api, resource,
                                chainsi_cluster_name_space(session->cluster), name, NULL);
}

const char *chainsi_cluster_session_select(chainsi_cluster_session *session, const char *api,
                                           const char *resource, const char *chain,
                                           const char *version)
{
    chainsi_arena *arena = &session->arena;
    return chainsi_arena_printf(
        arena, "%s?labelSelector=chains.dev%%2Fchain%%3D%s%s%s",
        chainsi_cluster_session_path(session, api, resource, NULL),
        chainsi_cluster_escape(arena, chainsi_label_value(arena, chain)),
        version ? "%2Cchains.dev%2Fversion%3D" : "",
        version ? chainsi_cluster_escape(arena, chainsi_label_value(arena, version)) : "");
}

bool chainsi_cluster_session_has_controller(chainsi_cluster_session *session)
{
    static const struct {
        const char *api, *resource;
    } signs[] = { { "apps/v1", "deployments" }, { "coordination.k8s.io/v1", "leases" } };
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        const char *path =
            chainsi_cluster_session_path(session, signs[i].api, signs[i].resource, "chainsd");
        if (chainsi_cluster_session_ask(session, "GET", path, NULL, NULL, 0) == CHAINS_OK)
            return true;
    }
    return false;
}
