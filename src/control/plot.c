/* Three panels with one axis of time. All coordinates are in pixels of the view box. */
#include "control/plot.h"

#include <math.h>
#include <stdio.h>

enum {
    WIDTH = 960,
    LEFT = 74,
    RIGHT = 26,
    TOP = 92, /* of the first panel */
    PANEL = 132,
    GAP = 46,
    PANELS = 3,
    HEIGHT = TOP + PANELS * PANEL + (PANELS - 1) * GAP + 44,
    INNER = WIDTH - LEFT - RIGHT,
    TICKS = 4,  /* of a panel's height, about */
    LETTER = 7, /* the width of one, about */
};

/* Colours are written out, first for light pages: not every program that shows SVG knows variables. */
static const char style[] =
    "text { font: 12px system-ui, sans-serif; fill: #24292f }\n"
    ".title { font-size: 16px; font-weight: 600 } .panel { font-weight: 600 }\n"
    ".tick { font-size: 11px; fill: #656d76 } .end { text-anchor: end }\n"
    ".middle { text-anchor: middle } .ground { fill: #ffffff } .grid { stroke: #d8dee4 }\n"
    ".line { fill: none; stroke-width: 1.6; stroke-linejoin: round }\n"
    ".line.load { stroke: #c2410c } .line.room { stroke: #2f6fb0 } .line.wait { stroke: #7c3aed }\n"
    ".area.load { fill: #c2410c } .area.room { fill: #c5d8eb } .area.more { fill: #e9b44c }\n"
    ".area.wait { fill: #7c3aed } .area.most { fill: #d9c8fa }\n"
    "@media (prefers-color-scheme: dark) {\n"
    "text { fill: #e6edf3 } .tick { fill: #8d96a0 } .ground { fill: #0d1117 }\n"
    ".grid { stroke: #30363d } .line.load { stroke: #fb923c } .line.room { stroke: #6cb6ff }\n"
    ".line.wait { stroke: #b794f6 } .area.load { fill: #fb923c } .area.room { fill: #1f3b57 }\n"
    ".area.more { fill: #b9862b } .area.wait { fill: #b794f6 } .area.most { fill: #3f2f66 }\n"
    "}\n";

/* One number of each point. */
typedef struct plot_series {
    double values[CHAINSI_SIMULATION_POINTS];
} plot_series;

typedef struct plot_panel {
    chainsi_buffer *out;
    double top, most; /* pixels; the value at its upper end */
    double end_s;     /* the time at its right end */
    double entry;     /* where the next one of the legend begins */
} plot_panel;

static void add_escaped(chainsi_buffer *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '<')
            chainsi_buffer_add_text(out, "&lt;");
        else if (*text == '&')
            chainsi_buffer_add_text(out, "&amp;");
        else if (*text == '>')
            chainsi_buffer_add_text(out, "&gt;");
        else if (*text == '"')
            chainsi_buffer_add_text(out, "&quot;");
        else if ((unsigned char)*text >= ' ' && *text != 0x7f)
            chainsi_buffer_add_byte(out, (uint8_t)*text);
    }
}

/* 1, 2 or 5 times a power of ten: the least that makes no more than so many steps. */
static double find_step(double most, int steps)
{
    double least = most / steps, power = pow(10, floor(log10(least)));
    for (int factor = 1; factor <= 5; factor = factor == 2 ? 5 : factor * 2)
        if (power * factor >= least * (1 - 1e-9))
            return power * factor;
    return power * 10;
}

/* The same for times: what clocks show. */
static double find_time_step(double most_s, int steps)
{
    static const double clock_s[] = { 30,   60,   120,   300,   600,   900,  1800,
                                      3600, 7200, 10800, 21600, 43200, 86400 };
    double least_s = most_s / steps;
    if (least_s <= 20)
        return find_step(most_s, steps);
    for (size_t i = 0; i < sizeof clock_s / sizeof *clock_s; i++)
        if (clock_s[i] >= least_s)
            return clock_s[i];
    return 86400 * find_step(most_s / 86400, steps);
}

static double x_of(const plot_panel *panel, double at_s)
{
    return LEFT + at_s / panel->end_s * INNER;
}

static double y_of(const plot_panel *panel, double value)
{
    return panel->top + PANEL * (1 - fmin(value, panel->most) / panel->most);
}

