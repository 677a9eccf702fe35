/* What a call says of itself beside its input: its id, its trace, its deadline, when it was made, and what interface
 * its caller was built against; in headers of HTTP, or in the head of a frame. */
#ifndef CHAINSI_RUNTIME_TERMS_H
#define CHAINSI_RUNTIME_TERMS_H

#include "rpc/server.h"
#include "runtime/context.h"
#include "runtime/glue.h"

/* Takes over the id of a request in HTTP, in ctx's arena, or makes one where it has none that is good. */
void chainsi_terms_read_id(chains_ctx *ctx, const chainsi_http_head *head);
/* Takes over its trace, or begins one. The span is this call's own; its parent's is returned, 0: there is none. */
uint64_t chainsi_terms_read_trace(chains_ctx *ctx, const chainsi_server_request *request);
/* Both of a frame. */
uint64_t chainsi_terms_read_frame(chains_ctx *ctx, const chainsi_server_request *request);
/* Whether its caller knows this interface, and its deadline, which ctx gets, hasn't passed. Else ctx has the
 * error. */
chains_status chainsi_terms_check(chains_ctx *ctx, const chainsi_interface *interface,
                                  const chainsi_server_request *request);
/* When it was made; 0: it doesn't say. */
int64_t chainsi_terms_made_ns(const chainsi_server_request *request);

#endif
