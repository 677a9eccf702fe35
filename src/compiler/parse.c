/* Parsing with libclang. All headers of a chain are one translation unit, so that a type is one
 * type however many headers mention it: a file in memory includes each of them, followed by a
 * declaration that must come out at the top level. A header after which it doesn't leaves something
 * open and would spoil the others: it is taken out, and its errors come from parsing it alone.
 *
 * clang's errors are collected, not printed: where a library's header is missing, most of them talk
 * about things that don't concern the interface. */
#include "compiler/reader.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define SENTINEL  "chainsi_end_of_header_"
#define MAIN_FILE "chains_headers_.c"

enum { MAX_ARGUMENTS = 256 };

void *chainsi_reader_grow(chainsi_reader *reader, const void *items, size_t count, size_t *capacity,
                          size_t item_size)
{
    size_t larger = *capacity ? *capacity * 2 : 16;
    void *room = chainsi_arena_array(reader->arena, larger, item_size);
    if (count)
        memcpy(room, items, count * item_size);
    *capacity = larger;
    return room;
}

const char *chainsi_parse_take(chainsi_reader *reader, CXString string)
{
    const char *text = clang_getCString(string);
    char *copy = chainsi_arena_strdup(reader->arena, text ? text : "");
    clang_disposeString(string);
    return copy;
}

/* --- places */

static size_t find_header(const chainsi_reader *reader, const char *path)
{
    for (size_t i = 0; i < reader->headers.count; i++)
        if (!strcmp(reader->headers.items[i].path, path))
            return i;
    return CHAINSI_NO_HEADER;
}

/* What we call a file, and which header it is. */
static const char *name_file(chainsi_reader *reader, CXFile file, size_t *header)
{
    for (size_t i = 0; i < reader->file_count; i++)
        if (reader->files[i].file == file) {
            *header = reader->files[i].header;
            return reader->files[i].path;
        }
    const char *path = chainsi_parse_take(reader, clang_getFileName(file));
    char real[PATH_MAX];
    if (realpath(path, real)) {
        size_t size = strlen(reader->model->folder);
        bool inside = !strncmp(real, reader->model->folder, size) && real[size] == '/';
        path = chainsi_arena_strdup(reader->arena, inside ? real + size + 1 : real);
    }
    *header = find_header(reader, path);
    CHAINSI_MAKE_ROOM(reader, reader->files, reader->file_count, reader->file_capacity);
    reader->files[reader->file_count].file = file;
    reader->files[reader->file_count].header = *header;
    reader->files[reader->file_count++].path = path;
    return path;
}

chainsi_position chainsi_parse_place(chainsi_reader *reader, CXSourceLocation location,
                                     size_t *header, unsigned *offset)
{
    CXFile file = NULL;
    unsigned line = 0, column = 0, at = 0;
    size_t index = CHAINSI_NO_HEADER;
    clang_getFileLocation(location, &file, &line, &column, &at);
    chainsi_position position = { .line = (int)line, .column = (int)column, .length = 1 };
    if (file)
        position.file = name_file(reader, file, &index);
    if (header)
        *header = index;
    if (offset)
        *offset = at;
    return position;
}

chainsi_position chainsi_parse_position(chainsi_reader *reader, CXCursor cursor)
{
    chainsi_position position =
        chainsi_parse_place(reader, clang_getCursorLocation(cursor), NULL, NULL);
    CXString name = clang_getCursorSpelling(cursor);
    const char *text = clang_getCString(name);
    position.length = text && *text ? (int)strlen(text) : 1;
    clang_disposeString(name);
    return position;
}

chainsi_region chainsi_parse_region(chainsi_reader *reader, CXCursor cursor)
{
    CXSourceRange extent = clang_getCursorExtent(cursor);
    chainsi_region region = { .header = CHAINSI_NO_HEADER };
    size_t end_header;
    chainsi_parse_place(reader, clang_getRangeStart(extent), &region.header, &region.begin);
    chainsi_parse_place(reader, clang_getRangeEnd(extent), &end_header, &region.end);
    if (end_header != region.header || region.end < region.begin)
        region.end = region.begin;
    return region;
}

