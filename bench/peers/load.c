/* The closed loop. Samples of all callers go to one array, so that they are sorted once; what
 * doesn't fit in it is counted, not kept. Before the measured loop each caller makes calls that
 * are not counted: connections, buffers and threads are there when the clock starts. */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <time.h>

enum {
    SAMPLES = 1 << 20,
    WARM_UP = 3,    /* calls of each caller that are a thread */
    WARM_UP_MS = 5, /* of callers that are not */
    MOST_CALLERS = 1024,
    MOST_PROCESSES = 8,
    NS_PER_MS = 1000000,
    NS_PER_S = 1000000000,
};

static const char *const kind_names[LOAD_KINDS] = {
    [LOAD_HOP] = "hop",
    [LOAD_SMALL] = "small",
    [LOAD_ECHO] = "echo",
    [LOAD_BYTES] = "bytes",
    [LOAD_DOUBLES] = "doubles",
    [LOAD_FAN] = "fan",
    [LOAD_FAN_BATCH] = "fan_batch",
};

static int64_t samples[SAMPLES];
static atomic_size_t sample_count;

int64_t load_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

void load_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "load: ");
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    _Exit(1);
}

void load_expect_text(const char *expected, const char *got, size_t size)
{
    if (size != strlen(expected) || memcmp(expected, got, size) != 0)
        load_fail("wrong answer, of %zu bytes", size);
}

void load_record(int64_t ns)
{
    size_t at = atomic_fetch_add_explicit(&sample_count, 1, memory_order_relaxed);
    if (at < SAMPLES)
        samples[at] = ns;
}

void load_stamp(payload *what, load_kind kind)
{
    switch (kind) {
    case LOAD_ECHO:
        payload_stamp_echo(what);
        break;
    case LOAD_BYTES:
        payload_stamp_blob(what);
        break;
    case LOAD_DOUBLES:
        payload_stamp_doubles(what);
        break;
    default:
        payload_stamp_small(what);
    }
}

/* ------------------------------------------------------------------------------------------------
 * callers that are threads */

typedef struct crowd {
    const load_peer *peer;
    load_job job;
    pthread_barrier_t ready, started;
} crowd;

typedef struct member {
    crowd *crowd;
    uint64_t number;
    pthread_t thread;
} member;

static void *run_caller(void *user)
{
    member *self = user;
    crowd *all = self->crowd;
    payload *what = malloc(sizeof *what);
    if (!what)
        load_fail("no memory");
    payload_init(what, self->number);
    void *caller = all->peer->open(all->job.kind);
    for (int i = 0; i < WARM_UP; i++) {
        load_stamp(what, all->job.kind);
        all->peer->call(caller, &all->job, what);
    }
    pthread_barrier_wait(&all->ready);
    pthread_barrier_wait(&all->started);
    int64_t end;
    do { /* once at least, however crowded the machine is */
        load_stamp(what, all->job.kind);
        int64_t start = load_now();
        all->peer->call(caller, &all->job, what);
        end = load_now();
        load_record(end - start);
    } while (end < all->job.ends_ns);
    pthread_barrier_wait(&all->ready);
    all->peer->close(caller);
    free(what);
    return NULL;
}

/* ------------------------------------------------------------------------------------------------
 * CPU time */

/* The clock of a process's CPU time, of all its threads, those that ended included; the number is
 * what clock_getcpuclockid gives. */
static int64_t cpu_of(pid_t process)
{
    struct timespec used;
    clockid_t clock;
    if (clock_getcpuclockid(process, &clock) != 0 || clock_gettime(clock, &used) < 0)
        load_fail("the CPU time of process %d can't be read", (int)process);
    return (int64_t)used.tv_sec * NS_PER_S + used.tv_nsec;
}

/* [0] is this process. */
static void read_cpu(const pid_t *processes, int count, int64_t *cpu)
{
    cpu[0] = cpu_of(0);
    for (int i = 0; i < count; i++)
        cpu[i + 1] = cpu_of(processes[i]);
}

/* The counter of copies.c; NULL: nobody counts. */
static const atomic_llong *copied;

static void find_copied(void)
{
    const char *path = getenv("PEERS_COPIES");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *at = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *copied, PROT_READ, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED)
        copied = at;
}

/* ------------------------------------------------------------------------------------------------
 * commands */

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

typedef struct measure {
    int64_t start, end;
    int64_t copied_before, copied_after;
    int64_t cpu_before[MOST_PROCESSES + 1], cpu_after[MOST_PROCESSES + 1];
} measure;

