/* Changes that share a transaction: the store's writer runs them here (store.h says what holds for each). */
#ifndef CHAINSI_CONTROL_STORE_GROUP_H
#define CHAINSI_CONTROL_STORE_GROUP_H

#include "control/store.h"

/* Runs the changes of a list together or, if that doesn't go, each by itself, and sets their ends. Gives how many
 * transactions were made durable. Blocks; on the store's thread. */
size_t chainsi_group_run(chainsi_database *database, chainsi_write *first);

/* Sets the end of a change; why is copied. */
void chainsi_write_set_end(chainsi_write *write, chains_status status, const char *why);

#endif
