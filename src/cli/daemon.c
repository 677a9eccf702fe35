/* Talking to the daemon. Its address and token lie in CHAINS_HOME; its program lies beside this one. */
#include "cli/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/options.h"
#include "cli/verb.h"
#include "control/home.h"
#include "control/start_note.h"
#include "rpc/client.h"
#include "rpc/splitter.h"
#include "rpc/tls.h"
#include "runtime/error.h"
#include "runtime/input.h"
#include "schema/json.h"

enum {
    START_LIMIT_MS = 10000, /* for a daemon to come up */
    HEALTH_LIMIT_MS = 2000, /* for one to say that it is alive */
    LOOK_EVERY_MS = 5,
    MOST_LOG = 64 * 1024, /* of a failed daemon's log that is read */
};

static bool find_home(chainsi_daemon *daemon)
{
    char why[256];
    *daemon = (chainsi_daemon){ .home = chainsi_home_find(why, sizeof why) };
    if (!daemon->home)
        fprintf(stderr, "chains: %s\n", why);
    return daemon->home != NULL;
}

/* Has the client trust the daemon's certificate, which needn't be signed by anybody, by the digest that
 * the daemon has noted in its home. False: there is none. */
static bool trust_certificate(chainsi_daemon *daemon)
{
    char text[2 * CHAINSI_TLS_PIN + 2];
    unsigned char digest[CHAINSI_TLS_PIN];
    if (!chainsi_home_read_certificate(daemon->home, text, sizeof text))
        return false;
    for (size_t i = 0; i < sizeof digest; i++)
        if (sscanf(text + 2 * i, "%2hhx", &digest[i]) != 1)
            return false;
    chainsi_client_know_peer(daemon->client, NULL, NULL, digest);
    return true;
}

/* True if the address in CHAINS_HOME is that of a daemon that answers. */
static bool connect_daemon(chainsi_daemon *daemon)
{
    char *why = daemon->why;
    size_t why_size = sizeof daemon->why;
    chainsi_tls_register();
    if (!chainsi_home_owner(daemon->home) ||
        !chainsi_home_read_address(daemon->home, daemon->address, sizeof daemon->address))
        return false;
    daemon->client = chainsi_client_new(daemon->address, why, why_size);
    if (!daemon->client)
        return false;
    bool trusted = strncmp(daemon->address, "https:", 6) != 0 || trust_certificate(daemon);
    if (!trusted)
        snprintf(why, why_size, "there is no 'certificate' in CHAINS_HOME to know it by");
    chainsi_client_request request = {
        .method = "GET",
        .path = "/healthz",
        .deadline_ns = chainsi_deadline_after_ms(chainsi_now_ns(), HEALTH_LIMIT_MS),
    };
    chainsi_client_response response;
    if (trusted && chainsi_client_exchange(daemon->client, &request, &daemon->arena, &response, why,
                                           why_size) == CHAINSI_EXCHANGE_ANSWERED)
        return true;
    chainsi_client_free(daemon->client);
    daemon->client = NULL;
    return false;
}

/* The daemon's program: beside this one. The caller frees it. */
static char *find_program(void)
{
    char own[4096];
    ssize_t size = readlink("/proc/self/exe", own, sizeof own - 1);
    if (size < 0)
        return NULL;
    own[size] = 0;
    char *slash = strrchr(own, '/');
    return slash ? chainsi_path("%.*s/chainsd", (int)(slash - own), own) : NULL;
}

/* words: the arguments, ended by NULL. */
static void exec_daemon(const char *const *words)
{
    char *program = find_program();
    size_t count = 0;
    while (words[count])
        count++;
    char **arguments = calloc(count + 2, sizeof *arguments);
    if (!program || !arguments) {
        errno = ENOENT;
    } else {
        arguments[0] = program;
        memcpy(arguments + 1, words, count * sizeof *words);
        execv(program, arguments);
    }
    fprintf(stderr, "chains: can't start %s: %s\n", program ? program : "chainsd", strerror(errno));
    free(arguments);
    free(program);
}

int chainsi_daemon_become(const char *const *words)
{
    exec_daemon(words);
    return CHAINSI_EXIT_FAILED;
}

