/* The floor's client: client ENTRY WORKER. A connection a caller. */
#include "../load.h"
#include "wire.h"

static const char *entry_path, *worker_path;

typedef struct caller {
    int fd;
    char *frame; /* FLOOR_MOST_BYTES */
} caller;

static void *open_caller(load_kind kind)
{
    caller *self = malloc(sizeof *self);
    char *frame = malloc(FLOOR_MOST_BYTES);
    if (!self || !frame)
        load_fail("no memory");
    *self = (caller){ floor_connect(kind == LOAD_HOP ? worker_path : entry_path), frame };
    return self;
}

static void close_caller(void *user)
{
    caller *self = user;
    close(self->fd);
    free(self->frame);
    free(self);
}

/* Gives the size of the answer's body, which is in self->frame then. */
static size_t exchange(caller *self, floor_kind kind, int count, const void *body, size_t size)
{
    size_t whole = floor_put(self->frame, kind, (uint16_t)count, body, size);
    floor_write(self->fd, self->frame, whole);
    floor_head head;
    floor_read(self->fd, &head, sizeof head);
    if (head.size > FLOOR_MOST_BYTES)
        load_fail("a frame is too large");
    floor_read(self->fd, self->frame, head.size);
    return head.size;
}

static void call(void *user, const load_job *job, const payload *what)
{
    caller *self = user;
    size_t size;
    uint32_t matched = 0;
    double sum = 0;
    switch (job->kind) {
    case LOAD_ECHO:
        size = exchange(self, FLOOR_TEXT, 1, what->echo, PAYLOAD_ECHO_BYTES);
        load_expect_text(what->echo, self->frame, size);
        break;
    case LOAD_BYTES:
        size = exchange(self, FLOOR_BYTES, 1, what->blob, sizeof what->blob);
        if (!payload_is_sample(what, self->frame, size))
            load_fail("wrong sample");
        break;
    case LOAD_DOUBLES:
        if (exchange(self, FLOOR_DOUBLES, 1, what->doubles, sizeof what->doubles) == sizeof sum)
            memcpy(&sum, self->frame, sizeof sum);
        if (!payload_is_sum(what, sum))
            load_fail("wrong sum");
        break;
    case LOAD_FAN:
    case LOAD_FAN_BATCH:
        if (exchange(self, job->kind == LOAD_FAN ? FLOOR_FAN : FLOOR_FAN_BATCH, job->width,
                     what->small, PAYLOAD_SMALL_BYTES) == sizeof matched)
            memcpy(&matched, self->frame, sizeof matched);
        if (matched != (uint32_t)job->width)
            load_fail("%u of %d answers", matched, job->width);
        break;
    default:
        size = exchange(self, FLOOR_TEXT, 1, what->small, PAYLOAD_SMALL_BYTES);
        load_expect_text(what->small, self->frame, size);
    }
}

int main(int argc, char **argv)
{
    if (argc != 3)
        load_fail("client ENTRY WORKER");
    entry_path = argv[1];
    worker_path = argv[2];
    static const load_peer peer = { .open = open_caller, .close = close_caller, .call = call };
    return load_main(&peer);
}
