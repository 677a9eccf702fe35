/* A bucket of tokens, kept by what it lacks: so one of zeros is full whatever its rate. */
#include "control/rate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool chainsi_rate_parse(const char *text, double *per_s)
{
    char *end;
    if (!strchr("0123456789.", *text) || text[strspn(text, "0123456789.")] != '/')
        return false;
    double number = strtod(text, &end);
    if (strcmp(end, "/s") != 0 || !(number > 0 && number <= CHAINSI_RATE_MOST))
        return false;
    *per_s = number;
    return true;
}

bool chainsi_bucket_take(chainsi_bucket *bucket, double per_s, int64_t now_ns, int64_t *wait_ns)
{
    if (per_s <= 0)
        return true;
    double size = per_s > 1 ? per_s : 1;
    if (now_ns > bucket->at_ns) {
        bucket->missing -= (double)(now_ns - bucket->at_ns) * 1e-9 * per_s;
        if (bucket->missing < 0)
            bucket->missing = 0;
        bucket->at_ns = now_ns;
    }
    /* What sums of such steps are short of isn't worth a refusal. */
    double lacking = bucket->missing + 1 - size;
    if (lacking > 1e-9) {
        *wait_ns = (int64_t)ceil(lacking / per_s * 1e9);
        return false;
    }
    bucket->missing += 1;
    return true;
}
