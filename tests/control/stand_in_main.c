/* A service without a Chainlet, that does what a test asks for: it stands where a generated one would,
 * on the sockets of LISTEN_FDS.
 *
 * POST /run_remote with one of these as the body, as it is or as a JSON string:
 *   report            what it found: its process, environment, descriptors, and the call's headers
 *   sleep MS          answers after a while; its thread is named "busy" for that long
 *   wait              answers when its caller has left, or after 60 s; the log tells which
 *   stay              answers after a while: see STAND_IN_WAIT_WHILE
 *   trickle           answers in parts, one after the other until its caller has left, or for 60 s;
 *                     the log tells which
 *   secrets           answers with the secrets that it was handed, as they came
 *   say TEXT          writes a line to its log
 *   die               ends the process by SIGKILL before it answers
 *   big BYTES         answers with that many bytes
 *   use MIB           keeps that much memory in use from then on
 *   groups            answers with the cgroups that it is in, a line each
 *   echo TEXT         answers with the text, as a JSON string
 *   fail PATH         answers with UNAVAILABLE while there is that file
 *   call URL_VARIABLE calls the service whose address is in that variable, with "report";
 *   call URL_VARIABLE after   likewise, after a while: see STAND_IN_WAIT_WHILE
 * Environment: STAND_IN_FAIL=TEXT writes it to stderr and exits with 3;
 * STAND_IN_FAIL_IF=PATH does so while there is a file; STAND_IN_NEVER_READY,
 * STAND_IN_STALLED_IF=PATH, STAND_IN_UNREADY_IF=PATH (/readyz says 503 while there is a file; for the
 * latter the log says so, too),
 * STAND_IN_STUBBORN (ignores SIGTERM), STAND_IN_SLOTS, STAND_IN_MARK (an answer's "mark");
 * STAND_IN_WAIT_WHILE=PATH (a call that is to be made "after", or to "stay", says "held up" and waits while
 * there is a file), STAND_IN_START_WHILE=PATH (is not ready before there is no such file), STAND_IN_CHILD
 * (starts a process that stays), STAND_IN_ESCAPE (starts one in a session of its own, whose number the log
 * tells); STAND_IN_STATUS (what calls are answered with),
 * STAND_IN_DELAY_MS (after how long). */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rpc/client.h"
#include "rpc/parts.h"
#include "rpc/server.h"
#include "schema/json.h"

enum { CALLS_FD = 3, PROBES_FD = 4, BOARD_FD = 5, WAIT_LIMIT_MS = 60000 };

extern char **environ;

static void add_member(chainsi_buffer *out, const char *name, const char *value, size_t size)
{
    chainsi_json_write_string(out, name, strlen(name));
    chainsi_buffer_add_byte(out, ':');
    chainsi_json_write_string(out, value, size);
}

static void add_descriptors(chainsi_buffer *out)
{
    static const char *const shown[] = { "0", "1", "2", "3", "4" };
    chainsi_buffer_add_text(out, "\"sockets\":[");
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        struct stat info;
        bool is_socket = fstat(atoi(shown[i]), &info) == 0 && S_ISSOCK(info.st_mode);
        chainsi_buffer_printf(out, "%s%s", i ? "," : "", is_socket ? "true" : "false");
    }
    chainsi_buffer_add_text(out, "]");
}

static size_t first_descriptors; /* open when main began */

static size_t count_descriptors(void)
{
    size_t count = 0;
    DIR *entries = opendir("/proc/self/fd");
    for (struct dirent *entry; entries && (entry = readdir(entries));)
        count += entry->d_name[0] != '.';
    if (entries)
        closedir(entries);
    return count - 1; /* its own */
}

