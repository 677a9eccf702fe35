/* `chains logs`: what the Chainlets of a chain say. The answer is read as it comes, since with -f it has no end. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/daemon.h"
#include "cli/options.h"
#include "rpc/address.h"
#include "rpc/http.h"

extern const chainsi_verb chainsi_verb_logs;

typedef struct request {
    chainsi_words names; /* the chain, and perhaps a Chainlet */
    int64_t tail;
    bool follow;
} request;

/* The rest of an answer, as it comes. */
typedef struct reader {
    int fd;
    chainsi_buffer buffer;
    chainsi_http_response response;
    chainsi_http_chunked chunked;
} reader;

/* Reads what there is, behind what is in the buffer. False at the end, or when it failed. */
static bool read_more(reader *it)
{
    enum { PIECE = 65536 };
    for (;;) {
        ssize_t got = read(it->fd, chainsi_buffer_reserve(&it->buffer, PIECE), PIECE);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        it->buffer.size += (size_t)got;
        return true;
    }
}

/* Reads the head, and takes it from the buffer. */
static bool read_head(reader *it)
{
    chainsi_http_scan scan = { 0 };
    chainsi_http_refusal refusal;
    while (read_more(it)) {
        ptrdiff_t head = chainsi_http_parse_response((const char *)it->buffer.data, it->buffer.size,
                                                     &scan, &it->response, &refusal);
        if (head == CHAINSI_HTTP_REFUSED)
            return false;
        if (head > 0) {
            it->buffer.size -= (size_t)head;
            memmove(it->buffer.data, it->buffer.data + head, it->buffer.size);
            return true;
        }
    }
    return false;
}

/* Copies the body to out until it ends. False when it broke off, or out can't be written. */
static bool copy_body(reader *it, FILE *out)
{
    int64_t left = it->response.head.content_length;
    it->chunked.max_body = UINT64_MAX;
    for (;;) {
        size_t size = it->buffer.size;
        bool done = false;
        if (it->response.head.chunked) {
            size_t consumed;
            chainsi_http_refusal refusal;
            chainsi_http_progress progress = chainsi_http_decode_chunked(
                &it->chunked, (char *)it->buffer.data, it->buffer.size, &size, &consumed, &refusal);
            if (progress == CHAINSI_HTTP_BODY_REFUSED)
                return false;
            done = progress == CHAINSI_HTTP_BODY_DONE;
        } else if (left >= 0) {
            size = size > (size_t)left ? (size_t)left : size;
            left -= (int64_t)size;
            done = left == 0;
        }
        if (size && (fwrite(it->buffer.data, 1, size, out) != size || fflush(out) != 0))
            return false;
        if (done)
            return true;
        it->buffer.size = 0;
        if (!read_more(it))
            return !it->response.head.chunked && left < 0;
    }
}

static bool send_request(int fd, const chainsi_address *address, const char *path)
{
    chainsi_buffer text = { 0 };
    chainsi_buffer_printf(&text, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path,
                          address->authority);
    size_t sent = 0;
    while (sent < text.size) {
        ssize_t put = write(fd, text.data + sent, text.size - sent);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            break;
        sent += (size_t)put;
    }
    bool good = sent == text.size;
    chainsi_buffer_done(&text);
    return good;
}

static int show_answer(chainsi_daemon *daemon, reader *it)
{
    if (!read_head(it)) {
        fprintf(stderr, "chains: %s broke off\n", daemon->address);
        return CHAINSI_EXIT_FAILED;
    }
    if (it->response.status == 200)
        return copy_body(it, stdout) ? CHAINSI_EXIT_OK : CHAINSI_EXIT_FAILED;
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (!memory)
        return CHAINSI_EXIT_FAILED;
    copy_body(it, memory);
    fclose(memory);
    chainsi_daemon_answer answer = { .status = it->response.status, .body = text, .size = size };
    chainsi_daemon_fail(daemon, &answer, false);
    free(text);
    return CHAINSI_EXIT_FAILED;
}

static int show_logs(chainsi_daemon *daemon, const char *path)
{
    char why[256];
    chainsi_address address;
    if (!chainsi_address_parse(daemon->address, &address, why, sizeof why)) {
        fprintf(stderr, "chains: %s: %s\n", daemon->address, why);
        return CHAINSI_EXIT_FAILED;
    }
    reader it = { .fd = chainsi_address_connect(&address, CHAINSI_NEVER, NULL, why, sizeof why) };
    int status = CHAINSI_EXIT_FAILED;
    if (it.fd >= 0 && send_request(it.fd, &address, path))
        status = show_answer(daemon, &it);
    else
        fprintf(stderr, "chains: %s: %s\n", daemon->address, it.fd < 0 ? why : strerror(errno));
    if (it.fd >= 0)
        close(it.fd);
    chainsi_buffer_done(&it.buffer);
    chainsi_address_done(&address);
    return status;
}

static int find_and_show(const request *r)
{
    if (!r->names.count)
        return chainsi_usage_error(&chainsi_verb_logs, "it takes the name of a chain");
    if (r->tail < 0)
        return chainsi_usage_error(&chainsi_verb_logs, "'--tail' takes a number of lines");
    for (size_t i = 0; i < r->names.count; i++)
        if (strpbrk(r->names.items[i], "/?#% "))
            return chainsi_usage_error(&chainsi_verb_logs, "'%s' is no name of a chain or Chainlet",
                                       r->names.items[i]);
    chainsi_daemon daemon;
    int status = CHAINSI_EXIT_FAILED;
    if (chainsi_daemon_find(&daemon, true)) {
        bool one = r->names.count == 2;
        const char *path = chainsi_arena_printf(
            &daemon.arena, "/api/v1/chains/%s%s%s/logs?tail=%lld%s", r->names.items[0],
            one ? "/chainlets/" : "", one ? r->names.items[1] : "", (long long)r->tail,
            r->follow ? "&follow=1" : "");
        status = show_logs(&daemon, path);
    }
    chainsi_daemon_close(&daemon);
    return status;
}

static int logs(int argc, char **argv)
{
    request r = { .tail = 100 };
    const chainsi_option options[] = {
        { "f", CHAINSI_OPTION_FLAG, &r.follow },
        { "follow", CHAINSI_OPTION_FLAG, &r.follow },
        { "tail", CHAINSI_OPTION_INTEGER, &r.tail },
        { NULL, CHAINSI_OPTION_END, NULL },
    };
    int status;
    if (chainsi_options_read(&chainsi_verb_logs, options, argc, argv, 2, &r.names, &status))
        status = find_and_show(&r);
    chainsi_words_done(&r.names);
    return status;
}

const chainsi_verb chainsi_verb_logs = {
    .name = "logs",
    .usage = "CHAIN [CHAINLET] [-f] [--tail N]",
    .summary = "Show what the Chainlets of a chain say.",
    .help = "Prints the last lines of the log of a chain, or of one of its Chainlets: what\n"
            "chains_log writes, and whatever else its processes print.\n"
            "\n"
            "  -f, --follow    go on as more comes, until Ctrl-C\n"
            "  --tail N        how many lines of the past. Default: 100\n"
            "\n"
            "Example:\n"
            "  chains logs hello -f\n",
    .run = logs,
};
