/* What the files that read a chain's headers share: the state of one reading, and what each file
 * does for the others. Nothing of this outlives chainsi_model_read; only the model does.
 *
 * The order of a reading (read.c): find the headers, parse them as one translation unit, collect
 * Chainlets, read configs, methods and the types that they mention, evaluate defaults and limits in
 * a second translation unit, then check what concerns several Chainlets, and the sources. Every
 * step reports what it finds and goes on. */
#ifndef CHAINSI_COMPILER_READER_H
#define CHAINSI_COMPILER_READER_H

#include <clang-c/Index.h>

#include "compiler/find.h"
#include "compiler/model.h"
#include "compiler/names.h"

/* An error of clang's, kept until it is known whether it concerns the interface. */
typedef struct chainsi_clang_error {
    chainsi_position position;
    unsigned offset; /* in the file, bytes */
    size_t header;   /* whose file it is in: index of the header; SIZE_MAX: none of the chain's */
    const char *message;
    const char *hint; /* or NULL */
    bool missing;     /* a header that isn't here */
    bool mild;        /* clang only warns: it counts where options are */
    bool explained;   /* we said it in our own words, or it follows from what we said */
} chainsi_clang_error;

/* A piece of a header that belongs to the interface: clang's errors in it are always reported. */
typedef struct chainsi_region {
    size_t header;
    unsigned begin, end; /* offsets, bytes; end is past the last */
} chainsi_region;

/* A declaration at the top level of one of the chain's headers, or of anything that they include. */
typedef struct chainsi_named_cursor {
    const char *name;
    CXCursor cursor;
} chainsi_named_cursor;

/* What a text that is to be evaluated says. */
typedef enum chainsi_text_kind {
    CHAINSI_TEXT_DEFAULT,
    CHAINSI_TEXT_RANGE,
    CHAINSI_TEXT_LENGTH,
    CHAINSI_TEXT_ONE_OF
} chainsi_text_kind;

/* A field whose default or limits are to be evaluated once all types are known. */
typedef struct chainsi_pending {
    chainsi_model_field *field;
    chainsi_text_kind kind;
    const char *spelled; /* the field's type, as the author wrote it */
    bool failed;         /* something about it was reported */
} chainsi_pending;

/* A Chainlet while it is read, with the cursors behind it. */
typedef struct chainsi_reading {
    chainsi_model_chainlet *chainlet; /* in the model */
    size_t header;                    /* index */
    CXCursor declaration, config;     /* config: null if it couldn't be read */
    chainsi_position macro;           /* of the CHAINLET line's first word */
    bool duplicate;                   /* another one of the same C name came first */
} chainsi_reading;

typedef struct chainsi_reader {
    chainsi_model *model;
    chainsi_arena *arena; /* the model's */
    chainsi_diagnostics *diagnostics;
    const chainsi_model_options *options;
    const char *include_dir; /* of chains.h, absolute */
    chainsi_headers headers;

    CXIndex index;
    CXTranslationUnit unit;

    struct {
        CXFile file;
        size_t header;    /* SIZE_MAX: none of the chain's */
        const char *path; /* as positions name it */
    } * files;            /* those met so far */
    size_t file_count, file_capacity;

    chainsi_clang_error *errors;
    size_t error_count, error_capacity;
    chainsi_region *regions;
    size_t region_count, region_capacity;

    chainsi_named_cursor *functions; /* of the chain's headers */
    size_t function_count, function_capacity;
    chainsi_named_cursor *typedefs; /* everywhere */
    size_t typedef_count, typedef_capacity;
    chainsi_named_cursor *depends; /* the variables of CHAINS_DEPENDS; name is "caller:callee" */
    size_t depends_count, depends_capacity;

    chainsi_reading *readings;
    size_t reading_count, reading_capacity;
    struct chainsi_known_type *types; /* types.h */
    size_t type_count, type_capacity;
    chainsi_pending *pending;
    size_t pending_count, pending_capacity;
} chainsi_reader;

/* Room for one more item behind count items of a growing list in the arena. */
#define CHAINSI_MAKE_ROOM(reader, items, count, capacity)                                          \
    ((count) < (capacity) ? (void)0                                                                \
                          : (void)((items) = chainsi_reader_grow((reader), (items), (count),       \
                                                                 &(capacity), sizeof *(items))))
