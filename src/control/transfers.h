/* libcurl's transfers on the daemon's loop: its sockets and its timeouts are watched by libuv, and
 * nothing blocks. Belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_TRANSFERS_H
#define CHAINSI_CONTROL_TRANSFERS_H

#include <curl/curl.h>
#include <uv.h>

typedef struct chainsi_transfers chainsi_transfers;

/* One transfer; embedded in whoever wants it. */
typedef struct chainsi_transfer {
    CURL *easy; /* the owner's, set up by it but for CURLOPT_PRIVATE */
    /* It has ended, and easy is free to be cleaned up. From the loop; may start and stop others. */
    void (*on_done)(struct chainsi_transfer *transfer, CURLcode code);
} chainsi_transfer;

/* Never NULL. */
chainsi_transfers *chainsi_transfers_new(uv_loop_t *loop);
/* Closes kept connections; no transfer may be under way. Handles of the loop are still closing when
 * it returns. NULL is allowed. */
void chainsi_transfers_free(chainsi_transfers *transfers);

/* Begins. Both not from within a callback of libcurl. Stopping brings no on_done. */
void chainsi_transfers_start(chainsi_transfers *transfers, chainsi_transfer *transfer);
void chainsi_transfers_stop(chainsi_transfers *transfers, chainsi_transfer *transfer);

#endif
