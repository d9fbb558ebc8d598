/* SPDX-License-Identifier: BSD-3-Clause */
/* The window: the places of one ring between its release point and TOTEM_WINDOW_MAX beyond. A
 * place is empty, pending (announced, its payload on the way) or here. The window owns the frames
 * that are here until window_take hands the lowest out. */
#ifndef CORONET_TOTEM_WINDOW_H
#define CORONET_TOTEM_WINDOW_H

#include "totem/totem.h"

enum place_state {
	PLACE_EMPTY,
	PLACE_PENDING,
	PLACE_HERE
};

struct place {
	void *frame;
	uint32_t origin;
	uint32_t
		missing_since_ms; /* low 32 bits of the clock; when its absence was first noticed */
	uint8_t state;		  /* enum place_state */
	uint8_t guarantee;	  /* enum frame_guarantee */
	uint8_t misses;		  /* token visits since then, saturating */
	bool asked;		  /* recovery: requested, no answer yet */
};

struct window {
	uint64_t released; /* these and all below are gone: every member had them */
	uint64_t aru;	   /* these and all below are here, or were */
	uint64_t high;	   /* the highest that is here, or was */
	uint32_t here;
	struct place places[TOTEM_WINDOW_MAX];
};

void window_reset(struct window *window);
/* Whether the number has a place: above the release point and not too far. */
bool window_covers(const struct window *window, uint64_t seq);
/* The number must be covered. */
struct place *window_at(struct window *window, uint64_t seq);
/* Here now, or was. False for what is not covered yet. */
bool window_has(const struct window *window, uint64_t seq);
/* Takes the frame. The place must be covered and not HERE. */
void window_put(struct window *window, const struct frame_info *info, void *frame);
/* Lowest place out of the window: its frame, or NULL when it was not here. The release point
 * moves up by one. */
void *window_take(struct window *window);

#endif
