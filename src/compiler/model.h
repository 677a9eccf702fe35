/* The model of a chain: what the compiler knows after reading a folder's headers, and all that
 * generators look at.
 *
 * Built by chainsi_model_read (read.c and friends), checked by check.c, immutable afterwards. All
 * of it lives in the model's arena. Lists are (pointer, count). Strings are NUL-terminated and
 * never NULL unless said so. */
#ifndef CHAINSI_COMPILER_MODEL_H
#define CHAINSI_COMPILER_MODEL_H

#include "base/arena.h"
#include "compiler/diagnostic.h"
#include "schema/type.h"

typedef struct chainsi_model chainsi_model;
typedef struct chainsi_model_type chainsi_model_type;
typedef struct chainsi_model_chainlet chainsi_model_chainlet;

/* A limit or default as the author wrote it, and its place. text is NULL when absent. */
typedef struct chainsi_model_text {
    const char *text;
    chainsi_position position;
} chainsi_model_text;

/* A field of a struct, or a parameter of a method. */
typedef struct chainsi_model_field {
    const char *c_name;
    const char *wire_name;
    const char *doc; /* or NULL */
    const chainsi_model_type *type;
    bool optional;
    chainsi_model_text
        default_text; /* an initializer in C, for a `static const` of the field's type */
    /* Limits, evaluated. The texts stay for messages. */
    chainsi_limits limits; /* all zero when there are none */
    chainsi_model_text range_text, length_text, one_of_text;
    chainsi_position position; /* of the name */
} chainsi_model_field;

typedef struct chainsi_model_enumerator {
    const char *c_name;
    const char *wire_name;
    const char *doc; /* or NULL */
    int64_t value;
} chainsi_model_enumerator;

/* A type that travels. Equal types are one object, so that pointers may be compared. */
struct chainsi_model_type {
    chainsi_kind kind;
    const char *c_name; /* how C spells it: "const char *", "phi_messages", "struct node"; for
                           emitting sizeof and members */
    const char *name;   /* the bare name of a struct, enum, list or map: "phi_message"; NULL for the
                           rest and for unnamed ones */
    const char *doc;    /* or NULL */
    const chainsi_model_type *item;    /* LIST, MAP (its values), POINTER */
    const chainsi_model_field *fields; /* STRUCT */
    size_t field_count;
    const chainsi_model_enumerator *values; /* ENUM */
    size_t value_count;
    const char *entry_c_name; /* MAP: how C spells its entry: "struct weights_entry" */
    size_t index; /* in the model's list: below type_count; an item comes before what contains it,
                     but for recursion */
    chainsi_position position; /* of its declaration; file NULL for C's own and chains.h's */
};

/* A dependency: a parameter of _new. */
typedef struct chainsi_model_dependency {
    const chainsi_model_chainlet *chainlet;
    const char *parameter;
    bool has_options; /* a CHAINS_DEPENDS exists: `caller_callee_depends_` can be pointed at */
    chains_depends_config options;
    chainsi_position position; /* of the parameter */
} chainsi_model_dependency;

/* A function of a Chainlet that the header declares. position.file is NULL when it doesn't. */
typedef struct chainsi_model_function {
    const char *doc; /* the text above @param lines; or NULL */
    chainsi_position position;
} chainsi_model_function;

typedef enum chainsi_language {
    CHAINSI_LANGUAGE_NONE, /* no source was found */
    CHAINSI_LANGUAGE_C,
    CHAINSI_LANGUAGE_CXX,
    CHAINSI_LANGUAGE_CUDA
} chainsi_language;

/* One Chainlet, or one external service. */
struct chainsi_model_chainlet {
    const char *c_name;
    const char *wire_name;
    const char *doc; /* or NULL */
    bool external;
    chains_config
        config; /* as read; all zero for an external service. Strings live in the model. */
    chains_external_config external_config; /* all zero for a Chainlet */
    uint64_t memory_bytes;                  /* .memory, read; 0: no limit */
    const char *gpu_kind;                   /* .gpu, read; NULL: none */
    int gpu_count;
    const char *header; /* path relative to the folder, as #include "..." finds it from there */
    const char *source; /* relative to the folder; NULL: there is none */
    chainsi_language language; /* of source */
    chainsi_model_function create, run, destroy, healthy,
        batch; /* _new, _run_remote, _free, _healthy, _run_batch */
    const chainsi_model_dependency *dependencies; /* in the order of _new's parameters */
    size_t dependency_count;
    const chainsi_model_field *inputs; /* in order. A `const T *` parameter has a POINTER type. */
    size_t input_count;
    const chainsi_model_field
        *outputs; /* in order, without the stream; type is what the parameter points to */
    size_t output_count;
    const chainsi_model_field *stream; /* its type is that of an item; NULL: none */
    const char *stream_c_name;         /* how C spells the stream's struct; NULL: none */
    uint64_t fingerprint;      /* of names on the wire and types of inputs, outputs and stream */
    chainsi_position position; /* of the CHAINLET line's name */
    size_t index;              /* in the model's list */
};

struct chainsi_model {
    chainsi_arena arena;                            /* owned: everything the model points to */
    const char *folder;                             /* absolute */
    const chainsi_model_chainlet *const *chainlets; /* callees before callers, otherwise by name */
    size_t chainlet_count;
    const chainsi_model_type *const *types;
    size_t type_count;
    const chainsi_model_chainlet *entrypoint; /* NULL when none is marked, or several are */
    const char *const
        *include_dirs; /* the folder and each header's folder, relative to the folder ("." first) */
    size_t include_dir_count;
};

/* How a folder is read. All zero: defaults. */
typedef struct chainsi_model_options {
    const char *entrypoint;  /* C or wire name of the one to use, from the command line; NULL: what
                                the headers mark */
    bool needs_entrypoint;   /* it is an error if there is none, or several */
    const char *include_dir; /* of chains.h; NULL: found beside the running program */
} chainsi_model_options;

/* Reads the headers below folder and checks every rule. Diagnostics go to `diagnostics` (all in one
 * run, in the order of files and lines). Returns the model, owned by the caller, also when there
 * are errors (then only good for looking at: check chainsi_diagnostics_failed first); NULL when the
 * folder can't be read at all, with a diagnostic. Reads files; blocks. */
chainsi_model *chainsi_model_read(const char *folder, const chainsi_model_options *options,
                                  chainsi_diagnostics *diagnostics);
/* NULL is ignored. */
void chainsi_model_free(chainsi_model *model);

/* The Chainlet of that C or wire name; NULL. */
const chainsi_model_chainlet *chainsi_model_find(const chainsi_model *model, const char *name);

#endif
