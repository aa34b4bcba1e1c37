/* SPDX-License-Identifier: MIT
 * process.h - what makes a program a daemon: detaching, the pidfile, the account it runs under, signals. Before
 * threads start, and in main's thread after that. */
#ifndef ZOG_DAEMON_PROCESS_H
#define ZOG_DAEMON_PROCESS_H

#include <stdbool.h>

struct server;

/* Detaches from terminal and session. The process that was called waits for process_started and exits with its
 * code; only the daemon returns. -1 with errno. */
int  process_detach(void);
void process_started(int code);         /* how the start went; at 0 lets go of the terminal. No effect if not detached */

/* A word to the service manager that NOTIFY_SOCKET names (sd_notify(3)); no effect where it is not set. */
void process_notify(const char *state);

/* May not just anyone put files in the place of ours there? false after saying so; true of what is not there, too. */
bool process_folder_safe(const char *key, const char *path);
/* Writes our pid into the file and holds a lock on it until the process ends. Exit code of sysexits.h after saying why. */
int  process_pidfile(const char *path);
void process_pidfile_remove(void);      /* if we have one */

struct process_account {
	int uid, gid;                   /* -1: stay what we are */
};
int  process_find_account(const char *user, const char *group, struct process_account *);      /* exit code, as above */
int  process_drop(const char *user, const struct process_account *);                            /* for good; exit code */

int  process_seal(bool secret);         /* nothing started from here gains rights; with a secret in memory, no core files and no
                                           debuggers. After process_drop; exit code */
void process_raise_limits(void);        /* as many descriptors as we may have */
void process_block_signals(void);       /* before the first thread */
void process_serve(struct server *);    /* HUP, USR1, USR2 until TERM or INT; another one makes the stop hurry */

void process_stopped(void);             /* there is nothing left to hurry: TERM and INT are ignored */

#endif
