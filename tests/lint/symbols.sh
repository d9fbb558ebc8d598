#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The built libraries keep the interface: soname, file name, exactly these functions, their version, and no
# library needed that corosync's would not need. The list is written here once more on purpose: it is the
# contract, and neither the header nor the version script may change it by themselves.
set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

cpg_functions='cpg_context_get cpg_context_set cpg_dispatch cpg_fd_get cpg_finalize cpg_flow_control_state_get
	cpg_initialize cpg_iteration_finalize cpg_iteration_initialize cpg_iteration_next cpg_join cpg_leave
	cpg_local_get cpg_max_atomic_msgsize_get cpg_mcast_joined cpg_membership_get cpg_model_initialize
	cpg_zcb_alloc cpg_zcb_free cpg_zcb_mcast_joined'
coronet_functions='coronet_cpg_hold coronet_cpg_release coronet_cpg_stats_get coronet_cpg_zcb_alloc
	coronet_cpg_zcb_completed coronet_cpg_zcb_free coronet_cpg_zcb_mcast_joined'
common_functions='cs_strerror hdb_error_to_cs qb_to_cs_error'

: "${top_builddir:?names the build to look at}"
libs=$top_builddir/src/.libs

# exported FILE: its dynamic symbols but the version's own name, one per line, with their version.
exported()
{
	nm -D --defined-only "$1" | awk '$2 != "A" { print $3 }' | sort
}

# judge FILE SONAME NEEDED: the parts that both libraries have in common; expected symbols on stdin.
judge()
{
	file=$libs/$1
	[ -e "$file" ] || { complain "$1: not built"; return; }
	sort >"$work/expected"
	exported "$file" >"$work/found"
	comm -23 "$work/expected" "$work/found" | sed "s/^/$1: does not export /" >>"$work/faults"
	comm -13 "$work/expected" "$work/found" | sed "s/^/$1: exports /" >>"$work/faults"
	readelf -dW "$file" >"$work/dynamic"
	grep -q "(SONAME).*\[$2\]" "$work/dynamic" || complain "$1: its soname is not $2"
	# The loader comes with libc, and is named where there are thread-local variables. Instrumented builds need
	# the run-time library of their instrument.
	sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' "$work/dynamic" |
		grep -vxE "$3|ld-linux.*\.so\.[0-9]+|lib(a|ub|t)san\.so\.[0-9]+|libclang_rt.*" |
		sed "s/^/$1: needs /" >>"$work/faults"
}

{
	for function in $cpg_functions; do
		echo "$function@@COROSYNC_CPG_1.0"
	done
	for function in $coronet_functions; do
		echo "$function@@CORONET_CPG_1.0"
	done
} >"$work/cpg"
judge libcpg.so.4.1.0 libcpg.so.4 'libcorosync_common\.so\.4|libqb\.so\.[0-9]+|libc\.so\.6' <"$work/cpg"

for function in $common_functions; do
	echo "$function"
done >"$work/common"
judge libcorosync_common.so.4.0.0 libcorosync_common.so.4 'libc\.so\.6' <"$work/common"

# shellcheck disable=SC2086 # the lists are lists
finish "$(echo $cpg_functions $coronet_functions $common_functions | wc -w) functions, as promised"
