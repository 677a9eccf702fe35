/* SHA-256 by OpenSSL, which fails only where memory does. */
#include "control/digest.h"

#include <openssl/evp.h>
#include <stdlib.h>

void chainsi_digest(const void *data, size_t size, uint8_t digest[CHAINSI_DIGEST_SIZE])
{
    unsigned int written = 0;
    if (!EVP_Digest(data, size, digest, &written, EVP_sha256(), NULL) ||
        written != CHAINSI_DIGEST_SIZE)
        abort();
}

void chainsi_hex(const uint8_t *data, size_t size, char *text)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        *text++ = digits[data[i] >> 4];
        *text++ = digits[data[i] & 15];
    }
    *text = 0;
}

void chainsi_digest_text(const void *data, size_t size, char text[CHAINSI_DIGEST_TEXT])
{
    uint8_t digest[CHAINSI_DIGEST_SIZE];
    chainsi_digest(data, size, digest);
    chainsi_hex(digest, sizeof digest, text);
}
