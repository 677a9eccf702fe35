/* How soon a service answers after exec, and what it holds when idle, beside a static C server.
 *
 *   start_bench [STARTS]      default 40 of each
 *
 * The service is call_service, with an empty _new; the server is start_floor, linked statically, which reads the request
 * and writes an answer. Both are found beside this program and started in turn, on inherited listening sockets, in one
 * of which the first request waits. */
#include <sys/mman.h>

#include "call_processes.h"

enum { MOST_STARTS = 10000 };

typedef struct started {
    const char *program;
    int64_t samples[MOST_STARTS];
    long resident_kib;
} started;

/* The status line of the answer to one plain HTTP request, whose connection then closes. */
static void request_once(void)
{
    static const char request[] =
        "POST /run_remote HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n"
        "Content-Type: application/json\r\nContent-Length: 16\r\n\r\n"
        "{\"text\":\"hello\"}";
    int fd = connect_to("calls");
    write_all(fd, request, sizeof request - 1);
    char answer[12];
    if (!read_all(fd, answer, sizeof answer) || memcmp(answer, "HTTP/1.1 200", 12) != 0) {
        fprintf(stderr, "start_bench: the service answered '%.12s'\n", answer);
        exit(1);
    }
    close(fd);
}

/* exec_ns: in shared memory. */
static void start_once(started *its, int number, int64_t *exec_ns)
{
    pid_t process = start_program(its->program, -1, exec_ns);
    request_once(); /* waits in the listening socket until the process is there */
    its->samples[number] = chainsi_now_ns() - *exec_ns;
    its->resident_kib = resident_kib(process);
    stop(process);
}

int main(int argc, char **argv)
{
    static started floor = { .program = "start_floor" }, service = { .program = "call_service" };
    int count = argc > 1 ? atoi(argv[1]) : 40;
    if (argc > 2 || count < 1 || count > MOST_STARTS) {
        fprintf(stderr, "usage: start_bench [STARTS]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    prepare();
    int64_t *exec_ns =
        mmap(NULL, sizeof *exec_ns, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (exec_ns == MAP_FAILED)
        give_up("mmap");
    for (int i = 0; i < count; i++) {
        start_once(&floor, i, exec_ns);
        start_once(&service, i, exec_ns);
    }
    summary least = summarize(floor.samples, (size_t)count),
            start = summarize(service.samples, (size_t)count);
    printf("%-34s median %7.2f ms   p99 %7.2f ms\n", "a static C server, exec to answer",
           least.median / 1e3, least.p99 / 1e3);
    printf("%-34s median %7.2f ms   p99 %7.2f ms   ratio %.2f (at most 2)\n",
           "a service, exec to the first answer", start.median / 1e3, start.p99 / 1e3,
           start.median / least.median);
    printf("%-34s %.2f MiB, the server %.2f MiB   (at most 2 MiB)\n",
           "resident, idle after one call", (double)service.resident_kib / 1024,
           (double)floor.resident_kib / 1024);
    clean_up((const char *const[]){ "calls", "probes", NULL });
    return 0;
}
