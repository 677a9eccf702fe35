/* JSON Schema 2020-12 of type tables, and OpenAPI 3.1 documents made of it.
 *
 * Named structs and enums are described once, under components/schemas, and referred to as
 * "#/components/schemas/NAME", so that recursive types work. Two different types of one name get
 * NAME and NAME_2. Output is deterministic and on one line (chainsi_json_pretty makes it readable).
 * Nothing here blocks; any thread. */
#ifndef CHAINSI_SCHEMA_JSON_SCHEMA_H
#define CHAINSI_SCHEMA_JSON_SCHEMA_H

#include "schema/codec.h"

/* Appends the schema of one type: a reference for a named struct or enum, else the schema itself. */
void chainsi_json_schema(const chainsi_type *type, chainsi_buffer *out);

/* Appends the object that belongs under components/schemas: all named structs and enums that are
 * reachable from the types (NULLs among them are skipped), in the order in which they are met. */
void chainsi_json_schema_components(const chainsi_type *const *types, size_t count,
                                    chainsi_buffer *out);

/* One method as the document describes it: POST on path with a JSON body. */
typedef struct chainsi_openapi_operation {
    const char *path;           /* "/run_remote" */
    const char *operation_id;   /* "phi_llm", unique in the document */
    const char *summary;        /* one line; NULL: none */
    const char *description;    /* NULL: none */
    const chainsi_type *input;  /* a STRUCT: the arguments by name */
    const chainsi_type *output; /* a STRUCT: no field answers null, one its bare value, several an
                                     object. NULL: as no field */
    const char *stream_name;    /* on the wire; NULL: no stream */
    const chainsi_type *stream_item;
} chainsi_openapi_operation;

typedef struct chainsi_openapi_document {
    const char *title;
    const char *version;     /* of what is described; NULL: "1" */
    const char *description; /* NULL: none */
    const char *server;      /* URL; NULL: none is named */
    bool bearer;             /* calls need "Authorization: Bearer KEY" */
    const chainsi_openapi_operation *operations;
    size_t operation_count;
} chainsi_openapi_document;

/* Appends one OpenAPI 3.1 document: the operations with their answers (200; 400, 4XX and 5XX with the
 * error body), and all schemas. */
void chainsi_openapi(const chainsi_openapi_document *document, chainsi_buffer *out);

#endif
