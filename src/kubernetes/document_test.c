/* The writer of YAML and JSON: blocks, what is empty, and texts that a reader could take for something else. */
#include "kubernetes/document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void assert_written(chainsi_buffer *out, const char *text)
{
    chainsi_buffer_add_byte(out, 0);
    assert_string_equal((const char *)out->data, text);
    chainsi_buffer_done(out);
}

/* A value of each kind, in each kind of place. */
static void write_tree(chainsi_document *d)
{
    chainsi_document_open_map(d, NULL);
    chainsi_document_text(d, "name", "poem");
    chainsi_document_text(d, "absent", NULL);
    chainsi_document_open_list(d, "args");
    chainsi_document_text(d, NULL, "--listen");
    chainsi_document_number(d, NULL, -7);
    chainsi_document_open_map(d, NULL);
    chainsi_document_truth(d, "good", true);
    chainsi_document_open_map(d, "inner");
    chainsi_document_number(d, "port", 80);
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_open_list(d, NULL);
    chainsi_document_text(d, NULL, "a");
    chainsi_document_text(d, NULL, "b");
    chainsi_document_close(d);
    chainsi_document_open_map(d, NULL);
    chainsi_document_close(d);
    chainsi_document_open_list(d, NULL);
    chainsi_document_close(d);
    chainsi_document_close(d);
    chainsi_document_open_map(d, "none");
    chainsi_document_close(d);
    chainsi_document_open_list(d, "nothing");
    chainsi_document_close(d);
    chainsi_document_close(d);
}

static void trees_are_blocks_in_yaml(void **state)
{
    (void)state;
    chainsi_buffer out = { 0 };
    chainsi_document document;
    chainsi_document_init(&document, false, &out);
    write_tree(&document);
    assert_written(&out, "name: poem\n"
                         "args:\n"
                         "  - \"--listen\"\n"
                         "  - -7\n"
                         "  - good: true\n"
                         "    inner:\n"
                         "      port: 80\n"
                         "  - - a\n"
                         "    - b\n"
                         "  - {}\n"
                         "  - []\n"
                         "none: {}\n"
                         "nothing: []\n");
}

static void trees_are_one_line_in_json(void **state)
{
    (void)state;
    chainsi_buffer out = { 0 };
    chainsi_document document;
    chainsi_document_init(&document, true, &out);
    write_tree(&document);
    assert_written(
        &out,
        "{\"name\":\"poem\",\"args\":[\"--listen\",-7,{\"good\":true,\"inner\":{\"port\":80}},"
        "[\"a\",\"b\"],{},[]],\"none\":{},\"nothing\":[]}");
}

static void what_is_outermost_may_be_empty(void **state)
{
    (void)state;
    chainsi_buffer out = { 0 };
    chainsi_document document;
    chainsi_document_init(&document, false, &out);
    chainsi_document_open_list(&document, NULL);
    chainsi_document_close(&document);
    assert_written(&out, "[]\n");
}

static void texts_stay_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *yaml;
    } cases[] = {
        { "plain", "plain" },
        { "a_b-c.d/e@f", "a_b-c.d/e@f" },
        { "docker.io/x:1", "docker.io/x:1" },
        { "http://host:80", "http://host:80" },
        { "/run/x", "/run/x" },
        { "", "\"\"" },
        { "a:", "\"a:\"" },
        { "a: b", "\"a: b\"" },
        { "a #b", "\"a #b\"" },
        { " a", "\" a\"" },
        { "no", "\"no\"" },
        { "No", "\"No\"" },
        { "y", "\"y\"" },
        { "ON", "\"ON\"" },
        { "null", "\"null\"" },
        { "nullable", "nullable" },
        { "~", "\"~\"" },
        { "True", "\"True\"" },
        { "1e3", "\"1e3\"" },
        { "0x1f", "\"0x1f\"" },
        { "12:30", "\"12:30\"" },
        { "4Gi", "\"4Gi\"" },
        { ".5", "\".5\"" },
        { "-", "\"-\"" },
        { "=", "\"=\"" },
        { "2026-11-29", "\"2026-11-29\"" },
        { "{a}", "\"{a}\"" },
        { "*a", "\"*a\"" },
        { "a\tb", "\"a\\tb\"" },
        { "say \"x\" \\", "\"say \\\"x\\\" \\\\\"" },
        { "töp", "\"töp\"" },
        { "\x7f", "\"\\u007f\"" },
        { "\xc2\x85", "\"\\u0085\"" },
        { "a\xe2\x80\xa8z\xe2\x80\xa9", "\"a\\u2028z\\u2029\"" },
        { "\xef\xbb\xbf", "\"\\ufeff\"" },
        { "\xff", "\"\xef\xbf\xbd\"" },
        { "a\nb", "|-\n    a\n    b" },
        { "a\n\n  b\n", "|\n    a\n\n      b" },
        { "a\n\n", "\"a\\n\\n\"" },
        { "\na", "\"\\na\"" },
        { " a\nb", "\" a\\nb\"" },
        { "a\r\nb", "\"a\\r\\nb\"" },
        { "a\nö", "\"a\\nö\"" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        chainsi_buffer out = { 0 }, expected = { 0 };
        chainsi_document document;
        chainsi_document_init(&document, false, &out);
        chainsi_document_open_map(&document, NULL);
        chainsi_document_open_map(&document, "in");
        chainsi_document_text(&document, "key", cases[i].text);
        chainsi_document_close(&document);
        chainsi_document_close(&document);
        chainsi_buffer_printf(&expected, "in:\n  key: %s\n", cases[i].yaml);
        chainsi_buffer_add_byte(&expected, 0);
        assert_written(&out, (const char *)expected.data);
        chainsi_buffer_done(&expected);
    }
}

static void keys_are_quoted_as_texts_are(void **state)
{
    (void)state;
    chainsi_buffer out = { 0 };
    chainsi_document document;
    chainsi_document_init(&document, false, &out);
    chainsi_document_open_map(&document, NULL);
    chainsi_document_text(&document, "nvidia.com/gpu", "2");
    chainsi_document_truth(&document, "on", false);
    chainsi_document_close(&document);
    assert_written(&out, "nvidia.com/gpu: \"2\"\n\"on\": false\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trees_are_blocks_in_yaml),
        cmocka_unit_test(trees_are_one_line_in_json),
        cmocka_unit_test(what_is_outermost_may_be_empty),
        cmocka_unit_test(texts_stay_texts),
        cmocka_unit_test(keys_are_quoted_as_texts_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
