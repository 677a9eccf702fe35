/* One connection to one registry. A token holds for what it was asked for, so that a 401 after it means: ask again, for
 * more; a second one in a row is the end. */
#include "image/exchange.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "control/fields.h"
#include "schema/base64.h"
#include "schema/json.h"

#define MAX_BODY ((size_t)16 << 20)
enum { CONNECT_MS = 15000, SILENCE_S = 60 };

typedef struct one_transfer {
    const chainsi_ask *ask;
    chainsi_reply *reply;
    CURL *curl;
    FILE *file;
    size_t sent;
    chainsi_problem *problem;
    bool failed; /* *problem has been set */
} one_transfer;

static bool is_here(const char *host)
{
    size_t size = strcspn(host, ":");
    return (size == 9 && !strncmp(host, "localhost", 9)) || !strncmp(host, "127.", 4) ||
           !strncmp(host, "[::1]", 5);
}

bool chainsi_exchange_open(chainsi_exchange *exchange, const char *where, chainsi_problem *problem)
{
    *exchange = (chainsi_exchange){ 0 };
    bool http = !strncmp(where, "http://", 7), https = !strncmp(where, "https://", 8);
    const char *host = where + (http ? 7 : https ? 8 : 0);
    size_t size = strcspn(host, "/");
    if (!size || host[strcspn(host, "@? #\\\"'")] || strspn(host, ":") == size)
        return chainsi_problem_set(problem, "write HOST[:PORT]/PATH: registry.example.com/team",
                                   "'%s' is no registry", where);
    exchange->host = chainsi_arena_copy(&exchange->arena, host, size);
    http = http || (!https && is_here(exchange->host));
    exchange->base =
        chainsi_arena_printf(&exchange->arena, "%s://%s", http ? "http" : "https", exchange->host);
    exchange->curl = curl_easy_init();
    if (!exchange->curl)
        abort();
    return true;
}

void chainsi_exchange_close(chainsi_exchange *exchange)
{
    curl_easy_cleanup(exchange->curl);
    chainsi_arena_done(&exchange->arena);
    *exchange = (chainsi_exchange){ 0 };
}

/* --------------------------------------------------------------------------------------------
 * one request */

static size_t take_body(char *data, size_t one, size_t size, void *user)
{
    (void)one;
    one_transfer *transfer = user;
    long status = 0;
    curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
    if (transfer->ask->into && status == 200) {
        transfer->failed = !chainsi_blob_write(transfer->ask->into, data, size, transfer->problem);
        return transfer->failed ? 0 : size;
    }
    if (transfer->reply->body.size + size > MAX_BODY)
        return 0;
    chainsi_buffer_add(&transfer->reply->body, data, size);
    return size;
}

static size_t give_body(char *out, size_t one, size_t count, void *user)
{
    one_transfer *transfer = user;
    size_t room = one * count;
    if (transfer->file)
        return fread(out, 1, room, transfer->file);
    size_t left = (size_t)transfer->ask->size - transfer->sent;
    size_t size = left < room ? left : room;
    if (size)
        memcpy(out, (const char *)transfer->ask->data + transfer->sent, size);
    transfer->sent += size;
    return size;
}

