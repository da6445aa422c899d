/* SPDX-License-Identifier: MIT */
/* test_key.c - comparisons of keys without calls, against those of the C library. */
#include "base/key.h"
#include "world/random.h"
#include "world/test.h"

#define KEY_BYTES 40u

static int sign(int x)
{
    return (x > 0) - (x < 0);
}

/* On the heap with its exact size: a load beyond it is seen. */
static uint8_t *random_bytes(rng *r, size_t size)
{
    uint8_t *p = malloc(size != 0 ? size : 1);
    assert_non_null(p);
    for (size_t i = 0; i < size; i++)
        p[i] = (uint8_t) "\x00\x01\x80\xff"[rng_below(r, 4)];
    return p;
}

TEST(keys_compare_as_the_c_library_compares_bytes)
{
    rng r = {5};
    for (size_t size = 0; size <= KEY_BYTES; size++)
        for (unsigned round = 0; round < 200; round++) {
            uint8_t *a = random_bytes(&r, size), *b = random_bytes(&r, size);
            size_t same = rng_below(&r, size + 1), shorter = rng_below(&r, size + 1);
            memcpy(b, a, same);
            assert_int_equal(pt_key_bytes_equal(a, b, size), memcmp(a, b, size) == 0);
            assert_true(pt_key_bytes_equal(a, b, same));
            pt_slice x = pt_slice_of(a, size), y = pt_slice_of(b, shorter);
            assert_int_equal(pt_key_compare(x, y), sign(pt_slice_compare(x, y)));
            assert_int_equal(pt_key_compare(y, x), sign(pt_slice_compare(y, x)));
            free(a);
            free(b);
        }
}

/* Each byte alone makes a difference. */
TEST(one_other_byte_makes_keys_differ)
{
    uint8_t a[KEY_BYTES] = {0}, b[KEY_BYTES] = {0};
    for (size_t size = 1; size <= KEY_BYTES; size++)
        for (size_t i = 0; i < size; i++) {
            b[i] = 1;
            assert_false(pt_key_bytes_equal(a, b, size));
            b[i] = 0;
        }
}

TEST(heads_behind_a_prefix_are_those_of_the_rest)
{
    rng r = {6};
    for (size_t size = 0; size <= KEY_BYTES; size++) {
        uint8_t *key = random_bytes(&r, size);
        for (size_t skip = 0; skip <= size; skip++)
            assert_true(pt_key_head_behind(pt_slice_of(key, size), skip) ==
                        pt_key_head(key + skip, size - skip));
        assert_true(pt_key_head_behind(pt_slice_of(key, size), size + 3) == 0);
        free(key);
    }
}

TEST(heads_below_are_counted)
{
    uint8_t heads[8 * 70];
    for (size_t i = 0; i < 70; i++)
        pt_put_u64(heads + 8 * i, (i / 3 + 1) * 10); /* some are equal */
    for (size_t n = 0; n <= 70; n++)
        for (uint64_t head = 0; head < 300; head += 5) {
            size_t below = 0;
            while (below < n && pt_get_u64(heads + 8 * below) < head)
                below++;
            assert_int_equal(pt_key_heads_below(heads, n, head), below);
            if (n == PT_KEY_HEADS_FEW)
                assert_int_equal(pt_key_heads_below_few(heads, head), below);
        }
}
