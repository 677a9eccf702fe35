#include "control/query.h"

#include <stdlib.h>
#include <string.h>

/* Sets *value to what stands behind the name. */
static bool find_value(chainsi_slice query, const char *name, chainsi_slice *value)
{
    const size_t name_size = strlen(name);
    const char *at = query.data, *end = query.data + query.size;
    while (at < end) {
        const char *stop = memchr(at, '&', (size_t)(end - at));
        if (!stop)
            stop = end;
        if ((size_t)(stop - at) > name_size && !memcmp(at, name, name_size) &&
            at[name_size] == '=') {
            *value = (chainsi_slice){ at + name_size + 1, (size_t)(stop - at) - name_size - 1 };
            return true;
        }
        at = stop + 1;
    }
    return false;
}

bool chainsi_query_double(chainsi_slice query, const char *name, double most, double *number)
{
    chainsi_slice value;
    char text[32], *end;
    if (!find_value(query, name, &value))
        return true;
    if (!value.size || value.size >= sizeof text)
        return false;
    memcpy(text, value.data, value.size);
    text[value.size] = 0;
    double read = strtod(text, &end);
    if (end == text || *end || text[strspn(text, "0123456789.")] || read > most)
        return false;
    *number = read;
    return true;
}
