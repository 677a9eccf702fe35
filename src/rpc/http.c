/* Heads are looked at twice: lines are found as bytes come in, each byte once (chainsi_http_scan),
 * and when the empty line is there all of them are parsed in one go. The start line is also parsed
 * when it is complete, so that what speaks another protocol is told at once.
 *
 * Invariant: what chainsi_http_parse_* accepts has one meaning to every recipient that follows
 * RFC 9112; that is what the refusals are for. */
#include "rpc/http.h"

#include <strings.h>

/* RFC 9110's token characters. */
static const bool is_token[256] = {
    ['!'] = true,         ['#'] = true,         ['$'] = true,         ['%'] = true, ['&'] = true,
    ['\''] = true,        ['*'] = true,         ['+'] = true,         ['-'] = true, ['.'] = true,
    ['^'] = true,         ['_'] = true,         ['`'] = true,         ['|'] = true, ['~'] = true,
    ['0' ... '9'] = true, ['a' ... 'z'] = true, ['A' ... 'Z'] = true,
};

/* Field values: visible characters, space, tab and what is not ASCII. */
static const bool is_value[256] = {
    ['\t'] = true,
    [0x20 ... 0x7e] = true,
    [0x80 ... 0xff] = true,
};

/* Characters of a Host: names, IPv4, [IPv6], a port, and what a registered name may have. */
static const bool is_host[256] = {
    ['-'] = true,         ['.'] = true, ['_'] = true,  ['~'] = true,         ['!'] = true,
    ['$'] = true,         ['&'] = true, ['\''] = true, ['('] = true,         [')'] = true,
    ['*'] = true,         ['+'] = true, [';'] = true,  ['='] = true,         ['%'] = true,
    [':'] = true,         ['['] = true, [']'] = true,  ['0' ... '9'] = true, ['a' ... 'z'] = true,
    ['A' ... 'Z'] = true,
};

static bool is(const bool table[256], char c)
{
    return table[(unsigned char)c];
}

static bool consists_of(const bool table[256], chainsi_slice slice)
{
    for (size_t i = 0; i < slice.size; i++) {
        if (!is(table, slice.data[i]))
            return false;
    }
    return true;
}

static ptrdiff_t refuse(chainsi_http_refusal *refusal, int status, const char *reason)
{
    refusal->status = status;
    refusal->reason = reason;
    return CHAINSI_HTTP_REFUSED;
}

bool chainsi_slice_is_case(chainsi_slice slice, const char *text)
{
    size_t size = strlen(text);
    return slice.size == size && !strncasecmp(slice.data, text, size);
}

const chainsi_slice *chainsi_http_find(const chainsi_http_head *head, const char *name)
{
    for (size_t i = 0; i < head->header_count; i++) {
        if (chainsi_slice_is_case(head->headers[i].name, name))
            return &head->headers[i].value;
    }
    return NULL;
}

bool chainsi_http_is_type(const chainsi_slice *type, const char *text)
{
    const size_t size = strlen(text);
    return type && type->size >= size && !strncasecmp(type->data, text, size) &&
           (type->size == size || strchr("; \t", type->data[size]));
}

/* "HTTP/1.0" or "HTTP/1.1": the minor version; -1: another version, -2: no version at all. */
static int parse_version(chainsi_slice text)
{
    if (text.size < 5 || memcmp(text.data, "HTTP/", 5))
        return -2;
    if (text.size == 8 && text.data[5] == '1' && text.data[6] == '.' &&
        (text.data[7] == '0' || text.data[7] == '1'))
        return text.data[7] - '0';
    for (size_t i = 5; i < text.size; i++) {
        if ((text.data[i] < '0' || text.data[i] > '9') && text.data[i] != '.')
            return -2;
    }
    return text.size > 5 ? -1 : -2;
}

static chainsi_http_method method_of(chainsi_slice name)
{
    static const struct {
        const char *name;
        chainsi_http_method method;
    } known[] = {
        { "POST", CHAINSI_HTTP_POST },     { "GET", CHAINSI_HTTP_GET },
        { "HEAD", CHAINSI_HTTP_HEAD },     { "PUT", CHAINSI_HTTP_PUT },
        { "DELETE", CHAINSI_HTTP_DELETE }, { "OPTIONS", CHAINSI_HTTP_OPTIONS },
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (chainsi_slice_is(name, known[i].name))
            return known[i].method;
    }
    return CHAINSI_HTTP_OTHER;
}

