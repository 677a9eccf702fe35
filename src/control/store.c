/* The writer's thread, and the way of a change: chainsi_store_write puts it into the queue, the writer
 * takes all that wait as a group, runs them and commits, and puts them into the list of those that
 * ended, which the loop's thread empties. `mutex` guards queue, list, counts and backup's state; no
 * change runs and no end is told while it is held. */
#include "control/store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/backup.h"
#include "control/handle.h"
#include "control/home.h"
#include "control/migrations.h"

enum { MAX_WHY = 1024 };

/* A list to whose end is added. */
typedef struct write_queue {
    chainsi_write *first, **end;
    size_t count;
} write_queue;

struct chainsi_store {
    char *home;                      /* owned */
    int lock_fd;                     /* owned; held as long as the store is open */
    chainsi_database *reader;        /* owned; the loop's thread */
    chainsi_database *writer;        /* owned; the writer's thread */
    chainsi_database *backup_source; /* owned; the backup's thread; NULL: it is on a server */
    uv_async_t *ended_async;         /* owned; NULL: no loop */
    size_t outstanding;              /* handed over, end not told; the loop's thread */
    pthread_t thread, backup_thread;
    bool backup_started; /* the thread is to be joined; the loop's thread */
    pthread_mutex_t mutex;
    pthread_cond_t handed_over, now_ended;
    write_queue queue, ended;
    bool closing, backing_up, overtaken;
    chainsi_store_counts counts;
    void (*on_overtaken)(void *user,
                         const char *why); /* NULL: nobody asked, or was told; the loop's thread */
    void *overtaken_user;
    char overtaken_why[MAX_WHY];
};

static void add_last(write_queue *queue, chainsi_write *write)
{
    write->next = NULL;
    if (!queue->first)
        queue->end = &queue->first;
    *queue->end = write;
    queue->end = &write->next;
    queue->count++;
}

static chainsi_write *take_first(write_queue *queue)
{
    chainsi_write *write = queue->first;
    if (!write)
        return NULL;
    queue->first = write->next;
    queue->count--;
    write->next = NULL;
    return write;
}

/* Starts a thread that takes no signals: they are the loop's. */
static bool start_thread(pthread_t *thread, void *(*run)(void *), void *argument)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(thread, NULL, run, argument) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

/* Changes. */

chainsi_write *chainsi_write_new(size_t arguments_size)
{
    chainsi_write *write = chainsi_make(sizeof *write);
    write->arguments = chainsi_arena_alloc(&write->arena, arguments_size);
    return write;
}

void chainsi_write_free(chainsi_write *write)
{
    if (!write)
        return;
    chainsi_arena_done(&write->arena);
    free(write);
}

static void set_end(chainsi_write *write, chains_status status, const char *why)
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
    set_end(write, status, chainsi_database_why(database));
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
    GROUP_REFUSED, /* none could be begun, or what became of it isn't known; the end of each is set */
} group_end;

static group_end refuse_all(chainsi_write *first, chains_status status, const char *why)
{
    for (chainsi_write *write = first; write; write = write->next)
        set_end(write, status, why);
    return GROUP_REFUSED;
}

/* Runs them in one transaction. If that was taken back, the end of the first is set. */
static group_end run_group(chainsi_database *database, chainsi_write *first)
{
    first->status = CHAINS_OK;
    chains_status status = chainsi_database_begin(database);
    /* A server that is away is away for the others, too; they have all waited for it. */
    if (status != CHAINS_OK && chainsi_database_is_shared(database))
        return refuse_all(first, CHAINS_UNAVAILABLE, chainsi_database_why(database));
    for (chainsi_write *write = first; status == CHAINS_OK && write; write = write->next)
        status = run_one(database, write);
    if (status == CHAINS_OK)
        status = chainsi_database_commit(database);
    if (status == CHAINS_OK)
        return GROUP_MADE;
    if (status == CHAINS_UNKNOWN || status == CHAINS_ABORTED)
        return refuse_all(first, CHAINS_UNAVAILABLE, chainsi_database_why(database));
    if (first->status == CHAINS_OK)
        set_end(first, status, chainsi_database_why(database));
    chainsi_database_roll_back(database);
    return GROUP_TAKEN_BACK;
}

