/* The courier's loop: errands come by the socket, libcurl and the loop's threads do them, and what came of them
 * is noted with each and told as soon as the brain takes it. So a slow brain costs no memory: what waits to be
 * told of an errand is a few numbers, whatever happens to it.
 *
 * Nothing that libcurl could read of the user's (~/.netrc, cookies) is used. */
#include "control/courier_work.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/asset_writer.h"
#include "control/courier_line.h"
#include "control/handle.h"
#include "control/transfers.h"
#include "runtime/retry.h"

enum { RECEIVED_AT_ONCE = 128 * 1024 /* bytes, less than CHAINSI_ASSET_GATHERED */ };

typedef struct work work;

typedef struct errand {
    chainsi_transfer transfer; /* easy: owned; NULL: libcurl has done with it */
    chainsi_asset_writer writer;
    work *work;
    struct errand *next;
    uint32_t number;
    chainsi_errand_terms terms;
    const char *parcel; /* owned; mapped */
    size_t parcel_size;
    struct curl_slist *headers; /* owned */
    int file;                   /* owned; -1 */
    int64_t next_at;            /* the place in the file of the next byte that comes in */
    int64_t thrown_away;        /* bytes */
    bool answered, taken;       /* the head is there; the brain wants the body */
    bool paused;                /* libcurl waits for the brain, or for the disk */
    chainsi_errand_answer answer;
    chainsi_errand_outcome outcome; /* 0: not decided */
    char error[CURL_ERROR_SIZE];
    /* What is to be told, in this order. */
    bool tell_answer, tell_end;
    int64_t tell_written;
    int tell_error;
} errand;

struct work {
    uv_loop_t loop;
    chainsi_transfers *transfers; /* owned */
    uv_poll_t *poll;              /* owned; of the socket */
    uv_timer_t *soon;             /* owned */
    errand *errands;              /* owned */
    bool answer_ping, over;
};

static_assert(CURL_ERROR_SIZE <= CHAINSI_ERRAND_MOST_WHY, "whatever libcurl says can be told");

/* What is told. */

static void on_line(uv_poll_t *poll, int status, int events);

static bool tell(const chainsi_line_message *message)
{
    return chainsi_line_send(CHAINSI_LINE_FD, message, NULL, 0);
}

/* False: not all of it could be told. */
static bool tell_errand(errand *e)
{
    chainsi_line_message message = { .number = e->number, .answer = e->answer };
    if (e->tell_answer) {
        message.kind = CHAINSI_LINE_ANSWER;
        if (!tell(&message))
            return false;
        e->tell_answer = false;
    }
    if (e->tell_written || e->tell_error) {
        message.kind = CHAINSI_LINE_WRITTEN;
        message.value = e->tell_written;
        message.error = e->tell_error;
        if (!tell(&message))
            return false;
        e->tell_written = e->tell_error = 0;
    }
    if (e->tell_end) {
        message.kind = CHAINSI_LINE_ENDED;
        message.outcome = e->outcome;
        memcpy(message.why, e->error, sizeof e->error);
        return tell(&message);
    }
    return true;
}

static void free_errand(errand *e)
{
    chainsi_asset_writer_done(&e->writer);
    curl_slist_free_all(e->headers);
    munmap((void *)e->parcel, e->parcel_size);
    free(e);
}

/* Tells what there is to tell; without a brain there is nothing left to do. */
static void tell_all(work *w)
{
    bool all = true;
    if (w->answer_ping) {
        all = tell(&(chainsi_line_message){ .kind = CHAINSI_LINE_PONG });
        w->answer_ping = !all;
    }
    for (errand **at = &w->errands; all && *at;) {
        errand *e = *at;
        all = tell_errand(e);
        if (all && e->tell_end) {
            *at = e->next;
            free_errand(e);
        } else {
            at = &e->next;
        }
    }
    w->over = w->over || (!all && errno != EAGAIN);
    if (w->over)
        uv_stop(&w->loop);
    else
        uv_poll_start(w->poll, UV_READABLE | (all ? 0 : UV_WRITABLE), on_line);
}

static void on_soon(uv_timer_t *timer)
{
    if (timer->data)
        tell_all(timer->data);
}

static void ask_to_tell(errand *e)
{
    uv_timer_start(e->work->soon, on_soon, 0, 0);
}

