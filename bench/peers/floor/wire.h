/* Frames of the floor: a head and a body, over a Unix socket. */
#ifndef BENCH_PEERS_FLOOR_WIRE_H
#define BENCH_PEERS_FLOOR_WIRE_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../payload.h"

typedef enum floor_kind {
    FLOOR_TEXT,      /* answered with the same body */
    FLOOR_BYTES,     /* with a byte of each page */
    FLOOR_DOUBLES,   /* with their sum */
    FLOOR_FAN,       /* count calls of the text over as many connections; with the number of equal
                        answers */
    FLOOR_FAN_BATCH, /* the same in one write over one connection */
} floor_kind;

typedef struct floor_head {
    uint32_t size; /* of the body */
    uint16_t kind;
    uint16_t count;
} floor_head;

enum {
    FLOOR_MOST_BYTES = 2 * 1024 * 1024, /* of a connection's buffer */
    FLOOR_FAN_CONNECTIONS = 16,
};

__attribute__((noreturn)) static inline void floor_give_up(const char *what)
{
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    _Exit(1);
}

static inline int floor_connect(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        floor_give_up(path);
    return fd;
}

static inline void floor_write(int fd, const void *data, size_t size)
{
    const char *at = (const char *)data;
    while (size) {
        ssize_t done = write(fd, at, size);
        if (done < 0)
            floor_give_up("write");
        at += done;
        size -= (size_t)done;
    }
}

/* Reads exactly so much. */
static inline void floor_read(int fd, void *data, size_t size)
{
    char *at = (char *)data;
    while (size) {
        ssize_t done = read(fd, at, size);
        if (done <= 0)
            floor_give_up("read");
        at += done;
        size -= (size_t)done;
    }
}

/* Appends a frame to a buffer that has room. Gives the bytes added. */
static inline size_t floor_put(char *at, floor_kind kind, uint16_t count, const void *body,
                               size_t size)
{
    floor_head head = { (uint32_t)size, (uint16_t)kind, count };
    memcpy(at, &head, sizeof head);
    memcpy(at + sizeof head, body, size);
    return sizeof head + size;
}

#endif