/* Splits a target into path and query. */
static bool parse_target(chainsi_slice target, chainsi_http_request *request)
{
    for (size_t i = 0; i < target.size; i++) {
        if (target.data[i] < 0x21 || target.data[i] > 0x7e || target.data[i] == '#')
            return false;
    }
    if (chainsi_slice_is(target, "*") && request->method == CHAINSI_HTTP_OPTIONS) {
        request->path = target;
        request->query = (chainsi_slice){ "", 0 };
        return true;
    }
    const char *at = target.data, *end = target.data + target.size;
    if (*at != '/') {
        /* A whole URL, as proxies are sent. Its host counts as little here as the Host header. */
        if (target.size > 7 && !strncasecmp(at, "http://", 7))
            at += 7;
        else if (target.size > 8 && !strncasecmp(at, "https://", 8))
            at += 8;
        else
            return false;
        const char *host = at;
        while (at < end && is(is_host, *at))
            at++;
        if (at == host || (at < end && *at != '/' && *at != '?'))
            return false;
    }
    const char *question = memchr(at, '?', (size_t)(end - at));
    const char *path_end = question ? question : end;
    request->path =
        at == path_end ? (chainsi_slice){ "/", 1 } : (chainsi_slice){ at, (size_t)(path_end - at) };
    request->query = question ? (chainsi_slice){ question + 1, (size_t)(end - question - 1) }
                              : (chainsi_slice){ "", 0 };
    return true;
}

static ptrdiff_t parse_request_line(chainsi_slice line, chainsi_http_request *request,
                                    chainsi_http_refusal *refusal)
{
    const char *at = line.data, *end = line.data + line.size;
    while (at < end && is(is_token, *at))
        at++;
    request->method_name = (chainsi_slice){ line.data, (size_t)(at - line.data) };
    if (at == line.data || at == end || *at != ' ')
        return refuse(refusal, 400, "the request line does not begin with a method and a space");
    if (request->method_name.size > CHAINSI_MAX_METHOD)
        return refuse(refusal, 501, "the method is not known");
    request->method = method_of(request->method_name);
    const char *target = ++at;
    while (at < end && *at != ' ')
        at++;
    if (at == end)
        return refuse(refusal, 400, "the request line has no version: HTTP/0.9 is not spoken");
    chainsi_slice version = { at + 1, (size_t)(end - at - 1) };
    int minor = parse_version(version);
    if (minor == -1)
        return refuse(refusal, 505, "only HTTP/1.1 and HTTP/1.0 are spoken");
    if (minor < 0)
        return refuse(refusal, 400, "the request line does not end in an HTTP version");
    request->head.minor_version = minor;
    if (at == target || !parse_target((chainsi_slice){ target, (size_t)(at - target) }, request))
        return refuse(refusal, 400, "the request's target is neither a path nor an http URL");
    return 1;
}

static ptrdiff_t parse_status_line(chainsi_slice line, chainsi_http_response *response,
                                   chainsi_http_refusal *refusal)
{
    if (line.size < 8)
        return refuse(refusal, 400, "the answer does not begin with an HTTP version");
    int minor = parse_version((chainsi_slice){ line.data, 8 });
    if (minor < 0)
        return refuse(refusal, 400, "the answer does not begin with HTTP/1.1 or HTTP/1.0");
    response->head.minor_version = minor;
    const char *at = line.data + 8, *end = line.data + line.size;
    int status = 0;
    for (int i = 1; i <= 3; i++) {
        if (end - at <= i || at[i] < '0' || at[i] > '9')
            return refuse(refusal, 400, "the answer's status is not three digits");
        status = status * 10 + (at[i] - '0');
    }
    if (*at != ' ' || status < 100 || status > 599)
        return refuse(refusal, 400, "the answer's status is not between 100 and 599");
    response->status = status;
    at += 4;
    /* The space before an empty reason is often left out. */
    if (at < end && *at++ != ' ')
        return refuse(refusal, 400, "the answer's status is not three digits");
    response->reason = (chainsi_slice){ at, (size_t)(end - at) };
    if (!consists_of(is_value, response->reason))
        return refuse(refusal, 400, "the answer's reason has a control character");
    return 1;
}

