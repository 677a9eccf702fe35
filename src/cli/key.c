/* `chains key`: API keys of the daemon. */
#include <stdio.h>
#include <string.h>

#include "base/terminal.h"
#include "cli/daemon.h"
#include "cli/options.h"
#include "control/api.h"
#include "control/rate.h"
#include "control/store_keys.h"
#include "schema/json.h"

extern const chainsi_verb chainsi_verb_key;

typedef struct request {
    chainsi_words words; /* what to do, and perhaps a key's id */
    const char *scope, *rate, *chain, *note;
    bool json;
} request;

/* The key alone goes to stdout, so that it can be put into a variable. */
static void print_made(const chainsi_api_key_made *made)
{
    printf("%s\n", made->key);
    fprintf(stderr, "This is shown once. `chains key revoke %s` ends it.\n", made->id);
}

static int create_key(chainsi_daemon *daemon, const request *r)
{
    chainsi_api_key_asked asked = { .chain = r->chain, .note = r->note };
    if (!r->scope || !chainsi_scope_from_name(r->scope, &asked.scope))
        return chainsi_usage_error(&chainsi_verb_key, "'--scope' takes call, deploy or admin");
    if (r->rate && !chainsi_rate_parse(r->rate, &asked.rate_per_s))
        return chainsi_usage_error(&chainsi_verb_key,
                                   "'--rate' takes a number a second, such as 10/s or 0.5/s");
    if (r->chain && !chainsi_api_is_chain_name(r->chain))
        return chainsi_usage_error(&chainsi_verb_key, "'%s' is no name of a chain", r->chain);
    chainsi_buffer body = { 0 };
    chainsi_codec_error why;
    chainsi_daemon_answer answer;
    chainsi_api_key_made made;
    int status = CHAINSI_EXIT_FAILED;
    if (chainsi_json_encode(&chainsi_api_key_asked_type, &asked, &body, &why) != CHAINS_OK)
        return chainsi_usage_error(&chainsi_verb_key, "%s: %s", why.path, why.message);
    if (chainsi_daemon_have(daemon) &&
        chainsi_daemon_ask(daemon, "POST", "/api/v1/keys", &body, 0, &answer) &&
        chainsi_daemon_expect(daemon, &answer, r->json, &chainsi_api_key_made_type, &made)) {
        status = CHAINSI_EXIT_OK;
        if (r->json)
            chainsi_daemon_print(&answer);
        else
            print_made(&made);
    }
    chainsi_buffer_done(&body);
    return status;
}

static void print_key(const chainsi_stored_key *key)
{
    char rate[32] = "-";
    if (key->rate_per_s > 0)
        snprintf(rate, sizeof rate, "%g/s", key->rate_per_s);
    printf("%-12s  %-7s %-8s %-16s %-10s  %.10s  %-10.10s  ", key->id,
           chainsi_scope_name(key->scope), key->revoked_at ? "revoked" : "valid",
           key->chain ? key->chain : "(all)", rate, key->created_at,
           key->last_used_at ? key->last_used_at : "never");
    chainsi_text_print(stdout, key->note ? key->note : "");
    putchar('\n');
}

static int list_keys(chainsi_daemon *daemon, const request *r)
{
    chainsi_daemon_answer answer;
    chainsi_stored_keys keys;
    if (!chainsi_daemon_find(daemon) ||
        !chainsi_daemon_ask(daemon, "GET", "/api/v1/keys", NULL, 0, &answer) ||
        !chainsi_daemon_expect(daemon, &answer, r->json, &chainsi_shown_keys_type, &keys))
        return CHAINSI_EXIT_FAILED;
    if (r->json) {
        chainsi_daemon_print(&answer);
        return CHAINSI_EXIT_OK;
    }
    printf("%-12s  %-7s %-8s %-16s %-10s  %-10s  %-10s  %s\n", "ID", "SCOPE", "STATE", "CHAIN",
           "RATE", "CREATED", "LAST USED", "NOTE");
    for (size_t i = 0; i < keys.count; i++)
        print_key(&keys.items[i]);
    return CHAINSI_EXIT_OK;
}

