/* SPDX-License-Identifier: BSD-3-Clause */
/* The properties that programs see: what closed process groups promise. Each check_ function is one;
 * it says in its failure what was seen. */
#include "tests/sim/sim_check_int.h"

uint64_t sim_check_stream_new(struct sim *sim, uint32_t node, uint32_t pid, uint32_t group)
{
	struct stream stream = {.node = node, .pid = pid, .group = group};

	PUSH(sim->check->streams, stream);
	return sim->check->streams.count - 1;
}

void sim_check_sent(struct sim *sim, uint64_t stream_index, const struct sim_message *message)
{
	struct stream *stream = &sim->check->streams.at[stream_index];
	struct sent sent = {.known = true, .message = *message};

	PUSH(stream->sent, sent);
}

void sim_check_refused(struct sim *sim, uint64_t stream_index)
{
	sim->check->streams.at[stream_index].sent.count--;
}

static struct seen *seen_of(struct stream *receiver, uint64_t sender)
{
	while (receiver->seen.count <= sender) {
		struct seen none = {0};

		PUSH(receiver->seen, none);
	}
	return &receiver->seen.at[sender];
}

/* What follows the head: words that each differ by PATTERN_STEP from the one before; a rest of fewer than eight bytes is zero. */
#define PATTERN_STEP 0x9e3779b97f4a7c15ull

static uint64_t pattern_start(const struct sim_message *message)
{
	return (message->number * 31 + message->pid * 7) * PATTERN_STEP;
}

static size_t pattern_words(const struct sim_message *message)
{
	return (message->size - sizeof(*message)) / 8;
}

void sim_pattern_write(const struct sim_message *message, uint8_t *bytes)
{
	uint64_t word = pattern_start(message);
	uint8_t *at = bytes + sizeof(*message);

	memcpy(bytes, message, sizeof(*message));
	for (size_t left = pattern_words(message); left > 0; left--) {
		memcpy(at, &word, 8);
		at += 8;
		word += PATTERN_STEP;
	}
	memset(at, 0, (size_t)(bytes + message->size - at));
}

static bool pattern_holds(const struct sim_message *message, const uint8_t *bytes)
{
	uint64_t word = pattern_start(message);
	const uint8_t *at = bytes + sizeof(*message);
	uint64_t wrong = 0;

	for (size_t left = pattern_words(message); left > 0; left--) {
		uint64_t found;

		memcpy(&found, at, 8);
		wrong |= found ^ word;
		at += 8;
		word += PATTERN_STEP;
	}
	for (; at < bytes + message->size; at++) {
		wrong |= *at;
	}
	return wrong == 0;
}

/* The bytes are those that were sent, to this group, by this process. */
static struct sent *check_content(struct sim *sim, struct stream *to, uint32_t node, uint32_t pid,
				  const uint8_t *bytes, uint64_t size, struct sim_message *message)
{
	struct stream *from;

	if (size < sizeof(*message)) {
		sim_fail(sim, "a message of %llu bytes", (unsigned long long)size);
		return NULL;
	}
	memcpy(message, bytes, sizeof(*message));
	if (message->magic != SIM_MAGIC || message->stream >= sim->check->streams.count) {
		sim_fail(sim, "a message with a corrupt head reached node %u", to->node);
		return NULL;
	}
	from = &sim->check->streams.at[message->stream];
	if (message->number == 0 || message->number > from->sent.count || message->size != size ||
	    message->node != node || message->pid != pid || from->group != to->group) {
		sim_fail(sim,
			 "node %u: message %llu of %u:%u was never sent so, or not to this group",
			 to->node, (unsigned long long)message->number, node, pid);
		return NULL;
	}
	if (!pattern_holds(message, bytes)) {
		sim_fail(sim, "node %u: message %llu of %u:%u is corrupt", to->node,
			 (unsigned long long)message->number, node, pid);
		return NULL;
	}
	return &from->sent.at[message->number - 1];
}

