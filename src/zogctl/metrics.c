/* SPDX-License-Identifier: MIT
 * metrics.c - a status in the text form of Prometheus. Names, units and labels are part of what users
 * rely on: zogctl(8) lists
 * them all, and a test holds it to that. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "zogctl/show.h"

/* ---- pieces ---- */

static void
begin(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value has its own escapes, upon ours. */
static void
put_label(struct buf *out, const char *label, const char *value)
{
	buf_printf(out, "%s=\"", label);
	for (; *value != '\0'; value++)
		buf_printf(out, *value == '"' || *value == '\\' ? "\\%c" : "%c", *value);
	buf_puts(out, "\"");
}

enum unit { WHOLE, OF_MS, OF_US };      /* the last two are shown in seconds */

static void
put_value(struct buf *out, int64_t v, enum unit unit)
{
	if (unit == WHOLE)
		buf_printf(out, " %" PRId64 "\n", v);
	else if (unit == OF_MS)
		buf_printf(out, " %" PRId64 ".%03d\n", v / 1000, (int)(v % 1000));
	else
		buf_printf(out, " %" PRId64 ".%06d\n", v / 1000000, (int)(v % 1000000));
}

/* One that has no labels; is not there where the status does not tell it. */
static void
put_one(struct buf *out, const struct pt_value *dict, const char *key, const char *name, const char *type,
    const char *help)
{
	const struct pt_value *v = pt_get(dict, key);
	if (v == NULL || (v->type != PT_INT && v->type != PT_BOOL))
		return;
	begin(out, name, type, help);
	buf_puts(out, name);
	put_value(out, v->type == PT_BOOL ? v->boolean : v->integer, WHOLE);
}

/* ---- of members ---- */

static void
put_members(struct buf *out, const struct pt_value *status)
{
	static const struct { const char *key, *name, *type, *help; enum unit unit; } all[] = {
		{ "up", "zog_member_up", "gauge", "Whether the link to this member is up.", WHOLE },
		{ "silent", "zog_member_silent", "gauge",
		    "Whether this member lacks something and does not answer.", WHOLE },
		{ "other_ring", "zog_member_other_ring", "gauge", "Whether this member has another ring file.",
		    WHOLE },
		{ "plain", "zog_member_plain", "gauge", "Whether this member speaks the plain form only.", WHOLE },
		{ "since_ms", "zog_member_state_seconds", "gauge",
		    "How long the link has been in its present state.", OF_MS },
		{ "behind", "zog_member_behind_messages", "gauge",
		    "Messages that this member lacks, by what it said last.", WHOLE },
		{ "ahead", "zog_member_ahead_messages", "gauge",
		    "Messages that this member has and we lack, by what it said last.", WHOLE },
		{ "queue_messages", "zog_member_queue_messages", "gauge",
		    "Messages that wait to be sent to this member.", WHOLE },
		{ "queue_bytes", "zog_member_queue_bytes", "gauge",
		    "Bytes that wait to be sent to this member.", WHOLE },
		{ "queue_limit", "zog_member_queue_limit_bytes", "gauge", "Bytes that may wait (queue-limit).",
		    WHOLE },
		{ "round_trip_us", "zog_member_round_trip_seconds", "gauge",
		    "Time until this member last answered.", OF_US },
		{ "dropped", "zog_member_dropped_messages_total", "counter",
		    "Messages that the full queue to this member did not take.", WHOLE },
	};
	const struct pt_value *members = pt_get(status, "members");
	char text[VALUE_TEXT];
	for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
		bool begun = false;
		for (size_t i = 0; i < value_len(members); i++) {
			const struct pt_value *m = value_item(members, i), *v = pt_get(m, all[k].key);
			if (v == NULL || (v->type != PT_INT && v->type != PT_BOOL))
				continue;
			if (!begun)
				begin(out, all[k].name, all[k].type, all[k].help);
			begun = true;
			buf_printf(out, "%s{", all[k].name);
			put_label(out, "member", value_text(m, "name", text));
			buf_puts(out, "}");
			put_value(out, v->type == PT_BOOL ? v->boolean : v->integer, all[k].unit);
		}
	}
}

/* ---- of disks, journal, clients ---- */

static void
put_disks(struct buf *out, const struct pt_value *status)
{
	static const struct { const char *key, *name, *help; } all[] = {
		{ "free", "zog_disk_free_bytes", "Free bytes where this folder is." },
		{ "size", "zog_disk_size_bytes", "Size of the file system where this folder is." },
	};
	const struct pt_value *disks = pt_get(status, "disks");
	char text[VALUE_TEXT];
	for (size_t k = 0; value_len(disks) != 0 && k < sizeof all / sizeof *all; k++) {
		begin(out, all[k].name, "gauge", all[k].help);
		for (size_t i = 0; i < value_len(disks); i++) {
			const struct pt_value *d = value_item(disks, i);
			buf_printf(out, "%s{", all[k].name);
			put_label(out, "folder", value_text(d, "what", text));
			buf_puts(out, "}");
			put_value(out, value_int(d, all[k].key, 0), WHOLE);
		}
	}
}

