/* Chainlets in this process: instances, and a call to one.
 *
 * The shim makes such a call mean what a deployed one does: a ctx of its own, a slot, the deadline,
 * limits, scratch outputs and a hop in the trace. In strict programs it also guards the arguments
 * (strict.c). */
#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/limits.h"
#include "runtime/callee.h"
#include "runtime/error.h"
#include "runtime/gather.h"
#include "runtime/graph.h"
#include "runtime/memory.h"
#include "runtime/spans.h"
#include "runtime/strict.h"
#include "schema/value.h"

/* Calls the author's function, alone or in a batch. */
static chains_status run_function(chainsi_instance *instance, chains_ctx *ctx, const void *input,
                                  void *output, chainsi_stream *stream)
{
    if (!instance->batch) /* a method with a stream has none */
        return instance->node->implementation->run(instance->self, ctx, input, output, stream);
    chainsi_batch_call call = { .ctx = ctx, .input = input, .output = output, .droppable = true };
    return chainsi_batch_run(instance->batch, instance->self, &call);
}

/* Runs the method with a ctx of its own, and records its failure on ctx. */
static chains_status run_method(chainsi_instance *instance, chains_ctx *ctx, const void *input,
                                void *output, chainsi_intake *intake, int64_t deadline_ns)
{
    const chainsi_implementation *implementation = instance->node->implementation;
    const chainsi_interface *interface = implementation->interface;
    chains_ctx child;
    /* Strict: the callee's memory goes when it returns, as it does in another process. */
    bool strict = ctx->process->strict;
    chainsi_context_init_child(&child, ctx, strict);
    child.chainlet = interface->name;
    child.config = interface->config;
    if (deadline_ns < child.deadline_ns)
        child.deadline_ns = deadline_ns;
    /* Where it is told of, both sides are one span, which the caller has made. */
    if (chainsi_trace_is_set(&child.trace) && !chainsi_spans_tells(&child.trace))
        child.trace.span = chainsi_trace_span();
    chainsi_guard *guard = strict ? chainsi_guard_new(interface, input, output) : NULL;
    chainsi_local_stream stream;
    if (intake)
        chainsi_local_stream_init(&stream, intake, &child);
    chains_status status =
        run_function(instance, &child, guard ? chainsi_guard_input(guard) : input,
                     guard ? chainsi_guard_output(guard) : output, intake ? &stream.stream : NULL);
    chainsi_gathers_end(&child);
    if (guard) {
        chains_status broken =
            chainsi_guard_end(guard, &child, ctx->arena, status == CHAINS_OK ? output : NULL);
        if (broken != CHAINS_OK)
            status = broken;
    }
    bool recorded = false;
    if (intake)
        status = chainsi_local_stream_end(&stream, status, &recorded);
    if (status == CHAINS_OK && deadline_ns != CHAINSI_NEVER && chainsi_now_ns() >= deadline_ns)
        status = chainsi_error_set(ctx, CHAINS_DEADLINE_EXCEEDED, interface->name, "run_remote",
                                   NULL, "%s answered after its deadline", interface->name);
    else if (status != CHAINS_OK && !recorded) {
        status = chainsi_error_settle(&child, status, interface);
        chainsi_error_pass(ctx, &child.error);
    }
    chainsi_context_done(&child);
    return status;
}

void chainsi_local_announce(chainsi_callee *callee, chains_ctx *ctx)
{
    /* What others have to wait for has to be certain to come, without anybody else's having ended. */
    if (!callee->instance || !chainsi_batch_waits(callee->instance->batch) ||
        !chainsi_pool_has_room() || !chainsi_slots_try(&callee->in_flight, 1))
        return;
    chainsi_batch_enter(callee->instance->batch, 1);
    ctx->announced = callee;
}

/* Whether the call counts as in flight already. From now on it is the caller who has it leave. */
static bool take_announced(chains_ctx *ctx)
{
    bool announced = ctx->announced;
    ctx->announced = NULL;
    return announced;
}

void chainsi_local_retract(chains_ctx *ctx)
{
    chainsi_callee *callee = ctx->announced;
    if (!take_announced(ctx))
        return;
    chainsi_batch_leave(callee->instance->batch, 1);
    chainsi_slots_give(&callee->in_flight);
}

/* Runs the method in a slot, or in a batch, which has one. */
static chains_status run_in_slot(chainsi_instance *instance, chains_ctx *ctx, const void *input,
                                 void *output, chainsi_intake *intake, int64_t deadline_ns)
{
    const chainsi_interface *interface = instance->node->implementation->interface;
    if (instance->batch) {
        if (!take_announced(ctx))
            chainsi_batch_enter(instance->batch, 1);
        chains_status status = run_method(instance, ctx, input, output, intake, deadline_ns);
        chainsi_batch_leave(instance->batch, 1);
        return status;
    }
    chains_status status = chainsi_slots_take(&instance->slots, ctx, deadline_ns);
    if (status != CHAINS_OK)
        return chainsi_error_set(ctx, status, interface->name, "run_remote", NULL,
                                 "no slot of %s was free in time", interface->name);
    status = run_method(instance, ctx, input, output, intake, deadline_ns);
    chainsi_slots_give(&instance->slots);
    return status;
}

