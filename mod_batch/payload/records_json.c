#include "payload/records_json.h"

#include "text/moments.h"
#include "text/writer.h"

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

apr_status_t batch_records_write_job(const batch_sink_t *sink, const batch_job_t *job,
                                     apr_pool_t *ptemp)
{
    batch_text_writer_t writer;

    batch_text_writer_init(&writer, sink);
    batch_write_text(&writer, "{\"id\":");
    batch_write_json_string(&writer, job->id);
    batch_write_text_member(&writer, "status", batch_records_status(job->status));
    batch_write_number_member(&writer, "objects_total", job->total);
    batch_write_number_member(&writer, "objects_success", batch_counts_applied(&job->counts));
    batch_write_number_member(&writer, "objects_failed", job->counts.errors);
    batch_write_text_member(&writer, "created_at", batch_time_format(job->created_at, ptemp));
    batch_write_text_member(&writer, "updated_at", batch_time_format(job->updated_at, ptemp));
    /* To a client of this API a batch runs from its start request on. */
    batch_write_text_member(&writer, "started_at", batch_time_format(job->queued_at, ptemp));
    batch_write_text_member(&writer, "completed_at", batch_time_format(job->completed_at, ptemp));
    batch_write_text_member(&writer, "created_by", job->created_by);
    batch_write_text_member(&writer, "created_by_id", job->created_by_id);
    batch_write_text_member(&writer, "updated_by", job->updated_by);
    batch_write_text_member(&writer, "updated_by_id", job->updated_by_id);
    batch_write_text_member(&writer, "reason", job->reason);
    if (job->warnings) {
        batch_write_name(&writer, "warnings");
        batch_write_text(&writer, job->warnings);
    }
    batch_write_text(&writer, "}");
    return batch_writer_end(&writer);
}

apr_status_t batch_records_write_list_end(const batch_sink_t *sink, apr_int64_t page,
                                          apr_int64_t per_page, apr_int64_t total,
                                          apr_pool_t *ptemp)
{
    batch_text_writer_t writer;
    apr_int64_t pages = per_page > 0 ? total / per_page + (total % per_page != 0) : 1;

    (void)ptemp;
    batch_text_writer_init(&writer, sink);
    batch_write_text(&writer, "]");
    batch_write_number_member(&writer, "current_page", page);
    batch_write_number_member(&writer, "total_pages", pages ? pages : 1);
    batch_write_number_member(&writer, "total_count", total);
    batch_write_number_member(&writer, "per_page", per_page);
    batch_write_text(&writer, "}");
    return batch_writer_end(&writer);
}

/** The messages of one field, in the order of their problems. */
typedef struct field_messages {
    const char *field;
    apr_array_header_t *messages; /* of const char * */
} field_messages_t;

/** The problems by field, fields in order of their first problem: an array of field_messages_t. */
static apr_array_header_t *group_problems(const batch_problems_t *problems, apr_pool_t *ptemp)
{
    apr_array_header_t *fields = apr_array_make(ptemp, 8, sizeof(field_messages_t));
    apr_hash_t *messages_of = apr_hash_make(ptemp);

    for (int i = 0; i < problems->nelts; i++) {
        const batch_problem_t *problem = &APR_ARRAY_IDX(problems, i, batch_problem_t);
        apr_array_header_t *messages =
            apr_hash_get(messages_of, problem->field, APR_HASH_KEY_STRING);

        if (!messages) {
            field_messages_t *entry = apr_array_push(fields);

            messages = apr_array_make(ptemp, 1, sizeof(const char *));
            entry->field = problem->field;
            entry->messages = messages;
            apr_hash_set(messages_of, problem->field, APR_HASH_KEY_STRING, messages);
        }
        APR_ARRAY_PUSH(messages, const char *) = problem->message;
    }
    return fields;
}

apr_status_t batch_records_write_problems(const batch_sink_t *sink,
                                          const batch_problems_t *problems, apr_pool_t *ptemp)
{
    apr_array_header_t *fields = group_problems(problems, ptemp);
    batch_text_writer_t writer;

    batch_text_writer_init(&writer, sink);
    batch_write_text(&writer, "{\"batch\":{\"errors\":{");
    for (int i = 0; i < fields->nelts; i++) {
        const field_messages_t *entry = &APR_ARRAY_IDX(fields, i, field_messages_t);

        batch_write_text(&writer, i ? "," : "");
        batch_write_json_string(&writer, entry->field);
        for (int j = 0; j < entry->messages->nelts; j++) {
            batch_write_text(&writer, j ? "," : ":[");
            batch_write_json_string(&writer, APR_ARRAY_IDX(entry->messages, j, const char *));
        }
        batch_write_text(&writer, "]");
    }
    batch_write_text(&writer, "}}}");
    return batch_writer_end(&writer);
}

apr_status_t batch_records_write_error(const batch_sink_t *sink, int code, const char *reason,
                                       const char *message, apr_pool_t *ptemp)
{
    batch_text_writer_t writer;

    (void)ptemp;
    batch_text_writer_init(&writer, sink);
    batch_write_text(&writer, "{\"error\":");
    batch_write_json_string(&writer, reason);
    batch_write_number_member(&writer, "status", code);
    if (message) {
        batch_write_text_member(&writer, "message", message);
    }
    batch_write_text(&writer, "}");
    return batch_writer_end(&writer);
}
