/* SPDX-License-Identifier: BSD-3-Clause */
/* The properties. Ring level: extended virtual synchrony as in the Totem paper, section 3. Program
 * level: what closed process groups promise. Each check_ function is one property; it says in its
 * failure what was seen. */
#include "tests/sim/sim_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim_node.h"

/* A growing array of plain elements. */
#define VECTOR(type)                    \
	struct {                        \
		type *at;               \
		size_t count, capacity; \
	}
#define PUSH(vector, element)                                                                   \
	do {                                                                                    \
		if ((vector).count == (vector).capacity) {                                      \
			(vector).capacity = (vector).capacity ? 2 * (vector).capacity : 16;     \
			(vector).at =                                                           \
				realloc((vector).at, (vector).capacity * sizeof(*(vector).at)); \
			if (!(vector).at) {                                                     \
				abort();                                                        \
			}                                                                       \
		}                                                                               \
		(vector).at[(vector).count++] = (element);                                      \
	} while (0)

struct place {
	struct ringid ring;
	uint64_t seq;
};

struct ordered {
	uint64_t seq;
	enum frame_guarantee guarantee;
	bool in_transitional;
};

/* One installation of a ring by one life of a node. */
struct install {
	uint32_t node;
	uint64_t life;
	struct ringid ring;
	struct nodeset members;
	bool left; /* another ring follows */
	bool transitional_seen;
	struct nodeset transitional;
	struct ringid next;
	VECTOR(struct ordered) ordered;
};

struct sent {
	bool known;
	struct sim_message message;
	bool placed;
	struct place place;
	uint64_t view; /* in regular configurations; 0: none yet */
};

struct seen {
	VECTOR(uint8_t) numbers;
	uint64_t last_ordered;
	bool together; /* the sender has been in the view since last_ordered */
};

struct stream {
	uint32_t node, pid, group;
	bool ended;
	bool started;  /* own join seen */
	uint64_t view; /* index into views; 0: none */
	uint64_t own_delivered;
	VECTOR(struct sent) sent;
	VECTOR(struct seen) seen; /* by sending stream */
};

struct view {
	uint32_t count;
	struct cpg_address *members;
};

struct current {
	uint64_t life;
	size_t install; /* index + 1; 0: none */
	struct place place;
	bool placing; /* a frame is being delivered in its place */
};

struct sim_check {
	VECTOR(struct install) installs;
	VECTOR(struct stream) streams;
	VECTOR(struct view) views;
	struct current current[SIM_NODES_MAX + 1];
};

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
	}
	for (size_t i = 0; i < check->views.count; i++) {
		free(check->views.at[i].members);
	}
	free(check->installs.at);
	free(check->streams.at);
	free(check->views.at);
	free(check);
	*check_ptr = NULL;
}

/* ---- the ring ---- */

static struct install *current_install(struct sim *sim, uint32_t node, uint64_t life)
{
	struct current *current = &sim->check->current[node];

	if (current->life != life) {
		*current = (struct current){.life = life};
	}
	return current->install ? &sim->check->installs.at[current->install - 1] : NULL;
}

static bool crashed(const struct sim *sim, const struct install *install)
{
	const struct sim_node *node = sim->nodes[install->node];

	return !node->up || node->life != install->life;
}

/* Installers of one ring id agree on its members, and a node belongs to its own ring. */
static void check_same_members(struct sim *sim, const struct install *install)
{
	for (size_t i = 0; i < sim->check->installs.count; i++) {
		const struct install *other = &sim->check->installs.at[i];

		if (other == install || !ringid_equal(other->ring, install->ring)) {
			continue;
		}
		if (!nodeset_equal(&other->members, &install->members)) {
			sim_fail(sim,
				 "nodes %u and %u installed ring %u.%llx with different members",
				 install->node, other->node, install->ring.rep,
				 (unsigned long long)install->ring.seq);
		}
		if (other->node == install->node) {
			sim_fail(sim, "node %u installed ring %u.%llx twice", install->node,
				 install->ring.rep, (unsigned long long)install->ring.seq);
		}
	}
	if (!nodeset_has(&install->members, install->node)) {
		sim_fail(sim, "node %u is not a member of its own ring", install->node);
	}
}

