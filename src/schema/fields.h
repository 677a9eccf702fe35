/* Short forms for tables of schema/type.h that are written by hand. */
#ifndef CHAINSI_SCHEMA_FIELDS_H
#define CHAINSI_SCHEMA_FIELDS_H

#include "schema/type.h"

#define CHAINSI_FIELD_TEXT(struct_, field_)                                                        \
    {                                                                                              \
        CHAINSI_FIELD(struct_, field_, &chainsi_type_string)                                       \
    }
#define CHAINSI_FIELD_NULLABLE(struct_, field_)                                                    \
    {                                                                                              \
        CHAINSI_FIELD(struct_, field_, &chainsi_type_string), .optional = true                     \
    }
#define CHAINSI_FIELD_INTEGER(struct_, field_)                                                     \
    {                                                                                              \
        CHAINSI_FIELD(struct_, field_, &chainsi_type_int64)                                        \
    }
#define CHAINSI_FIELD_NUMBER(struct_, field_)                                                      \
    {                                                                                              \
        CHAINSI_FIELD(struct_, field_, &chainsi_type_double)                                       \
    }
/* A text or nothing, with another name on the wire than in C. */
#define CHAINSI_FIELD_NAMED(struct_, field_, name_)                                                \
    {                                                                                              \
        .name = (name_), .name_size = sizeof(name_) - 1, .offset = offsetof(struct_, field_),      \
        .type = &chainsi_type_string, .optional = true                                             \
    }
/* Of any type. */
#define CHAINSI_FIELD_OF(struct_, field_, type_)                                                   \
    {                                                                                              \
        CHAINSI_FIELD(struct_, field_, type_)                                                      \
    }
#define CHAINSI_FIELD_OPTIONAL(struct_, field_, type_)                                             \
    {                                                                                              \
        CHAINSI_FIELD(struct_, field_, type_), .optional = true                                    \
    }

#define CHAINSI_STRUCT_OF(struct_, fields_)                                                        \
    {                                                                                              \
        .kind = CHAINSI_STRUCT, .size = sizeof(struct_), .fields = (fields_),                      \
        .field_count = sizeof(fields_) / sizeof *(fields_)                                         \
    }
/* With the name that it has in the API's document. */
#define CHAINSI_NAMED_STRUCT_OF(name_, struct_, fields_)                                           \
    {                                                                                              \
        .kind = CHAINSI_STRUCT, .name = (name_), .size = sizeof(struct_), .fields = (fields_),     \
        .field_count = sizeof(fields_) / sizeof *(fields_)                                         \
    }
#define CHAINSI_LIST_OF(struct_, item_)                                                            \
    {                                                                                              \
        .kind = CHAINSI_LIST, .size = sizeof(struct_), .item = (item_)                             \
    }
#define CHAINSI_ENUM_OF(enum_, values_)                                                            \
    {                                                                                              \
        .kind = CHAINSI_ENUM, .size = sizeof(enum_), .values = (values_),                          \
        .value_count = sizeof(values_) / sizeof *(values_)                                         \
    }
/* Or nothing: a pointer to it. */
#define CHAINSI_POINTER_TO(item_)                                                                  \
    {                                                                                              \
        .kind = CHAINSI_POINTER, .size = sizeof(void *), .item = (item_)                           \
    }

#endif
