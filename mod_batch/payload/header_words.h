/* What is said of a name in the header row of a CSV file that the resource does not have. */
#ifndef BATCH_PAYLOAD_HEADER_WORDS_H
#define BATCH_PAYLOAD_HEADER_WORDS_H

#include "batch.h"

/** Where the name stands. */
#define BATCH_HEADER_FIRST 1 /* in the first cell */
#define BATCH_HEADER_TOLD  2 /* behind another unknown one, which got the list of names */
#define BATCH_HEADER_ALL   4 /* in a row that is all of the file */

/** 1 if the row that begins with that cell is no header row, but names a separator (sep=;). */
int batch_header_names_separator(const char *cell, apr_size_t length);

/**
 * The sentence for a name that is not known: cells that are separated by something else than
 * commas, what is no CSV, an invisible character, the name that may have been meant; else which
 * names there are. where: the flags above. In p.
 */
const char *batch_header_unknown_words(const batch_resource_t *resource, const char *name,
                                       apr_size_t length, int where, apr_pool_t *p);

/** What the separator is called that a text begins with, if it is none of ours; else NULL. */
const char *batch_header_separator_name(const char *text, apr_size_t length);

#endif
