/* A keeper with real processes, and this test as its brain: the brains that it starts are this program
 * run again, which hand the socket to the keeper over to the test and wait for what to end with. */
#include "control/keeper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/command.h"
#include "control/process.h"

enum { PATIENCE_MS = 30000, MANY = 300 };

static const char role[] = "KEEPER_TEST_ROLE"; /* of a process that the keeper starts */
static const char meeting[] = "KEEPER_TEST_MEETING";

typedef struct fixture {
    pid_t keeper;
    int listener, lock, front;
    pid_t brain;
    int line;   /* to the brain: a byte is what it ends with */
    int socket; /* the brain's, to the keeper */
    uint32_t number;
} fixture;

/* ------------------------------------------------------------------------------------------------
 * what the keeper runs */

static void meet_at(const char *name, struct sockaddr_un *address, socklen_t *size)
{
    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    memcpy(address->sun_path + 1, name, strlen(name));
    *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
}

static int be_brain(const char *fds)
{
    int socket_to_keeper, lock, front;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (sscanf(fds, "%d:%d:%d", &socket_to_keeper, &lock, &front) != 3)
        return 2;
    struct sockaddr_un address;
    socklen_t size;
    meet_at(getenv(meeting), &address, &size);
    int line = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    chainsi_command hello;
    chainsi_command_make(&hello, CHAINSI_COMMAND_LIST, "");
    hello.pid = getpid();
    hello.value = fcntl(lock, F_GETFD) >= 0 && (front < 0 || fcntl(front, F_GETFD) >= 0);
    unsigned char status;
    if (connect(line, (struct sockaddr *)&address, size) != 0 ||
        !chainsi_command_send(line, &hello, socket_to_keeper) || read(line, &status, 1) != 1)
        return 1;
    return status;
}

static int be_process(const char *what)
{
    printf("%s\n", what);
    fflush(stdout);
    if (!strcmp(what, "stays"))
        pause();
    return !strcmp(what, "ends with 3") ? 3 : 0;
}

/* ------------------------------------------------------------------------------------------------
 * the test's end */

static bool await(int fd)
{
    struct pollfd polled = { .fd = fd, .events = POLLIN };
    return poll(&polled, 1, PATIENCE_MS) == 1;
}

static void receive(int from, chainsi_command *command, int *fd)
{
    assert_true(await(from));
    assert_int_equal(chainsi_command_receive(from, command, fd), 1);
}

/* Waits until the keeper has started a brain. */
static void meet_brain(fixture *it)
{
    if (it->socket >= 0)
        close(it->socket);
    if (it->line >= 0)
        close(it->line);
    chainsi_command hello;
    assert_true(await(it->listener));
    it->line = accept4(it->listener, NULL, NULL, SOCK_CLOEXEC);
    receive(it->line, &hello, &it->socket);
    assert_int_equal(hello.value, 1); /* it has the lock and the front door */
    it->brain = hello.pid;
}

static void close_given(int fd)
{
    if (fd >= 0)
        close(fd);
}

static uint32_t send_command(fixture *it, chainsi_command *command, int fd)
{
    command->number = ++it->number;
    assert_true(chainsi_command_send(it->socket, command, fd));
    return command->number;
}

/* Sends a command and waits for its answer, which must be the next thing that is said. Gives the error. */
static int ask(fixture *it, chainsi_command *command, int fd, chainsi_command *answer,
               int *answer_fd)
{
    chainsi_command done;
    int got = -1;
    uint32_t number = send_command(it, command, fd);
    receive(it->socket, &done, &got);
    assert_int_equal(done.kind, CHAINSI_COMMAND_DONE);
    assert_int_equal(done.number, number);
    if (answer)
        *answer = done;
    if (answer_fd)
        *answer_fd = got;
    else
        close_given(got);
    return done.error;
}

static int ask_name(fixture *it, chainsi_command_kind kind, const char *name, int value, int fd)
{
    chainsi_command command;
    assert_true(chainsi_command_make(&command, kind, name));
    command.value = value;
    return ask(it, &command, fd, NULL, NULL);
}

static int start(fixture *it, const char *name, const char *program, const char *what,
                 const char *note, chainsi_command *answer, int *output)
{
    char variable[64];
    snprintf(variable, sizeof variable, "%s=%s", role, what);
    const char *const environment[] = { variable, NULL };
    chainsi_order order = { .program = program, .directory = "/", .environment = environment };
    chainsi_command command;
    assert_true(chainsi_command_make(&command, CHAINSI_COMMAND_START, name));
    command.note_size = (uint32_t)strlen(note);
    memcpy(command.note, note, strlen(note));
    int fd = chainsi_order_write(&order);
    assert_true(fd >= 0);
    int error = ask(it, &command, fd, answer, output);
    close(fd);
    return error;
}

