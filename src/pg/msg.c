/* SPDX-License-Identifier: BSD-3-Clause */
/* Group messages: encoding, and decoding that is total over all inputs. */
#include "pg/msg.h"

#include "base/check.h"
#include "wire/frame.h"

#define SYNC_LAST 0x01

static const char *decode_name(struct cursor *c, uint32_t size, const uint8_t **name)
{
	if (size > GROUP_NAME_MAX) {
		return "group name longer than 128 bytes";
	}
	*name = cursor_bytes(c, size);
	return *name ? NULL : "group message truncated";
}

static const char *decode_entry(struct cursor *c, struct pg_msg_entry *entry)
{
	entry->pid = cursor_u32(c);
	entry->name_size = cursor_u16(c);
	return decode_name(c, entry->name_size, &entry->name);
}

/* Walks all entries once, so that nobody after this has to doubt them. */
static const char *check_entries(struct cursor c, uint32_t entries)
{
	struct pg_msg_entry entry;
	const char *reason = NULL;

	for (uint32_t i = 0; i < entries && !reason; i++) {
		reason = decode_entry(&c, &entry);
	}
	if (!reason && c.left > 0) {
		reason = "bytes after the last entry of a sync message";
	}
	return reason;
}

static const char *decode_sync(struct cursor *c, uint8_t flags, uint16_t entries,
			       struct pg_msg *out)
{
	uint32_t zero;

	out->last = flags & SYNC_LAST;
	out->entries = entries;
	out->part = cursor_u32(c);
	out->ring.rep = cursor_u32(c);
	zero = cursor_u32(c);
	out->ring.seq = cursor_u64(c);
	if (!cursor_ok(c)) {
		return "sync message truncated";
	}
	if ((flags & ~SYNC_LAST) != 0 || zero != 0) {
		return "unknown flags in a sync message";
	}
	out->rest = *c;
	return check_entries(*c, entries);
}

static const char *decode_plain(struct cursor *c, uint8_t reason, uint16_t name_size,
				struct pg_msg *out)
{
	const char *refusal;

	out->reason = (cpg_reason_t)reason;
	out->pid = cursor_u32(c);
	out->name_size = name_size;
	refusal = decode_name(c, name_size, &out->name);
	if (refusal) {
		return refusal;
	}
	if (c->left > 0) {
		return "bytes after the end of a group message";
	}
	if (out->kind == PG_MSG_LEAVE) {
		return reason == CPG_REASON_LEAVE || reason == CPG_REASON_PROCDOWN
			       ? NULL
			       : "leave message with an unknown reason";
	}
	return reason == 0 ? NULL : "reason in a message that has none";
}

const char *pg_msg_decode(const uint8_t *meta, size_t size, struct pg_msg *out)
{
	struct cursor c = cursor_of(meta, size);
	uint8_t kind = cursor_u8(&c);
	uint8_t second = cursor_u8(&c);
	uint16_t third = cursor_u16(&c);

	*out = (struct pg_msg){.kind = (enum pg_msg_kind)kind};
	if (!cursor_ok(&c)) {
		return "group message truncated";
	}
	if (kind == PG_MSG_SYNC) {
		return decode_sync(&c, second, third, out);
	}
	if (kind != PG_MSG_JOIN && kind != PG_MSG_LEAVE && kind != PG_MSG_MCAST) {
		return "unknown kind of group message";
	}
	return decode_plain(&c, second, third, out);
}

bool pg_msg_sync_next(struct pg_msg *msg, struct pg_msg_entry *entry)
{
	const char *reason;

	check(msg->kind == PG_MSG_SYNC);
	if (msg->entries == 0) {
		return false;
	}
	reason = decode_entry(&msg->rest, entry);
	check(!reason);
	msg->entries--;
	return !reason;
}

uint32_t pg_msg_encode(enum pg_msg_kind kind, cpg_reason_t reason, uint32_t pid,
		       const struct cpg_name *name, uint8_t *out)
{
	struct writer w = writer_of(out, PG_MSG_HEADER_SIZE + GROUP_NAME_MAX);

	check(kind != PG_MSG_SYNC);
	check(name->length <= GROUP_NAME_MAX);
	writer_u8(&w, (uint8_t)kind);
	writer_u8(&w, (uint8_t)reason);
	writer_u16(&w, (uint16_t)name->length);
	writer_u32(&w, pid);
	writer_bytes(&w, name->value, name->length);
	check(writer_ok(&w));
	return (uint32_t)w.used;
}

void pg_sync_part_begin(struct pg_sync_part *part, struct ringid ring, uint32_t number,
			uint8_t *bytes)
{
	part->bytes = bytes;
	part->entries = 0;
	part->writer = writer_of(bytes, FRAME_META_MAX);
	writer_u8(&part->writer, PG_MSG_SYNC);
	writer_u8(&part->writer, 0);
	writer_u16(&part->writer, 0);
	writer_u32(&part->writer, number);
	writer_u32(&part->writer, ring.rep);
	writer_u32(&part->writer, 0);
	writer_u64(&part->writer, ring.seq);
}

bool pg_sync_part_add(struct pg_sync_part *part, uint32_t pid, const struct cpg_name *name)
{
	check(name->length <= GROUP_NAME_MAX);
	if (part->writer.left < PG_SYNC_ENTRY_HEADER_SIZE + name->length) {
		return false;
	}
	writer_u32(&part->writer, pid);
	writer_u16(&part->writer, (uint16_t)name->length);
	writer_bytes(&part->writer, name->value, name->length);
	part->entries++;
	return true;
}

uint32_t pg_sync_part_end(struct pg_sync_part *part, bool last)
{
	struct writer head = writer_of(part->bytes, PG_SYNC_HEADER_SIZE);

	check(writer_ok(&part->writer));
	writer_u8(&head, PG_MSG_SYNC);
	writer_u8(&head, last ? SYNC_LAST : 0);
	writer_u16(&head, (uint16_t)part->entries);
	return (uint32_t)part->writer.used;
}
