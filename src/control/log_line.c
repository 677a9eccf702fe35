/* Lines of logs. A line is read by the daemon's part alone, from its beginning, so nothing that a Chainlet writes can
 * look like a tag. */
#include "control/log_line.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "schema/json.h"

enum {
    LEVEL_COLUMNS = 7, /* and a space */
    MOST_ID = 256,     /* of a request, bytes; a longer one is part of the message */
    TIME_SIZE = CHAINSI_TIME_TEXT - 1,
};

static const char own_mark[] = "chainsd:";

/* As chains_log writes them. */
static const char *const level_names[] = {
    [CHAINSI_LOG_NO_LEVEL] = "-",      [CHAINSI_LOG_DEBUG] = "DEBUG", [CHAINSI_LOG_INFO] = "INFO",
    [CHAINSI_LOG_WARNING] = "WARNING", [CHAINSI_LOG_ERROR] = "ERROR",
};
enum { LEVELS = sizeof level_names / sizeof *level_names };

bool chainsi_log_level_read(const char *text, chainsi_log_level *level)
{
    for (int i = CHAINSI_LOG_DEBUG; i < LEVELS; i++)
        if (!strcasecmp(level_names[i], text)) {
            *level = (chainsi_log_level)i;
            return true;
        }
    return false;
}

/* Taking a line apart: what has been taken is cut off from the front of the rest. */

static chainsi_slice cut(chainsi_slice *rest, size_t size)
{
    chainsi_slice taken = { rest->data, size };
    rest->data += size;
    rest->size -= size;
    return taken;
}

static bool begins(chainsi_slice text, const char *with)
{
    size_t size = strlen(with);
    return text.size >= size && !memcmp(text.data, with, size);
}

static bool take_text(chainsi_slice *rest, const char *text)
{
    bool there = begins(*rest, text);
    if (there)
        cut(rest, strlen(text));
    return there;
}

/* What has the form of a time, and the space behind it. */
static bool take_time(chainsi_slice *rest, chainsi_slice *at)
{
    static const char form[] = "0000-00-00T00:00:00.000Z ";
    if (rest->size < sizeof form - 1)
        return false;
    for (size_t i = 0; i < sizeof form - 1; i++)
        if (form[i] == '0' ? rest->data[i] < '0' || rest->data[i] > '9' : rest->data[i] != form[i])
            return false;
    *at = cut(rest, TIME_SIZE);
    cut(rest, 1);
    return true;
}

/* All until a character, which is taken as well. */
static bool take_until(chainsi_slice *rest, char stop, chainsi_slice *taken)
{
    const char *end = memchr(rest->data, stop, rest->size);
    if (!end || end == rest->data)
        return false;
    *taken = cut(rest, (size_t)(end - rest->data));
    cut(rest, 1);
    return true;
}

static bool take_number(chainsi_slice *rest, int64_t *number)
{
    chainsi_slice digits;
    if (!take_until(rest, ' ', &digits) || digits.size > 9)
        return false;
    *number = 0;
    for (size_t i = 0; i < digits.size; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return false;
        *number = *number * 10 + (digits.data[i] - '0');
    }
    return true;
}

/* A level in its columns. */
static bool take_level(chainsi_slice *rest, chainsi_log_level *level)
{
    for (int i = 0; i < LEVELS; i++) {
        size_t size = strlen(level_names[i]);
        size_t blanks = LEVEL_COLUMNS + 1 - size;
        if (rest->size >= LEVEL_COLUMNS + 1 && begins(*rest, level_names[i]) &&
            !memcmp(rest->data + size, "        ", blanks)) {
            cut(rest, LEVEL_COLUMNS + 1);
            *level = (chainsi_log_level)i;
            return true;
        }
    }
    return false;
}

/* "[ID] "; an id has no spaces. */
static void take_request_id(chainsi_slice *rest, chainsi_slice *id)
{
    if (!begins(*rest, "["))
        return;
    size_t most = rest->size < MOST_ID + 3 ? rest->size : MOST_ID + 3;
    const char *end = memmem(rest->data, most, "] ", 2);
    if (!end || end == rest->data + 1 || memchr(rest->data, ' ', (size_t)(end - rest->data)))
        return;
    cut(rest, 1);
    *id = cut(rest, (size_t)(end - rest->data));
    cut(rest, 2);
}

