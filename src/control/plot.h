/* A simulation as a picture: SVG without anything from elsewhere, for light and dark pages. */
#ifndef CHAINSI_CONTROL_PLOT_H
#define CHAINSI_CONTROL_PLOT_H

#include "base/buffer.h"
#include "control/simulation.h"

/* Appends the picture: the load beside what the replicas can take, the replicas, and the waiting
 * times. title and subtitle are lines of text above it. */
void chainsi_plot_simulation(const chainsi_simulation *simulation,
                             const chainsi_simulation_options *options, const char *title,
                             const char *subtitle, chainsi_buffer *out);

#endif
