/* SPDX-License-Identifier: MIT */
/* damage_tables.h - the small tables that the damage and fault tests work on. */
#ifndef PT_TEST_TABLE_DAMAGE_TABLES_H
#define PT_TEST_TABLE_DAMAGE_TABLES_H

#include "table_kit.h"

static const pt_table_writer_options layouts[] = {
    {.store_id = 9, .file_number = 1, .run_kind = PT_RUN_FLUSHED, .want_filter = true},
    {.store_id = 9, .file_number = 2, .run_kind = PT_RUN_BOTTOMMOST, .want_locator = true},
    {.store_id = 9,
     .file_number = 3,
     .run_kind = PT_RUN_BOTTOMMOST,
     .packed = true,
     .want_filter = true,
     .want_locator = true},
    {.store_id = 9,
     .file_number = 4,
     .run_kind = PT_RUN_INTERMEDIATE,
     .codec = PT_CODEC_LZ4,
     .block_bytes = 4096,
     .want_filter = true},
};

/* Versions, deletes, a large entry unless aligned blocks are wanted. */
static inline void make_model(model *m, size_t count, bool large)
{
    char key[32], value[64];
    for (size_t i = 0; i < count; i++) {
        int k = snprintf(key, sizeof key, "key/%04zu", i / 2);
        int v = snprintf(value, sizeof value, "value %zu of some length", i * i);
        model_add(m, pt_slice_of(key, (size_t)k), pt_slice_of(value, (size_t)v), 1 + i,
                  i % 7 == 0 ? PT_KIND_DELETE : PT_KIND_PUT);
    }
    if (large) {
        uint8_t big[5000];
        memset(big, 'b', sizeof big);
        model_add(m, pt_slice_of("key/0003x", 9), pt_slice_of(big, sizeof big), 77, PT_KIND_PUT);
    }
    model_sort(m);
}

static inline void begin_layout(kit *k, size_t layout, size_t count, bool large)
{
    model m = {0};
    make_model(&m, count, large);
    kit_build(k, &layouts[layout], &m);
    k->m = m;
}

#endif
