/* Words for the end of a process, and who gets them. */
#include "control/obituary.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "control/log_search.h"
#include "control/replica.h"

enum {
    LINES_OF_FAILED = 10,       /* of the log, in its event */
    LOOK_BACK = 4 * 1024 * 1024 /* bytes of the log */
};

void chainsi_obituary_text(const chainsi_replica *replica, char *text)
{
    snprintf(text, CHAINSI_REPLICA_DEATH_TEXT, "%s%s", replica->last_end, replica->ran);
}

chainsi_loss chainsi_obituary_loss(const chainsi_replica *replica, chainsi_cgroup_end end)
{
    if (end == CHAINSI_ENDED_BY_LIMIT)
        return CHAINSI_LOSS_MEMORY;
    if (replica->stalled[0])
        return CHAINSI_LOSS_OTHER; /* the signal was ours */
    return replica->state == CHAINSI_REPLICA_DRAINING ? CHAINSI_LOSS_DRAINED
                                                      : chainsi_loss_of(replica->wait_status);
}

/* A process that served has died, and nobody wanted it to: what memory ended has an event of its own. */
static void tell_crash(const chainsi_replica *replica, int wait_status, chainsi_cgroup_end end,
                       const chainsi_running_list *requests)
{
    char how[CHAINSI_REPLICA_DEATH_TEXT];
    chainsi_obituary_text(replica, how);
    if (replica->ready_ns >= 0 && replica->state != CHAINSI_REPLICA_DRAINING &&
        end == CHAINSI_ENDED_OTHERWISE)
        chainsi_history_crashed(replica->options.supervisor->history, &replica->options.place,
                                replica->pid, wait_status, how, requests);
}

void chainsi_obituary_ended(const chainsi_replica *replica, int wait_status, chainsi_cgroup_end end,
                            const chainsi_running_list *requests)
{
    bool told_to =
        WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) == SIGTERM : WEXITSTATUS(wait_status) == 0;
    const char *ending = replica->stalled[0]              ? CHAINSI_ENDING_STALLED
                         : end != CHAINSI_ENDED_OTHERWISE ? CHAINSI_ENDING_MEMORY
                         : replica->late                  ? CHAINSI_ENDING_LATE
                         : replica->overdue               ? CHAINSI_ENDING_OVERDUE
                         : replica->state == CHAINSI_REPLICA_DRAINING && told_to
                             ? CHAINSI_ENDING_DRAINED
                         : WIFSIGNALED(wait_status) ? CHAINSI_ENDING_KILLED
                                                    : CHAINSI_ENDING_EXITED;
    char how[CHAINSI_REPLICA_DEATH_TEXT];
    chainsi_obituary_text(replica, how);
    chainsi_meters_end(replica->options.supervisor->meters, &replica->options.place, ending);
    chainsi_history_ended(replica->options.supervisor->history, &replica->options.place,
                          replica->options.name, ending, wait_status, how);
    tell_crash(replica, wait_status, end, requests);
}

void chainsi_obituary_not_started(const chainsi_replica *replica)
{
    chainsi_meters_end(replica->options.supervisor->meters, &replica->options.place,
                       CHAINSI_ENDING_NOT_STARTED);
    chainsi_history_not_started(replica->options.supervisor->history, &replica->options.place,
                                replica->options.name, replica->last_end);
}

/* Of its own log; the file is read back to LOOK_BACK at most. */
static void add_last_lines(const chainsi_replica *replica, chainsi_buffer *lines)
{
    const chainsi_history_place *place = &replica->options.place;
    chainsi_log_filter filter = {
        .environment = place->environment,
        .version = place->version,
        .replica = replica->options.number,
    };
    chainsi_log_search *search = chainsi_log_search_new(&filter, LINES_OF_FAILED);
    chainsi_log_search_add(search, chainsi_log_path(replica->options.log), place->chainlet);
    chainsi_log_search_step(search, LOOK_BACK);
    chainsi_log_search_give(search, false, lines);
    chainsi_log_search_free(search);
}

void chainsi_obituary_failed(const chainsi_replica *replica)
{
    if (replica->options.policy != &chainsi_backoff_running ||
        replica->backoff.in_a_row != replica->options.policy->max_deaths)
        return;
    char how[CHAINSI_REPLICA_DEATH_TEXT];
    chainsi_obituary_text(replica, how);
    chainsi_buffer lines = { 0 };
    add_last_lines(replica, &lines);
    chainsi_history_failed(replica->options.supervisor->history, &replica->options.place, how,
                           (const char *)lines.data, lines.size);
    chainsi_buffer_done(&lines);
}
