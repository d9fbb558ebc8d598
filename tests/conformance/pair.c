/* SPDX-License-Identifier: BSD-3-Clause */
/* What tests are set up with. */
#include "tests/conformance/test.h"

#include <stdlib.h>

int pair_setup_closed(void **state)
{
	struct pair *pair = calloc(1, sizeof(*pair));

	if (!pair) {
		return -1;
	}
	pair->a.node = 1;
	pair->b.node = 2;
	for (uint32_t i = 0; i < 4; i++) {
		pair->more[i].node = 3 + i;
	}
	*state = pair;
	return 0;
}

int pair_setup(void **state)
{
	struct pair *pair;

	if (pair_setup_closed(state)) {
		return -1;
	}
	pair = *state;
	ends_pair(&pair->a, &pair->b);
	return 0;
}

int pair_teardown(void **state)
{
	struct pair *pair = *state;

	end_close(&pair->a);
	end_close(&pair->b);
	for (uint32_t i = 0; i < 4; i++) {
		end_close(&pair->more[i]);
	}
	free(pair);
	return 0;
}
