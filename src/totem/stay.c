/* SPDX-License-Identifier: BSD-3-Clause */
/* A stay: a visit that goes on. While we alone have something to send, sending the token round
 * would only wake members that have nothing to add, so it is kept, and frames are numbered and
 * sent as they come. It ends with our part of the window, with a frame whose driver is in a hurry,
 * when another member wakes us, when nothing has been delivered or has come for a moment, and in
 * any case long before anybody could take the token for lost. */
#include "totem/totem_int.h"

#define STAY_IDLE_MS 2

/* Whether all that is numbered now can do without a rotation. SAFE frames can: they are answered by
 * ACKs. */
static bool can_wait(const struct backlog *backlog, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t at = (backlog->head + i) % TOTEM_BACKLOG_MAX;

		if (backlog->entry[at].hurry) {
			return false;
		}
	}
	return true;
}

/* Nobody else has sent since our last visit, waits, or misses something; and we have room for what
 * we have. */
bool stay_wanted(const struct totem *t, const struct control_token *token, uint32_t count)
{
	bool others = token->fcc > t->token.sent || token->backlog > 0 || token->rtr_count > 0;

	return count > 0 && count == t->backlog.count && t->ring->members.count > 1 && !others &&
	       !t->token.wake && can_wait(&t->backlog, count);
}

static uint64_t idle_wait(const struct totem *t)
{
	uint64_t stayed = t->now_ms - t->token.stay_since_ms;
	uint64_t most = t->config.token_ms / 20;
	uint64_t left = stayed < most ? most - stayed : 0;

	return left < STAY_IDLE_MS ? left : STAY_IDLE_MS;
}

void stay_begin(struct totem *t, const struct control_token *token)
{
	struct token_memory *memory = &t->token;

	check(!memory->holding && t->state == TOTEM_OPERATIONAL);
	memory->held = *token;
	memory->holding = true;
	memory->staying = true;
	memory->stay_since_ms = t->now_ms;
	memory->stay_delivered = t->ring->delivered;
	timer_set(t, TIMER_HOLD, STAY_IDLE_MS);
	timer_stop(t, TIMER_TOKEN_LOSS);
}

/* When nothing gets delivered, because an ACK was lost or we lack something ourselves, only the token
 * can help. */
static void prolong(struct totem *t)
{
	struct token_memory *memory = &t->token;

	if (t->ring->delivered > memory->stay_delivered) {
		memory->stay_delivered = t->ring->delivered;
		timer_set(t, TIMER_HOLD, idle_wait(t));
	}
}

/* A frame was submitted. */
void stay_go_on(struct totem *t)
{
	struct token_memory *memory = &t->token;
	struct control_token *token = &memory->held;
	uint32_t count = flow_allowed(t, token);
	bool more = stay_wanted(t, token, count) && idle_wait(t) > 0 &&
		    t->ring->window.high <= token->seq;
	uint64_t first = token->seq + 1;

	check(memory->staying && memory->holding);
	if (!more) {
		token_release(t);
		return;
	}
	flow_number(t, token, count);
	visit_send(t, first, token->seq);
	deliver_early(t, first, token->seq);
	deliver_ready(t);
	prolong(t);
}

static void wake(struct totem *t, uint32_t node)
{
	struct control *control = message_new(t, CONTROL_WAKE);

	control->ring = t->ring->id;
	act_control(t, node, control);
	t->token.woke = node;
}

/* Whom to wake when there is something to send: where the token rests, or who has sent since our
 * visit and may be staying, because at that visit we had nothing. 0: nobody. */
static uint32_t sleeper(const struct totem *t)
{
	const struct token_memory *memory = &t->token;
	bool silent = memory->sent == 0 && memory->backlog == 0;

	if (t->state != TOTEM_OPERATIONAL || memory->holding || memory->woke != 0) {
		return 0;
	}
	if (silent && memory->sender != 0) {
		return memory->sender;
	}
	return memory->resting && memory->seat != t->ring->me ? t->ring->members.id[memory->seat]
							      : 0;
}

void stay_disturb(struct totem *t)
{
	uint32_t node = sleeper(t);

	if (node != 0 && t->backlog.count > 0) {
		wake(t, node);
	}
}

/* A frame submitted now need not wait for the token to come round: it is here and waits for
 * something, or can be called. On a ring of one it is always here. */
bool totem_resting(const struct totem *t)
{
	const struct token_memory *memory = &t->token;

	return t->state == TOTEM_OPERATIONAL &&
	       ((memory->holding && t->ring->members.count > 1) ||
		(memory->resting && memory->woke == 0) || sleeper(t) != 0);
}
