#include "rpc/lookup.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

bool chainsi_lookup_system(void *user, const char *host, uint16_t port, chainsi_found *found,
                           char *why, size_t why_size)
{
    (void)user;
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *all = NULL;
    int failed = getaddrinfo(host, NULL, &hints, &all);
    if (failed) {
        snprintf(why, why_size, "cannot find the host '%s': %s", host,
                 failed == EAI_SYSTEM ? strerror(errno) : gai_strerror(failed));
        return false;
    }
    found->count = 0;
    for (struct addrinfo *at = all; at && found->count < CHAINSI_LOOKUP_MOST; at = at->ai_next) {
        found->all[found->count].port = port;
        if (!getnameinfo(at->ai_addr, at->ai_addrlen, found->all[found->count].host,
                         CHAINSI_LOOKUP_HOST, NULL, 0, NI_NUMERICHOST))
            found->count++;
    }
    freeaddrinfo(all);
    return true;
}

bool chainsi_lookup_is_number(const char *host)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST };
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, NULL, &hints, &found))
        return false;
    freeaddrinfo(found);
    return true;
}
