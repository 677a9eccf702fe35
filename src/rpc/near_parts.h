/* What both sides of rpc/near.h know of the folder. */
#ifndef CHAINSI_RPC_NEAR_PARTS_H
#define CHAINSI_RPC_NEAR_PARTS_H

#include <stdbool.h>

#define CHAINSI_NEAR_BOARD      ".board"
#define CHAINSI_NEAR_UNFINISHED "~" /* behind the name of what isn't listened on yet */

enum { CHAINSI_NEAR_NAME = 16 }; /* hex digits */

/* A non-blocking connection to the socket at that path; -1 with errno. */
int chainsi_near_connect(const char *path);
/* Whether the other end is a process of this user. */
bool chainsi_near_trusts(int fd);

#endif
