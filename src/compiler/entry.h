/* The entry functions of a Chainlet: name_new, name_run_remote and the others. */
#ifndef CHAINSI_COMPILER_ENTRY_H
#define CHAINSI_COMPILER_ENTRY_H

#include "compiler/reader.h"

/* The prototype of one while it is checked. */
typedef struct chainsi_entry {
    const char *name; /* "phi_llm_new" */
    CXCursor cursor;
    chainsi_position position;
    size_t parameter_count;
    const char *comment; /* the doc comment; or NULL */
    bool broken;         /* clang reports an error in it */
} chainsi_entry;

/* --- entry.c */

/* Finds a function of a Chainlet, and notes it in function; false if it isn't declared. needed: its
 * declaration, for the error then; NULL if it may be left out. */
bool chainsi_entry_open(chainsi_reader *reader, const chainsi_reading *reading, const char *suffix,
                        const char *needed, chainsi_model_function *function,
                        chainsi_entry *prototype);
CXCursor chainsi_entry_parameter(const chainsi_entry *prototype, size_t i);
/* Is it a pointer to the struct of this tag, and not to a const one? */
bool chainsi_entry_points_to(CXType type, const char *tag);
/* Is it chains_status? */
bool chainsi_entry_is_status(CXType type);
/* Is a parameter of this type an output: a pointer to something that isn't const? */
bool chainsi_entry_is_output(CXType type);
/* Does clang report an error in a parameter? Then nothing more is to be said of it. */
bool chainsi_entry_has_error(chainsi_reader *reader, CXCursor cursor);
/* Reports a wrong result. wanted: its type. */
void chainsi_entry_check_result(chainsi_reader *reader, const chainsi_entry *prototype, bool right,
                                const char *wanted);
/* Checks that the first or second parameter points to the struct `tag`; declared: how to write it. */
bool chainsi_entry_check_parameter(chainsi_reader *reader, const chainsi_entry *prototype, size_t i,
                                   const char *tag, const char *declared);
/* Checks that there are no more than count parameters. */
void chainsi_entry_check_last(chainsi_reader *reader, const chainsi_entry *prototype, size_t count,
                              const char *declared);

/* --- lifecycle.c and batch.c: read and check one each */

void chainsi_entry_create(chainsi_reader *reader, const chainsi_reading *reading);
void chainsi_entry_destroy(chainsi_reader *reader, const chainsi_reading *reading);
void chainsi_entry_healthy(chainsi_reader *reader, const chainsi_reading *reading);
/* run: the prototype of run_remote, which the batch repeats. */
void chainsi_entry_batch(chainsi_reader *reader, const chainsi_reading *reading,
                         const chainsi_entry *run);
/* Reports a function that an external service can't have, if it is declared. */
void chainsi_entry_refuse(chainsi_reader *reader, const chainsi_reading *reading,
                          const char *suffix);

#endif
