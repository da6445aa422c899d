/* SPDX-License-Identifier: MIT */
/* crash_plan.c - a workload and all its states, before anything runs. */
#include "crash/crash.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

#define VALUE_MAX  9000
#define BATCH_MAX  12
#define STEPS_EACH 2 /* at most, beside a commit */

static crash_write some_write(crash_plan *p, model_random *r, size_t hot, size_t commit,
                              uint32_t number)
{
    uint64_t dice = model_below(r, 100);
    uint64_t size = dice < 80 ? model_below(r, 120) : dice < 97 ? model_below(r, 1500) : VALUE_MAX;
    return (crash_write){.rank = (uint32_t)model_below(r, hot ? hot : p->keys.ranks),
                         .deleted = model_below(r, 6) == 0,
                         .value = {(uint32_t)size, (uint32_t)commit * 64 + number}};
}

static void add_commit(crash_plan *p, model_random *r, size_t i)
{
    crash_commit *c = &p->commits[i];
    size_t hot = model_below(r, 3) == 0 ? 5 : 0;
    *c = (crash_commit){
        .first = p->write_count, .single = model_below(r, 2) == 0, .sync = model_below(r, 5) == 0};
    c->count = c->single ? 1 : 1 + model_below(r, BATCH_MAX);
    if (p->write_count + c->count > p->write_capacity) {
        p->write_capacity = 2 * (p->write_count + c->count);
        p->writes = realloc(p->writes, p->write_capacity * sizeof *p->writes);
    }
    for (size_t w = 0; w < c->count; w++)
        p->writes[p->write_count++] = some_write(p, r, hot, i, (uint32_t)w);
}

static void add_steps(crash_plan *p, model_random *r)
{
    uint64_t dice = model_below(r, 100);
    p->steps[p->step_count++] = CRASH_COMMIT;
    if (dice < 4)
        p->steps[p->step_count++] = CRASH_SYNC;
    else if (dice < 8)
        p->steps[p->step_count++] = CRASH_FLUSH;
    else if (dice < 18)
        p->steps[p->step_count++] = CRASH_WORK;
    else if (dice < 20)
        p->steps[p->step_count++] = CRASH_COMPACT;
    else if (dice < 22)
        p->steps[p->step_count++] = CRASH_SETTLE;
    else if (dice < 25)
        p->steps[p->step_count++] = CRASH_REOPEN;
    else if (dice < 29)
        p->steps[p->step_count++] = CRASH_SNAPSHOT;
}

/* The hash of a state is the sum over its entries, so that one write changes it in one step. */
static void hash_states(crash_plan *p)
{
    uint8_t *bytes = malloc(VALUE_MAX + 1);
    uint64_t *of_rank = calloc(p->keys.ranks, sizeof *of_rank), sum = 0;
    for (size_t i = 1; i <= p->commit_count; i++) {
        for (size_t w = 0; w < p->commits[i].count; w++) {
            const crash_write *write = &p->writes[p->commits[i].first + w];
            sum -= of_rank[write->rank];
            model_value_fill(write->value, bytes);
            of_rank[write->rank] =
                write->deleted
                    ? 0
                    : pt_mix(pt_hash(bytes, write->value.size) ^ pt_mix(write->rank + 1));
            sum += of_rank[write->rank];
        }
        p->hash[i] = sum;
    }
    free(of_rank);
    free(bytes);
}

/* Most plans run without threads, where a seed says everything. */
static void choose_options(crash_plan *p, model_random *r)
{
    int64_t *f = p->options.field;
    model_options_random(r, &p->options);
    f[MODEL_OPTION_disk] = 0;
    if (model_below(r, 4) != 0)
        f[MODEL_OPTION_threads] = -1;
    if (model_below(r, 8) != 0)
        f[MODEL_OPTION_no_log] = 0;
    if (model_below(r, 4) != 0)
        f[MODEL_OPTION_memtable] = (int64_t)1 << (11 + model_below(r, 5));
    if (f[MODEL_OPTION_keys] == 5) /* the huge keys: a few kilobytes each is enough for a disk */
        f[MODEL_OPTION_keys] = 0;
}

void crash_plan_init(crash_plan *p, uint64_t seed, size_t commits)
{
    model_random r = {seed};
    *p = (crash_plan){.seed = seed, .commit_count = commits};
    choose_options(p, &r);
    model_keys_init(&p->keys, p->options.field[MODEL_OPTION_keys]);
    p->commits = calloc(commits + 1, sizeof *p->commits);
    p->hash = calloc(commits + 1, sizeof *p->hash);
    p->steps = calloc(commits * STEPS_EACH, sizeof *p->steps);
    for (size_t i = 1; i <= commits; i++) {
        add_commit(p, &r, i);
        add_steps(p, &r);
    }
    hash_states(p);
}

void crash_plan_done(crash_plan *p)
{
    model_keys_done(&p->keys);
    free(p->commits);
    free(p->writes);
    free(p->hash);
    free(p->steps);
    *p = (crash_plan){0};
}
