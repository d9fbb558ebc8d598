/* SPDX-License-Identifier: BSD-3-Clause */
/* Life of one connection's queue pair; see channel.h. */
#include "verbs/channel.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "verbs/log.h"
#include "verbs/timing.h"

/* Asked for in control queue pairs: tokens of small rings then travel inside the request. */
#define CONTROL_INLINE 220

int verbs_channel_init(struct verbs_channel *channel, struct transport *t, struct verbs_peer *peer,
		       enum channel_class class)
{
	uint16_t generation = channel->generation;

	memset(channel, 0, sizeof(*channel));
	channel->generation = (uint16_t)(generation + 1);
	channel->t = t;
	channel->peer = peer;
	channel->class = class;
	/* One place beyond the messages: the keepalive. */
	channel->sq_depth = class == CHANNEL_CONTROL ? CONTROL_QUOTA + 1 : t->bulk_sq_depth;
	channel->sq = calloc(channel->sq_depth, sizeof(*channel->sq));
	return channel->sq ? 0 : -ENOMEM;
}

void verbs_channel_fini(struct verbs_channel *channel)
{
	assert(channel->state == CHANNEL_IDLE);
	free(channel->sq);
	channel->sq = NULL;
}

static uint32_t qp_home(uint32_t qp_num)
{
	return (qp_num * 2654435761u) % QP_TABLE_SIZE;
}

static void qp_table_add(struct transport *t, uint32_t qp_num, struct verbs_channel *channel)
{
	uint32_t i = qp_home(qp_num);

	while (t->qps[i].channel) {
		i = (i + 1) % QP_TABLE_SIZE;
	}
	t->qps[i] = (struct qp_entry){.qp_num = qp_num, .channel = channel};
}

/* Open addressing without tombstones: what follows the hole is put in anew. */
static void qp_table_remove(struct transport *t, uint32_t qp_num)
{
	uint32_t i = qp_home(qp_num);

	while (t->qps[i].channel && t->qps[i].qp_num != qp_num) {
		i = (i + 1) % QP_TABLE_SIZE;
	}
	t->qps[i].channel = NULL;
	for (i = (i + 1) % QP_TABLE_SIZE; t->qps[i].channel; i = (i + 1) % QP_TABLE_SIZE) {
		struct qp_entry moved = t->qps[i];

		t->qps[i].channel = NULL;
		qp_table_add(t, moved.qp_num, moved.channel);
	}
}

struct verbs_channel *verbs_channel_by_qp(const struct transport *t, uint32_t qp_num)
{
	uint32_t i = qp_home(qp_num);

	while (t->qps[i].channel && t->qps[i].qp_num != qp_num) {
		i = (i + 1) % QP_TABLE_SIZE;
	}
	return t->qps[i].channel;
}

static struct ibv_qp_init_attr qp_attributes(const struct verbs_channel *channel)
{
	const struct transport *t = channel->t;
	bool control = channel->class == CHANNEL_CONTROL;
	struct ibv_cq *cq = control ? t->control_cq.cq : t->bulk_cq.cq;
	struct ibv_qp_init_attr attr = {
		.send_cq = cq,
		.recv_cq = cq,
		.srq = control ? t->control_srq : t->bulk_srq,
		.qp_type = IBV_QPT_RC,
		.sq_sig_all = 1,
		.cap =
			{
				.max_send_wr = channel->sq_depth,
				.max_send_sge = control ? 1 : (uint32_t)t->segs_max,
				.max_inline_data = control ? CONTROL_INLINE : 0,
			},
	};

	return attr;
}

int verbs_channel_create_qp(struct verbs_channel *channel)
{
	struct transport *t = channel->t;
	struct ibv_qp_init_attr attr = qp_attributes(channel);

	if (channel->id->verbs != t->verbs) {
		verbs_log(t, LOG_ERR, "%s: its %s channel came up on another device",
			  channel->peer->text, verbs_class_name(channel->class));
		return -EXDEV;
	}
	if (rdma_create_qp(channel->id, t->pd, &attr) != 0) {
		/* The inline size is a wish; some devices refuse instead of granting less. */
		attr = qp_attributes(channel);
		attr.cap.max_inline_data = 0;
		if (rdma_create_qp(channel->id, t->pd, &attr) != 0) {
			/* Also when the other side has given up meanwhile. */
			verbs_log(t, LOG_INFO, "%s: cannot make a queue pair: %s",
				  channel->peer->text, strerror(errno));
			return -errno;
		}
	}
	if (channel->class == CHANNEL_CONTROL) {
		channel->peer->flow.inline_max = attr.cap.max_inline_data;
	}
	channel->generation++;
	channel->settled = false;
	channel->sq_head = 0;
	channel->sq_count = 0;
	qp_table_add(t, channel->id->qp->qp_num, channel);
	return 0;
}

int verbs_channel_tune(struct verbs_channel *channel)
{
	struct ibv_qp_attr attr = {
		.min_rnr_timer = VERBS_MIN_RNR_TIMER,
		.qp_access_flags = QP_ACCESS,
	};
	struct ibv_qp_init_attr ignored;
	int error;

	/* The connection manager sets up queue pairs that permit remote writes; ours never do. */
	error = ibv_modify_qp(channel->id->qp, &attr, IBV_QP_MIN_RNR_TIMER | IBV_QP_ACCESS_FLAGS);
	if (error != 0) {
		verbs_log(channel->t, LOG_ERR, "%s: cannot set RNR timer and access: %s",
			  channel->peer->text, strerror(error));
		return -error;
	}
	channel->read_depth = 1;
	if (channel->class == CHANNEL_BULK &&
	    ibv_query_qp(channel->id->qp, &attr, IBV_QP_MAX_QP_RD_ATOMIC, &ignored) == 0 &&
	    attr.max_rd_atomic > 1) {
		channel->read_depth =
			attr.max_rd_atomic < READ_DEPTH_MAX ? attr.max_rd_atomic : READ_DEPTH_MAX;
	}
	return 0;
}

