/* Asking the daemon, and saying what it answers. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/daemon.h"
#include "cli/verb.h"
#include "control/home.h"
#include "rpc/client.h"
#include "rpc/splitter.h"
#include "runtime/error.h"
#include "runtime/input.h"
#include "schema/json.h"

void chainsi_daemon_complain(const chainsi_daemon *daemon)
{
    if (daemon->why[0])
        fprintf(stderr, "chains: %s: %s\n", daemon->address, daemon->why);
}

const char *chainsi_daemon_graph_path(chainsi_daemon *daemon, const char *chain,
                                      const char *environment)
{
    return chainsi_arena_printf(&daemon->arena, "/api/v1/chains/%s/environments/%s/graph", chain,
                                environment);
}

void chainsi_daemon_add_word(chainsi_buffer *path, const char *word)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (; *word; word++)
        chainsi_buffer_printf(path, strchr(plain, *word) ? "%c" : "%%%02X", (unsigned char)*word);
}

void chainsi_daemon_add_query(chainsi_buffer *path, const char *name, const char *value)
{
    if (!value)
        return;
    chainsi_buffer_printf(path, "&%s=", name);
    chainsi_daemon_add_word(path, value);
}

static bool exchange(chainsi_daemon *daemon, const char *method, const char *path,
                     const chainsi_buffer *body, double timeout_ms, chainsi_client_sink *sink,
                     chainsi_daemon_answer *answer)
{
    enum { GRACE_MS = 500 }; /* for the daemon to say itself that time ran out */
    char owners[CHAINSI_TOKEN_SIZE + 1];
    const char *token = daemon->token;
    chainsi_buffer headers = { 0 };
    chainsi_buffer_add_text(&headers, sink ? "Accept: application/x-ndjson, application/json\r\n"
                                           : "Accept: application/json\r\n");
    if (body)
        chainsi_buffer_add_text(&headers, "Content-Type: application/json\r\n");
    if (daemon->home && chainsi_home_token(daemon->home, false, owners))
        token = owners;
    if (token)
        chainsi_buffer_printf(&headers, "Authorization: Bearer %s\r\n", token);
    int64_t deadline_ns = CHAINSI_NEVER;
    if (timeout_ms > 0) {
        chainsi_buffer_printf(&headers, "X-Chains-Timeout-Ms: %.0f\r\n",
                              timeout_ms < 1 ? 1 : timeout_ms);
        deadline_ns = chainsi_deadline_after_ms(chainsi_now_ns(), timeout_ms + GRACE_MS);
    }
    chainsi_client_request request = {
        .method = method,
        .path = path,
        .headers = (const char *)headers.data,
        .headers_size = headers.size,
        .body = body ? body->data : NULL,
        .body_size = body ? body->size : 0,
        .deadline_ns = deadline_ns,
        .max_body = SIZE_MAX / 4,
        .interrupt = daemon->interrupt,
        .sink = sink,
    };
    chainsi_client_response response;
    char why[256];
    chainsi_exchange_end end = chainsi_client_exchange(daemon->client, &request, &daemon->arena,
                                                       &response, why, sizeof why);
    chainsi_buffer_done(&headers);
    if (end != CHAINSI_EXCHANGE_ANSWERED) {
        /* Of an interrupted one the sink has said why, or the caller knows. */
        snprintf(daemon->why, sizeof daemon->why, "%s",
                 end == CHAINSI_EXCHANGE_INTERRUPTED ? ""
                 : end == CHAINSI_EXCHANGE_DEADLINE  ? "no answer in time"
                                                     : why);
        if (!daemon->quiet)
            chainsi_daemon_complain(daemon);
        return false;
    }
    *answer = (chainsi_daemon_answer){
        .status = response.status,
        .body = response.body,
        .size = response.body_size,
    };
    return true;
}

bool chainsi_daemon_ask(chainsi_daemon *daemon, const char *method, const char *path,
                        const chainsi_buffer *body, double timeout_ms,
                        chainsi_daemon_answer *answer)
{
    return exchange(daemon, method, path, body, timeout_ms, NULL, answer);
}

/* Prints the lines of a stream. */
typedef struct printer {
    chainsi_client_sink sink;
    chainsi_arena *arena;
    chainsi_splitter lines;
    bool began, ended;
    char *error; /* the last line, if it is one */
    size_t error_size;
} printer;

static bool begin_lines(void *user, const chainsi_http_response *head)
{
    static const char lines[] = "application/x-ndjson";
    printer *it = user;
    const chainsi_slice *type = chainsi_http_find(&head->head, "Content-Type");
    it->began = head->status == 200 && type && type->size >= sizeof lines - 1 &&
                !memcmp(type->data, lines, sizeof lines - 1);
    return it->began;
}

static bool starts_with(const chainsi_split_part *line, const char *text)
{
    return line->size >= strlen(text) && !memcmp(line->data, text, strlen(text));
}

