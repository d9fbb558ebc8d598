/* SPDX-License-Identifier: BSD-3-Clause */
/* What keys mean together, and what is in force when some are not given. Times: as corosync computes them. */
#include "config/config_int.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/limits.h"
#include "crypto/suite.h"
#include "pg/pg.h"
#include "wire/frame.h"

/* Or what the window needs. With slots of 32 KiB a daemon stays within 64 MiB. */
#define SLOTS_DEFAULT 512
#define PAGE_BYTES    4096u

static const struct config_key *key_of(const char *section, const char *name)
{
	return config_key_find(config_section_find(section), name);
}

/* Where the key was set; 0 when it was not. */
static uint32_t line_of(const struct config_parser *parser, const char *section, const char *name)
{
	const struct config_key *key = key_of(section, name);

	for (uint32_t i = 0; i < parser->seen_count; i++) {
		if (parser->seen[i].key == key) {
			return parser->seen[i].line;
		}
	}
	return 0;
}

/* A computed time must be in the range of a given one. */
static int time_in_range(struct config_parser *parser, const char *name, uint32_t value_ms)
{
	const struct config_key *key = key_of("totem", name);

	if (value_ms >= key->min && value_ms <= key->max) {
		return 0;
	}
	return config_fail(
		parser, line_of(parser, "totem", "token"),
		"%s would be %u ms, from token %u and the keys that go with it; %u to %u is "
		"allowed. Change token, or set %s",
		name, value_ms, parser->config->totem.token_ms, (uint32_t)key->min,
		(uint32_t)key->max, name);
}

/* Tenths keep the arithmetic whole: token / (retransmits + 0.2). */
static uint32_t default_retransmit(const struct config *config)
{
	uint64_t tenths = (uint64_t)config->times.token_retransmits * 10 + 2;

	return (uint32_t)((uint64_t)config->totem.token_ms * 10 / tenths);
}

static uint32_t default_hold(const struct config *config)
{
	uint64_t hold = (uint64_t)config->totem.token_retransmit_ms * 8 / 10;

	return hold > 10 ? (uint32_t)(hold - 10) : 0;
}

static uint32_t default_consensus(const struct config *config)
{
	return (uint32_t)((uint64_t)config->totem.token_ms * 12 / 10);
}

static uint32_t given_or(uint32_t given, uint32_t computed)
{
	return given ? given : computed;
}

static int check_times(struct config_parser *parser)
{
	struct config *config = parser->config;
	const struct config_times *times = &config->times;
	struct totem_config *totem = &config->totem;
	uint64_t further = config->node_count > 2 ? config->node_count - 2 : 0;
	uint64_t token = times->token_ms + further * times->token_coefficient_ms;

	if (token > key_of("totem", "token")->max) {
		return config_fail(parser, line_of(parser, "totem", "token_coefficient"),
				   "token and token_coefficient make %" PRIu64
				   " ms for %u nodes; an hour is allowed",
				   token, config->node_count);
	}
	totem->token_ms = (uint32_t)token;
	totem->token_retransmit_ms =
		given_or(times->token_retransmit_ms, default_retransmit(config));
	totem->hold_ms = given_or(times->hold_ms, default_hold(config));
	totem->consensus_ms = given_or(times->consensus_ms, default_consensus(config));
	totem->join_ms = times->join_ms;
	totem->merge_ms = times->merge_ms;
	if (time_in_range(parser, "token_retransmit", totem->token_retransmit_ms) ||
	    time_in_range(parser, "hold", totem->hold_ms) ||
	    time_in_range(parser, "consensus", totem->consensus_ms)) {
		return -EINVAL;
	}
	if (totem->consensus_ms < totem->join_ms) {
		return config_fail(
			parser, line_of(parser, "totem", "join"),
			"consensus (%u ms) is below join (%u ms): nodes would be given up "
			"before they were asked twice. Lower join or raise consensus",
			totem->consensus_ms, totem->join_ms);
	}
	return 0;
}

