/* Hosts and origins of requests. */
#include "control/site.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { MOST_HOST = 255 };

/* The host without port and brackets, in text. False: it is none. */
static bool cut_port(chainsi_slice host, char text[MOST_HOST + 1])
{
    const char *end = host.data + host.size, *at = host.data;
    if (host.size && *at == '[') {
        const char *bracket = memchr(at, ']', host.size);
        if (!bracket || (bracket + 1 < end && bracket[1] != ':'))
            return false;
        at++;
        end = bracket;
    } else {
        const char *colon = memchr(at, ':', host.size);
        end = colon ? colon : end;
    }
    if (end > at && end[-1] == '.') /* a name that says that it is whole */
        end--;
    if (end == at || end - at > MOST_HOST)
        return false;
    memcpy(text, at, (size_t)(end - at));
    text[end - at] = 0;
    return true;
}

static bool is_address(const char *text)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

static bool is_localhost(const char *text)
{
    static const char name[] = "localhost";
    size_t size = strlen(text), tail = sizeof name - 1;
    return size >= tail && !strcasecmp(text + size - tail, name) &&
           (size == tail || text[size - tail - 1] == '.');
}

bool chainsi_site_is_ours(const chainsi_site *site, chainsi_slice host)
{
    char text[MOST_HOST + 1];
    if (!cut_port(host, text))
        return false;
    if (is_address(text) || is_localhost(text))
        return true;
    for (size_t i = 0; i < site->name_count; i++)
        if (!strcasecmp(text, site->names[i]))
            return true;
    return site->secure && chainsi_secure_is_for(site->secure, text);
}

static bool changes_nothing(chainsi_http_method method)
{
    return method == CHAINSI_HTTP_GET || method == CHAINSI_HTTP_HEAD ||
           method == CHAINSI_HTTP_OPTIONS;
}

/* Whether the origin is that of pages that the host itself serves. */
static bool is_same(chainsi_slice origin, const chainsi_slice *host)
{
    static const char *const schemes[] = { "http://", "https://" };
    for (size_t i = 0; host && i < 2; i++) {
        size_t size = strlen(schemes[i]);
        if (origin.size == size + host->size && !strncasecmp(origin.data, schemes[i], size) &&
            !strncasecmp(origin.data + size, host->data, host->size))
            return true;
    }
    return false;
}

bool chainsi_site_takes(const chainsi_site *site, const chainsi_http_request *request, char *why,
                        size_t why_size)
{
    const chainsi_slice *host = chainsi_http_find(&request->head, "Host");
    if (host && host->size && !chainsi_site_is_ours(site, *host)) {
        snprintf(
            why, why_size,
            "'%.*s' is no name of this daemon; if it is meant to be one, start the daemon with "
            "--allow-host and that name",
            (int)(host->size < MOST_HOST ? host->size : MOST_HOST), host->data);
        return false;
    }
    const chainsi_slice *origin = chainsi_http_find(&request->head, "Origin");
    if (origin && !changes_nothing(request->method) && !is_same(*origin, host)) {
        snprintf(
            why, why_size,
            "this comes from a page of '%.*s' (Origin), and only pages of this daemon may do that",
            (int)(origin->size < MOST_HOST ? origin->size : MOST_HOST), origin->data);
        return false;
    }
    /* What a browser says where it leaves the origin out. */
    const chainsi_slice *from = chainsi_http_find(&request->head, "Sec-Fetch-Site");
    if (from && !changes_nothing(request->method) && !chainsi_slice_is_case(*from, "same-origin") &&
        !chainsi_slice_is_case(*from, "none")) {
        snprintf(why, why_size,
                 "this comes from a page of another site (Sec-Fetch-Site: %.*s), and only pages of "
                 "this daemon may do that",
                 (int)(from->size < MOST_HOST ? from->size : MOST_HOST), from->data);
        return false;
    }
    return true;
}