static void report(const chainsi_server_request *request, chainsi_buffer *out)
{
    chainsi_buffer_printf(out, "{\"pid\":%d,\"descriptors\":%zu,", (int)getpid(),
                          first_descriptors);
    add_descriptors(out);
    chainsi_buffer_add_text(out, ",\"headers\":{");
    for (size_t i = 0; i < request->head.head.header_count; i++) {
        const chainsi_http_header *header = &request->head.head.headers[i];
        char name[256];
        snprintf(name, sizeof name, "%.*s", (int)header->name.size, header->name.data);
        chainsi_buffer_add_text(out, i ? "," : "");
        add_member(out, name, header->value.data, header->value.size);
    }
    chainsi_buffer_add_text(out, "},\"environment\":{");
    for (char **entry = environ; *entry; entry++) {
        size_t size = strcspn(*entry, "=");
        char name[256];
        snprintf(name, sizeof name, "%.*s", (int)size, *entry);
        chainsi_buffer_add_text(out, entry == environ ? "" : ",");
        add_member(out, name, *entry + size + 1, strlen(*entry + size + 1));
    }
    chainsi_buffer_add_text(out, "}}");
}

/* Whether there is the file that an environment variable names. */
static bool is_there(const char *variable)
{
    const char *path = getenv(variable);
    return path && access(path, F_OK) == 0;
}

static void hold_up(void)
{
    fprintf(stderr, "held up\n");
    for (int left_ms = WAIT_LIMIT_MS; left_ms > 0 && is_there("STAND_IN_WAIT_WHILE"); left_ms -= 5)
        nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
}

/* As every caller does, sends again what certainly wasn't started. */
static void call_other(const char *variable, chainsi_server_response *response,
                       chainsi_arena *arena)
{
    char why[256] = "";
    chainsi_exchange_end end = CHAINSI_EXCHANGE_NOT_STARTED;
    const char *url = getenv(variable);
    chainsi_client *client = chainsi_client_new(url ? url : "", why, sizeof why);
    chainsi_client_response answer;
    chainsi_client_request request = {
        .method = "POST",
        .path = "/run_remote",
        .body = "report",
        .body_size = 6,
        .deadline_ns = CHAINSI_NEVER,
    };
    for (int left = 8; client && left > 0 && end == CHAINSI_EXCHANGE_NOT_STARTED; left--)
        end = chainsi_client_exchange(client, &request, arena, &answer, why, sizeof why);
    if (end == CHAINSI_EXCHANGE_ANSWERED) {
        chainsi_buffer_add(response->body, answer.body, answer.body_size);
    } else {
        response->status = 500;
        add_member(response->body, "why", why, strlen(why));
    }
    chainsi_client_free(client);
}

static void use_memory(size_t mib)
{
    volatile char *memory =
        mmap(NULL, mib << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t at = 0; memory != MAP_FAILED && at < mib << 20; at += 4096)
        memory[at] = 1;
}

static void add_groups(chainsi_buffer *out)
{
    char text[8192];
    FILE *groups = fopen("/proc/self/cgroup", "re");
    size_t size = groups ? fread(text, 1, sizeof text, groups) : 0;
    if (groups)
        fclose(groups);
    chainsi_json_write_string(out, text, size);
}

static void add_secrets(chainsi_buffer *out)
{
    const char *fd = getenv("CHAINS_SECRETS_FD");
    uint8_t *room = chainsi_buffer_reserve(out, 65536);
    ssize_t got = fd ? pread(atoi(fd), room, 65536, 0) : -1;
    if (got < 0)
        chainsi_buffer_add_text(out, "null");
    else
        out->size += (size_t)got;
}

static void trickle(const chainsi_server_request *request, chainsi_server_response *response)
{
    chainsi_parts *parts = chainsi_arena_alloc(request->arena, sizeof *parts);
    chainsi_parts_init(parts, request, response, 0);
    response->parts = parts;
    bool left = false;
    for (int left_ms = WAIT_LIMIT_MS; left_ms > 0 && !left; left_ms -= 5) {
        left =
            chainsi_parts_send(parts, "\"drop\"\n", 7, false, CHAINSI_NEVER) != CHAINSI_PARTS_SENT;
        nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
    }
    fprintf(stderr, left ? "the caller has left\n" : "the caller stayed\n");
    if (!left)
        chainsi_parts_send(parts, "", 0, true, CHAINSI_NEVER);
}

