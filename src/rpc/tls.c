/* Holds the engine; a program that links none has none. */
#include "rpc/tls.h"

static const chainsi_tls_engine *the_engine;

void chainsi_tls_set_engine(const chainsi_tls_engine *engine)
{
    the_engine = engine;
}

const chainsi_tls_engine *chainsi_tls_get_engine(void)
{
    return the_engine;
}
