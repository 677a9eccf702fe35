/* YAML and JSON from the same calls. What opens a map or a list writes nothing but its key: only with the first
 * thing in it is it known that it isn't empty, which YAML writes in another form. */
#include "kubernetes/document.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "schema/json.h"

enum { STEP = 2 }; /* columns that a level is indented by */

void chainsi_document_init(chainsi_document *document, bool json, chainsi_buffer *out)
{
    *document = (chainsi_document){ .out = out, .json = json };
}

/* Texts in YAML */

static bool is_one_of(const char *text, const char *const *words)
{
    while (*words && strcasecmp(text, *words) != 0)
        words++;
    return *words != NULL;
}

/* Whether it is a text for every reader without quotes: a letter or a slash, and then what has no meaning. */
static bool is_plain(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char *const others[] = { "y",   "n",    "yes",   "no",   "on",
                                          "off", "true", "false", "null", NULL };
    if (!*text || (!strchr(letters, *text) && *text != '/') || is_one_of(text, others))
        return false;
    for (const char *at = text; *at; at++)
        if (!strchr(letters, *at) && !strchr("0123456789_-./@", *at) &&
            !(*at == ':' && at[1] && at[1] != ' '))
            return false;
    return true;
}

/* Whether a literal block can hold it: several lines, the first not indented, of what is printed as it is. */
static bool fits_block(const char *text)
{
    const char *last = strrchr(text, '\n');
    if (!last || *text == ' ' || *text == '\n' || (!last[1] && last[-1] == '\n'))
        return false;
    for (const char *at = text; *at; at++)
        if ((*at < ' ' || *at > '~') && *at != '\n')
            return false;
    return true;
}

static void add_spaces(chainsi_buffer *out, int count)
{
    if (!count)
        return; /* the buffer may not have any memory yet */
    memset(chainsi_buffer_reserve(out, (size_t)count), ' ', (size_t)count);
    out->size += (size_t)count;
}

static void write_block(chainsi_buffer *out, const char *text, int indent)
{
    const bool ended = text[strlen(text) - 1] == '\n';
    chainsi_buffer_add_text(out, ended ? "|\n" : "|-\n");
    while (*text) {
        const size_t size = strcspn(text, "\n");
        if (size) {
            add_spaces(out, indent);
            chainsi_buffer_add(out, text, size);
        }
        chainsi_buffer_add_byte(out, '\n');
        text += size + (text[size] == '\n');
    }
}

/* A string of JSON is one of YAML, but for characters that YAML has for ends of lines, or doesn't print: DEL, the
 * second control characters, U+2028, U+2029 and U+FEFF. They are escaped. */
static void write_quoted(chainsi_buffer *out, const char *text)
{
    chainsi_buffer json = { 0 };
    chainsi_json_write_text(&json, text);
    for (size_t i = 0; i < json.size; i++) {
        const uint8_t *at = json.data + i;
        const size_t left = json.size - i;
        if (at[0] == 0x7f) {
            chainsi_buffer_add_text(out, "\\u007f");
        } else if (left > 1 && at[0] == 0xc2 && at[1] < 0xa0) {
            chainsi_buffer_printf(out, "\\u00%02x", at[1]);
            i += 1;
        } else if (left > 2 && at[0] == 0xe2 && at[1] == 0x80 && (at[2] & 0xfe) == 0xa8) {
            chainsi_buffer_add_text(out, at[2] == 0xa8 ? "\\u2028" : "\\u2029");
            i += 2;
        } else if (left > 2 && at[0] == 0xef && at[1] == 0xbb && at[2] == 0xbf) {
            chainsi_buffer_add_text(out, "\\ufeff");
            i += 2;
        } else {
            chainsi_buffer_add_byte(out, at[0]);
        }
    }
    chainsi_buffer_done(&json);
}

static void write_scalar(chainsi_buffer *out, const char *text)
{
    if (is_plain(text))
        chainsi_buffer_add_text(out, text);
    else
        write_quoted(out, text);
}

