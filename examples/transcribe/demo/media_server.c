/* A thread accepts, and each connection has one that serves its requests in turn. A connection is
 * in the server's list from before its thread starts until the thread has closed it, under the
 * lock, so that media_server_stop can shut down all that are open and wait until none is left. */
#include "media_server.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_REQUEST_HEAD = 16 * 1024, COPY_SIZE = 64 * 1024, BACKLOG = 64 };

typedef struct media_connection {
    media_server *server;
    struct media_connection *next;
    int socket;
} media_connection;

struct media_server {
    char *folder;
    int listener;
    int port;
    pthread_t acceptor;
    atomic_uint_fast64_t bytes_sent;
    pthread_mutex_t lock; /* over what follows */
    pthread_cond_t closed;
    media_connection *connections;
    bool stopping;
};

static bool send_all(int socket, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(socket, bytes, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        bytes += sent;
        size -= (size_t)sent;
    }
    return true;
}

static const char *reason_of(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 206:
        return "Partial Content";
    case 404:
        return "Not Found";
    case 416:
        return "Range Not Satisfiable";
    default:
        return "As Asked For";
    }
}

static bool send_message(int socket, int status, const char *more, bool with_body)
{
    char body[64], head[256];
    int size = snprintf(body, sizeof body, "%d %s\n", status, reason_of(status));
    snprintf(head, sizeof head,
             "HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n%s\r\n", status,
             reason_of(status), size, more);
    return send_all(socket, head, strlen(head)) &&
           (!with_body || send_all(socket, body, (size_t)size));
}

/* The value of a header in a request's head; NULL if it isn't there. */
static const char *find_header(const char *head, const char *name)
{
    size_t size = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, size) == 0 && line[size] == ':')
            return line + size + 1 + strspn(line + size + 1, " \t");
    }
    return NULL;
}

typedef enum { RANGE_NONE, RANGE_PART, RANGE_OUTSIDE } range_kind;

/* Reads "bytes=first-last", "bytes=first-" or "bytes=-count". Anything else counts as no range. */
static range_kind read_range(const char *text, int64_t size, int64_t *first, int64_t *last)
{
    if (!text || strncmp(text, "bytes=", 6) != 0)
        return RANGE_NONE;
    text += 6;
    char *end;
    if (*text == '-') {
        int64_t count = strtoll(text + 1, &end, 10);
        if (end == text + 1 || count <= 0)
            return RANGE_OUTSIDE;
        *first = count < size ? size - count : 0;
        *last = size - 1;
    } else {
        *first = strtoll(text, &end, 10);
        if (end == text || *end != '-')
            return RANGE_NONE;
        text = end + 1;
        *last = strtoll(text, &end, 10);
        if (end == text || *last > size - 1)
            *last = size - 1;
    }
    return *first >= 0 && *first < size && *first <= *last ? RANGE_PART : RANGE_OUTSIDE;
}

static bool send_bytes(media_connection *connection, int file, int64_t first, int64_t count)
{
    char *copy = malloc(COPY_SIZE);
    bool good = copy != NULL;
    while (good && count > 0) {
        size_t size = count < COPY_SIZE ? (size_t)count : COPY_SIZE;
        ssize_t got = pread(file, copy, size, first);
        good = got > 0 && send_all(connection->socket, copy, (size_t)got);
        if (good) {
            atomic_fetch_add(&connection->server->bytes_sent, (uint64_t)got);
            first += got;
            count -= got;
        }
    }
    free(copy);
    return good;
}

static bool serve_file(media_connection *connection, int file, const char *range, bool with_body)
{
    struct stat about;
    if (fstat(file, &about) < 0 || !S_ISREG(about.st_mode))
        return send_message(connection->socket, 404, "", with_body);
    int64_t size = about.st_size, first = 0, last = size - 1;
    char head[512], part[128] = "";
    range_kind kind = read_range(range, size, &first, &last);
    if (kind == RANGE_OUTSIDE) {
        snprintf(part, sizeof part, "Content-Range: bytes */%" PRId64 "\r\n", size);
        return send_message(connection->socket, 416, part, with_body);
    }
    if (kind == RANGE_PART)
        snprintf(part, sizeof part, "Content-Range: bytes %" PRId64 "-%" PRId64 "/%" PRId64 "\r\n",
                 first, last, size);
    int status = kind == RANGE_PART ? 206 : 200;
    snprintf(head, sizeof head,
             "HTTP/1.1 %d %s\r\nContent-Type: application/octet-stream\r\nContent-Length: %" PRId64
             "\r\n%s\r\n",
             status, reason_of(status), last - first + 1, part);
    return send_all(connection->socket, head, strlen(head)) &&
           (!with_body || send_bytes(connection, file, first, last - first + 1));
}

