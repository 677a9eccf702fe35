/* List, then watch from where the list ended. A watch that ends, in order or broken, goes on from the last version that was
 * told; where the API server no longer has that (410), or says what isn't understood, all is listed again.
 *
 *      .-------------------------------- 410, nonsense -----------------------------.
 *      v                                                                            |
 *   LISTING --all pages--> WATCHING --ended, broken--> (pause, if it was short) --> WATCHING
 *      '-- failed: pause --^    '-- refused: trouble, pause ------------------------^
 *
 * A page is decoded in place, and its items are pieces of it; of a watch each line is looked at once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cluster/cluster_parts.h"
#include "cluster/object.h"
#include "cluster/refusal.h"
#include "schema/fields.h"
#include "schema/json.h"

#define MOST_EVENT ((size_t)64 << 20)
enum {
    PAGE = 500,    /* objects */
    WATCH_S = 240, /* and up to half as long again, so that not all who watch come back at once */
    WATCH_GRACE_S = 30, /* for the API server to end it by itself */
    FIRST_PAUSE_MS = 100,
    MOST_PAUSE_MS = 10000,
    SHORT_MS = 1000, /* a watch that ends sooner, with nothing told, is followed by a pause */
};

typedef struct version_holder {
    const char *version, *more;
} version_holder;
static const chainsi_field holder_fields[] = {
    CHAINSI_FIELD_NAMED(version_holder, version, "resourceVersion"),
    CHAINSI_FIELD_NAMED(version_holder, more, "continue"),
};
static const chainsi_type holder_type = CHAINSI_STRUCT_OF(version_holder, holder_fields);

typedef struct json_list {
    chains_json *items;
    size_t count;
} json_list;
static const chainsi_type json_list_type = CHAINSI_LIST_OF(json_list, &chainsi_type_json);
static const chainsi_type items_type = CHAINSI_POINTER_TO(&json_list_type);

typedef struct page {
    version_holder metadata;
    const json_list *items;
} page;
static const chainsi_field page_fields[] = {
    CHAINSI_FIELD_OF(page, metadata, &holder_type),
    CHAINSI_FIELD_OPTIONAL(page, items, &items_type),
};
static const chainsi_type page_type = CHAINSI_STRUCT_OF(page, page_fields);

typedef struct event {
    const char *type;
    chains_json object;
} event;
static const chainsi_field event_fields[] = {
    CHAINSI_FIELD_TEXT(event, type),
    CHAINSI_FIELD_OF(event, object, &chainsi_type_json),
};
static const chainsi_type event_type = CHAINSI_STRUCT_OF(event, event_fields);

/* Of an event's object; a Status, of an ERROR, has the rest. */
typedef struct versioned {
    version_holder metadata;
    int64_t code;
    const char *message;
} versioned;
static const int64_t no_code = 0;
static const chainsi_field versioned_fields[] = {
    CHAINSI_FIELD_OF(versioned, metadata, &holder_type),
    { CHAINSI_FIELD(versioned, code, &chainsi_type_int64), .default_value = &no_code },
    CHAINSI_FIELD_NULLABLE(versioned, message),
};
static const chainsi_type versioned_type = CHAINSI_STRUCT_OF(versioned, versioned_fields);

typedef struct follower {
    chainsi_cluster *cluster; /* its own */
    const chainsi_cluster_watch *watch;
    const atomic_bool *stop;
    char version[256];  /* the last that was told; "": there has to be a list */
    int64_t pause_ms;   /* the next one */
    char trouble[1024]; /* what was told last; "": there is none */
    /* Of the watch that is open. */
    chainsi_arena arena; /* of one event */
    size_t looked_at;    /* bytes of what has come and is no whole line */
    bool told;           /* something */
    char fault[1024];    /* what went wrong; "": nothing */
} follower;

static bool is_stopped(const follower *f)
{
    return atomic_load(f->stop);
}

static void say_trouble(follower *f, const char *why)
{
    if (strcmp(f->trouble, why) == 0)
        return;
    snprintf(f->trouble, sizeof f->trouble, "%s", why);
    if (f->watch->on_trouble)
        f->watch->on_trouble(f->watch->user, f->trouble);
}

static void pause_a_while(follower *f, long at_least_s)
{
    /* Between half of it and all of it. */
    int64_t half = f->pause_ms / 2;
    int64_t ms = half + chainsi_now_ns() / 1000 % (half + 1);
    if (at_least_s > 0 && ms < at_least_s * 1000)
        ms = at_least_s < 60 ? at_least_s * 1000 : 60000;
    chainsi_cluster_pause(ms, f->stop);
    f->pause_ms = f->pause_ms * 2 < MOST_PAUSE_MS ? f->pause_ms * 2 : MOST_PAUSE_MS;
}

