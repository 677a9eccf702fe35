/* A name without a hash is chain, version and Chainlet with '-' between them and for '_'. It can be read backwards because the
 * version, `v7` or `v0001-c4a671`, is the first part that looks like one: no word of the chain does, and
 * after a short version no word that could be the rest of a long one follows. Nothing without a hash has "--" in
 * it. */
#include "kubernetes/object_names.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "base/hash.h"

enum {
    HASH_DIGITS = 16,
    VERSION_DIGITS = 6, /* of its digest, behind the number */
};

static const char lower_case[] = "abcdefghijklmnopqrstuvwxyz";
static const char digits[] = "0123456789";
static const char hex[] = "0123456789abcdef";

/* What a part is */

/* "v" and a number: the bytes of it, 0 if the text doesn't begin so. */
static size_t number_size(const char *text)
{
    const size_t size = *text == 'v' ? strspn(text + 1, digits) : 0;
    return size ? size + 1 : 0;
}

static bool is_digest(const char *text, size_t size)
{
    return size == VERSION_DIGITS && strspn(text, hex) >= size;
}

/* Lower-case letters, digits, and single '_' between them. */
static bool is_plain(const char *text)
{
    if (!*text || *text == '_' || text[strlen(text) - 1] == '_' || strstr(text, "__"))
        return false;
    for (const char *at = text; *at; at++)
        if (!strchr(lower_case, *at) && !strchr(digits, *at) && *at != '_')
            return false;
    return true;
}

static bool is_plain_chain(const char *text)
{
    if (!is_plain(text) || !strchr(lower_case, *text))
        return false;
    for (const char *word = text; word; word = strchr(word, '_')) {
        word += *word == '_';
        const size_t size = number_size(word);
        if (size && (!word[size] || word[size] == '_'))
            return false;
    }
    return true;
}

/* Whether the parts can be read from their names. */
static bool can_be_read(const char *chain, const char *version, const char *chainlet)
{
    const size_t size = number_size(version);
    if (!is_plain_chain(chain) || !size || (chainlet && !is_plain(chainlet)))
        return false;
    if (!version[size])
        return !chainlet || !is_digest(chainlet, strcspn(chainlet, "_"));
    return version[size] == '-' && is_digest(version + size + 1, strlen(version + size + 1));
}

/* With a hash */

/* Of the parts with their ends. */
static uint64_t hash_parts(const char *const *parts, size_t count)
{
    uint64_t hash = CHAINSI_HASH_START;
    for (size_t i = 0; i < count; i++)
        hash = chainsi_hash_add(hash, parts[i], strlen(parts[i]) + 1);
    return hash;
}

/* The text with every run of what is no lower-case letter or digit as one '-', and none of them at its ends; not longer
 * than most. */
static char *simplify(chainsi_arena *arena, const char *text, size_t most)
{
    char *simple = chainsi_arena_strdup(arena, text);
    size_t size = 0;
    for (const char *at = text; *at && size < most; at++) {
        if (isalnum((unsigned char)*at))
            simple[size++] = (char)tolower((unsigned char)*at);
        else if (size && simple[size - 1] != '-')
            simple[size++] = '-';
    }
    while (size && simple[size - 1] == '-')
        size--;
    simple[size] = 0;
    return simple;
}

static const char *with_hash(chainsi_arena *arena, const char *text, uint64_t hash)
{
    enum { MOST = CHAINSI_OBJECT_NAME_MOST - HASH_DIGITS - 2 };
    const char *simple = simplify(arena, text, MOST - 1);
    return chainsi_arena_printf(arena, "%s%s--%016llx", isalpha((unsigned char)*simple) ? "" : "c",
                                simple, (unsigned long long)hash);
}

const char *chainsi_object_name(chainsi_arena *arena, const char *chain, const char *version,
                                const char *chainlet)
{
    const char *parts[] = { chain, version, chainlet };
    const size_t count = chainlet ? 3 : 2;
    char *name = chainsi_arena_printf(arena, "%s-%s%s%s", chain, version, chainlet ? "-" : "",
                                      chainlet ? chainlet : "");
    if (!can_be_read(chain, version, chainlet) || strlen(name) > CHAINSI_OBJECT_NAME_MOST)
        return with_hash(arena, name, hash_parts(parts, count));
    for (char *at = name; (at = strchr(at, '_'));)
        *at = '-';
    return name;
}

const char *chainsi_object_name_of_chain(chainsi_arena *arena, const char *chain, const char *what)
{
    char *name = chainsi_arena_printf(arena, "%s-%s", chain, what);
    if (!is_plain_chain(chain) || strlen(name) > CHAINSI_OBJECT_NAME_MOST)
        return with_hash(arena, name, hash_parts((const char *[]){ chain, what }, 2));
    for (char *at = name; (at = strchr(at, '_'));)
        *at = '-';
    return name;
}

const char *chainsi_label_value(chainsi_arena *arena, const char *text)
{
    const size_t size = strlen(text);
    bool good = size > 0 && size <= CHAINSI_OBJECT_NAME_MOST && !strstr(text, "--") &&
                isalnum((unsigned char)*text) && isalnum((unsigned char)text[size - 1]);
    for (const char *at = text; *at && good; at++)
        good = isalnum((unsigned char)*at) || strchr("-_.", *at);
    if (good)
        return chainsi_arena_strdup(arena, text);
    return chainsi_object_name_hashed(arena, text);
}

const char *chainsi_object_name_hashed(chainsi_arena *arena, const char *text)
{
    return with_hash(arena, text, hash_parts(&text, 1));
}
