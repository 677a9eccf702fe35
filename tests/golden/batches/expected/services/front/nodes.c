/* The nodes of a service. Written by chains; changes are lost. */
#include "front.call.h"
#include "scorer.call.h"
#include "ticket.call.h"
#include "sink.call.h"

static const chainsi_binding calls_of_front[] = {
    { /* front.h:8 */
        .interface = &chains_scorer_interface,
    },
    { /* front.h:8 */
        .interface = &chains_ticket_interface,
    },
    { /* front.h:8 */
        .interface = &chains_sink_interface,
    },
};
static const chainsi_node node_front = {
    .implementation = &chains_front_implementation,
    .dependencies = calls_of_front,
    .dependency_count = 3,
};

int main(int argc, char **argv)
{
    return chainsi_serve_main(&node_front, argc, argv);
}
