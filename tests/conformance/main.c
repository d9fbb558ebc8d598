/* SPDX-License-Identifier: BSD-3-Clause */
/* The suite's main: runs every part on one rig, or becomes a puppet. */
#include "tests/conformance/conformance.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/conformance/end.h"
#include "tests/conformance/puppet.h"
#include "tests/conformance/test.h"

const struct rig *rig;

static void test_fail(const char *text)
{
	fail_msg("%s", text);
}

int conformance_main(const struct rig *with, int argc, char **argv)
{
	const char *unusable;
	char name[32];

	rig = with;
	if (argc > 1 && strcmp(argv[1], "puppet") == 0) {
		return puppet_main(argc, argv);
	}
	unusable = rig->unusable ? rig->unusable() : NULL;
	if (unusable) {
		printf("skipped: %s\n", unusable);
		return 77;
	}
	end_fail = test_fail;
	snprintf(name, sizeof(name), "conformance-%d", (int)getpid());
	end_cluster_set(name);
	/* One failed part does not hide the next one's result. */
	return conformance_links() + conformance_control() + conformance_frames() +
		       conformance_bulk() + conformance_reads() + conformance_fence() +
		       conformance_polling() + conformance_processes() >
	       0;
}
