/* What the state costs (src/control/store.h): asynchronous requests that are accepted, a durable write
 * each, one at a time and 64 at once, taking and ending them, and reading one; beside a file to whose
 * end a page is written and synced, which is the least that a durable write can be.
 *
 *   store_bench [FOLDER] [ROUNDS]      default /tmp, 15 rounds, interleaved
 *
 * FOLDER should be on the disk that CHAINS_HOME would be on: where syncing costs nothing (tmpfs), there
 * is little to share. Times of one write are from handing it over to hearing that it is kept. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench.h"
#include "control/home.h"
#include "control/store.h"
#include "control/store_chains.h"
#include "control/store_requests.h"
#include "control/time_text.h"

enum { A_ROUND = 256, GROUP = 64, PAGE = 4096, MOST_ROUNDS = 200, READS = 2000 };

static char home[4096], why[1024];
static uv_loop_t loop;
static chainsi_store *store;

/* Times of one way, in nanoseconds an operation. */
typedef struct samples {
    const char *name;
    int64_t *ns; /* of each operation, from its start to its end */
    size_t count;
    int64_t busy_ns; /* of all, from the first start to the last end */
} samples;

static void add_sample(samples *way, int64_t ns)
{
    way->ns[way->count++] = ns;
}

static double report(samples *way, double floor_us)
{
    qsort(way->ns, way->count, sizeof *way->ns, compare_times);
    double each_us = (double)way->busy_ns / 1e3 / (double)way->count;
    printf("%-34s %10.1f %10.1f %12.1f %10.0f %8.2f\n", way->name,
           (double)way->ns[way->count / 2] / 1e3, (double)way->ns[way->count * 99 / 100] / 1e3,
           each_us, 1e6 / each_us, floor_us > 0 ? each_us / floor_us : 1.0);
    return each_us;
}

/* The floor. */

static void sync_pages(samples *way, int fd)
{
    static const char page[PAGE] = { 1 };
    int64_t start = chainsi_now_ns();
    for (int i = 0; i < A_ROUND; i++) {
        int64_t begun = chainsi_now_ns();
        if (write(fd, page, sizeof page) != PAGE || fdatasync(fd) != 0)
            give_up(strerror(errno));
        add_sample(way, chainsi_now_ns() - begun);
    }
    way->busy_ns += chainsi_now_ns() - start;
}

/* Accepting requests. */

typedef struct acceptance {
    int64_t begun_ns;
    chainsi_arena arena;
    char id[40];
} acceptance;

static samples *accepting;
static int left_to_begin;
static char last_id[40];

static chains_status accept_request(chainsi_database *database, void *arguments)
{
    static const char input[] =
        "{\"words\":[\"moon\",\"sun\",\"stars\"],\"temperature\":0.25,\"note\":\"as much as a "
        "request of an ordinary size would carry, which is a few hundred bytes of JSON, so that a "
        "row is neither empty nor larger than a page\"}";
    acceptance *accepted = arguments;
    chainsi_stored_request request = {
        .chain = "bench",
        .environment = "production",
        .priority = 1,
        .max_time_in_queue_s = 3600,
        .retries = 2,
        .webhook = "http://127.0.0.1:9/hook",
        .input = { input, sizeof input - 1 },
    };
    chains_status status =
        chainsi_stored_request_add(database, chainsi_unix_ms(), &accepted->arena, &request);
    if (status == CHAINS_OK)
        snprintf(accepted->id, sizeof accepted->id, "%s", request.id);
    return status;
}

static void begin_one(void);

static void on_accepted(chainsi_write *write_, chains_status status, const char *reason)
{
    acceptance *accepted = write_->arguments;
    if (status != CHAINS_OK)
        give_up(reason);
    add_sample(accepting, chainsi_now_ns() - accepted->begun_ns);
    memcpy(last_id, accepted->id, sizeof last_id);
    chainsi_arena_done(&accepted->arena);
    begin_one();
}

static void begin_one(void)
{
    if (!left_to_begin)
        return;
    left_to_begin--;
    chainsi_write *more = chainsi_write_new(sizeof(acceptance));
    ((acceptance *)more->arguments)->begun_ns = chainsi_now_ns();
    more->run = accept_request;
    more->on_end = on_accepted;
    chainsi_store_write(store, more);
}

/* A round with so many in flight. */
static void accept_many(samples *way, int in_flight)
{
    accepting = way;
    left_to_begin = A_ROUND;
    int64_t start = chainsi_now_ns();
    for (int i = 0; i < in_flight; i++)
        begin_one();
    uv_run(&loop, UV_RUN_DEFAULT);
    way->busy_ns += chainsi_now_ns() - start;
}

