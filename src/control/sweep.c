/* Sweeps: what is to be kept is read on the loop's thread, the files are walked on another. */
#include "control/sweep.h"

#include <stdlib.h>
#include <time.h>

#include "base/arena.h"
#include "control/asset_store.h"
#include "control/handle.h"
#include "control/log.h"
#include "control/store_chains.h"

enum { MIB = 1024 * 1024, MS = 1000 };

/* One that is under way; it frees itself. */
typedef struct round {
    uv_work_t request;
    chainsi_sweep *sweep; /* NULL: it has been freed */
    chainsi_arena arena;
    const char *home;
    chains_string_list keep;
    int64_t before_s;
    uint64_t bytes; /* given back */
} round;

struct chainsi_sweep {
    uv_loop_t *loop;      /* not owned */
    chainsi_store *store; /* not owned */
    char *home;           /* owned */
    int spares_s;
    uv_timer_t *timer; /* owned */
    round *under_way;  /* not owned; NULL */
    bool asked, again; /* again: this is the look for what was too young at the one before */
};

static void on_timer(uv_timer_t *timer);

static void walk(uv_work_t *request)
{
    round *it = (round *)request;
    it->bytes = chainsi_asset_store_collect(it->home, it->keep.items, it->keep.count, it->before_s);
}

static void on_walked(uv_work_t *request, int status)
{
    (void)status;
    round *it = (round *)request;
    if (it->bytes >= MIB)
        chainsi_say("%llu MiB of assets that no version names any more were removed",
                    (unsigned long long)(it->bytes / MIB));
    if (it->sweep) {
        chainsi_sweep *sweep = it->sweep;
        sweep->under_way = NULL;
        if (sweep->asked)
            uv_timer_start(sweep->timer, on_timer, 0, 0);
        else if (!sweep->again)
            uv_timer_start(sweep->timer, on_timer, (uint64_t)(sweep->spares_s + 1) * MS, 0);
    }
    chainsi_arena_done(&it->arena);
    free(it);
}

static void on_timer(uv_timer_t *timer)
{
    chainsi_sweep *sweep = timer->data;
    if (!sweep || sweep->under_way)
        return;
    sweep->again = !sweep->asked;
    sweep->asked = false;
    round *it = chainsi_make(sizeof *it);
    if (chainsi_stored_version_assets(chainsi_store_reader(sweep->store), &it->arena, &it->keep) !=
        CHAINS_OK) {
        chainsi_arena_done(&it->arena);
        free(it);
        return; /* better too much is kept than too little */
    }
    it->sweep = sweep;
    it->home = chainsi_arena_strdup(&it->arena, sweep->home);
    it->before_s = (int64_t)time(NULL) - sweep->spares_s;
    sweep->under_way = it;
    uv_queue_work(sweep->loop, &it->request, walk, on_walked);
}

void chainsi_sweep_ask(chainsi_sweep *sweep)
{
    if (!sweep)
        return;
    sweep->asked = true;
    uv_timer_start(sweep->timer, on_timer, 0, 0);
}

chainsi_sweep *chainsi_sweep_new(uv_loop_t *loop, const char *home, chainsi_store *store,
                                 int spares_s)
{
    chainsi_sweep *sweep = chainsi_make(sizeof *sweep);
    sweep->loop = loop;
    sweep->store = store;
    sweep->home = chainsi_copy_text(home);
    sweep->spares_s = spares_s;
    sweep->timer = chainsi_timer_new(loop, sweep);
    uv_unref((uv_handle_t *)sweep->timer); /* nobody waits for it */
    return sweep;
}

void chainsi_sweep_free(chainsi_sweep *sweep)
{
    if (!sweep)
        return;
    if (sweep->under_way)
        sweep->under_way->sweep = NULL;
    chainsi_handle_close(sweep->timer);
    free(sweep->home);
    free(sweep);
}