/* No message twice. */
static void check_once(struct sim *sim, struct stream *to, const struct sim_message *message)
{
	struct seen *seen = seen_of(to, message->stream);
	uint8_t none = 0;

	while (seen->numbers.count <= message->number) {
		PUSH(seen->numbers, none);
	}
	if (seen->numbers.at[message->number]) {
		sim_fail(sim, "node %u: message %llu of %u:%u comes twice", to->node,
			 (unsigned long long)message->number, message->node, message->pid);
	}
	seen->numbers.at[message->number] = 1;
}

/* Ordered messages of one sender keep its order, and none is left out while both are in the view.
 */
static void check_fifo(struct sim *sim, struct stream *to, const struct sim_message *message)
{
	const struct stream *from = &sim->check->streams.at[message->stream];
	struct seen *seen = seen_of(to, message->stream);

	if (message->guarantee == FRAME_UNORDERED) {
		return;
	}
	if (message->number <= seen->last_ordered) {
		sim_fail(sim, "node %u: message %llu of %u:%u after its number %llu", to->node,
			 (unsigned long long)message->number, message->node, message->pid,
			 (unsigned long long)seen->last_ordered);
	}
	for (uint64_t n = seen->last_ordered + 1; seen->together && n < message->number; n++) {
		if (from->sent.at[n - 1].message.guarantee != FRAME_UNORDERED) {
			sim_fail(sim, "node %u: message %llu of %u:%u without its number %llu",
				 to->node, (unsigned long long)message->number, message->node,
				 message->pid, (unsigned long long)n);
			return;
		}
	}
	seen->last_ordered = message->number;
	seen->together = true;
}

/* Who joins may have sent messages elsewhere meanwhile. */
static void forget_together(struct sim *sim, struct stream *stream, const struct engine_confchg *c)
{
	for (size_t i = 0; i < stream->seen.count; i++) {
		const struct stream *from = &sim->check->streams.at[i];

		for (uint32_t j = 0; j < c->joined_count; j++) {
			if (c->joined[j].nodeid == from->node && c->joined[j].pid == from->pid) {
				stream->seen.at[i].together = false;
			}
		}
	}
}

/* ---- chapters ---- */

uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t z = (a ^ b * 0x9e3779b97f4a7c15ull) + 0x94d049bb133111ebull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	return z ^ (z >> 27);
}

/* Index + 1; 0: there is no ring. */
static size_t current_of(const struct sim *sim, const struct stream *stream)
{
	return sim->check->current[stream->node].install;
}

static struct chapter *chapter_of(struct sim *sim, struct stream *stream)
{
	size_t install = current_of(sim, stream) - 1;
	size_t count = stream->chapters.count;

	if (count == 0 || stream->chapters.at[count - 1].install != install) {
		struct chapter chapter = {.install = install,
					  .path = sim->check->current[stream->node].path};

		PUSH(stream->chapters, chapter);
	}
	return &stream->chapters.at[stream->chapters.count - 1];
}

void chapters_begin(struct sim *sim, uint32_t node)
{
	for (size_t i = 0; i < sim->check->streams.count; i++) {
		struct stream *stream = &sim->check->streams.at[i];

		if (stream->node == node && stream->started && !stream->ended) {
			chapter_of(sim, stream)->whole = true;
		}
	}
}

void sim_check_activated(struct sim *sim, uint32_t node, struct ringid ring)
{
	struct current *current = &sim->check->current[node];

	if (ringid_equal(current->activated, ring)) {
		return;
	}
	current->activated = ring;
	current->path = mix(ring.rep, ring.seq);
	for (size_t i = 0; i < sim->check->streams.count; i++) {
		struct stream *stream = &sim->check->streams.at[i];

		if (stream->node == node && stream->started && !stream->ended) {
			chapter_of(sim, stream)->active = true;
		}
	}
}

