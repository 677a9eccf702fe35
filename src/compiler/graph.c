/* Says what a chain is made of. Types are named as in C, but for the noise: text is "text". */
#include "compiler/graph.h"

#include "schema/json.h"

static const char *name_type(const chainsi_model_type *type)
{
    if (type->kind == CHAINSI_POINTER)
        return name_type(type->item);
    if (type->kind == CHAINSI_STRING)
        return "text";
    return type->name ? type->name : type->c_name;
}

/* --- words */

void chainsi_graph_signature(const chainsi_model_chainlet *chainlet, chainsi_buffer *out)
{
    chainsi_buffer_add_byte(out, '(');
    for (size_t i = 0; i < chainlet->input_count; i++) {
        const chainsi_model_field *field = &chainlet->inputs[i];
        chainsi_buffer_printf(out, "%s%s%s: %s", i ? ", " : "", field->wire_name,
                              field->optional ? "?" : "", name_type(field->type));
        if (field->default_text.text)
            chainsi_buffer_printf(out, " = %s", field->default_text.text);
    }
    chainsi_buffer_add_text(out, ") -> ");
    for (size_t i = 0; i < chainlet->output_count; i++)
        chainsi_buffer_printf(out, "%s%s: %s", i ? ", " : "", chainlet->outputs[i].wire_name,
                              name_type(chainlet->outputs[i].type));
    if (chainlet->stream)
        chainsi_buffer_printf(out, "%sstream %s of %s", chainlet->output_count ? ", " : "",
                              chainlet->stream->wire_name, name_type(chainlet->stream->type));
    if (!chainlet->output_count && !chainlet->stream)
        chainsi_buffer_add_text(out, "nothing");
}

static const char *comma(const chainsi_buffer *out, size_t from)
{
    return out->size > from ? ", " : "";
}

void chainsi_graph_options(const chainsi_model_dependency *dependency, chainsi_buffer *out)
{
    const chains_depends_config *options = &dependency->options;
    const size_t from = out->size;
    if (!dependency->has_options)
        return;
    if (options->retries)
        chainsi_buffer_printf(out, "retries %d", options->retries);
    if (options->timeout_ms > 0)
        chainsi_buffer_printf(out, "%stimeout %g ms", comma(out, from), options->timeout_ms);
    if (options->colocate)
        chainsi_buffer_printf(out, "%sin its caller's process", comma(out, from));
    if (options->near)
        chainsi_buffer_printf(out, "%son its caller's node", comma(out, from));
}

void chainsi_graph_hardware(const chainsi_model_chainlet *chainlet, chainsi_buffer *out)
{
    const size_t from = out->size;
    const double gib = (double)chainlet->memory_bytes / (1 << 30);
    if (chainlet->config.cpu > 0)
        chainsi_buffer_printf(out, "%g core%s", chainlet->config.cpu,
                              chainlet->config.cpu == 1 ? "" : "s");
    if (chainlet->memory_bytes)
        chainsi_buffer_printf(out, gib < 1 ? "%s%.4g MiB" : "%s%.4g GiB", comma(out, from),
                              gib < 1 ? gib * 1024 : gib);
    if (chainlet->gpu_kind)
        chainsi_buffer_printf(out, "%s%s:%d", comma(out, from), chainlet->gpu_kind,
                              chainlet->gpu_count);
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
    chainsi_buffer_add_text(out, ",\"cpu\":");
    chainsi_json_write_double(out, chainlet->config.cpu > 0 ? chainlet->config.cpu : 0);
    chainsi_buffer_printf(out, ",\"memory\":%llu,", (unsigned long long)chainlet->memory_bytes);
    add_key(out, "gpu", chainlet->config.gpu);
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
