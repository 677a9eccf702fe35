/* What a program's contexts share. Secrets come through a descriptor, never through the environment
 * or the command line, where others could read them: JSON, an object of texts. Where what starts the program
 * can't hand over a descriptor (Kubernetes), they are files of a folder, each with its name. */
#include "runtime/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "runtime/error.h"
#include "schema/json.h"

enum {
    MOST_SECRETS = 1024 * 1024, /* bytes of the secrets' JSON, and of a file's */
    MOST_SECRET_FILES = 1024,
};

const chainsi_type chainsi_secret_map_type = {
    .kind = CHAINSI_MAP,
    .size = sizeof(chainsi_secret_map),
    .item = &chainsi_type_string,
    .entry_size = sizeof(chainsi_secret_entry),
    .value_offset = offsetof(chainsi_secret_entry, value),
};

/* A file is read without moving its position, which all processes share that were handed it. */
static bool read_all(int fd, chainsi_buffer *text)
{
    bool is_file = lseek(fd, 0, SEEK_CUR) >= 0;
    for (;;) {
        uint8_t *room = chainsi_buffer_reserve(text, 4096);
        ssize_t got = is_file ? pread(fd, room, 4096, (off_t)text->size) : read(fd, room, 4096);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0;
        text->size += (size_t)got;
        if (text->size > MOST_SECRETS)
            return false;
    }
}

/* The secrets that came through the descriptor, which can be read once: for every chains_open of
 * this process, and as long as it lives. Guarded by the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static chainsi_arena arena_of_given;
static const chains_secret_value *given; /* NULL: none came */

static bool read_given_secrets(const char *number)
{
    chainsi_buffer text = { 0 };
    chainsi_secret_map map = { 0 };
    chainsi_codec_error why = { .message = "it can't be read" };
    chainsi_arena *arena = &arena_of_given;
    char *end;
    long fd = strtol(number, &end, 10);
    bool good = end != number && *end == 0 && fd >= 0 && fd <= INT_MAX;
    if (good) {
        good = read_all((int)fd, &text) &&
               chainsi_json_decode(&chainsi_secret_map_type, (const char *)text.data, text.size,
                                   arena, &map, &why) == CHAINS_OK;
        close((int)fd);
    }
    if (text.data)
        explicit_bzero(text.data, text.capacity);
    chainsi_buffer_done(&text);
    if (!good) {
        fprintf(stderr, "chains: secrets (CHAINS_SECRETS_FD=%s): %s\n", number, why.message);
        return false;
    }
    chains_secret_value *secrets = chainsi_arena_array(arena, map.count + 1, sizeof *secrets);
    for (size_t i = 0; i < map.count; i++)
        secrets[i] = (chains_secret_value){ map.items[i].key, map.items[i].value };
    given = secrets;
    unsetenv("CHAINS_SECRETS_FD"); /* the descriptor is closed, and no child should look for it */
    return true;
}

/* What is no name of a secret isn't one: Kubernetes keeps a folder of its own beside its files. */
static bool is_secret_file(const struct dirent *entry)
{
    return *entry->d_name != '.';
}

static const char *read_secret_file(int folder, const char *name, chainsi_arena *arena)
{
    chainsi_buffer text = { 0 };
    const char *value = NULL;
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    chainsi_buffer_reserve(&text, 1); /* so that there is memory for an empty one, too */
    if (fd >= 0 && read_all(fd, &text) && !memchr(text.data, 0, text.size))
        value = chainsi_arena_copy(arena, text.data, text.size);
    if (fd >= 0)
        close(fd);
    if (text.data)
        explicit_bzero(text.data, text.capacity);
    chainsi_buffer_done(&text);
    return value;
}

static bool read_secret_folder(const char *path)
{
    chainsi_arena *arena = &arena_of_given;
    DIR *folder = opendir(path);
    chains_secret_value *secrets =
        chainsi_arena_array(arena, MOST_SECRET_FILES + 1, sizeof *secrets);
    size_t count = 0;
    const struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        if (!is_secret_file(entry) || count == MOST_SECRET_FILES)
            continue;
        const char *value = read_secret_file(dirfd(folder), entry->d_name, arena);
        if (!value) {
            fprintf(stderr,
                    "chains: secrets (CHAINS_SECRETS_DIR=%s): %s can't be read, or is no text\n",
                    path, entry->d_name);
            closedir(folder);
            return false;
        }
        secrets[count++] =
            (chains_secret_value){ chainsi_arena_strdup(arena, entry->d_name), value };
    }
    if (!folder) {
        fprintf(stderr, "chains: secrets (CHAINS_SECRETS_DIR=%s): %s\n", path, strerror(errno));
        return false;
    }
    closedir(folder);
    given = secrets;
    return true;
}

