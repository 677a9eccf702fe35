/* Reads the arguments of chainsd. */
#include "control/daemon_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/home.h"
#include "control/limits.h"
#include "control/requests.h"

static int say_usage(FILE *out, int status)
{
    fprintf(
        out,
        "Usage: chainsd [--host ADDRESS] [--port N] [--tls-cert FILE --tls-key FILE]\n"
        "               [--allow-host NAME]... [--allow-insecure-network]\n"
        "               [--max-connections N] [--max-connections-per-client N]\n"
        "               [--keep-results HOURS]\n"
        "               [--kubernetes [--lease NAME] [--health-port N]]\n"
        "\n"
        "Runs and supervises the chains that `chains deploy` hands to it, and is their front\n"
        "door. Its state is in CHAINS_HOME (default: the XDG data directory).\n"
        "\n"
        "  --host ADDRESS            listen on this IP address (default: 127.0.0.1); beyond this\n"
        "                            machine only with TLS and an API key, or as below\n"
        "  --port N                  listen on this port; 0: any (default: %d)\n"
        "  --tls-cert FILE           speak TLS with this certificate (PEM, with its chain), and\n"
        "  --tls-key FILE            this key (PEM); SIGHUP reads both again\n"
        "  --allow-host NAME         answer to this name, too, besides IP addresses, localhost\n"
        "                            and what the certificate is for\n"
        "  --allow-insecure-network  let whoever reaches it call the chains and read their logs\n"
        "  --max-connections N, --max-connections-per-client N\n"
        "                            in all, and of one address (default: %d and %d)\n"
        "  --keep-results HOURS      keep asynchronous requests for so long when they have ended;\n"
        "                            fractions are allowed (default: 24)\n"
        "\n"
        "In a cluster (docs/kubernetes.md):\n"
        "  --kubernetes              control the chains of a Kubernetes namespace, which is the\n"
        "                            pod's, or the one of the kubeconfig's context; of several\n"
        "                            such daemons one leads, the others stand by\n"
        "  --lease NAME              the Lease by which they agree (default: chainsd)\n"
        "  --health-port N           answer /healthz, and /readyz for who leads, at this port\n"
        "                            (default: %d; 0: any)\n"
        "\n"
        "Examples:\n"
        "  CHAINS_HOME=/tmp/try chainsd --port 0\n"
        "  chainsd --kubernetes --host 0.0.0.0 --tls-cert tls.crt --tls-key tls.key\n",
        CHAINSI_DEFAULT_PORT, CHAINSI_MAX_CONNECTIONS, CHAINSI_MAX_CONNECTIONS_OF_ONE,
        CHAINSI_DEFAULT_HEALTH_PORT);
    return status;
}

/* A number of an option, from least to most. False after a message. */
static bool read_number(const char *name, const char *text, long least, long most, long *number)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (*text && !*end && value >= least && value <= most) {
        *number = value;
        return true;
    }
    fprintf(stderr, "chainsd: %s takes a number from %ld to %ld\n", name, least, most);
    return false;
}

/* Hours, fractions allowed, as milliseconds. False after a message. */
static bool read_hours(const char *name, const char *text, int64_t *ms)
{
    enum { MOST = 24 * 365 * 100 };
    char *end;
    double hours = strtod(text, &end);
    if (*text && !*end && hours >= 0 && hours <= MOST) {
        *ms = (int64_t)(hours * 60 * 60 * 1000);
        return true;
    }
    fprintf(stderr, "chainsd: %s takes hours, from 0 to %d\n", name, MOST);
    return false;
}

/* Whether an object of a cluster may be called so. False after a message. */
static bool check_lease(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-.";
    size_t size = strlen(name);
    if (size && size <= 253 && strspn(name, letters) == size && !strchr("-.", name[0]) &&
        !strchr("-.", name[size - 1]))
        return true;
    fprintf(stderr,
            "chainsd: --lease takes the name of an object: small letters, digits, - and .\n");
    return false;
}

/* The value of the option `name` at words[*at]: `--name value` or `--name=value`. NULL if another one, or
 * nothing, stands there. */
static const char *value_of(const char *name, char **words, size_t *at)
{
    size_t size = strlen(name);
    if (strncmp(words[*at], name, size) != 0)
        return NULL;
    if (words[*at][size] == '=')
        return words[*at] + size + 1;
    return !words[*at][size] && words[*at + 1] ? words[++*at] : NULL;
}