/* Answers one request. False: the connection is of no more use. */
static bool serve_request(media_connection *connection, const char *head)
{
    char method[8], target[1024], path[4096];
    if (sscanf(head, "%7s %1023s", method, target) != 2 || target[0] != '/')
        return false;
    bool with_body = strcmp(method, "HEAD") != 0;
    if (with_body && strcmp(method, "GET") != 0)
        return false;
    int status;
    if (sscanf(target, "/status/%3d", &status) == 1)
        return send_message(connection->socket, status, "", with_body);

    const char *name = target, *range = find_header(head, "Range");
    if (strncmp(name, "/no-ranges/", strlen("/no-ranges/")) == 0) {
        name += strlen("/no-ranges");
        range = NULL;
    }
    snprintf(path, sizeof path, "%s%s", connection->server->folder, name);
    int file = strstr(name, "..") ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return send_message(connection->socket, 404, "", with_body);
    bool good = serve_file(connection, file, range, with_body);
    close(file);
    return good;
}

static void serve_connection(media_connection *connection)
{
    char head[MAX_REQUEST_HEAD + 1];
    size_t size = 0;
    for (;;) {
        head[size] = 0;
        char *end = strstr(head, "\r\n\r\n");
        if (end) {
            end[2] = 0; /* the last line keeps its end */
            if (!serve_request(connection, head))
                return;
            size -= (size_t)(end + 4 - head);
            memmove(head, end + 4, size);
            continue;
        }
        if (size == MAX_REQUEST_HEAD)
            return;
        ssize_t got = recv(connection->socket, head + size, MAX_REQUEST_HEAD - size, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return;
        size += (size_t)got;
    }
}

static void *run_connection(void *user)
{
    media_connection *connection = user;
    media_server *server = connection->server;
    serve_connection(connection);

    pthread_mutex_lock(&server->lock);
    struct media_connection **at = &server->connections;
    while (*at != connection)
        at = &(*at)->next;
    *at = connection->next;
    close(connection->socket);
    pthread_cond_signal(&server->closed);
    pthread_mutex_unlock(&server->lock);
    free(connection);
    return NULL;
}

/* Gives an accepted socket its thread; closes it where that can't be had. */
static void start_connection(media_server *server, int socket)
{
    media_connection *connection = malloc(sizeof *connection);
    bool started = false;
    pthread_mutex_lock(&server->lock);
    if (connection && !server->stopping) {
        *connection = (struct media_connection){ server, server->connections, socket };
        pthread_t thread;
        started = pthread_create(&thread, NULL, run_connection, connection) == 0;
        if (started) {
            pthread_detach(thread);
            server->connections = connection;
        }
    }
    pthread_mutex_unlock(&server->lock);
    if (!started) {
        close(socket);
        free(connection);
    }
}

static void *run_acceptor(void *user)
{
    media_server *server = user;
    for (;;) {
        int socket = accept(server->listener, NULL, NULL);
        if (socket >= 0) {
            fcntl(socket, F_SETFD, FD_CLOEXEC);
            start_connection(server, socket);
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return NULL; /* media_server_stop shut the listener down */
        }
    }
}

static int listen_on(int port, int *bound)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0)
        return -1;
    int yes = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                   .sin_port = htons((uint16_t)port) };
    socklen_t size = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, BACKLOG) < 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) < 0) {
        close(listener);
        return -1;
    }
    *bound = ntohs(address.sin_port);
    return listener;
}

media_server *media_server_start(const char *folder, int port)
{
    media_server *server = calloc(1, sizeof *server);
    if (!server)
        return NULL;
    server->folder = strdup(folder);
    server->listener = listen_on(port, &server->port);
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->closed, NULL);
    if (!server->folder || server->listener < 0 ||
        pthread_create(&server->acceptor, NULL, run_acceptor, server) != 0) {
        if (server->listener >= 0)
            close(server->listener);
        free(server->folder);
        free(server);
        return NULL;
    }
    return server;
}

void media_server_stop(media_server *server)
{
    if (!server)
        return;
    pthread_mutex_lock(&server->lock);
    server->stopping = true;
    pthread_mutex_unlock(&server->lock);
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->acceptor, NULL);
    close(server->listener);

    pthread_mutex_lock(&server->lock);
    for (media_connection *at = server->connections; at; at = at->next)
        shutdown(at->socket, SHUT_RDWR);
    while (server->connections)
        pthread_cond_wait(&server->closed, &server->lock);
    pthread_mutex_unlock(&server->lock);
    pthread_mutex_destroy(&server->lock);
    pthread_cond_destroy(&server->closed);
    free(server->folder);
    free(server);
}

int media_server_port(const media_server *server)
{
    return server->port;
}

uint64_t media_server_bytes_sent(const media_server *server)
{
    return atomic_load(&server->bytes_sent);
}
