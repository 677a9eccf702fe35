/* Keys. What is compared are digests, so that what a comparison could tell says nothing of the key. */
#include "control/keys.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

static const char *const scope_names[] = {
    [CHAINSI_SCOPE_CALL] = "call",
    [CHAINSI_SCOPE_DEPLOY] = "deploy",
    [CHAINSI_SCOPE_ADMIN] = "admin",
};

const char *chainsi_scope_name(chainsi_scope scope)
{
    return scope_names[scope];
}

bool chainsi_scope_from_name(const char *name, chainsi_scope *scope)
{
    for (size_t i = 0; i < sizeof scope_names / sizeof *scope_names; i++) {
        if (strcmp(scope_names[i], name) != 0)
            continue;
        *scope = (chainsi_scope)i;
        return true;
    }
    return false;
}

bool chainsi_key_make(chainsi_new_key *key)
{
    uint8_t random[(CHAINSI_KEY_ID + CHAINSI_KEY_SECRET) / 2];
    char digits[2 * sizeof random + 1];
    if (getentropy(random, sizeof random) != 0)
        return false;
    chainsi_hex(random, sizeof random, digits);
    memcpy(key->id, digits, CHAINSI_KEY_ID);
    key->id[CHAINSI_KEY_ID] = 0;
    snprintf(key->text, sizeof key->text, CHAINSI_KEY_PREFIX "%s_%s", key->id,
             digits + CHAINSI_KEY_ID);
    chainsi_digest(key->text, CHAINSI_KEY_SIZE, key->digest);
    OPENSSL_cleanse(random, sizeof random);
    OPENSSL_cleanse(digits, sizeof digits);
    return true;
}

void chainsi_key_erase(chainsi_new_key *key)
{
    OPENSSL_cleanse(key, sizeof *key);
}

bool chainsi_key_from_header(chainsi_slice value, chainsi_slice *text)
{
    static const char *const schemes[] = { "Bearer ", "Api-Key " };
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t size = strlen(schemes[i]);
        if (value.size <= size || strncasecmp(value.data, schemes[i], size) != 0)
            continue;
        while (size < value.size && value.data[size] == ' ')
            size++;
        *text = (chainsi_slice){ value.data + size, value.size - size };
        return text->size > 0;
    }
    return false;
}

static bool are_digits(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!strchr("0123456789abcdef", text[i]) || !text[i])
            return false;
    return true;
}

bool chainsi_key_id(chainsi_slice text, char id[CHAINSI_KEY_ID + 1])
{
    enum { PREFIX = sizeof CHAINSI_KEY_PREFIX - 1 };
    if (text.size != CHAINSI_KEY_SIZE || memcmp(text.data, CHAINSI_KEY_PREFIX, PREFIX) != 0 ||
        !are_digits(text.data + PREFIX, CHAINSI_KEY_ID) ||
        text.data[PREFIX + CHAINSI_KEY_ID] != '_' ||
        !are_digits(text.data + PREFIX + CHAINSI_KEY_ID + 1, CHAINSI_KEY_SECRET))
        return false;
    memcpy(id, text.data + PREFIX, CHAINSI_KEY_ID);
    id[CHAINSI_KEY_ID] = 0;
    return true;
}

bool chainsi_key_matches(chainsi_slice text, const uint8_t digest[CHAINSI_DIGEST_SIZE])
{
    uint8_t own[CHAINSI_DIGEST_SIZE];
    chainsi_digest(text.data, text.size, own);
    return CRYPTO_memcmp(own, digest, sizeof own) == 0;
}
