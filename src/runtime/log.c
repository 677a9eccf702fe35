/* The log: one line a message on stderr, written at once, so that lines of threads don't mix.
 *
 *   2026-01-31T12:00:00.123Z INFO  phi_llm [3f2a...] the model is loaded
 *
 * Line breaks and other control characters are escaped, so that no message can look like two. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "runtime/context.h"

static void add_escaped(chainsi_buffer *line, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '\n')
            chainsi_buffer_add_text(line, "\\n");
        else if (c == 0xc2 && (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] < 0xa0)
            chainsi_buffer_printf(line, "\\x%02x", (unsigned char)*++text); /* U+0080 to U+009F */
        else if (c == '\t' || (c >= 0x20 && c != 0x7f))
            chainsi_buffer_add_byte(line, c);
        else
            chainsi_buffer_printf(line, "\\x%02x", c);
    }
}

void chains_log(const chains_ctx *ctx, chains_log_level level, const char *format, ...)
{
    static const char *const names[] = { "DEBUG", "INFO", "WARNING", "ERROR" };
    if (level < ctx->process->log_level)
        return;
    char *text;
    va_list arguments;
    va_start(arguments, format);
    int size = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (size < 0)
        return;
    struct timespec now;
    struct tm date;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &date);
    chainsi_buffer line = { 0 };
    chainsi_buffer_printf(&line, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ %-7s ", date.tm_year + 1900,
                          date.tm_mon + 1, date.tm_mday, date.tm_hour, date.tm_min, date.tm_sec,
                          now.tv_nsec / 1000000,
                          names[level < CHAINS_ERROR ? (level < CHAINS_DEBUG ? 0 : level - 1) : 3]);
    if (*ctx->chainlet)
        chainsi_buffer_printf(&line, "%s ", ctx->chainlet);
    if (*ctx->request_id)
        chainsi_buffer_printf(&line, "[%s] ", ctx->request_id);
    add_escaped(&line, text);
    chainsi_buffer_add_byte(&line, '\n');
    /* A log that nobody reads any more must not end the program. */
    for (size_t at = 0; at < line.size;) {
        ssize_t written = write(STDERR_FILENO, line.data + at, line.size - at);
        if (written > 0)
            at += (size_t)written;
        else if (errno != EINTR)
            break;
    }
    chainsi_buffer_done(&line);
    free(text);
}
