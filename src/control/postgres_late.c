/* Finding libpq and its functions. */
#include "control/postgres_late.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/late_library.h"

CHAINSI_LATE_LIBRARY(note, "postgresql", "The state in PostgreSQL", "recommended", "libpq.so.5");

static chainsi_pq functions;
static char reason[256]; /* "": it is there */

static void load(void)
{
    void *library = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
    bool found = library != NULL;
#define F(name)                                                                                    \
    found = found && (functions.name = (__typeof__(&name))dlsym(library, #name)) != NULL;
    CHAINSI_PQ_FUNCTIONS(F)
#undef F
    if (!found)
        snprintf(
            reason, sizeof reason,
            "PostgreSQL's library can't be loaded (install libpq5, of PostgreSQL 14 or newer): %s",
            dlerror());
}

const chainsi_pq *chainsi_pq_load(char *why, size_t why_size)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    if (!reason[0])
        return &functions;
    snprintf(why, why_size, "%s", reason);
    return NULL;
}
