/* Relative paths. */
#include "base/relative.h"

#include <stddef.h>
#include <string.h>

const char *chainsi_relative_fault(const char *path)
{
    if (!path || !*path)
        return "is empty";
    if (*path == '/')
        return "is absolute";
    if (strlen(path) > CHAINSI_RELATIVE_MOST)
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
        if (size > CHAINSI_RELATIVE_MOST_NAME)
            return "has a name in it that is too long";
        at += size;
        if (!*at)
            return NULL;
    }
}

bool chainsi_relative_clash(const char *one, const char *other)
{
    while (*one && *one == *other) {
        one++;
        other++;
    }
    return (!*one && (!*other || *other == '/')) || (!*other && *one == '/');
}
