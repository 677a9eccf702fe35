/* The program `chainsd`: reads its arguments and serves. `chains serve` and `chains deploy` run it. */
#include "control/daemon.h"
#include "control/elector.h"

int main(int argc, char **argv)
{
    int status;
    if (chainsi_daemon_run_part(argc, argv, &status))
        return status;
    chainsi_daemon_options options;
    if (chainsi_daemon_options_read(argv + 1, &options, &status))
        status = options.kubernetes ? chainsi_elector_run(&options, argv[0])
                                    : chainsi_daemon_run(&options, argv[0]);
    chainsi_daemon_options_done(&options);
    return status;
}
