/* SPDX-License-Identifier: BSD-3-Clause */
/* The window as an array that is used round and round. */
#include "totem/window.h"

#include <string.h>

#include "base/check.h"

static uint32_t index_of(uint64_t seq)
{
	return (uint32_t)(seq % TOTEM_WINDOW_MAX);
}

void window_reset(struct window *window)
{
	check(window->here == 0);
	memset(window, 0, sizeof(*window));
}

bool window_covers(const struct window *window, uint64_t seq)
{
	return seq > window->released && seq - window->released <= TOTEM_WINDOW_MAX;
}

struct place *window_at(struct window *window, uint64_t seq)
{
	check(window_covers(window, seq));
	return &window->places[index_of(seq)];
}

bool window_has(const struct window *window, uint64_t seq)
{
	if (seq <= window->aru) {
		return true;
	}
	return window_covers(window, seq) && window->places[index_of(seq)].state == PLACE_HERE;
}

static void raise_aru(struct window *window)
{
	while (window->aru < window->high && window_has(window, window->aru + 1)) {
		window->aru++;
	}
}

void window_put(struct window *window, const struct frame_info *info, void *frame)
{
	struct place *place = window_at(window, info->seq);

	check(place->state != PLACE_HERE && frame != NULL);
	*place = (struct place){.frame = frame,
				.origin = info->origin,
				.guarantee = (uint8_t)info->guarantee,
				.state = PLACE_HERE};
	window->here++;
	if (info->seq > window->high) {
		window->high = info->seq;
	}
	raise_aru(window);
	check(window->aru <= window->high && window->here <= TOTEM_WINDOW_MAX);
}

void *window_take(struct window *window)
{
	struct place *place = window_at(window, window->released + 1);
	void *frame = place->frame;

	check((frame != NULL) == (place->state == PLACE_HERE));
	if (frame) {
		window->here--;
	}
	*place = (struct place){0};
	window->released++;
	if (window->aru < window->released) {
		window->aru = window->released;
		window->high = window->high < window->aru ? window->aru : window->high;
		raise_aru(window);
	}
	return frame;
}
