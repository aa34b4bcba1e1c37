/* SPDX-License-Identifier: MIT
 * cmd_stats.c - counts, rate and latency. Latencies are kept as a histogram whose buckets are a
 * thirty-second of a power of two wide: no memory is asked for, and a quantile is right within
 * four percent. */
#include "sprog/cmd.h"

#include <stdio.h>

enum { SUB_BITS = 5, SUB = 1 << SUB_BITS };

/* Below 32 ns a bucket for each; then 32 for each power of two. */
static size_t
bucket_of(uint64_t ns)
{
	if (ns < SUB)
		return (size_t)ns;
	unsigned power = 63 - (unsigned)__builtin_clzll(ns);
	unsigned shift = power - SUB_BITS;
	return (size_t)(shift + 1) * SUB + (size_t)(ns >> shift & (SUB - 1));
}

/* The least latency that does not belong to it any more, minus one. */
static uint64_t
bucket_end(size_t b)
{
	if (b < SUB)
		return b;
	unsigned shift = (unsigned)(b / SUB) - 1;
	return ((uint64_t)(b % SUB + SUB + 1) << shift) - 1;
}

void
stats_add(struct stats *s, const struct sprog_result *r)
{
	switch (__builtin_expect(r->status, SPROG_OK)) {
	case SPROG_OK:
		s->ok++;
		break;
	case SPROG_ERROR:
	case SPROG_NUMBER:
		s->error++;
		break;
	case SPROG_PROTOCOL:
		if (*r->member == '\0')
			s->unsent++;
		else
			s->unknown++;
		return;
	case SPROG_UNKNOWN:
		s->unknown++;
		return;
	default:
		s->unsent++;
		return;
	}
	s->bucket[bucket_of(r->latency_ns)]++;
	if (r->latency_ns > s->most_ns)
		s->most_ns = r->latency_ns;
}

uint64_t
stats_quantile(const struct stats *s, double share)
{
	uint64_t answered = s->ok + s->error, seen = 0;
	double wanted = (double)answered * share;
	for (size_t b = 0; b < STATS_BUCKETS; b++) {
		seen += s->bucket[b];
		if (seen > 0 && (double)seen >= wanted)
			return bucket_end(b) < s->most_ns ? bucket_end(b) : s->most_ns;
	}
	return s->most_ns;
}

static void
put_counts(const struct stats *s, struct buf *b)
{
	buf_printf(b, "%llu sent: %llu ok, %llu error, %llu unknown, %llu not sent",
	    (unsigned long long)s->submitted, (unsigned long long)s->ok,
	    (unsigned long long)s->error, (unsigned long long)s->unknown,
	    (unsigned long long)s->unsent);
}

static double
ms(uint64_t ns)
{
	return (double)ns / 1e6;
}

void
stats_summary(const struct stats *s, struct buf *b)
{
	double seconds = (double)(s->last_ns - s->first_ns) / 1e9;
	uint64_t answered = s->ok + s->error;
	buf_puts(b, "sprog: ");
	put_counts(s, b);
	if (answered == 0) {
		buf_puts(b, "\n");
		return;
	}
	buf_printf(b, "; %.3f s", seconds);
	if (seconds > 0)
		buf_printf(b, ", %.0f/s", (double)answered / seconds);
	buf_printf(b, "\nsprog: latency p50 %.3f ms, p99 %.3f ms, max %.3f ms\n",
	    ms(stats_quantile(s, 0.5)), ms(stats_quantile(s, 0.99)), ms(s->most_ns));
}

void
stats_progress(const struct stats *s, const struct stats *before, double seconds, struct buf *b)
{
	uint64_t answered = s->ok + s->error - before->ok - before->error;
	put_counts(s, b);
	if (seconds > 0)
		buf_printf(b, "; %.0f/s", (double)answered / seconds);
}
