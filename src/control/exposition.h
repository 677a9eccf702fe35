/* Prometheus text (exposition format 0.0.4), read and written: what processes say at /metrics, for those who
 * put several of them together. Pure. */
#ifndef CHAINSI_CONTROL_EXPOSITION_H
#define CHAINSI_CONTROL_EXPOSITION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buffer.h"

enum {
    CHAINSI_EXPOSITION_MOST_LABELS = 16,     /* of a sample */
    CHAINSI_EXPOSITION_MOST_SAMPLES = 20000, /* of a text; what comes behind is left out */
    CHAINSI_EXPOSITION_MOST_FAMILIES = 1000, /* likewise: they are looked up one after the other */
};

typedef struct chainsi_label {
    const char *name, *value; /* as it is, without escapes */
} chainsi_label;

typedef struct chainsi_labels {
    chainsi_label *items;
    size_t count;
} chainsi_labels;

/* A line with a number. */
typedef struct chainsi_sample {
    const char *name; /* of its family; of a histogram with _bucket, _sum or _count */
    chainsi_labels labels;
    double value;
    struct chainsi_sample *next;
} chainsi_sample;

/* Samples of one name. */
typedef struct chainsi_family {
    const char *name;
    const char *type; /* "counter", "gauge", "histogram"; "untyped": it isn't said */
    const char *help; /* as it stands there, escaped; "": none */
    chainsi_sample *samples, **last;
    struct chainsi_family *next;
} chainsi_family;

/* Reads a text into arena, line by line; a line that can't be read is left out. NULL: there is nothing. */
chainsi_family *chainsi_exposition_read(const char *text, size_t size, chainsi_arena *arena);

/* A text, and what is to be said of all of it beside its own labels. */
typedef struct chainsi_source {
    chainsi_family *families;
    chainsi_labels labels; /* a label of its own of the same name gives way to it */
    struct chainsi_source *next;
} chainsi_source;

/* Appends all of them as one text: each family once, in the order in which they are met. */
void chainsi_exposition_write(const chainsi_source *sources, chainsi_buffer *out);

/* The label of that name; NULL. */
const char *chainsi_labels_find(const chainsi_labels *labels, const char *name);

/* Appends name="value", escaped. */
void chainsi_exposition_add_label(chainsi_buffer *out, const char *name, const char *value);

#endif