/* Shows what a daemon said that ended at once. */
static void show_log(const char *path, off_t from)
{
    size_t size;
    char *text = chainsi_read_file(path, MOST_LOG, &size);
    if (text && (size_t)from < size)
        fwrite(text + from, 1, size - (size_t)from, stderr);
    else
        fprintf(stderr, "chains: the daemon ended at once; its log is %s\n", path);
    free(text);
}

/* In a child: this process becomes a daemon in the background that writes to the log. */
static void exec_in_background(const chainsi_daemon *daemon, const char *const *words, int log)
{
    /* Its own session: what ends this terminal's programs doesn't end the daemon. */
    setsid();
    int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    /* What a script has open besides, a lock say, would be held for as long as the daemon runs. */
    close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    /* A relative CHAINS_HOME means our folder, not the daemon's. */
    if (setenv("CHAINS_HOME", daemon->home, 1) == 0 && chdir("/") == 0)
        exec_daemon(words);
    _exit(127);
}

/* Starts a daemon and waits until one answers: it may be another one, which was faster. False after a message. *own
 * tells whether it is this one. */
static bool start(chainsi_daemon *daemon, const char *const *words, bool *own)
{
    char *log = chainsi_path("%s/chainsd.log", daemon->home);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) {
        fprintf(stderr, "chains: %s: %s\n", log, strerror(errno));
        free(log);
        return false;
    }
    off_t from = lseek(fd, 0, SEEK_END);
    pid_t child = fork();
    if (child == 0)
        exec_in_background(daemon, words, fd);
    close(fd);
    bool up = false, ended = child < 0;
    int64_t until = chainsi_deadline_after_ms(chainsi_now_ns(), START_LIMIT_MS);
    while (!(up = connect_daemon(daemon))) {
        ended = ended || waitpid(child, NULL, WNOHANG) == child;
        /* It may have ended because another one was faster, which is waited for instead. */
        if ((ended && !chainsi_home_owner(daemon->home)) || chainsi_now_ns() > until)
            break;
        nanosleep(&(struct timespec){ .tv_nsec = LOOK_EVERY_MS * CHAINSI_NS_PER_MS }, NULL);
    }
    if (!up)
        show_log(log, from);
    free(log);
    *own = up && chainsi_home_owner(daemon->home) == child;
    return up;
}

/* Starts a daemon that was killed, as the note says, with the words `more` behind its own. False after a message. */
static bool start_again(chainsi_daemon *daemon, const chainsi_start_note *note,
                        const char *const *more)
{
    if (note->managed) {
        fprintf(stderr,
                "chains: chainsd was killed; a service manager had started it, and has to start it "
                "again\n"
                "  hint: `chains serve` runs one without a service manager\n");
        return false;
    }
    chainsi_words words = { 0 };
    for (size_t i = 0; note->words[i]; i++)
        chainsi_words_add(&words, note->words[i]);
    for (size_t i = 0; more[i]; i++)
        chainsi_words_add(&words, more[i]);
    chainsi_words_add(&words, NULL);
    bool own, up = start(daemon, words.items, &own);
    if (up && own)
        fprintf(stderr, "chainsd was killed; started again at %s\n", daemon->address);
    chainsi_words_done(&words);
    return up;
}

/* A lock whose owner is gone is about to go, or to be another's: a daemon that is started waits for that. */
static bool is_dead(const char *home)
{
    long owner = chainsi_home_owner(home);
    return !owner || (owner > 1 && kill((pid_t)owner, 0) != 0 && errno == ESRCH);
}

typedef enum found { UP, NOT_UP, NONE } found;

/* Finds the daemon, or starts one that was killed. NOT_UP: that failed, after a message. NONE: there is none, or it
 * doesn't answer. */
static found find_or_start_again(chainsi_daemon *daemon, const char *const *more)
{
    int64_t began_ns = chainsi_now_ns();
    while (!connect_daemon(daemon)) {
        /* In this order: one that is told to end forgets the note while it has the lock. */
        bool dead = is_dead(daemon->home);
        chainsi_start_note note;
        found end = NONE;
        bool noted = chainsi_start_note_read(daemon->home, &note);
        if (noted && dead)
            end = start_again(daemon, &note, more) ? UP : NOT_UP;
        chainsi_start_note_done(&note);
        /* One that others have just started has no address yet; until it has the lock and has looked, the one of
         * before is there. */
        bool starts =
            !chainsi_home_read_address(daemon->home, daemon->address, sizeof daemon->address);
        int64_t until =
            chainsi_deadline_after_ms(began_ns, starts ? START_LIMIT_MS : HEALTH_LIMIT_MS);
        if (!noted || dead || chainsi_now_ns() > until)
            return end;
        nanosleep(&(struct timespec){ .tv_nsec = LOOK_EVERY_MS * CHAINSI_NS_PER_MS }, NULL);
    }
    return UP;
}

