/* Chains and their Chainlets as a table: what `chains status --watch` shows. Pure. */
#ifndef CHAINSI_CLI_STATUS_TABLE_H
#define CHAINSI_CLI_STATUS_TABLE_H

#include "base/terminal.h"
#include "control/api_graph.h"

/* Which chains are meant. NULL: all. */
typedef struct chainsi_status_filter {
    const char *chain, *environment;
} chainsi_status_filter;

bool chainsi_status_is_shown(const chainsi_status_filter *filter, const chainsi_api_chain *chain);

/* Chains, and how often what of them is called. */
typedef struct chainsi_status {
    chainsi_api_chains chains;
    chainsi_api_graph *graphs; /* of each chain; one without boxes isn't known. NULL: none is */
} chainsi_status;

/* Appends the titles to head, and to body a line for each chain, and below it one for each of its Chainlets and what is to be said of it. At
 * most so many columns; 0: as many as it takes. */
void chainsi_status_table_write(const chainsi_status *status, const chainsi_status_filter *filter,
                                size_t columns, bool unicode, bool color, chainsi_buffer *head,
                                chainsi_buffer *body);
/* The same as plain lines, each by itself: "AT guide/production v0001-9f3c1a ready, 12.3 calls/s, ...". */
void chainsi_status_lines_write(const chainsi_status *status, const chainsi_status_filter *filter,
                                const char *at, chainsi_buffer *out);

#endif
