/* Changes in one transaction, and what is done when that fails. */
#include "control/store_group.h"

void chainsi_write_set_end(chainsi_write *write, chains_status status, const char *why)
{
    write->status = status;
    write->why = status == CHAINS_OK ? NULL : chainsi_arena_strdup(&write->arena, why);
}

/* Runs one change; what it did is taken back if it failed. A failure of this function is one of the
 * whole transaction. */
static chains_status run_one(chainsi_database *database, chainsi_write *write)
{
    chains_status status = chainsi_database_run(database, "SAVEPOINT one");
    if (status != CHAINS_OK)
        return status;
    status = write->run(database, write->arguments);
    chainsi_write_set_end(write, status, chainsi_database_why(database));
    /* SQLite ends one when it can't go on, and a server's goes with the connection. */
    if (!chainsi_database_in_transaction(database))
        return status != CHAINS_OK ? status : CHAINS_UNAVAILABLE;
    if (status != CHAINS_OK)
        status = chainsi_database_run(database, "ROLLBACK TO one");
    return status == CHAINS_OK ? chainsi_database_run(database, "RELEASE one") : status;
}

/* How a transaction ended. */
typedef enum group_end {
    GROUP_MADE,
    GROUP_TAKEN_BACK, /* with all that it did: its changes can be tried again */
    GROUP_HAS_FAILED, /* likewise, because one of them failed: it has its end */
    GROUP_REFUSED, /* none could be begun, or what became of it isn't known; the end of each is set */
} group_end;

static group_end refuse_all(chainsi_write *first, chains_status status, const char *why)
{
    for (chainsi_write *write = first; write; write = write->next)
        chainsi_write_set_end(write, status, why);
    return GROUP_REFUSED;
}

/* Runs them in one transaction; hopeful: as if none of them would fail. If that was taken back, the end of the
 * first is set. */
static group_end run_group(chainsi_database *database, chainsi_write *first, bool hopeful)
{
    first->status = CHAINS_OK;
    chains_status status = chainsi_database_begin(database);
    /* A server that is away is away for the others, too; they have all waited for it. */
    if (status != CHAINS_OK && chainsi_database_is_shared(database))
        return refuse_all(first, CHAINS_UNAVAILABLE, chainsi_database_why(database));
    for (chainsi_write *write = first; status == CHAINS_OK && write; write = write->next) {
        if (hopeful) {
            status = write->run(database, write->arguments);
            chainsi_write_set_end(write, status, chainsi_database_why(database));
        } else {
            status = run_one(database, write);
        }
    }
    bool failed = hopeful && status != CHAINS_OK && chainsi_database_in_transaction(database);
    if (status == CHAINS_OK)
        status = chainsi_database_commit(database);
    if (status == CHAINS_OK)
        return GROUP_MADE;
    if (!failed && (status == CHAINS_UNKNOWN || status == CHAINS_ABORTED))
        return refuse_all(first, CHAINS_UNAVAILABLE, chainsi_database_why(database));
    if (first->status == CHAINS_OK)
        chainsi_write_set_end(first, status, chainsi_database_why(database));
    chainsi_database_roll_back(database);
    return failed ? GROUP_HAS_FAILED : GROUP_TAKEN_BACK;
}

/* Each by itself. */
static size_t run_each(chainsi_database *database, chainsi_write *first)
{
    size_t commits = 0;
    for (chainsi_write *write = first, *next; write; write = next) {
        next = write->next;
        write->next = NULL;
        group_end end = run_group(database, write, false);
        commits += end == GROUP_MADE;
        write->next = next;
        if (end == GROUP_REFUSED && next) {
            refuse_all(next, write->status, write->why);
            break;
        }
    }
    return commits;
}

/* On a server each statement is a way there and back: what would take back a change that fails is left out until one
 * does. */
size_t chainsi_group_run(chainsi_database *database, chainsi_write *first)
{
    bool shared = chainsi_database_is_shared(database);
    group_end end = run_group(database, first, shared);
    if (end == GROUP_HAS_FAILED && first->next)
        end = run_group(database, first, false);
    /* A connection that broke is nobody's fault: the next one may do. */
    if (end == GROUP_TAKEN_BACK && (first->next || shared))
        return run_each(database, first);
    return end == GROUP_MADE;
}
