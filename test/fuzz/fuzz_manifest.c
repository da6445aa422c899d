/* SPDX-License-Identifier: MIT */
/*
 * fuzz_manifest.c - PEAT and m-000001 as the version set reads them.
 *
 * Input: flags, promise u16 (0: all whole records), two superblock heads of 64 bytes (their bytes
 * 8 to 72), with FUZZ_NAMES what lies behind both of them (32 bytes), how many bytes of PEAT are
 * cut off u8 in units of 512, then the manifest file. With FUZZ_REPAIR the slots speak of the
 * manifest that is there.
 */
#include "fuzz/fuzz.h"
#include "support/version_set_site.h"

#include <stdlib.h>

#define FUZZ_FOREIGN   2u /* another file lies there */
#define FUZZ_NO_TABLES 4u /* files of tables are missing */
#define FUZZ_PADDED    8u /* zeros behind the records, as in a file made ahead */
#define SLOT_BYTES     64u
#define SLOT_HEAD      72u

/* What must be the same after a reopen. */
typedef struct shape {
    pt_state state;
    size_t tables, partitions, layers, ends;
    uint64_t live_bytes;
} shape;

static shape look(const pt_version_set *c)
{
    shape s = {.state = c->state,
               .tables = c->table_count,
               .partitions = c->version->count,
               .ends = c->log_end_count,
               .live_bytes = c->live_bytes};
    for (size_t i = 0; i < c->version->count; i++) {
        const pt_partition *p = c->version->partitions[i];
        s.layers += p->run_count + p->bottom_count;
        FUZZ_REQUIRE(pt_version_partition_of(c->version, p->lower) == i,
                     "a partition holds its lower bound");
    }
    return s;
}

/* Files of the tables that whole records speak of, as far as they are of a sane size. */
static void put_tables(sim_env *sim, const uint8_t *file, size_t end)
{
    for (size_t at = PT_MANIFEST_HEADER_BYTES; at + PT_MANIFEST_RECORD_BYTES <= end;) {
        size_t n = pt_get_u32(file + at + 16);
        if (n > end - at - PT_MANIFEST_RECORD_BYTES)
            return;
        pt_cursor c = pt_cursor_of(file + at + PT_MANIFEST_RECORD_BYTES, n);
        pt_edit_item item;
        pt_table_meta m;
        while (pt_edit_next(&c, &item) == PEAT_OK) {
            char name[PT_TABLE_NAME_SIZE];
            uint8_t *zeros;
            if (item.tag != PT_EDIT_TABLE || pt_table_meta_decode(item.table_meta, &m) != PEAT_OK ||
                m.file_bytes > 1 << 16 || m.file_number >= 1000000)
                continue;
            zeros = calloc(1, m.file_bytes + 1);
            pt_table_name(m.file_number, name);
            sim_file_put(sim, "db", name, zeros, (size_t)m.file_bytes);
            free(zeros);
        }
        at += PT_MANIFEST_RECORD_BYTES + n;
    }
}

/* PEAT out of its two heads. */
static void put_superblock(sim_env *sim, const uint8_t *heads, pt_slice names, bool repair,
                           size_t end, uint64_t chain, size_t size)
{
    uint8_t peat[PT_SUPERBLOCK_FILE_BYTES] = {0};
    for (size_t i = 0; i < PT_SUPERBLOCK_SLOTS; i++) {
        uint8_t *slot = peat + i * PT_SUPERBLOCK_SLOT_BYTES;
        memcpy(slot + 8, heads + i * SLOT_BYTES, SLOT_BYTES);
        if (names.size != 0)
            memcpy(slot + SLOT_HEAD, names.data, names.size);
        if (repair) {
            pt_put_u64(slot + 48, 1);
            pt_put_u64(slot + 56, end);
            pt_put_u64(slot + 64, chain);
        }
    }
    fuzz_repair_superblock(peat, sizeof peat);
    sim_file_put(sim, "db", "PEAT", peat, size);
}

static bool same_state(const pt_state *a, const pt_state *b)
{
    return a->seq_flushed == b->seq_flushed && a->log_serial_min == b->log_serial_min &&
           a->file_next == b->file_next && a->partition_next == b->partition_next &&
           a->edit_number == b->edit_number && a->unfinished == b->unfinished &&
           pt_max_u64(a->seq_durable, a->seq_flushed) == pt_max_u64(b->seq_durable, b->seq_flushed);
}

