/* SPDX-License-Identifier: BSD-3-Clause */
/* The world outside the RDMA transport, for tests that need it to fail: libibverbs and librdmacm
 * behind ld's --wrap. Nothing moves by itself: a test puts connection events and completions in,
 * and looks at what was asked for. Every object is counted. */
#ifndef CORONET_FAKE_VERBS_H
#define CORONET_FAKE_VERBS_H

#include <stdbool.h>

#include <rdma/rdma_cma.h>

#include "transport.h"

#define FAKE_IDS_MAX   64
#define FAKE_POSTS_MAX 256

enum fake_object {
	FAKE_CHANNEL,
	FAKE_ID,
	FAKE_PD,
	FAKE_COMP,
	FAKE_CQ,
	FAKE_SRQ,
	FAKE_MR,
	FAKE_QP
};
#define FAKE_OBJECTS 8

/* One work request as it was posted. */
struct fake_post {
	uint64_t wr_id;
	uint32_t qp_num; /* 0: a receive */
	bool completed;	 /* the test's mark */
	enum ibv_wr_opcode opcode;
	uint32_t size_bytes;
	uint64_t remote_addr;
	uint32_t rkey;
	uint8_t head[64]; /* the first bytes, when they lie at a real address */
	struct ibv_sge sge;
};

struct fake {
	int live[FAKE_OBJECTS];
	int calls;   /* fallible calls so far */
	int fail_at; /* the call with this number fails; -1: none */
	int fail_errno;
	int bind_errno; /* 0, or what rdma_bind_addr says */
	struct ibv_device_attr attr;

	struct rdma_cm_id *ids[FAKE_IDS_MAX]; /* living ones, oldest first */
	int id_count;
	struct rdma_conn_param connect_param; /* of the last rdma_connect */
	uint8_t connect_data[64];
	int connects, accepts, rejects, resolves, notifies, disconnects;
	uint8_t reject_data[148];
	uint8_t ack_timeout; /* the last one set */

	unsigned mr_access; /* all flags ever asked for */
	unsigned qp_access; /* all flags ever set on a queue pair */
	int modify_errno;   /* 0, or what changing a queue pair's access says */
	uint32_t rd_atomic; /* what ibv_query_qp says */
	uint8_t rnr_timer;
	struct fake_post posts[FAKE_POSTS_MAX];
	int post_count;
	int post_errno;			 /* 0, or what posting a send says */
	struct ibv_async_event async[4]; /* waiting, last in first out */
	int async_count;

	char log[8192];
};

extern struct fake fake;

void fake_reset(void);
void fake_transport_type(enum ibv_transport_type type);
bool fake_all_gone(void);

/* config.log for transports under test. */
void fake_log(void *ctx, int priority, const char *text);

/* Puts an event of the connection manager in. data may be NULL. */
void fake_cm_event(enum rdma_cm_event_type type, struct rdma_cm_id *id, int status,
		   const void *data, uint8_t size);
/* A connection request that comes from this address, on a new id, which is returned. */
struct rdma_cm_id *fake_request(const char *address, const void *data, uint8_t size);
/* Completes a send or receive; the completion queue is the one of the transport's that serves
 * it. */
void fake_complete(uint64_t wr_id, uint32_t qp_num, enum ibv_wc_status status, uint32_t byte_len,
		   bool control);

/* The last post of this kind of work (the wr_id's top byte), or NULL. */
struct fake_post *fake_last_post(unsigned kind);
int fake_count_posts(unsigned kind);

#endif