static void close_file(errand *e)
{
    if (e->file >= 0)
        close(e->file);
    e->file = -1;
}

/* Ends it once nothing is being written any more. */
static void settle(errand *e)
{
    if (e->transfer.easy || e->writer.busy)
        return;
    close_file(e); /* before anybody can know of the end */
    e->tell_end = true;
    ask_to_tell(e);
}

static void forget_transfer(errand *e)
{
    curl_easy_cleanup(e->transfer.easy);
    e->transfer.easy = NULL;
    e->paused = false;
}

/* The first outcome counts. */
static void break_off(errand *e, chainsi_errand_outcome outcome, const char *why)
{
    if (!e->outcome) {
        e->outcome = outcome;
        snprintf(e->error, sizeof e->error, "%s", why);
    }
    if (e->transfer.easy) {
        chainsi_transfers_stop(e->work->transfers, &e->transfer);
        forget_transfer(e);
    }
    chainsi_asset_writer_drop(&e->writer);
    settle(e);
}

/* What the answer says. */

static const char *find_header(CURL *easy, const char *name)
{
    struct curl_header *header;
    return curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK ? header->value
                                                                                   : NULL;
}

/* Content-Range: bytes 100-199/1000. False if it says something else. */
static bool read_content_range(const char *text, int64_t *from, int64_t *size)
{
    int end = -1;
    long long first, last, total;
    if (strncasecmp(text, "bytes ", 6) != 0)
        return false;
    text += 6 + strspn(text + 6, " ");
    if (*text < '0' || *text > '9' || strlen(text) > 60 ||
        sscanf(text, "%lld-%lld/%lld%n", &first, &last, &total, &end) != 3 || text[end] ||
        first < 0 || last < first || total <= last)
        return false;
    *from = first;
    *size = total;
    return true;
}

static void read_validator(CURL *easy, char validator[CHAINSI_ERRAND_MOST_VALIDATOR])
{
    const char *tag = find_header(easy, "ETag"), *modified = find_header(easy, "Last-Modified");
    const char *text = tag && tag[0] == '"' ? tag : modified;
    if (text && strlen(text) < CHAINSI_ERRAND_MOST_VALIDATOR)
        memcpy(validator, text, strlen(text) + 1);
}

static void read_answer(CURL *easy, chainsi_errand_answer *answer)
{
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    *answer = (chainsi_errand_answer){ .status = status, .size = -1 };
    read_validator(easy, answer->validator);
    const char *range = find_header(easy, "Content-Range");
    const char *accepted = find_header(easy, "Accept-Ranges");
    const char *after = find_header(easy, "Retry-After");
    if (status == 206) {
        answer->ranges = range && read_content_range(range, &answer->from, &answer->size);
    } else if (status == 200) {
        curl_off_t size = -1;
        curl_easy_getinfo(easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &size);
        answer->size = size;
        answer->ranges = accepted && !strcasecmp(accepted, "bytes");
    }
    if (after)
        answer->pause_ms =
            chainsi_retry_after_ns(after, strlen(after), time(NULL)) / CHAINSI_NS_PER_MS;
}

static void note_answer(errand *e)
{
    e->answered = e->tell_answer = true;
    read_answer(e->transfer.easy, &e->answer);
    ask_to_tell(e);
}

/* Its body. */

