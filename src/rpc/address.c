/* Parsing of addresses, and the system calls that make sockets of them.
 *
 * A Unix socket's path may be longer than sockaddr_un has room for. Such a socket is reached through
 * /proc/self/fd: its own O_PATH descriptor to connect, and its directory's to bind. */
#include "rpc/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "rpc/limits.h"

static char *copy(const char *data, size_t size)
{
    char *text = strndup(data, size);
    if (!text)
        abort();
    return text;
}

static bool is_host_character(char c, bool bracketed)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '-' || c == '_' || (bracketed && (c == ':' || c == '%'));
}

static bool parse_url(const char *text, const char *host, chainsi_address_kind kind,
                      chainsi_address *address, char *why, size_t why_size)
{
    bool bracketed = *host == '[';
    const char *start = host + bracketed, *at = start;
    while (is_host_character(*at, bracketed))
        at++;
    size_t host_size = (size_t)(at - start);
    if (!host_size || (bracketed && *at++ != ']')) {
        snprintf(why, why_size, "'%s' has no host name or address behind '//'", text);
        return false;
    }
    long port = kind == CHAINSI_ADDRESS_HTTPS ? 443 : 80;
    if (*at == ':') {
        port = 0;
        const char *digits = ++at;
        while (*at >= '0' && *at <= '9' && at - digits < 5)
            port = port * 10 + (*at++ - '0');
        if (at == digits || port > 65535 || (*at && *at != '/')) {
            snprintf(why, why_size, "'%s' has no port from 0 to 65535 behind its colon", text);
            return false;
        }
    }
    const char *authority_end = at;
    for (const char *c = at; *c; c++) {
        if (*c <= ' ' || *c >= 0x7f || *c == '?' || *c == '#') {
            at = "";
            break;
        }
    }
    if ((*at && *at != '/') || (!*at && *authority_end)) {
        snprintf(why, why_size, "'%s' has something other than a path behind its host", text);
        return false;
    }
    size_t prefix = strlen(at);
    while (prefix && at[prefix - 1] == '/')
        prefix--;
    *address = (chainsi_address){ .kind = kind,
                                  .path = copy(at, prefix),
                                  .host = copy(start, host_size),
                                  .authority = copy(host, (size_t)(authority_end - host)),
                                  .port = (uint16_t)port };
    return true;
}

bool chainsi_address_parse(const char *text, chainsi_address *address, char *why, size_t why_size)
{
    if (!strncasecmp(text, "http://", 7))
        return parse_url(text, text + 7, CHAINSI_ADDRESS_HTTP, address, why, why_size);
    if (!strncasecmp(text, "https://", 8))
        return parse_url(text, text + 8, CHAINSI_ADDRESS_HTTPS, address, why, why_size);
    if (!strncmp(text, "unix:", 5) && text[5]) {
        *address = (chainsi_address){ .kind = CHAINSI_ADDRESS_UNIX,
                                      .path = copy(text + 5, strlen(text + 5)),
                                      .authority = copy("localhost", 9) };
        return true;
    }
    snprintf(why, why_size,
             "'%s' is no address: it must be unix:/path, http://host:port or https://host[:port]",
             text);
    return false;
}

void chainsi_address_done(chainsi_address *address)
{
    free(address->path);
    free(address->host);
    free(address->authority);
    *address = (chainsi_address){ 0 };
}

chainsi_wait_end chainsi_wait_for(int fd, short events, short *revents, int64_t deadline_ns,
                                  const chainsi_interrupt *interrupt)
{
    struct pollfd watched[3] = { { .fd = fd, .events = events } };
    int count = 1;
    for (int i = 0; interrupt && i < interrupt->count; i++)
        watched[count++] =
            (struct pollfd){ .fd = interrupt->watch[i].fd, .events = interrupt->watch[i].events };
    for (;;) {
        int timeout = -1;
        if (deadline_ns != CHAINSI_NEVER) {
            int64_t now = chainsi_now_ns();
            /* Asked before poll: what trickles in must not outlast the deadline. */
            if (now >= deadline_ns)
                return CHAINSI_WAIT_DEADLINE;
            timeout = chainsi_poll_timeout(deadline_ns, now);
        }
        int ready = poll(watched, (nfds_t)count, timeout);
        bool touched = false;
        for (int i = 1; ready > 0 && i < count; i++)
            touched = touched || watched[i].revents;
        if (touched && (!interrupt->check || interrupt->check(interrupt->user)))
            return CHAINSI_WAIT_INTERRUPTED;
        if (ready > 0 && watched[0].revents) {
            if (revents)
                *revents = watched[0].revents;
            return CHAINSI_WAIT_READY;
        }
    }
}

/* ------------------------------------------------------------------------------------------------
 * connecting */

