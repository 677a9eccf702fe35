/* What the front door of chainsd adds to a call: client -> chainsd -> service, beside client -> service, over
 * one bare hop by TCP of the same bytes.
 *
 *   front_bench [ROUNDS [CALLS]]     default 20 rounds of 500 calls
 *
 * The client is a blocking socket that writes a request made beforehand, so that what it costs is in none of
 * the differences. Both ways lead to the same process of call_service, by HTTP on a kept connection. Rounds are
 * interleaved; take the ratio, not the microseconds. chainsd and call_service are found beside this program. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "bench.h"
#include "rpc/client.h"

enum {
    MOST_ANSWER = 64 * 1024,
    START_LIMIT_MS = 10000,
    LOOK_EVERY_MS = 5,
    WARM_UP = 200,
};

static char home[] = "/tmp/chains-bench-XXXXXX";
static cpu_set_t all_cpus;

/* ------------------------------------------------------------------------------------------------
 * places and numbers */

/* Has a process, with all its threads, run on the n-th CPU that this one may use. */
static void pin(pid_t pid, int n)
{
    cpu_set_t one = nth_cpu(&all_cpus, n);
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    if (!tasks)
        give_up(path);
    for (struct dirent *task; (task = readdir(tasks));)
        if (task->d_name[0] != '.' && sched_setaffinity(atoi(task->d_name), sizeof one, &one) < 0)
            give_up("sched_setaffinity");
    closedir(tasks);
}

/* ------------------------------------------------------------------------------------------------
 * ways: a connection and the bytes of a request */

typedef struct way {
    int fd;
    char request[512];
    size_t request_size, answer_size; /* bytes */
    int64_t *samples;
} way;

