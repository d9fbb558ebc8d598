/* SPDX-License-Identifier: BSD-3-Clause */
/* Links with the semantics of reliable connections: in order and once while they live; silence
 * keeps what is under way; a break leaves its outcome unknown. Frames and READs touch the memory of
 * both ends at the moment of arrival, as an adapter does, so memory that was reused too early shows
 * as corruption. */
#include "tests/sim/sim_net.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/list.h"
#include "store/mark.h"
#include "engine/engine.h"
#include "tests/sim/sim_node.h"
#include "wire/control.h"

#define CONTROL_QUEUE_MAX 128
#define ACK_TIMEOUT_US	  (1 * SECOND)
#define READ_SLOW_US	  (800 * MS)

enum class {
	CONTROL,
	BULK
};

/* A message under way, or delivered and not acknowledged. */
struct item {
	struct list link;
	uint64_t due_us;
	uint64_t cookie;
	int seg_count;
	struct transport_seg segs[FRAME_SEGS_MAX];
	uint32_t size;
	uint8_t bytes[]; /* control only */
};

/* One direction of one channel. */
struct channel {
	struct list under_way;
	struct list unacked;
	uint32_t count; /* in both */
	uint64_t last_due_us;
	bool pumping;
};

struct link {
	bool up;
	bool bulk_up;
	bool dialling;
	uint32_t untold;	       /* ends that have not heard yet that it is down */
	uint32_t cuts[2];	       /* faults that lie on [lower to higher, higher to lower] */
	uint64_t flood_until_us;       /* what has waited comes all at once */
	bool drained;		       /* and has taken the last slot */
	uint64_t cut_epoch;	       /* grows when a whole path is cut or a cut one whole again */
	uint64_t epoch;		       /* grows with every break */
	uint64_t bulk_epoch;	       /* grows with every break of the bulk channel */
	struct channel channels[2][2]; /* [0 = lower id sends, 1 = higher id sends][class] */
};

struct queue {
	struct list events;
	uint32_t count;
};

struct queued_event {
	struct list link;
	struct transport_event event;
	uint8_t bytes[];
};

struct read {
	struct list link;
	uint64_t id;
	uint32_t node;
	uint64_t epoch;
	uint64_t key;
	uint64_t offset;
	struct transport_seg into;
	bool look; /* nothing is copied into `into`, only its size counts */
	uint64_t cookie;
};

struct transport {
	struct sim *sim;
	struct transport_config config;
	uint32_t node;
	struct transport_region regions[TRANSPORT_REGIONS_MAX];
	uint64_t generation[TRANSPORT_REGIONS_MAX];
	uint32_t *slots; /* posted, a ring */
	uint32_t slots_head, slots_count;
	bool peer[SIM_NODES_MAX + 1];
	uint64_t seen_epoch[SIM_NODES_MAX + 1]; /* of the link whose PEER_UP the owner has polled */
	struct queue control, bulk;
	uint32_t ups;	   /* PEER_UP in the queue: what comes over that link waits behind it */
	struct queue last; /* whose bytes are borrowed */
	struct list reads;
	uint64_t next_read;
};

struct sim_net {
	struct transport *nodes[SIM_NODES_MAX + 1];
	struct link links[SIM_NODES_MAX + 1][SIM_NODES_MAX + 1]; /* [lower][higher] */
	uint64_t not_ready;
	bool memory_short;
};

static struct sim *opening_sim;

static struct link *link_of(struct sim *sim, uint32_t a, uint32_t b)
{
	return a < b ? &sim->net->links[a][b] : &sim->net->links[b][a];
}

static struct channel *channel_of(struct sim *sim, uint32_t from, uint32_t to, enum class class)
{
	return &link_of(sim, from, to)->channels[from < to ? 0 : 1][class];
}

static bool cut(struct sim *sim, uint32_t from, uint32_t to)
{
	return link_of(sim, from, to)->cuts[from < to ? 0 : 1] > 0;
}

static bool any_cut(const struct link *link)
{
	return link->cuts[0] > 0 || link->cuts[1] > 0;
}

/* ---- events to a node ---- */

static void push(struct sim *sim, uint32_t node, enum class class,
		 const struct transport_event *event, const uint8_t *bytes)
{
	struct transport *t = sim->net->nodes[node];
	struct queue *queue = class == CONTROL ? &t->control : &t->bulk;
	struct queued_event *queued = calloc(1, sizeof(*queued) + (bytes ? event->size_bytes : 0));

	queued->event = *event;
	if (bytes) {
		memcpy(queued->bytes, bytes, event->size_bytes);
		queued->event.data = queued->bytes;
	}
	list_append(&queue->events, &queued->link);
	queue->count++;
	sim_node_wake(sim, node, sim_between(sim, 1, 50));
}

