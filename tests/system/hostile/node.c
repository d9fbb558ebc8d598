/* SPDX-License-Identifier: BSD-3-Clause */
/* A node of the configuration that no daemon runs on: it links to the daemons as a daemon would, and what it then says
 * is malformed, mutated, or in others' names. What would be a correct wish to join is left out: that is
 * the ring's own business, and without keys anybody of this user may have it. */
#include "tests/system/hostile/hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "transport.h"
#include "wire/control.h"
#include "wire/frame.h"

#define SLOT_BYTES 32768u
#define SLOTS	   32u
#define DEPTH	   32u
#define AREA_BYTES (4u << 20) /* behind the slots: frames of ours */
#define BATCH	   64

static struct {
	const struct transport_ops *ops;
	struct transport *t;
	uint8_t *slab;
	uint64_t key;
	uint32_t id;
	uint32_t nodes[8], nodes_count;
	bool up[8];
	struct ringid ring; /* the daemons', as they tell everybody */
	uint64_t controls, frames, ups;
} self;

static uint32_t any_node(void)
{
	return self.nodes[hostile_below(self.nodes_count)];
}

static uint32_t any_id(void)
{
	return hostile_below(2)	  ? self.id
	       : hostile_below(4) ? any_node()
				  : (uint32_t)hostile_number();
}

static struct ringid any_ring(void)
{
	struct ringid ring = self.ring;

	if (hostile_below(4) == 0) {
		ring.seq += hostile_below(3) - 1u;
	}
	if (hostile_below(8) == 0) {
		ring = (struct ringid){any_id(), hostile_number() & CONTROL_SEQ_MAX};
	}
	return ring;
}

static struct nodeset any_set(void)
{
	struct nodeset set = {0};

	for (uint32_t i = 0; i < self.nodes_count; i++) {
		if (hostile_below(4)) {
			nodeset_add(&set, self.nodes[i]);
		}
	}
	if (hostile_below(2)) {
		nodeset_add(&set, self.id);
	}
	return set;
}

/* --- Control messages --- */

static void fill_commit(struct control_commit *commit)
{
	commit->ring = any_ring();
	commit->members = any_set();
	nodeset_add(&commit->members, any_node());
	commit->token_seq = hostile_below(8);
	for (uint32_t i = 0; i < commit->members.count; i++) {
		commit->entry[i] = (struct control_commit_entry){.filled = hostile_below(2),
								 .old_ring = self.ring,
								 .aru = hostile_below(1000)};
	}
}

static void fill_token(struct control_token *token)
{
	token->ring = any_ring();
	token->token_seq = hostile_number() & CONTROL_SEQ_MAX;
	token->seq = hostile_below(2) ? hostile_below(100000) : hostile_number() & CONTROL_SEQ_MAX;
	token->aru = token->seq > 10 ? token->seq - hostile_below(10) : 0;
	token->limit = token->limit_next = token->seq + hostile_below(1000);
	token->fcc = hostile_below(100);
	token->rtr_count = hostile_below(4);
	for (uint32_t i = 0; i < token->rtr_count; i++) {
		token->rtr[i] = (struct control_range){10 * i + 1, 10 * i + 5, 1};
	}
}

static void fill_chain(struct control_chain *chain)
{
	chain->ring = any_ring();
	chain->seq = hostile_below(100000);
	chain->key = hostile_below(2) ? self.key : hostile_number();
	chain->offset = hostile_number() & CONTROL_SEQ_MAX;
	chain->size = hostile_below(MESSAGE_SIZE_MAX);
	chain->valid = hostile_below((uint32_t)chain->size + 1);
	chain->gone = hostile_below(2);
}

