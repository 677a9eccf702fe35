#pragma once
#include <chains.h>

typedef struct voice {
    const char *name CHAINS_OPTION;
    int rate CHAINS_RNAGE(1, 5) CHAINS_DEFAULT(1);
} voice;
CHAINS_LSIT(voice, voices);

/* CHAINS_LSIT in a comment, "CHAINS_LSIT(" in a text, and a macro of one's own are nothing. */
#define CHAINS_LISST(T, name) CHAINS_LIST(T, name)
CHAINS_LISST(voice, choir);

CHAINLET(speech);
speech *speech_new(chains_ctx *ctx);
/** @param text what to say */
chains_status speech_run_remote(speech *self, chains_ctx *ctx,
                                const char *text CHAINS_LENGHT(1, 100), voices which,
                                choir singers, chains_bytes *sound);
void speech_free(speech *self);
