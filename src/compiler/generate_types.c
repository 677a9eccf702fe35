/* x.types.c: the type tables of one Chainlet's method, and its interface.
 *
 * Types come before what points to them, but for recursion, where one is declared ahead. Equal
 * types are one object in the model, so a type is written once. */
#include "compiler/generate.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum progress { UNSEEN, DECLARED, WRITTEN } progress;

typedef struct tables {
    chainsi_writer *writer;
    chainsi_arena arena;
    const chainsi_model_chainlet *chainlet;
    /* What was met, by the model's index; grows as needed. */
    struct met {
        progress progress;
        bool open; /* its parts are being written */
        const char *symbol;
    } * met;
    size_t met_count;
    const char **symbols; /* taken */
    size_t symbol_count;
    int unnamed;
} tables;

static const char *ready_type(chainsi_kind kind)
{
    switch (kind) {
    case CHAINSI_BOOL:
        return "chainsi_type_bool";
    case CHAINSI_INT8:
        return "chainsi_type_int8";
    case CHAINSI_INT16:
        return "chainsi_type_int16";
    case CHAINSI_INT32:
        return "chainsi_type_int32";
    case CHAINSI_INT64:
        return "chainsi_type_int64";
    case CHAINSI_UINT8:
        return "chainsi_type_uint8";
    case CHAINSI_UINT16:
        return "chainsi_type_uint16";
    case CHAINSI_UINT32:
        return "chainsi_type_uint32";
    case CHAINSI_UINT64:
        return "chainsi_type_uint64";
    case CHAINSI_FLOAT:
        return "chainsi_type_float";
    case CHAINSI_DOUBLE:
        return "chainsi_type_double";
    case CHAINSI_STRING:
        return "chainsi_type_string";
    case CHAINSI_BYTES:
        return "chainsi_type_bytes";
    case CHAINSI_JSON:
        return "chainsi_type_json";
    case CHAINSI_TENSOR:
        return "chainsi_type_tensor";
    case CHAINSI_ENUM:
    case CHAINSI_STRUCT:
    case CHAINSI_LIST:
    case CHAINSI_MAP:
    case CHAINSI_POINTER:
        break;
    }
    return NULL;
}

static const char *kind_name(chainsi_kind kind)
{
    switch (kind) {
    case CHAINSI_ENUM:
        return "CHAINSI_ENUM";
    case CHAINSI_STRUCT:
        return "CHAINSI_STRUCT";
    case CHAINSI_LIST:
        return "CHAINSI_LIST";
    case CHAINSI_MAP:
        return "CHAINSI_MAP";
    default:
        return "CHAINSI_POINTER";
    }
}

static struct met *meet(tables *t, const chainsi_model_type *type)
{
    if (type->index >= t->met_count) {
        size_t count = type->index + 16;
        struct met *met = chainsi_arena_array(&t->arena, count, sizeof *met);
        if (t->met_count)
            memcpy(met, t->met, t->met_count * sizeof *met);
        t->met = met;
        t->met_count = count;
    }
    return &t->met[type->index];
}

static bool is_taken(const tables *t, const char *symbol)
{
    for (size_t i = 0; i < t->symbol_count; i++)
        if (!strcmp(t->symbols[i], symbol))
            return true;
    return false;
}

/* The part of a symbol that stands for the type: "phi_message", "phi_message_pointer", "unnamed_2". */
static const char *name_type(tables *t, const chainsi_model_type *type)
{
    if (type->name)
        return type->name;
    if (type->kind == CHAINSI_POINTER && type->item->name)
        return chainsi_arena_printf(&t->arena, "%s_pointer", type->item->name);
    if (type->kind == CHAINSI_POINTER && ready_type(type->item->kind))
        return chainsi_arena_printf(&t->arena, "%s_pointer",
                                    ready_type(type->item->kind) + strlen("chainsi_type_"));
    return chainsi_arena_printf(&t->arena, "unnamed_%d", ++t->unnamed);
}

static const char *symbol_of(tables *t, const chainsi_model_type *type)
{
    struct met *met = meet(t, type);
    if (met->symbol)
        return met->symbol;
    const char *name = name_type(t, type);
    const char *symbol = name;
    for (int i = 2; is_taken(t, symbol); i++)
        symbol = chainsi_arena_printf(&t->arena, "%s_%d", name, i);
    const char **symbols = chainsi_arena_array(&t->arena, t->symbol_count + 1, sizeof *symbols);
    if (t->symbol_count)
        memcpy(symbols, t->symbols, t->symbol_count * sizeof *symbols);
    symbols[t->symbol_count++] = symbol;
    t->symbols = symbols;
    return met->symbol = symbol;
}