static void digest_add(struct digest *digest, uint64_t what, bool ordered)
{
	if (ordered) {
		digest->ordered = mix(digest->ordered, what);
		digest->ordered_count++;
	} else {
		digest->unordered += what;
		digest->unordered_count++;
	}
}

static void chapter_add(struct sim *sim, struct stream *stream, uint64_t what, bool ordered)
{
	struct chapter *chapter = chapter_of(sim, stream);

	digest_add(&chapter->all, what, ordered);
	if (chapter->active) {
		digest_add(&chapter->since_active, what, ordered);
	}
}

/* An UNORDERED message is delivered to everybody on the same ring, though not in the same place. */
static void check_unordered_inside(struct sim *sim, struct stream *to, struct sent *sent)
{
	const struct install *install = &sim->check->installs.at[current_of(sim, to) - 1];

	if (sent->message.guarantee != FRAME_UNORDERED) {
		return;
	}
	if (!sent->placed) {
		sent->placed = true;
		sent->place.ring = install->ring;
	}
	if (!ringid_equal(sent->place.ring, install->ring)) {
		sim_fail(sim,
			 "node %u: UNORDERED message %llu of %u:%u on ring %llx, elsewhere on %llx",
			 to->node, (unsigned long long)sent->message.number, sent->message.node,
			 sent->message.pid, (unsigned long long)install->ring.seq,
			 (unsigned long long)sent->place.ring.seq);
	}
}

/* Everybody sees an ordered message at the same place, and in the same view unless it comes to them
 * in a transitional configuration, which may have lost what others saw before it. */
static void check_place(struct sim *sim, struct stream *to, struct sent *sent)
{
	const struct current *current = &sim->check->current[to->node];
	const struct install *install = &sim->check->installs.at[current->install - 1];

	if (sent->message.guarantee == FRAME_UNORDERED) {
		return;
	}
	if (!sent->placed) {
		sent->placed = true;
		sent->place = current->place;
	}
	if (!ringid_equal(sent->place.ring, current->place.ring) ||
	    sent->place.seq != current->place.seq) {
		sim_fail(sim, "node %u: message %llu of %u:%u at another place than elsewhere",
			 to->node, (unsigned long long)sent->message.number, sent->message.node,
			 sent->message.pid);
	}
	if (install->transitional_seen) {
		return;
	}
	if (sent->view != 0 && sent->view != to->view) {
		sim_fail(sim, "node %u: message %llu of %u:%u in another view than elsewhere",
			 to->node, (unsigned long long)sent->message.number, sent->message.node,
			 sent->message.pid);
	}
	sent->view = to->view;
	sent->safe_view = sent->message.guarantee == FRAME_SAFE ? to->view : 0;
}

static bool in_view(const struct view *view, uint32_t node, uint32_t pid)
{
	for (uint32_t i = 0; i < view->count; i++) {
		if (view->members[i].nodeid == node && view->members[i].pid == pid) {
			return true;
		}
	}
	return false;
}

void sim_check_delivered(struct sim *sim, uint64_t stream_index, uint32_t node, uint32_t pid,
			 const uint8_t *bytes, uint64_t size)
{
	struct stream *to = &sim->check->streams.at[stream_index];
	struct sim_message message;
	struct sent *sent = check_content(sim, to, node, pid, bytes, size, &message);

	if (!sent) {
		return;
	}
	if (to->ended || !to->started) {
		sim_fail(sim, "node %u: a message before the join or after the end", to->node);
	}
	if (!in_view(&sim->check->views.at[to->view], node, pid)) {
		sim_fail(sim, "node %u: a message of %u:%u, which is not in the view", to->node,
			 node, pid);
	}
	check_once(sim, to, &message);
	check_fifo(sim, to, &message);
	check_place(sim, to, sent);
	check_unordered_inside(sim, to, sent);
	chapter_add(sim, to, mix(message.stream, message.number),
		    message.guarantee != FRAME_UNORDERED);
	to->own_delivered += message.stream == stream_index;
}

