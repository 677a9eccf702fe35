/* check_main FOLDER INCLUDE_DIR [--entrypoint-needed]: prints the diagnostics of a chain as `chains
 * check` does; exit status 0, or 2 if the chain is invalid. */
#include <stdio.h>
#include <string.h>

#include "compiler/model.h"

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: check_main FOLDER INCLUDE_DIR [--needs-entrypoint]\n");
        return 2;
    }
    chainsi_model_options options = { .include_dir = argv[2] };
    options.needs_entrypoint = argc > 3 && !strcmp(argv[3], "--needs-entrypoint");
    chainsi_diagnostics diagnostics;
    chainsi_diagnostics_init(&diagnostics, argv[1]);
    chainsi_model *model = chainsi_model_read(argv[1], &options, &diagnostics);
    chainsi_diagnostics_print(&diagnostics, stdout, false);
    bool failed = !model || chainsi_diagnostics_failed(&diagnostics);
    chainsi_model_free(model);
    chainsi_diagnostics_done(&diagnostics);
    return failed ? 2 : 0;
}
