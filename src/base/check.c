/* SPDX-License-Identifier: BSD-3-Clause */
/* What happens when an invariant does not hold. */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

static void (*tell_also)(const char *text);

void check_tell_also(void (*tell)(const char *text))
{
	tell_also = tell;
}

void check_failed(const char *file, int line, const char *what)
{
	void (*tell)(const char *text) = tell_also;
	char text[512];

	snprintf(text, sizeof(text), "invariant broken at %s:%d: %s", file, line, what);
	fprintf(stderr, "coronet: %s\n", text);
	/* Once: it may break one itself. */
	tell_also = NULL;
	if (tell) {
		tell(text);
	}
	abort();
}