static pid_t start_staying(fixture *it, const char *name, const char *note)
{
    chainsi_command answer;
    assert_int_equal(start(it, name, "/proc/self/exe", "stays", note, &answer, NULL), 0);
    assert_true(answer.pid > 0);
    return answer.pid;
}

/* What is listed; the last of what is of that kind and name. Returns how many of all. */
static size_t list(fixture *it, chainsi_command_kind kind, const char *name, chainsi_command *found,
                   int *found_fd)
{
    chainsi_command command;
    assert_true(chainsi_command_make(&command, CHAINSI_COMMAND_LIST, ""));
    uint32_t number = send_command(it, &command, -1);
    for (size_t count = 0;; count++) {
        int fd = -1;
        receive(it->socket, &command, &fd);
        if (command.kind == CHAINSI_COMMAND_DONE) {
            assert_int_equal(command.number, number);
            return count;
        }
        if (found && command.kind == kind && !strcmp(command.name, name)) {
            *found = command;
            *found_fd = fd;
        } else {
            close_given(fd);
        }
    }
}

static void await_end(fixture *it, const char *name, int wait_status)
{
    chainsi_command command;
    int fd = -1;
    receive(it->socket, &command, &fd);
    assert_int_equal(command.kind, CHAINSI_COMMAND_ENDED);
    assert_int_equal(command.number, 0);
    assert_string_equal(command.name, name);
    assert_int_equal(command.value, wait_status);
}

/* The keeper's descriptors, once it has done all that it was asked for. */
static size_t count_descriptors(fixture *it)
{
    assert_int_equal(ask_name(it, CHAINSI_COMMAND_RELEASE, "nothing", 0, -1), 0);
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)it->keeper);
    size_t count = 0;
    DIR *entries = opendir(path);
    assert_non_null(entries);
    while (readdir(entries))
        count++;
    closedir(entries);
    return count;
}

static char process_state(pid_t pid)
{
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return 'X';
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    const char *name_end = size ? strrchr(text, ')') : NULL;
    return name_end ? name_end[2] : 'X';
}

/* Polls until the process is in one of the states. */
static void await_state(pid_t pid, const char *states)
{
    for (int left = PATIENCE_MS; !strchr(states, process_state(pid)); left--) {
        assert_true(left > 0);
        poll(NULL, 0, 1);
    }
}

static int begin(void **state)
{
    fixture *it = calloc(1, sizeof *it);
    static int count;
    char name[64];
    snprintf(name, sizeof name, "chains-keeper-test-%d-%d", (int)getpid(), count++);
    setenv(meeting, name, 1);
    struct sockaddr_un address;
    socklen_t size;
    meet_at(name, &address, &size);
    it->line = it->socket = -1;
    it->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    it->lock = memfd_create("lock", MFD_CLOEXEC);
    it->front = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(it->listener, (struct sockaddr *)&address, size) != 0 || listen(it->listener, 8) != 0)
        return -1;
    it->keeper = fork();
    if (!it->keeper) {
        close(it->listener);
        _exit(chainsi_keeper_run(&(chainsi_keeper_options){
            .lock = it->lock,
            .front = it->front,
            .program = "/proc/self/exe",
            .name = "test",
        }));
    }
    meet_brain(it);
    *state = it;
    return 0;
}

/* Gives how the keeper ended; it must have been asked to, or killed. */
static int await_keeper(fixture *it)
{
    int wait_status = 0;
    await_state(it->keeper, "Z");
    assert_int_equal(waitpid(it->keeper, &wait_status, 0), it->keeper);
    it->keeper = 0;
    return wait_status;
}

static int end(void **state)
{
    fixture *it = *state;
    if (it->keeper) {
        kill(it->keeper, SIGKILL);
        waitpid(it->keeper, NULL, 0);
    }
    int fds[] = { it->listener, it->lock, it->front, it->line, it->socket };
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        close_given(fds[i]);
    free(it);
    return 0;
}

/* ------------------------------------------------------------------------------------------------
 * tests */

