#include <atomic>
#include <stdexcept>

extern "C" {
#include "ticket.h"
}

struct ticket {
    std::atomic<uint64_t> last{ 0 };
};

ticket *ticket_new(chains_ctx *)
{
    return new ticket;
}

chains_status ticket_run_remote(ticket *self, chains_ctx *, uint64_t *number)
{
    *number = ++self->last;
    return CHAINS_OK;
}

chains_status ticket_run_batch(ticket *self, chains_ctx *const *, size_t count, uint64_t *number)
{
    if (count > 4)
        throw std::length_error("too many at once");
    for (size_t i = 0; i < count; i++)
        number[i] = ++self->last;
    return CHAINS_OK;
}

void ticket_free(ticket *self)
{
    delete self;
}
