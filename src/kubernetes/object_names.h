/* Names of Kubernetes objects, values of labels, and references of images, made of the names of chains, versions and
 * Chainlets. Pure functions; texts are in arena.
 *
 * Two that differ never become the same. `poem`, `v0001-c4a671` and `phi_llm` simply are
 * `poem-v0001-c4a671-phi-llm`, which can be read backwards. What couldn't (`a-b` beside `a_b`, capitals), or is too
 * long, ends in `--` and 16 digits of a hash of the parts as they are, which no other name has. */
#ifndef CHAINSI_KUBERNETES_OBJECT_NAMES_H
#define CHAINSI_KUBERNETES_OBJECT_NAMES_H

#include "base/arena.h"

enum { CHAINSI_OBJECT_NAME_MOST = 63 };

/* The name of what belongs to a version (chainlet NULL) or a Chainlet of it: good for Services, whose names begin with
 * a letter, and so for all objects. */
const char *chainsi_object_name(chainsi_arena *arena, const char *chain, const char *version,
                                const char *chainlet);
/* The name of what belongs to a chain in all its versions: `poem-secrets`. */
const char *chainsi_object_name_of_chain(chainsi_arena *arena, const char *chain, const char *what);
/* The value of a label that says the text, or as much of it as can be one. */
const char *chainsi_label_value(chainsi_arena *arena, const char *text);
/* The text as a name that always has the hash. */
const char *chainsi_object_name_hashed(chainsi_arena *arena, const char *text);

#endif
