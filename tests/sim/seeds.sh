#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A quarter of SIM_SECONDS for the seeds that everybody runs, SIM_SEEDS of them from SIM_FIRST on, the rest for fresh ones. 0 seconds: all
# of the former, and none of the latter.
campaign=$(dirname "$0")/campaign.sh
seconds=${SIM_SECONDS:-45}
status=0
sh "$campaign" "${SIM_FIRST:-1}" "${SIM_SEEDS:-2000}" $((seconds / 4)) || status=1
if [ "$seconds" -gt 0 ]; then
	sh "$campaign" fresh 10000000 $((seconds - seconds / 4)) || status=1
fi
exit "$status"
