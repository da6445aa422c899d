/* SPDX-License-Identifier: MIT */
/* number_tables.h - tables of numbered keys, for tests of the writer's decisions and the sections.
 */
#ifndef PT_TEST_TABLE_NUMBER_TABLES_H
#define PT_TEST_TABLE_NUMBER_TABLES_H

#include "table_kit.h"

/* How the first table of a store is written. */
#define TABLE(...)                                                                                 \
    &(pt_table_writer_options)                                                                     \
    {                                                                                              \
        .store_id = 1, .file_number = 1, __VA_ARGS__                                               \
    }

static inline void add_number(model *m, size_t i, size_t value_size, uint64_t seq)
{
    char key[32];
    static uint8_t value[20000];
    int n = snprintf(key, sizeof key, "%c%c%c%c%016zu", 0, 0, 0, 1, i);
    memset(value, (int)(i & 0xff), value_size);
    model_add(m, pt_slice_of(key, (size_t)n), pt_slice_of(value, value_size), seq, PT_KIND_PUT);
}

static inline void begin_numbers(kit *k, const pt_table_writer_options *o, size_t count,
                                 size_t value_size)
{
    model m = {0};
    for (size_t i = 0; i < count; i++)
        add_number(&m, i, value_size, 0);
    kit_build(k, o, &m);
    k->m = m;
}

/* With such a table. */
#define TEST_NUMBERS(name, count, value_size, ...)                                                 \
    TEST_BETWEEN(name, kit, k, begin_numbers, kit_done, TABLE(__VA_ARGS__), count, value_size)

static inline void finish(kit *k, model *m)
{
    kit_done(k);
    model_done(m);
}

#endif