static void write_number(char *text, size_t size, double number)
{
    if (number >= 1e6)
        snprintf(text, size, "%.4gM", number / 1e6);
    else if (number >= 1e4)
        snprintf(text, size, "%.4gk", number / 1e3);
    else
        snprintf(text, size, "%.4g", number);
}

static void write_time(char *text, size_t size, double at_s, double step_s)
{
    if (step_s >= 86400)
        snprintf(text, size, "%.0f d", at_s / 86400);
    else if (step_s >= 3600)
        snprintf(text, size, "%.0f h", at_s / 3600);
    else if (step_s >= 60)
        snprintf(text, size, "%.0f min", at_s / 60);
    else
        snprintf(text, size, "%.4g s", at_s);
}

/* --- pieces */

static void draw_time(const plot_panel *panel, bool with_text)
{
    double step_s = find_time_step(panel->end_s, 10);
    for (int i = 0; i * step_s <= panel->end_s * (1 + 1e-9); i++) {
        double x = x_of(panel, i * step_s);
        chainsi_buffer_printf(panel->out,
                              "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" "
                              "y2=\"%.1f\"/>\n",
                              x, x, panel->top, panel->top + PANEL);
        if (!with_text)
            continue;
        char text[32];
        write_time(text, sizeof text, i * step_s, step_s);
        chainsi_buffer_printf(panel->out,
                              "<text class=\"tick middle\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", x,
                              panel->top + PANEL + 17, text);
    }
}

/* The frame of a panel that reaches to `most` at least. */
static plot_panel begin_panel(chainsi_buffer *out, int place, const char *name, const char *unit,
                              double most, double end_s)
{
    double step = find_step(most > 0 ? most : 1, TICKS);
    plot_panel panel = { .out = out,
                         .top = TOP + place * (PANEL + GAP),
                         .most = step * ceil((most > 0 ? most : 1) / step - 1e-9),
                         .end_s = end_s };
    draw_time(&panel, place == PANELS - 1);
    for (int i = 0; i * step <= panel.most * (1 + 1e-9); i++) {
        char text[32];
        double y = y_of(&panel, i * step);
        write_number(text, sizeof text, i * step);
        chainsi_buffer_printf(
            out, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>\n", LEFT,
            WIDTH - RIGHT, y, y);
        chainsi_buffer_printf(out, "<text class=\"tick end\" x=\"%d\" y=\"%.1f\">%s%s</text>\n",
                              LEFT - 7, y + 4, text, i * step > 0 ? unit : "");
    }
    chainsi_buffer_printf(out, "<text class=\"panel\" x=\"%d\" y=\"%.1f\">%s</text>\n", LEFT,
                          panel.top - 10, name);
    panel.entry = WIDTH - RIGHT;
    return panel;
}

/* From the right to the left. */
static void add_legend(plot_panel *panel, const char *class, const char *name)
{
    panel->entry -= LETTER * (double)strlen(name);
    chainsi_buffer_printf(panel->out, "<text x=\"%.1f\" y=\"%.1f\">%s</text>\n", panel->entry,
                          panel->top - 10, name);
    panel->entry -= 17;
    chainsi_buffer_printf(panel->out,
                          "<rect class=\"area %s\" x=\"%.1f\" y=\"%.1f\" width=\"12\" "
                          "height=\"10\" rx=\"2\"/>\n",
                          class, panel->entry, panel->top - 19);
    panel->entry -= 14;
}

/* A stair through the values, from the left end to the right. */
static void add_stair(const plot_panel *panel, const chainsi_simulation *simulation,
                      const plot_series *series)
{
    double last = NAN;
    for (int i = 0; i < CHAINSI_SIMULATION_POINTS; i++) {
        double y = y_of(panel, series->values[i]);
        double from = x_of(panel, simulation->points[i].from_s);
        double to = x_of(panel, simulation->points[i].to_s);
        if (i == 0)
            chainsi_buffer_printf(panel->out, "%.1f %.1f", from, y);
        else if (y != last)
            chainsi_buffer_printf(panel->out, "H%.1fV%.1f", from, y);
        if (i == CHAINSI_SIMULATION_POINTS - 1)
            chainsi_buffer_printf(panel->out, "H%.1f", to);
        last = y;
    }
}

static void draw_line(const plot_panel *panel, const chainsi_simulation *simulation,
                      const plot_series *series, const char *class)
{
    chainsi_buffer_printf(panel->out, "<path class=\"line %s\" d=\"M", class);
    add_stair(panel, simulation, series);
    chainsi_buffer_add_text(panel->out, "\"/>\n");
}

