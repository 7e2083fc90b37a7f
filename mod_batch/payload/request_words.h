/*
 * The words of requests: which members and parameters a place of a request knows, and which words
 * must not be passed over there.
 *
 * A word that is not known is ignored, but not one that somebody may have meant as a known one
 * (text/nearest_word.h), nor one that belongs to another place: a safety net that was misspelt, or
 * that stands where nobody looks for it, would be missed only when the rows are gone.
 */
#ifndef BATCH_PAYLOAD_REQUEST_WORDS_H
#define BATCH_PAYLOAD_REQUEST_WORDS_H

#include "batch.h"
#include "payload/request_shape.h"

/** The words of one place. Lists end with NULL; a list that is NULL has none. */
typedef struct batch_request_words {
    const char *const *known;     /* what may stand there */
    const char *const *elsewhere; /* what belongs to another place */
    const char *where;            /* which one: a sentence that begins with the word */
    int is_list;                  /* of a list of batches: any other word is refused, too */
} batch_request_words_t;

/** The body of a create of the records API, its batch, an operation, a body of operations. */
extern const batch_request_words_t batch_words_create, batch_words_batch, batch_words_operation,
    batch_words_operations;

/** The body of a create or upload of the resources API. */
extern const batch_request_words_t batch_words_resources;

/** The body of a request that needs none: one that starts or cancels a batch. */
extern const batch_request_words_t batch_words_change;

/* Parameters in the query string of the same, and of everything else that there is. */
extern const batch_request_words_t batch_parameters_records_create, batch_parameters_records_list,
    batch_parameters_resources_create, batch_parameters_resources_list, batch_parameters_files,
    batch_parameters_upload, batch_parameters_signed, batch_parameters_change,
    batch_parameters_look;

/**
 * What is wrong with a word at a place: a message in p, NULL for nothing. The word has length
 * bytes, whatever they are.
 */
const char *batch_request_word_check(const char *word, apr_size_t length,
                                     const batch_request_words_t *words, apr_pool_t *p);

/**
 * Adds a problem for each member of the object that is wrong where it stands. field is put before
 * its name: "", or "operations[0].". A member that is null counts as absent.
 */
void batch_shape_words(const batch_shape_t *shape, const struct json_object *object,
                       const batch_request_words_t *words, const char *field);

/**
 * The same for the body of a request that needs none, whatever it is: one that is no JSON object
 * has no words.
 */
void batch_request_body_words(batch_problems_t *problems, const char *body, apr_size_t length,
                              const batch_request_words_t *words, apr_pool_t *p);

/**
 * Adds a problem for each known word that this version cannot do, where it is asked for: dry_run or
 * save_result that is true, a limit, an address to be called, and how a file is to be read. What is
 * not there must not be passed over in silence.
 * @param files  also the words about files (of the resources API)
 */
void batch_shape_unavailable(const batch_shape_t *shape, const struct json_object *object,
                             int files);

#endif
