#include "cli/watch_report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/terminal.h"
#include "control/fields.h"
#include "control/time_text.h"
#include "schema/json.h"

enum { MOST_NAMES = 4 /* of files in a line */ };

/* One line of --json. */
typedef struct happening {
    const char *at;
    const char *
        event; /* watching, changed, said, not_built, swapped, unchanged, deployed, failed, ended */
    const char *environment;
    const char *version_id; /* that answers now */
    const chains_string_list *files, *chainlets;
    const char *chainlet, *message;
    const double *built_s, *total_s; /* total: from when the change was seen */
} happening;

static const chainsi_type strings_type = CHAINSI_LIST_OF(chains_string_list, &chainsi_type_string);
static const chainsi_type some_strings = CHAINSI_POINTER_TO(&strings_type);
static const chainsi_type some_double = CHAINSI_POINTER_TO(&chainsi_type_double);
static const chainsi_field happening_fields[] = {
    CHAINSI_FIELD_TEXT(happening, at),
    CHAINSI_FIELD_TEXT(happening, event),
    CHAINSI_FIELD_TEXT(happening, environment),
    CHAINSI_FIELD_NULLABLE(happening, version_id),
    CHAINSI_FIELD_OPTIONAL(happening, files, &some_strings),
    CHAINSI_FIELD_OPTIONAL(happening, chainlets, &some_strings),
    CHAINSI_FIELD_NULLABLE(happening, chainlet),
    CHAINSI_FIELD_NULLABLE(happening, message),
    CHAINSI_FIELD_OPTIONAL(happening, built_s, &some_double),
    CHAINSI_FIELD_OPTIONAL(happening, total_s, &some_double),
};
static const chainsi_type happening_type = CHAINSI_STRUCT_OF(happening, happening_fields);

static void print_happening(const chainsi_watch_report *report, happening what)
{
    char at[CHAINSI_TIME_TEXT];
    chainsi_buffer line = { 0 };
    chainsi_codec_error error;
    chainsi_time_text(at);
    what.at = at;
    what.environment = report->environment;
    what.version_id = report->version[0] ? report->version : NULL;
    if (chainsi_json_encode(&happening_type, &what, &line, &error) == CHAINS_OK) {
        chainsi_text_write(stdout, (const char *)line.data, line.size, CHAINSI_TEXT_JSON);
        putchar('\n');
    }
    fflush(stdout);
    chainsi_buffer_done(&line);
}

/* What others have written to stderr. */
static void print_said(chainsi_watch_report *report)
{
    char *said = chainsi_capture_take(&report->said);
    if (said)
        print_happening(report, (happening){ .event = "said", .message = said });
    free(said);
}

static void print_json(chainsi_watch_report *report, happening what)
{
    print_said(report);
    print_happening(report, what);
}

void chainsi_watch_begin_hearing(chainsi_watch_report *report)
{
    if (report->json)
        chainsi_capture_begin(&report->said);
}

void chainsi_watch_end_hearing(chainsi_watch_report *report)
{
    print_said(report);
    chainsi_capture_end(&report->said);
}

static void print_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void print_line(const char *format, ...)
{
    char at[16] = "";
    time_t now = time(NULL);
    struct tm parts;
    if (localtime_r(&now, &parts))
        strftime(at, sizeof at, "%H:%M:%S", &parts);
    printf("%s ", at);
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    if (vasprintf(&text, format, arguments) >= 0)
        chainsi_text_print(stdout, text);
    va_end(arguments);
    free(text);
    putchar('\n');
    fflush(stdout);
}

static double seconds(int64_t ns)
{
    return (double)ns / 1e9;
}

static double since_save(const chainsi_watch_report *report)
{
    return report->saved_ns ? seconds(chainsi_now_ns() - report->saved_ns) : 0;
}

static void note_version(chainsi_watch_report *report, const char *version)
{
    if (version)
        snprintf(report->version, sizeof report->version, "%s", version);
}

/* "a, b", at most so many of them. */
static const char *join(const char *const *names, size_t count, size_t most, char *text,
                        size_t size)
{
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < count && i < most && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", names[i]);
    if (count > most && used < size)
        snprintf(text + used, size - used, " and %zu more", count - most);
    return text;
}

void chainsi_watch_say_watching(chainsi_watch_report *report, const char *folder)
{
    if (report->json)
        print_json(report, (happening){ .event = "watching", .message = folder });
    else
        print_line("watching %s; Ctrl-C ends it", strcmp(folder, ".") ? folder : "this folder");
}

void chainsi_watch_say_changed(chainsi_watch_report *report, const chainsi_words *files)
{
    char names[1024];
    chains_string_list list = { .items = files->items, .count = files->count };
    if (report->json)
        print_json(report, (happening){ .event = "changed", .files = &list });
    else
        print_line("changed: %s",
                   join(files->items, files->count, MOST_NAMES, names, sizeof names));
}

/* What happened, and what answers all the same. */
static void print_goes_on(const chainsi_watch_report *report, const char *what)
{
    if (report->version[0])
        print_line("%s: %s goes on answering", what, report->version);
    else
        print_line("%s: nothing answers yet", what);
}

void chainsi_watch_say_not_built(chainsi_watch_report *report)
{
    if (report->json)
        print_json(report, (happening){ .event = "not_built" });
    else
        print_goes_on(report, "not built");
}

void chainsi_watch_say_swapped(chainsi_watch_report *report, const char *version,
                               const chains_string_list *chainlets)
{
    char names[1024];
    double built_s = seconds(report->built_ns), total_s = since_save(report);
    note_version(report, version);
    if (report->json)
        print_json(report, (happening){ .event = chainlets->count ? "swapped" : "unchanged",
                                        .chainlets = chainlets,
                                        .built_s = &built_s,
                                        .total_s = &total_s });
    else if (!chainlets->count)
        print_line("nothing to swap: %s runs these very programs (built in %.2f s)", version,
                   built_s);
    else if (report->saved_ns)
        print_line("swapped %s: built in %.2f s, answers %.2f s after the change",
                   join(chainlets->items, chainlets->count, chainlets->count, names, sizeof names),
                   built_s, total_s);
    else
        print_line("swapped %s in %s: built in %.2f s",
                   join(chainlets->items, chainlets->count, chainlets->count, names, sizeof names),
                   version, built_s);
}

void chainsi_watch_say_deployed(chainsi_watch_report *report, const char *version,
                                const char *reason)
{
    double built_s = seconds(report->built_ns), total_s = since_save(report);
    note_version(report, version);
    if (report->json)
        print_json(report, (happening){ .event = "deployed",
                                        .message = reason,
                                        .built_s = &built_s,
                                        .total_s = &total_s });
    else if (report->saved_ns)
        print_line("deployed %s%s%s: built in %.2f s, answers %.2f s after the change", version,
                   reason ? ", because " : "", reason ? reason : "", built_s, total_s);
}

static void say(const char *chainlet, const char *message)
{
    fprintf(stderr, "chains watch: %s%s", chainlet ? chainlet : "", chainlet ? ": " : "");
    chainsi_text_print(stderr, message);
    fputc('\n', stderr);
}

void chainsi_watch_say_failed(chainsi_watch_report *report, const char *chainlet,
                              const char *message)
{
    if (!report->json && message)
        say(chainlet, message);
    if (report->json)
        print_json(report,
                   (happening){ .event = "failed", .chainlet = chainlet, .message = message });
    else
        print_goes_on(report, "no change");
}

void chainsi_watch_say_ended(chainsi_watch_report *report)
{
    if (report->json)
        print_json(report, (happening){ .event = "ended" });
    else
        print_goes_on(report, "no longer watching");
}
