/* How a download goes: callbacks note what happened and ask for a review; the review, from the loop
 * and never from within them, decides what to do next.
 *
 * Invariants: ranges[i].done counts bytes that were written, and what is saved counts no others; a
 * range has one stream, which goes on where the range has got to and starts only when nothing of an
 * earlier one is still being written; the file is truncated, verified or handed back only when
 * nothing is being written to it. */
#include "control/asset_fetch.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/asset_disk.h"
#include "control/asset_ranges.h"
#include "control/asset_stream.h"
#include "control/handle.h"
#include "control/home.h"
#include "control/url.h"
#include "rpc/http.h"

#define TEBIBYTE (INT64_C(1) << 40)

enum { MOST_STATE = 64 * 1024, MOST_WHY = 768, MIB = 1024 * 1024 };

const chainsi_fetch_policy chainsi_fetch_policy_default = {
    .most_bytes = 4 * TEBIBYTE,
    .least_range = 8 * MIB,
    .most_failures = 8,
    .forgiving_bytes = MIB,
    .first_delay_ms = 250,
    .longest_delay_ms = 30000,
    .connect_timeout_s = 30,
    .stall_s = 60,
    .stall_rate = 1024,
    .save_ms = 1000,
};

struct chainsi_fetch {
    chainsi_fetch_options options; /* texts: owned */
    chainsi_fetch_state state;
    chainsi_url url; /* owned; shown: options.url where that is none */
    int fd;          /* owned; the partial file; -1: not open */
    chainsi_asset_disk disk;
    chainsi_asset_stream streams[CHAINSI_ASSET_MOST_RANGES];
    chainsi_asset_range ranges[CHAINSI_ASSET_MOST_RANGES];
    size_t range_count;
    int64_t size;                                  /* -1: not known yet */
    char validator[CHAINSI_ERRAND_MOST_VALIDATOR]; /* "": not known */
    bool resumable;   /* it goes on where it broke off; else it begins again */
    bool in_one;      /* the server is to send it in one, as ranges went wrong */
    bool pieced;      /* bytes came in several answers */
    bool begin_again; /* what is there is of no use */
    int failures;     /* in a row */
    int64_t most_received;
    size_t works; /* under way on other threads, but for disk and streams */
    bool saving, unsaved;
    uint64_t saved_ms; /* the loop's time */
    bool ending;       /* status and why are decided */
    chains_status status;
    char why[MOST_WHY];
    char trouble[192];         /* the latest failure that may pass */
    uv_timer_t *review, *wait; /* owned */
};

static void on_review(uv_timer_t *timer);

static void ask_review(chainsi_fetch *fetch)
{
    uv_timer_start(fetch->review, on_review, 0, 0);
}

int64_t chainsi_fetch_delay_ms(const chainsi_fetch_policy *policy, int failures, uint64_t random)
{
    int64_t delay_ms = policy->first_delay_ms;
    for (int i = 1; i < failures && delay_ms < policy->longest_delay_ms; i++)
        delay_ms *= 2;
    if (delay_ms > policy->longest_delay_ms)
        delay_ms = policy->longest_delay_ms;
    return delay_ms - (int64_t)(random % (uint64_t)(delay_ms / 2 + 1));
}

static int64_t done_bytes(const chainsi_fetch *fetch)
{
    int64_t done = 0;
    for (size_t i = 0; i < fetch->range_count; i++)
        done += fetch->ranges[i].done;
    return done;
}

/* How it ends. */

static void stop_streams(chainsi_fetch *fetch)
{
    for (size_t i = 0; i < CHAINSI_ASSET_MOST_RANGES; i++)
        chainsi_asset_stream_stop(&fetch->streams[i]);
}

/* The first end counts. */
__attribute__((format(printf, 3, 4))) static void end(chainsi_fetch *fetch, chains_status status,
                                                      const char *format, ...)
{
    if (fetch->ending)
        return;
    fetch->ending = true;
    fetch->status = status;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fetch->why, sizeof fetch->why, format, arguments);
    va_end(arguments);
    chainsi_asset_disk_stop(&fetch->disk);
    ask_review(fetch);
}

