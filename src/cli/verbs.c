/* The verbs of the command line, in the order of help. A new verb is a new file and a line here. */
#include <string.h>

#include "cli/verb.h"

#define VERBS(DO)                                                                                  \
    DO(init)                                                                                       \
    DO(check)                                                                                      \
    DO(graph)                                                                                      \
    DO(build)                                                                                      \
    DO(run)                                                                                        \
    DO(test)                                                                                       \
    DO(openapi)                                                                                    \
    DO(manifests)                                                                                  \
    DO(image)                                                                                      \
    DO(deploy)                                                                                     \
    DO(watch)                                                                                      \
    DO(call)                                                                                       \
    DO(requests)                                                                                   \
    DO(status)                                                                                     \
    DO(logs)                                                                                       \
    DO(trace)                                                                                      \
    DO(open)                                                                                       \
    DO(scale)                                                                                      \
    DO(versions)                                                                                   \
    DO(promote) DO(rollback) DO(delete) DO(key) DO(secret) DO(serve) DO(controller) DO(simulate)

#define DECLARE(name) extern const chainsi_verb chainsi_verb_##name;
VERBS(DECLARE)

#define POINT(name) &chainsi_verb_##name,
const chainsi_verb *const chainsi_verbs[] = { VERBS(POINT) NULL };

const chainsi_verb *chainsi_verb_find(const char *name)
{
    for (const chainsi_verb *const *verb = chainsi_verbs; *verb; verb++)
        if (!strcmp((*verb)->name, name))
            return *verb;
    return NULL;
}
