/* SPDX-License-Identifier: MIT */
/*
 * test_memtable_trim.c - a memtable gives back what it does not hold, and what it holds stays: on a
 * mapping that another one has filled before, with entries before and after.
 */
#include "mem/memtable.h"

#include "mem/pool.h"
#include "world/test.h"

#include <sys/mman.h>
#include <unistd.h>

#define CAPACITY ((size_t)4 << 20)

static void key_of(unsigned i, char key[32], pt_slice *ret_key)
{
    int n = snprintf(key, 32, "%c%c%c%c-%08u", 0, 0, 0, 0, i * 2654435761u % 100000000u);
    *ret_key = pt_slice_of((const uint8_t *)key, (size_t)n);
}

static void add(pt_memtable *m, unsigned from, unsigned to)
{
    char key[32], value[200];
    for (unsigned i = from; i < to; i++) {
        pt_entry e = {.kind = PT_KIND_PUT, .seq = i + 1};
        key_of(i, key, &e.key);
        memset(value, 'a' + (int)(i % 26), sizeof value);
        e.value = pt_slice_of((const uint8_t *)value, i % sizeof value);
        assert_true(pt_memtable_reserve(m, 1, e.key.size, e.value.size));
        pt_memtable_add(m, &e);
    }
}

static void expect(pt_memtable *m, unsigned n)
{
    char key[32];
    pt_slice k;
    pt_entry e;
    pt_iter *it = NULL;
    unsigned rows = 0;
    for (unsigned i = 0; i < n; i++) {
        key_of(i, key, &k);
        assert_true(pt_memtable_get(m, k, PT_SEQ_MAX, &e));
        assert_int_equal(e.value.size, i % 200);
        for (size_t b = 0; b < e.value.size; b++)
            assert_int_equal(((const uint8_t *)e.value.data)[b], 'a' + (int)(i % 26));
    }
    assert_ok(pt_memtable_iter_new(m, &it));
    for (peat_rc rc = pt_iter_first(it); rc == PEAT_OK; rc = pt_iter_next(it))
        rows++;
    pt_iter_done(it);
    assert_int_equal(rows, n);
}

/* The memtable lies at the start of its mapping. */
static size_t resident(pt_memtable *m)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = 0;
    unsigned char there[CAPACITY / 4096];
    assert_int_equal(mincore(m, CAPACITY, there), 0);
    for (size_t i = 0; i < CAPACITY / page; i++)
        pages += there[i] & 1;
    return pages * page;
}

TEST(what_is_stored_stays_and_the_rest_goes)
{
    pt_memtable_pool pool;
    pt_memtable *m = NULL;
    pt_memtable_pool_init(&pool, peat_env_default(), CAPACITY);
    assert_ok(pt_memtable_new_from(&pool, CAPACITY, &m));
    pt_memtable_trim(m); /* nothing but its head */
    add(m, 0, 20000);
    expect(m, 20000);
    assert_true(resident(m) > CAPACITY / 2);
    pt_memtable_unref(m);

    assert_ok(pt_memtable_new_from(&pool, CAPACITY, &m));
    assert_true(resident(m) > CAPACITY / 2); /* the same mapping */
    pt_memtable_trim(m);
    assert_true(resident(m) <= (size_t)16 << 10);
    for (unsigned n = 0, step = 1; n < 12000; n += step, step = step * 3 / 2 + 1) {
        add(m, n, n + step);
        pt_memtable_trim(m);
        expect(m, n + step);
        assert_true(resident(m) <= pt_memtable_get_stats(m).used_bytes + ((size_t)16 << 10));
    }
    pt_memtable_unref(m);
    pt_memtable_pool_done(&pool);
}
