/* Shows the graph of a chain. Types are named as in C, but for the noise: text is "text". */
#include "compiler/graph.h"

#include "schema/json.h"

#include <stdlib.h>
#include <string.h>

static const char *name_type(const chainsi_model_type *type)
{
    if (type->kind == CHAINSI_POINTER)
        return name_type(type->item);
    if (type->kind == CHAINSI_STRING)
        return "text";
    return type->name ? type->name : type->c_name;
}

/* --- text */

typedef struct shown_tree {
    const chainsi_model *model;
    FILE *out;
    bool *shown; /* by index */
} shown_tree;

static void print_signature(FILE *out, const chainsi_model_chainlet *chainlet, const char *indent)
{
    fprintf(out, "%s(", indent);
    for (size_t i = 0; i < chainlet->input_count; i++) {
        const chainsi_model_field *field = &chainlet->inputs[i];
        fprintf(out, "%s%s%s: %s", i ? ", " : "", field->wire_name, field->optional ? "?" : "",
                name_type(field->type));
        if (field->default_text.text)
            fprintf(out, " = %s", field->default_text.text);
    }
    fputs(") -> ", out);
    for (size_t i = 0; i < chainlet->output_count; i++)
        fprintf(out, "%s%s: %s", i ? ", " : "", chainlet->outputs[i].wire_name,
                name_type(chainlet->outputs[i].type));
    if (chainlet->stream)
        fprintf(out, "%sstream %s of %s", chainlet->output_count ? ", " : "",
                chainlet->stream->wire_name, name_type(chainlet->stream->type));
    if (!chainlet->output_count && !chainlet->stream)
        fputs("nothing", out);
    fputc('\n', out);
}

static void print_options(FILE *out, const chains_depends_config *options)
{
    if (options->retries)
        fprintf(out, ", retries %d", options->retries);
    if (options->timeout_ms > 0)
        fprintf(out, ", timeout %g ms", options->timeout_ms);
    if (options->colocate)
        fputs(", in its caller's process", out);
    if (options->near)
        fputs(", on its caller's node", out);
}

static void print_chainlet(const shown_tree *tree, const chainsi_model_chainlet *chainlet,
                           const chainsi_model_dependency *by, const char *lead, const char *below)
{
    fprintf(tree->out, "%s%s", lead, chainlet->wire_name);
    if (chainlet == tree->model->entrypoint)
        fputs(" (entrypoint)", tree->out);
    if (chainlet->external)
        fprintf(tree->out, " (external: %s)",
                chainlet->external_config.url ? chainlet->external_config.url : "no url");
    if (by && by->has_options)
        print_options(tree->out, &by->options);
    if (tree->shown[chainlet->index]) {
        fputs(" (see above)\n", tree->out);
        return;
    }
    fputc('\n', tree->out);
    tree->shown[chainlet->index] = true;
    char *indent = NULL;
    if (asprintf(&indent, "%s%s", below, chainlet->dependency_count ? "│  " : "   ") < 0)
        abort();
    print_signature(tree->out, chainlet, indent);
    free(indent);
    for (size_t i = 0; i < chainlet->dependency_count; i++) {
        bool last = i + 1 == chainlet->dependency_count;
        char *next_lead = NULL, *next_below = NULL;
        if (asprintf(&next_lead, "%s%s", below, last ? "└─ " : "├─ ") < 0 ||
            asprintf(&next_below, "%s%s", below, last ? "   " : "│  ") < 0)
            abort();
        print_chainlet(tree, chainlet->dependencies[i].chainlet, &chainlet->dependencies[i],
                       next_lead, next_below);
        free(next_lead);
        free(next_below);
    }
}

void chainsi_graph_text(const chainsi_model *model, FILE *out)
{
    shown_tree tree = { model, out, calloc(model->chainlet_count + 1, 1) };
    if (!tree.shown)
        abort();
    if (model->entrypoint)
        print_chainlet(&tree, model->entrypoint, NULL, "", "");
    for (size_t i = model->chainlet_count; i > 0; i--) /* callers first: what nobody reaches */
        if (!tree.shown[i - 1])
            print_chainlet(&tree, model->chainlets[i - 1], NULL, "", "");
    free(tree.shown);
}

