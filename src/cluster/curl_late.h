/* libcurl's functions are there under their own names; the library is loaded with the first call of one (curl_late.c). */
#ifndef CHAINSI_CLUSTER_CURL_LATE_H
#define CHAINSI_CLUSTER_CURL_LATE_H

/* Why libcurl can't be loaded; "": it is loaded now. Whoever doesn't ask, and calls one of its functions where it isn't
 * there, has the process ended with that message. Any thread. */
const char *chainsi_curl_trouble(void);

#endif
