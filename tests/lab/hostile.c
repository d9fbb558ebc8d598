/* SPDX-License-Identifier: BSD-3-Clause */
/* A node gone bad, for tests/lab/cases/remote-access: preloaded into a daemon on soft-RoCE, which stays a true member of
 * its ring, this posts work of its own on the daemon's queue pairs. It sees what the daemon was told to READ, and does
 * what it is told on $HOSTILE_DIR/orders, one line each, with one line on $HOSTILE_DIR/answers:
 *
 *   marker                                        the bytes that it tries to write, in hexadecimal
 *   told PEER                                     the daemon's last READ from there: RKEY ADDRESS SIZE
 *   try OPERATION CHANNEL PEER RKEY ADDRESS SIZE  what came of it; numbers as in C, PEER an address
 *   freeze                                        the daemon itself does nothing any more
 *   hammer PEER RKEY ADDRESS SIZE MS              READs on the queue pair there is now, until one fails or MS are over */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <rdma/rdma_cma.h>

#define LINKS_MAX   256
#define OURS	    0x686f7374696c65ull /* the work of this file; the daemon's numbers differ */
#define AREA	    (1u << 20)
#define TRIES	    20
#define PATIENCE_MS 10000

struct told {
	uint32_t rkey, size;
	uint64_t addr;
};

struct link {
	struct rdma_cm_id *id; /* NULL: unused */
	bool bulk;
};

struct order {
	char op[16], channel[16], peer[64];
	uint64_t addr;
	uint32_t rkey, size;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct link links[LINKS_MAX];
static struct told last_told[LINKS_MAX]; /* outlives its link; by the peer's last byte */
static int (*real_post_send)(struct ibv_qp *, struct ibv_send_wr *, struct ibv_send_wr **);
static int (*real_poll_cq)(struct ibv_cq *, int, struct ibv_wc *);
static bool frozen, pending;
static const struct order *wanted; /* for the daemon's thread */
static const char *trouble;	   /* why nothing was posted */
static struct ibv_cq *posted_cq;
static enum ibv_wc_status status;
static uint8_t marker[8];
static uint8_t *area;
static struct ibv_mr *area_mr;

static uint64_t clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void rest_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static struct in_addr peer_of(struct rdma_cm_id *id)
{
	return ((struct sockaddr_in *)(void *)rdma_get_peer_addr(id))->sin_addr;
}

static uint8_t last_byte(struct in_addr addr)
{
	return (uint8_t)(ntohl(addr.s_addr) & 0xff);
}

/* ---- what it does itself ---- */

/* With the lock held. */
static struct ibv_qp *find(const char *peer, bool bulk)
{
	struct ibv_qp_attr attr;
	struct ibv_qp_init_attr ignored;
	struct in_addr addr;

	for (int i = LINKS_MAX - 1; i >= 0 && inet_pton(AF_INET, peer, &addr) == 1; i--) {
		struct rdma_cm_id *id = links[i].id;

		if (id && id->qp && links[i].bulk == bulk && peer_of(id).s_addr == addr.s_addr &&
		    ibv_query_qp(id->qp, &attr, IBV_QP_STATE, &ignored) == 0 &&
		    attr.qp_state == IBV_QPS_RTS) {
			return id->qp;
		}
	}
	return NULL;
}

static bool prepare(const struct order *order, struct ibv_send_wr *wr)
{
	static const struct {
		const char *name;
		enum ibv_wr_opcode opcode;
	} ops[] = {{"write", IBV_WR_RDMA_WRITE},
		   {"write-imm", IBV_WR_RDMA_WRITE_WITH_IMM},
		   {"read", IBV_WR_RDMA_READ},
		   {"cmp-swap", IBV_WR_ATOMIC_CMP_AND_SWP},
		   {"fetch-add", IBV_WR_ATOMIC_FETCH_AND_ADD}};
	uint64_t value;

	memcpy(&value, marker, sizeof(value));
	*wr = (struct ibv_send_wr){.wr_id = OURS, .num_sge = 1, .send_flags = IBV_SEND_SIGNALED};
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		if (strcmp(order->op, ops[i].name) != 0) {
			continue;
		}
		wr->opcode = ops[i].opcode;
		if (wr->opcode == IBV_WR_ATOMIC_CMP_AND_SWP ||
		    wr->opcode == IBV_WR_ATOMIC_FETCH_AND_ADD) {
			wr->wr.atomic.remote_addr = order->addr;
			wr->wr.atomic.rkey = order->rkey;
			wr->wr.atomic.compare_add =
				wr->opcode == IBV_WR_ATOMIC_CMP_AND_SWP ? 0 : value;
			wr->wr.atomic.swap = value;
		} else {
			wr->wr.rdma.remote_addr = order->addr;
			wr->wr.rdma.rkey = order->rkey;
		}
		return order->size <= AREA;
	}
	return false;
}

