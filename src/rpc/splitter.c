/* Parts are given out from where they were added if they lie there as a whole, and are put together
 * in `kept` only if not. */
#include "rpc/splitter.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

enum { LENGTH_BYTES = 4, MOST_KEPT = 1024 * 1024 };

void chainsi_splitter_init(chainsi_splitter *splitter, chainsi_splitter_kind kind, size_t max_part)
{
    *splitter = (chainsi_splitter){ .kind = kind, .max_part = max_part };
}

void chainsi_splitter_done(chainsi_splitter *splitter)
{
    chainsi_buffer_done(&splitter->kept);
    chainsi_buffer_done(&splitter->text);
}

void chainsi_splitter_add(chainsi_splitter *splitter, char *data, size_t size)
{
    assert(!splitter->input_size);
    splitter->input = data;
    splitter->input_size = size;
}

static void forget(chainsi_buffer *buffer)
{
    buffer->size = 0;
    if (buffer->capacity > MOST_KEPT)
        chainsi_buffer_done(buffer);
}

static char *take_input(chainsi_splitter *splitter, size_t size)
{
    char *data = splitter->input;
    splitter->input += size;
    splitter->input_size -= size;
    return data;
}

static void keep_input(chainsi_splitter *splitter, size_t size)
{
    if (size)
        chainsi_buffer_add(&splitter->kept, take_input(splitter, size), size);
}

