/* SPDX-License-Identifier: MIT
 * proxy.c - stands between a client and a server and passes on what either sends, a pair at a time. It
 * reads the headers, as one that chooses a way by them would, and leaves the bodies as they are: bytes
 * whose size is known.
 *
 *	proxy 127.0.0.1 7778 SERVER 7777 */
#include "sample-server.h"

enum { CONNECT_MS = 10000, LAST_MS = 3000 };

/* One pair. */
static int
pass(struct pt_conn *from, struct pt_conn *to)
{
	const struct pt_value *header;
	struct pt_value frame;
	int e = pt_recv_raw(from, &header, &frame);
	return e == PT_OK ? pt_send(to, header, &frame) : e;
}

static void
relay(struct pt_conn *client, struct pt_conn *server)
{
	bool asking = true;     /* the client has not closed */
	for (;;) {
		/* Two connections to wait for: sample_wait looks into the first one's buffer only. */
		bool more = pt_conn_ready(server);
		int what = asking ? sample_wait(client, pt_conn_fd(server), more ? 0 : SAMPLE_IDLE_MS) : SAMPLE_OTHER;
		if (what == 0 && !more)
			return;
		if ((what & SAMPLE_PAIR) != 0) {
			int e = pass(client, server);
			if (e != PT_OK && e != PT_CLOSED)
				return;
			if (e == PT_CLOSED) {
				/* There may still be replies on their way. */
				shutdown(pt_conn_fd(server), SHUT_WR);
				pt_conn_times(server, LAST_MS, SAMPLE_FRAME_MS);
				asking = false;
			}
		}
		if (((what & SAMPLE_OTHER) != 0 || more) && pass(server, client) != PT_OK)
			return;
	}
}

static void
serve(struct pt_conn *client)
{
	static const struct pt_value sorry = PT_TEXT("NO SERVER");
	const struct pt_value *identity, *verdict, *verdict_body;
	struct pt_value body;
	struct pt_conn *server;

	pt_conn_times(client, sample.accept_ms, sample.accept_ms);
	if (pt_recv_raw(client, &identity, &body) != PT_OK)
		return;
	pt_conn_times(client, SAMPLE_IDLE_MS, SAMPLE_FRAME_MS);
	int e = pt_connect(&server, NULL, sample.more[0], atoi(sample.more[1]), identity, &body, CONNECT_MS,
	    &verdict, &verdict_body);
	if (e != PT_OK) {
		warnx("%s %s: %s", sample.more[0], sample.more[1], pt_error_text(e));
		pt_peer_denied(client, NULL, &sorry);
		return;
	}
	if (pt_send(client, verdict, verdict_body) == PT_OK)
		relay(client, server);
	pt_close(&server);
}

int
main(int argc, char **argv)
{
	sample_arguments(argc, argv, 2);
	return sample_serve(serve);
}
