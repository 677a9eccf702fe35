/* Errors on contexts.
 *
 * A thread remembers on which ctx a failure was last recorded, so that CHAINS_TRY, which is given a
 * status only, can note its place there. The memory ends with that ctx, or when the thread leaves
 * the call. */
#include "runtime/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "runtime/memory.h"
#include "runtime/status.h"
#include "schema/json.h"
#include "schema/msgpack.h"

static _Thread_local chains_ctx *last_failed;

static char *format_text(chains_ctx *ctx, const char *format, va_list arguments)
{
    char text[1024];
    va_list again;
    va_copy(again, arguments);
    int size = vsnprintf(text, sizeof text, format, arguments);
    char *result;
    if (size < 0) {
        result = chains_strdup(ctx, format);
    } else if ((size_t)size < sizeof text) {
        result = chains_strdup(ctx, text);
    } else {
        result = chainsi_memory_raw(ctx, (size_t)size + 1);
        vsnprintf(result, (size_t)size + 1, format, again);
    }
    va_end(again);
    return result;
}

/* Makes an error, in memory of ctx already, the one of ctx. */
static void set_error(chains_ctx *ctx, const chains_error *error, bool raised_here,
                      const chainsi_site *site)
{
    bool keep = ctx->lock || ctx->failed; /* of a shared ctx it is known under its lock only */
    chainsi_past_error *past = keep ? chains_alloc(ctx, sizeof *past) : NULL;
    if (ctx->lock)
        pthread_mutex_lock(ctx->lock);
    if (past && ctx->failed) {
        *past = (chainsi_past_error){
            .error = ctx->error,
            .raised_here = ctx->raised_here,
            .site = ctx->site,
            .older = ctx->past_errors,
        };
        ctx->past_errors = past;
    }
    ctx->failed = true;
    ctx->error = *error;
    ctx->raised_here = raised_here;
    ctx->site = *site;
    if (ctx->lock)
        pthread_mutex_unlock(ctx->lock);
    last_failed = ctx;
}

/* As above. What fails on the ctx of a gather itself, such as a call that can't be started, is its
 * parent's failure, too: that ctx is the one whose method will return. */
static void set_error_of_call(chains_ctx *ctx, const chains_error *error, bool raised_here)
{
    static const chainsi_site unknown;
    for (; ctx->gather; ctx = ctx->parent)
        set_error(ctx, error, raised_here, &unknown);
    set_error(ctx, error, raised_here, &unknown);
}

static void record(chains_ctx *ctx, chains_status status, const char *message, const char *path,
                   const chains_trace_entry *hop, bool raised_here)
{
    chains_trace_entry *trace = chains_alloc(ctx, sizeof *trace);
    *trace = *hop;
    chains_error error = {
        .status = status,
        .message = message,
        .path = path,
        .trace = trace,
        .trace_count = 1,
    };
    set_error_of_call(ctx, &error, raised_here);
}

chains_status chains_fail_(chains_ctx *ctx, chains_status status, const char *file, int line,
                           const char *function, const char *format, ...)
{
    if (status <= CHAINS_OK || status > CHAINS_UNAUTHENTICATED)
        status = CHAINS_INTERNAL;
    va_list arguments;
    va_start(arguments, format);
    char *message = format_text(ctx, format, arguments);
    va_end(arguments);
    record(ctx, status, message, NULL,
           &(chains_trace_entry){
               .chainlet = ctx->chainlet,
               .function = function,
               .file = file,
               .line = line,
               .message = message,
           },
           true);
    if (!ctx->lock)
        ctx->raised = status;
    return status;
}

chains_status chains_passed_(chains_status status, const char *file, int line, const char *function)
{
    chains_ctx *ctx = last_failed;
    if (!ctx)
        return status;
    if (ctx->lock)
        pthread_mutex_lock(ctx->lock);
    if (ctx->failed && ctx->error.status == status && !ctx->site.file)
        ctx->site = (chainsi_site){ .file = file, .function = function, .line = line };
    if (ctx->lock)
        pthread_mutex_unlock(ctx->lock);
    return status;
}

