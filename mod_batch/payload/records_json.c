#include "payload/records_json.h"

#include "text/json.h"
#include "text/moments.h"

const char *batch_records_status(batch_status_e status)
{
    switch (status) {
    case BATCH_STATUS_PENDING:
        return "pending";
    case BATCH_STATUS_COMPLETED:
        return "success";
    case BATCH_STATUS_FAILED:
    case BATCH_STATUS_TIMED_OUT:
    case BATCH_STATUS_EXPIRED:
        return "failed";
    default:
        return "running";
    }
}

/* ---- Replies ------------------------------------------------------------------------------- */

/** Writes and frees a reply that is one value. */
static apr_status_t write_value(const batch_sink_t *sink, struct json_object *value)
{
    batch_text_writer_t writer;

    batch_text_writer_init(&writer, sink);
    batch_write_json(&writer, value);
    return batch_writer_end(&writer);
}

apr_status_t batch_records_write_job(const batch_sink_t *sink, const batch_job_t *job,
                                     apr_pool_t *ptemp)
{
    struct json_object *batch = batch_json_object(NULL);

    batch_json_add_text(batch, "id", job->id);
    batch_json_add_text(batch, "status", batch_records_status(job->status));
    batch_json_add_number(batch, "objects_total", job->total);
    batch_json_add_number(batch, "objects_success", batch_counts_applied(&job->counts));
    batch_json_add_number(batch, "objects_failed", job->counts.errors);
    batch_json_add_text(batch, "created_at", batch_time_format(job->created_at, ptemp));
    batch_json_add_text(batch, "updated_at", batch_time_format(job->updated_at, ptemp));
    /* To a client of this API a batch runs from its start request on. */
    batch_json_add_text(batch, "started_at", batch_time_format(job->queued_at, ptemp));
    batch_json_add_text(batch, "completed_at", batch_time_format(job->completed_at, ptemp));
    batch_json_add_text(batch, "created_by", job->created_by);
    batch_json_add_text(batch, "created_by_id", job->created_by_id);
    batch_json_add_text(batch, "updated_by", job->updated_by);
    batch_json_add_text(batch, "updated_by_id", job->updated_by_id);
    batch_json_add_text(batch, "reason", job->reason);
    if (job->warnings) {
        /* What the engine has written there. */
        batch_json_add(batch, "warnings", json_tokener_parse(job->warnings));
    }
    return write_value(sink, batch);
}

apr_status_t batch_records_write_list_end(const batch_sink_t *sink, apr_int64_t page,
                                          apr_int64_t per_page, apr_int64_t total)
{
    struct json_object *end = batch_json_object(NULL);
    apr_int64_t pages = per_page > 0 ? total / per_page + (total % per_page != 0) : 1;
    batch_text_writer_t writer;

    batch_json_add_number(end, "current_page", page);
    batch_json_add_number(end, "total_pages", pages ? pages : 1);
    batch_json_add_number(end, "total_count", total);
    batch_json_add_number(end, "per_page", per_page);
    batch_text_writer_init(&writer, sink);
    batch_write_text(&writer, "],");
    batch_write_json_members(&writer, end);
    batch_write_text(&writer, "}");
    return batch_writer_end(&writer);
}

apr_status_t batch_records_write_problems(const batch_sink_t *sink,
                                          const batch_problems_t *problems)
{
    struct json_object *reply = batch_json_object(NULL);
    struct json_object *batch = batch_json_object(NULL);
    struct json_object *errors = batch_json_object(NULL);

    for (int i = 0; i < problems->nelts; i++) {
        const batch_problem_t *problem = &APR_ARRAY_IDX(problems, i, batch_problem_t);

        json_object_array_add(batch_json_array_of(errors, problem->field),
                              batch_json_string(problem->message));
    }
    batch_json_add(batch, "errors", errors);
    batch_json_add(reply, "batch", batch);
    return write_value(sink, reply);
}

apr_status_t batch_records_write_error(const batch_sink_t *sink, int code, const char *reason,
                                       const char *message)
{
    struct json_object *error = batch_json_object(NULL);

    batch_json_add_text(error, "error", reason);
    batch_json_add_number(error, "status", code);
    if (message) {
        batch_json_add_text(error, "message", message);
    }
    return write_value(sink, error);
}
