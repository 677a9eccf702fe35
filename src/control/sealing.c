/* What is sealed is a byte that says how (1), the nonce, the text and its tag. A random nonce of 96
 * bits is good for 2^32 seals with one key, which nobody's secrets come near. */
#include "control/sealing.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/handle.h"
#include "control/home.h"

enum { KEY = 32, NONCE = 12, TAG = 16, HEAD = 1 + NONCE, FORM = 1 };

struct chainsi_sealer {
    uint8_t key[KEY];
};

/* The key's file. */

/* On the disk under its name before anything is sealed with it. */
static chains_status make_key(const char *path, char *why, size_t why_size)
{
    uint8_t key[KEY];
    char *made_path = chainsi_path("%s.made", path);
    bool made = getentropy(key, sizeof key) == 0 &&
                chainsi_write_file(made_path, key, sizeof key) &&
                chainsi_replace_file(made_path, path);
    if (!made)
        snprintf(why, why_size, "cannot make %s: %s", path, strerror(errno));
    OPENSSL_cleanse(key, sizeof key);
    free(made_path);
    return made ? CHAINS_OK : CHAINS_UNAVAILABLE;
}

static chains_status read_open_key(int fd, const char *path, uint8_t key[KEY], char *why,
                                   size_t why_size)
{
    struct stat info;
    if (fstat(fd, &info) != 0) {
        snprintf(why, why_size, "cannot read %s: %s", path, strerror(errno));
        return CHAINS_UNAVAILABLE;
    }
    if (info.st_uid != geteuid()) {
        snprintf(why, why_size, "%s belongs to another user", path);
        return CHAINS_FAILED_PRECONDITION;
    }
    if (info.st_mode & 077) {
        snprintf(why, why_size,
                 "others may read %s (mode %03o): if nobody has, run: chmod 600 '%s'", path,
                 (unsigned)(info.st_mode & 0777), path);
        return CHAINS_FAILED_PRECONDITION;
    }
    uint8_t more;
    if (!S_ISREG(info.st_mode) || read(fd, key, KEY) != KEY || read(fd, &more, 1) != 0) {
        snprintf(why, why_size, "%s is no key: it must be %d bytes", path, KEY);
        return CHAINS_FAILED_PRECONDITION;
    }
    return CHAINS_OK;
}

static chains_status read_key(const char *path, uint8_t key[KEY], char *why, size_t why_size)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        chains_status status = errno == ENOENT ? CHAINS_NOT_FOUND : CHAINS_UNAVAILABLE;
        snprintf(why, why_size, "cannot open %s, with which secrets were sealed: %s", path,
                 strerror(errno));
        return status;
    }
    chains_status status = read_open_key(fd, path, key, why, why_size);
    close(fd);
    return status;
}

chainsi_sealer *chainsi_sealer_open(const char *home, bool make, chains_status *status, char *why,
                                    size_t why_size)
{
    chainsi_sealer *sealer = chainsi_make(sizeof *sealer);
    char *path = chainsi_path("%s/secret.key", home);
    *status = read_key(path, sealer->key, why, why_size);
    if (*status == CHAINS_NOT_FOUND && make) {
        *status = make_key(path, why, why_size);
        if (*status == CHAINS_OK)
            *status = read_key(path, sealer->key, why, why_size);
    }
    free(path);
    if (*status == CHAINS_OK)
        return sealer;
    chainsi_sealer_close(sealer);
    return NULL;
}

void chainsi_sealer_close(chainsi_sealer *sealer)
{
    if (!sealer)
        return;
    OPENSSL_cleanse(sealer, sizeof *sealer);
    free(sealer);
}

/* Sealing. */

/* Begins to seal (1) or to open (0), with the name as what is known besides. */
static EVP_CIPHER_CTX *begin(const chainsi_sealer *sealer, int seals, const uint8_t *nonce,
                             const char *name)
{
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int size;
    if (cipher &&
        EVP_CipherInit_ex(cipher, EVP_aes_256_gcm(), NULL, sealer->key, nonce, seals) == 1 &&
        EVP_CipherUpdate(cipher, NULL, &size, (const uint8_t *)name, (int)strlen(name)) == 1)
        return cipher;
    abort(); /* these fail where there is no memory */
}

chains_status chainsi_seal(const chainsi_sealer *sealer, const char *name, const void *data,
                           size_t size, chainsi_arena *arena, chains_bytes *sealed, char *why,
                           size_t why_size)
{
    if (size > CHAINSI_SECRET_MOST) {
        snprintf(why, why_size, "the secret '%s' has %zu bytes; at most %d are taken", name, size,
                 CHAINSI_SECRET_MOST);
        return CHAINS_INVALID_ARGUMENT;
    }
    uint8_t *out = chainsi_arena_alloc_raw(arena, HEAD + size + TAG);
    out[0] = FORM;
    if (getentropy(out + 1, NONCE) != 0) {
        snprintf(why, why_size, "the system gives no random bytes: %s", strerror(errno));
        return CHAINS_UNAVAILABLE;
    }
    EVP_CIPHER_CTX *cipher = begin(sealer, 1, out + 1, name);
    int done = 0, rest = 0;
    if (EVP_CipherUpdate(cipher, out + HEAD, &done, data, (int)size) != 1 ||
        EVP_CipherFinal_ex(cipher, out + HEAD + done, &rest) != 1 ||
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, TAG, out + HEAD + size) != 1)
        abort();
    EVP_CIPHER_CTX_free(cipher);
    *sealed = (chains_bytes){ out, HEAD + size + TAG };
    return CHAINS_OK;
}

chains_status chainsi_unseal(const chainsi_sealer *sealer, const char *name, chains_bytes sealed,
                             chainsi_plain *plain, char *why, size_t why_size)
{
    const uint8_t *in = sealed.data;
    if (sealed.size < HEAD + TAG || sealed.size > HEAD + CHAINSI_SECRET_MOST + TAG ||
        in[0] != FORM) {
        snprintf(why, why_size, "what is kept of the secret '%s' is damaged", name);
        return CHAINS_DATA_LOSS;
    }
    chainsi_plain opened = { .size = sealed.size - HEAD - TAG };
    opened.text = chainsi_make(opened.size + 1);
    uint8_t tag[TAG];
    memcpy(tag, in + HEAD + opened.size, TAG);
    EVP_CIPHER_CTX *cipher = begin(sealer, 0, in + 1, name);
    int done = 0, rest = 0;
    bool genuine =
        EVP_CipherUpdate(cipher, (uint8_t *)opened.text, &done, in + HEAD, (int)opened.size) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, TAG, tag) == 1 &&
        EVP_CipherFinal_ex(cipher, (uint8_t *)opened.text + done, &rest) == 1;
    EVP_CIPHER_CTX_free(cipher);
    if (genuine) {
        *plain = opened;
        return CHAINS_OK;
    }
    chainsi_plain_done(&opened);
    snprintf(why, why_size,
             "the secret '%s' does not open: secret.key is not the one that it was sealed with, or "
             "what is kept was changed",
             name);
    return CHAINS_DATA_LOSS;
}

void chainsi_plain_done(chainsi_plain *plain)
{
    if (plain->text)
        OPENSSL_cleanse(plain->text, plain->size);
    free(plain->text);
    *plain = (chainsi_plain){ 0 };
}
