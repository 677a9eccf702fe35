/* The values of options: what can't be read, what contradicts itself, what is out of its range. */
#include "compiler/config.h"

#include <ctype.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/relative.h"

enum {
    MAX_GPUS = 64,
    SHA256_DIGITS = 64,
    MAX_WIRE_NAME = 63,
    MAX_SLOTS = 1024, /* the runtime's CHAINSI_MAX_SLOTS */
};

bool chainsi_config_memory(const char *text, uint64_t *bytes)
{
    static const struct {
        const char *suffix;
        double factor;
    } units[] = { { "", 1 },
                  { "k", 1e3 },
                  { "M", 1e6 },
                  { "G", 1e9 },
                  { "T", 1e12 },
                  { "P", 1e15 },
                  { "Ki", 1024.0 },
                  { "Mi", 1048576.0 },
                  { "Gi", 1073741824.0 },
                  { "Ti", 1099511627776.0 },
                  { "Pi", 1125899906842624.0 } };
    size_t digits = strspn(text, "0123456789."), size = strlen(text + digits);
    if (!digits || !isdigit((unsigned char)text[0]) || text[digits - 1] == '.' ||
        strchr(text, '.') != strrchr(text, '.'))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strlen(units[i].suffix) != size || strcmp(units[i].suffix, text + digits) != 0)
            continue;
        double number = strtod(text, NULL) * units[i].factor;
        if (!(number >= 1) || number >= 9.2e18)
            return false;
        *bytes = (uint64_t)number;
        return true;
    }
    return false;
}

/* One reading's checks, so that each rule is a line. */
typedef struct config_checker {
    chainsi_reader *reader;
    const chainsi_config_options *read;
    const char *config;
} config_checker;

#define PLACE(checker, type, member) chainsi_config_place((checker)->read, offsetof(type, member))

static void fail(const config_checker *checker, chainsi_position position, const char *hint,
                 const char *message)
{
    CHAINSI_ERROR(checker->reader, position, hint, "%s", message);
}

/* A number that must be at least `least`, or unset; minus_one: -1 is allowed, too. */
static void check_number(const config_checker *checker, const char *path, size_t offset,
                         double value, double least, bool minus_one)
{
    if (value == 0 || (minus_one && value == -1))
        return;
    if (isfinite(value) && value >= least)
        return;
    chainsi_reader *reader = checker->reader;
    const char *hint =
        minus_one
            ? CHAINSI_TEXT(reader,
                           "write %g or more, or -1 for none; leave it out for the "
                           "default",
                           least)
            : CHAINSI_TEXT(reader, "write %g or more, or leave it out for the default", least);
    CHAINSI_ERROR(reader, chainsi_config_place(checker->read, offset), hint, "%s is %g", path,
                  value);
}

static bool is_wire_name(const char *name)
{
    if (!isalnum((unsigned char)name[0]) || strlen(name) > MAX_WIRE_NAME)
        return false;
    for (const char *at = name; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("_-", *at))
            return false;
    return true;
}

static void check_wire_name(const config_checker *checker, const char *name,
                            chainsi_position position)
{
    if (name && !is_wire_name(name))
        CHAINSI_ERROR(checker->reader, position,
                      "it stands in paths: letters, digits, '_' and '-', 63 at most",
                      "\"%s\" can't be a name", name);
}

static bool is_variable(const char *name)
{
    if (!isalpha((unsigned char)name[0]) && name[0] != '_')
        return false;
    for (const char *at = name; *at; at++)
        if (!isalnum((unsigned char)*at) && *at != '_')
            return false;
    return true;
}

/* --- lists of texts */

static void check_texts(const config_checker *checker, const char *path, size_t offset,
                        const char *const *texts, size_t count, bool unique)
{
    chainsi_reader *reader = checker->reader;
    for (size_t i = 0; i < count; i++) {
        chainsi_position place = chainsi_config_place(checker->read, offset + i * sizeof *texts);
        if (!texts[i])
            continue;
        if (!*texts[i])
            CHAINSI_ERROR(reader, place, "leave it out", "an empty text in %s", path);
        if (i && !texts[i - 1])
            CHAINSI_ERROR(reader, place, "write the values one behind the other",
                          "%s ends before this value: the one in front of it is unset", path);
        for (size_t k = 0; k < i && unique; k++)
            if (texts[k] && !strcmp(texts[k], texts[i]))
                CHAINSI_ERROR(reader, place, "leave one out", "\"%s\" stands in %s twice", texts[i],
                              path);
    }
}

