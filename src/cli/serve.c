/* `chains serve`: the daemon in the foreground. */
#include <stdio.h>

#include "cli/daemon.h"
#include "cli/options.h"

extern const chainsi_verb chainsi_verb_serve;

/* What is passed on to chainsd, which checks it. */
static int serve(int argc, char **argv)
{
    const char *host = NULL, *certificate = NULL, *key = NULL, *keep_results = NULL;
    const char *connections = NULL, *of_one = NULL;
    int64_t port = -1;
    bool insecure = false;
    chainsi_words names = { 0 }, words = { 0 };
    const chainsi_option options[] = {
        { "host", CHAINSI_OPTION_TEXT, &host },
        { "port", CHAINSI_OPTION_INTEGER, &port },
        { "tls-cert", CHAINSI_OPTION_TEXT, &certificate },
        { "tls-key", CHAINSI_OPTION_TEXT, &key },
        { "allow-host", CHAINSI_OPTION_WORDS, &names },
        { "keep-results", CHAINSI_OPTION_TEXT, &keep_results },
        { "max-connections", CHAINSI_OPTION_TEXT, &connections },
        { "max-connections-per-client", CHAINSI_OPTION_TEXT, &of_one },
        { "allow-insecure-network", CHAINSI_OPTION_FLAG, &insecure },
        { NULL, CHAINSI_OPTION_END, NULL },
    };
    int status;
    if (chainsi_options_read(&chainsi_verb_serve, options, argc, argv, 0, NULL, &status)) {
        if (port < -1 || port > 65535) {
            status = chainsi_usage_error(&chainsi_verb_serve, "'--port' takes 0 to 65535");
        } else {
            char number[16];
            snprintf(number, sizeof number, "%d", (int)port);
            const char *const values[][2] = {
                { "--host", host },
                { "--port", port < 0 ? NULL : number },
                { "--tls-cert", certificate },
                { "--tls-key", key },
                { "--keep-results", keep_results },
                { "--max-connections", connections },
                { "--max-connections-per-client", of_one },
            };
            for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
                if (!values[i][1])
                    continue;
                chainsi_words_add(&words, values[i][0]);
                chainsi_words_add(&words, values[i][1]);
            }
            for (size_t i = 0; i < names.count; i++) {
                chainsi_words_add(&words, "--allow-host");
                chainsi_words_add(&words, names.items[i]);
            }
            if (insecure)
                chainsi_words_add(&words, "--allow-insecure-network");
            chainsi_words_add(&words, NULL);
            status = chainsi_daemon_become(words.items);
        }
    }
    chainsi_words_done(&names);
    chainsi_words_done(&words);
    return status;
}

const chainsi_verb chainsi_verb_serve = {
    .name = "serve",
    .usage = "[--host ADDRESS] [--port N] [--tls-cert FILE --tls-key FILE]",
    .summary = "Run the daemon in the foreground.",
    .help =
        "Runs chainsd for CHAINS_HOME until it is ended by Ctrl-C or SIGTERM; deployed chains\n"
        "start with it and end with it. `chains deploy` starts one in the background if none\n"
        "runs; each verb that needs it starts one again that was killed.\n"
        "\n"
        "  --host ADDRESS            the IP address to listen on. Default: 127.0.0.1. One that "
        "other\n"
        "                            machines reach takes TLS and an API key, or the last option\n"
        "  --port N                  the port; 0 for any. Default: 8600\n"
        "  --tls-cert FILE           speak TLS with this certificate (PEM, with its chain), and\n"
        "  --tls-key FILE            this key (PEM). SIGHUP reads both again\n"
        "  --allow-host NAME         answer to this name, too, besides IP addresses, localhost "
        "and\n"
        "                            what the certificate is for. May be repeated\n"
        "  --keep-results HOURS      keep asynchronous requests for so long when they have ended;\n"
        "                            fractions are allowed. Default: 24\n"
        "  --max-connections N, --max-connections-per-client N\n"
        "                            connections of clients at once: all together, and of one\n"
        "                            address. Default: 16384 and 1024\n"
        "  --allow-insecure-network  let whoever reaches it call the chains and read their logs\n"
        "\n"
        "Example:\n"
        "  chains serve --port 8700\n",
    .run = serve,
};