const chains_error *chains_last_error(const chains_ctx *ctx)
{
    if (!ctx->lock)
        return ctx->failed ? &ctx->error : NULL;
    /* Other threads may fail with this ctx, too: a copy stays as it is. */
    chains_error *copy = chains_alloc((chains_ctx *)ctx, sizeof *copy);
    pthread_mutex_lock(ctx->lock);
    bool failed = ctx->failed;
    *copy = ctx->error;
    pthread_mutex_unlock(ctx->lock);
    return failed ? copy : NULL;
}

chains_status chainsi_error_set(chains_ctx *ctx, chains_status status, const char *chainlet,
                                const char *function, const char *path, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *message = format_text(ctx, format, arguments);
    va_end(arguments);
    record(ctx, status, message, path ? chains_strdup(ctx, path) : NULL,
           &(chains_trace_entry){
               .chainlet = chainlet,
               .function = function,
               .file = "",
               .message = message,
           },
           false);
    return status;
}

chains_status chainsi_error_at_declaration(chains_ctx *ctx, const chainsi_interface *interface,
                                           chains_status status, const char *path,
                                           const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *message = format_text(ctx, format, arguments);
    va_end(arguments);
    record(ctx, status, message, path && *path ? chains_strdup(ctx, path) : NULL,
           &(chains_trace_entry){
               .chainlet = interface->name,
               .function = "run_remote",
               .file = interface->file ? interface->file : "",
               .line = interface->line,
               .message = message,
           },
           false);
    return status;
}

chains_status chainsi_error_argument(chains_ctx *ctx, const chainsi_interface *interface,
                                     const chainsi_codec_error *why)
{
    return chainsi_error_at_declaration(ctx, interface, CHAINS_INVALID_ARGUMENT, why->path,
                                        "%s%s%s", why->path, *why->path ? ": " : "", why->message);
}

chains_status chainsi_error_body(chains_ctx *ctx, const chainsi_interface *interface,
                                 const chainsi_codec_error *why)
{
    return chainsi_error_at_declaration(ctx, interface, CHAINS_INVALID_ARGUMENT, why->path,
                                        "%s%s%s (byte %zu)", why->path, *why->path ? ": " : "",
                                        why->message, why->offset);
}

chains_status chainsi_error_answer(chains_ctx *ctx, const chainsi_interface *interface,
                                   const chainsi_codec_error *why)
{
    return chainsi_error_set(ctx, CHAINS_INTERNAL, interface->name, "run_remote", NULL,
                             "its answer can't be sent: %s%s%s", why->path, *why->path ? ": " : "",
                             why->message);
}

static const char *copy_text(chains_ctx *ctx, const char *text)
{
    return text ? chains_strdup(ctx, text) : NULL;
}

/* A copy of the error in memory of `to`, with room for one more hop in front. */
static chains_error copy_error(chains_ctx *to, const chains_error *error)
{
    chains_trace_entry *trace = chainsi_memory_array(to, error->trace_count + 1, sizeof *trace);
    for (size_t i = 0; i < error->trace_count; i++)
        trace[i + 1] = (chains_trace_entry){
            .chainlet = copy_text(to, error->trace[i].chainlet),
            .function = copy_text(to, error->trace[i].function),
            .file = copy_text(to, error->trace[i].file),
            .line = error->trace[i].line,
            .message = copy_text(to, error->trace[i].message),
        };
    return (chains_error){
        .status = error->status,
        .message = copy_text(to, error->message),
        .path = copy_text(to, error->path),
        .trace = trace + 1,
        .trace_count = error->trace_count,
    };
}

chains_status chainsi_error_pass(chains_ctx *ctx, const chains_error *error)
{
    chains_error copy = copy_error(ctx, error);
    set_error_of_call(ctx, &copy, false);
    return error->status;
}

