/* The assets of a version's Chainlets, fetched and put where their processes find them:
 *
 *   chains/CHAIN/VERSION/assets.links/C_NAME/PATH     the file, under its .path
 *
 * C_NAME's folder is that Chainlet's CHAINS_ASSETS_DIR. All of it appears at once, when every file is
 * there; it belongs to the version as its programs do, is shared by the environments that have it, and
 * goes with them. Belongs to the thread of the loop. */
#ifndef CHAINSI_CONTROL_ASSET_FOLDERS_H
#define CHAINSI_CONTROL_ASSET_FOLDERS_H

#include "base/arena.h"
#include "control/api.h"
#include "control/assets.h"

typedef struct chainsi_asset_folders_options {
    chainsi_assets *assets;               /* not owned */
    const char *home;                     /* CHAINS_HOME */
    const char *directory;                /* of the version's programs */
    const chainsi_api_services *services; /* texts and lists live as long as the folders */
    bool anew; /* what may be there already is another version's of that number, and goes */
    /* It has ended: OK, or why not, and which service's asset failed (by its name on the wire; NULL:
     * none in particular). Once, from the loop; not after a stop. */
    void (*on_end)(void *user, chains_status status, const char *service, const char *why);
    void *user;
} chainsi_asset_folders_options;

/* Read-only for others. */
typedef struct chainsi_asset_folders {
    chainsi_asset_folders_options options;
    chainsi_arena arena;
    const char *folder;
    chainsi_asset *items; /* of all services; paths begin with C_NAME */
    const char **owners;  /* the services' names, by item */
    size_t count;
    chainsi_assets_job *job; /* NULL: nothing is under way, on_end won't come any more */
    int attempts;
    chainsi_assets_progress progress; /* trouble: below, or NULL */
    char trouble[192];
} chainsi_asset_folders;

/* The folder that a Chainlet's processes are told of; in arena. */
const char *chainsi_asset_folders_path(chainsi_arena *arena, const char *directory,
                                       const char *c_name);

/* Looks whether all is there; else begins to fetch. NULL if no service names an asset. */
chainsi_asset_folders *chainsi_asset_folders_new(const chainsi_asset_folders_options *options);
/* Ends what is under way. NULL is allowed, likewise below. */
void chainsi_asset_folders_stop(chainsi_asset_folders *folders);
void chainsi_asset_folders_free(chainsi_asset_folders *folders);

#endif