static uint64_t view_index(struct sim *sim, const struct cpg_address *members, uint32_t count)
{
	struct view view = {.count = count};

	if (count == 0) {
		return 0;
	}
	for (size_t i = sim->check->views.count; i-- > 0;) {
		const struct view *known = &sim->check->views.at[i];

		if (known->count == count &&
		    memcmp(known->members, members, count * sizeof(*members)) == 0) {
			return i;
		}
	}
	view.members = calloc(count, sizeof(*members));
	memcpy(view.members, members, count * sizeof(*members));
	PUSH(sim->check->views, view);
	return sim->check->views.count - 1;
}

static bool in_list(const struct cpg_address *list, uint32_t count, const struct cpg_address *who)
{
	for (uint32_t i = 0; i < count; i++) {
		if (list[i].nodeid == who->nodeid && list[i].pid == who->pid) {
			return true;
		}
	}
	return false;
}

/* The new view is the old one, less those that left, and those that joined. */
static void check_arithmetic(struct sim *sim, const struct stream *stream,
			     const struct engine_confchg *c)
{
	const struct view *old = &sim->check->views.at[stream->view];
	uint32_t expected = old->count - c->left_count + c->joined_count;

	for (uint32_t i = 0; i < c->left_count; i++) {
		if (!in_view(old, c->left[i].nodeid, c->left[i].pid)) {
			sim_fail(sim, "node %u: %u:%u left and was not there", stream->node,
				 c->left[i].nodeid, c->left[i].pid);
		}
	}
	for (uint32_t i = 0; i < c->joined_count; i++) {
		if (in_view(old, c->joined[i].nodeid, c->joined[i].pid) ||
		    !in_list(c->members, c->members_count, &c->joined[i])) {
			sim_fail(sim, "node %u: %u:%u joined and was there, or is not",
				 stream->node, c->joined[i].nodeid, c->joined[i].pid);
		}
	}
	if (expected != c->members_count) {
		sim_fail(sim, "node %u: a view of %u members, should be %u", stream->node,
			 c->members_count, expected);
	}
}

static void check_sorted(struct sim *sim, const struct stream *stream,
			 const struct engine_confchg *c)
{
	for (uint32_t i = 1; i < c->members_count; i++) {
		const struct cpg_address *a = &c->members[i - 1];
		const struct cpg_address *b = &c->members[i];

		if (a->nodeid > b->nodeid || (a->nodeid == b->nodeid && a->pid >= b->pid)) {
			sim_fail(sim, "node %u: member list out of order", stream->node);
		}
	}
}

static void trace_list(char *text, size_t size, char sign, const struct cpg_address *list,
		       uint32_t count)
{
	size_t used = strlen(text);

	for (uint32_t i = 0; i < count && used < size; i++) {
		used += (size_t)snprintf(text + used, size - used, " %c%u:%u", sign, list[i].nodeid,
					 list[i].pid);
	}
}

static void trace_view(struct sim *sim, const struct stream *stream, const struct engine_confchg *c)
{
	char text[600] = "";

	if (!sim->options.trace) {
		return;
	}
	trace_list(text, sizeof(text), '=', c->members, c->members_count);
	trace_list(text, sizeof(text), '-', c->left, c->left_count);
	trace_list(text, sizeof(text), '+', c->joined, c->joined_count);
	sim_trace(sim, "%u:%u in group %u: view%s", stream->node, stream->pid, stream->group, text);
}

void sim_check_confchg(struct sim *sim, uint64_t stream_index, const struct engine_confchg *c)
{
	struct stream *stream = &sim->check->streams.at[stream_index];
	struct cpg_address self = {.nodeid = stream->node, .pid = stream->pid};

	trace_view(sim, stream, c);
	if (stream->ended) {
		sim_fail(sim, "node %u: a view after the end", stream->node);
	}
	if (!stream->started && (!in_list(c->joined, c->joined_count, &self) ||
				 !in_list(c->members, c->members_count, &self))) {
		sim_fail(sim, "node %u: the first view is not the own join", stream->node);
	}
	if (stream->started) {
		check_arithmetic(sim, stream, c);
	}
	check_sorted(sim, stream, c);
	forget_together(sim, stream, c);
	stream->started = true;
	stream->view = view_index(sim, c->members, c->members_count);
	chapter_add(sim, stream, ~stream->view, true);
}

