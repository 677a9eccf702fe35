/* The state's times and the clock that people set. Steady time changes within the change that moves the
 * times, on the store's thread: what is written after it goes by the new one, what was before is moved. */
#include "control/state_clock.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/steady.h"

chainsi_clock_reading chainsi_clock_read(void)
{
    chainsi_clock_reading reading = { .offset_ms = chainsi_wall_offset_ms(),
                                      .before_ms = chainsi_steady_offset_ms() };
    char id[64] = "", space[48] = "";
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd >= 0 ? read(fd, id, sizeof id - 1) : -1;
    if (fd >= 0)
        close(fd);
    /* In a namespace of its own, the time since the start begins elsewhere. */
    if (size > 0 && readlink("/proc/self/ns/time", space, sizeof space - 1) >= 0) {
        id[strcspn(id, "\n")] = 0;
        snprintf(reading.boot, sizeof reading.boot, "%s %s", id, space);
    }
    return reading;
}

static bool is_off(int64_t one_ms, int64_t other_ms)
{
    return llabs(one_ms - other_ms) >= CHAINSI_CLOCK_SLACK_MS;
}

bool chainsi_clock_was_set(void)
{
    return is_off(chainsi_wall_offset_ms(), chainsi_steady_offset_ms());
}

/* A time that is moved; what can't be said stays as it was. */
#define MOVED_IN_FILE(column)                                                                      \
    column " = coalesce(strftime('%Y-%m-%dT%H:%M:%fZ', " column ", :by), " column ")"
#define MOVED_ON_SERVER(column)                                                                    \
    column " = CASE WHEN " column "::timestamptz + :by::interval BETWEEN '0001-01-01 00:00:00Z' "  \
           "AND '9999-12-31 23:59:59.999Z' THEN to_char((" column "::timestamptz + "               \
           ":by::interval) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') ELSE " column  \
           " END"

/* All that a change of the clock moves, in one text a table. */
#define MOVE_REQUESTS(moved)                                                                       \
    "UPDATE requests SET " moved("created_at") ", " moved("not_before") ", " moved(                \
        "expires_at") ", " moved("started_at") ", " moved("ended_at") ", " moved("webhook_at")
#define MOVE_ENVIRONMENTS(moved)                                                                   \
    "UPDATE environments SET " moved("canary_since") ", " moved("canary_until")
#define MOVE_REPLICAS(moved)                                                                       \
    "UPDATE replicas SET " moved("kept_until") " WHERE kept_until IS NOT NULL"

static chains_status move_times(chainsi_database *database, int64_t by_ms)
{
    static const char *const texts[2][3] = {
        { MOVE_REQUESTS(MOVED_IN_FILE), MOVE_ENVIRONMENTS(MOVED_IN_FILE),
          MOVE_REPLICAS(MOVED_IN_FILE) },
        { MOVE_REQUESTS(MOVED_ON_SERVER), MOVE_ENVIRONMENTS(MOVED_ON_SERVER),
          MOVE_REPLICAS(MOVED_ON_SERVER) },
    };
    char by[48];
    chains_status status = CHAINS_OK;
    snprintf(by, sizeof by, "%+.3f seconds", (double)by_ms / 1000);
    for (int i = 0; status == CHAINS_OK && i < 3; i++) {
        chainsi_statement update =
            chainsi_statement_begin(database, texts[chainsi_database_is_shared(database)][i]);
        chainsi_statement_text(&update, ":by", by);
        status = chainsi_statement_run(&update);
    }
    return status;
}

static chains_status note(chainsi_database *database, const chainsi_clock_reading *reading)
{
    chainsi_statement put = chainsi_statement_begin(
        database, "INSERT INTO clock (one, boot, offset_ms) VALUES (1, :boot, :offset) ON CONFLICT "
                  "(one) DO UPDATE SET boot = excluded.boot, offset_ms = excluded.offset_ms");
    chainsi_statement_text(&put, ":boot", reading->boot);
    chainsi_statement_integer(&put, ":offset", reading->offset_ms);
    return chainsi_statement_run(&put);
}

chains_status chainsi_clock_follow(chainsi_database *database, void *arguments)
{
    chainsi_clock_reading *reading = arguments;
    chainsi_statement find = chainsi_statement_begin(
        database, "SELECT offset_ms FROM clock WHERE boot = :boot AND boot <> ''");
    chainsi_statement_text(&find, ":boot", reading->boot);
    bool known = chainsi_statement_next(&find);
    int64_t noted_ms = known ? chainsi_statement_column(&find, 0) : 0;
    chains_status status = chainsi_statement_end(&find);
    reading->moved_ms =
        known && is_off(reading->offset_ms, noted_ms) ? reading->offset_ms - noted_ms : 0;
    if (status == CHAINS_OK && reading->moved_ms)
        status = move_times(database, reading->moved_ms);
    if (status == CHAINS_OK && (!known || reading->moved_ms))
        status = note(database, reading);
    if (status == CHAINS_OK)
        chainsi_steady_set_offset(known && !reading->moved_ms ? noted_ms : reading->offset_ms);
    return status;
}

void chainsi_clock_go_back(const chainsi_clock_reading *reading)
{
    chainsi_steady_set_offset(reading->before_ms);
}
