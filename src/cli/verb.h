/* A verb of the command line: what `chains NAME …` does.
 *
 * Each verb has a file of its own, `src/cli/<name>.c`, which exports `chainsi_verb_<name>`; verbs.c
 * lists them all. Exit status of every verb: 0 done, 1 it failed, 2 usage, or the chain is invalid.
 */
#ifndef CHAINSI_CLI_VERB_H
#define CHAINSI_CLI_VERB_H

#include <stddef.h>

#define CHAINSI_EXIT_OK     0
#define CHAINSI_EXIT_FAILED 1
#define CHAINSI_EXIT_USAGE  2

typedef struct chainsi_verb {
    const char *name;    /* "check" */
    const char *usage;   /* what follows the name: "[FOLDER] [--json]" */
    const char *summary; /* one line, for the list of verbs */
    const char *help;    /* the rest of --help: each option on a line, and an example at its end */
    /* argv[0] is the verb's name. Returns the exit status. */
    int (*run)(int argc, char **argv);
} chainsi_verb;

/* All verbs, in the order in which help lists them; the last element is NULL. */
extern const chainsi_verb *const chainsi_verbs[];

/* The verb of that name; NULL if there is none. */
const chainsi_verb *chainsi_verb_find(const char *name);

#endif
