/* Which of several media types a client wants, by its Accept (RFC 9110, section 12.5.1). Pure.
 *
 * For each type the most specific range that fits it counts, a type itself before all of its kind
 * ("text/…") and those before anything ("…/…", stars for the dots), whatever their order and case, and
 * of equal ones that with the highest q. A range with parameters fits less closely than one without, as
 * our types have none (but charset=utf-8, which all of them have), and excludes nothing. What isn't
 * well-formed is as if it weren't there, up to the next comma. */
#ifndef CHAINSI_RPC_ACCEPT_H
#define CHAINSI_RPC_ACCEPT_H

#include "rpc/http.h"

enum { CHAINSI_MAX_ACCEPTABLE = 8 /* types to choose from */ };

/* The index of the type with the highest q above 0; -1: none of them is acceptable, or the request has
 * no Accept. Of several, one that the client names rather than one that a range with a star fits; of named ones
 * the first in types, and of others the last, which is thus what a client gets who has no wish. types: in small
 * letters, without parameters; at most CHAINSI_MAX_ACCEPTABLE. All headers of that name count. */
int chainsi_accept_choose(const chainsi_http_head *head, const char *const types[], size_t count);

#endif
