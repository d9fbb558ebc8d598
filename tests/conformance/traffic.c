/* SPDX-License-Identifier: BSD-3-Clause */
/* Streams of frames. Frame n: {n, sender}, then bytes that depend on both. */
#include "tests/conformance/traffic.h"

#include <errno.h>
#include <string.h>

struct traffic_head {
	uint64_t number;
	uint64_t sender;
};

static uint64_t traffic_seed(uint64_t sender, uint64_t number)
{
	return (sender << 48) ^ number;
}

/* A quarter small, a quarter of a slot's size, else anything between. */
static uint32_t traffic_size(uint64_t sender, uint64_t number)
{
	uint64_t state = traffic_seed(sender, number) ^ 0x5151;
	uint64_t draw = pattern_next(&state);
	uint32_t least = sizeof(struct traffic_head);
	uint32_t span = END_SLOT_BYTES - least;

	switch (draw % 4) {
	case 0:
		return least + (uint32_t)(pattern_next(&state) % 200);
	case 1:
		return END_SLOT_BYTES - (uint32_t)(pattern_next(&state) % 16);
	default:
		return least + (uint32_t)(pattern_next(&state) % span);
	}
}

static void traffic_frame(struct end *end, uint32_t node, const uint8_t *bytes, uint32_t size_bytes)
{
	struct traffic *traffic = end->ctx;
	struct traffic_head head = {.number = 0};

	if (node != traffic->peer || size_bytes < sizeof(head)) {
		traffic->broken = true;
		return;
	}
	memcpy(&head, bytes, sizeof(head));
	if (head.sender != node || size_bytes != traffic_size(node, head.number) ||
	    !pattern_holds(bytes + sizeof(head), size_bytes - sizeof(head),
			   traffic_seed(node, head.number))) {
		traffic->broken = true;
		return;
	}
	if (head.number < traffic->expected) {
		/* Sent again after the bulk channel broke; at no other time. */
		traffic->repeated++;
		traffic->broken = traffic->broken || end->links[node].bulk_downs == 0;
		return;
	}
	if (head.number > traffic->expected) {
		traffic->broken = true;
		return;
	}
	traffic->expected++;
	traffic->bytes_in += size_bytes;
}

static void traffic_returned(struct end *end, uint32_t node, uint64_t cookie)
{
	struct traffic *traffic = end->ctx;

	/* One channel's frames come back in the order in which they were lent. */
	traffic->broken = traffic->broken || node != traffic->peer || cookie != traffic->returned;
	traffic->returned++;
}

void traffic_begin(struct traffic *traffic, struct end *end, uint32_t peer, uint64_t to_send)
{
	*traffic = (struct traffic){.end = end, .peer = peer, .to_send = to_send};
	end->ctx = traffic;
	end->on_frame = traffic_frame;
	end->on_sent = traffic_returned;
}

/* The frame lies in one stretch and is lent in one to three pieces. */
static int traffic_send(struct traffic *traffic)
{
	struct end *end = traffic->end;
	uint64_t number = traffic->next;
	struct traffic_head head = {.number = number, .sender = end->node};
	uint32_t size_bytes = traffic_size(end->node, number);
	uint64_t at = (number % END_DEPTH) * END_SLOT_BYTES;
	uint32_t cut = sizeof(head) + (uint32_t)(number * 37 % (size_bytes - sizeof(head) + 1));
	struct transport_seg segs[3] = {end_seg(at, sizeof(head))};
	int count = 1;

	memcpy(end_area(end, at), &head, sizeof(head));
	pattern_fill(end_area(end, at) + sizeof(head), size_bytes - sizeof(head),
		     traffic_seed(end->node, number));
	if (cut > sizeof(head)) {
		segs[count++] = end_seg(at + sizeof(head), cut - (uint32_t)sizeof(head));
	}
	if (cut < size_bytes) {
		segs[count++] = end_seg(at + cut, size_bytes - cut);
	}
	return end_frame(end, traffic->peer, segs, count, number);
}

void traffic_pump(struct traffic *traffic)
{
	while (traffic->next < traffic->to_send && traffic->next - traffic->returned < END_DEPTH) {
		int result = traffic_send(traffic);

		if (result) {
			end_check(result == -ENOBUFS || result == -ENOTCONN);
			traffic->refused++;
			return;
		}
		traffic->next++;
	}
}

bool traffic_done(const struct traffic *traffic, uint64_t count)
{
	return traffic->broken ||
	       (traffic->returned == traffic->to_send && traffic->expected == count);
}
