/* SPDX-License-Identifier: BSD-3-Clause */
/* The lines of a configuration file; see text.h. */
#include "config/text.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

struct span {
	const char *at;
	size_t size;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* A no-break space comes as byte A0, or as C2 A0 in UTF-8. The last byte of another UTF-8 letter may be A0 too. */
static size_t no_break_space_before(struct span span)
{
	unsigned char before = span.size > 1 ? (unsigned char)span.at[span.size - 2] : 0;

	if (span.size == 0 || (unsigned char)span.at[span.size - 1] != 0xa0) {
		return 0;
	}
	if (before == 0xc2) {
		return 2;
	}
	return before < 0x80 ? 1 : 0;
}

static size_t no_break_space_after(struct span span)
{
	if (span.size > 0 && (unsigned char)span.at[0] == 0xa0) {
		return 1;
	}
	return span.size > 1 && (unsigned char)span.at[0] == 0xc2 &&
			       (unsigned char)span.at[1] == 0xa0
		       ? 2
		       : 0;
}

static struct span trim(struct span span)
{
	size_t blanks;

	while (span.size > 0) {
		blanks = is_blank(span.at[0]) ? 1 : no_break_space_after(span);
		if (blanks == 0) {
			break;
		}
		span.at += blanks;
		span.size -= blanks;
	}
	while (span.size > 0) {
		blanks = is_blank(span.at[span.size - 1]) ? 1 : no_break_space_before(span);
		if (blanks == 0) {
			break;
		}
		span.size -= blanks;
	}
	return span;
}

static void copy(char out[CONFIG_LINE_MAX + 1], struct span span)
{
	memcpy(out, span.at, span.size);
	out[span.size] = '\0';
}

/* Letters, digits and ._-/: as corosync's map of keys wants them. */
static bool name_valid(struct span name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789._-/:";

	for (size_t i = 0; i < name.size; i++) {
		if (!memchr(allowed, name.at[i], sizeof(allowed) - 1)) {
			return false;
		}
	}
	return name.size > 0 && name.size <= CONFIG_PATH_MAX;
}

static const char *section_open(struct span line, size_t brace, struct config_item *item)
{
	struct span name = trim((struct span){line.at, brace});

	if (brace != line.size - 1) {
		return "text after the opening brace: what is in the section begins on the next line";
	}
	if (name.size > 0 && name.at[name.size - 1] == ':') {
		name = trim((struct span){name.at, name.size - 1});
	}
	if (name.size == 0) {
		return "a section without a name: write \"name {\"";
	}
	if (!name_valid(name)) {
		return "not a section's name: only letters, digits and ._-/: are allowed";
	}
	item->kind = CONFIG_OPEN;
	copy(item->name, name);
	item->value[0] = '\0';
	return NULL;
}

static const char *key_value(struct span line, size_t colon, struct config_item *item)
{
	struct span name = trim((struct span){line.at, colon});
	struct span value = trim((struct span){line.at + colon + 1, line.size - colon - 1});

	if (name.size == 0) {
		return "a value without a key: write \"key: value\"";
	}
	if (!name_valid(name)) {
		return "not a key: only letters, digits and ._-/: are allowed";
	}
	item->kind = CONFIG_KEY;
	copy(item->name, name);
	copy(item->value, value);
	return NULL;
}

/* Braces count before colons: a value cannot contain an opening brace. */
static const char *parse_line(struct span line, struct config_item *item)
{
	const char *brace = memchr(line.at, '{', line.size);
	const char *colon = memchr(line.at, ':', line.size);

	if (brace) {
		return section_open(line, (size_t)(brace - line.at), item);
	}
	if (colon) {
		return key_value(line, (size_t)(colon - line.at), item);
	}
	if (line.size == 1 && line.at[0] == '}') {
		item->kind = CONFIG_CLOSE;
		item->name[0] = item->value[0] = '\0';
		return NULL;
	}
	if (memchr(line.at, '}', line.size)) {
		return "text next to the closing brace, which must stand alone on its line";
	}
	return "neither \"key: value\" nor \"section {\" nor \"}\"";
}

static struct span take_line(struct config_text *text)
{
	const char *end = memchr(text->text, '\n', text->left);
	struct span line = {text->text, end ? (size_t)(end - text->text) : text->left};
	size_t used = end ? line.size + 1 : line.size;

	text->text += used;
	text->left -= used;
	text->line++;
	if (line.size > 0 && line.at[line.size - 1] == '\r') {
		line.size--;
	}
	return line;
}

int config_text_next(struct config_text *text, struct config_item *item, const char **why)
{
	while (text->left > 0) {
		struct span line = take_line(text);

		*why = NULL;
		if (line.size > CONFIG_LINE_MAX) {
			*why = "the line is too long: 510 characters are allowed";
		} else if (memchr(line.at, '\0', line.size)) {
			*why = "a byte with value 0: this is not a text file";
		}
		if (*why) {
			return -EINVAL;
		}
		line = trim(line);
		if (line.size == 0 || line.at[0] == '#') {
			continue;
		}
		item->line = text->line;
		*why = parse_line(line, item);
		return *why ? -EINVAL : 1;
	}
	return 0;
}