static void say_none(const chainsi_daemon *daemon)
{
    if (daemon->why[0])
        fprintf(stderr, "chains: the daemon at %s does not answer: %s\n", daemon->address,
                daemon->why);
    else
        fprintf(stderr,
                "chains: no daemon runs for %s\n"
                "  hint: `chains deploy` starts one; CHAINS_HOME says which folder is meant\n",
                daemon->home);
}

static bool find_daemon(chainsi_daemon *daemon, bool quietly)
{
    static const char *const nothing[] = { NULL };
    signal(SIGPIPE, SIG_IGN);
    if (!find_home(daemon))
        return false;
    found end = find_or_start_again(daemon, nothing);
    if (end == NONE && (!quietly || daemon->why[0]))
        say_none(daemon);
    return end == UP;
}

bool chainsi_daemon_find(chainsi_daemon *daemon)
{
    return find_daemon(daemon, false);
}

bool chainsi_daemon_look(chainsi_daemon *daemon)
{
    return find_daemon(daemon, true);
}

bool chainsi_daemon_start(chainsi_daemon *daemon, int port)
{
    char why[256], number[16];
    const char *words[3] = { NULL };
    bool own;
    signal(SIGPIPE, SIG_IGN);
    if (!find_home(daemon))
        return false;
    if (port >= 0) {
        snprintf(number, sizeof number, "%d", port);
        words[0] = "--port";
        words[1] = number;
    }
    found end = find_or_start_again(daemon, words);
    if (end != NONE)
        return end == UP;
    if (chainsi_home_make(daemon->home, why, sizeof why))
        return start(daemon, words, &own);
    fprintf(stderr, "chains: %s\n", why);
    return false;
}

bool chainsi_daemon_connect(chainsi_daemon *daemon)
{
    signal(SIGPIPE, SIG_IGN);
    *daemon = (chainsi_daemon){ 0 };
    daemon->home = chainsi_home_find(daemon->why, sizeof daemon->why);
    return daemon->home && connect_daemon(daemon);
}

void chainsi_daemon_complain(const chainsi_daemon *daemon)
{
    if (daemon->why[0])
        fprintf(stderr, "chains: %s: %s\n", daemon->address, daemon->why);
}

void chainsi_daemon_close(chainsi_daemon *daemon)
{
    chainsi_client_free(daemon->client);
    chainsi_arena_done(&daemon->arena);
    free(daemon->home);
}

const char *chainsi_daemon_graph_path(chainsi_daemon *daemon, const char *chain,
                                      const char *environment)
{
    return chainsi_arena_printf(&daemon->arena, "/api/v1/chains/%s/environments/%s/graph", chain,
                                environment);
}

void chainsi_daemon_add_word(chainsi_buffer *path, const char *word)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (; *word; word++)
        chainsi_buffer_printf(path, strchr(plain, *word) ? "%c" : "%%%02X", (unsigned char)*word);
}

void chainsi_daemon_add_query(chainsi_buffer *path, const char *name, const char *value)
{
    if (!value)
        return;
    chainsi_buffer_printf(path, "&%s=", name);
    chainsi_daemon_add_word(path, value);
}

