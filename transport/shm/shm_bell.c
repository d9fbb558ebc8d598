/* SPDX-License-Identifier: BSD-3-Clause */
/* Waking ourselves and others. */
#include "shm/shm_bell.h"

#include <sys/eventfd.h>

#include "shm/shm_sock.h"

void shm_bell_ring(struct transport *t)
{
	if (!t->rung) {
		t->rung = eventfd_write(t->bell_fd, 1) == 0;
	}
}

static void board_sleep_add(struct transport *t)
{
	struct shm_board *board = shm_board_of(&t->board);
	uint64_t sleep = atomic_load_explicit(&board->sleep, memory_order_relaxed);

	/* Sequentially consistent with publishing in shm_channel.h. */
	atomic_store_explicit(&board->sleep, sleep + 1, memory_order_seq_cst);
	t->asleep = !t->asleep;
}

void shm_bell_sleep(struct transport *t)
{
	eventfd_t value;

	if (t->rung) {
		t->rung = eventfd_read(t->bell_fd, &value) != 0;
	}
	if (!t->asleep) {
		board_sleep_add(t);
	}
}

void shm_bell_wake(struct transport *t)
{
	if (t->asleep) {
		board_sleep_add(t);
	}
}

void shm_bell_owe(struct shm_peer *peer)
{
	peer->bell_owed = true;
	peer->transport->bells_owed = true;
}

static void ring_peer(struct shm_peer *peer)
{
	static const struct shm_msg wake = {.kind = SHM_WAKE};
	const struct shm_board *board = shm_board_of(&peer->board);
	uint64_t sleep = atomic_load_explicit(&board->sleep, memory_order_seq_cst);

	if ((sleep & 1) && sleep != peer->rang_at) {
		/* A full queue wakes it as well; other errors show when the socket is read. */
		peer->rang_at = sleep;
		shm_sock_send(peer->control.fd, &wake, NULL, 0);
	}
}

void shm_bell_flush(struct transport *t)
{
	if (!t->bells_owed) {
		return;
	}
	t->bells_owed = false;
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		struct shm_peer *peer = t->peers[i];

		if (peer && peer->bell_owed) {
			peer->bell_owed = false;
			if (peer->state == SHM_UP) {
				ring_peer(peer);
			}
		}
	}
}