int verbs_channel_post(struct verbs_channel *channel, struct ibv_send_wr *wr, enum wr_kind kind,
		       uint32_t slot)
{
	struct ibv_send_wr *bad;
	uint32_t place = (channel->sq_head + channel->sq_count) % channel->sq_depth;
	int error;

	if (channel->sq_count == channel->sq_depth) {
		return -ENOBUFS;
	}
	wr->send_flags |= IBV_SEND_SIGNALED;
	wr->wr_id = verbs_wrid_pack((struct wrid){.kind = kind,
						  .peer = channel->peer->index,
						  .generation = channel->generation,
						  .slot = slot});
	/* Some providers return a negative errno here, against the manual page. */
	error = ibv_post_send(channel->id->qp, wr, &bad);
	if (error != 0) {
		verbs_log(channel->t, LOG_ERR, "%s: the adapter takes no work on %s: %s",
			  channel->peer->text, verbs_class_name(channel->class),
			  strerror(error < 0 ? -error : error));
		verbs_channel_break(channel, BREAK_RESOURCES);
		return -EIO;
	}
	channel->sq[place] = (struct sq_entry){.kind = kind, .slot = slot};
	channel->sq_count++;
	return 0;
}

int verbs_channel_keepalive(struct verbs_channel *channel)
{
	struct ibv_sge sge = {
		.addr = ALIVE_PAGE_SIZE / 2,
		.length = sizeof(uint64_t),
		.lkey = channel->t->alive_mr->lkey,
	};
	struct ibv_send_wr wr = {
		.sg_list = &sge,
		.num_sge = 1,
		.opcode = IBV_WR_RDMA_READ,
		.wr.rdma = {.rkey = channel->peer->alive_rkey},
	};

	return verbs_channel_post(channel, &wr, WR_KEEPALIVE, channel->class);
}

bool verbs_channel_retire(struct verbs_channel *channel, struct wrid id)
{
	const struct sq_entry *oldest = &channel->sq[channel->sq_head];

	if (channel->sq_count == 0 || oldest->kind != id.kind || oldest->slot != id.slot) {
		return false;
	}
	channel->sq_head = (channel->sq_head + 1) % channel->sq_depth;
	channel->sq_count--;
	return true;
}

void verbs_channel_break(struct verbs_channel *channel, enum break_reason reason)
{
	if (channel->state == CHANNEL_IDLE || channel->broken != BREAK_NONE) {
		return;
	}
	channel->broken = reason;
	channel->t->broken++;
}

void verbs_channel_silence(struct verbs_channel *channel)
{
	struct ibv_qp_attr attr = {.qp_state = IBV_QPS_ERR};

	if (!channel->id || !channel->id->qp) {
		return;
	}
	/* Sets the error state, then tells the peer; fails where there is no connection yet, or
	 * none any more. */
	if (rdma_disconnect(channel->id) != 0) {
		(void)ibv_modify_qp(channel->id->qp, &attr, IBV_QP_STATE);
	}
}

void verbs_channel_destroy(struct verbs_channel *channel)
{
	struct transport *t = channel->t;

	if (channel->broken != BREAK_NONE) {
		assert(t->broken > 0);
		t->broken--;
		channel->broken = BREAK_NONE;
	}
	if (channel->id) {
		if (channel->id->qp) {
			qp_table_remove(t, channel->id->qp->qp_num);
			rdma_destroy_qp(channel->id);
		}
		/* Returns at once: every event has been acknowledged when it was taken. */
		rdma_destroy_id(channel->id);
		channel->id = NULL;
	}
	channel->generation++;
	channel->sq_count = 0;
	channel->probing = false;
	channel->state = CHANNEL_IDLE;
}

const char *verbs_break_text(enum break_reason reason)
{
	switch (reason) {
	case BREAK_NONE:
		return "no reason";
	case BREAK_TIMEOUT:
		return "no answer in time";
	case BREAK_REFUSED:
		return "nobody listens there";
	case BREAK_STALE:
		return "the other side still knows an old connection";
	case BREAK_REJECTED:
		return "rejected";
	case BREAK_UNREACHABLE:
		return "unreachable";
	case BREAK_DISCONNECTED:
		return "the other side hung up";
	case BREAK_SILENT:
		return "the path is silent";
	case BREAK_COMPLETION:
		return "a work request failed";
	case BREAK_PROTOCOL:
		return "the other side broke the protocol";
	case BREAK_RESOURCES:
		return "a verb failed on this side";
	case BREAK_DEVICE:
		return "adapter error";
	case BREAK_PEER_RESET:
		return "the other side asked for a new connection";
	case BREAK_REPLACED:
		return "the other side dials anew";
	case BREAK_SESSION:
		return "its control channel is gone";
	case BREAK_USELESS:
		return "the bulk channel breaks again and again";
	case BREAK_OWNER:
		return "cut by the daemon";
	}
	return "unknown reason";
}

const char *verbs_state_name(enum channel_state state)
{
	switch (state) {
	case CHANNEL_IDLE:
		return "idle";
	case CHANNEL_RESOLVING:
		return "resolving the address";
	case CHANNEL_ROUTING:
		return "resolving the route";
	case CHANNEL_CONNECTING:
		return "connecting";
	case CHANNEL_ACCEPTED:
		return "accepted";
	case CHANNEL_GREETING:
		return "greeting";
	case CHANNEL_READY:
		return "ready";
	}
	return "unknown";
}
