/* The program is run without a shell. What it writes to standard error is the user's where they are there; else its last
 * line is told when it fails. */
#include "cluster/exec_plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "schema/fields.h"
#include "schema/json.h"

extern char **environ;

typedef struct credential_status {
    const char *token, *certificate, *key, *expires;
} credential_status;
static const chainsi_field status_fields[] = {
    CHAINSI_FIELD_NAMED(credential_status, token, "token"),
    CHAINSI_FIELD_NAMED(credential_status, certificate, "clientCertificateData"),
    CHAINSI_FIELD_NAMED(credential_status, key, "clientKeyData"),
    CHAINSI_FIELD_NAMED(credential_status, expires, "expirationTimestamp"),
};
static const chainsi_type status_struct_type = CHAINSI_STRUCT_OF(credential_status, status_fields);
static const chainsi_type status_type = CHAINSI_POINTER_TO(&status_struct_type);

typedef struct credential {
    const char *api_version, *kind;
    const credential_status *status;
} credential;
static const chainsi_field credential_fields[] = {
    CHAINSI_FIELD_NAMED(credential, api_version, "apiVersion"),
    CHAINSI_FIELD_NAMED(credential, kind, "kind"),
    CHAINSI_FIELD_OPTIONAL(credential, status, &status_type),
};
static const chainsi_type credential_type = CHAINSI_STRUCT_OF(credential, credential_fields);

/* One run of the program. */
typedef struct run {
    const chainsi_cluster_settings *settings;
    const chainsi_exec *exec;
    bool asks; /* the user */
    pid_t pid;
    int out, err;                /* what it says; -1: closed */
    chainsi_buffer said, blamed; /* standard output, standard error */
    char *why;
    size_t why_size;
} run;

#define SAY(run_, ...) (snprintf((run_)->why, (run_)->why_size, __VA_ARGS__), false)

/* The environment with KUBERNETES_EXEC_INFO and the variables of the entry, which win. */
static char **environment_of(const run *r, chainsi_arena *arena)
{
    const chainsi_exec *exec = r->exec;
    size_t count = 0, own = exec->variable_count + 1, kept = 0;
    while (environ[count])
        count++;
    char **all = chainsi_arena_array(arena, count + own + 1, sizeof *all);
    for (size_t i = 0; i < exec->variable_count; i++)
        all[kept++] =
            chainsi_arena_printf(arena, "%s=%s", exec->variables[i].name,
                                 exec->variables[i].value ? exec->variables[i].value : "");
    all[kept++] = chainsi_arena_printf(arena,
                                       "KUBERNETES_EXEC_INFO={\"kind\":\"ExecCredential\","
                                       "\"apiVersion\":\"%s\",\"spec\":{\"interactive\":%s%s%s}}",
                                       exec->api_version, r->asks ? "true" : "false",
                                       exec->cluster ? ",\"cluster\":" : "",
                                       exec->cluster ? exec->cluster : "");
    for (size_t i = 0; i < count; i++) {
        size_t name = strcspn(environ[i], "=") + 1;
        bool replaced = false;
        for (size_t k = 0; k < own && !replaced; k++)
            replaced = !strncmp(all[k], environ[i], name);
        if (!replaced)
            all[kept++] = environ[i];
    }
    return all;
}

static bool start(run *r)
{
    const chainsi_exec *exec = r->exec;
    chainsi_arena arena = { 0 };
    int out[2] = { -1, -1 }, err[2] = { -1, -1 };
    if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
        int error = errno;
        if (out[0] >= 0) {
            close(out[0]);
            close(out[1]);
        }
        return SAY(r, "'%s' can't be run: %s", exec->command, strerror(error));
    }
    const char **words = chainsi_arena_array(&arena, exec->argument_count + 2, sizeof *words);
    words[0] = exec->command;
    for (size_t i = 0; i < exec->argument_count; i++)
        words[i + 1] = exec->arguments[i];
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, usual;
    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    if (!r->asks)
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    if (!r->asks)
        posix_spawn_file_actions_adddup2(&actions, err[1], 2);
    int error = posix_spawnp(&r->pid, exec->command, &actions, &attributes,
                             (char **)(uintptr_t)words, environment_of(r, &arena));
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    chainsi_arena_done(&arena);
    close(out[1]);
    close(err[1]);
    r->out = out[0];
    r->err = err[0];
    if (!error)
        return true;
    close(r->out);
    close(r->err);
    const char *hint = r->exec->install_hint;
    return SAY(r, "%s logs in by the program '%s', which can't be run: %s%s%.400s",
               r->settings->user, exec->command, strerror(error), hint ? ". " : "",
               hint ? hint : "");
}

/* False: this end of it is over. */
static bool take_some(int *fd, chainsi_buffer *into)
{
    char some[4096];
    ssize_t got = read(*fd, some, sizeof some);
    if (got > 0 && into->size + (size_t)got <= CHAINSI_EXEC_MOST_SAID)
        chainsi_buffer_add(into, some, (size_t)got);
    if (got > 0 || (got < 0 && errno == EINTR))
        return true;
    close(*fd);
    *fd = -1;
    return false;
}