/* What opened can be opened for writing, and says the same afterwards. */
static size_t reopen(version_set_site *s)
{
    shape before = look(&s->version_set), after;
    pt_bytes edit;
    FUZZ_REQUIRE(pt_version_set_begin(&s->version_set) == PEAT_OK, "what opened can be begun");
    pt_bytes_init(&edit, s->env);
    pt_state state = s->version_set.state;
    FUZZ_REQUIRE(pt_version_set_commit(&s->version_set, &edit, &state) == PEAT_OK,
                 "and written to");
    pt_bytes_done(&edit);
    before.state = s->version_set.state;
    sim_env *sim = s->sim;
    version_set_site_close(s);
    FUZZ_REQUIRE(version_set_site_open(s, sim, "db"), "there is a directory");
    FUZZ_REQUIRE(pt_version_set_open(&s->version_set, &s->open_tables) == PEAT_OK,
                 "and opened again");
    after = look(&s->version_set);
    FUZZ_REQUIRE(same_state(&before.state, &after.state) && before.tables == after.tables &&
                     before.partitions == after.partitions && before.layers == after.layers &&
                     before.ends == after.ends,
                 "and it is the same");
    return after.partitions + after.tables;
}

static size_t run(const uint8_t *data, size_t size)
{
    pt_cursor c = pt_cursor_of(data, size);
    unsigned flags = pt_cursor_u8(&c);
    size_t end = fuzz_u16(&c), n = 0;
    pt_slice heads = pt_cursor_bytes(&c, 2 * SLOT_BYTES);
    pt_slice names = pt_cursor_bytes(&c, flags & FUZZ_NAMES ? FUZZ_NAMES_BYTES : 0);
    size_t cut = (size_t)pt_cursor_u8(&c) % 17 * 512;
    if (!pt_cursor_ok(&c))
        return 0;
    size_t file_size = pt_cursor_left(&c);
    uint8_t *file = calloc(1, file_size + 4096);
    memcpy(file, c.at, file_size);
    uint64_t chain = 0;
    version_set_site s;
    sim_env *sim = sim_new(1);
    if (flags & FUZZ_REPAIR) {
        size_t whole =
            fuzz_repair_manifest(file, file_size, pt_get_u64(heads.data + 16), 1, &chain);
        if (end != 0 && end < whole) /* the promise is older than the file */
            (void)fuzz_repair_manifest(file, end, pt_get_u64(heads.data + 16), 1, &chain);
        else
            end = whole;
    }
    if (!(flags & FUZZ_NO_TABLES))
        put_tables(sim, file, file_size);
    if (flags & FUZZ_FOREIGN)
        sim_file_put(sim, "db", "notes.txt", "x", 1);
    put_superblock(sim, heads.data, names, (flags & FUZZ_REPAIR) != 0, end, chain,
                   PT_SUPERBLOCK_FILE_BYTES - cut);
    sim_file_put(sim, "db", "m-000001", file, file_size + (flags & FUZZ_PADDED ? 4096 : 0));
    free(file);

    FUZZ_REQUIRE(version_set_site_open(&s, sim, "db"), "there is a directory");
    bool fresh = pt_superblock_check_fresh(s.env, s.dir, &s.sink) == PEAT_OK;
    if (pt_version_set_open(&s.version_set, &s.open_tables) == PEAT_OK) {
        /* half of PEAT beside a first manifest alone is a creation cut short: nothing is in it */
        FUZZ_REQUIRE(!fresh || s.version_set.table_count == 0,
                     "no new store is made over one that holds something");
        n = reopen(&s);
    }
    version_set_site_close(&s);
    FUZZ_REQUIRE(sim_get_held(sim).bytes_peak < (uint64_t)16 << 20, "no huge allocation");
    FUZZ_REQUIRE(sim_is_clean(sim), "nothing is left over");
    sim_free(sim);
    return n;
}

const fuzz_target fuzz_manifest = {.name = "manifest", .run = run, .size_max = 8192};
