/* What calls have in common whether they are waited for at once or started (fanout.h). */
#ifndef CHAINSI_RUNTIME_CALL_H
#define CHAINSI_RUNTIME_CALL_H

#include "runtime/callee.h"
#include "runtime/retry.h"

/* Copies the outputs of a call that succeeded, a struct of interface->output, to where the caller
 * wants them. */
void chainsi_call_hand_over(const chainsi_interface *interface, const void *scratch,
                            void *const outputs[]);
/* An attempt with this deadline ended with status, and the error is ctx's: where it was a limit of
 * this side that ended it, says which. Returns the status that counts. */
chains_status chainsi_call_explain(chainsi_callee *callee, chains_ctx *ctx, chains_status status,
                                   int64_t deadline_ns);
/* Records that the call was stopped: CANCELLED, or the deadline of ctx. Returns stopped. */
chains_status chainsi_call_stopped(chainsi_callee *callee, chains_ctx *ctx, chains_status stopped);
/* A call begins. False: no attempt but the first will be made, whatever comes. */
bool chainsi_call_begin(chainsi_callee *callee);
/* Whether and when to try again after an attempt that failed with status. */
chainsi_retry_decision chainsi_call_again(chainsi_callee *callee, const chains_ctx *ctx,
                                          chainsi_retry_state *state, chains_status status,
                                          const chainsi_attempt *attempt);

#endif
