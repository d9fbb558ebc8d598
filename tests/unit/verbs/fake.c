/* SPDX-License-Identifier: BSD-3-Clause */
/* Stand-ins for libibverbs and librdmacm; see fake.h. */
#include "tests/unit/verbs/fake.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define QUEUE_MAX 256

struct fake fake;

struct cq_state {
	struct ibv_wc wc[QUEUE_MAX];
	int head, count;
	bool armed;
};

struct cm_entry {
	struct rdma_cm_event event;
	uint8_t data[255];
};

static struct ibv_device device;
static struct ibv_context context;
static struct cq_state queues[2];
static int queue_count;
static int comp_fds[2];
static struct ibv_cq *comp_cqs[2];
static struct cm_entry cm_events[QUEUE_MAX];
static int cm_head, cm_count;
static int cm_fd;
static int async_fd = -1;
static uint32_t qp_numbers;

/* True when this call is the one that has to fail. */
static bool failing(void)
{
	if (fake.calls++ == fake.fail_at) {
		errno = fake.fail_errno;
		return true;
	}
	return false;
}

bool fake_all_gone(void)
{
	for (int i = 0; i < FAKE_OBJECTS; i++) {
		if (fake.live[i] != 0) {
			fprintf(stderr, "%d objects of kind %d are left\n", fake.live[i], i);
			return false;
		}
	}
	return true;
}

void fake_log(void *ctx, int priority, const char *text)
{
	size_t used = strlen(fake.log);

	(void)ctx;
	snprintf(fake.log + used, sizeof(fake.log) - used, "<%d>%s\n", priority, text);
}

/* --- completion queues and posting --- */

static int fake_poll_cq(struct ibv_cq *cq, int max, struct ibv_wc *wc)
{
	struct cq_state *queue = &queues[cq->handle];
	int count = 0;

	while (count < max && queue->count > 0) {
		wc[count++] = queue->wc[queue->head];
		queue->head = (queue->head + 1) % QUEUE_MAX;
		queue->count--;
	}
	return count;
}

static int fake_req_notify(struct ibv_cq *cq, int solicited)
{
	(void)solicited;
	queues[cq->handle].armed = true;
	return 0;
}

void fake_complete(uint64_t wr_id, uint32_t qp_num, enum ibv_wc_status status, uint32_t byte_len,
		   bool control)
{
	struct cq_state *queue = &queues[control ? 0 : 1];

	queue->wc[(queue->head + queue->count++) % QUEUE_MAX] = (struct ibv_wc){
		.wr_id = wr_id, .qp_num = qp_num, .status = status, .byte_len = byte_len};
	if (queue->armed) {
		queue->armed = false;
		eventfd_write(comp_fds[control ? 0 : 1], 1);
	}
}

static void record(struct fake_post post, const struct ibv_sge *sge, int count)
{
	for (int i = 0; i < count; i++) {
		post.size_bytes += sge[i].length;
	}
	if (count > 0) {
		post.sge = sge[0];
		/* Offsets into regions are small, addresses are not. */
		if (sge[0].addr > UINT32_MAX && post.qp_num != 0) {
			memcpy(post.head, (const void *)(uintptr_t)sge[0].addr,
			       sge[0].length < sizeof(post.head) ? sge[0].length
								 : sizeof(post.head));
		}
	}
	fake.posts[fake.post_count++ % FAKE_POSTS_MAX] = post;
}

static int fake_post_send(struct ibv_qp *qp, struct ibv_send_wr *wr, struct ibv_send_wr **bad)
{
	if (fake.post_errno) {
		*bad = wr;
		return fake.post_errno;
	}
	record((struct fake_post){.wr_id = wr->wr_id,
				  .qp_num = qp->qp_num,
				  .opcode = wr->opcode,
				  .remote_addr = wr->wr.rdma.remote_addr,
				  .rkey = wr->wr.rdma.rkey},
	       wr->sg_list, wr->num_sge);
	return 0;
}

static int fake_post_srq_recv(struct ibv_srq *srq, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad)
{
	(void)srq;
	if (failing()) {
		*bad = wr;
		return fake.fail_errno;
	}
	record((struct fake_post){.wr_id = wr->wr_id}, wr->sg_list, wr->num_sge);
	return 0;
}

struct fake_post *fake_last_post(unsigned kind)
{
	for (int i = fake.post_count - 1; i >= 0 && i >= fake.post_count - FAKE_POSTS_MAX; i--) {
		if (fake.posts[i % FAKE_POSTS_MAX].wr_id >> 56 == kind) {
			return &fake.posts[i % FAKE_POSTS_MAX];
		}
	}
	return NULL;
}

