/* SPDX-License-Identifier: BSD-3-Clause */
/* From items of text to the configuration: which section is open, which key is meant, and what a closed section leaves behind. */
#include "config/config_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>

static const char *const part_names[LOG_PARTS] = {"MAIN", "TOTEM", "TRANSPORT", "CPG"};

void config_say(struct messages *messages, int priority, const char *path, uint32_t line,
		const char *format, ...)
{
	char text[MESSAGE_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (line > 0) {
		messages_add(messages, priority, "%s:%u: %s", path, line, text);
	} else {
		messages_add(messages, priority, "%s: %s", path, text);
	}
}

int config_fail(struct config_parser *parser, uint32_t line, const char *format, ...)
{
	char text[MESSAGE_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	config_say(parser->messages, LOG_ERR, parser->path, line, "%s", text);
	return -EINVAL;
}

/* --- Sections ---------------------------------------------------------------------------------- */

static int path_push(struct config_parser *parser, const struct config_item *item)
{
	size_t used = strlen(parser->section_path);
	size_t more = strlen(item->name) + (used > 0 ? 1 : 0);
	char *end;

	if (used + more > CONFIG_PATH_MAX || parser->depth == CONFIG_PATH_MAX) {
		return config_fail(
			parser, item->line,
			"sections are nested too deep: the names of all open ones together "
			"have more than %d characters",
			CONFIG_PATH_MAX);
	}
	end = parser->section_path + used;
	if (used > 0) {
		*end++ = '.';
	}
	memcpy(end, item->name, strlen(item->name) + 1);
	parser->path_before[parser->depth] = (uint8_t)used;
	parser->opened[parser->depth] = item->line;
	parser->depth++;
	return 0;
}

static void path_pop(struct config_parser *parser)
{
	parser->depth--;
	parser->section_path[parser->path_before[parser->depth]] = '\0';
}

static void *section_object(struct config_parser *parser, const struct config_section *section)
{
	switch (section->object) {
	case OBJECT_CONFIG:
		return parser->config;
	case OBJECT_INTERFACE:
		return &parser->interface;
	case OBJECT_NODE:
		return &parser->node;
	case OBJECT_SUBSYS:
	case OBJECT_LOG_DAEMON:
		return &parser->log;
	case OBJECT_UIDGID:
		return &parser->config->uidgid;
	case OBJECT_NOTHING:
		return NULL;
	}
	return NULL;
}

static int skip_section(struct config_parser *parser, const struct config_section *section,
			uint32_t line)
{
	char hint[CONFIG_TEXT_MAX];

	parser->skipped = 1;
	if (section) {
		config_say(parser->messages, LOG_NOTICE, parser->path, line,
			   "section %s has no effect here: %s", parser->section_path,
			   section->note);
		return 0;
	}
	config_hint_section(parser->section_path, hint, sizeof(hint));
	config_say(parser->messages, LOG_WARNING, parser->path, line,
		   "unknown section %s, passed over with all that is in it%s", parser->section_path,
		   hint);
	return 0;
}

static void nodelist_begin(struct config_parser *parser, uint32_t line)
{
	if (parser->nodelists++ > 0) {
		config_say(parser->messages, LOG_WARNING, parser->path, line,
			   "a second nodelist: its nodes are added to those of the first");
	}
}

static int section_begin(struct config_parser *parser, const struct config_item *item)
{
	const struct config_section *section;
	int err = path_push(parser, item);

	if (err) {
		return err;
	}
	if (parser->skipped > 0) {
		parser->skipped++;
		return 0;
	}
	section = config_section_find(parser->section_path);
	if (parser->uidgid_only && (!section || section->object != OBJECT_UIDGID)) {
		return config_fail(parser, item->line,
				   "section %s: a file of uidgid.d may hold uidgid sections only",
				   parser->section_path);
	}
	if (!section || section->object == OBJECT_NOTHING) {
		return skip_section(parser, section, item->line);
	}
	if (strcmp(section->path, "nodelist") == 0) {
		nodelist_begin(parser, item->line);
	}
	if (section->object != OBJECT_CONFIG && section->object != OBJECT_UIDGID) {
		config_fallbacks(section, section_object(parser, section));
	}
	return 0;
}

/* --- What a closed section leaves behind ------------------------------------------------------- */

static void interface_end(struct config_parser *parser, uint32_t line)
{
	if (parser->interface.linknumber == 0) {
		parser->config->port = parser->interface.port;
	} else {
		config_say(
			parser->messages, LOG_NOTICE, parser->path, line,
			"the interface section of link %u has no effect here: there is one link, "
			"number 0",
			parser->interface.linknumber);
	}
}

static int node_end(struct config_parser *parser, uint32_t line)
{
	struct config *config = parser->config;

	if (parser->node.id == 0) {
		return config_fail(parser, line,
				   "a node without nodeid: add \"nodeid: N\", a number of its own "
				   "from 1 on for each node");
	}
	for (uint32_t i = 0; i < config->node_count; i++) {
		if (config->nodes[i].id == parser->node.id) {
			return config_fail(parser, line,
					   "nodeid %u is also that of the node of line %u",
					   parser->node.id, config->nodes[i].line);
		}
		if (parser->node.name[0] && strcmp(config->nodes[i].name, parser->node.name) == 0) {
			return config_fail(parser, line,
					   "the name %s is also that of the node of line %u",
					   parser->node.name, config->nodes[i].line);
		}
	}
	if (config->node_count == NODES_MAX) {
		return config_fail(parser, line, "more than %d nodes", NODES_MAX);
	}
	parser->node.line = line;
	config->nodes[config->node_count++] = parser->node;
	return 0;
}

static void log_merge(struct config_log *into, const struct config_log *from)
{
	int32_t *to[] = {&into->to_stderr,
			 &into->to_syslog,
			 &into->to_logfile,
			 &into->logfile_priority,
			 &into->syslog_priority,
			 &into->syslog_facility,
			 &into->debug};
	const int32_t values[] = {from->to_stderr,
				  from->to_syslog,
				  from->to_logfile,
				  from->logfile_priority,
				  from->syslog_priority,
				  from->syslog_facility,
				  from->debug};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (values[i] != -1) {
			*to[i] = values[i];
		}
	}
	if (from->logfile[0]) {
		memcpy(into->logfile, from->logfile, sizeof(into->logfile));
	}
}

static int log_part_end(struct config_parser *parser, uint32_t line)
{
	const struct config_log *log = &parser->log;

	if (log->logfile[0] || log->syslog_facility != -1) {
		config_say(parser->messages, LOG_NOTICE, parser->path, line,
			   "logfile and syslog_facility of one part have no effect here: all parts "
			   "write to one log file and one facility");
	}
	for (int i = 0; i < LOG_PARTS; i++) {
		if (strcasecmp(part_names[i], log->subsys) == 0) {
			log_merge(&parser->config->logging.parts[i], log);
			return 0;
		}
	}
	config_say(
		parser->messages, LOG_WARNING, parser->path, line,
		"there is no part %s of the log, its settings are passed over: the parts are MAIN, "
		"TOTEM, TRANSPORT and CPG",
		log->subsys);
	return 0;
}

static int subsys_end(struct config_parser *parser, uint32_t line)
{
	if (parser->log.subsys[0] == '\0') {
		return config_fail(
			parser, line,
			"a logger_subsys section without the key subsys, which says what "
			"part of the log is meant");
	}
	return log_part_end(parser, line);
}

static int log_daemon_end(struct config_parser *parser, uint32_t line)
{
	const struct config_log *log = &parser->log;

	if (log->name[0] == '\0') {
		return config_fail(parser, line, "a logging_daemon section without the key name");
	}
	if (strcmp(log->name, "corosync") != 0 && strcmp(log->name, "coronetd") != 0) {
		config_say(parser->messages, LOG_NOTICE, parser->path, line,
			   "the logging_daemon section of %s has no effect here: it is for another "
			   "daemon",
			   log->name);
		return 0;
	}
	if (log->subsys[0]) {
		return log_part_end(parser, line);
	}
	log_merge(&parser->config->logging.all, log);
	return 0;
}

static int section_finish(struct config_parser *parser, const struct config_section *section,
			  uint32_t line)
{
	switch (section->object) {
	case OBJECT_INTERFACE:
		interface_end(parser, line);
		return 0;
	case OBJECT_NODE:
		return node_end(parser, line);
	case OBJECT_SUBSYS:
		return subsys_end(parser, line);
	case OBJECT_LOG_DAEMON:
		return log_daemon_end(parser, line);
	case OBJECT_CONFIG:
	case OBJECT_UIDGID:
	case OBJECT_NOTHING:
		return 0;
	}
	return 0;
}

static int section_end(struct config_parser *parser, uint32_t line)
{
	int err = 0;

	if (parser->depth == 0) {
		return config_fail(parser, line, "a closing brace too many: no section is open");
	}
	if (parser->skipped > 0) {
		parser->skipped--;
	} else {
		/* Messages on the whole section name the line where it begins. */
		err = section_finish(parser, config_section_find(parser->section_path),
				     parser->opened[parser->depth - 1]);
	}
	path_pop(parser);
	return err;
}

/* --- Keys -------------------------------------------------------------------------------------- */

/* Remembered for messages about what keys mean together. */
static void seen(struct config_parser *parser, const struct config_key *key, uint32_t line)
{
	for (uint32_t i = 0; i < parser->seen_count; i++) {
		if (parser->seen[i].key == key) {
			parser->seen[i].line = line;
			return;
		}
	}
	if (parser->seen_count < CONFIG_SEEN_MAX) {
		parser->seen[parser->seen_count++] = (struct config_seen){key, line};
	}
}

static int unknown_key(struct config_parser *parser, const struct config_section *section,
		       const struct config_item *item)
{
	char hint[CONFIG_TEXT_MAX];

	config_hint_key(section, item->name, hint, sizeof(hint));
	if (section && section->object == OBJECT_UIDGID) {
		return config_fail(parser, item->line,
				   "unknown key uidgid.%s: uid and gid are known", item->name);
	}
	config_say(parser->messages, LOG_WARNING, parser->path, item->line,
		   "unknown key %s%s%s, passed over%s", parser->section_path, section ? "." : "",
		   item->name, hint);
	return 0;
}

static int key(struct config_parser *parser, const struct config_item *item)
{
	const struct config_section *section;
	const struct config_key *key;

	if (strlen(parser->section_path) + 1 + strlen(item->name) > CONFIG_PATH_MAX) {
		return config_fail(parser, item->line,
				   "the key's name, with those of its sections, has more than %d "
				   "characters",
				   CONFIG_PATH_MAX);
	}
	if (parser->skipped > 0) {
		return 0;
	}
	section = parser->depth > 0 ? config_section_find(parser->section_path) : NULL;
	if (!section && parser->uidgid_only) {
		return config_fail(parser, item->line,
				   "a file of uidgid.d may hold uidgid sections only");
	}
	key = section ? config_key_find(section, item->name) : NULL;
	if (!key) {
		return unknown_key(parser, section, item);
	}
	seen(parser, key, item->line);
	return config_set(parser, key, section_object(parser, section), item);
}

static int item_take(struct config_parser *parser, const struct config_item *item)
{
	switch (item->kind) {
	case CONFIG_OPEN:
		return section_begin(parser, item);
	case CONFIG_CLOSE:
		return section_end(parser, item->line);
	case CONFIG_KEY:
		return key(parser, item);
	}
	return 0;
}

int config_parse_text(struct config_parser *parser, const char *text, size_t size)
{
	struct config_text lines = {.text = text, .left = size};
	struct config_item item;
	const char *why;
	int more;
	int err = 0;

	while ((more = config_text_next(&lines, &item, &why)) > 0 && err == 0) {
		parser->logging_fault = strncmp(parser->section_path, "logging", 7) == 0;
		err = item_take(parser, &item);
	}
	if (err) {
		return err;
	}
	parser->logging_fault = false;
	if (more < 0) {
		return config_fail(parser, lines.line, "%s", why);
	}
	if (parser->depth > 0) {
		return config_fail(parser, lines.line,
				   "the file ends inside section %s, which begins in line %u: a "
				   "closing brace is missing",
				   parser->section_path, parser->opened[parser->depth - 1]);
	}
	return 0;
}
