/* kubeconfig: YAML files that are taken as one, in which what comes first counts. Each is read by tables into lists of
 * clusters, users and contexts; the context that is meant names one of each. Files are named relative to the one that
 * names them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cluster/settings.h"
#include "cluster/yaml_json.h"
#include "schema/base64.h"
#include "schema/fields.h"
#include "schema/json.h"

/* --------------------------------------------------------------------------------------------
 * the file */

typedef struct text_list {
    const char **items;
    size_t count;
} text_list;
static const chainsi_type text_list_type = CHAINSI_LIST_OF(text_list, &chainsi_type_string);

typedef struct lists_entry {
    const char *key;
    text_list value;
} lists_entry;
typedef struct lists_map {
    lists_entry *items;
    size_t count;
} lists_map;
static const chainsi_type lists_map_type = { .kind = CHAINSI_MAP,
                                             .size = sizeof(lists_map),
                                             .item = &text_list_type,
                                             .entry_size = sizeof(lists_entry),
                                             .value_offset = offsetof(lists_entry, value) };
static const chainsi_type texts_type = CHAINSI_POINTER_TO(&text_list_type);
static const chainsi_type lists_type = CHAINSI_POINTER_TO(&lists_map_type);

typedef struct config_cluster {
    const char *server, *server_name, *insecure, *proxy, *authority, *authority_data;
} config_cluster;
static const chainsi_field cluster_fields[] = {
    CHAINSI_FIELD_NAMED(config_cluster, server, "server"),
    CHAINSI_FIELD_NAMED(config_cluster, server_name, "tls-server-name"),
    CHAINSI_FIELD_NAMED(config_cluster, insecure, "insecure-skip-tls-verify"),
    CHAINSI_FIELD_NAMED(config_cluster, proxy, "proxy-url"),
    CHAINSI_FIELD_NAMED(config_cluster, authority, "certificate-authority"),
    CHAINSI_FIELD_NAMED(config_cluster, authority_data, "certificate-authority-data"),
};
static const chainsi_type cluster_type = CHAINSI_STRUCT_OF(config_cluster, cluster_fields);

static const chainsi_field variable_fields[] = {
    CHAINSI_FIELD_TEXT(chainsi_exec_variable, name),
    CHAINSI_FIELD_NULLABLE(chainsi_exec_variable, value),
};
static const chainsi_type variable_type = CHAINSI_STRUCT_OF(chainsi_exec_variable, variable_fields);
typedef struct variable_list {
    chainsi_exec_variable *items;
    size_t count;
} variable_list;
static const chainsi_type variable_list_type = CHAINSI_LIST_OF(variable_list, &variable_type);
static const chainsi_type variables_type = CHAINSI_POINTER_TO(&variable_list_type);

typedef struct config_exec {
    const char *api_version, *command, *install_hint, *interactive, *wants_cluster;
    const text_list *arguments;
    const variable_list *variables;
} config_exec;
static const chainsi_field exec_fields[] = {
    CHAINSI_FIELD_NAMED(config_exec, api_version, "apiVersion"),
    CHAINSI_FIELD_NAMED(config_exec, command, "command"),
    CHAINSI_FIELD_NAMED(config_exec, install_hint, "installHint"),
    CHAINSI_FIELD_NAMED(config_exec, interactive, "interactiveMode"),
    CHAINSI_FIELD_NAMED(config_exec, wants_cluster, "provideClusterInfo"),
    { .name = "args",
      .name_size = 4,
      .offset = offsetof(config_exec, arguments),
      .type = &texts_type,
      .optional = true },
    { .name = "env",
      .name_size = 3,
      .offset = offsetof(config_exec, variables),
      .type = &variables_type,
      .optional = true },
};
static const chainsi_type exec_struct_type = CHAINSI_STRUCT_OF(config_exec, exec_fields);
static const chainsi_type exec_type = CHAINSI_POINTER_TO(&exec_struct_type);

typedef struct config_provider {
    const char *name;
} config_provider;
static const chainsi_field provider_fields[] = { CHAINSI_FIELD_NULLABLE(config_provider, name) };
static const chainsi_type provider_struct_type =
    CHAINSI_STRUCT_OF(config_provider, provider_fields);
static const chainsi_type provider_type = CHAINSI_POINTER_TO(&provider_struct_type);

