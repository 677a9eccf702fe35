/* What verbs with `--target kubernetes` share: which cluster, and asking it while it is away for a moment. */
#ifndef CHAINSI_CLI_CLUSTER_SESSION_H
#define CHAINSI_CLI_CLUSTER_SESSION_H

#include "cli/cluster_view.h"
#include "cli/options.h"

/* Which cluster is meant; all NULL: none, but the daemon of this machine. */
typedef struct chainsi_cluster_words {
    const char *target; /* "kubernetes", "local" */
    const char *kubeconfig, *context, *name_space;
} chainsi_cluster_words;

#define CHAINSI_CLUSTER_OPTIONS(words)                                                             \
    { "target", CHAINSI_OPTION_TEXT, &(words).target },                                            \
        { "kubeconfig", CHAINSI_OPTION_TEXT, &(words).kubeconfig },                                \
        { "context", CHAINSI_OPTION_TEXT, &(words).context },                                      \
    {                                                                                              \
        "namespace", CHAINSI_OPTION_TEXT, &(words).name_space                                      \
    }
#define CHAINSI_CLUSTER_USAGE                                                                      \
    "[--target kubernetes [--kubeconfig FILE] [--context NAME] [--namespace NAME]]"
#define CHAINSI_CLUSTER_HELP                                                                       \
    "  --target kubernetes  in a cluster instead of on this machine: the one that kubectl would "  \
    "ask,\n"                                                                                       \
    "                       or that of --kubeconfig FILE and --context NAME, there in "            \
    "--namespace\n"                                                                                \
    "                       NAME\n"

/* *cluster: whether a cluster is meant. False: said as a usage error. */
bool chainsi_cluster_words_read(const chainsi_verb *verb, const chainsi_cluster_words *words,
                                bool *cluster);

typedef struct chainsi_cluster_session {
    const chainsi_verb *verb; /* what messages begin with */
    chainsi_cluster *cluster; /* owned */
    chainsi_cluster_answer answer;
    chainsi_arena arena;         /* of paths, and of what was read; owned */
    int64_t deadline_ns;         /* until when the API server may be away; 0: it mayn't */
    int minor;                   /* Kubernetes 1.minor, once it has been asked */
    bool away;                   /* it is, and that was said */
    chains_status status;        /* of the last request */
    bool keeps;                  /* why it failed is kept, instead of said: for --json */
    bool makes_name_space;       /* the verb has --create-namespace */
    const char *failure;         /* the first reason that was kept; NULL; the arena's */
    chains_status failed_as;     /* and its kind */
    void (*on_line)(void *user); /* called before a line is written to stderr, or NULL */
    void *user;
} chainsi_cluster_session;

/* Finds the cluster and asks for its version: false, said on stderr, if that can't be done. `keeps` and `makes_name_space`
 * are what the caller has set before, all else 0. chainsi_cluster_session_close in any case. */
bool chainsi_cluster_session_open(chainsi_cluster_session *session, const chainsi_verb *verb,
                                  const chainsi_cluster_words *words);
void chainsi_cluster_session_close(chainsi_cluster_session *session);

/* One request, whose answer is session->answer. While the API server is away it is asked again, until the deadline; that is
 * said once. Only for what may be carried out twice. */
chains_status chainsi_cluster_session_ask(chainsi_cluster_session *session, const char *method,
                                          const char *path, const char *type, const void *body,
                                          size_t size);
/* A GET of an object or a list, read into arena. NOT_FOUND and others as they are, without a word. */
chains_status chainsi_cluster_session_get(chainsi_cluster_session *session, const char *path,
                                          chainsi_arena *arena, chainsi_view_object *object);
chains_status chainsi_cluster_session_list(chainsi_cluster_session *session, const char *path,
                                           chainsi_arena *arena, chainsi_view_list *list);
/* The path of such objects in the session's namespace, or of one of them; in the session's arena. */
const char *chainsi_cluster_session_path(chainsi_cluster_session *session, const char *api,
                                         const char *resource, const char *name);
/* Those with this label alone. version NULL: of all versions. */
const char *chainsi_cluster_session_select(chainsi_cluster_session *session, const char *api,
                                           const char *resource, const char *chain,
                                           const char *version);
/* Says on stderr why the verb fails: as the last request did, or as told; or keeps it. */
void chainsi_cluster_session_complain(chainsi_cluster_session *session);
void chainsi_cluster_session_fail(chainsi_cluster_session *session, chains_status status,
                                  const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Writes a line to stderr, "chains VERB: …", shown as text of others is. */
void chainsi_cluster_session_say(chainsi_cluster_session *session, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Whether a controller looks after versions in this namespace. */
bool chainsi_cluster_session_has_controller(chainsi_cluster_session *session);

#endif