static void
put_gauges(struct buf *out, const struct pt_value *status)
{
	const struct pt_value *journal = pt_get(status, "journal"), *log = pt_get(status, "access_log"),
	    *clients = pt_get(status, "clients");
	put_one(out, status, "serving", "zog_serving", "gauge", "Whether messages of clients are accepted.");
	put_one(out, status, "size", "zog_members", "gauge", "Members of the ring, this one among them.");
	put_one(out, clients, "connected", "zog_clients_connected", "gauge", "Clients that are connected.");
	put_one(out, clients, "limit", "zog_clients_limit", "gauge",
	    "Clients that may be connected (max-clients); 0: any number.");
	put_one(out, clients, "peer_connections", "zog_peer_connections", "gauge",
	    "Connections that peers have to us.");
	put_one(out, status, "missing", "zog_missing_messages", "gauge",
	    "Messages that some member said it has and we lack.");
	put_one(out, status, "passed", "zog_passed_over_messages", "gauge",
	    "Messages that nobody in reach has, and that are asked for again.");
	put_one(out, status, "streams_known", "zog_streams", "gauge",
	    "Streams that are known: one for each start of each member.");
	put_one(out, journal, "bytes", "zog_journal_bytes", "gauge", "Size of the journal.");
	put_one(out, journal, "limit", "zog_journal_limit_bytes", "gauge", "What it may grow to (journal-limit).");
	put_one(out, journal, "segments", "zog_journal_segments", "gauge", "Its files.");
	put_one(out, journal, "damaged", "zog_journal_damaged_places", "gauge",
	    "Places where it was found damaged since the start.");
	put_one(out, journal, "syncs", "zog_journal_syncs_total", "counter", "How often it was synced to the disk.");
	if (journal != NULL) {
		char text[VALUE_TEXT];
		begin(out, "zog_journal_writable", "gauge", "Whether the journal can be written.");
		buf_printf(out, "zog_journal_writable %d\n", *value_text(journal, "error", text) == '\0');
	}
	put_one(out, log, "behind", "zog_access_log_behind", "gauge",
	    "Whether access.log lacks what the journal has.");
}

static const struct { const char *key, *name, *help; } counters[] = {
	{ "clients_accepted", "zog_client_connections_total", "Connections of clients that were taken." },
	{ "clients_refused", "zog_client_connections_refused_total", "Connections of clients that were refused." },
	{ "clients_shed", "zog_client_connections_shed_total", "Idle connections of clients that were closed for others." },
	{ "peers_accepted", "zog_peer_connections_total", "Connections of peers that were taken." },
	{ "peers_refused", "zog_peer_connections_refused_total", "Connections to the peer port that were refused." },
	{ "peers_unproven", "zog_peer_connections_unproven_total",
	    "Connections to the peer port sent away without proof of the secret." },
	{ "peers_shed", "zog_peer_connections_shed_total", "Connections to the peer port closed for others before they opened." },
	{ "control_accepted", "zog_control_connections_total", "Connections to the control socket that were taken." },
	{ "control_refused", "zog_control_connections_refused_total",
	    "Connections to the control socket that were refused." },
	{ "from_clients", "zog_messages_from_clients_total", "Good messages from clients." },
	{ "from_peers", "zog_messages_from_peers_total", "Good messages from peers." },
	{ "bad", "zog_messages_bad_total", "Bad messages, which were refused." },
	{ "forwarded", "zog_messages_forwarded_total", "Messages put into the queues of peers." },
	{ "dropped", "zog_messages_dropped_total", "Messages that a full queue did not take." },
	{ "unanswered", "zog_messages_unanswered_total",
	    "Messages on plain connections that broke before they were answered." },
	{ "rejected", "zog_messages_rejected_total", "Messages that a peer answered with an error." },
	{ "logged", "zog_messages_logged_total", "Messages given to access.log." },
	{ "again", "zog_messages_duplicate_total",
	    "Messages that came again under their number, and were not logged again." },
	{ "stored", "zog_messages_stored_total", "Messages put into the journal." },
	{ "late", "zog_messages_late_total", "Messages that came after they had been passed over." },
	{ "lost", "zog_messages_lost_total", "Messages that nobody has any more: named in error.log." },
	{ "ahead_dropped", "zog_frames_ahead_dropped_total", "Frames beyond a gap that there was no room for." },
	{ "wants", "zog_repair_requests_total", "Requests to peers for what was missing." },
	{ "answered", "zog_repair_messages_sent_total", "Messages sent to peers that asked for them." },
	{ "error_lines_lost", "zog_error_log_lines_lost_total", "Lines that error.log did not take." },
	{ "connects", "zog_link_connects_total", "Connections to peers that were made." },
	{ "connect_failures", "zog_link_connect_failures_total", "Connections to peers that could not be made." },
};

bool
show_metrics(const struct pt_value *status, struct buf *out)
{
	char text[VALUE_TEXT];
	begin(out, "zog_up", "gauge", "Whether a zogd answered on the control socket.");
	buf_printf(out, "zog_up %d\n", status != NULL);
	if (status == NULL)
		return true;
	begin(out, "zog_build_info", "gauge", "Which zogd this is; always 1.");
	buf_puts(out, "zog_build_info{");
	put_label(out, "version", value_text(status, "version", text));
	buf_puts(out, ",");
	put_label(out, "member", value_text(status, "member", text));
	buf_puts(out, ",");
	put_label(out, "forwarding", value_text(status, "forwarding", text));
	buf_puts(out, "} 1\n");
	begin(out, "zog_uptime_seconds", "gauge", "How long it has been running.");
	buf_puts(out, "zog_uptime_seconds");
	put_value(out, value_int(status, "up_ms", 0), OF_MS);
	put_gauges(out, status);
	put_disks(out, status);
	put_members(out, status);
	for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
		put_one(out, pt_get(status, "counters"), counters[i].key, counters[i].name, "counter",
		    counters[i].help);
	return true;
}
