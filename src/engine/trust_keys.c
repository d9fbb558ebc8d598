/* SPDX-License-Identifier: BSD-3-Clause */
/* What trusted peers tell each other of keys.
 *
 *   KEYS  what I seal frames with (and what I will), and which keys of the cluster I have
 *   GOT   I can open frames of this generation
 *
 * A new frame key is used when everybody has it, and the one before can still be opened then: nothing is
 * lost. A new key of the cluster is used when everybody says that it has it: then every link gets a new
 * handshake with it while it carries on, and when all have, the old key is wiped. */
#include "engine/trust.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "base/check.h"
#include "base/cursor.h"
#include "crypto/secret.h"

#define KEYS_MAGIC 0x4b524e43u /* "CNRK" */
#define KEYS_SIZE \
	(8 + FRAME_GENERATIONS * (4 + CRYPTO_KEY_SIZE_MAX) + HANDSHAKE_KEYS * CLUSTER_KEY_ID_SIZE)
#define GOT_SIZE      12
#define TELL_AGAIN_MS 1000u

enum kind {
	KEYS = 1,
	GOT = 2
};

/* --- Frame keys ----------------------------------------------------------------------------------- */

static int frame_key_take(const struct trust *trust, uint32_t generation, const uint8_t *bytes,
			  struct frame_key *out)
{
	*out = (struct frame_key){.generation = generation};
	memcpy(out->bytes, bytes, sizeof(out->bytes));
	return aead_new(trust->self.suite.cipher, out->bytes, &out->aead);
}

int trust_frame_key_new(struct trust *trust, uint32_t generation, struct frame_key *out)
{
	uint8_t bytes[CRYPTO_KEY_SIZE_MAX];
	int err = trust->self.random(trust->self.random_ctx, bytes, sizeof(bytes));

	err = err ? err : frame_key_take(trust, generation, bytes, out);
	secret_wipe(bytes, sizeof(bytes));
	return err;
}

void trust_frame_key_end(struct frame_key *key)
{
	aead_free(&key->aead);
	secret_wipe(key, sizeof(*key));
}

/* --- Telling -------------------------------------------------------------------------------------- */

static void write_frame_key(struct writer *w, const struct frame_key *key)
{
	writer_u32(w, key->generation);
	writer_bytes(w, key->bytes, sizeof(key->bytes));
}

void trust_tell_keys(struct engine *engine, struct acquaintance *peer)
{
	struct trust *trust = engine->trust;
	uint8_t out[KEYS_SIZE];
	struct writer w = writer_of(out, sizeof(out));

	writer_u32(&w, KEYS_MAGIC);
	writer_u32(&w, KEYS);
	write_frame_key(&w, &trust->out);
	write_frame_key(&w, &trust->out_next);
	writer_bytes(&w, trust->key.id, CLUSTER_KEY_ID_SIZE);
	writer_bytes(&w, trust->next_key.id, CLUSTER_KEY_ID_SIZE);
	check(writer_ok(&w) && w.used == sizeof(out));
	engine_trust_tell(engine, peer->node, out, sizeof(out));
	secret_wipe(out, sizeof(out));
}

static void tell_all(struct engine *engine)
{
	engine->trust->told_ms = engine->now_ms;
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		if (engine->trust->peers[i].trusted) {
			trust_tell_keys(engine, &engine->trust->peers[i]);
		}
	}
}

static void tell_got(struct engine *engine, struct acquaintance *peer)
{
	uint8_t out[GOT_SIZE];
	struct writer w = writer_of(out, sizeof(out));

	writer_u32(&w, KEYS_MAGIC);
	writer_u32(&w, GOT);
	writer_u32(&w, peer->frames[0].generation);
	engine_trust_tell(engine, peer->node, out, sizeof(out));
}

/* Whoever hears of keys answers what it has got. */
static bool awaited(const struct trust *trust, const struct acquaintance *peer)
{
	return peer->trusted &&
	       (peer->got < trust->out_next.generation || !cluster_key_none(&trust->next_key));
}