/* Runs them together or, if that doesn't go, each by itself. Gives how many transactions were made
 * durable. */
static size_t run_all(chainsi_database *database, chainsi_write *first)
{
    group_end end = run_group(database, first);
    /* A connection that broke is nobody's fault: the next one may do. */
    bool again = first->next || chainsi_database_is_shared(database);
    if (end != GROUP_TAKEN_BACK || !again)
        return end == GROUP_MADE;
    size_t commits = 0;
    for (chainsi_write *write = first, *next; write; write = next) {
        next = write->next;
        write->next = NULL;
        end = run_group(database, write);
        commits += end == GROUP_MADE;
        write->next = next;
        if (end == GROUP_REFUSED && next) {
            refuse_all(next, write->status, write->why);
            break;
        }
    }
    return commits;
}

/* The writer's thread. */

static chainsi_write *take_group(chainsi_store *store)
{
    write_queue group = { 0 };
    while (group.count < CHAINSI_STORE_MAX_GROUP && store->queue.first)
        add_last(&group, take_first(&store->queue));
    return group.first;
}

/* Under the mutex. */
static void end_write(chainsi_store *store, chainsi_write *write)
{
    if (write->waited_for)
        write->ended = true;
    else
        add_last(&store->ended, write);
}

static void *run_writer(void *user)
{
    chainsi_store *store = user;
    pthread_mutex_lock(&store->mutex);
    for (;;) {
        while (!store->queue.first && !store->closing)
            pthread_cond_wait(&store->handed_over, &store->mutex);
        chainsi_write *group = take_group(store);
        if (!group)
            break;
        pthread_mutex_unlock(&store->mutex);
        size_t commits = run_all(store->writer, group);
        bool overtaken = chainsi_database_is_overtaken(store->writer);
        pthread_mutex_lock(&store->mutex);
        if (overtaken && !store->overtaken)
            snprintf(store->overtaken_why, sizeof store->overtaken_why, "%s",
                     chainsi_database_why(store->writer));
        store->overtaken = overtaken;
        store->counts.commits += commits;
        for (chainsi_write *next; group; group = next) {
            next = group->next;
            store->counts.writes++;
            store->counts.failed += group->status != CHAINS_OK;
            end_write(store, group);
        }
        pthread_cond_broadcast(&store->now_ended);
        if (store->ended_async && store->ended.first)
            uv_async_send(store->ended_async);
    }
    pthread_mutex_unlock(&store->mutex);
    return NULL;
}

/* The loop's thread. */

/* Tells the ends of all that ended. */
static void tell_ends(chainsi_store *store)
{
    pthread_mutex_lock(&store->mutex);
    write_queue ended = store->ended;
    store->ended = (write_queue){ 0 };
    bool overtaken = store->overtaken;
    pthread_mutex_unlock(&store->mutex);
    if (overtaken && store->on_overtaken) {
        void (*on_overtaken)(void *user, const char *why) = store->on_overtaken;
        store->on_overtaken = NULL;
        on_overtaken(store->overtaken_user, store->overtaken_why);
    }
    for (chainsi_write *write; (write = take_first(&ended));) {
        if (!--store->outstanding)
            uv_unref((uv_handle_t *)store->ended_async);
        if (write->on_end)
            write->on_end(write, write->status, write->why ? write->why : "");
        chainsi_write_free(write);
    }
}

static void on_ended(uv_async_t *async)
{
    if (async->data)
        tell_ends(async->data);
}

/* One more end is to be told; until then the loop doesn't end. */
static void expect_end(chainsi_store *store)
{
    assert(store->ended_async);
    if (!store->outstanding++)
        uv_ref((uv_handle_t *)store->ended_async);
}