static bool leaves_folder(const char *path)
{
    if (*path == '/')
        return true;
    for (const char *at = path; at; at = strchr(at, '/')) {
        at += *at == '/';
        if (!strncmp(at, "..", 2) && (!at[2] || at[2] == '/'))
            return true;
    }
    return false;
}

static void check_paths(const config_checker *checker, const char *path, size_t offset,
                        const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (texts[i] && *texts[i] == '/')
            CHAINSI_ERROR(
                checker->reader, chainsi_config_place(checker->read, offset + i * sizeof *texts),
                "write it relative to the header's folder",
                "\"%s\" in %s is an absolute path, which no other machine has", texts[i], path);
}

/* --- resources */

static void check_memory(const config_checker *checker, chainsi_model_chainlet *chainlet)
{
    const char *text = chainlet->config.memory;
    if (!text || chainsi_config_memory(text, &chainlet->memory_bytes))
        return;
    CHAINSI_ERROR(checker->reader, PLACE(checker, chains_config, memory),
                  "write a number with its unit: \"512Mi\", \"4Gi\", \"2G\"",
                  "\"%s\" is no size of memory", text);
}

static void check_gpu(const config_checker *checker, chainsi_model_chainlet *chainlet)
{
    const char *text = chainlet->config.gpu;
    if (!text)
        return;
    size_t size = strcspn(text, ":");
    bool good = size > 0;
    for (size_t i = 0; i < size; i++)
        good &= isalnum((unsigned char)text[i]) || text[i] == '-' || text[i] == '_';
    long count = 1;
    if (text[size] == ':') {
        char *end;
        count = strtol(text + size + 1, &end, 10);
        good &= isdigit((unsigned char)text[size + 1]) && !*end && count >= 1 && count <= MAX_GPUS;
    }
    if (!good) {
        CHAINSI_ERROR(checker->reader, PLACE(checker, chains_config, gpu),
                      "write \"KIND\" or \"KIND:COUNT\": a word of the device's name, or \"any\", "
                      "such as \"A10G\" or \"H100:2\"",
                      "\"%s\" names no GPU", text);
        return;
    }
    chainlet->gpu_kind = chainsi_arena_copy(checker->reader->arena, text, size);
    chainlet->gpu_count = (int)count;
}

/* --- numbers */

#define NUMBER(member, least, minus_one)                                                           \
    check_number(checker, "." #member, offsetof(chains_config, member), (double)config->member,    \
                 (least), (minus_one))

static void check_numbers(const config_checker *checker, const chains_config *config)
{
    NUMBER(cpu, 0.001, false);
    NUMBER(concurrency, 1, false);
    NUMBER(autoscaling.min_replicas, 1, false);
    NUMBER(autoscaling.max_replicas, 1, false);
    NUMBER(autoscaling.concurrency_target, 0.01, false);
    NUMBER(autoscaling.target_utilization, 0.01, false);
    NUMBER(autoscaling.window_s, 1, false);
    NUMBER(autoscaling.scale_down_delay_s, 0.001, true);
    NUMBER(autoscaling.scale_to_zero_delay_s, 0.001, true);
    NUMBER(batch.max_size, 1, false);
    NUMBER(batch.max_wait_us, 1, false);
    NUMBER(max_queue, 1, true);
    NUMBER(max_body, 1, true);
    NUMBER(start_timeout_s, 0.001, true);
    NUMBER(progress_timeout_s, 0.001, true);
    NUMBER(drain_timeout_s, 0.001, true);
    if (config->autoscaling.target_utilization > 1)
        CHAINSI_ERROR(checker->reader,
                      PLACE(checker, chains_config, autoscaling.target_utilization),
                      "it is a share: 0.7 keeps three tenths of the slots free",
                      ".autoscaling.target_utilization is %g, above 1",
                      config->autoscaling.target_utilization);
    if (config->autoscaling.max_replicas > 0 &&
        config->autoscaling.min_replicas > config->autoscaling.max_replicas)
        CHAINSI_ERROR(checker->reader, PLACE(checker, chains_config, autoscaling.min_replicas),
                      "write a .max_replicas that is at least .min_replicas",
                      ".min_replicas is %d, above .max_replicas, which is %d",
                      config->autoscaling.min_replicas, config->autoscaling.max_replicas);
}

/* --- groups */