/* "&chains_type_phi_message". */
static const char *reference(tables *t, const chainsi_model_type *type)
{
    const char *ready = ready_type(type->kind);
    if (ready)
        return chainsi_arena_printf(&t->arena, "&%s", ready);
    return chainsi_arena_printf(&t->arena, "&chains_type_%s", symbol_of(t, type));
}

static bool is_signed(chainsi_kind kind)
{
    return kind == CHAINSI_INT8 || kind == CHAINSI_INT16 || kind == CHAINSI_INT32 ||
           kind == CHAINSI_INT64;
}

static bool is_real(chainsi_kind kind)
{
    return kind == CHAINSI_FLOAT || kind == CHAINSI_DOUBLE;
}

/* A number as a chainsi_number's initializer: "{ .i = -5 }". */
static const char *number_text(tables *t, chainsi_kind kind, chainsi_number number)
{
    if (is_signed(kind) && number.i == INT64_MIN)
        return "{ .i = INT64_MIN }";
    if (is_signed(kind))
        return chainsi_arena_printf(&t->arena, "{ .i = %" PRId64 " }", number.i);
    if (!is_real(kind))
        return chainsi_arena_printf(&t->arena, "{ .u = UINT64_C(%" PRIu64 ") }", number.u);
    if (isinf(number.f))
        return number.f < 0 ? "{ .f = -__builtin_inf() }" : "{ .f = __builtin_inf() }";
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number.f);
        if (strtod(text, NULL) == number.f)
            break;
    }
    bool whole = !strpbrk(text, ".e");
    return chainsi_arena_printf(&t->arena, "{ .f = %s%s }", text, whole ? ".0" : "");
}

static const char *position_comment(tables *t, chainsi_position position)
{
    if (!position.file)
        return "";
    return chainsi_arena_printf(&t->arena, " /* %s:%d */", position.file, position.line);
}

static const chainsi_model_type *value_type(const chainsi_model_type *type)
{
    return type->kind == CHAINSI_POINTER ? type->item : type;
}

/* The limits of a field, and the arrays that they point to, named owner_field. */
static void write_limits(tables *t, const char *owner, const chainsi_model_field *field)
{
    const chainsi_limits *limits = &field->limits;
    chainsi_kind kind = value_type(field->type)->kind;
    if (limits->one_of_count) {
        bool text = limits->one_of_text != NULL;
        const char **items = chainsi_arena_array(&t->arena, limits->one_of_count, sizeof *items);
        for (size_t i = 0; i < limits->one_of_count; i++)
            items[i] = text ? chainsi_c_string(&t->arena, limits->one_of_text[i])
                            : number_text(t, kind, limits->one_of_number[i]);
        chainsi_writer_list(
            t->writer,
            chainsi_arena_printf(&t->arena, "static const %s chains_one_of_%s_%s[] = { ",
                                 text ? "char *const" : "chainsi_number", owner, field->c_name),
            items, limits->one_of_count, " };");
    }
    chainsi_writer_open(t->writer, "static const chainsi_limits chains_limits_%s_%s = {", owner,
                        field->c_name);
    if (limits->has_range) {
        chainsi_writer_line(t->writer, ".has_range = true,");
        chainsi_writer_line(t->writer, ".min = %s,", number_text(t, kind, limits->min));
        chainsi_writer_line(t->writer, ".max = %s,", number_text(t, kind, limits->max));
    }
    if (limits->has_length) {
        chainsi_writer_line(t->writer, ".has_length = true,");
        chainsi_writer_line(t->writer, ".min_length = UINT64_C(%" PRIu64 "),", limits->min_length);
        chainsi_writer_line(t->writer, ".max_length = UINT64_C(%" PRIu64 "),", limits->max_length);
    }
    if (limits->one_of_count) {
        chainsi_writer_line(t->writer, ".one_of_count = %zu,", limits->one_of_count);
        chainsi_writer_line(t->writer, ".one_of_%s = chains_one_of_%s_%s,",
                            limits->one_of_text ? "text" : "number", owner, field->c_name);
    }
    chainsi_writer_close(t->writer, "};");
}

static bool has_limits(const chainsi_model_field *field)
{
    return field->limits.has_range || field->limits.has_length || field->limits.one_of_count;
}

