/* Running a program. What it says is translated by nobody, so that it can be read: LC_ALL is C. */
#include "image/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_OUTPUT ((size_t)64 << 20)

extern char **environ;

static char **make_environment(void)
{
    size_t count = 0;
    while (environ[count])
        count++;
    char **made = calloc(count + 3, sizeof *made);
    if (!made)
        abort();
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], "LC_ALL=", 7) != 0)
            made[kept++] = environ[i];
    made[kept++] = (char *)(uintptr_t) "LC_ALL=C.UTF-8";
    made[kept++] = (char *)(uintptr_t) "DEBIAN_FRONTEND=noninteractive";
    return made;
}

static int start(const char *const *words, int out, pid_t *child)
{
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    posix_spawn_file_actions_adddup2(&actions, out, 2);
    char **environment = make_environment();
    int failed =
        posix_spawnp(child, words[0], &actions, NULL, (char **)(uintptr_t)words, environment);
    free(environment);
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

/* The last line that says something, which with most programs is why they gave up. */
static void last_line(const chainsi_buffer *out, char *line, size_t size)
{
    const char *text = (const char *)out->data;
    size_t end = out->size;
    while (end && (text[end - 1] == '\n' || text[end - 1] == ' '))
        end--;
    size_t begin = end;
    while (begin && text[begin - 1] != '\n')
        begin--;
    snprintf(line, size, "%.*s", (int)(end - begin), text ? text + begin : "");
}

bool chainsi_tool_run(const char *const *words, const char *package, const char *doing,
                      chainsi_buffer *out, chainsi_problem *problem)
{
    int ends[2];
    pid_t child;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return chainsi_problem_file(problem, "run", words[0]);
    int failed = start(words, ends[1], &child);
    close(ends[1]);
    ssize_t got;
    while (!failed && ((got = read(ends[0], chainsi_buffer_reserve(out, 65536), 65536)) > 0 ||
                       (got < 0 && errno == EINTR)))
        if (got > 0 && out->size < MAX_OUTPUT)
            out->size += (size_t)got;
    close(ends[0]);
    char hint[256], line[512];
    snprintf(hint, sizeof hint, "install the package %s", package);
    if (failed)
        return chainsi_problem_set(problem, failed == ENOENT ? hint : NULL, "%s: '%s': %s", doing,
                                   words[0], strerror(failed));
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (status == 0)
        return true;
    last_line(out, line, sizeof line);
    return chainsi_problem_set(problem, NULL, "%s: %s", doing, *line ? line : "it failed");
}
