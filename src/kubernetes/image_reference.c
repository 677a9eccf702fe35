/* References of images. */
#include "kubernetes/image_reference.h"

#include <ctype.h>
#include <string.h>

#include "kubernetes/object_names.h"

enum { DIGEST_DIGITS = 64, MOST_TAG = 128 };

/* A part of a repository's path has lower-case letters, digits, and between them '_', "__", '.' or any number of '-'. */
static bool is_path_part(const char *text)
{
    const size_t size = strlen(text);
    if (!size || strpbrk(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") || strstr(text, "___") ||
        strstr(text, "..") || strstr(text, "--"))
        return false;
    for (const char *at = text; *at; at++) {
        if (isalnum((unsigned char)*at))
            continue;
        const bool between = at > text && at[1];
        const bool mixed = !between || (!isalnum((unsigned char)at[1]) && at[1] != *at);
        if (!strchr("_-.", *at) || mixed)
            return false;
    }
    return true;
}

static const char *path_part(chainsi_arena *arena, const char *name)
{
    return is_path_part(name) ? name : chainsi_object_name_hashed(arena, name);
}

const char *chainsi_image_repository(chainsi_arena *arena, const char *place, const char *chain,
                                     const char *chainlet)
{
    const size_t size = place ? strlen(place) : 0;
    const bool slash = size && place[size - 1] != '/';
    return chainsi_arena_printf(arena, "%s%s%s/%s", place ? place : "", slash ? "/" : "",
                                path_part(arena, chain), path_part(arena, chainlet));
}

const char *chainsi_image_reference(chainsi_arena *arena, const char *registry, const char *chain,
                                    const char *chainlet, const char *tag, const char *digest)
{
    static const char *const schemes[] = { "http://", "https://" }; /* how it is pushed to alone */
    for (size_t i = 0; registry && i < sizeof schemes / sizeof *schemes; i++)
        if (!strncmp(registry, schemes[i], strlen(schemes[i])))
            registry += strlen(schemes[i]);
    return chainsi_arena_printf(arena, "%s%s%s",
                                chainsi_image_repository(arena, registry, chain, chainlet),
                                digest ? "@" : ":", digest ? digest : tag);
}

bool chainsi_is_image_digest(const char *text)
{
    static const char start[] = "sha256:";
    const size_t size = sizeof start - 1;
    return !strncmp(text, start, size) && strlen(text) == size + DIGEST_DIGITS &&
           strspn(text + size, "0123456789abcdef") == DIGEST_DIGITS;
}

bool chainsi_is_image_tag(const char *text)
{
    if (!isalnum((unsigned char)*text) && *text != '_')
        return false;
    for (const char *at = text; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("_-.", *at))
            return false;
    return strlen(text) <= MOST_TAG;
}