static int connect_tcp(int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        give_up("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void make_request(way *it, const char *path)
{
    static const char body[] =
        "{\"text\":"
        "\"0123456789012345678901234567890123456789012345678901234567890123\"}";
    it->request_size = (size_t)snprintf(
        it->request, sizeof it->request,
        "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nX-Request-Id: "
        "0123456789abcdef0123456789abcdef\r\nContent-Length: %zu\r\n\r\n%s",
        path, sizeof body - 1, body);
}

/* Makes a call and finds how long its answer is; the answers to equal requests are equally long. */
static void learn_answer(way *it)
{
    char answer[MOST_ANSWER + 1];
    size_t size = 0;
    write_all(it->fd, it->request, it->request_size);
    for (;;) {
        ssize_t got = read(it->fd, answer + size, MOST_ANSWER - size);
        if (got <= 0)
            give_up("the first answer");
        size += (size_t)got;
        answer[size] = 0;
        const char *end = strstr(answer, "\r\n\r\n"), *length = strstr(answer, "Content-Length: ");
        if (end && length && size == (size_t)(end + 4 - answer) + strtoul(length + 16, NULL, 10))
            break;
    }
    if (strncmp(answer, "HTTP/1.1 200 ", 13) != 0) {
        fprintf(stderr, "front_bench: %s\n", answer);
        exit(1);
    }
    it->answer_size = size;
}

static void call(way *it, int count, int64_t *samples)
{
    char answer[MOST_ANSWER];
    for (int i = 0; i < count; i++) {
        int64_t start = chainsi_now_ns();
        write_all(it->fd, it->request, it->request_size);
        if (!read_all(it->fd, answer, it->answer_size))
            give_up("the connection ended");
        if (samples)
            samples[i] = chainsi_now_ns() - start;
    }
}

/* A process that answers `in` bytes with `out` bytes by TCP; *port is where. */
static pid_t start_floor(size_t in, size_t out, int *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) < 0 ||
        listen(listener, 1) < 0 || getsockname(listener, (struct sockaddr *)&address, &size) < 0)
        give_up("the floor's socket");
    *port = ntohs(address.sin_port);
    pid_t child = fork();
    if (child < 0)
        give_up("fork");
    if (child > 0) {
        close(listener);
        return child;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int fd = accept(listener, NULL, NULL);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    char *data = calloc(1, MOST_ANSWER);
    while (data && read_all(fd, data, in))
        write_all(fd, data, out);
    _exit(0);
}

/* ------------------------------------------------------------------------------------------------
 * the daemon */

typedef struct daemon_process {
    pid_t pid, brain, service; /* the brain is the one that calls go through */
    int port;
    char socket_path[100]; /* of the service */
} daemon_process;

static bool read_line(const char *name, char *line, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", home, name);
    FILE *file = fopen(path, "r");
    bool got = file && fgets(line, (int)size, file);
    if (file)
        fclose(file);
    line[got ? strcspn(line, "\n") : 0] = 0;
    return got;
}

static void wait_a_little(int64_t until, const char *what)
{
    if (chainsi_now_ns() > until) {
        fprintf(stderr, "front_bench: not in time: %s\n", what);
        exit(1);
    }
    nanosleep(&(struct timespec){ .tv_nsec = LOOK_EVERY_MS * CHAINSI_NS_PER_MS }, NULL);
}

/* One request to the daemon's API; the answer lives in the arena. */
static const char *ask(const char *url, const char *method, const char *path, const char *body,
                       chainsi_arena *arena)
{
    char why[256], token[64];
    read_line("token", token, sizeof token);
    chainsi_client *client = chainsi_client_new(url, why, sizeof why);
    const char *headers = chainsi_arena_printf(
        arena, "Content-Type: application/json\r\nAuthorization: Bearer %s\r\n", token);
    chainsi_client_request request = {
        .method = method,
        .path = path,
        .headers = headers,
        .headers_size = strlen(headers),
        .body = body,
        .body_size = body ? strlen(body) : 0,
        .deadline_ns = CHAINSI_NEVER,
    };
    chainsi_client_response response;
    if (!client || chainsi_client_exchange(client, &request, arena, &response, why, sizeof why) !=
                       CHAINSI_EXCHANGE_ANSWERED) {
        fprintf(stderr, "front_bench: %s\n", why);
        exit(1);
    }
    if (response.status / 100 != 2) {
        fprintf(stderr, "front_bench: HTTP %d: %s\n", response.status, response.body);
        exit(1);
    }
    chainsi_client_free(client);
    return response.body;
}

/* The daemon's child that is not the service. */
static pid_t find_brain(const daemon_process *daemon)
{
    char path[64];
    int child, brain = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)daemon->pid, (int)daemon->pid);
    FILE *children = fopen(path, "r");
    while (children && fscanf(children, "%d", &child) == 1)
        if (child != daemon->service)
            brain = child;
    if (!brain)
        give_up(path);
    fclose(children);
    return brain;
}

static void start_daemon(daemon_process *daemon, const char *folder)
{
    char program[4200], service[4200], address[128];
    snprintf(program, sizeof program, "%s/../chainsd", folder);
    snprintf(service, sizeof service, "%s/call_service", folder);
    setenv("CHAINS_HOME", home, 1);
    daemon->pid = fork();
    if (daemon->pid < 0)
        give_up("fork");
    if (!daemon->pid) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        int quiet = open("/dev/null", O_WRONLY);
        dup2(quiet, STDERR_FILENO);
        execl(program, "chainsd", "--port", "0", (char *)NULL);
        _exit(127);
    }
    int64_t until = chainsi_deadline_after_ms(chainsi_now_ns(), START_LIMIT_MS);
    while (!read_line("address", address, sizeof address))
        wait_a_little(until, program);
    daemon->port = atoi(strrchr(address, ':') + 1);

    chainsi_arena arena = { 0 };
    ask(address, "POST", "/api/v1/chains",
        chainsi_arena_printf(&arena,
                             "{\"chain\":\"echo\",\"entrypoint\":\"echo\",\"services\":[{\"name\":"
                             "\"echo\",\"c_name\":\"echo\",\"binary\":\"%s\",\"dependencies\":[],"
                             "\"env\":[{\"name\":\"BENCH_SLOTS\",\"value\":\"4\"}]}]}",
                             service),
        &arena);
    const char *chain;
    while (!strstr(chain = ask(address, "GET", "/api/v1/chains/echo", NULL, &arena),
                   "\"state\":\"ready\",\"chainlet\":")) /* of the deployment */
        wait_a_little(until, "the service to be ready");
    daemon->service = atoi(strstr(chain, "\"pid\":") + 6);
    daemon->brain = find_brain(daemon);
    chainsi_arena_done(&arena);
    snprintf(daemon->socket_path, sizeof daemon->socket_path, "%s/run/echo/production/1/echo.calls",
             home);
}

