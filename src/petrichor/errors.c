/* SPDX-License-Identifier: MIT
 * errors.c - what the results are called. Any thread. */
#include "petrichor/petrichor.h"

static const struct {
	const char *name, *text;
} errors[PT_ERRORS] = {
	[PT_OK] = { "OK", "done" },
	[PT_CLOSED] = { "CLOSED", "the peer closed the connection" },
	[PT_E_EMPTY] = { "EMPTY", "nothing where a frame is due" },
	[PT_E_TRUNC] = { "TRUNC", "the frame is incomplete" },
	[PT_E_LEN_DIGIT] = { "LEN_DIGIT", "a byte that is no digit in a frame's size" },
	[PT_E_LEN_ZERO] = { "LEN_ZERO", "a frame's size begins with 0" },
	[PT_E_LEN_LONG] = { "LEN_LONG", "a frame's size has more than 9 digits" },
	[PT_E_TAG] = { "TAG", "a frame's tag is unknown" },
	[PT_E_INT] = { "INT", "not a whole number" },
	[PT_E_INT_RANGE] = { "INT_RANGE", "a whole number of more than 64 bits" },
	[PT_E_FLOAT] = { "FLOAT", "not a number" },
	[PT_E_FLOAT_RANGE] = { "FLOAT_RANGE", "a number that is too large" },
	[PT_E_BOOL] = { "BOOL", "neither true nor false" },
	[PT_E_NULL] = { "NULL", "a null that is not empty" },
	[PT_E_CHILD] = { "CHILD", "a frame that is longer than what it stands in" },
	[PT_E_KEY] = { "KEY", "a key that is not bytes" },
	[PT_E_ODD] = { "ODD", "a key without a value" },
	[PT_E_DUPKEY] = { "DUPKEY", "a key that comes twice" },
	[PT_E_DEPTH] = { "DEPTH", "too many lists or dicts in each other" },
	[PT_E_LIMIT] = { "LIMIT", "larger than the limit" },
	[PT_E_TRAILING] = { "TRAILING", "bytes behind the frame" },
	[PT_E_HDR_NOT_DICT] = { "HDR_NOT_DICT", "the header is not a dict" },
	[PT_E_TRUNC_BODY] = { "TRUNC_BODY", "the peer closed between header and body" },
	[PT_E_ENCODING] = { "ENCODING", "the body is not in a coding that was agreed on" },
	[PT_E_TIMEOUT] = { "TIMEOUT", "not in time" },
	[PT_E_IO] = { "IO", "reading or writing failed" },
	[PT_E_RESOLVE] = { "RESOLVE", "the host has no address" },
	[PT_E_MEMORY] = { "MEMORY", "out of memory" },
	[PT_E_ARGUMENT] = { "ARGUMENT", "not a valid argument" },
	[PT_E_DENIED] = { "DENIED", "the server does not let us in" },
	[PT_E_RESTARTED] = { "RESTARTED", "the server has started anew since the request was sent" },
};

const char *
pt_error_name(int error)
{
	return error >= 0 && error < PT_ERRORS ? errors[error].name : "UNKNOWN";
}

const char *
pt_error_text(int error)
{
	return error >= 0 && error < PT_ERRORS ? errors[error].text : "unknown error";
}
