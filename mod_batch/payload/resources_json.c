#include "payload/resources_json.h"

#include "engine/status.h"
#include "text/json.h"

/* ---- The envelope --------------------------------------------------------------------------- */

apr_status_t batch_envelope_begin(const batch_sink_t *sink, const batch_envelope_t *envelope)
{
    batch_text_writer_t writer;

    batch_text_writer_init(&writer, sink);
    batch_write_text(&writer, "{\"message\":");
    batch_write_json(&writer, batch_json_string(envelope->message));
    batch_write_text(&writer, ",\"data\":");
    return batch_writer_end(&writer);
}

/**
 * Writes one element of errors; index: of the item, -1 = none; line: of the body, 0 = none; id: of
 * the item or row, or NULL. *count: of those before it.
 */
static void write_error(batch_text_writer_t *writer, int *count, apr_int64_t index,
                        const batch_item_error_t *what)
{
    struct json_object *error = batch_json_object(NULL);

    if (index < 0) {
        batch_json_add(error, "index", NULL);
    } else {
        batch_json_add_number(error, "index", index);
    }
    if (what->line) {
        batch_json_add_number(error, "line", what->line);
    }
    if (what->id) {
        batch_json_add_text(error, "id", what->id);
    }
    batch_json_add_text(error, "field", what->field);
    batch_json_add_text(error, "code", what->code);
    batch_json_add_text(error, "message", what->message);
    batch_write_text(writer, (*count)++ ? "," : "");
    batch_write_json(writer, error);
}

/** One by one: a batch that is run at once may have many. */
static void write_errors(batch_text_writer_t *writer, const batch_envelope_t *envelope)
{
    int count = 0;

    for (int i = 0; envelope->problems && i < envelope->problems->nelts; i++) {
        const batch_problem_t *problem = &APR_ARRAY_IDX(envelope->problems, i, batch_problem_t);
        batch_item_error_t error = {.line = problem->line,
                                    .field = problem->field,
                                    .code = envelope->code,
                                    .message = problem->message};

        write_error(writer, &count, -1, &error);
    }
    for (int i = 0; envelope->errors && i < envelope->errors->nelts; i++) {
        const batch_item_error_t *error = &APR_ARRAY_IDX(envelope->errors, i, batch_item_error_t);

        write_error(writer, &count, error->ordinal < envelope->received ? error->ordinal : -1,
                    error);
    }
    if (!count && envelope->code) {
        batch_item_error_t error = {.code = envelope->code, .message = envelope->message};

        write_error(writer, &count, -1, &error);
    }
}

static struct json_object *pagination_make(const batch_envelope_t *envelope)
{
    struct json_object *pagination;

    if (!envelope->limit) {
        return NULL;
    }
    pagination = batch_json_object(NULL);
    batch_json_add_number(pagination, "limit", envelope->limit);
    batch_json_add_number(pagination, "page", envelope->page);
    batch_json_add_flag(pagination, "has_more",
                        envelope->page * envelope->limit < envelope->total_count);
    batch_json_add_number(pagination, "total_count", envelope->total_count);
    return pagination;
}

apr_status_t batch_envelope_end(const batch_sink_t *sink, const batch_envelope_t *envelope)
{
    struct json_object *rest = batch_json_object(NULL);
    batch_text_writer_t writer;

    batch_text_writer_init(&writer, sink);
    batch_write_text(&writer, ",\"status\":");
    batch_write_number(&writer, envelope->status);
    batch_write_text(&writer, ",\"errors\":[");
    write_errors(&writer, envelope);
    batch_write_text(&writer, "],");
    batch_json_add_text(rest, "code", envelope->code);
    batch_json_add(rest, "pagination", pagination_make(envelope));
    batch_json_add_text(rest, "endpoint", envelope->endpoint);
    batch_write_json_members(&writer, rest);
    batch_write_text(&writer, "}");
    return batch_writer_end(&writer);
}

/* ---- Phases --------------------------------------------------------------------------------- */

/** A phase as clients see it. */
typedef struct phase {
    int synchronous;
    apr_int64_t total;
    apr_int64_t success;
    apr_int64_t error;
    apr_time_t started_at; /* 0 = not yet */
    apr_time_t completed_at;
} phase_t;

static phase_t phase_parsing(const batch_job_t *job)
{
    /* While an upload is being received, fewer items are stored than were counted. */
    phase_t phase = {1,
                     job->received,
                     job->stored - job->counts.duplicates,
                     job->counts.duplicates,
                     job->expires_at ? job->upload_began_at : job->created_at,
                     job->parsed_at};

    return phase;
}

static phase_t phase_validation(const batch_job_t *job)
{
    apr_int64_t total = job->stored - job->counts.duplicates;
    phase_t phase = {1, total, 0, 0, job->parsed_at, job->validated_at};

    if (job->validated_at) {
        phase.error = job->invalid;
        phase.success = total - job->invalid;
    }
    return phase;
}

static phase_t phase_processing(const batch_job_t *job)
{
    apr_int64_t kept = job->cleanup_done - job->counts.overwritten; /* refused by the database */
    phase_t phase = {job->mode == BATCH_MODE_SYNC,
                     job->total,
                     batch_counts_applied(&job->counts),
                     job->counts.errors - job->invalid - kept,
                     job->started_at,
                     job->processed_at};

    if (phase.synchronous && !phase.started_at && job->processed_at) {
        phase.started_at = job->validated_at;
    }
    if (job->last_tries &&
        job->position < batch_job_items(job)) { /* some are tried behind the cleanup */
        phase.completed_at = 0;
    }
    return phase;
}

