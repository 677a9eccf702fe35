/* Which Debian package a file of this machine is of, by dpkg's database. */
#ifndef CHAINSI_IMAGE_DPKG_H
#define CHAINSI_IMAGE_DPKG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

typedef struct chainsi_package {
    const char *name, *version, *architecture;
    const char *file;   /* of the image, of which it was asked; NULL: it is there whole */
    const char *digest; /* hex SHA-256 of a file that no package owns; else NULL */
} chainsi_package;

typedef struct chainsi_packages_found {
    chainsi_package *items; /* owned (heap) */
    size_t count;
} chainsi_packages_found;

void chainsi_packages_add(chainsi_packages_found *found, const chainsi_package *package);

/* A question: where the file is (all links followed), and after the answer whose it is. */
typedef struct chainsi_owner {
    const char *path;
    const char *name, *version, *architecture; /* NULL: nobody's */
} chainsi_owner;

/* Answers all questions in one pass over the database at `folder` (NULL: /var/lib/dpkg). Texts live in arena. Where
 * there is no such database nothing is owned. */
void chainsi_dpkg_owners(const char *folder, chainsi_owner *owners, size_t count,
                         chainsi_arena *arena);
/* Version and architecture of an installed package by its name. False: it isn't installed. */
bool chainsi_dpkg_find(const char *folder, const char *name, chainsi_arena *arena,
                       chainsi_owner *owner);

#endif
