/* What concerns the chain as a whole: names that clash, the entrypoint, CHAINS_DEPENDS. */
#include "compiler/reader.h"

#include <string.h>

/* --- names */

static void check_taken(chainsi_reader *reader, const char *what, const char *name,
                        chainsi_position position)
{
    const char *owner = chainsi_names_taken(name);
    if (!owner)
        return;
    bool header = owner[0] == '<';
    CHAINSI_ERROR(reader, position,
                  CHAINSI_TEXT(reader, "give it a longer name, such as 'my_%s'", name),
                  header ? "the %s '%s' has a name that %s declares, too"
                         : "the %s '%s' has a name that is %s",
                  what, name, owner);
}

static enum CXChildVisitResult check_enumerator(CXCursor cursor, CXCursor parent, CXClientData data)
{
    (void)parent;
    chainsi_reader *reader = data;
    enum CXCursorKind kind = clang_getCursorKind(cursor);
    if (kind == CXCursor_EnumDecl)
        return CXChildVisit_Recurse;
    if (kind != CXCursor_EnumConstantDecl)
        return CXChildVisit_Continue;
    size_t header;
    chainsi_parse_place(reader, clang_getCursorLocation(cursor), &header, NULL);
    if (header != CHAINSI_NO_HEADER)
        check_taken(reader, "enumerator",
                    chainsi_parse_take(reader, clang_getCursorSpelling(cursor)),
                    chainsi_parse_position(reader, cursor));
    return CXChildVisit_Continue;
}

static void check_fields(chainsi_reader *reader, const char *what,
                         const chainsi_model_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (fields[i].c_name && chainsi_names_keyword(fields[i].c_name))
            CHAINSI_ERROR(reader, fields[i].position,
                          CHAINSI_TEXT(reader,
                                       "call it '%s_' and keep its name on the wire with "
                                       "CHAINS_NAME(\"%s\")",
                                       fields[i].c_name, fields[i].c_name),
                          "the %s '%s' has a name that is a keyword of C++", what,
                          fields[i].c_name);
}

static void check_names(chainsi_reader *reader)
{
    for (size_t i = 0; i < reader->reading_count; i++) {
        const chainsi_model_chainlet *chainlet = reader->readings[i].chainlet;
        check_taken(reader, "Chainlet", chainlet->c_name, chainlet->position);
        if (!strncmp(chainlet->c_name, "chains_", 7) || !strncmp(chainlet->c_name, "chainsi_", 8))
            CHAINSI_ERROR(reader, chainlet->position, "leave the prefix out",
                          "the name of the Chainlet '%s' begins as the library's own names do",
                          chainlet->c_name);
        check_fields(reader, "parameter", chainlet->inputs, chainlet->input_count);
        check_fields(reader, "parameter", chainlet->outputs, chainlet->output_count);
    }
    for (size_t i = 0; i < reader->model->type_count; i++) {
        const chainsi_model_type *type = reader->model->types[i];
        if (!type->position.file || !type->name)
            continue;
        check_taken(reader, "type", type->name, type->position);
        check_fields(reader, "field", type->fields, type->field_count);
    }
    clang_visitChildren(clang_getTranslationUnitCursor(reader->unit), check_enumerator, reader);
    for (size_t i = 0; i < reader->reading_count; i++)
        for (size_t k = 0; k < i; k++) {
            const chainsi_model_chainlet *a = reader->readings[k].chainlet;
            const chainsi_model_chainlet *b = reader->readings[i].chainlet;
            if (reader->readings[i].duplicate || reader->readings[k].duplicate ||
                strcmp(a->wire_name, b->wire_name) != 0)
                continue;
            CHAINSI_ERROR(reader, b->position,
                          CHAINSI_TEXT(reader, "change .name of one of them; the other is in %s:%d",
                                       a->position.file, a->position.line),
                          "'%s' and '%s' have the same name on the wire: \"%s\"", a->c_name,
                          b->c_name, b->wire_name);
        }
}

/* --- the entrypoint */

static void find_entrypoint(chainsi_reader *reader)
{
    chainsi_model *model = reader->model;
    const char *wanted = reader->options->entrypoint;
    if (wanted) {
        const chainsi_model_chainlet *found = chainsi_model_find(model, wanted);
        if (found && !found->external) {
            model->entrypoint = found;
            return;
        }
        const char *known = "";
        for (size_t i = 0; i < model->chainlet_count; i++)
            if (!model->chainlets[i]->external)
                known = CHAINSI_TEXT(reader, "%s%s%s", known, *known ? ", " : "",
                                     model->chainlets[i]->wire_name);
        CHAINSI_ERROR(reader, (chainsi_position){ 0 },
                      CHAINSI_TEXT(reader, "there are: %s", *known ? known : "none"),
                      found ? "the entrypoint '%s' is a CHAINLET_EXTERNAL, which runs elsewhere"
                            : "there is no Chainlet '%s' to be the entrypoint",
                      wanted);
        return;
    }
    const chainsi_model_chainlet *first = NULL;
    bool several = false;
    for (size_t i = 0; i < reader->reading_count; i++) { /* in the order of the headers */
        const chainsi_model_chainlet *chainlet = reader->readings[i].chainlet;
        if (reader->readings[i].duplicate || !chainlet->config.entrypoint)
            continue;
        if (first) {
            several = true;
            if (reader->options->needs_entrypoint)
                CHAINSI_ERROR(reader, chainlet->position,
                              CHAINSI_TEXT(reader, "keep '.entrypoint = true' in one of them, or "
                                                   "name one with --entrypoint"),
                              "'%s' is an entrypoint, and so is '%s' (%s:%d)", chainlet->c_name,
                              first->c_name, first->position.file, first->position.line);
        } else {
            first = chainlet;
        }
    }
    if (!first && reader->options->needs_entrypoint && model->chainlet_count)
        CHAINSI_ERROR(reader, (chainsi_position){ 0 },
                      "write '.entrypoint = true' in the CHAINLET that is called from outside, or "
                      "name it with --entrypoint",
                      "no Chainlet is the entrypoint");
    model->entrypoint = several ? NULL : first;
}