uint64_t trust_keys_deadline_ms(const struct trust *trust)
{
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		if (awaited(trust, &trust->peers[i])) {
			return trust->told_ms + TELL_AGAIN_MS;
		}
	}
	return UINT64_MAX;
}

void trust_keys_repeat(struct engine *engine)
{
	struct trust *trust = engine->trust;

	trust->told_ms = engine->now_ms;
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		if (awaited(trust, &trust->peers[i])) {
			trust_tell_keys(engine, &trust->peers[i]);
		}
	}
}

/* --- What waits for all --------------------------------------------------------------------------- */

static bool all_have_next_frame_key(const struct trust *trust)
{
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		if (trust->peers[i].trusted && trust->peers[i].got < trust->out_next.generation) {
			return false;
		}
	}
	return true;
}

static void look_at_frame_keys(struct engine *engine, bool wanted)
{
	struct trust *trust = engine->trust;

	if (wanted && trust->out_next.generation == 0 &&
	    trust_frame_key_new(trust, trust->out.generation + 1, &trust->out_next) == 0) {
		tell_all(engine);
	}
	if (trust->out_next.generation != 0 && all_have_next_frame_key(trust)) {
		trust_frame_key_end(&trust->out);
		trust->out = trust->out_next;
		secret_wipe(&trust->out_next, sizeof(trust->out_next));
	}
}

static bool has_key(const struct acquaintance *peer, const struct cluster_key *key)
{
	return memcmp(peer->has[0], key->id, CLUSTER_KEY_ID_SIZE) == 0 ||
	       memcmp(peer->has[1], key->id, CLUSTER_KEY_ID_SIZE) == 0;
}

static bool proven_with(const struct acquaintance *peer, const struct cluster_key *key)
{
	return memcmp(peer->proven, key->id, CLUSTER_KEY_ID_SIZE) == 0;
}

/* Trusted peers that do not have the next key, or whose link was not moved to it. */
static uint32_t without(const struct trust *trust,
			bool (*is_with)(const struct acquaintance *peer,
					const struct cluster_key *key),
			struct nodeset *nodes)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < NODES_MAX; i++) {
		const struct acquaintance *peer = &trust->peers[i];

		if (peer->trusted && !is_with(peer, &trust->next_key)) {
			count++;
			if (nodes) {
				nodeset_add(nodes, peer->node);
			}
		}
	}
	return count;
}

static void prefer(struct trust *trust, bool next)
{
	bool both = !cluster_key_none(&trust->next_key);

	trust->changing = next;
	trust->self.keys[0] = next ? &trust->next_key : &trust->key;
	trust->self.keys[1] = next ? &trust->key : both ? &trust->next_key : NULL;
}

static void say_hello_to_all(struct trust *trust, uint32_t node, uint64_t now_ms)
{
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		struct acquaintance *peer = &trust->peers[i];

		if (peer->trusted && node < peer->node) {
			peer->hello_at_ms = now_ms;
		}
	}
}

static void begin_change(struct engine *engine)
{
	struct trust *trust = engine->trust;

	prefer(trust, true);
	say_hello_to_all(trust, engine->config.totem.node, engine->now_ms);
	engine_log(engine, LOG_INFO, "all nodes of the ring have the new key: links change to it");
}

/* What was sealed is not sealed anew, but from here on frames are sealed with what only those know who
 * have the new key. */
static void end_change(struct engine *engine)
{
	struct trust *trust = engine->trust;
	char text[CLUSTER_KEY_TEXT_SIZE];

	trust->key = trust->next_key;
	cluster_key_wipe(&trust->next_key);
	prefer(trust, false);
	cluster_key_text(trust->key.id, text);
	engine_log(engine, LOG_NOTICE, "the cluster's key is %s now", text);
	tell_all(engine);
	look_at_frame_keys(engine, true);
}

