/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/diag.h"
#include "base/thread.h"
#include "config.h"
#include "daemon/control_private.h"
#include "daemon/ranks.h"
#include "daemon/tails.h"

enum { STACK_BYTES = 256 * 1024, TICK_MS = 1000, BACKLOG = 64 };

/* ---- the socket ---- */

/* Does anybody answer there? */
static bool
answered(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool yes = fd < 0 || connect(fd, (const struct sockaddr *)at, sizeof *at) == 0 || errno != ECONNREFUSED;
	if (fd >= 0)
		close(fd);
	return yes;
}

/* Nothing but a socket that was left behind is removed. NULL, or why we cannot be there. */
static const char *
make_room(const struct sockaddr_un *at)
{
	struct stat st;
	if (lstat(at->sun_path, &st) < 0)
		return errno == ENOENT ? NULL : strerror(errno);
	if (!S_ISSOCK(st.st_mode))
		return "there is something that is no socket";
	if (answered(at))
		return "another process answers there";
	return unlink(at->sun_path) < 0 && errno != ENOENT ? strerror(errno) : NULL;
}

static const char *
listen_at(struct control *c, uid_t uid, gid_t gid)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct stat st;
	if (strlen(c->path) >= sizeof at.sun_path)
		return "the path is too long for a socket";
	strcpy(at.sun_path, c->path);
	const char *why = make_room(&at);
	if (why != NULL)
		return why;
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		return strerror(errno);
	/* Nobody is to come in between, before it is chmod's turn. */
	mode_t before = umask(0117);
	int rc = bind(c->fd, (const struct sockaddr *)&at, sizeof at);
	int error = errno;
	umask(before);
	if (rc < 0)
		return strerror(error);
	if (lstat(c->path, &st) < 0)
		return strerror(errno);
	c->dev = st.st_dev;
	c->ino = st.st_ino;
	if (((uid != (uid_t)-1 || gid != (gid_t)-1) && lchown(c->path, uid, gid) < 0) || listen(c->fd, BACKLOG) < 0)
		return strerror(errno);
	return NULL;
}

struct control *
control_open(struct server *server, const char *path, uid_t uid, gid_t gid)
{
	struct control *c = calloc(1, sizeof *c);
	if (c == NULL) {
		diag("no control socket: %s", strerror(errno));
		return NULL;
	}
	lock_init(&c->lock, RANK_CONTROL);
	c->server = server;
	c->fd = -1;
	for (int i = 0; i < CONTROL_REFUSED; i++)
		c->refused[i] = -1;
	c->stop_fd = eventfd(0, EFD_CLOEXEC);
	c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	c->path = strdup(path);
	bool made = c->stop_fd >= 0 && c->wake_fd >= 0 && c->path != NULL;
	const char *why = made ? listen_at(c, uid, gid) : strerror(errno);
	if (why == NULL)
		return c;
	diag("no control socket at %s: %s", path, why);
	logger_say(server->logger, "zogd", "no control socket at %s: %s", path, why);
	control_close(&c);
	return NULL;
}

void
control_close(struct control **cp)
{
	struct control *c = *cp;
	struct stat st;
	if (c == NULL)
		return;
	/* Only if it is still ours; where the folder does not let us, the next start finds that nobody answers. */
	if (c->ino != 0 && lstat(c->path, &st) == 0 && st.st_dev == c->dev && st.st_ino == c->ino)
		unlink(c->path);
	if (c->fd >= 0)
		close(c->fd);
	for (int i = 0; i < CONTROL_REFUSED; i++)
		if (c->refused[i] >= 0)
			close(c->refused[i]);
	if (c->stop_fd >= 0)
		close(c->stop_fd);
	if (c->wake_fd >= 0)
		close(c->wake_fd);
	free(c->path);
	lock_fini(&c->lock);
	free(c);
	*cp = NULL;
}

/* ---- a connection ---- */

/* Something came that is no request. What is no pair at all is not answered: who knows what it is that
 * speaks there. */
