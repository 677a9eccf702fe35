/* Reading the arguments of a verb.
 *
 *   static const char *name = NULL;
 *   bool json = false;
 *   chainsi_words folders = { 0 };
 *   const chainsi_option options[] = {
 *       { "name", CHAINSI_OPTION_TEXT, &name },
 *       { "json", CHAINSI_OPTION_FLAG, &json },
 *       { NULL, CHAINSI_OPTION_END, NULL },
 *   };
 *   int status;
 *   if (!chainsi_options_read(&chainsi_verb_graph, options, argc, argv, 1, &folders, &status))
 *       return status;
 *
 * Options may stand anywhere: `--name value`, `--name=value`, `--flag`; `--` ends them. `-h` and
 * `--help` print the verb's help. What isn't known is answered with the nearest option there is. */
#ifndef CHAINSI_CLI_OPTIONS_H
#define CHAINSI_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/verb.h"

/* Words in the order given; they point into argv. Freed by chainsi_words_done. */
typedef struct chainsi_words {
    const char **items; /* owned */
    size_t count;
} chainsi_words;

void chainsi_words_add(chainsi_words *words, const char *word);
void chainsi_words_done(chainsi_words *words);

/* What an option's target is. A single letter as the name is `-x` instead of `--x`. */
typedef enum chainsi_option_kind {
    CHAINSI_OPTION_END,
    CHAINSI_OPTION_FLAG,    /* bool: set to true */
    CHAINSI_OPTION_TEXT,    /* const char *: the last one given */
    CHAINSI_OPTION_WORDS,   /* chainsi_words: may be repeated */
    CHAINSI_OPTION_INTEGER, /* int64_t */
    CHAINSI_OPTION_NUMBER   /* double */
} chainsi_option_kind;

typedef struct chainsi_option {
    const char *name; /* without dashes */
    chainsi_option_kind kind;
    void *target; /* left alone when the option isn't given */
} chainsi_option;

/* Reads argv[1…]. At most max_positionals words without dashes are allowed; they are added to
 * positionals (NULL if max_positionals is 0). True: go on. False: return *status from the verb;
 * what had to be said has been said (help on stdout, a usage error on stderr). */
bool chainsi_options_read(const chainsi_verb *verb, const chainsi_option *options, int argc,
                          char **argv, size_t max_positionals, chainsi_words *positionals,
                          int *status);

/* Says on stderr what is wrong with the usage and how the verb is used. Returns
 * CHAINSI_EXIT_USAGE. */
int chainsi_usage_error(const chainsi_verb *verb, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Has programs that are started find assets in that folder; NULL: where CHAINS_ASSETS_DIR says, else
 * in their own. False, said as a usage error, if it is no folder. */
bool chainsi_use_assets(const chainsi_verb *verb, const char *folder);

/* Prints the verb's help on stdout. */
void chainsi_verb_print_help(const chainsi_verb *verb);

/* Whether the text can be the name of a chain, an environment, a version or a Chainlet: it goes into a
 * path as it is. */
bool chainsi_is_name(const char *text);

/* The candidate nearest to word by edits, if it is near enough to be meant; else NULL. candidates
 * ends with NULL. */
const char *chainsi_nearest_word(const char *word, const char *const *candidates);

#endif
