/* Reading is forgiving, as whoever scrapes is, and writing is strict. */
#include "control/exposition.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is left of a line. */
typedef struct cursor {
    const char *at, *end;
} cursor;

static void skip_blanks(cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t'))
        c->at++;
}

static bool take_char(cursor *c, char expected)
{
    if (c->at == c->end || *c->at != expected)
        return false;
    c->at++;
    return true;
}

/* A name; NULL: there is none. */
static const char *take_name(cursor *c, chainsi_arena *arena)
{
    const char *start = c->at;
    while (c->at < c->end && (isalnum((unsigned char)*c->at) || *c->at == '_' || *c->at == ':'))
        c->at++;
    if (c->at == start || isdigit((unsigned char)*start))
        return NULL;
    return chainsi_arena_copy(arena, start, (size_t)(c->at - start));
}

/* What follows up to the next blank. */
static const char *take_word(cursor *c, chainsi_arena *arena)
{
    skip_blanks(c);
    const char *start = c->at;
    while (c->at < c->end && *c->at != ' ' && *c->at != '\t')
        c->at++;
    return chainsi_arena_copy(arena, start, (size_t)(c->at - start));
}

/* "…" with its escapes; NULL: it doesn't end. */
static const char *take_quoted(cursor *c, chainsi_arena *arena)
{
    if (!take_char(c, '"'))
        return NULL;
    const char *stop = c->at;
    while (stop < c->end && *stop != '"')
        stop += *stop == '\\' && stop + 1 < c->end ? 2 : 1;
    if (stop >= c->end)
        return NULL;
    char *text = chainsi_arena_copy(arena, c->at, (size_t)(stop - c->at));
    char *to = text;
    for (const char *from = text; *from; from++) {
        if (*from == '\\' && from[1]) {
            from++;
            *to++ = *from;
            if (*from == 'n')
                to[-1] = '\n';
        } else {
            *to++ = *from;
        }
    }
    *to = 0;
    c->at = stop + 1;
    return text;
}

/* {name="value",…}, if it is there. */
static bool take_labels(cursor *c, chainsi_arena *arena, chainsi_labels *labels)
{
    *labels = (chainsi_labels){ 0 };
    if (!take_char(c, '{'))
        return true;
    labels->items =
        chainsi_arena_array(arena, CHAINSI_EXPOSITION_MOST_LABELS, sizeof *labels->items);
    for (;;) {
        skip_blanks(c);
        if (take_char(c, '}'))
            return true;
        const char *name = take_name(c, arena);
        if (!name || labels->count == CHAINSI_EXPOSITION_MOST_LABELS || !take_char(c, '='))
            return false;
        const char *value = take_quoted(c, arena);
        if (!value)
            return false;
        labels->items[labels->count++] = (chainsi_label){ name, value };
        skip_blanks(c);
        take_char(c, ',');
    }
}

static bool take_number(cursor *c, chainsi_arena *arena, double *number)
{
    const char *text = take_word(c, arena);
    char *end;
    *number = strtod(text, &end);
    return end != text && !*end;
}

/* Families. */

/* What is being read. */
typedef struct reader {
    chainsi_arena *arena;
    chainsi_family *families, **last;
    chainsi_family *current;
    size_t samples, family_count;
} reader;

static chainsi_family *find_family(chainsi_family *families, const char *name)
{
    while (families && strcmp(families->name, name) != 0)
        families = families->next;
    return families;
}

/* NULL: there are as many as may be. */
static chainsi_family *make_family(reader *r, const char *name)
{
    chainsi_family *found = find_family(r->families, name);
    if (found || r->family_count == CHAINSI_EXPOSITION_MOST_FAMILIES)
        return found;
    r->family_count++;
    found = chainsi_arena_alloc(r->arena, sizeof *found);
    *found = (chainsi_family){ .name = name, .type = "untyped", .help = "" };
    found->last = &found->samples;
    *r->last = found;
    r->last = &found->next;
    return found;
}

/* Whether a sample of that name belongs to the family. */
static bool is_of(const chainsi_family *family, const char *name)
{
    size_t size = strlen(family->name);
    if (strncmp(name, family->name, size) != 0)
        return false;
    if (strcmp(family->type, "histogram") != 0)
        return !name[size];
    return !strcmp(name + size, "_bucket") || !strcmp(name + size, "_sum") ||
           !strcmp(name + size, "_count");
}

/* # HELP name text, # TYPE name type */
static void read_comment(reader *r, cursor *c)
{
    const char *kind = take_word(c, r->arena);
    bool help = !strcmp(kind, "HELP");
    skip_blanks(c);
    const char *name = help || !strcmp(kind, "TYPE") ? take_name(c, r->arena) : NULL;
    if (!name)
        return;
    skip_blanks(c);
    r->current = make_family(r, name);
    if (!r->current)
        return;
    const char *text = chainsi_arena_copy(r->arena, c->at, (size_t)(c->end - c->at));
    if (help)
        r->current->help = text;
    else
        r->current->type = text;
}

