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
    bool stream;       /* items as lines, as they come */
    double timeout_ms; /* 0: none */
} run_options;

static int say_usage(FILE *out, int status)
{
    fputs("usage: PROGRAM [--input JSON|@FILE|-] [--timeout MS] [--strict] [--stream] [--json]\n",
          out);
    return status;
}

static bool read_options(int argc, char **argv, run_options *options)
{
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (!strcmp(argv[i], "--strict"))
            options->strict = true;
        else if (!strcmp(argv[i], "--stream"))
            options->stream = true;
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

/* Where the items of the entrypoint's stream go. */
typedef struct printer {
    const chainsi_interface *interface;
    chains_ctx *ctx;
    bool as_lines; /* printed as they come; else gathered */
    chainsi_buffer text;
    size_t count;
} printer;

static bool print(const chainsi_buffer *text)
{
    return fwrite(text->data, 1, text->size, stdout) == text->size && fflush(stdout) == 0;
}

static chains_status print_item(chainsi_stream *stream, const void *item)
{
    printer *to = stream->user;
    chainsi_codec_error why;
    if (to->as_lines)
        to->text.size = 0;
    chainsi_buffer_add_text(&to->text, to->as_lines ? "{\"item\":" : to->count ? "," : "");
    if (chainsi_json_encode(to->interface->stream_item, item, &to->text, &why) != CHAINS_OK) {
        chainsi_stream_place(to->interface, to->count, &why);
        return chainsi_error_answer(to->ctx, to->interface, &why);
    }
    to->count++;
    if (!to->as_lines)
        return CHAINS_OK;
    chainsi_buffer_add_text(&to->text, "}\n");
    return print(&to->text) ? CHAINS_OK
                            : chains_fail(to->ctx, CHAINS_CANCELLED, "stdout can't be written: %s",
                                          strerror(errno));
}

/* The last line of stdout. */
static chains_status encode_answer(const chainsi_interface *interface, const printer *items,
                                   const void *output, chainsi_buffer *answer,
                                   chainsi_codec_error *why)
{
    chains_status status;
    if (interface->stream_name && items->as_lines) {
        chainsi_buffer_add_text(answer, "{\"result\":");
        status = chainsi_json_encode(interface->output, output, answer, why);
        chainsi_buffer_add_byte(answer, '}');
    } else if (interface->stream_name) {
        status = chainsi_answer_gather(interface, &items->text, items->count, output, false, answer,
                                       why);
    } else {
        status = chainsi_answer_encode(interface, output, false, answer, why);
    }
    chainsi_buffer_add_byte(answer, '\n');
    return status;
}

static int call_entrypoint(chains_ctx *ctx, const chainsi_node *entrypoint,
                           chainsi_instance *instance, chainsi_buffer *text,
                           const run_options *options)
{
    const chainsi_interface *interface = entrypoint->implementation->interface;
    chainsi_codec_error why;
    void *input = chains_alloc(ctx, interface->input->size);
    void *output = chains_alloc(ctx, interface->output->size);
    if (chainsi_json_decode(interface->input, (const char *)text->data, text->size, ctx->arena,
                            input, &why) != CHAINS_OK) {
        chainsi_error_body(ctx, interface, &why);
        return print_error(ctx, options->json);
    }
    printer items = { .interface = interface, .ctx = ctx, .as_lines = options->stream };
    chainsi_intake intake;
    chainsi_intake_init(&intake, interface,
                        &(chainsi_stream){ .deliver = print_item, .user = &items }, -1);
    intake.ctx = ctx;
    chains_status status = chainsi_local_attempt(
        instance, ctx, input, output, interface->stream_name ? &intake : NULL, ctx->deadline_ns);
    chainsi_buffer answer = { 0 };
    if (status == CHAINS_OK) {
        status = encode_answer(interface, &items, output, &answer, &why);
        if (status != CHAINS_OK)
            chainsi_error_answer(ctx, interface, &why);
    }
    int ended = status != CHAINS_OK ? print_error(ctx, options->json) : print(&answer) ? 0 : 1;
    chainsi_buffer_done(&items.text);
    chainsi_buffer_done(&answer);
    return ended;
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
        status = call_entrypoint(&ctx, entrypoint, instance, &text, &options);
    }
    chainsi_graph_free(graph);
    chainsi_context_done(&ctx);
    chainsi_buffer_done(&text);
    return status;
}
