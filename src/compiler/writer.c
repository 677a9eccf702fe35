/* The writer of generated text. Files are replaced only when their text changed, so that a build
 * finds their time stamps unchanged. */
#include "compiler/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define INDENT 4

void chainsi_writer_done(chainsi_writer *writer)
{
    chainsi_buffer_done(&writer->text);
}

static void add_spaces(chainsi_writer *writer, size_t count)
{
    if (!count)
        return;
    memset(chainsi_buffer_reserve(&writer->text, count), ' ', count);
    writer->text.size += count;
}

static void add_line(chainsi_writer *writer, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (size < 0)
        abort();
    add_spaces(writer, (size_t)(writer->depth * INDENT));
    uint8_t *at = chainsi_buffer_reserve(&writer->text, (size_t)size + 1);
    vsnprintf((char *)at, (size_t)size + 1, format, arguments);
    writer->text.size += (size_t)size;
    chainsi_buffer_add_byte(&writer->text, '\n');
}

void chainsi_writer_line(chainsi_writer *writer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_line(writer, format, arguments);
    va_end(arguments);
}

void chainsi_writer_open(chainsi_writer *writer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add_line(writer, format, arguments);
    va_end(arguments);
    writer->depth++;
}

void chainsi_writer_close(chainsi_writer *writer, const char *format, ...)
{
    writer->depth--;
    va_list arguments;
    va_start(arguments, format);
    add_line(writer, format, arguments);
    va_end(arguments);
}

void chainsi_writer_blank(chainsi_writer *writer)
{
    size_t size = writer->text.size;
    if (size < 2 || (writer->text.data[size - 1] == '\n' && writer->text.data[size - 2] == '\n'))
        return;
    chainsi_buffer_add_byte(&writer->text, '\n');
}

void chainsi_writer_list(chainsi_writer *writer, const char *head, const char *const *items,
                         size_t count, const char *tail)
{
    size_t indent = (size_t)(writer->depth * INDENT) + strlen(head);
    size_t column = indent;
    add_spaces(writer, (size_t)(writer->depth * INDENT));
    chainsi_buffer_add_text(&writer->text, head);
    for (size_t i = 0; i < count; i++) {
        bool last = i + 1 == count;
        size_t size = strlen(items[i]) + (last ? strlen(tail) : 1);
        if (i && column + 1 + size > CHAINSI_WRITER_COLUMNS) {
            chainsi_buffer_add_byte(&writer->text, '\n');
            add_spaces(writer, indent);
            column = indent;
        } else if (i) {
            chainsi_buffer_add_byte(&writer->text, ' ');
            column++;
        }
        chainsi_buffer_add_text(&writer->text, items[i]);
        if (!last)
            chainsi_buffer_add_byte(&writer->text, ',');
        column += size;
    }
    chainsi_buffer_add_text(&writer->text, tail);
    chainsi_buffer_add_byte(&writer->text, '\n');
}

const char *chainsi_c_string(chainsi_arena *arena, const char *text)
{
    if (!text)
        return "NULL";
    chainsi_buffer out = { 0 };
    chainsi_buffer_add_byte(&out, '"');
    for (const char *at = text; *at; at++) {
        unsigned char c = (unsigned char)*at;
        if (c == '\n')
            chainsi_buffer_add_text(&out, "\\n");
        else if (c == '\t')
            chainsi_buffer_add_text(&out, "\\t");
        else if (c == '"' || c == '\\')
            chainsi_buffer_printf(&out, "\\%c", c);
        else if (c == '?' && at > text && at[-1] == '?')
            chainsi_buffer_add_text(&out, "\\?"); /* no trigraphs */
        else if (c < 0x20 || c == 0x7f)
            chainsi_buffer_printf(&out, "\\%03o", c);
        else
            chainsi_buffer_add_byte(&out, c);
    }
    chainsi_buffer_add_byte(&out, '"');
    const char *copy = chainsi_arena_copy(arena, out.data, out.size);
    chainsi_buffer_done(&out);
    return copy;
}

static bool holds(const char *path, const chainsi_buffer *text)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    struct stat about;
    bool same = !fstat(fd, &about) && (size_t)about.st_size == text->size;
    size_t at = 0;
    while (same && at < text->size) {
        uint8_t piece[16384];
        ssize_t got = read(fd, piece, sizeof piece);
        if (got <= 0 || (size_t)got > text->size - at ||
            memcmp(piece, text->data + at, (size_t)got))
            same = false;
        else
            at += (size_t)got;
    }
    close(fd);
    return same;
}

bool chainsi_writer_save(const chainsi_writer *writer, const char *path)
{
    if (holds(path, &writer->text))
        return true;
    chainsi_buffer temporary = { 0 };
    chainsi_buffer_printf(&temporary, "%s.new", path);
    chainsi_buffer_add_byte(&temporary, '\0');
    const char *name = (const char *)temporary.data;
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    bool good = fd >= 0;
    for (size_t at = 0; good && at < writer->text.size;) {
        ssize_t put = write(fd, writer->text.data + at, writer->text.size - at);
        if (put < 0 && errno == EINTR)
            continue;
        good = put > 0;
        at += good ? (size_t)put : 0;
    }
    if (fd >= 0)
        good = !close(fd) && good;
    if (good)
        good = !rename(name, path);
    int error = errno;
    if (!good && fd >= 0)
        unlink(name);
    chainsi_buffer_done(&temporary);
    errno = error;
    return good;
}
