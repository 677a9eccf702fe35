/* The nodes of the Chainlets of a test. Written by chains; changes are lost. */
#include "counter.call.h"
#include "store.call.h"
#include "translator.call.h"
#include "front.call.h"

static const chainsi_node node_counter = {
    .implementation = &chains_counter_implementation,
};

static const chainsi_node node_store = {
    .implementation = &chains_store_implementation,
    .fake = true,
};

static const chainsi_node node_translator = {
    .implementation = &chains_translator_implementation,
    .fake = true,
};

static const chainsi_binding calls_of_front[] = {
    { /* front/front.h:16 */
        .interface = &chains_store_interface,
        .options = &front_store_depends_,
        .local = &node_store,
    },
    { /* front/front.h:16 */
        .interface = &chains_translator_interface,
        .local = &node_translator,
    },
    { /* front/front.h:16 */
        .interface = &chains_counter_interface,
        .local = &node_counter,
    },
};
static const chainsi_node node_front = {
    .implementation = &chains_front_implementation,
    .dependencies = calls_of_front,
    .dependency_count = 3,
};

counter *counter_new(chains_ctx *chains_ctx_)
{
    return chainsi_local_new(&node_counter, chains_ctx_, NULL);
}

void counter_free(counter *self)
{
    chainsi_local_free(&node_counter, self);
}

chains_status counter_healthy(counter *self, chains_ctx *ctx)
{
    return chainsi_local_healthy(&node_counter, self, ctx);
}

front *front_new(chains_ctx *chains_ctx_, store *keep, translator *translate, counter *count)
{
    void *const chains_dependencies_[] = { keep, translate, count };
    return chainsi_local_new(&node_front, chains_ctx_, chains_dependencies_);
}

void front_free(front *self)
{
    chainsi_local_free(&node_front, self);
}