static void
say_fault(struct control_conn *c, int error)
{
	if (error == PT_E_HDR_NOT_DICT)
		control_fail(c, "bad-request", "%s", pt_error_text(error));
}

static int
let_in(struct control_conn *c)
{
	struct view *v = server_view(c->control->server);
	const char *name = v->conf.member;
	const struct pt_value verdict[] = { PT_TEXT("member"), PT_BYTES_OF(name, strlen(name)),
	    PT_TEXT("program"), PT_TEXT("zogd"),
	    PT_TEXT("version"), PT_TEXT(PACKAGE_VERSION) };
	const struct pt_value header = PT_DICT_OF(verdict, 3);
	const struct pt_value *identity;
	int e = pt_accept(c->pairs, CONTROL_BEGIN_MS, &identity, NULL);
	if (e == PT_OK)
		e = pt_peer_allowed(c->pairs, &header, NULL);
	else
		say_fault(c, e);
	view_drop(&v);
	return e;
}

static void *
conn_main(void *arg)
{
	struct control_conn *c = arg;
	struct control *all = c->control;
	const struct pt_value *header;
	thread_name("asked");
	int e = let_in(c);
	while (e == PT_OK && !atomic_load(&all->stop)) {
		e = pt_recv(c->pairs, &header, NULL);
		if (e == PT_OK)
			e = control_do(c, header);
		else
			say_fault(c, e);
	}
	lock_acquire(&all->lock);
	c->fd = -1;
	lock_release(&all->lock);
	pt_close(&c->pairs);
	lock_acquire(&all->lock);
	c->ended = true;
	/* Within the lock: control_stop may join us and be rid of everything the moment after. */
	if (eventfd_write(all->wake_fd, 1) < 0)
		c->ended = true;        /* the counter is full: the control thread is awake anyway */
	lock_release(&all->lock);
	return NULL;
}

static int
start_thread(struct control_conn *c)
{
	pthread_attr_t attr;
	int rc = pthread_attr_init(&attr);
	if (rc != 0)
		return rc;
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	rc = pthread_create(&c->thread, &attr, conn_main, c);
	pthread_attr_destroy(&attr);
	return rc;
}

/* Takes the descriptor. false: it cannot be served. */
static bool
serve(struct control *all, int fd)
{
	static const struct pt_options options = { .limits = { CONTROL_BYTES, CONTROL_BYTES, 64, 32, 4 },
	    .idle_ms = CONTROL_IDLE_MS, .frame_ms = CONTROL_BEGIN_MS };
	struct ucred who = { .pid = -1, .uid = (uid_t)-1 };
	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &(socklen_t){ sizeof who });
	struct control_conn *c = calloc(1, sizeof *c);
	if (c == NULL) {
		close(fd);
		return false;
	}
	*c = (struct control_conn){ .control = all, .fd = fd, .pid = (int)who.pid, .uid = (int)who.uid };
	c->pairs = pt_from_fd(fd, &options);
	lock_acquire(&all->lock);
	/* Under the lock, so that it cannot end before it stands in the list. */
	if (c->pairs == NULL || start_thread(c) != 0) {
		lock_release(&all->lock);
		pt_close(&c->pairs);
		free(c);
		return false;
	}
	c->next = all->list;
	all->list = c;
	all->count++;
	lock_release(&all->lock);
	return true;
}

static bool
unlink_one(struct control *all, bool any, struct control_conn **out)
{
	lock_acquire(&all->lock);
	struct control_conn **at = &all->list, *c;
	while ((c = *at) != NULL && !c->ended && !any)
		at = &c->next;
	if (c != NULL) {
		*at = c->next;
		all->count--;
	}
	lock_release(&all->lock);
	*out = c;
	return c != NULL;
}

static void
join_some(struct control *all, bool any)
{
	struct control_conn *c;
	while (unlink_one(all, any, &c)) {
		pthread_join(c->thread, NULL);
		free(c);
	}
}

