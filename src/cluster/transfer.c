/* A multi handle with one transfer in it, so that whoever waits can be told to stop. HTTP/1.1: one request at a time is
 * made, and a connection that has died is noticed by TCP. */
#include "cluster/transfer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <curl/curl.h>
#include <openssl/x509_vfy.h>

#include "cluster/curl_late.h"

enum {
    CONNECT_MS = 10000,
    SILENCE_S = 60,     /* of an answer that has no limit of its own */
    LOOK_MS = 150,      /* at *stop */
    IDLE_S = 20,        /* until the other side's being there is asked for by TCP, */
    BETWEEN_S = 5,      /* how often, */
    CA_CACHE_S = 60,    /* of a file of authorities */
    UNHEARD_MS = 40000, /* and how long it may say nothing to what it was sent */
};

static size_t take_body(char *data, size_t one, size_t size, void *user)
{
    (void)one;
    chainsi_cluster_transfer *transfer = user;
    if (transfer->answer->size + size > transfer->most)
        return 0;
    chainsi_buffer_add(transfer->answer, data, size);
    return size;
}

/* libcurl's own aren't CLOEXEC. */
static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)user;
    (void)purpose;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd >= 0 && (address->family == AF_INET || address->family == AF_INET6)) {
        int limit = UNHEARD_MS;
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof limit);
    }
    return fd;
}

/* --------------------------------------------------------------------------------------------
 * what is asked */

static struct curl_slist *add(struct curl_slist *headers, const char *header)
{
    struct curl_slist *longer = header ? curl_slist_append(headers, header) : headers;
    if (!longer)
        abort(); /* out of memory */
    return longer;
}

/* "host:port" of the server's URL, and where what follows it begins. */
static const char *authority_of(const char *server, size_t *size)
{
    const char *host = strstr(server, "://") + 3;
    *size = strcspn(host, "/");
    return host;
}

/* With a name of its own for TLS, that is what libcurl is told to ask for, and to connect to the server's host for. */
static void set_server_name(CURL *easy, const chainsi_cluster_settings *settings, const char *path,
                            chainsi_arena *arena, struct curl_slist **headers,
                            struct curl_slist **places)
{
    size_t size;
    const char *host = authority_of(settings->server, &size);
    const char *close = memchr(host, ']', size);
    const char *port =
        memchr(close ? close : host, ':', size - (close ? (size_t)(close - host) : 0));
    const char *number =
        port ? chainsi_arena_copy(arena, port + 1, size - (size_t)(port + 1 - host)) : "443";
    *places = add(*places,
                  chainsi_arena_printf(arena, "%s:%s:%.*s:%s", settings->server_name, number,
                                       (int)(port ? (size_t)(port - host) : size), host, number));
    *headers = add(*headers, chainsi_arena_printf(arena, "Host: %.*s", (int)size, host));
    curl_easy_setopt(easy, CURLOPT_CONNECT_TO, *places);
    curl_easy_setopt(easy, CURLOPT_URL,
                     chainsi_arena_printf(arena, "https://%s:%s%s%s", settings->server_name, number,
                                          host + size, path));
}

static void set_pem(CURL *easy, const chainsi_pem *pem, CURLoption text, CURLoption file)
{
    if (pem->text) {
        struct curl_blob blob = { (void *)(uintptr_t)pem->text, strlen(pem->text), CURL_BLOB_COPY };
        curl_easy_setopt(easy, text, &blob);
    } else if (pem->file) {
        curl_easy_setopt(easy, file, pem->file);
    }
}

static void set_trust(CURL *easy, const chainsi_cluster_settings *settings,
                      const chainsi_credentials_now *now)
{
    if (settings->trusts_any) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    set_pem(easy, &settings->authority, CURLOPT_CAINFO_BLOB, CURLOPT_CAINFO);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* Which it else keeps for a day, though files are renewed. */
    curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, (long)CA_CACHE_S);
#endif
    set_pem(easy, &now->certificate, CURLOPT_SSLCERT_BLOB, CURLOPT_SSLCERT);
    set_pem(easy, &now->key, CURLOPT_SSLKEY_BLOB, CURLOPT_SSLKEY);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
}

static void set_patience(CURL *easy, const chainsi_cluster_transfer *transfer)
{
    long connect_ms = CONNECT_MS;
    if (transfer->timeout_ms && transfer->timeout_ms < connect_ms)
        connect_ms = (long)transfer->timeout_ms;
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
    if (transfer->timeout_ms) {
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)transfer->timeout_ms);
    } else {
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)SILENCE_S);
    }
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, (long)IDLE_S);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, (long)BETWEEN_S);
}

static void set_body(CURL *easy, const chainsi_cluster_transfer *transfer)
{
    if (transfer->type) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)transfer->size);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, transfer->size ? transfer->body : "");
    } else {
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, transfer->method);
    /* A kept connection that turns out to have ended is no answer, and libcurl would ask again: not what makes something. */
    if (!strcmp(transfer->method, "POST"))
        curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
}

