/* SPDX-License-Identifier: BSD-3-Clause */
/* Links and who is at their other end. The lower node id says HELLO, as it dials; it says it again, after
 * growing pauses, while the other side does not answer or has another key, because that may change without
 * the link going down. */
#include "engine/trust.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "base/check.h"
#include "base/crc32c.h"
#include "base/cursor.h"
#include "crypto/secret.h"

#define SEALED_MAGIC	 0x53524e43u /* "CNRS" */
#define SEALED_HEAD_SIZE 16
#define PAUSE_MS	 1000u
#define PAUSE_MAX_MS	 8000u
/* A peer that says HELLO without pause costs us no more than this. */
#define ANSWER_PAUSE_MS 20u
#define COMPLAIN_MS	60000u
#define COMPLAINTS	4u /* about one node, in a minute */

_Static_assert(SEALED_HEAD_SIZE + AEAD_TAG_SIZE == SEAL_SIZE, "limits.h leaves room for a seal");

/* --- Acquaintances -------------------------------------------------------------------------------- */

struct acquaintance *trust_peer(struct trust *trust, uint32_t node)
{
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		if (trust->peers[i].node == node) {
			return &trust->peers[i];
		}
	}
	return NULL;
}

static struct acquaintance *meet(struct trust *trust, uint32_t node)
{
	struct acquaintance *peer = trust_peer(trust, node);

	if (!peer) {
		peer = trust_peer(trust, 0);
		check(peer);
		peer->node = node;
	}
	return peer;
}

void trust_complain(struct engine *engine, struct acquaintance *peer, int priority,
		    const char *format, ...)
{
	char text[400];
	uint32_t unlogged;
	va_list args;
	uint32_t about;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	about = crc32c(text, strlen(text));
	if ((about == peer->complained_about &&
	     engine->now_ms < peer->complained_at_ms + COMPLAIN_MS) ||
	    !seldom_due(&peer->complaints, COMPLAINTS, engine->now_ms, &unlogged)) {
		return;
	}
	peer->complained_about = about;
	peer->complained_at_ms = engine->now_ms;
	if (unlogged > 0) {
		engine_log(engine, priority, "%s" SELDOM_MORE, text, unlogged);
	} else {
		engine_log(engine, priority, "%s", text);
	}
}

static void session_end(struct session *session)
{
	aead_free(&session->sends);
	aead_free(&session->receives);
	*session = (struct session){0};
}

static int session_begin(const struct trust *trust, uint32_t number, struct handshake_keys *keys,
			 struct session *out)
{
	enum crypto_cipher cipher = trust->self.suite.cipher;
	int err;

	*out = (struct session){.number = number};
	err = aead_new(cipher, keys->send, &out->sends);
	err = err ? err : aead_new(cipher, keys->receive, &out->receives);
	secret_wipe(keys, sizeof(*keys));
	if (err) {
		session_end(out);
	}
	return err;
}

int engine_trust_init(struct engine *engine)
{
	const struct engine_protection *wanted = &engine->config.protection;
	struct trust *trust;
	int err;

	if (wanted->suite.hash == CRYPTO_HASH_NONE) {
		return 0;
	}
	trust = secret_new(sizeof(*trust));
	if (!trust) {
		return -ENOMEM;
	}
	engine->trust = trust;
	trust->key = *wanted->key;
	if (cluster_key_none(&trust->key) ||
	    strlen(wanted->cluster_name) >= sizeof(trust->cluster_name)) {
		return -EINVAL;
	}
	memcpy(trust->cluster_name, wanted->cluster_name, strlen(wanted->cluster_name) + 1);
	trust->self = (struct handshake_self){.suite = wanted->suite,
					      .cluster_name = trust->cluster_name,
					      .node = engine->config.totem.node,
					      .keys = {&trust->key},
					      .random = engine->host.random,
					      .random_ctx = engine->host.ctx};
	err = trust_frame_key_new(trust, 1, &trust->out);
	return err ? err : engine_seal_init(engine);
}

static void end_all_of(struct acquaintance *peer)
{
	session_end(&peer->session);
	session_end(&peer->former);
	for (int i = 0; i < FRAME_GENERATIONS; i++) {
		trust_frame_key_end(&peer->frames[i]);
	}
}

void engine_trust_fini(struct engine *engine)
{
	struct trust *trust = engine->trust;

	if (!trust) {
		return;
	}
	engine_seal_fini(engine);
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		end_all_of(&trust->peers[i]);
	}
	trust_frame_key_end(&trust->out);
	trust_frame_key_end(&trust->out_next);
	secret_free(trust, sizeof(*trust));
	engine->trust = NULL;
}

