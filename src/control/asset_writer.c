/* Two buffers that change places. */
#include "control/asset_writer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "control/handle.h"

static void write_rest(chainsi_asset_writer *writer);

static void begin(chainsi_asset_writer *writer)
{
    uint8_t *full = writer->gathering;
    writer->gathering = writer->writing;
    writer->writing = full;
    writer->rest = uv_buf_init((char *)full, (unsigned)writer->filled);
    writer->filled = 0;
    writer->busy = true;
    write_rest(writer);
}

static void on_write(uv_fs_t *request)
{
    chainsi_asset_writer *writer = request->data;
    ssize_t result = request->result;
    uv_fs_req_cleanup(request);
    if (result > 0) {
        writer->at += result;
        writer->rest.base += result;
        writer->rest.len -= (size_t)result;
        if (writer->rest.len) {
            write_rest(writer);
            return;
        }
    }
    writer->busy = false;
    size_t size = (size_t)(writer->rest.base - (char *)writer->writing);
    if (result > 0 && writer->filled)
        begin(writer);
    writer->on_written(writer, size, result > 0 ? 0 : result < 0 ? (int)result : UV_EIO);
}

static void write_rest(chainsi_asset_writer *writer)
{
    writer->request.data = writer;
    int error = uv_fs_write(writer->loop, &writer->request, writer->fd, &writer->rest, 1,
                            writer->at, on_write);
    assert(!error); /* it is queued; what can fail is told to on_write */
    (void)error;
}

bool chainsi_asset_writer_take(chainsi_asset_writer *writer, const void *data, size_t size)
{
    if (!writer->gathering) {
        writer->gathering = chainsi_make(CHAINSI_ASSET_GATHERED);
        writer->writing = chainsi_make(CHAINSI_ASSET_GATHERED);
    }
    if (size > CHAINSI_ASSET_GATHERED - writer->filled)
        return false;
    memcpy(writer->gathering + writer->filled, data, size);
    writer->filled += size;
    if (!writer->busy && writer->filled)
        begin(writer);
    return true;
}

void chainsi_asset_writer_drop(chainsi_asset_writer *writer)
{
    writer->filled = 0;
}

void chainsi_asset_writer_done(chainsi_asset_writer *writer)
{
    assert(!writer->busy);
    free(writer->gathering);
    free(writer->writing);
    writer->gathering = writer->writing = NULL;
}
