/* The nodes of a service. Written by chains; changes are lost. */
#include "counter.call.h"
#include "store.call.h"

static const chainsi_node node_counter = {
    .implementation = &chains_counter_implementation,
};

static const chainsi_binding calls_of_store[] = {
    { /* store.h:8 */
        .interface = &chains_counter_interface,
        .options = &store_counter_depends_,
        .local = &node_counter,
    },
};
static const chainsi_node node_store = {
    .implementation = &chains_store_implementation,
    .dependencies = calls_of_store,
    .dependency_count = 1,
};

int main(int argc, char **argv)
{
    return chainsi_serve_main(&node_store, argc, argv);
}