void chainsi_error_move(chains_ctx *to, const chains_ctx *from)
{
    chains_error copy = copy_error(to, &from->error);
    set_error(to, &copy, from->raised_here, &from->site);
}

bool chainsi_error_recall(chains_ctx *ctx, chains_status status)
{
    if (!ctx->failed || ctx->error.status == status)
        return ctx->failed;
    for (const chainsi_past_error *past = ctx->past_errors; past; past = past->older) {
        if (past->error.status == status) {
            set_error(ctx, &past->error, past->raised_here, &past->site);
            return true;
        }
    }
    return false;
}

chains_status chainsi_error_settle(chains_ctx *ctx, chains_status status,
                                   const chainsi_interface *interface)
{
    return chainsi_error_settle_of(ctx, status, interface, "run_remote");
}

chains_status chainsi_error_settle_of(chains_ctx *ctx, chains_status status,
                                      const chainsi_interface *interface, const char *function)
{
    char method[256];
    snprintf(method, sizeof method, "%s_%s", interface->c_name, function);
    if (!chainsi_error_recall(ctx, status)) {
        if ((unsigned)status > CHAINS_UNAUTHENTICATED)
            status = CHAINS_UNKNOWN;
        const char *message = chains_printf(ctx, "%s returned %s without chains_fail", method,
                                            chains_status_name(status));
        record(ctx, status, message, NULL,
               &(chains_trace_entry){
                   .chainlet = ctx->chainlet,
                   .function = chains_strdup(ctx, method),
                   .file = interface->file,
                   .line = interface->line,
                   .message = message,
               },
               true);
    } else if (!ctx->raised_here) {
        ctx->error = copy_error(ctx, &ctx->error);
        chains_trace_entry *hop = (chains_trace_entry *)ctx->error.trace - 1;
        bool noted = ctx->site.file != NULL;
        *hop = (chains_trace_entry){
            .chainlet = ctx->chainlet,
            .function = noted ? ctx->site.function : chains_strdup(ctx, method),
            .file = noted ? ctx->site.file : interface->file,
            .line = noted ? ctx->site.line : interface->line,
            .message = "",
        };
        ctx->error.trace = hop;
        ctx->error.trace_count++;
    }
    ctx->raised_here = true; /* its hop is there */
    if (status == CHAINS_CANCELLED && chainsi_now_ns() >= ctx->deadline_ns)
        status = ctx->error.status = CHAINS_DEADLINE_EXCEEDED;
    return status;
}

void chainsi_error_forget(chains_ctx *ctx)
{
    ctx->failed = false;
    ctx->past_errors = NULL;
    ctx->raised = CHAINS_OK;
    if (last_failed == ctx)
        last_failed = NULL;
}

const chains_ctx *chainsi_error_last_on_thread(void)
{
    return last_failed;
}

void chainsi_error_leave_thread(void)
{
    last_failed = NULL;
}

/* The error on the wire. */
typedef struct wire_entries {
    chains_trace_entry *items;
    size_t count;
} wire_entries;

typedef struct wire_error {
    const char *status;
    const char *message;
    const char *path;
    wire_entries trace;
    const char *request_id;
} wire_error;

typedef struct wire_body {
    wire_error error;
} wire_body;

