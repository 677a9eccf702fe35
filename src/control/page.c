/* The files of the status page as answers. What has a digest in its name never changes and may be kept for
 * good; the page itself is asked for each time, and comes only if it has changed. */
#include "control/page.h"

#include <string.h>

#include "control/route.h"

/* Nothing but what the daemon itself serves is loaded, run or asked, and no other site shows the page inside
 * its own. */
static const char strict[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; media-src blob:; font-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Vary: Accept-Encoding\r\n";

static chainsi_slice trim(chainsi_slice text)
{
    while (text.size && (*text.data == ' ' || *text.data == '\t')) {
        text.data++;
        text.size--;
    }
    while (text.size && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t'))
        text.size--;
    return text;
}

/* Cuts off the first part of a list, up to the separator. */
static chainsi_slice take_part(chainsi_slice *list, char separator)
{
    const char *end = memchr(list->data, separator, list->size);
    chainsi_slice part = { list->data, end ? (size_t)(end - list->data) : list->size };
    size_t used = part.size + (end != NULL);
    list->data += used;
    list->size -= used;
    return trim(part);
}

/* Whether the parameters behind a coding weigh it with nothing: "q=0", "q=0.000". */
static bool is_refused(chainsi_slice parameters)
{
    while (parameters.size) {
        chainsi_slice each = take_part(&parameters, ';');
        if (each.size < 3 || (*each.data | 0x20) != 'q' || each.data[1] != '=')
            continue;
        for (size_t i = 2; i < each.size; i++)
            if (each.data[i] != '0' && each.data[i] != '.')
                return false;
        return true;
    }
    return false;
}

bool chainsi_page_takes_gzip(const chainsi_slice *accepted)
{
    bool any = false;
    for (chainsi_slice rest = accepted ? *accepted : (chainsi_slice){ 0 }; rest.size;) {
        chainsi_slice each = take_part(&rest, ',');
        chainsi_slice name = take_part(&each, ';');
        if (chainsi_slice_is_case(name, "gzip"))
            return !is_refused(each);
        if (chainsi_slice_is(name, "*"))
            any = !is_refused(each);
    }
    return any;
}

bool chainsi_page_matches(const chainsi_slice *none_match, const char *tag)
{
    for (chainsi_slice rest = none_match ? *none_match : (chainsi_slice){ 0 }; rest.size;) {
        chainsi_slice each = take_part(&rest, ',');
        if (each.size > 2 && !memcmp(each.data, "W/", 2)) {
            each.data += 2;
            each.size -= 2;
        }
        if (chainsi_slice_is(each, "*") || chainsi_slice_is(each, tag))
            return true;
    }
    return false;
}

static bool is_at(const chainsi_page_file *file, const char *const *segments, size_t count)
{
    if (count == 1)
        return !*file->path;
    size_t size = strlen(segments[0]);
    return !strncmp(file->path, segments[0], size) && file->path[size] == '/' &&
           !strcmp(file->path + size + 1, segments[1]);
}

bool chainsi_page_has(const char *const *segments, size_t count)
{
    return (count == 1 && !*segments[0]) || (count == 2 && !strcmp(segments[0], "page"));
}

static void send_file(chainsi_exchange *exchange, const chainsi_page_file *file)
{
    const chainsi_http_head *head = &exchange->request.head;
    bool zipped = file->gzip && chainsi_page_takes_gzip(chainsi_http_find(head, "Accept-Encoding"));
    char tag[96];
    snprintf(tag, sizeof tag, "\"%s%s\"", file->digest, zipped ? "-gzip" : "");
    chainsi_buffer headers = { 0 };
    chainsi_buffer_printf(&headers, "Content-Type: %s\r\nETag: %s\r\nCache-Control: %s\r\n%s%s",
                          file->type, tag,
                          *file->path ? "public, max-age=31536000, immutable" : "no-cache",
                          zipped ? "Content-Encoding: gzip\r\n" : "", strict);
    bool is_known = chainsi_page_matches(chainsi_http_find(head, "If-None-Match"), tag);
    size_t size = zipped ? file->gzip_size : file->size;
    /* 304 tells the length of what isn't sent. */
    chainsi_exchange_begin(exchange, is_known ? 304 : 200, &headers, (int64_t)size);
    if (!is_known)
        chainsi_exchange_write(exchange, zipped ? file->gzip : file->bytes, size);
    chainsi_buffer_done(&headers);
    chainsi_exchange_end(exchange);
}

void chainsi_page_answer(chainsi_exchange *exchange, const char *const *segments, size_t count)
{
    const chainsi_page_file *file = chainsi_page_files;
    while (file->path && !is_at(file, segments, count))
        file++;
    if (!file->path)
        chainsi_answer_no_path(exchange);
    else if (chainsi_is_get(exchange))
        send_file(exchange, file);
    else
        chainsi_answer_other_method(exchange, "GET, HEAD");
}
