/* The files of assets, by what is in them. Below CHAINS_HOME:
 *
 *   assets/sha256/xx/DIGEST      a file that was verified, mode 0444; xx: the digest's first digits
 *   assets/partial/DIGEST        what a download has so far
 *   assets/partial/DIGEST.json   which parts of it are there (asset_ranges.h)
 *
 * A stored file never changes; its time of modification says when it was last asked for. Digests
 * are SHA-256 in lower-case hex. Functions here block for as long as files take. Any thread. */
#ifndef CHAINSI_CONTROL_ASSET_STORE_H
#define CHAINSI_CONTROL_ASSET_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CHAINSI_DIGEST_DIGITS = 64 /* hex digits */ };

/* An asset as a Chainlet names it. */
typedef struct chainsi_asset {
    const char *url;    /* http, https or file */
    const char *sha256; /* of what is there; hex, upper or lower case */
    const char *path;   /* its name for the Chainlet */
} chainsi_asset;

/* The digest in lower case. False, and digest untouched, if the text is none. */
bool chainsi_digest_read(const char *text, char digest[CHAINSI_DIGEST_DIGITS + 1]);

/* Where it is, or will be. The caller frees it. */
char *chainsi_asset_store_path(const char *home, const char *digest);
char *chainsi_asset_partial_path(const char *home, const char *digest);
char *chainsi_asset_state_path(const char *home, const char *digest);

/* Makes the folders that a download needs. False: errno. */
bool chainsi_asset_store_make(const char *home, const char *digest);
/* Whether it is stored; if so, it counts as asked for now. */
bool chainsi_asset_store_find(const char *home, const char *digest);
/* Stores the partial file that fd has open: it is on the disk when this returns true, whole and
 * under its digest, which the caller has verified; its state is gone. False: errno. */
bool chainsi_asset_store_keep(const char *home, const char *digest, int fd);
/* Removes the partial file and its state. */
void chainsi_asset_store_drop(const char *home, const char *digest);

/* Removes stored and partial files that are in none of the `count` digests to keep, and that nobody
 * has asked for or written to since before_s (seconds since 1970). Returns the bytes that it gave
 * back. Folders of links (asset_links.h) keep what they hold. before_s is to lie some minutes back at
 * least: a download that waits for its server writes nothing meanwhile. */
uint64_t chainsi_asset_store_collect(const char *home, const char *const *keep, size_t count,
                                     int64_t before_s);

#endif
