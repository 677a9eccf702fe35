/* Libraries that a program or library opens while it runs (dlopen), as its notes say (base/late_library.h). */
#ifndef CHAINSI_IMAGE_LATE_H
#define CHAINSI_IMAGE_LATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

enum {
    CHAINSI_LATE_MAX_NOTES = 256 * 1024, /* bytes of a segment of notes */
    CHAINSI_LATE_MAX = 256,              /* libraries of one file */
};

typedef struct chainsi_late_names {
    const char **items;
    size_t count;
} chainsi_late_names;

typedef struct chainsi_late {
    const char *feature;       /* what it is for; NULL: it isn't said */
    const char *priority;      /* "required", "recommended", "suggested"; NULL: recommended */
    chainsi_late_names soname; /* the first of them that is there is opened */
} chainsi_late;

typedef struct chainsi_lates {
    chainsi_late *items;
    size_t count;
} chainsi_lates;

/* Adds those of a segment of notes, whose entries are aligned to so many bytes. Notes of others, and those that can't be read,
 * are passed over. Texts are in arena. */
void chainsi_lates_read(const uint8_t *data, size_t size, size_t align, chainsi_arena *arena,
                        chainsi_lates *lates);

#endif