chainsi_log_line chainsi_log_line_read(const char *text, size_t size)
{
    if (size && text[size - 1] == '\n')
        size--;
    chainsi_log_line line = { .text = { text, size }, .replica = -1, .message = { text, size } };
    chainsi_slice rest = line.text;
    if (!take_time(&rest, &line.at))
        return line;
    line.message = rest;
    chainsi_slice environment, version, chainlet;
    int64_t replica;
    if (!take_until(&rest, ' ', &environment) || !take_until(&rest, ' ', &version) ||
        !take_until(&rest, '/', &chainlet) || memchr(chainlet.data, ' ', chainlet.size) ||
        !take_number(&rest, &replica) || !take_level(&rest, &line.level))
        return line;
    line.environment = environment;
    line.version = version;
    line.chainlet = chainlet;
    line.replica = replica;
    line.own = line.level && begins(rest, own_mark);
    if (line.level && !line.own)
        take_request_id(&rest, &line.request_id);
    line.message = rest;
    return line;
}

/* Making one. */

static void add_tag(chainsi_buffer *out, const chainsi_log_tag *tag, chainsi_slice at,
                    chainsi_log_level level)
{
    chainsi_buffer_add(out, at.data, at.size);
    chainsi_buffer_printf(out, " %s %s %s/%lld %-*s ", tag->environment, tag->version,
                          tag->chainlet, (long long)tag->replica, LEVEL_COLUMNS,
                          level_names[level]);
}

/* "LEVEL NAME " as chains_log begins. */
static void take_head(chainsi_slice *rest, const char *chainlet, chainsi_log_level *level)
{
    chainsi_slice inner = *rest;
    chainsi_log_level found;
    if (!take_level(&inner, &found) || !found || !take_text(&inner, chainlet) ||
        !take_text(&inner, " "))
        return;
    *level = found;
    *rest = inner;
}

/* A time that a clock can show: lines are put in order by theirs. */
static bool take_real_time(chainsi_slice *rest, chainsi_slice *at)
{
    char text[CHAINSI_TIME_TEXT] = "";
    int64_t unix_ms;
    chainsi_slice inner = *rest, found;
    if (!take_time(&inner, &found))
        return false;
    memcpy(text, found.data, TIME_SIZE);
    if (!chainsi_time_text_parse(text, &unix_ms))
        return false;
    *rest = inner;
    *at = found;
    return true;
}

void chainsi_log_line_add(chainsi_buffer *out, const chainsi_log_tag *tag, const char *now,
                          const char *text, size_t size)
{
    chainsi_slice rest = { text, size }, at = { now, TIME_SIZE };
    chainsi_log_level level = CHAINSI_LOG_NO_LEVEL;
    if (take_real_time(&rest, &at))
        take_head(&rest, tag->chainlet, &level);
    add_tag(out, tag, at, level);
    if (begins(rest, own_mark))
        chainsi_buffer_add_byte(out, '\\');
    chainsi_buffer_add(out, rest.data, rest.size);
    chainsi_buffer_add_byte(out, '\n');
}

void chainsi_log_line_add_own(chainsi_buffer *out, const chainsi_log_tag *tag, const char *now,
                              chainsi_log_level level, const char *text)
{
    add_tag(out, tag, (chainsi_slice){ now, TIME_SIZE }, level);
    chainsi_buffer_printf(out, "%s %s\n", own_mark, text);
}

static void add_member(chainsi_buffer *out, const char *name, chainsi_slice value)
{
    chainsi_buffer_printf(out, ",\"%s\":", name);
    if (value.data && value.size)
        chainsi_json_write_string(out, value.data, value.size);
    else
        chainsi_buffer_add_text(out, "null");
}

