/* main() of a local run: one call of the entrypoint, from JSON to JSON. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "runtime/answer.h"
#include "runtime/error.h"
#include "runtime/glue.h"
#include "runtime/graph.h"
#include "runtime/input.h"
#include "runtime/process.h"
#include "schema/json.h"

typedef struct run_options {
    const char *input; /* TEXT, @FILE or - */
    bool json;         /* errors as JSON */
    bool strict;
    double timeout_ms; /* 0: none */
} run_options;

static int say_usage(FILE *out, int status)
{
    fputs("usage: PROGRAM [--input JSON|@FILE|-] [--timeout MS] [--strict] [--json]\n", out);
    return status;
}

static bool read_options(int argc, char **argv, run_options *options)
{
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (!strcmp(argv[i], "--strict"))
            options->strict = true;
        else if (!strcmp(argv[i], "--json"))
            options->json = true;
        else if (!strcmp(argv[i], "--input") && more)
            options->input = argv[++i];
        else if (!strcmp(argv[i], "--timeout") && more) {
            char *end;
            options->timeout_ms = strtod(argv[++i], &end);
            if (*end || !(options->timeout_ms > 0))
                return false;
        } else {
            return false;
        }
    }
    return true;
}

static int print_error(const chains_ctx *ctx, bool json)
{
    const chains_error *error = chains_last_error(ctx);
    if (json) {
        chainsi_buffer text = { 0 };
        chainsi_error_encode(error, ctx->request_id, false, &text);
        fprintf(stderr, "%.*s\n", (int)text.size, (const char *)text.data);
        chainsi_buffer_done(&text);
        return 1;
    }
    chainsi_error_print(error, stderr);
    return 1;
}

static int call_entrypoint(chains_ctx *ctx, const chainsi_node *entrypoint,
                           chainsi_instance *instance, chainsi_buffer *text, bool json)
{
    const chainsi_interface *interface = entrypoint->implementation->interface;
    chainsi_codec_error why;
    void *input = chains_alloc(ctx, interface->input->size);
    void *output = chains_alloc(ctx, interface->output->size);
    if (chainsi_json_decode(interface->input, (const char *)text->data, text->size, ctx->arena,
                            input, &why) != CHAINS_OK) {
        chainsi_error_body(ctx, interface, &why);
        return print_error(ctx, json);
    }
    if (chainsi_local_attempt(instance, ctx, input, output, ctx->deadline_ns) != CHAINS_OK)
        return print_error(ctx, json);
    chainsi_buffer answer = { 0 };
    if (chainsi_answer_encode(interface, output, false, &answer, &why) != CHAINS_OK) {
        chainsi_error_answer(ctx, interface, &why);
        chainsi_buffer_done(&answer);
        return print_error(ctx, json);
    }
    chainsi_buffer_add_byte(&answer, '\n');
    bool good = fwrite(answer.data, 1, answer.size, stdout) == answer.size && fflush(stdout) == 0;
    chainsi_buffer_done(&answer);
    return good ? 0 : 1;
}

int chainsi_run_main(const chainsi_node *entrypoint, int argc, char **argv)
{
    run_options options = { .input = "{}" };
    if (argc == 2 && !strcmp(argv[1], "--help"))
        return say_usage(stdout, 0);
    if (!read_options(argc, argv, &options))
        return say_usage(stderr, 2);
    chainsi_buffer text = { 0 };
    if (!chainsi_input_read(options.input, &text)) {
        fprintf(stderr, "%s: %s\n", options.input, strerror(errno));
        chainsi_buffer_done(&text);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    chainsi_process process;
    chains_ctx ctx;
    chainsi_context_init_root(&ctx, &process);
    if (!chainsi_process_init(&process, "local", ctx.arena)) {
        chainsi_context_done(&ctx);
        chainsi_buffer_done(&text);
        return 2;
    }
    process.generated = true;
    process.strict = process.strict || options.strict;
    char request_id[33];
    chainsi_random_hex(request_id, 32);
    ctx.request_id = request_id;
    ctx.trace = chainsi_trace_new();
    chainsi_graph *graph = chainsi_graph_new(&ctx);
    chainsi_instance *instance = chainsi_graph_make(graph, entrypoint);
    int status;
    if (!instance) {
        status = print_error(&ctx, options.json);
    } else {
        if (options.timeout_ms > 0)
            ctx.deadline_ns = chainsi_deadline_after_ms(chainsi_now_ns(), options.timeout_ms);
        status = call_entrypoint(&ctx, entrypoint, instance, &text, options.json);
    }
    chainsi_graph_free(graph);
    chainsi_context_done(&ctx);
    chainsi_buffer_done(&text);
    return status;
}
