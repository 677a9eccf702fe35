#include "cli/deploy_progress.h"

#include <stdlib.h>
#include <string.h>

void chainsi_deploy_progress_init(chainsi_deploy_progress *progress, FILE *out,
                                  chainsi_terminal terminal, size_t count)
{
    *progress = (chainsi_deploy_progress){
        .line = { .out = out, .terminal = terminal },
        .shown = calloc(count + 1, sizeof *progress->shown),
        .count = count,
    };
    progress->fetched.progress = &progress->line;
    if (!progress->shown)
        abort();
}

void chainsi_deploy_progress_done(chainsi_deploy_progress *progress)
{
    chainsi_bar_clear(&progress->line);
    free(progress->shown);
    progress->shown = NULL;
}

static bool is_ready(const chainsi_api_chainlet *chainlet)
{
    return !strcmp(chainlet->state, "ready");
}

/* "2 of 5 ready, waiting for hand, singer" */
static void write_words(const chainsi_api_chainlets *chainlets, size_t ready,
                        char words[sizeof((chainsi_deploy_progress *)0)->words])
{
    const size_t size = sizeof((chainsi_deploy_progress *)0)->words;
    int used = snprintf(words, size, "%zu of %zu ready", ready, chainlets->count);
    const char *before = ", waiting for ";
    for (size_t i = 0; i < chainlets->count; i++) {
        if (is_ready(&chainlets->items[i]))
            continue;
        if (used < 0 || (size_t)used >= size)
            return;
        used +=
            snprintf(words + used, size - (size_t)used, "%s%s", before, chainlets->items[i].name);
        before = ", ";
    }
}

static void show_bar(chainsi_deploy_progress *progress, const chainsi_api_chainlets *chainlets)
{
    char words[sizeof progress->words];
    size_t ready = 0;
    for (size_t i = 0; i < chainlets->count; i++)
        ready += is_ready(&chainlets->items[i]);
    write_words(chainlets, ready, words);
    if (progress->line.open && !strcmp(words, progress->words))
        return;
    strcpy(progress->words, words);
    chainsi_bar_show(&progress->line, "starting",
                     (double)ready / (double)(chainlets->count ? chainlets->count : 1), words);
}

static void show_lines(chainsi_deploy_progress *progress, const chainsi_api_chainlets *chainlets)
{
    for (size_t i = 0; i < chainlets->count; i++) {
        if (progress->shown[i] || !is_ready(&chainlets->items[i]))
            continue;
        progress->shown[i] = true;
        fprintf(progress->line.out, "ready  %s\n", chainlets->items[i].name);
    }
}

void chainsi_deploy_progress_show(chainsi_deploy_progress *progress,
                                  const chainsi_api_deployment *deployment, int64_t now_ns)
{
    const chainsi_api_fetched *assets = deployment->assets;
    chainsi_fetched_show(&progress->fetched, assets, now_ns);
    if (deployment->chainlets.count > progress->count)
        return; /* another deployment's */
    if (!progress->line.terminal.moves)
        show_lines(progress, &deployment->chainlets);
    else if (!assets || assets->files_done >= assets->files)
        show_bar(progress, &deployment->chainlets);
}
