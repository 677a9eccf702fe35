/* counter.guard.cc: its functions, with exceptions turned into failures.
 * Written by chains from counter.h:5; changes are lost. */
#include <exception>
#ifdef __GLIBCXX__
#include <cxxabi.h>
/* How a thread is ended: not an exception to be kept here. */
#define PASS_UNWINDING catch (abi::__forced_unwind &) { throw; }
#else
#define PASS_UNWINDING
#endif

extern "C" {
#include "counter.h"
}

extern "C" counter *chains_guard_counter_new(chains_ctx *chains_ctx_)
{
    try {
        return counter_new(chains_ctx_);
    } PASS_UNWINDING catch (const std::exception &exception) {
        chains_fail_(chains_ctx_, CHAINS_INTERNAL, "counter.h", 7, "counter_new",
                     "exception: %s", exception.what());
        return nullptr;
    } catch (...) {
        chains_fail_(chains_ctx_, CHAINS_INTERNAL, "counter.h", 7, "counter_new",
                     "an exception that is no std::exception");
        return nullptr;
    }
}

extern "C" chains_status chains_guard_counter_run_remote(counter *chains_self_,
                                                         chains_ctx *chains_ctx_, uint64_t *calls)
{
    try {
        return counter_run_remote(chains_self_, chains_ctx_, calls);
    } PASS_UNWINDING catch (const std::exception &exception) {
        return chains_fail_(chains_ctx_, CHAINS_INTERNAL, "counter.h", 9, "counter_run_remote",
                     "exception: %s", exception.what());
    } catch (...) {
        return chains_fail_(chains_ctx_, CHAINS_INTERNAL, "counter.h", 9, "counter_run_remote",
                     "an exception that is no std::exception");
    }
}

extern "C" chains_status chains_guard_counter_healthy(counter *chains_self_, chains_ctx *chains_ctx_)
{
    try {
        return counter_healthy(chains_self_, chains_ctx_);
    } PASS_UNWINDING catch (const std::exception &exception) {
        return chains_fail_(chains_ctx_, CHAINS_INTERNAL, "counter.h", 11, "counter_healthy",
                     "exception: %s", exception.what());
    } catch (...) {
        return chains_fail_(chains_ctx_, CHAINS_INTERNAL, "counter.h", 11, "counter_healthy",
                     "an exception that is no std::exception");
    }
}

extern "C" void chains_guard_counter_free(counter *chains_self_)
{
    try {
        counter_free(chains_self_);
    } PASS_UNWINDING catch (...) {
        /* It is gone; there is nobody left to tell. */
    }
}
