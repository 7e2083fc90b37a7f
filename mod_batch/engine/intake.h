/*
 * Intake of a batch of the resources API: from a request and a source of items to a stored job.
 *
 * The phases parsing (duplicates) and validation are done here, in the request. What was accepted
 * is stored in segments, in the order sent, with what was dropped in between; so the stored items
 * are the upload, and a worker neither parses nor validates again. With the mode sync all phases
 * are done here, in one transaction.
 */
#ifndef BATCH_ENGINE_INTAKE_H
#define BATCH_ENGINE_INTAKE_H

#include "batch.h"
#include "engine/jobs.h"

/** A create request as it was sent; what is absent is NULL, or the default that is named. */
typedef struct batch_resources_request {
    const char *mode;
    const char *action;
    const char *resource;
    const char *duplicate_handling;
    int save_upload;                /* 1 when absent */
    int atomic;                     /* 1 when absent; for the mode sync */
    int allow_empty;                /* 0 when absent; for overwrite */
    int has_data;                   /* items were sent, or an empty list of them */
    apr_int64_t count;              /* of the items */
    apr_array_header_t *properties; /* of batch_value_t, in the order sent; NULL = none */
    batch_via_e via;
    const char *checksum; /* SHA-256 of the body, hex */
} batch_resources_request_t;

/** What a batch is to do, and how: of a request that was found to be sound. */
typedef struct batch_terms {
    const batch_resource_t *resource;
    batch_key_type_e key_type; /* of resource->key; set by the intake */
    batch_action_e action;
    batch_mode_e mode;
    batch_duplicates_e duplicate_handling;
    batch_via_e via;
    int save_upload;
    int atomic;
    int allow_empty;
    const batch_value_t *properties;
    int property_count;
    const char *checksum;
} batch_terms_t;

/**
 * Judges all of a request but what its items are: adds a problem for everything that is wrong,
 * fields as "resource" and "properties.name"; each says what is allowed instead. Only terms
 * without problems may be used; terms->resource (NULL = none) and *action (-1 = none) are set as
 * far as they are known, so that who may not do it hears that first.
 */
void batch_resources_check(batch_terms_t *terms, int *action, batch_problems_t *problems,
                           const batch_engine_t *engine, const batch_resources_request_t *request,
                           apr_pool_t *p);

/** 1 if a batch may have so many items; else adds a problem. */
int batch_resources_check_count(batch_problems_t *problems, const batch_limits_t *limits,
                                const batch_terms_t *terms, apr_int64_t count);

/**
 * What a source gives for one item: values as the client sent them (the key among them, under its
 * column's name), with their kinds; or, where the item cannot be read as that, what is wrong.
 */
typedef struct batch_source_item {
    apr_int64_t line; /* where it begins, from 1; 0 = the format has none */
    int value_count;
    batch_value_t *values; /* in the order sent; no two of a name */
    /* NULL, or the values as they were sent where some of `values` were given another spelling. */
    const batch_value_t *sent;
    apr_size_t size;      /* bytes of its text, about */
    const char *original; /* the item as JSON text; NULL: what make_original gives, if it is set */
    /* Makes the original of the item, in p: for formats where that is work, and few need it. */
    const char *(*make_original)(const struct batch_source_item *item, apr_pool_t *p);
    int unreadable;      /* it is wrong, and no value of its tells which row was meant */
    const char *wrong;   /* NULL, or a code (docs/api): the item is dropped by validation */
    const char *message; /* of wrong */
    const char *field;   /* of wrong; NULL = the item as a whole */
} batch_source_item_t;

/** Where items come from, in the order sent; can be read more than once. */
typedef struct batch_item_source {
    /** Sets *item, in p. APR_EOF behind the last one; else what reading failed with, in err. */
    apr_status_t (*next)(void *baton, batch_source_item_t *item, batch_error_t *err, apr_pool_t *p);
    /** Goes back to the first item. */
    apr_status_t (*rewind)(void *baton, batch_error_t *err);
    void *baton;
    apr_int64_t count;  /* of the items: the whole body was read before the intake begins */
    const char *header; /* of a CSV file: the names of its columns, with commas; NULL = no CSV */
    struct batch_early *early; /* judged while the items arrived: early.h; NULL: nothing was */
} batch_item_source_t;

/**
 * Takes a batch in: durable when this returns APR_SUCCESS, with *job filled (strings in p). Mixed:
 * the job is queued, or final where no item is left to be applied. Sync: it is final.
 * errors: array of batch_item_error_t, to which those of a sync job are added, in order of ordinal;
 * for the mode mixed it stays as it is.
 * BATCH_EINVALID: problems says what is wrong with the items as a whole (none, too many); no job
 * was made. BATCH_EFORBIDDEN as in jobs.h.
 */
apr_status_t batch_intake(batch_job_t *job, apr_array_header_t *errors,
                          const batch_engine_t *engine, const batch_actor_t *actor,
                          const batch_terms_t *terms, const batch_item_source_t *source,
                          batch_problems_t *problems, batch_error_t *err, apr_pool_t *p);

#endif