static void push_simple(struct sim *sim, uint32_t node, enum transport_event_kind kind,
			uint32_t peer, uint64_t cookie)
{
	struct transport_event event = {.kind = kind, .node = peer, .cookie = cookie};
	bool is_bulk = kind == TRANSPORT_SENT || kind == TRANSPORT_FAILED;

	push(sim, node, is_bulk ? BULK : CONTROL, &event, NULL);
}

/* ---- moving messages ---- */

static void gather(struct transport *from, const struct item *item, uint8_t *out)
{
	for (int i = 0; i < item->seg_count; i++) {
		const struct transport_seg *seg = &item->segs[i];
		const struct transport_region *region = &from->regions[seg->region];

		if (!region->base || seg->offset + seg->size_bytes > region->size_bytes) {
			sim_fail(from->sim, "node %u sends from memory that is not registered",
				 from->node);
			return;
		}
		memcpy(out, (uint8_t *)region->base + seg->offset, seg->size_bytes);
		out += seg->size_bytes;
	}
}

/* What was held up by a silent path comes all at once, and whoever is stopped takes nothing of it. */
#define FLOOD_US SECOND

static bool is_flooded(struct sim *sim, uint32_t from, uint32_t to)
{
	struct link *link = link_of(sim, from, to);

	if (sim_now_us(sim) >= link->flood_until_us) {
		return false;
	}
	if (sim->nodes[to]->paused) {
		link->flood_until_us = sim_now_us(sim) + FLOOD_US;
	}
	return true;
}

/* Another's flood has taken all slots of this node. */
static bool is_drained(struct sim *sim, uint32_t to)
{
	for (uint32_t from = 1; from <= sim->node_count; from++) {
		struct link *link = link_of(sim, from, to);

		if (from != to && link->drained && is_flooded(sim, from, to)) {
			return true;
		}
	}
	return false;
}

/* Whether the ring may be blamed for a frame that finds no slot. */
static bool no_slot(struct sim *sim, uint32_t from, uint32_t to)
{
	if (is_flooded(sim, from, to)) {
		link_of(sim, from, to)->drained = true;
		return false;
	}
	return !is_drained(sim, to);
}

static bool deliver_frame(struct sim *sim, uint32_t from, uint32_t to, struct item *item)
{
	struct transport *t = sim->net->nodes[to];
	struct transport_event event = {
		.kind = TRANSPORT_FRAME, .node = from, .size_bytes = item->size};

	if (t->slots_count == 0) {
		sim->net->not_ready += no_slot(sim, from, to);
		return false;
	}
	event.slot = t->slots[t->slots_head];
	t->slots_head = (t->slots_head + 1) % t->config.slot_count;
	t->slots_count--;
	gather(sim->net->nodes[from], item,
	       (uint8_t *)t->regions[TRANSPORT_REGION_SLAB].base +
		       (size_t)event.slot * t->config.slot_size_bytes);
	push(sim, to, BULK, &event, NULL);
	return true;
}

static bool deliver_control(struct sim *sim, uint32_t from, uint32_t to, struct item *item)
{
	struct transport_event event = {
		.kind = TRANSPORT_CONTROL, .node = from, .size_bytes = item->size};

	if (sim->net->nodes[to]->control.count > CONTROL_QUEUE_MAX) {
		return false;
	}
	push(sim, to, CONTROL, &event, item->bytes);
	return true;
}

static uint64_t pack_arg(uint32_t from, enum class class, uint64_t epoch)
{
	return (uint64_t)from | (uint64_t) class << 8 | epoch << 16;
}

/* The oldest unacknowledged frame has been acknowledged. */
static void acknowledged(struct sim *sim, uint32_t to, uint64_t arg)
{
	uint32_t from = arg & 0xff;
	struct link *link = link_of(sim, from, to);
	struct channel *channel = channel_of(sim, from, to, BULK);
	struct item *item;

	if (!link->up || !link->bulk_up || link->bulk_epoch != arg >> 16 ||
	    list_empty(&channel->unacked)) {
		return;
	}
	if (cut(sim, to, from)) {
		sim_at(sim, 10 * MS, acknowledged, to, arg);
		return;
	}
	item = list_entry(channel->unacked.next, struct item, link);
	list_remove(&item->link);
	channel->count--;
	push_simple(sim, from, TRANSPORT_SENT, to, item->cookie);
	free(item);
}

static void arrived(struct sim *sim, uint32_t from, uint32_t to, enum class class,
		    struct item *item)
{
	struct channel *channel = channel_of(sim, from, to, class);

	list_remove(&item->link);
	if (class == CONTROL) {
		channel->count--;
		free(item);
		return;
	}
	list_append(&channel->unacked, &item->link);
	sim_at(sim, sim_between(sim, 5, 60), acknowledged, to,
	       pack_arg(from, BULK, link_of(sim, from, to)->bulk_epoch));
}

static void pump(struct sim *sim, uint32_t to, uint64_t arg);

