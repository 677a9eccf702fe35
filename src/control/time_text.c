/* Times as text. */
#include "control/time_text.h"

#include <stdio.h>
#include <string.h>
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

bool chainsi_time_text_parse(const char *text, int64_t *unix_ms)
{
    struct tm date = { 0 };
    int ms = 0;
    char again[CHAINSI_TIME_TEXT];
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ", &date.tm_year, &date.tm_mon, &date.tm_mday,
               &date.tm_hour, &date.tm_min, &date.tm_sec, &ms) != 7)
        return false;
    date.tm_year -= 1900;
    date.tm_mon -= 1;
    int64_t parsed = (int64_t)timegm(&date) * 1000 + ms;
    /* What sscanf and timegm are generous with doesn't come out as it went in. */
    chainsi_time_text_of(again, parsed);
    if (strcmp(again, text) != 0)
        return false;
    *unix_ms = parsed;
    return true;
}

void chainsi_time_text(char text[CHAINSI_TIME_TEXT])
{
    chainsi_time_text_of(text, chainsi_unix_ms());
}