/* Closes fd and gives -1 with errno as it was. */
static int close_failed(int fd)
{
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static void name_unix(struct sockaddr_un *name, const char *path)
{
    *name = (struct sockaddr_un){ .sun_family = AF_UNIX };
    memcpy(name->sun_path, path, strlen(path) + 1);
}

static bool fits(const char *path)
{
    return strlen(path) < sizeof((struct sockaddr_un *)0)->sun_path;
}

static int connect_unix(const char *path, char *why, size_t why_size)
{
    struct sockaddr_un name;
    int handle = -1;
    if (fits(path)) {
        name_unix(&name, path);
    } else {
        handle = open(path, O_PATH | O_CLOEXEC);
        if (handle < 0) {
            snprintf(why, why_size, "cannot connect to '%s': %s", path, strerror(errno));
            return -1;
        }
        char link[40];
        snprintf(link, sizeof link, "/proc/self/fd/%d", handle);
        name_unix(&name, link);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int failed = fd < 0 ? -1 : connect(fd, (struct sockaddr *)&name, sizeof name);
    int error = errno;
    if (handle >= 0)
        close(handle);
    errno = error;
    if (failed) {
        snprintf(why, why_size, "cannot connect to '%s': %s", path,
                 error == EAGAIN ? "its queue is full" : strerror(error));
        return fd < 0 ? -1 : close_failed(fd);
    }
    fcntl(fd, F_SETFL, 0); /* blocking from here on */
    return fd;
}

void chainsi_address_settle(int fd)
{
    const int probes = CHAINSI_HOST_LOST_MS / 1000 / CHAINSI_HOST_PROBE_EACH_S;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){ 1 }, sizeof(int));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &(int){ CHAINSI_HOST_PROBE_S }, sizeof(int));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &(int){ CHAINSI_HOST_PROBE_EACH_S }, sizeof(int));
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

void chainsi_address_limit_sending(int fd, bool on)
{
    const unsigned limit_ms = on ? CHAINSI_HOST_LOST_MS : 0;
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit_ms, sizeof limit_ms);
}

/* One connection attempt to one socket address. */
static int connect_tcp(const struct addrinfo *to, int64_t deadline_ns,
                       const chainsi_interrupt *interrupt)
{
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, to->ai_addr, to->ai_addrlen)) {
        if (errno != EINPROGRESS)
            return close_failed(fd);
        chainsi_wait_end end = chainsi_wait_for(fd, POLLOUT, NULL, deadline_ns, interrupt);
        int error = 0;
        socklen_t size = sizeof error;
        if (end == CHAINSI_WAIT_DEADLINE)
            error = ETIMEDOUT;
        else if (end == CHAINSI_WAIT_INTERRUPTED)
            error = EINTR;
        else
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error) {
            errno = error;
            return close_failed(fd);
        }
    }
    fcntl(fd, F_SETFL, 0);
    chainsi_address_settle(fd);
    chainsi_address_limit_sending(fd, true);
    return fd;
}

static struct addrinfo *look_up(const chainsi_address *address, int flags, char *why,
                                size_t why_size)
{
    char port[8];
    snprintf(port, sizeof port, "%u", address->port);
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | flags };
    struct addrinfo *found = NULL;
    int failed = getaddrinfo(address->host, port, &hints, &found);
    if (failed) {
        int error = failed == EAI_SYSTEM ? errno : failed == EAI_AGAIN ? EHOSTUNREACH : ENOENT;
        snprintf(why, why_size, "cannot find the host '%s': %s", address->host,
                 failed == EAI_SYSTEM ? strerror(error) : gai_strerror(failed));
        errno = error;
        return NULL;
    }
    return found;
}

int chainsi_address_connect(const chainsi_address *address, int64_t deadline_ns,
                            const chainsi_interrupt *interrupt, char *why, size_t why_size)
{
    if (address->kind == CHAINSI_ADDRESS_UNIX)
        return connect_unix(address->path, why, why_size);
    struct addrinfo *found = look_up(address, 0, why, why_size);
    int fd = -1;
    for (struct addrinfo *to = found; to && fd < 0; to = to->ai_next) {
        fd = connect_tcp(to, deadline_ns, interrupt);
        if (fd >= 0)
            break;
        int failure = errno;
        snprintf(why, why_size, "cannot connect to '%s' port %u: %s", address->host, address->port,
                 failure == EINTR ? "interrupted" : strerror(failure));
        errno = failure;
        if (failure == EINTR)
            break;
    }
    int error = errno;
    if (found)
        freeaddrinfo(found);
    errno = error;
    return fd;
}

int chainsi_address_begin_connect(const chainsi_address *address)
{
    char why[128];
    struct addrinfo *found = look_up(address, AI_NUMERICHOST, why, sizeof why);
    if (!found)
        return -1;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0) {
        chainsi_address_settle(fd);
        chainsi_address_limit_sending(fd, true);
        if (connect(fd, found->ai_addr, found->ai_addrlen) && errno != EINPROGRESS)
            fd = close_failed(fd);
    }
    int error = errno;
    freeaddrinfo(found);
    errno = error;
    return fd;
}