static void end_of_disk(chainsi_fetch *fetch, const char *what, int error)
{
    char why[256];
    chains_status status = chainsi_asset_disk_failure(what, error, fetch->size, why, sizeof why);
    end(fetch, status, "cannot fetch %s: %s", fetch->url.shown, why);
}

static void on_wait_over(uv_timer_t *timer)
{
    chainsi_fetch *fetch = timer->data;
    if (!fetch || fetch->state != CHAINSI_FETCH_WAITING)
        return;
    fetch->state = CHAINSI_FETCH_FETCHING;
    ask_review(fetch);
}

/* Something went wrong that may go better next time. */
static void note_failure(chainsi_fetch *fetch, const char *why, int64_t pause_ms)
{
    const chainsi_fetch_policy *policy = fetch->options.policy;
    int64_t received = done_bytes(fetch);
    ask_review(fetch);
    if (received >= fetch->most_received + policy->forgiving_bytes)
        fetch->failures = 0;
    if (received > fetch->most_received)
        fetch->most_received = received;
    if (!fetch->resumable)
        fetch->begin_again = true;
    if (fetch->state == CHAINSI_FETCH_WAITING)
        return; /* what breaks all streams at once is one failure */
    snprintf(fetch->trouble, sizeof fetch->trouble, "%s", why);
    if (++fetch->failures >= policy->most_failures) {
        end(fetch, CHAINS_UNAVAILABLE, "cannot fetch %s: %s (%d times in a row)", fetch->url.shown,
            why, fetch->failures);
        return;
    }
    uint64_t random = 0;
    if (getentropy(&random, sizeof random) != 0)
        random = (uint64_t)chainsi_now_ns();
    int64_t delay_ms = chainsi_fetch_delay_ms(policy, fetch->failures, random);
    if (pause_ms > policy->longest_delay_ms)
        pause_ms = policy->longest_delay_ms;
    fetch->state = CHAINSI_FETCH_WAITING;
    uv_timer_start(fetch->wait, on_wait_over, (uint64_t)(pause_ms > delay_ms ? pause_ms : delay_ms),
                   0);
}

/* Notes of what is there. */

typedef struct note {
    uv_work_t request;
    chainsi_fetch *fetch;
    int fd;
    char *path;          /* owned */
    chainsi_buffer text; /* owned */
} note;

static void write_note(uv_work_t *request)
{
    note *it = (note *)request;
    /* In this order, so that after a power failure it claims nothing that isn't there. What can't be
     * noted is fetched again, that is all. */
    if (fdatasync(it->fd) == 0)
        (void)chainsi_write_file(it->path, it->text.data, it->text.size);
}

static void on_noted(uv_work_t *request, int status)
{
    (void)status;
    note *it = (note *)request;
    chainsi_fetch *fetch = it->fetch;
    chainsi_buffer_done(&it->text);
    free(it->path);
    free(it);
    fetch->works--;
    fetch->saving = false;
    fetch->saved_ms = uv_now(fetch->options.loop);
    ask_review(fetch);
}

static void save(chainsi_fetch *fetch)
{
    note *it = chainsi_make(sizeof *it);
    chainsi_asset_state state = {
        .url = fetch->options.url,
        .validator = fetch->validator,
        .size = fetch->size,
        .ranges = { fetch->ranges, fetch->range_count },
    };
    fetch->unsaved = false;
    if (!chainsi_asset_state_write(&state, &it->text)) {
        chainsi_buffer_done(&it->text);
        free(it);
        return;
    }
    it->fetch = fetch;
    it->fd = fetch->fd;
    it->path = chainsi_asset_state_path(fetch->options.home, fetch->options.digest);
    fetch->saving = true;
    fetch->works++;
    uv_queue_work(fetch->options.loop, &it->request, write_note, on_noted);
}