chains_status chainsi_local_attempt(chainsi_instance *instance, chains_ctx *ctx, const void *input,
                                    void *output, chainsi_intake *intake, int64_t deadline_ns)
{
    const chainsi_interface *interface = instance->node->implementation->interface;
    chainsi_codec_error why;
    if (instance->check_input && chainsi_value_check(interface->input, input, &why) != CHAINS_OK) {
        if (take_announced(ctx))
            chainsi_batch_leave(instance->batch, 1);
        return chainsi_error_argument(ctx, interface, &why);
    }
    chains_status status = run_in_slot(instance, ctx, input, output, intake, deadline_ns);
    if (status == CHAINS_OK && instance->check_output &&
        chainsi_value_check(interface->output, output, &why) != CHAINS_OK)
        return chainsi_error_answer(ctx, interface, &why);
    return status;
}

/* What follows from the tables alone. ctx: what the instance's memory is of. */
static void prepare_instance(chainsi_instance *instance, const chainsi_node *node, chains_ctx *ctx)
{
    const chainsi_interface *interface = node->implementation->interface;
    const chains_config *config = interface->config;
    instance->node = node;
    instance->check_input = chainsi_value_can_fail(interface->input);
    instance->check_output = chainsi_value_can_fail(interface->output);
    /* A fake of an external service has as many as that: nobody said how many. */
    int slots = !config ? -1 : config->concurrency > 0 ? config->concurrency : 1;
    chainsi_slots_init(&instance->slots, slots);
    instance->batch = chainsi_batch_new(ctx, node->implementation);
}

static void done_slots(chainsi_instance *instance)
{
    chainsi_batch_done(instance->batch);
    chainsi_slots_done(&instance->slots);
}

chainsi_instance *chainsi_instance_new(const chainsi_node *node, chains_ctx *ctx,
                                       void *const callees[])
{
    const chainsi_interface *interface = node->implementation->interface;
    chainsi_instance *instance = chains_alloc(ctx, sizeof *instance);
    prepare_instance(instance, node, ctx);
    chainsi_context_init_child(&instance->ctx, ctx, true);
    pthread_mutex_init(&instance->lock, NULL);
    instance->ctx.lock = &instance->lock;
    instance->ctx.chainlet = interface->name;
    instance->ctx.config = interface->config;
    instance->self = node->implementation->create(&instance->ctx, callees);
    if (instance->self) {
        chainsi_error_forget(&instance->ctx);
        return instance;
    }
    char function[256];
    snprintf(function, sizeof function, "%s_new", interface->c_name);
    if (!instance->ctx.failed)
        chainsi_error_set(&instance->ctx, CHAINS_INTERNAL, interface->name, function, NULL,
                          "%s returned NULL without chains_fail", function);
    chainsi_error_pass(ctx, &instance->ctx.error);
    chainsi_context_done(&instance->ctx);
    done_slots(instance);
    pthread_mutex_destroy(&instance->lock);
    return NULL;
}

void chainsi_instance_free(chainsi_instance *instance)
{
    if (!instance)
        return;
    instance->node->implementation->destroy(instance->self);
    chainsi_context_done(&instance->ctx);
    done_slots(instance);
    pthread_mutex_destroy(&instance->lock);
}

chainsi_callee *chainsi_callee_new(chains_ctx *ctx, const chainsi_interface *interface,
                                   const chains_depends_config *options, chainsi_instance *instance,
                                   chainsi_remote *remote)
{
    enum { DEFAULT_LIMIT = 300 };
    chainsi_callee *callee = chains_alloc(ctx, sizeof *callee);
    callee->interface = interface;
    callee->options = options ? options : &chainsi_depends_unset;
    callee->instance = instance;
    callee->remote = remote;
    chainsi_retry_budget_init(&callee->budget);
    if (remote)
        chainsi_edge_init(&callee->edge, ctx->chainlet, interface->name,
                          chainsi_remote_has_replicas(remote) ? remote : NULL);
    int limit = callee->options->concurrency_limit;
    chainsi_slots_init(&callee->in_flight, limit == 0 ? DEFAULT_LIMIT : limit);
    return callee;
}

void chainsi_callee_done(chainsi_callee *callee)
{
    if (callee->remote)
        chainsi_edge_done(&callee->edge);
    chainsi_remote_free(callee->remote);
    chainsi_slots_done(&callee->in_flight);
}

