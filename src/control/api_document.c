/* GET /api/v1/openapi.json: what route_table.c lists, as one OpenAPI 3.1 document. The schemas are those of the
 * tables that bodies are read and answers are written by. */
#include <string.h>

#include "control/route_table.h"
#include "schema/components.h"
#include "schema/json.h"

static void add(chainsi_buffer *out, const char *text)
{
    chainsi_buffer_add_text(out, text);
}

static void add_string(chainsi_buffer *out, const char *text)
{
    chainsi_json_write_string(out, text, strlen(text));
}

static void add_parameter(chainsi_buffer *out, const char *name, size_t name_size, const char *in,
                          const char *type, const char *about)
{
    if (out->data[out->size - 1] != '[')
        add(out, ",");
    add(out, "{\"name\":");
    chainsi_json_write_string(out, name, name_size);
    chainsi_buffer_printf(out, ",\"in\":\"%s\"%s,\"schema\":{\"type\":\"%s\"},\"description\":", in,
                          !strcmp(in, "path") ? ",\"required\":true" : "", type);
    add_string(out, about);
    add(out, "}");
}

static const char *about_name(const char *word, size_t size)
{
    static const char *const words[][2] = {
        { "chain", "The name of a chain." },
        { "environment", "The name of an environment: production." },
        { "version", "A version: v0012-9f3c1a, v12 or 12." },
        { "chainlet", "The name of a Chainlet on the wire." },
        { "id", "The id." },
        { "name", "The name." },
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strncmp(words[i][0], word, size) && !words[i][0][size])
            return words[i][1];
    return "";
}

static void add_parameters(chainsi_buffer *out, const chainsi_route_row *row)
{
    add(out, ",\"parameters\":[");
    for (const char *at = strchr(row->path, '{'); at; at = strchr(at, '{')) {
        size_t size = strcspn(++at, "}");
        add_parameter(out, at, size, "path", "string", about_name(at, size));
    }
    for (const chainsi_parameter *each = row->takes; each && each->name; each++)
        add_parameter(out, each->name, strlen(each->name),
                      *each->name >= 'A' && *each->name <= 'Z' ? "header" : "query", each->type,
                      each->about);
    add(out, "]");
}

/* The right that it takes, in words. */
static void add_rights(chainsi_buffer *out, const chainsi_route_row *row)
{
    chainsi_buffer text = { 0 };
    add(out, ",\"description\":");
    if (row->access == CHAINSI_ACCESS_OPEN)
        add(&text, "Takes no key.");
    else
        chainsi_buffer_printf(
            &text, "Where there are API keys: one of scope %s%s, or the home's token. %s",
            chainsi_scope_name(row->scope),
            row->access == CHAINSI_ACCESS_ALL && !strstr(row->path, "{chain}") ? " for all chains"
                                                                               : "",
            row->guarded ? "Where there are none: the token." : "Where there are none: nothing.");
    chainsi_json_write_string(out, (const char *)text.data, text.size);
    chainsi_buffer_done(&text);
    if (row->access == CHAINSI_ACCESS_OPEN)
        add(out, ",\"security\":[]");
}

static void add_content(const chainsi_components *components, chainsi_buffer *out,
                        const char *media, const chainsi_type *type)
{
    chainsi_buffer_printf(out, ",\"content\":{\"%s\":{\"schema\":", media);
    if (type)
        chainsi_schema_write(components, type, out);
    else
        add(out, strstr(media, "json") ? "{}" : "{\"type\":\"string\"}");
    add(out, "}}");
}

/* And a comma: others follow. */
static void add_success(const chainsi_components *components, chainsi_buffer *out,
                        const chainsi_route_row *row, int status)
{
    chainsi_buffer_printf(out, "\"%d\":{\"description\":", status);
    add_string(out, row->media_about ? row->media_about : "JSON.");
    add_content(components, out, row->output ? "application/json" : row->media, row->output);
    add(out, "},");
}

static void add_operation(const chainsi_components *components, chainsi_buffer *out,
                          const chainsi_route_row *row)
{
    static const char *const methods[] = {
        [CHAINSI_HTTP_GET] = "get",
        [CHAINSI_HTTP_POST] = "post",
        [CHAINSI_HTTP_PUT] = "put",
        [CHAINSI_HTTP_DELETE] = "delete",
    };
    add_string(out, methods[row->method]);
    add(out, ":{\"operationId\":");
    add_string(out, row->id);
    add(out, ",\"summary\":");
    add_string(out, row->about);
    add_rights(out, row);
    add_parameters(out, row);
    if (row->body || row->body_about) {
        add(out, ",\"requestBody\":{\"required\":true,\"description\":");
        add_string(out, row->body_about ? row->body_about : "JSON.");
        add_content(components, out, "application/json", row->body);
        add(out, "}");
    }
    add(out, ",\"responses\":{");
    add_success(components, out, row, row->status ? row->status : 200);
    if (row->other_status)
        add_success(components, out, row, row->other_status);
    add(out, "\"4XX\":{\"$ref\":\"#/components/responses/Failure\"},"
             "\"5XX\":{\"$ref\":\"#/components/responses/Failure\"}}}");
}

static void write_document(chainsi_buffer *out)
{
    chainsi_components components = { 0 };
    for (size_t i = 0; i < chainsi_route_count; i++) {
        chainsi_components_add(&components, chainsi_route_table[i].body);
        chainsi_components_add(&components, chainsi_route_table[i].output);
    }
    add(out, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"chainsd\",\"version\":");
    add_string(out, CHAINSI_VERSION);
    add(out,
        ",\"description\":\"The front door and the API of the daemon. GET is HEAD as well where "
        "an answer has a length. A failure is an error in JSON, whose status is that of the "
        "HTTP answer in other words.\"},\"servers\":[{\"url\":\"/\"}],"
        "\"security\":[{},{\"key\":[]}],\"paths\":{");
    for (size_t i = 0; i < chainsi_route_count; i++) {
        const chainsi_route_row *row = &chainsi_route_table[i];
        bool begins = !i || strcmp(row->path, row[-1].path) != 0;
        add(out, !i ? "" : begins ? "}," : ",");
        if (begins) {
            add_string(out, row->path);
            add(out, ":{");
        }
        add_operation(&components, out, row);
    }
    add(out, "}},\"components\":");
    chainsi_openapi_components(&components, true, out);
    add(out, "}");
    chainsi_components_done(&components);
}

void chainsi_route_document(chainsi_routes *routes, chainsi_exchange *exchange,
                            const chainsi_names *names)
{
    (void)routes;
    (void)names;
    chainsi_buffer document = { 0 };
    write_document(&document);
    chainsi_answer_json(exchange, 200, &document);
    chainsi_buffer_done(&document);
}
