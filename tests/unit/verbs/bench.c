/* SPDX-License-Identifier: BSD-3-Clause */
/* The fixture of the link and traffic tests; see bench.h. */
#include "tests/unit/verbs/bench.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "verbs/wrid.h"

void turn(struct bench *b, uint64_t later_ms)
{
	b->now_ms += later_ms;
	b->count = OPS->poll(b->t, b->now_ms, b->events, 64);
}

const struct transport_event *event_of(const struct bench *b, enum transport_event_kind kind)
{
	for (int i = 0; i < b->count; i++) {
		if (b->events[i].kind == kind) {
			return &b->events[i];
		}
	}
	return NULL;
}

static int bench_open(struct bench *b)
{
	struct transport_config config = {
		.cluster_name = "test",
		.node = 3,
		.incarnation = 300,
		.slot_size_bytes = 8192,
		.slot_count = SLOT_COUNT,
		.bulk_depth = DEPTH,
		.connect_timeout_ms = 300,
		.ack_timeout_ms = 1000,
		.log = fake_log,
	};
	struct transport_region region = {.size_bytes = SLOT_COUNT * 8192, .remote_read = true};
	struct sockaddr_in *addr = (struct sockaddr_in *)&config.addr;
	uint64_t key;

	addr->sin_family = AF_INET;
	inet_pton(AF_INET, "10.0.0.3", &addr->sin_addr);
	region.base = b->slab;
	if (OPS->open(&config, &b->t) || OPS->region_add(b->t, 0, &region, &key)) {
		return -1;
	}
	for (uint32_t i = 0; i < SLOT_COUNT; i++) {
		OPS->slot_post(b->t, i);
	}
	return 0;
}

int bench_setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	fake_reset();
	b->now_ms = 100000;
	b->slab = aligned_alloc(4096, SLOT_COUNT * 8192);
	*state = b;
	return bench_open(b);
}

void bench_reopen(struct bench *b)
{
	struct ibv_device_attr attr = fake.attr;

	OPS->close(&b->t);
	fake_reset();
	fake.attr = attr;
	assert_int_equal(bench_open(b), 0);
}

int bench_teardown(void **state)
{
	struct bench *b = *state;

	OPS->close(&b->t);
	free(b->slab);
	free(b);
	return fake_all_gone() ? 0 : -1;
}

void add_peer(struct bench *b, uint32_t node)
{
	struct transport_peer peer = {.node = node};
	struct sockaddr_in *addr = (struct sockaddr_in *)&peer.addr;

	addr->sin_family = AF_INET;
	addr->sin_addr.s_addr = htonl(0x0a000000 + node);
	b->peer = node;
	assert_int_equal(OPS->peer_add(b->t, &peer), 0);
	turn(b, 0);
}

/* --- what the other side says --- */

static void arrive(struct rdma_cm_id *id, const uint8_t *bytes, uint32_t size)
{
	/* The receive place that an adapter would take: the oldest one posted and not used yet. */
	static struct fake_post post;

	for (int i = 0; i < fake.post_count && i < FAKE_POSTS_MAX; i++) {
		if (fake.posts[i].wr_id >> 56 == WR_CONTROL_RECV) {
			post = fake.posts[i];
			fake.posts[i].wr_id = 0;
			memcpy((void *)(uintptr_t)post.sge.addr, bytes, size);
			fake_complete(post.wr_id, id->qp->qp_num, IBV_WC_SUCCESS, size, true);
			return;
		}
	}
	fail_msg("no receive place is posted");
}

void say_raw(struct bench *b, struct rdma_cm_id *id, const uint8_t *bytes, uint32_t size)
{
	arrive(id, bytes, size);
	turn(b, 1);
}

void say_nothing_often(struct bench *b, int times)
{
	uint8_t credit[CONTROL_HEADER] = {CONTROL_CREDIT};
	struct writer w = writer_of(credit + 4, 4);

	writer_u32(&w, b->heard);
	for (int i = 0; i < times; i++) {
		arrive(b->control, credit, sizeof(credit));
	}
	turn(b, 1);
}

void say(struct bench *b, enum control_kind kind, const void *bytes, size_t size)
{
	uint8_t message[CONTROL_BUFFER_SIZE];
	struct writer w = writer_of(message, sizeof(message));

	writer_u8(&w, (uint8_t)kind);
	writer_u8(&w, 0);
	writer_u16(&w, (uint16_t)size);
	writer_u32(&w, b->heard);
	writer_bytes(&w, bytes, size);
	b->said++;
	say_raw(b, b->control, message, (uint32_t)w.used);
}

void say_hello(struct bench *b, uint64_t incarnation)
{
	struct control_hello hello = {b->peer, incarnation, b->attempt, 0x77, CONTROL_QUOTA};
	uint8_t bytes[64];
	size_t size = verbs_control_put_hello(&hello, bytes, sizeof(bytes));

	say(b, CONTROL_HELLO, bytes, size);
}

void say_attempt(struct bench *b, enum control_kind kind, uint32_t attempt)
{
	uint8_t bytes[4];
	struct writer w = writer_of(bytes, 4);

	writer_u32(&w, attempt);
	say(b, kind, bytes, 4);
}

