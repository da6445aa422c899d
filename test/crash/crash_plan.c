/* SPDX-License-Identifier: MIT */
/* crash_plan.c - a workload and all its states, before anything runs. */
#include "crash/crash.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

#define BRANCHES 8000 /* with CRASH_BRANCH commits each they fit into a value's seed */
#define WAVE     24   /* commits: half of them fill, half of them empty */

/* What makes commits, while a plan is made. */
typedef struct maker {
    crash_plan *plan;
    const crash_load *load;
    rng random;
    uint64_t next_up, next_down; /* ranks, for loads that go in order */
    uint32_t branch;
} maker;

static bool percent(maker *m, unsigned of_hundred)
{
    return rng_below(&m->random, 100) < of_hundred;
}

static uint32_t some_size(maker *m)
{
    if (percent(m, m->load->huge))
        return m->load->huge_max;
    return (uint32_t)rng_below(&m->random, percent(m, 83) ? 120 : m->load->value_max + 1);
}

static crash_write some_write(maker *m, size_t hot, size_t commit, uint32_t number)
{
    bool emptying = m->load->waves && commit % WAVE >= WAVE / 2;
    crash_write w = {
        .rank = (uint32_t)rng_below(&m->random, hot ? hot : m->plan->keys.ranks),
        .deleted = emptying || percent(m, m->load->deletes),
        .value = {some_size(m), ((uint32_t)commit + m->branch * CRASH_BRANCH) * 64 + number}};
    if (m->load->ascending)
        w.rank = (uint32_t)((w.deleted ? m->next_down++ : (m->next_up += 3)) % m->plan->keys.ranks);
    return w;
}

static void add_commit(maker *m, size_t i)
{
    crash_plan *p = m->plan;
    crash_commit *c = &p->commits[i];
    size_t hot = percent(m, m->load->hot) ? 5 : 0;
    *c = (crash_commit){.first = p->write_count,
                        .single = !percent(m, m->load->batches),
                        .sync = percent(m, m->load->sync)};
    c->count = c->single ? 1 : 1 + rng_below(&m->random, m->load->batch_max);
    if (p->write_count + c->count > p->write_capacity) {
        p->write_capacity = 2 * (p->write_count + c->count);
        p->writes = realloc(p->writes, p->write_capacity * sizeof *p->writes);
    }
    for (size_t w = 0; w < c->count; w++)
        p->writes[p->write_count++] = some_write(m, hot, i, (uint32_t)w);
}

static void add_steps(maker *m)
{
    uint64_t dice = rng_below(&m->random, 100);
    m->plan->steps[m->plan->step_count++] = CRASH_COMMIT;
    for (int step = CRASH_COMMIT + 1; step < CRASH_STEP_COUNT; step++) {
        if (dice < m->load->after[step]) {
            m->plan->steps[m->plan->step_count++] = (crash_step_kind)step;
            return;
        }
        dice -= m->load->after[step];
    }
}

static uint64_t hash_of(const crash_write *w, uint8_t *room)
{
    if (w->deleted)
        return 0;
    model_value_fill(w->value, room);
    return pt_mix(pt_hash(room, w->value.size) ^ pt_mix(w->rank + 1));
}

/* The hash of a state is the sum over its entries, so that one write changes it in one step. Those
 * of commits before `from` are known. */
static void hash_states(crash_plan *p, size_t from)
{
    uint8_t *room = malloc(CRASH_VALUE_MAX + 1);
    uint64_t *of_rank = calloc(p->keys.ranks, sizeof *of_rank), sum = 0;
    p->write_hash = realloc(p->write_hash, (p->write_count + 1) * sizeof *p->write_hash);
    for (size_t i = 1; i <= p->commit_count; i++) {
        for (size_t w = p->commits[i].first; w < p->commits[i].first + p->commits[i].count; w++) {
            const crash_write *write = &p->writes[w];
            if (i >= from)
                p->write_hash[w] = hash_of(write, room);
            sum += p->write_hash[w] - of_rank[write->rank];
            of_rank[write->rank] = p->write_hash[w];
        }
        p->hash[i] = sum;
    }
    free(of_rank);
    free(room);
}

static void make_commits(maker *m, size_t from)
{
    for (size_t i = from; i <= m->plan->commit_count; i++) {
        add_commit(m, i);
        add_steps(m);
    }
    hash_states(m->plan, from);
}

static void allocate(crash_plan *p)
{
    p->commits = calloc(p->commit_count + 1, sizeof *p->commits);
    p->hash = calloc(p->commit_count + 1, sizeof *p->hash);
    p->steps = calloc(p->commit_count * 2, sizeof *p->steps);
}

/* The smallest: then a few dozen commits meet every turn of a file's life, and a disk is cloned in
 * microseconds. */
static void take_options(crash_plan *p)
{
    static const int64_t tiny[MODEL_OPTION_COUNT] = {
        [MODEL_OPTION_memory] = 1 << 20, [MODEL_OPTION_memtable] = 1 << 16,
        [MODEL_OPTION_segment] = 8192,   [MODEL_OPTION_block] = 4096,
        [MODEL_OPTION_table] = 4096,     [MODEL_OPTION_interval] = 1000,
    };
    for (int i = 0; i < MODEL_OPTION_COUNT; i++)
        p->options.field[i] = p->load->option[i] != 0 ? p->load->option[i] : tiny[i];
}

void crash_plan_init_load(crash_plan *p, const crash_load *load, uint64_t seed, size_t commits)
{
    maker m = {.plan = p, .load = load, .random = {seed}};
    *p = (crash_plan){.seed = seed, .load = load, .commit_count = commits, .owns_keys = true};
    if (load->any_options)
        model_options_random_simulated(&m.random, &p->options);
    else
        take_options(p);
    model_keys_init(&p->keys, p->options.field[MODEL_OPTION_keys]);
    allocate(p);
    make_commits(&m, 1);
}

void crash_plan_init(crash_plan *p, uint64_t seed, size_t commits)
{
    crash_plan_init_load(p, crash_load_of("any"), seed, commits);
}

void crash_plan_branch(crash_plan *p, const crash_plan *from, const crash_load *load, uint64_t at,
                       size_t more, uint64_t seed)
{
    maker m = {.plan = p, .load = load, .random = {seed}};
    m.branch = 1 + (uint32_t)rng_below(&m.random, BRANCHES);
    m.next_up = rng_below(&m.random, 1000);
    *p = (crash_plan){.seed = from->seed,
                      .load = from->load,
                      .options = from->options,
                      .keys = from->keys,
                      .commit_count = at + more};
    allocate(p);
    memcpy(p->commits, from->commits, (at + 1) * sizeof *p->commits);
    if (at != 0)
        p->write_count = p->commits[at].first + p->commits[at].count;
    p->write_capacity = p->write_count + more * load->batch_max + 1;
    p->writes = malloc(p->write_capacity * sizeof *p->writes);
    p->write_hash = malloc(p->write_capacity * sizeof *p->write_hash);
    memcpy(p->writes, from->writes, p->write_count * sizeof *p->writes);
    memcpy(p->write_hash, from->write_hash, p->write_count * sizeof *p->write_hash);
    for (p->step_count = 0; p->step_count < at; p->step_count++)
        p->steps[p->step_count] = CRASH_COMMIT;
    make_commits(&m, at + 1);
}

void crash_plan_done(crash_plan *p)
{
    if (p->owns_keys)
        model_keys_done(&p->keys);
    free(p->commits);
    free(p->writes);
    free(p->write_hash);
    free(p->hash);
    free(p->steps);
    *p = (crash_plan){0};
}
