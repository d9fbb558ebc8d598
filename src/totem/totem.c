/* SPDX-License-Identifier: BSD-3-Clause */
/* The ring's life, its configuration and what it says about itself. */
#include "totem/totem_int.h"

#include <errno.h>
#include <stdlib.h>

static bool config_valid(const struct totem_config *config)
{
	return config->node != 0 && config->token_ms > 0 && config->token_retransmit_ms > 0 &&
	       config->hold_ms > 0 && config->join_ms > 0 && config->consensus_ms > 0 &&
	       config->merge_ms > 0 && config->window_size > 0 &&
	       config->window_size <= TOTEM_WINDOW_MAX / 4 && config->max_messages > 0 &&
	       config->miss_count_const < UINT8_MAX;
}

int totem_new(const struct totem_config *config, uint64_t ring_seq, struct totem **out)
{
	struct totem *t;

	if (!config_valid(config) || ring_seq > CONTROL_SEQ_MAX) {
		return -EINVAL;
	}
	t = calloc(1, sizeof(*t));
	if (!t || outbox_init(&t->outbox) < 0) {
		totem_free(&t);
		return -ENOMEM;
	}
	t->config = *config;
	t->ring_seq = ring_seq;
	t->state = TOTEM_GATHER;
	t->reason = TOTEM_REASON_START;
	t->ring = &t->rings[0];
	t->next = &t->rings[1];
	for (uint32_t i = 0; i < TIMERS; i++) {
		timer_stop(t, (enum timer)i);
	}
	*out = t;
	return 0;
}

void totem_free(struct totem **t)
{
	if (!*t) {
		return;
	}
	outbox_fini(&(*t)->outbox);
	free(*t);
	*t = NULL;
}

void totem_drain(struct totem *t, void (*release)(void *ctx, void *frame), void *ctx)
{
	for (uint32_t i = 0; i < 2; i++) {
		struct window *window = &t->rings[i].window;

		while (window->here > 0) {
			void *frame = window_take(window);

			if (frame) {
				release(ctx, frame);
			}
		}
	}
	for (; t->backlog.count > 0; t->backlog.count--) {
		release(ctx, t->backlog.entry[t->backlog.head].frame);
		t->backlog.head = (t->backlog.head + 1) % TOTEM_BACKLOG_MAX;
	}
}

uint64_t totem_expected(const struct totem *t)
{
	return t->ring->high_seq - t->ring->window.aru;
}

bool totem_wants(const struct totem *t, uint32_t from, const struct frame_info *info)
{
	return frame_wanted(t, from, info);
}

void totem_status(const struct totem *t, struct totem_status *out)
{
	const struct ring *ring = t->ring;

	*out = t->counters;
	out->state = t->state;
	out->reason = t->reason;
	out->ring = ring->id;
	out->members = ring->members;
	out->high_seq = ring->high_seq;
	out->aru = ring->window.aru;
	out->delivered = ring->delivered;
	out->released = ring->window.released;
	out->backlog = t->backlog.count;
	out->resting = t->state == TOTEM_OPERATIONAL && t->token.resting;
}

int totem_reconfigure(struct totem *t, const struct totem_config *config)
{
	if (!config_valid(config) || config->node != t->config.node) {
		return -EINVAL;
	}
	t->config = *config;
	return 0;
}
