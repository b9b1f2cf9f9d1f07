//! From a correlation id, or from a line on another dashboard, to the trace.

use serde_json::json;

use super::panel::{row, search, trace};
use super::{Dashboard, text_box};

pub(super) fn dashboard() -> Dashboard {
    // Not `error=true`: Jaeger's store in memory finds nothing by that.
    let of_status = json!({ "service": "bangui", "operation": "", "limit": 20,
        "tags": "http.response.status_code=$status" });
    let of_operation = json!({ "service": "bangui", "operation": "$operation", "limit": 20 });
    Dashboard {
        uid: "bangui-trace",
        title: "BanGUI: Trace",
        description: "What did this one request do? Its correlation id is in the header \
                      x-correlation-id of the answer, in each of its log lines, on the page's \
                      error messages, and in the audit log.",
        refresh: "",
        variables: vec![
            text_box("correlation_id", "Correlation id", "32 hexadecimal digits", ""),
            text_box("operation", "Operation", "as DELETE /api/bans/{id}/{id}", "GET /api/bans"),
            text_box("status", "Status", "of the requests in the last table", "503"),
        ],
        panels: vec![
            trace(
                "The trace of a correlation id",
                "Every step of the request or task: fail2ban's commands, statements, calls.",
                "$correlation_id",
            ),
            row("Find one"),
            search(
                "Traces of an operation",
                "The newest; links on the other dashboards fill in the operation.",
                of_operation,
            ),
            search(
                "Traces of a status",
                "The newest that ended so: 503 is fail2ban that is away, 504 took too long, 500 \
                 is an error of ours.",
                of_status,
            ),
        ],
    }
}
