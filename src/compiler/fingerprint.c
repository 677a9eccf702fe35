/* The fingerprint of a method: a hash of what both ends of a call must agree on. It covers names on
 * the wire, kinds, structure and what may be absent; not comments, defaults, limits or names in C,
 * which may change without a caller having to be built again. */
#include "compiler/reader.h"

#include <string.h>

#include "base/hash.h"

enum { MAX_OPEN = 4096 };

typedef struct type_hasher {
    uint64_t hash;
    const chainsi_model_type *open[MAX_OPEN]; /* the structs around, outermost first */
    size_t depth;
} type_hasher;

static void add(type_hasher *hasher, const void *data, size_t size)
{
    hasher->hash = chainsi_hash_add(hasher->hash, data, size);
}

static void add_text(type_hasher *hasher, const char *text)
{
    add(hasher, text, strlen(text) + 1);
}

static void add_number(type_hasher *hasher, uint64_t number)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(number >> (8 * i));
    add(hasher, bytes, sizeof bytes);
}

static void add_type(type_hasher *hasher, const chainsi_model_type *type);

static void add_fields(type_hasher *hasher, const char *mark, const chainsi_model_field *fields,
                       size_t count)
{
    add_text(hasher, mark);
    add_number(hasher, count);
    for (size_t i = 0; i < count; i++) {
        add_text(hasher, fields[i].wire_name);
        add_text(hasher, fields[i].optional ? "?" : "!");
        add_type(hasher, fields[i].type);
    }
}

static void add_type(type_hasher *hasher, const chainsi_model_type *type)
{
    if (type->kind == CHAINSI_POINTER) { /* `const T *` and T are the same on the wire */
        add_type(hasher, type->item);
        return;
    }
    add_number(hasher, type->kind);
    if (type->kind == CHAINSI_ENUM) {
        add_number(hasher, type->value_count);
        for (size_t i = 0; i < type->value_count; i++)
            add_text(hasher, type->values[i].wire_name);
    } else if (type->kind == CHAINSI_LIST || type->kind == CHAINSI_MAP) {
        add_type(hasher, type->item);
    } else if (type->kind == CHAINSI_STRUCT) {
        for (size_t i = hasher->depth; i > 0; i--)
            if (hasher->open[i - 1] == type) { /* recursion: how far up it leads */
                add_text(hasher, "^");
                add_number(hasher, hasher->depth - i);
                return;
            }
        if (hasher->depth == MAX_OPEN)
            return;
        hasher->open[hasher->depth++] = type;
        add_fields(hasher, "{", type->fields, type->field_count);
        hasher->depth--;
    }
}

uint64_t chainsi_fingerprint(const chainsi_model_chainlet *chainlet)
{
    type_hasher hasher;
    hasher.hash = CHAINSI_HASH_START;
    hasher.depth = 0;
    add_fields(&hasher, "inputs", chainlet->inputs, chainlet->input_count);
    add_fields(&hasher, "outputs", chainlet->outputs, chainlet->output_count);
    if (chainlet->stream)
        add_fields(&hasher, "stream", chainlet->stream, 1);
    return hasher.hash;
}