void engine_trust_forget(struct engine *engine, uint32_t node)
{
	struct acquaintance *peer = engine->trust ? trust_peer(engine->trust, node) : NULL;

	if (peer) {
		end_all_of(peer);
		secret_wipe(peer, sizeof(*peer));
		trust_keys_look(engine);
	}
}

/* --- The handshake -------------------------------------------------------------------------------- */

/* False: it was lost. Nobody says it again but the one who began. */
static bool send_plain(struct engine *engine, uint32_t node, const uint8_t *bytes, int size)
{
	return size > 0 &&
	       engine->ops->send_control(engine->transport, node, bytes, (size_t)size) == 0;
}

static bool dials(const struct engine *engine, const struct acquaintance *peer)
{
	return engine->config.totem.node < peer->node;
}

static void say_hello(struct engine *engine, struct acquaintance *peer)
{
	uint8_t out[HANDSHAKE_SIZE_MAX];
	int size = handshake_hello(&peer->handshake, &engine->trust->self, peer->node,
				   ++peer->last_session, out);

	peer->hello_at_ms = engine->now_ms + peer->pause_ms;
	peer->pause_ms = peer->pause_ms < PAUSE_MAX_MS ? 2 * peer->pause_ms : PAUSE_MAX_MS;
	if (size < 0) {
		trust_complain(engine, peer, LOG_ERR,
			       "no handshake with node %u: no random numbers, or OpenSSL refuses",
			       peer->node);
	}
	send_plain(engine, peer->node, out, size);
}

void engine_trust_link_up(struct engine *engine, uint32_t node, uint64_t cookie)
{
	struct acquaintance *peer = meet(engine->trust, node);

	engine_trust_link_ended(engine, node);
	peer->linked = true;
	peer->cookie = cookie;
	peer->pause_ms = PAUSE_MS;
	peer->hello_at_ms = UINT64_MAX;
	if (dials(engine, peer)) {
		say_hello(engine, peer);
	}
}

void engine_trust_link_ended(struct engine *engine, uint32_t node)
{
	struct acquaintance *peer = engine->trust ? trust_peer(engine->trust, node) : NULL;

	if (!peer) {
		return;
	}
	peer->linked = peer->trusted = false;
	peer->hello_at_ms = UINT64_MAX;
	peer->answers_from_ms = 0;
	peer->got = 0;
	memset(peer->has, 0, sizeof(peer->has));
	secret_wipe(&peer->handshake, sizeof(peer->handshake));
	session_end(&peer->session);
	session_end(&peer->former);
	trust_keys_look(engine);
}

static bool is_ours(const struct trust *trust, const struct cluster_key *key)
{
	return cluster_key_same(key, &trust->key) || cluster_key_same(key, &trust->next_key);
}

/* From now on we seal with the new session. What the peer has sealed with the former one may still
 * come. */
static void take_session(struct engine *engine, struct acquaintance *peer,
			 struct handshake_keys *keys)
{
	struct session next;

	if (!is_ours(engine->trust, &peer->handshake.key)) {
		secret_wipe(keys, sizeof(*keys));
		return; /* the key was changed meanwhile */
	}
	if (session_begin(engine->trust, peer->handshake.session, keys, &next)) {
		trust_complain(engine, peer, LOG_ERR, "no session with node %u: no memory",
			       peer->node);
		return;
	}
	session_end(&peer->former);
	peer->former = peer->session;
	peer->session = next;
	memcpy(peer->proven, peer->handshake.key.id, sizeof(peer->proven));
	secret_wipe(&peer->handshake, sizeof(peer->handshake));
	peer->handshake.peer = peer->node;
	trust_tell_keys(engine, peer);
}

static void explain_refusal(struct engine *engine, struct acquaintance *peer,
			    const struct handshake_claim *claim)
{
	char theirs[CLUSTER_KEY_TEXT_SIZE];
	char ours[CLUSTER_KEY_TEXT_SIZE];

	engine->trust->stats.refused++;
	if (claim->suite.cipher != engine->trust->self.suite.cipher ||
	    claim->suite.hash != engine->trust->self.suite.hash) {
		trust_complain(
			engine, peer, LOG_ERR,
			"node %u uses crypto_cipher %s and crypto_hash %s, this node %s and %s: "
			"no link until they are the same",
			peer->node, crypto_cipher_name(claim->suite.cipher),
			crypto_hash_name(claim->suite.hash),
			crypto_cipher_name(engine->trust->self.suite.cipher),
			crypto_hash_name(engine->trust->self.suite.hash));
		return;
	}
	cluster_key_text(claim->keys[0], theirs);
	cluster_key_text(engine->trust->key.id, ours);
	trust_complain(
		engine, peer, LOG_ERR,
		"node %u has another key (%s) than this node (%s): no link until they have the "
		"same key file",
		peer->node, theirs, ours);
}

