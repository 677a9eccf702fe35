/* Writes C and other line-based text: lines, indentation, blocks, and lists that are broken at 100
 * columns. */
#ifndef CHAINSI_COMPILER_WRITER_H
#define CHAINSI_COMPILER_WRITER_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buffer.h"

#define CHAINSI_WRITER_COLUMNS 100

/* All zero bytes are an empty writer. */
typedef struct chainsi_writer {
    chainsi_buffer text; /* what was written */
    int depth;           /* blocks that are open; each indents by 4 */
} chainsi_writer;

void chainsi_writer_done(chainsi_writer *writer);

/* One line, indented. */
void chainsi_writer_line(chainsi_writer *writer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A line that begins a block: what follows is indented. */
void chainsi_writer_open(chainsi_writer *writer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A line that ends the block. */
void chainsi_writer_close(chainsi_writer *writer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* An empty line, unless the text is empty or ends in one. */
void chainsi_writer_blank(chainsi_writer *writer);
/* `head` item, item, … `tail`, in as many lines as it takes; continued lines stand below the first
 * item. */
void chainsi_writer_list(chainsi_writer *writer, const char *head, const char *const *items,
                         size_t count, const char *tail);

/* text as a C string literal, quotes included; NULL gives NULL without quotes. In arena. */
const char *chainsi_c_string(chainsi_arena *arena, const char *text);

/* Writes the text to path unless the file holds just that. The folder must exist; the file is
 * replaced in one step. False with errno set if it can't be written. */
bool chainsi_writer_save(const chainsi_writer *writer, const char *path);

#endif
