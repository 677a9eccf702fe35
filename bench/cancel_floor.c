/* What cancelling costs without Chains, for cancel_bench: cancel_floor COUNT MS. Two processes have COUNT threads
 * each. In the first each sleeps in a futex of its own, until the process is told and wakes them one after
 * the other. In the second each asks a word of shared memory every MS milliseconds, or, if MS is 0, sleeps as those
 * of the first. Prints the median and the last of both, in milliseconds from when the word was set. */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench.h"

enum { MOST = 1000, STACK_SIZE = 64 * 1024 };

typedef struct level {
    atomic_int begun, ended;
    int64_t moments[MOST]; /* in the order of ending */
} level;

typedef struct shared {
    _Atomic uint32_t cancelled;
    level levels[2];
} shared;

static shared *all;
static _Atomic uint32_t words[MOST]; /* of this process's threads */
static level *own;
static int asks_every_ms;

static void wait_for(_Atomic uint32_t *word, int scope)
{
    while (!atomic_load(word))
        syscall(SYS_futex, word, FUTEX_WAIT | scope, 0, NULL, NULL, 0);
}

static void *run(void *word)
{
    atomic_fetch_add(&own->begun, 1);
    if (asks_every_ms)
        while (!atomic_load(&all->cancelled))
            nanosleep(&(struct timespec){ .tv_nsec = asks_every_ms * 1000000L }, NULL);
    else
        wait_for(word, FUTEX_PRIVATE_FLAG);
    int64_t now_ns = chainsi_now_ns();
    own->moments[atomic_fetch_add(&own->ended, 1)] = now_ns;
    return NULL;
}

static void run_level(level *its, int count)
{
    pthread_attr_t attributes;
    pthread_t threads[MOST];
    own = its;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    for (int i = 0; i < count; i++)
        if (pthread_create(&threads[i], &attributes, run, &words[i]))
            _exit(1);
    wait_for(&all->cancelled, 0);
    for (int i = 0; !asks_every_ms && i < count; i++) {
        atomic_store(&words[i], 1);
        syscall(SYS_futex, &words[i], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    _exit(0);
}

int main(int argc, char **argv)
{
    int count = argc == 3 ? atoi(argv[1]) : 0;
    if (count < 1 || count > MOST) {
        fprintf(stderr, "cancel_floor COUNT MS, COUNT at most %d\n", MOST);
        return 2;
    }
    all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED)
        return 1;
    for (int i = 0; i < 2; i++) {
        if (fork())
            continue;
        asks_every_ms = i == 1 ? atoi(argv[2]) : 0;
        run_level(&all->levels[i], count);
    }
    while (atomic_load(&all->levels[0].begun) + atomic_load(&all->levels[1].begun) < 2 * count)
        nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
    nanosleep(&(struct timespec){ .tv_nsec = 200000000 }, NULL); /* they sleep by then */
    int64_t set_ns = chainsi_now_ns();
    atomic_store(&all->cancelled, 1);
    syscall(SYS_futex, &all->cancelled, FUTEX_WAKE, 2, NULL, NULL, 0);
    for (int status; wait(&status) > 0;)
        if (status)
            return 1;
    for (int i = 0; i < 2; i++) {
        int64_t *moments = all->levels[i].moments;
        qsort(moments, (size_t)count, sizeof *moments, compare_times);
        printf("%.2f %.2f ", (double)(moments[count / 2] - set_ns) / 1e6,
               (double)(moments[count - 1] - set_ns) / 1e6);
    }
    putchar('\n');
    return 0;
}
