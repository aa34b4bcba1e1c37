/* SPDX-License-Identifier: MIT
 * rpc-server.c - calls of functions, as JSON-RPC has them: the arguments are the body, a list, and the
 * result is the reply's. Replies bear the pt.id of their call; a call without one has no reply.
 *
 *	{method: add, pt.id: 1} [1, 2]          ->      {pt.id: 1} 3
 *	{method: sub, pt.id: 2} [1, 2]          ->      {pt.id: 2, pt.err: no-method} "unknown method" */
#include "sample-server.h"

/* Each is given a list, and says whether it likes that. */
static bool
add(const struct pt_value *args, struct pt_value *result)
{
	int64_t sum = 0;
	for (size_t i = 0; i < args->items.len; i++)
		if (args->items.at[i].type != PT_INT || __builtin_add_overflow(sum, args->items.at[i].integer, &sum))
			return false;
	*result = (struct pt_value)PT_INT_OF(sum);
	return true;
}

static bool
count(const struct pt_value *args, struct pt_value *result)
{
	*result = (struct pt_value)PT_INT_OF((int64_t)args->items.len);
	return true;
}

static bool
same(const struct pt_value *args, struct pt_value *result)
{
	*result = *args;
	return true;
}

static const struct method {
	const char *name;
	bool      (*call)(const struct pt_value *args, struct pt_value *result);
} methods[] = { { "add", add }, { "count", count }, { "same", same } };

static int
call(struct pt_conn *c, const struct pt_value *header, const struct pt_value *args)
{
	const struct pt_value *id = pt_get(header, "pt.id"), *name = pt_get(header, "method");
	const struct method *m = methods, *end = methods + sizeof methods / sizeof *methods;
	struct pt_value result;

	while (m < end && !pt_is_text(name, m->name))
		m++;
	bool good = m < end && args->type == PT_LIST && m->call(args, &result);
	if (id == NULL)
		return PT_OK;
	if (m == end)
		return pt_fail(c, header, "no-method", "unknown method");
	if (!good)
		return pt_fail(c, header, "bad-arguments", "not the arguments that it takes");
	const struct pt_value pairs[] = { PT_TEXT("pt.id"), *id }, reply = PT_DICT_OF(pairs, 1);
	return pt_send(c, &reply, &result);
}

static void
serve(struct pt_conn *c)
{
	char user[SAMPLE_NAME];
	const struct pt_value *header, *args;

	if (!sample_welcome(c, user))
		return;
	while (pt_recv(c, &header, &args) == PT_OK && call(c, header, args) == PT_OK)
		;
}

int
main(int argc, char **argv)
{
	sample_arguments(argc, argv, 0);
	return sample_serve(serve);
}