static void holds_what_it_is_given(void **state)
{
    fixture *it = *state;
    int first[2], second[2], fd = -1;
    chainsi_command found;
    assert_int_equal(pipe2(first, O_CLOEXEC), 0);
    assert_int_equal(pipe2(second, O_CLOEXEC), 0);
    assert_int_equal(list(it, 0, "", NULL, NULL), 0);
    assert_int_equal(ask_name(it, CHAINSI_COMMAND_HOLD, "pipe", 0, first[1]), 0);
    assert_int_equal(ask_name(it, CHAINSI_COMMAND_HOLD, "pipe", 0, second[1]), 0);
    close(first[1]);
    close(second[1]);
    char byte;
    assert_true(await(first[0])); /* nobody holds the first one any more */
    assert_int_equal(read(first[0], &byte, 1), 0);
    assert_int_equal(list(it, CHAINSI_COMMAND_HELD, "pipe", &found, &fd), 1);
    assert_int_equal(write(fd, "x", 1), 1);
    assert_int_equal(read(second[0], &byte, 1), 1);
    close(fd);
    assert_int_equal(ask_name(it, CHAINSI_COMMAND_HOLD, "nothing", 0, -1), EBADF);
    assert_int_equal(ask_name(it, CHAINSI_COMMAND_RELEASE, "pipe", 0, -1), 0);
    assert_int_equal(ask_name(it, CHAINSI_COMMAND_RELEASE, "pipe", 0, -1), 0);
    assert_int_equal(list(it, 0, "", NULL, NULL), 0);
    assert_int_equal(read(second[0], &byte, 1), 0);
    close(first[0]);
    close(second[0]);
}

static void starts_a_process_once(void **state)
{
    fixture *it = *state;
    chainsi_command answer, found;
    int output = -1, fd = -1;
    assert_int_equal(start(it, "p", "/proc/self/exe", "stays", "note", &answer, &output), 0);
    pid_t pid = answer.pid;
    char text[8] = "";
    assert_true(await(output));
    assert_int_equal(read(output, text, sizeof text - 1), 6);
    assert_string_equal(text, "stays\n");
    close(output);
    assert_int_equal(start_staying(it, "p", "another"), pid);
    assert_int_equal(list(it, CHAINSI_COMMAND_PROCESS, "p", &found, &fd), 1);
    assert_int_equal(found.pid, pid);
    assert_int_equal(found.since_ns, answer.since_ns);
    assert_false(found.ended);
    assert_int_equal(found.note_size, 4);
    assert_memory_equal(found.note, "note", 4);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(ask_name(it, CHAINSI_COMMAND_FORGET, "p", 0, -1), EBUSY);
}

static void keeps_an_end_until_it_is_forgotten(void **state)
{
    fixture *it = *state;
    chainsi_command found, command;
    int fd = -1, output = -1;
    assert_int_equal(start(it, "p", "/proc/self/exe", "stays", "", &found, &output), 0);
    assert_true(await(output)); /* it has said something, which nobody reads */
    close(output);
    assert_true(chainsi_command_make(&command, CHAINSI_COMMAND_NOTE, "p"));
    command.note_size = CHAINSI_COMMAND_MAX_NOTE;
    memset(command.note, 'n', sizeof command.note);
    assert_int_equal(ask(it, &command, -1, NULL, NULL), 0);
    assert_int_equal(ask_name(it, CHAINSI_COMMAND_SIGNAL, "p", SIGTERM, -1), 0);
    await_end(it, "p", SIGTERM);
    assert_int_equal(ask_name(it, CHAINSI_COMMAND_SIGNAL, "p", SIGTERM, -1), ESRCH);
    assert_int_equal(list(it, CHAINSI_COMMAND_PROCESS, "p", &found, &fd), 1);
    assert_true(found.ended);
    assert_int_equal(found.value, SIGTERM);
    assert_int_equal(found.note_size, CHAINSI_COMMAND_MAX_NOTE);
    char text[8];
    assert_int_equal(read(fd, text, sizeof text), 6); /* what it said is still there */
    close(fd);
    assert_int_equal(ask_name(it, CHAINSI_COMMAND_FORGET, "p", 0, -1), 0);
    assert_int_equal(ask_name(it, CHAINSI_COMMAND_FORGET, "p", 0, -1), 0);
    assert_int_equal(ask(it, &command, -1, NULL, NULL), ESRCH);
    assert_int_equal(list(it, 0, "", NULL, NULL), 0);
}

