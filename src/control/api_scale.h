/* How a Chainlet of an environment is scaled, as the API says it: what holds, and what of it was asked for in
 * the place of what was deployed.
 *
 *   GET    /api/v1/chains/CHAIN/environments/ENVIRONMENT/chainlets/NAME/scaling              -> api_scaled
 *   PUT    /api/v1/chains/CHAIN/environments/ENVIRONMENT/chainlets/NAME/scaling   api_scale -> api_scaled
 *   DELETE /api/v1/chains/CHAIN/environments/ENVIRONMENT/chainlets/NAME/scaling              -> api_scaled
 *   the same below /api/v1/chains/CHAIN/chainlets, of production
 *
 * PUT says all that differs from what was deployed: what an earlier one said, and this one doesn't, is
 * as it was deployed again. The answer is what holds from now on; it is on the disk then, and holds for
 * every version of the environment until DELETE. */
#ifndef CHAINSI_CONTROL_API_SCALE_H
#define CHAINSI_CONTROL_API_SCALE_H

#include "control/api.h"
#include "control/store_environments.h"

typedef struct chainsi_api_scaled {
    chainsi_api_scaling scaling;          /* its fields are this one's */
    const chainsi_stored_scale *override; /* as of chainsi_api_override_type; NULL: none */
} chainsi_api_scaled;

/* chainsi_api_scale_type: what is asked for, of a chainsi_stored_scale; null: as it was deployed.
 * chainsi_api_override_type: the same with set_at. */
extern const chainsi_type chainsi_api_scale_type, chainsi_api_override_type,
    chainsi_api_scaled_type;

/* own, with what is said in its places. It need not make sense. scale NULL: nothing is. */
chainsi_api_scaling chainsi_scale_apply(const chainsi_stored_scale *scale,
                                        const chainsi_api_scaling *own);
/* The same for a version that came after it, which makes sense if own does: where a version wants more at
 * least than may be at most, or the other way round, the number that was said with `chains scale` moves
 * the version's. */
chainsi_api_scaling chainsi_scale_fit(const chainsi_stored_scale *scale,
                                      const chainsi_api_scaling *own);

#endif
