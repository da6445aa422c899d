/* SPDX-License-Identifier: MIT */
/*
 * iter_kit.h - five letters in a store and where an iterator over them stands. Included by one .c
 * file of a program.
 */
#ifndef TEST_API_ITER_KIT_H
#define TEST_API_ITER_KIT_H

#include "world/kit.h"

static inline int new_letters(void **state)
{
    static const char *const keys[] = {"b", "d", "f", "h", "j"};
    int rc = kit_new_open(state);
    for (size_t i = 0; rc == 0 && i < 5; i++)
        put(*state, keys[i], keys[i]);
    return rc;
}

/* With an open store in which they are. */
#define TEST_LETTERS(name) TEST_WITH(name, kit *k, new_letters, kit_end)

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

static inline void expect_end(peat_iter *it, peat_rc rc)
{
    assert_int_equal(rc, PEAT_END);
    assert_false(peat_iter_valid(it));
    assert_null(peat_iter_key(it).data);
    assert_int_equal(peat_iter_key(it).size, 0);
    assert_null(peat_iter_value(it).data);
}

/* Every move of an iterator, the seeks to `key`. */
#define MOVES 6u

static inline peat_rc move_iter(peat_iter *it, size_t move, peat_slice key)
{
    switch (move) {
    case 0:
        return peat_iter_first(it);
    case 1:
        return peat_iter_last(it);
    case 2:
        return peat_iter_next(it);
    case 3:
        return peat_iter_prev(it);
    case 4:
        return peat_iter_seek(it, key);
    default:
        return peat_iter_seek_for_prev(it, key);
    }
}

/* Moves, each with the key where it leads, or - for the end: "next=b prev=- seek(c)=d back(c)=b",
 * where back is peat_iter_seek_for_prev. */
static inline void walk(peat_iter *it, const char *moves)
{
    static const char *const names[MOVES] = {"first", "last", "next", "prev", "seek", "back"};
    char key[16], at[16];
    for (int used; *moves != 0; moves += used + (moves[used] == ' ')) {
        size_t move = 0;
        while (move < MOVES - 1 && strncmp(moves, names[move], strlen(names[move])) != 0)
            move++;
        moves += strlen(names[move]);
        size_t n = *moves == '(' ? strcspn(moves, ")") - 1 : 0;
        memcpy(key, moves + 1, n);
        moves += *moves == '(' ? n + 2 : 0;
        assert_int_equal(*moves, '=');
        assert_int_equal(sscanf(moves, "=%15s%n", at, &used), 1);
        peat_rc rc = move_iter(it, move, peat_bytes(key, n));
        if (strcmp(at, "-") == 0)
            expect_end(it, rc);
        else
            expect_at(it, rc, at);
    }
}

static inline void walk_new(kit *k, const peat_iter_options *options, const char *moves)
{
    peat_iter *it = open_iter(k, options);
    walk(it, moves);
    peat_iter_close(it);
}

#endif
