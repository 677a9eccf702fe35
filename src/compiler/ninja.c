/* Runs ninja and reads its output. Each step is announced by a line that begins with a marker of
 * ours, so that all other lines are known to come from commands: those are shown as they are. */
#include "compiler/ninja.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bar.h"

#define MARKER "\001" /* begins a step's line; no compiler prints it */

static const char *escape(chainsi_arena *arena, const char *text, const char *special)
{
    chainsi_buffer out = { 0 };
    for (; *text; text++) {
        if (strchr(special, *text))
            chainsi_buffer_add_byte(&out, '$');
        chainsi_buffer_add_byte(&out, (uint8_t)*text);
    }
    const char *copy = chainsi_arena_copy(arena, out.data ? out.data : (uint8_t *)"", out.size);
    chainsi_buffer_done(&out);
    return copy;
}

const char *chainsi_ninja_path(chainsi_arena *arena, const char *path)
{
    return escape(arena, path, "$ :|");
}

const char *chainsi_ninja_value(chainsi_arena *arena, const char *text)
{
    return escape(arena, text, "$");
}

typedef struct output {
    chainsi_bar progress; /* on stderr */
    bool quiet;
    bool command_follows; /* ninja's next line is the command that failed */
    char *silent;         /* that command, until it is known to have said something; owned */
} output;

/* A step, "5/10 compile hand.c": on a terminal the bar is renewed. */
static void show_step(output *out, const char *step)
{
    const char *description = strchr(step, ' ');
    int done = 0, total = 0;
    if (!description || sscanf(step, "%d/%d", &done, &total) != 2)
        return;
    if (out->progress.terminal.moves) {
        char words[256];
        snprintf(words, sizeof words, "%d of %d %s", done, total, description);
        chainsi_bar_show(&out->progress, "building", total > 0 ? (double)done / (double)total : 0,
                         words);
    } else if (!out->quiet) {
        fprintf(stderr, "%s\n", description + 1);
    }
}

/* A command that failed and said nothing is shown itself: there must be something to go by. */
static void show_silent(output *out)
{
    if (!out->silent)
        return;
    chainsi_bar_clear(&out->progress);
    fprintf(stderr, "failed without a message: %s\n", out->silent);
    free(out->silent);
    out->silent = NULL;
}

static void show_line(output *out, const char *line)
{
    if (line[0] == MARKER[0]) {
        show_silent(out);
        show_step(out, line + 1);
        return;
    }
    if (out->command_follows) {
        out->command_follows = false;
        out->silent = strdup(line);
        return;
    }
    if (!strncmp(line, "FAILED: ", 8)) {
        show_silent(out);
        out->command_follows = true;
        return;
    }
    if (!strncmp(line, "ninja: ", 7) && strncmp(line, "ninja: error:", 13) &&
        strncmp(line, "ninja: fatal:", 13))
        return;
    free(out->silent);
    out->silent = NULL;
    chainsi_bar_clear(&out->progress);
    chainsi_text_write(stderr, line, strlen(line), CHAINSI_TEXT_LINES);
    fputc('\n', stderr);
}

static void exec_ninja(const chainsi_toolchain *toolchain, const char *folder, const char *manifest,
                       const char *const *targets, size_t target_count, int out)
{
    const char **argv = calloc(target_count + 8, sizeof *argv);
    if (!argv)
        _exit(127);
    size_t count = 0;
    argv[count++] = toolchain->ninja;
    argv[count++] = "-f";
    argv[count++] = manifest;
    argv[count++] = "-k"; /* all errors in one run */
    argv[count++] = "0";
    for (size_t i = 0; i < target_count; i++)
        argv[count++] = targets[i];
    if (chdir(folder) || dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0 ||
        setenv("NINJA_STATUS", MARKER "%f/%t ", 1) || setenv("TERM", "dumb", 1))
        _exit(127);
    execvp(argv[0], (char *const *)argv);
    dprintf(STDERR_FILENO, "ninja: error: '%s' can't be run: %s\n", toolchain->ninja,
            strerror(errno));
    _exit(127);
}

bool chainsi_ninja_run(const chainsi_toolchain *toolchain, const char *folder, const char *manifest,
                       const char *const *targets, size_t target_count, bool quiet)
{
    if (!target_count)
        return true;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC))
        return false;
    fflush(stdout);
    fflush(stderr);
    pid_t pid = fork();
    if (pid < 0) {
        close(ends[0]);
        close(ends[1]);
        return false;
    }
    if (!pid)
        exec_ninja(toolchain, folder, manifest, targets, target_count, ends[1]);
    close(ends[1]);
    output out = {
        .progress = { .out = stderr, .terminal = chainsi_terminal_of(STDERR_FILENO) },
        .quiet = quiet,
    };
    FILE *lines = fdopen(ends[0], "r");
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    while (lines && (size = getline(&line, &capacity, lines)) >= 0) {
        if (size && line[size - 1] == '\n')
            line[size - 1] = '\0';
        show_line(&out, line);
    }
    free(line);
    if (lines)
        fclose(lines);
    else
        close(ends[0]);
    show_silent(&out);
    chainsi_bar_clear(&out.progress);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) && !WEXITSTATUS(status);
}
