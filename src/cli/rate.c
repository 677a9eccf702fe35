#include "cli/rate.h"

#include "cli/waterfall.h"

const char *chainsi_rate_calls(const chainsi_rate *rate, chainsi_arena *arena)
{
    if (!rate->calls_per_s)
        return "-";
    const double per_s = *rate->calls_per_s;
    return chainsi_arena_printf(arena, per_s == 0 ? "0" : per_s < 9.95 ? "%.1f" : "%.0f", per_s);
}

const char *chainsi_rate_failed(const chainsi_rate *rate, chainsi_arena *arena)
{
    if (!rate->calls_per_s || !rate->errors_per_s || *rate->calls_per_s <= 0)
        return "-";
    const double percent = 100 * *rate->errors_per_s / *rate->calls_per_s;
    return chainsi_arena_printf(arena,
                                percent == 0     ? "0 %%"
                                : percent < 0.1  ? "<0.1 %%"
                                : percent < 9.95 ? "%.1f %%"
                                                 : "%.0f %%",
                                percent);
}

const char *chainsi_rate_time(const double *ms, bool unicode, chainsi_arena *arena)
{
    char text[32];
    if (!ms)
        return "-";
    chainsi_waterfall_time(text, *ms, unicode);
    return chainsi_arena_strdup(arena, text);
}

bool chainsi_rate_has_failed(const chainsi_rate *rate)
{
    return rate->errors_per_s && *rate->errors_per_s > 0;
}

const char *chainsi_rate_count_words(const chainsi_rate *rate, chainsi_arena *arena)
{
    if (!rate->calls_per_s)
        return NULL;
    const char *calls = chainsi_rate_calls(rate, arena);
    return chainsi_rate_has_failed(rate)
               ? chainsi_arena_printf(arena, "%s calls/s, %s failed", calls,
                                      chainsi_rate_failed(rate, arena))
               : chainsi_arena_printf(arena, "%s calls/s", calls);
}

const char *chainsi_rate_time_words(const chainsi_rate *rate, chainsi_arena *arena)
{
    if (!rate->p50_ms || !rate->p99_ms)
        return NULL;
    return chainsi_arena_printf(arena, "p50 %s, p99 %s",
                                chainsi_rate_time(rate->p50_ms, false, arena),
                                chainsi_rate_time(rate->p99_ms, false, arena));
}

const char *chainsi_rate_words(const chainsi_rate *rate, chainsi_arena *arena)
{
    const char *counts = chainsi_rate_count_words(rate, arena);
    const char *times = chainsi_rate_time_words(rate, arena);
    return counts && times ? chainsi_arena_printf(arena, "%s, %s", counts, times) : counts;
}