static void one_that_has_ended_makes_room(void **state)
{
    fixture *it = *state;
    chainsi_command found;
    int fd = -1;
    pid_t pid = start_staying(it, "p", "first");
    assert_int_equal(ask_name(it, CHAINSI_COMMAND_SIGNAL, "p", SIGKILL, -1), 0);
    await_end(it, "p", SIGKILL);
    assert_int_not_equal(start_staying(it, "p", "second"), pid);
    assert_int_equal(list(it, CHAINSI_COMMAND_PROCESS, "p", &found, &fd), 1);
    close(fd);
    assert_false(found.ended);
    assert_memory_equal(found.note, "second", 6);
}

static void what_cannot_be_run_is_told(void **state)
{
    fixture *it = *state;
    chainsi_command answer, found;
    int fd = -1;
    assert_int_equal(start(it, "p", "/nowhere", "", "kept", &answer, &fd), ENOENT);
    assert_int_equal(answer.pid, 0);
    assert_int_equal(fd, -1);
    assert_int_equal(list(it, CHAINSI_COMMAND_PROCESS, "p", &found, &fd), 1);
    assert_true(found.ended);
    assert_int_equal(found.value, 127 << 8);
    assert_memory_equal(found.note, "kept", 4);

    static const char *const nothing[] = { NULL };
    static const chainsi_order_fd fds[] = { { "not held", "calls" } };
    chainsi_order order = { .program = "/proc/self/exe",
                            .directory = "/",
                            .environment = nothing,
                            .fds = fds,
                            .fd_count = 1 };
    chainsi_command command;
    assert_true(chainsi_command_make(&command, CHAINSI_COMMAND_START, "q"));
    int memory = chainsi_order_write(&order);
    assert_int_equal(ask(it, &command, memory, NULL, NULL), ENOENT);
    close(memory);
    assert_int_equal(ask(it, &command, -1, NULL, NULL), EBADF);
    assert_int_equal(start(it, "p", "/proc/self/exe", "ends with 3", "", &answer, NULL), 0);
    await_end(it, "p", 3 << 8);
}

/* A group's entry is a file like another to the keeper: what enters writes a 0 to it. */
static void a_process_enters_its_group_first(void **state)
{
    fixture *it = *state;
    static const char *const groups[] = { "p/group0", "p/group1" };
    static const char *const nothing[] = { NULL };
    chainsi_order order = { .program = "/bin/true",
                            .directory = "/",
                            .environment = nothing,
                            .groups = groups,
                            .group_count = 2 };
    chainsi_command command;
    assert_true(chainsi_command_make(&command, CHAINSI_COMMAND_START, "p"));
    int memory = chainsi_order_write(&order), entries[2];
    assert_int_equal(ask(it, &command, memory, NULL, NULL), ENOENT); /* nobody holds them */
    for (size_t i = 0; i < 2; i++) {
        entries[i] = memfd_create("entry", MFD_CLOEXEC);
        assert_int_equal(ask_name(it, CHAINSI_COMMAND_HOLD, groups[i], 0, entries[i]), 0);
    }
    assert_int_equal(ask(it, &command, memory, NULL, NULL), 0);
    await_end(it, "p", 0);
    for (size_t i = 0; i < 2; i++) {
        char text[2];
        assert_int_equal(pread(entries[i], text, sizeof text, 0), 1);
        assert_int_equal(text[0], '0');
        close(entries[i]);
    }
    /* One that refuses: then nothing is run. */
    int refusing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(ask_name(it, CHAINSI_COMMAND_HOLD, groups[1], 0, refusing), 0);
    close(refusing);
    assert_int_equal(ask(it, &command, memory, NULL, NULL), EBADF);
    close(memory);
}

static void another_brain_finds_everything(void **state)
{
    fixture *it = *state;
    chainsi_command found;
    int fd = -1;
    pid_t pid = start_staying(it, "p", "note"), before = it->brain;
    assert_int_equal(ask_name(it, CHAINSI_COMMAND_HOLD, "held", 0, it->front), 0);
    kill(before, SIGKILL);
    meet_brain(it);
    assert_int_not_equal(it->brain, before);
    assert_int_equal(list(it, CHAINSI_COMMAND_PROCESS, "p", &found, &fd), 2);
    close(fd);
    assert_int_equal(found.pid, pid);
    assert_false(found.ended);
    assert_memory_equal(found.note, "note", 4);
}

/* Stops the keeper, kills the brain and what else there is, and lets the keeper go on. */
static void outage(fixture *it, pid_t also)
{
    kill(it->keeper, SIGSTOP);
    await_state(it->keeper, "T");
    chainsi_command command;
    assert_true(chainsi_command_make(&command, CHAINSI_COMMAND_HOLD, "last"));
    send_command(it, &command, it->front);
    kill(it->brain, SIGKILL);
    await_state(it->brain, "ZX");
    if (also) {
        kill(also, SIGKILL);
        await_state(also, "ZX");
    }
    kill(it->keeper, SIGCONT);
    meet_brain(it);
}

