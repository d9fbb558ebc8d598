/* SPDX-License-Identifier: BSD-3-Clause */
/* The regular token (paper: Total Ordering Protocol): whoever has it resends what others lack,
 * numbers and sends its own frames, says what it lacks itself, and passes it on. As in Babay and
 * Amir's accelerated ring the token leaves before the last of the frames that it announces. */
#include "totem/totem_int.h"

#include <string.h>

/* How long a token waits when it has found nothing changed for many rotations while somebody's
 * pull is not done. */
#define STILL_HOLD_MS 1

void token_forget(struct totem *t)
{
	memset(&t->token, 0, offsetof(struct token_memory, held));
	t->token.sent_size = 0;
}

/* Remembers what was forwarded until there is a sign that it arrived. */
void token_sent(struct totem *t, uint32_t to, const struct control *message)
{
	struct token_memory *memory = &t->token;
	uint64_t patience = t->config.token_retransmit_ms;

	check(to != t->config.node);
	memory->sent_size = wire_control_encode(message, memory->sent_bytes);
	memory->sent_to = to;
	memory->awaiting = true;
	act_bytes(t, to, memory->sent_bytes, memory->sent_size);
	if (message->kind == CONTROL_TOKEN && message->token.idle) {
		patience += t->config.hold_ms;
	}
	timer_set(t, TIMER_TOKEN_RETRANSMIT, patience);
	timer_set(t, TIMER_TOKEN_LOSS, t->config.token_ms);
	if (!peer_linked(t, to)) {
		timer_shorten(t, TIMER_TOKEN_LOSS, link_down_wait_ms(t));
	}
}

void token_arrived_evidence(struct totem *t)
{
	t->token.awaiting = false;
	timer_stop(t, TIMER_TOKEN_RETRANSMIT);
}

void token_timer_retransmit(struct totem *t)
{
	struct token_memory *memory = &t->token;

	if (!memory->awaiting) {
		return;
	}
	check(memory->sent_size > 0);
	if (peer_linked(t, memory->sent_to)) {
		act_bytes(t, memory->sent_to, memory->sent_bytes, memory->sent_size);
		t->counters.token_retransmits++;
	}
	timer_set(t, TIMER_TOKEN_RETRANSMIT, t->config.token_retransmit_ms);
}

static uint32_t idle_visits_max(const struct totem *t)
{
	uint32_t wanted = t->config.seqno_unchanged_const;

	return wanted < IDLE_VISITS_MIN ? IDLE_VISITS_MIN : wanted;
}

static bool ring_all_released(const struct ring *ring)
{
	return ring->window.released == ring->high_seq;
}

/* A ring of one passes the token to itself: at once when there is something to do, else when a
 * frame comes. */
static void keep(struct totem *t, const struct control_token *token)
{
	struct token_memory *memory = &t->token;
	bool idle = t->backlog.count == 0 && ring_all_released(t->ring);

	check(t->state == TOTEM_OPERATIONAL && t->ring->members.count == 1);
	memory->held = *token;
	memory->holding = true;
	memory->resting = idle;
	if (idle) {
		timer_stop(t, TIMER_HOLD);
	} else {
		timer_set(t, TIMER_HOLD, 0);
	}
}

/* What we remember of a token that leaves. */
static void remember(struct totem *t, struct control_token *token)
{
	struct token_memory *memory = &t->token;

	check(token->aru <= token->seq && (token->aru_id == 0) == (token->aru == token->seq));
	token->token_seq++;
	memory->token_seq = token->token_seq;
	memory->visit_seq = token->seq;
	memory->visit_aru = token->aru;
	memory->visit_done = token->done;
	memory->resting = token->idle;
	memory->seat = token->seat;
	memory->sender = 0;
	memory->wake = false;
	memory->woke = 0;
}

static void forward(struct totem *t, const struct ring *ring, struct control *control)
{
	remember(t, &control->token);
	if (ring->members.count == 1) {
		keep(t, &control->token);
	} else {
		token_sent(t, ring_after(ring), control);
	}
}

/* Paper, Total Ordering Protocol: the aru rule: lower it to ours; raise it again if we lowered
 * it, or nobody has. */
static void update_aru(const struct totem *t, const struct ring *ring, struct control_token *token)
{
	uint64_t ours = ring->window.aru < token->seq ? ring->window.aru : token->seq;

	if (ours < token->aru || token->aru_id == 0 || token->aru_id == t->config.node) {
		token->aru = ours;
		token->aru_id = ours == token->seq ? 0 : t->config.node;
	}
}