static size_t write_body(char *data, size_t one, size_t size, void *user)
{
    (void)one; /* it is 1 */
    errand *e = user;
    if (!e->answered)
        note_answer(e);
    size_t wanted = size;
    if ((int64_t)size > e->terms.end - e->next_at)
        wanted = (size_t)(e->terms.end - e->next_at);
    if (!e->taken || !chainsi_asset_writer_take(&e->writer, data, wanted)) {
        e->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    e->next_at += (int64_t)wanted;
    return wanted == size ? size : CURL_WRITEFUNC_ERROR; /* the rest isn't wanted */
}

static size_t throw_away(char *data, size_t one, size_t size, void *user)
{
    (void)data;
    (void)one; /* it is 1 */
    errand *e = user;
    e->thrown_away += (int64_t)size;
    return e->terms.most_answer && e->thrown_away > e->terms.most_answer ? CURL_WRITEFUNC_ERROR
                                                                         : size;
}

static void on_done(chainsi_transfer *transfer, CURLcode code);

static void go_on(errand *e)
{
    if (!e->paused)
        return;
    e->paused = false;
    CURLcode code = curl_easy_pause(e->transfer.easy, CURLPAUSE_CONT);
    if (code == CURLE_OK)
        return;
    /* Of what had waited not all was wanted: libcurl says it here alone, and would wait on. */
    chainsi_transfers_stop(e->work->transfers, &e->transfer);
    on_done(&e->transfer, code);
}

static void on_written(chainsi_asset_writer *writer, size_t size, int error)
{
    errand *e = (errand *)((char *)writer - offsetof(errand, writer));
    e->tell_written += (int64_t)size;
    if (error) {
        e->tell_error = error;
        break_off(e, CHAINSI_ERRAND_BROKE, "its file cannot be written");
        return;
    }
    ask_to_tell(e);
    go_on(e);
    settle(e);
}

/* Its end. */

static chainsi_errand_outcome outcome_of(CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return CHAINSI_ERRAND_DONE;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
        return CHAINSI_ERRAND_NO_URL;
    case CURLE_TOO_MANY_REDIRECTS:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return CHAINSI_ERRAND_REFUSED;
    default:
        return CHAINSI_ERRAND_BROKE;
    }
}

static void on_done(chainsi_transfer *transfer, CURLcode code)
{
    errand *e = (errand *)transfer;
    if (e->file < 0)
        read_answer(transfer->easy, &e->answer);
    else if (!e->answered && code == CURLE_OK)
        note_answer(e); /* an empty body */
    if (e->file >= 0 && e->next_at == e->terms.end)
        code = CURLE_OK;
    if (code != CURLE_OK && !e->error[0])
        snprintf(e->error, sizeof e->error, "%s", curl_easy_strerror(code));
    e->outcome = outcome_of(code);
    forget_transfer(e);
    settle(e);
}

/* Its beginning. */

/* libcurl's own aren't CLOEXEC. */
static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)user;
    (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void set_file(errand *e)
{
    const chainsi_errand_terms *terms = &e->terms;
    CURL *easy = e->transfer.easy;
    char range[48];
    snprintf(range, sizeof range, "%lld-", (long long)terms->from);
    if (terms->end != INT64_MAX)
        snprintf(range, sizeof range, "%lld-%lld", (long long)terms->from,
                 (long long)(terms->end - 1));
    if (terms->ranged)
        curl_easy_setopt(easy, CURLOPT_RANGE, range);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, write_body);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)RECEIVED_AT_ONCE);
    /* Ranges are to have connections of their own; HTTP/2 would send them through one. */
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    e->next_at = e->writer.at = terms->from;
    e->writer.loop = &e->work->loop;
    e->writer.fd = e->file;
    e->writer.on_written = on_written;
}

static void set_terms(errand *e, const char *url)
{
    const chainsi_errand_terms *terms = &e->terms;
    CURL *easy = e->transfer.easy;
    bool stays_secure = terms->stays_secure && !strncasecmp(url, "https:", 6);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, stays_secure ? "https" : "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, terms->most_redirects > 0 ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)terms->most_redirects);
    curl_easy_setopt(easy, CURLOPT_POSTREDIR, (long)CURL_REDIR_POST_ALL);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)terms->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)terms->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)terms->stall_s);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, (long)terms->stall_rate);
}

static void add_headers(errand *e, const char *header, const char *end)
{
    for (; header < end; header += strlen(header) + 1) {
        struct curl_slist *longer = curl_slist_append(e->headers, header);
        if (!longer)
            abort(); /* out of memory */
        e->headers = longer;
    }
}

/* False: libcurl can't make anything of the URL. */
static bool set_up(errand *e, const chainsi_line_parcel *parcel)
{
    CURL *easy = e->transfer.easy;
    const char *url = e->parcel, *end = url + parcel->texts_size;
    const char *agent = url + strlen(url) + 1, *authorities = agent + strlen(agent) + 1;
    add_headers(e, authorities + strlen(authorities) + 1, end);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, e->headers);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, agent);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, e->error);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, throw_away);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, e);
    if (*authorities)
        curl_easy_setopt(easy, CURLOPT_CAINFO, authorities);
    if (parcel->has_body) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, end);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)parcel->body_size);
    }
    set_terms(e, url);
    if (e->file >= 0)
        set_file(e);
    return curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK;
}