static void an_outage_loses_nothing(void **state)
{
    fixture *it = *state;
    chainsi_command found;
    int fd = -1;
    outage(it, start_staying(it, "p", ""));
    assert_int_equal(list(it, CHAINSI_COMMAND_PROCESS, "p", &found, &fd), 2);
    close(fd);
    assert_true(found.ended);
    assert_int_equal(found.value, SIGKILL);
    /* What the brain had still said before it died was done. */
    assert_int_equal(list(it, CHAINSI_COMMAND_HELD, "last", &found, &fd), 2);
    close(fd);
}

static void nonsense_costs_the_brain_its_life(void **state)
{
    fixture *it = *state;
    pid_t before = it->brain;
    assert_int_equal(ask_name(it, (chainsi_command_kind)99, "", 0, -1), EINVAL);
    assert_int_equal(ask_name(it, CHAINSI_COMMAND_ENDED, "", 0, -1), EINVAL);
    assert_int_equal(send(it->socket, "x", 1, 0), 1);
    meet_brain(it);
    assert_int_not_equal(it->brain, before);
}

static void waits_for_a_slow_reader(void **state)
{
    fixture *it = *state;
    chainsi_command command;
    size_t before = count_descriptors(it);
    for (int i = 0; i < MANY; i++) {
        char name[32];
        snprintf(name, sizeof name, "held %d", i);
        assert_int_equal(ask_name(it, CHAINSI_COMMAND_HOLD, name, 0, it->front), 0);
    }
    assert_true(chainsi_command_make(&command, CHAINSI_COMMAND_LIST, ""));
    send_command(it, &command, -1);
    /* It goes on while what it has said isn't read: a process is started. */
    static const char *const environment[] = { "KEEPER_TEST_ROLE=stays", NULL };
    chainsi_order order = { .program = "/proc/self/exe",
                            .directory = "/",
                            .environment = environment };
    int memory = chainsi_order_write(&order);
    assert_true(chainsi_command_make(&command, CHAINSI_COMMAND_START, "p"));
    uint32_t number = send_command(it, &command, memory);
    close(memory);
    int held = 0;
    do {
        int fd = -1;
        receive(it->socket, &command, &fd);
        close_given(fd);
        held += command.kind == CHAINSI_COMMAND_HELD;
    } while (command.number != number);
    assert_int_equal(held, MANY);
    assert_int_equal(command.error, 0);
    for (int i = 0; i < MANY; i++) {
        char name[32];
        snprintf(name, sizeof name, "held %d", i);
        assert_int_equal(ask_name(it, CHAINSI_COMMAND_RELEASE, name, 0, -1), 0);
    }
    assert_int_equal(count_descriptors(it), before + 1); /* the process's output */
}

static void brains_leave_nothing(void **state)
{
    fixture *it = *state;
    start_staying(it, "p", "");
    size_t before = count_descriptors(it);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(ask_name(it, CHAINSI_COMMAND_SERVING, "", 0, -1), 0);
        kill(it->brain, SIGKILL);
        meet_brain(it);
        assert_int_equal(list(it, 0, "", NULL, NULL), 1);
    }
    assert_int_equal(count_descriptors(it), before);
}

static void processes_die_with_the_keeper(void **state)
{
    fixture *it = *state;
    pid_t pid = start_staying(it, "p", "");
    kill(it->keeper, SIGKILL);
    assert_int_equal(await_keeper(it), SIGKILL);
    await_state(pid, "ZX");
}

static void expect_stop(fixture *it, int times)
{
    chainsi_command command;
    int fd = -1;
    receive(it->socket, &command, &fd);
    assert_int_equal(command.kind, CHAINSI_COMMAND_STOP);
    assert_int_equal(command.value, times);
}

