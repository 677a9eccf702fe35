/* How a Chainlet is scaled, as the API says it: what was deployed, and what is asked for in its place.
 *
 *   GET    /api/v1/chains/CHAIN/chainlets/NAME/scaling                  -> api_scaling
 *   PUT    /api/v1/chains/CHAIN/chainlets/NAME/scaling      api_scale  -> api_scaling
 *   DELETE /api/v1/chains/CHAIN/chainlets/NAME/scaling                  -> api_scaling
 *
 * PUT says all that differs from what was deployed: what an earlier one said, and this one doesn't, is
 * as it was deployed again. The answer is what holds from now on. */
#ifndef CHAINSI_CONTROL_SCALE_H
#define CHAINSI_CONTROL_SCALE_H

#include "control/deployment.h"
#include "control/exchange.h"

/* What is asked for; NULL: as it was deployed. */
typedef struct chainsi_api_scale {
    const int32_t *min_replicas;
    const int32_t *max_replicas;
    const double *concurrency_target;
    const double *target_utilization;
    const double *window_s;
    const double *scale_down_delay_s;
    const double *scale_to_zero_delay_s;
} chainsi_api_scale;

extern const chainsi_type chainsi_api_scale_type;

/* *result: own, with what is asked for in its places. CHAINS_OK, or INVALID_ARGUMENT with a sentence,
 * and *result untouched. */
chains_status chainsi_api_scale_apply(const chainsi_api_scale *scale,
                                      const chainsi_api_scaling *own, chainsi_api_scaling *result,
                                      char *why, size_t why_size);

/* Answers the requests above for a Chainlet of the deployment; whoever may not change it has been turned
 * away before. */
void chainsi_route_scale(chainsi_exchange *exchange, chainsi_deployment *deployment,
                         const char *chainlet);

#endif
