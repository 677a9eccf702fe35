/* `chains test`: builds each test of a chain and runs it in a process of its own. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/chain.h"

static int run(int argc, char **argv);

const chainsi_verb chainsi_verb_test = {
    .name = "test",
    .usage = "[FOLDER] [FILE.c]... [--assets FOLDER] [--timeout SECONDS] [--sanitize]",
    .summary = "Build and run the tests of a chain.",
    .help =
        "Builds each FILE (default: tests/*.c of FOLDER) into a program with the Chainlets that "
        "it\n"
        "uses, and runs it; exit status 0 passes. Chainlets whose run_remote the test defines are\n"
        "fakes: the real sources, and Chainlets reached only through them, are left out, and\n"
        "their libraries are not needed. Arguments are copied and guarded as by `run --strict`.\n"
        "\n"
        "  --assets FOLDER    where chains_asset finds files by their .path; nothing is fetched.\n"
        "                     Default: $CHAINS_ASSETS_DIR, else FOLDER\n"
        "  --timeout SECONDS  how long a test may take; default 60\n"
        "  --sanitize         with the address and undefined behaviour sanitizers\n"
        "\n"
        "Example:\n"
        "  chains test hello\n",
    .run = run,
};

static bool is_c_name(const char *name)
{
    size_t size = strlen(name);
    return name[0] != '.' && size > 2 && !strcmp(name + size - 2, ".c");
}

static int is_test(const struct dirent *entry)
{
    return is_c_name(entry->d_name);
}

/* Adds the tests of FOLDER/tests in the order of names; paths live in arena. */
static void find_tests(const char *folder, chainsi_words *files, chainsi_arena *arena)
{
    const char *tests =
        !strcmp(folder, ".") ? "tests" : chainsi_arena_printf(arena, "%s/tests", folder);
    struct dirent **entries = NULL;
    int count = scandir(tests, &entries, is_test, alphasort);
    for (int i = 0; i < count; i++) {
        chainsi_words_add(files, chainsi_arena_printf(arena, "%s/%s", tests, entries[i]->d_name));
        free(entries[i]);
    }
    free(entries);
}

typedef struct outcome {
    bool timed_out;
    int status; /* of waitpid */
    chainsi_buffer output;
} outcome;

/* Reads what the test prints until it has ended, or time is up. The test leads a process group, which
 * is ended with it. */
static void watch(pid_t pid, int out, double timeout_s, outcome *result)
{
    int64_t deadline = chainsi_deadline_after_ms(chainsi_now_ns(), timeout_s * 1000);
    for (;;) {
        struct pollfd wait = { .fd = out, .events = POLLIN };
        int ready = poll(&wait, 1, chainsi_poll_timeout(deadline, chainsi_now_ns()));
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0) {
            result->timed_out = true;
            break;
        }
        ssize_t got = read(out, chainsi_buffer_reserve(&result->output, 4096), 4096);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        result->output.size += (size_t)got;
    }
    /* The output may be closed before the end of the process. */
    while (!result->timed_out) {
        pid_t ended = waitpid(pid, &result->status, WNOHANG);
        if (ended == pid) {
            kill(-pid, SIGKILL);
            return;
        }
        if (ended < 0 && errno != EINTR)
            return;
        result->timed_out = chainsi_now_ns() > deadline;
        poll(NULL, 0, 2);
    }
    kill(-pid, SIGKILL);
    while (waitpid(pid, &result->status, 0) < 0 && errno == EINTR)
        ;
}

static bool run_test(const char *program, const char *folder, double timeout_s, outcome *result)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC))
        return false;
    fflush(NULL);
    pid_t pid = fork();
    if (!pid) {
        int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (setpgid(0, 0) || chdir(folder) || nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 ||
            dup2(ends[1], STDOUT_FILENO) < 0 || dup2(ends[1], STDERR_FILENO) < 0 ||
            setenv("CHAINS_STRICT", "1", 1))
            _exit(127);
        execl(program, program, (char *)NULL);
        dprintf(STDERR_FILENO, "%s: %s\n", program, strerror(errno));
        _exit(127);
    }
    close(ends[1]);
    if (pid > 0) {
        setpgid(pid, pid); /* whoever is first: it must be a group before it is ended */
        watch(pid, ends[0], timeout_s, result);
    }
    close(ends[0]);
    return pid > 0;
}

