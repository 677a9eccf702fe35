/* What types.c, aggregates.c and known_types.c share. */
#ifndef CHAINSI_COMPILER_TYPES_H
#define CHAINSI_COMPILER_TYPES_H

#include "compiler/reader.h"

/* A type with what tells it from others. The list of them moves when it grows. */
typedef struct chainsi_known_type {
    chainsi_model_type *type;
    CXCursor declaration; /* of a struct, enum, list or map; null for the rest */
    bool constant;        /* POINTER: to const */
    bool failed;          /* part of it can't travel, which was reported */
    bool complete;        /* all of its fields were read */
    bool listed;          /* it has its place in the model's order */
} chainsi_known_type;

/* --- known_types.c */

/* Adds a type / gives the one without a declaration of that spelling. */
chainsi_known_type *chainsi_types_add(chainsi_reader *reader, chainsi_kind kind,
                                      const char *c_name);
const chainsi_model_type *chainsi_types_plain(chainsi_reader *reader, chainsi_kind kind,
                                              const char *c_name);
/* The type of a declaration; NULL if it wasn't met. Valid until the next one is added. */
chainsi_known_type *chainsi_types_find(chainsi_reader *reader, CXCursor declaration);
/* Adds a type that has a declaration, with its name, comment and place. keyword: "struct" or "enum";
 * unnamed: how to spell it if it has no name, or NULL. */
chainsi_known_type *chainsi_types_declare(chainsi_reader *reader, chainsi_kind kind,
                                          CXCursor declaration, const char *keyword,
                                          const char *unnamed);

/* --- types.c */

/* Reports that a type can't travel, and why. */
void chainsi_types_refuse(chainsi_reader *reader, const chainsi_type_use *use, CXType type,
                          const char *hint, const char *why);
/* As chainsi_types_get, at a depth. */
const chainsi_model_type *chainsi_types_read(chainsi_reader *reader, CXType type,
                                             const chainsi_type_use *use, int depth);

/* --- aggregates.c: types are canonical; NULL after a diagnostic */

const chainsi_model_type *chainsi_types_enum(chainsi_reader *reader, CXType type,
                                             const chainsi_type_use *use);
const chainsi_model_type *chainsi_types_struct(chainsi_reader *reader, CXType type,
                                               const chainsi_type_use *use, int depth);
/* kind: LIST or MAP. */
const chainsi_model_type *chainsi_types_shape(chainsi_reader *reader, CXType type,
                                              chainsi_kind kind, const chainsi_type_use *use,
                                              int depth);

#endif
