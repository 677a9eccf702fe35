#include "cli/shown.h"

#include <unistd.h>

static void add_shown(const chainsi_shown *shown, unsigned char byte, chainsi_buffer *out)
{
    chainsi_buffer_printf(out, shown->json ? "\\u%04x" : "\\x%02x", byte);
}

/* The bytes that follow one of UTF-8; -1: none begins so. */
static int followers(unsigned char byte)
{
    if (byte < 0x80)
        return 0;
    if (byte >= 0xc2 && byte < 0xe0)
        return 1;
    if (byte >= 0xe0 && byte < 0xf0)
        return 2;
    return byte >= 0xf0 && byte < 0xf5 ? 3 : -1;
}

static void begin_character(chainsi_shown *shown, unsigned char byte, chainsi_buffer *out)
{
    int missing = followers(byte);
    if (missing < 0 || (byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f) {
        add_shown(shown, byte, out);
        return;
    }
    shown->lead = byte;
    shown->missing = missing;
    if (byte != 0xc2) /* of which it isn't known yet */
        chainsi_buffer_add_byte(out, byte);
}

void chainsi_shown_add(chainsi_shown *shown, const char *text, size_t size, chainsi_buffer *out)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (!shown->missing || (byte & 0xc0) != 0x80) {
            if (shown->missing && shown->lead == 0xc2)
                add_shown(shown, shown->lead, out);
            shown->missing = 0;
            begin_character(shown, byte, out);
            continue;
        }
        shown->missing--;
        if (shown->lead == 0xc2 && byte < 0xa0) { /* U+0080 to U+009F */
            add_shown(shown, byte, out);
            continue;
        }
        if (shown->lead == 0xc2)
            chainsi_buffer_add_byte(out, shown->lead);
        chainsi_buffer_add_byte(out, byte);
    }
}

bool chainsi_shown_write(chainsi_shown *shown, const char *text, size_t size, FILE *file)
{
    chainsi_buffer out = { 0 };
    if (isatty(fileno(file))) {
        chainsi_shown_add(shown, text, size, &out);
        text = (const char *)out.data;
        size = out.size;
    }
    bool written = !size || fwrite(text, 1, size, file) == size;
    chainsi_buffer_done(&out);
    return written;
}
