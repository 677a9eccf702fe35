/* Folders of links, made beside their place and renamed into it. */
#include "control/asset_links.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/home.h"

/* Why the path can't name a file of the folder; NULL if it can. */
static const char *find_fault(const char *path)
{
    if (!path || !*path)
        return "is empty";
    if (*path == '/')
        return "is absolute";
    if (strlen(path) > CHAINSI_ASSET_MOST_PATH)
        return "is too long";
    for (const char *at = path; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            return "has control characters in it";
    for (const char *at = path;; at++) {
        size_t size = strcspn(at, "/");
        if (!size)
            return "has an empty name in it";
        if ((size == 1 && at[0] == '.') || (size == 2 && at[0] == '.' && at[1] == '.'))
            return "has '.' or '..' in it";
        if (size > CHAINSI_ASSET_MOST_NAME)
            return "has a name in it that is too long";
        at += size;
        if (!*at)
            return NULL;
    }
}

/* Whether one of two paths is the other, or a folder of it. */
static bool clash(const char *one, const char *other)
{
    while (*one && *one == *other) {
        one++;
        other++;
    }
    return (!*one && (!*other || *other == '/')) || (!*other && *one == '/');
}

bool chainsi_asset_links_check(const chainsi_asset *assets, size_t count, char *why,
                               size_t why_size)
{
    for (size_t i = 0; i < count; i++) {
        const char *path = assets[i].path;
        const char *fault = find_fault(path);
        char digest[CHAINSI_DIGEST_SIZE + 1];
        if (fault) {
            snprintf(why, why_size, "the path \"%.100s\" of an asset %s", path ? path : "", fault);
            return false;
        }
        if (!assets[i].sha256 || !chainsi_digest_read(assets[i].sha256, digest)) {
            snprintf(why, why_size, "the asset %.100s has no SHA-256 digest", path);
            return false;
        }
        for (size_t k = 0; k < i; k++)
            if (clash(assets[k].path, path)) {
                snprintf(why, why_size, "the paths %.100s and %.100s of two assets clash",
                         assets[k].path, path);
                return false;
            }
    }
    return true;
}

/* False: errno. */
static bool link_one(const char *home, const char *folder, const chainsi_asset *asset)
{
    char digest[CHAINSI_DIGEST_SIZE + 1];
    chainsi_digest_read(asset->sha256, digest);
    char *target = chainsi_asset_store_path(home, digest);
    char *path = chainsi_path("%s/%s", folder, asset->path);
    char *slash = strrchr(path, '/');
    *slash = 0;
    bool made = access(target, R_OK) == 0 && chainsi_make_folders(path);
    *slash = '/';
    if (made && link(target, path) != 0) {
        bool other_way = errno == EXDEV || errno == EPERM || errno == EMLINK || errno == ENOTSUP;
        made = other_way && symlink(target, path) == 0;
    }
    int error = errno;
    free(target);
    free(path);
    errno = error;
    return made;
}

bool chainsi_asset_links_make(const char *home, const char *folder, const chainsi_asset *assets,
                              size_t count, char *why, size_t why_size)
{
    if (!chainsi_asset_links_check(assets, count, why, why_size))
        return false;
    char *next = chainsi_path("%s.new", folder);
    bool made = chainsi_remove_tree(next) && chainsi_make_folders(next);
    if (!made)
        snprintf(why, why_size, "cannot make the folder %s: %s", next, strerror(errno));
    for (size_t i = 0; made && i < count; i++) {
        made = link_one(home, next, &assets[i]);
        if (!made)
            snprintf(why, why_size, "cannot link the asset %.100s: %s", assets[i].path,
                     strerror(errno));
    }
    if (made) {
        made = chainsi_remove_tree(folder) && rename(next, folder) == 0;
        if (!made)
            snprintf(why, why_size, "cannot replace the folder %s: %s", folder, strerror(errno));
    }
    if (!made)
        chainsi_remove_tree(next);
    free(next);
    return made;
}
