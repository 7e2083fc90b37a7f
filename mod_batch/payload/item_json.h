/*
 * One item of a batch: its JSON text -> the values that it names. The text was checked before
 * (json_reader.h).
 */
#ifndef BATCH_PAYLOAD_ITEM_JSON_H
#define BATCH_PAYLOAD_ITEM_JSON_H

#include "batch.h"
#include "engine/intake.h"

/** Members that an item may have: as many as SQLite lets a table have columns. */
#define BATCH_ITEM_MEMBERS 2000

/** Bytes that the wrapping of an error file may add to an item. */
#define BATCH_ITEM_WRAPPING (16 * 1024)

typedef struct batch_item_parser batch_item_parser_t;

/**
 * Makes a parser for the items of a resource, in p; it remembers the resource's names, so that
 * items which have them in the same order are read fast. max_size: bytes of an item's text.
 */
batch_item_parser_t *batch_item_parser_make(const batch_resource_t *resource, apr_int64_t max_size,
                                            apr_pool_t *p);

/**
 * Fills *item from a text, which is copied into p; the item's line is not touched. A value's name
 * is the very string of the resource where it is a name of the resource's. A text of NULL is one
 * that is too large. What cannot be read as an item is wrong (not_an_object, too_large,
 * repeated_member, nul_byte for U+0000 in a string); then the values are those that could be
 * read, each name once, so that it can still be told which row was meant.
 *
 * An entry of an error file, {"index","line","id","field","code","message","item"} in any order,
 * stands for its item, unless the resource has a column of the name item.
 */
void batch_item_parse(batch_source_item_t *item, batch_item_parser_t *parser, const char *text,
                      apr_size_t length, apr_pool_t *p);

/** Says what is wrong with the item; the first thing counts. */
void batch_item_wrong(batch_source_item_t *item, const char *code, const char *field,
                      const char *message);

#endif
