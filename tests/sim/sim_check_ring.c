/* SPDX-License-Identifier: BSD-3-Clause */
/* The properties of the ring: extended virtual synchrony as in the Totem paper, section 3. Each check_
 * function is one; it says in its failure what was seen. */
#include "tests/sim/sim_check_int.h"
#include "tests/sim/sim_net.h"

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

static bool installed(const struct sim *sim, uint32_t node, struct ringid ring)
{
	for (size_t i = 0; i < sim->check->installs_of[node].count; i++) {
		const struct install *install =
			&sim->check->installs.at[sim->check->installs_of[node].at[i]];

		if (!crashed(sim, install) && ringid_equal(install->ring, ring)) {
			return true;
		}
	}
	return false;
}

/* A process that is left behind reads from nobody's memory any more. */
static void check_fenced(struct sim *sim, const struct install *old, const struct nodeset *members)
{
	for (uint32_t i = 0; i < old->members.count; i++) {
		uint32_t node = old->members.id[i];

		if (!nodeset_has(members, node) && installed(sim, node, old->ring) &&
		    sim_net_linked(sim, old->node, node)) {
			sim_fail(sim, "node %u leaves node %u behind, with access to its memory",
				 old->node, node);
		}
	}
}

void sim_check_regular(struct sim *sim, uint32_t node, uint64_t life, struct ringid ring,
		       const struct nodeset *members)
{
	struct install *old = current_install(sim, node, life);
	struct install install = {.node = node, .life = life, .ring = ring, .members = *members};
	size_t index = sim->check->installs.count;

	sim_trace(sim, "node %u: ring %u.%llx of %u members", node, ring.rep,
		  (unsigned long long)ring.seq, members->count);
	if (old && sim->gentle && old->members.count == sim->node_count) {
		sim_fail(sim, "node %u: the ring ended though links broke for a moment only", node);
	}
	if (old) {
		old->left = true;
		old->next = ring;
		install.prev = old->ring;
		if (!old->transitional_seen || ring.seq <= old->ring.seq) {
			sim_fail(
				sim,
				"node %u: ring %llx follows %llx without a transitional one, or backwards",
				node, (unsigned long long)ring.seq,
				(unsigned long long)old->ring.seq);
		}
		check_fenced(sim, old, members);
	}
	PUSH(sim->check->installs, install);
	PUSH(sim->check->installs_of[node], index);
	sim->check->current[node].install = index + 1;
	check_same_members(sim, &sim->check->installs.at[index]);
	sim->check->current[node].path =
		mix(sim->check->current[node].path, mix(ring.rep, ring.seq));
	chapters_begin(sim, node);
}

/* In a regular configuration nothing is left out. */
static void check_no_gap(struct sim *sim, uint32_t node, const struct ordered *last, uint64_t seq)
{
	uint64_t expected = (last ? last->seq : PLACE_BEFORE_FIRST) + 1;

	if (seq != expected) {
		sim_fail(sim, "node %u delivers place %llu, should be %llu", node,
			 (unsigned long long)seq, (unsigned long long)expected);
	}
}

/* Every member that is on this ring has it at this very moment. */
static void check_safe_now(struct sim *sim, const struct install *install, uint64_t seq)
{
	for (uint32_t m = 0; m < install->members.count; m++) {
		const struct sim_node *other = sim->nodes[install->members.id[m]];
		struct totem_status status;
		struct engine_stats stats;

		if (other->id == install->node || !other->up) {
			continue;
		}
		engine_status(other->engine, &status, &stats);
		if (ringid_equal(status.ring, install->ring) && status.aru < seq) {
			sim_fail(sim, "node %u delivers place %llu as safe, and node %u lacks it",
				 install->node, (unsigned long long)seq, other->id);
		}
	}
}

/* Places grow, and belong to the ring that is installed. */
void sim_check_ordered(struct sim *sim, uint32_t node, uint64_t life, const struct frame_info *info)
{
	struct install *install = current_install(sim, node, life);
	struct ordered ordered = {info->seq, info->origin, info->guarantee, false};
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
	if (!ordered.in_transitional) {
		check_no_gap(sim, node, last, info->seq);
	}
	if (!ordered.in_transitional && info->guarantee == FRAME_SAFE) {
		check_safe_now(sim, install, info->seq);
	}
	sim->check->current[node].place = (struct place){info->ring, info->seq};
	sim->check->current[node].placing = true;
	PUSH(install->ordered, ordered);
}

bool has_place(const struct install *install, uint64_t seq)
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

struct install *find_install(struct sim *sim, uint32_t node, struct ringid ring)
{
	struct sim_check *check = sim->check;

	for (size_t i = check->installs_of[node].count; i-- > 0;) {
		struct install *install = &check->installs.at[check->installs_of[node].at[i]];

		if (ringid_equal(install->ring, ring)) {
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
		if (a->ordered.at[i].seq != b->ordered.at[i].seq ||
		    a->ordered.at[i].origin != b->ordered.at[i].origin ||
		    a->ordered.at[i].guarantee != b->ordered.at[i].guarantee) {
			sim_fail(sim, "nodes %u and %u differ at place %llu", a->node, b->node,
				 (unsigned long long)a->ordered.at[i].seq);
			return;
		}
	}
}

/* The transitional configuration is exactly those that come from the same ring to the same next one.
 * Who dies before it has installed that one cannot be asked. */
static void check_transitional_set(struct sim *sim, const struct install *install)
{
	const struct install *next = find_install(sim, install->node, install->next);

	for (uint32_t m = 0; install->left && m < next->members.count; m++) {
		uint32_t id = next->members.id[m];
		const struct install *other = find_install(sim, id, install->next);

		if (other && ringid_equal(other->prev, install->ring) !=
				     nodeset_has(&install->transitional, id)) {
			sim_fail(sim,
				 "node %u left ring %llx %s node %u, which came from ring %llx",
				 install->node, (unsigned long long)install->ring.seq,
				 nodeset_has(&install->transitional, id) ? "with" : "without", id,
				 (unsigned long long)other->prev.seq);
		}
	}
	for (uint32_t m = 0; install->left && m < install->transitional.count; m++) {
		if (!nodeset_has(&next->members, install->transitional.id[m])) {
			sim_fail(sim,
				 "node %u left ring %llx with node %u, which is not on the next",
				 install->node, (unsigned long long)install->ring.seq,
				 install->transitional.id[m]);
		}
	}
}

/* What was delivered as SAFE in the regular configuration is delivered by every member that does
 * not die. */
static void check_safe(struct sim *sim, const struct install *install)
{
	for (uint32_t m = 0; m < install->members.count; m++) {
		uint32_t id = install->members.id[m];
		struct install *other = find_install(sim, id, install->ring);

		for (size_t i = 0; i < install->ordered.count; i++) {
			const struct ordered *ordered = &install->ordered.at[i];

			if (ordered->guarantee == FRAME_SAFE && !ordered->in_transitional &&
			    (!other || (!has_place(other, ordered->seq) && !crashed(sim, other)))) {
				sim_fail(sim,
					 "place %llu was safe at node %u, and node %u never "
					 "delivered it",
					 (unsigned long long)ordered->seq, install->node, id);
				return;
			}
		}
	}
}

void check_rings(struct sim *sim)
{
	for (size_t i = 0; i < sim->check->installs.count; i++) {
		for (size_t j = 0; j < i; j++) {
			check_virtual_synchrony(sim, &sim->check->installs.at[i],
						&sim->check->installs.at[j]);
		}
		check_transitional_set(sim, &sim->check->installs.at[i]);
		check_safe(sim, &sim->check->installs.at[i]);
	}
}
