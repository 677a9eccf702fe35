/* A text is a row of pieces: characters, each with its columns, and escapes for what isn't shown. */
#include "base/terminal.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Whether the locale has UTF-8, or doesn't say what it has. */
static bool has_unicode(void)
{
    static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *locale = getenv(names[i]);
        if (!locale || !*locale)
            continue;
        const char *set = strchr(locale, '.');
        return !set || strncasecmp(set, ".utf-8", 6) == 0 || strncasecmp(set, ".utf8", 5) == 0;
    }
    return true;
}

chainsi_terminal chainsi_terminal_of(int fd)
{
    const char *no_color = getenv("NO_COLOR"), *kind = getenv("TERM");
    struct winsize size;
    chainsi_terminal terminal = { .there = isatty(fd) == 1, .unicode = has_unicode() };
    terminal.moves = terminal.there && kind && *kind && strcmp(kind, "dumb") != 0;
    terminal.color = terminal.moves && (!no_color || !*no_color);
    if (terminal.there && ioctl(fd, TIOCGWINSZ, &size) == 0) {
        terminal.columns = size.ws_col;
        terminal.rows = size.ws_row;
    }
    return terminal;
}

/* ------------------------------------------------------------------------------------------------
 * pieces */

typedef struct piece {
    size_t size; /* bytes of the text that it stands for */
    size_t columns;
    char escape[16]; /* what is shown instead; "": those bytes */
} piece;

/* Decodes the character at text. Returns its size; 0: that is no UTF-8. */
static size_t decode(const char *text, size_t size, uint32_t *point)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    const unsigned char *at = (const unsigned char *)text;
    const size_t length = at[0] < 0x80             ? 1
                          : (at[0] & 0xe0) == 0xc0 ? 2
                          : (at[0] & 0xf0) == 0xe0 ? 3
                          : (at[0] & 0xf8) == 0xf0 ? 4
                                                   : 0;
    if (!length || length > size)
        return 0;
    *point = length == 1 ? at[0] : at[0] & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        *point = *point << 6 | (at[i] & 0x3f);
    }
    const bool valid =
        *point >= least[length] && *point < 0x110000 && (*point < 0xd800 || *point > 0xdfff);
    return valid ? length : 0;
}

typedef struct range {
    uint32_t first, last;
} range;

static bool is_in(uint32_t point, const range *ranges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ranges[i].first <= point && point <= ranges[i].last)
            return true;
    return false;
}

#define IS_IN(point, ranges) is_in(point, ranges, sizeof(ranges) / sizeof *(ranges))

/* What turns or hides what is beside it: marks and overrides of direction, line separators, characters without a form. */
static const range hidden[] = {
    { 0x80, 0x9f },     { 0xad, 0xad },     { 0x61c, 0x61c },     { 0x180e, 0x180e },
    { 0x200b, 0x200b }, { 0x200e, 0x200f }, { 0x2028, 0x202e },   { 0x2060, 0x206f },
    { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe0fff },
};
static const range combining[] = {
    { 0x300, 0x36f },   { 0x483, 0x489 },   { 0x591, 0x5bd },   { 0x610, 0x61a },
    { 0x64b, 0x65f },   { 0x900, 0x902 },   { 0x93c, 0x93c },   { 0x941, 0x948 },
    { 0xe31, 0xe31 },   { 0xe34, 0xe3a },   { 0xe47, 0xe4e },   { 0x1ab0, 0x1aff },
    { 0x1dc0, 0x1dff }, { 0x200c, 0x200d }, { 0x20d0, 0x20ff }, { 0xfe00, 0xfe0f },
    { 0xfe20, 0xfe2f },
};
static const range wide[] = {
    { 0x1100, 0x115f },   { 0x2e80, 0x303e },   { 0x3041, 0xa4cf },   { 0xa960, 0xa97f },
    { 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },   { 0xfe30, 0xfe6f },   { 0xff00, 0xff60 },
    { 0xffe0, 0xffe6 },   { 0x1f300, 0x1f64f }, { 0x1f680, 0x1f6ff }, { 0x1f900, 0x1f9ff },
    { 0x1fa70, 0x1faff }, { 0x20000, 0x3fffd },
};

/* The first piece of a text that isn't empty. */
static piece take(const char *text, size_t size)
{
    uint32_t point = 0;
    piece it = { .size = decode(text, size, &point), .columns = 1 };
    if (!it.size) {
        it.size = 1;
        snprintf(it.escape, sizeof it.escape, "\\x%02x", (unsigned char)*text);
    } else if (point == '\n' || point == '\t') {
        snprintf(it.escape, sizeof it.escape, "\\%c", point == '\n' ? 'n' : 't');
    } else if (point < 0x20 || (point >= 0x7f && point < 0xa0)) {
        snprintf(it.escape, sizeof it.escape, "\\x%02x", point);
    } else if (point >= 0xa0 && IS_IN(point, hidden)) {
        snprintf(it.escape, sizeof it.escape, "\\u%04x", point);
    } else if (point >= 0x300) {
        it.columns = IS_IN(point, combining) ? 0 : IS_IN(point, wide) ? 2 : 1;
    }
    if (*it.escape)
        it.columns = strlen(it.escape);
    return it;
}

