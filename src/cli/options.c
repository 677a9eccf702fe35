/* Reads the arguments of verbs. Nothing here knows a verb by name. */
#include "cli/options.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void chainsi_words_add(chainsi_words *words, const char *word)
{
    const char **items = realloc(words->items, (words->count + 1) * sizeof *items);
    if (!items)
        abort();
    words->items = items;
    words->items[words->count++] = word;
}

void chainsi_words_done(chainsi_words *words)
{
    free(words->items);
    *words = (chainsi_words){ 0 };
}

/* The number of letters to add, drop or replace, up to a limit that no suggestion exceeds. */
static size_t edit_distance(const char *a, const char *b)
{
    enum { LONGEST = 64 };
    size_t a_size = strlen(a), b_size = strlen(b);
    if (a_size >= LONGEST || b_size >= LONGEST)
        return LONGEST;
    size_t row[LONGEST];
    for (size_t j = 0; j <= b_size; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
            size_t dropped = row[j] + 1, added = row[j - 1] + 1;
            diagonal = row[j];
            size_t least = replaced < dropped ? replaced : dropped;
            row[j] = least < added ? least : added;
        }
    }
    return row[b_size];
}

const char *chainsi_nearest_word(const char *word, const char *const *candidates)
{
    const char *nearest = NULL;
    size_t nearest_distance = strlen(word) / 3 + 2; /* farther is a guess, not a suggestion */
    for (; *candidates; candidates++) {
        size_t distance = edit_distance(word, *candidates);
        size_t size = strlen(word);
        if (size >= 3 && !strncmp(word, *candidates, size))
            distance = 1;
        if (distance < nearest_distance) {
            nearest = *candidates;
            nearest_distance = distance;
        }
    }
    return nearest;
}

void chainsi_verb_print_help(const chainsi_verb *verb)
{
    printf("%s\n\nUsage: chains %s %s\n\n%s", verb->summary, verb->name, verb->usage, verb->help);
    size_t size = strlen(verb->help);
    if (size && verb->help[size - 1] != '\n')
        putchar('\n');
}

int chainsi_usage_error(const chainsi_verb *verb, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "chains %s: ", verb->name);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\nUsage: chains %s %s\n", verb->name, verb->usage);
    return CHAINSI_EXIT_USAGE;
}

static const chainsi_option *find_option(const chainsi_option *options, const char *name,
                                         size_t size)
{
    for (; options->kind != CHAINSI_OPTION_END; options++)
        if (strlen(options->name) == size && !memcmp(options->name, name, size))
            return options;
    return NULL;
}

static int report_unknown(const chainsi_verb *verb, const chainsi_option *options,
                          const char *argument, const char *name)
{
    const char *names[64];
    size_t count = 0;
    for (; options->kind != CHAINSI_OPTION_END && count < 62; options++)
        if (options->name[1])
            names[count++] = options->name;
    names[count++] = "help";
    names[count] = NULL;
    const char *nearest = chainsi_nearest_word(name, names);
    if (nearest)
        return chainsi_usage_error(verb, "unknown option '%s'; did you mean '--%s'?", argument,
                                   nearest);
    return chainsi_usage_error(verb, "unknown option '%s'", argument);
}

/* Stores value in the option's target; a message on stderr and false if it can't be read. */
static bool store_value(const chainsi_verb *verb, const chainsi_option *option, const char *value)
{
    char *end = NULL;
    errno = 0;
    switch (option->kind) {
    case CHAINSI_OPTION_TEXT:
        *(const char **)option->target = value;
        return true;
    case CHAINSI_OPTION_WORDS:
        chainsi_words_add(option->target, value);
        return true;
    case CHAINSI_OPTION_INTEGER: {
        long long number = strtoll(value, &end, 10);
        if (*value && !*end && !errno) {
            *(int64_t *)option->target = number;
            return true;
        }
        chainsi_usage_error(verb, "'--%s' takes an integer, not '%s'", option->name, value);
        return false;
    }
    case CHAINSI_OPTION_NUMBER: {
        double number = strtod(value, &end);
        if (*value && !*end && !errno && isfinite(number)) {
            *(double *)option->target = number;
            return true;
        }
        chainsi_usage_error(verb, "'--%s' takes a number, not '%s'", option->name, value);
        return false;
    }
    case CHAINSI_OPTION_FLAG:
    case CHAINSI_OPTION_END:
        break;
    }
    return false;
}

bool chainsi_options_read(const chainsi_verb *verb, const chainsi_option *options, int argc,
                          char **argv, size_t max_positionals, chainsi_words *positionals,
                          int *status)
{
    bool options_ended = false;
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        if (options_ended || argument[0] != '-' || !argument[1]) {
            if (positionals && positionals->count < max_positionals) {
                chainsi_words_add(positionals, argument);
                continue;
            }
            *status = chainsi_usage_error(verb, "'%s' is one argument too many", argument);
            return false;
        }
        if (!strcmp(argument, "--")) {
            options_ended = true;
            continue;
        }
        if (!strcmp(argument, "--help") || !strcmp(argument, "-h")) {
            chainsi_verb_print_help(verb);
            *status = CHAINSI_EXIT_OK;
            return false;
        }
        const char *name = argument + (argument[1] == '-' ? 2 : 1);
        size_t name_size = strcspn(name, "=");
        const chainsi_option *option = find_option(options, name, name_size);
        if (!option || (argument[1] == '-') != (name_size > 1)) {
            char bare[64];
            snprintf(bare, sizeof bare, "%.*s", (int)(name_size < 63 ? name_size : 63), name);
            *status = report_unknown(verb, options, argument, bare);
            return false;
        }
        const char *value = name[name_size] == '=' ? name + name_size + 1 : NULL;
        if (option->kind == CHAINSI_OPTION_FLAG) {
            if (value) {
                *status = chainsi_usage_error(verb, "'--%s' takes no value", option->name);
                return false;
            }
            *(bool *)option->target = true;
            continue;
        }
        if (!value && i + 1 == argc) {
            *status = chainsi_usage_error(verb, "'%s' needs a value", argument);
            return false;
        }
        if (!value)
            value = argv[++i];
        if (!store_value(verb, option, value)) {
            *status = CHAINSI_EXIT_USAGE;
            return false;
        }
    }
    return true;
}

bool chainsi_use_assets(const chainsi_verb *verb, const char *folder)
{
    if (!folder)
        return true;
    struct stat info;
    char *path = realpath(folder, NULL); /* programs may be started elsewhere */
    bool used = path && stat(path, &info) == 0 && S_ISDIR(info.st_mode) &&
                setenv("CHAINS_ASSETS_DIR", path, 1) == 0;
    free(path);
    if (!used)
        chainsi_usage_error(verb, "'--assets' takes a folder, not '%s'", folder);
    return used;
}

bool chainsi_is_name(const char *text)
{
    return *text && !text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789._-")];
}