/* Taking a request and ending it: two durable writes. */

static chains_status take_one(chainsi_database *database, void *arguments)
{
    acceptance *taken = arguments;
    chainsi_stored_requests requests;
    chains_status status = chainsi_stored_request_take(database, "bench", "production", 1,
                                                       chainsi_unix_ms(), &taken->arena, &requests);
    if (status == CHAINS_OK && requests.count)
        snprintf(taken->id, sizeof taken->id, "%s", requests.items[0].id);
    return status;
}

static chains_status end_one(chainsi_database *database, void *arguments)
{
    const acceptance *taken = arguments;
    return chainsi_stored_request_succeed(database, taken->id, (chains_json){ "\"done\"", 6 },
                                          chainsi_unix_ms());
}

static void take_and_end(samples *way)
{
    int64_t start = chainsi_now_ns();
    for (int i = 0; i < A_ROUND / 4; i++) {
        acceptance taken = { 0 };
        int64_t begun = chainsi_now_ns();
        if (chainsi_store_write_now(store, take_one, &taken, why, sizeof why) != CHAINS_OK ||
            chainsi_store_write_now(store, end_one, &taken, why, sizeof why) != CHAINS_OK)
            give_up(why);
        add_sample(way, chainsi_now_ns() - begun);
        chainsi_arena_done(&taken.arena);
    }
    way->busy_ns += chainsi_now_ns() - start;
}

static void read_one(samples *way)
{
    chainsi_arena arena = { 0 };
    int64_t start = chainsi_now_ns();
    for (int i = 0; i < READS; i++) {
        chainsi_stored_request request;
        int64_t begun = chainsi_now_ns();
        if (chainsi_stored_request_find(chainsi_store_reader(store), last_id, &arena, &request) !=
            CHAINS_OK)
            give_up(chainsi_database_why(chainsi_store_reader(store)));
        add_sample(way, chainsi_now_ns() - begun);
        chainsi_arena_reset(&arena);
    }
    way->busy_ns += chainsi_now_ns() - start;
    chainsi_arena_done(&arena);
}

static chains_status put_chain(chainsi_database *database, void *arguments)
{
    (void)arguments;
    return chainsi_stored_chain_put(database, "bench", "bench");
}

int main(int argument_count, char **arguments)
{
    int rounds = argument_count > 2 ? atoi(arguments[2]) : 15;
    if (rounds < 1 || rounds > MOST_ROUNDS)
        give_up("ROUNDS is from 1 to 200");
    snprintf(home, sizeof home, "%s/chains-bench-XXXXXX",
             argument_count > 1 ? arguments[1] : "/tmp");
    if (!mkdtemp(home) || uv_loop_init(&loop) != 0)
        give_up(home);
    chains_status status;
    store = chainsi_store_open(home, NULL, &loop, &status, why, sizeof why);
    if (!store || chainsi_store_write_now(store, put_chain, NULL, why, sizeof why) != CHAINS_OK)
        give_up(why);
    char *path = chainsi_path("%s/floor", home);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    free(path);
    if (fd < 0)
        give_up("cannot make a file");

    samples ways[] = {
        { .name = "a page written and synced" },
        { .name = "accepted, one at a time" },
        { .name = "accepted, 64 at once" },
        { .name = "taken and ended (two writes)" },
        { .name = "read by id" },
    };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        ways[i].ns = calloc((size_t)rounds * READS, sizeof *ways[i].ns);
    uint64_t commits_before = 0, commits = 0;
    for (int i = 0; i < rounds; i++) {
        sync_pages(&ways[0], fd);
        accept_many(&ways[1], 1);
        commits_before = chainsi_store_count(store).commits;
        accept_many(&ways[2], GROUP);
        commits += chainsi_store_count(store).commits - commits_before;
        take_and_end(&ways[3]);
        read_one(&ways[4]);
    }
    printf("%-34s %10s %10s %12s %10s %8s\n", "", "median us", "p99 us", "us each", "a second",
           "x floor");
    double floor_us = report(&ways[0], 0);
    for (size_t i = 1; i < sizeof ways / sizeof *ways; i++)
        report(&ways[i], floor_us);
    printf("64 at once: %.1f writes a transaction\n",
           (double)A_ROUND * rounds / (double)(commits ? commits : 1));
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        free(ways[i].ns);
    close(fd);
    chainsi_store_close(store);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    return chainsi_remove_tree(home) ? 0 : 1;
}
