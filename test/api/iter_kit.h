/* SPDX-License-Identifier: MIT */
/*
 * iter_kit.h - five letters in a store and where an iterator over them stands. Included by one .c
 * file of a program.
 */
#ifndef TEST_API_ITER_KIT_H
#define TEST_API_ITER_KIT_H

#include "world/kit.h"

static inline void fill_letters(kit *k)
{
    static const char *const keys[] = {"b", "d", "f", "h", "j"};
    for (size_t i = 0; i < 5; i++)
        put(k, keys[i], keys[i]);
}

static inline peat_iter *open_iter(kit *k, const peat_iter_options *options)
{
    peat_iter *it = NULL;
    assert_ok(peat_iter_open(k->db, options, &it));
    assert_non_null(it);
    return it;
}

static inline void expect_at(peat_iter *it, peat_rc rc, const char *key)
{
    if (rc != PEAT_OK)
        fail_msg("expected %s, found %s", key, peat_rc_name(rc));
    assert_true(peat_iter_valid(it));
    expect_bytes(peat_iter_key(it).data, peat_iter_key(it).size, key);
    expect_bytes(peat_iter_value(it).data, peat_iter_value(it).size, key);
}

#endif