/* What the brain says. */

static errand *find(const work *w, uint32_t number)
{
    errand *e = w->errands;
    while (e && e->number != number)
        e = e->next;
    return e;
}

/* Takes the file. False: it is no errand. */
static bool begin(work *w, const chainsi_line_message *message, int parcel, int file)
{
    size_t size;
    const char *texts = parcel < 0 || find(w, message->number)
                            ? NULL
                            : chainsi_line_unpack(parcel, &message->parcel, &size);
    if (!texts) {
        if (file >= 0)
            close(file);
        return false;
    }
    errand *e = chainsi_make(sizeof *e);
    e->work = w;
    e->number = message->number;
    e->terms = message->terms;
    e->file = file;
    e->parcel = texts;
    e->parcel_size = size;
    e->next = w->errands;
    w->errands = e;
    e->transfer.on_done = on_done;
    e->transfer.easy = curl_easy_init();
    if (!e->transfer.easy)
        abort(); /* out of memory */
    if (set_up(e, &message->parcel)) {
        chainsi_transfers_start(w->transfers, &e->transfer);
        return true;
    }
    forget_transfer(e);
    break_off(e, CHAINSI_ERRAND_NO_URL, "it is no URL");
    return true;
}

static void take(errand *e, int64_t end)
{
    e->taken = true;
    e->terms.end = end;
    go_on(e);
}

/* False: it can't be understood. */
static bool hear(work *w, const chainsi_line_message *message, int fds[CHAINSI_PACKET_MOST_FDS])
{
    errand *e = find(w, message->number);
    bool good = true;
    if (message->kind == CHAINSI_LINE_ERRAND) {
        good = begin(w, message, fds[0], fds[1]);
        fds[1] = -1;
    } else if (message->kind == CHAINSI_LINE_PING) {
        w->answer_ping = true;
        uv_timer_start(w->soon, on_soon, 0, 0);
    } else if (message->kind == CHAINSI_LINE_TAKE && e) {
        take(e, message->value);
    } else if (message->kind == CHAINSI_LINE_CANCEL && e) {
        break_off(e, CHAINSI_ERRAND_CANCELLED, "it was cancelled");
    }
    chainsi_packet_close(fds);
    return good;
}

static void on_line(uv_poll_t *poll, int status, int events)
{
    work *w = poll->data;
    if (!w)
        return;
    chainsi_line_message message;
    int fds[CHAINSI_PACKET_MOST_FDS], got;
    while ((got = chainsi_line_receive(CHAINSI_LINE_FD, &message, fds)) > 0)
        if (!hear(w, &message, fds))
            break;
    w->over = w->over || got >= 0 || errno != EAGAIN;
    if (w->over)
        uv_stop(&w->loop);
    else if (status == 0 && (events & UV_WRITABLE))
        tell_all(w);
}

/* The process. */

bool chainsi_courier_is_meant(int argc, char *const *argv)
{
    int type = 0;
    socklen_t size = sizeof type;
    return argc == 2 && !strcmp(argv[1], CHAINSI_COURIER_VERB) &&
           getsockopt(CHAINSI_LINE_FD, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
           type == SOCK_SEQPACKET;
}

int chainsi_courier_work(void)
{
    /* The brain says when to end, by ending the line; what a limit of the disk's says is told as an error. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    if (fcntl(CHAINSI_LINE_FD, F_SETFD, FD_CLOEXEC) != 0 ||
        fcntl(CHAINSI_LINE_FD, F_SETFL, O_NONBLOCK) != 0)
        return 1;
    work *w = chainsi_make(sizeof *w);
    uv_loop_init(&w->loop);
    w->transfers = chainsi_transfers_new(&w->loop);
    w->soon = chainsi_timer_new(&w->loop, w);
    w->poll = chainsi_make(sizeof *w->poll);
    uv_poll_init(&w->loop, w->poll, CHAINSI_LINE_FD);
    w->poll->data = w;
    uv_poll_start(w->poll, UV_READABLE, on_line);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    if (w->errands)
        _exit(0); /* nobody waits for them any more */
    chainsi_transfers_free(w->transfers);
    chainsi_handle_close(w->poll);
    chainsi_handle_close(w->soon);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    uv_loop_close(&w->loop);
    free(w);
    return 0;
}