static const chainsi_field entry_fields[] = {
    { CHAINSI_FIELD(chains_trace_entry, chainlet, &chainsi_type_string),
      .default_value = &(const char *){ "" } },
    { CHAINSI_FIELD(chains_trace_entry, function, &chainsi_type_string),
      .default_value = &(const char *){ "" } },
    { CHAINSI_FIELD(chains_trace_entry, file, &chainsi_type_string),
      .default_value = &(const char *){ "" } },
    { CHAINSI_FIELD(chains_trace_entry, line, &chainsi_type_int32),
      .default_value = &(int32_t){ 0 } },
    { CHAINSI_FIELD(chains_trace_entry, message, &chainsi_type_string),
      .default_value = &(const char *){ "" } },
};
static const chainsi_type entry_type = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(chains_trace_entry),
    .fields = entry_fields,
    .field_count = sizeof entry_fields / sizeof *entry_fields,
};
static const chainsi_type entries_type = {
    .kind = CHAINSI_LIST,
    .size = sizeof(wire_entries),
    .item = &entry_type,
};
static const chainsi_field error_fields[] = {
    { CHAINSI_FIELD(wire_error, status, &chainsi_type_string) },
    { CHAINSI_FIELD(wire_error, message, &chainsi_type_string) },
    { CHAINSI_FIELD(wire_error, path, &chainsi_type_string), .optional = true },
    { CHAINSI_FIELD(wire_error, trace, &entries_type), .default_value = &(wire_entries){ 0 } },
    { CHAINSI_FIELD(wire_error, request_id, &chainsi_type_string),
      .default_value = &(const char *){ "" } },
};
static const chainsi_type error_type = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(wire_error),
    .fields = error_fields,
    .field_count = sizeof error_fields / sizeof *error_fields,
};
static const chainsi_field body_fields[] = {
    { CHAINSI_FIELD(wire_body, error, &error_type) },
};
static const chainsi_type body_type = {
    .kind = CHAINSI_STRUCT,
    .size = sizeof(wire_body),
    .fields = body_fields,
    .field_count = 1,
};

/* The text if it is valid UTF-8, else one with its odd bytes replaced: an error must always be
 * sendable. */
static const char *sendable(const char *text, chainsi_arena *arena)
{
    chainsi_codec_error ignored;
    chainsi_buffer probe = { 0 };
    chains_status status = chainsi_json_encode(&chainsi_type_string, &text, &probe, &ignored);
    chainsi_buffer_done(&probe);
    if (status == CHAINS_OK)
        return text;
    char *copy = chainsi_arena_strdup(arena, text);
    for (char *at = copy; *at; at++)
        if ((unsigned char)*at >= 0x80)
            *at = '?';
    return copy;
}

void chainsi_error_encode(const chains_error *error, const char *request_id, bool msgpack,
                          chainsi_buffer *out)
{
    chainsi_arena arena = { 0 };
    wire_body body = {
        .error = {
            .status = chains_status_name(error->status),
            .message = sendable(error->message, &arena),
            .path = error->path ? sendable(error->path, &arena) : NULL,
            .request_id = sendable(request_id, &arena),
            .trace = { .count = error->trace_count },
        },
    };
    body.error.trace.items =
        chainsi_arena_array(&arena, error->trace_count, sizeof *body.error.trace.items);
    for (size_t i = 0; i < error->trace_count; i++) {
        const chains_trace_entry *from = &error->trace[i];
        body.error.trace.items[i] = (chains_trace_entry){
            .chainlet = sendable(from->chainlet, &arena),
            .function = sendable(from->function, &arena),
            .file = sendable(from->file, &arena),
            .line = from->line,
            .message = sendable(from->message, &arena),
        };
    }
    chainsi_codec_error ignored;
    if (msgpack)
        chainsi_msgpack_encode(&body_type, &body, out, &ignored);
    else
        chainsi_json_encode(&body_type, &body, out, &ignored);
    chainsi_arena_done(&arena);
}

bool chainsi_error_decode(const char *body, size_t size, bool msgpack, chainsi_arena *arena,
                          chains_error *error)
{
    wire_body wire;
    chainsi_codec_error ignored;
    chains_status status =
        msgpack ? chainsi_msgpack_decode(&body_type, body, size, arena, &wire, &ignored)
                : chainsi_json_decode(&body_type, body, size, arena, &wire, &ignored);
    if (status != CHAINS_OK)
        return false;
    chains_status code = chainsi_status_from_name(wire.error.status);
    if (code == CHAINS_OK)
        code = CHAINS_UNKNOWN;
    *error = (chains_error){
        .status = code,
        .message = wire.error.message,
        .path = wire.error.path,
        .trace = wire.error.trace.items,
        .trace_count = wire.error.trace.count,
    };
    return true;
}
