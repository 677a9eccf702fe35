/* A table as text, in as many columns of a terminal as there are: what has no room is cut or left out, the least needed first. Pure. */
#ifndef CHAINSI_CLI_TABLE_H
#define CHAINSI_CLI_TABLE_H

#include "base/terminal.h"

enum { CHAINSI_TABLE_MOST = 12 /* columns of a table */ };

typedef struct chainsi_table_column {
    const char *title;
    size_t
        wants; /* it is at least so wide, though its cells are narrower now: so that it doesn't jump when they aren't */
    size_t least; /* it may be cut to so many columns of the terminal; 0: it is never cut */
    bool right;
    int rank; /* of those that have no room the one of the highest goes first; 0: it stays */
} chainsi_table_column;

typedef struct chainsi_table_cell {
    const char *text;  /* of anybody: it is shown as chainsi_text_add does; NULL: empty */
    const char *color; /* "31": as terminals know it; NULL: none */
} chainsi_table_cell;

typedef struct chainsi_table_row {
    chainsi_table_cell cells[CHAINSI_TABLE_MOST];
    size_t
        span; /* the first cell goes over so many columns, whose own cells aren't shown; 0 is 1; SIZE_MAX: the whole row */
} chainsi_table_row;

typedef struct chainsi_table {
    const chainsi_table_column *columns;
    size_t column_count;
    const chainsi_table_row *rows;
    size_t row_count;
} chainsi_table;

/* Appends the titles to head and the rows to body, a line each, in at most so many columns (0: as many as it takes). */
void chainsi_table_write(const chainsi_table *table, size_t width, bool unicode, bool color,
                         chainsi_buffer *head, chainsi_buffer *body);

#endif
