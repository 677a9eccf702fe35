/* Which addresses a host name has: every replica of a service has one (a headless Service of Kubernetes, for
 * example). */
#ifndef CHAINSI_RPC_LOOKUP_H
#define CHAINSI_RPC_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CHAINSI_LOOKUP_MOST = 128, /* addresses that are used, of one service; the rest is left out */
    CHAINSI_LOOKUP_HOST = 64,  /* bytes of a numeric address with its NUL */
};

typedef struct chainsi_found {
    int count;
    struct {
        char host[CHAINSI_LOOKUP_HOST]; /* a number */
        uint16_t port;
    } all[CHAINSI_LOOKUP_MOST];
} chainsi_found;

/* Fills *found; false with a reason. May block for long; any thread. */
typedef bool (*chainsi_lookup)(void *user, const char *host, uint16_t port, chainsi_found *found,
                               char *why, size_t why_size);

/* Asks the system; user isn't used. */
bool chainsi_lookup_system(void *user, const char *host, uint16_t port, chainsi_found *found,
                           char *why, size_t why_size);
/* Whether a host is a number already. */
bool chainsi_lookup_is_number(const char *host);

#endif
