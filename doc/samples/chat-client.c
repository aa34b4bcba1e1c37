/* SPDX-License-Identifier: MIT
 * chat-client.c - calls a chat-server: each line is sent as soon as it is typed, and what comes is shown
 * meanwhile. */
#include "sample-client.h"
#include "sample-chat.h"

int
main(int argc, char **argv)
{
	static struct sample_lines lines;
	struct pt_conn *c = sample_connect(argc, argv);
	return sample_done(&c, sample_chat(c, &lines));
}
