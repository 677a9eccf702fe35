/* The nodes of a service. Written by chains; changes are lost. */
#include "front.call.h"
#include "store.call.h"
#include "translator.call.h"
#include "counter.call.h"

static const chainsi_binding calls_of_front[] = {
    { /* front/front.h:16 */
        .interface = &chains_store_interface,
        .options = &front_store_depends_,
    },
    { /* front/front.h:16 */
        .interface = &chains_translator_interface,
    },
    { /* front/front.h:16 */
        .interface = &chains_counter_interface,
    },
};
static const chainsi_node node_front = {
    .implementation = &chains_front_implementation,
    .dependencies = calls_of_front,
    .dependency_count = 3,
};

int main(int argc, char **argv)
{
    return chainsi_serve_main(&node_front, argc, argv);
}

/* It calls what may be reached by https only. */
#include "rpc/tls.h"

__attribute__((constructor)) static void use_tls(void)
{
    chainsi_tls_register();
}