/* Values in their places */

static int indent_of(const chainsi_document *document)
{
    return document->depth ? document->open[document->depth - 1].indent : 0;
}

/* What stands before a value: the lines that are due, its indentation, and its key or dash. */
static void lead_in(chainsi_document *document, const char *key)
{
    chainsi_buffer *out = document->out;
    if (!document->depth)
        return;
    const bool list = document->open[document->depth - 1].list;
    const bool first = !document->open[document->depth - 1].count++;
    assert(list == !key);
    if (document->json) {
        if (!first)
            chainsi_buffer_add_byte(out, ',');
        if (key) {
            chainsi_json_write_text(out, key);
            chainsi_buffer_add_byte(out, ':');
        }
        return;
    }
    if (document->in_line)
        document->in_line = false;
    else {
        if (first && document->depth > 1)
            chainsi_buffer_add_byte(out, '\n'); /* behind the key of the map or list */
        add_spaces(out, indent_of(document));
    }
    if (key) {
        write_scalar(out, key);
        chainsi_buffer_add_byte(out, ':');
    } else {
        chainsi_buffer_add_byte(out, '-');
    }
}

static void open_level(chainsi_document *document, const char *key, bool list)
{
    assert(document->depth < CHAINSI_DOCUMENT_DEPTH);
    const bool item = document->depth && document->open[document->depth - 1].list;
    const int indent = document->depth ? indent_of(document) + STEP : 0;
    lead_in(document, key);
    document->open[document->depth].list = list;
    document->open[document->depth].indent = indent;
    document->open[document->depth++].count = 0;
    if (document->json) {
        chainsi_buffer_add_byte(document->out, list ? '[' : '{');
    } else if (item) {
        chainsi_buffer_add_byte(document->out, ' ');
        document->in_line = true;
    }
}

void chainsi_document_open_map(chainsi_document *document, const char *key)
{
    open_level(document, key, false);
}

void chainsi_document_open_list(chainsi_document *document, const char *key)
{
    open_level(document, key, true);
}

void chainsi_document_close(chainsi_document *document)
{
    assert(document->depth > 0);
    document->depth--;
    const bool list = document->open[document->depth].list;
    if (document->json) {
        chainsi_buffer_add_byte(document->out, list ? ']' : '}');
    } else if (!document->open[document->depth].count) {
        const bool behind_key = document->depth && !document->in_line;
        if (behind_key)
            chainsi_buffer_add_byte(document->out, ' ');
        chainsi_buffer_add_text(document->out, list ? "[]\n" : "{}\n");
    }
    document->in_line = false;
}

/* Begins a value that is no map and no list; in JSON it is what it is in YAML, quoted texts apart. */
static void begin_scalar(chainsi_document *document, const char *key)
{
    lead_in(document, key);
    if (!document->json && document->depth)
        chainsi_buffer_add_byte(document->out, ' ');
}

static void end_scalar(chainsi_document *document)
{
    if (!document->json)
        chainsi_buffer_add_byte(document->out, '\n');
}

void chainsi_document_text(chainsi_document *document, const char *key, const char *text)
{
    if (!text)
        return;
    const int indent = indent_of(document) + STEP;
    begin_scalar(document, key);
    if (document->json) {
        chainsi_json_write_text(document->out, text);
    } else if (fits_block(text)) {
        write_block(document->out, text, indent);
        return;
    } else {
        write_scalar(document->out, text);
    }
    end_scalar(document);
}

void chainsi_document_number(chainsi_document *document, const char *key, int64_t number)
{
    begin_scalar(document, key);
    chainsi_buffer_printf(document->out, "%lld", (long long)number);
    end_scalar(document);
}

void chainsi_document_truth(chainsi_document *document, const char *key, bool truth)
{
    begin_scalar(document, key);
    chainsi_buffer_add_text(document->out, truth ? "true" : "false");
    end_scalar(document);
}
