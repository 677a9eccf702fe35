/* The nodes of the Chainlets of a test. Written by chains; changes are lost. */
#include "scorer.call.h"
#include "ticket.call.h"
#include "sink.call.h"
#include "front.call.h"

static const chainsi_node node_scorer = {
    .implementation = &chains_scorer_implementation,
    .fake = true,
};

static const chainsi_node node_ticket = {
    .implementation = &chains_ticket_implementation,
};

static const chainsi_node node_sink = {
    .implementation = &chains_sink_implementation,
    .fake = true,
};

static const chainsi_binding calls_of_front[] = {
    { /* front.h:8 */
        .interface = &chains_scorer_interface,
        .local = &node_scorer,
    },
    { /* front.h:8 */
        .interface = &chains_ticket_interface,
        .local = &node_ticket,
    },
    { /* front.h:8 */
        .interface = &chains_sink_interface,
        .local = &node_sink,
    },
};
static const chainsi_node node_front = {
    .implementation = &chains_front_implementation,
    .dependencies = calls_of_front,
    .dependency_count = 3,
};

ticket *ticket_new(chains_ctx *chains_ctx_)
{
    return chainsi_local_new(&node_ticket, chains_ctx_, NULL);
}

void ticket_free(ticket *self)
{
    chainsi_local_free(&node_ticket, self);
}

front *front_new(chains_ctx *chains_ctx_, scorer *scores, ticket *tickets, sink *ends)
{
    void *const chains_dependencies_[] = { scores, tickets, ends };
    return chainsi_local_new(&node_front, chains_ctx_, chains_dependencies_);
}

void front_free(front *self)
{
    chainsi_local_free(&node_front, self);
}
