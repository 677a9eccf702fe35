/* The nodes of a service. Written by chains; changes are lost. */
#include "sink.call.h"

static const chainsi_node node_sink = {
    .implementation = &chains_sink_implementation,
};

int main(int argc, char **argv)
{
    return chainsi_serve_main(&node_sink, argc, argv);
}
