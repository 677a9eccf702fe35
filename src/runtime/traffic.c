#include "runtime/traffic.h"

#include "base/tally.h"

enum { SOCKET, COPIED, SHARED, COUNT };

static chainsi_tally bytes = CHAINSI_TALLY(COUNT);

void chainsi_traffic_sent(size_t body_size, const chainsi_attachments *attachments)
{
    chainsi_tally_add(&bytes, SOCKET, body_size);
    if (!attachments || !attachments->count)
        return;
    chainsi_tally_add(&bytes, COPIED, attachments->copied);
    chainsi_tally_add(&bytes, SHARED, attachments->shared);
}

void chainsi_traffic_received(size_t body_size, uint64_t named)
{
    chainsi_tally_add(&bytes, SOCKET, body_size);
    if (named)
        chainsi_tally_add(&bytes, SHARED, named);
}

chainsi_traffic chainsi_traffic_read(void)
{
    uint64_t sums[COUNT];
    chainsi_tally_read_all(&bytes, sums);
    return (
        chainsi_traffic){ .socket = sums[SOCKET], .copied = sums[COPIED], .shared = sums[SHARED] };
}