static bool exchange(chainsi_daemon *daemon, const char *method, const char *path,
                     const chainsi_buffer *body, double timeout_ms, chainsi_client_sink *sink,
                     chainsi_daemon_answer *answer)
{
    enum { GRACE_MS = 500 }; /* for the daemon to say itself that time ran out */
    char token[CHAINSI_TOKEN_SIZE + 1];
    chainsi_buffer headers = { 0 };
    chainsi_buffer_add_text(&headers, sink ? "Accept: application/x-ndjson, application/json\r\n"
                                           : "Accept: application/json\r\n");
    if (body)
        chainsi_buffer_add_text(&headers, "Content-Type: application/json\r\n");
    if (chainsi_home_token(daemon->home, false, token))
        chainsi_buffer_printf(&headers, "Authorization: Bearer %s\r\n", token);
    int64_t deadline_ns = CHAINSI_NEVER;
    if (timeout_ms > 0) {
        chainsi_buffer_printf(&headers, "X-Chains-Timeout-Ms: %.0f\r\n",
                              timeout_ms < 1 ? 1 : timeout_ms);
        deadline_ns = chainsi_deadline_after_ms(chainsi_now_ns(), timeout_ms + GRACE_MS);
    }
    chainsi_client_request request = {
        .method = method,
        .path = path,
        .headers = (const char *)headers.data,
        .headers_size = headers.size,
        .body = body ? body->data : NULL,
        .body_size = body ? body->size : 0,
        .deadline_ns = deadline_ns,
        .max_body = SIZE_MAX / 4,
        .interrupt = daemon->interrupt,
        .sink = sink,
    };
    chainsi_client_response response;
    char why[256];
    chainsi_exchange_end end = chainsi_client_exchange(daemon->client, &request, &daemon->arena,
                                                       &response, why, sizeof why);
    chainsi_buffer_done(&headers);
    if (end != CHAINSI_EXCHANGE_ANSWERED) {
        /* Of an interrupted one the sink has said why, or the caller knows. */
        snprintf(daemon->why, sizeof daemon->why, "%s",
                 end == CHAINSI_EXCHANGE_INTERRUPTED ? ""
                 : end == CHAINSI_EXCHANGE_DEADLINE  ? "no answer in time"
                                                     : why);
        if (!daemon->quiet)
            chainsi_daemon_complain(daemon);
        return false;
    }
    *answer = (chainsi_daemon_answer){
        .status = response.status,
        .body = response.body,
        .size = response.body_size,
    };
    return true;
}

bool chainsi_daemon_ask(chainsi_daemon *daemon, const char *method, const char *path,
                        const chainsi_buffer *body, double timeout_ms,
                        chainsi_daemon_answer *answer)
{
    return exchange(daemon, method, path, body, timeout_ms, NULL, answer);
}

/* Prints the lines of a stream. */
typedef struct printer {
    chainsi_client_sink sink;
    chainsi_arena *arena;
    chainsi_splitter lines;
    bool began, ended;
    char *error; /* the last line, if it is one */
    size_t error_size;
} printer;

static bool begin_lines(void *user, const chainsi_http_response *head)
{
    static const char lines[] = "application/x-ndjson";
    printer *it = user;
    const chainsi_slice *type = chainsi_http_find(&head->head, "Content-Type");
    it->began = head->status == 200 && type && type->size >= sizeof lines - 1 &&
                !memcmp(type->data, lines, sizeof lines - 1);
    return it->began;
}

static bool starts_with(const chainsi_split_part *line, const char *text)
{
    return line->size >= strlen(text) && !memcmp(line->data, text, strlen(text));
}

static bool take_lines(void *user, char *data, size_t size)
{
    printer *it = user;
    chainsi_split_part line;
    chainsi_split_end end;
    chainsi_splitter_add(&it->lines, data, size);
    while ((end = chainsi_splitter_next(&it->lines, &line)) == CHAINSI_SPLIT_PART) {
        if (starts_with(&line, "{\"error\":")) {
            it->error = chainsi_arena_copy(it->arena, line.data, line.size);
            it->error_size = line.size;
            continue;
        }
        it->ended = it->ended || starts_with(&line, "{\"result\":");
        chainsi_text_write(stdout, line.data, line.size, CHAINSI_TEXT_JSON);
        if (putchar('\n') == EOF || fflush(stdout) != 0 || ferror(stdout)) {
            fprintf(stderr, "chains: stdout can't be written: %s\n", strerror(errno));
            return false;
        }
    }
    if (end == CHAINSI_SPLIT_REFUSED)
        fprintf(stderr, "chains: an item is larger than %d MiB\n",
                CHAINSI_MAX_PART / (1024 * 1024));
    return end == CHAINSI_SPLIT_MORE;
}