static bool report_test(const char *name, const outcome *result, double timeout_s)
{
    bool passed = !result->timed_out && WIFEXITED(result->status) && !WEXITSTATUS(result->status);
    if (passed) {
        printf("pass  %s\n", name);
        return true;
    }
    if (result->timed_out)
        printf("FAIL  %s: not done after %g s (--timeout)\n", name, timeout_s);
    else if (WIFSIGNALED(result->status))
        printf("FAIL  %s: ended by %s\n", name, strsignal(WTERMSIG(result->status)));
    else
        printf("FAIL  %s: exit status %d\n", name, WEXITSTATUS(result->status));
    const char *at = (const char *)result->output.data, *end = at + result->output.size;
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        size_t size = (size_t)((line_end ? line_end : end) - at);
        printf("      %.*s\n", (int)size, at);
        at += size + 1;
    }
    return false;
}

static int test_all(chainsi_chain *chain, const chainsi_words *files, double timeout_s,
                    bool sanitize)
{
    chainsi_arena arena = { 0 };
    const char **programs = chainsi_arena_array(&arena, files->count + 1, sizeof *programs);
    chainsi_build_options options = { .sanitize = sanitize, .quiet = true };
    chainsi_build_tests(chain->model, &options, files->items, files->count, programs,
                        &chain->diagnostics, &arena);
    chainsi_chain_report(chain);
    size_t passed = 0;
    for (size_t i = 0; i < files->count; i++) {
        outcome result = { 0 };
        if (!programs[i])
            printf("FAIL  %s: not built\n", files->items[i]);
        else if (!run_test(programs[i], chain->model->folder, timeout_s, &result))
            printf("FAIL  %s: %s\n", files->items[i], strerror(errno));
        else
            passed += report_test(files->items[i], &result, timeout_s);
        fflush(stdout);
        chainsi_buffer_done(&result.output);
    }
    printf("%zu passed, %zu failed\n", passed, files->count - passed);
    chainsi_arena_done(&arena);
    return passed == files->count ? CHAINSI_EXIT_OK : CHAINSI_EXIT_FAILED;
}

static int run(int argc, char **argv)
{
    double timeout_s = 60;
    bool sanitize = false;
    const char *assets = NULL;
    chainsi_words words = { 0 }, files = { 0 };
    const chainsi_option options[] = {
        { "assets", CHAINSI_OPTION_TEXT, &assets },
        { "timeout", CHAINSI_OPTION_NUMBER, &timeout_s },
        { "sanitize", CHAINSI_OPTION_FLAG, &sanitize },
        { NULL, CHAINSI_OPTION_END, NULL },
    };
    int status;
    if (chainsi_options_read(&chainsi_verb_test, options, argc, argv, 4096, &words, &status)) {
        chainsi_arena arena = { 0 };
        const char *folder = ".";
        bool usage = false;
        for (size_t i = 0; i < words.count; i++) {
            if (is_c_name(words.items[i]))
                chainsi_words_add(&files, words.items[i]);
            else if (i == 0)
                folder = words.items[i];
            else
                usage = true;
        }
        chainsi_chain chain;
        status = CHAINSI_EXIT_USAGE;
        if (usage || timeout_s <= 0) {
            chainsi_usage_error(&chainsi_verb_test,
                                usage ? "tests are files that end in .c, behind the folder"
                                      : "'--timeout' takes seconds above 0");
        } else if (chainsi_use_assets(&chainsi_verb_test, assets)) {
            if (chainsi_chain_open(&chain, folder, NULL, false)) {
                if (!files.count)
                    find_tests(folder, &files, &arena);
                status = test_all(&chain, &files, timeout_s, sanitize);
            }
            chainsi_chain_close(&chain);
        }
        chainsi_arena_done(&arena);
    }
    chainsi_words_done(&words);
    chainsi_words_done(&files);
    return status;
}
