/* SPDX-License-Identifier: MIT */
/* compare.h - engines against each other, in fresh processes. */
#ifndef BENCH_COMPARE_H
#define BENCH_COMPARE_H

#include "options.h"

/* --compare a,b,...: rounds of all engines, order turned round each time; prints medians and the
 * ratio of the first engine to each other one. Returns an exit code. */
int pb_compare(const pb_options *options, int argc, char **argv);

/* --engine a,b,...: one process after the other, output passed through. */
int pb_run_each(const pb_options *options, int argc, char **argv);

#endif
