/* Asks all processes that there are for their /metrics, at once, and puts what comes together with what the
 * daemon counts itself. What doesn't answer in time is left out. Reading and writing that much text is done on
 * a thread of the pool; all else belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_SCRAPE_H
#define CHAINSI_CONTROL_SCRAPE_H

#include "control/exposition.h"
#include "control/registry.h"

enum {
    CHAINSI_SCRAPE_MS = 2000,              /* for all of them */
    CHAINSI_SCRAPE_MOST_TEXT = 1024 * 1024 /* bytes that one may say */
};

typedef struct chainsi_scrape chainsi_scrape;

/* What came of one process. Its labels are chain, environment, version, chainlet and replica, which is its
 * number. */
typedef struct chainsi_scraped {
    chainsi_source source;   /* first: its next is one of these, too */
    int64_t started_unix_ms; /* the process; of the daemon's own: when counting began */
} chainsi_scraped;

typedef struct chainsi_scrape_options {
    const chainsi_registry *registry;
    /* Which chains are asked; NULL: all. */
    bool (*shows)(void *user, const char *chain);
    /* Appends what the daemon says itself, whole, as text. Called when all answers are there. */
    void (*write_own)(void *user, chainsi_buffer *out);
    int64_t own_began_unix_ms;
    /* Makes one text of all; the daemon's own first. On a thread of the pool, and maybe when nobody wants
     * to know any more: settings, a copy of so many bytes, is all that it may look at. */
    void (*compose)(const void *settings, const chainsi_scraped *first, chainsi_buffer *out);
    const void *settings; /* NULL: none */
    size_t settings_size;
    /* It is made, and lives until this returns. Comes from the loop, never before _start returns. */
    void (*on_end)(void *user, const chainsi_buffer *text);
    void *user;
} chainsi_scrape_options;

/* Never NULL. */
chainsi_scrape *chainsi_scrape_start(const chainsi_scrape_options *options);
/* Ends it without on_end; not from within it. */
void chainsi_scrape_cancel(chainsi_scrape *scrape);

#endif
