/* Who is asking, and what they may do. */
#include "config/private.h"

#include <string.h>

#include <http_log.h>

#include "text/utf8.h"

APLOG_USE_MODULE(batch);

static const batch_directory_config_t *directory_config(const request_rec *r)
{
    return ap_get_module_config(r->per_dir_config, &batch_module);
}

/* The expression's value for the request; NULL, and logged, if there is none. */
static const char *evaluate(const char *directive, const batch_expression_t *expression,
                            const char *otherwise, request_rec *r)
{
    const char *wrong = NULL;
    const char *value;

    if (!expression->set) {
        return otherwise ? otherwise : "";
    }
    if (!expression->expr) {
        return "";
    }
    value = ap_expr_str_exec(r, expression->expr, &wrong);
    if (wrong || !value) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "MB0201: %s cannot be evaluated: %s", directive,
                      wrong ? wrong : "no value");
        return NULL;
    }
    return value;
}

/* Text of ours goes into the database and into JSON: what is not UTF-8 would be no text there. */
static int is_text(const char *value)
{
    return batch_utf8_is_valid(value, strlen(value));
}

int batch_config_actor(batch_actor_t *actor, request_rec *r)
{
    const batch_directory_config_t *config = directory_config(r);

    memset(actor, 0, sizeof(*actor));
    if (!r->user && config->anonymous != 1) {
        return HTTP_UNAUTHORIZED;
    }
    actor->id = evaluate("BatchUserId", &config->user_id, r->user, r);
    actor->name = evaluate("BatchUserName", &config->user_name, r->user, r);
    actor->organization = evaluate("BatchOrganization", &config->organization, NULL, r);
    if (!actor->id || !actor->name || !actor->organization) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (r->user && !*actor->id) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      "MB0202: BatchUserId is empty for user %s, who is refused", r->user);
        return HTTP_FORBIDDEN;
    }
    if (!is_text(actor->id) || !is_text(actor->name) || !is_text(actor->organization)) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      "MB0203: id, name or organization of user %s is not UTF-8, the user is "
                      "refused",
                      r->user ? r->user : "(anonymous)");
        return HTTP_FORBIDDEN;
    }
    return OK;
}

int batch_config_allows(request_rec *r, const batch_resource_t *resource, batch_action_e action)
{
    const batch_permissions_t *permissions = resource->permissions;
    const char *wrong = NULL;
    int truth;

    if (!permissions->allow[action]) {
        return 1;
    }
    truth = ap_expr_exec(r, permissions->allow[action], &wrong);
    if (truth < 0 || wrong) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "MB0204: BatchAllow %s of resource %s cannot be evaluated, so nobody may: %s",
                      batch_action_name(action), resource->name, wrong ? wrong : "unknown reason");
        return 0;
    }
    return truth > 0;
}

const char *batch_config_token_file(const request_rec *r)
{
    return directory_config(r)->token_file;
}
