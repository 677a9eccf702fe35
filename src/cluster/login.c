/* Tokens in files are read with each request: it costs microseconds, and what renews them tells nobody. What a program
 * says is kept until a little before it expires, or until it is refused; one thread asks it, and others wait for that. */
#include "cluster/login.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cluster/exec_plugin.h"
#include "schema/base64.h"

/* Before it expires: a request takes time, and clocks differ. */
enum { BEFORE_EXPIRY_S = 10 };

struct chainsi_login {
    atomic_int owners;
    chainsi_cluster_settings settings;
    pthread_mutex_t lock; /* of what follows */
    chainsi_exec_answer answer;
    unsigned generation; /* of answer; 0: there was none yet */
    bool refused;        /* answer is no good */
};

chainsi_login *chainsi_login_new(chainsi_cluster_settings *settings)
{
    chainsi_login *login = calloc(1, sizeof *login);
    if (!login)
        abort();
    login->settings = *settings;
    *settings = (chainsi_cluster_settings){ 0 };
    atomic_init(&login->owners, 1);
    pthread_mutex_init(&login->lock, NULL);
    return login;
}

chainsi_login *chainsi_login_ref(chainsi_login *login)
{
    atomic_fetch_add(&login->owners, 1);
    return login;
}

void chainsi_login_unref(chainsi_login *login)
{
    if (!login || atomic_fetch_sub(&login->owners, 1) != 1)
        return;
    pthread_mutex_destroy(&login->lock);
    chainsi_arena_done(&login->answer.arena);
    chainsi_cluster_settings_done(&login->settings);
    free(login);
}

const chainsi_cluster_settings *chainsi_login_settings(const chainsi_login *login)
{
    return &login->settings;
}

static bool is_good(const chainsi_login *login)
{
    return login->generation && !login->refused &&
           (!login->answer.expires || time(NULL) + BEFORE_EXPIRY_S < login->answer.expires);
}

/* With the lock. */
static bool ask_program(chainsi_login *login, char *why, size_t why_size)
{
    chainsi_exec_answer answer = { 0 };
    if (!chainsi_exec_plugin_run(&login->settings, &answer, why, why_size)) {
        chainsi_arena_done(&answer.arena);
        return false;
    }
    chainsi_arena_done(&login->answer.arena);
    login->answer = answer;
    login->generation++;
    login->refused = false;
    return true;
}

static bool take_program(chainsi_login *login, chainsi_arena *arena, chainsi_credentials_now *now,
                         const char **token, char *why, size_t why_size)
{
    pthread_mutex_lock(&login->lock);
    bool good = is_good(login) || ask_program(login, why, why_size);
    if (good) {
        *token = chainsi_arena_strdup(arena, login->answer.token);
        now->certificate.text = chainsi_arena_strdup(arena, login->answer.certificate);
        now->key.text = chainsi_arena_strdup(arena, login->answer.key);
        now->generation = login->generation;
    }
    pthread_mutex_unlock(&login->lock);
    return good;
}

static bool take_token_file(const chainsi_cluster_settings *settings, chainsi_arena *arena,
                            const char **token, char *why, size_t why_size)
{
    char *text = chainsi_cluster_read_file(arena, settings->token_file);
    if (!text) {
        snprintf(why, why_size, "the token of %s can't be read: '%s': %s", settings->user,
                 settings->token_file, strerror(errno));
        return false;
    }
    size_t size = strlen(text);
    while (size && isspace((unsigned char)text[size - 1]))
        text[--size] = '\0';
    *token = text;
    return true;
}

bool chainsi_login_now(chainsi_login *login, chainsi_arena *arena, chainsi_credentials_now *now,
                       char *why, size_t why_size)
{
    const chainsi_cluster_settings *settings = &login->settings;
    const char *token = settings->token;
    *now = (chainsi_credentials_now){ .certificate = settings->certificate, .key = settings->key };
    if (settings->token_file) {
        if (!take_token_file(settings, arena, &token, why, why_size))
            return false;
    } else if (!token && settings->exec) {
        if (!take_program(login, arena, now, &token, why, why_size))
            return false;
    }
    for (const char *at = token; at && *at; at++)
        if ((unsigned char)*at <= ' ' || *at == 0x7f) {
            snprintf(why, why_size,
                     "the token of %s isn't one: it has spaces or control characters in it",
                     settings->user);
            return false;
        }
    if (token && *token) {
        now->authorization = chainsi_arena_printf(arena, "Authorization: Bearer %s", token);
    } else if (settings->login) {
        const char *pair =
            chainsi_arena_printf(arena, "%s:%s", settings->login, settings->password);
        size_t size = strlen(pair);
        char *text = chainsi_arena_alloc(arena, chainsi_base64_size(size) + 1);
        chainsi_base64_write(text, pair, size);
        now->authorization = chainsi_arena_printf(arena, "Authorization: Basic %s", text);
    }
    return true;
}

bool chainsi_login_renew(chainsi_login *login, unsigned generation)
{
    if (!generation)
        return false;
    pthread_mutex_lock(&login->lock);
    if (login->generation == generation)
        login->refused = true;
    pthread_mutex_unlock(&login->lock);
    return true;
}
