/* SPDX-License-Identifier: MIT */
/*
 * fuzz.h - the fuzz targets: one per family of bytes that Peat takes from outside.
 *
 * A target is a function of bytes. It returns how many things it decoded (0: nothing was accepted),
 * and ends the process when a rule is broken; sanitizers see the rest. The first byte of an input
 * is a set of flags. With FUZZ_REPAIR the target puts the checksums of the bytes right before it
 * decodes them, so that a mutation is judged by what stands behind the checksums; without it, the
 * checksums must catch the mutation.
 *
 * libfuzzer.c makes a fuzzer of each target; test_corpora.c runs what was found as an ordinary
 * test. Corpora lie packed in corpus/NAME.bin (pack.h), made by corpora.sh out of seeds.c.
 */
#ifndef TEST_FUZZ_FUZZ_H
#define TEST_FUZZ_FUZZ_H

#include "base/coding.h"

#define FUZZ_REPAIR 1u
/* 2 to 128 are the target's own. Of the manifest's: */
#define FUZZ_NAMES       16u
#define FUZZ_NAMES_BYTES 32u

typedef struct fuzz_target {
    const char *name;
    size_t (*run)(const uint8_t *data, size_t size);
    size_t size_max; /* of an input */
} fuzz_target;

extern const fuzz_target fuzz_pieces;     /* blocks, sections, footers, operations, codecs */
extern const fuzz_target fuzz_table;      /* a table file */
extern const fuzz_target fuzz_manifest;   /* superblock, manifest, edits, version set */
extern const fuzz_target fuzz_log;        /* segments, and what recovery makes of them */
extern const fuzz_target fuzz_stream;     /* import */
extern const fuzz_target fuzz_store;      /* a whole directory */
extern const fuzz_target fuzz_operations; /* calls against the oracle */
extern const fuzz_target fuzz_command;    /* the parsers of the command */

#define FUZZ_TARGETS 8
extern const fuzz_target *const fuzz_targets[FUZZ_TARGETS];
const fuzz_target *fuzz_find(const char *name); /* NULL: none */

/* A rule that holds for any bytes. */
#define FUZZ_REQUIRE(x, what) ((x) ? (void)0 : fuzz_broken(__FILE__, __LINE__, what))
void fuzz_broken(const char *file, int line, const char *what) __attribute__((noreturn));

/* Memory of exactly this size, so that a sanitizer sees a read beyond it. free() it. */
uint8_t *fuzz_copy(const uint8_t *data, size_t size);
/* Anything the optimiser cannot drop: every byte of an upper run is looked at. */
uint64_t fuzz_touch(pt_slice bytes);

/* Two bytes of an input; 0 behind its end. */
static inline uint16_t fuzz_u16(pt_cursor *c)
{
    pt_slice s = pt_cursor_bytes(c, 2);
    return s.size != 0 ? pt_get_u16(s.data) : 0;
}

/* --- checksums put right (repair.c) ------------------------------------------------------------
 * Each works in place on a file's image and leaves the rest as it is; a whole file is unchanged. */

void fuzz_repair_superblock(uint8_t *file, size_t size);
void fuzz_repair_meta(uint8_t *meta, size_t size);
/* Returns where the whole records end; ret_chain: the checksum of the last one. */
size_t fuzz_repair_manifest(uint8_t *file, size_t size, uint64_t store_id, uint64_t number,
                            uint64_t *ret_chain);
void fuzz_repair_table(uint8_t *file, size_t size);
void fuzz_repair_stream(uint8_t *stream, size_t size);

/* Segments in the order of their serials: each is made to follow the one before. */
typedef struct fuzz_log_chain {
    uint64_t serial, salt, end;
    uint8_t *parts; /* of a record under way */
    size_t part_size;
} fuzz_log_chain;
void fuzz_repair_segment(fuzz_log_chain *io_chain, uint8_t *file, size_t size, bool follow);
void fuzz_log_chain_done(fuzz_log_chain *chain);

/* --- seeds.c --- */

typedef void (*fuzz_seed_fn)(void *ctx, const fuzz_target *target, const void *data, size_t size);
/* Valid inputs for every target, made from stores in the simulated environment. */
void fuzz_make_seeds(fuzz_seed_fn take, void *ctx);

#endif