static size_t read_length(const void *bytes)
{
    const uint8_t *at = bytes;
    return (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
}

static chainsi_split_end next_frame(chainsi_splitter *splitter, chainsi_split_part *part)
{
    chainsi_buffer *kept = &splitter->kept;
    if (!kept->size && splitter->input_size >= LENGTH_BYTES) {
        size_t size = read_length(splitter->input);
        if (size > splitter->max_part)
            return CHAINSI_SPLIT_REFUSED;
        if (splitter->input_size - LENGTH_BYTES >= size) {
            take_input(splitter, LENGTH_BYTES);
            *part = (chainsi_split_part){ "", take_input(splitter, size), size };
            return CHAINSI_SPLIT_PART;
        }
    }
    if (kept->size < LENGTH_BYTES) {
        size_t missing = LENGTH_BYTES - kept->size;
        keep_input(splitter, missing < splitter->input_size ? missing : splitter->input_size);
        if (kept->size < LENGTH_BYTES)
            return CHAINSI_SPLIT_MORE;
    }
    size_t size = read_length(kept->data);
    if (size > splitter->max_part)
        return CHAINSI_SPLIT_REFUSED;
    size_t missing = LENGTH_BYTES + size - kept->size;
    keep_input(splitter, missing < splitter->input_size ? missing : splitter->input_size);
    if (kept->size < LENGTH_BYTES + size)
        return CHAINSI_SPLIT_MORE;
    splitter->used = true;
    *part = (chainsi_split_part){ "", (char *)kept->data + LENGTH_BYTES, size };
    return CHAINSI_SPLIT_PART;
}

/* The next line without its end. */
static chainsi_split_end next_line(chainsi_splitter *splitter, char **line, size_t *size)
{
    chainsi_buffer *kept = &splitter->kept;
    if (splitter->used) {
        forget(kept);
        splitter->used = false;
    }
    char *end = splitter->input_size ? memchr(splitter->input, '\n', splitter->input_size) : NULL;
    size_t fresh = end ? (size_t)(end - splitter->input) : splitter->input_size;
    size_t field = splitter->kind == CHAINSI_SPLIT_EVENTS ? sizeof "data: \r" - 1 : 0;
    if (kept->size + fresh > splitter->max_part + field)
        return CHAINSI_SPLIT_REFUSED;
    if (!end) {
        keep_input(splitter, fresh);
        return CHAINSI_SPLIT_MORE;
    }
    if (kept->size) {
        keep_input(splitter, fresh);
        splitter->used = true;
        *line = (char *)kept->data;
        *size = kept->size;
    } else {
        *line = take_input(splitter, fresh);
        *size = fresh;
    }
    take_input(splitter, 1);
    if (*size && (*line)[*size - 1] == '\r')
        --*size;
    return CHAINSI_SPLIT_PART;
}

static bool is_blank(const char *line, size_t size)
{
    while (size && (line[size - 1] == ' ' || line[size - 1] == '\t' || line[size - 1] == '\r'))
        size--;
    return !size;
}

/* Takes one line of an event. False: the data is too large. */
static bool take_field(chainsi_splitter *splitter, const char *line, size_t size)
{
    if (!splitter->begun && size >= 3 && !memcmp(line, "\xef\xbb\xbf", 3)) {
        line += 3;
        size -= 3;
    }
    splitter->begun = true;
    const char *colon = size ? memchr(line, ':', size) : NULL;
    size_t key = colon ? (size_t)(colon - line) : size;
    const char *value = colon ? colon + 1 : line + size;
    size_t value_size = size - (size_t)(value - line);
    if (value_size && *value == ' ') {
        value++;
        value_size--;
    }
    if (key == 4 && !memcmp(line, "data", 4)) {
        if (splitter->text.size + splitter->has_data + value_size > splitter->max_part)
            return false;
        if (splitter->has_data)
            chainsi_buffer_add_byte(&splitter->text, '\n');
        chainsi_buffer_add(&splitter->text, value, value_size);
        splitter->has_data = true;
    } else if (key == 5 && !memcmp(line, "event", 5)) {
        size_t most = sizeof splitter->name - 1;
        size_t cut = value_size < most ? value_size : most;
        memcpy(splitter->name, value, cut);
        splitter->name[cut] = 0;
    }
    return true;
}

static chainsi_split_end next_event(chainsi_splitter *splitter, chainsi_split_part *part)
{
    if (splitter->has_data && splitter->used) { /* it was given out */
        forget(&splitter->text);
        splitter->has_data = false;
        splitter->name[0] = 0;
    }
    for (;;) {
        char *line;
        size_t size;
        chainsi_split_end end = next_line(splitter, &line, &size);
        if (end != CHAINSI_SPLIT_PART)
            return end;
        if (size) {
            if (!take_field(splitter, line, size))
                return CHAINSI_SPLIT_REFUSED;
        } else if (splitter->has_data) {
            char *data = (char *)chainsi_buffer_reserve(&splitter->text, 1) - splitter->text.size;
            *part = (chainsi_split_part){ splitter->name, data, splitter->text.size };
            splitter->used = true;
            return CHAINSI_SPLIT_PART;
        } else {
            splitter->name[0] = 0;
        }
    }
}

chainsi_split_end chainsi_splitter_next(chainsi_splitter *splitter, chainsi_split_part *part)
{
    switch (splitter->kind) {
    case CHAINSI_SPLIT_FRAMES:
        if (splitter->used) {
            forget(&splitter->kept);
            splitter->used = false;
        }
        return next_frame(splitter, part);
    case CHAINSI_SPLIT_EVENTS:
        return next_event(splitter, part);
    default:
        break;
    }
    chainsi_split_end end;
    do {
        part->name = "";
        end = next_line(splitter, &part->data, &part->size);
    } while (end == CHAINSI_SPLIT_PART && is_blank(part->data, part->size));
    return end;
}

chainsi_split_end chainsi_splitter_finish(chainsi_splitter *splitter, chainsi_split_part *part)
{
    assert(!splitter->input_size);
    chainsi_buffer *kept = &splitter->kept;
    if (splitter->used || !kept->size)
        return CHAINSI_SPLIT_MORE;
    if (splitter->kind == CHAINSI_SPLIT_FRAMES)
        return CHAINSI_SPLIT_REFUSED;
    if (splitter->kind == CHAINSI_SPLIT_EVENTS || is_blank((char *)kept->data, kept->size))
        return CHAINSI_SPLIT_MORE;
    splitter->used = true;
    *part = (chainsi_split_part){ "", (char *)kept->data, kept->size };
    return CHAINSI_SPLIT_PART;
}
