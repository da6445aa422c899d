/* SPDX-License-Identifier: MIT */
/* report.c - printing results. JSON members are documented in README.md. */
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

bool pb_report_as_table(const pb_options *o)
{
    if (strcmp(o->output, "auto") == 0)
        return isatty(STDOUT_FILENO);
    return strcmp(o->output, "json") != 0;
}

void pb_report_append(const pb_options *o, const char *line)
{
    FILE *f = *o->json ? fopen(o->json, "a") : NULL;
    if (*o->json && !f)
        perror(o->json);
    if (f) {
        fprintf(f, "%s\n", line);
        fclose(f);
    }
}

static void emit(const pb_options *o, const char *line)
{
    pb_report_append(o, line);
    if (!pb_report_as_table(o)) {
        printf("%s\n", line);
        fflush(stdout);
    }
}

/* --- what the harness itself costs per operation -------------------------------------------- */

typedef struct harness {
    double order_and_key, make_value, check_value;
} harness;

static harness measure_harness(const pb_bench *b)
{
    enum { ROUNDS = 20000 };
    char key[PB_KEY_MAX + 1], *value = malloc(b->values.size);
    pb_perm perm;
    uint64_t t[4], wrong = 0;
    harness cost = {0};
    if (!value)
        return cost;
    pb_perm_init(&perm, b->options->records, 1);
    for (uint64_t i = 0; i < ROUNDS; i++)
        pb_value_make(&b->values, i, 1, value); /* touches the pool for the first time */
    t[0] = pb_now_ns();
    for (uint64_t i = 0; i < ROUNDS; i++)
        wrong += pb_key_make(&b->keys, pb_perm_at(&perm, i % perm.n), key).size == 0;
    t[1] = pb_now_ns();
    for (uint64_t i = 0; i < ROUNDS; i++)
        pb_value_make(&b->values, i, 1, value);
    t[2] = pb_now_ns();
    for (uint64_t i = 0; i < ROUNDS; i++)
        wrong += pb_value_check(&b->values, ROUNDS - 1, (pb_slice){value, b->values.size},
                                (pb_expect){1, 1}, true);
    t[3] = pb_now_ns();
    free(value);
    if (wrong != ROUNDS)
        fprintf(stderr, "peat-bench: the harness does not recognise its own values\n");
    cost.order_and_key = (double)(t[1] - t[0]) / ROUNDS;
    cost.make_value = (double)(t[2] - t[1]) / ROUNDS;
    cost.check_value = (double)(t[3] - t[2]) / ROUNDS;
    return cost;
}

static const char *compiler(void)
{
#if defined(__clang__)
    return "clang " __clang_version__;
#else
    return "gcc " __VERSION__;
#endif
}

void pb_report_begin(const pb_bench *b)
{
    const pb_options *o = b->options;
    char settings[1024], line[4096];
    struct utsname host;
    harness cost = measure_harness(b);
    uname(&host);
    b->engine->describe(&b->settings, settings, sizeof settings);
    snprintf(line, sizeof line,
             "{\"engine\":\"%s\",\"settings\":\"%s\",\"kernel\":\"%s\",\"cpus\":%ld,"
             "\"compiler\":\"%s\",\"keys\":\"%s\",\"key_bytes\":%zu,\"value_bytes\":%zu,"
             "\"ratio\":%.2f,\"seed\":%llu,\"ns_per_op\":{\"clock\":%.0f,\"key\":%.0f,"
             "\"make_value\":%.0f,\"check_value\":%.0f}}",
             b->engine->name, settings, host.release, sysconf(_SC_NPROCESSORS_ONLN), compiler(),
             o->keys, b->keys.size, b->values.size, o->ratio, (unsigned long long)o->seed,
             b->clock.ns_per_stamp, cost.order_and_key, cost.make_value, cost.check_value);
    emit(o, line);
    if (!pb_report_as_table(o))
        return;
    printf("%s: %s\n", b->engine->name, settings);
    printf("%zu-byte %s keys, %zu-byte values of which %.0f %% compress, %llu thread%s; the "
           "harness costs per op: clock %.0f ns, key %.0f, make value %.0f, check value %.0f\n",
           b->keys.size, o->keys, b->values.size, 100 * (1 - o->ratio),
           (unsigned long long)o->threads, o->threads == 1 ? "" : "s", b->clock.ns_per_stamp,
           cost.order_and_key, cost.make_value, cost.check_value);
    printf("%-17s %10s %8s %8s %8s %8s %9s %7s %6s %6s %8s\n", "workload", "op/s", "MB/s", "p50 us",
           "p99 us", "p99.9", "max us", "cpu us", "w-amp", "space", "settle s");
}

/* --- one result ----------------------------------------------------------------------------- */

typedef struct figures {
    double ops_per_s, mb_per_s, p50, p90, p99, p999, max, cpu_us, write_amp, space_amp;
    uint64_t live_bytes;
} figures;

static double over(double a, double b)
{
    return b > 0 ? a / b : 0;
}

/* -1: not a figure of this workload. */
static double write_amp(const pb_workload *w, const pb_result *r)
{
    const pb_usage *u = &r->usage_settled;
    uint64_t written =
        u->submitted_bytes > u->dirtied_bytes ? u->submitted_bytes : u->dirtied_bytes;
    /* Only where every byte of the workload is a written one. */
    if (!(w->flags & (PB_FRESH | PB_COVERS | PB_EMPTIES)))
        return -1;
    return over((double)written, (double)r->bytes);
}

