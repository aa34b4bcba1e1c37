/* SPDX-License-Identifier: MIT
 * chat-server.c - waits for one who calls, and lets both sides type to each other. Others hear BUSY
 * meanwhile. */
#include "sample-server.h"
#include "sample-chat.h"

static pthread_mutex_t seat = PTHREAD_MUTEX_INITIALIZER;

static void
serve(struct pt_conn *c)
{
	static struct sample_lines lines;       /* under seat */
	static const struct pt_value busy = PT_TEXT("BUSY"), go_away = PT_TEXT("GO AWAY");
	static const struct pt_value welcome = PT_TEXT("WELCOME");
	const struct pt_value *identity = NULL;
	char user[SAMPLE_NAME];

	/* First who it is: one who says nothing must not keep the others out. */
	if (pt_accept(c, sample.accept_ms, &identity, NULL) != PT_OK)
		return;
	bool named = sample_copy(user, pt_get(identity, "user"));
	if (!named || pthread_mutex_trylock(&seat) != 0) {
		pt_peer_denied(c, NULL, named ? &busy : &go_away);
		return;
	}
	lines.ended = lines.ended || sample.stdio;      /* there it is not ours to type */
	if (pt_peer_allowed(c, NULL, &welcome) == PT_OK) {
		fputs("CALLED BY ", stdout);
		sample_put(stdout, user, strlen(user));
		putchar('\n');
		int e = sample_chat(c, &lines);
		if (e != PT_OK)
			warnx("%s", pt_error_text(e));
		puts("ALL DONE");
	}
	pthread_mutex_unlock(&seat);
}

int
main(int argc, char **argv)
{
	sample_arguments(argc, argv, 0);
	return sample_serve(serve);
}
