/* What a layer holds: folders, files and links by their paths, from which one and the same tar comes whatever the
 * order in which they were added, whoever owns them here, and when they were written. */
#ifndef CHAINSI_IMAGE_TREE_H
#define CHAINSI_IMAGE_TREE_H

#include "base/arena.h"
#include "image/problem.h"

typedef enum chainsi_entry_kind {
    CHAINSI_ENTRY_FOLDER,
    CHAINSI_ENTRY_FILE,
    CHAINSI_ENTRY_LINK, /* a symbolic one */
} chainsi_entry_kind;

typedef struct chainsi_entry {
    const char *path; /* without a slash at its ends: "usr/lib/libc.so.6" */
    chainsi_entry_kind kind;
    unsigned mode;      /* permission bits */
    const char *source; /* a file's contents are those of this file here; NULL: text */
    const char *text;   /* a file's contents, or a link's target */
    size_t text_size;
} chainsi_entry;

/* All zero: empty. */
typedef struct chainsi_tree {
    chainsi_arena arena; /* owned: all texts */
    chainsi_entry *entries;
    size_t count, capacity;
} chainsi_tree;

void chainsi_tree_done(chainsi_tree *tree);

/* A path is put into its one form: leading slashes, "." and doubled slashes go. Of two entries of one path the first
 * stays. Nothing is read before the layer is written. */
void chainsi_tree_folder(chainsi_tree *tree, const char *path, unsigned mode);
void chainsi_tree_file(chainsi_tree *tree, const char *path, unsigned mode, const char *source);
void chainsi_tree_text(chainsi_tree *tree, const char *path, unsigned mode, const char *text);
void chainsi_tree_link(chainsi_tree *tree, const char *path, const char *target);
/* All that is at and below `folder` here, at `path` of the image: files with 0755 if their owner may run them, else
 * 0644, folders, links as they are. What is none of these is left out. False: something can't be read. */
bool chainsi_tree_copy(chainsi_tree *tree, const char *path, const char *source,
                       chainsi_problem *problem);

/* Takes out the entries of a path in its one form. */
void chainsi_tree_drop(chainsi_tree *tree, const char *path);
/* Adds the folders that are missing above entries (0755), drops all but the first of one path, and sorts by path. */
void chainsi_tree_seal(chainsi_tree *tree);

#endif
