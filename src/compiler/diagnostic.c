/* Diagnostics: collecting, sorting and printing them. Texts live in the collection's arena, so that
 * they outlive what they talk about. */
#include "compiler/diagnostic.h"

#include "base/terminal.h"
#include "schema/json.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void chainsi_diagnostics_init(chainsi_diagnostics *diagnostics, const char *folder)
{
    *diagnostics = (chainsi_diagnostics){ .folder = folder };
    chainsi_arena_init(&diagnostics->arena);
}

void chainsi_diagnostics_done(chainsi_diagnostics *diagnostics)
{
    chainsi_arena_done(&diagnostics->arena);
    *diagnostics = (chainsi_diagnostics){ 0 };
}

void chainsi_diagnostics_add(chainsi_diagnostics *diagnostics, chainsi_severity severity,
                             chainsi_position position, const char *hint, const char *format, ...)
{
    if (diagnostics->count == diagnostics->capacity) {
        size_t capacity = diagnostics->capacity ? diagnostics->capacity * 2 : 16;
        chainsi_diagnostic *items =
            chainsi_arena_array(&diagnostics->arena, capacity, sizeof *items);
        if (diagnostics->count)
            memcpy(items, diagnostics->items, diagnostics->count * sizeof *items);
        diagnostics->items = items;
        diagnostics->capacity = capacity;
    }
    va_list arguments;
    va_start(arguments, format);
    char *message = NULL;
    int size = vasprintf(&message, format, arguments);
    va_end(arguments);
    if (size < 0)
        abort();
    position.file = chainsi_arena_strdup(&diagnostics->arena, position.file);
    diagnostics->items[diagnostics->count++] = (chainsi_diagnostic){
        .position = position,
        .severity = severity,
        .message = chainsi_arena_strdup(&diagnostics->arena, message),
        .hint = chainsi_arena_strdup(&diagnostics->arena, hint),
    };
    free(message);
}

bool chainsi_diagnostics_failed(const chainsi_diagnostics *diagnostics)
{
    for (size_t i = 0; i < diagnostics->count; i++)
        if (diagnostics->items[i].severity == CHAINSI_SEVERITY_ERROR)
            return true;
    return false;
}

static int compare_texts(const char *a, const char *b)
{
    if (!a || !b)
        return (a != NULL) - (b != NULL);
    return strcmp(a, b);
}

static int compare_places(const chainsi_diagnostic *a, const chainsi_diagnostic *b)
{
    int order = compare_texts(a->position.file, b->position.file);
    if (order)
        return order;
    if (a->position.line != b->position.line)
        return a->position.line < b->position.line ? -1 : 1;
    if (a->position.column != b->position.column)
        return a->position.column < b->position.column ? -1 : 1;
    return 0;
}

static bool are_equal(const chainsi_diagnostic *a, const chainsi_diagnostic *b)
{
    return !compare_places(a, b) && a->severity == b->severity && !strcmp(a->message, b->message) &&
           !compare_texts(a->hint, b->hint);
}

void chainsi_diagnostics_sort(chainsi_diagnostics *diagnostics)
{
    chainsi_diagnostic *items = diagnostics->items;
    for (size_t i = 1; i < diagnostics->count; i++) /* stable, and there are few */
        for (size_t k = i; k > 0 && compare_places(&items[k - 1], &items[k]) > 0; k--) {
            chainsi_diagnostic later = items[k - 1];
            items[k - 1] = items[k];
            items[k] = later;
        }
    size_t kept = 0;
    for (size_t i = 0; i < diagnostics->count; i++) {
        bool repeated = false;
        for (size_t k = kept; k > 0 && !repeated && !compare_places(&items[k - 1], &items[i]); k--)
            repeated = are_equal(&items[k - 1], &items[i]);
        if (!repeated)
            items[kept++] = items[i];
    }
    diagnostics->count = kept;
}