/* --- CHAINS_DEPENDS */

static chainsi_reading *find_reading(chainsi_reader *reader, const char *name, size_t size)
{
    for (size_t i = 0; i < reader->reading_count; i++) {
        chainsi_reading *reading = &reader->readings[i];
        if (!reading->duplicate && strlen(reading->chainlet->c_name) == size &&
            !memcmp(reading->chainlet->c_name, name, size))
            return reading;
    }
    return NULL;
}

static void check_depends(chainsi_reader *reader, const chainsi_named_cursor *depends)
{
    const char *colon = strchr(depends->name, ':');
    if (!colon)
        return;
    size_t caller_size = (size_t)(colon - depends->name);
    const char *callee_name = colon + 1;
    const char *caller_name = chainsi_arena_copy(reader->arena, depends->name, caller_size);
    chainsi_position position = chainsi_parse_position(reader, depends->cursor);
    position.length = (int)strlen("CHAINS_DEPENDS");
    chainsi_reading *caller = find_reading(reader, caller_name, caller_size);
    chainsi_reading *callee = find_reading(reader, callee_name, strlen(callee_name));
    if (!caller || caller->chainlet->external) {
        CHAINSI_ERROR(reader, position, "write CHAINS_DEPENDS(caller, callee, options...)",
                      caller ? "'%s' makes no calls: it is a CHAINLET_EXTERNAL"
                             : "'%s' is no Chainlet",
                      caller_name);
        return;
    }
    bool found = false;
    for (size_t i = 0; i < caller->chainlet->dependency_count; i++)
        found |= callee && caller->chainlet->dependencies[i].chainlet == callee->chainlet;
    if (found || !caller->chainlet->create.position.file)
        return;
    CHAINSI_ERROR(reader, position,
                  callee ? CHAINSI_TEXT(reader,
                                        "add it: '%s_new(chains_ctx *ctx, %s *the_%s)', "
                                        "or leave CHAINS_DEPENDS out",
                                        caller_name, callee_name, callee_name)
                         : "write CHAINS_DEPENDS(caller, callee, options...)",
                  callee ? "'%s' is not an argument of '%s_new'"
                         : "'%s' is no Chainlet, so it is not an argument of '%s_new'",
                  callee_name, caller_name);
}

static void read_depends(chainsi_reader *reader)
{
    for (size_t i = 0; i < reader->reading_count; i++) {
        chainsi_model_chainlet *caller = reader->readings[i].chainlet;
        if (reader->readings[i].duplicate || !caller->dependency_count)
            continue;
        chainsi_model_dependency *own =
            chainsi_arena_array(reader->arena, caller->dependency_count, sizeof *own);
        memcpy(own, caller->dependencies, caller->dependency_count * sizeof *own);
        for (size_t k = 0; k < caller->dependency_count; k++)
            own[k].has_options =
                chainsi_config_depends(reader, caller, own[k].chainlet, &own[k].options);
        caller->dependencies = own;
    }
    for (size_t i = 0; i < reader->depends_count; i++) {
        check_depends(reader, &reader->depends[i]);
        for (size_t k = 0; k < i; k++) {
            if (strcmp(reader->depends[k].name, reader->depends[i].name) != 0)
                continue;
            chainsi_position first = chainsi_parse_position(reader, reader->depends[k].cursor);
            chainsi_position again = chainsi_parse_position(reader, reader->depends[i].cursor);
            again.length = (int)strlen("CHAINS_DEPENDS");
            CHAINSI_ERROR(reader, again,
                          CHAINSI_TEXT(reader, "write all options in one; the other is in %s:%d",
                                       first.file, first.line),
                          "the options of these calls are given twice");
            break;
        }
    }
}

/* --- batches */

static void check_batch(chainsi_reader *reader, const chainsi_model_chainlet *chainlet)
{
    const char *name = chainlet->c_name;
    int max_size = chainlet->config.batch.max_size;
    bool declared = chainlet->batch.position.file;
    if (max_size > 1 && !declared && chainlet->run.position.file)
        CHAINSI_ERROR(reader, chainlet->position,
                      CHAINSI_TEXT(reader,
                                   "declare '%s_run_batch', which runs several calls at "
                                   "once, or leave .batch out",
                                   name),
                      "'%s' has .batch.max_size %d, but no '%s_run_batch'", name, max_size, name);
    /* A .max_size of 1 is said on purpose: batches are off for now. */
    if (declared && !max_size && !chainlet->stream)
        CHAINSI_WARNING(reader, chainlet->batch.position,
                        "write .batch = { .max_size = 16 }, say, in CHAINLET: how many calls at "
                        "most run as one",
                        "'%s_run_batch' is never called: '%s' has no .batch.max_size", name, name);
}

static void check_batches(chainsi_reader *reader)
{
    for (size_t i = 0; i < reader->reading_count; i++)
        if (!reader->readings[i].duplicate && !reader->readings[i].chainlet->external)
            check_batch(reader, reader->readings[i].chainlet);
}

void chainsi_check_chain(chainsi_reader *reader)
{
    check_batches(reader);
    read_depends(reader);
    check_names(reader);
    find_entrypoint(reader);
}
