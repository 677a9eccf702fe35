/* What CHAINS_DEFAULT, CHAINS_RANGE and the others say. They arrive as annotations whose text begins
 * with "chains:". */
#include "compiler/reader.h"

#include <string.h>

typedef struct annotation_walk {
    chainsi_reader *reader;
    chainsi_on_annotation *visit;
    void *user;
} annotation_walk;

static enum CXChildVisitResult look_at_attribute(CXCursor cursor, CXCursor parent,
                                                 CXClientData data)
{
    (void)parent;
    annotation_walk *walk = data;
    if (clang_getCursorKind(cursor) != CXCursor_AnnotateAttr)
        return CXChildVisit_Continue;
    CXString spelling = clang_getCursorSpelling(cursor);
    const char *text = clang_getCString(spelling);
    if (text && !strncmp(text, "chains:", 7)) {
        unsigned begin, end;
        CXSourceRange extent = clang_getCursorExtent(cursor);
        chainsi_position position =
            chainsi_parse_place(walk->reader, clang_getRangeStart(extent), NULL, &begin);
        chainsi_parse_place(walk->reader, clang_getRangeEnd(extent), NULL, &end);
        position.length = end > begin ? (int)(end - begin) : 1;
        const char *copy = chainsi_arena_strdup(walk->reader->arena, text + 7);
        clang_disposeString(spelling);
        walk->visit(walk->reader, copy, position, walk->user);
        return CXChildVisit_Continue;
    }
    clang_disposeString(spelling);
    return CXChildVisit_Continue;
}

void chainsi_annotation_each(chainsi_reader *reader, CXCursor cursor, chainsi_on_annotation *visit,
                             void *user)
{
    annotation_walk walk = { reader, visit, user };
    clang_visitChildren(cursor, look_at_attribute, &walk);
}

typedef struct annotation_search {
    const char *text;
    const chainsi_position *begin; /* of the declaration; NULL: anywhere */
    bool found;
} annotation_search;

static void compare_annotation(chainsi_reader *reader, const char *text, chainsi_position position,
                               void *user)
{
    (void)reader;
    annotation_search *search = user;
    if (search->begin &&
        (position.line != search->begin->line || position.column != search->begin->column ||
         !position.file || strcmp(position.file, search->begin->file) != 0))
        return;
    search->found |= !strcmp(search->text, text);
}

bool chainsi_annotation_has(chainsi_reader *reader, CXCursor cursor, const char *text)
{
    annotation_search search = { text, NULL, false };
    chainsi_annotation_each(reader, cursor, compare_annotation, &search);
    return search.found;
}

bool chainsi_annotation_has_own(chainsi_reader *reader, CXCursor cursor, const char *text)
{
    CXSourceLocation begin = clang_getRangeStart(clang_getCursorExtent(cursor));
    chainsi_position position = chainsi_parse_place(reader, begin, NULL, NULL);
    annotation_search search = { text, &position, false };
    if (position.file)
        chainsi_annotation_each(reader, cursor, compare_annotation, &search);
    return search.found;
}

/* The digits of an escape in C, and their value; the number of characters read. */
static size_t read_escape(const char *text, unsigned *value)
{
    static const char plain[] = "n\nt\tr\ra\ab\bf\fv\v\\\\\"\"''?\?";
    for (size_t i = 0; plain[i]; i += 2)
        if (*text == plain[i]) {
            *value = (unsigned char)plain[i + 1];
            return 1;
        }
    size_t size = 0;
    *value = 0;
    for (; size < 3 && text[size] >= '0' && text[size] <= '7'; size++)
        *value = *value * 8 + (unsigned)(text[size] - '0');
    return size;
}

const char *chainsi_annotation_name(chainsi_reader *reader, const char *text,
                                    chainsi_position position)
{
    size_t size = strlen(text);
    char *name = chainsi_arena_alloc(reader->arena, size + 1);
    size_t count = 0;
    bool good = size > 2 && text[0] == '"' && text[size - 1] == '"', writable = true;
    for (size_t i = 1; good && i < size - 1; i++) {
        unsigned value = (unsigned char)text[i];
        if (text[i] == '\\') {
            size_t used = read_escape(text + i + 1, &value);
            good = used && value && value < 128;
            i += used;
        } else if (text[i] == '"') {
            good = false;
        }
        /* The codecs write names as they are. */
        writable = writable && value >= 0x20 && value != 0x7f && value != '"' && value != '\\';
        name[count++] = (char)value;
    }
    if (good && writable)
        return name;
    if (good) {
        CHAINSI_ERROR(reader, position, "use other characters",
                      "the name %s has a quote, a backslash or a control character", text);
        return NULL;
    }
    CHAINSI_ERROR(reader, position, "write one plain text, such as CHAINS_NAME(\"topK\")",
                  "the name %s is not a plain text", size ? text : "\"\"");
    return NULL;
}