static void ends_with_its_brain(void **state)
{
    fixture *it = *state;
    pid_t pid = start_staying(it, "p", "");
    kill(it->keeper, SIGTERM);
    expect_stop(it, 1);
    kill(it->brain, SIGKILL); /* that is no orderly end: another one has to do it */
    meet_brain(it);
    chainsi_command command;
    int fd = -1;
    assert_true(chainsi_command_make(&command, CHAINSI_COMMAND_LIST, ""));
    send_command(it, &command, -1);
    receive(it->socket, &command, &fd);
    assert_int_equal(command.kind, CHAINSI_COMMAND_PROCESS);
    close_given(fd);
    receive(it->socket, &command, &fd);
    assert_int_equal(command.kind, CHAINSI_COMMAND_DONE);
    assert_int_equal(command.value, 1); /* it was asked to end */
    assert_int_equal(write(it->line, "\0", 1), 1);
    assert_int_equal(await_keeper(it), 0);
    await_state(pid, "ZX"); /* what the brain left is not left */
}

/* The brain ends, with that status. */
static void end_brain(fixture *it, unsigned char exit_status)
{
    assert_int_equal(write(it->line, &exit_status, 1), 1);
}

static void a_brain_that_nobody_can_help_ends_it(void **state)
{
    fixture *it = *state;
    end_brain(it, 1); /* another one may fare better */
    meet_brain(it);
    end_brain(it, CHAINSI_KEEPER_HELPLESS);
    assert_int_equal(await_keeper(it), 1 << 8);
}

static void what_runs_goes_on_without_help(void **state)
{
    fixture *it = *state;
    assert_int_equal(ask_name(it, CHAINSI_COMMAND_SERVING, "", 0, -1), 0);
    pid_t pid = start_staying(it, "p", "");
    for (int i = 0; i < 3; i++) {
        end_brain(it, CHAINSI_KEEPER_HELPLESS);
        meet_brain(it);
    }
    assert_int_equal(list(it, 0, "", NULL, NULL), 1);
    assert_int_equal(kill(pid, 0), 0);
}

static void the_second_signal_kills(void **state)
{
    fixture *it = *state;
    start_staying(it, "p", "");
    kill(it->keeper, SIGINT);
    expect_stop(it, 1);
    kill(it->keeper, SIGTERM);
    chainsi_command command;
    int fd = -1, ended = 0, stops = 0;
    for (int i = 0; i < 2; i++) {
        receive(it->socket, &command, &fd);
        ended += command.kind == CHAINSI_COMMAND_ENDED && command.value == SIGKILL;
        stops += command.kind == CHAINSI_COMMAND_STOP && command.value == 2;
    }
    assert_int_equal(ended, 1);
    assert_int_equal(stops, 1);
    kill(it->keeper, SIGTERM); /* a brain that doesn't end is killed as well */
    pid_t brain = it->brain;
    assert_int_equal(await_keeper(it), 1 << 8);
    await_state(brain, "ZX");
}

static void gives_the_front_door_up(void **state)
{
    fixture *it = *state;
    assert_int_equal(ask_name(it, CHAINSI_COMMAND_RELEASE, CHAINSI_KEEPER_FRONT, 0, -1), 0);
    kill(it->brain, SIGKILL);
    meet_brain(it);
    assert_int_equal(list(it, 0, "", NULL, NULL), 0);
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "--brain"))
        return be_brain(argv[2]);
    if (getenv(role))
        return be_process(getenv(role));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(holds_what_it_is_given, begin, end),
        cmocka_unit_test_setup_teardown(starts_a_process_once, begin, end),
        cmocka_unit_test_setup_teardown(keeps_an_end_until_it_is_forgotten, begin, end),
        cmocka_unit_test_setup_teardown(one_that_has_ended_makes_room, begin, end),
        cmocka_unit_test_setup_teardown(what_cannot_be_run_is_told, begin, end),
        cmocka_unit_test_setup_teardown(a_process_enters_its_group_first, begin, end),
        cmocka_unit_test_setup_teardown(another_brain_finds_everything, begin, end),
        cmocka_unit_test_setup_teardown(an_outage_loses_nothing, begin, end),
        cmocka_unit_test_setup_teardown(nonsense_costs_the_brain_its_life, begin, end),
        cmocka_unit_test_setup_teardown(waits_for_a_slow_reader, begin, end),
        cmocka_unit_test_setup_teardown(brains_leave_nothing, begin, end),
        cmocka_unit_test_setup_teardown(processes_die_with_the_keeper, begin, end),
        cmocka_unit_test_setup_teardown(ends_with_its_brain, begin, end),
        cmocka_unit_test_setup_teardown(a_brain_that_nobody_can_help_ends_it, begin, end),
        cmocka_unit_test_setup_teardown(what_runs_goes_on_without_help, begin, end),
        cmocka_unit_test_setup_teardown(the_second_signal_kills, begin, end),
        cmocka_unit_test_setup_teardown(gives_the_front_door_up, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
