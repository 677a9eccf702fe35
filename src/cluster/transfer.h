/* One request by libcurl, on connections that are kept. One thread. */
#ifndef CHAINSI_CLUSTER_TRANSFER_H
#define CHAINSI_CLUSTER_TRANSFER_H

#include <stdatomic.h>

#include "cluster/login.h"

/* All zero before the first use; chainsi_line_done. */
typedef struct chainsi_cluster_line {
    void *easy, *multi; /* CURL, CURLM; owned */
} chainsi_cluster_line;

typedef enum chainsi_transfer_end {
    CHAINSI_TRANSFER_DONE,     /* there is an answer, whatever it says */
    CHAINSI_TRANSFER_NOT_SENT, /* nobody there: nothing was carried out */
    CHAINSI_TRANSFER_BROKEN,   /* on its way: it may have been carried out */
    CHAINSI_TRANSFER_LATE,     /* the same, and time ran out */
    CHAINSI_TRANSFER_UNTRUSTED, /* as not sent, and trying again doesn't help: certificates, proxies, URLs */
    CHAINSI_TRANSFER_STOPPED, /* *stop, or on_data says so */
} chainsi_transfer_end;

/* What is asked, and how it went. */
typedef struct chainsi_cluster_transfer {
    const char *method, *path, *type; /* type NULL: no body */
    const void *body;
    size_t size;
    int64_t timeout_ms;      /* for all of it; 0: as long as bytes come */
    const atomic_bool *stop; /* or NULL; looked at at least every 200 ms */
    /* Called with what has come so far of an answer of status 200; takes from *answer what it wants. False: no more of it. NULL: it is
     * all wanted at the end. */
    bool (*on_data)(void *user, chainsi_buffer *answer);
    void *user;
    size_t most; /* bytes of the answer that are kept; more than that breaks it off */

    chainsi_buffer *answer; /* emptied first */
    int status;             /* HTTP's; 0: there was none */
    long retry_after_s;     /* 0: it doesn't say */
    char why[512];          /* of an end that isn't DONE: a sentence */
} chainsi_cluster_transfer;

chainsi_transfer_end chainsi_cluster_transfer_run(chainsi_cluster_line *line,
                                                  const chainsi_cluster_settings *settings,
                                                  const chainsi_credentials_now *now,
                                                  chainsi_cluster_transfer *transfer);
void chainsi_cluster_line_done(chainsi_cluster_line *line);

#endif