void sim_check_stream_end(struct sim *sim, uint64_t stream_index, bool crashed_too)
{
	struct stream *stream = &sim->check->streams.at[stream_index];

	(void)crashed_too;
	stream->ended = true;
	if (stream->chapters.count > 0) {
		stream->chapters.at[stream->chapters.count - 1].whole = false;
	}
}

/* A program that is still there has had every message of its own. */
static void check_self_delivery(struct sim *sim, const struct stream *stream)
{
	if (!stream->ended && stream->own_delivered != stream->sent.count) {
		sim_fail(sim, "%u:%u sent %zu messages and got %llu of them back", stream->node,
			 stream->pid, stream->sent.count,
			 (unsigned long long)stream->own_delivered);
	}
}

static bool received(const struct stream *stream, const struct sim_message *message)
{
	return message->stream < stream->seen.count &&
	       message->number < stream->seen.at[message->stream].numbers.count &&
	       stream->seen.at[message->stream].numbers.at[message->number];
}

/* The same process was in the same group before: which of its memberships a view means cannot be
 * told. */
static bool ambiguous(const struct sim *sim, const struct stream *stream)
{
	for (size_t i = 0; i < sim->check->streams.count; i++) {
		const struct stream *other = &sim->check->streams.at[i];

		if (other != stream && other->node == stream->node && other->pid == stream->pid &&
		    other->group == stream->group) {
			return true;
		}
	}
	return false;
}

/* Who was in the view of an ordered message, is still there, and whose node delivered its place,
 * has it. */
static void check_everybody_has(struct sim *sim, const struct sent *sent)
{
	const struct view *view = &sim->check->views.at[sent->view];

	for (size_t i = 0; sent->view != 0 && i < sim->check->streams.count; i++) {
		const struct stream *stream = &sim->check->streams.at[i];
		struct install *install;

		if (stream->ended || !in_view(view, stream->node, stream->pid) ||
		    stream->group != sim->check->streams.at[sent->message.stream].group) {
			continue;
		}
		install = find_install(sim, stream->node, sent->place.ring);
		if (install && has_place(install, sent->place.seq) &&
		    !received(stream, &sent->message) && !ambiguous(sim, stream)) {
			sim_fail(sim, "%u:%u never got message %llu of %u:%u", stream->node,
				 stream->pid, (unsigned long long)sent->message.number,
				 sent->message.node, sent->message.pid);
		}
	}
}

/* A SAFE message that one has had in a regular configuration is not kept from anybody who was in the
 * view, not even by a partition. */
static void check_safe_everywhere(struct sim *sim, const struct sent *sent)
{
	const struct view *view = &sim->check->views.at[sent->safe_view];

	for (size_t i = 0; sent->safe_view != 0 && i < sim->check->streams.count; i++) {
		const struct stream *stream = &sim->check->streams.at[i];

		if (!stream->ended && in_view(view, stream->node, stream->pid) &&
		    stream->group == sim->check->streams.at[sent->message.stream].group &&
		    !received(stream, &sent->message) && !ambiguous(sim, stream)) {
			sim_fail(sim, "%u:%u never got SAFE message %llu of %u:%u, others have it",
				 stream->node, stream->pid,
				 (unsigned long long)sent->message.number, sent->message.node,
				 sent->message.pid);
		}
	}
}

static bool same_digest(const struct digest *a, const struct digest *b)
{
	return a->ordered == b->ordered && a->unordered == b->unordered;
}