static bool read_secrets(chainsi_process *process)
{
    static const chains_secret_value none;
    pthread_mutex_lock(&lock);
    const char *number = getenv("CHAINS_SECRETS_FD");
    const char *folder = getenv("CHAINS_SECRETS_DIR");
    bool good = true;
    if (number && *number)
        good = read_given_secrets(number);
    else if (folder && *folder && !given)
        good = read_secret_folder(folder);
    process->secrets = given ? given : &none;
    pthread_mutex_unlock(&lock);
    return good;
}

static bool read_log_level(chainsi_process *process, const char *text)
{
    static const char *const names[] = { "debug", "info", "warning", "error" };
    for (int i = 0; i < 4; i++) {
        if (!strcasecmp(names[i], text)) {
            process->log_level = (chains_log_level)(CHAINS_DEBUG + i);
            return true;
        }
    }
    fprintf(stderr, "chains: CHAINS_LOG_LEVEL is '%s': expected debug, info, warning or error\n",
            text);
    return false;
}

/* Whether a variable says something that chainsi_remote_new knows. */
static bool check_choice(const char *name, const char *first, const char *second)
{
    const char *text = getenv(name);
    if (!text || !*text || !strcmp(text, first) || !strcmp(text, second))
        return true;
    fprintf(stderr, "chains: %s is '%s': expected %s or %s\n", name, text, first, second);
    return false;
}

bool chainsi_process_init(chainsi_process *process, const char *environment, chainsi_arena *arena)
{
    const char *set = getenv("CHAINS_ENVIRONMENT");
    const char *assets = getenv("CHAINS_ASSETS_DIR");
    const char *strict = getenv("CHAINS_STRICT");
    *process = (chainsi_process){
        .environment = chainsi_arena_strdup(arena, set && *set ? set : environment),
        .assets_dir = chainsi_arena_strdup(arena, assets && *assets ? assets : "."),
        .log_level = CHAINS_INFO,
        .strict = strict && *strict && strcmp(strict, "0") != 0,
    };
    const char *level = getenv("CHAINS_LOG_LEVEL");
    if (level && *level && !read_log_level(process, level))
        return false;
    return check_choice("CHAINS_AT_ZERO", "wait", "fail") &&
           check_choice("CHAINS_BALANCE", "caller", "proxy") && read_secrets(process);
}

const char *chainsi_secret_find(const chainsi_process *process, const char *name)
{
    for (const chains_secret_value *secret = process->secrets; secret->name; secret++)
        if (!strcmp(secret->name, name))
            return secret->value;
    return NULL;
}

static bool names_secret(const chains_config *config, const char *name)
{
    for (size_t i = 0; i < sizeof config->secrets / sizeof *config->secrets && config->secrets[i];
         i++)
        if (!strcmp(config->secrets[i], name))
            return true;
    return false;
}

const char *chains_secret(chains_ctx *ctx, const char *name)
{
    if (ctx->config && !names_secret(ctx->config, name)) {
        chainsi_error_set(ctx, CHAINS_PERMISSION_DENIED, ctx->chainlet, "chains_secret", NULL,
                          "%s doesn't name the secret '%s' in its .secrets", ctx->chainlet, name);
        return NULL;
    }
    const char *value = chainsi_secret_find(ctx->process, name);
    if (!value)
        chainsi_error_set(ctx, CHAINS_FAILED_PRECONDITION, ctx->chainlet, "chains_secret", NULL,
                          "the secret '%s' is not set", name);
    return value;
}

static bool names_asset(const chains_config *config, const char *path)
{
    for (size_t i = 0; i < sizeof config->assets / sizeof *config->assets && config->assets[i].path;
         i++)
        if (!strcmp(config->assets[i].path, path))
            return true;
    return false;
}

const char *chains_asset(chains_ctx *ctx, const char *path)
{
    if (ctx->config && !names_asset(ctx->config, path)) {
        chainsi_error_set(ctx, CHAINS_PERMISSION_DENIED, ctx->chainlet, "chains_asset", NULL,
                          "%s doesn't name the asset '%s' in its .assets", ctx->chainlet, path);
        return NULL;
    }
    char *file = chains_printf(ctx, "%s/%s", ctx->process->assets_dir, path);
    if (access(file, R_OK) != 0) {
        chainsi_error_set(ctx, CHAINS_NOT_FOUND, ctx->chainlet, "chains_asset", NULL,
                          "the asset '%s' is absent: %s", path, strerror(errno));
        return NULL;
    }
    return file;
}