void chainsi_log_line_add_json(chainsi_buffer *out, const chainsi_log_line *line,
                               const char *chainlet)
{
    static const char *const levels[] = { "", "debug", "info", "warning", "error" };
    const char *level = levels[line->level];
    size_t from = out->size;
    add_member(out, "at", line->at);
    out->data[from] = '{';
    add_member(out, "environment", line->environment);
    add_member(out, "version", line->version);
    add_member(out, "chainlet",
               chainlet ? (chainsi_slice){ chainlet, strlen(chainlet) } : line->chainlet);
    if (line->replica < 0)
        chainsi_buffer_add_text(out, ",\"replica\":null");
    else
        chainsi_buffer_printf(out, ",\"replica\":%lld", (long long)line->replica);
    add_member(out, "level", (chainsi_slice){ level, strlen(level) });
    add_member(out, "request_id", line->request_id);
    chainsi_buffer_add_text(out, ",\"message\":");
    chainsi_json_write_string(out, line->message.data, line->message.size);
    chainsi_buffer_add_text(out, "}\n");
}

/* What is asked of lines. */

bool chainsi_log_filter_since(chainsi_log_filter *filter, const char *text, int64_t now_ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 } };
    enum { UNITS = sizeof units / sizeof *units };
    int64_t at_ms, before_ms = 0;
    if (chainsi_time_text_parse(text, &at_ms)) {
        chainsi_time_text_of(filter->since, at_ms);
        return true;
    }
    if (!*text)
        return false;
    while (*text) {
        size_t digits = strspn(text, "0123456789"), unit = 0;
        size_t letters = strspn(text + digits, "msdh");
        if (!digits || digits > 9)
            return false;
        while (unit < UNITS && (strlen(units[unit].name) != letters ||
                                strncmp(units[unit].name, text + digits, letters) != 0))
            unit++;
        if (unit == UNITS)
            return false;
        before_ms += strtoll(text, NULL, 10) * units[unit].ms;
        if (before_ms > now_ms)
            before_ms = now_ms;
        text += digits + letters;
    }
    chainsi_time_text_of(filter->since, now_ms - before_ms);
    return true;
}

static bool has(chainsi_slice text, const char *part)
{
    return memmem(text.data, text.size, part, strlen(part)) != NULL;
}

/* As a word of its own: in what the daemon says, ids stand between spaces and commas. */
static bool names(chainsi_slice text, const char *id)
{
    const size_t size = strlen(id);
    const char *end = text.data + text.size;
    for (const char *at = text.data; (at = memmem(at, (size_t)(end - at), id, size)); at++)
        if (at > text.data && at[-1] == ' ' && (at + size == end || strchr(" ,;", at[size])))
            return true;
    return false;
}

/* By its id, or its number, with or without a 'v': "v0003-1a2b3c" is 3. */
static bool is_version(chainsi_slice id, const char *name)
{
    char *end;
    const char *digits = name + (*name == 'v');
    if (chainsi_slice_is(id, name))
        return true;
    if (!*digits || digits[strspn(digits, "0123456789")] || strlen(digits) > 18 || id.size < 2 ||
        id.data[0] != 'v')
        return false;
    chainsi_slice rest = id, number;
    cut(&rest, 1);
    char text[32];
    if (!take_until(&rest, '-', &number) || number.size >= sizeof text)
        return false;
    memcpy(text, number.data, number.size);
    text[number.size] = 0;
    return strtoll(digits, NULL, 10) == strtoll(text, &end, 10) && !*end;
}

bool chainsi_log_filter_takes(const chainsi_log_filter *filter, const chainsi_log_line *line,
                              const char *chainlet)
{
    if (filter->chainlet && !(chainlet ? !strcmp(filter->chainlet, chainlet)
                                       : chainsi_slice_is(line->chainlet, filter->chainlet)))
        return false;
    if (filter->environment && !chainsi_slice_is(line->environment, filter->environment))
        return false;
    if (filter->version && !is_version(line->version, filter->version))
        return false;
    if (filter->replica >= 0 && filter->replica != line->replica)
        return false;
    if (filter->level > line->level)
        return false;
    if (*filter->since &&
        (!line->at.size || memcmp(line->at.data, filter->since, CHAINSI_TIME_TEXT - 1) < 0))
        return false;
    if (filter->request_id && !chainsi_slice_is(line->request_id, filter->request_id) &&
        !(line->own && names(line->message, filter->request_id)))
        return false;
    return !filter->contains || has(line->message, filter->contains);
}
