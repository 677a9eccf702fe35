#include "runtime/input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

bool chainsi_input_read(const char *input, chainsi_buffer *text)
{
    if (input[0] != '@' && strcmp(input, "-") != 0) {
        chainsi_buffer_add_text(text, input);
        return true;
    }
    int fd = input[0] == '@' ? open(input + 1, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    if (fd < 0)
        return false;
    ssize_t got;
    while ((got = read(fd, chainsi_buffer_reserve(text, 65536), 65536)) > 0 ||
           (got < 0 && errno == EINTR))
        if (got > 0)
            text->size += (size_t)got;
    int failure = errno;
    if (fd != STDIN_FILENO)
        close(fd);
    errno = failure;
    return got == 0;
}

/* Texts of other processes reach a terminal: without what could steer it. */
static void print_plain(const char *text, FILE *out)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20 || c == 0x7f)
            fputc(' ', out);
        else if (c == 0xc2 && (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] < 0xa0)
            fputc(' ', out), text++; /* U+0080 to U+009F */
        else
            fputc(c, out);
    }
}

void chainsi_error_print(const chains_error *error, FILE *out)
{
    fprintf(out, "error: %s: ", chains_status_name(error->status));
    print_plain(error->message, out);
    fputc('\n', out);
    for (size_t i = 0; i < error->trace_count; i++) {
        const chains_trace_entry *hop = &error->trace[i];
        fputs("  ", out);
        print_plain(hop->chainlet, out);
        if (*hop->chainlet && *hop->function)
            fputs(": ", out);
        print_plain(hop->function, out);
        if (*hop->file) {
            fputs(" (", out);
            print_plain(hop->file, out);
            fprintf(out, ":%d)", hop->line);
        }
        if (*hop->message && strcmp(hop->message, error->message) != 0) {
            fputs(": ", out);
            print_plain(hop->message, out);
        }
        fputc('\n', out);
    }
}
