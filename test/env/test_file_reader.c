/* SPDX-License-Identifier: MIT */
/* test_file_reader.c - a window shows the file's bytes wherever it is asked, within its limit. */
#include "env/file_reader.h"
#include "support/sim_env.h"
#include "world/test.h"

#define FILE_BYTES (3 * PT_FILE_READER_STEP_BYTES + 77)

static uint8_t byte_at(uint64_t offset)
{
    return (uint8_t)(offset * 31 + offset / 251);
}

TEST(every_range_shows_the_bytes_of_the_file)
{
    sim_env *sim = sim_new(1);
    const pt_env *env = sim_peat(sim);
    pt_dir *dir = NULL;
    pt_file *file = NULL;
    pt_file_reader w;
    uint8_t *data = malloc(FILE_BYTES);
    for (size_t i = 0; i < FILE_BYTES; i++)
        data[i] = byte_at(i);
    sim_file_put(sim, "d", "f", data, FILE_BYTES);
    assert_int_equal(env->dir_open(env->ctx, "d", 0, &dir), 0);
    assert_int_equal(env->file_open(env->ctx, dir, "f", 0, &file), 0);
    pt_file_reader_init(&w, env);
    pt_file_reader_set(&w, file, FILE_BYTES);
    const size_t step = PT_FILE_READER_STEP_BYTES;
    const struct {
        uint64_t offset;
        size_t size;
    } ranges[] = {{0, 1},
                  {5, 100},
                  {step - 3, 6},
                  {step, step},
                  {10, 2 * step},
                  {FILE_BYTES - 1, 1},
                  {FILE_BYTES, 0},
                  {0, FILE_BYTES},
                  {77, 0},
                  {2 * step + 1, 9},
                  {FILE_BYTES - 50, 50}};
    for (size_t i = 0; i < PT_COUNT_OF(ranges); i++) {
        const uint8_t *p = NULL;
        assert_int_equal(pt_file_reader_get(&w, ranges[i].offset, ranges[i].size, &p), 0);
        assert_memory_equal(p, data + ranges[i].offset, ranges[i].size);
    }
    /* within one step the file is read once */
    const uint8_t *p = NULL;
    pt_file_reader_set(&w, file, FILE_BYTES);
    uint64_t reads = sim_count(sim, SIM_BIT(SIM_FILE_READ));
    for (size_t at = 0; at < step; at += 1000)
        assert_int_equal(pt_file_reader_get(&w, at, 500, &p), 0);
    assert_true(sim_count(sim, SIM_BIT(SIM_FILE_READ)) <= reads + 2);

    /* a file that is shorter than it was said to be, and no memory */
    pt_file_reader_set(&w, file, FILE_BYTES + 10);
    assert_int_equal(pt_file_reader_get(&w, FILE_BYTES - 5, 15, &p), EIO);
    sim_fail(sim, .kinds = SIM_MEMORY, .error = ENOMEM);
    assert_int_equal(pt_file_reader_get(&w, 0, FILE_BYTES + 1, &p), ENOMEM);
    sim_faults_clear(sim);
    assert_int_equal(pt_file_reader_get(&w, 3, 9, &p), 0);
    assert_memory_equal(p, data + 3, 9);

    pt_file_reader_done(&w);
    env->file_close(env->ctx, file);
    env->dir_close(env->ctx, dir);
    assert_true(sim_is_clean(sim));
    free(data);
    sim_free(sim);
}
