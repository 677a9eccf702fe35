#include "control/url.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <arpa/inet.h>

#include "base/buffer.h"
#include "control/handle.h"

/* A piece of a URL. */
typedef struct piece {
    const char *text;
    size_t size;
} piece;

/* Neither blanks nor control characters, which might end a line of a request, are in one. */
static bool has_odd_bytes(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || *text == 0x7f)
            return true;
    return false;
}

static const char *read_scheme(const char *text, chainsi_url_scheme *scheme)
{
    static const struct {
        const char *start;
        chainsi_url_scheme scheme;
    } schemes[] = {
        { "http://", CHAINSI_URL_HTTP },
        { "https://", CHAINSI_URL_HTTPS },
        { "file://", CHAINSI_URL_FILE },
        { "file:", CHAINSI_URL_FILE },
    };
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t size = strlen(schemes[i].start);
        if (strncasecmp(text, schemes[i].start, size) != 0)
            continue;
        *scheme = schemes[i].scheme;
        return text + size;
    }
    return NULL;
}

static bool is_port(piece port)
{
    unsigned long number = 0;
    for (size_t i = 0; i < port.size; i++) {
        if (!isdigit((unsigned char)port.text[i]))
            return false;
        number = number * 10 + (unsigned long)(port.text[i] - '0');
        if (number > UINT16_MAX)
            return false;
    }
    return true;
}

/* An IPv6 address in brackets, perhaps with a zone behind a %. */
static bool is_bracketed(piece host)
{
    char address[INET6_ADDRSTRLEN];
    unsigned char bytes[sizeof(struct in6_addr)];
    piece number = { host.text + 1, host.size - 2 };
    const char *zone = memchr(number.text, '%', number.size);
    if (zone)
        number.size = (size_t)(zone - number.text);
    if (number.size >= sizeof address)
        return false;
    memcpy(address, number.text, number.size);
    address[number.size] = 0;
    return inet_pton(AF_INET6, address, bytes) == 1;
}

static bool is_host(piece host)
{
    static const char never[] = "\"#%/:;<>?@[\\]^`{|}!*$&'()+,=";
    if (host.size > 2 && host.text[0] == '[')
        return host.text[host.size - 1] == ']' && is_bracketed(host);
    for (size_t i = 0; i < host.size; i++)
        if (strchr(never, host.text[i]))
            return false;
    return host.size > 0;
}

/* host[:port] */
static bool is_place(piece place)
{
    piece host = place, port = { "", 0 };
    const char *bracket = memrchr(place.text, ']', place.size);
    const char *colon = memrchr(place.text, ':', place.size);
    if (colon && (!bracket || colon > bracket)) {
        host.size = (size_t)(colon - place.text);
        port = (piece){ colon + 1, place.size - host.size - 1 };
    }
    return is_host(host) && is_port(port);
}

static int digit_of(char letter)
{
    return isdigit((unsigned char)letter) ? letter - '0' : (tolower(letter) - 'a') + 10;
}

/* The path of a file; NULL: a byte of it would end it. The caller frees it. */
static char *decode(piece text)
{
    char *path = chainsi_make(text.size + 1);
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        char letter = text.text[i];
        if (letter == '%' && i + 2 < text.size && isxdigit((unsigned char)text.text[i + 1]) &&
            isxdigit((unsigned char)text.text[i + 2])) {
            letter = (char)(digit_of(text.text[i + 1]) * 16 + digit_of(text.text[i + 2]));
            i += 2;
        }
        if (!letter) {
            free(path);
            return NULL;
        }
        path[size++] = letter;
    }
    return path;
}

static bool is_here(piece place)
{
    static const char *const names[] = { "", "localhost", "127.0.0.1" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == place.size && !strncasecmp(place.text, names[i], place.size))
            return true;
    return false;
}

static char *show(chainsi_url_scheme scheme, piece place, piece rest)
{
    static const char *const starts[] = { [CHAINSI_URL_HTTP] = "http://",
                                          [CHAINSI_URL_HTTPS] = "https://",
                                          [CHAINSI_URL_FILE] = "file://" };
    chainsi_buffer out = { 0 };
    chainsi_buffer_add_text(&out, starts[scheme]);
    if (scheme != CHAINSI_URL_FILE)
        chainsi_buffer_add(&out, place.text, place.size);
    if (!rest.size || rest.text[0] != '/')
        chainsi_buffer_add_byte(&out, '/');
    chainsi_buffer_add(&out, rest.text, rest.size);
    chainsi_buffer_add_byte(&out, 0);
    char *shown = chainsi_copy_text((const char *)out.data);
    chainsi_buffer_done(&out);
    return shown;
}

bool chainsi_url_read(const char *text, chainsi_url *url)
{
    chainsi_url_scheme scheme;
    const char *start = has_odd_bytes(text) ? NULL : read_scheme(text, &scheme);
    if (!start)
        return false;
    piece place = { start, strcspn(start, "/?#") };
    piece rest = { start + place.size, strcspn(start + place.size, "#") };
    const char *at = memrchr(place.text, '@', place.size);
    char *path = NULL;
    if (scheme == CHAINSI_URL_FILE) {
        piece file = { rest.text, strcspn(rest.text, "?#") };
        if (!is_here(place) || !file.size || !(path = decode(file)))
            return false;
    } else {
        if (at)
            place = (piece){ at + 1, place.size - (size_t)(at + 1 - place.text) };
        if (!is_place(place))
            return false;
    }
    *url = (chainsi_url){ .scheme = scheme, .shown = show(scheme, place, rest), .path = path };
    return true;
}

void chainsi_url_done(chainsi_url *url)
{
    free(url->shown);
    free(url->path);
}