typedef struct config_user {
    const char *certificate, *certificate_data, *key, *key_data;
    const char *token, *token_file, *login, *password;
    const char *as, *as_uid;
    const text_list *as_groups;
    const lists_map *as_extra;
    const config_exec *exec;
    const config_provider *provider;
} config_user;
static const chainsi_field user_fields[] = {
    CHAINSI_FIELD_NAMED(config_user, certificate, "client-certificate"),
    CHAINSI_FIELD_NAMED(config_user, certificate_data, "client-certificate-data"),
    CHAINSI_FIELD_NAMED(config_user, key, "client-key"),
    CHAINSI_FIELD_NAMED(config_user, key_data, "client-key-data"),
    CHAINSI_FIELD_NAMED(config_user, token, "token"),
    CHAINSI_FIELD_NAMED(config_user, token_file, "tokenFile"),
    CHAINSI_FIELD_NAMED(config_user, login, "username"),
    CHAINSI_FIELD_NAMED(config_user, password, "password"),
    CHAINSI_FIELD_NAMED(config_user, as, "as"),
    CHAINSI_FIELD_NAMED(config_user, as_uid, "as-uid"),
    { .name = "as-groups",
      .name_size = 9,
      .offset = offsetof(config_user, as_groups),
      .type = &texts_type,
      .optional = true },
    { .name = "as-user-extra",
      .name_size = 13,
      .offset = offsetof(config_user, as_extra),
      .type = &lists_type,
      .optional = true },
    CHAINSI_FIELD_OPTIONAL(config_user, exec, &exec_type),
    { .name = "auth-provider",
      .name_size = 13,
      .offset = offsetof(config_user, provider),
      .type = &provider_type,
      .optional = true },
};
static const chainsi_type user_type = CHAINSI_STRUCT_OF(config_user, user_fields);

typedef struct config_context {
    const char *cluster, *user, *name_space;
} config_context;
static const chainsi_field context_fields[] = {
    CHAINSI_FIELD_NAMED(config_context, cluster, "cluster"),
    CHAINSI_FIELD_NAMED(config_context, user, "user"),
    CHAINSI_FIELD_NAMED(config_context, name_space, "namespace"),
};
static const chainsi_type context_type = CHAINSI_STRUCT_OF(config_context, context_fields);

/* One of each of them has a name beside it. */
typedef struct named {
    const char *name;
    const void *value;
} named;
typedef struct named_list {
    const named *items;
    size_t count;
} named_list;

