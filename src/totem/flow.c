/* SPDX-License-Identifier: BSD-3-Clause */
/* Flow control: how many frames a visit may number (paper, Flow Control: fcc and backlog), and
 * how far numbers may go at all, so that no member's receive slots are ever overrun. */
#include "totem/totem_int.h"

static uint32_t minimum(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t subtract(uint32_t from, uint32_t what)
{
	return from > what ? from - what : 0;
}

void backlog_push(struct totem *t, const struct totem_event *submit)
{
	struct backlog *backlog = &t->backlog;
	uint32_t at = (backlog->head + backlog->count) % TOTEM_BACKLOG_MAX;

	check(backlog->count < TOTEM_BACKLOG_MAX && submit->frame != NULL);
	backlog->entry[at].frame = submit->frame;
	backlog->entry[at].guarantee = submit->info.guarantee;
	backlog->entry[at].hurry = submit->hurry;
	backlog->count++;
}

/* What was submitted for a ring that has ended is its driver's to submit again, when the groups
 * have agreed who is there. */
void backlog_return(struct totem *t)
{
	struct backlog *backlog = &t->backlog;

	for (; backlog->count > 0; backlog->count--) {
		act(t, TOTEM_ACT_RETURN)->frame = backlog->entry[backlog->head].frame;
		backlog->head = (backlog->head + 1) % TOTEM_BACKLOG_MAX;
	}
}

uint32_t totem_backlog_free(const struct totem *t)
{
	return TOTEM_BACKLOG_MAX - t->backlog.count;
}

/* Our part of the window: all that is left of it, but no more than our share of what everybody
 * has waiting. */
static uint32_t share(const struct totem *t, const struct control_token *token)
{
	uint32_t window = t->config.window_size;
	uint64_t all = (uint64_t)token->backlog + t->backlog.count;
	uint32_t fair =
		token->backlog > 0 ? (uint32_t)((uint64_t)window * t->backlog.count / all) : window;

	return minimum(subtract(window, token->fcc), fair > 0 ? fair : 1);
}

/* How far numbers may go: what all members had room for when the last rotation was complete, and
 * our own window. */
static uint64_t room(const struct totem *t, const struct control_token *token)
{
	const struct ring *ring = t->ring;
	uint64_t end = ring->window.released + TOTEM_WINDOW_MAX;

	if (ring->members.count > 1 && token->limit < end) {
		end = token->limit;
	}
	return end > token->seq ? end - token->seq : 0;
}

/* Takes our part of the last rotation off the token. The representative begins a new minimum of
 * promises: what was gathered while the token went round once holds for all. */
void flow_open(struct totem *t, struct control_token *token)
{
	const struct ring *ring = t->state == TOTEM_RECOVERY ? t->next : t->ring;

	token->fcc = subtract(token->fcc, t->token.sent);
	token->backlog = subtract(token->backlog, t->token.backlog);
	t->token.sent = 0;
	t->token.backlog = 0;
	if (ring->me == 0) {
		token->limit = token->limit_next;
		token->limit_next = CONTROL_SEQ_MAX;
	}
}

/* And puts it on again at the end of the visit. */
void flow_close(struct totem *t, struct control_token *token)
{
	t->token.backlog = t->backlog.count;
	token->backlog += t->backlog.count;
}

uint32_t flow_allowed(const struct totem *t, const struct control_token *token)
{
	uint32_t most = minimum(t->config.max_messages, t->sendable);
	uint32_t count = minimum(t->backlog.count, minimum(most, share(t, token)));
	uint64_t space = room(t, token);

	check(t->state == TOTEM_OPERATIONAL);
	return space < count ? (uint32_t)space : count;
}

/* Numbers the oldest of our backlog. */
void flow_number(struct totem *t, struct control_token *token, uint32_t count)
{
	struct backlog *backlog = &t->backlog;
	struct ring *ring = t->ring;

	check(count <= backlog->count);
	for (uint32_t i = 0; i < count; i++) {
		struct frame_info info = {.ring = ring->id,
					  .seq = ++token->seq,
					  .origin = t->config.node,
					  .guarantee = backlog->entry[backlog->head].guarantee};

		window_put(&ring->window, &info, backlog->entry[backlog->head].frame);
		backlog->head = (backlog->head + 1) % TOTEM_BACKLOG_MAX;
		backlog->count--;
	}
	if (token->seq > ring->high_seq) {
		ring->high_seq = token->seq;
	}
	check(token->seq <= ring->window.released + TOTEM_WINDOW_MAX &&
	      ring->window.high <= token->seq);
	t->sendable -= count;
	t->counters.frames_sent += count;
	t->token.sent += count;
	token->fcc += count;
	if (count > 0) {
		token->seat = ring->me;
	}
}

/* Absolute, and never taken back: a number up to here finds a slot and a place with us, whenever
 * it comes. */
void flow_promise(struct totem *t, struct control_token *token)
{
	const struct ring *ring = t->state == TOTEM_RECOVERY ? t->next : t->ring;
	uint64_t from = t->state == TOTEM_RECOVERY ? 0 : t->capacity_from;
	uint64_t promise = from + t->capacity;
	uint64_t window = ring->window.released + TOTEM_WINDOW_MAX;

	promise = promise < window ? promise : window;
	token->limit_next = promise < token->limit_next ? promise : token->limit_next;
}
