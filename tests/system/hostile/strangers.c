/* SPDX-License-Identifier: BSD-3-Clause */
/* Processes of the daemons' own user that come to the sockets where daemons meet over shared memory, and greet as
 * they must not: not at all, wrongly, in part, in others' names, with memory that is none. */
#include "tests/system/hostile/hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "shm/shm_msg.h"
#include "shm/shm_share.h"
#include "shm/shm_sock.h"

#define SLOT_BYTES  32768u /* the default of rdma.slot_size */
#define MAIL_BYTES  (1u << 20)
#define BOARD_BYTES (1u << 16)
#define ENTRIES	    64u
#define CROWD	    200

static const char *cluster;
static uint32_t claims[8], claims_count;
static uint32_t nodes[8], nodes_count;

static uint32_t any_node(void)
{
	return nodes[hostile_below(nodes_count)];
}

static int dial(uint32_t node)
{
	uint64_t until_ms = hostile_now_ms() + 10000;
	int fd = -1;
	int err;

	while ((err = shm_sock_dial(geteuid(), cluster, node, &fd)) == -EAGAIN &&
	       hostile_now_ms() < until_ms) {
		hostile_pause_ms(1);
	}
	if (err == -ECONNREFUSED) {
		hostile_fail("daemon %u is gone", node);
	}
	return err ? -1 : fd;
}

static struct shm_msg hello_to(uint32_t node, uint32_t from, enum shm_purpose purpose)
{
	struct shm_msg msg = {.kind = SHM_HELLO,
			      .version = SHM_VERSION,
			      .purpose = purpose,
			      .from = from,
			      .to = node,
			      .slot_size_bytes = SLOT_BYTES,
			      .entries = ENTRIES,
			      .incarnation = hostile_roll(),
			      .link = hostile_number()};

	snprintf(msg.cluster, sizeof(msg.cluster), "%s", cluster);
	return msg;
}