void *chainsi_reader_grow(chainsi_reader *reader, const void *items, size_t count, size_t *capacity,
                          size_t item_size);

#define CHAINSI_NO_HEADER SIZE_MAX

/* Adds an error; hint may be NULL. */
#define CHAINSI_ERROR(reader, position, hint, ...)                                                 \
    chainsi_diagnostics_add((reader)->diagnostics, CHAINSI_SEVERITY_ERROR, (position), (hint),     \
                            __VA_ARGS__)
#define CHAINSI_WARNING(reader, position, hint, ...)                                               \
    chainsi_diagnostics_add((reader)->diagnostics, CHAINSI_SEVERITY_WARNING, (position), (hint),   \
                            __VA_ARGS__)
/* A text in the model's arena. */
#define CHAINSI_TEXT(reader, ...) chainsi_arena_printf((reader)->arena, __VA_ARGS__)

/* --- parse.c */

/* Parses all headers as one translation unit and fills errors, functions, typedefs and depends.
 * False if libclang fails altogether, which it reports. */
bool chainsi_parse(chainsi_reader *reader);
/* Parses text, after all sound headers, as a translation unit of its own; *first_line is the line
 * of text's first line. The caller disposes of it; NULL on failure. */
CXTranslationUnit chainsi_parse_with(chainsi_reader *reader, const char *text,
                                     unsigned *first_line);
/* Parses one file alone in its own language. NULL on failure. The caller disposes of it. */
CXTranslationUnit chainsi_parse_source(chainsi_reader *reader, const char *path,
                                       chainsi_language language);
/* Reports clang's errors that concern the interface, and all those of headers that lack nothing. */
void chainsi_parse_report(chainsi_reader *reader);
/* Takes a CXString over: its text in the arena. */
const char *chainsi_parse_take(chainsi_reader *reader, CXString string);
/* The place of a location, where it was written; length 1. *header and *offset may be NULL. */
chainsi_position chainsi_parse_place(chainsi_reader *reader, CXSourceLocation location,
                                     size_t *header, unsigned *offset);
/* The place of a cursor's name, with its length. */
chainsi_position chainsi_parse_position(chainsi_reader *reader, CXCursor cursor);
/* Where a cursor's extent lies; header is CHAINSI_NO_HEADER outside of the chain's headers. */
chainsi_region chainsi_parse_region(chainsi_reader *reader, CXCursor cursor);
/* Marks a region as part of the interface. */
void chainsi_parse_concerns(chainsi_reader *reader, chainsi_region region);
/* Does clang report an error in the region? explain: we say it in our own words instead. */
bool chainsi_parse_has_error(chainsi_reader *reader, chainsi_region region, bool explain);
/* The place in the middle of a header's text, for offsets found by looking at text. */
chainsi_position chainsi_parse_at(chainsi_reader *reader, size_t header, size_t offset, int length);

/* --- mistakes.c */

/* Reports macros of ours that are misspelt, in place of what clang makes of them. */
void chainsi_mistakes_macros(chainsi_reader *reader);
/* Reports a header that was read twice because it has no include guard. False: it has one. */
bool chainsi_mistakes_guard(chainsi_reader *reader, size_t header);

/* --- comment.c */

/* The doc comment before offset in a header's text (or after the end of a field or enumerator: its
 * "less than" form), without its stars; NULL. */
const char *chainsi_comment_before(chainsi_reader *reader, size_t header, unsigned offset);
const char *chainsi_comment_after(chainsi_reader *reader, size_t header, unsigned end);
/* What a comment says above its first command, as one text; NULL if that is empty. */
const char *chainsi_comment_summary(chainsi_reader *reader, const char *comment);
/* What a comment says of a parameter; NULL. */
const char *chainsi_comment_parameter(chainsi_reader *reader, const char *comment,
                                      const char *name);
/* The i-th parameter that a comment talks about; NULL past the last. */
const char *chainsi_comment_parameter_name(chainsi_reader *reader, const char *comment, size_t i);

/* --- annotation.c */