/* What the framing headers of one head have said so far. */
typedef struct framing {
    chainsi_http_head *head;
    bool has_host, has_transfer_encoding, close, keep_alive, expect_continue, expects_other;
} framing;

static ptrdiff_t note_content_length(framing *seen, chainsi_slice value,
                                     chainsi_http_refusal *refusal)
{
    int64_t length = 0;
    if (!value.size)
        return refuse(refusal, 400, "Content-Length is not a number");
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return refuse(refusal, 400, "Content-Length is not a number");
        if (__builtin_mul_overflow(length, 10, &length) ||
            __builtin_add_overflow(length, value.data[i] - '0', &length))
            return refuse(refusal, 400, "Content-Length is too large for a number");
    }
    if (seen->head->content_length >= 0 && seen->head->content_length != length)
        return refuse(refusal, 400, "there are different Content-Length headers");
    seen->head->content_length = length;
    return 1;
}

static void note_connection(framing *seen, chainsi_slice value)
{
    const char *at = value.data, *end = value.data + value.size;
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma ? comma : end;
        const char *last = stop;
        while (at < last && (*at == ' ' || *at == '\t'))
            at++;
        while (last > at && (last[-1] == ' ' || last[-1] == '\t'))
            last--;
        chainsi_slice word = { at, (size_t)(last - at) };
        if (chainsi_slice_is_case(word, "close"))
            seen->close = true;
        else if (chainsi_slice_is_case(word, "keep-alive"))
            seen->keep_alive = true;
        at = stop + 1;
    }
}

static ptrdiff_t note_header(framing *seen, const chainsi_http_header *header,
                             chainsi_http_refusal *refusal)
{
    chainsi_slice name = header->name, value = header->value;
    switch (name.size) {
    case 4:
        if (!chainsi_slice_is_case(name, "host"))
            break;
        if (seen->has_host)
            return refuse(refusal, 400, "there is more than one Host header");
        if (!consists_of(is_host, value))
            return refuse(refusal, 400, "the Host header is not a host");
        seen->has_host = true;
        break;
    case 6:
        if (!chainsi_slice_is_case(name, "expect"))
            break;
        if (chainsi_slice_is_case(value, "100-continue"))
            seen->expect_continue = true;
        else
            seen->expects_other = true;
        break;
    case 10:
        if (chainsi_slice_is_case(name, "connection"))
            note_connection(seen, value);
        break;
    case 14:
        if (chainsi_slice_is_case(name, "content-length"))
            return note_content_length(seen, value, refusal);
        break;
    case 17:
        if (!chainsi_slice_is_case(name, "transfer-encoding"))
            break;
        if (seen->has_transfer_encoding)
            return refuse(refusal, 400, "there is more than one Transfer-Encoding header");
        if (!chainsi_slice_is_case(value, "chunked"))
            return refuse(refusal, 501, "the only Transfer-Encoding that is read is chunked");
        seen->has_transfer_encoding = true;
        break;
    default:
        break;
    }
    return 1;
}

static ptrdiff_t parse_header(chainsi_slice line, chainsi_http_header *header,
                              chainsi_http_refusal *refusal)
{
    const char *at = line.data, *end = line.data + line.size;
    if (*at == ' ' || *at == '\t')
        return refuse(refusal, 400, "a header is folded over two lines");
    while (at < end && is(is_token, *at))
        at++;
    header->name = (chainsi_slice){ line.data, (size_t)(at - line.data) };
    if (at < end && at > line.data && (*at == ' ' || *at == '\t'))
        return refuse(refusal, 400, "there is white space in or behind a header's name");
    if (at == end || at == line.data || *at != ':')
        return refuse(refusal, 400, "a header's name is not a token followed by a colon");
    at++;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    header->value = (chainsi_slice){ at, (size_t)(end - at) };
    if (!consists_of(is_value, header->value))
        return refuse(refusal, 400, "a header's value has a control character");
    return 1;
}

