/* SPDX-License-Identifier: BSD-3-Clause */
/* See world.h. A node's struct totem is never freed: a new process gets the old one's memory, emptied,
 * so that a saved state fits whatever happened since. */
#include "tests/explore/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACES_LEFT (TOTEM_WINDOW_MAX - PLACES_USED)

static const struct totem_config timing = {.token_ms = 1000,
					   .token_retransmit_ms = 200,
					   .hold_ms = 150,
					   .join_ms = 50,
					   .consensus_ms = 1200,
					   .merge_ms = 200,
					   .fail_recv_const = 50,
					   .seqno_unchanged_const = 3,
					   .window_size = 8,
					   .max_messages = 4,
					   .accelerated_window = 2,
					   .miss_count_const = 2};

static uint32_t id_of(uint32_t node)
{
	return node + 1;
}

static uint8_t bits_of(const struct nodeset *members)
{
	uint8_t bits = 0;

	for (uint32_t i = 0; i < members->count; i++) {
		bits |= (uint8_t)(1u << (members->id[i] - 1));
	}
	return bits;
}

uint32_t message_number(uint32_t node, uint32_t incarnation, uint32_t nth)
{
	return (node + 1) * 1000 + incarnation * 10 + nth;
}

uint32_t message_node(uint32_t message)
{
	return message / 1000 - 1;
}

uint32_t message_incarnation(uint32_t message)
{
	return message % 1000 / 10;
}

/* --- Saving --- */

/* What of a struct totem says nothing: the unused rest of its tables. */
struct hole {
	size_t from, size;
};

#define REST_OF(field, used, all)                                                               \
	{                                                                                       \
		offsetof(struct totem, field) + (used) * sizeof(((struct totem *)0)->field[0]), \
			((all) - (used)) * sizeof(((struct totem *)0)->field[0])                \
	}
#define WHOLE(field)                                                              \
	{                                                                         \
		offsetof(struct totem, field), sizeof(((struct totem *)0)->field) \
	}

static const struct hole unsaved[] = {
	REST_OF(rings[0].window.places, PLACES_USED, TOTEM_WINDOW_MAX),
	REST_OF(rings[1].window.places, PLACES_USED, TOTEM_WINDOW_MAX),
	REST_OF(backlog.entry, PLACES_USED, TOTEM_BACKLOG_MAX)};

/* Neither do these tell two states apart: scratch space, statistics. In order. */
static const struct hole unhashed[] = {
	WHOLE(now_ms),
	REST_OF(rings[0].window.places, PLACES_USED, TOTEM_WINDOW_MAX),
	REST_OF(rings[1].window.places, PLACES_USED, TOTEM_WINDOW_MAX),
	WHOLE(token.visit_ms),
	REST_OF(recovery.holdings, WORLD_NODES, NODES_MAX),
	REST_OF(backlog.entry, PLACES_USED, TOTEM_BACKLOG_MAX),
	WHOLE(outbox),
	WHOLE(counters),
	WHOLE(incoming),
	WHOLE(outgoing)};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct saved {
	struct world_face face;
	uint8_t totem[WORLD_NODES][sizeof(struct totem)];
};

struct saved *saved_new(void)
{
	struct saved *saved = malloc(sizeof(*saved));

	check(saved);
	return saved;
}

static size_t face_size(const struct world_face *face)
{
	return offsetof(struct world_face, letter) + face->letter_count * sizeof(struct letter);
}

/* All but the holes; packed, or back. */
static void copy_totem(uint8_t *to, const uint8_t *from)
{
	size_t at = 0;

	for (size_t i = 0; i < COUNT(unsaved); i++) {
		memcpy(to + at, from + at, unsaved[i].from - at);
		at = unsaved[i].from + unsaved[i].size;
	}
	memcpy(to + at, from + at, sizeof(struct totem) - at);
}

void world_save(const struct world *world, struct saved *saved)
{
	memcpy(&saved->face, &world->face, face_size(&world->face));
	for (uint32_t i = 0; i < WORLD_NODES; i++) {
		copy_totem(saved->totem[i], (const uint8_t *)world->totem[i]);
	}
}

void world_restore(struct world *world, const struct saved *saved)
{
	memcpy(&world->face, &saved->face, face_size(&saved->face));
	for (uint32_t i = 0; i < WORLD_NODES; i++) {
		copy_totem((uint8_t *)world->totem[i], saved->totem[i]);
	}
	world->broken = NULL;
}

