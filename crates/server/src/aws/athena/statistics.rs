//! What did a query read?

use serde_json::json;

use super::description::{Times, state};
use super::{Answered, Call, OfQuery};

/// `GetQueryRuntimeStatistics`. The plan of a query is one stage here; `EXPLAIN ANALYZE` tells
/// more.
pub(super) async fn get(call: &Call<'_>, asked: OfQuery) -> Answered {
    let record = call.record(&asked.query_execution_id).await?;
    let times = Times::of(&record);
    let mut statistics = json!({
        "Timeline": {
            "QueryQueueTimeInMillis": times.queued,
            "ServicePreProcessingTimeInMillis": 0,
            "QueryPlanningTimeInMillis": 0,
            "EngineExecutionTimeInMillis": times.running,
            "ServiceProcessingTimeInMillis": 0,
            "TotalExecutionTimeInMillis": times.total,
        },
    });
    // As Athena: rows are counted when the query is over.
    if record.status.is_over() {
        let rows = json!({
            "InputRows": record.rows_read,
            "InputBytes": record.bytes_read,
            "OutputBytes": record.result_bytes,
            "OutputRows": record.rows,
        });
        let mut stage = rows.clone();
        stage["StageId"] = json!(0);
        stage["State"] = json!(state(record.status));
        stage["ExecutionTime"] = json!(times.running);
        statistics["Rows"] = rows;
        statistics["OutputStage"] = stage;
    }
    Ok(json!({ "QueryRuntimeStatistics": statistics }))
}