int fake_count_posts(unsigned kind)
{
	int count = 0;

	for (int i = 0; i < fake.post_count && i < FAKE_POSTS_MAX; i++) {
		count += fake.posts[i].wr_id >> 56 == kind;
	}
	return count;
}

/* --- libibverbs --- */

const char *__wrap_ibv_get_device_name(struct ibv_device *which);
const char *__wrap_ibv_get_device_name(struct ibv_device *which)
{
	(void)which;
	return "fake0";
}

int __wrap_ibv_query_device(struct ibv_context *verbs, struct ibv_device_attr *attr);
int __wrap_ibv_query_device(struct ibv_context *verbs, struct ibv_device_attr *attr)
{
	(void)verbs;
	if (failing()) {
		return fake.fail_errno;
	}
	*attr = fake.attr;
	return 0;
}

struct ibv_pd *__wrap_ibv_alloc_pd(struct ibv_context *verbs);
struct ibv_pd *__wrap_ibv_alloc_pd(struct ibv_context *verbs)
{
	struct ibv_pd *pd;

	if (failing()) {
		return NULL;
	}
	pd = calloc(1, sizeof(*pd));
	pd->context = verbs;
	fake.live[FAKE_PD]++;
	return pd;
}

int __wrap_ibv_dealloc_pd(struct ibv_pd *pd);
int __wrap_ibv_dealloc_pd(struct ibv_pd *pd)
{
	fake.live[FAKE_PD]--;
	free(pd);
	return 0;
}

struct ibv_comp_channel *__wrap_ibv_create_comp_channel(struct ibv_context *verbs);
struct ibv_comp_channel *__wrap_ibv_create_comp_channel(struct ibv_context *verbs)
{
	struct ibv_comp_channel *channel;

	if (failing()) {
		return NULL;
	}
	channel = calloc(1, sizeof(*channel));
	channel->context = verbs;
	channel->fd = eventfd(0, EFD_NONBLOCK);
	comp_fds[queue_count] = channel->fd;
	fake.live[FAKE_COMP]++;
	return channel;
}

int __wrap_ibv_destroy_comp_channel(struct ibv_comp_channel *channel);
int __wrap_ibv_destroy_comp_channel(struct ibv_comp_channel *channel)
{
	close(channel->fd);
	fake.live[FAKE_COMP]--;
	free(channel);
	return 0;
}

struct ibv_cq *__wrap_ibv_create_cq(struct ibv_context *verbs, int entries, void *cq_context,
				    struct ibv_comp_channel *channel, int vector);
struct ibv_cq *__wrap_ibv_create_cq(struct ibv_context *verbs, int entries, void *cq_context,
				    struct ibv_comp_channel *channel, int vector)
{
	struct ibv_cq *cq;

	(void)entries;
	(void)vector;
	if (failing()) {
		return NULL;
	}
	cq = calloc(1, sizeof(*cq));
	cq->context = verbs;
	cq->channel = channel;
	cq->cq_context = cq_context;
	cq->handle = (uint32_t)queue_count;
	comp_cqs[queue_count] = cq;
	queue_count++;
	fake.live[FAKE_CQ]++;
	return cq;
}

int __wrap_ibv_destroy_cq(struct ibv_cq *cq);
int __wrap_ibv_destroy_cq(struct ibv_cq *cq)
{
	fake.live[FAKE_CQ]--;
	free(cq);
	return 0;
}

int __wrap_ibv_get_cq_event(struct ibv_comp_channel *channel, struct ibv_cq **cq,
			    void **cq_context);
int __wrap_ibv_get_cq_event(struct ibv_comp_channel *channel, struct ibv_cq **cq, void **cq_context)
{
	eventfd_t value;

	if (eventfd_read(channel->fd, &value) != 0) {
		return -1;
	}
	*cq = comp_cqs[channel->fd == comp_fds[0] ? 0 : 1];
	*cq_context = (*cq)->cq_context;
	return 0;
}

void __wrap_ibv_ack_cq_events(struct ibv_cq *cq, unsigned count);
void __wrap_ibv_ack_cq_events(struct ibv_cq *cq, unsigned count)
{
	(void)cq;
	(void)count;
}

struct ibv_srq *__wrap_ibv_create_srq(struct ibv_pd *pd, struct ibv_srq_init_attr *attr);
struct ibv_srq *__wrap_ibv_create_srq(struct ibv_pd *pd, struct ibv_srq_init_attr *attr)
{
	struct ibv_srq *srq;