static int revoke_key(chainsi_daemon *daemon, const request *r)
{
    const char *id = r->words.items[1];
    chainsi_daemon_answer answer;
    chainsi_api_key_revoked revoked;
    if (strlen(id) != CHAINSI_KEY_ID || id[strspn(id, "0123456789abcdef")])
        return chainsi_usage_error(&chainsi_verb_key,
                                   "it takes the id of a key, which `chains key list` shows");
    char path[64];
    snprintf(path, sizeof path, "/api/v1/keys/%s", id);
    if (!chainsi_daemon_find(daemon) ||
        !chainsi_daemon_ask(daemon, "DELETE", path, NULL, 0, &answer) ||
        !chainsi_daemon_expect(daemon, &answer, r->json, &chainsi_api_key_revoked_type, &revoked))
        return CHAINSI_EXIT_FAILED;
    if (r->json)
        chainsi_daemon_print(&answer);
    else
        printf("%s is revoked; its calls and streams have been ended\n", id);
    return CHAINSI_EXIT_OK;
}

static int run(const request *r)
{
    const char *what = r->words.count ? r->words.items[0] : "";
    chainsi_daemon daemon = { 0 };
    int status;
    if (!strcmp(what, "create") && r->words.count == 1)
        status = create_key(&daemon, r);
    else if (!strcmp(what, "list") && r->words.count == 1)
        status = list_keys(&daemon, r);
    else if (!strcmp(what, "revoke") && r->words.count == 2)
        status = revoke_key(&daemon, r);
    else
        status = chainsi_usage_error(&chainsi_verb_key, "it takes create, list, or revoke ID");
    chainsi_daemon_close(&daemon);
    return status;
}

static int key(int argc, char **argv)
{
    request r = { 0 };
    const chainsi_option options[] = {
        { "scope", CHAINSI_OPTION_TEXT, &r.scope }, { "rate", CHAINSI_OPTION_TEXT, &r.rate },
        { "chain", CHAINSI_OPTION_TEXT, &r.chain }, { "note", CHAINSI_OPTION_TEXT, &r.note },
        { "json", CHAINSI_OPTION_FLAG, &r.json },   { NULL, CHAINSI_OPTION_END, NULL },
    };
    int status;
    if (chainsi_options_read(&chainsi_verb_key, options, argc, argv, 2, &r.words, &status))
        status = run(&r);
    chainsi_words_done(&r.words);
    return status;
}

const chainsi_verb chainsi_verb_key = {
    .name = "key",
    .usage = "create --scope call|deploy|admin [--rate N/s] [--chain NAME] [--note TEXT] | list | "
             "revoke ID  [--json]",
    .summary = "Make, list and revoke API keys.",
    .help =
        "Without keys whoever reaches the daemon may call its chains. From the first key on,\n"
        "every request takes one, in the header 'Authorization: Bearer KEY'; the commands of\n"
        "the user who owns CHAINS_HOME need none. A key is printed once, when it is made: the\n"
        "daemon keeps only its digest. One that is revoked is refused at once, and what runs\n"
        "with it is ended.\n"
        "\n"
        "  --scope SCOPE    what it permits: call (calling chains, seeing how they are), deploy\n"
        "                   (and deploying, logs), admin (and all else)\n"
        "  --rate N/s       at most so many requests a second; beyond, the answer is 429\n"
        "  --chain NAME     for that chain alone\n"
        "  --note TEXT      what it is for, to be shown by list\n"
        "  --json           print what the daemon's API answers\n"
        "\n"
        "Example:\n"
        "  KEY=$(chains key create --scope call --rate 10/s --note website)\n"
        "  curl -H \"Authorization: Bearer $KEY\" -H 'Content-Type: application/json' \\\n"
        "       -d '{\"words\": [\"moon\"]}' \\\n"
        "       http://127.0.0.1:8600/chains/hello/production/run_remote\n",
    .run = key,
};
