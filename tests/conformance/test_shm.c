/* SPDX-License-Identifier: BSD-3-Clause */
/* The suite on shared memory. */
#include "tests/conformance/conformance.h"
#include "tests/unit/shm/break.h"

int main(int argc, char **argv)
{
	const struct rig shm = {.ops = transport_find("shm"),
				.nodes_max = 6,
				.patience_ms = 5000,
				.gone_ms = 1000,
				.load_frames = 20000,
				.processes = true,
				.break_bulk = shm_break_bulk};

	return conformance_main(&shm, argc, argv);
}