static void read_annotation(chainsi_reader *reader, const char *text, chainsi_position position,
                            void *user)
{
    chainsi_model_field *field = user;
    const char *colon = strchr(text, ':');
    struct {
        const char *word, *macro;
        chainsi_model_text *text;
    } known[] = {
        { "default", "CHAINS_DEFAULT", &field->default_text },
        { "range", "CHAINS_RANGE", &field->range_text },
        { "length", "CHAINS_LENGTH", &field->length_text },
        { "one_of", "CHAINS_ONE_OF", &field->one_of_text },
    };
    if (!strcmp(text, "optional")) {
        if (field->optional)
            CHAINSI_ERROR(reader, position, "leave one out", "CHAINS_OPTIONAL stands here twice");
        field->optional = true;
        return;
    }
    if (!colon)
        return;
    if (!strncmp(text, "name:", 5)) {
        const char *name = chainsi_annotation_name(reader, colon + 1, position);
        if (name)
            field->wire_name = name;
        return;
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if ((size_t)(colon - text) != strlen(known[i].word) ||
            strncmp(text, known[i].word, strlen(known[i].word)))
            continue;
        if (known[i].text->text) {
            CHAINSI_ERROR(reader, position, "leave one out", "%s stands here twice",
                          known[i].macro);
            return;
        }
        *known[i].text = (chainsi_model_text){ colon + 1, position };
        if (!colon[1]) {
            CHAINSI_ERROR(reader, position, "write the value between the parentheses",
                          "%s says nothing", known[i].macro);
            known[i].text->text = NULL;
        }
    }
}

void chainsi_annotation_read(chainsi_reader *reader, CXCursor cursor, chainsi_model_field *field)
{
    chainsi_annotation_each(reader, cursor, read_annotation, field);
}

static bool is_number(chainsi_kind kind)
{
    return kind >= CHAINSI_INT8 && kind <= CHAINSI_DOUBLE;
}

static bool has_length(chainsi_kind kind)
{
    return kind == CHAINSI_STRING || kind == CHAINSI_BYTES || kind == CHAINSI_LIST ||
           kind == CHAINSI_MAP;
}

/* What limits act on: behind `const int *` the int. */
static const chainsi_model_type *limited_type(const chainsi_model_type *type)
{
    return type->kind == CHAINSI_POINTER ? type->item : type;
}

static void await(chainsi_reader *reader, chainsi_model_field *field, const char *spelled,
                  chainsi_text_kind kind, chainsi_model_text *text, bool fits, const char *macro,
                  const char *fitting)
{
    if (!text->text)
        return;
    if (!fits) {
        CHAINSI_ERROR(reader, text->position, CHAINSI_TEXT(reader, "%s", fitting),
                      "%s doesn't apply to '%s', which is '%s'", macro, field->c_name, spelled);
        text->text = NULL;
        return;
    }
    CHAINSI_MAKE_ROOM(reader, reader->pending, reader->pending_count, reader->pending_capacity);
    reader->pending[reader->pending_count++] = (chainsi_pending){ field, kind, spelled, false };
}

void chainsi_annotation_check(chainsi_reader *reader, chainsi_model_field *field, CXType type,
                              chainsi_place place)
{
    if (!field->type)
        return;
    const char *spelled = chainsi_types_spell(reader, type);
    chainsi_kind kind = limited_type(field->type)->kind;
    if (field->optional && field->type->kind != CHAINSI_STRING &&
        field->type->kind != CHAINSI_POINTER && field->type->kind != CHAINSI_BYTES &&
        field->type->kind != CHAINSI_JSON) {
        const char *hint =
            place == CHAINSI_IN_OUTPUT
                ? CHAINSI_TEXT(reader, "write 'const %s **%s CHAINS_OPTIONAL'", spelled,
                               field->c_name)
                : CHAINSI_TEXT(reader,
                               "make it a pointer, 'const %s *%s CHAINS_OPTIONAL', or give it "
                               "a value with CHAINS_DEFAULT",
                               spelled, field->c_name);
        CHAINSI_ERROR(
            reader, field->position, hint,
            "'%s' is '%s', which can't be absent: CHAINS_OPTIONAL is for pointers and text",
            field->c_name, spelled);
        field->optional = false;
    }
    if (place == CHAINSI_IN_OUTPUT && field->default_text.text) {
        CHAINSI_ERROR(reader, field->default_text.position, "leave it out",
                      "'%s' is an output: only what comes in can be left out and have a default",
                      field->c_name);
        field->default_text.text = NULL;
    }
    if (field->optional && field->default_text.text) {
        CHAINSI_ERROR(reader, field->default_text.position,
                      "leave one of them out: what has a default is never absent",
                      "'%s' has a default and is optional", field->c_name);
        field->default_text.text = NULL;
    }
    await(reader, field, spelled, CHAINSI_TEXT_RANGE, &field->range_text, is_number(kind),
          "CHAINS_RANGE",
          has_length(kind) ? "it is for numbers; for this there is CHAINS_LENGTH"
                           : "it is for numbers");
    await(reader, field, spelled, CHAINSI_TEXT_LENGTH, &field->length_text, has_length(kind),
          "CHAINS_LENGTH",
          is_number(kind) ? "it is for text, bytes, lists and maps; for numbers there is "
                            "CHAINS_RANGE"
                          : "it is for text, bytes, lists and maps");
    await(reader, field, spelled, CHAINSI_TEXT_ONE_OF, &field->one_of_text,
          is_number(kind) || kind == CHAINSI_STRING, "CHAINS_ONE_OF", "it is for text and numbers");
    await(reader, field, spelled, CHAINSI_TEXT_DEFAULT, &field->default_text, true, "", "");
}
