/* Keys from a folder. */
#include "control/shared_keys.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/home.h"

enum { KEY = 32 /* bytes of each */, MOST = 4096 };

static const char variable[] = "CHAINS_KEYS_DIR";

/* Text may end in a line's end. */
static bool is_key(const char *key, size_t *size, bool is_text)
{
    if (!is_text)
        return *size == KEY;
    while (*size && strchr("\r\n", key[*size - 1]))
        --*size;
    for (size_t i = 0; i < *size; i++)
        if (!isxdigit((unsigned char)key[i]) || isupper((unsigned char)key[i]))
            return false;
    return *size == KEY;
}

/* Puts it into the home, if it isn't there. */
static bool put(const char *path, const char *key, bool replace, char *why, size_t why_size)
{
    size_t size = 0;
    char *there = chainsi_read_file(path, MOST, &size);
    bool known = there || errno == ENOENT;
    bool same = there && size == KEY && !memcmp(there, key, KEY), good = same;
    if (!known)
        snprintf(why, why_size, "cannot read %s: %s", path, strerror(errno));
    else if (there && !same && !replace)
        snprintf(why, why_size,
                 "%s is another one than that of %s: secrets may be sealed with it, so move it "
                 "away yourself",
                 path, variable);
    else if (!same && !(good = chainsi_write_file(path, key, KEY)))
        snprintf(why, why_size, "cannot write %s: %s", path, strerror(errno));
    if (there)
        OPENSSL_cleanse(there, size);
    free(there);
    return good;
}

static bool take(const char *home, const char *folder, const char *name, bool is_text, char *why,
                 size_t why_size)
{
    char *from = chainsi_path("%s/%s", folder, name), *to = chainsi_path("%s/%s", home, name);
    size_t size = 0;
    char *key = chainsi_read_file(from, MOST, &size);
    bool good = false;
    if (!key)
        snprintf(why, why_size, "%s: cannot read %s: %s", variable, from, strerror(errno));
    else if (!is_key(key, &size, is_text))
        snprintf(why, why_size, "%s: %s is no key: it must be %d %s", variable, from, KEY,
                 is_text ? "digits of 0-9a-f" : "bytes");
    else
        good = put(to, key, is_text, why, why_size);
    if (key)
        OPENSSL_cleanse(key, size);
    free(key);
    free(from);
    free(to);
    return good;
}

bool chainsi_shared_keys_take(const char *home, char *why, size_t why_size)
{
    const char *folder = getenv(variable);
    if (!folder || !*folder)
        return true;
    return take(home, folder, "secret.key", false, why, why_size) &&
           take(home, folder, "token", true, why, why_size) &&
           take(home, folder, "webhook.key", true, why, why_size);
}
