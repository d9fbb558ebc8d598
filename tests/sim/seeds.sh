#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Runs SIM_SEEDS seeds from SIM_FIRST on, one process per processor, and begins no more after SIM_SECONDS (0: no limit).
# A failing seed prints its replay command.
sim=${top_builddir:-.}/tests/sim/coronet-sim
seeds=${SIM_SEEDS:-2000}
first=${SIM_FIRST:-1}
seconds=${SIM_SECONDS:-45}
parts=$(nproc)
each=$(((seeds + parts - 1) / parts))
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

for part in $(seq "$parts"); do
	"$sim" --seed $((first + (part - 1) * each)) --seeds "$each" --seconds "$seconds" >"$out/$part" 2>&1 &
	echo "$!" >"$out/$part.pid"
done
failed=0
for part in $(seq "$parts"); do
	wait "$(cat "$out/$part.pid")" || failed=1
	cat "$out/$part"
done
exit "$failed"
