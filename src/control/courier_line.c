#include "control/courier_line.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/buffer.h"

bool chainsi_line_send(int socket, const chainsi_line_message *message, const int *fds,
                       size_t fd_count)
{
    return chainsi_packet_send(socket, message, sizeof *message, fds, fd_count);
}

/* Texts are of no concern where the kind has none. */
static bool is_whole(chainsi_line_message *message, size_t size)
{
    if (size != sizeof *message || message->kind < CHAINSI_LINE_ERRAND ||
        message->kind > CHAINSI_LINE_PONG || message->value < 0)
        return false;
    if (message->kind != CHAINSI_LINE_ANSWER && message->kind != CHAINSI_LINE_ENDED)
        return true;
    return memchr(message->why, 0, sizeof message->why) &&
           memchr(message->answer.validator, 0, sizeof message->answer.validator) &&
           (message->kind == CHAINSI_LINE_ANSWER || (message->outcome >= CHAINSI_ERRAND_DONE &&
                                                     message->outcome <= CHAINSI_ERRAND_CANCELLED));
}

int chainsi_line_receive(int socket, chainsi_line_message *message,
                         int fds[CHAINSI_PACKET_MOST_FDS])
{
    ssize_t size = chainsi_packet_receive(socket, message, sizeof *message, fds);
    if (size <= 0)
        return (int)size;
    if (is_whole(message, (size_t)size))
        return 1;
    chainsi_packet_close(fds);
    errno = EBADMSG;
    return -1;
}

static void add_text(chainsi_buffer *out, const char *text)
{
    chainsi_buffer_add(out, text ? text : "", text ? strlen(text) + 1 : 1);
}

int chainsi_line_pack(const chainsi_errand_request *request, chainsi_line_parcel *parcel)
{
    chainsi_buffer texts = { 0 };
    add_text(&texts, request->url);
    add_text(&texts, request->agent);
    add_text(&texts, request->authorities);
    for (const char *const *header = request->headers; header && *header; header++)
        add_text(&texts, *header);
    *parcel = (chainsi_line_parcel){ .texts_size = texts.size,
                                     .body_size = request->body_size,
                                     .has_body = request->body != NULL };
    const struct iovec parts[] = { { texts.data, texts.size },
                                   { (void *)request->body, request->body_size } };
    int fd = -1;
    if (texts.size > CHAINSI_ERRAND_MOST_TEXTS)
        errno = E2BIG;
    else
        fd = chainsi_packet_file("errand", parts, 2);
    chainsi_buffer_done(&texts);
    return fd;
}

const char *chainsi_line_unpack(int fd, const chainsi_line_parcel *parcel, size_t *size)
{
    enum { FIRST_TEXTS = 3 };
    struct stat info;
    if (fstat(fd, &info) != 0)
        return NULL;
    errno = EBADMSG;
    if (parcel->texts_size < FIRST_TEXTS || parcel->texts_size > CHAINSI_ERRAND_MOST_TEXTS ||
        info.st_size < (off_t)parcel->texts_size ||
        (uint64_t)info.st_size - parcel->texts_size != parcel->body_size)
        return NULL;
    char *texts = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (texts == MAP_FAILED)
        return NULL;
    size_t count = 0;
    for (uint64_t i = 0; i < parcel->texts_size; i++)
        count += !texts[i];
    if (count < FIRST_TEXTS || texts[parcel->texts_size - 1]) {
        munmap(texts, (size_t)info.st_size);
        errno = EBADMSG;
        return NULL;
    }
    *size = (size_t)info.st_size;
    return texts;
}
