/* `chains open`: the status page in a browser, signed in as the owner of the home. The token travels in the
 * fragment of the address, which a browser sends to nobody; to the browser it is handed in a file that only its
 * user may read, as every user of a machine sees what programs are started with. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/environment.h"
#include "control/home.h"

extern const chainsi_verb chainsi_verb_open;

static bool has_display(void)
{
    const char *x = getenv("DISPLAY"), *wayland = getenv("WAYLAND_DISPLAY");
    return (x && *x) || (wayland && *wayland);
}

/* The page of a home that leads on to the address; NULL, said on stderr, if it can't be written. The caller frees
 * its path. Addresses are made of what needs no escaping. */
static char *write_way_in(const char *home, const char *url)
{
    chainsi_buffer text = { 0 };
    char *path = chainsi_path("%s/open.html", home);
    chainsi_buffer_printf(&text,
                          "<!doctype html>\n<meta charset=\"utf-8\">\n"
                          "<meta name=\"referrer\" content=\"no-referrer\">\n"
                          "<meta http-equiv=\"refresh\" content=\"0; url=%s\">\n"
                          "<title>Chains</title>\n<a href=\"%s\">The status page</a>\n",
                          url, url);
    if (!chainsi_write_file(path, text.data, text.size)) {
        fprintf(stderr, "chains open: cannot write %s: %s\n", path, strerror(errno));
        free(path);
        path = NULL;
    }
    chainsi_buffer_done(&text);
    return path;
}

/* Whether xdg-open took it; one that goes on running is the browser itself. What they say is of no interest. */
static bool start_browser(const char *path)
{
    enum { PATIENCE_MS = 3000, EVERY_MS = 20 };
    pid_t child = fork();
    if (child == 0) {
        setsid(); /* so that Ctrl-C is not for the browser */
        int nowhere = open("/dev/null", O_RDWR);
        for (int fd = 0; nowhere >= 0 && fd < 3; fd++)
            dup2(nowhere, fd);
        execlp("xdg-open", "xdg-open", path, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    for (int waited_ms = 0; child > 0 && waited_ms < PATIENCE_MS; waited_ms += EVERY_MS) {
        if (waitpid(child, &status, WNOHANG) == child)
            return WIFEXITED(status) && WEXITSTATUS(status) == 0;
        nanosleep(&(struct timespec){ .tv_nsec = EVERY_MS * CHAINSI_NS_PER_MS }, NULL);
    }
    return child > 0;
}

/* Whether the chain is there; NULL is none, and fine. Else said on stderr. */
static bool is_there(chainsi_daemon *daemon, const char *chain, const char *environment)
{
    chainsi_daemon_answer answer;
    if (!chain)
        return true;
    const char *path = chainsi_arena_printf(&daemon->arena, "/api/v1/chains/%s/environments/%s",
                                            chain, environment);
    if (!chainsi_daemon_ask(daemon, "GET", path, NULL, 0, &answer))
        return false;
    if (answer.status != 200)
        chainsi_daemon_fail(daemon, &answer, false);
    return answer.status == 200;
}

/* The address with what signs in there; NULL, said on stderr, if that can't be read. */
static const char *make_url(chainsi_daemon *daemon, const char *chain, const char *environment)
{
    char owners[CHAINSI_TOKEN_SIZE + 1];
    const char *token = daemon->token;
    if (daemon->home && !chainsi_home_token(daemon->home, false, owners)) {
        fprintf(stderr, "chains open: cannot read the token of %s: %s\n", daemon->home,
                strerror(errno));
        return NULL;
    }
    if (daemon->home)
        token = owners;
    if (!token && !chain)
        return chainsi_arena_printf(&daemon->arena, "%s/", daemon->address);
    const char *way_in =
        token ? chainsi_arena_printf(&daemon->arena, "token=%s%s", token, chain ? "&" : "") : "";
    return chain ? chainsi_arena_printf(&daemon->arena, "%s/#%s/chains/%s/%s", daemon->address,
                                        way_in, chain, environment)
                 : chainsi_arena_printf(&daemon->arena, "%s/#%s", daemon->address, way_in);
}

/* The home where a file with the address can be; NULL: none. The caller frees it. */
static char *find_home(const chainsi_daemon *daemon)
{
    char why[256];
    char *home =
        daemon->home ? chainsi_path("%s", daemon->home) : chainsi_home_find(why, sizeof why);
    if (home && chainsi_home_make(home, why, sizeof why))
        return home;
    fprintf(stderr, "chains open: %s\n", why);
    free(home);
    return NULL;
}

static int show(const char *chain, const char *environment, bool only_print)
{
    chainsi_daemon daemon;
    int status = CHAINSI_EXIT_FAILED;
    bool found = chainsi_daemon_find(&daemon) && is_there(&daemon, chain, environment);
    const char *url = found ? make_url(&daemon, chain, environment) : NULL;
    if (url) {
        status = CHAINSI_EXIT_OK;
        printf("%s\n", url);
        fflush(stdout);
        char *home = only_print || !has_display() ? NULL : find_home(&daemon);
        char *path = home ? write_way_in(home, url) : NULL;
        if (path && !start_browser(path))
            fprintf(stderr, "chains open: xdg-open could not start a browser; open the address "
                            "above in one\n");
        free(path);
        free(home);
    }
    chainsi_daemon_close(&daemon);
    return status;
}

static int run_open(int argc, char **argv)
{
    chainsi_words words = { 0 };
    const char *environment = CHAINSI_PRODUCTION;
    bool only_print = false;
    const chainsi_option options[] = {
        { "environment", CHAINSI_OPTION_TEXT, &environment },
        { "print", CHAINSI_OPTION_FLAG, &only_print },
        { NULL, CHAINSI_OPTION_END, NULL },
    };
    int status;
    if (chainsi_options_read(&chainsi_verb_open, options, argc, argv, 1, &words, &status)) {
        const char *chain = words.count ? words.items[0] : NULL;
        status = CHAINSI_EXIT_USAGE;
        if (chainsi_check_names(&chainsi_verb_open, (const char *const[]){ chain, environment }, 2))
            status = show(chain, environment, only_print);
    }
    chainsi_words_done(&words);
    return status;
}

const chainsi_verb chainsi_verb_open = {
    .name = "open",
    .usage = "[CHAIN] [--environment NAME] [--print]",
    .summary = "Show the status page in a browser.",
    .help =
        "Prints the address of the status page, with which a browser is signed in as the owner of\n"
        "CHAINS_HOME, or with CHAINS_TOKEN: give it to nobody. Where there is a display and\n"
        "xdg-open, a browser is opened with it; on another machine forward the port:\n"
        "ssh -L 8600:127.0.0.1:8600 HOST.\n"
        "\n"
        "  CHAIN                begin with this chain\n"
        "  --environment NAME   of the chain. Default: production\n"
        "  --print              only print the address\n"
        "\n"
        "Example:\n"
        "  chains open hello\n",
    .run = run_open,
};
