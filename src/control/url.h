/* What of a URL is to be known before it is fetched or told: its scheme, whether it has a host, and how to write
 * it without its secrets. What carries it out has the last word on it: libcurl, in another process (courier.h). */
#ifndef CHAINSI_CONTROL_URL_H
#define CHAINSI_CONTROL_URL_H

#include <stdbool.h>

typedef enum chainsi_url_scheme {
    CHAINSI_URL_HTTP = 1,
    CHAINSI_URL_HTTPS,
    CHAINSI_URL_FILE,
} chainsi_url_scheme;

typedef struct chainsi_url {
    chainsi_url_scheme scheme;
    char *shown; /* owned; without name, password and fragment, its scheme in small letters */
    char *path;  /* owned; of a file: absolute, decoded; else NULL */
} chainsi_url;

/* Reads http and https URLs with a host and a port that can be, if any, and file URLs of this machine: "file:///path",
 * or with the host localhost or 127.0.0.1. False if text is none of them; *url is then untouched. */
bool chainsi_url_read(const char *text, chainsi_url *url);
/* All zero bytes are allowed. */
void chainsi_url_done(chainsi_url *url);

#endif
