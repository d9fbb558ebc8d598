#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The lint scripts find what they are there to find: on a small clean tree each is content, then one fault at a
# time is planted and the right script must name it.
set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

: "${CC:=cc}"
tree=$work/tree
planted=0
map=$root/src/lib/libcpg.map

# clean_tree: a tree of one room and one test that no script has anything to say about.
clean_tree()
{
	rm -rf "$tree"
	mkdir -p "$tree/src/totem" "$tree/src/base" "$tree/src/lib" "$tree/transport/verbs" "$tree/transport/shm" \
		"$tree/include/corosync" "$tree/docs" "$tree/tests/lint"
	cp "$root/docs/LAYERS" "$tree/docs/LAYERS"
	cp "$root/.clang-format" "$tree/.clang-format"
	put src/base/seq.h <<'END'
/* SPDX-License-Identifier: BSD-3-Clause */
/* Serial numbers. */
#ifndef CORONET_BASE_SEQ_H
#define CORONET_BASE_SEQ_H

#include <stdint.h>

int seq_compare(uint32_t a, uint32_t b);

#endif
END
	put src/totem/aru.c <<'END'
/* SPDX-License-Identifier: BSD-3-Clause */
/* The all-received-up-to rule; "strcpy(a, b)" in a comment or a string is no call. */
#include "totem/aru.h"

#include <stdlib.h>

#include "base/seq.h"

void *aru_new(void)
{
	return malloc(1);
}

const char *aru_name(struct aru *aru)
{
	if (aru->time(1)) {
		goto out;
	}
out:
	return "strcpy(time, \"\\\")";
}
END
	put src/totem/aru.h <<'END'
/* SPDX-License-Identifier: BSD-3-Clause */
/* The all-received-up-to rule. */
#ifndef CORONET_TOTEM_ARU_H
#define CORONET_TOTEM_ARU_H

struct aru {
	int (*time)(int now_ms);
};

void *aru_new(void);
const char *aru_name(struct aru *aru);

#endif
END
	put include/corosync/cpg.h <<'END'
/* SPDX-License-Identifier: BSD-3-Clause */
/* The interface. */
#ifndef COROSYNC_CPG_H
#define COROSYNC_CPG_H
int cpg_join(void);
#endif
END
	put transport/verbs/verbs_int.h <<'END'
/* SPDX-License-Identifier: BSD-3-Clause */
/* Private to the verbs room. */
struct verbs;
END
	put tests/lint/some.sh <<'END'
#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
echo hello
END
}

# put FILE: write stdin there.
put()
{
	cat >"$tree/$1"
}

run_lint()
{
	LINT_ROOT=$tree "$here/$1.sh" >"$work/output" 2>&1
}

# expect SCRIPT TEXT: the script fails and says TEXT; then the tree is made clean again.
expect()
{
	planted=$((planted + 1))
	run_lint "$1"
	status=$?
	if [ $status -ne 77 ]; then
		[ $status -eq 1 ] || complain "$1.sh: status $status where it should find: $2"
		grep -qF -- "$2" "$work/output" || complain "$1.sh: did not say: $2
$(cat "$work/output")"
	fi
	clean_tree
}

# append FILE TEXT: one more line.
append()
{
	printf '%s\n' "$2" >>"$tree/$1"
}

# edit FILE SED: change it.
edit()
{
	sed -i "$2" "$tree/$1"
}

clean_tree
for script in includes sizes format headers banned shell text; do
	run_lint $script
	status=$?
	[ $status -eq 0 ] || [ $status -eq 77 ] || complain "$script.sh: complains about the clean tree:
$(cat "$work/output")"
done

