#include "runtime/delivery.h"

#include "runtime/error.h"

void chainsi_delivery_expect(chainsi_job *job)
{
    job->gather->delivers = true;
}

static chains_status deliver(chainsi_job *job, chainsi_stream *to, const void *item)
{
    chains_ctx *parent = job->gather->parent;
    chains_status status = to->deliver(to, item);
    if (status != CHAINS_OK && !parent->lock && chainsi_error_recall(parent, status))
        chainsi_error_move(job->ctx, parent);
    return status;
}

static void append(chainsi_delivery *delivery)
{
    chainsi_delivery **last = &delivery->job->gather->deliveries;
    while (*last)
        last = &(*last)->next;
    *last = delivery;
}

static void withdraw(const chainsi_delivery *delivery)
{
    chainsi_delivery **at = &delivery->job->gather->deliveries;
    while (*at != delivery)
        at = &(*at)->next;
    *at = delivery->next;
}

chains_status chainsi_delivery_make(chainsi_job *job, chainsi_stream *to, const void *item)
{
    if (job->helped) /* this is the thread that waits */
        return deliver(job, to, item);
    chainsi_waiter *waiter = chainsi_waiter_self();
    chainsi_delivery delivery = { .job = job, .to = to, .item = item, .waiter = waiter };
    chains_status stopped = CHAINS_OK;
    chainsi_pool_lock();
    append(&delivery);
    if (job->gather->waiter)
        chainsi_waiter_wake(job->gather->waiter);
    while (delivery.state != CHAINSI_DELIVERY_DONE) {
        if (stopped != CHAINS_OK && delivery.state == CHAINSI_DELIVERY_WAITING) {
            withdraw(&delivery);
            delivery.status = stopped;
            break;
        }
        bool taken = delivery.state == CHAINSI_DELIVERY_TAKEN;
        chainsi_pool_unlock();
        /* Once taken it is for emit to return. */
        stopped = taken ? CHAINS_OK : chainsi_context_stopped(job->ctx);
        if (stopped == CHAINS_OK)
            chainsi_waiter_wait(waiter, taken ? NULL : job->ctx,
                                taken ? CHAINSI_NEVER : job->ctx->deadline_ns);
        chainsi_pool_lock();
    }
    chainsi_pool_unlock();
    return delivery.status;
}

bool chainsi_delivery_take(chainsi_gather *gather)
{
    chainsi_delivery *delivery = gather->deliveries;
    if (!delivery)
        return false;
    gather->deliveries = delivery->next;
    delivery->state = CHAINSI_DELIVERY_TAKEN;
    chainsi_pool_unlock();
    chains_status status = deliver(delivery->job, delivery->to, delivery->item);
    chainsi_pool_lock();
    delivery->status = status;
    delivery->state = CHAINSI_DELIVERY_DONE;
    chainsi_waiter_wake(delivery->waiter);
    return true;
}