/* --- Comparing --- */

static void digest_add(uint64_t *digest, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;
	uint64_t word;

	for (; size > 0; at += size < 8 ? size : 8, size -= size < 8 ? size : 8) {
		word = 0;
		memcpy(&word, at, size < 8 ? size : 8);
		*digest = (*digest ^ word) * 0x9e3779b97f4a7c15u;
		*digest ^= *digest >> 29;
	}
}

static uint64_t relative(uint64_t when_ms, uint64_t now_ms)
{
	return when_ms == TIMER_OFF || when_ms == 0 ? when_ms : when_ms - now_ms;
}

/* Times count from now on. */
static void make_relative(struct totem *t, uint64_t now_ms)
{
	for (uint32_t i = 0; i < TIMERS; i++) {
		t->deadlines[i] = relative(t->deadlines[i], now_ms);
	}
	for (uint32_t i = 0; i < t->peer_count; i++) {
		t->peers[i].quiet_until_ms = t->peers[i].quiet_until_ms > now_ms
						     ? t->peers[i].quiet_until_ms - now_ms
						     : 0;
	}
	t->token.stuck_since_ms = relative(t->token.stuck_since_ms, now_ms);
	t->token.stay_since_ms = relative(t->token.stay_since_ms, now_ms);
	t->repeats_ms = relative(t->repeats_ms, now_ms);
	t->gather.settle_until_ms = relative(t->gather.settle_until_ms, now_ms);
	t->gather.join_sent_ms = relative(t->gather.join_sent_ms, now_ms);
	for (uint32_t r = 0; r < 2; r++) {
		for (uint32_t i = 0; i < PLACES_USED; i++) {
			uint32_t *since = &t->rings[r].window.places[i].missing_since_ms;

			*since = *since ? *since - (uint32_t)now_ms : 0;
		}
	}
}

static void digest_totem(uint64_t *digest, const struct totem *t)
{
	static union {
		struct totem totem;
		uint8_t bytes[sizeof(struct totem)];
	} image;
	size_t at = 0;

	check(t->rings[0].window.high < PLACES_USED && t->rings[1].window.high < PLACES_USED &&
	      t->backlog.head + t->backlog.count < PLACES_USED);
	copy_totem(image.bytes, (const uint8_t *)t);
	make_relative(&image.totem, t->now_ms);
	for (size_t i = 0; i < COUNT(unhashed); i++) {
		digest_add(digest, image.bytes + at, unhashed[i].from - at);
		at = unhashed[i].from + unhashed[i].size;
	}
	digest_add(digest, image.bytes + at, sizeof(struct totem) - at);
}

uint64_t world_digest(const struct world *world)
{
	const struct world_face *face = &world->face;
	uint64_t digest = 1;

	digest_add(&digest, &face->lasting, face_size(face) - offsetof(struct world_face, lasting));
	for (uint32_t i = 0; i < WORLD_NODES; i++) {
		if (face->node[i].alive) {
			digest_totem(&digest, world->totem[i]);
		}
	}
	return digest;
}

/* --- Letters --- */

static bool linked(const struct world *world, uint32_t a, uint32_t b)
{
	return world->face.up[a] & (1u << b);
}

static struct letter *letter_new(struct world *world, enum letter_kind kind, uint32_t from,
				 uint32_t to)
{
	struct world_face *face = &world->face;
	struct letter *letter = &face->letter[face->letter_count++];

	check(face->letter_count < LETTERS_MAX);
	memset(letter, 0, sizeof(*letter));
	letter->kind = (uint8_t)kind;
	letter->from = (uint8_t)from;
	letter->to = (uint8_t)to;
	return letter;
}

static void letter_drop(struct world_face *face, uint32_t at)
{
	face->letter_count--;
	memmove(&face->letter[at], &face->letter[at + 1],
		(face->letter_count - at) * sizeof(face->letter[0]));
}

static bool is_notice(const struct letter *letter)
{
	return letter->kind >= LETTER_UP;
}

/* Frames and the rest have a channel each; news of the link overtake nothing and are overtaken by
 * nothing. */
static bool same_channel(const struct letter *a, const struct letter *b)
{
	return a->from == b->from && a->to == b->to &&
	       (is_notice(a) || is_notice(b) ||
		(a->kind == LETTER_FRAME) == (b->kind == LETTER_FRAME));
}

