/* Searching logs from their ends. The window is the part of the file that has been read and not yet looked at: it
 * grows to the front, by a chunk at a time, and shrinks at its end, line by line. */
#include "control/log_search.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/handle.h"
#include "control/home.h"
#include "control/log.h"

enum {
    CHUNK = 64 * 1024,
    WINDOW = 2 * CHUNK,
    FILES = 2, /* of a log: NAME.log and NAME.log.1 */
};
/* A line that doesn't fit is none that was written here, and is taken for several. */
_Static_assert(WINDOW - CHUNK > CHAINSI_LOG_MAX_LINE + 1024, "a line and its tag fit");

/* As of when it was added. */
typedef struct log_file {
    ino_t inode; /* 0: it wasn't there */
    dev_t device;
    off_t size;
} log_file;

typedef struct searched_log {
    char *path, *chainlet; /* owned */
    chainsi_buffer lines;  /* owned; instead of a file */
    log_file files[FILES]; /* the newer one first */
} searched_log;

typedef struct found_line {
    char *text; /* owned */
    size_t size;
    const char *chainlet;
    size_t log, back; /* its log, and which of it, counted from the end */
} found_line;

struct chainsi_log_search {
    chainsi_log_filter filter;
    size_t tail;
    searched_log *logs; /* owned */
    size_t log_count;
    size_t log, file, found_of_log; /* where it is */
    int fd;                         /* of that file; -1: not open */
    off_t before;                   /* of the file: bytes before the window */
    char *window;                   /* owned; WINDOW bytes */
    size_t from, to;                /* of the window, what is left of it */
    found_line *lines;              /* owned */
    size_t line_count, line_room;
    size_t settled, given; /* of them, the first: in order, and appended to what was asked for */
};

chainsi_log_search *chainsi_log_search_new(const chainsi_log_filter *filter, size_t tail)
{
    chainsi_log_search *search = chainsi_make(sizeof *search);
    search->filter = *filter;
    search->tail = tail < CHAINSI_LOG_MAX_TAIL ? tail : CHAINSI_LOG_MAX_TAIL;
    search->fd = -1;
    return search;
}

void chainsi_log_search_free(chainsi_log_search *search)
{
    if (!search)
        return;
    for (size_t i = 0; i < search->log_count; i++) {
        free(search->logs[i].path);
        chainsi_buffer_done(&search->logs[i].lines);
        free(search->logs[i].chainlet);
    }
    for (size_t i = 0; i < search->line_count; i++)
        free(search->lines[i].text);
    if (search->fd >= 0)
        close(search->fd);
    free(search->logs);
    free(search->lines);
    free(search->window);
    free(search);
}

/* Which logs. */

static char *path_of(const searched_log *log, size_t file)
{
    return chainsi_path("%s%s", log->path, file ? ".1" : "");
}

static searched_log *add_log(chainsi_log_search *search, const char *path, const char *chainlet)
{
    searched_log *logs = realloc(search->logs, (search->log_count + 1) * sizeof *logs);
    if (!logs)
        abort();
    search->logs = logs;
    searched_log *log = &logs[search->log_count++];
    *log =
        (searched_log){ .path = chainsi_copy_text(path), .chainlet = chainsi_copy_text(chainlet) };
    return log;
}

void chainsi_log_search_add_lines(chainsi_log_search *search, const char *lines, size_t size,
                                  const char *chainlet)
{
    chainsi_buffer_add(&add_log(search, "", chainlet)->lines, lines, size);
}

void chainsi_log_search_add(chainsi_log_search *search, const char *path, const char *chainlet)
{
    searched_log *log = add_log(search, path, chainlet);
    for (size_t i = 0; i < FILES; i++) {
        char *name = path_of(log, i);
        struct stat info;
        if (stat(name, &info) == 0 && S_ISREG(info.st_mode))
            log->files[i] = (log_file){ info.st_ino, info.st_dev, info.st_size };
        free(name);
    }
}

static bool is_added(const chainsi_log_search *search, const char *path)
{
    for (size_t i = 0; i < search->log_count; i++)
        if (!strcmp(search->logs[i].path, path))
            return true;
    return false;
}