/* With the lock held. READs overwrite the marker, writes need it. */
static bool area_ready(struct ibv_pd *pd)
{
	if (!area) {
		area = aligned_alloc(4096, AREA);
	}
	if (!area || (area_mr && area_mr->pd != pd)) {
		return false;
	}
	if (!area_mr) {
		area_mr = ibv_reg_mr(pd, area, AREA, IBV_ACCESS_LOCAL_WRITE);
	}
	for (size_t i = 0; i < AREA; i += sizeof(marker)) {
		memcpy(area + i, marker, sizeof(marker));
	}
	return area_mr;
}

/* By the daemon's own thread, with the lock held: the kernel takes work only from who has the credentials that opened
 * the device, and the daemon gives its own up. */
static void post_wanted(void)
{
	const struct order *order = wanted;
	struct ibv_send_wr wr, *bad;
	struct ibv_sge sge;
	struct ibv_qp *qp;

	wanted = NULL;
	qp = find(order->peer, strcmp(order->channel, "bulk") == 0);
	if (!qp) {
		trouble = "there is no queue pair";
	} else if (!area_ready(qp->pd) || !prepare(order, &wr)) {
		trouble = "no memory, or a wrong order";
	} else {
		sge = (struct ibv_sge){
			.addr = (uintptr_t)area, .length = order->size, .lkey = area_mr->lkey};
		wr.sg_list = &sge;
		pending = real_post_send(qp, &wr, &bad) == 0;
		trouble = pending ? NULL : "the queue pair takes no work";
		posted_cq = qp->send_cq;
	}
}

/* ---- between the daemon and its adapter ---- */

/* The keepalive page and what is smaller than any payload are no announcements. */
static void overhear(const struct ibv_qp *qp, const struct ibv_send_wr *wr)
{
	for (int i = 0; i < LINKS_MAX; i++) {
		if (links[i].id && links[i].id->qp == qp && wr->opcode == IBV_WR_RDMA_READ &&
		    wr->wr_id != OURS && wr->sg_list->length > 1024) {
			last_told[last_byte(peer_of(links[i].id))] =
				(struct told){.rkey = wr->wr.rdma.rkey,
					      .addr = wr->wr.rdma.remote_addr,
					      .size = wr->sg_list->length};
		}
	}
}

static int post_send(struct ibv_qp *qp, struct ibv_send_wr *wr, struct ibv_send_wr **bad)
{
	pthread_mutex_lock(&lock);
	overhear(qp, wr);
	pthread_mutex_unlock(&lock);
	return real_post_send(qp, wr, bad);
}

/* Keeps what is ours; returns how many are left. */
static int sift(struct ibv_wc *wc, int count)
{
	int left = 0;

	for (int i = 0; i < count; i++) {
		if (wc[i].wr_id == OURS) {
			status = wc[i].status;
			pending = false;
		} else {
			wc[left++] = wc[i];
		}
	}
	return left;
}

