/* What TLS between Chainlets costs: calls over loopback to a server in another process, plain and by TLS on both sides.
 *
 *   tls_bench [CALLS]        default 20000 a case; a twentieth where each makes a connection
 *
 * One caller, one call at a time. Kept: all calls on one connection. Else a connection for each: with a short
 * handshake (by the ticket of the one before) and with a whole one. Plain and TLS alternate in rounds, so that both see
 * the same machine. Printed: median and p99 of a call, calls a second, and the ratio to plain TCP of the same case. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "bench.h"
#include "rpc/address.h"
#include "rpc/client.h"
#include "rpc/server.h"

enum { ROUNDS = 5, ONE_A_CONNECTION = 20 };

static chainsi_tls_identity *identity;

static void answer(void *user, chainsi_server_request *request, chainsi_server_response *response)
{
    (void)user;
    chainsi_buffer_add(response->body, request->body, request->body_size);
    response->close = chainsi_slice_is(request->head.path, "/close");
}

static void load_identity(void)
{
    char folder[] = "/tmp/chains-tls-bench-XXXXXX", why[512], command[512], certificate[64],
         key[64];
    if (!mkdtemp(folder))
        give_up("mkdtemp");
    snprintf(certificate, sizeof certificate, "%s/certificate.pem", folder);
    snprintf(key, sizeof key, "%s/key.pem", folder);
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "
             "/CN=us -addext subjectAltName=DNS:us -keyout %s -out %s 2>/dev/null",
             key, certificate);
    const chainsi_tls_files files = { certificate, key, certificate };
    bool good = system(command) == 0 && chainsi_tls_load(why, sizeof why);
    if (good)
        identity = chainsi_tls_get_engine()->load(&files, NULL, why, sizeof why);
    if (!identity) {
        fprintf(stderr, "tls_bench: no certificate\n");
        exit(1);
    }
    unlink(certificate);
    unlink(key);
    rmdir(folder);
}

static int listen_anywhere(char *text, size_t size)
{
    char why[256];
    chainsi_address address;
    chainsi_address_parse("http://127.0.0.1:0", &address, why, sizeof why);
    int fd = chainsi_address_listen(&address, 64, why, sizeof why);
    chainsi_address_done(&address);
    if (fd < 0 || !chainsi_address_of(fd, text, size))
        give_up("listen");
    return fd;
}

/* Both servers, in a process that ends with this one. */
static void serve(int plain_fd, int secure_fd)
{
    char why[256];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    chainsi_server_options options = { .slots = 2, .eager = true, .handler = answer };
    options.listen_fd = plain_fd;
    chainsi_server_start(&options, why, sizeof why);
    options.listen_fd = secure_fd;
    options.identity = identity;
    chainsi_server_start(&options, why, sizeof why);
    for (;;)
        pause();
}

typedef struct measured {
    int64_t *ns; /* of each call */
    size_t count;
    int64_t whole_ns;
} measured;

static chainsi_client *make_client(const char *address)
{
    char why[256];
    chainsi_client *client = chainsi_client_new(address, why, sizeof why);
    if (!client)
        give_up(why);
    chainsi_client_know_peer(client, identity, "us", NULL);
    return client;
}

/* afresh: a client of its own for each call, and so a whole handshake. */
static void call(const char *address, const char *path, size_t size, bool afresh, size_t count,
                 measured *into)
{
    static char body[1024 * 1024];
    chainsi_arena arena = { 0 };
    chainsi_client *client = make_client(address);
    chainsi_client_request request = { .method = "POST",
                                       .path = path,
                                       .body = body,
                                       .body_size = size,
                                       .deadline_ns = CHAINSI_NEVER };
    const int64_t began_ns = chainsi_now_ns();
    for (size_t i = 0; i < count; i++) {
        char why[256];
        chainsi_client_response response;
        const int64_t since_ns = chainsi_now_ns();
        if (chainsi_client_exchange(client, &request, &arena, &response, why, sizeof why) !=
            CHAINSI_EXCHANGE_ANSWERED) {
            fprintf(stderr, "tls_bench: %s\n", why);
            exit(1);
        }
        into->ns[into->count++] = chainsi_now_ns() - since_ns;
        chainsi_arena_reset(&arena);
        if (afresh) {
            chainsi_client_free(client);
            client = make_client(address);
        }
    }
    into->whole_ns += chainsi_now_ns() - began_ns;
    chainsi_client_free(client);
    chainsi_arena_done(&arena);
}

static int compare(const void *a, const void *b)
{
    const int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static double print(const char *name, measured *it, double floor_us)
{
    qsort(it->ns, it->count, sizeof *it->ns, compare);
    const double median_us = (double)it->ns[it->count / 2] / 1e3;
    printf("%-44s %9.1f %9.1f %10.0f", name, median_us, (double)it->ns[it->count / 100 * 99] / 1e3,
           (double)it->count * 1e9 / (double)it->whole_ns);
    if (floor_us > 0)
        printf(" %7.2f", median_us / floor_us);
    putchar('\n');
    return median_us;
}

int main(int argc, char **argv)
{
    const size_t calls = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000;
    char plain[64], bound[64], secure[80];
    load_identity();
    const int plain_fd = listen_anywhere(plain, sizeof plain),
              secure_fd = listen_anywhere(bound, sizeof bound);
    snprintf(secure, sizeof secure, "https%s", bound + 4);
    if (!fork())
        serve(plain_fd, secure_fd);
    static const struct {
        const char *name, *path;
        size_t size;
        bool afresh;
    } cases[] = {
        { "100 bytes, kept connection", "/", 100, false },
        { "64 KiB, kept connection", "/", 64 * 1024, false },
        { "1 MiB, kept connection", "/", 1024 * 1024, false },
        { "100 bytes, a connection each, short handshake", "/close", 100, false },
        { "100 bytes, a connection each, whole handshake", "/close", 100, true },
    };
    printf("%-44s %9s %9s %10s %7s\n", "", "median us", "p99 us", "calls/s", "ratio");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const bool kept = cases[i].path[1] == 0;
        size_t count = kept && cases[i].size <= 64 * 1024 ? calls : calls / ONE_A_CONNECTION;
        count = count / ROUNDS + 1;
        measured both[2] = { 0 };
        for (int j = 0; j < 2; j++)
            both[j].ns = calloc(count * ROUNDS, sizeof *both[j].ns);
        for (int round = 0; round < ROUNDS; round++)
            for (int j = 0; j < 2; j++)
                call(j ? secure : plain, cases[i].path, cases[i].size, cases[i].afresh, count,
                     &both[j]);
        printf("%s\n", cases[i].name);
        const double floor_us = print("  plain TCP", &both[0], 0);
        print("  TLS", &both[1], floor_us);
        for (int j = 0; j < 2; j++)
            free(both[j].ns);
    }
    return 0;
}
