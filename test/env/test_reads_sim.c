/* SPDX-License-Identifier: MIT */
/*
 * test_reads_sim.c - many reads under way over the simulated environment: rings that end reads in
 * any order, calls that fail, memory that runs out, power that fails meanwhile.
 */
#include "env/reads_kit.h"
#include "world/sim.h"

#define DEPTH   8u
#define THREADS 2u

typedef struct sim_reading {
    sim_env *sim;
    peat_env_dir *dir;
    reading w;
    rng random;
} sim_reading;

static void begin(sim_reading *s, uint64_t seed, bool rings)
{
    *s = (sim_reading){.sim = sim_new(seed), .random = {seed}};
    const peat_env *env = sim_peat(s->sim);
    sim_rings(s->sim, rings);
    assert_int_equal(env->dir_open(env->ctx, "db", PEAT_ENV_DIR_CREATE, &s->dir), 0);
    reading_init(&s->w, env, s->dir);
    assert_int_equal(env->dir_sync(env->ctx, s->dir), 0);
}

static void end(sim_reading *s)
{
    reading_done(&s->w);
    s->w.env.dir_close(s->w.env.ctx, s->dir);
    sim_end(s->sim);
}

TEST(any_order_of_ends_gives_the_same_bytes)
{
    uint64_t first = sim_seed(1);
    for (uint64_t seed = first; seed < first + 60; seed++) {
        sim_reading s;
        begin(&s, seed, seed % 4 != 0);
        pt_reads *r = reads_new(&s.w, 1 + (unsigned)seed % 20, THREADS);
        assert_int_equal(pt_reads_kind_of(r), seed % 4 != 0 ? PT_READS_RING : PT_READS_THREADS);
        if (seed % 3 == 0)
            (void)pt_reads_fd(r);
        read_at_random(&s.w, r, 200, &s.random);
        pt_reads_free(r);
        end(&s);
    }
}

/* An event loop: looks only when the descriptor says so. */
TEST(whoever_only_follows_the_descriptor_gets_all)
{
    uint64_t first = sim_seed(1);
    for (uint64_t seed = first; seed < first + 60; seed++) {
        sim_reading s;
        job jobs[50];
        begin(&s, seed, seed % 4 != 0);
        const peat_env *env = sim_peat(s.sim);
        pt_reads *r = reads_new(&s.w, DEPTH, THREADS);
        int fd = pt_reads_fd(r);
        for (unsigned i = 0; i < 50; i++) {
            job_init_random(&jobs[i], &s.w, &s.random);
            pt_reads_add(r, &jobs[i].read);
        }
        pt_reads_submit(r);
        for (unsigned ended = 0; ended < 50;) {
            assert_int_equal(env->event_wait(env->ctx, fd, PATIENCE_NS), 0);
            ended += judge_list(&s.w, pt_reads_reap(r, false));
        }
        pt_reads_free(r);
        end(&s);
    }
}

TEST(reads_that_fail_are_told_and_the_others_go_on)
{
    static const sim_kind kinds[] = {SIM_FILE_READ, SIM_RING_READ};
    for (uint64_t at = 1; at <= 40; at++)
        for (unsigned i = 0; i < 4; i++) {
            sim_reading s;
            begin(&s, at, i != 3);
            s.w.error = EIO;
            pt_reads *r = reads_new(&s.w, DEPTH, THREADS);
            unsigned fault = sim_fail(s.sim, .kinds = SIM_BIT(kinds[i % 2]), .at = at, .error = EIO,
                                      .sticky = i >= 2);
            read_at_random(&s.w, r, 60, &s.random);
            if (i != 3) /* without rings no ring_read */
                assert_true(sim_fault_hits(s.sim, fault) > 0);
            pt_reads_free(r);
            end(&s);
        }
}

/* EAGAIN for ever: a ring that never has room is done without. */
TEST(a_ring_that_is_always_full_holds_up_nothing)
{
    for (uint64_t at = 1; at <= 30; at++) {
        sim_reading s;
        begin(&s, at, true);
        pt_reads *r = reads_new(&s.w, DEPTH, THREADS);
        (void)sim_fail(s.sim, .kinds = SIM_BIT(SIM_RING_READ), .at = at, .error = EAGAIN,
                       .sticky = at % 2 != 0);
        read_at_random(&s.w, r, 60, &s.random);
        pt_reads_free(r);
        end(&s);
    }
}

