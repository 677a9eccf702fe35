#pragma once
#include <chains.h>

/** Who speaks in a conversation. */
typedef enum { PHI_USER CHAINS_NAME("user"), PHI_ASSISTANT CHAINS_NAME("assistant") } phi_role;

/** One turn of a conversation. */
typedef struct {
    phi_role role CHAINS_DEFAULT(PHI_USER);       /**< Who speaks. */
    const char *content CHAINS_LENGTH(1, 100000); /**< What was said. */
} phi_message;
CHAINS_LIST(phi_message, phi_messages);

/** Answers a conversation. */
CHAINLET(phi_llm, .cpu = 2, .memory = "4Gi",
         .autoscaling = { .min_replicas = 0, .max_replicas = 4 });

phi_llm *phi_llm_new(chains_ctx *ctx);
/** Writes the next turn.
 *  @param messages    the turns so far
 *  @param temperature 0 is the most likely answer
 *  @param reply       what the model says */
chains_status phi_llm_run_remote(phi_llm *self, chains_ctx *ctx, phi_messages messages,
                                 float temperature CHAINS_RANGE(0, 2) CHAINS_DEFAULT(0),
                                 const char **reply);
void phi_llm_free(phi_llm *self);
