/* Files of logins: {"auths": {"host/path": {"auth": base64 of "user:password"}}}. */
#include "image/credentials.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/fields.h"
#include "image/file.h"
#include "schema/base64.h"
#include "schema/json.h"

enum { MAX_FILE = 1 << 20 };

typedef struct one_login {
    const char *auth, *username, *password, *identitytoken;
} one_login;
typedef struct login_map {
    struct login_of {
        const char *key;
        one_login value;
    } * items;
    size_t count;
} login_map;
typedef struct helper_map {
    struct helper_of {
        const char *key, *value;
    } * items;
    size_t count;
} helper_map;
typedef struct login_file {
    login_map auths;
    helper_map credHelpers;
    const char *credsStore;
} login_file;

static const login_map no_logins;
static const helper_map no_helpers;

static const chainsi_field login_fields[] = {
    CHAINSI_FIELD_NULLABLE(one_login, auth),
    CHAINSI_FIELD_NULLABLE(one_login, username),
    CHAINSI_FIELD_NULLABLE(one_login, password),
    CHAINSI_FIELD_NULLABLE(one_login, identitytoken),
};
static const chainsi_type login_type = CHAINSI_STRUCT_OF(one_login, login_fields);
static const chainsi_type logins_type = { .kind = CHAINSI_MAP,
                                          .size = sizeof(login_map),
                                          .item = &login_type,
                                          .entry_size = sizeof(struct login_of),
                                          .value_offset = offsetof(struct login_of, value) };
static const chainsi_type helpers_type = { .kind = CHAINSI_MAP,
                                           .size = sizeof(helper_map),
                                           .item = &chainsi_type_string,
                                           .entry_size = sizeof(struct helper_of),
                                           .value_offset = offsetof(struct helper_of, value) };
static const chainsi_field file_fields[] = {
    { CHAINSI_FIELD(login_file, auths, &logins_type), .default_value = &no_logins },
    { CHAINSI_FIELD(login_file, credHelpers, &helpers_type), .default_value = &no_helpers },
    CHAINSI_FIELD_NULLABLE(login_file, credsStore),
};
static const chainsi_type file_type = CHAINSI_STRUCT_OF(login_file, file_fields);

/* Docker writes "https://index.docker.io/v1/" for its own registry, and others with a scheme as well. */
static bool is_key(const char *key, const char *wanted)
{
    const char *scheme = strstr(key, "://");
    key = scheme ? scheme + 3 : key;
    size_t size = strlen(wanted);
    return !strncmp(key, wanted, size) &&
           (!key[size] || !strcmp(key + size, "/") || !strcmp(key + size, "/v1/") ||
            !strcmp(key + size, "/v2/"));
}

static const struct login_of *find_login(const login_map *logins, const char *wanted)
{
    for (size_t i = 0; i < logins->count; i++)
        if (is_key(logins->items[i].key, wanted))
            return &logins->items[i];
    return NULL;
}

static bool take(const one_login *login, const char *path, const char *key, chainsi_arena *arena,
                 chainsi_credentials *found, chainsi_problem *problem)
{
    *found = (chainsi_credentials){ .user = login->username,
                                    .password = login->password,
                                    .refresh_token = login->identitytoken,
                                    .file = path };
    if (!login->auth || !*login->auth)
        return true;
    size_t size = strlen(login->auth), read;
    char *text = chainsi_arena_alloc(arena, size + 4);
    char *colon = NULL;
    if (chainsi_base64_read((uint8_t *)text, login->auth, size, &read) == size) {
        text[read] = 0;
        colon = strchr(text, ':');
    }
    if (!colon)
        return chainsi_problem_set(problem, "log in anew: `podman login` or `docker login`",
                                   "the login of '%s' in '%s' is not base64 of user:password", key,
                                   path);
    *colon = 0;
    found->user = text;
    found->password = colon + 1;
    return true;
}

static bool look_in(const char *path, const char *host, const char *below, chainsi_arena *arena,
                    chainsi_credentials *found, bool needed, chainsi_problem *problem)
{
    if (!needed && access(path, F_OK) != 0)
        return true;
    chainsi_buffer text = { 0 };
    login_file file;
    chainsi_codec_error error;
    bool good = chainsi_file_read(path, MAX_FILE, &text, problem);
    if (!good) {
        chainsi_buffer_done(&text);
        return false;
    }
    good = chainsi_json_decode(&file_type, (char *)text.data, text.size, arena, &file, &error) ==
           CHAINS_OK;
    chainsi_buffer_done(&text);
    if (!good)
        return chainsi_problem_set(problem, "mend it, or remove it and log in anew",
                                   "the file of logins '%s' can't be read: %s%s%s", path,
                                   error.path, *error.path ? ": " : "", error.message);
    char *wanted = chainsi_arena_printf(arena, "%s%s%s", host, *below ? "/" : "", below);
    for (;;) {
        const struct login_of *login = find_login(&file.auths, wanted);
        if (login && (login->value.auth || login->value.identitytoken || login->value.password))
            return take(&login->value, path, wanted, arena, found, problem);
        char *slash = strrchr(wanted, '/');
        if (!slash)
            break;
        *slash = 0;
    }
    const char *helper = NULL;
    for (size_t i = 0; i < file.credHelpers.count; i++)
        if (is_key(file.credHelpers.items[i].key, host))
            helper = file.credHelpers.items[i].value;
    if (!helper && file.credsStore && find_login(&file.auths, host))
        helper = file.credsStore;
    return !helper ||
           chainsi_problem_set(
               problem,
               "write a login to a file (`podman login --authfile FILE`), and name it in "
               "REGISTRY_AUTH_FILE",
               "'%s' leaves the login of '%s' to the program docker-credential-%s, which "
               "isn't asked here",
               path, host, helper);
}

bool chainsi_credentials_find(const char *host, const char *path, chainsi_arena *arena,
                              chainsi_credentials *found, chainsi_problem *problem)
{
    const char *named = getenv("REGISTRY_AUTH_FILE"), *run = getenv("XDG_RUNTIME_DIR");
    const char *home = getenv("HOME"), *docker = getenv("DOCKER_CONFIG");
    *found = (chainsi_credentials){ 0 };
    if (named && *named)
        return look_in(named, host, path, arena, found, true, problem);
    const char *places[] = {
        run ? chainsi_arena_printf(arena, "%s/containers/auth.json", run) : NULL,
        home ? chainsi_arena_printf(arena, "%s/.config/containers/auth.json", home) : NULL,
        docker ? chainsi_arena_printf(arena, "%s/config.json", docker) : NULL,
        home ? chainsi_arena_printf(arena, "%s/.docker/config.json", home) : NULL,
    };
    for (size_t i = 0; i < sizeof places / sizeof *places && !found->file; i++)
        if (places[i] && !look_in(places[i], host, path, arena, found, false, problem))
            return false;
    return true;
}