static size_t any_control(uint8_t *bytes)
{
	static struct control control;

	memset(&control, 0, sizeof(control));
	control.kind = 1 + hostile_below(CONTROL_KINDS - 1);
	control.sender = any_id();
	control.ring = any_ring();
	switch (control.kind) {
	case CONTROL_JOIN:
		control.join =
			(struct control_join){hostile_number() & CONTROL_SEQ_MAX, any_set(), {0}};
		break;
	case CONTROL_COMMIT:
		fill_commit(&control.commit);
		break;
	case CONTROL_TOKEN:
		fill_token(&control.token);
		break;
	case CONTROL_HAVE:
		control.have = (struct control_have){any_ring(),	  any_ring(),
						     hostile_below(1000), hostile_below(2),
						     CONTROL_HAVE_BYTES,  {255}};
		break;
	case CONTROL_ASK:
		control.ask = (struct control_ask){any_ring(), any_ring(), 1, {{1, 9, 0}}};
		break;
	case CONTROL_ACK:
		control.ack = (struct control_ack){any_ring(), 1 + hostile_below(100000)};
		break;
	case CONTROL_RETURN:
		control.returned.count = 1 + hostile_below(CONTROL_RETURN_MAX);
		for (uint32_t i = 0; i < control.returned.count; i++) {
			control.returned.loan[i] = 1 + hostile_below(1000);
		}
		break;
	case CONTROL_CHAIN:
		fill_chain(&control.chain);
		break;
	case CONTROL_NONE:
	case CONTROL_MERGE:
	case CONTROL_WAKE:
	case CONTROL_LEAVE:
		break;
	}
	return wire_control_encode(&control, bytes);
}

static size_t mutate(uint8_t *bytes, size_t size, size_t max)
{
	for (uint32_t i = hostile_below(4); i > 0; i--) {
		bytes[hostile_below((uint32_t)size)] = (uint8_t)hostile_roll();
	}
	if (hostile_below(8) == 0) {
		size = 1 + hostile_below((uint32_t)(hostile_below(2) ? size : max));
	}
	return size;
}

/* It would be one who wants to join, and the ring would try. */
static bool is_a_wish(const uint8_t *bytes, size_t size)
{
	static struct control control;

	return wire_control_decode(bytes, size, &control) == NULL && control.sender == self.id &&
	       (control.kind == CONTROL_JOIN || control.kind == CONTROL_MERGE);
}

static void say(uint32_t node)
{
	uint8_t bytes[CONTROL_SIZE_MAX];
	size_t size;

	if (hostile_below(16) == 0) {
		hostile_bytes(bytes, 256);
		size = 1 + hostile_below(sizeof(bytes));
	} else {
		size = any_control(bytes);
		size = hostile_below(3) ? mutate(bytes, size, sizeof(bytes)) : size;
	}
	if (!is_a_wish(bytes, size)) {
		self.controls += self.ops->send_control(self.t, node, bytes, size) == 0;
	}
}

/* --- Frames --- */

static size_t any_frame(uint8_t *bytes)
{
	struct frame_header header = {
		.info = {.ring = any_ring(),
			 .seq = hostile_below(2) ? hostile_below(100000) : hostile_number(),
			 .origin = any_id(),
			 .guarantee = hostile_below(2) ? FRAME_AGREED : FRAME_SAFE,
			 .repeated = hostile_below(2)},
		.body = 1 + hostile_below(2),
		.entries = 1};
	size_t payload = header.body == FRAME_ANNOUNCE ? FRAME_ANNOUNCE_SIZE : hostile_below(4000);
	uint16_t meta_size = 40;
	uint32_t payload_size = (uint32_t)payload;
	uint8_t *entry = bytes + FRAME_HEADER_SIZE;

	memset(bytes, 0, SLOT_BYTES);
	memcpy(entry, &meta_size, 2);
	memcpy(entry + 4, &payload_size, 4);
	hostile_bytes(entry + FRAME_ENTRY_HEADER_SIZE, meta_size);
	if (header.body == FRAME_ANNOUNCE) {
		struct frame_announce announce = {
			.key = hostile_below(2) ? self.key : hostile_number(),
			.offset = hostile_number(),
			.size = hostile_number(),
			.chunk = hostile_below(2) ? 0 : FRAME_CHUNK_UNIT * hostile_below(64),
			.loan = hostile_below(2) ? 0 : hostile_below(1000)};

		frame_announce_encode(&announce, entry + FRAME_ENTRY_HEADER_SIZE + meta_size);
	}
	header.body_size = (uint32_t)frame_entry_size(meta_size, payload);
	frame_header_encode(&header, bytes);
	return FRAME_HEADER_SIZE + header.body_size;
}

static void show(uint32_t node)
{
	uint32_t place = hostile_below(AREA_BYTES / SLOT_BYTES);
	uint64_t offset = (uint64_t)SLOTS * SLOT_BYTES + (uint64_t)place * SLOT_BYTES;
	uint8_t *bytes = self.slab + offset;
	size_t size = any_frame(bytes);
	struct transport_seg seg;

	size = hostile_below(8) ? size : mutate(bytes, size, SLOT_BYTES);
	seg = (struct transport_seg){TRANSPORT_REGION_SLAB, (uint32_t)size, offset};
	self.frames += self.ops->send_frame(self.t, node, &seg, 1, 1) == 0;
}

