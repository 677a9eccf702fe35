/* chains_open and chains_close: the root of a program of one's own. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"
#include "runtime/process.h"

typedef struct root {
    chains_ctx ctx; /* first: what the author holds */
    chainsi_process process;
} root;

static const chains_secret_value *copy_secrets(chainsi_arena *arena,
                                               const chains_secret_value *secrets)
{
    size_t count = 0;
    while (secrets[count].name)
        count++;
    chains_secret_value *copy = chainsi_arena_array(arena, count + 1, sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = (chains_secret_value){
            .name = chainsi_arena_strdup(arena, secrets[i].name),
            .value = chainsi_arena_strdup(arena, secrets[i].value),
        };
    return copy;
}

static pthread_once_t pipes_once = PTHREAD_ONCE_INIT;

/* A peer that went away is a status, not the end of the program, unless it said otherwise. */
static void ignore_pipes(void)
{
    void (*on_pipe)(int) = signal(SIGPIPE, SIG_IGN);
    if (on_pipe != SIG_DFL && on_pipe != SIG_ERR)
        signal(SIGPIPE, on_pipe);
}

chains_ctx *chains_open(const chains_options *options)
{
    root *made = calloc(1, sizeof *made);
    if (!made)
        abort();
    pthread_once(&pipes_once, ignore_pipes);
    chainsi_context_init_root(&made->ctx, &made->process);
    if (!chainsi_process_init(&made->process, "local", made->ctx.arena))
        exit(2); /* the program was told something that can't be read, and said so */
    if (options) {
        if (options->secrets)
            made->process.secrets = copy_secrets(made->ctx.arena, options->secrets);
        if (options->assets_dir)
            made->process.assets_dir = chainsi_arena_strdup(made->ctx.arena, options->assets_dir);
        if (options->log_level)
            made->process.log_level = options->log_level;
        if (options->strict)
            made->process.strict = true;
        if (options->deadline_ms > 0)
            made->ctx.deadline_ns =
                chainsi_deadline_after_ms(chainsi_now_ns(), (double)options->deadline_ms);
    }
    made->ctx.trace = chainsi_trace_new();
    return &made->ctx;
}

void chains_close(chains_ctx *ctx)
{
    if (!ctx)
        return;
    chainsi_context_done(ctx);
    chainsi_error_leave_thread();
    free(ctx);
}
