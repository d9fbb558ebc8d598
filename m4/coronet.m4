# SPDX-License-Identifier: BSD-3-Clause
# Local autoconf macros: flags kept only when the tool accepts them, and the summary's lines.

# CORONET_CFLAG(VARIABLE, FLAG): append FLAG to VARIABLE if the compiler takes it without a warning.
AC_DEFUN([CORONET_CFLAG], [
	AS_VAR_PUSHDEF([cache], [coronet_cv_cflag_$2])
	AC_CACHE_CHECK([whether $CC accepts $2], [cache], [
		coronet_saved_CFLAGS=$CFLAGS
		CFLAGS="$CFLAGS -Werror $2"
		AC_COMPILE_IFELSE([AC_LANG_PROGRAM()],
			[AS_VAR_SET([cache], [yes])], [AS_VAR_SET([cache], [no])])
		CFLAGS=$coronet_saved_CFLAGS
	])
	AS_VAR_IF([cache], [yes], [AS_VAR_APPEND([$1], [" $2"])])
	AS_VAR_POPDEF([cache])
])

# CORONET_LDFLAG(VARIABLE, FLAG): the same for the linker.
AC_DEFUN([CORONET_LDFLAG], [
	AS_VAR_PUSHDEF([cache], [coronet_cv_ldflag_$2])
	AC_CACHE_CHECK([whether the linker accepts $2], [cache], [
		coronet_saved_CFLAGS=$CFLAGS
		coronet_saved_LDFLAGS=$LDFLAGS
		CFLAGS="$CFLAGS -fPIE -Werror"
		LDFLAGS="$LDFLAGS $2"
		AC_LINK_IFELSE([AC_LANG_PROGRAM()],
			[AS_VAR_SET([cache], [yes])], [AS_VAR_SET([cache], [no])])
		CFLAGS=$coronet_saved_CFLAGS
		LDFLAGS=$coronet_saved_LDFLAGS
	])
	AS_VAR_IF([cache], [yes], [AS_VAR_APPEND([$1], [" $2"])])
	AS_VAR_POPDEF([cache])
])

# CORONET_SUMMARY(NAME, STATE, WHY): one line of the closing summary.
AC_DEFUN([CORONET_SUMMARY], [
	printf '  %-12s %-4s %s\n' "$1" "$2" "$3"
])
