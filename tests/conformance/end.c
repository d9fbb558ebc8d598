/* SPDX-License-Identifier: BSD-3-Clause */
/* Ends: opening, driving, and checking what they report. */
#include "tests/conformance/end.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/crc32c.h"

void (*end_fail)(const char *text);

static char cluster_name[64];

const char *end_cluster(void)
{
	return cluster_name;
}

void end_cluster_set(const char *name)
{
	snprintf(cluster_name, sizeof(cluster_name), "%s", name);
}

uint64_t end_now_ms(void)
{
	struct timespec now;

	if (rig->now_ms) {
		return rig->now_ms();
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct end_memory end_memory_new(size_t size_bytes)
{
	struct end_memory memory = {.size_bytes = size_bytes};

	memory.fd = memfd_create("conformance", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	end_check(memory.fd >= 0);
	end_check(ftruncate(memory.fd, (off_t)size_bytes) == 0);
	memory.base = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory.fd, 0);
	end_check(memory.base != MAP_FAILED);
	end_check(fcntl(memory.fd, F_ADD_SEALS,
			F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE) == 0);
	return memory;
}

void end_memory_free(struct end_memory *memory)
{
	if (memory->base) {
		munmap(memory->base, memory->size_bytes);
		close(memory->fd);
	}
	*memory = (struct end_memory){.fd = -1};
}

int end_region_add(struct end *end, uint32_t id, struct end_memory *memory, bool remote_read)
{
	struct transport_region region = {.base = memory->base,
					  .size_bytes = memory->size_bytes,
					  .fd = memory->fd,
					  .remote_read = remote_read};

	return rig->ops->region_add(end->t, id, &region, &memory->key);
}

/* Quiet unless asked: many tests provoke complaints. */
static void end_log(void *ctx, int priority, const char *text)
{
	const struct end *end = ctx;

	if (getenv("CONFORMANCE_LOG")) {
		fprintf(stderr, "node %u <%d> %s\n", end->node, priority, text);
	}
}

int end_try_open(struct end *end, const char *cluster)
{
	struct transport_config config = {.cluster_name = cluster,
					  .node = end->node,
					  .incarnation = end->incarnation,
					  .slot_size_bytes = END_SLOT_BYTES,
					  .slot_count = END_SLOTS,
					  .bulk_depth = END_DEPTH,
					  .connect_timeout_ms = 300,
					  .ack_timeout_ms = 1000,
					  .log_ctx = end,
					  .log = end_log};

	if (rig->configure) {
		rig->configure(&config);
	}
	return rig->ops->open(&config, &end->t);
}

void end_post_slots(struct end *end)
{
	for (uint32_t slot = 0; slot < END_SLOTS; slot++) {
		if (!end->slot_posted[slot]) {
			end_check(rig->ops->slot_post(end->t, slot) == 0);
			end->slot_posted[slot] = true;
		}
	}
}

void end_open(struct end *end)
{
	if (end->incarnation == 0) {
		end->incarnation = 1000 + end->node;
	}
	end_check(end_try_open(end, cluster_name) == 0);
	end->slab = end_memory_new(END_AREA_OFFSET + END_AREA_BYTES);
	end_check(end_region_add(end, TRANSPORT_REGION_SLAB, &end->slab, true) == 0);
	if (!end->no_slots) {
		end_post_slots(end);
	}
}

static void list_clear(struct end_list *list)
{
	for (uint32_t i = 0; i < list->count; i++) {
		free(list->items[i].bytes);
	}
	free(list->items);
	*list = (struct end_list){.count = 0};
}

void end_forget(struct end *end)
{
	list_clear(&end->controls);
	list_clear(&end->frames);
	end->sent = 0;
	end->failed = 0;
	end->read_count = 0;
}

void end_close(struct end *end)
{
	rig->ops->close(&end->t);
	end_memory_free(&end->slab);
	end_forget(end);
	free(end->lent);
	end->lent = NULL;
	end->lent_count = end->lent_room = 0;
	memset(end->links, 0, sizeof(end->links));
	memset(end->slot_posted, 0, sizeof(end->slot_posted));
}

int end_peer_add(struct end *end, uint32_t node)
{
	struct transport_peer peer = {.node = node};

	if (rig->locate) {
		rig->locate(&peer);
	}
	return rig->ops->peer_add(end->t, &peer);
}

void end_fence(struct end *end, uint32_t node)
{
	rig->ops->peer_fence(end->t, node);
	end->links[node].is_up = false;
	end->links[node].bulk_is_down = false;
}

/* Whatever goes over a link of which the owner has not heard yet was meant for another. */
static int known_link(const struct end *end, uint32_t node, int result)
{
	end_check(result < 0 || end->links[node].is_up);
	return result;
}

int end_control(struct end *end, uint32_t node, const void *bytes, size_t size_bytes)
{
	return known_link(end, node, rig->ops->send_control(end->t, node, bytes, size_bytes));
}

static void lent_add(struct end *end, enum end_lent_kind kind, uint32_t node, uint64_t cookie)
{
	if (end->lent_count == end->lent_room) {
		end->lent_room = end->lent_room ? end->lent_room * 2 : 64;
		end->lent = realloc(end->lent, end->lent_room * sizeof(*end->lent));
	}
	end->lent[end->lent_count++] =
		(struct end_lent){.kind = kind, .node = node, .cookie = cookie};
}

/* What comes back was lent, and comes back once. */
static void lent_take(struct end *end, enum end_lent_kind kind, uint32_t node, uint64_t cookie)
{
	for (uint32_t i = 0; i < end->lent_count; i++) {
		const struct end_lent *lent = &end->lent[i];

		if (lent->kind == kind && lent->node == node && lent->cookie == cookie) {
			end->lent[i] = end->lent[--end->lent_count];
			return;
		}
	}
	end_fail("something came back that was not lent, or came back twice");
}

int end_frame(struct end *end, uint32_t node, const struct transport_seg *segs, int count,
	      uint64_t cookie)
{
	int result = known_link(end, node, rig->ops->send_frame(end->t, node, segs, count, cookie));

	if (result == 0) {
		lent_add(end, END_FRAME, node, cookie);
	}
	return result;
}

int end_read(struct end *end, uint32_t node, uint64_t key, uint64_t offset,
	     struct transport_seg into, uint64_t cookie)
{
	int result =
		known_link(end, node, rig->ops->read(end->t, node, key, offset, &into, cookie));

	if (result == 0) {
		lent_add(end, END_READ, node, cookie);
	}
	return result;
}

int end_look(struct end *end, uint32_t node, uint64_t key, uint64_t offset, uint32_t size_bytes,
	     uint64_t cookie)
{
	int result = known_link(end, node,
				rig->ops->look(end->t, node, key, offset, size_bytes, cookie));

	if (result == 0) {
		lent_add(end, END_READ, node, cookie);
	}
	return result;
}

uint8_t *end_area(struct end *end, uint64_t offset)
{
	return end->slab.base + END_AREA_OFFSET + offset;
}

struct transport_seg end_seg(uint64_t area_offset, uint32_t size_bytes)
{
	return (struct transport_seg){.region = TRANSPORT_REGION_SLAB,
				      .size_bytes = size_bytes,
				      .offset = END_AREA_OFFSET + area_offset};
}

static void list_add(struct end_list *list, uint32_t node, const uint8_t *bytes,
		     uint32_t size_bytes)
{
	struct end_message *item;

	if (list->count == list->room) {
		list->room = list->room ? list->room * 2 : 64;
		list->items = realloc(list->items, list->room * sizeof(*list->items));
	}
	item = &list->items[list->count++];
	*item = (struct end_message){.node = node,
				     .size_bytes = size_bytes,
				     .bytes = malloc(size_bytes ? size_bytes : 1)};
	memcpy(item->bytes, bytes, size_bytes);
}

static void take_link_event(struct end_link *link, const struct transport_event *event)
{
	if (event->kind == TRANSPORT_PEER_UP) {
		end_check(!link->is_up);
		link->is_up = true;
		link->bulk_is_down = false;
		link->ups++;
		link->incarnation = event->incarnation;
		return;
	}
	end_check(link->is_up);
	if (event->kind == TRANSPORT_PEER_DOWN) {
		link->is_up = false;
		link->downs++;
		link->gones += event->gone;
	} else if (event->kind == TRANSPORT_BULK_DOWN) {
		end_check(!link->bulk_is_down);
		link->bulk_is_down = true;
		link->bulk_downs++;
	} else {
		end_check(link->bulk_is_down);
		link->bulk_is_down = false;
		link->bulk_ups++;
	}
}

static void take_control(struct end *end, const struct transport_event *event)
{
	end_check(end->links[event->node].is_up);
	end_check(event->size_bytes >= 1 && event->size_bytes <= CHANNEL_SIZE_MAX);
	if (end->on_control) {
		end->on_control(end, event->node, event->data, event->size_bytes);
	} else {
		list_add(&end->controls, event->node, event->data, event->size_bytes);
	}
}

static void take_frame(struct end *end, const struct transport_event *event)
{
	const uint8_t *bytes;

	end_check(end->links[event->node].is_up);
	end_check(event->slot < END_SLOTS && end->slot_posted[event->slot]);
	end_check(event->size_bytes >= 1 && event->size_bytes <= END_SLOT_BYTES);
	end->slot_posted[event->slot] = false;
	bytes = end->slab.base + (size_t)event->slot * END_SLOT_BYTES;
	if (end->on_frame) {
		end->on_frame(end, event->node, bytes, event->size_bytes);
	} else {
		list_add(&end->frames, event->node, bytes, event->size_bytes);
	}
	if (!end->keep_slots) {
		end_check(rig->ops->slot_post(end->t, event->slot) == 0);
		end->slot_posted[event->slot] = true;
	}
}

static void take_returned(struct end *end, const struct transport_event *event)
{
	bool frame = event->kind != TRANSPORT_READ_DONE;

	lent_take(end, frame ? END_FRAME : END_READ, event->node, event->cookie);
	if (event->kind == TRANSPORT_SENT) {
		end->sent++;
		if (end->on_sent) {
			end->on_sent(end, event->node, event->cookie);
		}
	} else if (event->kind == TRANSPORT_FAILED) {
		end->failed++;
	} else {
		end_check(event->status <= 0);
		if (end->read_count < sizeof(end->reads) / sizeof(end->reads[0])) {
			end->reads[end->read_count] =
				(struct end_read){.cookie = event->cookie,
						  .status = event->status,
						  .looked = event->size_bytes,
						  .crc = crc32c(event->data, event->size_bytes)};
		}
		end->read_count++;
	}
}

static void take_event(struct end *end, const struct transport_event *event)
{
	end_check(event->node >= 1 && event->node <= NODES_MAX && event->node != end->node);
	switch (event->kind) {
	case TRANSPORT_PEER_UP:
	case TRANSPORT_PEER_DOWN:
	case TRANSPORT_BULK_DOWN:
	case TRANSPORT_BULK_UP:
		take_link_event(&end->links[event->node], event);
		return;
	case TRANSPORT_CONTROL:
		take_control(end, event);
		return;
	case TRANSPORT_FRAME:
		take_frame(end, event);
		return;
	case TRANSPORT_SENT:
	case TRANSPORT_FAILED:
	case TRANSPORT_READ_DONE:
		take_returned(end, event);
		return;
	case TRANSPORT_LOST:
		end_fail("the transport is lost");
		return;
	}
	end_fail("an event of no known kind");
}

int end_turn(struct end *end)
{
	struct transport_event events[END_BATCH];
	int max = end->batch ? end->batch : END_BATCH;
	int count = rig->ops->poll(end->t, end_now_ms(), events, max);
	bool bulk_seen = false;

	end_check(count >= 0 && count <= max);
	for (int i = 0; i < count; i++) {
		end_check(!(bulk_seen && events[i].kind == TRANSPORT_CONTROL));
		bulk_seen = bulk_seen || events[i].kind == TRANSPORT_FRAME;
		take_event(end, &events[i]);
	}
	return count;
}

static void wait_real(struct end *const ends[], int count, uint64_t until_ms)
{
	struct pollfd fds[16];
	uint64_t now_ms = end_now_ms();
	uint64_t due_ms[16];
	uint64_t wake_ms = until_ms;

	end_check(count <= 16);
	for (int i = 0; i < count; i++) {
		rig->ops->flush(ends[i]->t);
		fds[i] = (struct pollfd){.fd = rig->ops->fd(ends[i]->t), .events = POLLIN};
		due_ms[i] = rig->ops->next_deadline_ms(ends[i]->t);
		wake_ms = due_ms[i] < wake_ms ? due_ms[i] : wake_ms;
	}
	poll(fds, (nfds_t)count, wake_ms > now_ms ? (int)(wake_ms - now_ms) : 0);
	now_ms = end_now_ms();
	for (int i = 0; i < count; i++) {
		if (fds[i].revents || due_ms[i] <= now_ms) {
			end_turn(ends[i]);
		}
	}
}

bool ends_step(struct end *const ends[], int count, uint64_t until_ms)
{
	if (end_now_ms() >= until_ms) {
		return false;
	}
	if (!rig->wait) {
		wait_real(ends, count, until_ms);
		return true;
	}
	rig->wait(ends, count, until_ms);
	for (int i = 0; i < count; i++) {
		end_turn(ends[i]);
	}
	return true;
}

void ends_link(struct end *a, struct end *b)
{
	end_check(end_peer_add(a, b->node) == 0);
	end_check(end_peer_add(b, a->node) == 0);
	run_until(a->links[b->node].is_up && b->links[a->node].is_up, a, b);
}

void ends_pair(struct end *a, struct end *b)
{
	a->node = 1;
	b->node = 2;
	end_open(a);
	end_open(b);
	ends_link(a, b);
}

/* splitmix64 */
uint64_t pattern_next(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint64_t pattern_word(uint64_t seed, size_t number)
{
	uint64_t state = seed ^ (number * UINT64_C(0xd1342543de82ef95));

	return pattern_next(&state);
}

void pattern_fill(uint8_t *bytes, size_t size_bytes, uint64_t seed)
{
	for (size_t at = 0; at < size_bytes; at += 8) {
		uint64_t word = pattern_word(seed, at / 8);

		memcpy(bytes + at, &word, size_bytes - at < 8 ? size_bytes - at : 8);
	}
}

bool pattern_holds(const uint8_t *bytes, size_t size_bytes, uint64_t seed)
{
	for (size_t at = 0; at < size_bytes; at += 8) {
		uint64_t word = pattern_word(seed, at / 8);

		if (memcmp(bytes + at, &word, size_bytes - at < 8 ? size_bytes - at : 8) != 0) {
			return false;
		}
	}
	return true;
}