/* What the fields of a struct point to, then the fields. `c_type` is the struct in C. */
static void write_fields(tables *t, const char *owner, const char *c_type,
                         const chainsi_model_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fields[i].default_text.text) {
            const char *name =
                chainsi_arena_printf(&t->arena, "chains_default_%s_%s", owner, fields[i].c_name);
            const char *type = fields[i].type->c_name;
            bool pointer = type[strlen(type) - 1] == '*';
            chainsi_writer_line(
                t->writer, pointer ? "static %sconst %s = %s;%s" : "static const %s %s = %s;%s",
                type, name, fields[i].default_text.text,
                position_comment(t, fields[i].default_text.position));
        }
        if (has_limits(&fields[i]))
            write_limits(t, owner, &fields[i]);
    }
    chainsi_writer_open(t->writer, "static const chainsi_field chains_fields_%s[] = {", owner);
    for (size_t i = 0; i < count; i++) {
        const chainsi_model_field *field = &fields[i];
        chainsi_writer_open(t->writer, "{%s", position_comment(t, field->position));
        chainsi_writer_line(t->writer, ".name = %s,",
                            chainsi_c_string(&t->arena, field->wire_name));
        chainsi_writer_line(t->writer, ".name_size = %zu,", strlen(field->wire_name));
        chainsi_writer_line(t->writer, ".offset = offsetof(%s, %s),", c_type, field->c_name);
        chainsi_writer_line(t->writer, ".type = %s,", reference(t, field->type));
        if (field->optional)
            chainsi_writer_line(t->writer, ".optional = true,");
        if (field->default_text.text)
            chainsi_writer_line(t->writer, ".default_value = &chains_default_%s_%s,", owner,
                                field->c_name);
        if (has_limits(field))
            chainsi_writer_line(t->writer, ".limits = &chains_limits_%s_%s,", owner, field->c_name);
        if (field->doc)
            chainsi_writer_line(t->writer, ".doc = %s,", chainsi_c_string(&t->arena, field->doc));
        chainsi_writer_close(t->writer, "},");
    }
    chainsi_writer_close(t->writer, "};");
}

static void write_type(tables *t, const chainsi_model_type *type);

/* Makes sure that the type can be pointed at: written, or declared ahead if it is being written. */
static void prepare(tables *t, const chainsi_model_type *type)
{
    if (ready_type(type->kind))
        return;
    struct met *met = meet(t, type);
    if (met->progress != UNSEEN)
        return;
    if (!met->open) {
        write_type(t, type);
        return;
    }
    const char *symbol = symbol_of(t, type);
    met = meet(t, type);
    met->progress = DECLARED;
    chainsi_writer_blank(t->writer);
    chainsi_writer_line(t->writer,
                        "static const chainsi_type chains_type_%s; /* contains itself */", symbol);
}

static void write_enumerators(tables *t, const chainsi_model_type *type, const char *symbol)
{
    chainsi_writer_open(t->writer, "static const chainsi_enumerator chains_values_%s[] = {",
                        symbol);
    for (size_t i = 0; i < type->value_count; i++) {
        const chainsi_model_enumerator *value = &type->values[i];
        chainsi_writer_line(t->writer, "{ %s, %s, %s },",
                            chainsi_c_string(&t->arena, value->wire_name), value->c_name,
                            chainsi_c_string(&t->arena, value->doc));
    }
    chainsi_writer_close(t->writer, "};");
}

static void write_type(tables *t, const chainsi_model_type *type)
{
    meet(t, type)->open = true;
    if (type->item)
        prepare(t, type->item);
    for (size_t i = 0; i < type->field_count; i++)
        prepare(t, type->fields[i].type);

    const char *symbol = symbol_of(t, type);
    chainsi_writer_blank(t->writer);
    if (type->position.file)
        chainsi_writer_line(t->writer, "/* %s:%d: %s */", type->position.file, type->position.line,
                            type->c_name);
    if (type->kind == CHAINSI_STRUCT && type->field_count)
        write_fields(t, symbol, type->c_name, type->fields, type->field_count);
    if (type->kind == CHAINSI_ENUM)
        write_enumerators(t, type, symbol);
    chainsi_writer_open(t->writer, "static const chainsi_type chains_type_%s = {", symbol);
    chainsi_writer_line(t->writer, ".kind = %s,", kind_name(type->kind));
    chainsi_writer_line(t->writer, ".size = sizeof(%s),", type->c_name);
    if (type->name)
        chainsi_writer_line(t->writer, ".name = %s,", chainsi_c_string(&t->arena, type->name));
    if (type->doc)
        chainsi_writer_line(t->writer, ".doc = %s,", chainsi_c_string(&t->arena, type->doc));
    if (type->item)
        chainsi_writer_line(t->writer, ".item = %s,", reference(t, type->item));
    if (type->kind == CHAINSI_MAP) {
        chainsi_writer_line(t->writer, ".entry_size = sizeof(%s),", type->entry_c_name);
        chainsi_writer_line(t->writer, ".value_offset = offsetof(%s, value),", type->entry_c_name);
    }
    if (type->kind == CHAINSI_STRUCT && type->field_count) {
        chainsi_writer_line(t->writer, ".fields = chains_fields_%s,", symbol);
        chainsi_writer_line(t->writer, ".field_count = %zu,", type->field_count);
    }
    if (type->kind == CHAINSI_ENUM) {
        chainsi_writer_line(t->writer, ".values = chains_values_%s,", symbol);
        chainsi_writer_line(t->writer, ".value_count = %zu,", type->value_count);
    }
    chainsi_writer_close(t->writer, "};");
    meet(t, type)->progress = WRITTEN;
}