/* Parses the header lines between the start line and the empty line of a complete head. */
static ptrdiff_t parse_headers(const char *at, const char *end, framing *seen,
                               chainsi_http_refusal *refusal)
{
    chainsi_http_head *head = seen->head;
    head->content_length = -1;
    head->header_count = 0;
    for (;;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        chainsi_slice line = { at, (size_t)(newline - 1 - at) };
        if (!line.size)
            break;
        chainsi_http_header *header = &head->headers[head->header_count];
        ptrdiff_t good = parse_header(line, header, refusal);
        if (good > 0)
            good = note_header(seen, header, refusal);
        if (good < 0)
            return good;
        head->header_count++;
        at = newline + 1;
    }
    head->chunked = seen->has_transfer_encoding;
    head->keep_alive = !seen->close && (head->minor_version == 1 || seen->keep_alive);
    if (head->chunked && head->content_length >= 0)
        return refuse(refusal, 400, "there are both Content-Length and Transfer-Encoding");
    if (head->chunked && head->minor_version == 0)
        return refuse(refusal, 400, "HTTP/1.0 has no Transfer-Encoding");
    return 1;
}

/* Looks for the head's end: its size, or MORE. When the start line has just become complete, it comes
 * back in *first (else first->data is NULL) and the search has to be gone on with; so what is wrong
 * with that line is told before what is wrong behind it, however the bytes came in. */
static ptrdiff_t find_end(const char *data, size_t size, chainsi_http_scan *scan,
                          chainsi_slice *first, chainsi_http_refusal *refusal)
{
    first->data = NULL;
    if (size && !is(is_token, data[0]))
        return refuse(refusal, 400, "this does not begin like HTTP");
    for (;;) {
        const char *newline = memchr(data + scan->scanned, '\n', size - scan->scanned);
        size_t end = newline ? (size_t)(newline - data) + 1 : size;
        size_t line_size = end - scan->line_start; /* with its CRLF where it is complete */
        if (scan->lines == 0 && line_size > CHAINSI_MAX_START_LINE + (newline ? 2 : 1))
            return refuse(refusal, 414, "the request line is too long");
        if (end > CHAINSI_MAX_HEAD || (!newline && end == CHAINSI_MAX_HEAD))
            return refuse(refusal, 431, "the head is too large");
        if (!newline) {
            scan->scanned = size;
            return CHAINSI_HTTP_MORE;
        }
        if (line_size < 2 || newline[-1] != '\r')
            return refuse(refusal, 400, "a line ends in LF without CR");
        scan->scanned = end;
        if (line_size == 2) /* not the first: that begins with a token */
            return (ptrdiff_t)end;
        if (++scan->lines > CHAINSI_MAX_HEADERS + 1)
            return refuse(refusal, 431, "there are too many headers");
        scan->line_start = end;
        if (scan->lines == 1) {
            *first = (chainsi_slice){ data, line_size - 2 };
            return CHAINSI_HTTP_MORE;
        }
    }
}

/* The start line of a head whose lines were found over several calls. */
static chainsi_slice start_line(const char *data, size_t size)
{
    const char *newline = memchr(data, '\n', size);
    return (chainsi_slice){ data, (size_t)(newline - 1 - data) };
}

ptrdiff_t chainsi_http_parse_request(const char *data, size_t size, chainsi_http_scan *scan,
                                     chainsi_http_request *request, chainsi_http_refusal *refusal)
{
    chainsi_slice first;
    ptrdiff_t found = find_end(data, size, scan, &first, refusal);
    if (first.data) {
        ptrdiff_t good = parse_request_line(first, request, refusal);
        if (good < 0)
            return good;
        found = find_end(data, size, scan, &(chainsi_slice){ 0 }, refusal);
    }
    if (found <= 0)
        return found;
    if (!first.data) { /* it was seen in an earlier call, at another place perhaps */
        first = start_line(data, size);
        parse_request_line(first, request, refusal);
    }
    framing seen = { .head = &request->head };
    ptrdiff_t good = parse_headers(first.data + first.size + 2, data + found, &seen, refusal);
    if (good < 0)
        return good;
    if (!seen.has_host && request->head.minor_version == 1)
        return refuse(refusal, 400, "there is no Host header");
    if (seen.expects_other)
        return refuse(refusal, 417, "the only Expect that is met is 100-continue");
    /* Without either, HTTP/1.1 has no body; in HTTP/1.0 nobody knows. */
    if (request->head.minor_version == 0 && request->head.content_length < 0 &&
        (request->method == CHAINSI_HTTP_POST || request->method == CHAINSI_HTTP_PUT))
        return refuse(refusal, 411, "a Content-Length is needed");
    request->expect_continue = seen.expect_continue && request->head.minor_version == 1;
    return found;
}

