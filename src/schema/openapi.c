/* One OpenAPI 3.1 document of a list of operations. */
#include "schema/components.h"
#include "schema/json.h"
#include "schema/json_schema.h"

static void add(chainsi_buffer *out, const char *text)
{
    chainsi_buffer_add_text(out, text);
}

static void add_string(chainsi_buffer *out, const char *text)
{
    chainsi_json_write_string(out, text, strlen(text));
}

/* A member of an object that is never the first. */
static void add_member(chainsi_buffer *out, const char *key, const char *text)
{
    if (!text)
        return;
    chainsi_buffer_add_byte(out, ',');
    add_string(out, key);
    chainsi_buffer_add_byte(out, ':');
    add_string(out, text);
}

/* The answer's schema: the plain outputs, and in answers by name the gathered items of a stream. */
static void add_answer(const chainsi_components *components,
                       const chainsi_openapi_operation *operation, chainsi_buffer *out)
{
    const chainsi_type *output = operation->output;
    const uint32_t count = output ? output->field_count : 0;
    if (!operation->stream_name) {
        if (count == 0)
            add(out, "{\"type\":\"null\"}");
        else if (count == 1)
            chainsi_schema_write_field(components, &output->fields[0], out);
        else
            chainsi_schema_write(components, output, out);
        return;
    }
    add(out, "{\"type\":\"object\",\"properties\":{");
    add_string(out, operation->stream_name);
    add(out, ":{\"type\":\"array\",\"items\":");
    chainsi_schema_write(components, operation->stream_item, out);
    add(out, "}");
    for (uint32_t i = 0; i < count; i++) {
        add(out, ",");
        add_string(out, output->fields[i].name);
        add(out, ":");
        chainsi_schema_write_field(components, &output->fields[i], out);
    }
    add(out, "},\"required\":[");
    add_string(out, operation->stream_name);
    for (uint32_t i = 0; i < count; i++) {
        if (output->fields[i].optional)
            continue;
        add(out, ",");
        add_string(out, output->fields[i].name);
    }
    add(out, "]}");
}

/* A form of the answer that comes in parts. What a part holds is no schema of the whole, so it stands
 * beside it. */
static void add_stream(const chainsi_components *components,
                       const chainsi_openapi_operation *operation, const char *media_type,
                       const char *description, chainsi_buffer *out)
{
    add(out, ",");
    add_string(out, media_type);
    add(out, ":{\"schema\":{\"type\":\"string\"");
    add_member(out, "description", description);
    add(out, "},\"x-item\":");
    chainsi_schema_write(components, operation->stream_item, out);
    add(out, ",\"x-result\":");
    if (operation->output)
        chainsi_schema_write(components, operation->output, out);
    else
        add(out, "{\"type\":\"object\"}");
    add(out, "}");
}

static void add_operation(const chainsi_components *components,
                          const chainsi_openapi_operation *operation, chainsi_buffer *out)
{
    add_string(out, operation->path);
    add(out, ":{\"post\":{\"operationId\":");
    add_string(out, operation->operation_id);
    add_member(out, "summary", operation->summary);
    add_member(out, "description", operation->description);
    add(out, ",\"requestBody\":{\"required\":true,\"content\":{\"application/json\":{\"schema\":");
    chainsi_schema_write(components, operation->input, out);
    add(out, "}}},\"responses\":{\"200\":{\"description\":\"The answer.\",\"content\":{"
             "\"application/json\":{\"schema\":");
    add_answer(components, operation, out);
    add(out, "}");
    if (operation->stream_name) {
        add_stream(components, operation, "text/event-stream",
                   "Events named item, then one named result or error, each with its value as JSON "
                   "in data.",
                   out);
        add_stream(components, operation, "application/x-ndjson",
                   "Lines {\"item\": ...}, then {\"result\": ...} or {\"error\": ...}.", out);
    }
    add(out, "}},"
             "\"400\":{\"$ref\":\"#/components/responses/InvalidArgument\"},"
             "\"4XX\":{\"$ref\":\"#/components/responses/Failure\"},"
             "\"5XX\":{\"$ref\":\"#/components/responses/Failure\"}}}}");
}