/* Takes up what an earlier download left. */
static void restore(chainsi_fetch *fetch)
{
    char *path = chainsi_asset_state_path(fetch->options.home, fetch->options.digest);
    size_t size = 0;
    char *text = chainsi_read_file(path, MOST_STATE, &size);
    chainsi_arena arena = { 0 };
    chainsi_asset_state state;
    struct stat info;
    bool good = text && chainsi_asset_state_read(text, size, &arena, &state) &&
                !strcmp(state.url, fetch->options.url) &&
                strlen(state.validator) < sizeof fetch->validator &&
                state.size <= fetch->options.policy->most_bytes && fstat(fetch->fd, &info) == 0;
    for (size_t i = 0; good && i < state.ranges.count; i++) {
        const chainsi_asset_range *range = &state.ranges.items[i];
        good = !range->done || range->start + range->done <= info.st_size;
    }
    if (good) {
        snprintf(fetch->validator, sizeof fetch->validator, "%s", state.validator);
        memcpy(fetch->ranges, state.ranges.items, state.ranges.count * sizeof *state.ranges.items);
        fetch->range_count = state.ranges.count;
        fetch->size = state.size;
        fetch->resumable = fetch->pieced = true;
        fetch->most_received = done_bytes(fetch);
    } else {
        fetch->begin_again = true;
    }
    chainsi_arena_done(&arena);
    free(text);
    free(path);
}

/* Forgets what is there. Nothing may be under way. */
static void begin_again(chainsi_fetch *fetch)
{
    char *path = chainsi_asset_state_path(fetch->options.home, fetch->options.digest);
    unlink(path);
    free(path);
    fetch->begin_again = false;
    fetch->resumable = fetch->pieced = fetch->unsaved = false;
    fetch->validator[0] = 0;
    fetch->size = -1;
    fetch->range_count = 1;
    fetch->ranges[0] = (chainsi_asset_range){ .end = INT64_MAX };
    for (size_t i = 0; i < CHAINSI_ASSET_MOST_RANGES; i++)
        fetch->streams[i].next = 0;
    if (ftruncate(fetch->fd, 0) != 0)
        end_of_disk(fetch, "cannot empty its file", errno);
}

/* Room for the whole file is asked for as soon as its size is known, so that a disk that is too
 * small says so before the hours of a download, not after. */
typedef struct reservation {
    uv_work_t request;
    chainsi_fetch *fetch;
    int fd, error;
    int64_t size;
} reservation;

static void reserve(uv_work_t *request)
{
    reservation *it = (reservation *)request;
    if (fallocate(it->fd, 0, 0, it->size) != 0)
        it->error = errno;
}

static void on_reserved(uv_work_t *request, int status)
{
    (void)status;
    reservation *it = (reservation *)request;
    chainsi_fetch *fetch = it->fetch;
    fetch->works--;
    /* File systems that can't, don't; then a write will say it. */
    if (it->error == ENOSPC || it->error == EDQUOT || it->error == EFBIG)
        end_of_disk(fetch, "cannot make room for it", it->error);
    free(it);
    ask_review(fetch);
}

static void ask_for_room(chainsi_fetch *fetch)
{
    if (fetch->size <= 0)
        return;
    reservation *it = chainsi_make(sizeof *it);
    it->fetch = fetch;
    it->fd = fetch->fd;
    it->size = fetch->size;
    fetch->works++;
    uv_queue_work(fetch->options.loop, &it->request, reserve, on_reserved);
}

/* What answers say. */

static void change_to_one(chainsi_fetch *fetch, const char *why)
{
    fetch->in_one = fetch->begin_again = true;
    note_failure(fetch, why, 0);
}

/* The first answer to a download that has nothing yet: what it will be. */
static bool take_first(chainsi_fetch *fetch, chainsi_asset_stream *stream,
                       const chainsi_errand_answer *answer)
{
    fetch->size = answer->size;
    fetch->resumable = answer->ranges && answer->validator[0] && answer->size > 0 && !fetch->in_one;
    fetch->ranges[0].end = answer->size >= 0 ? answer->size : INT64_MAX;
    if (fetch->resumable) {
        memcpy(fetch->validator, answer->validator, sizeof fetch->validator);
        fetch->range_count = chainsi_asset_ranges_cut(fetch->ranges, answer->size,
                                                      fetch->options.policy->least_range);
        fetch->unsaved = true;
        ask_review(fetch); /* the other ranges */
    }
    /* Without a size, what is too much shows at the limit. */
    stream->end = answer->size >= 0 ? fetch->ranges[0].end : fetch->options.policy->most_bytes + 1;
    ask_for_room(fetch);
    return true;
}