uint32_t world_next(const struct world *world, uint32_t at[LETTERS_MAX])
{
	const struct world_face *face = &world->face;
	uint32_t count = 0;

	for (uint32_t i = 0; i < face->letter_count; i++) {
		bool first = true;

		for (uint32_t j = 0; j < i && first; j++) {
			first = !same_channel(&face->letter[j], &face->letter[i]);
		}
		if (first) {
			at[count++] = i;
		}
	}
	return count;
}

/* --- Links --- */

/* What is under way is lost, what was said of the link before is old. */
static void forget_between(struct world_face *face, uint32_t a, uint32_t b)
{
	for (uint32_t i = face->letter_count; i-- > 0;) {
		const struct letter *letter = &face->letter[i];
		bool between = (letter->from == a && letter->to == b) ||
			       (letter->from == b && letter->to == a);

		if (between && letter->kind <= LETTER_FRAME) {
			letter_drop(face, i);
		}
	}
}

static void link_ends(struct world *world, uint32_t a, uint32_t b)
{
	if (linked(world, a, b)) {
		forget_between(&world->face, a, b);
		world->face.up[a] &= (uint8_t) ~(1u << b);
		world->face.up[b] &= (uint8_t) ~(1u << a);
	}
}

static bool notices_between(const struct world_face *face, uint32_t a, uint32_t b)
{
	for (uint32_t i = 0; i < face->letter_count; i++) {
		const struct letter *letter = &face->letter[i];

		if (is_notice(letter) && ((letter->from == a && letter->to == b) ||
					  (letter->from == b && letter->to == a))) {
			return true;
		}
	}
	return false;
}

/* Transports dial for ever; it works as soon as both ends know that the last link ended. */
static void dial(struct world *world)
{
	struct world_face *face = &world->face;

	for (uint32_t a = 0; a < WORLD_NODES; a++) {
		for (uint32_t b = a + 1; b < WORLD_NODES; b++) {
			if (!linked(world, a, b) && !(face->cut[a] & (1u << b)) &&
			    face->node[a].alive && face->node[b].alive &&
			    !notices_between(face, a, b)) {
				face->up[a] |= (uint8_t)(1u << b);
				face->up[b] |= (uint8_t)(1u << a);
				letter_new(world, LETTER_UP, a, b);
				letter_new(world, LETTER_UP, b, a);
			}
		}
	}
}

/* --- What a ring wants done --- */

static void step(struct world *world, uint32_t node, struct totem_event *event);

static void note(struct world *world, uint32_t node, const struct entry *entry)
{
	struct world_node *at = &world->face.node[node];

	check(at->history_count < HISTORY_MAX);
	at->history[at->history_count++] = *entry;
	rules_entry(world, node);
}

static void send_control(struct world *world, uint32_t from, uint32_t to,
			 const struct totem_action *action)
{
	if (linked(world, from, to)) {
		struct letter *letter = letter_new(world, LETTER_CONTROL, from, to);

		check(action->size <= LETTER_BYTES);
		letter->size = (uint16_t)action->size;
		memcpy(letter->bytes, action->bytes, action->size);
	}
}

static void send_frame(struct world *world, uint32_t from, const struct totem_action *action)
{
	for (uint32_t i = 0; i < action->members->count; i++) {
		uint32_t to = action->members->id[i] - 1;

		if ((action->mask & (1ull << i)) && linked(world, from, to)) {
			struct letter *letter = letter_new(world, LETTER_FRAME, from, to);

			letter->message = (uint32_t)(uintptr_t)action->frame;
			letter->info = action->info;
		}
	}
}

/* The one that cuts is not told. */
static void fence(struct world *world, uint32_t node, uint32_t other)
{
	if (linked(world, node, other)) {
		link_ends(world, node, other);
		letter_new(world, LETTER_DOWN, node, other);
	}
}

