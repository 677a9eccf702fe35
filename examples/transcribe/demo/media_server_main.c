/* media_server FOLDER [PORT]: serves a folder of recordings until it gets SIGTERM or SIGINT.
 * Prints its address first. */
#include "media_server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: media_server FOLDER [PORT]\n");
        return 2;
    }
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL); /* before the threads begin, which inherit it */

    media_server *server = media_server_start(argv[1], argc > 2 ? atoi(argv[2]) : 0);
    if (!server) {
        perror("media_server");
        return 1;
    }
    printf("http://127.0.0.1:%d\n", media_server_port(server));
    fflush(stdout);
    int signal;
    sigwait(&ends, &signal);
    media_server_stop(server);
    return 0;
}
