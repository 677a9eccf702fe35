/* chains_on_cancel: a thread that looks after the contexts with a hook. */
#ifndef CHAINSI_RUNTIME_CANCEL_H
#define CHAINSI_RUNTIME_CANCEL_H

#include <chains.h>

/* Takes the hook of ctx back, and waits for it if it is running now. */
void chainsi_cancel_hook_end(chains_ctx *ctx);

#endif
