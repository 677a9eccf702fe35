#include "runtime/traffic.h"

static atomic_uint_least64_t socket_bytes, copied_bytes, shared_bytes;

static void add(atomic_uint_least64_t *counter, uint64_t bytes)
{
    if (bytes)
        atomic_fetch_add_explicit(counter, bytes, memory_order_relaxed);
}

void chainsi_traffic_sent(size_t body_size, const chainsi_attachments *attachments)
{
    add(&socket_bytes, body_size);
    if (attachments) {
        add(&copied_bytes, attachments->copied);
        add(&shared_bytes, attachments->shared);
    }
}

void chainsi_traffic_received(size_t body_size, uint64_t named)
{
    add(&socket_bytes, body_size);
    add(&shared_bytes, named);
}

chainsi_traffic chainsi_traffic_read(void)
{
    return (chainsi_traffic){
        .socket = atomic_load_explicit(&socket_bytes, memory_order_relaxed),
        .copied = atomic_load_explicit(&copied_bytes, memory_order_relaxed),
        .shared = atomic_load_explicit(&shared_bytes, memory_order_relaxed),
    };
}
