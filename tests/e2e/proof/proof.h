#pragma once
#include "bottom.h"
#include "flaky.h"
#include "middle.h"
#include "slow.h"

typedef enum {
    PROOF_TRACE CHAINS_NAME("trace"),     /**< A failure three levels down. */
    PROOF_CRASH CHAINS_NAME("crash"),     /**< A process that ends under a call, without retries. */
    PROOF_SURVIVE CHAINS_NAME("survive"), /**< The same with retries. */
    PROOF_RETRY CHAINS_NAME("retry"),     /**< A call that fails once. */
    PROOF_TIMEOUT CHAINS_NAME("timeout"), /**< A call that takes too long. */
} proof_mode;

/** Shows how calls fail and recover. */
CHAINLET(proof, .entrypoint = true, .concurrency = 64);
CHAINS_DEPENDS(proof, flaky, .retries = 2);
CHAINS_DEPENDS(proof, slow, .timeout_ms = 250);

proof *proof_new(chains_ctx *ctx, bottom *below, middle *between, flaky *sometimes, slow *late);
chains_status proof_run_remote(proof *self, chains_ctx *ctx, proof_mode mode,
                               const char *marker CHAINS_DEFAULT(""), const char **said);
void proof_free(proof *self);