/* An answer to a request that goes on with what is there: is it of the same file? */
static bool take_next(chainsi_fetch *fetch, const chainsi_asset_stream *stream,
                      const chainsi_errand_answer *answer)
{
    bool same = !answer->validator[0] || !strcmp(answer->validator, fetch->validator);
    if (answer->status == 206 && answer->ranges && answer->from == stream->next &&
        answer->size == fetch->size && same)
        return true;
    if (same && answer->size == fetch->size) {
        change_to_one(fetch, "the server does not keep to the range that it was asked for");
    } else {
        fetch->begin_again = true;
        note_failure(fetch, "the file changes while it is fetched", 0);
    }
    return false;
}

static bool on_answer(chainsi_asset_stream *stream, const chainsi_errand_answer *answer)
{
    chainsi_fetch *fetch = stream->user;
    if (fetch->ending || fetch->begin_again)
        return false;
    bool first = !fetch->resumable && answer->from == 0;
    if ((answer->status == 200 || (answer->status == 206 && !fetch->in_one)) &&
        answer->size > fetch->options.policy->most_bytes) {
        end(fetch, CHAINS_RESOURCE_EXHAUSTED,
            "cannot fetch %s: it has %lld bytes, more than the %lld bytes that an asset may have",
            fetch->url.shown, (long long)answer->size,
            (long long)fetch->options.policy->most_bytes);
        return false;
    }
    if (answer->status == 200 || answer->status == 206) {
        if (fetch->resumable)
            return take_next(fetch, stream, answer);
        if (first && (answer->status == 200 || (answer->ranges && !fetch->in_one)))
            return take_first(fetch, stream, answer);
        change_to_one(fetch, "the server does not keep to the range that it was asked for");
        return false;
    }
    if (answer->status == 416 && !fetch->in_one) {
        change_to_one(fetch, "the server answers 416 Range Not Satisfiable");
        return false;
    }
    char why[128];
    snprintf(why, sizeof why, "the server answers %lld %s", (long long)answer->status,
             chainsi_http_reason((int)answer->status));
    if (answer->status == 408 || answer->status == 429 ||
        (answer->status >= 500 && answer->status != 501 && answer->status != 505))
        note_failure(fetch, why, answer->pause_ms);
    else
        end(fetch,
            answer->status == 404 || answer->status == 410   ? CHAINS_NOT_FOUND
            : answer->status == 401 || answer->status == 403 ? CHAINS_PERMISSION_DENIED
                                                             : CHAINS_FAILED_PRECONDITION,
            "cannot fetch %s: %s", fetch->url.shown, why);
    return false;
}

static void on_written(chainsi_asset_stream *stream, size_t size, int error)
{
    chainsi_fetch *fetch = stream->user;
    if (error)
        end_of_disk(fetch, "cannot write it", -error);
    fetch->ranges[stream - fetch->streams].done += (int64_t)size;
    fetch->unsaved = true;
    ask_review(fetch);
}

static void on_end(chainsi_asset_stream *stream, chainsi_errand_outcome outcome, const char *why)
{
    chainsi_fetch *fetch = stream->user;
    chainsi_asset_range *range = &fetch->ranges[stream - fetch->streams];
    ask_review(fetch);
    if (fetch->ending || fetch->begin_again || (stream->answered && !stream->taken))
        return; /* on_answer has said what is to be said */
    bool whole = stream->taken && stream->next == stream->end;
    if (!whole && outcome == CHAINSI_ERRAND_DONE && range->end == INT64_MAX)
        range->end = fetch->size = stream->next; /* the end of the answer is that of the file */
    else if (whole && range->end == INT64_MAX)
        end(fetch, CHAINS_RESOURCE_EXHAUSTED,
            "cannot fetch %s: it has more than the %lld bytes that an asset may have",
            fetch->url.shown, (long long)fetch->options.policy->most_bytes);
    else if (!whole && (outcome == CHAINSI_ERRAND_REFUSED || outcome == CHAINSI_ERRAND_NO_URL))
        end(fetch, CHAINS_FAILED_PRECONDITION, "cannot fetch %s: %s", fetch->url.shown, why);
    else if (!whole)
        note_failure(
            fetch, outcome == CHAINSI_ERRAND_DONE ? "the answer is shorter than it said" : why, 0);
}

/* The review. */