void sim_check_transitional(struct sim *sim, uint32_t node, uint64_t life, struct ringid old_ring,
			    const struct nodeset *members)
{
	struct install *install = current_install(sim, node, life);

	sim_trace(sim, "node %u: transitional configuration of %u members", node, members->count);
	if (!nodeset_has(members, node)) {
		sim_fail(sim, "node %u is not in its own transitional configuration", node);
	}
	if (!install) {
		return;
	}
	if (!ringid_equal(install->ring, old_ring) || install->transitional_seen ||
	    !nodeset_subset(members, &install->members)) {
		sim_fail(sim, "node %u: wrong transitional configuration", node);
	}
	install->transitional_seen = true;
	install->transitional = *members;
}

void sim_check_regular(struct sim *sim, uint32_t node, uint64_t life, struct ringid ring,
		       const struct nodeset *members)
{
	struct install *old = current_install(sim, node, life);
	struct install install = {.node = node, .life = life, .ring = ring, .members = *members};

	sim_trace(sim, "node %u: ring %u.%llx of %u members", node, ring.rep,
		  (unsigned long long)ring.seq, members->count);
	if (old && sim->gentle && old->members.count == sim->node_count) {
		sim_fail(sim, "node %u: the ring ended though links broke for a moment only", node);
	}
	if (old) {
		old->left = true;
		old->next = ring;
		if (!old->transitional_seen || ring.seq <= old->ring.seq) {
			sim_fail(
				sim,
				"node %u: ring %llx follows %llx without a transitional one, or backwards",
				node, (unsigned long long)ring.seq,
				(unsigned long long)old->ring.seq);
		}
	}
	PUSH(sim->check->installs, install);
	sim->check->current[node].install = sim->check->installs.count;
	check_same_members(sim, &sim->check->installs.at[sim->check->installs.count - 1]);
}

/* Places grow, belong to the ring that is installed, and leave no gap before the transitional
 * configuration. */
void sim_check_ordered(struct sim *sim, uint32_t node, uint64_t life, const struct frame_info *info)
{
	struct install *install = current_install(sim, node, life);
	struct ordered ordered = {info->seq, info->guarantee, false};
	struct ordered *last;

	if (!install || !ringid_equal(install->ring, info->ring)) {
		sim_fail(sim, "node %u delivers a frame of ring %u.%llx outside of it", node,
			 info->ring.rep, (unsigned long long)info->ring.seq);
		return;
	}
	ordered.in_transitional = install->transitional_seen;
	last = install->ordered.count ? &install->ordered.at[install->ordered.count - 1] : NULL;
	if (last && info->seq <= last->seq) {
		sim_fail(sim, "node %u delivers place %llu after %llu", node,
			 (unsigned long long)info->seq, (unsigned long long)last->seq);
	}
	sim->check->current[node].place = (struct place){info->ring, info->seq};
	sim->check->current[node].placing = true;
	PUSH(install->ordered, ordered);
}

static bool has_place(const struct install *install, uint64_t seq)
{
	size_t low = 0;
	size_t high = install->ordered.count;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (install->ordered.at[mid].seq < seq) {
			low = mid + 1;
		} else {
			high = mid;
		}
	}
	return low < install->ordered.count && install->ordered.at[low].seq == seq;
}

static struct install *find_install(struct sim *sim, uint32_t node, struct ringid ring)
{
	for (size_t i = 0; i < sim->check->installs.count; i++) {
		struct install *install = &sim->check->installs.at[i];

		if (install->node == node && ringid_equal(install->ring, ring)) {
			return install;
		}
	}
	return NULL;
}

/* Nodes that go from the same ring to the same next one deliver the same places in between (virtual
 * synchrony), and agree on who comes along. */
