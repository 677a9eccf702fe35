/* A request of curl's, and its headers.
 *
 * Nothing that curl could read of the user's (~/.netrc, cookies) is used, and a name and password
 * in the URL go to that host alone: curl doesn't take them along to another one. From https no
 * redirect leads to http. */
#include "control/asset_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "runtime/retry.h"

enum { RECEIVED_AT_ONCE = 128 * 1024 /* bytes, less than CHAINSI_ASSET_GATHERED */ };

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

static void read_validator(CURL *easy, char validator[CHAINSI_ASSET_MOST_VALIDATOR])
{
    const char *tag = find_header(easy, "ETag"), *time = find_header(easy, "Last-Modified");
    const char *text = tag && tag[0] == '"' ? tag : time;
    if (text && strlen(text) < CHAINSI_ASSET_MOST_VALIDATOR)
        memcpy(validator, text, strlen(text) + 1);
}

static void read_answer(CURL *easy, chainsi_asset_answer *answer)
{
    *answer = (chainsi_asset_answer){ .size = -1 };
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer->status);
    read_validator(easy, answer->validator);
    const char *range = find_header(easy, "Content-Range");
    const char *accepted = find_header(easy, "Accept-Ranges");
    const char *after = find_header(easy, "Retry-After");
    if (answer->status == 206) {
        answer->ranges = range && read_content_range(range, &answer->from, &answer->size);
    } else if (answer->status == 200) {
        curl_off_t size = -1;
        curl_easy_getinfo(easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &size);
        answer->size = size;
        answer->ranges = accepted && !strcasecmp(accepted, "bytes");
    }
    if (after)
        answer->pause_ms =
            chainsi_retry_after_ns(after, strlen(after), time(NULL)) / CHAINSI_NS_PER_MS;
}

static void note_answer(chainsi_asset_stream *stream)
{
    chainsi_asset_answer answer;
    stream->answered = true;
    read_answer(stream->transfer.easy, &answer);
    stream->taken = stream->events->on_answer(stream, &answer);
}

static size_t on_body(char *data, size_t one, size_t size, void *user)
{
    (void)one; /* it is 1 */
    chainsi_asset_stream *stream = user;
    if (!stream->answered)
        note_answer(stream);
    if (!stream->taken)
        return CURL_WRITEFUNC_ERROR;
    size_t wanted = size;
    if ((int64_t)size > stream->end - stream->next)
        wanted = (size_t)(stream->end - stream->next);
    if (!chainsi_asset_writer_take(&stream->writer, data, wanted)) {
        stream->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    stream->next += (int64_t)wanted;
    return wanted == size ? size : CURL_WRITEFUNC_ERROR; /* the rest isn't wanted */
}

static void on_written(chainsi_asset_writer *writer, size_t size, int error)
{
    chainsi_asset_stream *stream =
        (chainsi_asset_stream *)((char *)writer - offsetof(chainsi_asset_stream, writer));
    stream->events->on_written(stream, size, error);
    if (!error && stream->paused && stream->transfer.easy) {
        stream->paused = false;
        curl_easy_pause(stream->transfer.easy, CURLPAUSE_CONT);
    }
}

static void forget_request(chainsi_asset_stream *stream)
{
    curl_easy_cleanup(stream->transfer.easy);
    curl_slist_free_all(stream->headers);
    stream->transfer.easy = NULL;
    stream->headers = NULL;
    stream->paused = false;
}

static void on_done(chainsi_transfer *transfer, CURLcode code)
{
    chainsi_asset_stream *stream = (chainsi_asset_stream *)transfer;
    if (!stream->answered && code == CURLE_OK)
        note_answer(stream); /* an empty body */
    if (stream->next == stream->end)
        code = CURLE_OK;
    forget_request(stream);
    stream->events->on_end(stream, code, *stream->error ? stream->error : curl_easy_strerror(code));
}

/* curl's own aren't CLOEXEC. */
static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)user;
    (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void add_header(chainsi_asset_stream *stream, const char *name, const char *value)
{
    char line[CHAINSI_ASSET_MOST_VALIDATOR + 64];
    snprintf(line, sizeof line, "%s: %s", name, value);
    stream->headers = curl_slist_append(stream->headers, line);
    if (!stream->headers)
        abort();
}

/* False: curl can't make anything of the URL. */
static bool set_up(chainsi_asset_stream *stream, const chainsi_asset_request *request)
{
    CURL *easy = stream->transfer.easy;
    bool tls = !strncasecmp(request->url, "https:", 6);
    char range[32];
    snprintf(range, sizeof range, "%lld-", (long long)stream->next);
    if (stream->end != INT64_MAX)
        snprintf(range, sizeof range, "%lld-%lld", (long long)stream->next,
                 (long long)(stream->end - 1));
    if (request->ranges)
        curl_easy_setopt(easy, CURLOPT_RANGE, range);
    if (request->ranges && request->validator && *request->validator)
        add_header(stream, "If-Range", request->validator);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, stream->headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, stream);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, stream->error);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)RECEIVED_AT_ONCE);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    /* Ranges are to have connections of their own; HTTP/2 would send them through one. */
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "chains");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)CHAINSI_ASSET_MOST_REDIRECTS);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, tls ? "https" : "http,https");
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, request->connect_timeout_s);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, request->stall_s);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, request->stall_rate);
    const char *authorities = getenv("SSL_CERT_FILE"); /* as OpenSSL's own defaults have it */
    if (authorities && *authorities)
        curl_easy_setopt(easy, CURLOPT_CAINFO, authorities);
    return curl_easy_setopt(easy, CURLOPT_URL, request->url) == CURLE_OK;
}

bool chainsi_asset_stream_start(chainsi_asset_stream *stream, chainsi_transfers *transfers,
                                const chainsi_asset_request *request, int64_t from, int64_t end)
{
    stream->transfers = transfers;
    stream->writer.on_written = on_written;
    stream->writer.at = stream->next = from;
    stream->end = end;
    stream->answered = stream->taken = stream->paused = false;
    stream->error[0] = 0;
    stream->transfer.on_done = on_done;
    stream->transfer.easy = curl_easy_init();
    if (!stream->transfer.easy)
        abort(); /* out of memory */
    if (!set_up(stream, request)) {
        forget_request(stream);
        return false;
    }
    chainsi_transfers_start(transfers, &stream->transfer);
    return true;
}

void chainsi_asset_stream_stop(chainsi_asset_stream *stream)
{
    if (!stream->transfer.easy)
        return;
    chainsi_transfers_stop(stream->transfers, &stream->transfer);
    forget_request(stream);
}

bool chainsi_asset_stream_busy(const chainsi_asset_stream *stream)
{
    return stream->transfer.easy || stream->writer.busy;
}
