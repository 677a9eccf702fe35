#include "runtime/graph.h"

#include "runtime/error.h"
#include "runtime/memory.h"

struct chainsi_graph {
    chains_ctx *ctx;
    struct made {
        chainsi_instance *instance;
        chainsi_callee **callees;
        size_t callee_count;
        struct made *older;
    } * newest; /* a caller is newer than what it calls */
};

chainsi_graph *chainsi_graph_new(chains_ctx *ctx)
{
    chainsi_graph *graph = chains_alloc(ctx, sizeof *graph);
    graph->ctx = ctx;
    return graph;
}

chainsi_callee *chainsi_graph_remote(chains_ctx *ctx, const chainsi_binding *binding)
{
    const chainsi_interface *interface = binding->interface;
    const char *address = chainsi_binding_address(interface);
    char why[256] = "no address is known";
    chainsi_remote *remote =
        address ? chainsi_remote_new(interface, address, why, sizeof why) : NULL;
    if (!remote) {
        chainsi_error_set(ctx, CHAINS_FAILED_PRECONDITION, interface->name, "", NULL,
                          "%s%s%s: %s (it comes from CHAINS_<NAME>_URL, in capitals)",
                          interface->c_name, address ? " at " : "", address ? address : "", why);
        return NULL;
    }
    return chainsi_callee_new(ctx, interface, binding->options, NULL, remote);
}

static chainsi_callee *make_callee(chainsi_graph *graph, const chainsi_binding *binding)
{
    if (!binding->local)
        return chainsi_graph_remote(graph->ctx, binding);
    chainsi_instance *instance = chainsi_graph_make(graph, binding->local);
    return instance ? chainsi_callee_new(graph->ctx, binding->interface, binding->options, instance,
                                         NULL)
                    : NULL;
}

static void free_made(struct made *made)
{
    chainsi_instance_free(made->instance);
    for (size_t i = 0; i < made->callee_count; i++)
        chainsi_callee_done(made->callees[i]);
}

chainsi_instance *chainsi_graph_make(chainsi_graph *graph, const chainsi_node *node)
{
    for (struct made *made = graph->newest; made; made = made->older)
        if (made->instance->node == node)
            return made->instance;
    struct made *made = chains_alloc(graph->ctx, sizeof *made);
    made->callees = chains_alloc(graph->ctx, (node->dependency_count + 1) * sizeof *made->callees);
    for (size_t i = 0; i < node->dependency_count; i++) {
        chainsi_callee *callee = make_callee(graph, &node->dependencies[i]);
        if (!callee) {
            free_made(made);
            return NULL;
        }
        made->callees[made->callee_count++] = callee;
    }
    made->instance = chainsi_instance_new(node, graph->ctx, (void *const *)made->callees);
    if (!made->instance) {
        free_made(made);
        return NULL;
    }
    made->older = graph->newest;
    graph->newest = made;
    return made->instance;
}

void chainsi_graph_free(chainsi_graph *graph)
{
    if (!graph)
        return;
    for (struct made *made = graph->newest; made; made = made->older)
        free_made(made);
    graph->newest = NULL;
}