static char *path_with(follower *f, chainsi_arena *arena, const char *more)
{
    const char *path = f->watch->path;
    return chainsi_arena_printf(arena, "%s%c%s", path, strchr(path, '?') ? '&' : '?', more);
}

/* --------------------------------------------------------------------------------------------
 * the list */

/* One page; false with answer->why. more: where it begins, "" at first; then where the next one does. */
static bool read_page(follower *f, char **more, chainsi_cluster_answer *answer)
{
    chainsi_arena arena = { 0 };
    const char *query =
        chainsi_arena_printf(&arena, "limit=%d%s%s", PAGE, **more ? "&continue=" : "",
                             chainsi_cluster_escape(&arena, *more));
    chains_status status = chainsi_cluster_ask(f->cluster, "GET", path_with(f, &arena, query), NULL,
                                               NULL, 0, 0, answer);
    page got;
    chainsi_codec_error error;
    if (status == CHAINS_OK && (status = chainsi_json_decode_in_place(
                                    &page_type, (char *)answer->body.data, answer->body.size,
                                    &arena, &got, &error)) != CHAINS_OK)
        snprintf(answer->why, sizeof answer->why, "%s answers %.300s with what is no list: %.300s",
                 chainsi_cluster_server(f->cluster), f->watch->path, error.message);
    for (size_t i = 0; status == CHAINS_OK && got.items && i < got.items->count && !is_stopped(f);
         i++)
        f->watch->on_object(f->watch->user, false, got.items->items[i].text,
                            got.items->items[i].size);
    if (status == CHAINS_OK) {
        free(*more);
        *more = strdup(got.metadata.more ? got.metadata.more : "");
        if (!*more)
            abort();
        if (!**more)
            snprintf(f->version, sizeof f->version, "%s",
                     got.metadata.version ? got.metadata.version : "");
    }
    chainsi_arena_done(&arena);
    return status == CHAINS_OK;
}

static void list(follower *f)
{
    chainsi_cluster_answer answer = { 0 };
    char *more = strdup("");
    if (!more)
        abort();
    f->version[0] = '\0';
    bool begun = false, good;
    do {
        good = true;
        if (!begun && f->watch->on_list)
            f->watch->on_list(f->watch->user, true);
        begun = true;
        good = read_page(f, &more, &answer);
    } while (good && *more && !is_stopped(f));
    if (good && !f->version[0]) {
        snprintf(answer.why, sizeof answer.why,
                 "%s answers %.300s with a list that has no resourceVersion",
                 chainsi_cluster_server(f->cluster), f->watch->path);
        good = false;
    }
    if (good && !is_stopped(f) && f->watch->on_list)
        f->watch->on_list(f->watch->user, false);
    if (good) {
        say_trouble(f, "");
    } else if (!is_stopped(f)) {
        f->version[0] = '\0';
        if (answer.status != 410)
            say_trouble(f, answer.why);
        pause_a_while(f, 0);
    }
    free(more);
    chainsi_cluster_answer_done(&answer);
}

/* --------------------------------------------------------------------------------------------
 * the watch */

static bool fault(follower *f, bool again, const char *what)
{
    snprintf(f->fault, sizeof f->fault, "%s, of %.200s: %.200s", chainsi_cluster_server(f->cluster),
             f->watch->path, what);
    if (again)
        f->version[0] = '\0';
    return false;
}

/* False: the watch can't go on. */
static bool take_event(follower *f, char *line, size_t size)
{
    event got;
    versioned of = { 0 };
    chainsi_arena_reset(&f->arena);
    if (chainsi_json_decode_in_place(&event_type, line, size, &f->arena, &got, NULL) != CHAINS_OK ||
        chainsi_json_decode(&versioned_type, got.object.text, got.object.size, &f->arena, &of,
                            NULL) != CHAINS_OK)
        return fault(f, true, "what comes is no event");
    if (!strcmp(got.type, "ERROR")) {
        fault(f, true, of.message ? of.message : "it can't be watched");
        if (of.code == 410)
            f->fault[0] = '\0';
        return false;
    }
    if (of.metadata.version && *of.metadata.version)
        snprintf(f->version, sizeof f->version, "%s", of.metadata.version);
    f->told = true;
    bool gone = !strcmp(got.type, "DELETED");
    if (gone || !strcmp(got.type, "ADDED") || !strcmp(got.type, "MODIFIED"))
        f->watch->on_object(f->watch->user, gone, got.object.text, got.object.size);
    return true;
}

