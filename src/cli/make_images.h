/* An OCI image of each service of a chain that was built, or of chainsd, in a layout, and in a registry. */
#ifndef CHAINSI_CLI_MAKE_IMAGES_H
#define CHAINSI_CLI_MAKE_IMAGES_H

#include "cli/verb.h"
#include "compiler/build.h"
#include "image/compression.h"
#include "image/problem.h"
#include "schema/type.h"

typedef struct chainsi_made_layer {
    const char *digest;
    int64_t size;
} chainsi_made_layer;
typedef struct chainsi_made_layers {
    chainsi_made_layer *items;
    size_t count;
} chainsi_made_layers;

/* What became of one; `chains image --json` prints it. */
typedef struct chainsi_made_image {
    const char *name, *digest;
    const char *reference; /* "host/path/chain/name:tag"; NULL: not pushed */
    int64_t size, sent;    /* bytes that a machine without any of it has to fetch; that were sent */
    const char *layout, *sbom;
    chainsi_made_layers layers;
} chainsi_made_image;
typedef struct chainsi_made_images {
    chainsi_made_image *items;
    size_t count;
} chainsi_made_images;
extern const chainsi_type chainsi_made_images_type;

typedef struct chainsi_images_request {
    const char *chain;    /* NULL: its entrypoint's name */
    const char *output;   /* the layout's folder; NULL: .chains/images below the chain's */
    const char *registry; /* "HOST[:PORT][/PATH]", with http:// for one without TLS; NULL: none */
    const char *tag;      /* NULL: of each the first digits of its digest */
    bool tls;             /* with what services speak TLS with each other by */
    chainsi_compression compression;
    void (*on_made)(const chainsi_made_image *image, void *user); /* or NULL */
    void *user;
} chainsi_images_request;

/* The word of --compression, NULL if it wasn't given. False: said as a usage error. */
bool chainsi_images_compression(const chainsi_verb *verb, const char *word,
                                chainsi_compression *out);

typedef struct chainsi_image_work chainsi_image_work;

/* NULL with a problem. Reads, compresses, asks the registry; blocks. request has to live as long as the work. */
chainsi_image_work *chainsi_images_make(const chainsi_model *model, const chainsi_built *built,
                                        const chainsi_images_request *request,
                                        chainsi_problem *problem);
/* The same of chainsd itself, as the program beside this one is; request->output NULL: a folder of CHAINS_HOME. */
chainsi_image_work *chainsi_images_make_controller(const chainsi_images_request *request,
                                                   chainsi_problem *problem);
/* The chain and the name under which that image is pushed. */
#define CHAINSI_CONTROLLER_IMAGE_CHAIN "chains"
#define CHAINSI_CONTROLLER_IMAGE       "chainsd"
/* All of them; theirs is the work's memory. */
const chainsi_made_images *chainsi_images_made(const chainsi_image_work *work);
/* NULL is allowed. */
void chainsi_images_done(chainsi_image_work *work);

#endif
