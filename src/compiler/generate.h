/* Generated code: from the model to C text. Pure functions; files and builds are build.c's.
 *
 * For a Chainlet x:
 *   x.call.h    the structs of its inputs and outputs, and declarations of what follows
 *   x.types.c   type tables and chains_x_interface
 *   x.stub.c    x_run_remote as callers see it
 *   x.glue.c    chains_x_implementation: from tables to the author's functions
 *   x.guard.cc  C++ and CUDA: the author's functions with exceptions turned into failures
 * For a program its nodes, main, and for tests the functions that stand for Chainlets in it.
 *
 * The author's objects, the glue and the guard of one Chainlet are linked by themselves, with all
 * symbols hidden but chains_x_implementation; see link.h. */
#ifndef CHAINSI_COMPILER_GENERATE_H
#define CHAINSI_COMPILER_GENERATE_H

#include "compiler/model.h"
#include "compiler/writer.h"

void chainsi_generate_call(chainsi_writer *writer, const chainsi_model_chainlet *chainlet);
void chainsi_generate_types(chainsi_writer *writer, const chainsi_model_chainlet *chainlet);
void chainsi_generate_stub(chainsi_writer *writer, const chainsi_model_chainlet *chainlet);
void chainsi_generate_glue(chainsi_writer *writer, const chainsi_model_chainlet *chainlet);
void chainsi_generate_guard(chainsi_writer *writer, const chainsi_model_chainlet *chainlet);

/* Which functions of a Chainlet a fake defines; its run_remote it defines always. */
typedef struct chainsi_fake_functions {
    bool create, destroy, healthy, batch;
} chainsi_fake_functions;

/* The glue of a fake, with the functions that it doesn't define. Its dependencies aren't there. */
void chainsi_generate_fake(chainsi_writer *writer, const chainsi_model_chainlet *chainlet,
                           chainsi_fake_functions functions);

/* A Chainlet in a program. */
typedef struct chainsi_program_node {
    const chainsi_model_chainlet *chainlet;
    bool fake;
    const bool
        *local; /* for each dependency: whether it is called in this program. NULL for a fake,
                          which has none. */
} chainsi_program_node;

typedef enum chainsi_program_kind {
    CHAINSI_PROGRAM_SERVICE,  /* main serves the last node */
    CHAINSI_PROGRAM_RUN,      /* main runs the last node once */
    CHAINSI_PROGRAM_TEST,     /* main is the author's; x_new, x_free and x_healthy are written */
    CHAINSI_PROGRAM_DESCRIBER /* main knows only the tables of the last node */
} chainsi_program_kind;

void chainsi_generate_program(chainsi_writer *writer, chainsi_program_kind kind,
                              const chainsi_program_node *nodes, size_t count);

/* Helpers shared by the files of generators. */
/* `T name` as a declaration: "const char *name", "int32_t count". */
const char *chainsi_c_declare(chainsi_arena *arena, const char *type, const char *name);
/* The parameters of run_remote after ctx, as declarations (names: also their names, for calls made
 * with self, ctx and those), inputs, outputs, then the stream. Returns their number. */
size_t chainsi_c_parameters(chainsi_arena *arena, const chainsi_model_chainlet *chainlet,
                            const char *const **declarations, const char *const **names);

/* The same of run_batch after its count: an array for each, which is read for an input. There is no
 * stream. */
size_t chainsi_c_batch_parameters(chainsi_arena *arena, const chainsi_model_chainlet *chainlet,
                                  const char *const **declarations, const char *const **names);
/* Writes the prototype of run_batch: head, its parameters, tail. */
void chainsi_c_batch_prototype(chainsi_writer *writer, chainsi_arena *arena,
                               const chainsi_model_chainlet *chainlet, const char *head,
                               const char *tail);
/* Writes chains_run_batch of x.glue.c. prefix: of the function that it calls. */
void chainsi_generate_batch_thunk(chainsi_writer *writer, chainsi_arena *arena,
                                  const chainsi_model_chainlet *chainlet, const char *prefix);

#endif