static void schedule_pump(struct sim *sim, uint32_t from, uint32_t to, enum class class,
			  uint64_t delay_us)
{
	struct channel *channel = channel_of(sim, from, to, class);

	if (!channel->pumping) {
		channel->pumping = true;
		sim_at(sim, delay_us, pump, to, pack_arg(from, class, 0));
	}
}

/* Delivers what is due, in order. */
static void pump(struct sim *sim, uint32_t to, uint64_t arg)
{
	uint32_t from = arg & 0xff;
	enum class class = (arg >> 8) & 0xff;
	struct link *link = link_of(sim, from, to);
	struct channel *channel = channel_of(sim, from, to, class);

	channel->pumping = false;
	while (link->up && !cut(sim, from, to) && (class == CONTROL || link->bulk_up) &&
	       !list_empty(&channel->under_way)) {
		struct item *item = list_entry(channel->under_way.next, struct item, link);

		if (item->due_us > sim_now_us(sim)) {
			schedule_pump(sim, from, to, class, item->due_us - sim_now_us(sim));
			return;
		}
		if (!(class == CONTROL ? deliver_control(sim, from, to, item)
				       : deliver_frame(sim, from, to, item))) {
			schedule_pump(sim, from, to, class, 1 * MS);
			return;
		}
		arrived(sim, from, to, class, item);
	}
}

static void put_under_way(struct sim *sim, uint32_t from, uint32_t to, enum class class,
			  struct item *item)
{
	struct channel *channel = channel_of(sim, from, to, class);
	uint64_t due = sim_now_us(sim) + sim_between(sim, 2, 30) + item->size / 4096;

	if (sim_chance(sim, 1)) {
		due += sim_between(sim, 0, 5 * MS);
	}
	item->due_us = due > channel->last_due_us ? due : channel->last_due_us;
	channel->last_due_us = item->due_us;
	list_append(&channel->under_way, &item->link);
	channel->count++;
	schedule_pump(sim, from, to, class, item->due_us - sim_now_us(sim));
}

/* ---- breaking ---- */

/* A random first part of what is under way still arrives. */
static void flush_part(struct sim *sim, uint32_t from, uint32_t to, enum class class)
{
	struct channel *channel = channel_of(sim, from, to, class);
	uint64_t lucky = sim_below(sim, channel->count + 1ull);

	while (lucky-- > 0 && !list_empty(&channel->under_way)) {
		struct item *item = list_entry(channel->under_way.next, struct item, link);

		if (!(class == CONTROL ? deliver_control(sim, from, to, item)
				       : deliver_frame(sim, from, to, item))) {
			return;
		}
		list_remove(&item->link);
		list_append(&channel->unacked, &item->link);
	}
}

static void flush_both(struct sim *sim, uint32_t from, uint32_t to)
{
	if (!cut(sim, from, to)) {
		flush_part(sim, from, to, CONTROL);
		flush_part(sim, from, to, BULK);
	}
}

/* Everything of this direction is lost; frames come back as FAILED if the sender still lives. */
static void lose_all(struct sim *sim, uint32_t from, uint32_t to, enum class class, bool tell)
{
	struct channel *channel = channel_of(sim, from, to, class);
	struct list *lists[] = {&channel->unacked, &channel->under_way};

	for (int i = 0; i < 2; i++) {
		list_for_each_safe(it, after, lists[i])
		{
			struct item *item = list_entry(it, struct item, link);

			if (class == BULK && tell) {
				push_simple(sim, from, TRANSPORT_FAILED, to, item->cookie);
			}
			list_remove(&item->link);
			free(item);
		}
	}
	channel->count = 0;
}

static void end_reads(struct sim *sim, uint32_t node, uint32_t peer)
{
	struct transport *t = sim->net->nodes[node];

	list_for_each_safe(it, after, &t->reads)
	{
		struct read *read = list_entry(it, struct read, link);
		struct transport_event event = {.kind = TRANSPORT_READ_DONE,
						.node = peer,
						.cookie = read->cookie,
						.status = -EIO};

		if (read->node == peer) {
			push(sim, node, BULK, &event, NULL);
			list_remove(&read->link);
			free(read);
		}
	}
}

static void push_down(struct sim *sim, uint32_t node, uint32_t peer, bool gone)
{
	struct transport_event event = {.kind = TRANSPORT_PEER_DOWN, .node = peer, .gone = gone};

	push(sim, node, CONTROL, &event, NULL);
}

static void told_late(struct sim *sim, uint32_t node, uint64_t arg)
{
	uint32_t peer = arg & 0xff;

	link_of(sim, node, peer)->untold--;
	/* Unless the node has died meanwhile. */
	if (sim->nodes[node]->life == arg >> 8) {
		push_down(sim, node, peer, false);
	}
}

/* Each end finds out by itself that nothing is acknowledged. */
static void tell_late(struct sim *sim, uint32_t node, uint32_t peer)
{
	link_of(sim, node, peer)->untold++;
	sim_at(sim, sim_between(sim, 0, 700) * MS, told_late, node,
	       peer | sim->nodes[node]->life << 8);
}

