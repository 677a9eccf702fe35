/* Memory of a ctx, for the library's own use; see chains_alloc for the rules. */
#ifndef CHAINSI_RUNTIME_MEMORY_H
#define CHAINSI_RUNTIME_MEMORY_H

#include <chains.h>

/* As chains_alloc, not initialized. */
void *chainsi_memory_raw(chains_ctx *ctx, size_t size);
/* count * item_size zeroed bytes; an overflow ends the process. */
void *chainsi_memory_array(chains_ctx *ctx, size_t count, size_t item_size);
/* Gives ctx all memory of `from`, which has an arena of its own: pointers stay valid. */
void chainsi_memory_adopt(chains_ctx *ctx, chains_ctx *from);

#endif
