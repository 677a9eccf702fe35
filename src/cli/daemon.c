/* Finding the daemon. Its address and token lie in CHAINS_HOME, unless CHAINS_URL names another one; its program lies
 * beside this one. */
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
#include "rpc/tls.h"

enum {
    START_LIMIT_MS = 10000, /* for a daemon to come up */
    HEALTH_LIMIT_MS = 2000, /* for one to say that it is alive */
    FAR_HEALTH_LIMIT_MS = 10000,
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

/* The daemon that CHAINS_URL names, with CHAINS_TOKEN. False: what they say can't be meant, and `why` tells. */
static bool read_place(chainsi_daemon *daemon)
{
    /* Of tokens; and of addresses with a few more, which stand in pages (open.c) as they are. */
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *url = getenv("CHAINS_URL"), *token = getenv("CHAINS_TOKEN");
    char *why = daemon->why;
    *daemon = (chainsi_daemon){ .away = true };
    size_t size = strlen(url);
    while (size && url[size - 1] == '/')
        size--;
    const char *odd = url + strspn(url, letters);
    while (*odd && strchr(":/.~%[]", *odd))
        odd += 1 + strspn(odd + 1, letters);
    if (size >= sizeof daemon->address || *odd ||
        (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)) {
        snprintf(why, sizeof daemon->why,
                 "CHAINS_URL is '%.100s': it is the address of a front door, such as "
                 "http://127.0.0.1:8600",
                 url);
        return false;
    }
    memcpy(daemon->address, url, size);
    if (token && token[strspn(token, letters)]) {
        snprintf(why, sizeof daemon->why,
                 "CHAINS_TOKEN is no token and no key: those have letters, digits and '_'");
        return false;
    }
    if (token && *token)
        daemon->token = chainsi_path("%s", token);
    return true;
}

static bool is_away(void)
{
    const char *url = getenv("CHAINS_URL");
    return url && *url;
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

/* Whether a daemon answers at its address; `why` if not. */
static bool greet(chainsi_daemon *daemon)
{
    char *why = daemon->why;
    size_t why_size = sizeof daemon->why;
    chainsi_tls_register();
    daemon->client = chainsi_client_new(daemon->address, why, why_size);
    if (!daemon->client)
        return false;
    bool trusted =
        daemon->away || strncmp(daemon->address, "https:", 6) != 0 || trust_certificate(daemon);
    if (!trusted)
        snprintf(why, why_size, "there is no 'certificate' in CHAINS_HOME to know it by");
    chainsi_client_request request = {
        .method = "GET",
        .path = "/healthz",
        .deadline_ns = chainsi_deadline_after_ms(
            chainsi_now_ns(), daemon->away ? FAR_HEALTH_LIMIT_MS : HEALTH_LIMIT_MS),
    };
    chainsi_client_response response;
    if (trusted && chainsi_client_exchange(daemon->client, &request, &daemon->arena, &response, why,
                                           why_size) == CHAINSI_EXCHANGE_ANSWERED)
        return true;
    if (daemon->away && !*why)
        snprintf(why, why_size, "no answer in time");
    chainsi_client_free(daemon->client);
    daemon->client = NULL;
    return false;
}

/* True if the address in CHAINS_HOME is that of a daemon that answers. */
static bool connect_daemon(chainsi_daemon *daemon)
{
    return chainsi_home_owner(daemon->home) &&
           chainsi_home_read_address(daemon->home, daemon->address, sizeof daemon->address) &&
           greet(daemon);
}

char *chainsi_daemon_program(void)
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
    char *program = chainsi_daemon_program();
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

/* The daemon of CHAINS_URL. False, said on stderr: it doesn't answer. */
static bool find_away(chainsi_daemon *daemon)
{
    if (!read_place(daemon)) {
        fprintf(stderr, "chains: %s\n", daemon->why);
        return false;
    }
    if (greet(daemon))
        return true;
    say_none(daemon);
    const bool unsigned_by_known =
        strstr(daemon->why, " not trusted") && !strstr(daemon->why, "it has not the name");
    fprintf(stderr, "  hint: %s\n",
            unsigned_by_known
                ? "SSL_CERT_FILE names the file of the authority that has signed it"
                : "CHAINS_URL names it; without, the daemon of this machine is meant");
    return false;
}

static bool find_daemon(chainsi_daemon *daemon, bool quietly)
{
    static const char *const nothing[] = { NULL };
    signal(SIGPIPE, SIG_IGN);
    if (is_away())
        return find_away(daemon);
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
    if (is_away()) {
        *daemon = (chainsi_daemon){ .away = true };
        fprintf(stderr,
                "chains: CHAINS_URL names a daemon elsewhere, which can't run programs of this "
                "machine\n"
                "  hint: unset CHAINS_URL for the one of this machine; `chains deploy --target "
                "kubernetes` deploys to a cluster\n");
        return false;
    }
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

bool chainsi_daemon_have(chainsi_daemon *daemon)
{
    return is_away() ? chainsi_daemon_find(daemon) : chainsi_daemon_start(daemon, -1);
}

bool chainsi_daemon_connect(chainsi_daemon *daemon)
{
    signal(SIGPIPE, SIG_IGN);
    if (is_away())
        return read_place(daemon) && greet(daemon);
    *daemon = (chainsi_daemon){ 0 };
    daemon->home = chainsi_home_find(daemon->why, sizeof daemon->why);
    return daemon->home && connect_daemon(daemon);
}

void chainsi_daemon_close(chainsi_daemon *daemon)
{
    chainsi_client_free(daemon->client);
    chainsi_arena_done(&daemon->arena);
    free(daemon->home);
    if (daemon->token)
        explicit_bzero(daemon->token, strlen(daemon->token));
    free(daemon->token);
}