/* --- JSON */

static void add_key(chainsi_buffer *out, const char *key, const char *text)
{
    chainsi_buffer_printf(out, "\"%s\":", key);
    chainsi_json_write_text(out, text);
}

static void add_fields(chainsi_buffer *out, const chainsi_model_field *fields, size_t count,
                       bool inputs)
{
    chainsi_buffer_add_byte(out, '[');
    for (size_t i = 0; i < count; i++) {
        chainsi_buffer_add_text(out, i ? ",{" : "{");
        add_key(out, "name", fields[i].wire_name);
        chainsi_buffer_add_byte(out, ',');
        add_key(out, "type", name_type(fields[i].type));
        if (inputs) {
            chainsi_buffer_printf(out, ",\"optional\":%s,", fields[i].optional ? "true" : "false");
            add_key(out, "default", fields[i].default_text.text);
        }
        chainsi_buffer_add_byte(out, '}');
    }
    chainsi_buffer_add_byte(out, ']');
}

static void add_chainlet(chainsi_buffer *out, const chainsi_model_chainlet *chainlet)
{
    chainsi_buffer_add_byte(out, '{');
    add_key(out, "name", chainlet->wire_name);
    chainsi_buffer_add_byte(out, ',');
    add_key(out, "c_name", chainlet->c_name);
    chainsi_buffer_add_byte(out, ',');
    add_key(out, "file", chainlet->position.file);
    chainsi_buffer_printf(out, ",\"line\":%d,\"external\":%s,", chainlet->position.line,
                          chainlet->external ? "true" : "false");
    add_key(out, "description", chainlet->doc);
    chainsi_buffer_add_text(out, ",\"inputs\":");
    add_fields(out, chainlet->inputs, chainlet->input_count, true);
    chainsi_buffer_add_text(out, ",\"outputs\":");
    add_fields(out, chainlet->outputs, chainlet->output_count, false);
    chainsi_buffer_add_text(out, ",\"stream\":");
    if (chainlet->stream) {
        chainsi_buffer_add_byte(out, '{');
        add_key(out, "name", chainlet->stream->wire_name);
        chainsi_buffer_add_byte(out, ',');
        add_key(out, "type", name_type(chainlet->stream->type));
        chainsi_buffer_add_byte(out, '}');
    } else {
        chainsi_buffer_add_text(out, "null");
    }
    chainsi_buffer_add_text(out, ",\"dependencies\":[");
    for (size_t i = 0; i < chainlet->dependency_count; i++) {
        chainsi_buffer_add_text(out, i ? ",{" : "{");
        add_key(out, "name", chainlet->dependencies[i].chainlet->wire_name);
        chainsi_buffer_add_byte(out, ',');
        add_key(out, "parameter", chainlet->dependencies[i].parameter);
        const chains_depends_config *options = &chainlet->dependencies[i].options;
        chainsi_buffer_printf(out, ",\"retries\":%d,\"timeout_ms\":", options->retries);
        chainsi_json_write_double(out, options->timeout_ms);
        chainsi_buffer_printf(out, ",\"colocate\":%s}", options->colocate ? "true" : "false");
    }
    chainsi_buffer_add_text(out, "]}");
}

void chainsi_graph_json(const chainsi_model *model, chainsi_buffer *out)
{
    chainsi_buffer_add_byte(out, '{');
    add_key(out, "entrypoint", model->entrypoint ? model->entrypoint->wire_name : NULL);
    chainsi_buffer_add_text(out, ",\"chainlets\":[");
    for (size_t i = 0; i < model->chainlet_count; i++) {
        if (i)
            chainsi_buffer_add_byte(out, ',');
        add_chainlet(out, model->chainlets[i]);
    }
    chainsi_buffer_add_text(out, "]}");
}
