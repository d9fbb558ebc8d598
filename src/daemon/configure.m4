# SPDX-License-Identifier: BSD-3-Clause
# Probes libseccomp, and whether its filter can be in this build: --with-seccomp=yes fails without, auto says why.
build_seccomp=no
AS_CASE([$with_seccomp],
	[no], [why_seccomp="switched off by --without-seccomp"],
	[yes|auto], [
		# The sanitizers' runtimes make system calls of their own, some only when they have found something.
		coronet_saved_CFLAGS=$CFLAGS
		CFLAGS="$CFLAGS $SAN_CFLAGS"
		AC_MSG_CHECKING([whether a filter of system calls suits this build])
		AC_COMPILE_IFELSE([AC_LANG_SOURCE([[
			#ifndef __has_feature
			#define __has_feature(name) 0
			#endif
			#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
				__has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
				__has_feature(memory_sanitizer) || __has_feature(undefined_behavior_sanitizer)
			#error the sanitizers make system calls of their own
			#endif
			int here;
		]])], [coronet_seccomp_suits=yes], [coronet_seccomp_suits=no])
		CFLAGS=$coronet_saved_CFLAGS
		AS_IF([test "x$enable_sanitizers" != xno], [coronet_seccomp_suits=no])
		AC_MSG_RESULT([$coronet_seccomp_suits])
		AS_IF([test "x$coronet_seccomp_suits" = xno],
			[why_seccomp="left out: the sanitizers make system calls of their own"],
			[PKG_CHECK_MODULES([SECCOMP], [libseccomp >= 2.5.0],
				[build_seccomp=yes; why_seccomp="libseccomp $($PKG_CONFIG --modversion libseccomp)"],
				[why_seccomp="libseccomp 2.5 or newer not found (Debian: libseccomp-dev)"])])
		AS_IF([test "x$with_seccomp$build_seccomp" = xyesno],
			[AC_MSG_ERROR([--with-seccomp=yes: $why_seccomp])])
	],
	[AC_MSG_ERROR([--with-seccomp takes yes, no or auto, not "$with_seccomp"])])
AM_CONDITIONAL([BUILD_SECCOMP], [test "x$build_seccomp" = xyes])
