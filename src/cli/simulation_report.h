/* What `chains simulate` prints: a table and a summary for people, or JSON. */
#ifndef CHAINSI_CLI_SIMULATION_REPORT_H
#define CHAINSI_CLI_SIMULATION_REPORT_H

#include "base/buffer.h"
#include "control/simulation.h"

/* A decision that changed something. */
typedef struct chainsi_change {
    double at_s;
    chainsi_scaling_decision decision;
} chainsi_change;

/* A run, and what surrounds it. */
typedef struct chainsi_simulation_report {
    const chainsi_simulation *simulation;
    const chainsi_simulation_options *options;
    const char *chainlet;    /* its name on the wire; NULL: none in particular */
    const char *load;        /* as it was given */
    double cores, gibibytes; /* of a replica; 0: not known */
    double gpus;
    const chainsi_change *changes;
    size_t change_count;
    int rows; /* of the table; a divisor of CHAINSI_SIMULATION_POINTS */
} chainsi_simulation_report;

/* A title for the picture: "phi_llm under step:0,100@60". */
void chainsi_report_title(const chainsi_simulation_report *report, chainsi_buffer *out);
/* One line that tells what matters most. */
void chainsi_report_subtitle(const chainsi_simulation_report *report, chainsi_buffer *out);
/* The table, the changes if with_changes, and the summary. */
void chainsi_report_text(const chainsi_simulation_report *report, bool with_changes,
                         chainsi_buffer *out);
/* One object: docs/scaling.md names its fields. */
void chainsi_report_json(const chainsi_simulation_report *report, chainsi_buffer *out);

#endif