static void read_sample(reader *r, cursor *c)
{
    chainsi_sample sample = { .name = take_name(c, r->arena) };
    if (!sample.name || r->samples == CHAINSI_EXPOSITION_MOST_SAMPLES)
        return;
    skip_blanks(c);
    if (!take_labels(c, r->arena, &sample.labels) || !take_number(c, r->arena, &sample.value))
        return;
    if (!r->current || !is_of(r->current, sample.name))
        r->current = make_family(r, sample.name);
    if (!r->current)
        return;
    chainsi_sample *added = chainsi_arena_alloc(r->arena, sizeof *added);
    *added = sample;
    *r->current->last = added;
    r->current->last = &added->next;
    r->samples++;
}

chainsi_family *chainsi_exposition_read(const char *text, size_t size, chainsi_arena *arena)
{
    reader r = { .arena = arena };
    r.last = &r.families;
    for (const char *at = text, *end = text + size; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop)
            stop = end;
        cursor c = { at, stop > at && stop[-1] == '\r' ? stop - 1 : stop };
        skip_blanks(&c);
        if (take_char(&c, '#'))
            read_comment(&r, &c);
        else
            read_sample(&r, &c);
        at = stop < end ? stop + 1 : end;
    }
    return r.families;
}

const char *chainsi_labels_find(const chainsi_labels *labels, const char *name)
{
    for (size_t i = 0; i < labels->count; i++)
        if (!strcmp(labels->items[i].name, name))
            return labels->items[i].value;
    return NULL;
}

/* Writing. */

void chainsi_exposition_add_label(chainsi_buffer *out, const char *name, const char *value)
{
    chainsi_buffer_add_text(out, name);
    chainsi_buffer_add_text(out, "=\"");
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            chainsi_buffer_add_byte(out, '\\');
        if (*value == '\n')
            chainsi_buffer_add_text(out, "\\n");
        else
            chainsi_buffer_add_byte(out, (uint8_t)*value);
    }
    chainsi_buffer_add_byte(out, '"');
}

static void write_labels(const chainsi_labels *given, const chainsi_labels *own,
                         chainsi_buffer *out)
{
    const char *between = "{";
    for (size_t i = 0; i < given->count; i++, between = ",") {
        chainsi_buffer_add_text(out, between);
        chainsi_exposition_add_label(out, given->items[i].name, given->items[i].value);
    }
    for (size_t i = 0; i < own->count; i++) {
        if (chainsi_labels_find(given, own->items[i].name))
            continue;
        chainsi_buffer_add_text(out, between);
        chainsi_exposition_add_label(out, own->items[i].name, own->items[i].value);
        between = ",";
    }
    if (*between == ',')
        chainsi_buffer_add_byte(out, '}');
}

/* As short as it can be for the same number to be read. */
static void write_fraction(double number, chainsi_buffer *out)
{
    enum { LEAST = 15, ENOUGH = 17 };
    char text[40];
    for (int digits = LEAST; digits <= ENOUGH; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    chainsi_buffer_add_text(out, text);
}

static void write_number(double number, chainsi_buffer *out)
{
    if (isnan(number))
        chainsi_buffer_add_text(out, "NaN");
    else if (isinf(number))
        chainsi_buffer_add_text(out, number < 0 ? "-Inf" : "+Inf");
    else if (number == floor(number) && fabs(number) < 1e15)
        chainsi_buffer_printf(out, "%.0f", number);
    else
        write_fraction(number, out);
}

static void write_samples(const chainsi_source *source, const chainsi_family *family,
                          chainsi_buffer *out)
{
    for (const chainsi_sample *sample = family->samples; sample; sample = sample->next) {
        chainsi_buffer_add_text(out, sample->name);
        write_labels(&source->labels, &sample->labels, out);
        chainsi_buffer_add_byte(out, ' ');
        write_number(sample->value, out);
        chainsi_buffer_add_byte(out, '\n');
    }
}

/* Whether a source before this one has a family of that name, which has been written then. */
static bool was_met(const chainsi_source *sources, const chainsi_source *until, const char *name)
{
    for (; sources != until; sources = sources->next)
        if (find_family(sources->families, name))
            return true;
    return false;
}

void chainsi_exposition_write(const chainsi_source *sources, chainsi_buffer *out)
{
    for (const chainsi_source *source = sources; source; source = source->next)
        for (const chainsi_family *family = source->families; family; family = family->next) {
            if (was_met(sources, source, family->name))
                continue;
            if (*family->help)
                chainsi_buffer_printf(out, "# HELP %s %s\n", family->name, family->help);
            chainsi_buffer_printf(out, "# TYPE %s %s\n", family->name, family->type);
            for (const chainsi_source *each = source; each; each = each->next) {
                const chainsi_family *same = find_family(each->families, family->name);
                if (same)
                    write_samples(each, same, out);
            }
        }
}