bool chainsi_daemon_stream(chainsi_daemon *daemon, const char *path, const chainsi_buffer *body,
                           double timeout_ms, chainsi_daemon_answer *answer, bool *streamed)
{
    printer it = { .arena = &daemon->arena };
    it.sink = (chainsi_client_sink){
        .begin = begin_lines, .take = take_lines, .user = &it, .deadline_ns = CHAINSI_NEVER
    };
    chainsi_splitter_init(&it.lines, CHAINSI_SPLIT_LINES, CHAINSI_MAX_PART);
    bool good = exchange(daemon, "POST", path, body, timeout_ms, &it.sink, answer);
    chainsi_splitter_done(&it.lines);
    *streamed = it.began;
    if (!it.began)
        return good;
    if (it.error) {
        answer->body = it.error;
        answer->size = it.error_size;
        return true;
    }
    if (good && !it.ended)
        fprintf(stderr, "chains: %s: the stream ended without a result\n", daemon->address);
    answer->size = 0;
    return good && it.ended;
}

static bool begin_copy(void *user, const chainsi_http_response *head)
{
    (void)user;
    return head->status == 200;
}

typedef struct copied_answer {
    chainsi_text_form form;
    chainsi_buffer rest; /* the beginning of a character, which waits for its end */
    size_t size;
} copied_answer;

/* Pieces of a text end anywhere. */
static bool copy(void *user, char *data, size_t size)
{
    copied_answer *it = user;
    chainsi_buffer *rest = &it->rest;
    it->size += size;
    chainsi_buffer_add(rest, data, size);
    const size_t whole = chainsi_text_whole((const char *)rest->data, rest->size);
    chainsi_text_write(stdout, (const char *)rest->data, whole, it->form);
    rest->size -= whole;
    memmove(rest->data, rest->data + whole, rest->size);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    fprintf(stderr, "chains: stdout can't be written: %s\n", strerror(errno));
    return false;
}

bool chainsi_daemon_copy(chainsi_daemon *daemon, const char *path, chainsi_text_form form,
                         size_t *copied, chainsi_daemon_answer *answer)
{
    copied_answer it = { .form = form };
    chainsi_client_sink sink = {
        .begin = begin_copy, .take = copy, .user = &it, .deadline_ns = CHAINSI_NEVER
    };
    const bool good = exchange(daemon, "GET", path, NULL, 0, &sink, answer);
    chainsi_text_write(stdout, (const char *)it.rest.data, it.rest.size, form);
    chainsi_buffer_done(&it.rest);
    *copied = it.size;
    return good;
}

void chainsi_daemon_print(const chainsi_daemon_answer *answer)
{
    chainsi_text_write(stdout, answer->body, answer->size, CHAINSI_TEXT_JSON);
    putchar('\n');
}

int chainsi_daemon_fail(chainsi_daemon *daemon, const chainsi_daemon_answer *answer, bool json)
{
    chains_error error;
    if (json) {
        chainsi_text_write(stderr, answer->body, answer->size, CHAINSI_TEXT_JSON);
        fputc('\n', stderr);
    } else if (chainsi_error_decode(answer->body, answer->size, false, &daemon->arena, &error))
        chainsi_error_print(&error, stderr);
    else
        fprintf(stderr, "chains: %s answered HTTP %d: %s\n", daemon->address, answer->status,
                chainsi_text_shown(&daemon->arena, answer->body));
    return CHAINSI_EXIT_FAILED;
}

bool chainsi_daemon_read(chainsi_daemon *daemon, const chainsi_daemon_answer *answer,
                         const chainsi_type *type, void *value)
{
    chainsi_codec_error why;
    if (chainsi_json_decode(type, answer->body, answer->size, &daemon->arena, value, &why) ==
        CHAINS_OK)
        return true;
    fprintf(stderr, "chains: the daemon's answer can't be read: %s: %s\n", why.path, why.message);
    return false;
}

bool chainsi_daemon_expect(chainsi_daemon *daemon, const chainsi_daemon_answer *answer, bool json,
                           const chainsi_type *type, void *value)
{
    if (answer->status / 100 == 2)
        return chainsi_daemon_read(daemon, answer, type, value);
    chainsi_daemon_fail(daemon, answer, json);
    return false;
}