static void perform(struct world *world, uint32_t node, const struct totem_action *action)
{
	struct world_node *at = &world->face.node[node];

	switch (action->kind) {
	case TOTEM_ACT_PERSIST:
		at->ring_seq = action->ring_seq;
		return;
	case TOTEM_ACT_CONTROL:
		for (uint32_t to = 0; to < WORLD_NODES; to++) {
			if (to != node && (action->to == 0 || action->to == id_of(to))) {
				send_control(world, node, to, action);
			}
		}
		return;
	case TOTEM_ACT_SEND:
		send_frame(world, node, action);
		return;
	case TOTEM_ACT_DELIVER:
		note(world, node,
		     &(struct entry){.kind = ENTRY_DELIVERED,
				     .guarantee = (uint8_t)action->info.guarantee,
				     .message = (uint32_t)(uintptr_t)action->frame,
				     .ring = action->info.ring,
				     .seq = action->info.seq});
		return;
	case TOTEM_ACT_TRANSITIONAL:
	case TOTEM_ACT_REGULAR:
		note(world, node,
		     &(struct entry){.kind = action->kind == TOTEM_ACT_REGULAR ? ENTRY_REGULAR
									       : ENTRY_TRANSITIONAL,
				     .members = bits_of(action->members),
				     .ring = action->ring});
		return;
	case TOTEM_ACT_FENCE:
		fence(world, node, action->to - 1);
		return;
	case TOTEM_ACT_RETURN:
		check(at->returned_count < COUNT(at->returned));
		at->returned[at->returned_count++] = (uint32_t)(uintptr_t)action->frame;
		return;
	case TOTEM_ACT_DELIVER_EARLY:
	case TOTEM_ACT_RELEASE:
	case TOTEM_ACT_STATE:
		return;
	}
}

static void submit(struct world *world, uint32_t node, uint32_t message)
{
	struct totem_event event = {.kind = TOTEM_EV_SUBMIT, .frame = (void *)(uintptr_t)message};

	event.info.guarantee = message % 10 == 2 ? FRAME_SAFE : FRAME_AGREED;
	step(world, node, &event);
}

static void submit_returned(struct world *world, uint32_t node)
{
	struct world_node *at = &world->face.node[node];

	while (at->returned_count > 0 && world->totem[node]->state == TOTEM_OPERATIONAL) {
		uint32_t message = at->returned[0];

		at->returned_count--;
		memmove(at->returned, at->returned + 1,
			at->returned_count * sizeof(at->returned[0]));
		submit(world, node, message);
	}
}

static void submit_one(struct world *world, uint32_t node)
{
	struct world_node *at = &world->face.node[node];

	at->submitted++;
	submit(world, node, message_number(node, at->incarnation, at->submitted));
}

static bool in_company(const struct world *world, uint32_t node)
{
	const struct totem *t = world->totem[node];

	return world->face.node[node].alive && t->state == TOTEM_OPERATIONAL &&
	       t->ring->members.count > 1;
}

/* A node sends something as soon as it is not alone; the next when it has seen that. The last one
 * waits until all is at rest. */
static void submit_new(struct world *world, uint32_t node)
{
	const struct world_node *at = &world->face.node[node];
	uint32_t seen = 0;

	for (uint32_t i = at->history_count; i-- > 0 && at->history[i].kind != ENTRY_STARTED;) {
		const struct entry *entry = &at->history[i];

		seen += entry->kind == ENTRY_DELIVERED && message_node(entry->message) == node;
	}
	if (in_company(world, node) && at->returned_count == 0 && seen == at->submitted &&
	    at->submitted < MESSAGES_EACH - 1) {
		submit_one(world, node);
	}
}

static void step(struct world *world, uint32_t node, struct totem_event *event)
{
	const struct totem_update *update;

	event->now_ms = world->face.now_ms;
	event->capacity = 64;
	event->sendable = 64;
	update = totem_step(world->totem[node], event);
	for (uint32_t i = 0; i < update->count && !world->broken; i++) {
		perform(world, node, &update->actions[i]);
	}
}

/* After a step of this node, what its driver does of itself. */
static void settle(struct world *world, uint32_t node)
{
	submit_returned(world, node);
	submit_new(world, node);
	dial(world);
}

/* --- Steps of the search --- */

static const enum totem_event_kind event_of[] = {[LETTER_CONTROL] = TOTEM_EV_CONTROL,
						 [LETTER_FRAME] = TOTEM_EV_FRAME,
						 [LETTER_UP] = TOTEM_EV_PEER_UP,
						 [LETTER_DOWN] = TOTEM_EV_PEER_DOWN,
						 [LETTER_GONE] = TOTEM_EV_PEER_DOWN};