int chainsi_log_search_add_folder(chainsi_log_search *search, const char *folder)
{
    int count = 0;
    DIR *entries = opendir(folder);
    if (!entries)
        return -1;
    for (const struct dirent *entry; (entry = readdir(entries));) {
        /* A file that has just been turned over may be alone. */
        const char *end = strstr(entry->d_name, ".log");
        while (end && strcmp(end, ".log") != 0 && strcmp(end, ".log.1") != 0)
            end = strstr(end + 1, ".log");
        if (!end || end == entry->d_name)
            continue;
        char *chainlet = chainsi_path("%.*s", (int)(end - entry->d_name), entry->d_name);
        char *path = chainsi_path("%s/%s.log", folder, chainlet);
        bool meant = !search->filter.chainlet || !strcmp(search->filter.chainlet, chainlet);
        if (meant && !is_added(search, path)) {
            chainsi_log_search_add(search, path, chainlet);
            count++;
        }
        free(chainlet);
        free(path);
    }
    closedir(entries);
    return count;
}

/* Reading. */

/* The file may have got its other name since. */
static void open_file(chainsi_log_search *search)
{
    const searched_log *log = &search->logs[search->log];
    const log_file *file = &log->files[search->file];
    for (size_t i = search->file; file->inode && search->fd < 0 && i < FILES; i++) {
        char *path = path_of(log, i);
        struct stat info;
        search->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
        if (search->fd >= 0 && (fstat(search->fd, &info) != 0 || info.st_ino != file->inode ||
                                info.st_dev != file->device)) {
            close(search->fd);
            search->fd = -1;
        }
        free(path);
    }
    search->before = file->size;
    search->from = search->to = WINDOW;
}

/* Puts the chunk before the window into it; false: there is none. */
static bool read_before(chainsi_log_search *search, size_t *bytes)
{
    size_t size = search->before < CHUNK ? (size_t)search->before : CHUNK;
    if (search->fd < 0 || !size)
        return false;
    if (!search->window && !(search->window = malloc(WINDOW)))
        abort();
    /* What is left goes to the end. */
    size_t left = search->to - search->from;
    assert(left <= WINDOW - CHUNK);
    memmove(search->window + WINDOW - left, search->window + search->from, left);
    search->to = WINDOW;
    search->from = WINDOW - left - size;
    search->before -= (off_t)size;
    ssize_t got = pread(search->fd, search->window + search->from, size, search->before);
    *bytes = *bytes > size ? *bytes - size : 0;
    return got == (ssize_t)size;
}

static void keep(chainsi_log_search *search, const char *text, size_t size)
{
    if (search->line_count == search->line_room) {
        search->line_room = 2 * search->line_room + 64;
        search->lines = realloc(search->lines, search->line_room * sizeof *search->lines);
        if (!search->lines)
            abort();
    }
    search->lines[search->line_count++] = (found_line){
        .text = memcpy(chainsi_make(size + 1), text, size),
        .size = size,
        .chainlet = search->logs[search->log].chainlet,
        .log = search->log,
        .back = search->found_of_log++,
    };
}

static void look_at(chainsi_log_search *search, const char *text, size_t size)
{
    chainsi_log_line line = chainsi_log_line_read(text, size);
    if (chainsi_log_filter_takes(&search->filter, &line, search->logs[search->log].chainlet))
        keep(search, text, size);
}

/* The last line of the window; false: more of it has to be read. */
static bool take_line(chainsi_log_search *search, bool first)
{
    size_t size = search->to - search->from;
    if (!size)
        return false;
    const char *data = search->window + search->from;
    const char *before = memrchr(data, '\n', size - 1);
    if (!before && !first && size < WINDOW - CHUNK)
        return false;
    size_t at = before ? (size_t)(before + 1 - data) : 0;
    size_t end = size - (data[size - 1] == '\n');
    look_at(search, data + at, end - at);
    search->to = search->from + at;
    return true;
}

/* By time, which every line begins with; those of one time as they are in their log. */
static int compare_lines(const void *left, const void *right)
{
    const found_line *a = left, *b = right;
    int order = 0;
    if (a->size >= CHAINSI_TIME_TEXT && b->size >= CHAINSI_TIME_TEXT)
        order = memcmp(a->text, b->text, CHAINSI_TIME_TEXT - 1);
    if (!order)
        order = (a->log > b->log) - (a->log < b->log);
    return order ? order : (a->back < b->back) - (a->back > b->back);
}

