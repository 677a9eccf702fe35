/* The nodes of a service. Written by chains; changes are lost. */
#include "counter.call.h"

static const chainsi_node node_counter = {
    .implementation = &chains_counter_implementation,
};

int main(int argc, char **argv)
{
    return chainsi_serve_main(&node_counter, argc, argv);
}
