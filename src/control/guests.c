/* A chained hash table with as many chains at all times: there are at most as many clients as connections.
 * The hash has a secret, so that nobody can choose addresses that meet in one chain. */
#include "control/guests.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "control/handle.h"

enum { CHAINS_LOG2 = 12 };

typedef struct entry {
    struct entry *next;
    chainsi_guest guest;
    size_t connections; /* at least 1 */
} entry;

struct chainsi_guests {
    size_t most, count;
    uint64_t secret[2];              /* odd */
    entry *chains[1 << CHAINS_LOG2]; /* owned */
};

chainsi_guests *chainsi_guests_new(size_t most)
{
    chainsi_guests *guests = chainsi_make(sizeof *guests);
    guests->most = most;
    if (getentropy(guests->secret, sizeof guests->secret) != 0)
        abort();
    guests->secret[0] |= 1;
    guests->secret[1] |= 1;
    return guests;
}

void chainsi_guests_free(chainsi_guests *guests)
{
    if (!guests)
        return;
    for (size_t i = 0; i < sizeof guests->chains / sizeof *guests->chains; i++) {
        for (entry *at = guests->chains[i], *next; at; at = next) {
            next = at->next;
            free(at);
        }
    }
    free(guests);
}

chainsi_guest chainsi_guest_of(const struct sockaddr *address)
{
    chainsi_guest guest = { { 0, 0 } };
    if (address->sa_family == AF_INET) {
        struct sockaddr_in ip;
        memcpy(&ip, address, sizeof ip);
        guest.parts[1] = UINT64_C(0xffff00000000) | ntohl(ip.sin_addr.s_addr);
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 ip;
        memcpy(&ip, address, sizeof ip);
        const uint8_t *bytes = ip.sin6_addr.s6_addr;
        for (size_t i = 0; i < 8; i++)
            guest.parts[0] = guest.parts[0] << 8 | bytes[i];
        /* An IPv4 client of a socket for both, and what lies in ::/64 otherwise (::1). */
        for (size_t i = 8; i < 16 && !guest.parts[0]; i++)
            guest.parts[1] = guest.parts[1] << 8 | bytes[i];
    }
    return guest;
}

static entry **find(chainsi_guests *guests, chainsi_guest guest)
{
    uint64_t hash = (guest.parts[0] ^ guests->secret[0]) * guests->secret[1];
    hash ^= hash >> 32;
    hash = (hash ^ guest.parts[1]) * guests->secret[0];
    entry **at = &guests->chains[hash >> (64 - CHAINS_LOG2)];
    while (*at && memcmp(&(*at)->guest, &guest, sizeof guest) != 0)
        at = &(*at)->next;
    return at;
}

bool chainsi_guests_enter(chainsi_guests *guests, chainsi_guest guest)
{
    entry **at = find(guests, guest);
    if (!*at) {
        if (!guests->most)
            return false;
        *at = chainsi_make(sizeof **at);
        (*at)->guest = guest;
        guests->count++;
    }
    if ((*at)->connections == guests->most)
        return false;
    (*at)->connections++;
    return true;
}

void chainsi_guests_leave(chainsi_guests *guests, chainsi_guest guest)
{
    entry **at = find(guests, guest);
    entry *left = *at;
    assert(left);
    if (--left->connections)
        return;
    *at = left->next;
    free(left);
    guests->count--;
}

size_t chainsi_guests_count(const chainsi_guests *guests)
{
    return guests->count;
}
