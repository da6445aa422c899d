/* SPDX-License-Identifier: MIT */
/* report.h - results as a table for people and as JSON lines for programs. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "run.h"

bool pb_report_as_table(const pb_options *options);
void pb_report_begin(const pb_bench *bench); /* machine, settings, what the harness costs */
void pb_report(const pb_bench *bench, const pb_workload *workload, const pb_result *result);

/* Appends one line to --json, when given. */
void pb_report_append(const pb_options *options, const char *line);

#endif
