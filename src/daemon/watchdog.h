/* SPDX-License-Identifier: MIT
 * watchdog.h - what the service manager hears while zogd runs: how many peers there are, and that zogd is not only there
 * but works. main's thread, between two signals. Without NOTIFY_SOCKET nobody is told anything, and main sleeps on. */
#ifndef ZOG_DAEMON_WATCHDOG_H
#define ZOG_DAEMON_WATCHDOG_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct server;

struct watchdog {
	int64_t every_ms;               /* between two looks; 0: nobody listens */
	int64_t next_ms;                /* monotonic: the next one */
	bool    guarded;                /* WATCHDOG_USEC: we are killed when it hears nothing for so long */
	char    status[96];             /* the last one that was told */
};

void watchdog_init(struct watchdog *);
/* As sigwait, and looks about when it is time, also when signals come without end. */
int  watchdog_sigwait(struct watchdog *, struct server *, const sigset_t *);

#endif
