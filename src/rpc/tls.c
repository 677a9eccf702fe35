/* Holds the engine; a program that links none and loads none has none. */
#include "rpc/tls.h"

#include <stdatomic.h>

static const chainsi_tls_engine *_Atomic the_engine;

void chainsi_tls_set_engine(const chainsi_tls_engine *engine)
{
    atomic_store(&the_engine, engine);
}

const chainsi_tls_engine *chainsi_tls_get_engine(void)
{
    return atomic_load_explicit(&the_engine, memory_order_acquire);
}
