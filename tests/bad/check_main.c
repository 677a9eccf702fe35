/* bad_check FOLDER INCLUDE_DIR [--needs-entrypoint] [--entrypoint NAME]: prints the diagnostics of a
 * chain as `chains check` does. Exit status 0, or 2 if the chain is invalid. */
#include <stdio.h>
#include <string.h>

#include "compiler/model.h"

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: bad_check FOLDER INCLUDE_DIR [--needs-entrypoint] "
                        "[--entrypoint NAME]\n");
        return 64;
    }
    chainsi_model_options options = { .include_dir = argv[2] };
    for (int i = 3; i < argc; i++) {
        if (!strcmp(argv[i], "--needs-entrypoint"))
            options.needs_entrypoint = true;
        else if (!strcmp(argv[i], "--entrypoint") && i + 1 < argc)
            options.entrypoint = argv[++i];
    }
    chainsi_diagnostics diagnostics;
    chainsi_diagnostics_init(&diagnostics, argv[1]);
    chainsi_model *model = chainsi_model_read(argv[1], &options, &diagnostics);
    chainsi_diagnostics_print(&diagnostics, stdout, false);
    bool failed = !model || chainsi_diagnostics_failed(&diagnostics);
    chainsi_model_free(model);
    chainsi_diagnostics_done(&diagnostics);
    return failed ? 2 : 0;
}