	(void)attr;
	if (failing()) {
		return NULL;
	}
	srq = calloc(1, sizeof(*srq));
	srq->context = pd->context;
	fake.live[FAKE_SRQ]++;
	return srq;
}

int __wrap_ibv_destroy_srq(struct ibv_srq *srq);
int __wrap_ibv_destroy_srq(struct ibv_srq *srq)
{
	fake.live[FAKE_SRQ]--;
	free(srq);
	return 0;
}

struct ibv_mr *__wrap_ibv_reg_mr_iova2(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova,
				       unsigned access);
struct ibv_mr *__wrap_ibv_reg_mr_iova2(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova,
				       unsigned access)
{
	struct ibv_mr *mr;

	(void)iova;
	fake.mr_access |= access;
	if (failing()) {
		return NULL;
	}
	mr = calloc(1, sizeof(*mr));
	mr->pd = pd;
	mr->addr = addr;
	mr->length = length;
	mr->rkey = 0x1000u + (uint32_t)fake.live[FAKE_MR];
	mr->lkey = mr->rkey;
	fake.live[FAKE_MR]++;
	return mr;
}

struct ibv_mr *__wrap_ibv_reg_mr_iova(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova,
				      int access);
struct ibv_mr *__wrap_ibv_reg_mr_iova(struct ibv_pd *pd, void *addr, size_t length, uint64_t iova,
				      int access)
{
	return __wrap_ibv_reg_mr_iova2(pd, addr, length, iova, (unsigned)access);
}

int __wrap_ibv_dereg_mr(struct ibv_mr *mr);
int __wrap_ibv_dereg_mr(struct ibv_mr *mr)
{
	fake.live[FAKE_MR]--;
	free(mr);
	return 0;
}

int __wrap_ibv_modify_qp(struct ibv_qp *qp, struct ibv_qp_attr *attr, int mask);
int __wrap_ibv_modify_qp(struct ibv_qp *qp, struct ibv_qp_attr *attr, int mask)
{
	(void)qp;
	if ((mask & IBV_QP_ACCESS_FLAGS) && fake.modify_errno != 0) {
		return fake.modify_errno;
	}
	if (mask & IBV_QP_ACCESS_FLAGS) {
		fake.qp_access |= attr->qp_access_flags;
	}
	if (mask & IBV_QP_MIN_RNR_TIMER) {
		fake.rnr_timer = attr->min_rnr_timer;
	}
	return 0;
}

int __wrap_ibv_query_qp(struct ibv_qp *qp, struct ibv_qp_attr *attr, int mask,
			struct ibv_qp_init_attr *init);
int __wrap_ibv_query_qp(struct ibv_qp *qp, struct ibv_qp_attr *attr, int mask,
			struct ibv_qp_init_attr *init)
{
	(void)qp;
	(void)mask;
	(void)init;
	attr->max_rd_atomic = (uint8_t)fake.rd_atomic;
	return 0;
}

int __wrap_ibv_get_async_event(struct ibv_context *verbs, struct ibv_async_event *event);
int __wrap_ibv_get_async_event(struct ibv_context *verbs, struct ibv_async_event *event)
{
	(void)verbs;
	if (fake.async_count == 0) {
		return -1;
	}
	*event = fake.async[--fake.async_count];
	return 0;
}

void __wrap_ibv_ack_async_event(struct ibv_async_event *event);
void __wrap_ibv_ack_async_event(struct ibv_async_event *event)
{
	(void)event;
}

/* --- librdmacm --- */

struct rdma_event_channel *__wrap_rdma_create_event_channel(void);
struct rdma_event_channel *__wrap_rdma_create_event_channel(void)
{
	struct rdma_event_channel *channel;

	if (failing()) {
		return NULL;
	}
	channel = calloc(1, sizeof(*channel));
	channel->fd = eventfd(0, EFD_NONBLOCK);
	cm_fd = channel->fd;
	fake.live[FAKE_CHANNEL]++;
	return channel;
}

void __wrap_rdma_destroy_event_channel(struct rdma_event_channel *channel);
void __wrap_rdma_destroy_event_channel(struct rdma_event_channel *channel)
{
	close(channel->fd);
	fake.live[FAKE_CHANNEL]--;
	free(channel);
}

static struct rdma_cm_id *id_new(void *owner)
{
	struct rdma_cm_id *id = calloc(1, sizeof(*id));

	id->context = owner;
	id->verbs = &context;
	id->port_num = 1;
	fake.ids[fake.id_count++] = id;
	fake.live[FAKE_ID]++;
	return id;
}

int __wrap_rdma_create_id(struct rdma_event_channel *channel, struct rdma_cm_id **id, void *owner,
			  enum rdma_port_space ps);