/* Calls visit with the text after "chains:" of every annotation of a declaration. */
typedef void chainsi_on_annotation(chainsi_reader *reader, const char *text,
                                   chainsi_position position, void *user);
void chainsi_annotation_each(chainsi_reader *reader, CXCursor cursor, chainsi_on_annotation *visit,
                             void *user);
/* Has the declaration the annotation of exactly this text? */
bool chainsi_annotation_has(chainsi_reader *reader, CXCursor cursor, const char *text);
/* The same, but not by inheritance: clang gives a repeated typedef the annotations of the first. */
bool chainsi_annotation_has_own(chainsi_reader *reader, CXCursor cursor, const char *text);
/* Where a field (or parameter) stands: what may be said about it depends on it. */
typedef enum chainsi_place { CHAINSI_IN_STRUCT, CHAINSI_IN_INPUT, CHAINSI_IN_OUTPUT } chainsi_place;
/* Reads the annotations of a field or parameter into field, whose names and position are set. The
 * type comes later: chainsi_annotation_check looks whether they may be there. */
void chainsi_annotation_read(chainsi_reader *reader, CXCursor cursor, chainsi_model_field *field);
void chainsi_annotation_check(chainsi_reader *reader, chainsi_model_field *field, CXType type,
                              chainsi_place place);
/* The name in a CHAINS_NAME, a C string literal; NULL after a diagnostic if it is none. */
const char *chainsi_annotation_name(chainsi_reader *reader, const char *text,
                                    chainsi_position position);

/* --- types.c */

/* Who needs a type, for messages about it. */
typedef struct chainsi_type_use {
    const char *what;          /* the field, parameter or list: "samples" */
    bool item;                 /* an item of what, not what itself */
    bool output;               /* what an output points to */
    const char *spelled;       /* the type as the author wrote it, where it isn't the one at hand */
    chainsi_position position; /* of its name */
    bool optional;             /* CHAINS_OPTIONAL stands there */
    bool parameter;            /* of a method, not a field or item */
    const char *unnamed;       /* how C spells the type if it has no name; NULL */
} chainsi_type_use;

/* The model's type for a C type; NULL after a diagnostic if it can't travel. */
const chainsi_model_type *chainsi_types_get(chainsi_reader *reader, CXType type,
                                            const chainsi_type_use *use);
/* The declaration behind a type that is a struct with the annotation "list", "map" or "stream". */
bool chainsi_types_is(chainsi_reader *reader, CXType type, const char *annotation);
/* The Chainlet that a type is; NULL. */
const chainsi_reading *chainsi_types_chainlet(chainsi_reader *reader, CXType type);
/* The item of a CHAINS_STREAM type; NULL after a diagnostic. */
const chainsi_model_type *chainsi_types_stream_item(chainsi_reader *reader, CXType type,
                                                    const chainsi_type_use *use);
/* A type as C spells it, without const in front. */
const char *chainsi_types_spell(chainsi_reader *reader, CXType type);
/* The ready list of a kind: "chains_float_list"; NULL where there is none. */
const char *chainsi_types_ready_list(chainsi_kind kind);
/* Gives the model its list of types. */
void chainsi_types_finish(chainsi_reader *reader);

/* --- chainlet.c: collecting Chainlets; method.c: their functions; config.c: their options */

void chainsi_chainlets_collect(chainsi_reader *reader);
void chainsi_method_read(chainsi_reader *reader, chainsi_reading *reading);
void chainsi_config_read(chainsi_reader *reader, chainsi_reading *reading);
/* The options of a dependency, and their checks; false if there is no CHAINS_DEPENDS. */
bool chainsi_config_depends(chainsi_reader *reader, const chainsi_model_chainlet *caller,
                            const chainsi_model_chainlet *callee, chains_depends_config *options);

/* --- limits.c: defaults and limits */

void chainsi_limits_evaluate(chainsi_reader *reader);

/* --- fingerprint.c */

uint64_t chainsi_fingerprint(const chainsi_model_chainlet *chainlet);

/* --- check.c: what concerns several Chainlets; order.c: cycles and order; check_source.c */

void chainsi_check_chain(chainsi_reader *reader);
void chainsi_order_chainlets(chainsi_reader *reader);
void chainsi_check_sources(chainsi_reader *reader);

#endif