static void not_proven(struct engine *engine, struct acquaintance *peer)
{
	engine->trust->stats.refused++;
	trust_complain(engine, peer, LOG_ERR,
		       "node %u cannot prove that it has the cluster's key: no link", peer->node);
}

static void hello_came(struct engine *engine, struct acquaintance *peer,
		       const struct transport_event *event, const struct handshake_claim *claim)
{
	uint8_t out[HANDSHAKE_SIZE_MAX];
	int size;

	if (dials(engine, peer) || engine->now_ms < peer->answers_from_ms) {
		return;
	}
	peer->answers_from_ms = engine->now_ms + ANSWER_PAUSE_MS;
	size = handshake_answer(&peer->handshake, &engine->trust->self, peer->node, event->data,
				event->size_bytes, out);
	if (size == -EACCES) {
		explain_refusal(engine, peer, claim);
		size = HANDSHAKE_ANSWER_SIZE;
	}
	send_plain(engine, peer->node, out, size);
}

static void answer_came(struct engine *engine, struct acquaintance *peer,
			const struct transport_event *event, const struct handshake_claim *claim)
{
	uint8_t out[HANDSHAKE_SIZE_MAX];
	struct handshake_keys keys;
	int size;

	if (!dials(engine, peer) || claim->session != peer->handshake.session) {
		return; /* late: HELLO was said again meanwhile */
	}
	size = handshake_prove(&peer->handshake, &engine->trust->self, event->data,
			       event->size_bytes, out, &keys);
	if (size > 0) {
		/* Without it the peer does not know the session: it gets another HELLO. */
		if (send_plain(engine, peer->node, out, size)) {
			take_session(engine, peer, &keys);
		}
		secret_wipe(&keys, sizeof(keys));
	} else if (size == -EACCES) {
		explain_refusal(engine, peer, claim);
	} else {
		not_proven(engine, peer);
	}
}

static void proof_came(struct engine *engine, struct acquaintance *peer,
		       const struct transport_event *event)
{
	struct handshake_keys keys;

	if (dials(engine, peer)) {
		return;
	}
	if (handshake_check(&peer->handshake, &engine->trust->self, event->data, event->size_bytes,
			    &keys)) {
		not_proven(engine, peer);
	} else {
		take_session(engine, peer, &keys);
	}
}

static void handshake_came(struct engine *engine, struct acquaintance *peer,
			   const struct transport_event *event)
{
	struct handshake_claim claim;
	const char *fault = handshake_read(event->data, event->size_bytes, &claim);

	if (fault) {
		trust_complain(engine, peer, LOG_ERR, "node %u sent a malformed handshake: %s",
			       peer->node, fault);
		return;
	}
	switch (claim.kind) {
	case HANDSHAKE_HELLO:
		hello_came(engine, peer, event, &claim);
		return;
	case HANDSHAKE_ANSWER:
		answer_came(engine, peer, event, &claim);
		return;
	case HANDSHAKE_PROOF:
		proof_came(engine, peer, event);
		return;
	}
}

/* --- Sessions ------------------------------------------------------------------------------------- */

int engine_trust_tell(struct engine *engine, uint32_t node, const void *bytes, size_t size)
{
	struct acquaintance *peer = trust_peer(engine->trust, node);
	struct aead_piece piece = {bytes, size};
	uint8_t out[CHANNEL_SIZE_MAX];
	struct writer w = writer_of(out, sizeof(out));
	struct session *session;

	if (!peer || peer->session.number == 0) {
		return -ENOTCONN;
	}
	check(size <= CONTROL_SIZE_MAX);
	session = &peer->session;
	writer_u32(&w, SEALED_MAGIC);
	writer_u32(&w, session->number);
	writer_u64(&w, ++session->sent);
	if (aead_seal(session->sends, (struct aead_nonce){.number = session->sent},
		      (struct aead_piece){out, SEALED_HEAD_SIZE}, &piece, 1, out + SEALED_HEAD_SIZE,
		      out + SEALED_HEAD_SIZE + size)) {
		return -EIO;
	}
	return engine->ops->send_control(engine->transport, node, out, size + SEAL_SIZE);
}

