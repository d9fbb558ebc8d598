/* SPDX-License-Identifier: BSD-3-Clause */
/* Breaking channels on purpose. */
#include "tests/unit/shm/break.h"

#include <sys/socket.h>

#include "shm/shm_greet.h"
#include "shm/shm_int.h"

void shm_break_bulk(struct transport *t, uint32_t node)
{
	const struct shm_peer *peer = shm_peer_find(t, node);

	if (peer && peer->bulk.fd >= 0) {
		shutdown(peer->bulk.fd, SHUT_RDWR);
	}
}
