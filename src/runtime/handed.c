#include "runtime/handed.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_FD = 3 };

static char *names; /* LISTEN_FDNAMES of this process; never freed: threads may ask until the end */
static int count;

bool chainsi_handed_take(void)
{
    const char *pid = getenv("LISTEN_PID");
    const char *count_text = getenv("LISTEN_FDS");
    const char *given = getenv("LISTEN_FDNAMES");
    if (!count_text || (pid && strtol(pid, NULL, 10) != getpid()))
        return false;
    count = atoi(count_text);
    if (count < 0 || count > CHAINSI_MOST_HANDED)
        count = 0;
    names = strdup(given ? given : "calls:probes");
    if (!names)
        abort();
    for (int i = 0; i < count; i++)
        fcntl(FIRST_FD + i, F_SETFD, FD_CLOEXEC);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return count > 0;
}

int chainsi_handed_find(const char *name)
{
    const char *at = names ? names : "";
    for (int i = 0; i < count; i++) {
        size_t size = strcspn(at, ":");
        if (strlen(name) == size && !memcmp(at, name, size))
            return fcntl(FIRST_FD + i, F_GETFD) < 0 ? -1 : FIRST_FD + i;
        at += size + (at[size] == ':');
    }
    return -1;
}

int chainsi_handed_board(const char *c_name)
{
    char name[300];
    int size = snprintf(name, sizeof name, "board.%s", c_name);
    return size < (int)sizeof name ? chainsi_handed_find(name) : -1;
}
