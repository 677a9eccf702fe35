/* The nodes of a service. Written by chains; changes are lost. */
#include "kinds.call.h"

static const chainsi_node node_kinds = {
    .implementation = &chains_kinds_implementation,
};

int main(int argc, char **argv)
{
    return chainsi_serve_main(&node_kinds, argc, argv);
}