ptrdiff_t chainsi_http_parse_response(const char *data, size_t size, chainsi_http_scan *scan,
                                      chainsi_http_response *response,
                                      chainsi_http_refusal *refusal)
{
    chainsi_slice first;
    ptrdiff_t found = find_end(data, size, scan, &first, refusal);
    if (first.data) {
        ptrdiff_t good = parse_status_line(first, response, refusal);
        if (good < 0)
            return good;
        found = find_end(data, size, scan, &(chainsi_slice){ 0 }, refusal);
    }
    if (found <= 0)
        return found;
    if (!first.data) { /* it was seen in an earlier call, at another place perhaps */
        first = start_line(data, size);
        parse_status_line(first, response, refusal);
    }
    framing seen = { .head = &response->head };
    ptrdiff_t good = parse_headers(first.data + first.size + 2, data + found, &seen, refusal);
    return good < 0 ? good : found;
}

static void move_slice(chainsi_slice *slice, const char *from, size_t size, const char *to)
{
    /* Not all slices lie in the head: a target without a path has a constant one. */
    if (slice->data >= from && slice->data <= from + size)
        slice->data = to + (slice->data - from);
}

void chainsi_http_move_request(chainsi_http_request *request, const char *from, size_t size,
                               const char *to)
{
    move_slice(&request->method_name, from, size, to);
    move_slice(&request->path, from, size, to);
    move_slice(&request->query, from, size, to);
    for (size_t i = 0; i < request->head.header_count; i++) {
        move_slice(&request->head.headers[i].name, from, size, to);
        move_slice(&request->head.headers[i].value, from, size, to);
    }
}

const char *chainsi_http_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        { 100, "Continue" },
        { 200, "OK" },
        { 201, "Created" },
        { 202, "Accepted" },
        { 204, "No Content" },
        { 301, "Moved Permanently" },
        { 302, "Found" },
        { 304, "Not Modified" },
        { 307, "Temporary Redirect" },
        { 308, "Permanent Redirect" },
        { 400, "Bad Request" },
        { 401, "Unauthorized" },
        { 403, "Forbidden" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 406, "Not Acceptable" },
        { 408, "Request Timeout" },
        { 409, "Conflict" },
        { 410, "Gone" },
        { 411, "Length Required" },
        { 412, "Precondition Failed" },
        { 413, "Content Too Large" },
        { 414, "URI Too Long" },
        { 415, "Unsupported Media Type" },
        { 416, "Range Not Satisfiable" },
        { 417, "Expectation Failed" },
        { 422, "Unprocessable Content" },
        { 429, "Too Many Requests" },
        { 431, "Request Header Fields Too Large" },
        { 499, "Client Closed Request" },
        { 500, "Internal Server Error" },
        { 501, "Not Implemented" },
        { 502, "Bad Gateway" },
        { 503, "Service Unavailable" },
        { 504, "Gateway Timeout" },
        { 505, "HTTP Version Not Supported" },
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "Unknown";
}

/* ------------------------------------------------------------------------------------------------
 * chunked bodies
 *
 *   SIZE -> (EXTENSION ->) SIZE_LF -> DATA -> DATA_CR -> DATA_LF -> SIZE
 *                             |
 *                             v size 0
 *   LINE -> TRAILER_NAME -> TRAILER_VALUE -> TRAILER_LF -> LINE,  LINE -> END_LF -> END */

enum chunk_state {
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_LINE,
    CHUNK_TRAILER_NAME,
    CHUNK_TRAILER_VALUE,
    CHUNK_TRAILER_LF,
    CHUNK_END_LF,
    CHUNK_END,
};

