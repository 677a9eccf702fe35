/* A fan-out: the calls of one gather to Chainlets on this machine, made by one thread. It is the
 * thread that waits for the gather; if nobody waits soon after the first call was started, a thread
 * of the pool drives it until somebody does. (Other started work is jobs: gather.h.)
 *
 *          nobody waits for a moment (attend.h)           chains_wait
 *   IDLE ------------------------------------> POOL ----------------> WAITER --all are done--> IDLE
 *     ^  \_________________________chains_wait_______________________/^
 *     '-----------------------all are done------'
 *
 * Starting is for one thread at a time, as all of a gather is. */
#ifndef CHAINSI_RUNTIME_FANOUT_H
#define CHAINSI_RUNTIME_FANOUT_H

#include "base/buffer.h"
#include "runtime/callee.h"
#include "runtime/gather.h"

/* Whether calls to it may be started here. */
bool chainsi_fanout_takes(const chainsi_callee *callee);
/* Starts a call with an encoded input, whose body is copied or taken out of the message, and whose
 * attachments are taken out of it. outputs as of
 * chainsi_call. Doesn't block. */
void chainsi_fanout_start(chainsi_gather *gather, chainsi_callee *callee, chainsi_message *message,
                          void *const outputs[]);
/* Drives the calls until all are done, which they soon are once the gather's ctx is cancelled. */
void chainsi_fanout_wait(chainsi_fanout *fanout);
/* Frees what isn't of the gather's parent's memory; everything is done. adopt: to give the parent
 * the memory of the answers. */
void chainsi_fanout_done(chainsi_fanout *fanout, bool adopt);

#endif
