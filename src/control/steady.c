/* Steady time. */
#include "control/steady.h"

#include <stdatomic.h>
#include <time.h>

#include "control/time_text.h"

#define UNKNOWN INT64_MIN

static _Atomic int64_t offset_ms = UNKNOWN;

/* Since the machine was started, suspended times among them: they pass for people, too. */
static int64_t boot_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t chainsi_wall_offset_ms(void)
{
    return chainsi_unix_ms() - boot_ms();
}

int64_t chainsi_steady_offset_ms(void)
{
    int64_t known = atomic_load(&offset_ms);
    if (known != UNKNOWN)
        return known;
    int64_t first = chainsi_wall_offset_ms();
    return atomic_compare_exchange_strong(&offset_ms, &known, first) ? first : known;
}

void chainsi_steady_set_offset(int64_t new_offset_ms)
{
    atomic_store(&offset_ms, new_offset_ms);
}

int64_t chainsi_steady_ms(void)
{
    return chainsi_steady_offset_ms() + boot_ms();
}
