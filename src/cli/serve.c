/* `chains serve`: the daemon in the foreground. */
#include "cli/daemon.h"
#include "cli/options.h"

extern const chainsi_verb chainsi_verb_serve;

static int serve(int argc, char **argv)
{
    int64_t port = -1;
    const chainsi_option options[] = {
        { "port", CHAINSI_OPTION_INTEGER, &port },
        { NULL, CHAINSI_OPTION_END, NULL },
    };
    int status;
    if (!chainsi_options_read(&chainsi_verb_serve, options, argc, argv, 0, NULL, &status))
        return status;
    if (port < -1 || port > 65535)
        return chainsi_usage_error(&chainsi_verb_serve, "'--port' takes 0 to 65535");
    return chainsi_daemon_become((int)port);
}

const chainsi_verb chainsi_verb_serve = {
    .name = "serve",
    .usage = "[--port N]",
    .summary = "Run the daemon in the foreground.",
    .help = "Runs chainsd for CHAINS_HOME until it is ended by Ctrl-C or SIGTERM; deployed chains\n"
            "start with it and end with it. `chains deploy` starts one in the background if none\n"
            "runs.\n"
            "\n"
            "  --port N    the port on 127.0.0.1; 0 for any. Default: 8600\n"
            "\n"
            "Example:\n"
            "  chains serve --port 8700\n",
    .run = serve,
};
