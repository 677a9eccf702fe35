/* Widths are found first: as wide as the widest cell, then cut, then left out. */
#include "cli/table.h"

#include <stdint.h>
#include <string.h>

enum { GAP = 2 };

typedef struct widths {
    size_t of[CHAINSI_TABLE_MOST];
    bool shown[CHAINSI_TABLE_MOST];
} widths;

static size_t widest(const chainsi_table *table, size_t column)
{
    size_t width = chainsi_text_columns(table->columns[column].title);
    for (size_t i = 0; i < table->row_count; i++) {
        const chainsi_table_row *row = &table->rows[i];
        const char *text = row->cells[column].text;
        if (row->span > 1 && column < row->span)
            continue;
        const size_t own = text ? chainsi_text_columns(text) : 0;
        width = own > width ? own : width;
    }
    return width > table->columns[column].wants ? width : table->columns[column].wants;
}

/* Of the columns from first to before last. */
static size_t total(const widths *all, size_t first, size_t last)
{
    size_t sum = 0;
    for (size_t i = first; i < last; i++)
        if (all->shown[i])
            sum += all->of[i] + (sum ? GAP : 0);
    return sum;
}

/* Cuts what may be cut. False: it is still too wide. */
static bool cut(const chainsi_table *table, size_t width, widths *all)
{
    for (size_t i = 0; i < table->column_count; i++) {
        const size_t sum = total(all, 0, table->column_count), least = table->columns[i].least;
        if (sum <= width)
            return true;
        if (all->shown[i] && least && all->of[i] > least)
            all->of[i] = all->of[i] - least > sum - width ? all->of[i] - (sum - width) : least;
    }
    return total(all, 0, table->column_count) <= width;
}

/* Leaves the least needed column out. False: there is none. */
static bool leave_out(const chainsi_table *table, widths *all)
{
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < table->column_count; i++)
        if (all->shown[i] && table->columns[i].rank &&
            (least == SIZE_MAX || table->columns[i].rank > table->columns[least].rank))
            least = i;
    if (least != SIZE_MAX)
        all->shown[least] = false;
    return least != SIZE_MAX;
}

/* Widens the first column so that cells that go over several have room. */
static void fit_spans(const chainsi_table *table, widths *all)
{
    for (size_t i = 0; i < table->row_count; i++) {
        const chainsi_table_row *row = &table->rows[i];
        if (row->span <= 1 || row->span >= table->column_count || !row->cells[0].text)
            continue;
        const size_t own = chainsi_text_columns(row->cells[0].text);
        const size_t room = total(all, 0, row->span);
        all->of[0] += own > room ? own - room : 0;
    }
}

static void find_widths(const chainsi_table *table, size_t width, widths *all)
{
    for (size_t i = 0; i < table->column_count; i++) {
        all->of[i] = widest(table, i);
        all->shown[i] = true;
    }
    fit_spans(table, all);
    widths natural = *all;
    while (width && !cut(table, width, all)) {
        /* With one less there may be no need to cut as much. */
        if (!leave_out(table, &natural))
            break;
        *all = natural;
    }
    /* What can't be made narrower is cut all the same. */
    if (width && total(all, 0, table->column_count) > width)
        all->of[0] = width > total(all, 1, table->column_count) + GAP
                         ? width - total(all, 1, table->column_count) - GAP
                         : 1;
}

static void add_cell(const chainsi_table_cell *cell, size_t width,
                     const chainsi_table_column *column, bool unicode, bool color,
                     chainsi_buffer *out)
{
    const bool colored = color && cell->color;
    if (colored)
        chainsi_buffer_printf(out, "\x1b[%sm", cell->color);
    chainsi_text_add_cell(out, cell->text ? cell->text : "", width, column->right, unicode);
    if (colored)
        chainsi_buffer_add_text(out, "\x1b[0m");
}

/* Takes blanks at the end of the line away. */
static void end_line(chainsi_buffer *out)
{
    while (out->size && out->data[out->size - 1] == ' ')
        out->size--;
    chainsi_buffer_add_byte(out, '\n');
}

static void add_row(const chainsi_table *table, const chainsi_table_row *row, const widths *all,
                    size_t width, bool unicode, bool color, chainsi_buffer *out)
{
    size_t from = 0;
    bool first = true;
    if (row->span > 1) {
        const bool whole = row->span >= table->column_count;
        from = whole ? table->column_count : row->span;
        static const chainsi_table_column left = { 0 };
        const char *text = row->cells[0].text ? row->cells[0].text : "";
        const size_t room = !whole  ? total(all, 0, from)
                            : width ? width
                                    : chainsi_text_columns(text);
        add_cell(&row->cells[0], room, &left, unicode, color, out);
        first = false;
    }
    for (size_t i = from; i < table->column_count; i++) {
        if (!all->shown[i])
            continue;
        if (!first)
            chainsi_buffer_printf(out, "%*s", GAP, "");
        first = false;
        add_cell(&row->cells[i], all->of[i], &table->columns[i], unicode, color, out);
    }
    end_line(out);
}

void chainsi_table_write(const chainsi_table *table, size_t width, bool unicode, bool color,
                         chainsi_buffer *head, chainsi_buffer *body)
{
    widths all = { 0 };
    find_widths(table, width, &all);
    chainsi_table_row titles = { 0 };
    for (size_t i = 0; i < table->column_count; i++)
        titles.cells[i].text = table->columns[i].title;
    add_row(table, &titles, &all, width, unicode, false, head);
    for (size_t i = 0; i < table->row_count; i++)
        add_row(table, &table->rows[i], &all, width, unicode, color, body);
}
