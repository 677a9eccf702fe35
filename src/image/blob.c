/* Blobs, written under a name of no meaning and renamed to their digest. */
#include "image/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/digest.h"

void *chainsi_digest_begin(void)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (!context || !EVP_DigestInit_ex(context, EVP_sha256(), NULL))
        abort();
    return context;
}

void chainsi_digest_add(void *digest, const void *data, size_t size)
{
    if (!EVP_DigestUpdate(digest, data, size))
        abort();
}

void chainsi_digest_end(void *digest, char text[CHAINSI_OCI_DIGEST])
{
    uint8_t bytes[CHAINSI_DIGEST_SIZE];
    if (text) {
        if (!EVP_DigestFinal_ex(digest, bytes, NULL))
            abort();
        memcpy(text, "sha256:", 7);
        chainsi_hex(bytes, sizeof bytes, text + 7);
    }
    EVP_MD_CTX_free(digest);
}

bool chainsi_is_digest(const char *text)
{
    return strlen(text) == CHAINSI_OCI_DIGEST - 1 && !memcmp(text, "sha256:", 7) &&
           strspn(text + 7, "0123456789abcdef") == 64;
}

bool chainsi_blob_begin(chainsi_blob *blob, const char *folder, chainsi_problem *problem)
{
    *blob = (chainsi_blob){ .fd = -1 };
    if (snprintf(blob->folder, sizeof blob->folder, "%s", folder) >= (int)sizeof blob->folder) {
        errno = ENAMETOOLONG;
        return chainsi_problem_file(problem, "write below", folder);
    }
    snprintf(blob->path, sizeof blob->path, "%s/.part-XXXXXX", blob->folder);
    blob->fd = mkostemp(blob->path, O_CLOEXEC);
    if (blob->fd < 0)
        return chainsi_problem_file(problem, "write below", folder);
    blob->digest = chainsi_digest_begin();
    return true;
}

bool chainsi_blob_write(chainsi_blob *blob, const void *data, size_t size, chainsi_problem *problem)
{
    chainsi_digest_add(blob->digest, data, size);
    blob->size += (int64_t)size;
    for (const char *at = data; size;) {
        ssize_t written = write(blob->fd, at, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return chainsi_problem_file(problem, "write", blob->path);
        at += written;
        size -= (size_t)written;
    }
    return true;
}

bool chainsi_blob_end(chainsi_blob *blob, const char *expected, const char *of,
                      char digest[CHAINSI_OCI_DIGEST], chainsi_problem *problem)
{
    chainsi_digest_end(blob->digest, digest);
    blob->digest = NULL;
    if (expected && strcmp(digest, expected) != 0)
        return chainsi_problem_set(problem,
                                   "it was damaged on its way or where it is kept; try again, and "
                                   "if it stays so, push or pull it anew there",
                                   "%s has the digest %s instead of %s", of, digest, expected);
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", blob->folder, digest + 7);
    if (fchmod(blob->fd, 0644) != 0 || rename(blob->path, path) != 0)
        return chainsi_problem_file(problem, "write", path);
    close(blob->fd);
    blob->fd = -1;
    return true;
}

void chainsi_blob_done(chainsi_blob *blob)
{
    if (blob->digest)
        chainsi_digest_end(blob->digest, NULL);
    if (blob->fd > 0) {
        close(blob->fd);
        unlink(blob->path);
    }
    blob->digest = NULL;
    blob->fd = -1;
}