static void check_environment(const config_checker *checker, const chains_config *config)
{
    size_t count = sizeof config->env / sizeof *config->env;
    for (size_t i = 0; i < count; i++) {
        size_t at = offsetof(chains_config, env) + i * sizeof *config->env;
        const char *name = config->env[i].name, *value = config->env[i].value;
        chainsi_position place = chainsi_config_place(checker->read, at);
        if (!name && value) {
            place = chainsi_config_place(checker->read, at + sizeof name);
            fail(checker, place, "write { \"NAME\", \"value\" }",
                 "a variable in .env without a name");
        }
        if (!name)
            continue;
        if (!is_variable(name))
            CHAINSI_ERROR(checker->reader, place, "write letters, digits and '_', no digit first",
                          "\"%s\" can't be the name of an environment variable", name);
        if (!strncmp(name, "CHAINS_", 7) || !strncmp(name, "LISTEN_", 7))
            CHAINSI_ERROR(checker->reader, place, "give it another name",
                          "\"%s\" is set by the runtime itself", name);
        if (!value)
            CHAINSI_ERROR(
                checker->reader, place,
                CHAINSI_TEXT(checker->reader, "write { \"%s\", \"\" } for an empty one", name),
                "the variable \"%s\" in .env has no value", name);
        for (size_t k = 0; k < i; k++)
            if (config->env[k].name && !strcmp(config->env[k].name, name))
                CHAINSI_ERROR(checker->reader, place, "leave one out",
                              "\"%s\" stands in .env twice", name);
    }
}

static void check_assets(const config_checker *checker, const chains_config *config)
{
    chainsi_reader *reader = checker->reader;
    size_t count = sizeof config->assets / sizeof *config->assets;
    for (size_t i = 0; i < count; i++) {
        size_t at = offsetof(chains_config, assets) + i * sizeof *config->assets;
        const char *url = config->assets[i].url, *sha256 = config->assets[i].sha256;
        const char *path = config->assets[i].path;
        if (!url && !sha256 && !path)
            continue;
        chainsi_position place = chainsi_config_place(checker->read, at);
        if (!url)
            place = chainsi_config_place(checker->read,
                                         path ? offsetof(chains_config, assets[i].path)
                                              : offsetof(chains_config, assets[i].sha256));
        const char *called = path ? path : url ? url : "?";
        if (!url || (strncmp(url, "http://", 7) && strncmp(url, "https://", 8) &&
                     strncmp(url, "file:///", 8)))
            CHAINSI_ERROR(reader, place,
                          "write .url = \"https://...\" (http and file will do, too)",
                          "the asset \"%s\" has no URL that it can be fetched from", called);
        if (!path || !*path)
            CHAINSI_ERROR(reader, place, "write .path = \"model.gguf\", say",
                          "the asset \"%s\" has no .path: chains_asset couldn't name it", called);
        else if (leaves_folder(path))
            CHAINSI_ERROR(
                reader,
                chainsi_config_place(checker->read, offsetof(chains_config, assets[i].path)),
                "write a relative path without '..'",
                "the path \"%s\" of an asset leads out of the folder of assets", path);
        else if (chainsi_relative_fault(path))
            CHAINSI_ERROR(
                reader,
                chainsi_config_place(checker->read, offsetof(chains_config, assets[i].path)),
                "write names with a '/' between them: \"models/small.bin\", say",
                "the path \"%s\" of an asset %s", path, chainsi_relative_fault(path));
        size_t digits = sha256 ? strspn(sha256, "0123456789abcdefABCDEF") : 0;
        if (!sha256)
            CHAINSI_ERROR(reader, place,
                          "write .sha256 = \"...\", what 'sha256sum FILE' prints: what is fetched "
                          "is checked against it",
                          "the asset \"%s\" has no .sha256", called);
        else if (digits != SHA256_DIGITS || sha256[digits])
            CHAINSI_ERROR(
                reader,
                chainsi_config_place(checker->read, offsetof(chains_config, assets[i].sha256)),
                "write the 64 hexadecimal digits that 'sha256sum FILE' prints",
                "the .sha256 of the asset \"%s\" is no SHA-256 digest", called);
        for (size_t k = 0; k < i && path; k++)
            if (config->assets[k].path && !strcmp(config->assets[k].path, path))
                CHAINSI_ERROR(reader, place, "give each its own .path",
                              "two assets have the path \"%s\"", path);
            else if (config->assets[k].path && chainsi_relative_clash(config->assets[k].path, path))
                CHAINSI_ERROR(reader, place, "a file can't be a folder, too: rename one",
                              "the paths \"%s\" and \"%s\" of two assets clash",
                              config->assets[k].path, path);
    }
}

static void check_secrets(const config_checker *checker, const chains_config *config)
{
    for (size_t i = 0; i < sizeof config->secrets / sizeof *config->secrets; i++)
        if (config->secrets[i] && *config->secrets[i] && !is_wire_name(config->secrets[i]))
            CHAINSI_ERROR(checker->reader,
                          chainsi_config_place(checker->read, offsetof(chains_config, secrets) +
                                                                  i * sizeof *config->secrets),
                          "write its name only, of letters, digits, '_' and '-'; its value is set "
                          "with `chains secret set`",
                          "\"%s\" can't be the name of a secret", config->secrets[i]);
}

