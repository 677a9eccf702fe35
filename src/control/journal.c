/* A field is "NAME=value\n", or, whatever the value has, "NAME\n", its size in eight bytes (the lowest first), the
 * value and "\n". What reaches the journal by stderr is slower and has no fields, but needs no socket: it is what the
 * daemon's own words fall back to. */
#include "control/journal.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/handle.h"
#include "control/notify.h"

static const char standard_path[] = "/run/systemd/journal/socket";

enum { PRIORITY_ERROR = 3, PRIORITY_WARNING = 4, PRIORITY_INFO = 6, PRIORITY_DEBUG = 7 };

enum {
    MOST_WAITING = 1024 * 1024, /* bytes of messages */
    FIRST_DELAY_MS = 2,         /* until it is tried again; doubles while there is no room */
    MOST_DELAY_MS = 200,
    PATIENCE = 20,       /* times that a process without a loop tries again, FIRST_DELAY_MS apart */
    LAST_PATIENCE = 500, /* likewise, when it ends */
};

typedef enum sent { SENT, NO_ROOM, NO_WAY } sent;

/* What there was no room for, the oldest first: the size of each in eight bytes, and its text. */
static chainsi_buffer waiting;
static uv_timer_t *timer; /* owned; NULL: nobody tries again */
static unsigned delay_ms;
static unsigned long long lost; /* since the last one that was not */

bool chainsi_journal_is_there(void)
{
    static int known = -1;
    if (known < 0)
        known = chainsi_notify_is_journal(STDERR_FILENO);
    return known;
}

static void add_field(chainsi_buffer *out, const char *name, const char *value, size_t size)
{
    chainsi_buffer_add_text(out, name);
    if (!size || !memchr(value, '\n', size)) {
        chainsi_buffer_add_byte(out, '=');
    } else {
        chainsi_buffer_add_byte(out, '\n');
        for (int i = 0; i < 64; i += 8)
            chainsi_buffer_add_byte(out, (uint8_t)((uint64_t)size >> i));
    }
    chainsi_buffer_add(out, value, size);
    chainsi_buffer_add_byte(out, '\n');
}

static void begin(chainsi_buffer *out, int priority, const char *text, size_t size)
{
    chainsi_buffer_printf(out, "PRIORITY=%d\nSYSLOG_IDENTIFIER=chainsd\n", priority);
    add_field(out, "MESSAGE", text, size);
}

static bool find_address(struct sockaddr_un *address)
{
    const char *path = getenv("CHAINS_JOURNAL_SOCKET");
    path = path && *path ? path : standard_path;
    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof address->sun_path)
        return false;
    strcpy(address->sun_path, path);
    return true;
}

static sent send_one(const chainsi_buffer *message)
{
    static int fd = -1;
    struct sockaddr_un address;
    if (fd < 0)
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || !find_address(&address))
        return NO_WAY;
    if (sendto(fd, message->data, message->size, MSG_NOSIGNAL | MSG_DONTWAIT,
               (struct sockaddr *)&address, sizeof address) >= 0)
        return SENT;
    /* What is larger than a socket takes finds no room ever, and must not hold up what comes after it. */
    return errno == EAGAIN || errno == ENOBUFS ? NO_ROOM : NO_WAY;
}

/* Tells that some were lost, if they were. */
static sent tell_lost(void)
{
    if (!lost)
        return SENT;
    chainsi_buffer said = { 0 }, text = { 0 };
    chainsi_buffer_printf(&text, "%llu lines found no room in the journal's socket", lost);
    begin(&said, PRIORITY_WARNING, (const char *)text.data, text.size);
    sent end = send_one(&said);
    chainsi_buffer_done(&said);
    chainsi_buffer_done(&text);
    lost = end == SENT ? 0 : lost;
    return end;
}

static void on_time(uv_timer_t *handle);

/* The message that waits from there on; its memory is that of those that wait. */
static chainsi_buffer message_at(size_t at)
{
    size_t size;
    memcpy(&size, waiting.data + at, sizeof size);
    return (chainsi_buffer){ .data = waiting.data + at + sizeof size, .size = size };
}

