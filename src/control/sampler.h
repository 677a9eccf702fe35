/* Asks the processes of chains what they count, and keeps what that makes: rates of the last seconds
 * (ledger.h), and points of the last hour (series.h).
 *
 *   RESTING --- a call was told of, or a replica came or went ---> every 5 s, those whose boards moved
 *      ^  ^                                                           |
 *      |  +---------------- nothing moved any more -------------------+
 *      |                                                              |  somebody looks at a chain
 *      +---- nobody has looked for some seconds --- every second <----+
 *
 * Of a chain whose boards haven't moved and that nobody looks at no process is woken. RESTING: no timer. Belongs
 * to the thread of the loop. */
#ifndef CHAINSI_CONTROL_SAMPLER_H
#define CHAINSI_CONTROL_SAMPLER_H

#include "control/environment.h"
#include "control/ledger.h"
#include "control/registry.h"
#include "control/series.h"

typedef struct chainsi_sampler chainsi_sampler;

/* registry isn't owned, and outlives it. Never NULL. */
chainsi_sampler *chainsi_sampler_new(const chainsi_registry *registry);
/* NULL is allowed. */
void chainsi_sampler_free(chainsi_sampler *sampler);

/* Something happened to a chain, or is about to; NULL: its boards will tell to which. NULL is allowed. */
void chainsi_sampler_expect(chainsi_sampler *sampler, const char *chain);
/* Somebody looks at a chain: for the next seconds its processes are asked once a second. */
void chainsi_sampler_watch(chainsi_sampler *sampler, const char *chain);
/* A chain is gone. NULL is allowed. */
void chainsi_sampler_forget(chainsi_sampler *sampler, const char *chain);

/* Rates of the last CHAINSI_LEDGER_WINDOW_S seconds. */
chainsi_rates chainsi_sampler_rates(const chainsi_sampler *sampler, const chainsi_subject *subject);
/* All of a chain that something was counted of; NULL: nothing. */
const chainsi_ledger_page *chainsi_sampler_pages(const chainsi_sampler *sampler, const char *chain);
/* The points of a Chainlet; NULL: there are none. */
const chainsi_series *chainsi_sampler_series(const chainsi_sampler *sampler, const char *chain,
                                             const char *environment, const char *chainlet);
/* The slot of the last point that could be there. */
int64_t chainsi_sampler_slot(void);

#endif