/* When a kept connection turns out to have ended, libcurl begins anew. */
static int rewind_body(void *user, curl_off_t offset, int origin)
{
    one_transfer *transfer = user;
    if (origin != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    transfer->sent = (size_t)offset;
    return transfer->file && fseeko(transfer->file, (off_t)offset, SEEK_SET) != 0
               ? CURL_SEEKFUNC_FAIL
               : CURL_SEEKFUNC_OK;
}

static const char *header_of(chainsi_exchange *exchange, const char *name)
{
    struct curl_header *header;
    if (curl_easy_header(exchange->curl, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    return chainsi_arena_strdup(&exchange->arena, header->value);
}

static bool say_no_answer(chainsi_exchange *exchange, CURLcode code, const char *why,
                          chainsi_problem *problem)
{
    bool tls = code == CURLE_SSL_CONNECT_ERROR || code == CURLE_PEER_FAILED_VERIFICATION;
    char hint[512];
    snprintf(
        hint, sizeof hint,
        tls ? "if it speaks plain HTTP, name it http://%s; if its certificate is your own, name "
              "that in SSL_CERT_FILE"
            : "see that it runs and is reached from here: curl %s/v2/",
        tls ? exchange->host : exchange->base);
    return chainsi_problem_set(problem, hint, "the registry '%s' doesn't answer: %s",
                               exchange->host, *why ? why : curl_easy_strerror(code));
}

static struct curl_slist *headers_of(chainsi_exchange *exchange, const chainsi_ask *ask,
                                     const char *authorization)
{
    chainsi_arena *arena = &exchange->arena;
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    if (ask->type)
        headers =
            curl_slist_append(headers, chainsi_arena_printf(arena, "Content-Type: %s", ask->type));
    if (ask->accept)
        headers =
            curl_slist_append(headers, chainsi_arena_printf(arena, "Accept: %s", ask->accept));
    if (authorization)
        headers = curl_slist_append(headers, authorization);
    return headers;
}

static void set_options(chainsi_exchange *exchange, one_transfer *transfer, const char *url)
{
    CURL *curl = exchange->curl;
    const chainsi_ask *ask = transfer->ask;
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)SILENCE_S);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "chains");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
    if (getenv("SSL_CERT_FILE"))
        curl_easy_setopt(curl, CURLOPT_CAINFO, getenv("SSL_CERT_FILE"));
    bool reads = !strcmp(ask->method, "GET");
    if (!strcmp(ask->method, "HEAD")) {
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    } else if (reads) {
        /* Blobs may lie elsewhere; libcurl doesn't take the login along to another host. */
        curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
        curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L);
    } else {
        curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, ask->method);
        curl_easy_setopt(curl, CURLOPT_READFUNCTION, give_body);
        curl_easy_setopt(curl, CURLOPT_READDATA, transfer);
        curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, rewind_body);
        curl_easy_setopt(curl, CURLOPT_SEEKDATA, transfer);
        curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)ask->size);
    }
}

