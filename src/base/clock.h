/* Time as the library uses it: nanoseconds of CLOCK_MONOTONIC in an int64_t. */
#ifndef CHAINSI_BASE_CLOCK_H
#define CHAINSI_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define CHAINSI_NEVER     INT64_MAX /* a deadline that does not come */
#define CHAINSI_NS_PER_MS INT64_C(1000000)

/* Now, in nanoseconds since an arbitrary start. */
static inline int64_t chainsi_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The deadline `ms` milliseconds after now_ns; CHAINSI_NEVER when that is beyond what can be said.
 */
static inline int64_t chainsi_deadline_after_ms(int64_t now_ns, double ms)
{
    double ns = ms * 1e6;
    return ns >= 9e18 - (double)now_ns ? CHAINSI_NEVER : now_ns + (int64_t)ns;
}

/* The time that poll() should wait until the deadline: milliseconds rounded up, 0 when passed, -1
 * for never. */
static inline int chainsi_poll_timeout(int64_t deadline_ns, int64_t now_ns)
{
    if (deadline_ns == CHAINSI_NEVER)
        return -1;
    if (deadline_ns <= now_ns)
        return 0;
    int64_t ms = (deadline_ns - now_ns + CHAINSI_NS_PER_MS - 1) / CHAINSI_NS_PER_MS;
    return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

#endif
