/* Range requests with libcurl, and the last few answers.
 *
 * Invariants: at most EXTENTS answers of at most MAX_REQUEST bytes are kept, so a file of any size
 * takes bounded memory. An answer is kept only if it is exactly the range that was asked for. The
 * first failure is final: a decoder above may go on reading after it, and must not get bytes that
 * belong elsewhere. */
#include "range_source.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EXTENTS = 6,
    MIN_REQUEST = 72 * 1024, /* libavformat looks at 64 KiB of a WAV before it trusts the header */
    MAX_REQUEST = 4 * 1024 * 1024,
    CONNECT_TIMEOUT_MS = 10000,
    STALL_TIMEOUT_S = 30, /* without a byte */
};

/* Bytes of the file that were downloaded. */
typedef struct range_extent {
    int64_t offset;
    size_t size;
    uint8_t *bytes; /* owned; NULL if unused */
} range_extent;

struct range_source {
    chains_ctx *ctx;
    const char *url; /* lives as long as ctx */
    CURL *easy;      /* owned: one connection, kept alive between requests */
    int64_t size;    /* -1 until the first answer tells */
    chains_status status;
    range_extent extents[EXTENTS];
    size_t next_extent;  /* the one that the next answer replaces */
    int64_t planned;     /* bytes that are still to be asked for by plan */
    int64_t planned_end; /* no request reaches beyond that */
    int64_t growth;      /* the size of the next request without a plan */
};

/* One request under way. */
typedef struct range_transfer {
    range_source *source;
    uint8_t *bytes;
    size_t size, capacity;
    bool too_long;
} range_transfer;

void range_source_prepare(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static size_t on_bytes(char *data, size_t unit, size_t count, void *user)
{
    range_transfer *transfer = user;
    size_t size = unit * count;
    long code = 0;
    curl_easy_getinfo(transfer->source->easy, CURLINFO_RESPONSE_CODE, &code);
    if (code != 206)
        return 0; /* ends the transfer: the body of an error, or all of a huge file */
    if (size > transfer->capacity - transfer->size) {
        transfer->too_long = true;
        return 0;
    }
    memcpy(transfer->bytes + transfer->size, data, size);
    transfer->size += size;
    return size;
}

static int on_progress(void *user, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    (void)down_total, (void)down, (void)up_total, (void)up;
    const range_source *source = user;
    return chains_cancelled(source->ctx) ? 1 : 0;
}

#define FAIL(source, code, ...) ((source)->status = chains_fail((source)->ctx, (code), __VA_ARGS__))

/* What a request means that got no answer, or only a part of one. */
static chains_status fail_transfer(range_source *source, CURLcode code)
{
    const char *url = source->url, *why = curl_easy_strerror(code);
    switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return FAIL(source, CHAINS_INVALID_ARGUMENT, "'%s' is no http or https URL", url);
    case CURLE_ABORTED_BY_CALLBACK:
        if (chains_remaining_ms(source->ctx) == 0)
            return FAIL(source, CHAINS_DEADLINE_EXCEEDED, "no time was left to download %s", url);
        return FAIL(source, CHAINS_CANCELLED, "nobody waits for %s any more", url);
    case CURLE_TOO_MANY_REDIRECTS:
        return FAIL(source, CHAINS_FAILED_PRECONDITION, "%s redirects in a circle", url);
    default:
        return FAIL(source, CHAINS_UNAVAILABLE, "%s can't be downloaded: %s", url, why);
    }
}

/* What an answer means that is not the part that was asked for. */
static chains_status fail_response(range_source *source, long code)
{
    const char *url = source->url;
    switch (code) {
    case 200:
        return FAIL(source, CHAINS_FAILED_PRECONDITION,
                    "the server of %s doesn't serve ranges: it answered a request for a part of "
                    "the file with all of it (200 instead of 206)",
                    url);
    case 401:
    case 403:
        return FAIL(source, CHAINS_PERMISSION_DENIED, "the server of %s denies access (%ld)", url,
                    code);
    case 404:
    case 410:
        return FAIL(source, CHAINS_NOT_FOUND, "there is nothing at %s (%ld)", url, code);
    case 416:
        if (source->size < 0)
            return FAIL(source, CHAINS_INVALID_ARGUMENT, "the file at %s is empty", url);
        return FAIL(source, CHAINS_ABORTED, "the file at %s became shorter while it was read", url);
    case 408:
    case 429:
        return FAIL(source, CHAINS_UNAVAILABLE, "the server of %s is too busy (%ld)", url, code);
    default:
        if (code >= 500)
            return FAIL(source, CHAINS_UNAVAILABLE, "the server of %s failed (%ld)", url, code);
        return FAIL(source, CHAINS_FAILED_PRECONDITION, "the server of %s answered %ld", url, code);
    }
}

/* Checks that the answer is bytes offset to offset + size of the file that was opened, and learns
 * the file's size from the first one. */