static void send_bytes(int fd, const void *bytes, size_t size)
{
	send(fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void close_all(int *fds, int count)
{
	for (int i = 0; i < count; i++) {
		if (fds[i] >= 0) {
			close(fds[i]);
		}
	}
}

/* What comes within a moment; the kind, or 0. */
static int answer(int fd, int patience_ms, uint64_t *link)
{
	struct pollfd watch = {.fd = fd, .events = POLLIN};
	struct shm_packet packet;
	int kind;

	if (poll(&watch, 1, patience_ms) != 1 || shm_sock_recv(fd, &packet)) {
		return 0;
	}
	kind = (int)packet.msg.kind;
	*link = packet.msg.link;
	shm_packet_drop(&packet);
	return kind;
}

/* --- Silence, noise and crowds --- */

static void silence(void)
{
	int fds[CROWD];

	for (int i = 0; i < CROWD; i++) {
		fds[i] = dial(any_node());
	}
	hostile_pause_ms((int)hostile_below(10));
	close_all(fds, CROWD);
}

static void noise(void)
{
	uint8_t bytes[800];
	int fd = dial(any_node());

	hostile_bytes(bytes, sizeof(bytes));
	if (hostile_below(2)) {
		bytes[0] = (uint8_t)hostile_below(8);
	}
	for (int i = 0; fd >= 0 && i < 3; i++) {
		send_bytes(fd, bytes, hostile_below(sizeof(bytes)));
	}
	close_all(&fd, 1);
}

static void flood(void)
{
	uint64_t until_ms = hostile_now_ms() + 50;
	uint32_t node = any_node();

	while (hostile_now_ms() < until_ms) {
		int fd = -1;

		if (shm_sock_dial(geteuid(), cluster, node, &fd) == 0) {
			close(fd);
		}
	}
}

static void probes(void)
{
	for (int i = 0; i < 50; i++) {
		uint32_t node = any_node();
		struct shm_msg hello =
			hello_to(node, claims[hostile_below(claims_count)], SHM_PROBE);
		int fd = dial(node);

		if (fd >= 0) {
			shm_sock_send(fd, &hello, NULL, 0);
		}
		close_all(&fd, 1);
	}
}

/* --- Greetings --- */

static int any_memory(void)
{
	int fd = memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	uint64_t size = hostile_below(3) ? MAIL_BYTES : hostile_number() >> 20;

	if (fd >= 0 && ftruncate(fd, (off_t)(size >> 1)) == 0 && hostile_below(3)) {
		fcntl(fd, F_ADD_SEALS, hostile_below(2) ? F_SEAL_SHRINK : F_SEAL_GROW);
	}
	return fd;
}

/* Something that is a descriptor. */
static int any_descriptor(int own)
{
	int pair[2];

	switch (hostile_below(6)) {
	case 0:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	case 1:
		return open("/dev/zero", O_RDWR | O_CLOEXEC);
	case 2:
		if (pipe2(pair, O_CLOEXEC)) {
			return -1;
		}
		close(pair[1]);
		return pair[0];
	case 3:
		return fcntl(own, F_DUPFD_CLOEXEC, 0);
	case 4:
		return open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	default:
		return any_memory();
	}
}

static void send_with_any(int fd, const struct shm_msg *msg)
{
	int fds[SHM_PACKET_FDS_MAX];
	int count = (int)hostile_below(SHM_PACKET_FDS_MAX + 1);

	for (int i = 0; i < count; i++) {
		fds[i] = any_descriptor(fd);
		if (fds[i] < 0) {
			close_all(fds, i);
			return;
		}
	}
	shm_sock_send(fd, msg, fds, count);
	close_all(fds, count);
}

static uint32_t any_id(uint32_t node)
{
	switch (hostile_below(5)) {
	case 0:
		return node;
	case 1:
		return 0;
	case 2:
		return any_node();
	case 3:
		return (uint32_t)hostile_number();
	default:
		return claims[hostile_below(claims_count)];
	}
}

static void wrong(void)
{
	uint32_t node = any_node();
	struct shm_msg hello = hello_to(node, any_id(node), 1 + hostile_below(3));
	int fd = dial(node);
	uint64_t link;

	switch (hostile_below(6)) {
	case 0:
		hello.version = (uint16_t)hostile_number();
		break;
	case 1:
		hello.cluster[0] ^= 1;
		break;
	case 2:
		hello.to = any_id(node + 1);
		break;
	case 3:
		hello.slot_size_bytes = (uint32_t)hostile_number();
		break;
	case 4:
		hello.entries = (uint32_t)hostile_number();
		break;
	default:
		hello.kind = 1 + hostile_below(6);
		hello.reason = hostile_below(SHM_REASONS);
	}
	if (fd >= 0) {
		send_with_any(fd, &hello);
		answer(fd, (int)hostile_below(3), &link);
	}
	close_all(&fd, 1);
}

static void truncated(void)
{
	uint32_t node = any_node();
	struct shm_msg hello = hello_to(node, claims[0], 1 + hostile_below(3));
	uint8_t bytes[SHM_MSG_SIZE_MAX];
	size_t size = shm_msg_encode(&hello, bytes);

	for (int i = 0; i < 20; i++) {
		int fd = dial(node);

		if (hostile_below(2)) {
			bytes[hostile_below((uint32_t)size)] ^= (uint8_t)(1u << hostile_below(8));
		}
		if (fd >= 0) {
			send_bytes(fd, bytes, hostile_below((uint32_t)size));
		}
		close_all(&fd, 1);
	}
}

/* A whole, correct greeting, but for who says it. True: it was welcomed. */
static bool greet(int fd, uint32_t node, uint32_t from, enum shm_purpose purpose, uint64_t *link,
		  struct shm_map *mail)
{
	struct shm_msg hello = hello_to(node, from, purpose);
	struct shm_map board = {0};
	int fds[2] = {-1, -1};
	bool sent = false;

	hello.link = *link;
	if (shm_share_new("hostile", MAIL_BYTES, mail, &fds[0]) == 0 &&
	    shm_share_new("hostile", BOARD_BYTES, &board, &fds[1]) == 0) {
		sent = shm_sock_send(fd, &hello, fds, purpose == SHM_CONTROL ? 2 : 1) == 0;
	}
	close_all(fds, 2);
	shm_share_drop(&board);
	return sent && answer(fd, 500, link) == SHM_WELCOME;
}

/* In the name of a node that is a member, and lives. */
static void impersonate(void)
{
	uint32_t node = nodes[hostile_below(nodes_count - 1) + 1];
	uint32_t as = nodes[0];
	struct shm_map mail = {0};
	uint64_t link = 0;
	int fd = dial(node);

	if (fd >= 0 && greet(fd, node, as, SHM_CONTROL, &link, &mail)) {
		hostile_fail("node %u takes us for node %u, to which it has a link", node, as);
	}
	shm_share_drop(&mail);
	close_all(&fd, 1);
	fd = dial(node);
	link = hostile_number();
	if (fd >= 0 && greet(fd, node, as, SHM_BULK, &link, &mail)) {
		hostile_fail("node %u takes our bulk connection for node %u's", node, as);
	}
	shm_share_drop(&mail);
	close_all(&fd, 1);
}

/* What was said once is said again, on the same connection and on others. */
static void replay(void)
{
	uint32_t node = any_node();
	struct shm_msg hello = hello_to(node, nodes[0], SHM_CONTROL);
	int fd = dial(node);

	for (int i = 0; fd >= 0 && i < 20; i++) {
		send_with_any(fd, &hello);
		if (i % 4 == 3) {
			close(fd);
			fd = dial(node);
		}
	}
	close_all(&fd, 1);
}

/* --- A link by hand --- */

/* Small numbers where counts stand, anything elsewhere. */
static void scribble(struct shm_map *mail)
{
	uint64_t *words = mail->base;

	for (int i = 0; i < 64; i++) {
		words[hostile_below(256)] = hostile_below(4) ? hostile_below(80) : hostile_number();
	}
}

static void region_noise(int fd, uint64_t ms)
{
	uint64_t until_ms = hostile_now_ms() + ms;
	struct shm_map map = {0};
	int memory = -1;

	if (shm_share_new("hostile", 4096, &map, &memory)) {
		return;
	}
	while (hostile_now_ms() < until_ms) {
		struct shm_msg add = {.kind = SHM_REGION_ADD, .key = 4096, .size_bytes = 4096};
		struct shm_msg gone = {.kind = SHM_REGION_REMOVE, .key = 4096};

		if (shm_sock_send(fd, &add, &memory, 1) == 0) {
			while (shm_sock_send(fd, &gone, NULL, 0) == -EAGAIN) {
			}
		}
	}
	shm_share_drop(&map);
	close(memory);
}

static void misuse_link(int control, struct shm_map *control_mail, struct shm_map *bulk_mail)
{
	struct shm_msg msg = {.kind = 1 + hostile_below(6),
			      .version = SHM_VERSION,
			      .purpose = SHM_CONTROL,
			      .key = hostile_number(),
			      .size_bytes = hostile_number()};
	uint8_t bytes[64];

	switch (hostile_below(5)) {
	case 0:
		region_noise(control, 100);
		break;
	case 1:
		send_with_any(control, &msg);
		break;
	case 2:
		hostile_bytes(bytes, sizeof(bytes));
		send_bytes(control, bytes, hostile_below(sizeof(bytes)));
		break;
	case 3:
		hostile_pause_ms(10); /* and never read what it says */
		break;
	default:
		break;
	}
	for (int i = 0; i < 10; i++) {
		scribble(control_mail);
		scribble(bulk_mail);
	}
}

/* As the configured node that is not there. */
static void link_and_lie(void)
{
	uint32_t node = any_node();
	struct shm_map control_mail = {0}, bulk_mail = {0};
	uint64_t link = 0;
	int fd[2] = {dial(node), -1};

	if (fd[0] >= 0 && greet(fd[0], node, claims[0], SHM_CONTROL, &link, &control_mail)) {
		fd[1] = hostile_below(8) ? dial(node) : -1;
		if (fd[1] >= 0) {
			greet(fd[1], node, claims[0], SHM_BULK, &link, &bulk_mail);
		}
		if (bulk_mail.base) {
			misuse_link(fd[0], &control_mail, &bulk_mail);
		}
	}
	close_all(fd, 2);
	shm_share_drop(&control_mail);
	shm_share_drop(&bulk_mail);
}

/* A live node's name is taken. */
static void listen_as(void)
{
	int fd = -1;

	if (shm_sock_listen(geteuid(), cluster, any_node(), &fd) == 0) {
		hostile_fail("a node's name can be taken while it lives");
	}
}

int hostile_strangers(uint64_t ms, int count, char **args)
{
	struct hostile_way ways[] = {
		{"silence", silence, 0},
		{"noise", noise, 0},
		{"floods", flood, 0},
		{"probes", probes, 0},
		{"wrong", wrong, 0},
		{"truncated", truncated, 0},
		{"impersonations", impersonate, 0},
		{"replays", replay, 0},
		{"links", link_and_lie, 0},
		{"names", listen_as, 0},
	};

	cluster = args[0];
	for (const char *at = args[1]; at && claims_count < 8;) {
		claims[claims_count++] = (uint32_t)strtoul(at, NULL, 10);
		at = strchr(at, ',');
		at = at ? at + 1 : NULL;
	}
	for (int i = 2; i < count && nodes_count < 8; i++) {
		nodes[nodes_count++] = (uint32_t)strtoul(args[i], NULL, 10);
	}
	if (nodes_count < 2) {
		return 2;
	}
	hostile_all_ways(ways, sizeof(ways) / sizeof(ways[0]), ms);
	return 0;
}
