/* Local runs: what they print where, and their exit status. */
#include <fcntl.h>
#include <sys/wait.h>

#include "runtime/call_test_support.h"

typedef struct outcome {
    int status;
    char out[4096], err[4096];
} outcome;

static void read_back(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = read(fd, text, size - 1);
    text[got > 0 ? got : 0] = 0;
    close(fd);
    unlink(path);
}

/* Runs the worker as a program of its own. given: its stdin. */
static outcome run(const char *given, char **arguments)
{
    outcome seen;
    char folder[] = "/tmp/chains-test-XXXXXX", paths[3][64];
    assert_non_null(mkdtemp(folder));
    static const char *const names[] = { "in", "out", "err" };
    for (int i = 0; i < 3; i++)
        snprintf(paths[i], sizeof paths[i], "%s/%s", folder, names[i]);
    FILE *in = fopen(paths[0], "w");
    fputs(given, in);
    fclose(in);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(open(paths[0], O_RDONLY), 0);
        dup2(open(paths[1], O_CREAT | O_WRONLY, 0600), 1);
        dup2(open(paths[2], O_CREAT | O_WRONLY, 0600), 2);
        int count = 0;
        while (arguments[count])
            count++;
        int ended = chainsi_run_main(&worker_node, count, arguments);
        fflush(NULL);
        _exit(ended);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    seen.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    unlink(paths[0]);
    read_back(paths[1], seen.out, sizeof seen.out);
    read_back(paths[2], seen.err, sizeof seen.err);
    rmdir(folder);
    return seen;
}
#define RUN(given, ...) run(given, (char *[]){ (char *)"program", __VA_ARGS__, NULL })

static char *words(const char *text)
{
    return (char *)(uintptr_t)text;
}

static void the_answer_is_all_that_is_printed(void **state)
{
    (void)state;
    static const char *const expected = "{\"text\":\"<hi>\",\"sum\":3}\n";
    char input[] = "{\"text\": \"hi\", \"numbers\": [1, 2]}";
    outcome seen = RUN("", words("--input"), input);
    assert_int_equal(seen.status, 0);
    assert_string_equal(seen.out, expected);
    assert_string_equal(seen.err, "");
    seen = RUN(input, words("--input"), words("-"));
    assert_string_equal(seen.out, expected);
    seen = RUN(input, words("--strict"), words("--input"), words("@/dev/stdin"));
    assert_string_equal(seen.out, expected);
    assert_string_equal(seen.err, "");
}

static void failures_are_shown_with_their_way(void **state)
{
    (void)state;
    char input[] = "{\"text\": \"hi\", \"fail_status\": 5}";
    outcome seen = RUN("", words("--input"), input);
    assert_int_equal(seen.status, 1);
    assert_string_equal(seen.out, "");
    assert_memory_equal(seen.err, "error: NOT_FOUND: worker was told to fail: hi\n  worker: ", 55);
    assert_non_null(strstr(seen.err, "call_test_support.h:"));
    seen = RUN("", words("--json"), words("--input"), input);
    assert_int_equal(seen.status, 1);
    assert_string_equal(seen.out, "");
    assert_non_null(strstr(seen.err, "{\"error\":{\"status\":\"NOT_FOUND\""));
    assert_null(strstr(seen.err, "\"request_id\":\"\""));
}

static void wrong_arguments_name_path_byte_and_declaration(void **state)
{
    (void)state;
    outcome seen = RUN("", words("--input"), words("{\"text\": 7}"));
    assert_int_equal(seen.status, 1);
    assert_non_null(strstr(seen.err, "INVALID_ARGUMENT: text: "));
    assert_non_null(strstr(seen.err, "(byte 9)"));
    assert_non_null(strstr(seen.err, "worker.h:7"));
    seen = RUN("", words("--input"), words(""));
    assert_int_equal(seen.status, 1);
    seen = RUN("", words("--json"));
    assert_int_equal(seen.status, 1); /* {} lacks the text */
    assert_non_null(strstr(seen.err, "\"path\":\"text\""));
}

static void a_timeout_says_so(void **state)
{
    (void)state;
    outcome seen = RUN("", words("--timeout"), words("20"), words("--input"),
                       words("{\"text\": \"x\", \"until_cancelled\": true}"));
    assert_int_equal(seen.status, 1);
    assert_memory_equal(seen.err, "error: DEADLINE_EXCEEDED: ", 26);
}

static void usage_is_2(void **state)
{
    (void)state;
    assert_int_equal(RUN("", words("--unknown")).status, 2);
    assert_int_equal(RUN("", words("--input")).status, 2);
    assert_int_equal(RUN("", words("--timeout"), words("soon")).status, 2);
    assert_int_equal(RUN("", words("--timeout"), words("-5")).status, 2);
    outcome seen = RUN("", words("--input"), words("@/nonexistent/file"));
    assert_int_equal(seen.status, 2);
    assert_string_equal(seen.err, "@/nonexistent/file: No such file or directory\n");
    seen = RUN("", words("--help"));
    assert_int_equal(seen.status, 0);
    assert_memory_equal(seen.out, "usage: ", 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_answer_is_all_that_is_printed),
        cmocka_unit_test(failures_are_shown_with_their_way),
        cmocka_unit_test(wrong_arguments_name_path_byte_and_declaration),
        cmocka_unit_test(a_timeout_says_so),
        cmocka_unit_test(usage_is_2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