static int poll_cq(struct ibv_cq *cq, int max, struct ibv_wc *wc)
{
	int count, left;

	pthread_mutex_lock(&lock);
	do {
		if (wanted) {
			post_wanted();
		}
		if (frozen) {
			pthread_mutex_unlock(&lock);
			rest_ms(1);
			pthread_mutex_lock(&lock);
		}
	} while (frozen);
	do {
		count = real_poll_cq(cq, max, wc);
		left = count > 0 ? sift(wc, count) : count;
	} while (count > 0 && left == 0);
	pthread_mutex_unlock(&lock);
	return left;
}

int rdma_create_qp(struct rdma_cm_id *id, struct ibv_pd *pd, struct ibv_qp_init_attr *attr)
{
	int (*real)(struct rdma_cm_id *, struct ibv_pd *, struct ibv_qp_init_attr *);
	bool bulk = attr->cap.max_send_sge > 1; /* what is wished for, not what is granted */
	int result;

	*(void **)&real = dlsym(RTLD_NEXT, "rdma_create_qp");
	attr->cap.max_send_wr += 4; /* places for ours */
	result = real(id, pd, attr);
	pthread_mutex_lock(&lock);
	if (!real_poll_cq) {
		real_post_send = id->verbs->ops.post_send;
		real_poll_cq = id->verbs->ops.poll_cq;
		id->verbs->ops.post_send = post_send;
		id->verbs->ops.poll_cq = poll_cq;
	}
	for (int i = 0; i < LINKS_MAX && result == 0; i++) {
		if (!links[i].id) {
			links[i] = (struct link){.id = id, .bulk = bulk};
			break;
		}
	}
	pthread_mutex_unlock(&lock);
	return result;
}

void rdma_destroy_qp(struct rdma_cm_id *id)
{
	void (*real)(struct rdma_cm_id *);

	*(void **)&real = dlsym(RTLD_NEXT, "rdma_destroy_qp");
	pthread_mutex_lock(&lock);
	for (int i = 0; i < LINKS_MAX; i++) {
		if (links[i].id == id) {
			links[i].id = NULL;
		}
	}
	real(id);
	pthread_mutex_unlock(&lock);
}

/* ---- what it is told to do ---- */

/* False: not posted, and `trouble` says why. */
static bool post(const struct order *order, struct ibv_cq **cq)
{
	uint64_t end_ms = clock_ms() + PATIENCE_MS;

	pthread_mutex_lock(&lock);
	trouble = "the daemon does not poll";
	wanted = order;
	while (wanted && clock_ms() < end_ms) {
		pthread_mutex_unlock(&lock);
		rest_ms(1);
		pthread_mutex_lock(&lock);
	}
	wanted = NULL;
	*cq = posted_cq;
	pthread_mutex_unlock(&lock);
	return !trouble;
}

/* The daemon polls, or we do in its place. False: it never came. */
static bool wait_for_status(struct ibv_cq *cq)
{
	uint64_t end_ms = clock_ms() + PATIENCE_MS;
	struct ibv_wc wc[16];
	bool waiting = true;

	while (waiting && clock_ms() < end_ms) {
		pthread_mutex_lock(&lock);
		for (int count = 1; frozen && count > 0;) {
			count = real_poll_cq(cq, 16, wc);
			sift(wc, count > 0 ? count : 0);
		}
		waiting = pending;
		pthread_mutex_unlock(&lock);
		if (waiting) {
			rest_ms(1);
		}
	}
	return !waiting;
}

/* What was flushed has proved nothing: another try, on the next queue pair. */
static void attempt(const struct order *order, FILE *answers)
{
	struct ibv_cq *cq;

	for (int i = 0; i < TRIES; i++) {
		uint64_t end_ms = clock_ms() + PATIENCE_MS;

		while (!post(order, &cq)) {
			if (clock_ms() > end_ms) {
				fprintf(answers, "%s\n", trouble);
				return;
			}
			rest_ms(10);
		}
		if (wait_for_status(cq) && status != IBV_WC_WR_FLUSH_ERR) {
			fprintf(answers, "%s\n", ibv_wc_status_str(status));
			return;
		}
	}
	fprintf(answers, "it was never tried\n");
}