/* Where a second word begins in a text that must be one: a name's, or an option's. NULL: nowhere. */
static const char *second_word(const char *text, bool option)
{
    if (strpbrk(text, "\"'\\"))
        return NULL;
    for (const char *at = text; (at = strchr(at, ' ')); at++)
        if (option ? at[1] == '-' : isalpha((unsigned char)at[1]))
            return at + 1;
    return NULL;
}

/* Each text is handed on as one word, so that it may have spaces in it; several in one are meant
 * otherwise. */
static void check_words(const config_checker *checker, const char *path, size_t offset,
                        const char *const *texts, size_t count, bool option)
{
    for (size_t i = 0; i < count && texts[i]; i++) {
        const char *second = second_word(texts[i], option);
        if (!second)
            continue;
        size_t first = (size_t)(second - texts[i]) - 1, size = strcspn(second, " ");
        CHAINSI_ERROR(
            checker->reader, chainsi_config_place(checker->read, offset + i * sizeof *texts),
            CHAINSI_TEXT(checker->reader, "write each by itself: %s = { \"%.*s\", \"%.*s\"%s }",
                         path, (int)first, texts[i], (int)size, second,
                         second[size] ? ", ..." : ""),
            "\"%s\" in %s is more than one", texts[i], path);
    }
}

#define WORDS(member, option)                                                                      \
    check_words(checker, "." #member, offsetof(chains_config, member), config->member,             \
                sizeof config->member / sizeof *config->member, (option))
#define TEXTS(member, unique)                                                                      \
    check_texts(checker, "." #member, offsetof(chains_config, member), config->member,             \
                sizeof config->member / sizeof *config->member, (unique))

static void check_lists(const config_checker *checker, const chains_config *config)
{
    TEXTS(sources, true);
    TEXTS(cflags, false);
    TEXTS(libs, false);
    TEXTS(image.pkg_config, true);
    TEXTS(image.apt, true);
    TEXTS(image.files, true);
    TEXTS(secrets, true);
    WORDS(cflags, true);
    WORDS(libs, true);
    WORDS(image.pkg_config, false);
    WORDS(image.apt, false);
    check_paths(checker, ".sources", offsetof(chains_config, sources), config->sources,
                sizeof config->sources / sizeof *config->sources);
    check_paths(checker, ".image.files", offsetof(chains_config, image.files), config->image.files,
                sizeof config->image.files / sizeof *config->image.files);
    for (size_t i = 0; i < sizeof config->sources / sizeof *config->sources; i++)
        if (config->sources[i] && *config->sources[i] &&
            chainsi_find_language(config->sources[i]) == CHAINSI_LANGUAGE_NONE)
            CHAINSI_ERROR(checker->reader,
                          chainsi_config_place(checker->read, offsetof(chains_config, sources) +
                                                                  i * sizeof *config->sources),
                          "name files that end in .c, .cc, .cpp or .cu; libraries belong in .libs",
                          "\"%s\" in .sources is no source", config->sources[i]);
}

static void check_batch(const config_checker *checker, const chainsi_model_chainlet *chainlet)
{
    if (chainlet->config.batch.max_wait_us > 0 && chainlet->config.batch.max_size <= 1)
        fail(checker, PLACE(checker, chains_config, batch.max_wait_us),
             "write .batch.max_size, too",
             ".batch.max_wait_us without batches: .max_size is unset");
    int max_size = chainlet->config.batch.max_size;
    int concurrency = chainlet->config.concurrency > 0 ? chainlet->config.concurrency : 1;
    if (max_size > MAX_SLOTS)
        CHAINSI_ERROR(checker->reader, PLACE(checker, chains_config, batch.max_size),
                      CHAINSI_TEXT(checker->reader,
                                   "write %d at most: every call of a batch holds a thread, which "
                                   "waits for it",
                                   MAX_SLOTS),
                      ".batch.max_size is %d", max_size);
    else if (max_size > 1 && (int64_t)max_size * concurrency > MAX_SLOTS)
        CHAINSI_WARNING(checker->reader, PLACE(checker, chains_config, batch.max_size),
                        "make .concurrency or .batch.max_size smaller",
                        "a replica takes %d calls at once, not %lld (.concurrency %d times "
                        ".batch.max_size %d)",
                        MAX_SLOTS, (long long)max_size * concurrency, concurrency, max_size);
}

