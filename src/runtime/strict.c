/* Strict local calls.
 *
 * Inputs are copied into an arena first, to learn their size, and from there into pages of their
 * own, which become read-only: a write to them ends the program at that line, with a word on why
 * from a handler for SIGSEGV. Output structs stand between zones of a known byte. */
#include "runtime/strict.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"
#include "runtime/error.h"
#include "runtime/memory.h"
#include "schema/value.h"

enum {
    RED_ZONE = 64,
    RED_BYTE = 0xa5,
    MOST_GUARDED = 256, /* guards that the handler can name at once */
};

struct chainsi_guard {
    const chainsi_interface *interface;
    void *pages; /* of the arena's only block, and what lies behind it */
    size_t pages_size;
    void *input;
    uint8_t *zone; /* RED_ZONE, output, RED_ZONE; owned */
    size_t zone_size;
};

static _Atomic(chainsi_guard *) guarded[MOST_GUARDED];
static struct sigaction before;

static void say(const char *text)
{
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written;
}

static void explain_fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    const char *address = info->si_addr;
    for (int i = 0; i < MOST_GUARDED; i++) {
        chainsi_guard *guard = atomic_load(&guarded[i]);
        if (guard && address >= (char *)guard->pages &&
            address < (char *)guard->pages + guard->pages_size) {
            say("chains: ");
            say(guard->interface->c_name);
            say("_run_remote wrote to its inputs: they are the caller's, and only to be read\n");
        }
    }
    sigaction(number, &before, NULL); /* the access is tried again, and ends as it would have */
}

static void install_handler(void)
{
    struct sigaction action = { .sa_sigaction = explain_fault,
                                .sa_flags = SA_SIGINFO | SA_ONSTACK };
    sigaction(SIGSEGV, &action, &before);
}

/* Deep copies input into pages of its own. The arena is given one block, large enough, so that all
 * of it lies in the pages. */
static void copy_to_pages(chainsi_guard *guard, const void *input)
{
    const chainsi_type *type = guard->interface->input;
    chainsi_arena measure = { 0 };
    chainsi_value_copy(type, input, chainsi_arena_alloc(&measure, type->size), &measure);
    size_t need = chainsi_arena_footprint(&measure);
    chainsi_arena_done(&measure);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    guard->pages_size = (need + page - 1) / page * page;
    guard->pages =
        mmap(NULL, guard->pages_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (guard->pages == MAP_FAILED)
        abort();
    chainsi_arena pages = { 0 };
    chainsi_arena_lend(&pages, guard->pages, guard->pages_size);
    guard->input = chainsi_arena_alloc(&pages, type->size);
    chainsi_value_copy(type, input, guard->input, &pages);
    mprotect(guard->pages, guard->pages_size, PROT_READ);
}

chainsi_guard *chainsi_guard_new(const chainsi_interface *interface, const void *input,
                                 const void *output)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install_handler);
    chainsi_guard *guard = calloc(1, sizeof *guard);
    if (!guard)
        abort();
    guard->interface = interface;
    copy_to_pages(guard, input);
    guard->zone_size = interface->output->size + 2 * RED_ZONE;
    guard->zone = aligned_alloc(RED_ZONE, (guard->zone_size + RED_ZONE - 1) / RED_ZONE * RED_ZONE);
    if (!guard->zone)
        abort();
    memset(guard->zone, RED_BYTE, guard->zone_size);
    memcpy(guard->zone + RED_ZONE, output, interface->output->size);
    for (int i = 0; i < MOST_GUARDED; i++) {
        chainsi_guard *none = NULL;
        if (atomic_compare_exchange_strong(&guarded[i], &none, guard))
            break;
    }
    return guard;
}

const void *chainsi_guard_input(const chainsi_guard *guard)
{
    return guard->input;
}

void *chainsi_guard_output(const chainsi_guard *guard)
{
    return guard->zone + RED_ZONE;
}

static bool zones_are_whole(const chainsi_guard *guard)
{
    const uint8_t *behind = guard->zone + guard->zone_size - RED_ZONE;
    for (size_t i = 0; i < RED_ZONE; i++)
        if (guard->zone[i] != RED_BYTE || behind[i] != RED_BYTE)
            return false;
    return true;
}

chains_status chainsi_guard_end(chainsi_guard *guard, chains_ctx *ctx, chainsi_arena *arena,
                                void *output)
{
    const chainsi_interface *interface = guard->interface;
    chains_status status = CHAINS_OK;
    chainsi_codec_error why;
    if (!zones_are_whole(guard))
        status = chainsi_error_set(ctx, CHAINS_INTERNAL, interface->name, "run_remote", NULL,
                                   "%s_run_remote wrote outside its outputs", interface->c_name);
    else if (output &&
             chainsi_value_check(interface->output, chainsi_guard_output(guard), &why) != CHAINS_OK)
        status = chainsi_error_answer(ctx, interface, &why);
    else if (output)
        chainsi_value_copy(interface->output, chainsi_guard_output(guard), output, arena);
    for (int i = 0; i < MOST_GUARDED; i++) {
        chainsi_guard *self = guard;
        if (atomic_compare_exchange_strong(&guarded[i], &self, NULL))
            break;
    }
    munmap(guard->pages, guard->pages_size);
    free(guard->zone);
    free(guard);
    return status;
}