static struct session *session_of(struct acquaintance *peer, uint32_t number)
{
	if (number != 0 && number == peer->session.number) {
		return &peer->session;
	}
	return number != 0 && number == peer->former.number ? &peer->former : NULL;
}

/* Returns the size of what was sealed, now in trust.opened; -EAGAIN: of a session that we do not have;
 * or -EBADMSG. Numbers grow: the channel
 * keeps its order, but what it has no room for is lost. */
static int open_sealed(struct trust *trust, struct acquaintance *peer,
		       const struct transport_event *event)
{
	struct cursor c = cursor_of(event->data, event->size_bytes);
	struct session *session;
	uint64_t number;
	size_t size;

	cursor_u32(&c);
	session = session_of(peer, cursor_u32(&c));
	number = cursor_u64(&c);
	if (event->size_bytes < SEAL_SIZE || event->size_bytes > CHANNEL_SIZE_MAX) {
		return -EBADMSG;
	}
	if (!session) {
		return -EAGAIN;
	}
	if (number <= session->received) {
		return -EBADMSG;
	}
	size = event->size_bytes - SEAL_SIZE;
	if (aead_open(session->receives, (struct aead_nonce){.number = number},
		      (struct aead_piece){event->data, SEALED_HEAD_SIZE},
		      (struct aead_piece){event->data + SEALED_HEAD_SIZE, size}, trust->opened,
		      event->data + SEALED_HEAD_SIZE + size)) {
		return -EBADMSG;
	}
	session->received = number;
	if (session == &peer->session) {
		session_end(&peer->former);
	}
	return (int)size;
}

static bool sealed_came(struct engine *engine, struct acquaintance *peer,
			const struct transport_event *event, struct transport_event *said)
{
	struct trust *trust = engine->trust;
	int size = open_sealed(trust, peer, event);

	if (size < 0) {
		trust->stats.forged++;
		if (size != -EAGAIN) {
			engine_link_cut(engine, peer->node,
					"a control message is not what its sender had sealed");
		}
		return false;
	}
	if (trust_keys_received(engine, peer, trust->opened, (size_t)size)) {
		return false;
	}
	*said = *event;
	said->data = trust->opened;
	said->size_bytes = (uint32_t)size;
	return peer->trusted;
}

bool trust_would_protect(const uint8_t *bytes, size_t size)
{
	struct cursor c = cursor_of(bytes, size);
	uint32_t magic = cursor_u32(&c);

	return magic == HANDSHAKE_MAGIC || magic == SEALED_MAGIC;
}

bool engine_trust_received(struct engine *engine, const struct transport_event *event,
			   struct transport_event *said)
{
	struct acquaintance *peer = trust_peer(engine->trust, event->node);
	struct cursor c = cursor_of(event->data, event->size_bytes);
	uint32_t magic = cursor_u32(&c);

	if (!peer || !peer->linked) {
		return false;
	}
	if (magic == HANDSHAKE_MAGIC) {
		handshake_came(engine, peer, event);
		return false;
	}
	if (magic == SEALED_MAGIC) {
		return sealed_came(engine, peer, event, said);
	}
	engine->trust->stats.clear++;
	trust_complain(
		engine, peer, LOG_ERR,
		"node %u speaks in the clear: it is not listened to; its configuration needs the "
		"same crypto_cipher, crypto_hash and key file as this node's",
		peer->node);
	return false;
}

/* --- Time ----------------------------------------------------------------------------------------- */

void engine_trust_turn(struct engine *engine)
{
	struct trust *trust = engine->trust;

	for (uint32_t i = 0; trust && i < NODES_MAX; i++) {
		struct acquaintance *peer = &trust->peers[i];

		if (peer->node != 0 && peer->linked && peer->hello_at_ms <= engine->now_ms) {
			say_hello(engine, peer);
		}
	}
	if (trust && trust->out.blocks >= AEAD_BLOCKS_MAX) {
		trust_keys_look(engine);
	}
	if (trust && trust_keys_deadline_ms(trust) <= engine->now_ms) {
		trust_keys_repeat(engine);
	}
}

uint64_t engine_trust_deadline_ms(const struct engine *engine)
{
	const struct trust *trust = engine->trust;
	uint64_t next = trust ? trust_keys_deadline_ms(trust) : UINT64_MAX;

	for (uint32_t i = 0; trust && i < NODES_MAX; i++) {
		const struct acquaintance *peer = &trust->peers[i];

		if (peer->node != 0 && peer->linked && peer->hello_at_ms < next) {
			next = peer->hello_at_ms;
		}
	}
	return next;
}
