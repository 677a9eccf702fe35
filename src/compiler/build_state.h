/* What the files of the build share. Every path is relative to the chain's folder, which is where
 * ninja and the compilers run, so that messages and __FILE__ are short and the same everywhere.
 *
 *   .chains/x.types.c …        generated from the model alone
 *   .chains/obj/               objects, one folder a Chainlet; x.unit.o is a Chainlet linked by itself
 *   .chains/bin/               services
 *   .chains/<program>/         programs of local runs and tests: their nodes, and the program
 *   .chains/fakes/<file>/      fakes, linked by themselves
 *   .chains/sanitize/          all but the first once more, for sanitized builds
 *
 * Steps of a build: compile fakes and tests and look at what they define; decide which Chainlets are
 * needed; compile those and look at their objects; link each by itself; link the programs. */
#ifndef CHAINSI_COMPILER_BUILD_STATE_H
#define CHAINSI_COMPILER_BUILD_STATE_H

#include "compiler/build.h"
#include "compiler/generate.h"
#include "compiler/ninja.h"
#include "compiler/object.h"
#include "compiler/support.h"

#define CHAINSI_GENERATED ".chains"

/* What a program that holds libchains.a must be linked with besides, as the shell's words after a
 * blank: the sanitizers that the library itself was built with. */
#ifndef CHAINSI_LIBRARY_LINK_WORDS
#define CHAINSI_LIBRARY_LINK_WORDS ""
#endif

/* One source file of a Chainlet. */
typedef struct chainsi_source {
    const char *path;
    chainsi_language language;
    const char *object;
} chainsi_source;

/* The author's part of a Chainlet: how it is compiled and linked by itself. */
typedef struct chainsi_unit {
    const chainsi_model_chainlet *chainlet;
    chainsi_source *sources;
    size_t source_count;
    const char *cflags;       /* the author's words and those of packages, for C and C++ */
    const char *cuda_flags;   /* the same for nvcc */
    const char *header_flags; /* what files that include its header need besides folders */
    const char *archives;     /* static libraries, linked with it alone; "" */
    const char *const *archive_paths;
    size_t archive_count;
    const char *libs; /* the rest, for the program; "" */
    bool uses_cxx, uses_lto;
    /* Chainlets that are defined in the same sources: its calls to them go through stubs, too. */
    const chainsi_model_chainlet **cohabitants;
    size_t cohabitant_count;
    const char *object; /* all of it, linked */
    /* Why it can't be built, said when it is needed: NULL if it can. */
    const char *obstacle, *obstacle_hint;
} chainsi_unit;

/* A C file of fakes, or a test with the fakes that it defines. */
typedef struct chainsi_fake_file {
    const char *path;   /* as compilers are told */
    const char *folder; /* of what is made from it */
    const char *object; /* as compiled */
    const char *linked; /* with its glue */
    bool is_test;
    bool is_cxx;
    chainsi_symbols symbols;
} chainsi_fake_file;

typedef struct chainsi_build {
    const chainsi_model *model;
    const chainsi_build_options *options;
    chainsi_diagnostics *diagnostics;
    chainsi_arena arena;
    chainsi_support support;
    chainsi_toolchain toolchain;
    const char *out;          /* ".chains" or ".chains/sanitize" */
    const char *include_dirs; /* -I words for the author's headers and chains.h */
    chainsi_unit *units;      /* by the Chainlet's index */
    int lock;                 /* descriptor; -1 */
} chainsi_build;

/* Prepares a build: tools, folders, units, generated files of the model, and the manifest of all
 * parts. False on failure, reported; done must be called in any case. */
bool chainsi_build_begin(chainsi_build *build, const chainsi_model *model,
                         const chainsi_build_options *options, chainsi_diagnostics *diagnostics);
void chainsi_build_done(chainsi_build *build);

/* Makes the folder and those above it, relative to the chain's. False on failure, reported. */
bool chainsi_build_make_folder(chainsi_build *build, const char *folder);
/* Writes text to a file, relative to the chain's folder, and ends the writer. */
bool chainsi_build_save(chainsi_build *build, chainsi_writer *writer, const char *path);
/* An absolute path of one that is relative to the chain's folder. */
const char *chainsi_build_path(chainsi_build *build, const char *path);
/* Runs ninja on a manifest of this build. */
bool chainsi_build_ninja(chainsi_build *build, const char *manifest, const char *const *targets,
                         size_t count);
/* Whether the target of a manifest is up to date: after a build that failed, which ones didn't. */
bool chainsi_build_is_current(chainsi_build *build, const char *manifest, const char *target);
/* Writes rules and variables that every manifest begins with. `name` keeps its log apart. */
void chainsi_build_rules(chainsi_build *build, chainsi_writer *writer, const char *name);

/* units.c: finds out how each Chainlet is compiled. */
bool chainsi_build_find_units(chainsi_build *build);
/* The compiler's words for a source, without the name of the compiler. */
const char *chainsi_build_compile_words(chainsi_build *build, const chainsi_unit *unit,
                                        const chainsi_source *source);
/* The same for a test or fake. */
const char *chainsi_build_test_words(chainsi_build *build, const chainsi_fake_file *file);
/* compile_commands.json beside the chain. */
bool chainsi_build_write_commands(chainsi_build *build);

/* parts.c: builds x.types.o, x.stub.o and x.unit.o. `types`, `stubs`, `units`: which are wanted, by
 * index. */
bool chainsi_build_write_parts(chainsi_build *build);
bool chainsi_build_make_parts(chainsi_build *build, const bool *types, const bool *stubs,
                              const bool *units);
const char *chainsi_build_part(chainsi_build *build, const chainsi_model_chainlet *chainlet,
                               const char *part);

/* check_objects.c: reports what only objects tell. False if anything is wrong. */
bool chainsi_build_check_unit(chainsi_build *build, const chainsi_unit *unit);

/* fakes.c: compiles the files and reads their symbols. compiled[i] tells which could be. */
bool chainsi_build_compile_fakes(chainsi_build *build, chainsi_fake_file *files, size_t count,
                                 bool *compiled);
/* Whether the file defines the Chainlet. */
bool chainsi_fake_defines(const chainsi_fake_file *file, const chainsi_model_chainlet *chainlet);
/* Adds to a manifest what links the file with its glue to file->linked. */
bool chainsi_build_write_fake(chainsi_build *build, chainsi_writer *manifest,
                              const chainsi_fake_file *file);

/* One program to be linked. */
typedef struct chainsi_program_plan {
    chainsi_program_kind kind;
    const char *folder; /* of its nodes' file */
    const char *binary;
    const chainsi_program_node *nodes; /* callees before callers */
    size_t node_count;
    const chainsi_fake_file *const *fakes; /* the files that define its fakes; the test itself */
    size_t fake_count;
} chainsi_program_plan;

/* programs.c: makes the parts that the programs need, generates and links them. made[i] tells which
 * could be. manifest: the name of theirs. */
bool chainsi_build_make_programs(chainsi_build *build, const char *manifest,
                                 const chainsi_program_plan *plans, size_t count, bool *made);

#endif
