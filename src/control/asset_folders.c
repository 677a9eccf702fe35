/* Folders of links: asked for of the store as one job, then made as one folder. */
#include "control/asset_folders.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/asset_links.h"
#include "control/handle.h"
#include "control/home.h"
#include "control/log.h"

/* Between a look at the store and the links a file may go that nobody but this wants: then it is
 * fetched again. */
enum { MOST_ATTEMPTS = 3 };

const char *chainsi_asset_folders_path(chainsi_arena *arena, const char *directory,
                                       const char *c_name)
{
    return chainsi_arena_printf(arena, "%s/assets.links/%s", directory, c_name);
}

static void list_assets(chainsi_asset_folders *folders)
{
    const chainsi_api_services *services = folders->options.services;
    size_t most = 0;
    for (size_t i = 0; i < services->count; i++)
        most += services->items[i].assets.count;
    folders->items = chainsi_arena_array(&folders->arena, most, sizeof *folders->items);
    folders->owners = chainsi_arena_array(&folders->arena, most, sizeof *folders->owners);
    for (size_t i = 0; i < services->count; i++) {
        const chainsi_api_service *service = &services->items[i];
        for (size_t k = 0; k < service->assets.count; k++) {
            chainsi_asset *item = &folders->items[folders->count];
            *item = service->assets.items[k];
            item->path =
                chainsi_arena_printf(&folders->arena, "%s/%s", service->c_name, item->path);
            folders->owners[folders->count++] = service->name;
        }
    }
}

/* The folder appears as a whole: what is missing of it was removed by somebody. */
static bool is_made(const chainsi_asset_folders *folders)
{
    bool made = true;
    for (size_t i = 0; made && i < folders->count; i++) {
        char path[4096];
        int size = snprintf(path, sizeof path, "%s/%s", folders->folder, folders->items[i].path);
        made = size < (int)sizeof path && access(path, R_OK) == 0;
    }
    return made;
}

static void note_made(chainsi_asset_folders *folders)
{
    folders->progress.files = folders->progress.files_done = folders->count;
    folders->progress.rate = 0;
    folders->progress.verifying = false;
}

static void note_progress(void *user, const chainsi_assets_progress *progress)
{
    chainsi_asset_folders *folders = user;
    folders->progress = *progress;
    folders->progress.trouble = NULL;
    if (!progress->trouble)
        return;
    snprintf(folders->trouble, sizeof folders->trouble, "%s", progress->trouble);
    folders->progress.trouble = folders->trouble;
}

static void fetch(chainsi_asset_folders *folders);

static void on_done(void *user, chains_status status, size_t failed, const char *why)
{
    chainsi_asset_folders *folders = user;
    const chainsi_asset_folders_options *options = &folders->options;
    char problem[512] = "";
    folders->job = NULL;
    folders->progress.trouble = NULL;
    /* Another environment may have been faster, and its processes use the folder. */
    bool made = status == CHAINS_OK &&
                (is_made(folders) ||
                 chainsi_asset_links_make(options->home, folders->folder, folders->items,
                                          folders->count, problem, sizeof problem));
    if (status == CHAINS_OK && !made && ++folders->attempts < MOST_ATTEMPTS) {
        fetch(folders);
        return;
    }
    if (made)
        note_made(folders);
    if (status == CHAINS_OK && !made)
        options->on_end(options->user, CHAINS_INTERNAL, NULL, problem);
    else
        options->on_end(options->user, status,
                        failed < folders->count ? folders->owners[failed] : NULL, why);
}

static void fetch(chainsi_asset_folders *folders)
{
    static const chainsi_assets_events events = { note_progress, on_done };
    folders->job = chainsi_assets_start(folders->options.assets, folders->items, folders->count,
                                        &events, folders);
}

chainsi_asset_folders *chainsi_asset_folders_new(const chainsi_asset_folders_options *options)
{
    chainsi_asset_folders *folders = chainsi_make(sizeof *folders);
    folders->options = *options;
    list_assets(folders);
    if (!folders->count) {
        chainsi_asset_folders_free(folders);
        return NULL;
    }
    folders->options.home = chainsi_arena_strdup(&folders->arena, options->home);
    folders->folder = chainsi_arena_printf(&folders->arena, "%s/assets.links", options->directory);
    folders->progress = (chainsi_assets_progress){ .files = folders->count, .size = -1 };
    if (options->anew && !chainsi_remove_tree(folders->folder))
        chainsi_say("cannot remove %s: %s", folders->folder, strerror(errno));
    if (!options->anew && is_made(folders)) {
        folders->progress.size = 0;
        note_made(folders);
    } else {
        fetch(folders);
    }
    return folders;
}

void chainsi_asset_folders_stop(chainsi_asset_folders *folders)
{
    if (!folders || !folders->job)
        return;
    chainsi_assets_cancel(folders->job);
    folders->job = NULL;
}

void chainsi_asset_folders_free(chainsi_asset_folders *folders)
{
    if (!folders)
        return;
    chainsi_asset_folders_stop(folders);
    chainsi_arena_done(&folders->arena);
    free(folders);
}