size_t chainsi_interface_max_body(const chainsi_interface *interface)
{
    const chains_config *config = interface->config;
    return config && config->max_body > 0 ? (size_t)config->max_body : CHAINSI_MAX_BODY;
}

const char *chainsi_binding_address(const chainsi_interface *interface)
{
    char name[256];
    snprintf(name, sizeof name, "CHAINS_%s_URL", interface->c_name);
    for (char *at = name; *at; at++)
        *at = (char)toupper((unsigned char)*at);
    const char *address = getenv(name);
    if (address && *address)
        return address;
    return interface->external ? interface->external->url : NULL;
}

/* x_new and x_free as tests and other programs of one's own see them.
 *
 * What they hand to and fro is a callee, made without options of an edge: the Chainlet that is
 * handed it gets a callee of its own for the edge. For a fake it is the struct of the fake's
 * author, to which an instance is made here. */

typedef struct handle {
    chainsi_callee callee; /* first: a handle is a callee */
    chainsi_callee **edges;
    size_t edge_count;
} handle;

/* The instance for a fake's own struct: one for all that it is handed to, so that .concurrency
 * holds for a fake as for what it stands for. It lives as long as the program's ctx. */
static chainsi_instance *wrap_fake(const chainsi_node *node, chains_ctx *ctx, void *self)
{
    while (ctx->parent)
        ctx = ctx->parent;
    chainsi_instance **fakes = &ctx->process->fakes;
    for (chainsi_instance *fake = *fakes; fake; fake = fake->next_fake)
        if (fake->node == node && fake->self == self)
            return fake;
    chainsi_instance *instance = chains_alloc(ctx, sizeof *instance);
    prepare_instance(instance, node, ctx);
    instance->self = self;
    instance->next_fake = *fakes;
    *fakes = instance;
    return instance;
}

static void free_edges(handle *made)
{
    for (size_t i = 0; i < made->edge_count; i++)
        chainsi_callee_done(made->edges[i]);
    made->edge_count = 0;
}

void *chainsi_local_new(const chainsi_node *node, chains_ctx *ctx, void *const dependencies[])
{
    const chainsi_interface *interface = node->implementation->interface;
    ctx->process->generated = true;
    if (node->fake) /* its author's own _new, or the generated one, is called by its own name */
        return node->implementation->create(ctx, dependencies);
    handle *made = chains_alloc(ctx, sizeof *made);
    made->edges = chains_alloc(ctx, (node->dependency_count + 1) * sizeof *made->edges);
    for (size_t i = 0; i < node->dependency_count; i++) {
        const chainsi_binding *binding = &node->dependencies[i];
        /* An external service has no _new: the program has nothing but NULL to hand over for it. */
        if (!binding->local) {
            chainsi_callee *callee = chainsi_graph_remote(ctx, binding);
            if (!callee) {
                free_edges(made);
                return NULL;
            }
            made->edges[made->edge_count++] = callee;
            continue;
        }
        void *dependency = dependencies[i];
        if (!dependency && binding->interface->external)
            dependency = binding->local->implementation->create(ctx, NULL);
        if (!dependency) {
            if (!ctx->failed)
                chainsi_error_set(ctx, CHAINS_INVALID_ARGUMENT, interface->name, "", NULL,
                                  "%s_new was given NULL for '%s'", interface->c_name,
                                  binding->interface->c_name);
            free_edges(made);
            return NULL;
        }
        chainsi_instance *instance = binding->local->fake
                                         ? wrap_fake(binding->local, ctx, dependency)
                                         : ((chainsi_callee *)dependency)->instance;
        made->edges[made->edge_count++] =
            chainsi_callee_new(ctx, binding->interface, binding->options, instance, NULL);
    }
    chainsi_instance *instance = chainsi_instance_new(node, ctx, (void *const *)made->edges);
    if (!instance) {
        free_edges(made);
        return NULL;
    }
    made->callee.interface = interface;
    made->callee.options = &chainsi_depends_unset;
    made->callee.instance = instance;
    chainsi_retry_budget_init(&made->callee.budget);
    chainsi_slots_init(&made->callee.in_flight, -1);
    return made;
}

void chainsi_local_free(const chainsi_node *node, void *self)
{
    if (!self)
        return;
    if (node->fake) {
        node->implementation->destroy(self);
        return;
    }
    handle *made = self;
    chainsi_instance_free(made->callee.instance);
    free_edges(made);
    chainsi_callee_done(&made->callee);
}

chains_status chainsi_local_healthy(const chainsi_node *node, void *self, chains_ctx *ctx)
{
    const chainsi_implementation *implementation = node->implementation;
    if (!implementation->healthy)
        return CHAINS_OK;
    return implementation->healthy(node->fake ? self : ((chainsi_callee *)self)->instance->self,
                                   ctx);
}