chainsi_position chainsi_parse_at(chainsi_reader *reader, size_t header, size_t offset, int length)
{
    const chainsi_header *item = &reader->headers.items[header];
    chainsi_position position = { .file = item->path, .line = 1, .column = 1, .length = length };
    for (size_t i = 0; i < offset && i < item->size; i++) {
        position.column++;
        if (item->text[i] == '\n') {
            position.line++;
            position.column = 1;
        }
    }
    return position;
}

/* --- clang's errors */

static bool is_word(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

static void move_to_end(chainsi_reader *reader, chainsi_clang_error *error, size_t header)
{
    size_t size = reader->headers.items[header].size;
    error->header = header;
    error->offset = (unsigned)size;
    error->position = chainsi_parse_at(reader, header, size, 1);
}

static void split_hint(chainsi_reader *reader, chainsi_clang_error *error)
{
    char *guess = strstr(error->message, "; did you mean ");
    if (!guess)
        return;
    error->hint = CHAINSI_TEXT(reader, "%s", guess + 2);
    error->message =
        chainsi_arena_copy(reader->arena, error->message, (size_t)(guess - error->message));
}

/* What an open brace or parenthesis waits for. An end of file is in our own text then: the error
 * belongs at the end of the header with the brace. */
static void read_note(chainsi_reader *reader, CXDiagnostic diagnostic, chainsi_clang_error *error)
{
    CXDiagnosticSet notes = clang_getChildDiagnostics(diagnostic);
    for (unsigned i = 0; i < clang_getNumDiagnosticsInSet(notes); i++) {
        CXDiagnostic note = clang_getDiagnosticInSet(notes, i);
        const char *text = chainsi_parse_take(reader, clang_getDiagnosticSpelling(note));
        size_t header;
        chainsi_position place =
            chainsi_parse_place(reader, clang_getDiagnosticLocation(note), &header, NULL);
        if (!strncmp(text, "to match this '", 15) && header != CHAINSI_NO_HEADER) {
            error->hint = CHAINSI_TEXT(reader, "%s in line %d", text, place.line);
            if (error->header != header)
                move_to_end(reader, error, header);
        }
        clang_disposeDiagnostic(note);
    }
}

static void collect_error(chainsi_reader *reader, CXDiagnostic diagnostic)
{
    if (clang_getDiagnosticSeverity(diagnostic) < CXDiagnostic_Warning)
        return;
    chainsi_clang_error error = { .header = CHAINSI_NO_HEADER };
    error.mild = clang_getDiagnosticSeverity(diagnostic) == CXDiagnostic_Warning;
    error.position = chainsi_parse_place(reader, clang_getDiagnosticLocation(diagnostic),
                                         &error.header, &error.offset);
    error.message = chainsi_parse_take(reader, clang_getDiagnosticSpelling(diagnostic));
    error.missing = strstr(error.message, "file not found") != NULL;
    split_hint(reader, &error);
    if (!error.hint && clang_getDiagnosticNumFixIts(diagnostic) == 1) {
        const char *fix = chainsi_parse_take(reader, clang_getDiagnosticFixIt(diagnostic, 0, NULL));
        if (*fix)
            error.hint = CHAINSI_TEXT(reader, "write '%s' here", fix);
    }
    read_note(reader, diagnostic, &error);
    if (error.header != CHAINSI_NO_HEADER) {
        const chainsi_header *header = &reader->headers.items[error.header];
        unsigned end = error.offset;
        while (end < header->size && is_word(header->text[end]))
            end++;
        error.position.length = end > error.offset ? (int)(end - error.offset) : 1;
    }
    CHAINSI_MAKE_ROOM(reader, reader->errors, reader->error_count, reader->error_capacity);
    reader->errors[reader->error_count++] = error;
}

static void collect_errors(chainsi_reader *reader, CXTranslationUnit unit)
{
    for (unsigned i = 0; i < clang_getNumDiagnostics(unit); i++) {
        CXDiagnostic diagnostic = clang_getDiagnostic(unit, i);
        collect_error(reader, diagnostic);
        clang_disposeDiagnostic(diagnostic);
    }
}

void chainsi_parse_concerns(chainsi_reader *reader, chainsi_region region)
{
    if (region.header == CHAINSI_NO_HEADER)
        return;
    CHAINSI_MAKE_ROOM(reader, reader->regions, reader->region_count, reader->region_capacity);
    reader->regions[reader->region_count++] = region;
}

static bool lies_in(const chainsi_clang_error *error, const chainsi_region *region)
{
    return error->header == region->header && error->offset >= region->begin &&
           error->offset < region->end + (region->end == region->begin);
}

bool chainsi_parse_has_error(chainsi_reader *reader, chainsi_region region, bool explain)
{
    bool found = false;
    if (region.header == CHAINSI_NO_HEADER)
        return false;
    for (size_t i = 0; i < reader->error_count; i++)
        if (lies_in(&reader->errors[i], &region)) {
            found = true;
            reader->errors[i].explained |= explain;
        }
    return found;
}

/* The statements of a header that mention an entry function of a Chainlet, however broken. */
static void concern_functions(chainsi_reader *reader, size_t header, const char *name)
{
    const char *text = reader->headers.items[header].text;
    size_t size = strlen(name);
    for (const char *at = text; (at = strstr(at, name)); at += size) {
        if ((at > text && is_word(at[-1])) || at[size + strspn(at + size, " \t\n")] != '(')
            continue;
        const char *begin = at, *end = at + strcspn(at, ";{}");
        while (begin > text && !strchr(";}/", begin[-1]))
            begin--;
        chainsi_parse_concerns(reader, (chainsi_region){ header, (unsigned)(begin - text),
                                                         (unsigned)(end - text + 1) });
    }
}

/* A word for an error that may follow from a header that isn't here; else NULL. */
static const char *name_missing(chainsi_reader *reader, const chainsi_clang_error *error)
{
    const chainsi_clang_error *first = NULL;
    for (size_t i = 0; i < reader->error_count; i++) {
        const chainsi_clang_error *other = &reader->errors[i];
        if (!other->missing || other->header == CHAINSI_NO_HEADER)
            continue;
        if (other->header == error->header)
            return CHAINSI_TEXT(reader,
                                "%s (included in line %d): is the name right, and the "
                                "library that it belongs to installed?",
                                other->message, other->position.line);
        first = first ? first : other;
    }
    if (!first || !reader->headers.items[error->header].lacks_library)
        return NULL;
    return CHAINSI_TEXT(reader,
                        "%s (included in %s:%d): is the name right, and the library that it "
                        "belongs to installed?",
                        first->message, first->position.file, first->position.line);
}

/* What to write for a type that isn't known: what is misspelt, or not included; else NULL. */
static const char *name_nearest(chainsi_reader *reader, const char *quoted)
{
    const char *name = chainsi_arena_copy(reader->arena, quoted, strcspn(quoted, "'"));
    const char **known = chainsi_arena_array(reader->arena, reader->typedef_count, sizeof *known);
    size_t count = 0;
    for (size_t i = 0; i < reader->typedef_count; i++) {
        size_t header;
        CXSourceLocation location = clang_getCursorLocation(reader->typedefs[i].cursor);
        chainsi_parse_place(reader, location, &header, NULL);
        if (header != CHAINSI_NO_HEADER && !strcmp(name, reader->typedefs[i].name))
            return CHAINSI_TEXT(reader, "write '#include \"%s\"' in this header",
                                reader->headers.items[header].path);
        if (header != CHAINSI_NO_HEADER || !strncmp(reader->typedefs[i].name, "chains_", 7))
            known[count++] = reader->typedefs[i].name;
    }
    const char *nearest = chainsi_names_nearest(name, known, count);
    return nearest ? CHAINSI_TEXT(reader, "did you mean '%s'?", nearest) : NULL;
}

void chainsi_parse_report(chainsi_reader *reader)
{
    static const char *const functions[] = { "_new", "_run_remote", "_free", "_healthy",
                                             "_run_batch" };
    for (size_t i = 0; i < reader->headers.count; i++)
        for (size_t k = 0; reader->headers.items[i].lacks_library && k < reader->reading_count; k++)
            for (size_t f = 0; f < sizeof functions / sizeof *functions; f++)
                concern_functions(reader, i,
                                  CHAINSI_TEXT(reader, "%s%s", reader->readings[k].chainlet->c_name,
                                               functions[f]));
    for (size_t i = 0; i < reader->error_count; i++) {
        const chainsi_clang_error *error = &reader->errors[i];
        if (error->missing || error->explained || error->header == CHAINSI_NO_HEADER)
            continue;
        /* What isn't of the type is no constant of it, either. */
        if (i && error[-1].offset == error->offset && error[-1].header == error->header &&
            !strncmp(error->message, "initializer element is not", 26))
            continue;
        const chainsi_header *header = &reader->headers.items[error->header];
        bool reported = !error->mild && (!header->lacks_library || header->broken);
        for (size_t k = 0; k < reader->region_count && !reported; k++)
            reported = lies_in(error, &reader->regions[k]);
        if (!reported)
            continue;
        if (strstr(error->message, "redefinition") && chainsi_mistakes_guard(reader, error->header))
            continue;
        const char *hint = error->hint;
        bool unknown = !strncmp(error->message, "unknown type name '", 19);
        if (!hint && (unknown || strstr(error->message, "undeclared")))
            hint = name_missing(reader, error);
        if (!hint && unknown)
            hint = name_nearest(reader, error->message + 19);
        if (!strncmp(error->message, "initializer overrides", 21)) {
            CHAINSI_ERROR(reader, error->position, "leave one out", "this option is given twice");
            continue;
        }
        CHAINSI_ERROR(reader, error->position, hint, "%s", error->message);
    }
}

/* --- translation units */

/* Which headers lack a library's: those that include one that isn't here, and who includes them. */
static void spread_lack(chainsi_reader *reader)
{
    bool foreign = false;
    for (size_t i = 0; i < reader->error_count; i++) {
        const chainsi_clang_error *error = &reader->errors[i];
        if (!error->missing)
            continue;
        if (error->header == CHAINSI_NO_HEADER)
            foreign = true; /* an installed library's header lacks another */
        else
            reader->headers.items[error->header].lacks_library = true;
    }
    for (size_t i = 0; i < reader->headers.count && foreign; i++)
        reader->headers.items[i].lacks_library = true;
}

typedef struct inclusion_walk {
    chainsi_reader *reader;
    bool changed;
} inclusion_walk;

static void spread_over(CXFile included, CXSourceLocation *stack, unsigned depth, CXClientData data)
{
    inclusion_walk *walk = data;
    chainsi_header *headers = walk->reader->headers.items;
    size_t inner, outer;
    name_file(walk->reader, included, &inner);
    if (!depth || inner == CHAINSI_NO_HEADER || !headers[inner].lacks_library)
        return;
    chainsi_parse_place(walk->reader, stack[0], &outer, NULL);
    if (outer != CHAINSI_NO_HEADER && !headers[outer].lacks_library) {
        headers[outer].lacks_library = true;
        walk->changed = true;
    }
}

static CXTranslationUnit parse_text(chainsi_reader *reader, const char *name, const char *text,
                                    const char *const *words, size_t word_count, unsigned options)
{
    const char *arguments[MAX_ARGUMENTS];
    size_t count = 0;
    for (size_t i = 0; i < word_count; i++)
        arguments[count++] = words[i];
    arguments[count++] = "-I";
    arguments[count++] = reader->include_dir;
    for (size_t i = 0; i < reader->headers.include_dir_count && count + 2 < MAX_ARGUMENTS; i++) {
        arguments[count++] = "-I";
        arguments[count++] =
            CHAINSI_TEXT(reader, "%s/%s", reader->model->folder, reader->headers.include_dirs[i]);
    }
    struct CXUnsavedFile unsaved = { name, text, text ? strlen(text) : 0 };
    CXTranslationUnit unit = NULL;
    enum CXErrorCode code = clang_parseTranslationUnit2(
        reader->index, name, arguments, (int)count, text ? &unsaved : NULL, text ? 1 : 0,
        options | CXTranslationUnit_KeepGoing, &unit);
    return code == CXError_Success ? unit : NULL;
}

static CXTranslationUnit parse_headers(chainsi_reader *reader, size_t only, const char *more,
                                       unsigned *first_line)
{
    static const char *const words[] = { "-xc",
                                         "-std=gnu11",
                                         "-ferror-limit=0",
                                         "-Wno-everything",
                                         "-Wint-conversion",
                                         "-Wliteral-conversion",
                                         "-Wconstant-conversion",
                                         "-Wincompatible-pointer-types",
                                         "-Winitializer-overrides",
                                         "-Wexcess-initializers" };
    static const char *const strict[] = { "-xc",
                                          "-std=gnu11",
                                          "-ferror-limit=0",
                                          "-Wno-everything",
                                          "-Wliteral-conversion",
                                          "-Wconstant-conversion",
                                          "-Wint-conversion",
                                          "-Wsign-conversion",
                                          "-Wassign-enum",
                                          "-Wenum-conversion",
                                          "-Wstring-conversion",
                                          "-Wincompatible-pointer-types",
                                          "-Wexcess-initializers",
                                          "-Wbool-conversion",
                                          "-Wpointer-bool-conversion",
                                          "-Wimplicitly-unsigned-literal",
                                          "-Wincompatible-pointer-types-discards-qualifiers" };
    chainsi_buffer text = { 0 };
    unsigned line = 1;
    for (size_t i = 0; i < reader->headers.count; i++) {
        if (only != CHAINSI_NO_HEADER ? i != only : reader->headers.items[i].broken)
            continue;
        chainsi_buffer_printf(&text, "#include \"%s/%s\"\n", reader->model->folder,
                              reader->headers.items[i].path);
        if (!more && only == CHAINSI_NO_HEADER)
            chainsi_buffer_printf(&text, "extern int " SENTINEL "%zu;\n", i);
        line += more ? 1 : 2;
    }
    if (more)
        chainsi_buffer_add_text(&text, more);
    chainsi_buffer_add_byte(&text, '\0');
    const char *name = CHAINSI_TEXT(reader, "%s/" MAIN_FILE, reader->model->folder);
    CXTranslationUnit unit =
        more
            ? parse_text(reader, name, (const char *)text.data, strict,
                         sizeof strict / sizeof *strict, CXTranslationUnit_None)
            : parse_text(reader, name, (const char *)text.data, words, sizeof words / sizeof *words,
                         CXTranslationUnit_DetailedPreprocessingRecord);
    chainsi_buffer_done(&text);
    if (first_line)
        *first_line = line;
    return unit;
}

CXTranslationUnit chainsi_parse_with(chainsi_reader *reader, const char *text, unsigned *first_line)
{
    reader->file_count = 0; /* of a unit that is gone */
    return parse_headers(reader, CHAINSI_NO_HEADER, text, first_line);
}

CXTranslationUnit chainsi_parse_source(chainsi_reader *reader, const char *path,
                                       chainsi_language language)
{
    static const char *const c[] = { "-xc", "-std=gnu11", "-ferror-limit=0", "-Wno-everything" };
    static const char *const cxx[] = { "-xc++", "-std=gnu++17", "-ferror-limit=0",
                                       "-Wno-everything" };
    reader->file_count = 0;
    const char *absolute = CHAINSI_TEXT(reader, "%s/%s", reader->model->folder, path);
    return parse_text(reader, absolute, NULL, language == CHAINSI_LANGUAGE_C ? c : cxx, 4,
                      CXTranslationUnit_None);
}

/* --- what is at the top level */

typedef struct top_level {
    chainsi_reader *reader;
    bool *sound; /* by header: its sentinel was seen */
} top_level;

static void add_named(chainsi_reader *reader, chainsi_named_cursor **items, size_t *count,
                      size_t *capacity, const char *name, CXCursor cursor)
{
    if (*count == *capacity)
        *items = chainsi_reader_grow(reader, *items, *count, capacity, sizeof **items);
    (*items)[(*count)++] = (chainsi_named_cursor){ name, cursor };
}

static void note_depends(chainsi_reader *reader, const char *text, chainsi_position position,
                         void *user)
{
    (void)position;
    if (!strncmp(text, "depends:", 8))
        add_named(reader, &reader->depends, &reader->depends_count, &reader->depends_capacity,
                  text + 8, *(CXCursor *)user);
}

static enum CXChildVisitResult look_at_top(CXCursor cursor, CXCursor parent, CXClientData data)
{
    (void)parent;
    top_level *top = data;
    chainsi_reader *reader = top->reader;
    enum CXCursorKind kind = clang_getCursorKind(cursor);
    if (kind != CXCursor_FunctionDecl && kind != CXCursor_TypedefDecl && kind != CXCursor_VarDecl)
        return CXChildVisit_Continue;
    size_t header;
    chainsi_parse_place(reader, clang_getCursorLocation(cursor), &header, NULL);
    if (kind == CXCursor_VarDecl && header == CHAINSI_NO_HEADER) {
        CXString spelling = clang_getCursorSpelling(cursor);
        const char *name = clang_getCString(spelling);
        if (!strncmp(name, SENTINEL, sizeof SENTINEL - 1))
            top->sound[strtoul(name + sizeof SENTINEL - 1, NULL, 10)] = true;
        clang_disposeString(spelling);
    } else if (kind == CXCursor_VarDecl) {
        chainsi_annotation_each(reader, cursor, note_depends, &cursor);
    } else if (kind == CXCursor_TypedefDecl) {
        add_named(reader, &reader->typedefs, &reader->typedef_count, &reader->typedef_capacity,
                  chainsi_parse_take(reader, clang_getCursorSpelling(cursor)), cursor);
    } else if (header != CHAINSI_NO_HEADER) {
        add_named(reader, &reader->functions, &reader->function_count, &reader->function_capacity,
                  chainsi_parse_take(reader, clang_getCursorSpelling(cursor)), cursor);
    }
    return CXChildVisit_Continue;
}

/* Parses the sound headers; false when one turned out not to be. */
static bool parse_once(chainsi_reader *reader)
{
    if (reader->unit)
        clang_disposeTranslationUnit(reader->unit);
    reader->file_count = reader->function_count = reader->typedef_count = reader->depends_count = 0;
    reader->unit = parse_headers(reader, CHAINSI_NO_HEADER, NULL, NULL);
    if (!reader->unit)
        return true;
    top_level top = { reader, chainsi_arena_array(reader->arena, reader->headers.count + 1, 1) };
    clang_visitChildren(clang_getTranslationUnitCursor(reader->unit), look_at_top, &top);
    for (size_t i = 0; i < reader->headers.count; i++) {
        chainsi_header *header = &reader->headers.items[i];
        if (top.sound[i] || header->broken)
            continue;
        header->broken = true; /* the first one; those after it may only suffer from it */
        CXTranslationUnit alone = parse_headers(reader, i, NULL, NULL);
        if (alone) {
            size_t before = reader->error_count;
            collect_errors(reader, alone);
            for (size_t k = before; k < reader->error_count;
                 k++) /* an end of file is in our text */
                if (reader->errors[k].header == CHAINSI_NO_HEADER &&
                    reader->errors[k].position.file &&
                    strstr(reader->errors[k].position.file, MAIN_FILE))
                    move_to_end(reader, &reader->errors[k], i);
            clang_disposeTranslationUnit(alone);
        }
        return false;
    }
    return true;
}

bool chainsi_parse(chainsi_reader *reader)
{
    while (!parse_once(reader))
        ;
    if (!reader->unit) {
        CHAINSI_ERROR(reader, (chainsi_position){ 0 }, "is libclang installed completely?",
                      "libclang can't read the headers of %s", reader->model->folder);
        return false;
    }
    collect_errors(reader, reader->unit);
    spread_lack(reader);
    inclusion_walk walk = { reader, true };
    while (walk.changed) {
        walk.changed = false;
        clang_getInclusions(reader->unit, spread_over, &walk);
    }
    return true;
}
