/* A graph of calls to be shown: boxes and arrows, and the forms in which they are written. What they say is of anybody, and is made fit for
 * where it goes: nothing in it is obeyed by a terminal, a browser or dot. Pure. */
#ifndef CHAINSI_CLI_PICTURE_H
#define CHAINSI_CLI_PICTURE_H

#include "base/buffer.h"
#include "cli/layout.h"

enum { CHAINSI_PICTURE_LINES = 4 };

/* How one is. */
typedef enum chainsi_picture_mood {
    CHAINSI_PICTURE_PLAIN,
    CHAINSI_PICTURE_GOOD,
    CHAINSI_PICTURE_BUSY,
    CHAINSI_PICTURE_BAD,
} chainsi_picture_mood;

typedef struct chainsi_picture_box {
    const char *name;
    const char *note;                         /* "entrypoint"; NULL: none */
    const char *lines[CHAINSI_PICTURE_LINES]; /* below its name; NULL ends them */
    const char *details;                      /* what the tree says instead of lines; NULL: those */
    chainsi_picture_mood mood;                /* its first line's, and its border's */
    bool outside;                             /* it isn't one of the chain's own */
} chainsi_picture_box;

typedef struct chainsi_picture {
    const char *title;          /* NULL: none */
    chainsi_picture_box *boxes; /* callees before callers, as in the model */
    size_t box_count;
    chainsi_layout_arrow *arrows; /* of a caller in the order of its parameters */
    const char **labels;          /* of each arrow; NULL: none */
    size_t arrow_count;
    size_t root; /* the entrypoint; SIZE_MAX: none */
} chainsi_picture;

typedef struct chainsi_picture_style {
    size_t columns; /* 0: as many as it takes */
    bool unicode, color;
} chainsi_picture_style;

/* Lines of a box, its name among them. */
size_t chainsi_picture_count_lines(const chainsi_picture_box *box);

/* Appends boxes and arrows from top to bottom, or from left to right where there is room for that alone, and below them what arrows are
 * labelled with. False, with nothing appended: neither has room. */
bool chainsi_picture_text(const chainsi_picture *picture, const chainsi_picture_style *style,
                          chainsi_buffer *out);
/* Appends a tree: below each box those that it calls; one that was shown before is only named again. */
void chainsi_picture_tree(const chainsi_picture *picture, const chainsi_picture_style *style,
                          chainsi_buffer *out);
/* Appends a digraph as Graphviz reads it. */
void chainsi_picture_dot(const chainsi_picture *picture, chainsi_buffer *out);
/* Appends a document by itself: no script, no font and nothing else that is elsewhere; light and dark as the reader likes it. */
void chainsi_picture_svg(const chainsi_picture *picture, chainsi_buffer *out);

#endif
