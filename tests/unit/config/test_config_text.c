/* SPDX-License-Identifier: BSD-3-Clause */
/* The grammar: what is a section, a key, a comment, and what is refused with which words. */
#include "config/text.h"

#include <errno.h>

#include "config_fixture.h"

/* Items as one line of text: "a{" "b=c" "}", or "!reason". */
static void items(const char *text, size_t size, char *out, size_t room)
{
	struct config_text lines = {.text = text, .left = size};
	struct config_item item;
	const char *why = NULL;
	size_t used = 0;
	int more;

	out[0] = '\0';
	while ((more = config_text_next(&lines, &item, &why)) == 1) {
		const char *space = used ? " " : "";

		switch (item.kind) {
		case CONFIG_OPEN:
			used += (size_t)snprintf(out + used, room - used, "%s%s{", space,
						 item.name);
			break;
		case CONFIG_CLOSE:
			used += (size_t)snprintf(out + used, room - used, "%s}", space);
			break;
		case CONFIG_KEY:
			used += (size_t)snprintf(out + used, room - used, "%s%s=%s", space,
						 item.name, item.value);
			break;
		}
	}
	if (more < 0) {
		assert_int_equal(more, -EINVAL);
		snprintf(out + used, room - used, "%s!%u: %s", used ? " " : "", lines.line, why);
	}
}

static void assert_items(const char *text, const char *expected)
{
	char out[2048];

	items(text, strlen(text), out, sizeof(out));
	assert_string_equal(out, expected);
}

static void config_text_next__reads_sections_and_keys(void **state)
{
	(void)state;
	assert_items("totem {\n\tversion: 2\n}\n", "totem{ version=2 }");
	assert_items("totem{\nversion:2\n}", "totem{ version=2 }");
	assert_items("totem: {\n}\n", "totem{ }");
	assert_items("a {\nb {\nc: d\n}\n}\n", "a{ b{ c=d } }");
	assert_items("", "");
	assert_items("\n\n  \n", "");
}

static void config_text_next__first_colon_divides(void **state)
{
	(void)state;
	assert_items("addr: fe80::1\n", "addr=fe80::1");
	assert_items("key : value of  words \n", "key=value of  words");
	assert_items("empty:\n", "empty=");
	assert_items("half: }\n", "half=}");
}

static void config_text_next__hash_is_comment_only_first(void **state)
{
	(void)state;
	assert_items("# all: of {it\n   # and: this\na: b # c\n", "a=b # c");
}

static void config_text_next__trims_blanks_and_crlf(void **state)
{
	(void)state;
	assert_items(" \ttotem {\r\n \tversion: 2 \t\r\n}\r\n", "totem{ version=2 }");
	/* No-break spaces: one byte as in Latin-1, two as in UTF-8; but not the end of another letter. */
	assert_items("\xa0"
		     "a: b\xa0\n",
		     "a=b");
	assert_items("\xc2\xa0"
		     "a:\xc2\xa0"
		     "b\xc2\xa0\n",
		     "a=b");
	assert_items("a: voil\xc3\xa0\n", "a=voil\xc3\xa0");
}

static void config_text_next__refuses_malformed_lines(void **state)
{
	(void)state;
	assert_items(
		"a {\nb {c\n",
		"a{ !2: text after the opening brace: what is in the section begins on the next "
		"line");
	assert_items("a: {b}\n",
		     "!1: text after the opening brace: what is in the section begins on "
		     "the next line");
	assert_items("{\n", "!1: a section without a name: write \"name {\"");
	assert_items(": {\n", "!1: a section without a name: write \"name {\"");
	assert_items("a b {\n",
		     "!1: not a section's name: only letters, digits and ._-/: are allowed");
	assert_items("} x\n",
		     "!1: text next to the closing brace, which must stand alone on its line");
	assert_items("word\n", "!1: neither \"key: value\" nor \"section {\" nor \"}\"");
	assert_items(": v\n", "!1: a value without a key: write \"key: value\"");
	assert_items("k y: v\n", "!1: not a key: only letters, digits and ._-/: are allowed");
	assert_items("k\xc3\xa4y: v\n",
		     "!1: not a key: only letters, digits and ._-/: are allowed");
}

static void config_text_next__limits_lines(void **state)
{
	char text[CONFIG_LINE_MAX + 16];
	char out[CONFIG_LINE_MAX + 64];

	(void)state;
	memset(text, 'v', sizeof(text));
	memcpy(text, "k: ", 3);
	items(text, CONFIG_LINE_MAX, out, sizeof(out));
	assert_int_equal(strlen(out), CONFIG_LINE_MAX - 1);
	items(text, CONFIG_LINE_MAX + 1, out, sizeof(out));
	assert_string_equal(out, "!1: the line is too long: 510 characters are allowed");
	/* The carriage return of a CRLF file is not part of the line. */
	memcpy(text + CONFIG_LINE_MAX, "\r\n", 2);
	items(text, CONFIG_LINE_MAX + 2, out, sizeof(out));
	assert_int_equal(out[0], 'k');
}

static void config_text_next__refuses_binary(void **state)
{
	char out[128];

	(void)state;
	items("a: b\nc\0d: e\n", 12, out, sizeof(out));
	assert_string_equal(out, "a=b !2: a byte with value 0: this is not a text file");
}

static void config_text_next__counts_lines(void **state)
{
	struct config_text lines = {.text = "\n# x\n\na: b\n", .left = 11};
	struct config_item item;
	const char *why;

	(void)state;
	assert_int_equal(config_text_next(&lines, &item, &why), 1);
	assert_int_equal(item.line, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(config_text_next__reads_sections_and_keys),
		cmocka_unit_test(config_text_next__first_colon_divides),
		cmocka_unit_test(config_text_next__hash_is_comment_only_first),
		cmocka_unit_test(config_text_next__trims_blanks_and_crlf),
		cmocka_unit_test(config_text_next__refuses_malformed_lines),
		cmocka_unit_test(config_text_next__limits_lines),
		cmocka_unit_test(config_text_next__refuses_binary),
		cmocka_unit_test(config_text_next__counts_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