/* What was not given follows what was. */
static int check_window(struct config_parser *parser)
{
	struct totem_config *totem = &parser->config->totem;

	if (totem->max_messages > totem->window_size) {
		if (line_of(parser, "totem", "max_messages")) {
			return config_fail(
				parser, line_of(parser, "totem", "max_messages"),
				"max_messages (%u) is above window_size (%u): one visit of the "
				"token cannot send more than a whole rotation",
				totem->max_messages, totem->window_size);
		}
		totem->max_messages = totem->window_size;
	}
	if (totem->accelerated_window > totem->max_messages) {
		if (line_of(parser, "totem", "accelerated_window")) {
			return config_fail(parser, line_of(parser, "totem", "accelerated_window"),
					   "accelerated_window (%u) is above max_messages (%u), of "
					   "which it is a part",
					   totem->accelerated_window, totem->max_messages);
		}
		totem->accelerated_window = totem->max_messages;
	}
	return 0;
}

/* The engine keeps three eighths for its own frames, and wants room for the frames of four rotations in the rest. */
uint32_t config_slots_needed(uint32_t window_size)
{
	return (window_size * 32 + 4) / 5;
}

static int check_slots(struct config_parser *parser)
{
	struct config *config = parser->config;
	uint32_t needed = config_slots_needed(config->totem.window_size);

	if (config->slots == 0) {
		config->slots = needed > SLOTS_DEFAULT ? needed : SLOTS_DEFAULT;
	}
	if (config->slots >= needed) {
		return 0;
	}
	return config_fail(
		parser, line_of(parser, "rdma", "slots"),
		"slots (%u) are too few for window_size %u: %u are needed. Raise slots or "
		"lower window_size",
		config->slots, config->totem.window_size, needed);
}

/* secauth stands for the two others, as far as they are not given. */
static int check_crypto(struct config_parser *parser)
{
	struct config *config = parser->config;

	if (config->crypto_hash == CONFIG_HASH_BROKEN) {
		return config_fail(parser, line_of(parser, "totem", "crypto_hash"),
				   "crypto_hash: md5 and sha1 are broken and not used here; write "
				   "sha256, sha384 or sha512 on all nodes");
	}
	if (config->crypto_cipher == CONFIG_NOT_GIVEN) {
		config->crypto_cipher = config->secauth ? CRYPTO_AES256 : CRYPTO_CIPHER_NONE;
	}
	if (config->crypto_hash == CONFIG_NOT_GIVEN) {
		config->crypto_hash = config->secauth ? CRYPTO_SHA256 : CRYPTO_HASH_NONE;
	}
	if (config->crypto_cipher != CRYPTO_CIPHER_NONE &&
	    config->crypto_hash == CRYPTO_HASH_NONE) {
		return config_fail(parser, line_of(parser, "totem", "crypto_cipher"),
				   "crypto_cipher: %s needs a crypto_hash too: sha256, sha384 or "
				   "sha512",
				   crypto_cipher_name((enum crypto_cipher)config->crypto_cipher));
	}
	if (config->crypto_hash == CRYPTO_HASH_NONE && line_of(parser, "totem", "keyfile") > 0) {
		config_say(parser->messages, LOG_NOTICE, parser->path,
			   line_of(parser, "totem", "keyfile"),
			   "keyfile has no effect here: neither crypto_cipher, crypto_hash nor "
			   "secauth asks for protection, so no key is read");
	}
	if (config->crypto_hash != CRYPTO_HASH_NONE && config->keyfile[0] != '/') {
		return config_fail(parser, line_of(parser, "totem", "keyfile"),
				   "keyfile: %s is not an absolute path", config->keyfile);
	}
	return 0;
}

/* The largest payload that fits into a frame beside the headers. */
static uint32_t eager_room(const struct config *config)
{
	size_t seal = config->crypto_hash != CRYPTO_HASH_NONE ? SEAL_SIZE : 0;
	size_t headers = FRAME_HEADER_SIZE + frame_entry_size(PG_META_MAX, 0) + seal;

	return (uint32_t)((config->slot_size_bytes - headers) & ~(size_t)7);
}

static int check_sizes(struct config_parser *parser)
{
	struct config *config = parser->config;
	uint32_t room;

	if (config->slot_size_bytes % PAGE_BYTES || config->extents_bytes % PAGE_BYTES) {
		const char *name = config->slot_size_bytes % PAGE_BYTES ? "slot_size" : "extents";

		return config_fail(parser, line_of(parser, "rdma", name),
				   "%s is not a multiple of 4096, the size of a page", name);
	}
	room = eager_room(config);
	if (config->eager_size_bytes > room) {
		if (line_of(parser, "rdma", "eager_size")) {
			return config_fail(
				parser, line_of(parser, "rdma", "eager_size"),
				"eager_size (%u) does not fit a slot: with slot_size %u, "
				"%u bytes do",
				config->eager_size_bytes, config->slot_size_bytes, room);
		}
		config->eager_size_bytes = room;
	}
	if (config->copy_size_bytes > config->eager_size_bytes) {
		if (line_of(parser, "rdma", "copy_size")) {
			return config_fail(
				parser, line_of(parser, "rdma", "copy_size"),
				"copy_size (%u) is above eager_size (%u): larger messages "
				"are not sent in frames",
				config->copy_size_bytes, config->eager_size_bytes);
		}
		config->copy_size_bytes = config->eager_size_bytes;
	}
	return 0;
}

