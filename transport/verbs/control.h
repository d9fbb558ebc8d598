/* SPDX-License-Identifier: BSD-3-Clause */
/* The control channel: copied messages with credit. Every message carries in its header how many of
 * the other side's messages have given their receive place back; a side never has more than the
 * other's quota without such an answer, so a receive place is always there, also while the other
 * process stands still.
 *
 *   0  kind     1 byte
 *   1  zero     1 byte
 *   2  size     2 bytes: of what follows the header
 *   4  consumed 4 bytes: messages of the receiver whose place is free again, all in all */
#ifndef CORONET_VERBS_CONTROL_H
#define CORONET_VERBS_CONTROL_H

#include "verbs/verbs_int.h"

enum control_kind {
	CONTROL_DATA = 1,
	CONTROL_HELLO,	/* first on every connection, both ways; the dialler's comes first */
	CONTROL_CREDIT, /* only the header */
	CONTROL_READY,	/* dialler: the bulk channel of this attempt works */
	CONTROL_RESET,	/* acceptor: the bulk channel of this attempt is lost, dial a new one */
};
#define CONTROL_KINDS 5

struct control_hello {
	uint32_t node;
	uint64_t incarnation;
	uint32_t attempt;
	uint32_t alive_rkey; /* may be READ from offset 0 to see whether the connection works */
	uint16_t quota;
};

/* Memory for the peer with this index, and its receive places posted. It stays until
 * verbs_control_free: posted places cannot be taken back. -ENOMEM (logged). */
int verbs_control_grow(struct transport *t, uint8_t index);
/* What the buffers take. */
uint64_t verbs_control_bytes(const struct transport *t);
void verbs_control_free(struct transport *t);
/* A new connection: nothing sent, nothing owed. */
void verbs_control_reset(struct verbs_peer *peer);

int verbs_control_send(struct verbs_peer *peer, const void *bytes, size_t size);
/* Sends what the transport itself owes the peer, as far as there is room. */
void verbs_control_flush(struct verbs_peer *peer);

/* A message has arrived. channel NULL: from a queue pair that is gone, dropped. */
void verbs_control_arrived(struct transport *t, struct verbs_channel *channel, uint32_t slot,
			   uint32_t size);
void verbs_control_sent(struct verbs_peer *peer);
/* The owner looks at the message until its next poll. */
void verbs_control_borrow(struct transport *t, uint32_t slot);
/* The place is free: posts it again and counts it for the sender. */
void verbs_control_consumed(struct transport *t, uint32_t slot);
/* As the last: all that the owner has borrowed. */
void verbs_control_recycle(struct transport *t);
/* A sender waits for the credit of what is borrowed now: the owner had better poll again soon. */
bool verbs_control_impatient(const struct transport *t);

/* Exposed for tests: the codec of hello. */
size_t verbs_control_put_hello(const struct control_hello *hello, uint8_t *bytes, size_t size);
bool verbs_control_get_hello(const uint8_t *bytes, size_t size, struct control_hello *out);

#endif
