/* SPDX-License-Identifier: BSD-3-Clause */
/* One node of a mesh over the RDMA transport, without ring and daemon: sends numbered frames of
 * known content to everybody, READs from everybody, bounces control messages, checks all that
 * arrives and prints one line per event. tests/lab/cases/verbs-faults runs several of them on
 * soft-RoCE and breaks things.
 *
 *   verbs_node [-f FRAMES_PER_SECOND] [-s FRAME_BYTES] [-r READS_PER_SECOND] [-R READ_BYTES]
 *              [-p MS_BETWEEN_PINGS] [-t SECONDS] [-d DEVICE] [-q]
 *              NODE ADDRESS[:PORT] PEER=ADDRESS[:PORT]...
 *
 * SIGUSR1 fences every peer; SIGTERM ends. Exit status: 0 well, 1 something wrong arrived, 2 usage,
 * 3 cannot open. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "verbs/verbs.h"

#define SLOT_SIZE   8192u
#define SLOTS	    512u
#define WINDOW	    64u /* frames per peer that may be on their way, by our own acknowledgements */
#define DEPTH	    64u
#define SEND_REGION 1u
#define SEND_BYTES  (4u << 20)
#define READ_AREA   (8u << 20) /* behind the slots */
#define READS_AHEAD 8u
#define FRAME_HEAD  24u

enum message_kind {
	MESSAGE_KEY = 1,
	MESSAGE_ACK,
	MESSAGE_PING,
	MESSAGE_PONG
};

struct message {
	uint32_t kind;
	uint32_t pad;
	uint64_t value;
	uint64_t stamp;
	uint64_t incarnation;
};

struct frame_head {
	uint32_t from, size;
	uint64_t seq, incarnation;
};

struct peer {
	uint32_t node;
	bool up, key_owed;
	uint64_t incarnation;
	uint64_t key;
	uint64_t next_out, acked,
		lent; /* frames sent; acknowledged by the peer's program; not given back */
	uint64_t next_in, told;
	uint64_t repeated;
	uint64_t reads_started, reads_done, reads_failed;
	uint64_t pongs, ping_sum_us, ping_max_us;
	uint64_t sent, failed;
	uint64_t last_ping_ms;
	uint64_t first_in_ms;
};

static struct transport *transport;
static const struct transport_ops *ops = &transport_verbs;
static struct peer peers[NODES_MAX];
static int peer_count;
static uint8_t *slab, *sendmem;
static uint64_t my_key, incarnation;
static uint32_t me;
static long frames_rate = 200, reads_rate = 20, seconds = 10, ping_ms = 100;
static uint32_t frame_bytes = 4000, read_bytes = 65536;
static bool quiet, wrong;
static volatile sig_atomic_t stop, fence;
static uint64_t start_ms;

static uint64_t clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static uint64_t clock_ms(void)
{
	return clock_us() / 1000;
}

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	va_list arguments;

	/* Uptime of the host: comparable between the processes of one machine. */
	printf("%llu.%03llu node %u ", (unsigned long long)clock_ms() / 1000,
	       (unsigned long long)clock_ms() % 1000, me);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	fflush(stdout);
}

static void complain(const char *what, const struct peer *peer, uint64_t a, uint64_t b)
{
	wrong = true;
	say("WRONG %s peer %u: %llu %llu", what, peer ? peer->node : 0, (unsigned long long)a,
	    (unsigned long long)b);
}

static void log_line(void *ctx, int priority, const char *text)
{
	(void)ctx;
	if (!quiet || priority <= 4) {
		say("log%d %s", priority, text);
	}
}

/* The byte at this offset of the memory that node shows to READs, and of the payload of frames
 * gathered from it. */
static uint8_t content(uint32_t node, uint64_t offset)
{
	return (uint8_t)((offset * 2654435761u >> 7) ^ (offset >> 16) ^ node * 37);
}

static struct peer *find(uint32_t node)
{
	for (int i = 0; i < peer_count; i++) {
		if (peers[i].node == node) {
			return &peers[i];
		}
	}
	return NULL;
}

static int tell(struct peer *peer, enum message_kind kind, uint64_t value, uint64_t stamp)
{
	struct message m = {
		.kind = kind, .value = value, .stamp = stamp, .incarnation = incarnation};

	return ops->send_control(transport, peer->node, &m, sizeof(m));
}