/* ---- the control thread ---- */

/* One too many: it is told so. Closed at once it might get a reset before it has read that. */
static void
refuse(struct control *c, int fd)
{
	static const struct pt_value verdict[] = { PT_TEXT("allowed"), PT_BOOL_OF(false), PT_TEXT("ok"),
	    PT_BOOL_OF(false),
	    PT_TEXT("error"), PT_TEXT("busy"), PT_TEXT("text"), PT_TEXT("too many control connections") };
	static const struct pt_value header = PT_DICT_OF(verdict, 4);
	char *frame;
	size_t size;
	stats_add(&c->server->stats.control_refused, 1);
	if (pt_encode_new(&header, 0, &frame, &size) == PT_OK) {
		/* And an empty body. */
		if (send(fd, frame, size, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE) > 0)
			send(fd, "0:,", 3, MSG_DONTWAIT | MSG_NOSIGNAL);
		free(frame);
	}
	shutdown(fd, SHUT_WR);
	if (c->refused[0] >= 0)
		close(c->refused[0]);
	memmove(c->refused, c->refused + 1, sizeof c->refused - sizeof *c->refused);
	c->refused[CONTROL_REFUSED - 1] = fd;
}

static void
forget_refused(struct control *c)
{
	for (int i = 0; i < CONTROL_REFUSED; i++) {
		if (c->refused[i] >= 0)
			close(c->refused[i]);
		c->refused[i] = -1;
	}
}

static void
accept_one(struct control *c)
{
	int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		/* Whoever is out of descriptors must not spin. */
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			poll(&(struct pollfd){ .fd = c->stop_fd, .events = POLLIN }, 1, 20);
		return;
	}
	lock_acquire(&c->lock);
	bool crowded = c->count >= CONTROL_CONNS;
	lock_release(&c->lock);
	if (crowded)
		refuse(c, fd);
	else if (!serve(c, fd))
		stats_add(&c->server->stats.control_refused, 1);
	else
		stats_add(&c->server->stats.control_accepted, 1);
}

static void
tick(struct control *c, int64_t now, int64_t *next)
{
	if (now < *next)
		return;
	*next = now + TICK_MS;
	forget_refused(c);
	lock_acquire(&c->lock);
	rates_note(&c->rates, c->server, now);
	lock_release(&c->lock);
}

static void *
control_main(void *arg)
{
	struct control *c = arg;
	int64_t next = 0;
	eventfd_t n;
	thread_name("control");
	struct pollfd p[3] = {
		{ .fd = c->stop_fd, .events = POLLIN },
		{ .fd = c->wake_fd, .events = POLLIN },
		{ .fd = c->fd, .events = POLLIN },
	};
	for (;;) {
		int64_t now = clock_mono_ms();
		tick(c, now, &next);
		if (poll(p, 3, clock_left_ms(next, now)) < 0)
			continue;
		if (p[0].revents != 0)
			return NULL;
		if (p[1].revents != 0 && eventfd_read(c->wake_fd, &n) == 0)
			join_some(c, false);
		if (p[2].revents != 0)
			accept_one(c);
	}
}

int
control_start(struct control *c)
{
	int rc = pthread_create(&c->thread, NULL, control_main, c);
	errno = rc;
	c->running = rc == 0;
	return rc == 0 ? 0 : -1;
}

void
control_stop(struct control *c)
{
	if (c == NULL || !c->running)
		return;
	atomic_store(&c->stop, true);
	while (eventfd_write(c->stop_fd, 1) < 0)
		continue;
	pthread_join(c->thread, NULL);
	c->running = false;
	lock_acquire(&c->lock);
	for (struct control_conn *k = c->list; k != NULL; k = k->next)
		if (k->fd >= 0)
			shutdown(k->fd, SHUT_RDWR);     /* wakes it */
	lock_release(&c->lock);
	tails_wake(logger_tails(c->server->logger));
	join_some(c, true);
}