/* Tells the end of a change that was not made. */
static void tell_later(chainsi_store *store, chainsi_write *write)
{
    pthread_mutex_lock(&store->mutex);
    add_last(&store->ended, write);
    pthread_mutex_unlock(&store->mutex);
    uv_async_send(store->ended_async);
}

/* Puts a change into the queue; if it can't be, that is its end. False then. */
static bool hand_over(chainsi_store *store, chainsi_write *write)
{
    pthread_mutex_lock(&store->mutex);
    bool closing = store->closing, full = store->queue.count >= CHAINSI_STORE_MAX_WAITING;
    if (!closing && !full)
        add_last(&store->queue, write);
    pthread_cond_signal(&store->handed_over);
    pthread_mutex_unlock(&store->mutex);
    if (closing)
        set_end(write, CHAINS_UNAVAILABLE, "chainsd is stopping");
    else if (full)
        set_end(write, CHAINS_RESOURCE_EXHAUSTED, "too many changes wait to be kept");
    return !closing && !full;
}

void chainsi_store_write(chainsi_store *store, chainsi_write *write)
{
    assert(write->run);
    expect_end(store);
    if (!hand_over(store, write))
        tell_later(store, write);
}

chains_status chainsi_store_write_now(chainsi_store *store, chainsi_change run, void *arguments,
                                      char *why, size_t why_size)
{
    chainsi_write write = { .run = run, .arguments = arguments, .waited_for = true };
    bool handed_over = hand_over(store, &write);
    pthread_mutex_lock(&store->mutex);
    while (handed_over && !write.ended)
        pthread_cond_wait(&store->now_ended, &store->mutex);
    pthread_mutex_unlock(&store->mutex);
    if (write.why)
        snprintf(why, why_size, "%s", write.why);
    chainsi_arena_done(&write.arena);
    return write.status;
}

void chainsi_store_on_overtaken(chainsi_store *store,
                                void (*on_overtaken)(void *user, const char *why), void *user)
{
    store->on_overtaken = on_overtaken;
    store->overtaken_user = user;
}

chainsi_database *chainsi_store_reader(chainsi_store *store)
{
    return store->reader;
}

chainsi_store_counts chainsi_store_count(chainsi_store *store)
{
    pthread_mutex_lock(&store->mutex);
    chainsi_store_counts counts = store->counts;
    counts.waiting = store->queue.count;
    pthread_mutex_unlock(&store->mutex);
    return counts;
}

/* Backups. */

static void *run_backup(void *user)
{
    chainsi_write *write = user;
    chainsi_store *store = write->arguments;
    chains_status status = chainsi_backup_make(store->backup_source, store->home);
    set_end(write, status, chainsi_database_why(store->backup_source));
    pthread_mutex_lock(&store->mutex);
    store->backing_up = false;
    add_last(&store->ended, write);
    uv_async_send(store->ended_async);
    pthread_mutex_unlock(&store->mutex);
    return NULL;
}

static void join_backup(chainsi_store *store)
{
    if (store->backup_started)
        pthread_join(store->backup_thread, NULL);
    store->backup_started = false;
}

void chainsi_store_back_up(chainsi_store *store,
                           void (*on_end)(chainsi_write *write, chains_status status,
                                          const char *why),
                           void *user)
{
    chainsi_write *write = chainsi_write_new(0);
    write->on_end = on_end;
    write->user = user;
    write->arguments = store;
    expect_end(store);
    if (!store->backup_source) { /* it is its server's business */
        tell_later(store, write);
        return;
    }
    pthread_mutex_lock(&store->mutex);
    bool busy = store->backing_up || store->closing;
    if (!busy)
        store->backing_up = true;
    pthread_mutex_unlock(&store->mutex);
    if (busy) {
        set_end(write, CHAINS_ABORTED, "a backup is being made already");
        tell_later(store, write);
        return;
    }
    join_backup(store);
    store->backup_started = start_thread(&store->backup_thread, run_backup, write);
    if (store->backup_started)
        return;
    pthread_mutex_lock(&store->mutex);
    store->backing_up = false;
    pthread_mutex_unlock(&store->mutex);
    set_end(write, CHAINS_UNAVAILABLE, "cannot start a thread");
    tell_later(store, write);
}

