/* SPDX-License-Identifier: BSD-3-Clause */
/* Invariants that are checked in every build: a daemon that has lost track of its state must not
 * order messages. */
#ifndef CORONET_BASE_CHECK_H
#define CORONET_BASE_CHECK_H

/* Says where and what on stderr, then aborts. */
_Noreturn void check_failed(const char *file, int line, const char *what);

#define check(condition)                                              \
	do {                                                          \
		if (__builtin_expect(!(condition), 0)) {              \
			check_failed(__FILE__, __LINE__, #condition); \
		}                                                     \
	} while (0)

#endif
