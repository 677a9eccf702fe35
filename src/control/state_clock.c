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

/* What SQLite can't say stays as it was. */
#define MOVED(column)                                                                              \
    column " = coalesce(strftime('%Y-%m-%dT%H:%M:%fZ', " column ", :by), " column ")"

static chains_status move(chainsi_database *database, const char *sql, int64_t by_ms)
{
    char by[48];
    snprintf(by, sizeof by, "%+.3f seconds", (double)by_ms / 1000);
    chainsi_statement update = chainsi_statement_begin(database, sql);
    chainsi_statement_text(&update, ":by", by);
    return chainsi_statement_run(&update);
}

static chains_status move_times(chainsi_database *database, int64_t by_ms)
{
    chains_status status =
        move(database,
             "UPDATE requests SET " MOVED("created_at") ", " MOVED("not_before") ", " MOVED(
                 "expires_at") ", " MOVED("started_at") ", " MOVED("ended_at") ", " MOVED("webhook_"
                                                                                          "at"),
             by_ms);
    if (status == CHAINS_OK)
        status = move(database,
                      "UPDATE environments SET " MOVED("canary_since") ", " MOVED("canary_until"),
                      by_ms);
    if (status == CHAINS_OK)
        status =
            move(database,
                 "UPDATE replicas SET " MOVED("kept_until") " WHERE kept_until IS NOT NULL", by_ms);
    return status;
}

static chains_status note(chainsi_database *database, const chainsi_clock_reading *reading)
{
    chainsi_statement put = chainsi_statement_begin(
        database, "INSERT OR REPLACE INTO clock (one, boot, offset_ms) VALUES (1, :boot, :offset)");
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
