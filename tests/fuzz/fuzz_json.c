/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes as the daemon's answer to a tool. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "tools/json_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count(const struct json_value *value)
{
	size_t total = 0;

	for (; value; value = value->next) {
		total += 1 + count(value->first);
	}
	return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_tree *tree = NULL;
	const char *why = NULL;
	int err = json_tree_new((const char *)data, size, &tree, &why);

	if ((err == 0) != (tree != NULL) || (err != 0 && why == NULL)) {
		abort();
	}
	if (tree && count(json_tree_root(tree)) == 0) {
		abort();
	}
	json_tree_free(&tree);
	return 0;
}