# includes
edit src/totem/aru.c 's,"base/seq.h","transport.h",'
put transport/transport.h <"$tree/src/base/seq.h"
expect includes 'src/totem may not include transport/transport.h'
edit src/totem/aru.c 's,<stdlib.h>,<time.h>,'
expect includes 'src/totem may not include <time.h>'
edit src/totem/aru.c 's,<stdlib.h>,<sys/socket.h>,'
expect includes 'src/totem may not include <sys/socket.h>'
edit src/totem/aru.c 's,"base/seq.h","string.h",'
expect includes '"string.h" names no file of this tree'
edit src/totem/aru.c 's,"totem/aru.h",<stddef.h>,'
expect includes 'the first include must be its own header src/totem/aru.h'
edit src/base/seq.h 's,<stdint.h>,"totem/aru.h",'
expect includes 'src/base may not include src/totem/aru.h'
edit include/corosync/cpg.h '5i#include "base/seq.h"'
expect includes 'include/corosync may not include src/base/seq.h'
put transport/shm/shm.h <<'END'
#include <infiniband/verbs.h>
END
expect includes 'transport/shm may not include <infiniband/verbs.h>'
put src/lib/handle.h <<'END'
#include "verbs/verbs_int.h"
END
expect includes 'transport/verbs/verbs_int.h is private to transport/verbs'
mkdir "$tree/src/cellar"
put src/cellar/wine.h <<'END'
#include "base/seq.h"
END
expect includes 'no row of docs/LAYERS fits this file'

# sizes
{
	echo 'int aru_long(void)'
	echo '{'
	for _ in 1 2 3 4 5 6 7; do
		for _ in 1 2 3 4 5 6 7 8 9 10; do
			echo '	aru_new();'
		done
	done
	echo '}'
} >>"$tree/src/totem/aru.c"
expect sizes 'aru_long has 73 lines'
for _ in 1 2 3 4 5 6 7; do
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		printf '\n\n\n\n\n\n\n\n\n\n'
	done
done >>"$tree/src/totem/aru.c"
expect sizes 'src/totem/aru.c: 721 lines, 700 are allowed'
for _ in 1 2 3 4 5; do
	for _ in 1 2 3 4 5; do
		printf '\n\n\n\n\n\n\n\n\n\n'
	done
done >>"$tree/src/totem/aru.h"
expect sizes 'src/totem/aru.h: 263 lines, 250 are allowed'
put src/base/deep.c <<'END'
int deep(int a)
{
	if (a) {
		while (a) {
			if (a) {
				while (a) {
					if (a) {
						a--;
					}
				}
			}
		}
	}
	return a;
}
END
expect sizes 'deep nests 5 blocks'
put src/base/back.c <<'END'
int back(int a)
{
again:
	if (a--) {
		goto again;
	}
	return a;
}
END
expect sizes 'src/base/back.c:5: goto again jumps back'

# format
edit src/totem/aru.c 's/malloc(1)/malloc( 1 )/'
expect format 'src/totem/aru.c: 2 lines differ'

# headers
edit src/base/seq.h '/stdint/d'
expect headers 'src/base/seq.h: does not compile alone'
# shellcheck disable=SC2016 # the dollar is sed's
edit src/base/seq.h '/CORONET_BASE_SEQ_H/d; $d; s/^int.*/struct seq { int a; };/'
expect headers 'src/base/seq.h: does not compile alone'
edit include/corosync/cpg.h 's/cpg_join(void)/cpg_join(int class)/'
if command -v c++ >/dev/null 2>&1; then
	expect headers 'include/corosync/cpg.h: does not compile alone with c++'
fi
clean_tree

# banned
for call in strcpy sprintf strcat gets alloca rand random strtok; do
	append src/base/seq.h "static inline void f(void) { $call(); }"
	expect banned "src/base/seq.h:11: $call(): "
done
append src/lib/get.c 'char *g(void) { return getenv("A"); }'
expect banned 'getenv(): use secure_getenv'
append src/lib/get.c 'void g(void) { fprintf(0, "A"); }'
expect banned 'fprintf(): a library does not speak'
for call in malloc calloc realloc strdup free; do
	edit src/totem/aru.c "s/goto out;/$call(aru);/"
	expect banned "src/totem/aru.c:17: $call(): only in constructors"
done
for call in time clock_gettime printf fprintf socket usleep; do
	edit src/totem/aru.c "s/goto out;/$call(aru);/"
	expect banned "src/totem/aru.c:17: $call(): "
	mkdir "$tree/src/pg"
	append src/pg/x.c "int f(void) { return $call(1); }"
	expect banned "src/pg/x.c:1: $call(): "
done

# shell
# shellcheck disable=SC2016 # the unquoted variable is the fault
append tests/lint/some.sh 'rm -rf $1'
expect shell 'SC2086'

