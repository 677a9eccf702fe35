/* Collecting the Chainlets of a chain: every typedef that CHAINLET or CHAINLET_EXTERNAL made in one
 * of its headers. */
#include "compiler/reader.h"

#include <string.h>

typedef struct config_search {
    const char *name;
    CXCursor found;
} config_search;

static enum CXChildVisitResult look_for_config(CXCursor cursor, CXCursor parent, CXClientData data)
{
    (void)parent;
    config_search *search = data;
    if (clang_getCursorKind(cursor) != CXCursor_VarDecl)
        return CXChildVisit_Continue;
    CXString spelling = clang_getCursorSpelling(cursor);
    bool same = !strcmp(clang_getCString(spelling), search->name);
    clang_disposeString(spelling);
    if (!same)
        return CXChildVisit_Continue;
    search->found = cursor;
    return CXChildVisit_Break;
}

static CXCursor find_config(chainsi_reader *reader, const char *name)
{
    config_search search = { CHAINSI_TEXT(reader, "%s_config_", name), clang_getNullCursor() };
    clang_visitChildren(clang_getTranslationUnitCursor(reader->unit), look_for_config, &search);
    return search.found;
}

/* The Chainlet that was declared before under the same C name. */
static const chainsi_reading *find_earlier(const chainsi_reader *reader, const char *name)
{
    for (size_t i = 0; i < reader->reading_count; i++)
        if (!reader->readings[i].duplicate && !strcmp(reader->readings[i].chainlet->c_name, name))
            return &reader->readings[i];
    return NULL;
}

static void add_chainlet(chainsi_reader *reader, const chainsi_named_cursor *typedef_,
                         bool external)
{
    chainsi_position position = chainsi_parse_position(reader, typedef_->cursor);
    size_t header;
    unsigned offset;
    CXSourceRange extent = clang_getCursorExtent(typedef_->cursor);
    chainsi_position macro =
        chainsi_parse_place(reader, clang_getRangeStart(extent), &header, &offset);
    if (header == CHAINSI_NO_HEADER)
        return;
    const chainsi_header *file = &reader->headers.items[header];
    macro.length = external ? (int)strlen("CHAINLET_EXTERNAL") : (int)strlen("CHAINLET");
    chainsi_model_chainlet *chainlet = chainsi_arena_alloc(reader->arena, sizeof *chainlet);
    *chainlet = (chainsi_model_chainlet){
        .c_name = typedef_->name,
        .wire_name = typedef_->name,
        .external = external,
        .doc = chainsi_comment_summary(reader, chainsi_comment_before(reader, header, offset)),
        .header = file->path,
        .source = external ? NULL : file->source,
        .language = external ? CHAINSI_LANGUAGE_NONE : file->language,
        .position = position,
    };
    chainsi_reading reading = { .chainlet = chainlet,
                                .header = header,
                                .declaration = typedef_->cursor,
                                .config = clang_getNullCursor(),
                                .macro = macro };
    const chainsi_reading *earlier = find_earlier(reader, typedef_->name);
    if (earlier) {
        const chainsi_position *first = &earlier->chainlet->position;
        bool same = first->line == position.line && !strcmp(first->file, position.file);
        if (!same || !chainsi_mistakes_guard(reader, header))
            CHAINSI_ERROR(reader, position,
                          CHAINSI_TEXT(reader,
                                       "give one of them another name; the other is in %s:%d",
                                       first->file, first->line),
                          "there are two Chainlets called '%s'", typedef_->name);
        reading.duplicate = true;
    } else {
        reading.config = find_config(reader, typedef_->name);
    }
    /* The options are part of the interface: the whole macro is, up to its closing parenthesis. */
    CXCursor whole = clang_Cursor_isNull(reading.config) ? typedef_->cursor : reading.config;
    chainsi_region region = chainsi_parse_region(reader, whole);
    chainsi_parse_concerns(reader, region);
    CHAINSI_MAKE_ROOM(reader, reader->readings, reader->reading_count, reader->reading_capacity);
    reader->readings[reader->reading_count++] = reading;
}

void chainsi_chainlets_collect(chainsi_reader *reader)
{
    for (size_t i = 0; i < reader->typedef_count; i++) {
        const chainsi_named_cursor *item = &reader->typedefs[i];
        size_t header;
        chainsi_parse_place(reader, clang_getCursorLocation(item->cursor), &header, NULL);
        if (header == CHAINSI_NO_HEADER)
            continue;
        if (chainsi_annotation_has_own(reader, item->cursor, "chainlet"))
            add_chainlet(reader, item, false);
        else if (chainsi_annotation_has_own(reader, item->cursor, "external"))
            add_chainlet(reader, item, true);
    }
    for (size_t i = 0; i < reader->error_count; i++) { /* we say it, of the name */
        chainsi_clang_error *error = &reader->errors[i];
        if (!strncmp(error->message, "redefinition of '", 17) &&
            (strstr(error->message, "_config_'") || strstr(error->message, "_depends_'")))
            error->explained = true;
    }
    for (size_t i = 0; i < reader->depends_count; i++)
        chainsi_parse_concerns(reader, chainsi_parse_region(reader, reader->depends[i].cursor));
}