/* The body, without the quotes of a JSON string. */
static void read_command(const chainsi_server_request *request, char *text, size_t size)
{
    const char *body = request->body;
    size_t length = request->body_size;
    if (length >= 2 && body[0] == '"' && body[length - 1] == '"') {
        body++;
        length -= 2;
    }
    snprintf(text, size, "%.*s", (int)(length < size ? length : size), body);
}

static void handle(void *user, chainsi_server_request *request, chainsi_server_response *response)
{
    (void)user;
    response->content_type = "application/json";
    const char *status = getenv("STAND_IN_STATUS"), *delay = getenv("STAND_IN_DELAY_MS");
    if (status)
        response->status = atoi(status);
    if (delay)
        nanosleep(&(struct timespec){ .tv_nsec = atol(delay) * 1000000 }, NULL);
    const char *mark = getenv("STAND_IN_MARK");
    char text[256];
    read_command(request, text, sizeof text);
    if (chainsi_slice_is(request->head.path, "/openapi.json")) {
        chainsi_buffer_add_text(response->body, "{\"openapi\":\"3.1.0\"}");
    } else if (!strcmp(text, "report")) {
        report(request, response->body);
    } else if (!strncmp(text, "sleep ", 6)) {
        long ms = atol(text + 6);
        prctl(PR_SET_NAME, "busy");
        nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL);
        prctl(PR_SET_NAME, "idle");
        chainsi_buffer_add_text(response->body, "\"slept\"");
    } else if (!strcmp(text, "wait")) {
        fprintf(stderr, "waiting\n");
        struct pollfd caller = { .fd = request->fd, .events = request->hang_up };
        bool left = poll(&caller, 1, WAIT_LIMIT_MS) > 0;
        fprintf(stderr, left ? "the caller has left\n" : "the caller stayed\n");
        chainsi_buffer_add_text(response->body, "null");
    } else if (!strcmp(text, "stay")) {
        hold_up();
        chainsi_buffer_add_text(response->body, "\"stayed\"");
    } else if (!strcmp(text, "trickle")) {
        trickle(request, response);
    } else if (!strcmp(text, "secrets")) {
        add_secrets(response->body);
    } else if (!strncmp(text, "say ", 4)) {
        fprintf(stderr, "%.*s\n", (int)request->body_size - 4, (const char *)request->body + 4);
        chainsi_buffer_add_text(response->body, "null");
    } else if (!strcmp(text, "die")) {
        kill(getpid(), SIGKILL);
    } else if (!strncmp(text, "big ", 4)) {
        for (long left = atol(text + 4); left > 0; left--)
            chainsi_buffer_add_byte(response->body, 'x');
    } else if (!strncmp(text, "use ", 4)) {
        use_memory((size_t)atol(text + 4));
        chainsi_buffer_add_text(response->body, "\"used\"");
    } else if (!strcmp(text, "groups")) {
        add_groups(response->body);
    } else if (!strncmp(text, "echo ", 5)) {
        chainsi_json_write_text(response->body, text + 5);
    } else if (!strncmp(text, "fail ", 5) && access(text + 5, F_OK) == 0) {
        response->status = 503;
        chainsi_buffer_add_text(response->body,
                                "{\"error\":{\"status\":\"UNAVAILABLE\",\"message\":\"as told\","
                                "\"path\":null,\"trace\":[],\"request_id\":null}}");
    } else if (!strncmp(text, "call ", 5)) {
        char *after = strstr(text, " after");
        if (after) {
            *after = 0;
            hold_up();
        }
        call_other(text + 5, response, request->arena);
    } else {
        chainsi_buffer_printf(response->body, "{\"mark\":\"%s\",\"size\":%zu}", mark ? mark : "",
                              request->body_size);
    }
}