enum end {
	END_BREAK,  /* both ends learn of it at once */
	END_FENCE,  /* ...but not the one that did it */
	END_DEATH,  /* ...and nobody is there at one end */
	END_TIMEOUT /* each end learns of it in its own time */
};

/* Ends the link. `silent` fenced, or died; 0 for none. */
static void end_link(struct sim *sim, uint32_t a, uint32_t b, uint32_t silent, enum end how)
{
	struct link *link = link_of(sim, a, b);
	uint32_t ends[] = {a, b};

	if (!link->up) {
		return;
	}
	link->up = false;
	link->bulk_up = false;
	link->epoch++;
	link->bulk_epoch++;
	for (int i = 0; i < 2; i++) {
		uint32_t me = ends[i];
		uint32_t peer = ends[1 - i];
		bool dying = how == END_DEATH && me == silent;

		lose_all(sim, me, peer, CONTROL, false);
		lose_all(sim, me, peer, BULK, !dying);
		if (!dying) {
			end_reads(sim, me, peer);
		}
		if (how == END_TIMEOUT) {
			tell_late(sim, me, peer);
		} else if (me != silent) {
			push_down(sim, me, peer, how == END_DEATH);
		}
	}
}

/* ---- dialling ---- */

static void dialled(struct sim *sim, uint32_t a, uint64_t b);

static void dial(struct sim *sim, uint32_t a, uint32_t b, uint64_t delay_us)
{
	struct link *link = link_of(sim, a, b);

	if (!link->dialling) {
		link->dialling = true;
		sim_at(sim, delay_us, dialled, a, b);
	}
}

static uint64_t incarnation_of(const struct sim *sim, uint32_t node)
{
	return sim->net->nodes[node]->config.incarnation;
}

static int net_slot_post(struct transport *t, uint32_t slot);

/* A slow node may have looked at nothing of the link before this one: frames of that one cannot come
 * after the PEER_UP. They are lost, like others that were under way. */
static void forget_frames(struct transport *t, uint32_t peer)
{
	list_for_each_safe(it, after, &t->bulk.events)
	{
		struct queued_event *queued = list_entry(it, struct queued_event, link);

		if (queued->event.kind == TRANSPORT_FRAME && queued->event.node == peer) {
			net_slot_post(t, queued->event.slot);
			list_remove(&queued->link);
			t->bulk.count--;
			free(queued);
		}
	}
}

static void push_up(struct sim *sim, uint32_t node, uint32_t peer, uint64_t epoch)
{
	struct transport_event event = {.kind = TRANSPORT_PEER_UP,
					.node = peer,
					.cookie = epoch,
					.incarnation = incarnation_of(sim, peer)};

	forget_frames(sim->net->nodes[node], peer);
	sim->net->nodes[node]->ups++;
	push(sim, node, CONTROL, &event, NULL);
}

static void link_up(struct sim *sim, uint32_t a, uint32_t b)
{
	struct link *link = link_of(sim, a, b);

	link->up = true;
	link->bulk_up = true;
	link->epoch++;
	link->bulk_epoch++;
	push_up(sim, a, b, link->epoch);
	push_up(sim, b, a, link->epoch);
}

static void dialled(struct sim *sim, uint32_t a, uint64_t b)
{
	struct link *link = link_of(sim, a, (uint32_t)b);
	struct transport *ta = sim->net->nodes[a];
	struct transport *tb = sim->net->nodes[b];

	link->dialling = false;
	if (!ta || !tb || !ta->peer[b] || !tb->peer[a] || any_cut(link) || link->up) {
		return;
	}
	if (link->untold > 0) {
		dial(sim, a, (uint32_t)b, 50 * MS);
		return;
	}
	link_up(sim, a, (uint32_t)b);
}

/* ---- faults ---- */

static void bulk_redialled(struct sim *sim, uint32_t a, uint64_t arg)
{
	uint32_t b = arg & 0xff;
	struct link *link = link_of(sim, a, b);
	uint32_t ends[] = {a, b};

	if (!link->up || link->bulk_up || link->bulk_epoch != arg >> 16) {
		return;
	}
	link->bulk_up = true;
	for (int i = 0; i < 2; i++) {
		push_simple(sim, ends[i], TRANSPORT_BULK_UP, ends[1 - i], 0);
		schedule_pump(sim, ends[i], ends[1 - i], BULK, 1);
	}
}

/* The unacknowledged tail goes before what was never sent. */
static void take_back_unacked(struct channel *channel)
{
	while (!list_empty(&channel->unacked)) {
		struct list *last = channel->unacked.prev;

		list_remove(last);
		list_append(channel->under_way.next, last);
	}
}

