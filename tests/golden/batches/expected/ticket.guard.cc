/* ticket.guard.cc: its functions, with exceptions turned into failures.
 * Written by chains from ticket.h:5; changes are lost. */
#include <exception>
#ifdef __GLIBCXX__
#include <cxxabi.h>
/* How a thread is ended: not an exception to be kept here. */
#define PASS_UNWINDING catch (abi::__forced_unwind &) { throw; }
#else
#define PASS_UNWINDING
#endif

extern "C" {
#include "ticket.h"
}

extern "C" ticket *chains_guard_ticket_new(chains_ctx *chains_ctx_)
{
    try {
        return ticket_new(chains_ctx_);
    } PASS_UNWINDING catch (const std::exception &exception) {
        chains_fail_(chains_ctx_, CHAINS_INTERNAL, "ticket.h", 7, "ticket_new",
                     "exception: %s", exception.what());
        return nullptr;
    } catch (...) {
        chains_fail_(chains_ctx_, CHAINS_INTERNAL, "ticket.h", 7, "ticket_new",
                     "an exception that is no std::exception");
        return nullptr;
    }
}

extern "C" chains_status chains_guard_ticket_run_remote(ticket *chains_self_,
                                                        chains_ctx *chains_ctx_, uint64_t *number)
{
    try {
        return ticket_run_remote(chains_self_, chains_ctx_, number);
    } PASS_UNWINDING catch (const std::exception &exception) {
        return chains_fail_(chains_ctx_, CHAINS_INTERNAL, "ticket.h", 9, "ticket_run_remote",
                     "exception: %s", exception.what());
    } catch (...) {
        return chains_fail_(chains_ctx_, CHAINS_INTERNAL, "ticket.h", 9, "ticket_run_remote",
                     "an exception that is no std::exception");
    }
}

/* A call that has not failed by itself: there is said what fails all of them. */
static chains_ctx *chains_unfailed(chains_ctx *const calls[], size_t count)
{
    size_t i = 0;
    while (i + 1 < count && chains_last_error(calls[i]))
        i++;
    return calls[i];
}

extern "C" chains_status chains_guard_ticket_run_batch(ticket *chains_self_,
                                                       chains_ctx *const chains_calls_[],
                                                       size_t chains_count_, uint64_t number[])
{
    try {
        return ticket_run_batch(chains_self_, chains_calls_, chains_count_, number);
    } PASS_UNWINDING catch (const std::exception &exception) {
        return chains_fail_(chains_unfailed(chains_calls_, chains_count_), CHAINS_INTERNAL, "ticket.h", 10, "ticket_run_batch",
                     "exception: %s", exception.what());
    } catch (...) {
        return chains_fail_(chains_unfailed(chains_calls_, chains_count_), CHAINS_INTERNAL, "ticket.h", 10, "ticket_run_batch",
                     "an exception that is no std::exception");
    }
}

extern "C" void chains_guard_ticket_free(ticket *chains_self_)
{
    try {
        ticket_free(chains_self_);
    } PASS_UNWINDING catch (...) {
        /* It is gone; there is nobody left to tell. */
    }
}