static bool take_lines(void *user, char *data, size_t size)
{
    printer *it = user;
    chainsi_split_part line;
    chainsi_split_end end;
    chainsi_splitter_add(&it->lines, data, size);
    while ((end = chainsi_splitter_next(&it->lines, &line)) == CHAINSI_SPLIT_PART) {
        if (starts_with(&line, "{\"error\":")) {
            it->error = chainsi_arena_copy(it->arena, line.data, line.size);
            it->error_size = line.size;
            continue;
        }
        it->ended = it->ended || starts_with(&line, "{\"result\":");
        chainsi_text_write(stdout, line.data, line.size, CHAINSI_TEXT_JSON);
        if (putchar('\n') == EOF || fflush(stdout) != 0 || ferror(stdout)) {
            fprintf(stderr, "chains: stdout can't be written: %s\n", strerror(errno));
            return false;
        }
    }
    if (end == CHAINSI_SPLIT_REFUSED)
        fprintf(stderr, "chains: an item is larger than %d MiB\n",
                CHAINSI_MAX_PART / (1024 * 1024));
    return end == CHAINSI_SPLIT_MORE;
}

bool chainsi_daemon_stream(chainsi_daemon *daemon, const char *path, const chainsi_buffer *body,
                           double timeout_ms, chainsi_daemon_answer *answer, bool *streamed)
{
    printer it = { .arena = &daemon->arena };
    it.sink = (chainsi_client_sink){
        .begin = begin_lines, .take = take_lines, .user = &it, .deadline_ns = CHAINSI_NEVER
    };
    chainsi_splitter_init(&it.lines, CHAINSI_SPLIT_LINES, CHAINSI_MAX_PART);
    bool good = exchange(daemon, "POST", path, body, timeout_ms, &it.sink, answer);
    chainsi_splitter_done(&it.lines);
    *streamed = it.began;
    if (!it.began)
        return good;
    if (it.error) {
        answer->body = it.error;
        answer->size = it.error_size;
        return true;
    }
    if (good && !it.ended)
        fprintf(stderr, "chains: %s: the stream ended without a result\n", daemon->address);
    answer->size = 0;
    return good && it.ended;
}

static bool begin_copy(void *user, const chainsi_http_response *head)
{
    (void)user;
    return head->status == 200;
}

typedef struct copied_answer {
    chainsi_text_form form;
    chainsi_buffer rest; /* the beginning of a character, which waits for its end */
    size_t size;
} copied_answer;

/* Pieces of a text end anywhere. */
static bool copy(void *user, char *data, size_t size)
{
    copied_answer *it = user;
    chainsi_buffer *rest = &it->rest;
    it->size += size;
    chainsi_buffer_add(rest, data, size);
    const size_t whole = chainsi_text_whole((const char *)rest->data, rest->size);
    chainsi_text_write(stdout, (const char *)rest->data, whole, it->form);
    rest->size -= whole;
    memmove(rest->data, rest->data + whole, rest->size);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    fprintf(stderr, "chains: stdout can't be written: %s\n", strerror(errno));
    return false;
}

bool chainsi_daemon_copy(chainsi_daemon *daemon, const char *path, chainsi_text_form form,
                         size_t *copied, chainsi_daemon_answer *answer)
{
    copied_answer it = { .form = form };
    chainsi_client_sink sink = {
        .begin = begin_copy, .take = copy, .user = &it, .deadline_ns = CHAINSI_NEVER
    };
    const bool good = exchange(daemon, "GET", path, NULL, 0, &sink, answer);
    chainsi_text_write(stdout, (const char *)it.rest.data, it.rest.size, form);
    chainsi_buffer_done(&it.rest);
    *copied = it.size;
    return good;
}

void chainsi_daemon_print(const chainsi_daemon_answer *answer)
{
    chainsi_text_write(stdout, answer->body, answer->size, CHAINSI_TEXT_JSON);
    putchar('\n');
}

int chainsi_daemon_fail(chainsi_daemon *daemon, const chainsi_daemon_answer *answer, bool json)
{
    chains_error error;
    if (json) {
        chainsi_text_write(stderr, answer->body, answer->size, CHAINSI_TEXT_JSON);
        fputc('\n', stderr);
    } else if (chainsi_error_decode(answer->body, answer->size, false, &daemon->arena, &error))
        chainsi_error_print(&error, stderr);
    else
        fprintf(stderr, "chains: %s answered HTTP %d: %s\n", daemon->address, answer->status,
                chainsi_text_shown(&daemon->arena, answer->body));
    if (answer->status == 401 && daemon->away && !json)
        fprintf(stderr, "  hint: CHAINS_TOKEN is the token or the key that %s wants\n",
                daemon->address);
    return CHAINSI_EXIT_FAILED;
}

bool chainsi_daemon_read(chainsi_daemon *daemon, const chainsi_daemon_answer *answer,
                         const chainsi_type *type, void *value)
{
    chainsi_codec_error why;
    if (chainsi_json_decode(type, answer->body, answer->size, &daemon->arena, value, &why) ==
        CHAINS_OK)
        return true;
    fprintf(stderr, "chains: the daemon's answer can't be read: %s: %s\n", why.path, why.message);
    return false;
}

bool chainsi_daemon_expect(chainsi_daemon *daemon, const chainsi_daemon_answer *answer, bool json,
                           const chainsi_type *type, void *value)
{
    if (answer->status / 100 == 2)
        return chainsi_daemon_read(daemon, answer, type, value);
    chainsi_daemon_fail(daemon, answer, json);
    return false;
}
