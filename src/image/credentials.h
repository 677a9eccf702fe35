/* The login for a registry, from the files where `podman login` and `docker login` write it. */
#ifndef CHAINSI_IMAGE_CREDENTIALS_H
#define CHAINSI_IMAGE_CREDENTIALS_H

#include "base/arena.h"
#include "image/problem.h"

typedef struct chainsi_credentials {
    const char *user, *password; /* NULL: none */
    const char *refresh_token;   /* NULL: none; instead of a password */
    const char *file;            /* where it comes from; NULL: there is none for that registry */
} chainsi_credentials;

/* Looks in $REGISTRY_AUTH_FILE (and then nowhere else), $XDG_RUNTIME_DIR/containers/auth.json,
 * ~/.config/containers/auth.json, $DOCKER_CONFIG/config.json, ~/.docker/config.json, the entry of "host/path" before
 * those of its parents and of "host". No login is no failure; a file that can't be understood is, and so is a login that only a
 * helper program has. Texts live in arena. */
bool chainsi_credentials_find(const char *host, const char *path, chainsi_arena *arena,
                              chainsi_credentials *found, chainsi_problem *problem);

#endif