static chains_status check_range(range_source *source, int64_t offset, size_t size)
{
    struct curl_header *header;
    int64_t first = -1, last = -1, total = -1;
    if (curl_easy_header(source->easy, "Content-Range", 0, CURLH_HEADER, -1, &header) !=
            CURLHE_OK ||
        sscanf(header->value, "bytes %" SCNd64 "-%" SCNd64 "/%" SCNd64, &first, &last, &total) != 3)
        return FAIL(source, CHAINS_FAILED_PRECONDITION,
                    "the server of %s doesn't tell the size of the file (Content-Range)",
                    source->url);
    if (first != offset || last < first || total <= last || last - first + 1 != (int64_t)size)
        return FAIL(source, CHAINS_UNAVAILABLE,
                    "the server of %s answered with another part than the one asked for: '%s'",
                    source->url, header->value);
    if (source->size >= 0 && source->size != total)
        return FAIL(source, CHAINS_ABORTED,
                    "the file at %s changed while it was read: %" PRId64 " bytes became %" PRId64,
                    source->url, source->size, total);
    source->size = total;
    return CHAINS_OK;
}

/* Downloads size bytes at offset into the extent that is next to be replaced; fewer at the file's
 * end. */
static chains_status download(range_source *source, int64_t offset, size_t size)
{
    range_extent *extent = &source->extents[source->next_extent];
    free(extent->bytes);
    *extent = (range_extent){ 0 };
    range_transfer transfer = { .source = source, .bytes = malloc(size), .capacity = size };
    if (!transfer.bytes)
        return FAIL(source, CHAINS_RESOURCE_EXHAUSTED, "no memory for %zu bytes", size);

    char range[64];
    snprintf(range, sizeof range, "%" PRId64 "-%" PRId64, offset, offset + (int64_t)size - 1);
    curl_easy_setopt(source->easy, CURLOPT_RANGE, range);
    curl_easy_setopt(source->easy, CURLOPT_WRITEDATA, &transfer);
    CURLcode code = curl_easy_perform(source->easy);
    long response = 0;
    curl_easy_getinfo(source->easy, CURLINFO_RESPONSE_CODE, &response);

    if (transfer.too_long)
        FAIL(source, CHAINS_UNAVAILABLE, "the server of %s sent more than was asked for",
             source->url);
    else if (code == CURLE_OK || code == CURLE_WRITE_ERROR)
        response == 206 ? check_range(source, offset, transfer.size)
                        : fail_response(source, response);
    else
        fail_transfer(source, code);

    if (source->status != CHAINS_OK) {
        free(transfer.bytes);
        return source->status;
    }
    *extent = (range_extent){ offset, transfer.size, transfer.bytes };
    source->next_extent = (source->next_extent + 1) % EXTENTS;
    return CHAINS_OK;
}

chains_status range_source_open(chains_ctx *ctx, const char *url, int64_t size,
                                range_source **opened)
{
    range_source *source = chains_alloc(ctx, sizeof *source);
    *source = (range_source){
        .ctx = ctx, .url = chains_strdup(ctx, url), .easy = curl_easy_init(), .size = size
    };
    if (!source->easy)
        return chains_fail(ctx, CHAINS_INTERNAL, "libcurl can't be used");
    CURL *easy = source->easy;
    curl_easy_setopt(easy, CURLOPT_URL, source->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, 5L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)STALL_TIMEOUT_S);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, source);

    range_source_plan(source, 0, INT64_MAX);
    chains_status status = download(source, 0, MIN_REQUEST);
    if (status != CHAINS_OK) {
        range_source_close(source);
        return status;
    }
    *opened = source;
    return CHAINS_OK;
}

void range_source_close(range_source *source)
{
    if (!source)
        return;
    for (size_t i = 0; i < EXTENTS; i++)
        free(source->extents[i].bytes);
    curl_easy_cleanup(source->easy);
}

int64_t range_source_size(const range_source *source)
{
    return source->size;
}

chains_status range_source_status(const range_source *source)
{
    return source->status;
}

void range_source_plan(range_source *source, int64_t ahead, int64_t end)
{
    source->planned = ahead;
    source->planned_end = end;
    source->growth = MIN_REQUEST;
}

static const range_extent *find_extent(const range_source *source, int64_t offset)
{
    for (size_t i = 0; i < EXTENTS; i++) {
        const range_extent *extent = &source->extents[i];
        if (offset >= extent->offset && offset - extent->offset < (int64_t)extent->size)
            return extent;
    }
    return NULL;
}

/* How much to ask for at offset, which isn't here yet. */
static size_t plan_request(range_source *source, int64_t offset)
{
    if (offset >= source->planned_end)
        range_source_plan(source, 0, INT64_MAX);
    bool planned = source->planned > 0;
    int64_t size = planned ? source->planned : source->growth;
    if (size > MAX_REQUEST)
        size = MAX_REQUEST;
    if (size > source->planned_end - offset)
        size = source->planned_end - offset;
    if (size > source->size - offset)
        size = source->size - offset;
    if (planned)
        source->planned -= size;
    else if (source->growth < MAX_REQUEST)
        source->growth *= 2;
    return (size_t)size;
}

int64_t range_source_read(range_source *source, int64_t offset, void *buffer, size_t size)
{
    if (source->status != CHAINS_OK)
        return -1;
    if (offset < 0 || offset >= source->size || size == 0)
        return 0;
    const range_extent *extent = find_extent(source, offset);
    if (!extent) {
        if (download(source, offset, plan_request(source, offset)) != CHAINS_OK)
            return -1;
        extent = find_extent(source, offset);
    }
    size_t skip = (size_t)(offset - extent->offset);
    size_t count = extent->size - skip < size ? extent->size - skip : size;
    memcpy(buffer, extent->bytes + skip, count);
    return (int64_t)count;
}
