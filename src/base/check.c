/* SPDX-License-Identifier: BSD-3-Clause */
/* What happens when an invariant does not hold. */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

void check_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "coronet: invariant broken at %s:%d: %s\n", file, line, what);
	abort();
}