static void check_virtual_synchrony(struct sim *sim, const struct install *a,
				    const struct install *b)
{
	if (!ringid_equal(a->ring, b->ring) || !a->left || !b->left ||
	    !ringid_equal(a->next, b->next)) {
		return;
	}
	if (!nodeset_equal(&a->transitional, &b->transitional)) {
		sim_fail(sim, "nodes %u and %u left ring %llx together with different companions",
			 a->node, b->node, (unsigned long long)a->ring.seq);
	}
	if (a->ordered.count != b->ordered.count) {
		sim_fail(
			sim,
			"nodes %u and %u went through ring %llx together and delivered %zu and %zu",
			a->node, b->node, (unsigned long long)a->ring.seq, a->ordered.count,
			b->ordered.count);
		return;
	}
	for (size_t i = 0; i < a->ordered.count; i++) {
		if (a->ordered.at[i].seq != b->ordered.at[i].seq) {
			sim_fail(sim, "nodes %u and %u differ at place %llu", a->node, b->node,
				 (unsigned long long)a->ordered.at[i].seq);
			return;
		}
	}
}

/* What was delivered as SAFE in the regular configuration is delivered by every member that does
 * not die. */
static void check_safe(struct sim *sim, const struct install *install)
{
	for (size_t i = 0; i < install->ordered.count; i++) {
		const struct ordered *ordered = &install->ordered.at[i];

		if (ordered->guarantee != FRAME_SAFE || ordered->in_transitional) {
			continue;
		}
		for (uint32_t m = 0; m < install->members.count; m++) {
			struct install *other =
				find_install(sim, install->members.id[m], install->ring);

			if (!other || (!has_place(other, ordered->seq) && !crashed(sim, other))) {
				sim_fail(
					sim,
					"place %llu was safe at node %u, and node %u never delivered it",
					(unsigned long long)ordered->seq, install->node,
					install->members.id[m]);
				return;
			}
		}
	}
}

static void check_rings(struct sim *sim)
{
	for (size_t i = 0; i < sim->check->installs.count; i++) {
		for (size_t j = 0; j < i; j++) {
			check_virtual_synchrony(sim, &sim->check->installs.at[i],
						&sim->check->installs.at[j]);
		}
		check_safe(sim, &sim->check->installs.at[i]);
	}
}

/* ---- programs ---- */

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

/* Eight bytes at a time; a rest of fewer stays zero. */
static uint64_t pattern(const struct sim_message *message, uint64_t word)
{
	return (message->number * 31 + message->pid * 7 + word) * 0x9e3779b97f4a7c15ull;
}

void sim_pattern_write(const struct sim_message *message, uint8_t *bytes)
{
	memset(bytes, 0, message->size);
	memcpy(bytes, message, sizeof(*message));
	for (uint64_t i = sizeof(*message); i + 8 <= message->size; i += 8) {
		uint64_t word = pattern(message, i);

		memcpy(bytes + i, &word, 8);
	}
}

static bool pattern_holds(const struct sim_message *message, const uint8_t *bytes)
{
	uint64_t i = sizeof(*message);

	for (; i + 8 <= message->size; i += 8) {
		uint64_t word = pattern(message, i);

		if (memcmp(bytes + i, &word, 8) != 0) {
			return false;
		}
	}
	for (; i < message->size; i++) {
		if (bytes[i] != 0) {
			return false;
		}
	}
	return true;
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
}

void sim_check_stream_end(struct sim *sim, uint64_t stream_index, bool crashed_too)
{
	(void)crashed_too;
	sim->check->streams.at[stream_index].ended = true;
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

void sim_check_end(struct sim *sim)
{
	check_rings(sim);
	for (size_t i = 0; i < sim->check->streams.count; i++) {
		const struct stream *stream = &sim->check->streams.at[i];

		check_self_delivery(sim, stream);
		for (size_t j = 0; j < stream->sent.count; j++) {
			check_everybody_has(sim, &stream->sent.at[j]);
		}
	}
	check_final_views(sim);
}
