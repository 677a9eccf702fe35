/* What requests of OTLP have in common: attributes, resources and scopes, as the JSON mapping has them. For
 * otlp.c and otlp_metrics.c alone. */
#ifndef CHAINSI_CONTROL_OTLP_PARTS_H
#define CHAINSI_CONTROL_OTLP_PARTS_H

#include "control/fields.h"
#include "control/otlp.h"

typedef struct chainsi_otlp_attribute {
    const char *key;
    chains_json value; /* {"stringValue": …} or another */
} chainsi_otlp_attribute;

typedef struct chainsi_otlp_attributes {
    chainsi_otlp_attribute *items;
    size_t count;
} chainsi_otlp_attributes;

typedef struct chainsi_otlp_scope {
    const char *name;
} chainsi_otlp_scope;

typedef struct chainsi_otlp_resource {
    chainsi_otlp_attributes attributes;
} chainsi_otlp_resource;

extern const chainsi_type chainsi_otlp_attributes_type, chainsi_otlp_scope_type,
    chainsi_otlp_resource_type;

/* A field whose name on the wire is another than in C. */
#define CHAINSI_OTLP_NAMED(struct_, field_, name_, type_)                                          \
    .name = name_, .name_size = sizeof name_ - 1, .offset = offsetof(struct_, field_),             \
    .type = (type_)

/* What a request is made of while it is built. */
typedef struct chainsi_otlp_builder {
    const chainsi_otlp_settings *settings;
    chainsi_arena arena;
} chainsi_otlp_builder;

/* Room for so many at most. */
chainsi_otlp_attributes chainsi_otlp_begin_attributes(chainsi_otlp_builder *b, size_t most);
/* Each adds one; but not what says nothing: "", 0, a time that isn't known. */
void chainsi_otlp_add_text(chainsi_otlp_builder *b, chainsi_otlp_attributes *to, const char *key,
                           const char *text);
void chainsi_otlp_add_integer(chainsi_otlp_builder *b, chainsi_otlp_attributes *to, const char *key,
                              int64_t number);
void chainsi_otlp_add_ms(chainsi_otlp_builder *b, chainsi_otlp_attributes *to, const char *key,
                         int64_t ns);
/* service.name and service.namespace, what the settings say of all, and room for `more`; chainlet "": the
 * daemon. */
chainsi_otlp_attributes chainsi_otlp_describe(chainsi_otlp_builder *b, const char *chainlet,
                                              const char *chain, size_t more);
/* Nanoseconds since 1970, or what is as large, as the mapping has numbers of 64 bits. */
const char *chainsi_otlp_number(chainsi_otlp_builder *b, int64_t number);

#endif
