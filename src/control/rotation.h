/* The authorities of a chain over the years: which one issues, and which are trusted meanwhile, such that every
 * certificate that somebody shows is trusted by everybody at every moment.
 *
 *   STEADY    one authority issues, and is trusted
 *     |  two thirds of its life are over, or its key is lost
 *   TRUSTING  the next one is trusted as well, and issues nothing yet
 *     |  everybody's files have said so for CHAINSI_ROTATION_SPREAD_S, or the one that issues has ended
 *   RETIRING  the next one issues, and everybody gets a new certificate; the old one is still trusted
 *     |  everybody's files have said so for as long
 *   STEADY
 *
 * Deciding is a pure function of what is stored and the time, in seconds since 1970; what it decides on outlives the
 * process (certificates.h keeps it in a Secret). */
#ifndef CHAINSI_CONTROL_ROTATION_H
#define CHAINSI_CONTROL_ROTATION_H

#include "control/authority.h"

/* Kubelets bring a changed Secret into pods within minutes, and pods take it up within a second; a node that is cut off
 * has the rest of the time. */
enum { CHAINSI_ROTATION_SPREAD_S = 3600 };

typedef struct chainsi_rotation {
    chainsi_pair issuer; /* key NULL: lost */
    chainsi_pair next;   /* TRUSTING */
    char *old;           /* RETIRING: a certificate; owned */
    int64_t settled_s;   /* since when everybody's files are those of this state; 0: not yet */
} chainsi_rotation;

typedef enum chainsi_rotation_state {
    CHAINSI_ROTATION_STEADY,
    CHAINSI_ROTATION_TRUSTING,
    CHAINSI_ROTATION_RETIRING,
} chainsi_rotation_state;

void chainsi_rotation_done(chainsi_rotation *rotation);
chainsi_rotation_state chainsi_rotation_get_state(const chainsi_rotation *rotation);
const char *chainsi_rotation_state_name(chainsi_rotation_state state);

/* Whether it is time for the state behind this one. */
bool chainsi_rotation_is_due(const chainsi_rotation *rotation, int64_t now_s);
/* Goes there. False: no authority could be made; then nothing has changed. */
bool chainsi_rotation_go_on(chainsi_rotation *rotation, const char *chain, int64_t now_s,
                            int64_t life_s);
/* Notes that all files are those of this state (true), or that some have only now become so, or aren't (false). */
void chainsi_rotation_settle(chainsi_rotation *rotation, bool settled, int64_t now_s);

/* What issues now; its key is NULL only where none is left. */
const chainsi_pair *chainsi_rotation_signer(const chainsi_rotation *rotation);
/* Whether a certificate may stay as it is, for what issued it. */
bool chainsi_rotation_accepts(const chainsi_rotation *rotation, const char *certificate,
                              const char *const *names, size_t name_count);
/* All that are trusted, PEM; the caller frees it. */
char *chainsi_rotation_bundle(const chainsi_rotation *rotation);

#endif