int __wrap_rdma_create_id(struct rdma_event_channel *channel, struct rdma_cm_id **id, void *owner,
			  enum rdma_port_space ps)
{
	(void)channel;
	(void)ps;
	if (failing()) {
		return -1;
	}
	*id = id_new(owner);
	return 0;
}

/* As the real one: what has not been taken of its events vanishes. */
static void cm_forget(const struct rdma_cm_id *id)
{
	int kept = 0;

	for (int i = 0; i < cm_count; i++) {
		struct cm_entry *entry = &cm_events[(cm_head + i) % QUEUE_MAX];

		if (entry->event.id != id) {
			cm_events[(cm_head + kept++) % QUEUE_MAX] = *entry;
		}
	}
	cm_count = kept;
}

int __wrap_rdma_destroy_id(struct rdma_cm_id *id);
int __wrap_rdma_destroy_id(struct rdma_cm_id *id)
{
	if (id->qp) {
		abort(); /* the queue pair goes first */
	}
	cm_forget(id);
	for (int i = 0; i < fake.id_count; i++) {
		if (fake.ids[i] == id) {
			fake.id_count--;
			memmove(&fake.ids[i], &fake.ids[i + 1],
				sizeof(fake.ids[0]) * (size_t)(fake.id_count - i));
			break;
		}
	}
	fake.live[FAKE_ID]--;
	free(id);
	return 0;
}

int __wrap_rdma_bind_addr(struct rdma_cm_id *id, struct sockaddr *addr);
int __wrap_rdma_bind_addr(struct rdma_cm_id *id, struct sockaddr *addr)
{
	(void)id;
	(void)addr;
	if (fake.bind_errno) {
		errno = fake.bind_errno;
		return -1;
	}
	return failing() ? -1 : 0;
}

int __wrap_rdma_listen(struct rdma_cm_id *id, int backlog);
int __wrap_rdma_listen(struct rdma_cm_id *id, int backlog)
{
	(void)id;
	(void)backlog;
	return failing() ? -1 : 0;
}

int __wrap_rdma_set_option(struct rdma_cm_id *id, int level, int name, void *value, size_t size);
int __wrap_rdma_set_option(struct rdma_cm_id *id, int level, int name, void *value, size_t size)
{
	(void)id;
	if (level == RDMA_OPTION_ID && name == RDMA_OPTION_ID_ACK_TIMEOUT && size == 1) {
		memcpy(&fake.ack_timeout, value, 1);
	}
	return 0;
}

int __wrap_rdma_resolve_addr(struct rdma_cm_id *id, struct sockaddr *from, struct sockaddr *to,
			     int timeout_ms);
int __wrap_rdma_resolve_addr(struct rdma_cm_id *id, struct sockaddr *from, struct sockaddr *to,
			     int timeout_ms)
{
	(void)id;
	(void)from;
	(void)to;
	(void)timeout_ms;
	fake.resolves++;
	return failing() ? -1 : 0;
}

int __wrap_rdma_resolve_route(struct rdma_cm_id *id, int timeout_ms);
int __wrap_rdma_resolve_route(struct rdma_cm_id *id, int timeout_ms)
{
	(void)id;
	(void)timeout_ms;
	return failing() ? -1 : 0;
}

int __wrap_rdma_create_qp(struct rdma_cm_id *id, struct ibv_pd *pd, struct ibv_qp_init_attr *attr);
int __wrap_rdma_create_qp(struct rdma_cm_id *id, struct ibv_pd *pd, struct ibv_qp_init_attr *attr)
{
	if (failing()) {
		return -1;
	}
	if ((int)attr->cap.max_send_sge > fake.attr.max_sge) {
		errno = EINVAL;
		return -1;
	}
	id->qp = calloc(1, sizeof(*id->qp));
	id->qp->context = pd->context;
	id->qp->qp_num = ++qp_numbers;
	fake.live[FAKE_QP]++;
	return 0;
}

void __wrap_rdma_destroy_qp(struct rdma_cm_id *id);
void __wrap_rdma_destroy_qp(struct rdma_cm_id *id)
{
	free(id->qp);
	id->qp = NULL;
	fake.live[FAKE_QP]--;
}

int __wrap_rdma_connect(struct rdma_cm_id *id, struct rdma_conn_param *param);
int __wrap_rdma_connect(struct rdma_cm_id *id, struct rdma_conn_param *param)
{
	(void)id;
	if (failing()) {
		return -1;
	}
	fake.connects++;
	fake.connect_param = *param;
	memcpy(fake.connect_data, param->private_data, param->private_data_len);
	return 0;
}