static void *shared_memory(const char *name, size_t size, int *fd)
{
	void *memory;

	*fd = memfd_create(name, MFD_CLOEXEC);
	if (*fd < 0 || ftruncate(*fd, (off_t)size) < 0) {
		perror(name);
		exit(3);
	}
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, *fd, 0);
	if (memory == MAP_FAILED) {
		perror("mmap");
		exit(3);
	}
	return memory;
}

static void setup_memory(void)
{
	struct transport_region region = {.size_bytes = SLOTS * SLOT_SIZE + READ_AREA};
	uint64_t ignored;
	int error;

	slab = shared_memory("slab", region.size_bytes, &region.fd);
	region.base = slab;
	error = ops->region_add(transport, TRANSPORT_REGION_SLAB, &region, &ignored);
	if (error < 0) {
		say("region 0: %s", strerror(-error));
		exit(3);
	}
	region = (struct transport_region){.size_bytes = SEND_BYTES, .remote_read = true};
	sendmem = shared_memory("send", region.size_bytes, &region.fd);
	region.base = sendmem;
	for (uint64_t i = 0; i < SEND_BYTES; i++) {
		sendmem[i] = content(me, i);
	}
	error = ops->region_add(transport, SEND_REGION, &region, &my_key);
	if (error < 0) {
		say("region 1: %s", strerror(-error));
		exit(3);
	}
	for (uint32_t i = 0; i < SLOTS; i++) {
		error = ops->slot_post(transport, i);
		if (error < 0) {
			say("slot %u: %s", i, strerror(-error));
			exit(3);
		}
	}
}

/* Frames carry a header, kept in a ring of its own at the end of the send memory, and a payload
 * from anywhere before. */
static uint64_t header_place(const struct peer *peer, uint64_t seq)
{
	return SEND_BYTES - (uint64_t)(peer_count)*DEPTH * FRAME_HEAD +
	       ((uint64_t)(peer - peers) * DEPTH + seq % DEPTH) * FRAME_HEAD;
}

static bool send_one(struct peer *peer)
{
	uint32_t payload = (uint32_t)(peer->next_out * 7919 % frame_bytes);
	uint64_t from = peer->next_out * 4099 % (SEND_BYTES / 2);
	uint64_t place = header_place(peer, peer->next_out);
	struct frame_head head = {me, payload, peer->next_out, incarnation};
	struct transport_seg segs[3] = {
		{SEND_REGION, FRAME_HEAD, place},
		{SEND_REGION, payload / 3, from},
		{SEND_REGION, payload - payload / 3, from + payload / 3},
	};
	int error;

	memcpy(sendmem + place, &head, sizeof(head));
	error = ops->send_frame(transport, peer->node, segs, 3, peer->next_out);
	if (error == -ENOBUFS || error == -ENOTCONN) {
		return false;
	}
	if (error < 0) {
		complain("send_frame", peer, (uint64_t)-error, peer->next_out);
		return false;
	}
	peer->next_out++;
	peer->lent++;
	return true;
}

static void check_frame(struct peer *peer, const struct transport_event *event)
{
	const uint8_t *bytes = slab + (uint64_t)event->slot * SLOT_SIZE;
	struct frame_head head;
	uint64_t from;

	memcpy(&head, bytes, sizeof(head));
	if (head.incarnation != peer->incarnation || head.from != peer->node ||
	    event->size_bytes != FRAME_HEAD + head.size) {
		complain("frame header", peer, head.seq, event->size_bytes);
		return;
	}
	if (head.seq < peer->next_in) {
		peer->repeated++;
		return;
	}
	if (head.seq != peer->next_in) {
		complain("frame missing", peer, peer->next_in, head.seq);
	}
	from = head.seq * 4099 % (SEND_BYTES / 2);
	for (uint32_t i = 0; i < head.size; i++) {
		if (bytes[FRAME_HEAD + i] != content(peer->node, from + i)) {
			complain("frame content", peer, head.seq, i);
			break;
		}
	}
	peer->next_in = head.seq + 1;
	peer->first_in_ms = clock_ms();
}

