/* SPDX-License-Identifier: BSD-3-Clause */
/* Invariants that are checked in every build: a daemon that has lost track of its state must not
 * order messages. */
#ifndef CORONET_BASE_CHECK_H
#define CORONET_BASE_CHECK_H

/* Who is told as well, besides stderr; NULL, as at first: nobody. */
void check_tell_also(void (*tell)(const char *text));

/* Says where and what, then aborts. */
_Noreturn void check_failed(const char *file, int line, const char *what);

#define check(condition)                                              \
	do {                                                          \
		if (__builtin_expect(!(condition), 0)) {              \
			check_failed(__FILE__, __LINE__, #condition); \
		}                                                     \
	} while (0)

#endif
