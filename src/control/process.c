/* fork and exec with sockets handed over.
 *
 * Everything that allocates happens before fork. The parent waits, on a CLOEXEC pipe, until exec
 * succeeded or told why not: so failures are known at once, and no half-started child holds
 * descriptors (of a binary that is being copied, of a socket that is being closed) while the daemon
 * goes on. */
#include "control/process.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "control/cgroup.h"
#include "control/notify.h"
#include "control/state_place.h"

extern char **environ;

enum {
    FIRST_FD = 3,
    MOVED_FD = FIRST_FD + CHAINSI_MOST_PROCESS_FDS, /* above all that the child is to have */
};

static size_t name_size(const char *entry)
{
    return strcspn(entry, "=");
}

static bool same_name(const char *a, const char *b)
{
    size_t size = name_size(a);
    return size == name_size(b) && !memcmp(a, b, size);
}

/* The child's environment: this process's without what start replaces, and what is the daemon's own. The array is to be freed;
 * its texts are start's, environ's and own's. */
static const char **merge_environment(const chainsi_process_start *start, const char *const own[3])
{
    size_t count = 3, given = 0, inherited = 0;
    while (start->environment[given])
        given++;
    while (environ[inherited])
        inherited++;
    const char **merged = calloc(inherited + given + count + 1, sizeof *merged);
    if (!merged)
        abort();
    size_t used = 0;
    for (size_t source = 0; source < 3; source++) {
        const char *const *entries = source == 0   ? (const char *const *)environ
                                     : source == 1 ? start->environment
                                                   : own;
        size_t entry_count = source == 0 ? inherited : source == 1 ? given : count;
        for (size_t i = 0; i < entry_count; i++) {
            size_t at = 0;
            if (source == 0 &&
                (chainsi_notify_is_own(entries[i]) || chainsi_state_place_is_secret(entries[i])))
                continue;
            while (at < used && !same_name(merged[at], entries[i]))
                at++;
            merged[at] = entries[i];
            if (at == used)
                used++;
        }
    }
    return merged;
}

/* Enters the groups; inside: the process is in that of v2. 0 or errno. Between fork and exec. */
static int enter_groups(const chainsi_process_start *start, bool inside)
{
    int error = 0;
    for (size_t i = 0; i < start->group_fd_count && !error; i++)
        if (!inside || !chainsi_cgroup_is_unified_entry(start->group_fds[i]))
            error = chainsi_cgroup_enter(&start->group_fds[i], 1);
    return error;
}

/* Between fork and exec: only what is safe there. */
static int become(const chainsi_process_start *start, const char *const *environment,
                  char *pid_digits, pid_t parent, int null_fd)
{
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        return errno;
    if (getppid() != parent)
        return ESRCH;

    /* Decimal digits by hand: nothing of stdio here. */
    char reversed[24];
    size_t size = 0;
    for (pid_t rest = getpid(); rest; rest /= 10)
        reversed[size++] = (char)('0' + rest % 10);
    for (size_t i = 0; i < size; i++)
        pid_digits[i] = reversed[size - 1 - i];
    pid_digits[size] = 0;

    /* First out of the way, as any of them may have a number that another is to get. */
    int moved[CHAINSI_MOST_PROCESS_FDS];
    for (size_t i = 0; i < start->fd_count; i++) {
        moved[i] = fcntl(start->fds[i].fd, F_DUPFD_CLOEXEC, MOVED_FD);
        if (moved[i] < 0)
            return errno;
    }
    int output = fcntl(start->output_fd, F_DUPFD_CLOEXEC, MOVED_FD);
    int input = fcntl(null_fd, F_DUPFD_CLOEXEC, MOVED_FD);
    if (output < 0 || input < 0)
        return errno;
    if (dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
        dup2(output, STDERR_FILENO) < 0)
        return errno;
    for (size_t i = 0; i < start->fd_count; i++)
        if (dup2(moved[i], FIRST_FD + (int)i) < 0)
            return errno;
    if (close_range(FIRST_FD + (unsigned)start->fd_count, ~0U, CLOSE_RANGE_CLOEXEC) != 0 &&
        errno != ENOSYS)
        return errno;
    if (start->directory && chdir(start->directory) != 0)
        return errno;
    char *const alone[] = { (char *)start->program, NULL };
    execve(start->program, start->arguments ? (char *const *)start->arguments : alone,
           (char *const *)environment);
    return errno;
}

