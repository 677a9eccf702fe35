/* The program `chains`: finds the verb and runs it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/options.h"

static void print_help(FILE *out)
{
    fprintf(out,
            "Programs made of typed C services.\n\nUsage: chains VERB [ARGUMENTS]\n\nVerbs:\n");
    for (const chainsi_verb *const *verb = chainsi_verbs; *verb; verb++)
        fprintf(out, "  %-9s %s\n", (*verb)->name, (*verb)->summary);
    fprintf(out, "\n`chains VERB --help` says more, with an example.\n"
                 "`chains --version` says which this is.\n"
                 "CHAINS_URL and CHAINS_TOKEN name a daemon that isn't the one of this machine.\n");
}

static int report_unknown_verb(const char *name)
{
    const char *names[64];
    size_t count = 0;
    for (const chainsi_verb *const *verb = chainsi_verbs; *verb && count < 63; verb++)
        names[count++] = (*verb)->name;
    names[count] = NULL;
    const char *nearest = chainsi_nearest_word(name, names);
    fprintf(stderr, "chains: there is no verb '%s'", name);
    if (nearest)
        fprintf(stderr, "; did you mean '%s'?", nearest);
    fprintf(stderr, "\n`chains --help` lists all verbs.\n");
    return CHAINSI_EXIT_USAGE;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return CHAINSI_EXIT_USAGE;
    }
    const char *name = argv[1];
    bool asks_help = !strcmp(name, "help") || !strcmp(name, "--help") || !strcmp(name, "-h");
    if (asks_help && argc == 2) {
        print_help(stdout);
        return CHAINSI_EXIT_OK;
    }
    if (!strcmp(name, "--version")) {
        printf("chains %s\n", CHAINSI_VERSION);
        return CHAINSI_EXIT_OK;
    }
    if (asks_help)
        name = argv[2];
    const chainsi_verb *verb = chainsi_verb_find(name);
    if (!verb)
        return report_unknown_verb(name);
    if (asks_help) {
        chainsi_verb_print_help(verb);
        return CHAINSI_EXIT_OK;
    }
    int status = verb->run(argc - 1, argv + 1);
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == CHAINSI_EXIT_OK) {
        fprintf(stderr, "chains %s: can't write its output: %s\n", name, strerror(errno));
        status = CHAINSI_EXIT_FAILED;
    }
    return status;
}