void sim_net_break_bulk(struct sim *sim, uint32_t a, uint32_t b)
{
	struct link *link = link_of(sim, a, b);
	uint32_t ends[] = {a, b};

	if (!link->up || !link->bulk_up || any_cut(link)) {
		return;
	}
	sim_trace(sim, "fault: bulk connection %u-%u breaks", a, b);
	for (int i = 0; i < 2; i++) {
		flush_part(sim, ends[i], ends[1 - i], BULK);
		take_back_unacked(channel_of(sim, ends[i], ends[1 - i], BULK));
		end_reads(sim, ends[i], ends[1 - i]);
		push_simple(sim, ends[i], TRANSPORT_BULK_DOWN, ends[1 - i], 0);
	}
	link->bulk_up = false;
	link->bulk_epoch++;
	sim_at(sim, sim_between(sim, 1, 50) * MS, bulk_redialled, a,
	       pack_arg(b, CONTROL, 0) | link->bulk_epoch << 16);
}

void sim_net_break(struct sim *sim, uint32_t a, uint32_t b, uint64_t redial_max_ms)
{
	struct link *link = link_of(sim, a, b);

	if (!link->up) {
		return;
	}
	sim_trace(sim, "fault: link %u-%u breaks", a, b);
	flush_both(sim, a, b);
	flush_both(sim, b, a);
	end_link(sim, a, b, 0, END_BREAK);
	dial(sim, a, b, sim_between(sim, 1, redial_max_ms) * MS);
}

static void cut_noticed(struct sim *sim, uint32_t a, uint64_t arg)
{
	uint32_t b = arg & 0xff;
	struct link *link = link_of(sim, a, b);

	if (any_cut(link) && link->up && link->cut_epoch == arg >> 16) {
		end_link(sim, a, b, 0, END_TIMEOUT);
	}
}

void sim_net_cut(struct sim *sim, uint32_t from, uint32_t to)
{
	struct link *link = link_of(sim, from, to);

	if (!any_cut(link)) {
		link->cut_epoch++;
		sim_at(sim, ACK_TIMEOUT_US, cut_noticed, from,
		       pack_arg(to, CONTROL, link->cut_epoch));
	}
	sim_trace(sim, "fault: path %u>%u is cut", from, to);
	link->cuts[from < to ? 0 : 1]++;
}

/* What has waited arrives in a burst: frames too that others have long sent again, and more of them
 * than any ring keeps slots for. They wait for slots then. */
static void flow_again(struct sim *sim, uint32_t from, uint32_t to)
{
	link_of(sim, from, to)->flood_until_us = sim_now_us(sim) + FLOOD_US;
	link_of(sim, from, to)->drained = false;
	for (int class = CONTROL; class <= BULK; class ++) {
		schedule_pump(sim, from, to, (enum class) class, sim_between(sim, 1, 100) * MS);
	}
}

void sim_net_heal(struct sim *sim, uint32_t from, uint32_t to)
{
	struct link *link = link_of(sim, from, to);
	uint32_t *cuts = &link->cuts[from < to ? 0 : 1];

	if (*cuts == 0 || --*cuts > 0) {
		return;
	}
	sim_trace(sim, "path %u>%u is whole again", from, to);
	if (link->up) {
		flow_again(sim, from, to);
	}
	if (!any_cut(link)) {
		link->cut_epoch++;
		if (!link->up) {
			dial(sim, from, to, sim_between(sim, 20, 500) * MS);
		}
	}
}

void sim_net_heal_all(struct sim *sim, uint32_t a, uint32_t b)
{
	struct link *link = link_of(sim, a, b);
	uint32_t *cuts = link->cuts;

	cuts[0] = cuts[0] ? 1 : 0;
	cuts[1] = cuts[1] ? 1 : 0;
	sim_net_heal(sim, a < b ? a : b, a < b ? b : a);
	sim_net_heal(sim, a < b ? b : a, a < b ? a : b);
}

bool sim_net_linked(struct sim *sim, uint32_t a, uint32_t b)
{
	return link_of(sim, a, b)->up;
}

void sim_net_crash(struct sim *sim, uint32_t node)
{
	for (uint32_t peer = 1; peer <= sim->node_count; peer++) {
		struct link *link = peer == node ? NULL : link_of(sim, node, peer);

		if (!link || !link->up) {
			continue;
		}
		flush_both(sim, node, peer);
		end_link(sim, node, peer, node, END_DEATH);
	}
}

uint64_t sim_net_not_ready(const struct sim_net *net)
{
	return net->not_ready;
}

int sim_net_new(struct sim *sim, struct sim_net **out)
{
	struct sim_net *net = calloc(1, sizeof(*net));

	if (!net) {
		return -ENOMEM;
	}
	for (uint32_t a = 0; a <= sim->node_count; a++) {
		for (uint32_t b = 0; b <= sim->node_count; b++) {
			for (int i = 0; i < 4; i++) {
				struct channel *channel = &net->links[a][b].channels[i / 2][i % 2];

				list_init(&channel->under_way);
				list_init(&channel->unacked);
			}
		}
	}
	*out = net;
	return 0;
}

