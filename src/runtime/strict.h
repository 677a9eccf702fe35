/* Strict local calls: what would break in deployment breaks here. The callee gets a copy of its
 * inputs, which it can't write to and which goes when it returns, and outputs between red zones. */
#ifndef CHAINSI_RUNTIME_STRICT_H
#define CHAINSI_RUNTIME_STRICT_H

#include "runtime/context.h"
#include "runtime/glue.h"

typedef struct chainsi_guard chainsi_guard;

/* Copies input to memory that is made read-only. The guard lives until chainsi_guard_end. */
chainsi_guard *chainsi_guard_new(const chainsi_interface *interface, const void *input,
                                 const void *output);
const void *chainsi_guard_input(const chainsi_guard *guard);
void *chainsi_guard_output(const chainsi_guard *guard);
/* Copies the outputs to `output` (NULL: the call failed, nothing is copied) with all that they
 * point to, in memory of `arena`, and frees the guard. INTERNAL, recorded on ctx, if the method
 * wrote outside its outputs. */
chains_status chainsi_guard_end(chainsi_guard *guard, chains_ctx *ctx, chainsi_arena *arena,
                                void *output);

#endif
