/* From a model to programs: generates code under `<folder>/.chains/`, has ninja compile and link it,
 * and says where the programs are.
 *
 * All functions block until the build is done. One build of a folder runs at a time; others wait for
 * it. What goes wrong with the author's files becomes a diagnostic; what compilers and linkers say is
 * passed on to stderr as they say it, and then counts as one failure without a diagnostic. */
#ifndef CHAINSI_COMPILER_BUILD_H
#define CHAINSI_COMPILER_BUILD_H

#include "compiler/model.h"

/* How a chain is built. All zero: defaults. */
typedef struct chainsi_build_options {
    const char *const
        *fakes; /* C files whose definitions replace Chainlets; as a process here would
                                 open them */
    size_t fake_count;
    const char *const *remote; /* local runs only: names of Chainlets that are called at
                                  $CHAINS_<C_NAME>_URL instead of being in the program */
    size_t remote_count;
    bool sanitize; /* with the address and undefined behaviour sanitizers, in a folder beside */
    bool quiet;    /* no progress lines unless stderr is a terminal, where they vanish at the end */
} chainsi_build_options;

/* A service that was built: one Chainlet that is deployed as a process of its own, with those that
 * it co-locates. */
typedef struct chainsi_service {
    const chainsi_model_chainlet *chainlet; /* its config, header and index are there */
    const char *binary;                     /* absolute path */
    bool fake;                              /* its definition comes from a fake */
    /* The Chainlets and external services that it calls elsewhere, its own and those of what it
     * co-locates, callees in the order of the model. It finds each at $CHAINS_<C_NAME>_URL
     * (C_NAME in capitals); an external service has an address of its own unless that is set. */
    const chainsi_model_chainlet *const *dependencies;
    size_t dependency_count;
    /* The Chainlets in its process that are no fakes: itself, and those that it co-locates. */
    const chainsi_model_chainlet *const *inside;
    size_t inside_count;
} chainsi_service;

/* What a build made. Owned by the caller; points into the model, which must outlive it. */
typedef struct chainsi_built {
    chainsi_arena arena;
    const chainsi_service *services; /* callees before callers; the entrypoint's is the last */
    size_t service_count;
} chainsi_built;

/* Builds the services that the model's entrypoint needs (model->entrypoint must not be NULL), into
 * `.chains/bin/<c_name>`. NULL on failure, with diagnostics or output of the tools on stderr. */
chainsi_built *chainsi_build_services(const chainsi_model *model,
                                      const chainsi_build_options *options,
                                      chainsi_diagnostics *diagnostics);
/* NULL is ignored. */
void chainsi_built_free(chainsi_built *built);

/* Builds the program of a local run: the entrypoint and all that it needs in one process. Returns
 * its absolute path, allocated in arena; NULL on failure, as above. */
const char *chainsi_build_run(const chainsi_model *model, const chainsi_build_options *options,
                              chainsi_diagnostics *diagnostics, chainsi_arena *arena);

/* Builds a program for each test file (a path as a process here would open it), with the fakes that
 * it defines. programs gets a path for each in arena; NULL for one that could not be built. Returns
 * false if any could not. */
bool chainsi_build_tests(const chainsi_model *model, const chainsi_build_options *options,
                         const char *const *files, size_t count, const char **programs,
                         chainsi_diagnostics *diagnostics, chainsi_arena *arena);

/* Builds a program from the tables of one Chainlet alone (no source of it is compiled, no library of
 * it needed) that prints its OpenAPI document with --openapi. As chainsi_build_run. */
const char *chainsi_build_describer(const chainsi_model *model,
                                    const chainsi_model_chainlet *chainlet,
                                    const chainsi_build_options *options,
                                    chainsi_diagnostics *diagnostics, chainsi_arena *arena);

/* "CHAINS_PHI_LLM_URL" for phi_llm, in arena. */
const char *chainsi_build_url_variable(chainsi_arena *arena,
                                       const chainsi_model_chainlet *chainlet);

#endif
