/* SPDX-License-Identifier: BSD-3-Clause */
/* One key gets one value: numbers, sizes, words, texts, users. */
#include "config/config_int.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>

#define WORDS_TEXT_MAX 256

/* Many believe that a # after a value begins a comment. */
static const char *hash_hint(const char *value)
{
	const char *hash = strchr(value, '#');

	return hash && hash > value && isblank((unsigned char)hash[-1])
		       ? "; a comment needs a line of its own"
		       : "";
}

/* As strtoll reads it: a sign is allowed, anything behind the number is not. False when it is no number; *huge when it is above 2^64. */
static bool parse_number(const char *text, uint64_t *value, bool *negative, const char **rest)
{
	char *end;

	*negative = *text == '-';
	if (*text == '-' || *text == '+') {
		text++;
	}
	if (!isdigit((unsigned char)*text)) {
		return false;
	}
	errno = 0;
	*value = strtoull(text, &end, 10);
	*rest = end;
	/* Too large for 64 bits is out of every range that has an end below. */
	if (errno == ERANGE) {
		*negative = true;
	}
	return true;
}

static bool parse_unit(const char *unit, uint64_t *value)
{
	static const char units[] = "kmg";
	const char *found = *unit ? strchr(units, tolower((unsigned char)*unit)) : NULL;
	unsigned int shift = found ? 10 * (unsigned int)(found - units + 1) : 0;

	if (*unit == '\0') {
		return true;
	}
	if (!found || unit[1] != '\0') {
		return false;
	}
	*value = *value > UINT64_MAX >> shift ? UINT64_MAX : *value << shift;
	return true;
}

static bool takes_unit(const struct config_key *key)
{
	return key->type == KEY_SIZE32 || key->type == KEY_SIZE64;
}

static bool is_wide(const struct config_key *key)
{
	return key->type == KEY_U64 || key->type == KEY_SIZE64;
}

static int set_number(struct config_parser *parser, const struct config_key *key, char *at,
		      const struct config_item *item)
{
	uint64_t value;
	bool negative;
	const char *rest;

	if (!parse_number(item->value, &value, &negative, &rest) ||
	    !(takes_unit(key) ? parse_unit(rest, &value) : *rest == '\0')) {
		return config_fail(parser, item->line, "%s: \"%s\" is not a number%s%s", key->name,
				   item->value,
				   takes_unit(key) ? " (k, m or g may follow a number)" : "",
				   hash_hint(item->value));
	}
	if (value == 0 && key->zero_means_fallback) {
		value = key->fallback;
	} else if (negative || value < key->min || value > key->max) {
		return config_fail(parser, item->line,
				   "%s: %s is out of range: %" PRIu64 " to %" PRIu64 " is allowed",
				   key->name, item->value, key->min, key->max);
	}
	if (is_wide(key)) {
		*(uint64_t *)(void *)at = value;
	} else {
		*(uint32_t *)(void *)at = (uint32_t)value;
	}
	return 0;
}

static bool find_word(const struct config_word *words, const char *value, int32_t *out)
{
	for (; words && words->word; words++) {
		if (strcasecmp(words->word, value) == 0) {
			*out = words->value;
			return true;
		}
	}
	return false;
}

static void list_words(const struct config_word *words, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (; words->word && used < size; words++) {
		used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "",
					 words->word);
	}
}

/* Corosync's transports are not typing errors: who comes from there is told what to write. */
static const char *transport_advice(const struct config_key *key, const char *value)
{
	if (strcmp(key->name, "transport") == 0 &&
	    (strcmp(value, "knet") == 0 || strcmp(value, "udp") == 0 ||
	     strcmp(value, "udpu") == 0)) {
		return "is a transport of corosync's; write rdma (an RDMA adapter, or soft-RoCE, owns "
		       "the ring address), shm (all nodes are daemons on this host), or auto";
	}
	return NULL;
}

static int set_word(struct config_parser *parser, const struct config_key *key, char *at,
		    const struct config_item *item)
{
	char words[WORDS_TEXT_MAX];
	const char *advice = transport_advice(key, item->value);
	int32_t value;

	if (find_word(key->words, item->value, &value)) {
		*(int32_t *)(void *)at = value;
		return 0;
	}
	if (advice) {
		return config_fail(parser, item->line, "%s: %s %s", key->name, item->value, advice);
	}
	list_words(key->words, words, sizeof(words));
	return config_fail(parser, item->line, "%s: \"%s\" is none of %s%s", key->name, item->value,
			   words, hash_hint(item->value));
}