#define NAMED_TYPE(what_)                                                                          \
    static const chainsi_type what_##_pointer_type = CHAINSI_POINTER_TO(&what_##_type);            \
    static const chainsi_field named_##what_##_fields[] = {                                        \
        CHAINSI_FIELD_TEXT(named, name),                                                           \
        { .name = #what_,                                                                          \
          .name_size = sizeof #what_ - 1,                                                          \
          .offset = offsetof(named, value),                                                        \
          .type = &what_##_pointer_type,                                                           \
          .optional = true },                                                                      \
    };                                                                                             \
    static const chainsi_type named_##what_##_type =                                               \
        CHAINSI_STRUCT_OF(named, named_##what_##_fields);                                          \
    static const chainsi_type what_##_list_type =                                                  \
        CHAINSI_LIST_OF(named_list, &named_##what_##_type);                                        \
    static const chainsi_type what_##s_type = CHAINSI_POINTER_TO(&what_##_list_type)
NAMED_TYPE(cluster);
NAMED_TYPE(user);
NAMED_TYPE(context);

typedef struct config {
    const named_list *clusters, *users, *contexts;
    const char *current;
    const char *path; /* of the file */
} config;
static const chainsi_field config_fields[] = {
    CHAINSI_FIELD_OPTIONAL(config, clusters, &clusters_type),
    CHAINSI_FIELD_OPTIONAL(config, users, &users_type),
    CHAINSI_FIELD_OPTIONAL(config, contexts, &contexts_type),
    CHAINSI_FIELD_NAMED(config, current, "current-context"),
};
static const chainsi_type config_type = CHAINSI_STRUCT_OF(config, config_fields);

/* --------------------------------------------------------------------------------------------
 * reading */

enum { MOST_FILES = 64 };

typedef struct reading {
    chainsi_arena *arena;
    config files[MOST_FILES];
    size_t count;
    char *why;
    size_t why_size;
} reading;

#define SAY(reading_, ...) (snprintf((reading_)->why, (reading_)->why_size, __VA_ARGS__), false)

/* must: it is no good if there is no such file. */
static bool read_config(reading *r, const char *path, bool must)
{
    char fault[256] = "";
    chainsi_codec_error error;
    char *text = chainsi_cluster_read_file(r->arena, path);
    if (!text && !must && (errno == ENOENT || errno == ENOTDIR))
        return true;
    if (!text)
        return SAY(r, "the kubeconfig '%s' can't be read: %s", path, strerror(errno));
    if (r->count == MOST_FILES)
        return SAY(r, "KUBECONFIG names more than %d files", MOST_FILES);
    chainsi_buffer json = { 0 };
    config *into = &r->files[r->count];
    bool good = chainsi_yaml_to_json(text, strlen(text), &json, fault, sizeof fault);
    if (good && chainsi_json_decode(&config_type, (char *)json.data, json.size, r->arena, into,
                                    &error) != CHAINS_OK) {
        snprintf(fault, sizeof fault, "%.60s%s%.180s", error.path, *error.path ? ": " : "",
                 error.message);
        good = false;
    }
    chainsi_buffer_done(&json);
    if (!good)
        return SAY(r, "the kubeconfig '%s' is none: %s", path, fault);
    into->path = path;
    r->count++;
    return true;
}

/* All that are meant; false with why "" if there is none. */
static bool read_all(reading *r, const char *given)
{
    *r->why = '\0';
    if (given)
        return read_config(r, chainsi_arena_strdup(r->arena, given), true);
    const char *names = getenv("KUBECONFIG"), *home = getenv("HOME");
    if (!names || !*names) {
        if (!home || !*home)
            return false;
        return read_config(r, chainsi_arena_printf(r->arena, "%s/.kube/config", home), false) &&
               r->count > 0;
    }
    for (const char *at = names; *at;) {
        size_t size = strcspn(at, ":");
        if (size && !read_config(r, chainsi_arena_copy(r->arena, at, size), false))
            return false;
        at += size + (at[size] == ':');
    }
    return r->count > 0;
}

typedef const named_list *const *list_of(const config *);
static const named_list *const *clusters_of(const config *file)
{
    return &file->clusters;
}
static const named_list *const *users_of(const config *file)
{
    return &file->users;
}
static const named_list *const *contexts_of(const config *file)
{
    return &file->contexts;
}

/* The first one of that name, and the file that has it. */
static const named *find(const reading *r, list_of *of, const char *name, const char **path)
{
    for (size_t i = 0; i < r->count; i++) {
        const named_list *list = *of(&r->files[i]);
        for (size_t k = 0; list && k < list->count; k++)
            if (!strcmp(list->items[k].name, name)) {
                *path = r->files[i].path;
                return &list->items[k];
            }
    }
    return NULL;
}

static const char *contexts_there(const reading *r)
{
    chainsi_buffer names = { 0 };
    for (size_t i = 0; i < r->count; i++) {
        const named_list *list = r->files[i].contexts;
        for (size_t k = 0; list && k < list->count && names.size < 400; k++)
            chainsi_buffer_printf(&names, "%s%s", names.size ? ", " : "", list->items[k].name);
    }
    const char *text = names.size ? chainsi_arena_copy(r->arena, names.data, names.size) : "none";
    chainsi_buffer_done(&names);
    return text;
}

static bool is_true(const char *text)
{
    return text &&
           (!strcasecmp(text, "true") || !strcasecmp(text, "yes") || !strcasecmp(text, "on"));
}

/* NULL and "" are nothing. */
static const char *said(const char *text)
{
    return text && *text ? text : NULL;
}

static const char *beside(chainsi_arena *arena, const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    if (!said(name) || *name == '/' || !slash)
        return said(name);
    return chainsi_arena_printf(arena, "%.*s/%s", (int)(slash - path), path, name);
}

/* The text that is there as base64, or the file; data wins. */
static bool read_pem(reading *r, const char *what, const char *path, const char *file,
                     const char *data, chainsi_pem *pem)
{
    if (said(data)) {
        size_t size = strlen(data), got = 0;
        char *text = chainsi_arena_alloc(r->arena, size + 1);
        if (chainsi_base64_read((uint8_t *)text, data, size, &got) != size)
            return SAY(r, "%s-data in '%s' is no base64", what, path);
        text[got] = '\0';
        pem->text = text;
        return true;
    }
    pem->file = beside(r->arena, path, file);
    if (pem->file && !chainsi_cluster_read_file(r->arena, pem->file))
        return SAY(r, "%s, which '%s' names: '%s' can't be read: %s", what, path, pem->file,
                   strerror(errno));
    return true;
}

/* --------------------------------------------------------------------------------------------
 * into settings */

static bool take_cluster(reading *r, const named *found, const char *path,
                         chainsi_cluster_settings *settings)
{
    const config_cluster *cluster = found->value;
    const char *server = cluster ? said(cluster->server) : NULL;
    if (!server)
        return SAY(r, "cluster '%s' in '%s' has no server", found->name, path);
    bool http = !strncasecmp(server, "http://", 7);
    if ((!http && strncasecmp(server, "https://", 8) != 0) || !server[http ? 7 : 8])
        return SAY(r, "the server of cluster '%s' in '%s' is '%s': it must be https://HOST:PORT",
                   found->name, path, server);
    size_t size = strlen(server);
    while (server[size - 1] == '/')
        size--;
    settings->server = chainsi_arena_copy(r->arena, server, size);
    settings->server_name = said(cluster->server_name);
    settings->proxy = said(cluster->proxy);
    settings->trusts_any = is_true(cluster->insecure);
    return read_pem(r, "certificate-authority", path, cluster->authority, cluster->authority_data,
                    &settings->authority);
}

static void add_header(chainsi_buffer *headers, const char *header)
{
    chainsi_buffer_add(headers, &header, sizeof header);
}

static void take_impersonation(reading *r, const config_user *user,
                               chainsi_cluster_settings *settings)
{
    chainsi_buffer headers = { 0 };
    chainsi_arena *arena = r->arena;
    if (said(user->as))
        add_header(&headers, chainsi_arena_printf(arena, "Impersonate-User: %s", user->as));
    if (said(user->as_uid))
        add_header(&headers, chainsi_arena_printf(arena, "Impersonate-Uid: %s", user->as_uid));
    for (size_t i = 0; user->as_groups && i < user->as_groups->count; i++)
        add_header(&headers,
                   chainsi_arena_printf(arena, "Impersonate-Group: %s", user->as_groups->items[i]));
    for (size_t i = 0; user->as_extra && i < user->as_extra->count; i++)
        for (size_t k = 0; k < user->as_extra->items[i].value.count; k++)
            add_header(&headers, chainsi_arena_printf(arena, "Impersonate-Extra-%s: %s",
                                                      user->as_extra->items[i].key,
                                                      user->as_extra->items[i].value.items[k]));
    if (headers.size) {
        add_header(&headers, NULL);
        settings->as_headers = (const void *)chainsi_arena_copy(arena, headers.data, headers.size);
    }
    chainsi_buffer_done(&headers);
}

/* The authority as base64, wherever it stands. */
static const char *authority_data(reading *r, const config_cluster *cluster,
                                  const chainsi_cluster_settings *settings)
{
    const char *file = settings->authority.file;
    const char *pem = file ? chainsi_cluster_read_file(r->arena, file) : NULL;
    if (!pem)
        return cluster->authority_data;
    char *text = chainsi_arena_alloc(r->arena, chainsi_base64_size(strlen(pem)) + 1);
    chainsi_base64_write(text, pem, strlen(pem));
    return text;
}

/* What a program may want to know of the cluster: spec.cluster of an ExecCredential. */
static const char *cluster_info(reading *r, const config_cluster *cluster,
                                const chainsi_cluster_settings *settings)
{
    chainsi_buffer json = { 0 };
    chainsi_buffer_add_text(&json, "{\"server\":");
    chainsi_json_write_text(&json, settings->server);
    const char *names[] = { "tls-server-name", "certificate-authority-data", "proxy-url" };
    const char *values[] = { cluster->server_name, authority_data(r, cluster, settings),
                             cluster->proxy };
    for (size_t i = 0; i < 3; i++)
        if (said(values[i])) {
            chainsi_buffer_printf(&json, ",\"%s\":", names[i]);
            chainsi_json_write_text(&json, values[i]);
        }
    if (settings->trusts_any)
        chainsi_buffer_add_text(&json, ",\"insecure-skip-tls-verify\":true");
    chainsi_buffer_add_byte(&json, '}');
    const char *text = chainsi_arena_copy(r->arena, json.data, json.size);
    chainsi_buffer_done(&json);
    return text;
}

static bool take_exec(reading *r, const named *found, const char *path, const named *cluster,
                      chainsi_cluster_settings *settings)
{
    const config_user *user = found->value;
    const config_exec *exec = user->exec;
    if (!said(exec->command))
        return SAY(r, "exec of user '%s' in '%s' has no command", found->name, path);
    if (!exec->api_version ||
        (strcmp(exec->api_version, "client.authentication.k8s.io/v1") != 0 &&
         strcmp(exec->api_version, "client.authentication.k8s.io/v1beta1") != 0))
        return SAY(r,
                   "exec of user '%s' in '%s' has the apiVersion '%s': "
                   "client.authentication.k8s.io/v1 and v1beta1 "
                   "are spoken; update '%s', and its entry",
                   found->name, path, exec->api_version ? exec->api_version : "", exec->command);
    chainsi_exec *into = chainsi_arena_alloc(r->arena, sizeof *into);
    into->api_version = exec->api_version;
    into->command =
        strchr(exec->command, '/') ? beside(r->arena, path, exec->command) : exec->command;
    into->arguments = exec->arguments ? exec->arguments->items : NULL;
    into->argument_count = exec->arguments ? exec->arguments->count : 0;
    into->variables = exec->variables ? exec->variables->items : NULL;
    into->variable_count = exec->variables ? exec->variables->count : 0;
    into->install_hint = said(exec->install_hint);
    into->never_asks = exec->interactive && !strcmp(exec->interactive, "Never");
    into->must_ask = exec->interactive && !strcmp(exec->interactive, "Always");
    if (is_true(exec->wants_cluster))
        into->cluster = cluster_info(r, cluster->value, settings);
    settings->exec = into;
    return true;
}

static bool take_user(reading *r, const named *found, const char *path, const named *cluster,
                      chainsi_cluster_settings *settings)
{
    const config_user *user = found->value;
    settings->user = chainsi_arena_printf(r->arena, "user '%s'", found->name);
    if (!user)
        return true;
    if (!read_pem(r, "client-certificate", path, user->certificate, user->certificate_data,
                  &settings->certificate) ||
        !read_pem(r, "client-key", path, user->key, user->key_data, &settings->key))
        return false;
    bool has_certificate = settings->certificate.text || settings->certificate.file;
    if (has_certificate != (settings->key.text || settings->key.file))
        return SAY(r, "user '%s' in '%s' has a %s", found->name, path,
                   has_certificate ? "client-certificate without its client-key"
                                   : "client-key without its client-certificate");
    settings->token = said(user->token);
    settings->token_file = beside(r->arena, path, user->token_file);
    settings->login = said(user->login);
    settings->password = user->password ? user->password : "";
    take_impersonation(r, user, settings);
    if (user->exec)
        return take_exec(r, found, path, cluster, settings);
    if (user->provider && !has_certificate && !settings->token && !settings->token_file &&
        !settings->login)
        return SAY(r,
                   "user '%s' in '%s' logs in by auth-provider '%s', which Kubernetes has given "
                   "up: let its "
                   "tool write the entry anew, with exec",
                   found->name, path, user->provider->name ? user->provider->name : "");
    return true;
}

static const char *current_context(const reading *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (said(r->files[i].current))
            return r->files[i].current;
    return NULL;
}

static bool take(reading *r, const chainsi_cluster_options *options,
                 chainsi_cluster_settings *settings)
{
    const char *name = options->context ? options->context : current_context(r);
    const char *path = r->files[0].path, *cluster_path, *user_path = NULL;
    if (!name)
        return SAY(r, "'%s' has no current-context: name one with --context; there are: %s", path,
                   contexts_there(r));
    const named *found = find(r, contexts_of, name, &path);
    const config_context *context = found ? found->value : NULL;
    if (!context)
        return SAY(r, "there is no context '%s' in '%s': %s", name, path, contexts_there(r));
    const named *cluster =
        find(r, clusters_of, context->cluster ? context->cluster : "", &cluster_path);
    if (!cluster)
        return SAY(r, "context '%s' in '%s' means the cluster '%s', which isn't there", name, path,
                   context->cluster ? context->cluster : "");
    const named *user = find(r, users_of, context->user ? context->user : "", &user_path);
    if (!user && said(context->user))
        return SAY(r, "context '%s' in '%s' means the user '%s', who isn't there", name, path,
                   context->user);
    const char *name_space = options->name_space ? options->name_space : said(context->name_space);
    settings->name_space = chainsi_arena_strdup(r->arena, name_space ? name_space : "default");
    settings->origin = chainsi_arena_printf(r->arena, "context '%s' of %s", name, path);
    settings->user = "nobody";
    return take_cluster(r, cluster, cluster_path, settings) &&
           (!user || take_user(r, user, user_path, cluster, settings));
}

bool chainsi_kubeconfig_find(const chainsi_cluster_options *options,
                             chainsi_cluster_settings *settings, char *why, size_t why_size)
{
    reading r = { .arena = &settings->arena, .why = why, .why_size = why_size };
    if (!read_all(&r, said(options->kubeconfig)))
        return false;
    /* A pod may have an empty one lying about. */
    const char *host = getenv("KUBERNETES_SERVICE_HOST");
    if (!options->kubeconfig && !options->context && !current_context(&r) && host && *host)
        return false;
    return take(&r, options, settings);
}
