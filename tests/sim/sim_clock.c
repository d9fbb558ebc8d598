/* SPDX-License-Identifier: BSD-3-Clause */
/* Virtual time: a binary heap of events ordered by (time, insertion). */
#include "tests/sim/sim.h"

#include <errno.h>
#include <stdlib.h>

struct event {
	uint64_t at_us;
	uint64_t order;
	sim_fn fn;
	uint32_t node;
	uint64_t arg;
};

struct sim_clock {
	uint64_t now_us;
	uint64_t order;
	struct event *heap;
	size_t count;
	size_t capacity;
};

int sim_clock_new(struct sim_clock **out)
{
	struct sim_clock *clock = calloc(1, sizeof(*clock));

	if (!clock) {
		return -ENOMEM;
	}
	/* Not zero, so that nothing depends on starting there. */
	clock->now_us = 1000 * SECOND;
	*out = clock;
	return 0;
}

void sim_clock_free(struct sim_clock **clock)
{
	if (*clock) {
		free((*clock)->heap);
		free(*clock);
		*clock = NULL;
	}
}

uint64_t sim_now_us(const struct sim *sim)
{
	return sim->clock->now_us;
}

static bool earlier(const struct event *a, const struct event *b)
{
	return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

/* Finds the place for an event that stands nowhere yet, from `at` down; what is earlier moves up. */
static void sift_down(struct sim_clock *clock, size_t at, const struct event *event)
{
	struct event *heap = clock->heap;
	size_t child;

	while ((child = 2 * at + 1) < clock->count) {
		if (child + 1 < clock->count && earlier(&heap[child + 1], &heap[child])) {
			child++;
		}
		if (!earlier(&heap[child], event)) {
			break;
		}
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = *event;
}

/* Likewise from `at` up. */
static void sift_up(struct sim_clock *clock, size_t at, const struct event *event)
{
	struct event *heap = clock->heap;

	while (at > 0 && earlier(event, &heap[(at - 1) / 2])) {
		heap[at] = heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	heap[at] = *event;
}

void sim_at(struct sim *sim, uint64_t delay_us, sim_fn fn, uint32_t node, uint64_t arg)
{
	struct sim_clock *clock = sim->clock;
	struct event event = {clock->now_us + delay_us, clock->order++, fn, node, arg};
	size_t at = clock->count++;

	if (clock->count > clock->capacity) {
		clock->capacity = clock->capacity ? clock->capacity * 2 : 1024;
		clock->heap = realloc(clock->heap, clock->capacity * sizeof(*clock->heap));
		if (!clock->heap) {
			abort();
		}
	}
	sift_up(clock, at, &event);
}

bool sim_clock_step(struct sim *sim, uint64_t limit_us)
{
	struct sim_clock *clock = sim->clock;
	struct event event;
	struct event last;

	if (clock->count == 0 || clock->heap[0].at_us > limit_us) {
		clock->now_us = limit_us;
		return false;
	}
	event = clock->heap[0];
	last = clock->heap[--clock->count];
	if (clock->count > 0) {
		sift_down(clock, 0, &last);
	}
	clock->now_us = event.at_us;
	event.fn(sim, event.node, event.arg);
	return true;
}

void sim_clock_drain(struct sim *sim)
{
	while (sim->clock->count > 0) {
		sim_clock_step(sim, UINT64_MAX);
	}
}
