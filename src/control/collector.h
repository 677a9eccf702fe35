/* Gathers what processes tell of calls: reads the rings of all Chainlets (base/ring.h), keeps recent traces
 * (control/traces.h), and hands spans on to whoever exports them.
 *
 * Rings are read when somebody asks for traces, and by a timer: a second after calls were seen, for as long
 * as some are told of, else every 15 seconds, for calls that don't come through the front door. So a ring,
 * which has room for 4,096 spans, is read before it is written over, but where a Chainlet tells of more a
 * second; and a daemon whose chains rest wakes up for it four times a minute. A new brain finds what is in the
 * rings still, and hands on only what the one before it hasn't. Belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_COLLECTOR_H
#define CHAINSI_CONTROL_COLLECTOR_H

#include <uv.h>

#include "control/redaction.h"
#include "control/traces.h"
#include "runtime/sampling.h"
#include "runtime/trace.h"

typedef struct chainsi_collector chainsi_collector;
typedef struct chainsi_collected chainsi_collected; /* the ring of a Chainlet */

/* Takes spans as they come: they live until it returns. */
typedef void (*chainsi_collector_taker)(void *user, const char *chain, const chainsi_span *span,
                                        int64_t unix_offset_ns);

/* Never NULL. Its timer doesn't keep the loop alive. */
chainsi_collector *chainsi_collector_new(uv_loop_t *loop);
/* Every ring must have been removed. NULL is allowed. */
void chainsi_collector_free(chainsi_collector *collector);
/* Hands every span to this one as well; NULL: to nobody. */
void chainsi_collector_set_taker(chainsi_collector *collector, chainsi_collector_taker taker,
                                 void *user);

/* Has on_calls told when a call was made, or some were read of. */
void chainsi_collector_set_listener(chainsi_collector *collector, void (*on_calls)(void *user),
                                    void *user);

/* Takes secrets out of what failures say, before anybody sees it; as long as the collector, or until another
 * one is given. Of a message that is cut off what may be the beginning of a secret goes, too. */
void chainsi_collector_redact(chainsi_collector *collector, const chainsi_redactor *redactor);

/* Reads this ring, too; ring_fd stays the caller's. chain is copied. NULL where it is no ring, or there is
 * no collector. */
chainsi_collected *chainsi_collector_add(chainsi_collector *collector, const char *chain,
                                         int ring_fd);
/* After it was read once more. NULL is allowed. */
void chainsi_collector_remove(chainsi_collected *collected);

/* A call was made: soon there will be something to read. NULL is allowed. */
void chainsi_collector_expect(chainsi_collector *collector);
/* Reads all that was told so far. */
void chainsi_collector_collect(chainsi_collector *collector);
/* Adds what a service on another machine told (runtime/span_batch.h). False with a reason: it can't be read. */
bool chainsi_collector_take_batch(chainsi_collector *collector, const char *chain, const void *body,
                                  size_t size, char *why, size_t why_size);
/* Adds a span of this process's own. */
void chainsi_collector_tell(chainsi_collector *collector, const char *chain,
                            const chainsi_span *span);
/* Whether a trace that begins here is recorded. */
bool chainsi_collector_choose(chainsi_collector *collector, const chainsi_trace *trace,
                              int64_t now_ns);

const chainsi_traces *chainsi_collector_traces(const chainsi_collector *collector);
/* Spans that weren't read in time. */
uint64_t chainsi_collector_lost(const chainsi_collector *collector);

#endif
