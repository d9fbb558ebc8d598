/* SPDX-License-Identifier: BSD-3-Clause */
/* A peer that speaks the shared-memory protocol by hand, so that it can break any of its rules. */
#ifndef CORONET_TEST_SHM_IMPOSTOR_H
#define CORONET_TEST_SHM_IMPOSTOR_H

#include "shm/shm_int.h"
#include "shm/shm_sock.h"
#include "tests/conformance/end.h"

struct impostor {
	struct end *victim;
	uint32_t node;
	int listen_fd; /* when it is dialled */
	int control_fd, bulk_fd;
	struct shm_map control_mail, bulk_mail, board;	      /* its own, writable */
	struct shm_map victim_control_mail, victim_bulk_mail; /* read-only */
	struct end_memory region; /* announced as region 0 with key 4096 */
	uint64_t link;
};

#define IMPOSTOR_ENTRIES      64
#define IMPOSTOR_KEY	      4096u
#define IMPOSTOR_REGION_BYTES 65536u

/* Zeroed but for victim and node; the victim's node id is the higher one, so the impostor dials. */
void impostor_open(struct impostor *impostor);
void impostor_close(struct impostor *impostor);

/* One step each of the way to a link; `_link` is all of them. */
int impostor_dial(const struct impostor *impostor);
void impostor_greet_control(struct impostor *impostor);
void impostor_greet_bulk(struct impostor *impostor);
void impostor_announce(struct impostor *impostor, int fd, uint64_t key, uint64_t size_bytes);
void impostor_link(struct impostor *impostor);

struct shm_msg impostor_hello(const struct impostor *impostor, enum shm_purpose purpose);
/* Runs the victim until something comes on the socket: 0 and a packet to drop, or what
 * shm_sock_recv says. */
int impostor_hear(struct impostor *impostor, int fd, struct shm_packet *packet);
/* As impostor_hear, but what the victim announces about its regions is passed over. */
int impostor_hear_end(struct impostor *impostor, int fd);

struct shm_control_entry *impostor_control_entry(struct impostor *impostor, uint64_t number);
struct shm_bulk_entry *impostor_bulk_entry(struct impostor *impostor, uint64_t number);
void impostor_produce(struct shm_map *mail, uint64_t count);
void impostor_consume(struct shm_map *mail, uint64_t count);
/* A frame of `size_bytes` of its region in the next entry, not yet produced. */
struct shm_bulk_entry *impostor_frame(struct impostor *impostor, uint64_t number,
				      uint64_t size_bytes);

#endif