/* The struct of all inputs, or of all outputs. */
static void write_side(tables *t, const char *role, const chainsi_model_field *fields, size_t count)
{
    const char *name = t->chainlet->c_name;
    for (size_t i = 0; i < count; i++)
        prepare(t, fields[i].type);
    const char *owner = chainsi_arena_printf(&t->arena, "of_%ss", role);
    const char *c_type = chainsi_arena_printf(&t->arena, "struct chains_%s_%s", name, role);
    chainsi_writer_blank(t->writer);
    if (count)
        write_fields(t, owner, c_type, fields, count);
    chainsi_writer_open(t->writer, "static const chainsi_type chains_%ss = {", role);
    chainsi_writer_line(t->writer, ".kind = CHAINSI_STRUCT,");
    if (count) {
        chainsi_writer_line(t->writer, ".size = sizeof(%s),", c_type);
        chainsi_writer_line(t->writer, ".fields = chains_fields_%s,", owner);
        chainsi_writer_line(t->writer, ".field_count = %zu,", count);
    }
    chainsi_writer_close(t->writer, "};");
}

static void write_interface(tables *t)
{
    const chainsi_model_chainlet *chainlet = t->chainlet;
    const char *name = chainlet->c_name;
    chainsi_arena *arena = &t->arena;
    chainsi_writer *writer = t->writer;
    chainsi_writer_blank(writer);
    chainsi_writer_open(writer, "const chainsi_interface chains_%s_interface = {", name);
    chainsi_writer_line(writer, ".name = %s,", chainsi_c_string(arena, chainlet->wire_name));
    chainsi_writer_line(writer, ".c_name = \"%s\",", name);
    if (chainlet->doc)
        chainsi_writer_line(writer, ".doc = %s,", chainsi_c_string(arena, chainlet->doc));
    if (chainlet->run.doc)
        chainsi_writer_line(writer, ".method_doc = %s,",
                            chainsi_c_string(arena, chainlet->run.doc));
    chainsi_writer_line(writer, ".file = %s,", chainsi_c_string(arena, chainlet->header));
    chainsi_writer_line(writer, ".line = %d,", chainlet->run.position.line);
    chainsi_writer_line(writer, ".fingerprint = UINT64_C(0x%016" PRIx64 "),",
                        chainlet->fingerprint);
    chainsi_writer_line(writer, ".input = &chains_inputs,");
    chainsi_writer_line(writer, ".output = &chains_outputs,");
    if (chainlet->stream) {
        chainsi_writer_line(writer, ".stream_name = %s,",
                            chainsi_c_string(arena, chainlet->stream->wire_name));
        chainsi_writer_line(writer, ".stream_item = %s,", reference(t, chainlet->stream->type));
    }
    chainsi_writer_line(writer, ".%s = &%s_config_,", chainlet->external ? "external" : "config",
                        name);
    chainsi_writer_close(writer, "};");
}

void chainsi_generate_types(chainsi_writer *writer, const chainsi_model_chainlet *chainlet)
{
    tables t = { .writer = writer, .chainlet = chainlet };
    chainsi_writer_line(writer,
                        "/* %s.types.c: the types of its calls, and its interface.\n"
                        " * Written by chains from %s:%d; changes are lost. */",
                        chainlet->c_name, chainlet->header, chainlet->position.line);
    chainsi_writer_line(writer, "#include \"%s.call.h\"", chainlet->c_name);
    if (chainlet->stream)
        prepare(&t, chainlet->stream->type);
    write_side(&t, "input", chainlet->inputs, chainlet->input_count);
    write_side(&t, "output", chainlet->outputs, chainlet->output_count);
    write_interface(&t);
    chainsi_arena_done(&t.arena);
}
