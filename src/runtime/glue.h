/* What generated code is made of: constant tables about Chainlets and programs, and the few
 * functions that it calls.
 *
 * The generator writes, for a Chainlet `x`:
 *   x.call.h    the structs of its inputs and outputs
 *   x.types.c   the type tables of its method, and `const chainsi_interface chains_x_interface`
 *   x.glue.c    thunks from tables to the author's functions, and `const chainsi_implementation
 *               chains_x_implementation` (x.guard.cc beside it for C++ and CUDA: exceptions). It is
 *               linked with the author's objects by themselves; only that symbol stays visible.
 *   x.stub.c    `x_run_remote` as callers see it: gathers its arguments in the input struct and
 *               calls chainsi_call
 * and for a program (a service, a local run, a test) one nodes.c with its nodes: which
 * implementations are in it, and where each dependency goes. What a Chainlet sees as `phi_llm *` is
 * a chainsi_callee, in every build but by hand.
 *
 * This header is installed for generated code only; it may change with any version. */
#ifndef CHAINSI_RUNTIME_GLUE_H
#define CHAINSI_RUNTIME_GLUE_H

#include "schema/type.h"

/* One Chainlet (or external service) as its callers know it. */
typedef struct chainsi_interface {
    const char *name;       /* on the wire */
    const char *c_name;     /* the C type's name */
    const char *doc;        /* of the Chainlet; or NULL */
    const char *method_doc; /* of run_remote; or NULL */
    const char *file;       /* of the declaration of run_remote, relative to the chain's folder */
    int line;
    uint64_t
        fingerprint; /* of names and types of inputs and outputs; equal on both ends of a call */
    const chainsi_type *input; /* a STRUCT of all inputs, in order */
    /* A STRUCT of all plain outputs, in order: none is null on the wire, one its bare value,
     * several an object by name. */
    const chainsi_type *output;
    const char *stream_name;                /* on the wire; NULL: the method has no stream */
    const chainsi_type *stream_item;        /* what it emits */
    const chains_config *config;            /* NULL for an external service */
    const chains_external_config *external; /* NULL for a Chainlet */
} chainsi_interface;

/* Where the items of a stream go, whatever their type. Generated code stands on both sides of it:
 * the author's `struct name { emit, user }` is made from one in the callee's glue (emit hands the
 * address of its item to chainsi_emit), and made into one in the caller's stub (deliver calls the
 * author's emit). */
typedef struct chainsi_stream chainsi_stream;
struct chainsi_stream {
    /* Takes one item of type interface->stream_item, which is read before this returns. One at a
     * time; a failure ends the callee. */
    chains_status (*deliver)(chainsi_stream *stream, const void *item);
    void *user; /* of deliver */
};

/* The author's functions behind one calling form. */
typedef struct chainsi_implementation {
    const chainsi_interface *interface;
    /* Calls _new with dependencies in the order of its parameters; NULL after chains_fail. An
     * exception becomes a failure. */
    void *(*create)(chains_ctx *ctx, void *const dependencies[]);
    /* Calls run_remote with values from a struct of type interface->input and pointers into one of
     * interface->output (zeroed before). An exception becomes INTERNAL with its what().
     * stream: the chainsi_stream that takes what is emitted; NULL: items are dropped. */
    chains_status (*run)(void *self, chains_ctx *ctx, const void *input, void *output,
                         void *stream);
    void (*destroy)(void *self);
    chains_status (*healthy)(void *self, chains_ctx *ctx); /* NULL if the Chainlet has none */
    /* Calls run_batch for count calls, at least 1, with the inputs and outputs of each as of run.
     * NULL if the Chainlet has none. An exception fails them all. */
    chains_status (*run_batch)(void *self, chains_ctx *const calls[], size_t count,
                               const void *const inputs[], void *const outputs[]);
} chainsi_implementation;

typedef struct chainsi_node chainsi_node;

/* Where the calls to one dependency go, in one program. */
typedef struct chainsi_binding {
    const chainsi_interface *interface;
    const chains_depends_config *options; /* NULL: all unset */
    const chainsi_node *local; /* the node in this program; NULL: remote, at $CHAINS_<C_NAME>_URL or
                                  the external's url */
} chainsi_binding;

/* A Chainlet that is part of a program. */
struct chainsi_node {
    const chainsi_implementation *implementation;
    const chainsi_binding *dependencies; /* in the order of _new's parameters */
    size_t dependency_count;
    bool fake; /* the program's own code defines it: pointers to it in that code are its own struct,
                  not a callee */
};

/* Makes a call. Generated stubs (`x_run_remote`) consist of it.
 *   callee   what _new was handed for the dependency (chainsi_callee)
 *   ctx      the caller's; a gather starts the call and returns at once
 *   input    a struct of type interface->input; read before this returns
 *   outputs  one pointer for each field of interface->output: where the caller wants it; NULL drops
 *            it. Written on success only
 *   stream   takes the items; read before this returns, but what its user points to must live as
 *            outputs do. NULL drops items
 * Blocks until the answer is there, unless ctx is a gather. */
chains_status chainsi_call(void *callee, chains_ctx *ctx, const void *input, void *const outputs[],
                           const chainsi_stream *stream);

/* What the author's emit is in a callee: hands the item on to the chainsi_stream that run was given.
 * NULL: nobody listens, and the item is dropped. */
chains_status chainsi_emit(void *stream, const void *item);

/* What x_new, x_free and x_healthy are in local programs. new gives a callee (the author's own
 * struct for a fake), or NULL after chains_fail on ctx. */
void *chainsi_local_new(const chainsi_node *node, chains_ctx *ctx, void *const dependencies[]);
void chainsi_local_free(const chainsi_node *node, void *self);
chains_status chainsi_local_healthy(const chainsi_node *node, void *self, chains_ctx *ctx);

/* main() of a service: serves node on the sockets of LISTEN_FDS, or on --listen ADDRESS. Returns
 * the exit status. */
int chainsi_serve_main(const chainsi_node *node, int argc, char **argv);
/* main() of a local run: makes the entrypoint with all that it needs, decodes the JSON arguments of
 * --input TEXT|@FILE|-, calls it, and prints the answer's JSON. Returns the exit status: 0, 1
 * failed, 2 usage. */
int chainsi_run_main(const chainsi_node *entrypoint, int argc, char **argv);

#endif
