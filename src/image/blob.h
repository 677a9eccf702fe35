/* A blob on its way into a layout: written, counted and digested, and named when it is whole. */
#ifndef CHAINSI_IMAGE_BLOB_H
#define CHAINSI_IMAGE_BLOB_H

#include <stddef.h>
#include <stdint.h>

#include "image/oci.h"
#include "image/problem.h"

typedef struct chainsi_blob {
    char folder[3584], path[4096]; /* of the blobs; of the file while it has no name */
    int fd;
    void *digest; /* EVP_MD_CTX */
    int64_t size;
} chainsi_blob;

/* Begins a blob in a folder of blobs (".../blobs/sha256"). chainsi_blob_done in any case. */
bool chainsi_blob_begin(chainsi_blob *blob, const char *folder, chainsi_problem *problem);
bool chainsi_blob_write(chainsi_blob *blob, const void *data, size_t size,
                        chainsi_problem *problem);
/* Ends it: digest gets "sha256:…", and the file its name. expected (NULL: any) is the digest that it must have; `of` says
 * in the message where it comes from. */
bool chainsi_blob_end(chainsi_blob *blob, const char *expected, const char *of,
                      char digest[CHAINSI_OCI_DIGEST], chainsi_problem *problem);
/* What wasn't ended is taken away. All zero bytes are allowed. */
void chainsi_blob_done(chainsi_blob *blob);

/* SHA-256, piece by piece. */
void *chainsi_digest_begin(void);
void chainsi_digest_add(void *digest, const void *data, size_t size);
/* Writes "sha256:…" and frees it; text NULL only frees. */
void chainsi_digest_end(void *digest, char text[CHAINSI_OCI_DIGEST]);

/* Whether text is "sha256:" and 64 small hex digits: only then it may be part of a path. */
bool chainsi_is_digest(const char *text);

#endif
