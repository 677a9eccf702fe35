/* /proc is all there is to look at: children of this process in task/…/children, where kernels have it, else all there is. */
#include "control/strays.h"

#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/kernel_file.h"

enum { MOST_ROUNDS = 100 /* of looking for what was started while others were being killed */ };

static const char variable[] = "CHAINSD_PROCESS=";

/* What is done with each process found. */
typedef bool visitor(void *user, pid_t pid);

/* Variable, home and the dot before the number. */
static void write_prefix(int lock, char text[CHAINSI_TAG_TEXT])
{
    struct stat home = { 0 };
    fstat(lock, &home);
    snprintf(text, CHAINSI_TAG_TEXT, "%s%" PRIx64 ".%" PRIx64 ".", variable, (uint64_t)home.st_dev,
             (uint64_t)home.st_ino);
}

void chainsi_strays_tag(int lock, uint64_t number, char text[CHAINSI_TAG_TEXT])
{
    write_prefix(lock, text);
    size_t used = strlen(text);
    snprintf(text + used, CHAINSI_TAG_TEXT - used, "%" PRIu64, number);
}

/* A file of the process; NULL: it can't be read, or the process is gone. The caller frees it. */
static char *read_of(pid_t pid, const char *file, size_t *size)
{
    char folder[32];
    snprintf(folder, sizeof folder, "/proc/%d", (int)pid);
    return chainsi_kernel_file_read_bytes(folder, file, size);
}

/* The number in its tag, if it is of that home; 0: it has none. */
static uint64_t tag_of(int lock, pid_t pid)
{
    char prefix[CHAINSI_TAG_TEXT];
    uint64_t number = 0;
    size_t size;
    write_prefix(lock, prefix);
    char *environment = read_of(pid, "environ", &size);
    for (const char *at = environment; at && at < environment + size; at += strlen(at) + 1)
        if (!strncmp(at, prefix, strlen(prefix)))
            number = strtoull(at + strlen(prefix), NULL, 10);
    free(environment);
    return number;
}

static pid_t parent_of(pid_t pid)
{
    size_t size;
    int parent = 0;
    char *text = read_of(pid, "stat", &size);
    const char *name_end = text ? strrchr(text, ')') : NULL;
    if (!name_end || sscanf(name_end, ") %*c %d", &parent) != 1)
        parent = 0;
    free(text);
    return parent;
}

/* Visits all processes of the machine that have this parent; 0: whatever they have. Returns how many visits said true. */
static size_t each_process(pid_t parent, visitor *visit, void *user)
{
    size_t count = 0;
    DIR *entries = opendir("/proc");
    for (const struct dirent *entry; entries && (entry = readdir(entries));) {
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        pid_t pid = atoi(entry->d_name);
        if (!parent || parent_of(pid) == parent)
            count += visit(user, pid);
    }
    if (entries)
        closedir(entries);
    return count;
}

static size_t each_child(visitor *visit, void *user)
{
    char file[48], *rest;
    size_t size, count = 0;
    snprintf(file, sizeof file, "task/%d/children", (int)getpid());
    char *list = read_of(getpid(), file, &size);
    if (!list)
        return each_process(getpid(), visit, user);
    for (char *word = strtok_r(list, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        count += visit(user, atoi(word));
    free(list);
    return count;
}

typedef struct hunt {
    int lock;
    const chainsi_strays_owner *owner;
} hunt;

static bool end_stray(void *user, pid_t pid)
{
    const hunt *its = user;
    uint64_t number = its->owner->is_own(its->owner->user, pid) ? 0 : tag_of(its->lock, pid);
    return number && !its->owner->is_running(its->owner->user, number) && kill(pid, SIGKILL) == 0;
}

void chainsi_strays_end(int lock, const chainsi_strays_owner *owner)
{
    hunt its = { lock, owner };
    each_child(end_stray, &its);
}

static bool end_any(void *user, pid_t pid)
{
    (void)user;
    return kill(pid, SIGKILL) == 0;
}

void chainsi_strays_end_children(void)
{
    /* Those of other users can't be killed, and aren't waited for. */
    while (each_child(end_any, NULL) && waitpid(-1, NULL, 0) > 0)
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ; /* so that many are killed once, not once for each that ends */
}

static bool end_earlier(void *user, pid_t pid)
{
    const hunt *its = user;
    return pid != getpid() && tag_of(its->lock, pid) && kill(pid, SIGKILL) == 0;
}

void chainsi_strays_end_earlier(int lock)
{
    hunt its = { lock, NULL };
    /* What ends has no environment any more, and isn't found again. */
    for (int rounds = 0; rounds < MOST_ROUNDS && each_process(0, end_earlier, &its); rounds++)
        ;
}
