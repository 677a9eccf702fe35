/* Folders of links, made beside their place and renamed into it. */
#include "control/asset_links.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/relative.h"
#include "control/home.h"

bool chainsi_asset_links_check(const chainsi_asset *assets, size_t count, char *why,
                               size_t why_size)
{
    for (size_t i = 0; i < count; i++) {
        const char *path = assets[i].path;
        const char *fault = chainsi_relative_fault(path);
        char digest[CHAINSI_DIGEST_DIGITS + 1];
        if (fault) {
            snprintf(why, why_size, "the path \"%.100s\" of an asset %s", path ? path : "", fault);
            return false;
        }
        if (!assets[i].sha256 || !chainsi_digest_read(assets[i].sha256, digest)) {
            snprintf(why, why_size, "the asset %.100s has no SHA-256 digest", path);
            return false;
        }
        for (size_t k = 0; k < i; k++)
            if (chainsi_relative_clash(assets[k].path, path)) {
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
    char digest[CHAINSI_DIGEST_DIGITS + 1];
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