static void update_masks(struct totem *t, const struct ring *ring, struct control_token *token)
{
	uint64_t me = 1ull << ring->me;

	check(((token->done | token->progress) & ~ring->all) == 0);
	token->progress &= ~me;
	token->progress |= t->progress ? me : 0;
	t->progress = false;
	if (t->state == TOTEM_RECOVERY && t->recovery.done) {
		token->done |= me;
	}
}

/* The others that the ring waits for. */
static uint64_t awaited(const struct totem *t, const struct ring *ring,
			const struct control_token *token)
{
	uint64_t mask = ring->all & ~token->done;

	if (t->state == TOTEM_OPERATIONAL) {
		int index = nodeset_index(&ring->members, token->aru_id);

		mask = index >= 0 ? 1ull << index : 0;
	}
	return mask & ~(1ull << ring->me);
}

/* Paper, Membership Protocol: failure to receive. Here also by the clock, because a ring over
 * RDMA makes thousands of rotations while a large message is pulled, and not while those waited
 * for say that they get on. */
static uint64_t find_stuck(struct totem *t, const struct ring *ring,
			   const struct control_token *token)
{
	struct token_memory *memory = &t->token;
	uint64_t mask = awaited(t, ring, token);

	if (mask == 0 || mask != memory->stuck_mask || token->aru != memory->stuck_aru ||
	    (token->progress & mask) != 0) {
		memory->stuck_mask = mask;
		memory->stuck_aru = token->aru;
		memory->stuck_since_ms = t->now_ms;
		memory->stuck_visits = 0;
		return 0;
	}
	memory->stuck_visits++;
	return memory->stuck_visits > t->config.fail_recv_const &&
			       t->now_ms - memory->stuck_since_ms >= t->config.token_ms
		       ? mask
		       : 0;
}

static void fail_stuck(struct totem *t, const struct ring *ring, uint64_t mask)
{
	struct nodeset members = ring->members;

	gather_enter(t, TOTEM_REASON_FAILED_TO_RECEIVE);
	for (uint32_t i = 0; i < members.count; i++) {
		if (mask & (1ull << i)) {
			gather_fail(t, members.id[i]);
		}
	}
}

void visit_send(struct totem *t, uint64_t first, uint64_t last)
{
	const struct ring *ring = t->ring;
	uint64_t others = ring->all & ~(1ull << ring->me);

	for (uint64_t seq = first; seq <= last; seq++) {
		act_send(t, ring, seq, others);
	}
}

static void note_visit(struct totem *t)
{
	struct token_memory *memory = &t->token;

	if (memory->visited) {
		t->counters.rotation_us_last = (t->now_ms - memory->visit_ms) * 1000;
	}
	memory->visited = true;
	memory->visit_ms = t->now_ms;
	t->counters.token_rotations++;
	t->repeats_visits++;
}

/* Said at its seat when nothing has happened for so long that it will rest next time; unsaid by who
 * does something. */
static bool stays_idle(const struct totem *t, const struct ring *ring,
		       const struct control_token *token, bool was_idle)
{
	if (t->state != TOTEM_OPERATIONAL || t->backlog.count > 0 || token->aru_id != 0 ||
	    token->rtr_count > 0 || token->seq != t->token.visit_seq) {
		return false;
	}
	return ring->me == token->seat ? t->token.idle_visits + 1 >= idle_visits_max(t) : was_idle;
}

/* Paper, Total Ordering Protocol: safe when the token said so on two visits in a row. ACKs may have
 * said it before. */
static void update_safe(struct totem *t, const struct control_token *token)
{
	struct token_memory *memory = &t->token;
	struct ring *ring = t->ring;
	uint64_t both = token->aru < memory->visit_aru ? token->aru : memory->visit_aru;

	memory->safe = both > memory->safe ? both : memory->safe;
	ring->safe = memory->safe > ring->safe ? memory->safe : ring->safe;
	check(ring->safe <= ring->window.aru);
}

static void visit_end(struct totem *t, struct control *control)
{
	struct control_token *token = &control->token;

	flow_close(t, token);
	rtr_request(t, token);
	update_aru(t, t->ring, token);
	flow_promise(t, token);
	token->idle = stays_idle(t, t->ring, token, token->idle);
	forward(t, t->ring, control);
}

