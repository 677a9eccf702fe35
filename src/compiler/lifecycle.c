/* name_new with its dependencies, name_free and name_healthy. */
#include "compiler/entry.h"

#include <string.h>

static void read_dependency(chainsi_reader *reader, const chainsi_reading *reading,
                            const chainsi_entry *create, size_t i,
                            chainsi_model_dependency *dependencies, size_t *count)
{
    CXCursor cursor = chainsi_entry_parameter(create, i);
    CXType type = clang_getCanonicalType(clang_getCursorType(cursor));
    chainsi_position position = chainsi_parse_position(reader, cursor);
    const char *name = chainsi_parse_take(reader, clang_getCursorSpelling(cursor));
    if (chainsi_entry_has_error(reader, cursor))
        return; /* clang says it */
    const chainsi_reading *callee = NULL;
    bool pointer = type.kind == CXType_Pointer;
    CXType target = pointer ? clang_getPointeeType(type) : type;
    callee = chainsi_types_chainlet(reader, target);
    if (!callee || !pointer) {
        const char *spelled = chainsi_types_spell(reader, clang_getCursorType(cursor));
        if (callee) {
            CHAINSI_ERROR(reader, position,
                          CHAINSI_TEXT(reader, "write '%s *%s'", callee->chainlet->c_name, name),
                          "'%s' is '%s': a dependency is passed as a pointer", name, spelled);
            return;
        }
        for (size_t k = 0; k < reader->typedef_count; k++) { /* a Chainlet, but not of this chain */
            CXCursor typedef_ = reader->typedefs[k].cursor;
            CXType under = clang_getCanonicalType(clang_getCursorType(typedef_));
            if (under.kind != CXType_Record ||
                !clang_equalCursors(clang_getTypeDeclaration(under),
                                    clang_getTypeDeclaration(clang_getCanonicalType(target))))
                continue;
            if (chainsi_annotation_has(reader, typedef_, "chainlet") ||
                chainsi_annotation_has(reader, typedef_, "external")) {
                chainsi_position there = chainsi_parse_position(reader, typedef_);
                CHAINSI_ERROR(reader, position,
                              "move its header below the chain's folder, or declare the service "
                              "with CHAINLET_EXTERNAL",
                              "'%s' is '%s', which is declared outside of this chain, in %s", name,
                              spelled, there.file);
                return;
            }
        }
        CHAINSI_ERROR(reader, position,
                      "behind ctx stand the Chainlets that this one calls; options belong in "
                      "CHAINLET, arguments of a call in _run_remote",
                      "'%s' is '%s', which is no Chainlet", *name ? name : "the parameter",
                      spelled);
        return;
    }
    for (size_t k = 0; k < *count; k++)
        if (dependencies[k].chainlet == callee->chainlet)
            CHAINSI_ERROR(reader, position, "one is enough: calls to it may run at the same time",
                          "'%s' depends on '%s' twice", reading->chainlet->c_name,
                          callee->chainlet->c_name);
    if (!*name) {
        name = callee->chainlet->c_name;
        position.length = 1;
    }
    dependencies[(*count)++] = (chainsi_model_dependency){ .chainlet = callee->chainlet,
                                                           .parameter = name,
                                                           .position = position };
}

void chainsi_entry_create(chainsi_reader *reader, const chainsi_reading *reading)
{
    chainsi_model_chainlet *chainlet = reading->chainlet;
    const char *declared =
        CHAINSI_TEXT(reader, "%s *%s_new(chains_ctx *ctx);", chainlet->c_name, chainlet->c_name);
    chainsi_entry create;
    if (!chainsi_entry_open(reader, reading, "_new", declared, &chainlet->create, &create))
        return;
    chainsi_entry_check_result(
        reader, &create,
        chainsi_entry_points_to(clang_getCursorResultType(create.cursor), chainlet->c_name),
        CHAINSI_TEXT(reader, "%s *", chainlet->c_name));
    bool first = chainsi_entry_check_parameter(reader, &create, 0, "chains_ctx", "chains_ctx *ctx");
    chainsi_model_dependency *dependencies =
        chainsi_arena_array(reader->arena, create.parameter_count + 1, sizeof *dependencies);
    size_t count = 0;
    if (!first && create.parameter_count &&
        clang_getCanonicalType(clang_getCursorType(chainsi_entry_parameter(&create, 0))).kind ==
            CXType_Pointer)
        first = true; /* most likely ctx is missing altogether; what follows is read all the same */
    for (size_t i = 1; i < create.parameter_count; i++)
        read_dependency(reader, reading, &create, i, dependencies, &count);
    (void)first;
    chainlet->dependencies = dependencies;
    chainlet->dependency_count = count;
}

void chainsi_entry_destroy(chainsi_reader *reader, const chainsi_reading *reading)
{
    chainsi_model_chainlet *chainlet = reading->chainlet;
    const char *name = chainlet->c_name;
    const char *declared = CHAINSI_TEXT(reader, "void %s_free(%s *self);", name, name);
    chainsi_entry destroy;
    if (!chainsi_entry_open(reader, reading, "_free", declared, &chainlet->destroy, &destroy))
        return;
    chainsi_entry_check_result(
        reader, &destroy, clang_getCursorResultType(destroy.cursor).kind == CXType_Void, "void");
    if (chainsi_entry_check_parameter(reader, &destroy, 0, name,
                                      CHAINSI_TEXT(reader, "%s *self", name)))
        chainsi_entry_check_last(reader, &destroy, 1, declared);
}

void chainsi_entry_healthy(chainsi_reader *reader, const chainsi_reading *reading)
{
    chainsi_model_chainlet *chainlet = reading->chainlet;
    const char *name = chainlet->c_name;
    const char *declared =
        CHAINSI_TEXT(reader, "chains_status %s_healthy(%s *self, chains_ctx *ctx);", name, name);
    chainsi_entry healthy;
    if (!chainsi_entry_open(reader, reading, "_healthy", NULL, &chainlet->healthy, &healthy))
        return;
    chainsi_entry_check_result(reader, &healthy,
                               chainsi_entry_is_status(clang_getCursorResultType(healthy.cursor)),
                               "chains_status");
    if (chainsi_entry_check_parameter(reader, &healthy, 0, name,
                                      CHAINSI_TEXT(reader, "%s *self", name)) &&
        chainsi_entry_check_parameter(reader, &healthy, 1, "chains_ctx", "chains_ctx *ctx"))
        chainsi_entry_check_last(reader, &healthy, 2, declared);
}

void chainsi_entry_refuse(chainsi_reader *reader, const chainsi_reading *reading,
                          const char *suffix)
{
    chainsi_model_function function;
    chainsi_entry prototype;
    if (chainsi_entry_open(reader, reading, suffix, NULL, &function, &prototype))
        CHAINSI_ERROR(reader, prototype.position,
                      "leave it out: the service runs elsewhere, only _run_remote is declared",
                      "'%s' is declared for '%s', which is a CHAINLET_EXTERNAL", prototype.name,
                      reading->chainlet->c_name);
}
