/* How many connections each client of the front door has. A client is an IPv4 address, or the /64 of an
 * IPv6 one, which is what one household or machine is given. Belongs to one thread. */
#ifndef CHAINSI_CONTROL_GUESTS_H
#define CHAINSI_CONTROL_GUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

typedef struct chainsi_guests chainsi_guests;

/* A client. */
typedef struct chainsi_guest {
    uint64_t parts[2]; /* of the address as IPv6 has it; the second is 0 for IPv6 proper */
} chainsi_guest;

/* most: connections that one client may have. Never NULL. */
chainsi_guests *chainsi_guests_new(size_t most);
/* NULL is allowed. */
void chainsi_guests_free(chainsi_guests *guests);

/* Whose address it is; of any family but IP: one and the same. */
chainsi_guest chainsi_guest_of(const struct sockaddr *address);
/* Counts a connection more. False: the client has as many as it may, and nothing was counted. */
bool chainsi_guests_enter(chainsi_guests *guests, chainsi_guest guest);
/* One that was counted has ended. */
void chainsi_guests_leave(chainsi_guests *guests, chainsi_guest guest);
/* Clients that have connections. */
size_t chainsi_guests_count(const chainsi_guests *guests);

#endif
