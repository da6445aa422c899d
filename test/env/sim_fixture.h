/* SPDX-License-Identifier: MIT */
/*
 * sim_fixture.h - a simulated disk with one open directory "db", and short words for what the tests
 * of the simulator do with it. Included by one .c file of a program.
 */
#ifndef TEST_ENV_SIM_FIXTURE_H
#define TEST_ENV_SIM_FIXTURE_H

#include "world/sim.h"

#define SECTOR 512

typedef struct fixture {
    sim_env *sim;
    const peat_env *env;
    peat_env_dir *dir;
    uint64_t seed;
} fixture;

static inline int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    f->seed = sim_seed(11);
    f->sim = sim_new(f->seed);
    f->env = sim_peat(f->sim);
    assert_int_equal(f->env->dir_open(f->env->ctx, "db", PEAT_ENV_DIR_CREATE, &f->dir), 0);
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    fixture *f = *state;
    f->env->dir_close(f->env->ctx, f->dir);
    bool clean = sim_is_clean(f->sim);
    sim_free(f->sim);
    free(f);
    return clean ? 0 : 1;
}

static inline peat_env_file *make(fixture *f, const char *name)
{
    peat_env_file *file = NULL;
    assert_int_equal(f->env->file_open(f->env->ctx, f->dir, name,
                                       PEAT_ENV_FILE_WRITE | PEAT_ENV_FILE_CREATE, &file),
                     0);
    return file;
}

static inline void put(fixture *f, peat_env_file *file, uint64_t offset, int byte, size_t n)
{
    uint8_t *data = malloc(n);
    memset(data, byte, n);
    assert_int_equal(f->env->file_write(f->env->ctx, file, offset, data, n), 0);
    free(data);
}

static inline void sync_file(fixture *f, peat_env_file *file)
{
    assert_int_equal(f->env->file_sync(f->env->ctx, file), 0);
}

static inline void sync_names(fixture *f)
{
    assert_int_equal(f->env->dir_sync(f->env->ctx, f->dir), 0);
}

static inline void close_file(fixture *f, peat_env_file *file)
{
    f->env->file_close(f->env->ctx, file);
}

/* A file of two sectors of 'a', durable with its name. */
static inline peat_env_file *make_durable(fixture *f, const char *name)
{
    peat_env_file *file = make(f, name);
    put(f, file, 0, 'a', (size_t)2 * SECTOR);
    sync_file(f, file);
    sync_names(f);
    return file;
}

static inline sim_env *cut(fixture *f, sim_cut_mode mode, uint64_t seed, uint32_t sector_bytes)
{
    return sim_clone_cut(f->sim,
                         &(sim_cut){.mode = mode, .seed = seed, .sector_bytes = sector_bytes});
}

/* The bytes of `name` as a string of one letter per sector; "-" when it is missing, '?' for a
 * sector that is not one letter. */
static inline void describe(sim_env *sim, const char *name, char *ret_text, size_t capacity)
{
    size_t n = 0, out = 0;
    uint8_t *data = sim_file_get(sim, "db", name, &n);
    if (data == NULL) {
        (void)snprintf(ret_text, capacity, "-");
        return;
    }
    for (size_t at = 0; at < n && out + 1 < capacity; at += SECTOR) {
        size_t end = at + SECTOR < n ? at + SECTOR : n;
        char c = data[at] ? (char)data[at] : '0';
        for (size_t i = at + 1; i < end; i++)
            if (data[i] != data[at])
                c = '?';
        ret_text[out++] = c;
    }
    ret_text[out] = '\0';
    free(data);
}

static inline void expect_after(sim_env *after, const char *name, const char *expected)
{
    char found[64];
    describe(after, name, found, sizeof found);
    if (strcmp(found, expected) != 0)
        fail_msg("%s: expected \"%s\", found \"%s\"; %s", name, expected, found, sim_story(after));
    sim_free(after);
}

#define TEST_F(name) TEST_WITH(name, fixture *f, set_up, tear_down)

#endif
