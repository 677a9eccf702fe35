#include "runtime/status.h"

#include <string.h>

/* code, name, HTTP status */
#define STATUSES(X)                                                                                \
    X(CHAINS_OK, "OK", 200)                                                                        \
    X(CHAINS_CANCELLED, "CANCELLED", 499)                                                          \
    X(CHAINS_UNKNOWN, "UNKNOWN", 500)                                                              \
    X(CHAINS_INVALID_ARGUMENT, "INVALID_ARGUMENT", 400)                                            \
    X(CHAINS_DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", 504)                                          \
    X(CHAINS_NOT_FOUND, "NOT_FOUND", 404)                                                          \
    X(CHAINS_ALREADY_EXISTS, "ALREADY_EXISTS", 409)                                                \
    X(CHAINS_PERMISSION_DENIED, "PERMISSION_DENIED", 403)                                          \
    X(CHAINS_RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED", 429)                                        \
    X(CHAINS_FAILED_PRECONDITION, "FAILED_PRECONDITION", 400)                                      \
    X(CHAINS_ABORTED, "ABORTED", 409)                                                              \
    X(CHAINS_OUT_OF_RANGE, "OUT_OF_RANGE", 400)                                                    \
    X(CHAINS_UNIMPLEMENTED, "UNIMPLEMENTED", 501)                                                  \
    X(CHAINS_INTERNAL, "INTERNAL", 500)                                                            \
    X(CHAINS_UNAVAILABLE, "UNAVAILABLE", 503)                                                      \
    X(CHAINS_DATA_LOSS, "DATA_LOSS", 500)                                                          \
    X(CHAINS_UNAUTHENTICATED, "UNAUTHENTICATED", 401)

#define NAME(code, name, http) [code] = (name),
#define HTTP(code, name, http) [code] = (http),
static const char *const names[] = { STATUSES(NAME) };
static const int https[] = { STATUSES(HTTP) };
enum { COUNT = sizeof names / sizeof *names };

const char *chains_status_name(chains_status status)
{
    return (unsigned)status < COUNT ? names[status] : "UNKNOWN";
}

chains_status chainsi_status_from_name(const char *name)
{
    for (int i = 0; i < COUNT; i++)
        if (!strcmp(names[i], name))
            return (chains_status)i;
    return CHAINS_UNKNOWN;
}

int chainsi_status_to_http(chains_status status)
{
    return (unsigned)status < COUNT ? https[status] : 500;
}

chains_status chainsi_status_from_http(int http)
{
    if (http >= 200 && http < 300)
        return CHAINS_OK;
    switch (http) {
    case 400:
    case 413:
    case 414:
    case 415:
    case 422:
        return CHAINS_INVALID_ARGUMENT;
    case 401:
        return CHAINS_UNAUTHENTICATED;
    case 403:
        return CHAINS_PERMISSION_DENIED;
    case 404:
        return CHAINS_NOT_FOUND;
    case 405:
    case 501:
        return CHAINS_UNIMPLEMENTED;
    case 408:
    case 504:
        return CHAINS_DEADLINE_EXCEEDED;
    case 409:
        return CHAINS_ABORTED;
    case 416:
        return CHAINS_OUT_OF_RANGE;
    case 429:
        return CHAINS_RESOURCE_EXHAUSTED;
    case 499:
        return CHAINS_CANCELLED;
    case 500:
        return CHAINS_INTERNAL;
    case 502:
    case 503:
        return CHAINS_UNAVAILABLE;
    default:
        return CHAINS_UNKNOWN;
    }
}