static void hammer(const struct order *order, uint64_t for_ms, FILE *answers)
{
	uint64_t begin_ms = clock_ms(), last_ms = begin_ms;
	unsigned long good = 0;
	struct ibv_cq *cq;

	while (clock_ms() < begin_ms + for_ms) {
		if (!post(order, &cq)) {
			fprintf(answers, "%lu reads, then %s\n", good, trouble);
			return;
		}
		if (!wait_for_status(cq) || status != IBV_WC_SUCCESS) {
			fprintf(answers, "%lu reads, the last after %llu ms, then %s\n", good,
				(unsigned long long)(last_ms - begin_ms),
				ibv_wc_status_str(status));
			return;
		}
		good++;
		last_ms = clock_ms();
		rest_ms(5);
	}
	fprintf(answers, "%lu reads, and no end\n", good);
}

/* n: RKEY ADDRESS SIZE */
static void aim(struct order *order, const long long *n)
{
	order->rkey = (uint32_t)n[0];
	order->addr = (uint64_t)n[1];
	order->size = (uint32_t)n[2];
}

static void tell(const char *peer, FILE *answers)
{
	struct in_addr addr = {0};
	struct told told;

	(void)inet_pton(AF_INET, peer, &addr);
	pthread_mutex_lock(&lock);
	told = last_told[last_byte(addr)];
	pthread_mutex_unlock(&lock);
	fprintf(answers, "%u %llu %u\n", told.rkey, (unsigned long long)told.addr, told.size);
}

static void obey(const char *line, FILE *answers)
{
	struct order order = {.op = "read", .channel = "bulk"};
	long long n[4];

	if (sscanf(line, "try %15s %15s %63s %lli %lli %lli", order.op, order.channel, order.peer,
		   &n[0], &n[1], &n[2]) == 6) {
		aim(&order, n);
		attempt(&order, answers);
	} else if (sscanf(line, "hammer %63s %lli %lli %lli %lli", order.peer, &n[0], &n[1], &n[2],
			  &n[3]) == 5) {
		aim(&order, n);
		hammer(&order, (uint64_t)n[3], answers);
	} else if (sscanf(line, "told %63s", order.peer) == 1) {
		tell(order.peer, answers);
	} else if (strcmp(line, "freeze\n") == 0) {
		pthread_mutex_lock(&lock);
		frozen = true;
		pthread_mutex_unlock(&lock);
		fprintf(answers, "frozen\n");
	} else if (strcmp(line, "marker\n") == 0) {
		for (size_t i = 0; i < sizeof(marker); i++) {
			fprintf(answers, "%02x", marker[i]);
		}
		fprintf(answers, "\n");
	} else {
		fprintf(answers, "what is that?\n");
	}
	fflush(answers);
}

static FILE *open_in(const char *directory, const char *name, const char *mode)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	/* A pipe that is open both ways never ends. */
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? NULL : fdopen(fd, mode);
}

static void *serve(void *directory)
{
	FILE *orders = open_in(directory, "orders", "r");
	FILE *answers = open_in(directory, "answers", "w");
	char line[256];

	while (orders && answers && fgets(line, sizeof(line), orders)) {
		obey(line, answers);
	}
	return NULL;
}

/* Also programs that a daemon's helper starts have this preloaded; only the daemon obeys. */
__attribute__((constructor)) static void begin(void)
{
	char *directory = getenv("HOSTILE_DIR");
	pthread_t thread;

	if (!directory || strcmp(program_invocation_short_name, "coronetd") != 0 ||
	    getrandom(marker, sizeof(marker), 0) != sizeof(marker)) {
		return;
	}
	if (pthread_create(&thread, NULL, serve, directory) == 0) {
		pthread_detach(thread);
	}
}