void world_deliver(struct world *world, uint32_t at)
{
	struct letter letter = world->face.letter[at];
	struct totem_event event = {.kind = event_of[letter.kind],
				    .from = id_of(letter.from),
				    .gone = letter.kind == LETTER_GONE,
				    .bytes = letter.bytes,
				    .size = letter.size,
				    .info = letter.info,
				    .frame = (void *)(uintptr_t)letter.message};

	letter_drop(&world->face, at);
	step(world, letter.to, &event);
	settle(world, letter.to);
}

void world_tick(struct world *world)
{
	struct totem_event event = {.kind = TOTEM_EV_TIMER};
	uint64_t next_ms = UINT64_MAX;
	uint32_t node = 0;

	for (uint32_t i = 0; i < WORLD_NODES; i++) {
		uint64_t due_ms = world->face.node[i].alive
					  ? totem_next_deadline_ms(world->totem[i])
					  : UINT64_MAX;

		if (due_ms < next_ms) {
			next_ms = due_ms;
			node = i;
		}
	}
	check(next_ms != UINT64_MAX);
	world->face.now_ms = next_ms > world->face.now_ms ? next_ms : world->face.now_ms;
	step(world, node, &event);
	settle(world, node);
}

/* A ring as it is when its daemon starts, in the place of the old one. */
static void renew(struct totem *t, uint32_t node, uint64_t ring_seq)
{
	struct totem_config config = timing;
	struct outbox outbox = t->outbox;
	struct totem *fresh;

	config.node = id_of(node);
	check(totem_new(&config, ring_seq, &fresh) == 0);
	memcpy(t, fresh, sizeof(*t));
	t->outbox = outbox;
	t->ring = &t->rings[0];
	t->next = &t->rings[1];
	totem_free(&fresh);
}

static void start(struct world *world, uint32_t node)
{
	struct world_node *at = &world->face.node[node];
	struct totem_event event = {.kind = TOTEM_EV_START};

	renew(world->totem[node], node, at->ring_seq);
	at->alive = true;
	at->incarnation++;
	at->submitted = 0;
	at->returned_count = 0;
	note(world, node, &(struct entry){.kind = ENTRY_STARTED});
	step(world, node, &event);
	dial(world);
}

/* What it has sent may be in others' queues already; what was sent to it is gone. */
void world_crash(struct world *world, uint32_t node)
{
	struct world_face *face = &world->face;

	for (uint32_t i = face->letter_count; i-- > 0;) {
		if (face->letter[i].to == node) {
			letter_drop(face, i);
		}
	}
	for (uint32_t other = 0; other < WORLD_NODES; other++) {
		if (linked(world, node, other)) {
			face->up[node] &= (uint8_t) ~(1u << other);
			face->up[other] &= (uint8_t) ~(1u << node);
			letter_new(world, LETTER_GONE, node, other);
		}
	}
	face->node[node].alive = false;
}

void world_lose(struct world *world, uint32_t at)
{
	letter_drop(&world->face, at);
}

void world_repeat(struct world *world, uint32_t at)
{
	struct world_face *face = &world->face;

	check(face->letter_count + 1 < LETTERS_MAX);
	memmove(&face->letter[at + 1], &face->letter[at],
		(face->letter_count - at) * sizeof(face->letter[0]));
	face->letter_count++;
}

void world_restart(struct world *world, uint32_t node)
{
	start(world, node);
}

void world_cut(struct world *world, uint32_t a, uint32_t b)
{
	struct world_face *face = &world->face;

	face->cut[a] |= (uint8_t)(1u << b);
	face->cut[b] |= (uint8_t)(1u << a);
	if (linked(world, a, b)) {
		link_ends(world, a, b);
		letter_new(world, LETTER_DOWN, a, b);
		letter_new(world, LETTER_DOWN, b, a);
	}
}

void world_heal(struct world *world)
{
	memset(world->face.cut, 0, sizeof(world->face.cut));
	dial(world);
}

bool world_is_cut(const struct world *world)
{
	bool any = false;

	for (uint32_t i = 0; i < WORLD_NODES; i++) {
		any = any || world->face.cut[i] != 0;
	}
	return any;
}

/* Not in the order of the ring: the token has some way to go. */
static int next_to_speak(const struct world *world)
{
	static const int order[WORLD_NODES] = {1, 0, 2};

	for (uint32_t i = 0; i < WORLD_NODES; i++) {
		uint32_t node = (uint32_t)order[i];

		if (in_company(world, node) && world->face.node[node].submitted < MESSAGES_EACH) {
			return order[i];
		}
	}
	return -1;
}