/* The visit of an installed ring. */
static void visit_operational(struct totem *t, struct control *control)
{
	struct control_token *token = &control->token;
	uint64_t first = token->seq + 1;
	uint32_t after = 0;
	uint32_t count;
	bool stays;

	rtr_serve(t, token);
	flow_open(t, token);
	update_safe(t, token);
	count = flow_allowed(t, token);
	stays = stay_wanted(t, token, count);
	if (!stays) {
		after = count < t->config.accelerated_window ? count : t->config.accelerated_window;
	}
	flow_number(t, token, count);
	visit_send(t, first, token->seq - after);
	if (stays) {
		stay_begin(t, token);
	} else {
		visit_end(t, control);
	}
	visit_send(t, token->seq - after + 1, token->seq);
	deliver_early(t, first, token->seq);
	deliver_ready(t);
}

/* What came last during a stay and ends it is numbered now. */
static void visit_end_stay(struct totem *t)
{
	struct control *control = message_new(t, CONTROL_TOKEN);
	struct control_token *token = &control->token;
	uint64_t first;

	*token = t->token.held;
	first = token->seq + 1;
	flow_number(t, token, flow_allowed(t, token));
	visit_end(t, control);
	visit_send(t, first, token->seq);
	deliver_early(t, first, token->seq);
	deliver_ready(t);
}

/* The visit while old rings' messages are still being exchanged: nothing is numbered. */
static void visit_recovery(struct totem *t, struct control *control)
{
	struct control_token *token = &control->token;

	flow_open(t, token);
	update_aru(t, t->next, token);
	flow_promise(t, token);
	token->idle = false;
	forward(t, t->next, control);
}

/* Whoever numbers a frame has the token: all numbers in use are on it. Else somebody lies. */
bool token_contradicted(struct totem *t, const struct ring *ring, const struct control_token *token)
{
	if (ring->window.high <= token->seq && ring->acks.high <= token->seq) {
		return false;
	}
	reject(t, ring->window.high > token->seq ? "frame with a number that nobody has assigned"
						 : "ack of a number that nobody has assigned");
	gather_enter(t, TOTEM_REASON_CONTRADICTION);
	return true;
}

static void visit(struct totem *t, const struct control_token *arrived)
{
	struct ring *ring = ring_turning(t);
	struct control *control;
	uint64_t stuck = find_stuck(t, ring, arrived);

	if (token_contradicted(t, ring, arrived)) {
		return;
	}
	note_visit(t);
	if (stuck != 0) {
		fail_stuck(t, ring, stuck);
		return;
	}
	control = message_new(t, CONTROL_TOKEN);
	control->token = *arrived;
	update_masks(t, ring, &control->token);
	if (t->state == TOTEM_RECOVERY && control->token.done == ring->all) {
		ring_install(t);
	}
	if (t->state == TOTEM_RECOVERY) {
		visit_recovery(t, control);
	} else {
		visit_operational(t, control);
	}
}

/* How long the token is to wait here before its visit; 0: not at all. */
static uint64_t hold_for(struct totem *t, const struct control_token *token)
{
	struct token_memory *memory = &t->token;
	bool same = memory->visited && memory->sent == 0 && token->seq == memory->visit_seq &&
		    token->aru == memory->visit_aru && token->done == memory->visit_done;
	bool idle = same && t->state == TOTEM_OPERATIONAL && token->aru_id == 0 &&
		    token->rtr_count == 0 && token->backlog == 0 && t->backlog.count == 0 &&
		    !memory->wake;

	memory->still_visits = same ? memory->still_visits + 1 : 0;
	memory->idle_visits = idle ? memory->idle_visits + 1 : 0;
	if (ring_turning(t)->me != token->seat) {
		return 0;
	}
	if (memory->idle_visits >= idle_visits_max(t)) {
		return t->config.hold_ms;
	}
	return memory->still_visits >= idle_visits_max(t) ? STILL_HOLD_MS : 0;
}

static void hold(struct totem *t, const struct control_token *token, uint64_t for_ms)
{
	struct token_memory *memory = &t->token;

	check(!memory->holding && ring_turning(t)->me == token->seat);
	memory->held = *token;
	memory->holding = true;
	memory->resting = memory->idle_visits >= idle_visits_max(t);
	timer_set(t, TIMER_HOLD, for_ms);
	timer_stop(t, TIMER_TOKEN_LOSS);
}

