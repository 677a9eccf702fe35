/* Makes the boards of services, as the daemon does: boards COUNT
 *
 * Prints a descriptor a board, on one line, and keeps them until its standard input ends, so that
 * whoever hands them on can open them below /proc. */
#include <stdio.h>
#include <stdlib.h>

#include "rpc/board.h"

int main(int argc, char **argv)
{
    for (int i = argc > 1 ? atoi(argv[1]) : 0; i > 0; i--) {
        int fd = chainsi_board_create(0);
        if (fd < 0) {
            perror("boards");
            return 1;
        }
        printf("%d%c", fd, i > 1 ? ' ' : '\n');
    }
    fflush(stdout);
    while (getchar() != EOF)
        ;
    return 0;
}