/* ------------------------------------------------------------------------------------------------
 * listening */

/* Binds fd to a path of any length. */
static int bind_unix(int fd, const char *path)
{
    struct sockaddr_un name;
    if (fits(path)) {
        name_unix(&name, path);
        return bind(fd, (struct sockaddr *)&name, sizeof name);
    }
    const char *slash = strrchr(path, '/');
    const char *file = slash ? slash + 1 : path;
    char *folder = slash ? copy(path, (size_t)(slash - path) + 1) : copy(".", 1);
    int handle = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    if (handle < 0)
        return -1;
    char through[sizeof name.sun_path];
    int size = snprintf(through, sizeof through, "/proc/self/fd/%d/%s", handle, file);
    int failed;
    if ((size_t)size < sizeof through) {
        name_unix(&name, through);
        failed = bind(fd, (struct sockaddr *)&name, sizeof name);
    } else {
        /* Even the file's name is too long: it gets that after it was bound. A socket is bound only
         * once, so what is in the way has to be seen before. */
        struct stat there;
        char temporary[40];
        snprintf(temporary, sizeof temporary, ".bind-%d-%d", (int)getpid(), fd);
        snprintf(through, sizeof through, "/proc/self/fd/%d/%s", handle, temporary);
        name_unix(&name, through);
        if (!fstatat(handle, file, &there, AT_SYMLINK_NOFOLLOW)) {
            errno = EADDRINUSE;
            failed = -1;
        } else {
            failed = bind(fd, (struct sockaddr *)&name, sizeof name);
        }
        if (!failed) {
            failed = linkat(handle, temporary, handle, file, 0);
            int error = errno == EEXIST ? EADDRINUSE : errno;
            unlinkat(handle, temporary, 0);
            errno = error;
        }
    }
    int error = errno;
    close(handle);
    errno = error;
    return failed;
}

/* Whether a socket's file is left over from a process that has ended. */
static bool is_abandoned(const char *path)
{
    struct stat there;
    if (lstat(path, &there) || !S_ISSOCK(there.st_mode))
        return false;
    char why[256];
    int fd = connect_unix(path, why, sizeof why);
    if (fd >= 0) {
        close(fd);
        return false;
    }
    return errno == ECONNREFUSED;
}

static int listen_unix(const char *path, int backlog, char *why, size_t why_size)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int failed = fd < 0 ? -1 : bind_unix(fd, path);
    if (failed && fd >= 0 && errno == EADDRINUSE) {
        if (is_abandoned(path) && !unlink(path))
            failed = bind_unix(fd, path);
        else
            errno = EADDRINUSE;
    }
    if (!failed)
        failed = listen(fd, backlog);
    if (failed) {
        int error = errno;
        snprintf(why, why_size, "cannot listen on '%s': %s", path, strerror(error));
        errno = error;
        return fd < 0 ? -1 : close_failed(fd);
    }
    return fd;
}

int chainsi_address_listen(const chainsi_address *address, int backlog, char *why, size_t why_size)
{
    if (address->kind == CHAINSI_ADDRESS_UNIX)
        return listen_unix(address->path, backlog, why, why_size);
    if (address->kind == CHAINSI_ADDRESS_HTTPS) {
        snprintf(why, why_size, "cannot listen on https: only on unix:/path and http://host:port");
        errno = EPROTONOSUPPORT;
        return -1;
    }
    struct addrinfo *found = look_up(address, AI_PASSIVE, why, why_size);
    int fd = -1;
    for (struct addrinfo *to = found; to && fd < 0; to = to->ai_next) {
        fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd >= 0) {
            setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
            if (bind(fd, to->ai_addr, to->ai_addrlen) || listen(fd, backlog))
                fd = close_failed(fd);
        }
        if (fd < 0)
            snprintf(why, why_size, "cannot listen on '%s' port %u: %s", address->host,
                     address->port, strerror(errno));
    }
    int error = errno;
    if (found)
        freeaddrinfo(found);
    errno = error;
    return fd;
}

bool chainsi_address_of(int fd, char *text, size_t size)
{
    struct sockaddr_storage name;
    socklen_t name_size = sizeof name;
    char host[INET6_ADDRSTRLEN];
    if (getsockname(fd, (struct sockaddr *)&name, &name_size))
        return false;
    if (name.ss_family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)&name;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        snprintf(text, size, "http://%s:%u", host, ntohs(in->sin_port));
        return true;
    }
    if (name.ss_family == AF_INET6) {
        struct sockaddr_in6 *in = (struct sockaddr_in6 *)&name;
        inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof host);
        snprintf(text, size, "http://[%s]:%u", host, ntohs(in->sin6_port));
        return true;
    }
    return false;
}