void token_release(struct totem *t)
{
	struct token_memory *memory = &t->token;

	if (!memory->holding) {
		return;
	}
	memory->holding = false;
	memory->resting = false;
	timer_stop(t, TIMER_HOLD);
	if (memory->staying) {
		memory->staying = false;
		if (!token_contradicted(t, t->ring, &memory->held)) {
			visit_end_stay(t);
		}
	} else {
		visit(t, &memory->held);
	}
}

static const char *token_fault(const struct totem *t, const struct ring *ring, uint32_t from,
			       const struct control_token *token)
{
	const struct token_memory *memory = &t->token;
	uint64_t masks = token->done | token->progress;

	if ((from != ring_before(ring) && from != memory->woke) || memory->holding) {
		return "token: not from the member before us or the one we called, or a second one";
	}
	if (token->seq < memory->visit_seq ||
	    token->seq > ring->window.released + TOTEM_WINDOW_MAX) {
		return "token: number goes back, or beyond the window";
	}
	if (token->seat >= ring->members.count) {
		return "token: seat of no member";
	}
	if (token->aru < memory->safe ||
	    (token->aru_id != 0 && !nodeset_has(&ring->members, token->aru_id))) {
		return "token: aru below what all have received, or of no member";
	}
	if ((memory->visit_done & ~token->done) != 0) {
		return "token: a member takes back that it has all";
	}
	for (uint32_t i = 0; i < token->rtr_count; i++) {
		masks |= token->rtr[i].mask;
		if (token->rtr[i].last > token->seq) {
			return "token: asks for numbers that were never assigned";
		}
	}
	return (masks & ~ring->all) != 0 ? "token: names members that do not exist" : NULL;
}

/* Tokens of other rings and repetitions are no fault: they are what a node sends that was stopped
 * for a while, or had no sign of arrival. */
void token_received(struct totem *t, uint32_t from, const struct control_token *token)
{
	struct ring *ring = ring_turning(t);
	const char *fault;
	uint64_t wait;

	if ((t->state != TOTEM_OPERATIONAL && t->state != TOTEM_RECOVERY) ||
	    !ringid_equal(token->ring, ring->id)) {
		return;
	}
	if (token->token_seq <= t->token.token_seq) {
		return;
	}
	fault = token_fault(t, ring, from, token);
	if (fault) {
		reject(t, fault);
		return;
	}
	t->token.token_seq = token->token_seq;
	token_arrived_evidence(t);
	timer_set(t, TIMER_TOKEN_LOSS, t->config.token_ms);
	if (token->seq > ring->high_seq) {
		ring->high_seq = token->seq;
	}
	wait = hold_for(t, token);
	if (wait > 0) {
		hold(t, token, wait);
	} else {
		visit(t, token);
	}
}

/* The representative makes the first token of a ring when the commit token has come round twice. */
void token_start(struct totem *t)
{
	struct control_token first = {.ring = t->next->id, .token_seq = 1};

	check(t->state == TOTEM_RECOVERY && t->next->me == 0);
	token_arrived_evidence(t);
	visit(t, &first);
}

/* A resting token need not go round to who calls it: everybody has everything, so those that are
 * passed over have nothing to say. What they promised for the last rotation holds for this one too. */
static void hand_over(struct totem *t, uint32_t to)
{
	struct token_memory *memory = &t->token;
	struct control *control = message_new(t, CONTROL_TOKEN);
	struct control_token *token = &control->token;

	*token = memory->held;
	check(token->aru_id == 0 && ring_all_released(t->ring));
	memory->holding = false;
	timer_stop(t, TIMER_HOLD);
	token->idle = false;
	token->limit_next = token->limit < token->limit_next ? token->limit : token->limit_next;
	remember(t, token);
	token_sent(t, to, control);
}

static bool rests_here(const struct totem *t)
{
	const struct token_memory *memory = &t->token;

	return memory->holding && !memory->staying && memory->resting && t->backlog.count == 0 &&
	       t->ring->members.count > 1;
}

/* Somebody has something to send: no rest. */
void wake_received(struct totem *t, uint32_t from, struct ringid ring)
{
	if (t->state != TOTEM_OPERATIONAL || !ringid_equal(ring, t->ring->id)) {
		return;
	}
	if (!nodeset_has(&t->ring->members, from)) {
		reject(t, "wake: not from a member");
		return;
	}
	t->token.idle_visits = 0;
	if (rests_here(t)) {
		hand_over(t, from);
	} else {
		t->token.wake = true;
		token_release(t);
	}
}
