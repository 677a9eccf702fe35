/* A ring of notes. A note is written before the count that announces it, and its time last: who reads one that is
 * being overwritten takes it for another's, at worst. */
#include "rpc/losses.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

chainsi_loss chainsi_loss_of(int wait_status)
{
    return WIFSIGNALED(wait_status) ? CHAINSI_LOSS_SIGNAL + WTERMSIG(wait_status)
                                    : CHAINSI_LOSS_OTHER;
}

bool chainsi_loss_signal(chainsi_loss loss, char *text, size_t size)
{
    const int number = (int)loss - CHAINSI_LOSS_SIGNAL;
    snprintf(text, size, "%s", "");
    if (number <= 0)
        return false;
    const char *name = sigabbrev_np(number);
    if (name)
        snprintf(text, size, "signal %d (SIG%s)", number, name);
    else
        snprintf(text, size, "signal %d", number);
    return true;
}

void chainsi_losses_promise(chainsi_losses *losses)
{
    atomic_store(&losses->promised, 1);
}

bool chainsi_losses_are_promised(const chainsi_losses *losses)
{
    return atomic_load(&losses->promised) != 0;
}

void chainsi_losses_note(chainsi_losses *losses, uint64_t incarnation, chainsi_loss loss,
                         int64_t now_ns)
{
    chainsi_loss_note *note = &losses->notes[atomic_load(&losses->count) % CHAINSI_LOSSES_KEPT];
    atomic_store(&note->noted_ns, 0);
    atomic_store(&note->incarnation, incarnation);
    atomic_store(&note->loss, (uint32_t)loss);
    atomic_store(&note->noted_ns, now_ns);
    atomic_fetch_add(&losses->count, 1);
    /* Not private: those that wait are other processes. */
    syscall(SYS_futex, &losses->count, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

static chainsi_loss read_loss(const chainsi_loss_note *note)
{
    const uint32_t loss = atomic_load(&note->loss);
    return loss > CHAINSI_LOSS_UNKNOWN && loss <= CHAINSI_LOSS_LAST_SIGNAL ? (chainsi_loss)loss
                                                                           : CHAINSI_LOSS_OTHER;
}

chainsi_loss chainsi_losses_find(const chainsi_losses *losses, uint64_t incarnation,
                                 int64_t lost_ns)
{
    const int64_t since_ns = lost_ns - CHAINSI_LOSS_BEFORE_MS * CHAINSI_NS_PER_MS;
    chainsi_loss found = CHAINSI_LOSS_UNKNOWN;
    for (size_t i = 0; i < CHAINSI_LOSSES_KEPT; i++) {
        const chainsi_loss_note *note = &losses->notes[i];
        const int64_t noted_ns = atomic_load(&note->noted_ns);
        if (!noted_ns)
            continue;
        if (incarnation && atomic_load(&note->incarnation) == incarnation)
            return read_loss(note);
        if (incarnation || noted_ns < since_ns)
            continue;
        const chainsi_loss loss = read_loss(note);
        found = found == CHAINSI_LOSS_UNKNOWN || found == loss ? loss : CHAINSI_LOSS_OTHER;
    }
    return found;
}

chainsi_loss chainsi_losses_await(const chainsi_losses *losses, uint64_t incarnation,
                                  int64_t lost_ns, int64_t deadline_ns, bool (*is_over)(void *user),
                                  void *user)
{
    if (!chainsi_losses_are_promised(losses))
        return CHAINSI_LOSS_UNKNOWN;
    int64_t until_ns = lost_ns + CHAINSI_LOSS_WAIT_MS * CHAINSI_NS_PER_MS;
    if (deadline_ns < until_ns)
        until_ns = deadline_ns;
    for (;;) {
        const uint32_t count = atomic_load(&losses->count);
        const chainsi_loss loss = chainsi_losses_find(losses, incarnation, lost_ns);
        int64_t left_ns = until_ns - chainsi_now_ns();
        if (loss != CHAINSI_LOSS_UNKNOWN || left_ns <= 0 || (is_over && is_over(user)))
            return loss;
        if (is_over && left_ns > CHAINSI_LOSS_LOOK_MS * CHAINSI_NS_PER_MS)
            left_ns = CHAINSI_LOSS_LOOK_MS * CHAINSI_NS_PER_MS;
        const struct timespec left = { left_ns / 1000000000, left_ns % 1000000000 };
        syscall(SYS_futex, &losses->count, FUTEX_WAIT, count, &left, NULL, 0);
    }
}

int64_t chainsi_losses_look_again(const chainsi_losses *losses, uint64_t incarnation,
                                  int64_t lost_ns, int64_t now_ns)
{
    const int64_t until_ns = lost_ns + CHAINSI_LOSS_WAIT_MS * CHAINSI_NS_PER_MS;
    if (!chainsi_losses_are_promised(losses) || now_ns >= until_ns ||
        chainsi_losses_find(losses, incarnation, lost_ns) != CHAINSI_LOSS_UNKNOWN)
        return 0;
    /* Most are noted within milliseconds, and of the others nobody needs to know to the millisecond. */
    const int64_t pause_ns = (now_ns - lost_ns) / 2 + CHAINSI_NS_PER_MS;
    return now_ns + pause_ns < until_ns ? now_ns + pause_ns : until_ns;
}
