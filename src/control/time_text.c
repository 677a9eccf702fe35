/* Times as text. */
#include "control/time_text.h"

#include <stdio.h>
#include <time.h>

#define LAST_MS INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */

int64_t chainsi_unix_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void chainsi_time_text_of(char text[CHAINSI_TIME_TEXT], int64_t unix_ms)
{
    if (unix_ms < 0)
        unix_ms = 0;
    if (unix_ms > LAST_MS)
        unix_ms = LAST_MS;
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm date;
    gmtime_r(&seconds, &date);
    size_t size = strftime(text, CHAINSI_TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &date);
    snprintf(text + size, CHAINSI_TIME_TEXT - size, ".%03dZ", (int)(unix_ms % 1000));
}

void chainsi_time_text(char text[CHAINSI_TIME_TEXT])
{
    chainsi_time_text_of(text, chainsi_unix_ms());
}