static bool take_lines(void *user, chainsi_buffer *answer)
{
    follower *f = user;
    char *begin = (char *)answer->data, *line = begin, *end;
    say_trouble(f, "");
    bool good = true;
    while (good && !is_stopped(f) && answer->size > f->looked_at &&
           (end = memchr(begin + f->looked_at, '\n', answer->size - f->looked_at))) {
        size_t size = (size_t)(end - line);
        good = !size || take_event(f, line, size);
        line = end + 1;
        f->looked_at = (size_t)(line - begin);
    }
    size_t taken = (size_t)(line - begin);
    if (taken) {
        memmove(begin, line, answer->size - taken);
        answer->size -= taken;
    }
    f->looked_at = good && !is_stopped(f) ? answer->size : 0;
    return good && !is_stopped(f);
}

/* The API server's no: in f->fault, unless it is what a new list is for. */
static void note_refusal(follower *f, const chainsi_credentials_now *now,
                         const chainsi_cluster_transfer *transfer, chainsi_buffer *body)
{
    chainsi_cluster_answer answer = { .status = transfer->status, .body = *body };
    const chainsi_cluster_settings *settings = chainsi_login_settings(f->cluster->login);
    chainsi_cluster_refusal(settings, now, "GET", transfer->path, &answer);
    int status = transfer->status;
    if (status == 401)
        chainsi_login_renew(f->cluster->login, now->generation);
    if (status == 504 ||
        (status >= 400 && status < 500 && status != 401 && status != 403 && status != 429))
        f->version[0] = '\0';
    if (status != 410)
        snprintf(f->fault, sizeof f->fault, "%s", answer.why);
}

/* Until it ends; then f->fault says what went wrong, "" if nothing did. Returns the seconds that the API server asks to be let
 * alone. */
static long watch_once(follower *f, chainsi_arena *arena, chainsi_buffer *body)
{
    chainsi_credentials_now now;
    int seconds = WATCH_S + (int)(chainsi_now_ns() / 1000 % (WATCH_S / 2));
    if (!chainsi_login_now(f->cluster->login, arena, &now, f->fault, sizeof f->fault))
        return 0;
    const char *query = chainsi_arena_printf(
        arena, "watch=true&allowWatchBookmarks=true&timeoutSeconds=%d&resourceVersion=%s", seconds,
        chainsi_cluster_escape(arena, f->version));
    chainsi_cluster_transfer transfer = { .method = "GET",
                                          .path = path_with(f, arena, query),
                                          .timeout_ms = (seconds + WATCH_GRACE_S) * 1000,
                                          .stop = f->stop,
                                          .on_data = take_lines,
                                          .user = f,
                                          .most = MOST_EVENT,
                                          .answer = body };
    chainsi_transfer_end end = chainsi_cluster_transfer_run(
        &f->cluster->line, chainsi_login_settings(f->cluster->login), &now, &transfer);
    if (end == CHAINSI_TRANSFER_DONE && transfer.status != 200)
        note_refusal(f, &now, &transfer, body);
    else if (end != CHAINSI_TRANSFER_DONE && end != CHAINSI_TRANSFER_STOPPED &&
             transfer.status != 200) /* what breaks later goes on elsewhere */
        snprintf(f->fault, sizeof f->fault, "%s", transfer.why);
    return transfer.retry_after_s;
}

static void watch(follower *f)
{
    chainsi_arena arena = { 0 };
    chainsi_buffer body = { 0 };
    int64_t begun = chainsi_now_ns();
    f->looked_at = 0;
    f->told = false;
    f->fault[0] = '\0';
    long rest_s = watch_once(f, &arena, &body);
    chainsi_arena_done(&arena);
    chainsi_buffer_done(&body);
    if (is_stopped(f))
        return;
    chainsi_cluster_make_plain(f->fault, sizeof f->fault);
    if (f->fault[0])
        say_trouble(f, f->fault);
    bool lived = f->told || chainsi_now_ns() - begun > SHORT_MS * CHAINSI_NS_PER_MS;
    if (lived && !f->fault[0])
        f->pause_ms = FIRST_PAUSE_MS;
    else
        pause_a_while(f, rest_s);
}

void chainsi_cluster_follow(chainsi_cluster *cluster, const chainsi_cluster_watch *what,
                            const atomic_bool *stop)
{
    follower f = { .cluster = chainsi_cluster_copy(cluster),
                   .watch = what,
                   .stop = stop,
                   .pause_ms = FIRST_PAUSE_MS };
    chainsi_cluster_limit(f.cluster, 0, stop);
    while (!is_stopped(&f)) {
        if (f.version[0])
            watch(&f);
        else
            list(&f);
    }
    chainsi_arena_done(&f.arena);
    chainsi_cluster_close(f.cluster);
}
