/* SPDX-License-Identifier: BSD-3-Clause */
/* Bounds-checked little-endian reading and writing: the only pointer arithmetic on bytes from
 * outside. A cursor that ran past its end stays failed and reads zeros; check `cursor_ok` once at
 * the end. */
#ifndef CORONET_BASE_CURSOR_H
#define CORONET_BASE_CURSOR_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cursor {
	const uint8_t *at;
	size_t left;
	bool failed;
};

struct writer {
	uint8_t *at;
	size_t left;
	size_t used;
	bool failed;
};

static inline struct cursor cursor_of(const void *bytes, size_t size)
{
	return (struct cursor){.at = (const uint8_t *)bytes, .left = size};
}

static inline bool cursor_ok(const struct cursor *c)
{
	return !c->failed;
}

/* The next `size` bytes, or NULL when there are not as many. */
static inline const uint8_t *cursor_bytes(struct cursor *c, size_t size)
{
	const uint8_t *here = c->at;

	if (c->failed || size > c->left) {
		c->failed = true;
		return NULL;
	}
	c->at += size;
	c->left -= size;
	return here;
}

static inline uint8_t cursor_u8(struct cursor *c)
{
	const uint8_t *p = cursor_bytes(c, 1);

	return p ? *p : 0;
}

static inline uint16_t cursor_u16(struct cursor *c)
{
	uint16_t v = 0;
	const uint8_t *p = cursor_bytes(c, sizeof(v));

	if (p) {
		memcpy(&v, p, sizeof(v));
	}
	return le16toh(v);
}

static inline uint32_t cursor_u32(struct cursor *c)
{
	uint32_t v = 0;
	const uint8_t *p = cursor_bytes(c, sizeof(v));

	if (p) {
		memcpy(&v, p, sizeof(v));
	}
	return le32toh(v);
}

static inline uint64_t cursor_u64(struct cursor *c)
{
	uint64_t v = 0;
	const uint8_t *p = cursor_bytes(c, sizeof(v));

	if (p) {
		memcpy(&v, p, sizeof(v));
	}
	return le64toh(v);
}

static inline struct writer writer_of(void *bytes, size_t size)
{
	return (struct writer){.at = (uint8_t *)bytes, .left = size};
}

static inline bool writer_ok(const struct writer *w)
{
	return !w->failed;
}

static inline void writer_bytes(struct writer *w, const void *bytes, size_t size)
{
	if (w->failed || size > w->left) {
		w->failed = true;
		return;
	}
	if (size > 0) {
		memcpy(w->at, bytes, size);
	}
	w->at += size;
	w->left -= size;
	w->used += size;
}

static inline void writer_u8(struct writer *w, uint8_t v)
{
	writer_bytes(w, &v, sizeof(v));
}

static inline void writer_u16(struct writer *w, uint16_t v)
{
	v = htole16(v);
	writer_bytes(w, &v, sizeof(v));
}

static inline void writer_u32(struct writer *w, uint32_t v)
{
	v = htole32(v);
	writer_bytes(w, &v, sizeof(v));
}

static inline void writer_u64(struct writer *w, uint64_t v)
{
	v = htole64(v);
	writer_bytes(w, &v, sizeof(v));
}

#endif
