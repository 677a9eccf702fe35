/* Which addresses a host name has: every replica of a service has one (a headless Service of Kubernetes, for
 * example). */
#ifndef CHAINSI_RPC_LOOKUP_H
#define CHAINSI_RPC_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* Addresses that are used, of one service; the rest is left out. DNS can't tell of as many: its messages have
     * 64 KiB, which is room for some 4,000. */
    CHAINSI_LOOKUP_MOST = 8192,
    CHAINSI_LOOKUP_HOST = 64, /* bytes of a numeric address with its NUL */
};

typedef struct chainsi_found_address {
    char host[CHAINSI_LOOKUP_HOST]; /* a number */
    uint16_t port;
} chainsi_found_address;

/* Begins as zero bytes. */
typedef struct chainsi_found {
    int count, capacity;
    chainsi_found_address *all; /* owned */
    bool is_nowhere; /* the name certainly has no address: who knows one has an old one */
} chainsi_found;

/* Appends an address, unless there are as many as may be. */
void chainsi_found_add(chainsi_found *found, const char *host, uint16_t port);
void chainsi_found_done(chainsi_found *found);
/* Brings the addresses in order, each once, so that two may be compared, and one be found in it: its number, or
 * -1. */
void chainsi_found_sort(chainsi_found *found);
bool chainsi_found_equal(const chainsi_found *a, const chainsi_found *b);
int chainsi_found_find(const chainsi_found *found, const char *host, uint16_t port);

/* Adds what it finds to *found, which is empty; false with a reason, and is_nowhere set where that is sure. May block for
 * long; any thread. */
typedef bool (*chainsi_lookup)(void *user, const char *host, uint16_t port, chainsi_found *found,
                               char *why, size_t why_size);

/* Asks the system; user isn't used. */
bool chainsi_lookup_system(void *user, const char *host, uint16_t port, chainsi_found *found,
                           char *why, size_t why_size);
/* Whether a host is a number already. */
bool chainsi_lookup_is_number(const char *host);

#endif