/* Virtual synchrony, as programs see it: those of one group that go through a ring and on to the same
 * next one have seen the same messages there, the ordered ones and the views in the same order. While
 * a view is being exchanged each side of a merge still lives in its own; what counts then is what came
 * after, unless they have been together all the time. */
static void check_same_chapter(struct sim *sim, const struct stream *a, const struct chapter *ca,
			       const struct stream *b, const struct chapter *cb)
{
	const struct install *ia = &sim->check->installs.at[ca->install];
	const struct install *ib = &sim->check->installs.at[cb->install];
	bool together = ca->path == cb->path;
	const struct digest *da = together ? &ca->all : &ca->since_active;
	const struct digest *db = together ? &cb->all : &cb->since_active;

	if (!ca->whole || !cb->whole || !ringid_equal(ia->ring, ib->ring) || ia->left != ib->left ||
	    (ia->left && !ringid_equal(ia->next, ib->next))) {
		return;
	}
	if (ca->active != cb->active || !same_digest(da, db)) {
		sim_fail(sim,
			 "%u:%u and %u:%u went through ring %llx together and saw different "
			 "messages or views: %u and %u in order, %u and %u others%s",
			 a->node, a->pid, b->node, b->pid, (unsigned long long)ia->ring.seq,
			 da->ordered_count, db->ordered_count, da->unordered_count,
			 db->unordered_count, together ? "" : ", since the view is active");
	}
}

static void check_chapters(struct sim *sim, const struct stream *a, const struct stream *b)
{
	size_t j = 0;

	if (a->group != b->group) {
		return;
	}
	for (size_t i = 0; i < a->chapters.count; i++) {
		uint64_t seq = sim->check->installs.at[a->chapters.at[i].install].ring.seq;

		while (j < b->chapters.count &&
		       sim->check->installs.at[b->chapters.at[j].install].ring.seq < seq) {
			j++;
		}
		if (j < b->chapters.count) {
			check_same_chapter(sim, a, &a->chapters.at[i], b, &b->chapters.at[j]);
		}
	}
}

/* In the end all programs of a group see the same members: exactly those that are there. */
static void check_final_views(struct sim *sim)
{
	for (size_t i = 0; i < sim->check->streams.count; i++) {
		const struct stream *a = &sim->check->streams.at[i];

		for (size_t j = 0; !a->ended && j < sim->check->streams.count; j++) {
			const struct stream *b = &sim->check->streams.at[j];

			if (!b->ended && a->group == b->group &&
			    (a->view != b->view ||
			     !in_view(&sim->check->views.at[a->view], b->node, b->pid))) {
				sim_fail(sim,
					 "%u:%u and %u:%u do not agree on their group's members",
					 a->node, a->pid, b->node, b->pid);
			}
		}
		for (uint32_t m = 0; !a->ended && m < sim->check->views.at[a->view].count; m++) {
			const struct cpg_address *who = &sim->check->views.at[a->view].members[m];
			bool found = false;

			for (size_t j = 0; j < sim->check->streams.count; j++) {
				const struct stream *b = &sim->check->streams.at[j];

				found = found || (!b->ended && b->node == who->nodeid &&
						  b->pid == who->pid && b->group == a->group);
			}
			if (!found) {
				sim_fail(sim, "%u:%u sees the ghost of %u:%u", a->node, a->pid,
					 who->nodeid, who->pid);
			}
		}
	}
}

void check_programs(struct sim *sim)
{
	for (size_t i = 0; i < sim->check->streams.count; i++) {
		const struct stream *stream = &sim->check->streams.at[i];

		check_self_delivery(sim, stream);
		for (size_t j = 0; j < stream->sent.count; j++) {
			check_everybody_has(sim, &stream->sent.at[j]);
			check_safe_everywhere(sim, &stream->sent.at[j]);
		}
		for (size_t j = 0; j < i; j++) {
			check_chapters(sim, stream, &sim->check->streams.at[j]);
		}
	}
	check_final_views(sim);
}