/* Opening and closing. */

/* One process at a time: the lock ends with the process. It is on a file of its own, because SQLite
 * locks the database itself and forgets locks when any descriptor of it is closed. */
static int lock_state(const char *home, char *why, size_t why_size)
{
    char *path = chainsi_path("%s/state.lock", home);
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        snprintf(why, why_size, "cannot make %s: %s", path, strerror(errno));
    } else if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
        snprintf(why, why_size, "another process has the state of %s open", home);
        close(fd);
        fd = -1;
    }
    free(path);
    return fd;
}

/* Has the connection write as the header promises. */
static chains_status set_up(chainsi_database *writer)
{
    return chainsi_database_run(writer, "PRAGMA journal_mode = WAL;"
                                        "PRAGMA synchronous = FULL;"
                                        "PRAGMA foreign_keys = ON;"
                                        "PRAGMA journal_size_limit = 67108864;");
}

/* Whether the file is there; true if that can't be told. */
static bool is_there(const char *path)
{
    return access(path, F_OK) == 0 || errno != ENOENT;
}

/* Makes an empty state under another name and puts it in its place: so a state.db without a schema is
 * one that was damaged, never one that was only begun. */
static chains_status make_state(const char *home, const char *path, char *why, size_t why_size)
{
    char *next = chainsi_path("%s/state.new.db", home);
    char *log = chainsi_path("%s-wal", next);
    unlink(next);
    unlink(log);
    chains_status status = CHAINS_UNAVAILABLE;
    chainsi_database *database = chainsi_database_open(next, CHAINSI_DATABASE_MAKE, why, why_size);
    if (database) {
        status = set_up(database);
        if (status == CHAINS_OK)
            status = chainsi_migrate(database, chainsi_migrations, CHAINSI_MIGRATIONS);
        if (status != CHAINS_OK)
            snprintf(why, why_size, "%s", chainsi_database_why(database));
    }
    chainsi_database_close(database);
    if (status == CHAINS_OK && !chainsi_replace_file(next, path)) {
        snprintf(why, why_size, "cannot make %s: %s", path, strerror(errno));
        status = CHAINS_UNAVAILABLE;
    }
    free(log);
    free(next);
    return status;
}

/* Checks what is in the file, and brings its schema up to date. */
static chains_status bring_up(chainsi_store *store)
{
    chainsi_database *writer = store->writer;
    int taken = 0;
    chains_status status = chainsi_migrations_taken(writer, CHAINSI_MIGRATIONS, &taken);
    if (status == CHAINS_OK && !taken)
        status = chainsi_database_fail(writer, CHAINS_DATA_LOSS, "%s is empty",
                                       chainsi_database_path(writer));
    if (status == CHAINS_OK)
        status = chainsi_database_check(writer);
    if (status == CHAINS_OK)
        status = set_up(writer);
    if (status == CHAINS_OK && taken < CHAINSI_MIGRATIONS)
        status = chainsi_backup_make(writer, store->home);
    if (status == CHAINS_OK)
        status = chainsi_migrate(writer, chainsi_migrations, CHAINSI_MIGRATIONS);
    return status;
}

/* The same for a server's, which may be empty: whether it is the right one, only its operator knows. */
static chains_status bring_up_shared(chainsi_store *store)
{
    chainsi_database *writer = store->writer;
    chains_status status = chainsi_database_claim(writer);
    if (status == CHAINS_OK)
        status = chainsi_migrate(writer, chainsi_migrations_of(writer), CHAINSI_MIGRATIONS);
    return status;
}