static bool is_busy(const chainsi_fetch *fetch)
{
    bool busy = fetch->works || fetch->disk.busy;
    for (size_t i = 0; i < CHAINSI_ASSET_MOST_RANGES; i++)
        busy = busy || chainsi_asset_stream_busy(&fetch->streams[i]);
    return busy;
}

static void start_stream(chainsi_fetch *fetch, size_t index)
{
    const chainsi_fetch_policy *policy = fetch->options.policy;
    chainsi_asset_range *range = &fetch->ranges[index];
    chainsi_asset_stream *stream = &fetch->streams[index];
    chainsi_asset_request request = {
        .url = fetch->options.url,
        .ranges = !fetch->in_one,
        .validator = fetch->validator,
        .connect_timeout_s = policy->connect_timeout_s,
        .stall_s = policy->stall_s,
        .stall_rate = policy->stall_rate,
    };
    fetch->pieced = fetch->pieced || index > 0 || range->done > 0;
    chainsi_asset_stream_start(stream, fetch->options.courier, &request, range->start + range->done,
                               range->end);
}

static void verify(chainsi_fetch *fetch)
{
    fetch->state = CHAINSI_FETCH_VERIFYING;
    fetch->disk.size = fetch->size;
    chainsi_asset_disk_verify(&fetch->disk);
}

static void review_fetching(chainsi_fetch *fetch)
{
    if (fetch->begin_again) {
        stop_streams(fetch);
        if (is_busy(fetch))
            return;
        begin_again(fetch);
    }
    bool whole = true;
    for (size_t i = 0; i < fetch->range_count; i++) {
        const chainsi_asset_range *range = &fetch->ranges[i];
        if (range->done == range->end - range->start)
            continue;
        whole = false;
        if (fetch->state == CHAINSI_FETCH_FETCHING && !fetch->ending &&
            !chainsi_asset_stream_busy(&fetch->streams[i]))
            start_stream(fetch, i);
    }
    uint64_t now_ms = uv_now(fetch->options.loop);
    if (whole && !is_busy(fetch) && !fetch->ending)
        verify(fetch);
    else if (fetch->resumable && fetch->unsaved && !fetch->saving &&
             now_ms - fetch->saved_ms >= fetch->options.policy->save_ms)
        save(fetch);
}

/* Lets everything come to its end, and tells it. */
static void review_end(chainsi_fetch *fetch)
{
    stop_streams(fetch);
    uv_timer_stop(fetch->wait);
    if (is_busy(fetch))
        return;
    bool kept = fetch->resumable && !fetch->begin_again &&
                (fetch->status == CHAINS_CANCELLED || fetch->status == CHAINS_UNAVAILABLE);
    if (kept && fetch->unsaved) {
        save(fetch);
        if (fetch->saving)
            return;
    }
    if (fetch->fd >= 0) {
        close(fetch->fd);
        fetch->fd = -1;
        if (!kept && fetch->status != CHAINS_OK)
            chainsi_asset_store_drop(fetch->options.home, fetch->options.digest);
    }
    uv_timer_stop(fetch->review);
    fetch->options.on_end(fetch->options.user, fetch->status, fetch->why);
}

static void on_review(uv_timer_t *timer)
{
    chainsi_fetch *fetch = timer->data;
    if (!fetch)
        return;
    if (fetch->ending)
        review_end(fetch);
    else if (fetch->state == CHAINSI_FETCH_FETCHING || fetch->state == CHAINSI_FETCH_WAITING)
        review_fetching(fetch);
}

/* Whole files. */

static void on_disk_end(chainsi_asset_disk *disk, chains_status status, const char *why)
{
    chainsi_fetch *fetch = (chainsi_fetch *)((char *)disk - offsetof(chainsi_fetch, disk));
    ask_review(fetch);
    if (fetch->state == CHAINSI_FETCH_VERIFYING && status == CHAINS_OK) {
        fetch->ending = true; /* whatever was decided meanwhile: it is stored */
        fetch->status = CHAINS_OK;
        fetch->why[0] = 0;
    } else if (fetch->ending) {
        return; /* it was stopped */
    } else if (status == CHAINS_OK) {
        fetch->size = disk->size;
        verify(fetch);
    } else if (status == CHAINS_DATA_LOSS && fetch->pieced && !fetch->in_one) {
        /* Maybe not all pieces were of one version: a server needn't be good at that. */
        fetch->in_one = fetch->begin_again = true;
        fetch->state = CHAINSI_FETCH_FETCHING;
    } else if (status == CHAINS_DATA_LOSS) {
        end(fetch, status, "%s has the wrong digest: expected sha256 %s, got %s", fetch->url.shown,
            fetch->options.digest, why);
    } else {
        end(fetch, status, "cannot fetch %s: %s", fetch->url.shown, why);
    }
}