void trust_keys_look(struct engine *engine)
{
	struct trust *trust = engine->trust;

	look_at_frame_keys(engine, trust->out.blocks >= AEAD_BLOCKS_MAX);
	if (cluster_key_none(&trust->next_key)) {
		return;
	}
	if (without(trust, has_key, NULL) > 0) {
		prefer(trust, false); /* somebody came, or has called it off */
	} else if (!trust->changing) {
		begin_change(engine);
	}
	if (trust->changing && without(trust, proven_with, NULL) == 0) {
		end_change(engine);
	}
}

/* --- Hearing -------------------------------------------------------------------------------------- */

/* The same key again keeps its record of what was taken: it is told over every new link. */
static void take_frame_key(struct engine *engine, struct acquaintance *peer, uint32_t generation,
			   const uint8_t *bytes)
{
	struct frame_key next;

	for (int i = 0; i < FRAME_GENERATIONS; i++) {
		const struct frame_key *have = &peer->frames[i];

		if (generation == 0 || (have->generation == generation &&
					memcmp(have->bytes, bytes, sizeof(have->bytes)) == 0)) {
			return;
		}
	}
	if (frame_key_take(engine->trust, generation, bytes, &next)) {
		trust_complain(engine, peer, LOG_ERR, "no memory for a key of node %u", peer->node);
		return;
	}
	trust_frame_key_end(&peer->frames[FRAME_GENERATIONS - 1]);
	memmove(&peer->frames[1], &peer->frames[0], sizeof(peer->frames) - sizeof(peer->frames[0]));
	peer->frames[0] = next;
}

static void become_trusted(struct engine *engine, struct acquaintance *peer)
{
	if (proven_with(peer, engine->trust->self.keys[0])) {
		peer->hello_at_ms = UINT64_MAX;
	}
	if (!peer->trusted) {
		peer->trusted = true;
		peer->complained_about = 0;
		engine->trust->stats.handshakes++;
		engine_link_up(engine, peer->node, peer->cookie);
	}
}

static void keys_came(struct engine *engine, struct acquaintance *peer, struct cursor *c)
{
	for (int i = 0; i < FRAME_GENERATIONS; i++) {
		uint32_t generation = cursor_u32(c);

		take_frame_key(engine, peer, generation, cursor_bytes(c, CRYPTO_KEY_SIZE_MAX));
	}
	memcpy(peer->has, cursor_bytes(c, sizeof(peer->has)), sizeof(peer->has));
	tell_got(engine, peer);
	become_trusted(engine, peer);
}

bool trust_keys_received(struct engine *engine, struct acquaintance *peer, const uint8_t *bytes,
			 size_t size)
{
	struct cursor c = cursor_of(bytes, size);
	uint32_t kind;

	if (cursor_u32(&c) != KEYS_MAGIC) {
		return false;
	}
	kind = cursor_u32(&c);
	if (kind == KEYS && size == KEYS_SIZE) {
		keys_came(engine, peer, &c);
	} else if (kind == GOT && size == GOT_SIZE) {
		peer->got = cursor_u32(&c);
	} else {
		engine_link_cut(engine, peer->node, "a message about keys is malformed");
		return true;
	}
	trust_keys_look(engine);
	return true;
}

/* --- For the host --------------------------------------------------------------------------------- */

void engine_change_key(struct engine *engine, const struct cluster_key *key)
{
	struct trust *trust = engine->trust;

	if (cluster_key_same(key, &trust->key)) {
		cluster_key_wipe(&trust->next_key);
	} else {
		trust->next_key = *key;
	}
	prefer(trust, false);
	tell_all(engine);
	trust_keys_look(engine);
}

void engine_trust_status(const struct engine *engine, struct engine_trust_status *out)
{
	const struct trust *trust = engine->trust;

	memset(out, 0, sizeof(*out));
	if (!trust) {
		return;
	}
	out->on = true;
	out->suite = trust->self.suite;
	out->stats = trust->stats;
	out->changing = trust->changing;
	memcpy(out->key, trust->key.id, sizeof(out->key));
	memcpy(out->next_key, trust->next_key.id, sizeof(out->next_key));
	out->generation = trust->out.generation;
	if (!cluster_key_none(&trust->next_key)) {
		without(trust, trust->changing ? proven_with : has_key, &out->waiting_for);
	}
}