bool chainsi_daemon_options_read(char **words, chainsi_daemon_options *options, int *status)
{
    enum { MOST_CONNECTIONS = 1000000 };
    *options = (chainsi_daemon_options){
        .host = "127.0.0.1",
        .port = CHAINSI_DEFAULT_PORT,
        .keep_results_ms = CHAINSI_KEEP_RESULTS_MS,
        .health_port = CHAINSI_DEFAULT_HEALTH_PORT,
        .words = words,
    };
    size_t count = 0;
    bool elects = false;
    while (words[count])
        count++;
    options->allowed_hosts = calloc(count + 1, sizeof *options->allowed_hosts);
    if (!options->allowed_hosts)
        abort();
    for (size_t i = 0; i < count; i++) {
        const char *text;
        long number = 0;
        bool good = true;
        if (!strcmp(words[i], "--help") || !strcmp(words[i], "-h")) {
            *status = say_usage(stdout, 0);
            return false;
        }
        if (!strcmp(words[i], "--allow-insecure-network")) {
            options->allow_insecure_network = true;
        } else if (!strcmp(words[i], "--kubernetes")) {
            options->kubernetes = true;
        } else if ((text = value_of("--lease", words, &i))) {
            good = check_lease(text);
            options->lease = text;
        } else if ((text = value_of("--health-port", words, &i))) {
            good = read_number("--health-port", text, 0, 65535, &number);
            options->health_port = (int)number;
            elects = true;
        } else if ((text = value_of("--host", words, &i))) {
            options->host = text;
        } else if ((text = value_of("--tls-cert", words, &i))) {
            options->tls_certificate = text;
        } else if ((text = value_of("--tls-key", words, &i))) {
            options->tls_key = text;
        } else if ((text = value_of("--allow-host", words, &i))) {
            options->allowed_hosts[options->allowed_host_count++] = text;
        } else if ((text = value_of("--port", words, &i))) {
            good = read_number("--port", text, 0, 65535, &number);
            options->port = (int)number;
        } else if ((text = value_of("--max-connections", words, &i))) {
            good = read_number("--max-connections", text, 1, MOST_CONNECTIONS, &number);
            options->max_connections = (size_t)number;
        } else if ((text = value_of("--max-connections-per-client", words, &i))) {
            good = read_number("--max-connections-per-client", text, 1, MOST_CONNECTIONS, &number);
            options->max_connections_of_one = (size_t)number;
        } else if ((text = value_of("--keep-results", words, &i))) {
            good = read_hours("--keep-results", text, &options->keep_results_ms);
        } else {
            *status = say_usage(stderr, 2);
            return false;
        }
        if (!good) {
            *status = 2;
            return false;
        }
    }
    if ((options->lease || elects) && !options->kubernetes) {
        fprintf(stderr, "chainsd: --lease and --health-port go with --kubernetes\n");
        *status = 2;
        return false;
    }
    options->lease = options->lease ? options->lease : "chainsd";
    return true;
}

static void add_word(chainsi_buffer *words, const char *word)
{
    chainsi_buffer_add(words, word, strlen(word) + 1);
}

/* An option with a file. NULL: none. False: errno. */
static bool add_file(chainsi_buffer *words, const char *name, const char *path)
{
    char *whole = path ? chainsi_absolute_path(path) : NULL;
    if (whole) {
        add_word(words, name);
        add_word(words, whole);
    }
    free(whole);
    return whole || !path;
}

bool chainsi_daemon_options_again(const chainsi_daemon_options *options, int port,
                                  chainsi_buffer *words)
{
    static const char *const others[] = { "--port", "--tls-cert", "--tls-key" };
    for (size_t i = 0; options->words[i]; i++) {
        size_t first = i;
        bool other = false;
        for (size_t k = 0; !other && k < sizeof others / sizeof *others; k++)
            other = value_of(others[k], options->words, &i) != NULL;
        if (!other)
            add_word(words, options->words[first]);
    }
    char number[16];
    snprintf(number, sizeof number, "%d", port);
    add_word(words, "--port");
    add_word(words, number);
    return add_file(words, "--tls-cert", options->tls_certificate) &&
           add_file(words, "--tls-key", options->tls_key);
}

void chainsi_daemon_options_done(chainsi_daemon_options *options)
{
    free(options->allowed_hosts);
}