/* --- The link --- */

static void set_up(uint32_t node, bool up)
{
	for (uint32_t i = 0; i < self.nodes_count; i++) {
		if (self.nodes[i] == node) {
			self.up[i] = up;
		}
	}
	self.ups += up;
}

/* The ring is told to everybody who is linked: so we know its name. */
static void hear(const struct transport_event *event)
{
	static struct control control;

	if (!wire_control_decode(event->data, event->size_bytes, &control) &&
	    control.kind == CONTROL_MERGE) {
		self.ring = control.ring;
	}
}

static void turn(void)
{
	struct transport_event events[BATCH];
	int count = self.ops->poll(self.t, hostile_now_ms(), events, BATCH);

	for (int i = 0; i < count; i++) {
		switch (events[i].kind) {
		case TRANSPORT_PEER_UP:
			set_up(events[i].node, true);
			break;
		case TRANSPORT_PEER_DOWN:
			set_up(events[i].node, false);
			break;
		case TRANSPORT_CONTROL:
			hear(&events[i]);
			break;
		case TRANSPORT_FRAME:
			self.ops->slot_post(self.t, events[i].slot);
			break;
		default:
			break;
		}
	}
	self.ops->flush(self.t);
}

static void log_text(void *ctx, int priority, const char *text)
{
	(void)ctx;
	(void)priority;
	if (getenv("HOSTILE_TRACE")) {
		fprintf(stderr, "%s\n", text);
	}
}

static void open_transport(const char *cluster)
{
	struct transport_config config = {.cluster_name = cluster,
					  .node = self.id,
					  .incarnation = hostile_roll(),
					  .slot_size_bytes = SLOT_BYTES,
					  .slot_count = SLOTS,
					  .bulk_depth = DEPTH,
					  .connect_timeout_ms = 300,
					  .ack_timeout_ms = 1000,
					  .log = log_text};
	struct transport_region slab = {.size_bytes = SLOTS * SLOT_BYTES + AREA_BYTES,
					.fd = memfd_create("hostile",
							   MFD_CLOEXEC | MFD_ALLOW_SEALING),
					.remote_read = true};

	if (slab.fd < 0 || ftruncate(slab.fd, (off_t)slab.size_bytes)) {
		hostile_fail("no memory");
	}
	slab.base = mmap(NULL, slab.size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, slab.fd, 0);
	if (slab.base == MAP_FAILED ||
	    fcntl(slab.fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE)) {
		hostile_fail("no sealed memory");
	}
	self.ops = transport_find("shm");
	if (self.ops->open(&config, &self.t) ||
	    self.ops->region_add(self.t, TRANSPORT_REGION_SLAB, &slab, &self.key)) {
		hostile_fail("no transport");
	}
	self.slab = slab.base;
	for (uint32_t i = 0; i < SLOTS; i++) {
		self.ops->slot_post(self.t, i);
	}
	for (uint32_t i = 0; i < self.nodes_count; i++) {
		self.ops->peer_add(self.t, &(struct transport_peer){.node = self.nodes[i]});
	}
}

static void speak(void)
{
	for (uint32_t i = 0; i < self.nodes_count; i++) {
		if (!self.up[i] || hostile_below(4) == 0) {
			continue;
		}
		for (uint32_t n = hostile_below(20); n > 0; n--) {
			say(self.nodes[i]);
		}
		if (hostile_below(4) == 0) {
			show(self.nodes[i]);
		}
	}
}

int hostile_node(uint64_t ms, int count, char **args)
{
	uint64_t until_ms = hostile_now_ms() + ms;

	self.id = (uint32_t)strtoul(args[1], NULL, 10);
	for (int i = 2; i < count && self.nodes_count < 8; i++) {
		self.nodes[self.nodes_count++] = (uint32_t)strtoul(args[i], NULL, 10);
	}
	open_transport(args[0]);
	while (hostile_now_ms() < until_ms) {
		turn();
		/* The ring first tells its name. */
		if (self.ring.seq != 0) {
			speak();
		}
		hostile_pause_ms(1);
	}
	printf("linked %llu times, %llu control messages, %llu frames\n",
	       (unsigned long long)self.ups, (unsigned long long)self.controls,
	       (unsigned long long)self.frames);
	self.ops->close(&self.t);
	return self.ups > 0 && self.controls > 0 && self.frames > 0 ? 0 : 1;
}
