/* What a service manager is told: systemd's protocol of sd_notify(3), datagrams of "NAME=value" lines to the
 * socket that $NOTIFY_SOCKET names, and its watchdog. Without a service manager nothing happens.
 *
 * The daemon's processes have these variables; what they start doesn't (chainsi_process_run): it would
 * speak for them. Functions here don't block. */
#ifndef CHAINSI_CONTROL_NOTIFY_H
#define CHAINSI_CONTROL_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* Whether an environment's entry ("NAME=value") is for the daemon alone. */
bool chainsi_notify_is_own(const char *entry);

/* Sends the lines, as by printf. False: there is nobody to tell, or it couldn't be told. */
bool chainsi_notify(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* How often the service manager wants to hear "WATCHDOG=1": half of what it allows, nanoseconds; 0: not at
 * all. */
int64_t chainsi_notify_watchdog_ns(void);

/* Whether what is written to this descriptor goes to the journal, which notes the time by itself. */
bool chainsi_notify_is_journal(int fd);

#endif
