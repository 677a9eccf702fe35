/* The model of the example in the manual, asserted field by field; and reading beside missing
 * libraries, of options, comments and fingerprints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compiler/config.h"
#include "compiler/graph.h"
#include "compiler/model.h"

/* A folder that a test fills, and what was read from it. */
typedef struct chain_fixture {
    char folder[64];
    chainsi_diagnostics diagnostics;
    chainsi_model *model;
} chain_fixture;

static int set_up(void **state)
{
    chain_fixture *fixture = calloc(1, sizeof *fixture);
    strcpy(fixture->folder, "/tmp/chains-read-XXXXXX");
    if (!mkdtemp(fixture->folder))
        return -1;
    *state = fixture;
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *ftw)
{
    (void)status;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static int tear_down(void **state)
{
    chain_fixture *fixture = *state;
    chainsi_model_free(fixture->model);
    chainsi_diagnostics_done(&fixture->diagnostics);
    nftw(fixture->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(fixture);
    return 0;
}

static void write_file(chain_fixture *fixture, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", fixture->folder, name);
    for (char *slash = path + strlen(fixture->folder) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(path, 0777);
        *slash = '/';
    }
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* Reads the folder; expects errors or none. */
static const chainsi_model *read_folder(chain_fixture *fixture, bool good)
{
    chainsi_model_free(fixture->model);
    chainsi_diagnostics_done(&fixture->diagnostics);
    chainsi_diagnostics_init(&fixture->diagnostics, fixture->folder);
    chainsi_model_options options = { .include_dir = CHAINS_SOURCE_DIR "/include" };
    fixture->model = chainsi_model_read(fixture->folder, &options, &fixture->diagnostics);
    assert_non_null(fixture->model);
    if (chainsi_diagnostics_failed(&fixture->diagnostics) == good)
        chainsi_diagnostics_print(&fixture->diagnostics, stderr, false);
    assert_true(chainsi_diagnostics_failed(&fixture->diagnostics) != good);
    return fixture->model;
}

static const char phi_llm[] =
    "#pragma once\n"
    "#include <chains.h>\n"
    "\n"
    "typedef enum { PHI_USER CHAINS_NAME(\"user\"), PHI_ASSISTANT CHAINS_NAME(\"assistant\") } "
    "phi_role;\n"
    "\n"
    "/** One turn of a conversation. */\n"
    "typedef struct {\n"
    "    phi_role role       CHAINS_DEFAULT(PHI_USER);     /**< Who speaks. */\n"
    "    const char *content CHAINS_LENGTH(1, 100000);     /**< What was said. */\n"
    "} phi_message;\n"
    "CHAINS_LIST(phi_message, phi_messages);               /* not a doc comment */\n"
    "\n"
    "/** Answers a conversation. */\n"
    "CHAINLET(phi_llm, .cpu = 2, .memory = \"4Gi\", .gpu = \"A10G\",\n"
    "         .image = { .apt = { \"libllama0\" }, .pkg_config = { \"llama\" } },\n"
    "         .autoscaling = { .min_replicas = 0, .max_replicas = 4 });\n"
    "\n"
    "phi_llm *phi_llm_new(chains_ctx *ctx);\n"
    "/** Writes the next turn.\n"
    " *  @param messages    the turns so far\n"
    " *  @param temperature 0 is the most likely answer\n"
    " *  @param reply       what the model says */\n"
    "chains_status phi_llm_run_remote(phi_llm *self, chains_ctx *ctx, phi_messages messages,\n"
    "                                 float temperature CHAINS_RANGE(0, 2) CHAINS_DEFAULT(0), "
    "const char **reply);\n"
    "void phi_llm_free(phi_llm *self);\n";

static const char poem_generator[] =
    "#pragma once\n"
    "#include \"phi_llm.h\"\n"
    "\n"
    "/** Writes one poem a word. */\n"
    "CHAINLET(poem_generator, .entrypoint = true);\n"
    "CHAINS_DEPENDS(poem_generator, phi_llm, .retries = 3, .timeout_ms = 20000);   /* options */\n"
    "\n"
    "poem_generator *poem_generator_new(chains_ctx *ctx, phi_llm *llm);\n"
    "chains_status poem_generator_run_remote(poem_generator *self, chains_ctx *ctx,\n"
    "                                        chains_string_list words, chains_string_list "
    "*poems);\n"
    "void poem_generator_free(poem_generator *self);\n";

static void assert_position(const chainsi_position *position, const char *file, int line,
                            int column, int length)
{
    assert_string_equal(position->file, file);
    assert_int_equal(position->line, line);
    assert_int_equal(position->column, column);
    assert_int_equal(position->length, length);
}

static void assert_phi_llm(const chainsi_model_chainlet *phi)
{
    assert_string_equal(phi->c_name, "phi_llm");
    assert_string_equal(phi->wire_name, "phi_llm");
    assert_string_equal(phi->doc, "Answers a conversation.");
    assert_false(phi->external);
    assert_true(phi->config.cpu == 2);
    assert_string_equal(phi->config.memory, "4Gi");
    assert_int_equal(phi->memory_bytes, UINT64_C(4) << 30);
    assert_string_equal(phi->gpu_kind, "A10G");
    assert_int_equal(phi->gpu_count, 1);
    assert_string_equal(phi->config.image.apt[0], "libllama0");
    assert_null(phi->config.image.apt[1]);
    assert_string_equal(phi->config.image.pkg_config[0], "llama");
    assert_int_equal(phi->config.autoscaling.min_replicas, 0);
    assert_int_equal(phi->config.autoscaling.max_replicas, 4);
    assert_int_equal(phi->config.abi_, 1);
    assert_string_equal(phi->header, "phi_llm.h");
    assert_string_equal(phi->source, "phi_llm.cc");
    assert_int_equal(phi->language, CHAINSI_LANGUAGE_CXX);
    assert_position(&phi->position, "phi_llm.h", 14, 10, 7);
    assert_position(&phi->create.position, "phi_llm.h", 18, 10, 11);
    assert_position(&phi->run.position, "phi_llm.h", 23, 15, 18);
    assert_string_equal(phi->run.doc, "Writes the next turn.");
    assert_position(&phi->destroy.position, "phi_llm.h", 25, 6, 12);
    assert_null(phi->healthy.position.file);
    assert_null(phi->batch.position.file);
    assert_int_equal(phi->dependency_count, 0);
    assert_null(phi->stream);
}

static void assert_phi_method(const chainsi_model_chainlet *phi)
{
    assert_int_equal(phi->input_count, 2);
    const chainsi_model_field *messages = &phi->inputs[0], *temperature = &phi->inputs[1];
    assert_string_equal(messages->c_name, "messages");
    assert_string_equal(messages->doc, "the turns so far");
    assert_position(&messages->position, "phi_llm.h", 23, 79, 8);
    assert_int_equal(messages->type->kind, CHAINSI_LIST);
    assert_string_equal(messages->type->c_name, "phi_messages");
    assert_string_equal(messages->type->name, "phi_messages");
    assert_null(messages->type->doc);
    assert_int_equal(temperature->type->kind, CHAINSI_FLOAT);
    assert_string_equal(temperature->doc, "0 is the most likely answer");
    assert_string_equal(temperature->default_text.text, "0");
    assert_position(&temperature->default_text.position, "phi_llm.h", 24, 71, 17);
    assert_true(temperature->limits.has_range);
    assert_true(temperature->limits.min.f == 0 && temperature->limits.max.f == 2);
    assert_int_equal(phi->output_count, 1);
    assert_string_equal(phi->outputs[0].c_name, "reply");
    assert_int_equal(phi->outputs[0].type->kind, CHAINSI_STRING);
    assert_string_equal(phi->outputs[0].type->c_name, "const char *");

    const chainsi_model_type *message = messages->type->item;
    assert_int_equal(message->kind, CHAINSI_STRUCT);
    assert_string_equal(message->c_name, "phi_message");
    assert_string_equal(message->doc, "One turn of a conversation.");
    assert_int_equal(message->field_count, 2);
    assert_string_equal(message->fields[0].c_name, "role");
    assert_string_equal(message->fields[0].doc, "Who speaks.");
    assert_string_equal(message->fields[0].default_text.text, "PHI_USER");
    assert_string_equal(message->fields[1].doc, "What was said.");
    assert_true(message->fields[1].limits.has_length);
    assert_int_equal(message->fields[1].limits.min_length, 1);
    assert_int_equal(message->fields[1].limits.max_length, 100000);
    assert_ptr_equal(message->fields[1].type, phi->outputs[0].type); /* one type, one object */

    const chainsi_model_type *role = message->fields[0].type;
    assert_int_equal(role->kind, CHAINSI_ENUM);
    assert_string_equal(role->c_name, "phi_role");
    assert_int_equal(role->value_count, 2);
    assert_string_equal(role->values[0].c_name, "PHI_USER");
    assert_string_equal(role->values[0].wire_name, "user");
    assert_string_equal(role->values[1].wire_name, "assistant");
    assert_int_equal(role->values[1].value, 1);
    assert_true(role->index < message->index && message->index < messages->type->index);
}

static void test_design_example(void **state)
{
    chain_fixture *fixture = *state;
    write_file(fixture, "phi_llm.h", phi_llm);
    write_file(fixture, "phi_llm.cc", "extern \"C\" {\n#include \"phi_llm.h\"\n}\n");
    write_file(fixture, "poem_generator.h", poem_generator);
    write_file(fixture, "tests/ignored.h", "#include <chains.h>\nCHAINLET(ignored);\n");
    const chainsi_model *model = read_folder(fixture, true);
    assert_int_equal(model->chainlet_count, 2);
    assert_int_equal(model->include_dir_count, 1);
    assert_string_equal(model->include_dirs[0], ".");
    const chainsi_model_chainlet *phi = model->chainlets[0], *poem = model->chainlets[1];
    assert_phi_llm(phi);
    assert_phi_method(phi);
    assert_ptr_equal(model->entrypoint, poem);
    assert_ptr_equal(chainsi_model_find(model, "poem_generator"), poem);
    assert_null(chainsi_model_find(model, "nobody"));
    assert_string_equal(poem->doc, "Writes one poem a word.");
    assert_null(poem->source);
    assert_int_equal(poem->dependency_count, 1);
    assert_ptr_equal(poem->dependencies[0].chainlet, phi);
    assert_string_equal(poem->dependencies[0].parameter, "llm");
    assert_true(poem->dependencies[0].has_options);
    assert_int_equal(poem->dependencies[0].options.retries, 3);
    assert_true(poem->dependencies[0].options.timeout_ms == 20000);
    assert_position(&poem->dependencies[0].position, "poem_generator.h", 8, 62, 3);
    assert_string_equal(poem->inputs[0].type->c_name, "chains_string_list");
    assert_ptr_equal(poem->inputs[0].type, poem->outputs[0].type);
    for (size_t i = 0; i < model->type_count; i++)
        assert_int_equal(model->types[i]->index, i);
}

static void test_graph(void **state)
{
    chain_fixture *fixture = *state;
    write_file(fixture, "phi_llm.h", phi_llm);
    write_file(fixture, "poem_generator.h", poem_generator);
    const chainsi_model *model = read_folder(fixture, true);
    chainsi_buffer text = { 0 };
    const chainsi_model_chainlet *poem = chainsi_model_find(model, "poem_generator");
    chainsi_graph_signature(chainsi_model_find(model, "phi_llm"), &text);
    chainsi_buffer_add_text(&text, "; ");
    chainsi_graph_options(&poem->dependencies[0], &text);
    chainsi_buffer_add_text(&text, "; ");
    chainsi_graph_hardware(chainsi_model_find(model, "phi_llm"), &text);
    chainsi_buffer_add_byte(&text, 0);
    assert_string_equal((const char *)text.data,
                        "(messages: phi_messages, temperature: float = 0) -> reply: text; "
                        "retries 3, timeout 20000 ms; 2 cores, 4 GiB, A10G:1");
    chainsi_buffer_done(&text);
    chainsi_buffer json = { 0 };
    chainsi_graph_json(model, &json);
    chainsi_buffer_add_byte(&json, 0);
    assert_string_equal(
        (const char *)json.data,
        "{\"entrypoint\":\"poem_generator\",\"chainlets\":[{\"name\":\"phi_llm\",\"c_name\":\"phi_"
        "llm\",\"file\":\"phi_llm.h\",\"line\":14,\"external\":false,\"description\":\"Answers a "
        "conversation.\",\"cpu\":2.0,\"memory\":4294967296,\"gpu\":\"A10G\",\"inputs\":[{\"name\":"
        "\"messages\",\"type\":\"phi_messages\",\"optional\":"
        "false,\"default\":null},{\"name\":\"temperature\",\"type\":\"float\",\"optional\":false,"
        "\"default\":\"0\"}],\"outputs\":[{\"name\":\"reply\",\"type\":\"text\"}],\"stream\":null,"
        "\"dependencies\":[]},{\"name\":\"poem_generator\",\"c_name\":\"poem_generator\",\"file\":"
        "\"poem_generator.h\",\"line\":5,\"external\":false,\"description\":\"Writes one poem a "
        "word.\",\"cpu\":0.0,\"memory\":0,\"gpu\":null,\"inputs\":[{\"name\":\"words\",\"type\":"
        "\"chains_string_list\",\"optional\":"
        "false,\"default\":null}],\"outputs\":[{\"name\":\"poems\",\"type\":\"chains_string_list\"}"
        "],\"stream\":null,\"dependencies\":[{\"name\":\"phi_llm\",\"parameter\":\"llm\","
        "\"retries\":3,\"timeout_ms\":20000.0,\"colocate\":false}]}]}");
    chainsi_buffer_done(&json);
}

/* Prototypes of a Chainlet x whose method has the given parameters. */
static void write_chainlet(chain_fixture *fixture, const char *declarations, const char *options,
                           const char *parameters)
{
    char text[8192];
    snprintf(text, sizeof text,
             "#pragma once\n#include <chains.h>\n%s\n/// About x.\nCHAINLET(x%s%s);\n"
             "x *x_new(chains_ctx *ctx);\n"
             "chains_status x_run_remote(x *self, chains_ctx *ctx%s%s);\n"
             "void x_free(x *self);\n",
             declarations, *options ? ", " : "", options, *parameters ? ", " : "", parameters);
    write_file(fixture, "x.h", text);
}

static void test_every_kind(void **state)
{
    chain_fixture *fixture = *state;
    write_chainlet(
        fixture,
        "typedef struct node { struct { int deep; } inner; const struct node *next CHAINS_OPTIONAL;"
        " } node;\n"
        "CHAINS_MAP(double, weights);\nCHAINS_LIST(weights, weights_list);\n"
        "CHAINS_STREAM(const char *, tokens);\n",
        "",
        "bool a, signed char b, short c, int d, long e, long long f, unsigned char g, uint16_t h,"
        " unsigned i, size_t j, float k, double l, const char *m, chains_bytes n, chains_json o,"
        " chains_tensor p, const node *q, weights_list r, const double *s CHAINS_OPTIONAL,"
        " const char *t CHAINS_OPTIONAL CHAINS_NAME(\"tea \\164\"), weights *out, tokens "
        "*words");
    const chainsi_model *model = read_folder(fixture, true);
    const chainsi_model_chainlet *x = model->chainlets[0];
    static const struct {
        const char *name, *c_name;
        chainsi_kind kind;
    } expected[] = {
        { "a", "bool", CHAINSI_BOOL },
        { "b", "int8_t", CHAINSI_INT8 },
        { "c", "int16_t", CHAINSI_INT16 },
        { "d", "int32_t", CHAINSI_INT32 },
        { "e", "int64_t", CHAINSI_INT64 },
        { "f", "long long", CHAINSI_INT64 },
        { "g", "uint8_t", CHAINSI_UINT8 },
        { "h", "uint16_t", CHAINSI_UINT16 },
        { "i", "uint32_t", CHAINSI_UINT32 },
        { "j", "uint64_t", CHAINSI_UINT64 },
        { "k", "float", CHAINSI_FLOAT },
        { "l", "double", CHAINSI_DOUBLE },
        { "m", "const char *", CHAINSI_STRING },
        { "n", "chains_bytes", CHAINSI_BYTES },
        { "o", "chains_json", CHAINSI_JSON },
        { "p", "chains_tensor", CHAINSI_TENSOR },
        { "q", "const node *", CHAINSI_POINTER },
        { "r", "weights_list", CHAINSI_LIST },
        { "s", "const double *", CHAINSI_POINTER },
        { "t", "const char *", CHAINSI_STRING },
    };
    assert_int_equal(x->input_count, sizeof expected / sizeof *expected);
    for (size_t i = 0; i < x->input_count; i++) {
        assert_string_equal(x->inputs[i].c_name, expected[i].name);
        assert_string_equal(x->inputs[i].type->c_name, expected[i].c_name);
        assert_int_equal(x->inputs[i].type->kind, expected[i].kind);
    }
    assert_string_equal(x->doc, "About x.");
    assert_string_equal(x->inputs[19].wire_name, "tea t");
    assert_true(x->inputs[18].optional && x->inputs[19].optional && !x->inputs[16].optional);
    const chainsi_model_type *node = x->inputs[16].type->item;
    assert_string_equal(node->name, "node");
    assert_null(node->fields[0].type->name);
    assert_string_equal(node->fields[0].type->c_name, "__typeof__(((node *)0)->inner)");
    assert_ptr_equal(node->fields[1].type, x->inputs[16].type); /* recursion */
    assert_string_equal(x->inputs[17].type->item->entry_c_name, "struct weights_entry");
    assert_ptr_equal(x->outputs[0].type, x->inputs[17].type->item);
    assert_int_equal(x->output_count, 1);
    assert_string_equal(x->stream->c_name, "words");
    assert_int_equal(x->stream->type->kind, CHAINSI_STRING);
    assert_string_equal(x->stream_c_name, "tokens");
}

static void test_limits_are_exact(void **state)
{
    chain_fixture *fixture = *state;
    write_chainlet(fixture, "#define LIMIT 5\n", "",
                   "int64_t a CHAINS_RANGE(INT64_MIN, INT64_MAX),"
                   " uint64_t b CHAINS_RANGE(1, UINT64_MAX) CHAINS_DEFAULT(18446744073709551615u),"
                   " double c CHAINS_RANGE(-0.1, 1e300), int8_t d CHAINS_RANGE(-LIMIT, LIMIT),"
                   " const char *e CHAINS_ONE_OF(\"wav\", \"m\\\"p3\") CHAINS_DEFAULT(\"wav\"),"
                   " int f CHAINS_ONE_OF(1, 3), chains_string_list g CHAINS_LENGTH(0, SIZE_MAX)");
    const chainsi_model_field *inputs = read_folder(fixture, true)->chainlets[0]->inputs;
    assert_true(inputs[0].limits.min.i == INT64_MIN && inputs[0].limits.max.i == INT64_MAX);
    assert_true(inputs[1].limits.min.u == 1 && inputs[1].limits.max.u == UINT64_MAX);
    assert_true(inputs[2].limits.min.f == -0.1 && inputs[2].limits.max.f == 1e300);
    assert_true(inputs[3].limits.min.i == -5 && inputs[3].limits.max.i == 5);
    assert_int_equal(inputs[4].limits.one_of_count, 2);
    assert_string_equal(inputs[4].limits.one_of_text[1], "m\"p3");
    assert_int_equal(inputs[5].limits.one_of_number[1].i, 3);
    assert_true(inputs[6].limits.has_length && inputs[6].limits.max_length == UINT64_MAX);
    assert_false(inputs[6].limits.has_range);
}

static void test_options(void **state)
{
    chain_fixture *fixture = *state;
    write_chainlet(
        fixture, "#define SIZE \"2\" \"Gi\"\n",
        ".name = \"ex\", .memory = SIZE, .concurrency = 1 + 3, .env = {{ \"A\", \"1\" }, { .value "
        "= "
        "\"2\", .name = \"B\" }}, .secrets = { \"key\" }, .image.base = \"debian\", .libs = { "
        "\"-lm\", \"-lz\" }, .assets = {{ .url = \"https://h/f\", .path = \"f\", .sha256 = "
        "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\" }},"
        ".autoscaling = { 1, 5 }, .max_body = -1, .autoscaling.target_utilization = 0.5, .gpu = "
        "\"any:2\"",
        "");
    const chainsi_model_chainlet *x = read_folder(fixture, true)->chainlets[0];
    assert_string_equal(x->wire_name, "ex");
    assert_int_equal(x->memory_bytes, UINT64_C(2) << 30);
    assert_int_equal(x->config.concurrency, 4);
    assert_string_equal(x->config.env[0].name, "A");
    assert_string_equal(x->config.env[1].name, "B");
    assert_string_equal(x->config.env[1].value, "2");
    assert_string_equal(x->config.secrets[0], "key");
    assert_string_equal(x->config.image.base, "debian");
    assert_string_equal(x->config.libs[1], "-lz");
    assert_string_equal(x->config.assets[0].path, "f");
    assert_int_equal(x->config.autoscaling.min_replicas, 1);
    assert_int_equal(x->config.autoscaling.max_replicas, 5);
    assert_int_equal(x->config.max_body, -1);
    assert_true(x->config.autoscaling.target_utilization == 0.5);
    assert_string_equal(x->gpu_kind, "any");
    assert_int_equal(x->gpu_count, 2);
    assert_ptr_equal(chainsi_model_find(fixture->model, "ex"), x);
}

/* What doesn't concern the interface is no error where a library's header is missing. */
static void test_missing_library(void **state)
{
    chain_fixture *fixture = *state;
    write_chainlet(fixture,
                   "#include <not_installed_anywhere.h>\n"
                   "NOT_INSTALLED_API struct handle *make_handle(not_installed_type kind);\n"
                   "static inline int helper(void) { return not_installed(3); }\n",
                   ".image.pkg_config = { \"not-installed\" }", "int a CHAINS_DEFAULT(1), int *b");
    const chainsi_model *model = read_folder(fixture, true);
    assert_int_equal(fixture->diagnostics.count, 0);
    assert_int_equal(model->chainlets[0]->input_count, 1);
    assert_int_equal(model->chainlets[0]->output_count, 1);
    assert_true(model->chainlets[0]->inputs[0].default_text.text != NULL);
}

static void test_comments(void **state)
{
    chain_fixture *fixture = *state;
    write_file(
        fixture, "x.h",
        "#pragma once\n#include <chains.h>\n"
        "//! A kind.\ntypedef enum kind {\n    KIND_A, ///< The first.\n"
        "    /** The last. */\n    KIND_B = 7\n} kind;\n"
        "/**\n * First line\n * second line.\n *\n * Another paragraph.\n * @see nothing\n */\n"
        "CHAINLET(x);\n"
        "x *x_new(chains_ctx *ctx);\n"
        "/** @brief Does it.\n *\n"
        " *  @param[in] what the kind,\n *         over two lines\n"
        " *  \\param count how many\n *\n *  Not about count.\n */\n"
        "chains_status x_run_remote(x *self, chains_ctx *ctx, kind what, int count,\n"
        "                           int size /**< beside it */, int *result);\n"
        "void x_free(x *self);\n");
    const chainsi_model_chainlet *x = read_folder(fixture, true)->chainlets[0];
    assert_string_equal(x->doc, "First line second line.\n\nAnother paragraph.");
    assert_string_equal(x->run.doc, "Does it.");
    assert_string_equal(x->inputs[0].doc, "the kind, over two lines");
    assert_string_equal(x->inputs[1].doc, "how many");
    assert_string_equal(x->inputs[2].doc, "beside it");
    assert_null(x->outputs[0].doc);
    const chainsi_model_type *kind = x->inputs[0].type;
    assert_string_equal(kind->doc, "A kind.");
    assert_string_equal(kind->values[0].doc, "The first.");
    assert_string_equal(kind->values[1].doc, "The last.");
    assert_int_equal(kind->values[1].value, 7);
}

static uint64_t fingerprint_of(chain_fixture *fixture, const char *declarations,
                               const char *parameters)
{
    write_chainlet(fixture, declarations, "", parameters);
    return read_folder(fixture, true)->chainlets[0]->fingerprint;
}

static void test_fingerprint(void **state)
{
    chain_fixture *fixture = *state;
    uint64_t plain = fingerprint_of(fixture, "", "int a, const char *b, float *c");
    assert_int_equal(plain, fingerprint_of(fixture, "",
                                           "int a CHAINS_DEFAULT(3) CHAINS_RANGE(0, 9), "
                                           "const char *b, float *c"));
    assert_int_equal(plain, fingerprint_of(fixture, "",
                                           "int z CHAINS_NAME(\"a\"), const char *b, "
                                           "float *c"));
    static const char *const others[] = {
        "int z, const char *b, float *c",  "long a, const char *b, float *c",
        "int a, const char *b, double *c", "int a, const char *b CHAINS_OPTIONAL, float *c",
        "const char *b, int a, float *c",  "int a, const char *b",
        "int a, const char *b, float c",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_not_equal(plain, fingerprint_of(fixture, "", others[i]));
    const char *one = "typedef struct t { int a; const struct t *next CHAINS_OPTIONAL; } t;";
    const char *renamed = "typedef struct u { int a; const struct u *next CHAINS_OPTIONAL; } u;";
    const char *longer = "typedef struct t { int a; const struct t *next; } t;";
    uint64_t recursive = fingerprint_of(fixture, one, "const t *v");
    assert_int_equal(recursive, fingerprint_of(fixture, renamed, "u v")); /* the same on the wire */
    assert_int_not_equal(recursive, fingerprint_of(fixture, longer, "const t *v"));
}

/* A header may be broken: the others are read all the same. */
static void test_broken_header(void **state)
{
    chain_fixture *fixture = *state;
    write_file(fixture, "a.h", "#pragma once\n#include <chains.h>\ntypedef struct { int open;\n");
    write_chainlet(fixture, "", "", "int a");
    const chainsi_model *model = read_folder(fixture, false);
    assert_int_equal(model->chainlet_count, 1);
    assert_int_equal(model->chainlets[0]->input_count, 1);
    for (size_t i = 0; i < fixture->diagnostics.count; i++)
        assert_string_equal(fixture->diagnostics.items[i].position.file, "a.h");
}

static void test_folders(void **state)
{
    chain_fixture *fixture = *state;
    chainsi_model_options options = { .include_dir = CHAINS_SOURCE_DIR "/include" };
    assert_null(chainsi_model_read("/nowhere/at/all", &options, &fixture->diagnostics));
    assert_true(chainsi_diagnostics_failed(&fixture->diagnostics));
    write_chainlet(fixture, "", "", "");
    write_file(fixture, "deep/er/y.h",
               "#pragma once\n#include \"x.h\"\nCHAINLET(y, .sources = { \"more.c\" });\n"
               "y *y_new(chains_ctx *ctx, x *x_);\n"
               "chains_status y_run_remote(y *self, chains_ctx *ctx);\nvoid y_free(y *self);\n");
    write_file(fixture, "deep/er/y.c", "#include \"y.h\"\n");
    write_file(fixture, "build/z.h", "#include <chains.h>\nCHAINLET(z);\n");
    write_file(fixture, ".hidden/z.h", "#include <chains.h>\nCHAINLET(z);\n");
    write_file(fixture, "vendor/other.h", "this is not C\n");
    const chainsi_model *model = read_folder(fixture, true);
    assert_int_equal(model->chainlet_count, 2);
    assert_int_equal(model->include_dir_count, 2);
    assert_string_equal(model->include_dirs[1], "deep/er");
    assert_string_equal(model->chainlets[1]->header, "deep/er/y.h");
    assert_string_equal(model->chainlets[1]->source, "deep/er/y.c");
    assert_null(model->chainlets[0]->source);
}

static void test_memory_quantities(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes; /* 0: refused */
    } cases[] = { { "512Mi", 536870912 },
                  { "4Gi", UINT64_C(4294967296) },
                  { "2G", 2000000000 },
                  { "1.5Ki", 1536 },
                  { "1024", 1024 },
                  { "", 0 },
                  { "4GB", 0 },
                  { "4 Gi", 0 },
                  { "-1Gi", 0 },
                  { "Gi", 0 },
                  { "0", 0 },
                  { "1..5G", 0 },
                  { "99999999Pi", 0 },
                  { "1e3", 0 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t bytes = 0;
        assert_int_equal(chainsi_config_memory(cases[i].text, &bytes), cases[i].bytes != 0);
        assert_int_equal(bytes, cases[i].bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_design_example, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_graph, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_kind, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limits_are_exact, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_options, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_missing_library, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_comments, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fingerprint, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_broken_header, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_folders, set_up, tear_down),
        cmocka_unit_test(test_memory_quantities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
