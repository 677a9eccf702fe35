/* Talking to the daemon of CHAINS_HOME: finding it, starting it, asking it. Where CHAINS_URL names a front door, that
 * one is meant instead, wherever it is, and CHAINS_TOKEN is its token or one of its keys. */
#ifndef CHAINSI_CLI_DAEMON_H
#define CHAINSI_CLI_DAEMON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/terminal.h"
#include "schema/type.h"

typedef struct chainsi_daemon {
    char *home;  /* owned; CHAINS_HOME; NULL: CHAINS_URL was taken, or there is none */
    bool away;   /* it is the one of CHAINS_URL */
    char *token; /* owned; CHAINS_TOKEN of that one; NULL: none, or the home has it */
    char address[256];
    char
        why[256]; /* it doesn't answer although it runs, or didn't; "" if nothing is known of one */
    bool
        quiet; /* set by the caller: requests without an answer say so in `why` instead of on stderr */
    const struct chainsi_interrupt *
        interrupt; /* of requests (rpc/address.h), which end then without a word; not owned; NULL: none */
    struct chainsi_client *client; /* owned */
    chainsi_arena arena;           /* of the answers */
} chainsi_daemon;

/* What it answered; lives as long as the daemon struct. */
typedef struct chainsi_daemon_answer {
    int status;       /* HTTP's */
    const char *body; /* with a NUL behind it */
    size_t size;
} chainsi_daemon_answer;

/* Finds the running daemon; one that was killed is started again as it was (control/start_note.h), which is said on stderr. False, said on
 * stderr, when none runs. chainsi_daemon_close must be called in any case. */
bool chainsi_daemon_find(chainsi_daemon *daemon);
/* The same, but that none runs is not said: for what can do without. */
bool chainsi_daemon_look(chainsi_daemon *daemon);
/* The same as chainsi_daemon_find, but starts one if none runs, in the background, and waits until it answers. port: 0 for any, -1 for the one that it had, else the
 * default. False, said on stderr, when it didn't come up, or where CHAINS_URL names one, which can't run
 * programs of this machine. */
bool chainsi_daemon_start(chainsi_daemon *daemon, int port);
/* The same on the port that it had, unless CHAINS_URL names one: for what needn't be on this machine. */
bool chainsi_daemon_have(chainsi_daemon *daemon);
/* Finds the one that runs, and neither starts one nor says anything: false with `why`, which may be "". For those who look again and again;
 * chainsi_daemon_close must be called in any case. */
bool chainsi_daemon_connect(chainsi_daemon *daemon);
void chainsi_daemon_close(chainsi_daemon *daemon);

/* The path of an environment's graph (control/graph.h); lives as long as the daemon's answers. */
const char *chainsi_daemon_graph_path(chainsi_daemon *daemon, const char *chain,
                                      const char *environment);
/* Appends a word as it stands in a path or a query. */
void chainsi_daemon_add_word(chainsi_buffer *path, const char *word);
/* Appends "&name=value" to a path with a query; nothing if value is NULL. */
void chainsi_daemon_add_query(chainsi_buffer *path, const char *name, const char *value);

/* One request, in the name of the home's owner, or of CHAINS_TOKEN. body: JSON; NULL for none. timeout_ms: 0 for none; it travels with the request. False, said on
 * stderr, when there was no answer. Blocks. */
bool chainsi_daemon_ask(chainsi_daemon *daemon, const char *method, const char *path,
                        const chainsi_buffer *body, double timeout_ms,
                        chainsi_daemon_answer *answer);
/* The same for a call whose answer may be a stream: prints its items and its result on stdout, a line of JSON each, as they come. *answer is as of
 * chainsi_daemon_ask where it is no stream (streamed false), else its error, or empty after success. */
bool chainsi_daemon_stream(chainsi_daemon *daemon, const char *path, const chainsi_buffer *body,
                           double timeout_ms, chainsi_daemon_answer *answer, bool *streamed);
/* One GET whose answer, if it is 200, is copied to stdout as it comes, in that form on a terminal; any other is in *answer as of
 * chainsi_daemon_ask. *copied: bytes of it. */
bool chainsi_daemon_copy(chainsi_daemon *daemon, const char *path, chainsi_text_form form,
                         size_t *copied, chainsi_daemon_answer *answer);
/* Says on stderr that there was no answer, and `why`, as requests do that aren't quiet; nothing of one that was interrupted. */
void chainsi_daemon_complain(const chainsi_daemon *daemon);
/* Says on stderr what an answer other than 2xx means: readable, or as it came. Returns CHAINSI_EXIT_FAILED. */
int chainsi_daemon_fail(chainsi_daemon *daemon, const chainsi_daemon_answer *answer, bool json);
/* Prints an answer that is JSON on stdout, and a line break. */
void chainsi_daemon_print(const chainsi_daemon_answer *answer);
/* Reads an answer that is JSON of that type; it lives as long as the daemon struct. False, said on stderr. */
bool chainsi_daemon_read(chainsi_daemon *daemon, const chainsi_daemon_answer *answer,
                         const chainsi_type *type, void *value);
/* The same of an answer that may be an error, which is said as by chainsi_daemon_fail: false then, too. */
bool chainsi_daemon_expect(chainsi_daemon *daemon, const chainsi_daemon_answer *answer, bool json,
                           const chainsi_type *type, void *value);
/* The path of the daemon's program, which is beside this one; the caller frees it. NULL: it can't be told. */
char *chainsi_daemon_program(void);
/* Replaces this process by the daemon in the foreground, with these arguments, ended by NULL; returns only if that fails, having said why. */
int chainsi_daemon_become(const char *const *words);

#endif
