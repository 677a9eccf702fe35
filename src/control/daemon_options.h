/* What `chainsd` is told on its command line. The daemon's processes hand these words on to each other. */
#ifndef CHAINSI_CONTROL_DAEMON_OPTIONS_H
#define CHAINSI_CONTROL_DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

enum { CHAINSI_DEFAULT_PORT = 8600, CHAINSI_DEFAULT_HEALTH_PORT = 8601 };

typedef struct chainsi_daemon_options {
    const char *host;            /* an IP address, or "localhost" */
    int port;                    /* 0: any */
    const char *tls_certificate; /* paths; both or neither; NULL: plain HTTP */
    const char *tls_key;
    const char **allowed_hosts; /* owned; names under which it is reached, besides its addresses */
    size_t allowed_host_count;
    bool allow_insecure_network; /* be reached from other machines without TLS and keys */
    int64_t keep_results_ms;     /* how long asynchronous requests are kept when they have ended */
    size_t max_connections;      /* 0: as of control/limits.h; of one client likewise */
    size_t max_connections_of_one;
    bool kubernetes;   /* it is the controller of a cluster's namespace, as long as it leads */
    const char *lease; /* the name of the Lease by which that is found (elector.h) */
    int health_port;   /* of probes, whether it leads or not; 0: any */
    char **words;      /* the words that were read, ended by NULL; of who called */
} chainsi_daemon_options;

/* Reads words, ended by NULL; what they say lives as long as they. False: return *status from main; what had to
 * be said has been said. chainsi_daemon_options_done must be called in any case. */
bool chainsi_daemon_options_read(char **words, chainsi_daemon_options *options, int *status);
/* Adds the words, with a NUL behind each, that mean the same in another folder and at another time: files are
 * named from the root, and the port is this one. False: errno. */
bool chainsi_daemon_options_again(const chainsi_daemon_options *options, int port,
                                  chainsi_buffer *words);
void chainsi_daemon_options_done(chainsi_daemon_options *options);

#endif
