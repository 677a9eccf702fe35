#include "reader.h"

#include <stdio.h>

struct reader {
    inner *asked;
};

reader *reader_new(chains_ctx *ctx, inner *asked)
{
    reader *self = chains_alloc(ctx, sizeof *self);
    self->asked = asked;
    return self;
}

chains_status reader_run_remote(reader *self, chains_ctx *ctx, const char *name, const char **word,
                                const char **other)
{
    char line[64] = "";
    const char *path = chains_asset(ctx, name);
    if (!path)
        return chains_last_error(ctx)->status;
    FILE *file = fopen(path, "re");
    if (!file || !fgets(line, sizeof line, file))
        return chains_fail(ctx, CHAINS_INTERNAL, "%s can't be read", path);
    fclose(file);
    *word = chains_printf(ctx, "%s", line);
    return inner_run_remote(self->asked, ctx, other);
}

void reader_free(reader *self)
{
    (void)self;
}
