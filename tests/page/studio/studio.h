#pragma once
#include "painter.h"

/** How good it is to be. */
typedef enum {
    STUDIO_DRAFT CHAINS_NAME("draft"),      /**< A sketch. */
    STUDIO_FINISHED CHAINS_NAME("finished") /**< All of it. */
} studio_quality;

/** Who made something. */
typedef struct {
    const char *name CHAINS_LENGTH(1, 100);              /**< As it is to be signed. */
    int year CHAINS_RANGE(0, 9999) CHAINS_DEFAULT(2000); /**< When. */
} studio_author;
CHAINS_LIST(studio_author, studio_authors);
CHAINS_MAP(double, studio_weights);

/** Makes a picture and a sound: every kind of argument that a form has to know. */
CHAINLET(studio, .entrypoint = true, .concurrency = 2, .autoscaling = { .max_replicas = 2 });

studio *studio_new(chains_ctx *ctx, painter *painter);
/** Makes them.
 *  @param authors  who
 *  @param quality  how good
 *  @param sign     whether their names go below it
 *  @param weights  of colours
 *  @param extra    anything at all
 *  @param photo    handed back
 *  @param refusal  the painter fails with this
 *  @param caption  the names
 *  @param picture  a PNG
 *  @param sound    a WAV file of a tenth of a second
 *  @param returned the photo */
chains_status studio_run_remote(studio *self, chains_ctx *ctx, studio_authors authors,
                                studio_quality quality CHAINS_DEFAULT(STUDIO_DRAFT),
                                bool sign CHAINS_DEFAULT(true), studio_weights weights,
                                chains_json extra, chains_bytes photo,
                                const char *refusal CHAINS_OPTIONAL, const char **caption,
                                chains_bytes *picture, chains_bytes *sound, chains_bytes *returned);
void studio_free(studio *self);