static void draw_area(const plot_panel *panel, const chainsi_simulation *simulation,
                      const plot_series *series, const char *class)
{
    chainsi_buffer_printf(panel->out, "<path class=\"area %s\" d=\"M%d %.1fL", class, LEFT,
                          panel->top + PANEL);
    add_stair(panel, simulation, series);
    chainsi_buffer_printf(panel->out, "V%.1fZ\"/>\n", panel->top + PANEL);
}

/* --- panels */

static double find_most(const plot_series *series)
{
    double most = 0;
    for (int i = 0; i < CHAINSI_SIMULATION_POINTS; i++)
        most = fmax(most, series->values[i]);
    return most;
}

static void draw_load(const chainsi_simulation *simulation,
                      const chainsi_simulation_options *options, chainsi_buffer *out)
{
    plot_series offered, room;
    for (int i = 0; i < CHAINSI_SIMULATION_POINTS; i++) {
        offered.values[i] = simulation->points[i].offered;
        room.values[i] = simulation->points[i].ready * (double)options->concurrency;
    }
    plot_panel panel =
        begin_panel(out, 0, "Load: calls at once", "", fmax(find_most(&offered), find_most(&room)),
                    simulation->whole.to_s);
    draw_area(&panel, simulation, &room, "room");
    draw_line(&panel, simulation, &room, "room");
    draw_line(&panel, simulation, &offered, "load");
    add_legend(&panel, "room", "what the replicas can run");
    add_legend(&panel, "load", "what the load needs");
}

static void draw_replicas(const chainsi_simulation *simulation, chainsi_buffer *out)
{
    plot_series ready, all;
    for (int i = 0; i < CHAINSI_SIMULATION_POINTS; i++) {
        const chainsi_simulation_point *point = &simulation->points[i];
        ready.values[i] = point->ready;
        all.values[i] = point->ready + point->starting + point->draining;
    }
    plot_panel panel = begin_panel(out, 1, "Replicas", "", find_most(&all), simulation->whole.to_s);
    draw_area(&panel, simulation, &all, "more");
    draw_area(&panel, simulation, &ready, "room");
    draw_line(&panel, simulation, &ready, "room");
    add_legend(&panel, "more", "starting or ending");
    add_legend(&panel, "room", "ready");
}

static void draw_waits(const chainsi_simulation *simulation, chainsi_buffer *out)
{
    plot_series half, most;
    for (int i = 0; i < CHAINSI_SIMULATION_POINTS; i++) {
        const chainsi_waits *waits = &simulation->points[i].waits;
        half.values[i] = chainsi_waits_quantile(waits, 0.5);
        most.values[i] = chainsi_waits_quantile(waits, 0.99);
    }
    plot_panel panel = begin_panel(out, 2, "Waiting time of calls that began", " s",
                                   fmax(find_most(&most), 0.1), simulation->whole.to_s);
    draw_area(&panel, simulation, &most, "most");
    draw_line(&panel, simulation, &half, "wait");
    add_legend(&panel, "wait", "half of them at most");
    add_legend(&panel, "most", "99 % at most");
}

void chainsi_plot_simulation(const chainsi_simulation *simulation,
                             const chainsi_simulation_options *options, const char *title,
                             const char *subtitle, chainsi_buffer *out)
{
    chainsi_buffer_printf(out,
                          "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
                          "width=\"%d\" height=\"%d\" role=\"img\" aria-label=\"",
                          WIDTH, HEIGHT, WIDTH, HEIGHT);
    add_escaped(out, title);
    chainsi_buffer_printf(out,
                          "\">\n<style>\n%s</style>\n<rect class=\"ground\" width=\"%d\" "
                          "height=\"%d\"/>\n<text class=\"title\" x=\"%d\" y=\"28\">",
                          style, WIDTH, HEIGHT, LEFT);
    add_escaped(out, title);
    chainsi_buffer_printf(out, "</text>\n<text class=\"tick\" x=\"%d\" y=\"48\">", LEFT);
    add_escaped(out, subtitle);
    chainsi_buffer_add_text(out, "</text>\n");
    draw_load(simulation, options, out);
    draw_replicas(simulation, out);
    draw_waits(simulation, out);
    chainsi_buffer_add_text(out, "</svg>\n");
}
