/* Certificates of a chain: an authority of its own, and what it issues to its Chainlets. All are PEM texts; keys are
 * ECDSA on P-256. Nothing here knows a network or a file, and the time is the caller's, in seconds since 1970.
 *
 * Functions that make something return false only where OpenSSL can't (no memory, no random numbers, what it was given
 * is no certificate), and leave outputs untouched then. Any thread. */
#ifndef CHAINSI_CONTROL_AUTHORITY_H
#define CHAINSI_CONTROL_AUTHORITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CHAINSI_AUTHORITY_LIFE_S = 10 * 365 * 86400,
    CHAINSI_CERTIFICATE_LIFE_S = 90 * 86400,
    CHAINSI_CERTIFICATE_SKEW_S =
        600, /* clocks that are behind by less find a new certificate valid */
};

/* A certificate and its key. */
typedef struct chainsi_pair {
    char *certificate, *key; /* owned; NULL: there is none */
} chainsi_pair;

void chainsi_pair_done(chainsi_pair *pair);
chainsi_pair chainsi_pair_copy(const chainsi_pair *pair);
/* Whether both are there, can be read, and the key is the certificate's. */
bool chainsi_pair_is_good(const chainsi_pair *pair);

/* Makes an authority that signs itself, and no other authorities. Each has a name that no other one has. */
bool chainsi_authority_make(const char *chain, int64_t now_s, int64_t life_s,
                            chainsi_pair *authority);

/* Has it issue a certificate for these DNS names, of which the first is its subject: for serving and for calling. It
 * ends with its authority at the latest. */
bool chainsi_authority_issue(const chainsi_pair *authority, const char *const *names,
                             size_t name_count, int64_t now_s, int64_t life_s,
                             chainsi_pair *issued);

/* Whether the (first) certificate of the text was issued by the (first) authority of the other, for exactly these names. */
bool chainsi_certificate_is_for(const char *certificate, const char *authority,
                                const char *const *names, size_t name_count);

/* Whether it should be renewed: two thirds of its life are over, it is from the future, or no certificate. */
bool chainsi_certificate_is_due(const char *certificate, int64_t now_s);
/* When it ends; 0: it is none. */
int64_t chainsi_certificate_end(const char *certificate);
/* How many certificates the text has, one behind the other. */
size_t chainsi_certificate_count(const char *bundle);

#endif