/* Sends what waits; what there is no way for is lost. */
static void flush(void)
{
    size_t at = 0;
    while (at < waiting.size) {
        chainsi_buffer message = message_at(at);
        sent end = send_one(&message);
        if (end == NO_ROOM)
            break;
        lost += end == NO_WAY;
        at += sizeof message.size + message.size;
    }
    waiting.size -= at;
    if (waiting.size)
        memmove(waiting.data, waiting.data + at, waiting.size);
    else if (at)
        chainsi_buffer_done(&waiting);
    if (!waiting.data)
        waiting = (chainsi_buffer){ 0 };
    bool done = !waiting.size && tell_lost() != NO_ROOM;
    delay_ms = at || delay_ms < FIRST_DELAY_MS ? FIRST_DELAY_MS : 2 * delay_ms;
    if (!done && timer)
        uv_timer_start(timer, on_time, delay_ms < MOST_DELAY_MS ? delay_ms : MOST_DELAY_MS, 0);
}

static void on_time(uv_timer_t *handle)
{
    (void)handle;
    flush();
}

/* A process without a loop has little to say, and time. */
static sent try_again(const chainsi_buffer *message)
{
    sent end = NO_ROOM;
    for (int i = 0; i < PATIENCE && end == NO_ROOM; i++) {
        nanosleep(&(struct timespec){ .tv_nsec = FIRST_DELAY_MS * CHAINSI_NS_PER_MS }, NULL);
        end = send_one(message);
    }
    return end;
}

static sent send_message(const chainsi_buffer *message)
{
    sent end = waiting.size ? NO_ROOM : tell_lost();
    if (end == SENT)
        end = send_one(message);
    if (end != NO_ROOM)
        return end;
    if (!timer)
        end = try_again(message);
    else if (message->size + waiting.size < MOST_WAITING) {
        chainsi_buffer_add(&waiting, &message->size, sizeof message->size);
        chainsi_buffer_add(&waiting, message->data, message->size);
        end = SENT;
    }
    lost += end == NO_ROOM;
    if (timer && !uv_is_active((uv_handle_t *)timer))
        uv_timer_start(timer, on_time, FIRST_DELAY_MS, 0);
    return end;
}

void chainsi_journal_begin(uv_loop_t *loop)
{
    if (!chainsi_journal_is_there() || timer)
        return;
    timer = chainsi_timer_new(loop, NULL);
    uv_unref((uv_handle_t *)timer);
}

void chainsi_journal_end(void)
{
    if (!timer)
        return;
    for (int i = 0; i < LAST_PATIENCE && waiting.size; i++) {
        flush();
        if (waiting.size)
            nanosleep(&(struct timespec){ .tv_nsec = FIRST_DELAY_MS * CHAINSI_NS_PER_MS }, NULL);
    }
    for (size_t at = 0; at < waiting.size; lost++)
        at += sizeof(size_t) + message_at(at).size;
    chainsi_handle_close(timer);
    timer = NULL;
    chainsi_buffer_done(&waiting);
    waiting = (chainsi_buffer){ 0 };
}

bool chainsi_journal_say(const char *text)
{
    if (!chainsi_journal_is_there())
        return false;
    chainsi_buffer message = { 0 };
    begin(&message, PRIORITY_INFO, text, strlen(text));
    sent end = send_message(&message);
    chainsi_buffer_done(&message);
    return end != NO_WAY;
}

void chainsi_journal_tell(const chainsi_log_tag *tag, const chainsi_log_line *line)
{
    static const int priorities[] = {
        [CHAINSI_LOG_NO_LEVEL] = PRIORITY_INFO,   [CHAINSI_LOG_DEBUG] = PRIORITY_DEBUG,
        [CHAINSI_LOG_INFO] = PRIORITY_INFO,       [CHAINSI_LOG_ERROR] = PRIORITY_ERROR,
        [CHAINSI_LOG_WARNING] = PRIORITY_WARNING,
    };
    if (!chainsi_journal_is_there())
        return;
    chainsi_buffer message = { 0 };
    begin(&message, priorities[line->level], line->message.data, line->message.size);
    add_field(&message, "CHAINS_CHAIN", tag->chain, strlen(tag->chain));
    add_field(&message, "CHAINS_ENVIRONMENT", tag->environment, strlen(tag->environment));
    add_field(&message, "CHAINS_VERSION", tag->version, strlen(tag->version));
    add_field(&message, "CHAINS_CHAINLET", tag->chainlet, strlen(tag->chainlet));
    chainsi_buffer_printf(&message, "CHAINS_REPLICA=%lld\n", (long long)tag->replica);
    if (line->request_id.size)
        add_field(&message, "CHAINS_REQUEST_ID", line->request_id.data, line->request_id.size);
    send_message(&message);
    chainsi_buffer_done(&message);
}
