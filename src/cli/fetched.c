/* Words about assets. */
#include "cli/fetched.h"

#include <stdarg.h>
#include <string.h>

#include "base/clock.h"

static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };

/* The unit for that many bytes; *divisor gets its size. */
static const char *find_unit(double bytes, double *divisor)
{
    size_t unit = 0;
    *divisor = 1;
    while (unit + 1 < sizeof units / sizeof *units && bytes / *divisor >= 1000) {
        *divisor *= 1024;
        unit++;
    }
    return units[unit];
}

static void add(char words[CHAINSI_FETCHED_TEXT], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void add(char words[CHAINSI_FETCHED_TEXT], const char *format, ...)
{
    size_t used = strlen(words);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words + used, CHAINSI_FETCHED_TEXT - used, format, arguments);
    va_end(arguments);
}

static void add_number(char words[CHAINSI_FETCHED_TEXT], double bytes, double divisor)
{
    add(words, divisor > 1 ? "%.1f" : "%.0f", bytes / divisor);
}

static void add_bytes(char words[CHAINSI_FETCHED_TEXT], double bytes)
{
    double divisor;
    const char *unit = find_unit(bytes, &divisor);
    add_number(words, bytes, divisor);
    add(words, " %s", unit);
}

static void add_size(char words[CHAINSI_FETCHED_TEXT], const chainsi_api_fetched *fetched)
{
    if (fetched->bytes > 0) {
        double divisor;
        const char *unit = find_unit((double)fetched->bytes, &divisor);
        add(words, ", ");
        add_number(words, (double)fetched->bytes_done, divisor);
        add(words, " of ");
        add_number(words, (double)fetched->bytes, divisor);
        add(words, " %s", unit);
    } else if (fetched->bytes_done > 0) {
        add(words, ", ");
        add_bytes(words, (double)fetched->bytes_done);
    }
}

static void add_progress(char words[CHAINSI_FETCHED_TEXT], const chainsi_api_fetched *fetched)
{
    add_size(words, fetched);
    if (fetched->trouble) {
        add(words, ", tried again soon: %s", fetched->trouble);
    } else if (fetched->verifying) {
        add(words, ", verifying");
    } else if (fetched->bytes_per_s > 0) {
        add(words, ", ");
        add_bytes(words, fetched->bytes_per_s);
        add(words, "/s");
    }
}

static bool is_all(const chainsi_api_fetched *fetched)
{
    return fetched->files_done >= fetched->files;
}

void chainsi_fetched_words(const chainsi_api_fetched *fetched, char words[CHAINSI_FETCHED_TEXT])
{
    words[0] = 0;
    if (!is_all(fetched))
        add(words, "%lld of ", (long long)fetched->files_done);
    add(words, "%lld asset%s", (long long)fetched->files, fetched->files == 1 ? "" : "s");
    if (is_all(fetched)) {
        add(words, ", ");
        add_bytes(words, (double)fetched->bytes_done);
    } else {
        add_progress(words, fetched);
    }
    for (char *at = words; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = ' ';
}

static void write_line(chainsi_bar *progress, const char *what, double share, const char *words)
{
    if (progress->terminal.moves)
        chainsi_bar_show(progress, what, share, words);
    else
        fprintf(progress->out, "%s  %s\n", what, words);
}

void chainsi_fetched_show(chainsi_fetched_shown *shown, const chainsi_api_fetched *fetched,
                          int64_t now_ns)
{
    if (!fetched || shown->ended)
        return;
    char words[CHAINSI_FETCHED_TEXT];
    int64_t every_ms =
        shown->progress->terminal.moves ? CHAINSI_FETCHED_RENEW_MS : CHAINSI_FETCHED_EVERY_MS;
    bool due = !shown->begun || now_ns - shown->shown_ns >= every_ms * CHAINSI_NS_PER_MS;
    shown->ended = is_all(fetched);
    if (shown->ended ? !shown->begun && !fetched->bytes_done : !due)
        return;
    shown->begun = true;
    shown->shown_ns = now_ns;
    chainsi_fetched_words(fetched, words);
    double share = shown->ended || fetched->bytes <= 0
                       ? -1
                       : (double)fetched->bytes_done / (double)fetched->bytes;
    write_line(shown->progress, shown->ended ? "fetched" : "fetching", share, words);
    if (shown->ended)
        chainsi_bar_leave(shown->progress);
}