/* The line of a file, without its end, in memory of the caller's; NULL when it can't be read. */
static char *read_line(const chainsi_diagnostics *diagnostics, const chainsi_position *position)
{
    char *path = NULL;
    if (position->file[0] == '/' || !diagnostics->folder)
        path = strdup(position->file);
    else if (asprintf(&path, "%s/%s", diagnostics->folder, position->file) < 0)
        path = NULL;
    FILE *file = path ? fopen(path, "re") : NULL;
    free(path);
    if (!file)
        return NULL;
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size = -1;
    for (int i = 0; i < position->line; i++)
        if ((size = getline(&line, &capacity, file)) < 0)
            break;
    fclose(file);
    if (size < 0) {
        free(line);
        return NULL;
    }
    line[strcspn(line, "\r\n")] = '\0';
    return line;
}

static void print_line(const chainsi_diagnostics *diagnostics, const chainsi_position *position,
                       FILE *out, bool color)
{
    char *line = read_line(diagnostics, position);
    if (!line)
        return;
    size_t size = strlen(line);
    /* What a terminal would obey takes the room of a character, so that the caret is where it belongs. */
    for (size_t i = 0; i < size; i++)
        if (((unsigned char)line[i] < 0x20 && line[i] != '\t') || line[i] == 0x7f)
            line[i] = '?';
    fprintf(out, "%5d | ", position->line);
    chainsi_text_write(out, line, size, CHAINSI_TEXT_LINES);
    fputc('\n', out);
    size_t start = position->column > 0 ? (size_t)position->column - 1 : 0;
    if (start > size)
        start = size;
    size_t length = position->length > 1 ? (size_t)position->length : 1;
    if (length > size - start)
        length = size > start ? size - start : 1;
    fputs("      | ", out);
    for (size_t i = 0; i < start; i++) {
        if (((unsigned char)line[i] & 0xC0) == 0x80)
            continue; /* the rest of a character of several bytes takes no room of its own */
        fputc(line[i] == '\t' ? '\t' : ' ', out);
    }
    fputs(color ? "\033[1;32m^" : "^", out);
    for (size_t i = start + 1; i < start + length; i++)
        if (i >= size || ((unsigned char)line[i] & 0xC0) != 0x80)
            fputc('~', out);
    fputs(color ? "\033[0m\n" : "\n", out);
    free(line);
}

bool chainsi_diagnostics_color(FILE *out)
{
    return chainsi_terminal_of(fileno(out)).color;
}

void chainsi_diagnostics_print(const chainsi_diagnostics *diagnostics, FILE *out, bool color)
{
    for (size_t i = 0; i < diagnostics->count; i++) {
        const chainsi_diagnostic *item = &diagnostics->items[i];
        bool error = item->severity == CHAINSI_SEVERITY_ERROR;
        if (color)
            fputs("\033[1m", out);
        if (item->position.file && item->position.line)
            fprintf(out, "%s:%d:%d: ", item->position.file, item->position.line,
                    item->position.column);
        else if (item->position.file)
            fprintf(out, "%s: ", item->position.file);
        if (color)
            fputs(error ? "\033[31m" : "\033[35m", out);
        fprintf(out, "%s: ", error ? "error" : "warning");
        if (color)
            fputs("\033[0m\033[1m", out);
        chainsi_text_print(out, item->message);
        fputs(color ? "\033[0m\n" : "\n", out);
        if (item->position.file && item->position.line)
            print_line(diagnostics, &item->position, out, color);
        if (item->hint)
            fprintf(out, "  hint: %s\n", item->hint);
    }
}

void chainsi_diagnostics_json(const chainsi_diagnostics *diagnostics, chainsi_buffer *out)
{
    chainsi_buffer_add_byte(out, '[');
    for (size_t i = 0; i < diagnostics->count; i++) {
        const chainsi_diagnostic *item = &diagnostics->items[i];
        chainsi_buffer_add_text(out, i ? ",{\"file\":" : "{\"file\":");
        chainsi_json_write_text(out, item->position.file);
        chainsi_buffer_printf(
            out, ",\"line\":%d,\"column\":%d,\"severity\":\"%s\",\"message\":", item->position.line,
            item->position.column, item->severity == CHAINSI_SEVERITY_ERROR ? "error" : "warning");
        chainsi_json_write_text(out, item->message);
        chainsi_buffer_add_text(out, ",\"hint\":");
        chainsi_json_write_text(out, item->hint);
        chainsi_buffer_add_byte(out, '}');
    }
    chainsi_buffer_add_byte(out, ']');
}
