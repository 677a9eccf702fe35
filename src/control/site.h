/* Whether a request can be meant for this daemon, or comes from the page of another site in somebody's
 * browser: by the Host header (a name of that site's own that was made to lead here), and by the headers Origin
 * and Sec-Fetch-Site (a form or script of another site). */
#ifndef CHAINSI_CONTROL_SITE_H
#define CHAINSI_CONTROL_SITE_H

#include <stdbool.h>
#include <stddef.h>

#include "control/secure.h"
#include "rpc/http.h"

typedef struct chainsi_site {
    const char *const *names; /* not owned; names besides localhost under which it is reached */
    size_t name_count;
    const chainsi_secure *secure; /* not owned; names of its certificate count, too. NULL: none */
} chainsi_site;

/* Whether this is a host of ours: an IP address (a browser that was led astray still says the name),
 * localhost, what ends in .localhost, or a name of the site. host: as a Host header has it, with a port
 * or not. */
bool chainsi_site_is_ours(const chainsi_site *site, chainsi_slice host);
/* Whether to answer the request. False with a sentence why not. GET, HEAD and OPTIONS may come from the
 * page of another site, which can't read the answers. Without a Host header (HTTP/1.0) it is no browser's. */
bool chainsi_site_takes(const chainsi_site *site, const chainsi_http_request *request, char *why,
                        size_t why_size);

#endif
