# SPDX-License-Identifier: BSD-3-Clause
# Probes libibverbs and librdmacm: --with-verbs=yes fails without them, auto says what is missing.
build_verbs=no
AS_CASE([$with_verbs],
	[no], [why_verbs="switched off by --without-verbs"],
	[yes|auto], [
		PKG_CHECK_MODULES([VERBS], [libibverbs librdmacm], [build_verbs=yes], [
			why_verbs="libibverbs and librdmacm not found (Debian: libibverbs-dev librdmacm-dev)"])
		AS_IF([test "x$build_verbs" = xyes], [
			coronet_saved_CPPFLAGS=$CPPFLAGS
			CPPFLAGS="$CPPFLAGS $VERBS_CFLAGS"
			AC_CHECK_HEADERS([infiniband/verbs.h rdma/rdma_cma.h], [], [build_verbs=no])
			CPPFLAGS=$coronet_saved_CPPFLAGS
			AS_IF([test "x$build_verbs" = xyes],
				[why_verbs="libibverbs $($PKG_CONFIG --modversion libibverbs), librdmacm $($PKG_CONFIG --modversion librdmacm)"],
				[why_verbs="libibverbs is there, its headers do not compile; see config.log"])
		])
		AS_IF([test "x$with_verbs$build_verbs" = xyesno],
			[AC_MSG_ERROR([--with-verbs=yes: $why_verbs])])
	],
	[AC_MSG_ERROR([--with-verbs takes yes, no or auto, not "$with_verbs"])])
AC_SUBST([build_verbs])
AM_CONDITIONAL([BUILD_VERBS], [test "x$build_verbs" = xyes])
AS_IF([test "x$build_verbs" = xyes],
	[AC_DEFINE([HAVE_VERBS], [1], [Define to 1 if the verbs transport is built.])])