static void start_read(struct peer *peer)
{
	uint64_t number = peer->reads_started;
	uint64_t place = SLOTS * SLOT_SIZE +
			 ((uint64_t)(peer - peers) * READS_AHEAD + number % READS_AHEAD) *
				 (READ_AREA / (NODES_MAX * READS_AHEAD));
	uint32_t size = read_bytes < READ_AREA / (NODES_MAX * READS_AHEAD)
				? read_bytes
				: READ_AREA / (NODES_MAX * READS_AHEAD);
	struct transport_seg into = {TRANSPORT_REGION_SLAB, size, place};
	uint64_t from = number * 12289 % (SEND_BYTES / 2);
	int error = ops->read(transport, peer->node, peer->key, from, &into, number);

	if (error == -ENOBUFS || error == -ENOTCONN) {
		return;
	}
	if (error < 0) {
		complain("read", peer, (uint64_t)-error, number);
		return;
	}
	peer->reads_started++;
}

static void check_read(struct peer *peer, const struct transport_event *event)
{
	uint64_t number = event->cookie;
	uint64_t per = READ_AREA / (NODES_MAX * READS_AHEAD);
	const uint8_t *bytes =
		slab + SLOTS * SLOT_SIZE +
		((uint64_t)(peer - peers) * READS_AHEAD + number % READS_AHEAD) * per;
	uint32_t size = read_bytes < per ? read_bytes : (uint32_t)per;
	uint64_t from = number * 12289 % (SEND_BYTES / 2);

	if (event->status != 0) {
		peer->reads_failed++;
		say("READ %llu of node %u: %s", (unsigned long long)number, peer->node,
		    strerror(-event->status));
		return;
	}
	peer->reads_done++;
	for (uint32_t i = 0; i < size; i++) {
		if (bytes[i] != content(peer->node, from + i)) {
			complain("read content", peer, number, i);
			break;
		}
	}
}

static void take_message(struct peer *peer, const struct transport_event *event)
{
	struct message m;
	uint64_t took_us;

	if (event->size_bytes != sizeof(m)) {
		complain("message size", peer, event->size_bytes, sizeof(m));
		return;
	}
	memcpy(&m, event->data, sizeof(m));
	if (m.incarnation != peer->incarnation) {
		complain("message of another life", peer, m.incarnation, peer->incarnation);
	}
	switch ((enum message_kind)m.kind) {
	case MESSAGE_KEY:
		peer->key = m.value;
		break;
	case MESSAGE_ACK:
		peer->acked = m.value;
		break;
	case MESSAGE_PING:
		(void)tell(peer, MESSAGE_PONG, m.value, m.stamp);
		break;
	case MESSAGE_PONG:
		took_us = clock_us() - m.stamp;
		peer->pongs++;
		peer->ping_sum_us += took_us;
		peer->ping_max_us = took_us > peer->ping_max_us ? took_us : peer->ping_max_us;
		break;
	}
}

static void peer_up(struct peer *peer, const struct transport_event *event)
{
	if (peer->up) {
		complain("up twice", peer, 0, 0);
	}
	if (peer->lent > 0) {
		complain("lent frames at up", peer, peer->lent, 0);
	}
	peer->up = true;
	peer->incarnation = event->incarnation;
	peer->key = 0;
	peer->key_owed = true;
	peer->next_out = peer->acked = peer->next_in = peer->told = 0;
	if (peer->reads_started != peer->reads_done + peer->reads_failed) {
		complain("READs under way at up", peer, peer->reads_started, peer->reads_done);
	}
	peer->reads_started = peer->reads_done = peer->reads_failed = 0;
	say("UP %u incarnation %llx", peer->node, (unsigned long long)event->incarnation);
}

static void give_back(struct peer *peer, bool sent)
{
	if (peer->lent == 0) {
		complain("given back twice", peer, 0, 0);
		return;
	}
	peer->lent--;
	if (sent) {
		peer->sent++;
	} else {
		peer->failed++;
	}
}

