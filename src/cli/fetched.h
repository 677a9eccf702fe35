/* How far the assets of a deployment are, for people: as words, and as what `chains deploy` shows
 * while it waits. */
#ifndef CHAINSI_CLI_FETCHED_H
#define CHAINSI_CLI_FETCHED_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/bar.h"
#include "control/api.h"

enum {
    CHAINSI_FETCHED_TEXT = 512,       /* bytes of words */
    CHAINSI_FETCHED_EVERY_MS = 10000, /* between lines, where there is no terminal */
    CHAINSI_FETCHED_RENEW_MS = 200    /* between two forms of the line on one */
};

/* "1 of 2 assets, 12.3 of 40.0 MiB, 5.2 MiB/s" while they are fetched, with what keeps them from it;
 * "2 assets, 40.0 MiB" when all are there. No control characters, whatever the daemon says. */
void chainsi_fetched_words(const chainsi_api_fetched *fetched, char words[CHAINSI_FETCHED_TEXT]);

/* What has been shown. All zero, but for progress, at first. */
typedef struct chainsi_fetched_shown {
    chainsi_bar *progress; /* one line that is renewed; elsewhere few lines. Not owned */
    bool begun, ended;
    int64_t shown_ns;
} chainsi_fetched_shown;

/* Shows how far they are, as of now_ns (chainsi_now_ns), unless it was shown just before. NULL: there are
 * none. Nothing is shown of assets that were all there before. */
void chainsi_fetched_show(chainsi_fetched_shown *shown, const chainsi_api_fetched *fetched,
                          int64_t now_ns);
#endif