# text
edit src/base/seq.h 1d
expect text 'src/base/seq.h: the first line is not the licence'
edit src/base/seq.h 2d
expect text 'src/base/seq.h: the second line begins no comment'
edit tests/lint/some.sh 2d
expect text 'tests/lint/some.sh: no SPDX-License-Identifier'
append src/base/seq.h '/* TO''DO: think */'
expect text 'src/base/seq.h:11:/* TO''DO: think */ <- a note to self'
append src/base/seq.h '/* FIX''ME */'
expect text 'a note to self'
append src/base/seq.h '/* blank */ '
expect text 'src/base/seq.h:11: blanks at the end of the line'
append docs/LAYERS '<<<<<<< mine'
expect text 'a conflict mark'

printf '[there](LAYERS) [away](https://a.b/c) [gone](gone.md#x)
' >"$tree/docs/a.md"
expect text 'docs/a.md: links to gone.md, which does not exist'

# symbols: two small libraries with the real version scripts stand for the real ones.
# shellcheck disable=SC2086 # CC is a list
build_libraries()
{
	mkdir -p "$work/build/src/.libs"
	$CC -shared -fPIC -Wl,-soname,libcpg.so.4 -Wl,--version-script="$map" \
		-o "$work/build/src/.libs/libcpg.so.4.1.0" "$work/cpg.c" ${1:-} &&
		$CC -shared -fPIC -Wl,-soname,"${2:-libcorosync_common.so.4}" ${3--Wl,--version-script="$root/src/common/libcorosync_common.map"} \
			-o "$work/build/src/.libs/libcorosync_common.so.4.0.0" "$work/common.c"
}

# expect_symbols TEXT: symbols.sh fails and says TEXT; with an empty TEXT it is content.
expect_symbols()
{
	planted=$((planted + 1))
	top_builddir=$work/build "$here/symbols.sh" >"$work/output" 2>&1
	status=$?
	if [ -z "$1" ]; then
		[ $status -eq 0 ] || complain "symbols.sh: complains about clean libraries: $(cat "$work/output")"
	else
		[ $status -eq 1 ] || complain "symbols.sh: status $status where it should say: $1"
		grep -qF -- "$1" "$work/output" || complain "symbols.sh: did not say: $1: $(cat "$work/output")"
	fi
}

sed -n 's/^[ 	]*\([a-z]*_*cpg_[a-z_]*\);.*/int \1(void); int \1(void) { return 1; }/p' "$root/src/lib/libcpg.map" >"$work/cpg.all"
for function in cs_strerror hdb_error_to_cs qb_to_cs_error; do
	echo "int $function(void); int $function(void) { return 1; }"
done >"$work/common.c"
cp "$work/cpg.all" "$work/cpg.c"
build_libraries || complain "cannot build the libraries"
expect_symbols ''
grep -v cpg_leave "$work/cpg.all" >"$work/cpg.c"
build_libraries
expect_symbols 'libcpg.so.4.1.0: does not export cpg_leave@@COROSYNC_CPG_1.0'
cp "$work/cpg.all" "$work/cpg.c"
echo 'int helper(void); int helper(void) { return 1; }' >>"$work/cpg.c"
sed 's/cpg_join;/cpg_join; helper;/' "$map" >"$work/map"
map=$work/map
build_libraries
expect_symbols 'libcpg.so.4.1.0: exports helper'
cp "$work/cpg.all" "$work/cpg.c"
sed 's/	cpg_join;/	cpg_join; coronet_cpg_hold;/; /^		coronet_cpg_hold;/d' "$root/src/lib/libcpg.map" >"$work/map"
build_libraries
expect_symbols 'libcpg.so.4.1.0: exports coronet_cpg_hold@@COROSYNC_CPG_1.0'
map=$root/src/lib/libcpg.map
build_libraries '-Wl,--no-as-needed -lm'
expect_symbols 'libcpg.so.4.1.0: needs libm.so.6'
build_libraries '' libcorosync_common.so.5
expect_symbols 'its soname is not libcorosync_common.so.4'
echo 'int leak(void); int leak(void) { return 1; }' >>"$work/common.c"
build_libraries '' libcorosync_common.so.4 ''
expect_symbols 'libcorosync_common.so.4.0.0: exports leak'
rm "$work/build/src/.libs/libcpg.so.4.1.0"
expect_symbols 'libcpg.so.4.1.0: not built'

finish "$planted planted faults were found"