static bool do_once(chainsi_exchange *exchange, const chainsi_ask *ask, const char *authorization,
                    chainsi_reply *reply, chainsi_problem *problem)
{
    one_transfer transfer = {
        .ask = ask, .reply = reply, .curl = exchange->curl, .problem = problem
    };
    if (ask->file && !(transfer.file = fopen(ask->file, "rbe")))
        return chainsi_problem_file(problem, "read", ask->file);
    const char *url = *ask->url == '/'
                          ? chainsi_arena_printf(&exchange->arena, "%s%s", exchange->base, ask->url)
                          : ask->url;
    char why[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = headers_of(exchange, ask, authorization);
    set_options(exchange, &transfer, url);
    curl_easy_setopt(exchange->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(exchange->curl, CURLOPT_ERRORBUFFER, why);
    reply->body.size = 0;
    CURLcode code = curl_easy_perform(exchange->curl);
    curl_slist_free_all(headers);
    if (transfer.file)
        fclose(transfer.file);
    if (code != CURLE_OK)
        return transfer.failed ? false : say_no_answer(exchange, code, why, problem);
    curl_easy_getinfo(exchange->curl, CURLINFO_RESPONSE_CODE, &reply->status);
    reply->location = header_of(exchange, "Location");
    reply->digest = header_of(exchange, "Docker-Content-Digest");
    reply->type = header_of(exchange, "Content-Type");
    reply->subject = header_of(exchange, "OCI-Subject");
    return true;
}

/* --------------------------------------------------------------------------------------------
 * logins */

/* The value of key="…" in a challenge; NULL: there is none. */
static const char *parameter(chainsi_arena *arena, const char *challenge, const char *key)
{
    size_t size = strlen(key);
    for (const char *at = challenge; (at = strcasestr(at, key)); at += size) {
        if ((at == challenge || !isalnum((unsigned char)at[-1])) && at[size] == '=') {
            const char *value = at + size + 1;
            bool quoted = *value == '"';
            value += quoted;
            return chainsi_arena_copy(arena, value, strcspn(value, quoted ? "\"" : ", "));
        }
    }
    return NULL;
}

static const char *escape(chainsi_arena *arena, const char *text)
{
    chainsi_buffer out = { 0 };
    for (const char *at = text; *at; at++)
        chainsi_buffer_printf(&out,
                              isalnum((unsigned char)*at) || strchr("-._~", *at) ? "%c" : "%%%02X",
                              (unsigned char)*at);
    const char *escaped = chainsi_arena_copy(arena, out.data ? (char *)out.data : "", out.size);
    chainsi_buffer_done(&out);
    return escaped;
}

static const char *basic(chainsi_exchange *exchange)
{
    chainsi_arena *arena = &exchange->arena;
    const chainsi_credentials *credentials = &exchange->credentials;
    if (!credentials->user || !credentials->password)
        return NULL;
    const char *pair =
        chainsi_arena_printf(arena, "%s:%s", credentials->user, credentials->password);
    size_t size = strlen(pair);
    char *text = chainsi_arena_alloc(arena, chainsi_base64_size(size) + 1);
    chainsi_base64_write(text, pair, size);
    return chainsi_arena_printf(arena, "Authorization: Basic %s", text);
}

typedef struct token_answer {
    const char *token, *access_token;
} token_answer;
static const chainsi_field token_fields[] = {
    CHAINSI_FIELD_NULLABLE(token_answer, token),
    CHAINSI_FIELD_NULLABLE(token_answer, access_token),
};
static const chainsi_type token_type = CHAINSI_STRUCT_OF(token_answer, token_fields);

static bool fetch_token(chainsi_exchange *exchange, const char *challenge, chainsi_problem *problem)
{
    chainsi_arena *arena = &exchange->arena;
    const char *realm = parameter(arena, challenge, "realm");
    const char *service = parameter(arena, challenge, "service");
    const char *scope = parameter(arena, challenge, "scope");
    if (!realm || (strncmp(realm, "http://", 7) != 0 && strncmp(realm, "https://", 8) != 0))
        return chainsi_problem_set(problem, "name another registry: this one is misconfigured",
                                   "the registry '%s' names no server of tokens: %s",
                                   exchange->host, challenge);
    const char *service_text = escape(arena, service ? service : "");
    const char *scope_text = escape(arena, scope ? scope : "");
    const char *refresh = exchange->credentials.refresh_token;
    chainsi_ask ask = { .method = "GET" };
    if (refresh && *refresh) {
        const char *form = chainsi_arena_printf(
            arena, "grant_type=refresh_token&client_id=chains&service=%s&scope=%s&refresh_token=%s",
            service_text, scope_text, escape(arena, refresh));
        ask = (chainsi_ask){ .method = "POST",
                             .url = realm,
                             .type = "application/x-www-form-urlencoded",
                             .data = form,
                             .size = (int64_t)strlen(form) };
    } else {
        ask.url = chainsi_arena_printf(arena, "%s%cservice=%s&scope=%s", realm,
                                       strchr(realm, '?') ? '&' : '?', service_text, scope_text);
    }
    chainsi_reply reply = { 0 };
    token_answer answer = { 0 };
    bool good =
        do_once(exchange, &ask, refresh && *refresh ? NULL : basic(exchange), &reply, problem);
    if (good && reply.status != 200)
        good = chainsi_exchange_refused(exchange, &reply, "give a token", problem);
    else if (good && (chainsi_json_decode(&token_type, (char *)reply.body.data, reply.body.size,
                                          arena, &answer, NULL) != CHAINS_OK ||
                      (!answer.token && !answer.access_token)))
        good = chainsi_problem_set(problem, "try again", "'%s' gave no token for the registry '%s'",
                                   realm, exchange->host);
    chainsi_buffer_done(&reply.body);
    if (good)
        exchange->authorization = chainsi_arena_printf(
            arena, "Authorization: Bearer %s", answer.token ? answer.token : answer.access_token);
    return good;
}

static bool log_in(chainsi_exchange *exchange, const chainsi_ask *ask, chainsi_problem *problem)
{
    chainsi_arena *arena = &exchange->arena;
    if (!exchange->looked &&
        !chainsi_credentials_find(exchange->host, ask->repository ? ask->repository : "", arena,
                                  &exchange->credentials, problem))
        return false;
    exchange->looked = true;
    /* There may be one challenge of each kind. */
    const char *bearer = NULL, *plain = NULL;
    struct curl_header *header;
    for (size_t i = 0; curl_easy_header(exchange->curl, "WWW-Authenticate", i, CURLH_HEADER, -1,
                                        &header) == CURLHE_OK;
         i++) {
        if (!strncasecmp(header->value, "Bearer", 6))
            bearer = chainsi_arena_strdup(arena, header->value);
        else if (!strncasecmp(header->value, "Basic", 5))
            plain = chainsi_arena_strdup(arena, header->value);
    }
    if (bearer)
        return fetch_token(exchange, bearer, problem);
    exchange->authorization = plain ? basic(exchange) : NULL;
    return true; /* without a login the caller's 401 says so */
}

bool chainsi_exchange_do(chainsi_exchange *exchange, const chainsi_ask *ask, chainsi_reply *reply,
                         chainsi_problem *problem)
{
    *reply = (chainsi_reply){ 0 };
    const char *before = exchange->authorization;
    bool good = do_once(exchange, ask, before, reply, problem);
    if (good && reply->status == 401) {
        good = log_in(exchange, ask, problem);
        if (good && exchange->authorization &&
            (!before || strcmp(before, exchange->authorization) != 0))
            good = do_once(exchange, ask, exchange->authorization, reply, problem);
    }
    if (!good)
        chainsi_buffer_done(&reply->body);
    return good;
}

/* --------------------------------------------------------------------------------------------
 * refusals */

typedef struct refusal {
    const char *code, *message;
} refusal;
typedef struct refusals {
    struct refusal_list {
        refusal *items;
        size_t count;
    } errors;
} refusals;
static const chainsi_field refusal_fields[] = {
    CHAINSI_FIELD_NULLABLE(refusal, code),
    CHAINSI_FIELD_NULLABLE(refusal, message),
};
static const chainsi_type refusal_type = CHAINSI_STRUCT_OF(refusal, refusal_fields);
static const chainsi_type refusal_list_type = CHAINSI_LIST_OF(struct refusal_list, &refusal_type);
static const chainsi_field refusals_fields[] = {
    CHAINSI_FIELD_OF(refusals, errors, &refusal_list_type),
};
static const chainsi_type refusals_type = CHAINSI_STRUCT_OF(refusals, refusals_fields);

static void next_step(const chainsi_exchange *exchange, long status, char *hint, size_t size)
{
    const char *file = exchange->credentials.file;
    if (status == 401 && !file)
        snprintf(
            hint, size,
            "log in first: `podman login %s` or `docker login %s`, or name a file of logins in "
            "REGISTRY_AUTH_FILE",
            exchange->host, exchange->host);
    else if (status == 401)
        snprintf(hint, size, "it doesn't take the login in '%s': log in anew", file);
    else if (status == 403)
        snprintf(hint, size,
                 "ask whoever runs it for the right to do that, or name another path%s%s%s",
                 file ? "; the login is that in '" : "", file ? file : "", file ? "'" : "");
    else if (status == 404)
        snprintf(hint, size, "make the repository there first, or name another path");
    else if (status == 413)
        snprintf(hint, size, "raise the limit of the registry, or of the proxy before it");
    else if (status == 429 || status >= 500)
        snprintf(hint, size, "try again later; what has arrived stays, and isn't sent twice");
    else
        *hint = 0;
}

bool chainsi_exchange_refused(const chainsi_exchange *exchange, const chainsi_reply *reply,
                              const char *doing, chainsi_problem *problem)
{
    chainsi_arena arena = { 0 };
    refusals said = { 0 };
    char hint[768];
    next_step(exchange, reply->status, hint, sizeof hint);
    const char *code = "", *message = "";
    if (chainsi_json_decode(&refusals_type, (char *)reply->body.data, reply->body.size, &arena,
                            &said, NULL) == CHAINS_OK &&
        said.errors.count) {
        code = said.errors.items[0].code ? said.errors.items[0].code : "";
        message = said.errors.items[0].message ? said.errors.items[0].message : "";
    }
    chainsi_problem_set(problem, hint, "the registry '%s' refused to %s: it answered %ld%s%s%s%s",
                        exchange->host, doing, reply->status, *code ? " " : "", code,
                        *message ? ": " : "", message);
    chainsi_arena_done(&arena);
    return false;
}
