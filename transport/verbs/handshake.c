/* SPDX-License-Identifier: BSD-3-Clause */
/* Private data of connection requests and rejections; see handshake.h. */
#include "verbs/handshake.h"

#include <assert.h>

#include "base/cursor.h"

#define MAGIC	     0x314e5243u /* "CRN1" */
#define REQUEST_SIZE 44
#define REJECT_SIZE  20

static_assert(REQUEST_SIZE <= HANDSHAKE_REQUEST_MAX, "the connection manager takes no more");

size_t verbs_handshake_put_request(const struct handshake_request *request, uint8_t *bytes)
{
	struct writer w = writer_of(bytes, HANDSHAKE_REQUEST_MAX);

	writer_u8(&w, REQUEST_SIZE);
	writer_u8(&w, (uint8_t)request->class);
	writer_u16(&w, HANDSHAKE_VERSION);
	writer_u32(&w, MAGIC);
	writer_u64(&w, request->cluster);
	writer_u64(&w, request->incarnation);
	writer_u32(&w, request->node);
	writer_u32(&w, request->to);
	writer_u32(&w, request->attempt);
	writer_u32(&w, request->session);
	writer_u32(&w, request->slot_size_bytes);
	assert(writer_ok(&w) && w.used == REQUEST_SIZE);
	return w.used;
}

enum reject_reason verbs_handshake_get_request(const uint8_t *bytes, size_t size,
					       struct handshake_request *out)
{
	struct cursor c = cursor_of(bytes, size);
	uint8_t length = cursor_u8(&c);
	uint8_t class = cursor_u8(&c);
	uint16_t version = cursor_u16(&c);
	uint32_t magic = cursor_u32(&c);
	struct handshake_request r = {0};

	if (!cursor_ok(&c) || magic != MAGIC) {
		return REJECT_GARBLED;
	}
	r.cluster = cursor_u64(&c);
	r.incarnation = cursor_u64(&c);
	r.node = cursor_u32(&c);
	if (version != HANDSHAKE_VERSION) {
		/* Up to here all versions are the same. */
		out->node = cursor_ok(&c) ? r.node : 0;
		return REJECT_VERSION;
	}
	r.to = cursor_u32(&c);
	r.attempt = cursor_u32(&c);
	r.session = cursor_u32(&c);
	r.slot_size_bytes = cursor_u32(&c);
	if (!cursor_ok(&c) || length != REQUEST_SIZE || class < CHANNEL_CONTROL ||
	    class > CHANNEL_CLASSES) {
		return REJECT_GARBLED;
	}
	r.class = (enum channel_class) class;
	*out = r;
	return REJECT_NONE;
}

size_t verbs_handshake_put_reject(const struct handshake_reject *reject, uint8_t *bytes)
{
	struct writer w = writer_of(bytes, HANDSHAKE_REJECT_MAX);

	writer_u8(&w, REJECT_SIZE);
	writer_u8(&w, (uint8_t)reject->reason);
	writer_u16(&w, HANDSHAKE_VERSION);
	writer_u32(&w, MAGIC);
	writer_u64(&w, reject->incarnation);
	writer_u32(&w, reject->node);
	assert(writer_ok(&w) && w.used == REJECT_SIZE);
	return w.used;
}

bool verbs_handshake_get_reject(const uint8_t *bytes, size_t size, struct handshake_reject *out)
{
	struct cursor c = cursor_of(bytes, size);
	uint8_t length = cursor_u8(&c);
	uint8_t reason = cursor_u8(&c);
	uint16_t version = cursor_u16(&c);
	uint32_t magic = cursor_u32(&c);
	uint64_t incarnation = cursor_u64(&c);
	uint32_t node = cursor_u32(&c);

	/* The version is not checked: a rejection because of the version comes from another one. */
	(void)version;
	if (!cursor_ok(&c) || magic != MAGIC || length < REJECT_SIZE || reason == REJECT_NONE ||
	    reason >= REJECT_REASONS) {
		return false;
	}
	out->reason = (enum reject_reason)reason;
	out->incarnation = incarnation;
	out->node = node;
	return true;
}

/* FNV-1a, 64 bits: only tells clusters apart, proves nothing. */
uint64_t verbs_handshake_cluster(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	for (const char *c = name; *c; c++) {
		hash = (hash ^ (uint8_t)*c) * 0x100000001b3ull;
	}
	return hash;
}

const char *verbs_reject_text(enum reject_reason reason)
{
	switch (reason) {
	case REJECT_NONE:
		return "not rejected";
	case REJECT_GARBLED:
		return "the request is not one of this protocol";
	case REJECT_VERSION:
		return "another version of the transport protocol";
	case REJECT_CLUSTER:
		return "another cluster name";
	case REJECT_WRONG_NODE:
		return "a node with another id listens at this address";
	case REJECT_UNKNOWN_NODE:
		return "the node id is not in the peer's configuration";
	case REJECT_ADDRESS:
		return "the request does not come from the node's ring address";
	case REJECT_DIRECTION:
		return "the higher node id does not dial";
	case REJECT_SLOT_SIZE:
		return "another frame size";
	case REJECT_OLD:
		return "a later attempt has overtaken this one";
	case REJECT_NO_SESSION:
		return "the control channel that this bulk channel belongs to is gone";
	case REJECT_ALIVE:
		return "alive";
	case REJECT_RESOURCES:
		return "the peer is out of queue pairs or memory";
	}
	return "unknown reason";
}

const char *verbs_class_name(enum channel_class class)
{
	switch (class) {
	case CHANNEL_CONTROL:
		return "control";
	case CHANNEL_BULK:
		return "bulk";
	case CHANNEL_PROBE:
		return "probe";
	}
	return "unknown";
}