void sim_net_free(struct sim_net **net)
{
	free(*net);
	*net = NULL;
}

void sim_net_opening(struct sim *sim)
{
	opening_sim = sim;
}

/* ---- the contract ---- */

static int net_open(const struct transport_config *config, struct transport **out)
{
	struct sim *sim = opening_sim;
	struct transport *t = calloc(1, sizeof(*t));

	if (!t) {
		return -ENOMEM;
	}
	t->sim = sim;
	t->config = *config;
	t->node = config->node;
	t->slots = calloc(config->slot_count, sizeof(*t->slots));
	list_init(&t->control.events);
	list_init(&t->bulk.events);
	list_init(&t->last.events);
	list_init(&t->reads);
	sim->net->nodes[t->node] = t;
	*out = t;
	return 0;
}

static void queue_free(struct queue *queue)
{
	list_for_each_safe(it, after, &queue->events)
	{
		list_remove(it);
		free(list_entry(it, struct queued_event, link));
	}
}

static void transport_free(struct sim *sim, uint32_t node)
{
	struct transport *t = sim->net->nodes[node];

	queue_free(&t->control);
	queue_free(&t->bulk);
	list_for_each_safe(it, after, &t->reads)
	{
		free(list_entry(it, struct read, link));
	}
	queue_free(&t->last);
	free(t->slots);
	free(t);
	sim->net->nodes[node] = NULL;
}

static void net_close(struct transport **t)
{
	if (*t) {
		sim_net_crash((*t)->sim, (*t)->node);
		transport_free((*t)->sim, (*t)->node);
		*t = NULL;
	}
}

static int net_fd(const struct transport *t)
{
	(void)t;
	return -1;
}

static uint64_t net_deadline(const struct transport *t)
{
	(void)t;
	return UINT64_MAX;
}

static struct queued_event *pop(struct queue *queue)
{
	struct queued_event *event;

	if (list_empty(&queue->events)) {
		return NULL;
	}
	event = list_entry(queue->events.next, struct queued_event, link);
	list_remove(&event->link);
	queue->count--;
	return event;
}

/* One control message at a time. What bytes there are, are borrowed until the next poll. */
static int net_poll(struct transport *t, uint64_t now_ms, struct transport_event *events, int max)
{
	struct queued_event *event = pop(&t->control);
	int count = 0;

	(void)now_ms;
	queue_free(&t->last);
	if (event) {
		list_append(&t->last.events, &event->link);
		if (event->event.kind == TRANSPORT_PEER_UP) {
			t->seen_epoch[event->event.node] = event->event.cookie;
			t->ups--;
		}
		events[count++] = event->event;
	}
	while (t->ups == 0 && count < max && count < 16 && (event = pop(&t->bulk))) {
		events[count++] = event->event;
		list_append(&t->last.events, &event->link);
	}
	if (t->control.count + t->bulk.count > 0) {
		sim_node_wake(t->sim, t->node, 1);
	}
	return count;
}

void sim_net_memory_short(struct sim *sim, bool is_short)
{
	sim->net->memory_short = is_short;
}

/* On virtual time nobody sleeps. */
static void net_flush(struct transport *t)
{
	(void)t;
}

static void net_stay_awake(struct transport *t, bool on)
{
	(void)t;
	(void)on;
}

static int net_region_add(struct transport *t, uint32_t id, const struct transport_region *region,
			  uint64_t *key)
{
	if (t->regions[id].base) {
		return -EEXIST;
	}
	if (id >= ENGINE_REGIONS_MAX && id < TRANSPORT_REGIONS_MAX - 1 &&
	    t->sim->net->memory_short && sim_chance(t->sim, 30)) {
		return -ENOMEM;
	}
	t->regions[id] = *region;
	t->generation[id] = sim_random(t->sim) & 0xffffffff;
	*key = (uint64_t)id << 32 | t->generation[id];
	return 0;
}

static void net_region_remove(struct transport *t, uint32_t id)
{
	t->regions[id] = (struct transport_region){0};
}

static int net_slot_post(struct transport *t, uint32_t slot)
{
	if (t->slots_count == t->config.slot_count) {
		sim_fail(t->sim, "node %u posts more slots than there are", t->node);
		return -ENOSPC;
	}
	t->slots[(t->slots_head + t->slots_count++) % t->config.slot_count] = slot;
	return 0;
}

static int net_peer_add(struct transport *t, const struct transport_peer *peer)
{
	t->peer[peer->node] = true;
	dial(t->sim, t->node, peer->node, sim_between(t->sim, 1, 300) * MS);
	return 0;
}

static void net_peer_remove(struct transport *t, uint32_t node)
{
	t->peer[node] = false;
}

static void net_peer_fence(struct transport *t, uint32_t node)
{
	struct link *link = link_of(t->sim, t->node, node);

	if (!sim_node_acts(t->sim, t->node)) {
		return;
	}
	end_link(t->sim, t->node, node, t->node, END_FENCE);
	if (!any_cut(link)) {
		dial(t->sim, t->node, node, sim_between(t->sim, 20, 300) * MS);
	}
}