/* How many of the lines at the front are too many. */
static size_t count_surplus(const chainsi_log_search *search)
{
    size_t kept = 0, bytes = 0;
    while (kept < search->line_count && kept < search->tail) {
        bytes += search->lines[search->line_count - 1 - kept].size;
        if (bytes > CHAINSI_LOG_MAX_FOUND)
            break;
        kept++;
    }
    return search->line_count - kept;
}

/* Puts what came to the lines that are in order between them; that alone is sorted, as it is done for each log. */
static void merge(chainsi_log_search *search)
{
    const size_t count = search->line_count, old = search->settled;
    found_line *lines = search->lines;
    if (count == old)
        return;
    qsort(lines + old, count - old, sizeof *lines, compare_lines);
    if (!old || compare_lines(&lines[old - 1], &lines[old]) <= 0)
        return;
    found_line *merged = chainsi_make(search->line_room * sizeof *merged);
    for (size_t to = 0, a = 0, b = old; to < count; to++) {
        bool first = b == count || (a < old && compare_lines(&lines[a], &lines[b]) <= 0);
        merged[to] = lines[first ? a++ : b++];
    }
    search->lines = merged;
    free(lines);
}

/* Keeps the last ones of all, in their order. */
static void settle(chainsi_log_search *search)
{
    merge(search);
    const size_t more = count_surplus(search);
    for (size_t i = 0; i < more; i++)
        free(search->lines[i].text);
    search->line_count -= more;
    if (more)
        memmove(search->lines, search->lines + more, search->line_count * sizeof *search->lines);
    search->settled = search->line_count;
}

/* From the end on, as files are. */
static void read_lines(chainsi_log_search *search)
{
    const chainsi_buffer *lines = &search->logs[search->log].lines;
    const char *data = (const char *)lines->data;
    for (size_t end = lines->size; end && search->found_of_log < search->tail;) {
        const char *before = end > 1 ? memrchr(data, '\n', end - 1) : NULL;
        const size_t at = before ? (size_t)(before + 1 - data) : 0;
        look_at(search, data + at, end - at - (data[end - 1] == '\n'));
        end = at;
    }
}

static void end_file(chainsi_log_search *search)
{
    if (search->fd >= 0)
        close(search->fd);
    search->fd = -1;
    if (++search->file < FILES && search->found_of_log < search->tail)
        return;
    settle(search);
    search->log++;
    search->file = search->found_of_log = 0;
}

bool chainsi_log_search_step(chainsi_log_search *search, size_t bytes)
{
    while (bytes && search->log < search->log_count) {
        if (search->fd < 0)
            open_file(search);
        if (search->logs[search->log].lines.size) {
            read_lines(search);
            search->file = FILES - 1;
        }
        bool more = search->fd >= 0 && search->tail && read_before(search, &bytes);
        while (more && search->found_of_log < search->tail && take_line(search, !search->before))
            ;
        if (!more || search->found_of_log == search->tail)
            end_file(search);
    }
    return search->log < search->log_count;
}

static void give_line(const found_line *found, bool json, chainsi_buffer *out)
{
    if (json) {
        chainsi_log_line line = chainsi_log_line_read(found->text, found->size);
        chainsi_log_line_add_json(out, &line, found->chainlet);
    } else {
        chainsi_buffer_add(out, found->text, found->size);
        chainsi_buffer_add_byte(out, '\n');
    }
}

size_t chainsi_log_search_give(chainsi_log_search *search, bool json, chainsi_buffer *out)
{
    settle(search);
    for (size_t i = 0; i < search->line_count; i++)
        give_line(&search->lines[i], json, out);
    return search->line_count;
}

bool chainsi_log_search_give_some(chainsi_log_search *search, bool json, size_t bytes,
                                  chainsi_buffer *out)
{
    const size_t from = out->size;
    settle(search);
    while (search->given < search->line_count && out->size - from < bytes)
        give_line(&search->lines[search->given++], json, out);
    return search->given < search->line_count;
}
