/* Streams of items, whatever their type. */
#include "runtime/glue.h"

chains_status chainsi_emit(void *stream, const void *item)
{
    chainsi_stream *to = stream;
    return to ? to->deliver(to, item) : CHAINS_OK;
}
