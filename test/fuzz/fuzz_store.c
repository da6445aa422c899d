/* SPDX-License-Identifier: MIT */
/*
 * fuzz_store.c - a whole directory: superblock, manifest, log segments and tables, opened, checked,
 * read both ways, written to, and opened again. What the check finds sound reads without a fault,
 * and a reopened store answers as before.
 *
 * Input: flags, then files: kind u8 (PEAT, m, w, t), number u8, size u16, bytes. Zeros follow
 * a segment's bytes; PEAT is made of its two heads as in fuzz_manifest.c.
 */
#include "fuzz/fuzz.h"
#include "fuzz/fuzz_open.h"
#include "log/log_format.h"
#include "version/superblock.h"

#include <stdio.h>
#include <stdlib.h>

#define FUZZ_READ_ONLY 2u
#define FILES_MAX      12
#define SLOT_BYTES     64u
#define NUMBER_MAX     64u

typedef struct store_file {
    char letter; /* P, m, w, t */
    unsigned number;
    uint8_t *data;
    size_t size;
} store_file;

typedef struct directory {
    store_file files[FILES_MAX];
    size_t count;
    uint64_t store_id;
} directory;

/* A segment has the size its header says, if that is a sane one. */
static size_t padded_size(char letter, pt_slice bytes)
{
    if (letter == 'P')
        return PT_SUPERBLOCK_FILE_BYTES;
    if (letter != 'w')
        return bytes.size;
    uint64_t declared = bytes.size >= PT_LOG_SEGMENT_HEADER ? pt_get_u64(bytes.data + 64) : 0;
    bool sane = declared >= bytes.size && declared >= PT_LOG_FILE_BYTES_MIN && declared <= 1 << 15;
    return sane ? (size_t)declared : pt_round_up(bytes.size + PT_LOG_FILE_BYTES_MIN, 4096);
}

static void take_file(directory *d, pt_cursor *c)
{
    static const char letters[] = "Pmwt";
    store_file *f = &d->files[d->count++];
    f->letter = letters[pt_cursor_u8(c) % 4];
    f->number = pt_cursor_u8(c) % NUMBER_MAX;
    size_t n = fuzz_u16(c), left = pt_cursor_left(c);
    pt_slice bytes = pt_cursor_bytes(c, n < left ? n : left);
    f->size = padded_size(f->letter, bytes);
    f->data = calloc(1, f->size + 1);
    if (f->letter != 'P') {
        if (bytes.size != 0)
            memcpy(f->data, bytes.data, bytes.size);
        if (f->letter == 'w') /* the second header is a copy of the first */
            memcpy(f->data + f->size - PT_LOG_SEGMENT_HEADER, f->data, PT_LOG_SEGMENT_HEADER);
        return;
    }
    for (size_t i = 0; i < PT_SUPERBLOCK_SLOTS && bytes.size >= (i + 1) * SLOT_BYTES; i++)
        memcpy(f->data + i * PT_SUPERBLOCK_SLOT_BYTES + 8, bytes.data + i * SLOT_BYTES, SLOT_BYTES);
    fuzz_repair_superblock(f->data, f->size);
    d->store_id = pt_get_u64(f->data + 24);
}

/* The manifest that PEAT names, and PEAT after it. */
static void repair_heads(directory *d)
{
    uint64_t chain = 0;
    size_t end = 0;
    unsigned number = 1;
    for (size_t i = 0; i < d->count; i++) {
        if (d->files[i].letter == 'm') {
            number = d->files[i].number;
            end = fuzz_repair_manifest(d->files[i].data, d->files[i].size, d->store_id, number,
                                       &chain);
        }
    }
    for (size_t i = 0; i < d->count; i++) {
        if (d->files[i].letter != 'P')
            continue;
        for (size_t k = 0; k < PT_SUPERBLOCK_SLOTS; k++) {
            uint8_t *slot = d->files[i].data + k * PT_SUPERBLOCK_SLOT_BYTES;
            pt_put_u64(slot + 24, d->store_id);
            pt_put_u64(slot + 48, number);
            pt_put_u64(slot + 56, end);
            pt_put_u64(slot + 64, chain);
        }
        fuzz_repair_superblock(d->files[i].data, d->files[i].size);
    }
}

static void repair(directory *d)
{
    fuzz_log_chain chain = {0};
    repair_heads(d);
    for (size_t i = 0; i < d->count; i++) {
        store_file *f = &d->files[i];
        if (f->letter == 't')
            fuzz_repair_table(f->data, f->size);
        if (f->letter != 'w')
            continue;
        pt_put_u64(f->data + 24, d->store_id);
        pt_put_u64(f->data + 56, f->number);
        fuzz_repair_segment(&chain, f->data, f->size, false);
    }
    fuzz_log_chain_done(&chain);
}

