# SPDX-License-Identifier: BSD-3-Clause
# Probes libipsec-mb, which seals with the widest instructions that a processor has; OpenSSL does it otherwise.
# --with-ipsec-mb=yes fails without, auto says why. It comes without a .pc file.
build_ipsec_mb=no
IPSEC_MB_LIBS=
AS_CASE([$with_ipsec_mb],
	[no], [why_ipsec_mb="switched off by --without-ipsec-mb"],
	[yes|auto], [
		coronet_saved_LIBS=$LIBS
		LIBS="-lIPSec_MB $LIBS"
		AC_MSG_CHECKING([for libipsec-mb 1.0 or newer])
		AC_LINK_IFELSE([AC_LANG_PROGRAM([[
			#include <intel-ipsec-mb.h>
			#if IMB_VERSION_NUM < IMB_VERSION(1, 0, 0)
			#error too old
			#endif
		]], [[
			IMB_MGR *mb = alloc_mb_mgr(0);
			return imb_get_errno(mb);
		]])], [build_ipsec_mb=yes; why_ipsec_mb="libipsec-mb: faster sealing"; IPSEC_MB_LIBS=-lIPSec_MB],
			[why_ipsec_mb="libipsec-mb 1.0 or newer not found (Debian, amd64: libipsec-mb-dev)"])
		AC_MSG_RESULT([$build_ipsec_mb])
		LIBS=$coronet_saved_LIBS
		AS_IF([test "x$with_ipsec_mb$build_ipsec_mb" = xyesno],
			[AC_MSG_ERROR([--with-ipsec-mb=yes: $why_ipsec_mb])])
	],
	[AC_MSG_ERROR([--with-ipsec-mb takes yes, no or auto, not "$with_ipsec_mb"])])
AC_SUBST([IPSEC_MB_LIBS])
AM_CONDITIONAL([BUILD_IPSEC_MB], [test "x$build_ipsec_mb" = xyes])
