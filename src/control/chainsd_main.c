/* The program `chainsd`: reads its arguments and serves. `chains serve` and `chains deploy` run it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/daemon.h"

static int say_usage(FILE *out, int status)
{
    fprintf(out,
            "Usage: chainsd [--port N]\n"
            "\n"
            "Runs and supervises the chains that `chains deploy` hands to it, and is their front\n"
            "door on 127.0.0.1. Its state is in CHAINS_HOME (default: the XDG data directory).\n"
            "\n"
            "  --port N  listen on this port; 0: any (default: %d)\n"
            "\n"
            "Example:\n"
            "  CHAINS_HOME=/tmp/try chainsd --port 0\n",
            CHAINSI_DEFAULT_PORT);
    return status;
}

static int read_port(const char *text)
{
    char *end;
    long port = strtol(text, &end, 10);
    return *text && !*end && port >= 0 && port <= 65535 ? (int)port : -1;
}

int main(int argc, char **argv)
{
    int port = CHAINSI_DEFAULT_PORT, status;
    if (chainsi_daemon_run_part(argc, argv, &status))
        return status;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
            return say_usage(stdout, 0);
        if (!strcmp(argv[i], "--port") && i + 1 < argc)
            port = read_port(argv[++i]);
        else if (!strncmp(argv[i], "--port=", 7))
            port = read_port(argv[i] + 7);
        else
            return say_usage(stderr, 2);
        if (port < 0) {
            fprintf(stderr, "chainsd: --port takes a number from 0 to 65535\n");
            return 2;
        }
    }
    return chainsi_daemon_run(port, argv[0]);
}