/* Until it has said all. False: it takes too long. */
static bool listen_to(run *r)
{
    int64_t deadline =
        r->asks ? CHAINSI_NEVER
                : chainsi_deadline_after_ms(chainsi_now_ns(), CHAINSI_EXEC_LIMIT_S * 1000.0);
    while (r->out >= 0) {
        struct pollfd fds[] = { { r->out, POLLIN, 0 }, { r->err, POLLIN, 0 } };
        int ready = poll(fds, 2, chainsi_poll_timeout(deadline, chainsi_now_ns()));
        if (ready == 0)
            return false;
        if (ready > 0 && fds[1].revents)
            take_some(&r->err, &r->blamed);
        if (ready > 0 && fds[0].revents)
            take_some(&r->out, &r->said);
    }
    return true;
}

/* What it said last on standard error, on one line. */
static const char *blame_of(run *r)
{
    while (r->err >= 0 && poll(&(struct pollfd){ r->err, POLLIN, 0 }, 1, 0) > 0)
        take_some(&r->err, &r->blamed);
    chainsi_buffer_add_byte(&r->blamed, '\0');
    char *text = (char *)r->blamed.data;
    for (size_t size = strlen(text); size && (text[size - 1] == '\n' || text[size - 1] == '\r');)
        text[--size] = '\0';
    char *line = strrchr(text, '\n');
    return line ? line + 1 : text;
}

static bool finish(run *r, bool in_time)
{
    int status = 0; /* where this process reaps all that ends, it may have been reaped */
    if (!in_time)
        kill(r->pid, SIGKILL);
    while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR)
        ;
    const char *command = r->exec->command, *blame = blame_of(r);
    if (!in_time)
        return SAY(r, "the program '%s', by which %s logs in, said nothing for %d s", command,
                   r->settings->user, CHAINSI_EXEC_LIMIT_S);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    char how[48];
    snprintf(how, sizeof how, WIFEXITED(status) ? "exit status %d" : "killed by signal %d",
             WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    return SAY(r, "the program '%s', by which %s logs in, failed (%s)%s%.400s", command,
               r->settings->user, how, *blame ? ": " : "", blame);
}

/* "2026-01-31T12:00:00Z", with fractions or an offset; 0: it isn't that. */
static time_t time_of(const char *text)
{
    struct tm parts = { 0 };
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    if (!rest)
        return 0;
    if (*rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    int hours, minutes, used = 0;
    char sign;
    time_t utc = timegm(&parts);
    if (!strcmp(rest, "Z"))
        return utc;
    if (sscanf(rest, "%c%2d:%2d%n", &sign, &hours, &minutes, &used) != 3 || rest[used] ||
        (sign != '+' && sign != '-'))
        return 0;
    int shift = (hours * 60 + minutes) * 60;
    return utc - (sign == '+' ? shift : -shift);
}

static bool read_answer(run *r, chainsi_exec_answer *answer)
{
    credential got;
    chainsi_codec_error error;
    const char *command = r->exec->command;
    if (chainsi_json_decode(&credential_type, (char *)r->said.data, r->said.size, &answer->arena,
                            &got, &error) != CHAINS_OK)
        return SAY(r, "the program '%s' didn't say an ExecCredential: %.200s", command,
                   error.message);
    if (!got.kind || strcmp(got.kind, "ExecCredential") != 0 || !got.api_version ||
        strcmp(got.api_version, r->exec->api_version) != 0)
        return SAY(
            r, "the program '%s' said '%s' of '%s', where an ExecCredential of '%s' is expected",
            command, got.kind ? got.kind : "", got.api_version ? got.api_version : "",
            r->exec->api_version);
    const credential_status *status = got.status;
    bool token = status && status->token && *status->token;
    bool certificate = status && status->certificate && *status->certificate;
    bool key = status && status->key && *status->key;
    if (certificate != key || (!token && !certificate))
        return SAY(r, "the program '%s' said neither a token nor a certificate with its key",
                   command);
    if (status->expires && *status->expires && !(answer->expires = time_of(status->expires)))
        return SAY(r, "the program '%s' said an expirationTimestamp that is none: '%.60s'", command,
                   status->expires);
    answer->token = token ? status->token : NULL;
    answer->certificate = certificate ? status->certificate : NULL;
    answer->key = key ? status->key : NULL;
    return true;
}

bool chainsi_exec_plugin_run(const chainsi_cluster_settings *settings, chainsi_exec_answer *answer,
                             char *why, size_t why_size)
{
    const chainsi_exec *exec = settings->exec;
    run r = { .settings = settings,
              .exec = exec,
              .asks = !exec->never_asks && isatty(0),
              .out = -1,
              .err = -1,
              .why = why,
              .why_size = why_size };
    if (exec->must_ask && !r.asks)
        return SAY(
            &r, "the program '%s', by which %s logs in, asks questions, and there is no terminal",
            exec->command, settings->user);
    if (!start(&r))
        return false;
    bool good = finish(&r, listen_to(&r)) && read_answer(&r, answer);
    if (r.out >= 0)
        close(r.out);
    if (r.err >= 0)
        close(r.err);
    chainsi_buffer_done(&r.said);
    chainsi_buffer_done(&r.blamed);
    return good;
}