static int set_text(struct config_parser *parser, const struct config_key *key, char *at,
		    const struct config_item *item)
{
	if (strlen(item->value) > key->max) {
		return config_fail(parser, item->line,
				   "%s: the value has %zu characters, %" PRIu64 " are allowed",
				   key->name, strlen(item->value), key->max);
	}
	if (*hash_hint(item->value)) {
		config_say(parser->messages, LOG_WARNING, parser->path, item->line,
			   "%s: the # and what follows are part of the value%s", key->name,
			   hash_hint(item->value));
	}
	snprintf(at, CONFIG_TEXT_MAX, "%s", item->value);
	return 0;
}

static int unknown_id(struct config_parser *parser, const struct config_item *item, int err)
{
	const char *kind = strcmp(item->name, "uid") == 0 ? "user" : "group";

	if (err == -ENOENT) {
		return config_fail(parser, item->line, "%s: there is no %s \"%s\" on this host%s",
				   item->name, kind, item->value, hash_hint(item->value));
	}
	config_fail(parser, item->line,
		    "%s: the system cannot say now who the %s \"%s\" is: %s. A number needs no "
		    "look-up",
		    item->name, kind, item->value, strerror(-err));
	return -EAGAIN;
}

/* A number, or a name that `look_up` knows: 0, -ENOENT when there is none, or why nobody could say. */
static int parse_id(struct config_parser *parser, const struct config_item *item,
		    int (*look_up)(const char *name, uint32_t *id), uint32_t *id)
{
	uint64_t value;
	bool negative;
	const char *rest;
	int err;

	if (parse_number(item->value, &value, &negative, &rest) && *rest == '\0') {
		if (negative || value >= UINT32_MAX) {
			return config_fail(parser, item->line,
					   "%s: %s is out of range: 0 to 4294967294 is allowed",
					   item->name, item->value);
		}
		*id = (uint32_t)value;
		return 0;
	}
	err = look_up(item->value, id);
	return err ? unknown_id(parser, item, err) : 0;
}

/* getpwnam(3): which of them says that there is nobody depends on where names come from. */
static int no_such_name(int err)
{
	switch (err) {
	case 0:
	case ENOENT:
	case ESRCH:
	case EBADF:
	case EPERM:
		return -ENOENT;
	default:
		return -err;
	}
}

static int look_up_user(const char *name, uint32_t *id)
{
	struct passwd *user;

	errno = 0;
	user = getpwnam(name);
	*id = user ? user->pw_uid : 0;
	return user ? 0 : no_such_name(errno);
}

static int look_up_group(const char *name, uint32_t *id)
{
	struct group *group;

	errno = 0;
	group = getgrnam(name);
	*id = group ? group->gr_gid : 0;
	return group ? 0 : no_such_name(errno);
}

static int add_uid(struct config_parser *parser, const struct config_item *item)
{
	struct config_uidgid *list = &parser->config->uidgid;
	uint32_t id = 0;
	int err = parse_id(parser, item, look_up_user, &id);

	if (err) {
		return err;
	}
	if (list->uid_count == CONFIG_UIDGID_MAX) {
		return config_fail(parser, item->line, "uid: more than %d users are listed",
				   CONFIG_UIDGID_MAX);
	}
	list->uids[list->uid_count++] = id;
	return 0;
}

static int add_gid(struct config_parser *parser, const struct config_item *item)
{
	struct config_uidgid *list = &parser->config->uidgid;
	uint32_t id = 0;
	int err = parse_id(parser, item, look_up_group, &id);

	if (err) {
		return err;
	}
	if (list->gid_count == CONFIG_UIDGID_MAX) {
		return config_fail(parser, item->line, "gid: more than %d groups are listed",
				   CONFIG_UIDGID_MAX);
	}
	list->gids[list->gid_count++] = id;
	return 0;
}

int config_set(struct config_parser *parser, const struct config_key *key, void *object,
	       const struct config_item *item)
{
	char *at = (char *)object + key->offset;

	switch (key->type) {
	case KEY_U32:
	case KEY_U64:
	case KEY_SIZE32:
	case KEY_SIZE64:
		return set_number(parser, key, at, item);
	case KEY_WORD:
		return set_word(parser, key, at, item);
	case KEY_TEXT:
		return set_text(parser, key, at, item);
	case KEY_UID:
		return add_uid(parser, item);
	case KEY_GID:
		return add_gid(parser, item);
	case KEY_HARMLESS:
		config_say(parser->messages, LOG_NOTICE, parser->path, item->line,
			   "%s has no effect here: %s", item->name, key->note);
		return 0;
	}
	return 0;
}