enum { MAX_SIZE_DIGITS = 15 }; /* of a chunk's size: such numbers can be added without overflow */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* One byte outside of a chunk's data. False with *refusal filled. */
static bool take_byte(chainsi_http_chunked *chunked, char c, chainsi_http_refusal *refusal)
{
    switch (chunked->state) {
    case CHUNK_SIZE: {
        int digit = hex_digit(c);
        if (digit >= 0) {
            if (++chunked->digits > MAX_SIZE_DIGITS)
                return refuse(refusal, 400, "a chunk's size is too long") > 0;
            chunked->chunk_left = chunked->chunk_left * 16 + (unsigned)digit;
            if (chunked->chunk_left > chunked->max_body - chunked->total)
                return refuse(refusal, 413, "the body is too large") > 0;
            return true;
        }
        if (!chunked->digits || (c != '\r' && c != ';'))
            return refuse(refusal, 400, "a chunk's size is not a hexadecimal number") > 0;
        chunked->state = c == ';' ? CHUNK_EXTENSION : CHUNK_SIZE_LF;
        break;
    }
    case CHUNK_EXTENSION:
        if (c == '\r') {
            chunked->state = CHUNK_SIZE_LF;
            return true;
        }
        if (!is(is_value, c))
            return refuse(refusal, 400, "a chunk's extension has a control character") > 0;
        break;
    case CHUNK_SIZE_LF:
        if (c != '\n')
            return refuse(refusal, 400, "a chunk's size is not followed by CRLF") > 0;
        chunked->total += chunked->chunk_left;
        chunked->state = chunked->chunk_left ? CHUNK_DATA : CHUNK_LINE;
        return true;
    case CHUNK_DATA_CR:
        if (c != '\r')
            return refuse(refusal, 400, "a chunk is longer than its size") > 0;
        chunked->state = CHUNK_DATA_LF;
        return true;
    case CHUNK_DATA_LF:
        if (c != '\n')
            return refuse(refusal, 400, "a chunk is not followed by CRLF") > 0;
        chunked->digits = 0;
        chunked->state = CHUNK_SIZE;
        return true;
    case CHUNK_LINE:
        if (c == '\r') {
            chunked->state = CHUNK_END_LF;
            return true;
        }
        if (!is(is_token, c))
            return refuse(refusal, 400, "a trailer's name is not a token") > 0;
        chunked->state = CHUNK_TRAILER_NAME;
        break;
    case CHUNK_TRAILER_NAME:
        if (c == ':')
            chunked->state = CHUNK_TRAILER_VALUE;
        else if (!is(is_token, c))
            return refuse(refusal, 400, "a trailer's name is not a token") > 0;
        break;
    case CHUNK_TRAILER_VALUE:
        if (c == '\r')
            chunked->state = CHUNK_TRAILER_LF;
        else if (!is(is_value, c))
            return refuse(refusal, 400, "a trailer's value has a control character") > 0;
        break;
    case CHUNK_TRAILER_LF:
        if (c != '\n')
            return refuse(refusal, 400, "a trailer is not followed by CRLF") > 0;
        chunked->state = CHUNK_LINE;
        break;
    default: /* CHUNK_END_LF */
        if (c != '\n')
            return refuse(refusal, 400, "the chunked body does not end in CRLF") > 0;
        chunked->state = CHUNK_END;
        return true;
    }
    /* Only what may be sent for ever without a byte of body gets here. */
    if (chunked->state <= CHUNK_SIZE_LF) {
        if (chunked->state == CHUNK_EXTENSION &&
            ++chunked->extensions > CHAINSI_MAX_CHUNK_EXTENSIONS)
            return refuse(refusal, 400, "the chunk extensions are too long") > 0;
    } else if (++chunked->trailers > CHAINSI_MAX_TRAILERS) {
        return refuse(refusal, 431, "the trailers are too long") > 0;
    }
    return true;
}

chainsi_http_progress chainsi_http_decode_chunked(chainsi_http_chunked *chunked, char *data,
                                                  size_t size, size_t *decoded, size_t *consumed,
                                                  chainsi_http_refusal *refusal)
{
    size_t in = 0, out = 0;
    while (in < size && chunked->state != CHUNK_END) {
        if (chunked->state == CHUNK_DATA) {
            size_t part = size - in;
            if (part > chunked->chunk_left)
                part = (size_t)chunked->chunk_left;
            if (in != out)
                memmove(data + out, data + in, part);
            in += part;
            out += part;
            chunked->chunk_left -= part;
            if (!chunked->chunk_left)
                chunked->state = CHUNK_DATA_CR;
        } else if (!take_byte(chunked, data[in++], refusal)) {
            *decoded = out;
            *consumed = in;
            return CHAINSI_HTTP_BODY_REFUSED;
        }
    }
    *decoded = out;
    *consumed = in;
    return chunked->state == CHUNK_END ? CHAINSI_HTTP_BODY_DONE : CHAINSI_HTTP_BODY_MORE;
}
