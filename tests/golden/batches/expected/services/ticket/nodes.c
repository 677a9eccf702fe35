/* The nodes of a service. Written by chains; changes are lost. */
#include "ticket.call.h"

static const chainsi_node node_ticket = {
    .implementation = &chains_ticket_implementation,
};

int main(int argc, char **argv)
{
    return chainsi_serve_main(&node_ticket, argc, argv);
}