int __wrap_rdma_accept(struct rdma_cm_id *id, struct rdma_conn_param *param);
int __wrap_rdma_accept(struct rdma_cm_id *id, struct rdma_conn_param *param)
{
	(void)id;
	if (failing()) {
		return -1;
	}
	fake.accepts++;
	fake.connect_param = *param;
	return 0;
}

int __wrap_rdma_reject(struct rdma_cm_id *id, const void *data, uint8_t size);
int __wrap_rdma_reject(struct rdma_cm_id *id, const void *data, uint8_t size)
{
	(void)id;
	fake.rejects++;
	memset(fake.reject_data, 0, sizeof(fake.reject_data));
	memcpy(fake.reject_data, data, size);
	return 0;
}

int __wrap_rdma_disconnect(struct rdma_cm_id *id);
int __wrap_rdma_disconnect(struct rdma_cm_id *id)
{
	(void)id;
	fake.disconnects++;
	return 0;
}

int __wrap_rdma_notify(struct rdma_cm_id *id, enum ibv_event_type event);
int __wrap_rdma_notify(struct rdma_cm_id *id, enum ibv_event_type event)
{
	(void)id;
	(void)event;
	fake.notifies++;
	return 0;
}

int __wrap_rdma_get_cm_event(struct rdma_event_channel *channel, struct rdma_cm_event **event);
int __wrap_rdma_get_cm_event(struct rdma_event_channel *channel, struct rdma_cm_event **event)
{
	struct cm_entry *copy;
	eventfd_t value;

	if (cm_count == 0) {
		(void)eventfd_read(channel->fd, &value);
		errno = EAGAIN;
		return -1;
	}
	/* On the heap, so that a use after the acknowledgement is found. */
	copy = malloc(sizeof(*copy));
	*copy = cm_events[cm_head];
	if (copy->event.param.conn.private_data_len > 0) {
		copy->event.param.conn.private_data = copy->data;
	}
	cm_head = (cm_head + 1) % QUEUE_MAX;
	cm_count--;
	*event = &copy->event;
	return 0;
}

int __wrap_rdma_ack_cm_event(struct rdma_cm_event *event);
int __wrap_rdma_ack_cm_event(struct rdma_cm_event *event)
{
	free(event);
	return 0;
}

void fake_cm_event(enum rdma_cm_event_type type, struct rdma_cm_id *id, int status,
		   const void *data, uint8_t size)
{
	struct cm_entry *entry = &cm_events[(cm_head + cm_count++) % QUEUE_MAX];

	memset(entry, 0, sizeof(*entry));
	entry->event.id = id;
	entry->event.event = type;
	entry->event.status = status;
	entry->event.param.conn.responder_resources = 16;
	entry->event.param.conn.initiator_depth = 16;
	entry->event.param.conn.private_data_len = size;
	if (size > 0) {
		memcpy(entry->data, data, size);
	}
	eventfd_write(cm_fd, 1);
}

struct rdma_cm_id *fake_request(const char *address, const void *data, uint8_t size)
{
	struct rdma_cm_id *id = id_new(NULL);
	struct sockaddr_in *from = &id->route.addr.dst_sin;

	from->sin_family = AF_INET;
	inet_pton(AF_INET, address, &from->sin_addr);
	fake_cm_event(RDMA_CM_EVENT_CONNECT_REQUEST, id, 0, data, size);
	return id;
}

void fake_transport_type(enum ibv_transport_type type)
{
	device.transport_type = type;
}

void fake_reset(void)
{
	memset(&fake, 0, sizeof(fake));
	memset(queues, 0, sizeof(queues));
	memset(&context, 0, sizeof(context));
	fake.fail_at = -1;
	fake.fail_errno = ENOMEM;
	fake.rd_atomic = 16;
	fake.attr = (struct ibv_device_attr){.vendor_id = 0xffffff, /* soft-RoCE */
					     .max_sge = 32,
					     .max_srq_wr = 32768,
					     .max_qp_wr = 16384,
					     .max_cqe = 32767,
					     .max_qp_rd_atom = 128,
					     .max_qp_init_rd_atom = 128};
	queue_count = 0;
	cm_head = cm_count = 0;
	device.transport_type = IBV_TRANSPORT_IB;
	context.device = &device;
	if (async_fd < 0) {
		async_fd = eventfd(0, EFD_NONBLOCK);
	}
	context.async_fd = async_fd;
	context.ops.poll_cq = fake_poll_cq;
	context.ops.req_notify_cq = fake_req_notify;
	context.ops.post_send = fake_post_send;
	context.ops.post_srq_recv = fake_post_srq_recv;
}
