/* SPDX-License-Identifier: BSD-3-Clause */
/* What somebody who mistyped a name may have meant. */
#include "config/config_int.h"

#include <stdio.h>
#include <string.h>

#define HINT_WORD_MAX 48
#define HINT_WORDS    160

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Letters to insert, delete or replace (Levenshtein); one row of the table at a time. */
static unsigned int edit_distance(const char *a, const char *b)
{
	size_t size = strlen(b);
	unsigned int row[HINT_WORD_MAX + 1];

	for (size_t j = 0; j <= size; j++) {
		row[j] = (unsigned int)j;
	}
	for (size_t i = 1; a[i - 1]; i++) {
		unsigned int diagonal = row[0];

		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= size; j++) {
			unsigned int replaced = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			row[j] = least(replaced, least(row[j], row[j - 1]) + 1);
		}
	}
	return row[size];
}

const char *config_nearest(const char *wrong, const char *const *words, size_t count)
{
	const char *nearest = NULL;
	/* Two slips in a word of six letters or more, one in shorter ones. */
	unsigned int best = strlen(wrong) < 6 ? 2 : 3;

	if (strlen(wrong) > HINT_WORD_MAX) {
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		unsigned int distance =
			strlen(words[i]) > HINT_WORD_MAX ? best : edit_distance(wrong, words[i]);

		if (distance < best) {
			best = distance;
			nearest = words[i];
		}
	}
	return nearest;
}

static bool hint_other_section(const char *name, char *hint, size_t size)
{
	for (const struct config_section *section = config_sections; section->path; section++) {
		if (section->keys && config_key_find(section, name)) {
			snprintf(hint, size, " (it belongs into the section %s)", section->path);
			return true;
		}
	}
	return false;
}

void config_hint_key(const struct config_section *section, const char *name, char *hint,
		     size_t size)
{
	const char *words[HINT_WORDS];
	const char *nearest;
	size_t count = 0;

	hint[0] = '\0';
	for (const struct config_key *key = section ? section->keys : NULL;
	     key && key->name && count < HINT_WORDS; key++) {
		words[count++] = key->name;
	}
	nearest = config_nearest(name, words, count);
	if (nearest) {
		snprintf(hint, size, " (do you mean %s?)", nearest);
	} else if (!hint_other_section(name, hint, size) && section == NULL &&
		   config_section_find(name)) {
		snprintf(hint, size, " (a section is opened by \"%s {\")", name);
	}
}

void config_hint_section(const char *path, char *hint, size_t size)
{
	const char *words[HINT_WORDS];
	const char *nearest;
	size_t count = 0;

	hint[0] = '\0';
	for (const struct config_section *section = config_sections;
	     section->path && count < HINT_WORDS; section++) {
		words[count++] = section->path;
	}
	nearest = config_nearest(path, words, count);
	if (nearest) {
		snprintf(hint, size, " (do you mean %s?)", nearest);
	}
}