static void add_piece(chainsi_buffer *out, const piece *it, const char *text)
{
    if (*it->escape)
        chainsi_buffer_add_text(out, it->escape);
    else
        chainsi_buffer_add(out, text, it->size);
}

/* A piece as JSON escapes it: the code point, in two halves where it is a large one. */
static void escape_json(piece *it, const char *text)
{
    uint32_t point = (unsigned char)*text;
    decode(text, it->size, &point);
    if (point < 0x10000)
        snprintf(it->escape, sizeof it->escape, "\\u%04x", point & 0xffff);
    else
        snprintf(it->escape, sizeof it->escape, "\\u%04x\\u%04x",
                 0xd800 + ((point - 0x10000) >> 10 & 0x3ff), 0xdc00 + (point & 0x3ff));
}

void chainsi_text_add(chainsi_buffer *out, const char *text, size_t size, chainsi_text_form form)
{
    for (size_t at = 0; at < size;) {
        piece it = take(text + at, size - at);
        if (form != CHAINSI_TEXT_LINE && (text[at] == '\n' || text[at] == '\t'))
            it.escape[0] = 0;
        else if (form == CHAINSI_TEXT_JSON && *it.escape)
            escape_json(&it, text + at);
        add_piece(out, &it, text + at);
        at += it.size;
    }
}

const char *chainsi_text_shown(chainsi_arena *arena, const char *text)
{
    chainsi_buffer out = { 0 };
    chainsi_text_add(&out, text ? text : "", text ? strlen(text) : 0, CHAINSI_TEXT_LINE);
    const char *copy = out.size ? chainsi_arena_copy(arena, out.data, out.size) : "";
    chainsi_buffer_done(&out);
    return copy;
}

static void write_in_form(FILE *out, const char *text, size_t size, chainsi_text_form form)
{
    chainsi_buffer shown = { 0 };
    chainsi_text_add(&shown, text, size, form);
    fwrite(shown.data ? shown.data : (uint8_t *)"", 1, shown.size, out);
    chainsi_buffer_done(&shown);
}

void chainsi_text_print(FILE *out, const char *text)
{
    write_in_form(out, text, strlen(text), CHAINSI_TEXT_LINE);
}

void chainsi_text_write(FILE *out, const char *text, size_t size, chainsi_text_form form)
{
    if (isatty(fileno(out)) == 1)
        write_in_form(out, text, size, form);
    else if (size)
        fwrite(text, 1, size, out);
}

size_t chainsi_text_whole(const char *text, size_t size)
{
    for (size_t back = 1; back <= 3 && back <= size; back++) {
        const unsigned char c = (unsigned char)text[size - back];
        const size_t length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
        if ((c & 0xc0) != 0x80)
            return length > back ? size - back : size;
    }
    return size;
}

size_t chainsi_text_columns(const char *text)
{
    const size_t size = strlen(text);
    size_t columns = 0;
    for (size_t at = 0; at < size;) {
        const piece it = take(text + at, size - at);
        columns += it.columns;
        at += it.size;
    }
    return columns;
}

/* Appends as much as there is room for. Returns the columns that it took. */
static size_t add_cut(chainsi_buffer *out, const char *text, size_t columns, bool unicode)
{
    const size_t width = chainsi_text_columns(text), size = strlen(text);
    const size_t room = width <= columns ? columns : columns ? columns - 1 : 0;
    size_t used = 0;
    for (size_t at = 0; at < size;) {
        const piece it = take(text + at, size - at);
        if (used + it.columns > room)
            break;
        add_piece(out, &it, text + at);
        used += it.columns;
        at += it.size;
    }
    if (width > columns && columns) {
        chainsi_buffer_add_text(out, unicode ? "\u2026" : "~");
        used++;
    }
    return used;
}

void chainsi_text_add_cut(chainsi_buffer *out, const char *text, size_t columns, bool unicode)
{
    add_cut(out, text, columns, unicode);
}

void chainsi_text_add_cell(chainsi_buffer *out, const char *text, size_t columns, bool right,
                           bool unicode)
{
    const size_t width = chainsi_text_columns(text);
    if (right && width < columns)
        chainsi_buffer_printf(out, "%*s", (int)(columns - width), "");
    const size_t used = add_cut(out, text, columns, unicode);
    if (!right && used < columns)
        chainsi_buffer_printf(out, "%*s", (int)(columns - used), "");
}
