#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The runs of three nodes that are tried in every check: EXPLORE_FAULTS (1) faults and EXPLORE_DELAYS (1) delays from when a
# ring has formed, and each alone from the first step on. A failing run prints how to see it again.
explore=${top_builddir:-.}/tests/explore/coronet-explore
failed=0

"$explore" --faults "${EXPLORE_FAULTS:-1}" --delays "${EXPLORE_DELAYS:-1}" || failed=1
"$explore" --forming --faults 1 || failed=1
"$explore" --forming --faults 0 --delays 1 || failed=1
exit "$failed"