/* ------------------------------------------------------------------------------------------------
 * the comparison */

/* far: the other processes run on a CPU of their own, and whoever has to wait for two of them finds them on
 * both. */
static void compare_ways(const char *where, bool far, daemon_process *daemon, pid_t floor_pid,
                         way ways[3], int rounds, int calls)
{
    size_t count = (size_t)rounds * (size_t)calls;
    pin(getpid(), 0);
    pin(floor_pid, far);
    pin(daemon->brain, far);
    for (int i = 0; i < 3; i++) {
        ways[i].samples = malloc(count * sizeof *ways[i].samples);
        if (!ways[i].samples)
            give_up("malloc");
    }
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < 3; i++) {
            /* Through the door the call comes back to the client's CPU: every hop is a far one. */
            pin(daemon->service, far && i != 2);
            call(&ways[i], WARM_UP, NULL);
            call(&ways[i], calls, ways[i].samples + (size_t)round * (size_t)calls);
        }
    }
    summary floor = summarize(ways[0].samples, count), direct = summarize(ways[1].samples, count),
            door = summarize(ways[2].samples, count);
    printf("%s\n", where);
    printf("  %-34s median %7.1f us, p99 %7.1f us\n", "one bare hop by TCP (the floor)",
           floor.median, floor.p99);
    printf("  %-34s median %7.1f us, p99 %7.1f us\n", "client -> service", direct.median,
           direct.p99);
    printf("  %-34s median %7.1f us, p99 %7.1f us\n", "client -> chainsd -> service", door.median,
           door.p99);
    printf("  %-34s %14.1f us, %.2f times the floor (target 1.5)\n", "the front door adds",
           door.median - direct.median, (door.median - direct.median) / floor.median);
    for (int i = 0; i < 3; i++)
        free(ways[i].samples);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 20, calls = argc > 2 ? atoi(argv[2]) : 500;
    if (argc > 3 || rounds < 1 || calls < 1) {
        fprintf(stderr, "usage: front_bench [ROUNDS [CALLS]]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    char folder[4096];
    find_programs(folder, sizeof folder);
    if (sched_getaffinity(0, sizeof all_cpus, &all_cpus) < 0 || !mkdtemp(home))
        give_up("getting ready");

    daemon_process daemon;
    start_daemon(&daemon, folder);
    way ways[3] = { 0 };
    make_request(&ways[1], "/run_remote");
    ways[1].fd = connect_unix(unix_address("%s", daemon.socket_path));
    learn_answer(&ways[1]);
    make_request(&ways[2], "/chains/echo/production/run_remote");
    ways[2].fd = connect_tcp(daemon.port);
    learn_answer(&ways[2]);
    ways[0] = ways[2]; /* the bytes */
    int port;
    pid_t floor_pid = start_floor(ways[0].request_size, ways[0].answer_size, &port);
    ways[0].fd = connect_tcp(port);
    printf("%d rounds of %d calls, a text of 64 bytes each way; by TCP %zu bytes there, %zu back\n",
           rounds, calls, ways[0].request_size, ways[0].answer_size);

    compare_ways("all on one CPU", false, &daemon, floor_pid, ways, rounds, calls);
    if (CPU_COUNT(&all_cpus) > 1)
        compare_ways("on two CPUs, each hop between them", true, &daemon, floor_pid, ways, rounds,
                     calls);
    stop(floor_pid);
    stop(daemon.pid);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", home);
    return system(command) == 0 ? 0 : 1;
}