static void handle(const struct transport_event *event)
{
	struct peer *peer = find(event->node);

	if (!peer) {
		complain("event of a stranger", NULL, event->node, event->kind);
		return;
	}
	switch (event->kind) {
	case TRANSPORT_PEER_UP:
		peer_up(peer, event);
		break;
	case TRANSPORT_PEER_DOWN:
		peer->up = false;
		say("DOWN %u gone %d", peer->node, event->gone);
		break;
	case TRANSPORT_BULK_DOWN:
		say("BULK_DOWN %u", peer->node);
		break;
	case TRANSPORT_BULK_UP:
		say("BULK_UP %u", peer->node);
		break;
	case TRANSPORT_CONTROL:
		take_message(peer, event);
		break;
	case TRANSPORT_FRAME:
		check_frame(peer, event);
		if (ops->slot_post(transport, event->slot) < 0) {
			complain("slot_post", peer, event->slot, 0);
		}
		break;
	case TRANSPORT_SENT:
		give_back(peer, true);
		break;
	case TRANSPORT_FAILED:
		give_back(peer, false);
		break;
	case TRANSPORT_READ_DONE:
		check_read(peer, event);
		break;
	case TRANSPORT_LOST:
		complain("the adapter is lost", peer, 0, 0);
		break;
	}
}

/* What is due by now, at the wanted rates. */
static void work(uint64_t now_ms)
{
	static uint64_t last_ms;
	static double frames_owed, reads_owed;

	if (last_ms == 0) {
		last_ms = now_ms;
	}
	frames_owed += (double)(now_ms - last_ms) * (double)frames_rate / 1000;
	reads_owed += (double)(now_ms - last_ms) * (double)reads_rate / 1000;
	last_ms = now_ms;
	for (int i = 0; i < peer_count; i++) {
		struct peer *peer = &peers[i];

		if (!peer->up) {
			continue;
		}
		if (peer->key_owed && tell(peer, MESSAGE_KEY, my_key, 0) == 0) {
			peer->key_owed = false;
		}
		if (ping_ms > 0 && peer->last_ping_ms + (uint64_t)ping_ms <= now_ms) {
			(void)tell(peer, MESSAGE_PING, 0, clock_us());
			peer->last_ping_ms = now_ms;
		}
		for (double f = frames_owed; f >= 1 && peer->next_out - peer->acked < WINDOW; f--) {
			if (!send_one(peer)) {
				break;
			}
		}
		for (double r = reads_owed;
		     r >= 1 && peer->key != 0 &&
		     peer->reads_started - peer->reads_done - peer->reads_failed < READS_AHEAD;
		     r--) {
			start_read(peer);
		}
		if (peer->next_in - peer->told >= WINDOW / 4 &&
		    tell(peer, MESSAGE_ACK, peer->next_in, 0) == 0) {
			peer->told = peer->next_in;
		}
	}
	frames_owed -= (double)(long)frames_owed;
	reads_owed -= (double)(long)reads_owed;
}

static void wait_for_news(uint64_t now_ms)
{
	struct pollfd p = {.fd = ops->fd(transport), .events = POLLIN};
	uint64_t deadline_ms = ops->next_deadline_ms(transport);
	uint64_t wait_ms = frames_rate > 0 || reads_rate > 0 ? 5 : 100;

	if (deadline_ms <= now_ms) {
		wait_ms = 0;
	} else if (deadline_ms - now_ms < wait_ms) {
		wait_ms = deadline_ms - now_ms;
	}
	ops->flush(transport);
	(void)poll(&p, 1, (int)wait_ms);
}

static void on_signal(int number)
{
	if (number == SIGUSR1) {
		fence = 1;
	} else {
		stop = 1;
	}
}

static void run(void)
{
	struct transport_event events[64];

	while (!stop && clock_ms() < start_ms + (uint64_t)seconds * 1000) {
		int count = ops->poll(transport, clock_ms(), events, 64);

		for (int i = 0; i < count; i++) {
			handle(&events[i]);
		}
		if (fence) {
			fence = 0;
			for (int i = 0; i < peer_count; i++) {
				uint64_t before_us = clock_us();

				ops->peer_fence(transport, peers[i].node);
				peers[i].up = false;
				say("FENCED %u in %llu us", peers[i].node,
				    (unsigned long long)(clock_us() - before_us));
			}
		}
		work(clock_ms());
		wait_for_news(clock_ms());
	}
}

