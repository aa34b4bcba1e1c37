/* SPDX-License-Identifier: MIT
 * place.c - where the control socket is, by zogd.conf. All else in that file is zogd's to judge. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/diag.h"
#include "base/text.h"
#include "zogctl/zogctl.h"

#ifndef RUNSTATEDIR
#define RUNSTATEDIR "/usr/local/var/run"
#endif

enum { FILE_MOST = 1 << 20 };

/* The value of the last line "control = VALUE"; "": there is none. */
static char *
setting(char *text)
{
	char *line, *found = NULL;
	while ((line = text_line(&text)) != NULL) {
		line[strcspn(line, "#")] = '\0';
		char *equals = strchr(line, '=');
		if (equals == NULL)
			continue;
		*equals = '\0';
		if (strcmp(text_trim(line), "control") == 0)
			found = text_trim(equals + 1);
	}
	return found;
}

char *
place_find(const char *file, bool may_lack, int *code)
{
	size_t len;
	char *text = text_slurp(file, FILE_MOST, &len);
	*code = EX_OK;
	if (text == NULL && (errno != ENOENT || !may_lack)) {
		*code = errno == EACCES ? EX_NOPERM : EX_CONFIG;
		diag("cannot read %s: %s", file, strerror(errno));
		return NULL;
	}
	const char *value = text != NULL ? setting(text) : NULL;
	char *path = NULL;
	if (value != NULL && (strcmp(value, "none") == 0 || strcmp(value, "off") == 0)) {
		*code = EX_CONFIG;
		diag("%s: control = %s: that zogd has no control socket", file, value);
	} else if ((path = strdup(value != NULL && *value != '\0' ? value : RUNSTATEDIR "/zog/zogd.sock")) == NULL) {
		*code = EX_OSERR;
		diag("cannot start: %s", strerror(errno));
	}
	free(text);
	return path;
}
