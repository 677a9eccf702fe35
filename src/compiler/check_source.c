/* Two rules of sources, where these can be read: a Chainlet doesn't make another one, and C++ must
 * not mangle the entry functions. A source is parsed only when its text mentions what is looked for,
 * since libraries' headers take their time. What can't be read here the build finds in the object. */
#include "compiler/reader.h"

#include <ctype.h>
#include <string.h>

typedef struct source_walk {
    chainsi_reader *reader;
    const chainsi_model_chainlet *own; /* whose source it is */
    chainsi_language language;         /* of the source */
} source_walk;

static bool is_word(char c)
{
    return c == '_' || isalnum((unsigned char)c);
}

/* Does the text call, or define, a function of this name? Comments and texts count, too: what is
 * found is only a reason to look closer. */
static bool mentions(const char *text, const char *name)
{
    size_t size = strlen(name);
    for (const char *at = text; (at = strstr(at, name)); at += size)
        if ((at == text || !is_word(at[-1])) && !is_word(at[size]))
            return true;
    return false;
}

static const chainsi_model_chainlet *maker_of(chainsi_reader *reader, const char *function)
{
    for (size_t i = 0; i < reader->reading_count; i++) {
        const chainsi_model_chainlet *chainlet = reader->readings[i].chainlet;
        size_t size = strlen(chainlet->c_name);
        if (!chainlet->external && !strncmp(function, chainlet->c_name, size) &&
            !strcmp(function + size, "_new"))
            return chainlet;
    }
    return NULL;
}

static bool is_entry(const chainsi_model_chainlet *chainlet, const char *function)
{
    static const char *const ends[] = { "_new", "_run_remote", "_free", "_healthy", "_run_batch" };
    size_t size = strlen(chainlet->c_name);
    if (strncmp(function, chainlet->c_name, size) != 0)
        return false;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (!strcmp(function + size, ends[i]))
            return true;
    return false;
}

static void check_call(source_walk *walk, CXCursor cursor)
{
    chainsi_reader *reader = walk->reader;
    CXCursor callee = clang_getCursorReferenced(cursor);
    const char *name = chainsi_parse_take(reader, clang_getCursorSpelling(callee));
    const chainsi_model_chainlet *made = maker_of(reader, name);
    if (!made || made == walk->own)
        return;
    chainsi_position position =
        chainsi_parse_place(reader, clang_getCursorLocation(cursor), NULL, NULL);
    position.length = (int)strlen(name);
    CHAINSI_ERROR(reader, position,
                  CHAINSI_TEXT(reader,
                               "take it as an argument: '%s_new(chains_ctx *ctx, %s *the_%s)'",
                               walk->own->c_name, made->c_name, made->c_name),
                  "'%s' makes its own '%s': a Chainlet is handed what it depends on",
                  walk->own->c_name, made->c_name);
}

static void check_definition(source_walk *walk, CXCursor cursor)
{
    chainsi_reader *reader = walk->reader;
    const char *name = chainsi_parse_take(reader, clang_getCursorSpelling(cursor));
    if (walk->language == CHAINSI_LANGUAGE_C || !clang_isCursorDefinition(cursor) ||
        !is_entry(walk->own, name))
        return;
    CXString mangling = clang_Cursor_getMangling(cursor);
    bool mangled = strcmp(clang_getCString(mangling), name) != 0;
    clang_disposeString(mangling);
    if (!mangled)
        return;
    CHAINSI_ERROR(reader, chainsi_parse_position(reader, cursor),
                  CHAINSI_TEXT(reader,
                               "write 'extern \"C\" { #include \"%s\" }' above (over three lines), "
                               "and define it with the header's parameters",
                               walk->own->header),
                  "C++ gives '%s' another name in the object, so that no caller finds it", name);
}

static enum CXChildVisitResult look_at(CXCursor cursor, CXCursor parent, CXClientData data)
{
    (void)parent;
    source_walk *walk = data;
    enum CXCursorKind kind = clang_getCursorKind(cursor);
    if (clang_isDeclaration(kind) && kind != CXCursor_LinkageSpec && kind != CXCursor_Namespace &&
        !clang_Location_isFromMainFile(clang_getCursorLocation(cursor)))
        return CXChildVisit_Continue;
    if (kind == CXCursor_FunctionDecl)
        check_definition(walk, cursor);
    if (kind == CXCursor_CallExpr || kind == CXCursor_DeclRefExpr) {
        CXCursor callee = clang_getCursorReferenced(cursor);
        if (kind == CXCursor_DeclRefExpr && clang_getCursorKind(callee) == CXCursor_FunctionDecl)
            check_call(walk, cursor);
    }
    return CXChildVisit_Recurse;
}

static void check_source(chainsi_reader *reader, const chainsi_model_chainlet *chainlet,
                         const char *path, chainsi_language language)
{
    const char *absolute = CHAINSI_TEXT(reader, "%s/%s", reader->model->folder, path);
    const char *text = chainsi_find_read(absolute, reader->arena, NULL);
    bool suspect = false;
    if (!text || language == CHAINSI_LANGUAGE_NONE)
        return;
    for (size_t i = 0; i < reader->reading_count && !suspect; i++) {
        const chainsi_model_chainlet *other = reader->readings[i].chainlet;
        suspect = other != chainlet && !other->external &&
                  strcmp(other->c_name, chainlet->c_name) != 0 &&
                  mentions(text, CHAINSI_TEXT(reader, "%s_new", other->c_name));
    }
    if (language != CHAINSI_LANGUAGE_C) /* the header is included inside extern "C" by every one */
        suspect |= !strstr(text, "extern \"C\"");
    if (!suspect)
        return;
    CXTranslationUnit unit = chainsi_parse_source(reader, path, language);
    if (!unit)
        return;
    source_walk walk = { .reader = reader, .own = chainlet, .language = language };
    clang_visitChildren(clang_getTranslationUnitCursor(unit), look_at, &walk);
    clang_disposeTranslationUnit(unit);
    reader->file_count = 0;
}

void chainsi_check_sources(chainsi_reader *reader)
{
    for (size_t i = 0; i < reader->reading_count; i++) {
        const chainsi_reading *reading = &reader->readings[i];
        const chainsi_model_chainlet *chainlet = reading->chainlet;
        if (reading->duplicate)
            continue;
        if (chainlet->source)
            check_source(reader, chainlet, chainlet->source, chainlet->language);
        for (size_t k = 0; k < sizeof chainlet->config.sources / sizeof *chainlet->config.sources &&
                           chainlet->config.sources[k];
             k++) {
            const char *more = chainlet->config.sources[k];
            const char *slash = strrchr(chainlet->header, '/');
            int folder = slash ? (int)(slash - chainlet->header + 1) : 0;
            check_source(reader, chainlet,
                         CHAINSI_TEXT(reader, "%.*s%s", folder, chainlet->header, more),
                         chainsi_find_language(more));
        }
    }
}