static void answer_probe(void *user, chainsi_server_request *request,
                         chainsi_server_response *response)
{
    if (chainsi_slice_is(request->head.path, "/readyz")) {
        bool unready = is_there("STAND_IN_UNREADY_IF");
        response->status = getenv("STAND_IN_NEVER_READY") || unready ? 503 : 200;
        if (unready)
            fprintf(stderr, "unready as told\n");
        if (is_there("STAND_IN_STALLED_IF")) {
            response->status = 503;
            chainsi_buffer_add_text(response->body, "stalled: as told\n");
        }
        return;
    }
    handle(user, request, response);
}

/* Starts a process in a session of its own, whose parent is this one, or has ended. */
static void escape(bool twice)
{
    pid_t escaped = fork();
    if (escaped == 0) {
        setsid();
        if (twice && fork() > 0)
            _exit(0);
        if (twice)
            fprintf(stderr, "escaped: %d\n", (int)getpid());
        for (;;)
            pause();
    }
    if (twice)
        waitpid(escaped, NULL, 0);
    else if (escaped > 0)
        fprintf(stderr, "escaped: %d\n", (int)escaped);
}

int main(void)
{
    first_descriptors = count_descriptors();
    const char *text = getenv("STAND_IN_FAIL");
    if (text) {
        fprintf(stderr, "%s\n", text);
        return 3;
    }
    if (is_there("STAND_IN_FAIL_IF")) {
        fprintf(stderr, "not while there is %s\n", getenv("STAND_IN_FAIL_IF"));
        return 3;
    }
    for (int left_ms = WAIT_LIMIT_MS; left_ms > 0 && is_there("STAND_IN_START_WHILE"); left_ms -= 5)
        nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
    const char *pid = getenv("LISTEN_PID"), *names = getenv("LISTEN_FDNAMES");
    if (!pid || atoi(pid) != getpid() || !names || strncmp(names, "calls:probes", 12) != 0) {
        fprintf(stderr, "no sockets were handed over\n");
        return 4;
    }
    if (getenv("STAND_IN_CHILD") && fork() == 0)
        for (;;)
            pause();
    if (getenv("STAND_IN_ESCAPE"))
        escape(!strcmp(getenv("STAND_IN_ESCAPE"), "2"));
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigprocmask(SIG_BLOCK, &stop, NULL);
    signal(SIGPIPE, SIG_IGN);
    char why[256];
    const char *slots = getenv("STAND_IN_SLOTS");
    chainsi_server_options calls = { .listen_fd = CALLS_FD,
                                     .slots = slots ? atoi(slots) : 4,
                                     .handler = handle };
    /* Nobody claims its slots, but they show what runs. */
    chainsi_seat seat;
    chainsi_board *board =
        strncmp(names, "calls:probes:board", 18) ? NULL : chainsi_board_open(BOARD_FD);
    if (board && chainsi_board_join(board, (uint32_t)calls.slots, (uint64_t)getpid(), &seat))
        calls.seat = &seat;
    chainsi_server_options probes = { .listen_fd = PROBES_FD, .slots = 1, .handler = answer_probe };
    chainsi_server *calls_server = chainsi_server_start(&calls, why, sizeof why);
    chainsi_server *probes_server = chainsi_server_start(&probes, why, sizeof why);
    if (!calls_server || !probes_server) {
        fprintf(stderr, "%s\n", why);
        return 5;
    }
    printf("ready to serve\n");
    fflush(stdout);
    int number;
    do {
        sigwait(&stop, &number);
    } while (getenv("STAND_IN_STUBBORN"));
    chainsi_server_free(calls_server);
    chainsi_server_free(probes_server);
    chainsi_board_close(board);
    return 0;
}
