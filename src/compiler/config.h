/* A constant config as it was read, with the place of each option that was set. Shared by config.c,
 * which reads them, and check_config.c. */
#ifndef CHAINSI_COMPILER_CONFIG_H
#define CHAINSI_COMPILER_CONFIG_H

#include "compiler/reader.h"

/* One option that was written: ".autoscaling.min_replicas" at its value's place. */
typedef struct chainsi_option {
    const char *path; /* ".env[0].name" */
    size_t offset;    /* in the config, bytes */
    chainsi_position position;
} chainsi_option;

typedef struct chainsi_config_options {
    chainsi_option *items;
    size_t count, capacity;
    chainsi_position fallback; /* for an option that wasn't written */
} chainsi_config_options;

/* Reads the initializer of a variable into config, of size bytes. macro is what wrote it, for
 * messages. False if there is none. */
bool chainsi_config_evaluate(chainsi_reader *reader, CXCursor variable, const char *macro,
                             void *config, size_t size, chainsi_config_options *read);
/* The place of the option at an offset, or the nearest there is. */
chainsi_position chainsi_config_place(const chainsi_config_options *read, size_t offset);

/* check_config.c: the checks of what was read. */
void chainsi_check_config(chainsi_reader *reader, chainsi_model_chainlet *chainlet,
                          const chainsi_config_options *read);
void chainsi_check_external(chainsi_reader *reader, chainsi_model_chainlet *chainlet,
                            const chainsi_config_options *read);
void chainsi_check_depends(chainsi_reader *reader, const chainsi_model_chainlet *callee,
                           const chains_depends_config *options,
                           const chainsi_config_options *read);

/* Bytes of a Kubernetes quantity ("512Mi", "4Gi", "2G", "1.5Gi"). False if it is none, or not a
 * positive number of bytes below 2^63. */
bool chainsi_config_memory(const char *text, uint64_t *bytes);

#endif
