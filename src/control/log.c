/* Logs of Chainlets. A log that can't be written (a full disk) loses lines and says so once on the
 * daemon's own stderr; replicas are never held up by it. */
#include "control/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/home.h"
#include "control/notify.h"

struct chainsi_log {
    char *path; /* owned */
    int fd;     /* -1: not open */
    size_t size;
    bool complained;
    chainsi_log_follower *followers;  /* not owned */
    const chainsi_redactor *redactor; /* not owned; NULL: there are no secrets */
};

void chainsi_say(const char *format, ...)
{
    /* The journal has the time by itself, and wants a line's level: 6 is information. */
    char before[CHAINSI_TIME_TEXT + 1] = "<6>";
    if (!chainsi_notify_is_journal(STDERR_FILENO)) {
        chainsi_time_text(before);
        before[CHAINSI_TIME_TEXT - 1] = ' ';
    }
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        abort();
    va_end(arguments);
    fprintf(stderr, "%s%s\n", before, text);
    free(text);
}

chainsi_log *chainsi_log_new(const char *path)
{
    chainsi_log *log = calloc(1, sizeof *log);
    if (!log)
        abort();
    log->path = chainsi_path("%s", path);
    log->fd = -1;
    return log;
}

void chainsi_log_free(chainsi_log *log)
{
    if (!log)
        return;
    while (log->followers) {
        chainsi_log_follower *follower = log->followers;
        chainsi_log_unfollow(follower);
        if (follower->on_end)
            follower->on_end(follower);
    }
    if (log->fd >= 0)
        close(log->fd);
    free(log->path);
    free(log);
}

static void complain(chainsi_log *log)
{
    if (!log->complained)
        fprintf(stderr, "chainsd: cannot write %s: %s\n", log->path, strerror(errno));
    log->complained = true;
}

static bool open_file(chainsi_log *log)
{
    log->fd = open(log->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    struct stat info;
    if (log->fd < 0 || fstat(log->fd, &info) != 0)
        return false;
    log->size = (size_t)info.st_size;
    return true;
}

static void turn_over(chainsi_log *log)
{
    char *before = chainsi_path("%s.1", log->path);
    close(log->fd);
    log->fd = -1;
    if (rename(log->path, before) != 0)
        complain(log);
    free(before);
}

static void write_out(chainsi_log *log, const char *data, size_t size)
{
    if (log->fd >= 0 && log->size > CHAINSI_LOG_MAX_FILE)
        turn_over(log);
    if (log->fd < 0 && !open_file(log)) {
        complain(log);
        return;
    }
    ssize_t written = write(log->fd, data, size);
    if (written != (ssize_t)size)
        complain(log);
    if (written > 0)
        log->size += (size_t)written;
}

/* Whether the text begins as chainsi_time_text writes it. */
static bool has_time(const char *text, size_t size)
{
    static const char form[] = "0000-00-00T00:00:00.000Z ";
    if (size < sizeof form - 1)
        return false;
    for (size_t i = 0; i < sizeof form - 1; i++)
        if (form[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
            return false;
    return true;
}

static void log_line(chainsi_log *log, const char *text, size_t size)
{
    chainsi_buffer line = { 0 };
    if (!has_time(text, size)) {
        char now[CHAINSI_TIME_TEXT];
        chainsi_time_text(now);
        chainsi_buffer_add_text(&line, now);
        chainsi_buffer_add_byte(&line, ' ');
    }
    chainsi_buffer_add(&line, text, size);
    chainsi_buffer_add_byte(&line, '\n');
    write_out(log, (const char *)line.data, line.size);
    for (chainsi_log_follower *follower = log->followers, *next; follower; follower = next) {
        next = follower->next;
        follower->on_line(follower, (const char *)line.data, line.size);
    }
    chainsi_buffer_done(&line);
}

void chainsi_log_redact(chainsi_log *log, const chainsi_redactor *redactor)
{
    log->redactor = redactor;
}

/* Whole lines go to the log, the rest waits. */
static void cut_lines(chainsi_log *log, chainsi_log_source *source, const char *data, size_t size)
{
    chainsi_buffer *rest = &source->rest;
    while (size) {
        const char *end = memchr(data, '\n', size);
        size_t part = end ? (size_t)(end - data) : size;
        size_t room = CHAINSI_LOG_MAX_LINE - rest->size;
        bool whole = end && part <= room;
        if (part > room)
            part = room;
        chainsi_buffer_add(rest, data, part);
        data += part + whole;
        size -= part + whole;
        if (whole || rest->size == CHAINSI_LOG_MAX_LINE) {
            log_line(log, (const char *)rest->data, rest->size);
            rest->size = 0;
        }
    }
}

void chainsi_log_feed(chainsi_log *log, chainsi_log_source *source, const char *data, size_t size)
{
    if (!log->redactor) {
        cut_lines(log, source, data, size);
        return;
    }
    chainsi_buffer told = { 0 };
    chainsi_redact(log->redactor, &source->redaction, data, size, &told);
    cut_lines(log, source, (const char *)told.data, told.size);
    chainsi_buffer_done(&told);
}

void chainsi_log_end(chainsi_log *log, chainsi_log_source *source)
{
    chainsi_buffer told = { 0 };
    if (log->redactor)
        chainsi_redact_end(log->redactor, &source->redaction, &told);
    cut_lines(log, source, (const char *)told.data, told.size);
    chainsi_buffer_done(&told);
    if (source->rest.size)
        log_line(log, (const char *)source->rest.data, source->rest.size);
    chainsi_buffer_done(&source->rest);
    source->rest = (chainsi_buffer){ 0 };
}

void chainsi_log_say(chainsi_log *log, const char *level, const char *format, ...)
{
    char now[CHAINSI_TIME_TEXT];
    chainsi_time_text(now);
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        abort();
    va_end(arguments);
    char *line = chainsi_path("%s %-7s chainsd: %s", now, level, text);
    log_line(log, line, strlen(line));
    free(line);
    free(text);
}

void chainsi_log_tail(const chainsi_log *log, size_t count, chainsi_buffer *out)
{
    size_t size = 0;
    char *data = chainsi_read_file(log->path, 2 * (size_t)CHAINSI_LOG_MAX_FILE, &size);
    if (!data)
        return;
    size_t from = size;
    if (count > CHAINSI_LOG_MAX_TAIL)
        count = CHAINSI_LOG_MAX_TAIL;
    for (size_t found = 0; count && from; from--)
        if (data[from - 1] == '\n' && from != size && ++found == count)
            break;
    chainsi_buffer_add(out, data + from, size - from);
    free(data);
}

void chainsi_log_follow(chainsi_log *log, chainsi_log_follower *follower)
{
    follower->log = log;
    follower->next = log->followers;
    log->followers = follower;
}

void chainsi_log_unfollow(chainsi_log_follower *follower)
{
    if (!follower->log)
        return;
    chainsi_log_follower **at = &follower->log->followers;
    while (*at && *at != follower)
        at = &(*at)->next;
    if (*at)
        *at = follower->next;
    follower->log = NULL;
    follower->next = NULL;
}
