/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads and checks a configuration; see config.h. */
#include "config/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "config/config_int.h"
#include "config/exit_code.h"

static void fill_fallbacks(struct config *config)
{
	for (const struct config_section *section = config_sections; section->path; section++) {
		if (section->object == OBJECT_CONFIG) {
			config_fallbacks(section, config);
		}
	}
	for (int i = 0; i < LOG_PARTS; i++) {
		config_fallbacks(config_section_find("logging.logger_subsys"),
				 &config->logging.parts[i]);
	}
}

/* What only the host could not say may be well when the daemon is started again: systemd tries that for EXIT_FATAL. */
static int code_of(int err)
{
	if (err == -EAGAIN) {
		return EXIT_FATAL;
	}
	return err ? EXIT_CONFIG : EXIT_OK;
}

static int parse(const char *path, const char *text, size_t size, struct messages *messages,
		 struct config *config)
{
	struct config_parser parser = {.path = path, .messages = messages, .config = config};
	struct config_interface interface;
	int err;

	config_fallbacks(config_section_find("totem.interface"), &interface);
	config->port = interface.port;
	fill_fallbacks(config);
	err = config_parse_text(&parser, text, size);
	err = err ? err : config_check(&parser);
	return parser.logging_fault ? EXIT_LOGGING : code_of(err);
}

int config_parse(const char *path, const char *text, size_t size, struct messages *messages,
		 struct config **out)
{
	struct config *config = calloc(1, sizeof(*config));
	int code = EXIT_FATAL;

	if (config) {
		snprintf(config->path, sizeof(config->path), "%s", path);
		code = parse(path, text, size, messages, config);
	} else {
		config_say(messages, LOG_ERR, path, 0, "no memory");
	}
	if (code) {
		config_free(&config);
		return code;
	}
	*out = config;
	return EXIT_OK;
}

static const char *read_advice(int err)
{
	switch (-err) {
	case ENOENT:
		return "; write one, see coronet.conf(5), or name another file with -c";
	case EACCES:
		return "; the user that runs the daemon needs to read it";
	case EFBIG:
		return "; a configuration has at most 1 MiB";
	default:
		return "";
	}
}

/* The rest, which needs the host: other files, name servers, interfaces. */
static int complete(struct config *config, const struct config_source *source,
		    struct messages *messages)
{
	int err = config_read_uidgid_d(config, messages);

	err = err ? err : config_resolve(config, source, messages);
	err = err ? err : config_find_local(config, source, messages);
	return code_of(err);
}

int config_load(const struct config_source *source, struct messages *messages, struct config **out)
{
	struct config *config = NULL;
	char *text = NULL;
	size_t size = 0;
	int code;
	int err = config_file_read(source->path, &text, &size);

	if (err) {
		config_say(messages, LOG_ERR, source->path, 0, "cannot be read: %s%s",
			   strerror(-err), read_advice(err));
		return EXIT_CONFIG;
	}
	code = config_parse(source->path, text, size, messages, &config);
	free(text);
	code = code ? code : complete(config, source, messages);
	if (code) {
		config_free(&config);
		return code;
	}
	*out = config;
	return EXIT_OK;
}

void config_free(struct config **config)
{
	free(*config);
	*config = NULL;
}

const struct config_node *config_local(const struct config *config)
{
	return &config->nodes[config->local];
}

const struct config_node *config_node(const struct config *config, uint32_t id)
{
	for (uint32_t i = 0; i < config->node_count; i++) {
		if (config->nodes[i].id == id) {
			return &config->nodes[i];
		}
	}
	return NULL;
}

const char *config_poll_name(enum config_poll poll)
{
	switch (poll) {
	case CONFIG_POLL_EVENT:
		return "event";
	case CONFIG_POLL_ADAPTIVE:
		return "adaptive";
	case CONFIG_POLL_BUSY:
		return "busy";
	}
	return "?";
}

const char *config_dissemination_name(enum config_dissemination dissemination)
{
	switch (dissemination) {
	case CONFIG_DISSEMINATION_DIRECT:
		return "direct";
	case CONFIG_DISSEMINATION_CHAIN:
		return "chain";
	case CONFIG_DISSEMINATION_AUTO:
		return "auto";
	}
	return "?";
}

const char *config_transport_name(enum config_transport transport)
{
	switch (transport) {
	case CONFIG_TRANSPORT_AUTO:
		return "auto";
	case CONFIG_TRANSPORT_RDMA:
		return "rdma";
	case CONFIG_TRANSPORT_SHM:
		return "shm";
	}
	return "?";
}
