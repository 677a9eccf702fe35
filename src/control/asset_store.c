/* The store. A file appears in it by one rename, after its bytes are on the disk. */
#include "control/asset_store.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/home.h"

bool chainsi_digest_read(const char *text, char digest[CHAINSI_DIGEST_DIGITS + 1])
{
    if (strspn(text, "0123456789abcdefABCDEF") != CHAINSI_DIGEST_DIGITS ||
        text[CHAINSI_DIGEST_DIGITS])
        return false;
    for (size_t i = 0; i <= CHAINSI_DIGEST_DIGITS; i++)
        digest[i] = (char)tolower((unsigned char)text[i]);
    return true;
}

char *chainsi_asset_store_path(const char *home, const char *digest)
{
    return chainsi_path("%s/assets/sha256/%.2s/%s", home, digest, digest);
}

char *chainsi_asset_partial_path(const char *home, const char *digest)
{
    return chainsi_path("%s/assets/partial/%s", home, digest);
}

char *chainsi_asset_state_path(const char *home, const char *digest)
{
    return chainsi_path("%s/assets/partial/%s.json", home, digest);
}

bool chainsi_asset_store_make(const char *home, const char *digest)
{
    char *stored = chainsi_path("%s/assets/sha256/%.2s", home, digest);
    char *partial = chainsi_path("%s/assets/partial", home);
    bool made = chainsi_make_folders(stored) && chainsi_make_folders(partial);
    int error = errno;
    free(stored);
    free(partial);
    errno = error;
    return made;
}

bool chainsi_asset_store_find(const char *home, const char *digest)
{
    char *path = chainsi_asset_store_path(home, digest);
    struct stat info;
    bool found = lstat(path, &info) == 0 && S_ISREG(info.st_mode);
    /* A store that can't be written to still serves. */
    if (found && utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW) != 0)
        found = access(path, R_OK) == 0;
    free(path);
    return found;
}

static bool sync_folder(const char *home, const char *digest)
{
    char *folder = chainsi_path("%s/assets/sha256/%.2s", home, digest);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    int error = errno;
    if (fd >= 0)
        close(fd);
    free(folder);
    errno = error;
    return synced;
}

bool chainsi_asset_store_keep(const char *home, const char *digest, int fd)
{
    char *partial = chainsi_asset_partial_path(home, digest);
    char *stored = chainsi_asset_store_path(home, digest);
    bool kept = fchmod(fd, 0444) == 0 && futimens(fd, NULL) == 0 && fsync(fd) == 0 &&
                rename(partial, stored) == 0 && sync_folder(home, digest);
    int error = errno;
    free(partial);
    free(stored);
    if (kept)
        chainsi_asset_store_drop(home, digest);
    errno = error;
    return kept;
}

void chainsi_asset_store_drop(const char *home, const char *digest)
{
    char *partial = chainsi_asset_partial_path(home, digest);
    char *state = chainsi_asset_state_path(home, digest);
    unlink(state);
    unlink(partial);
    free(partial);
    free(state);
}

/* What one walk over the store looks for. */
typedef struct collection {
    const char *const *keep;
    size_t count;
    int64_t before_s;
    uint64_t bytes; /* given back so far */
} collection;

static bool is_kept(const collection *it, const char *name)
{
    for (size_t i = 0; i < it->count; i++)
        if (!strncasecmp(it->keep[i], name, CHAINSI_DIGEST_DIGITS))
            return true;
    return false;
}

static void collect_file(collection *it, int folder, const char *name)
{
    struct stat info;
    if (is_kept(it, name) || fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(info.st_mode) || info.st_mtim.tv_sec >= it->before_s)
        return;
    /* What a folder of links holds, too, stays on the disk until that goes. */
    if (unlinkat(folder, name, 0) == 0 && info.st_nlink == 1)
        it->bytes += (uint64_t)info.st_blocks * 512;
}

static void collect_folder(collection *it, const char *path, unsigned depth)
{
    DIR *entries = opendir(path);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        if (entry->d_name[0] == '.')
            continue;
        if (depth == 0) {
            collect_file(it, dirfd(entries), entry->d_name);
            continue;
        }
        char *below = chainsi_path("%s/%s", path, entry->d_name);
        collect_folder(it, below, depth - 1);
        free(below);
    }
    if (entries)
        closedir(entries);
}

uint64_t chainsi_asset_store_collect(const char *home, const char *const *keep, size_t count,
                                     int64_t before_s)
{
    collection it = { .keep = keep, .count = count, .before_s = before_s };
    char *stored = chainsi_path("%s/assets/sha256", home);
    char *partial = chainsi_path("%s/assets/partial", home);
    collect_folder(&it, stored, 1);
    collect_folder(&it, partial, 0);
    free(stored);
    free(partial);
    return it.bytes;
}