static int check_version(struct config_parser *parser)
{
	if (parser->config->version == 0) {
		return config_fail(parser, 0, "no \"version: 2\" in section totem");
	}
	if (parser->config->cluster_name[0] == '\0') {
		return config_fail(parser, line_of(parser, "totem", "cluster_name"),
				   "cluster_name is empty: daemons know each other by it");
	}
	return 0;
}

/* A nice value, min or max. */
/* A quarter is left for others, unless the operator decides otherwise. */
static int check_clients(struct config_parser *parser)
{
	struct config *config = parser->config;

	if (config->clients_user_max > config->clients_max) {
		return config_fail(parser, line_of(parser, "clients", "user_max"),
				   "user_max (%u) is above max (%u), of which it is a part",
				   config->clients_user_max, config->clients_max);
	}
	if (config->clients_user_max == 0) {
		config->clients_user_max = config->clients_max - config->clients_max / 4;
	}
	return 0;
}

static int check_priority(struct config_parser *parser)
{
	const char *text = parser->config->priority;
	char *end;
	long value = strtol(text, &end, 10);

	if (strcmp(text, "min") == 0 || strcmp(text, "max") == 0) {
		return 0;
	}
	if (end == text || *end != '\0' || value < -20 || value > 19) {
		return config_fail(
			parser, line_of(parser, "system", "priority"),
			"priority: \"%s\" is neither max, min nor a number from -20 to 19", text);
	}
	return 0;
}

static bool logs_to_file(const struct config_logging *logging)
{
	bool any = logging->all.to_logfile == 1;

	for (int part = 0; part < LOG_PARTS; part++) {
		any = any || logging->parts[part].to_logfile == 1;
	}
	return any;
}

/* The daemon leaves its directory, so another path would mean another file at the next reload. */
static int check_logfile(struct config_parser *parser)
{
	const struct config_logging *logging = &parser->config->logging;
	const char *path = logging->all.logfile;

	if (path[0] && path[0] != '/') {
		parser->logging_fault = true;
		return config_fail(parser, line_of(parser, "logging", "logfile"),
				   "logfile: %s is not an absolute path", path);
	}
	if (logs_to_file(logging) && path[0] == '\0') {
		parser->logging_fault = true;
		return config_fail(parser, line_of(parser, "logging", "to_logfile"),
				   "to_logfile is on, but logfile does not say which file");
	}
	return 0;
}

static int check_paths(struct config_parser *parser)
{
	const struct config *config = parser->config;

	if (config->state_dir[0] && config->state_dir[0] != '/') {
		return config_fail(parser, line_of(parser, "system", "state_dir"),
				   "state_dir: %s is not an absolute path", config->state_dir);
	}
	return check_logfile(parser);
}

/* With shm all nodes are on this host and need no address. */
static int check_nodes(struct config_parser *parser)
{
	const struct config *config = parser->config;

	if (config->node_count == 0) {
		return config_fail(
			parser, 0,
			"no node: a nodelist section with a node section for each node is "
			"needed");
	}
	for (uint32_t i = 0; i < config->node_count; i++) {
		const struct config_node *node = &config->nodes[i];

		if (config->transport == CONFIG_TRANSPORT_RDMA && node->ring_addr[0] == '\0') {
			return config_fail(parser, node->line,
					   "node %u has no ring0_addr, the address of its RDMA "
					   "adapter; only transport: shm can do without",
					   node->id);
		}
	}
	return 0;
}

int config_check(struct config_parser *parser)
{
	if (check_version(parser) || check_nodes(parser) || check_times(parser) ||
	    check_window(parser) || check_crypto(parser) || check_slots(parser) ||
	    check_sizes(parser) || check_clients(parser) || check_priority(parser)) {
		return -EINVAL;
	}
	return check_paths(parser);
}