static void put_files(directory *d, sim_env *sim)
{
    for (size_t i = 0; i < d->count; i++) {
        store_file *f = &d->files[i];
        char name[32] = "PEAT";
        if (f->letter != 'P')
            (void)snprintf(name, sizeof name, "%c-%06u", f->letter, f->number);
        sim_file_put(sim, "db", name, f->data, f->size);
        free(f->data);
    }
}

typedef struct answer {
    peat_rc rc; /* how the scan ended */
    size_t rows;
    uint64_t sum;
} answer;

static uint64_t hash_slice(peat_slice s)
{
    return pt_mix(pt_hash(s.data, s.size) + s.size);
}

static answer scan(peat_db *db, bool back)
{
    answer a = {0};
    peat_iter *it = NULL;
    a.rc = peat_iter_open(db, NULL, &it);
    if (a.rc != PEAT_OK)
        return a;
    while ((a.rc = back ? peat_iter_prev(it) : peat_iter_next(it)) == PEAT_OK) {
        peat_slice k = peat_iter_key(it), v = peat_iter_value(it);
        a.sum += hash_slice(k) * 31 + hash_slice(v); /* the same in both directions */
        a.rows++;
    }
    peat_iter_close(it);
    return a;
}

static void expect_gets(peat_db *db, bool sound)
{
    peat_iter *it = NULL;
    peat_buf value = PEAT_BUF_INIT;
    if (peat_iter_open(db, NULL, &it) != PEAT_OK)
        return;
    for (unsigned i = 0; i < 32 && peat_iter_next(it) == PEAT_OK; i++) {
        peat_rc rc = peat_get(db, NULL, peat_iter_key(it), &value);
        FUZZ_REQUIRE(!sound || (rc == PEAT_OK && value.size == peat_iter_value(it).size),
                     "what a sound store shows it also finds");
    }
    peat_buf_free(&value);
    peat_iter_close(it);
}

static size_t use_store(sim_env *sim, bool read_only)
{
    fuzz_options o;
    peat_db *db = NULL;
    fuzz_options_make(&o, sim_peat(sim));
    o.options.create = PEAT_CREATE_NEVER;
    o.options.read_only = read_only;
    if (peat_open("db", &o.options, &db, NULL) != PEAT_OK)
        return 0;
    bool sound = peat_check(db, NULL, NULL) == PEAT_OK;
    answer ahead = scan(db, false), back = scan(db, true);
    FUZZ_REQUIRE(!sound || (ahead.rc == PEAT_END && back.rc == PEAT_END),
                 "a sound store reads to its end");
    FUZZ_REQUIRE(!sound || (ahead.rows == back.rows && ahead.sum == back.sum),
                 "and shows the same both ways");
    expect_gets(db, sound);
    bool wrote = !read_only && peat_put(db, NULL, peat_str(""), peat_str("new")) == PEAT_OK;
    if (wrote)
        ahead = scan(db, false);
    bool closed = peat_close(db) == PEAT_OK;
    FUZZ_REQUIRE(!sound || read_only || (wrote && closed), "a sound store takes a write");
    if (!sound || !closed)
        return 1 + ahead.rows;
    FUZZ_REQUIRE(peat_open("db", &o.options, &db, NULL) == PEAT_OK, "and opens again");
    back = scan(db, false);
    FUZZ_REQUIRE(ahead.rc == back.rc && ahead.rows == back.rows && ahead.sum == back.sum,
                 "and is the same");
    FUZZ_REQUIRE(read_only || peat_compact(db, peat_unbounded(), peat_unbounded(), NULL) == PEAT_OK,
                 "and can be compacted");
    back = scan(db, false);
    FUZZ_REQUIRE(ahead.rc == back.rc && ahead.rows == back.rows && ahead.sum == back.sum,
                 "and is still the same");
    FUZZ_REQUIRE(peat_close(db) == PEAT_OK, "and closes");
    return 1 + ahead.rows;
}

static size_t run(const uint8_t *data, size_t size)
{
    pt_cursor c = pt_cursor_of(data, size);
    unsigned flags = pt_cursor_u8(&c);
    directory d = {0};
    while (d.count < FILES_MAX && pt_cursor_left(&c) > 4)
        take_file(&d, &c);
    if (flags & FUZZ_REPAIR)
        repair(&d);
    sim_env *sim = sim_new(1);
    put_files(&d, sim);
    size_t n = use_store(sim, (flags & FUZZ_READ_ONLY) != 0);
    FUZZ_REQUIRE(sim_get_held(sim).bytes_peak < FUZZ_STORE_BYTES_MAX, "no huge allocation");
    FUZZ_REQUIRE(sim_is_clean(sim), "nothing is left over");
    sim_free(sim);
    return n;
}

const fuzz_target fuzz_store = {.name = "store", .run = run, .size_max = 32 << 10};
