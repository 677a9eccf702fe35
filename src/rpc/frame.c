#include "rpc/frame.h"

#include <string.h>

static ptrdiff_t refuse(const char **why, const char *text)
{
    *why = text;
    return CHAINSI_FRAME_REFUSED;
}

static ptrdiff_t parse_call(const char *data, size_t size, chainsi_frame *frame, const char **why)
{
    const size_t fixed = sizeof frame->head + sizeof frame->call;
    if (size < fixed)
        return CHAINSI_FRAME_MORE;
    memcpy(&frame->call, data + sizeof frame->head, sizeof frame->call);
    if (frame->call.request_id_size > CHAINSI_FRAME_MAX_REQUEST_ID)
        return refuse(why, "the request id is too long");
    if (size - fixed < frame->call.request_id_size)
        return CHAINSI_FRAME_MORE;
    frame->request_id = data + fixed;
    return (ptrdiff_t)(fixed + frame->call.request_id_size);
}

static ptrdiff_t parse_answer(const char *data, size_t size, chainsi_frame *frame)
{
    const size_t fixed = sizeof frame->head + sizeof frame->answer;
    if (size < fixed)
        return CHAINSI_FRAME_MORE;
    memcpy(&frame->answer, data + sizeof frame->head, sizeof frame->answer);
    return (ptrdiff_t)fixed;
}

ptrdiff_t chainsi_frame_parse(const char *data, size_t size, uint64_t max_body,
                              chainsi_frame *frame, const char **why)
{
    if (size < sizeof frame->head)
        return CHAINSI_FRAME_MORE;
    memset(frame, 0, sizeof *frame);
    memcpy(&frame->head, data, sizeof frame->head);
    const chainsi_frame_head *head = &frame->head;
    if (head->attachments > CHAINSI_FRAME_MAX_ATTACHMENTS)
        return refuse(why, "there are too many descriptors");
    if (head->body_size > max_body)
        return refuse(why, "the body is too large");
    switch (head->kind) {
    case CHAINSI_FRAME_CALL:
        return parse_call(data, size, frame, why);
    case CHAINSI_FRAME_ANSWER:
        return parse_answer(data, size, frame);
    case CHAINSI_FRAME_ITEM:
        return (ptrdiff_t)sizeof *head;
    case CHAINSI_FRAME_HANDOVER:
        if (head->body_size || head->attachments != 1)
            return refuse(why, "a handover is of one connection");
        return (ptrdiff_t)sizeof *head;
    case CHAINSI_FRAME_NOT_STARTED:
    case CHAINSI_FRAME_CANCEL:
        if (head->body_size || head->attachments)
            return refuse(why, "a frame without a body has one");
        return head->kind == CHAINSI_FRAME_CANCEL ? (ptrdiff_t)sizeof *head
                                                  : parse_answer(data, size, frame);
    default:
        return refuse(why, "it is no frame");
    }
}

size_t chainsi_frame_write(const chainsi_frame *frame, char *data)
{
    size_t size = sizeof frame->head;
    memcpy(data, &frame->head, size);
    if (frame->head.kind == CHAINSI_FRAME_CALL) {
        memcpy(data + size, &frame->call, sizeof frame->call);
        size += sizeof frame->call;
        if (frame->call.request_id_size)
            memcpy(data + size, frame->request_id, frame->call.request_id_size);
        size += frame->call.request_id_size;
    } else if (frame->head.kind == CHAINSI_FRAME_ANSWER ||
               frame->head.kind == CHAINSI_FRAME_NOT_STARTED) {
        memcpy(data + size, &frame->answer, sizeof frame->answer);
        size += sizeof frame->answer;
    }
    return size;
}
