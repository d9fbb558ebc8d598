/* SPDX-License-Identifier: BSD-3-Clause */
/* What travels on the sockets between two daemons of one host: the handshake, descriptors of
 * memory, and the bell. */
#ifndef CORONET_SHM_MSG_H
#define CORONET_SHM_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/wire_version.h"

#define SHM_VERSION	 wire_version
#define SHM_CLUSTER_MAX	 255
#define SHM_MSG_SIZE_MAX 512

enum shm_msg_kind {
	SHM_HELLO = 1,
	SHM_WELCOME,
	SHM_REJECT,
	SHM_REGION_ADD, /* with one descriptor */
	SHM_REGION_REMOVE,
	SHM_WAKE,
};

/* What a connection is for. Descriptors with HELLO and WELCOME: control mail and board; bulk
 * mail; none. */
enum shm_purpose {
	SHM_CONTROL = 1,
	SHM_BULK,
	SHM_PROBE
};

enum shm_reason {
	SHM_REASON_NONE,
	SHM_REASON_VERSION,
	SHM_REASON_CLUSTER,
	SHM_REASON_OTHER_NODE,
	SHM_REASON_NOT_CONFIGURED,
	SHM_REASON_SLOT_SIZE,
	SHM_REASON_ROLE,
	SHM_REASON_NO_LINK,
	SHM_REASON_MEMORY,
	SHM_REASON_SAME_NODE,
};
#define SHM_REASONS 10

struct shm_msg {
	enum shm_msg_kind kind;
	/* HELLO, WELCOME, REJECT: about the sender, but for `to` */
	uint16_t version;
	enum shm_purpose purpose;
	enum shm_reason reason;
	uint32_t from, to;
	uint32_t slot_size_bytes;
	uint32_t entries; /* of the ring in the mail that comes along */
	uint64_t incarnation;
	uint64_t link;
	char cluster[SHM_CLUSTER_MAX + 1];
	/* REGION_ADD, REGION_REMOVE */
	uint64_t key;
	uint64_t size_bytes;
	bool readable;
};

/* Returns the number of bytes written, at most SHM_MSG_SIZE_MAX. */
size_t shm_msg_encode(const struct shm_msg *msg, uint8_t bytes[SHM_MSG_SIZE_MAX]);
/* Total over all inputs; -EPROTO. Of a greeting of another version only version, purpose, from and to are
 * read, which stand in the same places in all of them; the reason of a REJECT is then the version. */
int shm_msg_decode(const uint8_t *bytes, size_t size_bytes, struct shm_msg *msg);

const char *shm_reason_name(enum shm_reason reason);

#endif
