/* Tar headers. All of them are written alike, so that one tree gives one archive. */
#include "image/tar.h"

#include <stdio.h>

typedef struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], kind, link[100],
        magic[8], owner[32], group[32], device[16], prefix[155], rest[12];
} header;

_Static_assert(sizeof(header) == CHAINSI_TAR_BLOCK, "a header is a block");

static void octal(char *out, size_t size, uint64_t value)
{
    out[size - 1] = 0;
    for (size_t i = size - 1; i-- > 0; value >>= 3)
        out[i] = (char)('0' + (value & 7));
}

static void finish(chainsi_buffer *out, header *block)
{
    memset(block->checksum, ' ', sizeof block->checksum);
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof *block; i++)
        sum += ((const unsigned char *)block)[i];
    octal(block->checksum, 7, sum);
    chainsi_buffer_add(out, block, sizeof *block);
}

static header begin(char kind, unsigned mode, uint64_t size)
{
    header block = { .kind = kind };
    octal(block.mode, sizeof block.mode, mode);
    octal(block.uid, sizeof block.uid, 0);
    octal(block.gid, sizeof block.gid, 0);
    octal(block.size, sizeof block.size, size);
    octal(block.mtime, sizeof block.mtime, 0);
    octal(block.device, 8, 0);
    octal(block.device + 8, 8, 0);
    memcpy(block.magic,
           "ustar\0"
           "00",
           8);
    return block;
}

/* "LENGTH key=value\n", where LENGTH counts itself. */
static void add_record(chainsi_buffer *records, const char *key, const char *value, size_t size)
{
    size_t rest = strlen(key) + size + 3, length = rest + 1;
    for (size_t digits = 1, bound = 10;; digits++, bound *= 10)
        if (rest + digits < bound) {
            length = rest + digits;
            break;
        }
    chainsi_buffer_printf(records, "%zu %s=%.*s\n", length, key, (int)size, value);
}

static void pad(chainsi_buffer *out, uint64_t size)
{
    size_t padding = chainsi_tar_padding(size);
    memset(chainsi_buffer_reserve(out, padding + 1), 0, padding);
    out->size += padding;
}

/* Short fields are filled to their end, without a NUL. */
static void fill(char *out, size_t room, const char *text, size_t size)
{
    memcpy(out, text, size < room ? size : room);
}

void chainsi_tar_header(chainsi_buffer *out, const chainsi_entry *entry, uint64_t size)
{
    static const char kinds[] = {
        [CHAINSI_ENTRY_FOLDER] = '5', [CHAINSI_ENTRY_FILE] = '0', [CHAINSI_ENTRY_LINK] = '2'
    };
    bool folder = entry->kind == CHAINSI_ENTRY_FOLDER, link = entry->kind == CHAINSI_ENTRY_LINK;
    chainsi_buffer name = { 0 }, records = { 0 };
    chainsi_buffer_printf(&name, "%s%s", entry->path, folder ? "/" : "");
    header block = begin(kinds[entry->kind], entry->mode, size);
    if (name.size > sizeof block.name)
        add_record(&records, "path", (const char *)name.data, name.size);
    if (link && entry->text_size > sizeof block.link)
        add_record(&records, "linkpath", entry->text, entry->text_size);
    if (size >> 33) { /* more than the field's digits can say */
        char digits[24];
        snprintf(digits, sizeof digits, "%llu", (unsigned long long)size);
        add_record(&records, "size", digits, strlen(digits));
    }
    if (records.size) {
        header extended = begin('x', 0644, records.size);
        fill(extended.name, sizeof extended.name, "pax", 3);
        finish(out, &extended);
        chainsi_buffer_add(out, records.data, records.size);
        pad(out, records.size);
    }
    fill(block.name, sizeof block.name, (const char *)name.data, name.size);
    if (link)
        fill(block.link, sizeof block.link, entry->text, entry->text_size);
    finish(out, &block);
    chainsi_buffer_done(&name);
    chainsi_buffer_done(&records);
}