static void run_crowd(const load_peer *peer, load_job job, int64_t ms, const pid_t *processes,
                      int process_count, measure *taken)
{
    crowd all = { .peer = peer, .job = job };
    unsigned parties = (unsigned)job.callers + 1;
    pthread_barrier_init(&all.ready, NULL, parties);
    pthread_barrier_init(&all.started, NULL, parties);
    static member members[MOST_CALLERS];
    for (int i = 0; i < job.callers; i++) {
        members[i] = (member){ .crowd = &all, .number = (uint64_t)i + 1 };
        if (pthread_create(&members[i].thread, NULL, run_caller, &members[i]) != 0)
            load_fail("a thread can't be started");
    }
    pthread_barrier_wait(&all.ready);
    atomic_store(&sample_count, 0);
    taken->copied_before = copied ? atomic_load(copied) : 0;
    read_cpu(processes, process_count, taken->cpu_before);
    taken->start = load_now();
    all.job.ends_ns = taken->start + ms * NS_PER_MS;
    pthread_barrier_wait(&all.started);
    pthread_barrier_wait(&all.ready);
    taken->end = load_now();
    read_cpu(processes, process_count, taken->cpu_after);
    taken->copied_after = copied ? atomic_load(copied) : 0;
    for (int i = 0; i < job.callers; i++)
        pthread_join(members[i].thread, NULL);
    pthread_barrier_destroy(&all.ready);
    pthread_barrier_destroy(&all.started);
}

static void run_loop(const load_peer *peer, load_job job, int64_t ms, const pid_t *processes,
                     int process_count, measure *taken)
{
    job.ends_ns = load_now() + WARM_UP_MS * NS_PER_MS;
    peer->run(&job);
    atomic_store(&sample_count, 0);
    taken->copied_before = copied ? atomic_load(copied) : 0;
    read_cpu(processes, process_count, taken->cpu_before);
    taken->start = load_now();
    job.ends_ns = taken->start + ms * NS_PER_MS;
    peer->run(&job);
    taken->end = load_now();
    read_cpu(processes, process_count, taken->cpu_after);
    taken->copied_after = copied ? atomic_load(copied) : 0;
}

static void run_job(const load_peer *peer, char *words)
{
    char *rest = NULL, *kind = strtok_r(words, " \n", &rest);
    load_job job = { .kind = LOAD_KINDS };
    for (int i = 0; kind && i < LOAD_KINDS; i++)
        if (strcmp(kind, kind_names[i]) == 0)
            job.kind = (load_kind)i;
    int64_t numbers[3 + MOST_PROCESSES];
    int count = 0;
    for (char *word; count < 3 + MOST_PROCESSES && (word = strtok_r(NULL, " \n", &rest));)
        numbers[count++] = strtoll(word, NULL, 10);
    if (job.kind == LOAD_KINDS || count < 3 || numbers[0] < 1 || numbers[0] > MOST_CALLERS)
        load_fail("run KIND CALLERS WIDTH MILLISECONDS PID...");
    job.callers = (int)numbers[0];
    job.width = (int)numbers[1];
    pid_t processes[MOST_PROCESSES];
    int process_count = count - 3;
    for (int i = 0; i < process_count; i++)
        processes[i] = (pid_t)numbers[3 + i];

    static measure taken;
    (peer->run ? run_loop : run_crowd)(peer, job, numbers[2], processes, process_count, &taken);
    size_t calls = atomic_load(&sample_count), kept = calls < SAMPLES ? calls : SAMPLES;
    if (kept == 0)
        load_fail("no call was made");
    qsort(samples, kept, sizeof *samples, compare);
    printf("ok %zu %lld %lld %lld %lld", calls, (long long)(taken.end - taken.start),
           (long long)samples[kept / 2], (long long)samples[kept * 99 / 100],
           (long long)(taken.copied_after - taken.copied_before));
    for (int i = 0; i <= process_count; i++)
        printf(" %lld", (long long)(taken.cpu_after[i] - taken.cpu_before[i]));
    printf("\n");
}

static void call_once(const load_peer *peer)
{
    printf("calling\n");
    load_job job = { .kind = LOAD_HOP, .callers = 1 };
    int64_t answered;
    if (peer->run) {
        job.ends_ns = load_now() + 1; /* one call begins */
        peer->run(&job);
        answered = load_now();
    } else {
        static payload what;
        payload_init(&what, 1);
        load_stamp(&what, job.kind);
        void *caller = peer->open(job.kind);
        peer->call(caller, &job, &what);
        answered = load_now();
        peer->close(caller);
    }
    printf("answered %lld\n", (long long)answered);
}

int load_main(const load_peer *peer)
{
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    find_copied();
    char line[512];
    while (fgets(line, sizeof line, stdin)) {
        if (strncmp(line, "run ", 4) == 0)
            run_job(peer, line + 4);
        else if (strcmp(line, "once\n") == 0)
            call_once(peer);
        else
            load_fail("unknown command: %s", line);
    }
    return 0;
}