static figures compute(const pb_bench *b, const pb_workload *w, const pb_result *r)
{
    double us = b->clock.ns_per_tick * 1e-3, ops = (double)r->ops;
    figures f = {
        .ops_per_s = over(ops, r->seconds),
        .mb_per_s = over((double)r->bytes, r->seconds) * 1e-6,
        .p50 = us * (double)pb_hist_percentile(&r->hist, 50),
        .p90 = us * (double)pb_hist_percentile(&r->hist, 90),
        .p99 = us * (double)pb_hist_percentile(&r->hist, 99),
        .p999 = us * (double)pb_hist_percentile(&r->hist, 99.9),
        .max = us * (double)r->hist.max,
        .cpu_us = over((r->usage.user_s + r->usage.sys_s) * 1e6, ops),
        .write_amp = write_amp(w, r),
        .live_bytes = (b->records + b->inserted) * (b->keys.size + b->values.size),
    };
    f.space_amp = over((double)r->disk_bytes, (double)f.live_bytes);
    return f;
}

/* JSON members as words: ,"open_ms":0.19 becomes  open_ms 0.19 */
static void print_extra(const char *extra)
{
    for (; *extra; extra++)
        if (*extra == ',')
            printf("  ");
        else if (*extra != '"')
            putchar(*extra == ':' ? ' ' : *extra);
    putchar('\n');
}

static void print_row(const pb_workload *w, const pb_result *r, const figures *f)
{
    printf("%-17s %10.0f %8.1f ", w->name, f->ops_per_s, f->mb_per_s);
    if (r->hist.count)
        printf("%8.2f %8.2f %8.1f %9.0f ", f->p50, f->p99, f->p999, f->max);
    else
        printf("%8s %8s %8s %9s ", "-", "-", "-", "-");
    printf("%7.2f ", f->cpu_us);
    if (f->write_amp >= 0)
        printf("%6.2f ", f->write_amp);
    else
        printf("%6s ", "-");
    printf("%6.2f ", f->space_amp);
    if (w->flags & PB_WRITES)
        printf("%8.2f", r->settle_s);
    else
        printf("%8s", "-");
    print_extra(r->extra);
    fflush(stdout);
}

void pb_report(const pb_bench *b, const pb_workload *w, const pb_result *r)
{
    const pb_options *o = b->options;
    const figures f = compute(b, w, r);
    char line[4096];
    double ops = r->ops ? (double)r->ops : 1;
    int at = snprintf(
        line, sizeof line,
        "{\"engine\":\"%s\",\"workload\":\"%s\",\"n\":%llu,\"threads\":%llu,\"records\":%llu,"
        "\"value_bytes\":%zu,\"memory_mib\":%llu,\"compression\":\"%s\",\"seconds\":%.6f,"
        "\"ops_per_s\":%.1f,\"mb_per_s\":%.3f,\"p50_us\":%.3f,\"p90_us\":%.3f,\"p99_us\":%.3f,"
        "\"p999_us\":%.3f,\"max_us\":%.3f,\"user_s\":%.3f,\"sys_s\":%.3f,\"settle_s\":%.3f,"
        "\"submitted_bytes\":%llu,\"dirtied_bytes\":%llu,\"read_bytes\":%llu,\"write_amp\":%.3f,"
        "\"disk_bytes\":%llu,\"live_bytes\":%llu,\"space_amp\":%.3f,\"rss_anon\":%llu,"
        "\"rss_file\":%llu,\"rss_peak\":%llu",
        b->engine->name, w->name, (unsigned long long)r->ops, (unsigned long long)pb_threads(b, w),
        (unsigned long long)b->records, b->values.size, (unsigned long long)o->memory_mib,
        o->compression, r->seconds, f.ops_per_s, f.mb_per_s, f.p50, f.p90, f.p99, f.p999, f.max,
        r->usage.user_s, r->usage.sys_s, r->settle_s,
        (unsigned long long)r->usage_settled.submitted_bytes,
        (unsigned long long)r->usage_settled.dirtied_bytes,
        (unsigned long long)r->usage_settled.read_bytes, f.write_amp,
        (unsigned long long)r->disk_bytes, (unsigned long long)f.live_bytes, f.space_amp,
        (unsigned long long)r->memory.anon_bytes, (unsigned long long)r->memory.file_bytes,
        (unsigned long long)r->memory.peak_bytes);
    if (o->count_allocs)
        at += snprintf(line + at, sizeof line - (size_t)at,
                       ",\"allocs_per_op\":%.4f,\"background_allocs_per_op\":%.4f",
                       (double)r->allocs.foreground / ops, (double)r->allocs.background / ops);
    snprintf(line + at, sizeof line - (size_t)at, "%s}", r->extra);
    emit(o, line);
    if (!pb_report_as_table(o))
        return;
    print_row(w, r, &f);
    if (o->count_allocs)
        printf("%17s allocations per op %.4f, in the background %.4f\n", "",
               (double)r->allocs.foreground / ops, (double)r->allocs.background / ops);
}
