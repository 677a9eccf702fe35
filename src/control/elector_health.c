/* HTTP, as far as probes need it: the first line of a request says what is asked, and each connection is one answer. Who is slow
 * is let go. */
#include "control/elector_health.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "cluster/curl_late.h"
#include "control/home.h"
#include "control/log.h"
#include "rpc/address.h"

enum { READ_MS = 500, FRONT_MS = 800, MOST_REQUEST = 8192, BACKLOG = 64 };

struct chainsi_elector_health {
    int fd, stop_fd;
    pthread_t thread;
    chainsi_candidate *candidate;
    const atomic_bool *leads;
    char *home; /* owned; NULL: it isn't known */
};

static size_t throw_away(char *data, size_t one, size_t size, void *user)
{
    (void)data;
    (void)one;
    (void)user;
    return size;
}

/* Whether the child's front door says that all is well. */
static bool does_front_answer(const chainsi_elector_health *health)
{
    char address[512], url[600];
    long status = 0;
    if (!health->home || !chainsi_home_read_address(health->home, address, sizeof address) ||
        *chainsi_curl_trouble())
        return false;
    CURL *easy = curl_easy_init();
    if (!easy)
        abort(); /* out of memory */
    snprintf(url, sizeof url, "%s/healthz", address);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)FRONT_MS);
    /* It is on this machine, and whether it is there is all that is asked. */
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, throw_away);
    if (curl_easy_perform(easy) == CURLE_OK)
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(easy);
    return status == 200;
}

/* Answers /readyz: a status, and words for people. */
static int judge(const chainsi_elector_health *health, char *text, size_t size)
{
    chainsi_candidate_state state;
    chainsi_candidate_look(health->candidate, &state);
    if (!atomic_load(health->leads)) {
        if (state.trouble[0])
            snprintf(text, size, "stands by, and the Lease can't be asked for: %s\n",
                     state.trouble);
        else
            snprintf(text, size, "stands by: %s leads\n",
                     state.leader[0] ? state.leader : "nobody");
        return 503;
    }
    bool good = does_front_answer(health);
    snprintf(text, size, good ? "leads\n" : "leads, and its front door doesn't answer yet\n");
    return good ? 200 : 503;
}

/* Until the empty line, or the end of patience. False: that isn't a request. */
static bool read_request(int fd, char request[MOST_REQUEST])
{
    size_t size = 0;
    int64_t deadline_ns = chainsi_deadline_after_ms(chainsi_now_ns(), READ_MS);
    for (;;) {
        struct pollfd polled = { fd, POLLIN, 0 };
        if (poll(&polled, 1, chainsi_poll_timeout(deadline_ns, chainsi_now_ns())) <= 0)
            return false;
        ssize_t got = recv(fd, request + size, MOST_REQUEST - 1 - size, MSG_DONTWAIT);
        if (got <= 0)
            return false;
        size += (size_t)got;
        request[size] = '\0';
        if (strstr(request, "\r\n\r\n") || strstr(request, "\n\n"))
            return true;
        if (size == MOST_REQUEST - 1)
            return false;
    }
}

static void answer(const chainsi_elector_health *health, int fd)
{
    char request[MOST_REQUEST], method[8], path[64], text[1400] = "ok\n", reply[1600];
    int status = 200;
    if (!read_request(fd, request) || sscanf(request, "%7s %63[^? ]", method, path) != 2)
        return;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        status = 405;
        snprintf(text, sizeof text, "GET\n");
    } else if (!strcmp(path, "/readyz")) {
        status = judge(health, text, sizeof text);
    } else if (strcmp(path, "/healthz") != 0 && strcmp(path, "/livez") != 0) {
        status = 404;
        snprintf(text, sizeof text, "/healthz, /livez, /readyz\n");
    }
    int size = snprintf(reply, sizeof reply,
                        "HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
                        "Connection: close\r\n\r\n%s",
                        status,
                        status == 200   ? "OK"
                        : status == 503 ? "Service Unavailable"
                                        : "No",
                        strlen(text), strcmp(method, "HEAD") != 0 ? text : "");
    if (send(fd, reply, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT) == size)
        shutdown(fd, SHUT_WR);
}

static void *run(void *argument)
{
    const chainsi_elector_health *health = argument;
    struct pollfd polled[] = { { health->fd, POLLIN, 0 }, { health->stop_fd, POLLIN, 0 } };
    while (poll(polled, 2, -1) < 0 || !polled[1].revents) {
        int fd = accept4(health->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            continue;
        answer(health, fd);
        close(fd);
    }
    return NULL;
}

static int listen_at(const char *host, int port, char *why, size_t why_size)
{
    chainsi_address address = {
        .kind = CHAINSI_ADDRESS_HTTP,
        .host = (char *)(uintptr_t)host,
        .port = (uint16_t)port,
    };
    return chainsi_address_listen(&address, BACKLOG, why, why_size);
}

chainsi_elector_health *chainsi_elector_health_start(int port, bool here_only,
                                                     chainsi_candidate *candidate,
                                                     const atomic_bool *leads)
{
    char why[512], where[128] = "";
    int fd = here_only ? listen_at("127.0.0.1", port, why, sizeof why)
                       : listen_at("::", port, why, sizeof why);
    if (fd < 0 && !here_only && errno == EAFNOSUPPORT)
        fd = listen_at("0.0.0.0", port, why, sizeof why);
    if (fd < 0) {
        fprintf(stderr, "chainsd: %s; choose another port with --health-port\n", why);
        return NULL;
    }
    chainsi_elector_health *health = calloc(1, sizeof *health);
    if (!health)
        abort();
    *health = (chainsi_elector_health){ .fd = fd,
                                        .stop_fd = eventfd(0, EFD_CLOEXEC),
                                        .candidate = candidate,
                                        .leads = leads,
                                        .home = chainsi_home_find(why, sizeof why) };
    chainsi_address_of(fd, where, sizeof where);
    chainsi_say("probes are answered at %s", where);
    if (health->stop_fd < 0 || pthread_create(&health->thread, NULL, run, health) != 0)
        abort();
    return health;
}

void chainsi_elector_health_stop(chainsi_elector_health *health)
{
    if (!health)
        return;
    uint64_t one = 1;
    if (write(health->stop_fd, &one, sizeof one) == sizeof one)
        pthread_join(health->thread, NULL);
    close(health->fd);
    close(health->stop_fd);
    free(health->home);
    free(health);
}