/* fork(), if it can be into the v2 group among those of the start: then the child is in it. */
static pid_t fork_into_group(const chainsi_process_start *start, bool *inside)
{
    *inside = true;
    for (size_t i = 0; i < start->group_fd_count; i++) {
        if (!chainsi_cgroup_is_unified_entry(start->group_fds[i]))
            continue;
        struct clone_args how = { .flags = CLONE_INTO_CGROUP,
                                  .exit_signal = SIGCHLD,
                                  .cgroup = (unsigned)start->group_fds[i] };
        /* The child doesn't return from here in a way that the C library would have to know of: it runs
         * become(), and nothing else. */
        long pid = syscall(SYS_clone3, &how, sizeof how);
        if (pid >= 0)
            return (pid_t)pid;
    }
    *inside = false;
    return fork();
}

/* Moves a descriptor above those that the child's end of things overwrites. */
static int move_up(int fd)
{
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, MOVED_FD);
    int error = errno;
    close(fd);
    errno = error;
    return moved;
}

pid_t chainsi_process_run(const chainsi_process_start *start)
{
    assert(start->fd_count <= CHAINSI_MOST_PROCESS_FDS);
    static const char prefix[] = "LISTEN_PID=";
    char listen_pid[sizeof prefix + 24] = "LISTEN_PID=";
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0)
        return -1;
    report[1] = move_up(report[1]);
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (report[1] < 0 || null_fd < 0) {
        int error = errno;
        close(report[0]);
        if (report[1] >= 0)
            close(report[1]);
        if (null_fd >= 0)
            close(null_fd);
        errno = error;
        return -1;
    }
    char listen_fds[48];
    snprintf(listen_fds, sizeof listen_fds, "LISTEN_FDS=%zu", start->fd_count);
    chainsi_buffer names = { 0 };
    chainsi_buffer_add_text(&names, "LISTEN_FDNAMES=");
    for (size_t i = 0; i < start->fd_count; i++)
        chainsi_buffer_printf(&names, "%s%s", i ? ":" : "", start->fds[i].name);
    chainsi_buffer_add_byte(&names, 0);
    const char *const own[] = { listen_fds, (const char *)names.data, listen_pid };
    const char **environment = merge_environment(start, own);
    pid_t parent = getpid();

    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    bool inside;
    pid_t pid = fork_into_group(start, &inside);
    if (pid == 0) {
        int error = enter_groups(start, inside);
        if (!error)
            error = become(start, environment, listen_pid + sizeof prefix - 1, parent, null_fd);
        if (write(report[1], &error, sizeof error) != sizeof error)
            _exit(126);
        _exit(127);
    }
    int error = pid < 0 ? errno : 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(report[1]);
    close(null_fd);
    free(environment);
    chainsi_buffer_done(&names);
    if (pid > 0) {
        int reported;
        ssize_t count;
        do {
            count = read(report[0], &reported, sizeof reported);
        } while (count < 0 && errno == EINTR);
        if (count == sizeof reported) {
            error = reported;
            waitpid(pid, NULL, 0);
            pid = -1;
        }
    }
    close(report[0]);
    errno = error;
    return pid;
}

void chainsi_process_describe_end(int wait_status, char *text, size_t size)
{
    if (WIFSIGNALED(wait_status))
        snprintf(text, size, "killed by signal %d (%s)", WTERMSIG(wait_status),
                 strsignal(WTERMSIG(wait_status)));
    else
        snprintf(text, size, "exit status %d", WEXITSTATUS(wait_status));
}
