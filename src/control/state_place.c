/* Where the state is. A URL holds a password: no sentence repeats it. */
#include "control/state_place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/database.h"
#include "control/handle.h"
#include "control/home.h"

static const char url_variable[] = "CHAINS_STATE", file_variable[] = "CHAINS_STATE_FILE";

static const char *setting(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* The line that the file holds; NULL with a reason. */
static char *read_url(const char *path, char *why, size_t why_size)
{
    size_t size;
    char *text = chainsi_read_file(path, CHAINSI_STATE_URL_MOST, &size);
    if (!text) {
        snprintf(why, why_size, "%s: cannot read %s: %s", file_variable, path, strerror(errno));
        return NULL;
    }
    while (size && strchr(" \t\r\n", text[size - 1]))
        text[--size] = 0;
    return text;
}

bool chainsi_state_place(char **url, char *why, size_t why_size)
{
    const char *said = setting(url_variable), *file = setting(file_variable);
    *url = NULL;
    if (!said && !file)
        return true;
    if (said && file) {
        snprintf(why, why_size, "%s and %s are both set: one is enough", url_variable,
                 file_variable);
        return false;
    }
    char *found = said ? chainsi_copy_text(said) : read_url(file, why, why_size);
    if (!found)
        return false;
    if (!chainsi_database_is_url(found)) {
        snprintf(why, why_size,
                 "what %s%s is no URL of a PostgreSQL database: "
                 "postgresql://user:password@host:port/database?sslmode=...",
                 said ? url_variable : file_variable, said ? " says" : " leads to");
        free(found);
        return false;
    }
    *url = found;
    return true;
}

bool chainsi_state_place_is_secret(const char *entry)
{
    size_t size = sizeof url_variable - 1;
    return !strncmp(entry, url_variable, size) && entry[size] == '=';
}
