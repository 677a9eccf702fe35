/* A kubeconfig wins; without one a pod's service account is who asks. */
#include "cluster/settings.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of an account in a pod; the variable is for tests. */
static const char usual_folder[] = "/var/run/secrets/kubernetes.io/serviceaccount";

char *chainsi_cluster_read_file(chainsi_arena *arena, const char *path)
{
    enum { MOST = 16 << 20 };
    chainsi_buffer text = { 0 };
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t got = fd < 0 ? -1 : 0;
    while (fd >= 0 && text.size <= MOST &&
           (got = read(fd, chainsi_buffer_reserve(&text, 4096), 4096)) > 0)
        text.size += (size_t)got;
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (got == 0 && text.size > MOST) {
        got = -1;
        error = EFBIG;
    }
    char *copy = got < 0 || text.size > MOST
                     ? NULL
                     : chainsi_arena_copy(arena, text.size ? (void *)text.data : "", text.size);
    chainsi_buffer_done(&text);
    errno = text.size > MOST ? EFBIG : error;
    return copy;
}

static const char *trimmed(chainsi_arena *arena, const char *path)
{
    char *text = chainsi_cluster_read_file(arena, path);
    size_t size = text ? strlen(text) : 0;
    while (size && isspace((unsigned char)text[size - 1]))
        text[--size] = '\0';
    return text;
}

/* In a pod; false with why "": it isn't one. */
static bool find_account(const chainsi_cluster_options *options, chainsi_cluster_settings *settings,
                         char *why, size_t why_size)
{
    chainsi_arena *arena = &settings->arena;
    const char *host = getenv("KUBERNETES_SERVICE_HOST");
    const char *port = getenv("KUBERNETES_SERVICE_PORT");
    const char *folder = getenv("CHAINS_SERVICE_ACCOUNT_DIR");
    *why = '\0';
    if (!host || !*host)
        return false;
    folder = folder ? folder : usual_folder;
    settings->token_file = chainsi_arena_printf(arena, "%s/token", folder);
    settings->authority.file = chainsi_arena_printf(arena, "%s/ca.crt", folder);
    if (access(settings->token_file, R_OK) != 0 || access(settings->authority.file, R_OK) != 0) {
        snprintf(why, why_size,
                 "this pod may not ask the API server: %s has no token and ca.crt that can be read "
                 "(%s); give "
                 "it a serviceAccountName, and automountServiceAccountToken: true",
                 folder, strerror(errno));
        return false;
    }
    bool v6 = strchr(host, ':') != NULL;
    settings->server = chainsi_arena_printf(arena, v6 ? "https://[%s]:%s" : "https://%s:%s", host,
                                            port && *port ? port : "443");
    const char *name_space = options->name_space;
    if (!name_space)
        name_space = trimmed(arena, chainsi_arena_printf(arena, "%s/namespace", folder));
    settings->name_space =
        chainsi_arena_strdup(arena, name_space && *name_space ? name_space : "default");
    settings->origin = settings->user = "the service account of this pod";
    return true;
}

bool chainsi_cluster_settings_find(const chainsi_cluster_options *options,
                                   chainsi_cluster_settings *settings, char *why, size_t why_size)
{
    *settings = (chainsi_cluster_settings){ 0 };
    if (chainsi_kubeconfig_find(options, settings, why, why_size))
        return true;
    if (*why || find_account(options, settings, why, why_size))
        return !*why;
    if (!*why)
        snprintf(why, why_size,
                 "no cluster is known: there is no ~/.kube/config, KUBECONFIG names no file, and "
                 "this is no pod; "
                 "name one with --kubeconfig FILE");
    return false;
}

void chainsi_cluster_settings_done(chainsi_cluster_settings *settings)
{
    chainsi_arena_done(&settings->arena);
    *settings = (chainsi_cluster_settings){ 0 };
}