/* Opens all connections to the state. */
static chains_status open_connections(chainsi_store *store, const char *place, char *why,
                                      size_t why_size)
{
    store->writer = chainsi_database_open(place, CHAINSI_DATABASE_WRITE, why, why_size);
    if (!store->writer)
        return CHAINS_UNAVAILABLE;
    bool shared = chainsi_database_is_shared(store->writer);
    chains_status status = shared ? bring_up_shared(store) : bring_up(store);
    if (status != CHAINS_OK) {
        snprintf(why, why_size, "%s", chainsi_database_why(store->writer));
        return status;
    }
    chainsi_database_keep_log(store->writer);
    store->reader = chainsi_database_open(place, CHAINSI_DATABASE_READ, why, why_size);
    if (!store->reader || shared)
        return store->reader ? CHAINS_OK : CHAINS_UNAVAILABLE;
    store->backup_source = chainsi_database_open(place, CHAINSI_DATABASE_READ, why, why_size);
    return store->backup_source ? CHAINS_OK : CHAINS_UNAVAILABLE;
}

static chains_status open_state(chainsi_store *store, char *why, size_t why_size)
{
    char *path = chainsi_path("%s/state.db", store->home);
    char *log = chainsi_path("%s-wal", path);
    chains_status status = CHAINS_OK;
    if (!is_there(path)) {
        if (is_there(log) || chainsi_backup_exists(store->home)) {
            snprintf(why, why_size, "%s is missing", path);
            status = CHAINS_DATA_LOSS;
        } else {
            status = make_state(store->home, path, why, why_size);
        }
    }
    if (status == CHAINS_OK)
        status = open_connections(store, path, why, why_size);
    if (status == CHAINS_DATA_LOSS) {
        size_t size = strlen(why);
        char advice[MAX_WHY];
        chainsi_backup_advise(store->home, advice, sizeof advice);
        snprintf(why + size, why_size - size, "; %s", advice);
    }
    free(log);
    free(path);
    return status;
}

static void free_store(chainsi_store *store)
{
    chainsi_database_close(store->reader);
    chainsi_database_close(store->backup_source);
    chainsi_database_close(store->writer); /* last: it brings the log back into the file */
    if (store->ended_async)
        chainsi_handle_close(store->ended_async);
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    pthread_cond_destroy(&store->handed_over);
    pthread_cond_destroy(&store->now_ended);
    pthread_mutex_destroy(&store->mutex);
    free(store->home);
    free(store);
}

chainsi_store *chainsi_store_open(const char *home, const char *url, uv_loop_t *loop,
                                  chains_status *status, char *why, size_t why_size)
{
    chainsi_store *store = chainsi_make(sizeof *store);
    store->home = chainsi_copy_text(home);
    pthread_mutex_init(&store->mutex, NULL);
    pthread_cond_init(&store->handed_over, NULL);
    pthread_cond_init(&store->now_ended, NULL);
    *status = CHAINS_UNAVAILABLE;
    store->lock_fd = lock_state(home, why, why_size);
    if (store->lock_fd >= 0)
        *status =
            url ? open_connections(store, url, why, why_size) : open_state(store, why, why_size);
    if (*status == CHAINS_OK && loop) {
        store->ended_async = chainsi_make(sizeof *store->ended_async);
        uv_async_init(loop, store->ended_async, on_ended);
        store->ended_async->data = store;
        uv_unref((uv_handle_t *)store->ended_async);
    }
    if (*status == CHAINS_OK && !start_thread(&store->thread, run_writer, store)) {
        snprintf(why, why_size, "cannot start a thread");
        *status = CHAINS_UNAVAILABLE;
    }
    if (*status != CHAINS_OK) {
        free_store(store);
        return NULL;
    }
    return store;
}

void chainsi_store_close(chainsi_store *store)
{
    if (!store)
        return;
    pthread_mutex_lock(&store->mutex);
    store->closing = true;
    pthread_cond_signal(&store->handed_over);
    pthread_mutex_unlock(&store->mutex);
    pthread_join(store->thread, NULL);
    store->on_overtaken = NULL;
    if (store->backup_started)
        chainsi_database_interrupt(store->backup_source);
    join_backup(store);
    while (store->outstanding)
        tell_ends(store);
    free_store(store);
}
