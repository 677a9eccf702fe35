#include "rpc/lookup.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

void chainsi_found_add(chainsi_found *found, const char *host, uint16_t port)
{
    enum { FIRST = 16 };
    if (found->count == CHAINSI_LOOKUP_MOST)
        return;
    if (found->count == found->capacity) {
        found->capacity = found->capacity ? 2 * found->capacity : FIRST;
        found->all = realloc(found->all, (size_t)found->capacity * sizeof *found->all);
        if (!found->all)
            abort();
    }
    chainsi_found_address *added = &found->all[found->count++];
    *added = (chainsi_found_address){ .port = port };
    snprintf(added->host, sizeof added->host, "%s", host);
}

void chainsi_found_done(chainsi_found *found)
{
    free(found->all);
    *found = (chainsi_found){ .count = 0 };
}

static int compare(const void *a, const void *b)
{
    const chainsi_found_address *first = a, *second = b;
    const int hosts = strcmp(first->host, second->host);
    return hosts ? hosts : (int)first->port - (int)second->port;
}

void chainsi_found_sort(chainsi_found *found)
{
    if (!found->count)
        return;
    qsort(found->all, (size_t)found->count, sizeof *found->all, compare);
    int kept = 1;
    for (int i = 1; i < found->count; i++)
        if (compare(&found->all[i], &found->all[kept - 1]))
            found->all[kept++] = found->all[i];
    found->count = kept;
}

bool chainsi_found_equal(const chainsi_found *a, const chainsi_found *b)
{
    return a->count == b->count &&
           (!a->count || !memcmp(a->all, b->all, (size_t)a->count * sizeof *a->all));
}

int chainsi_found_find(const chainsi_found *found, const char *host, uint16_t port)
{
    chainsi_found_address wanted = { .port = port };
    snprintf(wanted.host, sizeof wanted.host, "%s", host);
    const chainsi_found_address *at =
        found->count ? bsearch(&wanted, found->all, (size_t)found->count, sizeof wanted, compare)
                     : NULL;
    return at ? (int)(at - found->all) : -1;
}

bool chainsi_lookup_system(void *user, const char *host, uint16_t port, chainsi_found *found,
                           char *why, size_t why_size)
{
    (void)user;
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *all = NULL;
    int failed = getaddrinfo(host, NULL, &hints, &all);
    if (failed) {
        found->is_nowhere = failed == EAI_NONAME || failed == EAI_NODATA;
        snprintf(why, why_size, "cannot find the host '%s': %s", host,
                 failed == EAI_SYSTEM ? strerror(errno) : gai_strerror(failed));
        return false;
    }
    for (struct addrinfo *at = all; at; at = at->ai_next) {
        char number[CHAINSI_LOOKUP_HOST];
        if (!getnameinfo(at->ai_addr, at->ai_addrlen, number, sizeof number, NULL, 0,
                         NI_NUMERICHOST))
            chainsi_found_add(found, number, port);
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
