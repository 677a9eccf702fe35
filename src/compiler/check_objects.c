/* What only objects tell: definitions that are missing or mangled, calls of what a Chainlet may not
 * call. Each is reported where the source says it. */
#include "compiler/build_state.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The whole file, ended by a NUL; NULL if it can't be read. To be freed. */
static char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return NULL;
    chainsi_buffer text = { 0 };
    size_t got;
    do {
        got = fread(chainsi_buffer_reserve(&text, 16384), 1, 16384, file);
        text.size += got;
    } while (got);
    fclose(file);
    chainsi_buffer_add_byte(&text, '\0');
    return (char *)text.data;
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Overwrites comments, strings and characters with blanks, so that only code is searched. */
static void blank_comments(char *text)
{
    for (char *at = text; *at; at++) {
        if (at[0] == '/' && at[1] == '/') {
            for (; *at && *at != '\n'; at++)
                *at = ' ';
        } else if (at[0] == '/' && at[1] == '*') {
            char *end = strstr(at + 2, "*/");
            for (end = end ? end + 2 : at + strlen(at); at < end; at++)
                if (*at != '\n')
                    *at = ' ';
        } else if (*at == '"' || *at == '\'') {
            char quote = *at;
            for (at++; *at && *at != quote && *at != '\n'; at++) {
                if (*at == '\\' && at[1])
                    *at++ = ' ';
                *at = ' ';
            }
        }
        if (!*at)
            break;
    }
}

/* The first place in the unit's sources where the word stands before a parenthesis; `otherwise` if
 * there is none. */
static chainsi_position find_word(chainsi_build *build, const chainsi_unit *unit, const char *word,
                                  chainsi_position otherwise)
{
    size_t size = strlen(word);
    chainsi_position found = otherwise;
    bool any = false;
    for (size_t i = 0; i < unit->source_count && !any; i++) {
        char *text = read_file(chainsi_build_path(build, unit->sources[i].path));
        if (!text)
            continue;
        blank_comments(text);
        for (char *at = text; (at = strstr(at, word)) && !any; at += size) {
            if ((at > text && is_word(at[-1])) || at[size + strspn(at + size, " \t\n")] != '(')
                continue;
            found = (chainsi_position){
                .file = unit->sources[i].path, .line = 1, .column = 1, .length = (int)size
            };
            for (char *c = text; c < at; c++) {
                found.line += *c == '\n';
                found.column = *c == '\n' ? 1 : found.column + 1;
            }
            any = true;
        }
        free(text);
    }
    return found;
}

typedef struct check {
    chainsi_build *build;
    const chainsi_unit *unit;
    chainsi_symbols symbols; /* of all its objects */
    bool good;
} check;

static void check_entry(check *c, const char *function, chainsi_position declared)
{
    const char *name =
        chainsi_arena_printf(&c->build->arena, "%s_%s", c->unit->chainlet->c_name, function);
    if (chainsi_symbols_define(&c->symbols, name))
        return;
    chainsi_diagnostics *diagnostics = c->build->diagnostics;
    if (chainsi_symbols_mangle(&c->symbols, name)) {
        c->good = false;
        chainsi_position position = find_word(c->build, c->unit, name, declared);
        const char *hint = chainsi_arena_printf(
            &c->build->arena, "write extern \"C\" { #include \"%s\" } where '%s' includes it",
            c->unit->chainlet->header, position.file ? position.file : "the source");
        chainsi_diagnostics_add(diagnostics, CHAINSI_SEVERITY_ERROR, position, hint,
                                "'%s' is defined as a C++ function: its name is mangled, so no "
                                "caller finds it",
                                name);
        return;
    }
    if (c->unit->archive_count) /* it may be in a library; the linker knows */
        return;
    c->good = false;
    chainsi_diagnostics_add(
        diagnostics, CHAINSI_SEVERITY_ERROR, declared,
        chainsi_arena_printf(&c->build->arena, "define it in '%s'", c->unit->sources[0].path),
        "'%s' is declared, but not defined", name);
}

static bool depends_on(const chainsi_model_chainlet *chainlet, const chainsi_model_chainlet *other)
{
    for (size_t i = 0; i < chainlet->dependency_count; i++)
        if (chainlet->dependencies[i].chainlet == other)
            return true;
    return false;
}

static void check_calls(check *c, const chainsi_model_chainlet *other)
{
    chainsi_arena *arena = &c->build->arena;
    const chainsi_model_chainlet *chainlet = c->unit->chainlet;
    static const char *const functions[] = { "new", "free", "run_batch", "run_remote" };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        const char *name = chainsi_arena_printf(arena, "%s_%s", other->c_name, functions[i]);
        bool is_call = i == 3;
        if (!chainsi_symbols_want(&c->symbols, name) || (is_call && depends_on(chainlet, other)))
            continue;
        c->good = false;
        chainsi_position position = find_word(c->build, c->unit, name, chainlet->position);
        const char *hint = chainsi_arena_printf(
            arena,
            "take '%s *%s' as a parameter of '%s_new': a Chainlet is handed its dependencies",
            other->c_name, other->c_name, chainlet->c_name);
        if (i == 2)
            hint = chainsi_arena_printf(arena,
                                        "call '%s_run_remote': calls that arrive together run as a "
                                        "batch by themselves",
                                        other->c_name);
        else if (depends_on(chainlet, other))
            hint = chainsi_arena_printf(arena, "use what '%s_new' is handed; who made it frees it",
                                        chainlet->c_name);
        chainsi_diagnostics_add(c->build->diagnostics, CHAINSI_SEVERITY_ERROR, position, hint,
                                is_call ? "'%s' calls '%s', but does not depend on '%s'"
                                        : "'%s' calls '%s', which only the program that holds '%s' "
                                          "may do",
                                chainlet->c_name, name, other->c_name);
    }
}

bool chainsi_build_check_unit(chainsi_build *build, const chainsi_unit *unit)
{
    check c = { .build = build, .unit = unit, .good = true };
    for (size_t i = 0; i < unit->source_count; i++) {
        chainsi_symbols symbols;
        const char *path = chainsi_build_path(build, unit->sources[i].object);
        if (!chainsi_symbols_read(&symbols, path, &build->arena))
            return true; /* no object that we can read: the linker has the last word */
        chainsi_symbol *all =
            chainsi_arena_array(&build->arena, c.symbols.count + symbols.count + 1, sizeof *all);
        if (c.symbols.count)
            memcpy(all, c.symbols.items, c.symbols.count * sizeof *all);
        if (symbols.count)
            memcpy(all + c.symbols.count, symbols.items, symbols.count * sizeof *all);
        c.symbols.items = all;
        c.symbols.count += symbols.count;
    }
    const chainsi_model_chainlet *chainlet = unit->chainlet;
    check_entry(&c, "new", chainlet->create.position);
    check_entry(&c, "run_remote", chainlet->run.position);
    check_entry(&c, "free", chainlet->destroy.position);
    if (chainlet->healthy.position.file)
        check_entry(&c, "healthy", chainlet->healthy.position);
    if (chainlet->batch.position.file)
        check_entry(&c, "run_batch", chainlet->batch.position);
    for (size_t i = 0; i < build->model->chainlet_count; i++)
        if (build->model->chainlets[i] != chainlet)
            check_calls(&c, build->model->chainlets[i]);
    return c.good;
}
