/* The floor's services: the least that a typed call between processes can be, with nothing typed.
 * A thread a connection, blocking reads and writes, on the listening socket 3.
 *
 *   service            the worker
 *   service PATH       the entry; its worker listens at PATH
 *
 * Each thread reads what there is, answers all whole frames in it, and writes the answers at once.
 * A thread of the entry has connections of its own to the worker. */
#define _GNU_SOURCE
#include <pthread.h>

#include "wire.h"

static const char *worker_path; /* NULL: this is the worker */

typedef struct connection {
    int fd;
    int workers[FLOOR_FAN_CONNECTIONS]; /* to the worker; -1: not yet */
    char *in, *out, *scratch;           /* FLOOR_MOST_BYTES each */
} connection;

static int worker_of(connection *self, int number)
{
    if (self->workers[number] < 0)
        self->workers[number] = floor_connect(worker_path);
    return self->workers[number];
}

/* A frame from the worker into at. Gives its bytes. */
static size_t read_frame(int fd, char *at)
{
    floor_head head;
    floor_read(fd, &head, sizeof head);
    if (head.size > FLOOR_MOST_BYTES / 2)
        floor_give_up("a frame is too large");
    memcpy(at, &head, sizeof head);
    floor_read(fd, at + sizeof head, head.size);
    return sizeof head + head.size;
}

static size_t work(floor_kind kind, const char *body, size_t size, char *out)
{
    if (kind == FLOOR_BYTES) {
        unsigned char sample[FLOOR_MOST_BYTES / PAYLOAD_PAGE_BYTES];
        return floor_put(out, kind, 1, sample, payload_sample(body, size, sample));
    }
    if (kind == FLOOR_DOUBLES) {
        double values[PAYLOAD_DOUBLES];
        if (size > sizeof values)
            floor_give_up("too many doubles");
        memcpy(values, body, size);
        double sum = payload_sum(values, size / sizeof *values);
        return floor_put(out, kind, 1, &sum, sizeof sum);
    }
    return floor_put(out, kind, 1, body, size);
}

static bool is_same(const char *frame, size_t frame_size, const char *body, size_t size)
{
    return frame_size == sizeof(floor_head) + size &&
           memcmp(frame + sizeof(floor_head), body, size) == 0;
}

/* count calls in turns of FLOOR_FAN_CONNECTIONS. */
static uint32_t fan(connection *self, uint16_t count, const char *body, size_t size)
{
    uint32_t matched = 0;
    size_t frame_size = floor_put(self->scratch, FLOOR_TEXT, 1, body, size);
    char *answer = self->scratch + frame_size;
    for (int done = 0; done < count; done += FLOOR_FAN_CONNECTIONS) {
        int some = count - done < FLOOR_FAN_CONNECTIONS ? count - done : FLOOR_FAN_CONNECTIONS;
        for (int i = 0; i < some; i++)
            floor_write(worker_of(self, i), self->scratch, frame_size);
        for (int i = 0; i < some; i++)
            matched += is_same(answer, read_frame(worker_of(self, i), answer), body, size);
    }
    return matched;
}

static uint32_t fan_in_batch(connection *self, uint16_t count, const char *body, size_t size)
{
    uint32_t matched = 0;
    size_t frame_size = sizeof(floor_head) + size, all = 0;
    if (count * frame_size > FLOOR_MOST_BYTES)
        floor_give_up("a batch is too large");
    for (int i = 0; i < count; i++)
        all += floor_put(self->scratch + all, FLOOR_TEXT, 1, body, size);
    floor_write(worker_of(self, 0), self->scratch, all);
    floor_read(worker_of(self, 0), self->scratch, all);
    for (size_t at = 0; at < all; at += frame_size)
        matched += is_same(self->scratch + at, frame_size, body, size);
    return matched;
}

/* One frame; what is answered goes to out. Gives the bytes of the answer. */
static size_t answer(connection *self, const floor_head *head, const char *body, char *out)
{
    if (!worker_path)
        return work((floor_kind)head->kind, body, head->size, out);
    if (head->kind == FLOOR_FAN || head->kind == FLOOR_FAN_BATCH) {
        uint32_t matched =
            (head->kind == FLOOR_FAN ? fan : fan_in_batch)(self, head->count, body, head->size);
        return floor_put(out, (floor_kind)head->kind, 1, &matched, sizeof matched);
    }
    floor_write(worker_of(self, 0), body - sizeof *head, sizeof *head + head->size);
    return read_frame(worker_of(self, 0), out);
}

static void *serve(void *user)
{
    connection *self = user;
    size_t have = 0;
    for (;;) {
        ssize_t more = read(self->fd, self->in + have, FLOOR_MOST_BYTES - have);
        if (more <= 0)
            break;
        have += (size_t)more;
        size_t used = 0, size = 0;
        floor_head head;
        while (have - used >= sizeof head) {
            memcpy(&head, self->in + used, sizeof head);
            if (head.size > FLOOR_MOST_BYTES / 2)
                floor_give_up("a frame is too large");
            if (have - used - sizeof head < head.size)
                break;
            size += answer(self, &head, self->in + used + sizeof head, self->out + size);
            used += sizeof head + head.size;
        }
        if (size)
            floor_write(self->fd, self->out, size);
        memmove(self->in, self->in + used, have - used);
        have -= used;
    }
    for (int i = 0; i < FLOOR_FAN_CONNECTIONS; i++)
        if (self->workers[i] >= 0)
            close(self->workers[i]);
    close(self->fd);
    free(self->in);
    free(self->out);
    free(self->scratch);
    free(self);
    return NULL;
}

int main(int argc, char **argv)
{
    worker_path = argc > 1 ? argv[1] : NULL;
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    for (;;) {
        int fd = accept(3, NULL, NULL);
        connection *self = calloc(1, sizeof *self);
        if (fd < 0 || !self)
            floor_give_up("accept");
        self->fd = fd;
        for (int i = 0; i < FLOOR_FAN_CONNECTIONS; i++)
            self->workers[i] = -1;
        self->in = malloc(FLOOR_MOST_BYTES);
        self->out = malloc(FLOOR_MOST_BYTES);
        self->scratch = malloc(FLOOR_MOST_BYTES);
        pthread_t thread;
        if (!self->in || !self->out || !self->scratch ||
            pthread_create(&thread, &detached, serve, self) != 0)
            floor_give_up("a thread can't be started");
    }
}
