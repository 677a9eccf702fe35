/* The nodes of a service. Written by chains; changes are lost. */
#include "scorer.call.h"

static const chainsi_node node_scorer = {
    .implementation = &chains_scorer_implementation,
};

int main(int argc, char **argv)
{
    return chainsi_serve_main(&node_scorer, argc, argv);
}
