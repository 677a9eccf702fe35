/* Bytes of a client's connection. The handle lives on the heap by itself, and its data is the wire until
 * that is done, then nothing: so callbacks that come late find nobody. */
#include "control/wire.h"

#include <stdlib.h>
#include <string.h>

#include "control/handle.h"

enum {
    READ_SIZE = 64 * 1024,
    TLS_HANDSHAKE = 22,      /* the first byte of whoever speaks TLS */
    JOINED_SIZE = 16 * 1024, /* parts that go into one record of TLS together */
};

typedef struct pending_write {
    uv_write_t request;
    char data[];
} pending_write;

/* What is read is used before the loop reads for another stream, so one buffer does for all. */
static char read_space[READ_SIZE];

static void allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(read_space, sizeof read_space);
}

static void on_broken(uv_idle_t *idle)
{
    chainsi_wire *wire = idle->data;
    chainsi_handle_close(idle);
    if (!wire)
        return;
    wire->breaking = NULL;
    wire->on_end(wire->user);
}

/* Has the owner hear of it from the loop. */
static void fail(chainsi_wire *wire)
{
    if (wire->broken)
        return;
    wire->broken = true;
    wire->breaking = chainsi_make(sizeof *wire->breaking);
    uv_idle_init(wire->stream->loop, wire->breaking);
    wire->breaking->data = wire;
    uv_idle_start(wire->breaking, on_broken);
}

static void on_written(uv_write_t *request, int status)
{
    chainsi_wire *wire = request->handle->data;
    free(request);
    if (!wire)
        return;
    wire->writes--;
    if (status < 0)
        fail(wire);
    else if (!wire->writes && !wire->broken)
        wire->on_drained(wire->user);
}

/* Gives bytes to the stream as they are. */
static void give(chainsi_wire *wire, const uv_buf_t *parts, unsigned count)
{
    size_t size = 0, sent = 0;
    for (unsigned i = 0; i < count; i++)
        size += parts[i].len;
    if (wire->broken || !size)
        return;
    wire->given += size;
    if (!wire->writes) {
        int result = uv_try_write(wire->stream, parts, count);
        if (result < 0 && result != UV_EAGAIN) {
            fail(wire);
            return;
        }
        sent = result > 0 ? (size_t)result : 0;
        if (sent == size)
            return;
    }
    pending_write *pending = malloc(sizeof *pending + size - sent);
    if (!pending)
        abort();
    size_t copied = 0;
    for (unsigned i = 0; i < count; i++) {
        size_t skipped = sent < parts[i].len ? sent : parts[i].len;
        memcpy(pending->data + copied, parts[i].base + skipped, parts[i].len - skipped);
        copied += parts[i].len - skipped;
        sent -= skipped;
    }
    uv_buf_t buffer = uv_buf_init(pending->data, (unsigned)copied);
    if (uv_write(&pending->request, wire->stream, &buffer, 1, on_written) == 0) {
        wire->writes++;
    } else {
        free(pending);
        fail(wire);
    }
}

/* Sends what the session has for the network. */
static void flush(chainsi_wire *wire)
{
    chainsi_buffer *out = chainsi_secure_out(wire->session);
    if (!out->size)
        return;
    uv_buf_t part = uv_buf_init((char *)out->data, (unsigned)out->size);
    give(wire, &part, 1);
    out->size = 0;
    if (out->capacity > READ_SIZE)
        chainsi_buffer_done(out);
}

/* Bytes of TLS came. False: the connection is of no further use. */
static bool take_secure(chainsi_wire *wire, const char *data, size_t size)
{
    chainsi_secure_state state = chainsi_secure_take(wire->session, data, size, &wire->in);
    if (state == CHAINSI_SECURE_ENDED)
        chainsi_secure_end(wire->session);
    flush(wire);
    wire->greeting = state == CHAINSI_SECURE_GREETING;
    return state == CHAINSI_SECURE_GREETING || state == CHAINSI_SECURE_OPEN;
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    chainsi_wire *wire = stream->data;
    if (!wire || got == 0 || wire->broken)
        return;
    if (got < 0) {
        wire->on_end(wire->user);
        return;
    }
    if (wire->session && wire->greeting && !wire->greeted) {
        wire->greeted = true;
        if ((unsigned char)buffer->base[0] != TLS_HANDSHAKE) {
            chainsi_secure_close(wire->session);
            wire->session = NULL;
            wire->greeting = false;
            wire->mistaken = true;
        }
    }
    size_t before = wire->in.size;
    bool was_greeting = wire->greeting;
    if (!wire->session) {
        chainsi_buffer_add(&wire->in, buffer->base, (size_t)got);
    } else if (!take_secure(wire, buffer->base, (size_t)got)) {
        wire->on_end(wire->user);
        return;
    }
    if (wire->in.size > before || was_greeting != wire->greeting)
        wire->on_bytes(wire->user);
}

void chainsi_wire_init(chainsi_wire *wire, uv_stream_t *stream, const chainsi_secure *secure)
{
    wire->stream = stream;
    stream->data = wire;
    if (secure) {
        wire->session = chainsi_secure_open(secure);
        wire->greeting = true;
    }
}

void chainsi_wire_done(chainsi_wire *wire)
{
    chainsi_handle_close(wire->stream);
    wire->stream = NULL;
    chainsi_handle_close(wire->breaking);
    wire->breaking = NULL;
    chainsi_secure_close(wire->session);
    wire->session = NULL;
    chainsi_buffer_done(&wire->in);
}

void chainsi_wire_read(chainsi_wire *wire, bool wanted)
{
    if (wire->reading == wanted)
        return;
    wire->reading = wanted;
    if (!wanted)
        uv_read_stop(wire->stream);
    else if (uv_read_start(wire->stream, allocate, on_read) != 0)
        fail(wire);
}

void chainsi_wire_send(chainsi_wire *wire, const uv_buf_t *parts, unsigned count)
{
    if (!wire->session) {
        give(wire, parts, count);
        return;
    }
    size_t size = 0;
    for (unsigned i = 0; i < count; i++)
        size += parts[i].len;
    bool good = !wire->greeting;
    if (count > 1 && size <= JOINED_SIZE) {
        char joined[JOINED_SIZE];
        size_t used = 0;
        for (unsigned i = 0; i < count; i++) {
            memcpy(joined + used, parts[i].base, parts[i].len);
            used += parts[i].len;
        }
        good = good && chainsi_secure_put(wire->session, joined, used);
    } else {
        for (unsigned i = 0; i < count && good; i++)
            good = chainsi_secure_put(wire->session, parts[i].base, parts[i].len);
    }
    if (good)
        flush(wire);
    else
        fail(wire);
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    (void)status;
    free(request);
}

void chainsi_wire_end(chainsi_wire *wire)
{
    if (wire->session) {
        chainsi_secure_end(wire->session);
        flush(wire);
    }
    uv_shutdown_t *request = chainsi_make(sizeof *request);
    if (uv_shutdown(request, wire->stream, on_shutdown) != 0)
        free(request);
}

size_t chainsi_wire_waiting(const chainsi_wire *wire)
{
    return wire->stream->write_queue_size;
}