bool world_has_more(const struct world *world)
{
	return next_to_speak(world) >= 0;
}

void world_speak(struct world *world)
{
	uint32_t node = (uint32_t)next_to_speak(world);

	submit_one(world, node);
	settle(world, node);
}

void world_formed(struct world *world)
{
	world->face.lasting = world->totem[0]->ring->id;
}

void world_disturbed(struct world *world)
{
	world->face.lasting = (struct ringid){0};
}

/* --- Its beginning and end --- */

struct world *world_new(void)
{
	struct world *world = calloc(1, sizeof(*world));
	struct totem_config config = timing;

	check(world);
	world->face.now_ms = 1000;
	for (uint32_t i = 0; i < WORLD_NODES; i++) {
		config.node = id_of(i);
		check(totem_new(&config, 0, &world->totem[i]) == 0);
	}
	for (uint32_t i = 0; i < WORLD_NODES; i++) {
		start(world, i);
	}
	return world;
}

void world_free(struct world *world)
{
	for (uint32_t i = 0; i < WORLD_NODES; i++) {
		totem_free(&world->totem[i]);
	}
	free(world);
}

/* Nodes that reach each other directly, this one among them. */
static uint8_t neighbours(const struct world *world, uint32_t node)
{
	uint8_t bits = (uint8_t)(1u << node);

	for (uint32_t i = 0; i < WORLD_NODES; i++) {
		if (linked(world, node, i)) {
			bits |= (uint8_t)(1u << i);
		}
	}
	return bits;
}

/* Where links are cut in a triangle, the two ends of a cut are rivals for the node between them: any ring
 * without a cut in it is as good as can be. */
static bool best_ring(const struct world *world, uint32_t node)
{
	uint8_t members = bits_of(&world->totem[node]->ring->members);
	bool whole = neighbours(world, node) == members;

	for (uint32_t i = 0; i < WORLD_NODES; i++) {
		if ((members & (1u << i)) && !world->face.node[i].alive) {
			return false;
		}
	}
	return whole || (world_is_cut(world) && (members & ~neighbours(world, node)) == 0);
}

static bool at_rest(const struct world *world, uint32_t node)
{
	const struct totem *t = world->totem[node];
	const struct world_node *at = &world->face.node[node];

	return t->state == TOTEM_OPERATIONAL && t->backlog.count == 0 && at->returned_count == 0 &&
	       t->ring->window.released == t->ring->high_seq && totem_resting(t) &&
	       (t->ring->members.count == 1 || at->submitted >= MESSAGES_EACH - 1) &&
	       best_ring(world, node);
}

bool world_calm(const struct world *world)
{
	if (world->face.letter_count > 0) {
		return false;
	}
	for (uint32_t i = 0; i < WORLD_NODES; i++) {
		if (world->face.node[i].alive && !at_rest(world, i)) {
			return false;
		}
	}
	return true;
}

void world_print(const struct world *world)
{
	static const char *const kinds[] = {"delivered", "transitional", "regular", "started"};

	for (uint32_t i = 0; i < WORLD_NODES; i++) {
		const struct world_node *node = &world->face.node[i];

		printf("node %u, %s, %s, ring %u.%llu, %u submitted:", i + 1,
		       node->alive ? "up" : "down", totem_state_name(world->totem[i]->state),
		       world->totem[i]->ring->id.rep,
		       (unsigned long long)world->totem[i]->ring->id.seq, node->submitted);
		for (uint32_t k = 0; k < node->history_count; k++) {
			const struct entry *entry = &node->history[k];

			printf("\n    %s", kinds[entry->kind]);
			if (entry->kind == ENTRY_DELIVERED) {
				printf(" %u as %llu of %u.%llu%s", entry->message,
				       (unsigned long long)entry->seq, entry->ring.rep,
				       (unsigned long long)entry->ring.seq,
				       entry->guarantee == FRAME_SAFE ? ", safe" : "");
			} else if (entry->kind != ENTRY_STARTED) {
				printf(" %u.%llu of nodes (bits) %x", entry->ring.rep,
				       (unsigned long long)entry->ring.seq, entry->members);
			}
		}
		printf("\n");
	}
}