void chainsi_check_config(chainsi_reader *reader, chainsi_model_chainlet *chainlet,
                          const chainsi_config_options *read)
{
    const chains_config *config = &chainlet->config;
    config_checker own = { reader, read, (const char *)config };
    const config_checker *checker = &own;
    check_wire_name(checker, config->name, PLACE(checker, chains_config, name));
    check_memory(checker, chainlet);
    check_gpu(checker, chainlet);
    check_numbers(checker, config);
    check_lists(checker, config);
    check_environment(checker, config);
    check_secrets(checker, config);
    check_assets(checker, config);
    check_batch(checker, chainlet);
}

/* --- external services */

static bool has_host(const char *url)
{
    return *url && *url != '/' && *url != ':' && !strpbrk(url, " \t\n");
}

void chainsi_check_external(chainsi_reader *reader, chainsi_model_chainlet *chainlet,
                            const chainsi_config_options *read)
{
    const chains_external_config *config = &chainlet->external_config;
    config_checker own = { reader, read, (const char *)config };
    const config_checker *checker = &own;
    check_wire_name(checker, config->name, PLACE(checker, chains_external_config, name));
    const char *url = config->url;
    bool good = url && ((!strncmp(url, "http://", 7) && has_host(url + 7)) ||
                        (!strncmp(url, "https://", 8) && has_host(url + 8)) ||
                        (!strncmp(url, "unix:/", 6) && url[6]));
    if (!url)
        CHAINSI_ERROR(reader, chainlet->position,
                      "write .url = \"https://host\", \"http://host:port\" or \"unix:/path\"",
                      "'%s' has no .url", chainlet->c_name);
    else if (!good)
        CHAINSI_ERROR(reader, PLACE(checker, chains_external_config, url),
                      "write \"https://host\", \"http://host:port\" or \"unix:/path\"",
                      "\"%s\" is no address of a service", url);
    if (config->path && (config->path[0] != '/' || strpbrk(config->path, " \t\n")))
        CHAINSI_ERROR(reader, PLACE(checker, chains_external_config, path),
                      "write a path that begins with '/', such as \"/v1/predict\"",
                      "\"%s\" is no path", config->path);
    if (config->auth && !config->secret)
        fail(checker, PLACE(checker, chains_external_config, auth),
             "write .secret = \"NAME\", too: the name of the secret that is sent",
             ".auth without .secret: there is nothing to send");
    if (config->secret && !is_wire_name(config->secret))
        CHAINSI_ERROR(reader, PLACE(checker, chains_external_config, secret),
                      "write its name only, of letters, digits, '_' and '-'",
                      "\"%s\" can't be the name of a secret", config->secret);
    if (config->auth && strpbrk(config->auth, " \t\r\n:"))
        CHAINSI_ERROR(reader, PLACE(checker, chains_external_config, auth),
                      "write one word, such as \"Bearer\"", "\"%s\" is no scheme of Authorization",
                      config->auth);
}

/* --- dependencies */

#undef NUMBER
#define NUMBER(member, least, minus_one)                                                           \
    check_number(checker, "." #member, offsetof(chains_depends_config, member),                    \
                 (double)options->member, (least), (minus_one))

void chainsi_check_depends(chainsi_reader *reader, const chainsi_model_chainlet *callee,
                           const chains_depends_config *options, const chainsi_config_options *read)
{
    config_checker own = { reader, read, (const char *)options };
    const config_checker *checker = &own;
    NUMBER(retries, 1, false);
    NUMBER(timeout_ms, 0.001, true);
    NUMBER(concurrency_limit, 1, true);
    NUMBER(hedge_ms, 0.001, false);
    NUMBER(stream_gap_ms, 0.001, true);
    if (options->hedge_ms > 0 && !options->idempotent)
        fail(checker, PLACE(checker, chains_depends_config, hedge_ms),
             "write .idempotent = true, too, if running the call twice does no harm",
             ".hedge_ms sends a second attempt, which needs .idempotent");
    if (options->colocate && callee->external)
        fail(checker, PLACE(checker, chains_depends_config, colocate), "leave .colocate out",
             ".colocate of a CHAINLET_EXTERNAL: it runs elsewhere");
    if (options->near && callee->external)
        fail(checker, PLACE(checker, chains_depends_config, near), "leave .near out",
             ".near of a CHAINLET_EXTERNAL: it runs elsewhere");
    if (options->colocate && options->near && !callee->external)
        fail(checker, PLACE(checker, chains_depends_config, near), "leave .near out",
             ".colocate puts it in the caller's own process, so .near says nothing");
}
