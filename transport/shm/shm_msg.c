/* SPDX-License-Identifier: BSD-3-Clause */
/* Encoding and decoding of socket messages. */
#include "shm/shm_msg.h"

#include <errno.h>
#include <string.h>

#include "base/cursor.h"

#define SHM_MAGIC 0x4d485343u /* "CSHM" */

static void hello_encode(struct writer *w, const struct shm_msg *msg)
{
	size_t length = strlen(msg->cluster);

	writer_u32(w, SHM_MAGIC);
	writer_u16(w, msg->version);
	writer_u8(w, (uint8_t)msg->purpose);
	writer_u8(w, (uint8_t)msg->reason);
	writer_u32(w, msg->from);
	writer_u32(w, msg->to);
	writer_u32(w, msg->slot_size_bytes);
	writer_u32(w, msg->entries);
	writer_u64(w, msg->incarnation);
	writer_u64(w, msg->link);
	writer_u8(w, (uint8_t)length);
	writer_bytes(w, msg->cluster, length);
}

size_t shm_msg_encode(const struct shm_msg *msg, uint8_t bytes[SHM_MSG_SIZE_MAX])
{
	struct writer w = writer_of(bytes, SHM_MSG_SIZE_MAX);

	writer_u8(&w, (uint8_t)msg->kind);
	switch (msg->kind) {
	case SHM_HELLO:
	case SHM_WELCOME:
	case SHM_REJECT:
		hello_encode(&w, msg);
		break;
	case SHM_REGION_ADD:
		writer_u64(&w, msg->key);
		writer_u64(&w, msg->size_bytes);
		writer_u8(&w, msg->readable);
		break;
	case SHM_REGION_REMOVE:
		writer_u64(&w, msg->key);
		break;
	case SHM_WAKE:
		break;
	}
	return w.used;
}

static int hello_decode(struct cursor *c, struct shm_msg *msg)
{
	const uint8_t *name;
	uint8_t purpose, reason, length;

	if (cursor_u32(c) != SHM_MAGIC) {
		return -EPROTO;
	}
	msg->version = cursor_u16(c);
	purpose = cursor_u8(c);
	reason = cursor_u8(c);
	msg->from = cursor_u32(c);
	msg->to = cursor_u32(c);
	if (msg->version != SHM_VERSION) {
		msg->purpose = purpose == SHM_PROBE ? SHM_PROBE : SHM_CONTROL;
		msg->reason = SHM_REASON_VERSION;
		return cursor_ok(c) ? 0 : -EPROTO;
	}
	msg->slot_size_bytes = cursor_u32(c);
	msg->entries = cursor_u32(c);
	msg->incarnation = cursor_u64(c);
	msg->link = cursor_u64(c);
	length = cursor_u8(c);
	name = cursor_bytes(c, length);
	if (!name || c->left > 0 || memchr(name, 0, length) || purpose < SHM_CONTROL ||
	    purpose > SHM_PROBE || reason >= SHM_REASONS) {
		return -EPROTO;
	}
	memcpy(msg->cluster, name, length);
	msg->purpose = (enum shm_purpose)purpose;
	msg->reason = (enum shm_reason)reason;
	return 0;
}

static int region_decode(struct cursor *c, struct shm_msg *msg)
{
	uint8_t readable = 0;

	msg->key = cursor_u64(c);
	if (msg->kind == SHM_REGION_ADD) {
		msg->size_bytes = cursor_u64(c);
		readable = cursor_u8(c);
	}
	msg->readable = readable != 0;
	return cursor_ok(c) && c->left == 0 && readable <= 1 ? 0 : -EPROTO;
}

int shm_msg_decode(const uint8_t *bytes, size_t size_bytes, struct shm_msg *msg)
{
	struct cursor c = cursor_of(bytes, size_bytes);
	uint8_t kind = cursor_u8(&c);

	memset(msg, 0, sizeof(*msg));
	msg->kind = (enum shm_msg_kind)kind;
	switch (kind) {
	case SHM_HELLO:
	case SHM_WELCOME:
	case SHM_REJECT:
		return hello_decode(&c, msg);
	case SHM_REGION_ADD:
	case SHM_REGION_REMOVE:
		return region_decode(&c, msg);
	case SHM_WAKE:
		return c.left == 0 ? 0 : -EPROTO;
	default:
		return -EPROTO;
	}
}

const char *shm_reason_name(enum shm_reason reason)
{
	switch (reason) {
	case SHM_REASON_NONE:
		return "none";
	case SHM_REASON_VERSION:
		return "another protocol version";
	case SHM_REASON_CLUSTER:
		return "another cluster name";
	case SHM_REASON_OTHER_NODE:
		return "meant for another node id";
	case SHM_REASON_NOT_CONFIGURED:
		return "this node id is not in its configuration";
	case SHM_REASON_SLOT_SIZE:
		return "another slot size (it must be the same on all nodes)";
	case SHM_REASON_ROLE:
		return "the lower node id must dial";
	case SHM_REASON_NO_LINK:
		return "no such link";
	case SHM_REASON_MEMORY:
		return "shared memory unusable";
	case SHM_REASON_SAME_NODE:
		return "it has the node id of this daemon";
	}
	return "unknown";
}
