/* Numbers with a fraction in the query of a request: "name=1.5&other=value". */
#ifndef CHAINSI_CONTROL_QUERY_H
#define CHAINSI_CONTROL_QUERY_H

#include <stdbool.h>

#include "rpc/http.h"

/* A number that is not negative. False: it is there and is none, or larger than most; *number stays as it
 * is where it isn't there. */
bool chainsi_query_double(chainsi_slice query, const char *name, double most, double *number);

#endif
