/* SPDX-License-Identifier: BSD-3-Clause */
/* What the groups of different nodes say to each other, as the meta bytes of a frame entry.
 *
 *   JOIN, LEAVE, MCAST   0 kind u8   1 reason u8 (LEAVE only, else 0)   2 name size u16   4 pid u32
 *                        8 name
 *   SYNC                 0 kind u8   1 flags u8 (bit 0: last part)   2 entries u16   4 part u32
 *                        8 ring rep u32   12 zero u32   16 ring seq u64
 *                       24 entries of {pid u32, name size u16, name}
 *
 * Little-endian, nothing after the last field. Only MCAST comes with a payload. */
#ifndef CORONET_PG_MSG_H
#define CORONET_PG_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <corosync/cpg.h>

#include "base/cursor.h"
#include "base/limits.h"
#include "base/ringid.h"

enum pg_msg_kind {
	PG_MSG_JOIN = 1,
	PG_MSG_LEAVE = 2,
	PG_MSG_MCAST = 3,
	PG_MSG_SYNC = 4
};

#define PG_MSG_HEADER_SIZE	  8
#define PG_SYNC_HEADER_SIZE	  24
#define PG_SYNC_ENTRY_HEADER_SIZE 6
#define PG_SYNC_ENTRY_MAX	  (PG_SYNC_ENTRY_HEADER_SIZE + GROUP_NAME_MAX)

/* A decoded message; names point into the bytes that were decoded. */
struct pg_msg {
	enum pg_msg_kind kind;
	cpg_reason_t reason; /* LEAVE: CPG_REASON_LEAVE or _PROCDOWN */
	uint32_t pid;
	const uint8_t *name;
	uint32_t name_size;
	/* SYNC only */
	struct ringid ring;
	uint32_t part;
	bool last;
	uint32_t entries;
	struct cursor rest; /* the entries, checked: pg_msg_sync_next cannot fail on them */
};

struct pg_msg_entry {
	uint32_t pid;
	const uint8_t *name;
	uint32_t name_size;
};

/* Total: any bytes give NULL and a whole message, or the reason for refusal. */
const char *pg_msg_decode(const uint8_t *meta, size_t size, struct pg_msg *out);

/* Steps through the entries of a decoded SYNC; false after the last. */
bool pg_msg_sync_next(struct pg_msg *msg, struct pg_msg_entry *entry);

/* Writes JOIN, LEAVE or MCAST to `out`, which has room for PG_META_MAX bytes; returns the size. */
uint32_t pg_msg_encode(enum pg_msg_kind kind, cpg_reason_t reason, uint32_t pid,
		       const struct cpg_name *name, uint8_t *out);

/* One part of a SYNC under construction, in a buffer of FRAME_META_MAX bytes. */
struct pg_sync_part {
	uint8_t *bytes;
	struct writer writer;
	uint32_t entries;
};

void pg_sync_part_begin(struct pg_sync_part *part, struct ringid ring, uint32_t number,
			uint8_t *bytes);
/* False when the part is full; it is then unchanged. */
bool pg_sync_part_add(struct pg_sync_part *part, uint32_t pid, const struct cpg_name *name);
/* Returns the size in bytes. */
uint32_t pg_sync_part_end(struct pg_sync_part *part, bool last);

#endif
