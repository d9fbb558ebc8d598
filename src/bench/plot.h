/* SPDX-License-Identifier: BSD-3-Clause */
/* Curves of a report, drawn by gnuplot. */
#ifndef CORONET_BENCH_PLOT_H
#define CORONET_BENCH_PLOT_H

#include "bench/report.h"

/* Whether plots can be drawn here: 0, or -ENOENT without gnuplot. */
int plot_possible(void);

/*
 * Writes PREFIX.dat and PREFIX.gp, and with gnuplot PREFIX-*.svg and PREFIX-*.png. 0, or a negative errno after a
 * message on the standard error output.
 */
int plot_report(const struct report *report, const char *prefix);

#endif