/* Beginning. */

static bool open_partial(chainsi_fetch *fetch)
{
    char *path = chainsi_asset_partial_path(fetch->options.home, fetch->options.digest);
    if (chainsi_asset_store_make(fetch->options.home, fetch->options.digest))
        fetch->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fetch->fd < 0)
        end_of_disk(fetch, "cannot make its file", errno);
    free(path);
    return fetch->fd >= 0;
}

static void begin(chainsi_fetch *fetch)
{
    static const chainsi_asset_stream_events events = { on_answer, on_written, on_end };
    fetch->range_count = 1;
    fetch->ranges[0].end = INT64_MAX;
    if (!chainsi_url_read(fetch->options.url, &fetch->url)) {
        fetch->url.shown = chainsi_copy_text(fetch->options.url);
        end(fetch, CHAINS_INVALID_ARGUMENT, "cannot fetch %s: it is no http, https or file URL",
            fetch->url.shown);
        return;
    }
    if (!open_partial(fetch))
        return;
    fetch->disk = (chainsi_asset_disk){
        .loop = fetch->options.loop,
        .fd = fetch->fd,
        .home = fetch->options.home,
        .digest = fetch->options.digest,
        .source = fetch->url.path,
        .most_bytes = fetch->options.policy->most_bytes,
        .size = -1,
        .on_end = on_disk_end,
    };
    for (size_t i = 0; i < CHAINSI_ASSET_MOST_RANGES; i++) {
        chainsi_asset_stream *stream = &fetch->streams[i];
        stream->events = &events;
        stream->user = fetch;
        stream->file = fetch->fd;
    }
    if (fetch->url.path) {
        fetch->state = CHAINSI_FETCH_COPYING;
        begin_again(fetch);
        if (!fetch->ending)
            chainsi_asset_disk_copy(&fetch->disk);
    } else {
        restore(fetch);
        ask_review(fetch);
    }
}

chainsi_fetch *chainsi_fetch_new(const chainsi_fetch_options *options)
{
    chainsi_fetch *fetch = chainsi_make(sizeof *fetch);
    fetch->options = *options;
    fetch->options.home = chainsi_copy_text(options->home);
    fetch->options.url = chainsi_copy_text(options->url);
    fetch->options.digest = chainsi_copy_text(options->digest);
    fetch->fd = -1;
    fetch->size = -1;
    fetch->review = chainsi_timer_new(options->loop, fetch);
    fetch->wait = chainsi_timer_new(options->loop, fetch);
    begin(fetch);
    return fetch;
}

void chainsi_fetch_cancel(chainsi_fetch *fetch)
{
    end(fetch, CHAINS_CANCELLED, "fetching %s was cancelled", fetch->url.shown);
}

void chainsi_fetch_free(chainsi_fetch *fetch)
{
    if (!fetch)
        return;
    assert(!is_busy(fetch));
    chainsi_handle_close(fetch->review);
    chainsi_handle_close(fetch->wait);
    chainsi_url_done(&fetch->url);
    free((char *)fetch->options.home);
    free((char *)fetch->options.url);
    free((char *)fetch->options.digest);
    free(fetch);
}

chainsi_fetch_progress chainsi_fetch_look(const chainsi_fetch *fetch)
{
    chainsi_fetch_progress progress = { .state = fetch->state, .size = fetch->size };
    progress.done = fetch->state == CHAINSI_FETCH_COPYING     ? fetch->disk.done
                    : fetch->state == CHAINSI_FETCH_VERIFYING ? fetch->size
                                                              : done_bytes(fetch);
    if (fetch->state == CHAINSI_FETCH_WAITING)
        progress.trouble = fetch->trouble;
    return progress;
}
