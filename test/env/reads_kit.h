/* SPDX-License-Identifier: MIT */
/*
 * reads_kit.h - three files whose bytes are known, an environment that is a copy of another with
 * members replaced, and jobs that are judged when they have ended: each once, with the right bytes
 * or the error that was to come. Included by one .c file of a program.
 */
#ifndef TEST_ENV_READS_KIT_H
#define TEST_ENV_READS_KIT_H

#include "env/reads.h"
#include "world/random.h"
#include "world/test.h"

#define FILES       3
#define PATIENCE_NS UINT64_C(20000000000) /* what takes longer hangs */

static const uint64_t file_sizes[FILES] = {150000, 4096, 0};

/* What is read with: a copy of an environment, and its files. */
typedef struct reading {
    peat_env env;
    peat_env_file *files[FILES];
    int error; /* that a read may end with; 0: none */
} reading;

typedef struct job {
    pt_read_job read;
    unsigned file, ended;
} job;

static inline uint8_t byte_at(unsigned file, uint64_t offset)
{
    return (uint8_t)(rng_hash(((uint64_t)file << 40) + offset / 4) >> (offset % 4 * 8));
}

static inline void reading_init(reading *w, const peat_env *env, peat_env_dir *dir)
{
    *w = (reading){.env = *env};
    for (unsigned i = 0; i < FILES; i++) {
        char name[] = {(char)('a' + i), '\0'};
        uint8_t *data = malloc(file_sizes[i] + 1);
        for (uint64_t at = 0; at < file_sizes[i]; at++)
            data[at] = byte_at(i, at);
        assert_int_equal(env->file_open(env->ctx, dir, name,
                                        PEAT_ENV_FILE_WRITE | PEAT_ENV_FILE_CREATE, &w->files[i]),
                         0);
        assert_int_equal(env->file_write(env->ctx, w->files[i], 0, data, file_sizes[i]), 0);
        assert_int_equal(env->file_sync(env->ctx, w->files[i]), 0);
        free(data);
    }
}

static inline void reading_done(reading *w)
{
    for (unsigned i = 0; i < FILES; i++)
        w->env.file_close(w->env.ctx, w->files[i]);
}

static inline void job_init(job *j, const reading *w, unsigned file, uint64_t offset, size_t size)
{
    *j = (job){.file = file};
    j->read = (pt_read_job){
        .file = w->files[file], .offset = offset, .buf = malloc(size + 1), .size = size};
    assert_non_null(j->read.buf);
    j->read.error = -1;
    ((uint8_t *)j->read.buf)[size] = 0x77; /* behind it */
}

static inline void job_init_random(job *j, const reading *w, rng *r)
{
    unsigned file = (unsigned)rng_below(r, FILES);
    uint64_t offset = rng_below(r, file_sizes[file] + 300);
    if (rng_below(r, 50) == 0)
        offset = UINT64_C(1) << 40;
    job_init(j, w, file, offset, (size_t)rng_below(r, rng_below(r, 4) == 0 ? 20000 : 700));
}

static inline void job_done(job *j)
{
    free(j->read.buf);
    j->read.buf = NULL;
}

static inline void job_judge(const reading *w, const job *j)
{
    uint64_t left = j->read.offset < file_sizes[j->file] ? file_sizes[j->file] - j->read.offset : 0;
    const uint8_t *buf = j->read.buf;
    assert_int_equal(j->ended, 1);
    assert_int_equal(buf[j->read.size], 0x77);
    if (w->error != 0 && j->read.error == w->error) {
        assert_int_equal(j->read.done, 0);
        return;
    }
    assert_int_equal(j->read.error, 0);
    assert_int_equal(j->read.done, left < j->read.size ? left : j->read.size);
    for (size_t i = 0; i < j->read.done; i++)
        if (buf[i] != byte_at(j->file, j->read.offset + i))
            fail_msg("file %u: byte %" PRIu64 " is another", j->file, j->read.offset + i);
}

/* Judges all of a list; returns how many. The jobs' buffers are freed: whoever writes to one now is
 * caught by AddressSanitizer. */
static inline unsigned judge_list(const reading *w, pt_read_job *first)
{
    unsigned n = 0;
    for (pt_read_job *next; first != NULL; first = next, n++) {
        job *j = (job *)(void *)((char *)first - offsetof(job, read));
        next = first->next;
        j->ended++;
        job_judge(w, j);
        job_done(j);
    }
    return n;
}

static inline pt_reads *reads_new(const reading *w, unsigned depth, unsigned threads)
{
    pt_reads *r = NULL;
    assert_int_equal(pt_reads_new(&w->env, depth, threads, &r), PEAT_OK);
    return r;
}

/* `count` random jobs, added, submitted and reaped in pieces of random sizes. */
static inline void read_at_random(const reading *w, pt_reads *r, unsigned count, rng *random)
{
    job *jobs = calloc(count, sizeof *jobs);
    unsigned added = 0, ended = 0;
    while (ended < count) {
        for (uint64_t more = rng_below(random, 40); more > 0 && added < count; more--) {
            job_init_random(&jobs[added], w, random);
            pt_reads_add(r, &jobs[added++].read);
        }
        pt_reads_submit(r);
        bool wait = rng_below(random, 2) != 0;
        pt_read_job *done = pt_reads_reap(r, wait);
        if (wait && done == NULL)
            assert_int_equal(ended, added);
        ended += judge_list(w, done);
    }
    assert_null(pt_reads_reap(r, true));
    free(jobs);
}

#endif
