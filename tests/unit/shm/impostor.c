/* SPDX-License-Identifier: BSD-3-Clause */
/* Speaking the protocol by hand. */
#include "tests/unit/shm/impostor.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void map_new(struct shm_map *map, size_t size_bytes, int *fd)
{
	end_check(shm_share_new("impostor", size_bytes, map, fd) == 0);
}

static size_t mail_bytes(size_t entry_size)
{
	return (sizeof(struct shm_mail) + IMPOSTOR_ENTRIES * entry_size + 4095) / 4096 * 4096;
}

void impostor_open(struct impostor *impostor)
{
	impostor->listen_fd = impostor->control_fd = impostor->bulk_fd = -1;
	impostor->region = end_memory_new(IMPOSTOR_REGION_BYTES);
}

static void drop_fd(int *fd)
{
	if (*fd >= 0) {
		close(*fd);
	}
	*fd = -1;
}

void impostor_close(struct impostor *impostor)
{
	drop_fd(&impostor->listen_fd);
	drop_fd(&impostor->control_fd);
	drop_fd(&impostor->bulk_fd);
	shm_share_drop(&impostor->control_mail);
	shm_share_drop(&impostor->bulk_mail);
	shm_share_drop(&impostor->board);
	shm_share_drop(&impostor->victim_control_mail);
	shm_share_drop(&impostor->victim_bulk_mail);
	end_memory_free(&impostor->region);
}

int impostor_dial(const struct impostor *impostor)
{
	int fd = -1;

	end_check(shm_sock_dial(geteuid(), end_cluster(), impostor->victim->node, &fd) == 0);
	return fd;
}

struct shm_msg impostor_hello(const struct impostor *impostor, enum shm_purpose purpose)
{
	struct shm_msg msg = {.kind = SHM_HELLO,
			      .version = SHM_VERSION,
			      .purpose = purpose,
			      .from = impostor->node,
			      .to = impostor->victim->node,
			      .slot_size_bytes = END_SLOT_BYTES,
			      .entries = IMPOSTOR_ENTRIES,
			      .incarnation = 666,
			      .link = impostor->link};

	strncpy(msg.cluster, end_cluster(), sizeof(msg.cluster) - 1);
	return msg;
}

int impostor_hear(struct impostor *impostor, int fd, struct shm_packet *packet)
{
	int result = -EAGAIN;

	run_until((result = shm_sock_recv(fd, packet)) != -EAGAIN, impostor->victim);
	return result;
}

int impostor_hear_end(struct impostor *impostor, int fd)
{
	struct shm_packet packet;
	int result;

	while ((result = impostor_hear(impostor, fd, &packet)) == 0) {
		enum shm_msg_kind kind = packet.msg.kind;

		shm_packet_drop(&packet);
		if (kind != SHM_REGION_ADD && kind != SHM_REGION_REMOVE && kind != SHM_WAKE) {
			return (int)kind;
		}
	}
	return result;
}

void impostor_greet_control(struct impostor *impostor)
{
	struct shm_msg hello = impostor_hello(impostor, SHM_CONTROL);
	struct shm_packet packet;
	int fds[2];

	impostor->control_fd = impostor_dial(impostor);
	map_new(&impostor->control_mail, mail_bytes(sizeof(struct shm_control_entry)), &fds[0]);
	map_new(&impostor->board, sizeof(struct shm_board), &fds[1]);
	end_check(shm_sock_send(impostor->control_fd, &hello, fds, 2) == 0);
	close(fds[0]);
	close(fds[1]);
	end_check(impostor_hear(impostor, impostor->control_fd, &packet) == 0);
	end_check(packet.msg.kind == SHM_WELCOME && packet.fd_count == 2);
	impostor->link = packet.msg.link;
	end_check(shm_share_attach(packet.fds[0], 1, &impostor->victim_control_mail) == 0);
	shm_packet_drop(&packet);
}

void impostor_greet_bulk(struct impostor *impostor)
{
	struct shm_msg hello = impostor_hello(impostor, SHM_BULK);
	struct shm_packet packet;
	int fd;

	impostor->bulk_fd = impostor_dial(impostor);
	map_new(&impostor->bulk_mail, mail_bytes(sizeof(struct shm_bulk_entry)), &fd);
	end_check(shm_sock_send(impostor->bulk_fd, &hello, &fd, 1) == 0);
	close(fd);
	end_check(impostor_hear(impostor, impostor->bulk_fd, &packet) == 0);
	end_check(packet.msg.kind == SHM_WELCOME && packet.fd_count == 1);
	end_check(shm_share_attach(packet.fds[0], 1, &impostor->victim_bulk_mail) == 0);
	shm_packet_drop(&packet);
}

void impostor_announce(struct impostor *impostor, int fd, uint64_t key, uint64_t size_bytes)
{
	struct shm_msg msg = {
		.kind = SHM_REGION_ADD, .key = key, .size_bytes = size_bytes, .readable = true};

	end_check(shm_sock_send(impostor->control_fd, &msg, &fd, fd >= 0 ? 1 : 0) == 0);
}

void impostor_link(struct impostor *impostor)
{
	struct end_link *link = &impostor->victim->links[impostor->node];

	impostor_greet_control(impostor);
	impostor_greet_bulk(impostor);
	run_until(link->is_up, impostor->victim);
	impostor_announce(impostor, impostor->region.fd, IMPOSTOR_KEY, IMPOSTOR_REGION_BYTES);
}

struct shm_control_entry *impostor_control_entry(struct impostor *impostor, uint64_t number)
{
	struct shm_mail *mail = impostor->control_mail.base;

	return (struct shm_control_entry *)(void *)mail->entries + number % IMPOSTOR_ENTRIES;
}

struct shm_bulk_entry *impostor_bulk_entry(struct impostor *impostor, uint64_t number)
{
	struct shm_mail *mail = impostor->bulk_mail.base;

	return (struct shm_bulk_entry *)(void *)mail->entries + number % IMPOSTOR_ENTRIES;
}

struct shm_bulk_entry *impostor_frame(struct impostor *impostor, uint64_t number,
				      uint64_t size_bytes)
{
	struct shm_bulk_entry *entry = impostor_bulk_entry(impostor, number);

	entry->count = 1;
	entry->pieces[0] = (struct shm_piece){.key = IMPOSTOR_KEY, .size_bytes = size_bytes};
	return entry;
}

void impostor_produce(struct shm_map *mail, uint64_t count)
{
	atomic_store(&((struct shm_mail *)mail->base)->produced, count);
}

void impostor_consume(struct shm_map *mail, uint64_t count)
{
	atomic_store(&((struct shm_mail *)mail->base)->consumed, count);
}