static void add_failure(chainsi_buffer *out, const char *name, const char *description)
{
    add_string(out, name);
    add(out, ":{\"description\":");
    add_string(out, description);
    add(out, ",\"content\":{\"application/json\":{\"schema\":"
             "{\"$ref\":\"#/components/schemas/chains.Error\"}}}}");
}

static const char error_schema[] =
    "\"chains.Error\":{\"type\":\"object\",\"properties\":{\"error\":{\"type\":\"object\","
    "\"properties\":{"
    "\"status\":{\"type\":\"string\",\"enum\":[\"CANCELLED\",\"UNKNOWN\",\"INVALID_ARGUMENT\","
    "\"DEADLINE_EXCEEDED\",\"NOT_FOUND\",\"ALREADY_EXISTS\",\"PERMISSION_DENIED\","
    "\"RESOURCE_EXHAUSTED\",\"FAILED_PRECONDITION\",\"ABORTED\",\"OUT_OF_RANGE\","
    "\"UNIMPLEMENTED\",\"INTERNAL\",\"UNAVAILABLE\",\"DATA_LOSS\",\"UNAUTHENTICATED\"]},"
    "\"message\":{\"type\":\"string\",\"description\":\"What went wrong, for a person.\"},"
    "\"path\":{\"type\":[\"string\",\"null\"],\"description\":\"The argument that is bad.\"},"
    "\"trace\":{\"type\":\"array\",\"description\":\"From the entrypoint inwards.\",\"items\":{"
    "\"type\":\"object\",\"properties\":{\"chainlet\":{\"type\":\"string\"},"
    "\"function\":{\"type\":\"string\"},\"file\":{\"type\":\"string\"},"
    "\"line\":{\"type\":\"integer\"},\"message\":{\"type\":\"string\"}}}},"
    "\"request_id\":{\"type\":\"string\"}},\"required\":[\"status\",\"message\"]}},"
    "\"required\":[\"error\"]}";

void chainsi_openapi_components(const chainsi_components *components, bool bearer,
                                chainsi_buffer *out)
{
    add(out, "{\"responses\":{");
    add_failure(out, "InvalidArgument", "The arguments can never work; path names the bad one.");
    add(out, ",");
    add_failure(out, "Failure", "The call failed.");
    add(out, "},\"schemas\":");
    chainsi_components_write(components, out);
    out->size--; /* the error joins the object */
    if (out->data[out->size - 1] != '{')
        add(out, ",");
    add(out, error_schema);
    add(out, "}");
    if (bearer)
        add(out, ",\"securitySchemes\":{\"key\":{\"type\":\"http\",\"scheme\":\"bearer\"}}");
    add(out, "}");
}

void chainsi_openapi(const chainsi_openapi_document *document, chainsi_buffer *out)
{
    chainsi_components components = { 0 };
    for (size_t i = 0; i < document->operation_count; i++) {
        const chainsi_openapi_operation *operation = &document->operations[i];
        chainsi_components_add(&components, operation->input);
        chainsi_components_add(&components, operation->output);
        if (operation->stream_name)
            chainsi_components_add(&components, operation->stream_item);
    }
    add(out, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":");
    add_string(out, document->title);
    add_member(out, "version", document->version ? document->version : "1");
    add_member(out, "description", document->description);
    add(out, "}");
    if (document->server) {
        add(out, ",\"servers\":[{\"url\":");
        add_string(out, document->server);
        add(out, "}]");
    }
    if (document->bearer)
        add(out, ",\"security\":[{\"key\":[]}]");
    add(out, ",\"paths\":{");
    for (size_t i = 0; i < document->operation_count; i++) {
        if (i)
            add(out, ",");
        add_operation(&components, &document->operations[i], out);
    }
    add(out, "},\"components\":");
    chainsi_openapi_components(&components, document->bearer, out);
    add(out, "}");
    chainsi_components_done(&components);
}
