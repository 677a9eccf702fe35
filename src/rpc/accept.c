/* Reading Accept: a list of media ranges, each with parameters, one of which may be q. */
#include "rpc/accept.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

typedef enum closeness { FITS_NOT, FITS_ANYTHING, FITS_KIND, FITS_BUT_PARAMETERS, FITS } closeness;

typedef struct media_range {
    chainsi_slice type, subtype;
    bool has_parameters; /* that our types don't have */
    int q;               /* thousandths */
} media_range;

/* What fits a type best so far. */
typedef struct fit {
    closeness close;
    int q;
} fit;

/* What is left to be read. */
typedef struct reader {
    const char *at, *end;
} reader;

static bool is_token(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool take(reader *in, char c)
{
    if (in->at == in->end || *in->at != c)
        return false;
    in->at++;
    return true;
}

static void skip_space(reader *in)
{
    while (in->at < in->end && (*in->at == ' ' || *in->at == '\t'))
        in->at++;
}

/* Empty: there is none. */
static chainsi_slice take_token(reader *in)
{
    const char *start = in->at;
    while (in->at < in->end && is_token(*in->at))
        in->at++;
    return (chainsi_slice){ start, (size_t)(in->at - start) };
}

/* A quoted string, with its quotes. Empty: there is none, or it doesn't end. */
static chainsi_slice take_quoted(reader *in)
{
    const char *start = in->at;
    if (!take(in, '"'))
        return (chainsi_slice){ start, 0 };
    while (in->at < in->end && *in->at != '"')
        in->at += *in->at == '\\' && in->end - in->at > 1 ? 2 : 1;
    return (chainsi_slice){ start, take(in, '"') ? (size_t)(in->at - start) : 0 };
}

/* Up to the comma, or the end; one in quotes doesn't count. */
static void skip_element(reader *in)
{
    while (in->at < in->end && *in->at != ',')
        if (!take_quoted(in).size && in->at < in->end && *in->at != ',')
            in->at++;
}

/* "0", "0.25", "1.000": thousandths; -1: it is none. */
static int read_q(chainsi_slice text)
{
    if (text.size < 1 || text.size > 5 || (text.data[0] != '0' && text.data[0] != '1') ||
        (text.size > 1 && text.data[1] != '.'))
        return -1;
    int q = (text.data[0] - '0') * 1000, unit = 100;
    for (size_t i = 2; i < text.size; i++, unit /= 10) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return -1;
        q += (text.data[i] - '0') * unit;
    }
    return q <= 1000 ? q : -1;
}

static bool is_own_charset(chainsi_slice name, chainsi_slice value)
{
    return chainsi_slice_is_case(name, "charset") &&
           (chainsi_slice_is_case(value, "utf-8") || chainsi_slice_is_case(value, "\"utf-8\""));
}

/* What follows a ';': a parameter, or nothing. False: it isn't well-formed. */
static bool read_parameter(reader *in, media_range *range)
{
    chainsi_slice name = take_token(in);
    if (!name.size)
        return true;
    if (!take(in, '='))
        return false;
    chainsi_slice value = in->at < in->end && *in->at == '"' ? take_quoted(in) : take_token(in);
    if (!value.size)
        return false;
    if (chainsi_slice_is_case(name, "q"))
        return (range->q = read_q(value)) >= 0;
    if (!is_own_charset(name, value))
        range->has_parameters = true;
    return true;
}

static bool is_any(chainsi_slice token)
{
    return chainsi_slice_is(token, "*");
}

static bool read_range(reader *in, media_range *range)
{
    *range = (media_range){ .type = take_token(in), .q = 1000 };
    if (!range->type.size || !take(in, '/'))
        return false;
    range->subtype = take_token(in);
    if (!range->subtype.size || (is_any(range->type) && !is_any(range->subtype)))
        return false;
    for (;;) {
        skip_space(in);
        if (in->at == in->end || *in->at == ',')
            return true;
        if (!take(in, ';'))
            return false;
        skip_space(in);
        if (!read_parameter(in, range))
            return false;
    }
}

static closeness compare(const media_range *range, const char *type)
{
    const chainsi_slice kind = { type, strcspn(type, "/") };
    if (is_any(range->type))
        return FITS_ANYTHING;
    if (range->type.size != kind.size || strncasecmp(range->type.data, kind.data, kind.size) != 0)
        return FITS_NOT;
    if (is_any(range->subtype))
        return FITS_KIND;
    if (!chainsi_slice_is_case(range->subtype, type + kind.size + 1))
        return FITS_NOT;
    return range->has_parameters ? FITS_BUT_PARAMETERS : FITS;
}

static void improve(fit *best, const media_range *range, const char *type)
{
    closeness close = compare(range, type);
    if (close == FITS_NOT || (range->has_parameters && !range->q))
        return;
    if (close > best->close || (close == best->close && range->q > best->q))
        *best = (fit){ close, range->q };
}

static void read_list(chainsi_slice list, const char *const types[], fit *fits, size_t count)
{
    reader in = { list.data, list.data + list.size };
    while (in.at < in.end) {
        media_range range;
        skip_space(&in);
        if (read_range(&in, &range))
            for (size_t i = 0; i < count; i++)
                improve(&fits[i], &range, types[i]);
        else
            skip_element(&in);
        take(&in, ',');
    }
}

static bool is_named(fit it)
{
    return it.close >= FITS_BUT_PARAMETERS;
}

int chainsi_accept_choose(const chainsi_http_head *head, const char *const types[], size_t count)
{
    assert(count <= CHAINSI_MAX_ACCEPTABLE);
    fit fits[CHAINSI_MAX_ACCEPTABLE] = { { FITS_NOT, 0 } };
    for (size_t i = 0; i < head->header_count; i++)
        if (chainsi_slice_is_case(head->headers[i].name, "Accept"))
            read_list(head->headers[i].value, types, fits, count);
    int best = -1;
    for (size_t i = 0; i < count; i++) {
        if (!fits[i].q)
            continue;
        if (best < 0 || fits[i].q > fits[best].q ||
            (fits[i].q == fits[best].q && (is_named(fits[i]) > is_named(fits[best]) ||
                                           (!is_named(fits[i]) && !is_named(fits[best])))))
            best = (int)i;
    }
    return best;
}