/* With rings, with threads, and with neither. */
TEST(memory_that_runs_out_leaves_nothing_behind)
{
    for (unsigned way = 0; way < 3; way++) {
        uint64_t at = 0, hits = 1;
        while (hits > 0) {
            sim_reading s;
            pt_reads *r = NULL;
            begin(&s, 5, way == 0);
            unsigned fault = sim_fail(s.sim, .kinds = SIM_MEMORY, .at = ++at, .error = ENOMEM);
            peat_rc rc = pt_reads_new(&s.w.env, DEPTH, way == 1 ? THREADS : 0, &r);
            hits = sim_fault_hits(s.sim, fault);
            assert_int_equal(rc, hits > 0 ? PEAT_NOMEM : PEAT_OK);
            if (rc == PEAT_OK)
                read_at_random(&s.w, r, 60, &s.random);
            else
                assert_null(r);
            pt_reads_free(r);
            end(&s);
        }
        assert_int_equal(at, way == 2 ? 2 : 3); /* one or two allocations, and none */
    }
}

/* Each call in turn fails, once or from then on: all reads end, with their bytes or the error. */
TEST(whatever_call_fails_each_read_ends_once)
{
    for (unsigned way = 0; way < 4; way++) {
        uint64_t at = 0, hits = 1;
        while (hits > 0 && at < 400) {
            sim_reading s;
            pt_reads *r = NULL;
            begin(&s, 7 + at, way % 2 == 0);
            s.w.error = EIO;
            unsigned fault = sim_fail(s.sim, .kinds = SIM_ANY & ~SIM_MEMORY, .at = ++at,
                                      .error = EIO, .sticky = way >= 2);
            assert_int_equal(pt_reads_new(&s.w.env, DEPTH, THREADS, &r), PEAT_OK);
            if (at % 2 == 0)
                (void)pt_reads_fd(r);
            read_at_random(&s.w, r, 40, &s.random);
            pt_reads_free(r);
            hits = sim_fault_hits(s.sim, fault);
            sim_faults_clear(s.sim);
            end(&s);
        }
        assert_true(at > 40);
    }
}

TEST(descriptors_that_run_out_mean_plain_reads)
{
    sim_reading s;
    begin(&s, 5, true);
    static const pt_reads_kind kinds[] = {PT_READS_PLAIN, PT_READS_THREADS, PT_READS_RING};
    for (unsigned room = 0; room < 3; room++) {
        sim_limit_files(s.sim, FILES + 1 + room);
        pt_reads *r = reads_new(&s.w, DEPTH, THREADS);
        assert_int_equal(pt_reads_kind_of(r), kinds[room]);
        read_at_random(&s.w, r, 60, &s.random);
        pt_reads_free(r);
    }
    end(&s);
}

/* What was synced is there after the cut, whatever reads are under way; and they go on. */
TEST(a_power_cut_with_reads_under_way)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        sim_reading s, after;
        job jobs[30];
        begin(&s, seed, seed % 4 != 0);
        pt_reads *r = reads_new(&s.w, DEPTH, THREADS);
        for (unsigned i = 0; i < 30; i++) {
            job_init_random(&jobs[i], &s.w, &s.random);
            pt_reads_add(r, &jobs[i].read);
        }
        pt_reads_submit(r);
        unsigned ended = judge_list(&s.w, pt_reads_reap(r, seed % 2 == 0));
        after = (sim_reading){
            .sim = sim_clone_cut(s.sim, &(sim_cut){.mode = SIM_CUT_LOST, .seed = seed}),
            .random = {seed}};
        after.w.env = *sim_peat(after.sim);
        assert_int_equal(after.w.env.dir_open(after.w.env.ctx, "db", 0, &after.dir), 0);
        for (unsigned i = 0; i < FILES; i++) {
            const char name[] = {(char)('a' + i), '\0'};
            assert_int_equal(
                after.w.env.file_open(after.w.env.ctx, after.dir, name, 0, &after.w.files[i]), 0);
        }
        pt_reads *again = reads_new(&after.w, DEPTH, THREADS);
        read_at_random(&after.w, again, 60, &after.random);
        pt_reads_free(again);
        end(&after);
        for (pt_read_job *done; (done = pt_reads_reap(r, true)) != NULL;)
            ended += judge_list(&s.w, done);
        assert_int_equal(ended, 30);
        pt_reads_free(r);
        end(&s);
    }
}

TEST(the_same_seed_ends_reads_in_the_same_order)
{
    uint64_t orders[2] = {0, 0};
    for (unsigned run = 0; run < 2; run++) {
        sim_reading s;
        job jobs[50];
        begin(&s, 4, true);
        pt_reads *r = reads_new(&s.w, 64, 0);
        for (unsigned i = 0; i < 50; i++) {
            job_init(&jobs[i], &s.w, 0, i * 100, 50);
            pt_reads_add(r, &jobs[i].read);
        }
        pt_reads_submit(r);
        for (pt_read_job *done; (done = pt_reads_reap(r, true)) != NULL;) {
            for (const pt_read_job *j = done; j != NULL; j = j->next)
                orders[run] = rng_hash(orders[run] ^ j->offset);
            (void)judge_list(&s.w, done);
        }
        pt_reads_free(r);
        end(&s);
    }
    assert_true(orders[0] == orders[1]);
}
