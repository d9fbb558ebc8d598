/* SPDX-License-Identifier: BSD-3-Clause */
/* See json.h. */
#include "daemon/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_ROOM_FIRST 4096

static void put(struct json *json, const char *bytes, size_t size)
{
	size_t room = json->room ? json->room : JSON_ROOM_FIRST;
	char *text;

	while (room - json->size <= size) {
		room *= 2;
	}
	if (room != json->room) {
		text = realloc(json->text, room);
		if (!text) {
			json->failed = true;
			return;
		}
		json->text = text;
		json->room = room;
	}
	memcpy(json->text + json->size, bytes, size);
	json->size += size;
	json->text[json->size] = '\0';
}

static void put_text(struct json *json, const char *text)
{
	put(json, text, strlen(text));
}

static size_t utf8_size_by_first(unsigned char first)
{
	if (first >= 0xc2 && first <= 0xdf) {
		return 2;
	}
	if ((first & 0xf0) == 0xe0) {
		return 3;
	}
	return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

/* Sequences that could be written shorter, surrogates, and what is above U+10FFFF (RFC 3629, section 4). */
static bool utf8_forbidden(unsigned char first, unsigned char second)
{
	return (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
	       (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f);
}

/* Length of the UTF-8 sequence of more than one byte that begins here, or 0. */
static size_t utf8_size(const char *text)
{
	size_t size = utf8_size_by_first((unsigned char)text[0]);

	for (size_t i = 1; i < size; i++) {
		if (((unsigned char)text[i] & 0xc0) != 0x80) {
			return 0;
		}
	}
	return size > 0 && utf8_forbidden((unsigned char)text[0], (unsigned char)text[1]) ? 0
											  : size;
}

/* What is no UTF-8 is taken as Latin-1: whatever a name holds, the result is valid. */
static void put_quoted(struct json *json, const char *value)
{
	char escape[8];
	size_t size;

	put_text(json, "\"");
	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;

		size = utf8_size(value);
		if (size > 0) {
			put(json, value, size);
			value += size - 1;
		} else if (c == '"' || c == '\\') {
			put(json, "\\", 1);
			put(json, value, 1);
		} else if (c < ' ' || c > '~') {
			snprintf(escape, sizeof(escape), "\\u%04x", c);
			put_text(json, escape);
		} else {
			put(json, value, 1);
		}
	}
	put_text(json, "\"");
}

static void begin(struct json *json, const char *name)
{
	if (json->comma) {
		put_text(json, ",");
	}
	json->comma = true;
	if (name) {
		put_quoted(json, name);
		put_text(json, ":");
	}
}

void json_open(struct json *json, const char *name, char bracket)
{
	begin(json, name);
	put(json, &bracket, 1);
	json->comma = false;
}

void json_close(struct json *json, char bracket)
{
	put(json, &bracket, 1);
	json->comma = true;
}

void json_text(struct json *json, const char *name, const char *value)
{
	begin(json, name);
	put_quoted(json, value);
}

void json_bytes(struct json *json, const char *name, const char *bytes, size_t size)
{
	char escape[8];

	begin(json, name);
	put_text(json, "\"");
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)bytes[i];

		snprintf(escape, sizeof(escape),
			 c < ' ' || c > '~' || c == '"' || c == '\\' ? "\\u%04x" : "%c", c);
		put_text(json, escape);
	}
	put_text(json, "\"");
}

void json_number(struct json *json, const char *name, uint64_t value)
{
	char digits[24];

	begin(json, name);
	snprintf(digits, sizeof(digits), "%" PRIu64, value);
	put_text(json, digits);
}

void json_bool(struct json *json, const char *name, bool value)
{
	begin(json, name);
	put_text(json, value ? "true" : "false");
}

char *json_take(struct json *json)
{
	char *text = json->text;

	if (json->failed) {
		free(text);
		text = NULL;
	}
	*json = (struct json){0};
	return text;
}