static phase_t phase_cleanup(const batch_job_t *job)
{
    phase_t phase = {job->mode == BATCH_MODE_SYNC,
                     job->cleanup_total > 0 ? job->cleanup_total : 0, /* below 0: not counted yet */
                     job->counts.overwritten,
                     job->cleanup_done - job->counts.overwritten,
                     job->processed_at,
                     0};

    if (job->status == BATCH_STATUS_COMPLETED) {
        phase.completed_at = job->completed_at;
    }
    return phase;
}

static phase_t (*const phase_of[BATCH_PHASE_COUNT])(const batch_job_t *job) = {
    [BATCH_PHASE_PARSING] = phase_parsing,
    [BATCH_PHASE_VALIDATION] = phase_validation,
    [BATCH_PHASE_PROCESSING] = phase_processing,
    [BATCH_PHASE_CLEANUP] = phase_cleanup,
};

static const char *phase_status(const batch_job_t *job, const phase_t *phase)
{
    if (phase->completed_at || job->status == BATCH_STATUS_COMPLETED) {
        return "completed";
    }
    if (batch_status_is_final(job->status)) {
        return "failed";
    }
    return phase->started_at ? "processing" : "pending";
}

static struct json_object *phase_make(const batch_job_t *job, batch_phase_e which)
{
    phase_t phase = phase_of[which](job);
    struct json_object *made = batch_json_object(NULL);

    batch_json_add_text(made, "name", batch_phase_name(which));
    batch_json_add_text(made, "mode", phase.synchronous ? "synchronous" : "asynchronous");
    batch_json_add_text(made, "status", phase_status(job, &phase));
    batch_json_add_number(made, "total", phase.total);
    batch_json_add_number(made, "processed", phase.success + phase.error);
    batch_json_add_number(made, "success", phase.success);
    batch_json_add_number(made, "error", phase.error);
    batch_json_add_time(made, "started_at", phase.started_at);
    batch_json_add_time(made, "completed_at", phase.completed_at);
    return made;
}

static void add_phases(struct json_object *batch, const batch_job_t *job)
{
    struct json_object *phases = batch_json_array_of(batch, "phases");
    int last = batch_action_is(job->action, BATCH_ACTION_CLEANS_UP) ? BATCH_PHASE_CLEANUP
                                                                    : BATCH_PHASE_PROCESSING;

    for (int i = 0; i <= last; i++) {
        json_object_array_add(phases, phase_make(job, (batch_phase_e)i));
    }
}

/* ---- The batch ------------------------------------------------------------------------------ */

static struct json_object *stats_make(const batch_counts_t *counts)
{
    struct json_object *stats = batch_json_object(NULL);

    batch_json_add_number(stats, "created", counts->created);
    batch_json_add_number(stats, "updated", counts->updated);
    batch_json_add_number(stats, "deleted", counts->deleted);
    batch_json_add_number(stats, "overwritten", counts->overwritten);
    batch_json_add_number(stats, "duplicates", counts->duplicates);
    batch_json_add_number(stats, "errors", counts->errors);
    return stats;
}

apr_status_t batch_resources_write_job(const batch_sink_t *sink, const batch_job_t *job,
                                       const batch_urls_t *urls)
{
    static const batch_urls_t none = {NULL, NULL, NULL, NULL, NULL};
    struct json_object *batch = batch_json_object(NULL);
    batch_text_writer_t writer;

    urls = urls ? urls : &none;
    batch_json_add_text(batch, "object", "batch");
    batch_json_add_text(batch, "id", job->id);
    batch_json_add_text(batch, "organization_id", *job->organization ? job->organization : NULL);
    batch_json_add_text(batch, "resource", job->resource);
    batch_json_add_text(batch, "action", batch_action_name(job->action));
    batch_json_add_text(batch, "mode", batch_mode_name(job->mode));
    batch_json_add_text(batch, "via", batch_via_name(job->via));
    batch_json_add_text(batch, "status", batch_status_name(job->status));
    batch_json_add_text(batch, "reason", job->reason);
    batch_json_add_text(batch, "duplicate_handling",
                        batch_duplicates_name(job->duplicate_handling));
    add_phases(batch, job);
    batch_json_add(batch, "stats", stats_make(&job->counts));
    batch_json_add_flag(batch, "has_upload_file", batch_job_has_upload(job));
    batch_json_add_flag(batch, "has_errors_file", batch_job_has_errors(job));
    batch_json_add_time(batch, "created_at", job->created_at);
    batch_json_add_time(batch, "updated_at", job->updated_at);
    batch_json_add_time(batch, "started_at", job->started_at);
    batch_json_add_time(batch, "completed_at", job->completed_at);
    batch_json_add_text(batch, "created_by", job->created_by);
    batch_json_add_text(batch, "created_by_id", job->created_by_id);
    batch_json_add_text(batch, "updated_by", job->updated_by);
    batch_json_add_text(batch, "updated_by_id", job->updated_by_id);
    batch_json_add_text(batch, "checksum", job->checksum);
    batch_json_add_text(batch, "_upload_url", urls->upload);
    batch_json_add_text(batch, "_upload_csv_url", urls->upload_csv);
    batch_json_add_text(batch, "_upload_json_url", urls->upload_json);
    batch_json_add_text(batch, "_errors_csv_url", urls->errors_csv);
    batch_json_add_text(batch, "_errors_json_url", urls->errors_json);
    batch_text_writer_init(&writer, sink);
    batch_write_json(&writer, batch);
    return batch_writer_end(&writer);
}
