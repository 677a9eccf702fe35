/* Mistakes that clang reports far from where they are, or as many: a macro of ours that is misspelt,
 * a header without an include guard, a type whose header isn't included. Each becomes one error that
 * says what to write; clang's errors that follow from it are marked as explained. */
#include <string.h>

#include "compiler/reader.h"

/* A macro of ours as somebody wrote it. */
typedef struct mistake {
    const char *word;
    size_t header;
    unsigned begin, end;  /* of the word */
    unsigned arguments;   /* end of its parentheses; end, without any */
    unsigned statement;   /* end of what it stands in */
    bool known, in_error; /* a macro after all; clang stumbles over it */
} mistake;

typedef struct search {
    chainsi_reader *reader;
    mistake *items;
    size_t count, capacity;
    const char **macros; /* of chains.h, for authors */
    size_t macro_count, macro_capacity;
} search;

static bool is_word(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

static bool is_ours(const char *word)
{
    return !strncmp(word, "CHAINS_", 7) || !strncmp(word, "CHAINLET", 8);
}

/* The end of the comment, literal or directive that begins at at; at itself where none does. */
static const char *skip_other(const char *text, const char *at)
{
    if (at[0] == '/' && at[1] == '*') {
        const char *end = strstr(at + 2, "*/");
        return end ? end + 2 : at + strlen(at);
    }
    if (at[0] == '/' && at[1] == '/')
        return at + strcspn(at, "\n");
    if (*at == '"' || *at == '\'') {
        const char *end = at + 1;
        while (*end && *end != *at && *end != '\n')
            end += *end == '\\' && end[1] ? 2 : 1;
        return *end ? end + 1 : end;
    }
    if (*at == '#') {
        const char *before = at;
        while (before > text && (before[-1] == ' ' || before[-1] == '\t'))
            before--;
        if (before > text && before[-1] != '\n')
            return at;
        while (*at && !(*at == '\n' && at[-1] != '\\'))
            at++;
    }
    return at;
}

static const char *end_of_arguments(const char *text, const char *at)
{
    const char *open = at + strspn(at, " \t\n");
    if (*open != '(')
        return at;
    int depth = 0;
    for (const char *end = open; *end;) {
        const char *other = skip_other(text, end);
        if (other > end) {
            end = other;
            continue;
        }
        depth += (*end == '(') - (*end == ')');
        end++;
        if (!depth)
            return end;
    }
    return at;
}

static void collect_words(search *it, size_t header)
{
    chainsi_reader *reader = it->reader;
    const char *text = reader->headers.items[header].text;
    for (const char *at = text; *at;) {
        const char *other = skip_other(text, at);
        if (other > at) {
            at = other;
            continue;
        }
        const char *end = at;
        while (is_word(*end))
            end++;
        if (end > at && is_ours(at)) {
            const char *arguments = end_of_arguments(text, end);
            CHAINSI_MAKE_ROOM(reader, it->items, it->count, it->capacity);
            it->items[it->count++] = (mistake){
                .word = chainsi_arena_copy(reader->arena, at, (size_t)(end - at)),
                .header = header,
                .begin = (unsigned)(at - text),
                .end = (unsigned)(end - text),
                .arguments = (unsigned)(arguments - text),
                .statement = (unsigned)(arguments + strcspn(arguments, ";}") - text),
            };
        }
        at = end > at ? end : at + 1;
    }
}

static enum CXChildVisitResult look_at_macro(CXCursor cursor, CXCursor parent, CXClientData data)
{
    (void)parent;
    search *it = data;
    if (clang_getCursorKind(cursor) != CXCursor_MacroDefinition)
        return CXChildVisit_Continue;
    CXString spelling = clang_getCursorSpelling(cursor);
    const char *name = clang_getCString(spelling);
    if (is_ours(name)) {
        for (size_t i = 0; i < it->count; i++)
            it->items[i].known |= !strcmp(it->items[i].word, name);
        if (name[strlen(name) - 1] != '_') {
            CHAINSI_MAKE_ROOM(it->reader, it->macros, it->macro_count, it->macro_capacity);
            it->macros[it->macro_count++] = chainsi_arena_strdup(it->reader->arena, name);
        }
    }
    clang_disposeString(spelling);
    return CXChildVisit_Continue;
}

/* Does the text between the parentheses of a macro mention the name? */
static bool mentions(const chainsi_reader *reader, const mistake *it, const char *name, size_t size)
{
    const char *text = reader->headers.items[it->header].text;
    for (unsigned at = it->end; size && at + size <= it->arguments; at++)
        if (!strncmp(text + at, name, size) && !is_word(text[at - 1]) && !is_word(text[at + size]))
            return true;
    return false;
}

/* What clang says of the statement that the macro stands in, and of what it would have declared. */
static void explain(chainsi_reader *reader, const mistake *it)
{
    for (size_t i = 0; i < reader->error_count; i++) {
        chainsi_clang_error *error = &reader->errors[i];
        if (error->header == it->header && error->offset + 1 >= it->begin &&
            error->offset <= it->statement)
            error->explained = true;
        if (!strncmp(error->message, "unknown type name '", 19) &&
            mentions(reader, it, error->message + 19, strcspn(error->message + 19, "'")))
            error->explained = true;
    }
}

static void find_errors(search *it)
{
    for (size_t i = 0; i < it->count; i++)
        for (size_t k = 0; k < it->reader->error_count; k++) {
            const chainsi_clang_error *error = &it->reader->errors[k];
            it->items[i].in_error |= error->header == it->items[i].header &&
                                     error->offset + 1 >= it->items[i].begin &&
                                     error->offset <= it->items[i].end;
        }
}

void chainsi_mistakes_macros(chainsi_reader *reader)
{
    search it = { .reader = reader };
    for (size_t i = 0; i < reader->headers.count; i++)
        collect_words(&it, i);
    if (!it.count || !reader->unit)
        return;
    clang_visitChildren(clang_getTranslationUnitCursor(reader->unit), look_at_macro, &it);
    find_errors(&it);
    for (size_t i = 0; i < it.count; i++) {
        const mistake *item = &it.items[i];
        /* Without parentheses it may be a constant of somebody's. */
        if (item->known || (item->arguments == item->end && !item->in_error))
            continue;
        const char *nearest = chainsi_names_nearest(item->word, it.macros, it.macro_count);
        if (!nearest)
            continue;
        explain(reader, item);
        CHAINSI_ERROR(
            reader,
            chainsi_parse_at(reader, item->header, item->begin, (int)(item->end - item->begin)),
            CHAINSI_TEXT(reader, "did you mean '%s'?", nearest), "chains.h has no '%s'",
            item->word);
    }
}

bool chainsi_mistakes_guard(chainsi_reader *reader, size_t header)
{
    const chainsi_header *item = &reader->headers.items[header];
    if (strstr(item->text, "pragma once") || strstr(item->text, "#ifndef") ||
        strstr(item->text, "defined"))
        return false;
    CHAINSI_ERROR(reader, chainsi_parse_at(reader, header, 0, 1),
                  "write '#pragma once' in its first line",
                  "%s is included twice, and has no include guard", item->path);
    return true;
}
