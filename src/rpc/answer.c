/* Heads are put together by hand, not by printf: this is on the way of every call. */
#include "rpc/answer.h"

#include <unistd.h>

#include "base/clock.h"
#include "rpc/limits.h"
#include "rpc/parts.h"

enum {
    KEPT_BUFFER = 1024 * 1024, /* larger ones are not kept for the next answer */
    COPIED_BODY = 4 * 1024,    /* smaller ones are put behind their head */
};

void chainsi_answer_done(chainsi_answer *answer)
{
    chainsi_buffer_done(&answer->head);
    chainsi_buffer_done(&answer->headers);
    chainsi_buffer_done(&answer->body);
}

void chainsi_answer_shrink(chainsi_answer *answer)
{
    if (answer->headers.capacity > KEPT_BUFFER)
        chainsi_buffer_done(&answer->headers);
    if (answer->body.capacity > KEPT_BUFFER)
        chainsi_buffer_done(&answer->body);
}

chainsi_server_response chainsi_answer_begin(chainsi_answer *answer, int status)
{
    answer->headers.size = answer->body.size = 0;
    return (chainsi_server_response){ .status = status,
                                      .body = &answer->body,
                                      .headers = &answer->headers };
}

chainsi_server_response chainsi_answer_error(chainsi_answer *answer, int status,
                                             const char *message)
{
    const char *name = status == 408   ? "DEADLINE_EXCEEDED"
                       : status == 503 ? "UNAVAILABLE"
                       : status == 429 ? "RESOURCE_EXHAUSTED"
                       : status >= 500 ? "UNIMPLEMENTED"
                                       : "INVALID_ARGUMENT";
    chainsi_server_response response = chainsi_answer_begin(answer, status);
    response.content_type = "application/json";
    chainsi_buffer_printf(response.body,
                          "{\"error\":{\"status\":\"%s\",\"message\":\"%s\",\"path\":null,"
                          "\"trace\":[],\"request_id\":\"\"}}",
                          name, message);
    if (status == 429)
        chainsi_buffer_printf(response.headers, "Retry-After: %d\r\n", CHAINSI_RETRY_AFTER_S);
    if (status == 429 || status == 503)
        chainsi_buffer_add_text(response.headers, CHAINSI_HTTP_NOT_STARTED ": 1\r\n");
    return response;
}

static void write_head(chainsi_buffer *head, const chainsi_server_response *response,
                       bool has_length, bool keep_alive, int minor_version)
{
    char status[] = { ' ',
                      (char)('0' + response->status / 100 % 10),
                      (char)('0' + response->status / 10 % 10),
                      (char)('0' + response->status % 10),
                      ' ',
                      0 };
    head->size = 0;
    chainsi_buffer_add_text(head, "HTTP/1.1");
    chainsi_buffer_add_text(head, status);
    chainsi_buffer_add_text(head, chainsi_http_reason(response->status));
    chainsi_buffer_add_text(head, "\r\n");
    if (response->content_type) {
        chainsi_buffer_add_text(head, "Content-Type: ");
        chainsi_buffer_add_text(head, response->content_type);
        chainsi_buffer_add_text(head, "\r\n");
    }
    if (has_length) {
        char digits[24];
        char *first = digits + sizeof digits;
        size_t size = response->body->size;
        *--first = 0;
        do {
            *--first = (char)('0' + size % 10);
        } while (size /= 10);
        chainsi_buffer_add_text(head, "Content-Length: ");
        chainsi_buffer_add_text(head, first);
        chainsi_buffer_add_text(head, "\r\n");
    }
    if (!keep_alive)
        chainsi_buffer_add_text(head, "Connection: close\r\n");
    else if (minor_version == 0)
        chainsi_buffer_add_text(head, "Connection: keep-alive\r\n");
    chainsi_buffer_add(head, response->headers->data, response->headers->size);
    chainsi_buffer_add_text(head, "\r\n");
}

/* Puts a small body behind its head, which is cheaper than to have the kernel gather the two; returns its size, else 0. */
static size_t join_small(chainsi_answer *answer, const void *body, size_t size)
{
    if (size > COPIED_BODY)
        return 0;
    chainsi_buffer_add(&answer->head, body, size);
    return size;
}

static bool send_parts(chainsi_answer *answer, chainsi_connection *connection, const void *body,
                       size_t size, const int *fds, int fd_count, int timeout_ms)
{
    int64_t allowed_ms = timeout_ms * (int64_t)(1 + size / CHAINSI_SEND_TIMEOUT_BYTES);
    return chainsi_connection_send(connection, &answer->head, body, size, fds, fd_count,
                                   allowed_ms);
}

bool chainsi_answer_send(chainsi_answer *answer, chainsi_connection *connection,
                         const chainsi_server_response *response, chainsi_http_method method,
                         bool keep_alive, int minor_version, int timeout_ms)
{
    if (response->parts)
        return response->parts->whole;
    bool has_body = response->status != 204 && response->status != 304;
    write_head(&answer->head, response, has_body, keep_alive, minor_version);
    size_t size = has_body && method != CHAINSI_HTTP_HEAD ? response->body->size : 0;
    size -= join_small(answer, response->body->data, size);
    return send_parts(answer, connection, response->body->data, size, NULL, 0, timeout_ms);
}

/* Writes what comes before the body of an answer, or of a "not started". */
static void write_frame_head(chainsi_buffer *head, chainsi_frame_kind kind,
                             const chainsi_frame *call, uint64_t incarnation,
                             const chainsi_server_response *response)
{
    chainsi_frame frame = { .head = { .kind = (uint8_t)kind, .id = call->head.id },
                            .answer = { .incarnation = incarnation } };
    if (response) {
        frame.head.status = (uint8_t)response->status;
        frame.head.attachments = (uint8_t)response->fd_count;
        frame.head.body_size = response->body->size;
        frame.answer.retry_after_ms = response->retry_after_ms;
    }
    head->size = 0;
    head->size =
        chainsi_frame_write(&frame, (char *)chainsi_buffer_reserve(head, CHAINSI_FRAME_MAX_HEAD));
}

bool chainsi_answer_send_frame(chainsi_answer *answer, chainsi_connection *connection,
                               const chainsi_frame *call, chainsi_server_response *response,
                               uint64_t incarnation, int timeout_ms)
{
    write_frame_head(&answer->head, CHAINSI_FRAME_ANSWER, call, incarnation, response);
    size_t size = response->body->size;
    size -= join_small(answer, response->body->data, size);
    /* Behind an item that has left in part nothing can be said. */
    bool cut = response->parts && response->parts->end != CHAINSI_PARTS_SENT;
    bool sent = !cut && send_parts(answer, connection, response->body->data, size, response->fds,
                                   response->fd_count, timeout_ms);
    for (int i = 0; i < response->fd_count; i++)
        close(response->fds[i]);
    return sent;
}

bool chainsi_answer_send_not_started(chainsi_answer *answer, chainsi_connection *connection,
                                     const chainsi_frame *call, uint64_t incarnation,
                                     int timeout_ms)
{
    write_frame_head(&answer->head, CHAINSI_FRAME_NOT_STARTED, call, incarnation, NULL);
    return send_parts(answer, connection, NULL, 0, NULL, 0, timeout_ms);
}
