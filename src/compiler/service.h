/* The services of a chain: which Chainlets become processes of their own, what else is in each, and what
 * a process needs because of all that is in it. Pure functions of the model.
 *
 * `chainsi_service` is compiler/build.h's; one that was built and one that is only listed are alike but
 * for their binary. */
#ifndef CHAINSI_COMPILER_SERVICE_H
#define CHAINSI_COMPILER_SERVICE_H

#include "compiler/build.h"

/* An asset that a process needs; texts are the model's, the digest is in lower case. */
typedef struct chainsi_service_asset {
    const char *url, *sha256, *path;
    const chainsi_model_chainlet *chainlet; /* the first that names it */
} chainsi_service_asset;

/* The GPUs of a process. */
typedef struct chainsi_service_gpus {
    const char *kind; /* NULL: none */
    int count;
    const chainsi_model_chainlet *first,
        *other; /* other: it asks for another kind than first, which
                                                    can't be in one process; NULL: none does */
} chainsi_service_gpus;

/* Lists the services that the model's entrypoint needs (which must not be NULL), without building any: callees
 * before callers, in arena. binary is NULL, nothing is a fake. Returns how many. */
size_t chainsi_services_list(const chainsi_model *model, chainsi_arena *arena,
                             const chainsi_service **services);

/* The secrets that the Chainlets in its process name, and those that calls to external services send: each
 * once, in arena. Returns how many. */
size_t chainsi_service_secrets(const chainsi_service *service, chainsi_arena *arena,
                               const char ***names);

/* The assets that the Chainlets in its process name; what is the same at the same path is one. Returns how
 * many, in arena. */
size_t chainsi_service_assets(const chainsi_service *service, chainsi_arena *arena,
                              chainsi_service_asset **assets);

/* The GPUs of all Chainlets in its process together. */
chainsi_service_gpus chainsi_service_find_gpus(const chainsi_service *service);

#endif
