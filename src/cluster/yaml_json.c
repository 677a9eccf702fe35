/* libyaml composes the document; this walks it. An alias is one more way to the same node, so that a document may
 * be a loop, or become larger than any memory: depth and size bound it. */
#include "cluster/yaml_json.h"

#include <stdio.h>
#include <string.h>

#include <yaml.h>

#include "schema/json.h"

typedef struct walk {
    yaml_document_t *document;
    chainsi_buffer *json;
    size_t most; /* bytes of json */
    const char *fault;
} walk;

static bool is_null(const yaml_node_t *node)
{
    const char *text = (const char *)node->data.scalar.value;
    return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (!*text || !strcmp(text, "~") || !strcmp(text, "null") || !strcmp(text, "Null") ||
            !strcmp(text, "NULL"));
}

static void write_scalar(walk *w, const yaml_node_t *node)
{
    chainsi_json_write_string(w->json, (const char *)node->data.scalar.value,
                              node->data.scalar.length);
}

static bool write_node(walk *w, int index, int depth);

static bool write_map(walk *w, const yaml_node_t *node, int depth)
{
    chainsi_buffer_add_byte(w->json, '{');
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(w->document, pair->key);
        if (key->type != YAML_SCALAR_NODE) {
            w->fault = "a key that is no text";
            return false;
        }
        if (pair > node->data.mapping.pairs.start)
            chainsi_buffer_add_byte(w->json, ',');
        write_scalar(w, key);
        chainsi_buffer_add_byte(w->json, ':');
        if (!write_node(w, pair->value, depth + 1))
            return false;
    }
    chainsi_buffer_add_byte(w->json, '}');
    return true;
}

static bool write_list(walk *w, const yaml_node_t *node, int depth)
{
    chainsi_buffer_add_byte(w->json, '[');
    for (yaml_node_item_t *item = node->data.sequence.items.start;
         item < node->data.sequence.items.top; item++) {
        if (item > node->data.sequence.items.start)
            chainsi_buffer_add_byte(w->json, ',');
        if (!write_node(w, *item, depth + 1))
            return false;
    }
    chainsi_buffer_add_byte(w->json, ']');
    return true;
}

static bool write_node(walk *w, int index, int depth)
{
    const yaml_node_t *node = yaml_document_get_node(w->document, index);
    if (depth > CHAINSI_YAML_MOST_DEPTH)
        w->fault = "it is nested too deep";
    else if (w->json->size > w->most)
        w->fault = "it is too large";
    if (w->fault)
        return false;
    if (node->type == YAML_MAPPING_NODE)
        return write_map(w, node, depth);
    if (node->type == YAML_SEQUENCE_NODE)
        return write_list(w, node, depth);
    if (is_null(node))
        chainsi_buffer_add_text(w->json, "null");
    else
        write_scalar(w, node);
    return true;
}

bool chainsi_yaml_to_json(const char *text, size_t size, chainsi_buffer *json, char *why,
                          size_t why_size)
{
    yaml_parser_t parser;
    yaml_document_t document;
    if (!yaml_parser_initialize(&parser)) {
        snprintf(why, why_size, "memory ran out");
        return false;
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    bool good = yaml_parser_load(&parser, &document) != 0;
    if (!good) {
        snprintf(why, why_size, "line %zu: %s",
                 (parser.problem_mark.line ? parser.problem_mark.line : parser.context_mark.line) +
                     1,
                 parser.problem ? parser.problem : "it is no YAML");
    } else {
        size_t before = json->size;
        walk w = { &document, json, before + CHAINSI_YAML_MOST_JSON, NULL };
        const yaml_node_t *root = yaml_document_get_root_node(&document);
        if (!root || (root->type == YAML_SCALAR_NODE && is_null(root)))
            chainsi_buffer_add_text(json, "{}");
        else
            good = write_node(&w, 1, 0);
        if (!good) {
            json->size = before;
            snprintf(why, why_size, "%s", w.fault);
        }
        yaml_document_delete(&document);
    }
    yaml_parser_delete(&parser);
    return good;
}