static struct curl_slist *set_all(CURL *easy, const chainsi_cluster_settings *settings,
                                  const chainsi_credentials_now *now,
                                  chainsi_cluster_transfer *transfer, chainsi_arena *arena,
                                  struct curl_slist **places)
{
    struct curl_slist *headers = add(add(NULL, "Expect:"), "Accept: application/json");
    headers = add(headers, now->authorization);
    if (transfer->type)
        headers = add(headers, chainsi_arena_printf(arena, "Content-Type: %s", transfer->type));
    for (size_t i = 0; settings->as_headers && settings->as_headers[i]; i++)
        headers = add(headers, settings->as_headers[i]);
    curl_easy_setopt(easy, CURLOPT_URL,
                     chainsi_arena_printf(arena, "%s%s", settings->server, transfer->path));
    if (settings->server_name && !strncmp(settings->server, "https:", 6))
        set_server_name(easy, settings, transfer->path, arena, &headers, places);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "chains");
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, transfer->on_data ? NULL : "");
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    if (settings->proxy)
        curl_easy_setopt(easy, CURLOPT_PROXY, settings->proxy);
    set_trust(easy, settings, now);
    set_patience(easy, transfer);
    set_body(easy, transfer);
    return headers;
}

/* --------------------------------------------------------------------------------------------
 * how it went */

/* What is wrong with the server's certificate. */
static void say_untrusted(CURL *easy, const chainsi_cluster_settings *settings,
                          chainsi_cluster_transfer *transfer, const char *error)
{
    long fault = 0;
    curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &fault);
    char *why = transfer->why;
    size_t size = sizeof transfer->why;
    if (fault == X509_V_ERR_CERT_HAS_EXPIRED)
        snprintf(why, size,
                 "the certificate of %s has expired: let whoever runs the cluster renew it "
                 "(kubeadm certs renew "
                 "apiserver), or set this machine's clock",
                 settings->server);
    else if (fault == X509_V_ERR_CERT_NOT_YET_VALID)
        snprintf(why, size,
                 "the certificate of %s isn't valid yet: set this machine's clock, or the server's",
                 settings->server);
    else if (strstr(error, "subject name")) /* libcurl's own check, which has no number */
        snprintf(why, size,
                 "the certificate of %s is for other names (%.120s): %s says tls-server-name for "
                 "one of those",
                 settings->server, error, settings->origin);
    else
        snprintf(why, size,
                 "the certificate of %s is from an authority that %s doesn't trust (%.120s): it is "
                 "another cluster's, or "
                 "its certificate-authority must be named anew",
                 settings->server, settings->origin, error);
}

/* libcurl tells how long it has waited: the same trouble is to be the same sentence. */
static void forget_times(char *text)
{
    int end = 0;
    char *at = strstr(text, " after ");
    if (at && sscanf(at, " after %*d ms%n", &end) == 0 && end)
        memmove(at, at + end, strlen(at + end) + 1);
    else if (at && sscanf(at, " after %*d milliseconds%n", &end) == 0 && end)
        memmove(at, at + end, strlen(at + end) + 1);
}

static chainsi_transfer_end say_end(CURL *easy, CURLcode code,
                                    const chainsi_cluster_settings *settings,
                                    chainsi_cluster_transfer *transfer, char *error)
{
    curl_off_t sent_us = 0;
    curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &sent_us);
    char *why = transfer->why;
    size_t size = sizeof transfer->why;
    const char *server = settings->server;
    if (!*error)
        snprintf(error, CURL_ERROR_SIZE, "%s", curl_easy_strerror(code));
    forget_times(error);
    switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
        say_untrusted(easy, settings, transfer, error);
        return CHAINSI_TRANSFER_UNTRUSTED;
    case CURLE_SSL_CACERT_BADFILE:
        snprintf(why, size, "the certificate-authority of %s can't be used: %.160s",
                 settings->origin, error);
        return CHAINSI_TRANSFER_UNTRUSTED;
    case CURLE_SSL_CERTPROBLEM:
        snprintf(why, size, "the client certificate or key of %s (%s) can't be used: %.160s",
                 settings->user, settings->origin, error);
        return CHAINSI_TRANSFER_UNTRUSTED;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        snprintf(why, size, "%s%s can't be asked for: %.160s", server, transfer->path, error);
        return CHAINSI_TRANSFER_UNTRUSTED;
    case CURLE_COULDNT_RESOLVE_HOST:
        snprintf(why, size, "the host of %s (%s) isn't known: see its name, and the network's DNS",
                 server, settings->origin);
        return CHAINSI_TRANSFER_NOT_SENT;
    case CURLE_COULDNT_RESOLVE_PROXY:
        snprintf(why, size,
                 "the proxy to %s isn't known: see proxy-url in the kubeconfig, and HTTPS_PROXY",
                 server);
        return CHAINSI_TRANSFER_NOT_SENT;
    case CURLE_SSL_CONNECT_ERROR:
        if (strstr(error, "reset by peer")) /* it goes away just now */
            break;
        snprintf(why, size, "%s doesn't speak TLS as it should: %.160s; see the server of %s",
                 server, error, settings->origin);
        return CHAINSI_TRANSFER_NOT_SENT;
    case CURLE_WRITE_ERROR:
        snprintf(why, size, "%s answers more than %zu MiB to %s", server, transfer->most >> 20,
                 transfer->path);
        return CHAINSI_TRANSFER_BROKEN;
    default:
        break;
    }
    if (!sent_us) {
        snprintf(why, size,
                 "the API server %s isn't reached: %.200s; see that the cluster runs, and the "
                 "server of %s",
                 server, error, settings->origin);
        return CHAINSI_TRANSFER_NOT_SENT;
    }
    if (code == CURLE_OPERATION_TIMEDOUT) {
        snprintf(why, size, "the API server %s doesn't answer in time: %.200s", server, error);
        return CHAINSI_TRANSFER_LATE;
    }
    snprintf(why, size, "the connection to the API server %s broke: %.200s", server, error);
    return CHAINSI_TRANSFER_BROKEN;
}

