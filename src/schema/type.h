/* Type descriptors: constant tables that say how a C value is laid out and what it is called on the
 * wire.
 *
 * The compiler of headers emits them; the codecs (json.h, msgpack.h), the JSON Schema writer
 * (json_schema.h), validation and copying (value.h) walk them. Everything here is constant for the
 * life of the process and may be read from any thread. */
#ifndef CHAINSI_SCHEMA_TYPE_H
#define CHAINSI_SCHEMA_TYPE_H

#include <chains.h>

typedef struct chainsi_type chainsi_type;
typedef struct chainsi_field chainsi_field;

/* What a C value is. The comment gives its C type and its JSON form. */
typedef enum chainsi_kind {
    CHAINSI_BOOL, /* bool; true, false */
    CHAINSI_INT8, /* int8_t; an integer. So are the next seven. */
    CHAINSI_INT16,
    CHAINSI_INT32,
    CHAINSI_INT64,
    CHAINSI_UINT8,
    CHAINSI_UINT16,
    CHAINSI_UINT32,
    CHAINSI_UINT64,
    CHAINSI_FLOAT,  /* float; a number */
    CHAINSI_DOUBLE, /* double; a number */
    CHAINSI_STRING, /* const char *, UTF-8, NUL-terminated; a string. NULL only where optional: null
                     */
    CHAINSI_BYTES,  /* chains_bytes; a base64 string */
    CHAINSI_JSON,   /* chains_json; any value */
    CHAINSI_TENSOR, /* chains_tensor; {"data_b64", "shape", "dtype"} */
    CHAINSI_ENUM,   /* an enum of `size` bytes; its enumerator's name as a string */
    CHAINSI_STRUCT, /* a struct; an object */
    CHAINSI_LIST,   /* struct { T *items; size_t count; }; an array */
    CHAINSI_MAP, /* struct { struct { const char *key; T value; } *items; size_t count; }; an object
                  */
    CHAINSI_POINTER /* const T *; T. NULL only where optional: null */
} chainsi_kind;

/* One enumerator of an enum. */
typedef struct chainsi_enumerator {
    const char *name; /* on the wire; UTF-8 */
    int64_t value;
    const char *doc; /* or NULL */
} chainsi_enumerator;

/* A number in the representation of its field: i for signed integers, u for unsigned ones, f for
 * float and double. */
typedef union chainsi_number {
    int64_t i;
    uint64_t u;
    double f;
} chainsi_number;

/* The limits on one field. Those that are absent are marked so. */
typedef struct chainsi_limits {
    bool has_range;
    chainsi_number min, max; /* inclusive */
    bool has_length;
    uint64_t min_length, max_length;     /* inclusive; code points, bytes or items, by the kind */
    size_t one_of_count;                 /* 0: none */
    const char *const *one_of_text;      /* for strings */
    const chainsi_number *one_of_number; /* for numbers */
} chainsi_limits;

/* One member of a struct. */
struct chainsi_field {
    const char *name;   /* on the wire: UTF-8 without control characters, quotes and backslashes */
    uint32_t name_size; /* strlen(name) */
    uint32_t offset;    /* in the struct, bytes */
    const chainsi_type *type;
    bool optional; /* CHAINS_OPTIONAL: absent or null gives NULL. Only for STRING and POINTER, and
                      for BYTES, JSON, which then are {NULL, 0} */
    const void *default_value;    /* a value of type, copied when the key is absent in any format;
                                     NULL: no default */
    const chainsi_limits *limits; /* or NULL */
    const char *doc;              /* or NULL */
};

/* One type. Members that don't belong to its kind are zero. */
struct chainsi_type {
    chainsi_kind kind;
    uint32_t size;    /* sizeof of the C value, bytes */
    const char *name; /* the C name of a struct, enum, list or map: "phi_message"; else NULL */
    const char *doc;  /* or NULL */
    const chainsi_type *item;    /* LIST: items; MAP: values; POINTER: what it points to */
    uint32_t entry_size;         /* MAP: sizeof of an entry. The key is at offset 0. */
    uint32_t value_offset;       /* MAP: offset of the value in an entry */
    const chainsi_field *fields; /* STRUCT */
    uint32_t field_count;
    const chainsi_enumerator *values; /* ENUM */
    uint32_t value_count;
};

/* The types that need no table of their own, to be pointed at by generated tables. */
extern const chainsi_type chainsi_type_bool, chainsi_type_int8, chainsi_type_int16,
    chainsi_type_int32, chainsi_type_int64, chainsi_type_uint8, chainsi_type_uint16,
    chainsi_type_uint32, chainsi_type_uint64, chainsi_type_float, chainsi_type_double,
    chainsi_type_string, chainsi_type_bytes, chainsi_type_json, chainsi_type_tensor;

/* For tables written by hand (the library's own objects): one field of struct_ named as in C. */
#define CHAINSI_FIELD(struct_, field_, type_)                                                      \
    .name = #field_, .name_size = sizeof #field_ - 1, .offset = offsetof(struct_, field_),         \
    .type = (type_)

#endif
