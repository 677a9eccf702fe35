/* Logs of Chainlets. A log that can't be written (a full disk) loses lines and says so once on the
 * daemon's own stderr; replicas are never held up by it. What was written in part is ended before the next line, or
 * that one would seem to be its replica's. */
#include "control/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "control/home.h"
#include "control/journal.h"

struct chainsi_log {
    char *path; /* owned */
    int fd;     /* -1: not open */
    size_t size;
    bool torn; /* the file doesn't end with a line break */
    bool complained;
    chainsi_log_hub *hub;             /* not owned */
    const chainsi_redactor *redactor; /* not owned; NULL: there are no secrets */
};

void chainsi_say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        abort();
    va_end(arguments);
    if (!chainsi_journal_say(text)) {
        /* A journal that reads stderr has the time by itself, and wants a line's level: 6 is information. */
        char before[CHAINSI_TIME_TEXT + 1] = "<6>";
        if (!chainsi_journal_is_there()) {
            chainsi_time_text(before);
            before[CHAINSI_TIME_TEXT - 1] = ' ';
        }
        fprintf(stderr, "%s%s\n", before, text);
    }
    free(text);
}

chainsi_log *chainsi_log_new(const char *path, chainsi_log_hub *hub)
{
    chainsi_log *log = calloc(1, sizeof *log);
    if (!log)
        abort();
    log->path = chainsi_path("%s", path);
    log->fd = -1;
    log->hub = hub;
    return log;
}

void chainsi_log_free(chainsi_log *log)
{
    if (!log)
        return;
    if (log->fd >= 0)
        close(log->fd);
    free(log->path);
    free(log);
}

const char *chainsi_log_path(const chainsi_log *log)
{
    return log->path;
}

static void complain(chainsi_log *log)
{
    if (!log->complained)
        fprintf(stderr, "chainsd: cannot write %s: %s\n", log->path, strerror(errno));
    log->complained = true;
}

static bool open_file(chainsi_log *log)
{
    log->fd = open(log->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    struct stat info;
    if (log->fd < 0 || fstat(log->fd, &info) != 0)
        return false;
    log->size = (size_t)info.st_size;
    char last = '\n';
    log->torn = log->size && (pread(log->fd, &last, 1, info.st_size - 1) != 1 || last != '\n');
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
    struct iovec parts[] = { { (char *)"\n", log->torn }, { (char *)data, size } };
    ssize_t written = writev(log->fd, parts, 2);
    if (written != (ssize_t)(size + log->torn))
        complain(log);
    if (written > 0) {
        log->size += (size_t)written;
        /* The break alone may have found room. */
        log->torn = written != (ssize_t)(size + log->torn) && !(log->torn && written == 1);
    }
}

/* A line that has been made. */
static void put_line(chainsi_log *log, const chainsi_log_tag *tag, const chainsi_buffer *text)
{
    chainsi_log_line line = chainsi_log_line_read((const char *)text->data, text->size);
    write_out(log, (const char *)text->data, text->size);
    chainsi_journal_tell(tag, &line);
    for (chainsi_log_follower *follower = log->hub->followers, *next; follower; follower = next) {
        next = follower->next;
        follower->on_line(follower, &line);
    }
}

static void log_line(chainsi_log *log, const chainsi_log_tag *tag, const char *text, size_t size)
{
    chainsi_buffer line = { 0 };
    char now[CHAINSI_TIME_TEXT];
    chainsi_time_text(now);
    chainsi_log_line_add(&line, tag, now, text, size);
    put_line(log, tag, &line);
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
            log_line(log, &source->tag, (const char *)rest->data, rest->size);
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
        log_line(log, &source->tag, (const char *)source->rest.data, source->rest.size);
    chainsi_buffer_done(&source->rest);
    source->rest = (chainsi_buffer){ 0 };
}

void chainsi_log_say(chainsi_log *log, const chainsi_log_tag *tag, chainsi_log_level level,
                     const char *format, ...)
{
    char now[CHAINSI_TIME_TEXT];
    chainsi_time_text(now);
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0)
        abort();
    va_end(arguments);
    chainsi_buffer line = { 0 };
    chainsi_log_line_add_own(&line, tag, now, level, text);
    put_line(log, tag, &line);
    chainsi_buffer_done(&line);
    free(text);
}

void chainsi_log_follow(chainsi_log_hub *hub, chainsi_log_follower *follower)
{
    follower->hub = hub;
    follower->next = hub->followers;
    hub->followers = follower;
}

void chainsi_log_unfollow(chainsi_log_follower *follower)
{
    if (!follower->hub)
        return;
    chainsi_log_follower **at = &follower->hub->followers;
    while (*at && *at != follower)
        at = &(*at)->next;
    if (*at)
        *at = follower->next;
    follower->hub = NULL;
    follower->next = NULL;
}

void chainsi_log_hub_end(chainsi_log_hub *hub)
{
    while (hub->followers) {
        chainsi_log_follower *follower = hub->followers;
        chainsi_log_unfollow(follower);
        if (follower->on_end)
            follower->on_end(follower);
    }
}
