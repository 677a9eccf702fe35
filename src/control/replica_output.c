#include "control/replica_output.h"

#include <unistd.h>

#include "control/handle.h"

enum {
    OUTPUT_SIZE = 64 * 1024,
    OUTPUT_AFTER_END = 4 * 1024 * 1024, /* of what a process left in its pipe, bytes */
};

static char output_buffer[OUTPUT_SIZE]; /* used within one callback at a time */

static void allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(output_buffer, OUTPUT_SIZE);
}

static void on_output(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    chainsi_replica *replica = stream->data;
    if (!replica || size == 0)
        return;
    if (size < 0) {
        chainsi_handle_close(replica->output);
        replica->output = NULL;
        return;
    }
    chainsi_log_feed(replica->options.log, &replica->source, buffer->base, (size_t)size);
}

void chainsi_replica_end_output(chainsi_replica *replica)
{
    if (replica->output) {
        /* A child of it may still hold the pipe, so not until its end. */
        uv_os_fd_t fd;
        if (uv_fileno((uv_handle_t *)replica->output, &fd) == 0)
            for (size_t total = 0; total < OUTPUT_AFTER_END;) {
                ssize_t size = read(fd, output_buffer, OUTPUT_SIZE);
                if (size <= 0)
                    break;
                chainsi_log_feed(replica->options.log, &replica->source, output_buffer,
                                 (size_t)size);
                total += (size_t)size;
            }
        chainsi_handle_close(replica->output);
        replica->output = NULL;
    }
    chainsi_log_end(replica->options.log, &replica->source);
}

void chainsi_replica_begin_output(chainsi_replica *replica, int fd)
{
    if (fd < 0)
        return;
    replica->output = chainsi_make(sizeof *replica->output);
    uv_pipe_init(replica->options.supervisor->loop, replica->output, 0);
    replica->output->data = replica;
    if (uv_pipe_open(replica->output, fd) != 0) {
        close(fd);
        chainsi_handle_close(replica->output);
        replica->output = NULL;
    } else {
        uv_read_start((uv_stream_t *)replica->output, allocate, on_output);
    }
}