/* The link that the owner knows of, and no later one. */
static bool linked(struct transport *t, uint32_t node)
{
	const struct link *link;

	if (node < 1 || node > t->sim->node_count || node == t->node) {
		return false;
	}
	link = link_of(t->sim, t->node, node);
	return link->up && link->epoch == t->seen_epoch[node];
}

static int net_send_control(struct transport *t, uint32_t node, const void *bytes, size_t size)
{
	struct item *item;

	if (!sim_node_acts(t->sim, t->node)) {
		return 0;
	}
	if (!linked(t, node)) {
		return -ENOTCONN;
	}
	if (size > CHANNEL_SIZE_MAX) {
		sim_fail(t->sim, "control message of %zu bytes", size);
		return -EMSGSIZE;
	}
	if (t->sim->sealed && wire_control_kind(bytes, size) != CONTROL_NONE) {
		sim_fail(t->sim, "node %u speaks in the clear", t->node);
	}
	if (channel_of(t->sim, t->node, node, CONTROL)->count > CONTROL_QUEUE_MAX) {
		return -ENOBUFS;
	}
	item = calloc(1, sizeof(*item) + size);
	item->size = (uint32_t)size;
	memcpy(item->bytes, bytes, size);
	put_under_way(t->sim, t->node, node, CONTROL, item);
	return 0;
}

/* Each node's adapter gathers another number of pieces. */
static int net_segs_max(const struct transport *t)
{
	return FRAME_SEGS_MIN + (int)(t->node * 5 % (FRAME_SEGS_MAX - FRAME_SEGS_MIN + 1));
}

static int net_send_frame(struct transport *t, uint32_t node, const struct transport_seg *segs,
			  int count, uint64_t cookie)
{
	struct item *item;

	if (!sim_node_acts(t->sim, t->node)) {
		return 0;
	}
	if (!linked(t, node)) {
		return -ENOTCONN;
	}
	if (channel_of(t->sim, t->node, node, BULK)->count >= t->config.bulk_depth) {
		return -ENOBUFS;
	}
	if (count > net_segs_max(t)) {
		sim_fail(t->sim, "frame in %d pieces", count);
	}
	item = calloc(1, sizeof(*item));
	item->seg_count = count;
	item->cookie = cookie;
	for (int i = 0; i < count; i++) {
		item->segs[i] = segs[i];
		item->size += segs[i].size_bytes;
	}
	if (item->size > t->config.slot_size_bytes) {
		sim_fail(t->sim, "frame of %u bytes in %d pieces", item->size, count);
	}
	put_under_way(t->sim, t->node, node, BULK, item);
	return 0;
}

static const struct transport_region *region_of(struct transport *t, uint32_t node, uint64_t key)
{
	struct transport *peer = t->sim->net->nodes[node];
	uint32_t id = (uint32_t)(key >> 32);

	if (!peer || id >= TRANSPORT_REGIONS_MAX || peer->generation[id] != (key & 0xffffffff) ||
	    !peer->regions[id].base) {
		return NULL;
	}
	return &peer->regions[id];
}

/* Copies if the remote range is there, now. */
static int read_now(struct transport *t, const struct read *read, uint8_t *into)
{
	const struct transport_region *from = region_of(t, read->node, read->key);
	struct transport_region segment;
	uint32_t id = (uint32_t)(read->key >> 32);

	if (!from || !from->remote_read || read->offset > from->size_bytes ||
	    read->into.size_bytes > from->size_bytes - read->offset) {
		return -EACCES;
	}
	memcpy(into, (uint8_t *)from->base + read->offset, read->into.size_bytes);
	if (engine_segment(t->sim->nodes[read->node]->engine, id, &segment) &&
	    !engine_segment_taken(t->sim->nodes[read->node]->engine, id, read->offset,
				  read->into.size_bytes)) {
		memset(into, 0xdd, read->into.size_bytes); /* free memory holds anything */
	}
	/* Some adapters say that a READ is complete when it is not. */
	if (!t->sim->exact && !t->sim->calm && sim_chance(t->sim, 2)) {
		into[sim_below(t->sim, read->into.size_bytes)] ^= 1;
	}
	return 0;
}

static struct read *find_read(struct transport *t, uint64_t id)
{
	list_for_each(it, &t->reads) {
		struct read *read = list_entry(it, struct read, link);

		if (read->id == id) {
			return read;
		}
	}
	return NULL;
}

static uint8_t *into_of(struct transport *t, const struct read *read)
{
	return (uint8_t *)t->regions[read->into.region].base + read->into.offset;
}

