/* SPDX-License-Identifier: BSD-3-Clause */
/* The fake transport: the contract's calls, remembered. */
#include "tests/unit/engine/fake_transport.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct fake_transport fake;

struct transport {
	int unused;
};

static struct transport instance;

void fake_event(const struct transport_event *event)
{
	if (fake.event_count == FAKE_EVENTS) {
		abort();
	}
	fake.events[fake.event_count++] = *event;
}

void fake_frame(uint32_t node, const void *bytes, uint32_t size)
{
	struct transport_event event = {.kind = TRANSPORT_FRAME, .node = node, .size_bytes = size};

	event.slot = fake.posted[--fake.posted_count];
	memcpy((uint8_t *)fake.slab.base + (size_t)event.slot * fake.config.slot_size_bytes, bytes,
	       size);
	fake_event(&event);
}

int fake_segs_max = FRAME_SEGS_MAX;
bool fake_maps_memory;

static int fake_segs(const struct transport *t)
{
	(void)t;
	return fake_segs_max;
}

static int fake_open(const struct transport_config *config, struct transport **out)
{
	memset(&fake, 0, sizeof(fake));
	fake.config = *config;
	fake.posted = calloc(config->slot_count, sizeof(*fake.posted));
	*out = &instance;
	return 0;
}

static void fake_close(struct transport **t)
{
	free(fake.posted);
	fake.posted = NULL;
	*t = NULL;
}

static int fake_fd(const struct transport *t)
{
	(void)t;
	return -1;
}

static uint64_t fake_deadline(const struct transport *t)
{
	(void)t;
	return UINT64_MAX;
}

static int fake_poll(struct transport *t, uint64_t now_ms, struct transport_event *events, int max)
{
	int count = fake.event_count < max ? fake.event_count : max;

	(void)t;
	(void)now_ms;
	memcpy(events, fake.events, (size_t)count * sizeof(*events));
	fake.event_count = 0;
	return count;
}

static void fake_flush(struct transport *t)
{
	(void)t;
}

static void fake_stay_awake(struct transport *t, bool on)
{
	(void)t;
	(void)on;
}

static int fake_region_add(struct transport *t, uint32_t id, const struct transport_region *region,
			   uint64_t *key)
{
	(void)t;
	if (id == TRANSPORT_REGION_SLAB) {
		fake.slab = *region;
	}
	fake.regions++;
	fake.readable += region->remote_read ? 1 : 0;
	*key = id;
	return 0;
}

static void fake_region_remove(struct transport *t, uint32_t id)
{
	(void)t;
	(void)id;
	fake.regions--;
}

static int fake_slot_post(struct transport *t, uint32_t slot)
{
	(void)t;
	if (fake.posted_count == fake.config.slot_count) {
		abort();
	}
	fake.posted[fake.posted_count++] = slot;
	return 0;
}

static int fake_peer_add(struct transport *t, const struct transport_peer *peer)
{
	(void)t;
	(void)peer;
	return 0;
}

static void fake_peer_remove(struct transport *t, uint32_t node)
{
	(void)t;
	(void)node;
}

static void fake_peer_fence(struct transport *t, uint32_t node)
{
	(void)t;
	fake.fenced = node;
	fake.fences++;
}

static int fake_send_control(struct transport *t, uint32_t node, const void *bytes, size_t size)
{
	(void)t;
	(void)node;
	if (fake.controls_full) {
		return -ENOBUFS;
	}
	if (size <= sizeof(fake.control)) {
		memcpy(fake.control, bytes, size);
		fake.control_size = size;
	}
	fake.controls++;
	return size <= CHANNEL_SIZE_MAX ? 0 : -EMSGSIZE;
}

static int fake_send_frame(struct transport *t, uint32_t node, const struct transport_seg *segs,
			   int count, uint64_t cookie)
{
	(void)t;
	(void)node;
	(void)segs;
	(void)count;
	(void)cookie;
	fake.frames++;
	return -ENOTCONN;
}

static int fake_read(struct transport *t, uint32_t node, uint64_t key, uint64_t remote_offset,
		     const struct transport_seg *into, uint64_t cookie)
{
	(void)t;
	(void)node;
	(void)key;
	(void)remote_offset;
	(void)into;
	(void)cookie;
	return -ENOTCONN;
}

static int fake_look(struct transport *t, uint32_t node, uint64_t key, uint64_t remote_offset,
		     uint32_t size_bytes, uint64_t cookie)
{
	(void)t;
	(void)node;
	(void)key;
	(void)remote_offset;
	(void)size_bytes;
	(void)cookie;
	return -EOPNOTSUPP;
}

static bool fake_still_there(const struct transport *t, uint32_t node, uint64_t key)
{
	(void)t;
	(void)node;
	(void)key;
	return false;
}

static bool fake_maps(const struct transport *t)
{
	(void)t;
	return fake_maps_memory;
}

static int fake_map(struct transport *t, uint32_t node, uint64_t key, uint64_t mark,
		    struct transport_map *out)
{
	(void)t;
	(void)node;
	(void)key;
	(void)mark;
	(void)out;
	return -EOPNOTSUPP;
}

static const char *fake_device(const struct transport *t)
{
	(void)t;
	return "fake";
}

static void fake_memory(const struct transport *t, struct transport_memory *out)
{
	(void)t;
	*out = (struct transport_memory){.numa_node = -1};
}

static int fake_peer_stats(const struct transport *t, uint32_t node,
			   struct transport_peer_stats *out)
{
	(void)t;
	(void)node;
	(void)out;
	return -ENOENT;
}

const struct transport_ops transport_fake = {
	.look = fake_look,
	.still_there = fake_still_there,
	.maps = fake_maps,
	.map = fake_map,
	.name = "fake",
	.open = fake_open,
	.close = fake_close,
	.fd = fake_fd,
	.next_deadline_ms = fake_deadline,
	.poll = fake_poll,
	.flush = fake_flush,
	.stay_awake = fake_stay_awake,
	.region_add = fake_region_add,
	.region_remove = fake_region_remove,
	.slot_post = fake_slot_post,
	.peer_add = fake_peer_add,
	.peer_remove = fake_peer_remove,
	.peer_fence = fake_peer_fence,
	.send_control = fake_send_control,
	.segs_max = fake_segs,
	.send_frame = fake_send_frame,
	.read = fake_read,
	.device = fake_device,
	.memory = fake_memory,
	.peer_stats = fake_peer_stats,
};
