/* The named types of one document, shared by the schema writer and the OpenAPI writer. */
#ifndef CHAINSI_SCHEMA_COMPONENTS_H
#define CHAINSI_SCHEMA_COMPONENTS_H

#include "schema/codec.h"

/* A named struct or enum. */
typedef struct chainsi_component {
    const chainsi_type *type;
    int number;    /* above 1: it is called NAME_number, as another type has the name */
    bool repeated; /* a table that says the same came before, and is the one that is written */
} chainsi_component;

/* All zero bytes are none. */
typedef struct chainsi_components {
    chainsi_component *items; /* owned */
    size_t count, capacity;
} chainsi_components;

/* Adds a type with all that is reachable from it. NULL is ignored. */
void chainsi_components_add(chainsi_components *components, const chainsi_type *type);
void chainsi_components_done(chainsi_components *components);
/* Appends the object of all schemas by name. */
void chainsi_components_write(const chainsi_components *components, chainsi_buffer *out);
/* Appends the schema of a type, or a reference to it. */
void chainsi_schema_write(const chainsi_components *components, const chainsi_type *type,
                          chainsi_buffer *out);
/* Appends the schema of a field's value, with its limits, default and description. */
void chainsi_schema_write_field(const chainsi_components *components, const chainsi_field *field,
                                chainsi_buffer *out);
/* Appends the components of an OpenAPI document: the schemas, with "chains.Error" among them, and the responses
 * InvalidArgument and Failure; with bearer the security scheme "key". */
void chainsi_openapi_components(const chainsi_components *components, bool bearer,
                                chainsi_buffer *out);

#endif
