/* SPDX-License-Identifier: MIT */
/*
 * blocks_world.h - a store of two runs with tables of many blocks, and which block holds what.
 */
#ifndef TEST_DAMAGE_BLOCKS_WORLD_H
#define TEST_DAMAGE_BLOCKS_WORLD_H

#include "model/model.h"
#include "repair/table_salvage.h"
#include "support/sim_env.h"

#define BLOCKS_DIR    "store"
#define BLOCKS_KEYS   5000u
#define BLOCKS_TABLES 8u

typedef enum blocks_shape { BLOCKS_PAGES, BLOCKS_PLAIN, BLOCKS_LARGE, BLOCKS_SHAPES } blocks_shape;

/* A block of a table, undamaged. */
typedef struct blocks_block {
    uint64_t offset, size;
    uint32_t first, last; /* keys */
} blocks_block;

typedef struct blocks_table {
    char name[PT_TABLE_NAME_SIZE];
    pt_table_meta meta;
    bool top; /* the newer run */
    blocks_block *blocks;
    size_t count;
} blocks_table;

typedef struct blocks_world {
    uint64_t seed;
    peat_compression codec;
    blocks_shape shape;
    sim_env *sim;
    blocks_table tables[BLOCKS_TABLES];
    size_t table_count;
    uint8_t newest[BLOCKS_KEYS];   /* version; 0: deleted */
    uint8_t table_of[BLOCKS_KEYS]; /* of the newest */
    uint32_t block_of[BLOCKS_KEYS];
} blocks_world;

size_t blocks_key(uint32_t key, char ret_text[16]);
size_t blocks_value(const blocks_world *w, uint32_t key, uint8_t version, uint8_t *ret_bytes);
void blocks_options(const blocks_world *w, const peat_env *env, model_open *ret_open);
void blocks_world_make(blocks_world *w, peat_compression codec, blocks_shape s, uint64_t seed);
void blocks_world_done(blocks_world *w);

#endif
