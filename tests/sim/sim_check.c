/* SPDX-License-Identifier: BSD-3-Clause */
/* The memory of the checkers. Each property is a check_ function: of the ring in sim_check_ring.c,
 * of programs in sim_check_programs.c. docs/guarantees.md says what they mean. */
#include "tests/sim/sim_check_int.h"

#include <errno.h>

int sim_check_new(struct sim_check **out)
{
	struct sim_check *check = calloc(1, sizeof(*check));
	struct view none = {0};

	if (!check) {
		return -ENOMEM;
	}
	PUSH(check->views, none);
	*out = check;
	return 0;
}

void sim_check_free(struct sim_check **check_ptr)
{
	struct sim_check *check = *check_ptr;

	if (!check) {
		return;
	}
	for (size_t i = 0; i < check->installs.count; i++) {
		free(check->installs.at[i].ordered.at);
	}
	for (size_t i = 0; i < check->streams.count; i++) {
		struct stream *stream = &check->streams.at[i];

		for (size_t j = 0; j < stream->seen.count; j++) {
			free(stream->seen.at[j].numbers.at);
		}
		free(stream->seen.at);
		free(stream->sent.at);
		free(stream->chapters.at);
	}
	for (size_t i = 0; i < check->views.count; i++) {
		free(check->views.at[i].members);
	}
	for (size_t i = 0; i <= SIM_NODES_MAX; i++) {
		free(check->installs_of[i].at);
	}
	free(check->installs.at);
	free(check->streams.at);
	free(check->views.at);
	free(check);
	*check_ptr = NULL;
}

void sim_check_end(struct sim *sim)
{
	check_rings(sim);
	check_programs(sim);
}