/* The adapter has done what was posted last. */
void done(struct bench *b, unsigned kind, enum ibv_wc_status status)
{
	struct fake_post *post = fake_last_post(kind);

	assert_non_null(post);
	post->completed = true;
	fake_complete(post->wr_id, post->qp_num, status, 0,
		      kind == WR_CONTROL_SEND || (post->wr_id & 0xff) == CHANNEL_CONTROL);
	turn(b, 1);
}

/* The adapter has done everything that was posted and not reported yet. */
void done_all(struct bench *b)
{
	for (int i = 0; i < fake.post_count && i < FAKE_POSTS_MAX; i++) {
		struct fake_post *post = &fake.posts[i];

		if (post->qp_num != 0 && !post->completed) {
			unsigned kind = (unsigned)(post->wr_id >> 56);

			post->completed = true;
			fake_complete(post->wr_id, post->qp_num, IBV_WC_SUCCESS, 0,
				      kind == WR_CONTROL_SEND ||
					      (kind == WR_KEEPALIVE &&
					       (post->wr_id & 0xff) == CHANNEL_CONTROL));
		}
	}
	turn(b, 0);
}

struct handshake_request last_request(void)
{
	struct handshake_request request;

	assert_int_equal(verbs_handshake_get_request(fake.connect_data,
						     fake.connect_param.private_data_len, &request),
			 REJECT_NONE);
	return request;
}

struct rdma_cm_id *newest_id(void)
{
	return fake.ids[fake.id_count - 1];
}

/* One dial of ours from address to connect. */
struct rdma_cm_id *dial_to_connect(struct bench *b)
{
	struct rdma_cm_id *id = newest_id();
	int connects = fake.connects;

	fake_cm_event(RDMA_CM_EVENT_ADDR_RESOLVED, id, 0, NULL, 0);
	turn(b, 1);
	fake_cm_event(RDMA_CM_EVENT_ROUTE_RESOLVED, id, 0, NULL, 0);
	turn(b, 1);
	assert_int_equal(fake.connects, connects + 1);
	return id;
}

void link_up_as_dialler(struct bench *b, uint64_t incarnation)
{
	b->said = b->heard = 0;
	b->control = dial_to_connect(b);
	b->attempt = last_request().attempt;
	fake_cm_event(RDMA_CM_EVENT_ESTABLISHED, b->control, 0, NULL, 0);
	turn(b, 1);
	done(b, WR_CONTROL_SEND, IBV_WC_SUCCESS);
	b->heard = 1;
	say_hello(b, incarnation);
	turn(b, 0);
	b->bulk = dial_to_connect(b);
	fake_cm_event(RDMA_CM_EVENT_ESTABLISHED, b->bulk, 0, NULL, 0);
	turn(b, 1);
	done(b, WR_KEEPALIVE, IBV_WC_SUCCESS);
	assert_non_null(event_of(b, TRANSPORT_PEER_UP));
	assert_true(event_of(b, TRANSPORT_PEER_UP)->incarnation == incarnation);
	done(b, WR_CONTROL_SEND, IBV_WC_SUCCESS);
	b->heard = 2;
}

struct handshake_request request_of(uint32_t node, enum channel_class class, uint32_t attempt)
{
	return (struct handshake_request){
		.class = class,
		.cluster = verbs_handshake_cluster("test"),
		.node = node,
		.to = 3,
		.incarnation = THEIRS,
		.attempt = attempt,
		.slot_size_bytes = 8192,
	};
}

struct rdma_cm_id *request(struct bench *b, const struct handshake_request *r, const char *from)
{
	uint8_t bytes[HANDSHAKE_REQUEST_MAX] = {0};
	struct rdma_cm_id *id;

	verbs_handshake_put_request(r, bytes);
	id = fake_request(from, bytes, sizeof(bytes));
	turn(b, 1);
	return id;
}

void link_up_as_acceptor(struct bench *b, uint64_t incarnation, uint32_t attempt)
{
	struct handshake_request r = request_of(b->peer, CHANNEL_CONTROL, attempt);
	int accepts = fake.accepts;

	b->said = b->heard = 0;
	r.incarnation = incarnation;
	b->attempt = attempt;
	b->control = request(b, &r, "10.0.0.1");
	assert_int_equal(fake.accepts, accepts + 1);
	fake_cm_event(RDMA_CM_EVENT_ESTABLISHED, b->control, 0, NULL, 0);
	turn(b, 1);
	/* It speaks when it is spoken to. */
	assert_null(fake_last_post(WR_CONTROL_SEND));
	say_hello(b, incarnation);
	done(b, WR_CONTROL_SEND, IBV_WC_SUCCESS);
	b->heard = 1;
	r.class = CHANNEL_BULK;
	r.attempt = attempt + 1;
	r.session = attempt;
	b->bulk = request(b, &r, "10.0.0.1");
	assert_int_equal(fake.accepts, accepts + 2);
	fake_cm_event(RDMA_CM_EVENT_ESTABLISHED, b->bulk, 0, NULL, 0);
	turn(b, 1);
	assert_null(event_of(b, TRANSPORT_PEER_UP));
	say_attempt(b, CONTROL_READY, attempt + 1);
	assert_non_null(event_of(b, TRANSPORT_PEER_UP));
}

int send_frames(struct bench *b, uint32_t node, uint64_t first, int count)
{
	struct transport_seg seg = {.size_bytes = 100};

	for (int i = 0; i < count; i++) {
		int error = OPS->send_frame(b->t, node, &seg, 1, first + (uint64_t)i);

		if (error < 0) {
			return error;
		}
	}
	return 0;
}