/* Whether all is well with what has come so far. */
static bool hand_out(CURL *easy, chainsi_cluster_transfer *transfer, bool any)
{
    if (!transfer->on_data)
        return true;
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    return status != 200 || (!any && !transfer->answer->size) ||
           transfer->on_data(transfer->user, transfer->answer);
}

/* False: it was stopped. */
static bool drive(chainsi_cluster_line *line, chainsi_cluster_transfer *transfer, CURLcode *code)
{
    int running = 1, left;
    bool begun = false;
    while (running) {
        size_t before = transfer->answer->size;
        curl_multi_perform(line->multi, &running);
        long status = 0;
        curl_easy_getinfo(line->easy, CURLINFO_RESPONSE_CODE, &status);
        bool first = !begun && status == 200;
        begun = begun || first;
        if ((transfer->stop && atomic_load(transfer->stop)) ||
            ((first || transfer->answer->size != before) && !hand_out(line->easy, transfer, first)))
            return false;
        if (running)
            curl_multi_poll(line->multi, NULL, 0, transfer->stop ? LOOK_MS : 1000, NULL);
    }
    *code = CURLE_OK;
    for (CURLMsg *message; (message = curl_multi_info_read(line->multi, &left));)
        if (message->msg == CURLMSG_DONE)
            *code = message->data.result;
    return true;
}

/* Who writes to a connection that has ended is to hear of it as an error, whatever the program does with signals. */
static void hold_signal(sigset_t *before)
{
    sigset_t held;
    sigemptyset(&held);
    sigaddset(&held, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &held, before);
}

static void release_signal(const sigset_t *before)
{
    sigset_t held;
    sigemptyset(&held);
    sigaddset(&held, SIGPIPE);
    while (!sigismember(before, SIGPIPE) && sigtimedwait(&held, NULL, &(struct timespec){ 0 }) > 0)
        ;
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

static bool open_line(chainsi_cluster_line *line, char *why, size_t why_size)
{
    if (line->easy)
        return true;
    if (*chainsi_curl_trouble()) {
        snprintf(why, why_size, "libcurl can't be loaded (%s): install libcurl4",
                 chainsi_curl_trouble());
        return false;
    }
    line->multi = curl_multi_init();
    line->easy = curl_easy_init();
    if (!line->multi || !line->easy)
        abort(); /* out of memory */
    return true;
}

chainsi_transfer_end chainsi_cluster_transfer_run(chainsi_cluster_line *line,
                                                  const chainsi_cluster_settings *settings,
                                                  const chainsi_credentials_now *now,
                                                  chainsi_cluster_transfer *transfer)
{
    transfer->status = 0;
    transfer->retry_after_s = 0;
    transfer->why[0] = '\0';
    transfer->answer->size = 0;
    if (!open_line(line, transfer->why, sizeof transfer->why))
        return CHAINSI_TRANSFER_UNTRUSTED;
    CURL *easy = line->easy;
    chainsi_arena arena = { 0 };
    char error[CURL_ERROR_SIZE] = "";
    struct curl_slist *places = NULL;
    curl_easy_reset(easy);
    struct curl_slist *headers = set_all(easy, settings, now, transfer, &arena, &places);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error);
    curl_multi_add_handle(line->multi, easy);
    CURLcode code = CURLE_OK;
    chainsi_transfer_end end = CHAINSI_TRANSFER_DONE;
    sigset_t before;
    hold_signal(&before);
    if (!drive(line, transfer, &code))
        end = CHAINSI_TRANSFER_STOPPED;
    else if (code != CURLE_OK)
        end = say_end(easy, code, settings, transfer, error);
    long status = 0;
    curl_off_t retry_after = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after);
    transfer->status = (int)status;
    transfer->retry_after_s = (long)retry_after;
    curl_multi_remove_handle(line->multi, easy);
    release_signal(&before);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL);
    curl_slist_free_all(headers);
    curl_slist_free_all(places);
    chainsi_arena_done(&arena);
    return end;
}

void chainsi_cluster_line_done(chainsi_cluster_line *line)
{
    sigset_t before;
    hold_signal(&before); /* TLS says goodbye */
    curl_easy_cleanup(line->easy);
    if (line->multi)
        curl_multi_cleanup(line->multi);
    release_signal(&before);
    *line = (chainsi_cluster_line){ 0 };
}
