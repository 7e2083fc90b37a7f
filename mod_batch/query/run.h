/* A query while it is checked and run. Private to query/. */
#ifndef BATCH_QUERY_RUN_H
#define BATCH_QUERY_RUN_H

#include "query/query.h"
#include "query/tree.h"

/** Bytes that an id may have. */
#define BATCH_QUERY_ID_BYTES 255

/** The distinct ids that a query has selected so far. */
typedef struct batch_query_ids {
    apr_array_header_t *items; /* of batch_item_t; at most as many as a batch can have */
    apr_int64_t count;         /* of all, those that are not kept included */
    apr_hash_t *seen;
    apr_int64_t most;
    apr_size_t bytes; /* of memory, and its limit */
    apr_size_t most_bytes;
    apr_pool_t *p;
} batch_query_ids_t;

/** One run, or one check. */
typedef struct batch_query_run {
    unsigned magic;
#define BATCH_QUERY_RUN_MAGIC 0x24485e13u
    const batch_query_t *query;
    const batch_query_schema_t *schema;
    batch_query_text_t text;
    batch_statement_t *statement; /* checked, without knowledge of what members there are */
    const char *fault; /* checking has found it, but that a form is missing goes before; or NULL */
    apr_time_t now;
    apr_time_t deadline;
    int check_only;
    const char *problem; /* what is wrong, where text.fault does not say it; in p */
    batch_query_ids_t ids;
    apr_pool_t *p; /* of this attempt */
} batch_query_run_t;

/** Notes a problem that has no place in the text. Returns BATCH_EINVALID. */
apr_status_t batch_query_problem(batch_query_run_t *run, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/** The problems of the limits. Each returns BATCH_EINVALID. */
apr_status_t batch_query_out_of_time(batch_query_run_t *run);
apr_status_t batch_query_out_of_memory(batch_query_run_t *run);

/* advice.c */

/**
 * Looks for what people write who know SQL from elsewhere: DELETE FROM, a WHERE alone, = ANY(…). 0
 * with a fault that says what to write instead; 1 where there is nothing of that.
 */
int batch_query_advise(batch_query_text_t *text, const batch_query_schema_t *schema);

/* forms.c */

/**
 * Finds a form of the organization by its name or id, as the query names it: *id in run->p. A name
 * in quotes is as it is written; one without fits in any case, if it is no other form's that is
 * written so, and fits one only. BATCH_EINVALID with a fault.
 */
apr_status_t batch_query_find_form(const char **id, batch_query_run_t *run, batch_tx_t *tx,
                                   const batch_token_t *form, apr_pool_t *ptemp);

/** The conditions that bind a scan to the form and the organization: the first ones of wheres. */
void batch_query_bind(apr_array_header_t *wheres, const batch_query_run_t *run,
                      const char *const *form_id);

/** A scan's status as the run's: a deadline becomes its problem. */
apr_status_t batch_query_scanned(batch_query_run_t *run, apr_status_t rv);

/**
 * Looks whether each member that is not seen yet is one of some record's of the form: a fault where
 * there are records, but none that has it.
 */
apr_status_t batch_query_find_members(batch_query_run_t *run, batch_tx_t *tx,
                                      apr_array_header_t *members, const char *form_id,
                                      apr_pool_t *ptemp);

/* ids.c */

void batch_query_ids_init(batch_query_run_t *run, int unique);

/** Adds an id: a text, or NULL, which is left out. */
apr_status_t batch_query_ids_add(batch_query_run_t *run, const batch_query_value_t *id);

/* scan.c: the first way */

/** Runs a statement that is_scan, or only checks it. */
apr_status_t batch_query_scan(batch_query_run_t *run, batch_tx_t *tx, apr_pool_t *ptemp);

/* sandbox.c: the second way */

/** Runs a query in a database of its own, or only checks it. */
apr_status_t batch_query_sandbox(batch_query_run_t *run, batch_tx_t *tx, apr_pool_t *ptemp);

#endif
