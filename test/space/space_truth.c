/* SPDX-License-Identifier: MIT */
/* space_truth.c - see space.h. */
#include "space/space.h"

#include <stdlib.h>
#include <string.h>

#define POOL_BYTES (32 * MIB)
#define WORK_UNITS 64u
#define HALVED_MAX 1024u
#define FILL_NS    10000u

/* ---- time ---- */

void space_wait_until(space *s, uint64_t ns)
{
    while (s->workers == 0 && s->sample_next_ns <= ns) {
        world_wait_until(s, s->sample_next_ns);
        s->sample_next_ns += s->sample_ns;
        space_sample_now(s);
        if (s->db == NULL || !s->works)
            continue;
        must(peat_work(s->db, WORK_UNITS, NULL), "work");
        space_sample_now(s);
    }
    world_wait_until(s, ns);
}

void space_wait(space *s, uint64_t ns)
{
    space_wait_until(s, world_now(s) + ns);
}

void space_spend(space *s, uint64_t ns)
{
    if (s->workers == 0)
        space_wait(s, ns);
}

/* ---- the store ---- */

void space_begin(space *s, uint64_t key_count, uint64_t entry_bytes_max)
{
    s->entry_bytes_max = entry_bytes_max;
    s->sizes = calloc(key_count, sizeof *s->sizes);
    s->pool = malloc(POOL_BYTES + entry_bytes_max);
    if (s->sizes == NULL || s->pool == NULL)
        must(PEAT_NOMEM, "begin");
    for (uint64_t at = 0; at + 8 <= POOL_BYTES + entry_bytes_max; at += 8) {
        uint64_t x = rng_hash(at + s->random.state);
        memcpy(s->pool + at, &x, 8);
    }
    world_open(s);
    s->sample_next_ns = world_now(s) + s->sample_ns;
    world_sampling_start(s);
}

void space_end(space *s)
{
    world_sampling_stop(s);
    if (s->db != NULL)
        world_close(s);
    free(s->sizes);
    free(s->pool);
}

/* ---- keys, values, the truth ---- */

peat_slice space_key(const space *s, uint64_t number, char key[32])
{
    uint64_t n = s->scattered ? rng_hash(number + 1) : number;
    return peat_bytes(key, (size_t)snprintf(key, 32, "%016" PRIx64, n));
}

/* Between the two there is as much live as the larger of both says: a sample reads it before and
 * after it looks at the directory. */
void space_account(space *s, uint64_t number, uint32_t after)
{
    uint32_t before = s->sizes[number];
    s->sizes[number] = after;
    if (before != 0) {
        if (s->holding)
            atomic_fetch_add(&s->held_bytes, before + KEY_BYTES);
        atomic_fetch_sub(&s->live_bytes, before + KEY_BYTES);
    }
    if (after != 0)
        atomic_fetch_add(&s->live_bytes, after + KEY_BYTES);
    atomic_fetch_add(&s->user_bytes, after + KEY_BYTES);
}

void space_put(space *s, uint64_t number, uint32_t value_bytes)
{
    char key[32];
    uint8_t halves[HALVED_MAX];
    uint64_t at = rng_hash(number * 31 + atomic_load(&s->user_bytes)) % POOL_BYTES;
    const uint8_t *value = s->pool + at;
    if (s->halved && value_bytes <= HALVED_MAX) {
        memcpy(halves, value, value_bytes / 2);
        memcpy(halves + value_bytes / 2, value, value_bytes - value_bytes / 2);
        value = halves;
    }
    must(peat_put(s->db, NULL, space_key(s, number, key), peat_bytes(value, value_bytes)), "put");
    space_account(s, number, value_bytes);
}

void space_delete(space *s, uint64_t number)
{
    char key[32];
    must(peat_delete(s->db, NULL, space_key(s, number, key)), "delete");
    space_account(s, number, 0);
}

void space_fill(space *s, uint64_t from, uint64_t to, uint32_t value_bytes)
{
    for (uint64_t i = from; i < to; i++) {
        space_put(s, i, value_bytes);
        space_spend(s, FILL_NS);
    }
}