static void summary(void)
{
	for (int i = 0; i < peer_count; i++) {
		const struct peer *peer = &peers[i];
		struct transport_peer_stats stats;

		ops->peer_stats(transport, peer->node, &stats);
		say("SUMMARY %u up %d sent %llu failed %llu received %llu repeated %llu reads %llu "
		    "redials %llu rnr %llu pongs %llu ping avg %llu us max %llu us",
		    peer->node, stats.up, (unsigned long long)peer->sent,
		    (unsigned long long)peer->failed, (unsigned long long)stats.frames_received,
		    (unsigned long long)peer->repeated, (unsigned long long)stats.reads,
		    (unsigned long long)stats.redials, (unsigned long long)stats.receiver_not_ready,
		    (unsigned long long)peer->pongs,
		    (unsigned long long)(peer->pongs ? peer->ping_sum_us / peer->pongs : 0),
		    (unsigned long long)peer->ping_max_us);
	}
}

static bool parse_ipv6(char *text, struct sockaddr_storage *addr)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)addr;
	char *end = strchr(text, ']');

	if (text[0] != '[' || !end) {
		return false;
	}
	*end = 0;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = end[1] == ':' ? htons((uint16_t)atoi(end + 2)) : 0;
	return inet_pton(AF_INET6, text + 1, &in6->sin6_addr) == 1;
}

static bool parse_ipv4(char *text, struct sockaddr_storage *addr)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)addr;
	char *colon = strchr(text, ':');

	if (colon) {
		*colon = 0;
		in4->sin_port = htons((uint16_t)atoi(colon + 1));
	}
	in4->sin_family = AF_INET;
	return inet_pton(AF_INET, text, &in4->sin_addr) == 1;
}

static struct sockaddr_storage parse_addr(char *text)
{
	struct sockaddr_storage addr = {0};

	if (!parse_ipv6(text, &addr) && !parse_ipv4(text, &addr)) {
		fprintf(stderr, "verbs_node: '%s' is no address\n", text);
		exit(2);
	}
	return addr;
}

static void options(int argc, char **argv, struct transport_config *config)
{
	int option;

	while ((option = getopt(argc, argv, "f:s:r:R:p:t:d:q")) != -1) {
		switch (option) {
		case 'f':
			frames_rate = atol(optarg);
			break;
		case 's':
			frame_bytes = (uint32_t)atol(optarg);
			break;
		case 'r':
			reads_rate = atol(optarg);
			break;
		case 'R':
			read_bytes = (uint32_t)atol(optarg);
			break;
		case 'p':
			ping_ms = atol(optarg);
			break;
		case 't':
			seconds = atol(optarg);
			break;
		case 'd':
			config->device = optarg;
			break;
		case 'q':
			quiet = true;
			break;
		default:
			exit(2);
		}
	}
	if (argc - optind < 2 || frame_bytes < 1 || frame_bytes > SLOT_SIZE - FRAME_HEAD) {
		fprintf(stderr, "usage: verbs_node [OPTIONS] NODE ADDRESS PEER=ADDRESS...\n");
		exit(2);
	}
}

static void add_peer(char *text)
{
	char *equals = strchr(text, '=');
	struct transport_peer config = {.node = (uint32_t)atoi(text)};
	int error;

	if (!equals) {
		exit(2);
	}
	config.addr = parse_addr(equals + 1);
	peers[peer_count++].node = config.node;
	error = ops->peer_add(transport, &config);
	if (error < 0) {
		say("peer_add: %s", strerror(-error));
		exit(3);
	}
}

int main(int argc, char **argv)
{
	struct transport_config config = {
		.cluster_name = "verbs_node",
		.slot_size_bytes = SLOT_SIZE,
		.slot_count = SLOTS,
		.bulk_depth = DEPTH,
		.connect_timeout_ms = 300,
		.ack_timeout_ms = 1000,
		.log = log_line,
	};
	int error;

	options(argc, argv, &config);
	signal(SIGUSR1, on_signal);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	start_ms = clock_ms();
	incarnation = clock_us() << 16 | (uint16_t)getpid();
	me = config.node = (uint32_t)atoi(argv[optind]);
	config.incarnation = incarnation;
	config.addr = parse_addr(argv[optind + 1]);
	error = ops->open(&config, &transport);
	if (error < 0) {
		say("open: %s", strerror(-error));
		return 3;
	}
	say("OPEN %s", ops->device(transport));
	setup_memory();
	for (int i = optind + 2; i < argc; i++) {
		add_peer(argv[i]);
	}
	run();
	summary();
	ops->close(&transport);
	say("CLOSED%s", wrong ? " WRONG" : "");
	return wrong ? 1 : 0;
}