static void read_arrived(struct sim *sim, uint32_t node, uint64_t id)
{
	struct transport *t = sim->net->nodes[node];
	struct read *read = t ? find_read(t, id) : NULL;
	struct transport_event event = {.kind = TRANSPORT_READ_DONE};
	uint8_t *seen;

	if (!read) {
		return;
	}
	if (cut(sim, node, read->node) || cut(sim, read->node, node)) {
		sim_at(sim, 10 * MS, read_arrived, node, id);
		return;
	}
	event.node = read->node;
	event.cookie = read->cookie;
	event.size_bytes = read->look ? read->into.size_bytes : 0;
	seen = read->look ? malloc(event.size_bytes) : NULL;
	event.status = read_now(t, read, seen ? seen : into_of(t, read));
	push(sim, node, BULK, &event, event.status == 0 ? seen : NULL);
	free(seen);
	list_remove(&read->link);
	free(read);
}

static int read_begin(struct transport *t, const struct read *wanted)
{
	uint64_t delay_us = sim_between(t->sim, 10, 3000) + wanted->into.size_bytes / 1000;
	struct read *read;

	if (!sim_node_acts(t->sim, t->node)) {
		return 0;
	}
	if (!linked(t, wanted->node) || !link_of(t->sim, t->node, wanted->node)->bulk_up) {
		return -ENOTCONN;
	}
	read = calloc(1, sizeof(*read));
	*read = *wanted;
	read->id = sim_random(t->sim);
	list_append(&t->reads, &read->link);
	/* Now and then an adapter repeats it for long, over the end of a ring. */
	if (t->sim->chains && sim_chance(t->sim, 1)) {
		delay_us += sim_between(t->sim, 0, READ_SLOW_US);
	}
	sim_at(t->sim, delay_us, read_arrived, t->node, read->id);
	return 0;
}

static int net_read(struct transport *t, uint32_t node, uint64_t key, uint64_t remote_offset,
		    const struct transport_seg *into, uint64_t cookie)
{
	if (into->size_bytes == 0 || into->size_bytes > READ_SIZE_MAX) {
		sim_fail(t->sim, "READ of %u bytes", into->size_bytes);
		return -EINVAL;
	}
	return read_begin(t, &(struct read){.node = node,
					    .key = key,
					    .offset = remote_offset,
					    .into = *into,
					    .cookie = cookie});
}

static int net_look(struct transport *t, uint32_t node, uint64_t key, uint64_t remote_offset,
		    uint32_t size_bytes, uint64_t cookie)
{
	return read_begin(t, &(struct read){.node = node,
					    .key = key,
					    .offset = remote_offset,
					    .into = {.size_bytes = size_bytes},
					    .look = true,
					    .cookie = cookie});
}

/* Bytes were copied when they were looked at; whether they may be believed is another matter. */
static bool net_still_there(const struct transport *t, uint32_t node, uint64_t key)
{
	(void)key;
	return t->sim->net->nodes[node] != NULL && !sim_chance(t->sim, 1);
}

static bool net_maps(const struct transport *t)
{
	return t->sim->one_host;
}

static int net_map(struct transport *t, uint32_t node, uint64_t key, uint64_t mark,
		   struct transport_map *out)
{
	const struct transport_region *region = linked(t, node) ? region_of(t, node, key) : NULL;

	if (!region || !region->remote_read || sim_chance(t->sim, 3)) {
		return linked(t, node) ? -EACCES : -ENOTCONN;
	}
	if (mark_open(region->fd, mark, &out->fd)) {
		return -EMFILE;
	}
	out->size_bytes = region->size_bytes;
	out->base = mmap(NULL, out->size_bytes, PROT_READ, MAP_SHARED, out->fd, 0);
	return out->base == MAP_FAILED ? -ENOMEM : 0;
}

static const char *net_device(const struct transport *t)
{
	(void)t;
	return "simulated";
}

static void net_memory(const struct transport *t, struct transport_memory *out)
{
	(void)t;
	*out = (struct transport_memory){.numa_node = -1};
}

static int net_peer_stats(const struct transport *t, uint32_t node,
			  struct transport_peer_stats *out)
{
	(void)t;
	(void)node;
	*out = (struct transport_peer_stats){0};
	return 0;
}

const struct transport_ops transport_simulated = {
	.name = "simulated",
	.open = net_open,
	.close = net_close,
	.fd = net_fd,
	.next_deadline_ms = net_deadline,
	.poll = net_poll,
	.flush = net_flush,
	.stay_awake = net_stay_awake,
	.region_add = net_region_add,
	.region_remove = net_region_remove,
	.slot_post = net_slot_post,
	.peer_add = net_peer_add,
	.peer_remove = net_peer_remove,
	.peer_fence = net_peer_fence,
	.send_control = net_send_control,
	.segs_max = net_segs_max,
	.send_frame = net_send_frame,
	.read = net_read,
	.look = net_look,
	.still_there = net_still_there,
	.maps = net_maps,
	.map = net_map,
	.device = net_device,
	.memory = net_memory,
	.peer_stats = net_peer_stats,
};
