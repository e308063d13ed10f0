//! What do Trino's, AWS's and S3's clients send and get, as far as HTTP goes? What they say inside
//! is described by those who made it.

use serde_json::{Value, json};

use super::operation::{Described, Operation, response, text};

const TEXT: &str = "text/plain; charset=utf-8";
const XML: &str = "application/xml";
const AWS_JSON: &str = "application/x-amz-json-1.1";
const NO_STORE: (&str, &str) = ("cache-control", "`no-store`");
/// What a URL carries that is signed.
const PRESIGNED: [(&str, &str); 7] = [
    ("X-Amz-Algorithm", "`AWS4-HMAC-SHA256`, in a URL that is signed"),
    ("X-Amz-Credential", "The access key and its scope, of the service `s3`"),
    ("X-Amz-Date", "When it was signed"),
    ("X-Amz-Expires", "The seconds that it is good for, at most 604800"),
    ("X-Amz-SignedHeaders", "The headers that were signed"),
    ("X-Amz-Signature", "The signature"),
    ("X-Amz-Security-Token", "Taken, and not looked at"),
];

/// Returns what is said of the routes of other protocols.
pub(super) fn operations() -> Described {
    let mut all = statements();
    all.extend(about_trino());
    all.insert(("/", "post"), aws());
    all
}

/// Returns what is said of what S3's clients ask: everything that no route means.
pub(super) fn objects() -> Described {
    let mut all = buckets();
    all.extend(files());
    all
}

fn statements() -> Described {
    let session = [
        ("X-Trino-User", "Who asks, by whatever name, where no credentials are sent"),
        ("X-Trino-Original-User", "Where `X-Trino-User` is missing"),
        ("X-Trino-Source", "The program that asks"),
        ("X-Trino-Catalog", "Any"),
        ("X-Trino-Schema", "An event data store; any other means the server's"),
        ("X-Trino-Session", "Settings; `query_max_run_time` and `query_max_execution_time` count"),
        ("X-Trino-Prepared-Statement", "Statements that were prepared, by their names"),
        ("X-Trino-Transaction-Id", "The transaction, or `NONE`"),
        ("X-Trino-Client-Capabilities", "`PARAMETRIC_DATETIME`: all digits of times"),
        ("X-Forwarded-Proto", "`https`, where a proxy ends TLS: addresses of pages begin so"),
    ];
    let changes = [
        NO_STORE,
        ("x-trino-set-catalog", "After USE"),
        ("x-trino-set-schema", "After USE"),
        ("x-trino-set-session", "After SET SESSION"),
        ("x-trino-clear-session", "After RESET SESSION"),
        ("x-trino-added-prepare", "After PREPARE"),
        ("x-trino-deallocated-prepare", "After DEALLOCATE PREPARE"),
        ("x-trino-started-transaction-id", "After START TRANSACTION"),
        ("x-trino-clear-transaction-id", "After COMMIT and ROLLBACK"),
    ];
    let post = Operation::new("Trino's protocol: begin a statement").body(&[(TEXT, text())]);
    let post = session.iter().fold(post, |post, (name, about)| post.header(name, about));
    let first = "The first page, or how the statement failed";
    let alive = Operation::new("Trino's protocol: whether credentials are good");
    let alive = alive.answers(200, response("They are", &[], &[]));
    let path = "/v1/statement/{step}/{id}/{slug}/{token}";
    Described::from([
        (("/v1/statement", "post"), of_trino(post.answers(200, page(first, &changes)))),
        (("/v1/statement", "head"), of_trino(alive)),
        ((path, "get"), of_trino(next())),
        ((path, "head"), of_trino(gone(at_a_page("Trino's protocol: still there", 200)))),
        ((path, "delete"), of_trino(gone(at_a_page("Trino's protocol: end the statement", 204)))),
    ])
}

fn next() -> Operation {
    let next = at_a_page("Trino's protocol: the next page", 200);
    let next = next.answers(200, page("The page, or how the statement failed", &[NO_STORE]));
    let later = response("A later page was asked for already", &plain(), &[NO_STORE]);
    gone(next.answers(410, later))
}

fn at_a_page(summary: &'static str, status: u16) -> Operation {
    let operation = Operation::new(summary)
        .part("step", "`queued` or `executing`")
        .part("id", "The id of the query")
        .part("slug", "What only its client knows")
        .part("token", "The number of the page");
    operation.answers(status, response("Done", &[], &[]))
}

fn gone(operation: Operation) -> Operation {
    operation.answers(404, response("There is no such page", &plain(), &[NO_STORE]))
}

fn page(about: &str, headers: &[(&str, &str)]) -> Value {
    response(about, &[("application/json", json!({"type": "object"}))], headers)
}

fn plain() -> [(&'static str, Value); 1] {
    [(TEXT, text())]
}

fn about_trino() -> Described {
    let of_query = |summary| {
        let gone = response("There is no such query", &plain(), &[NO_STORE]);
        Operation::new(summary).part("id", "The id of the query").answers(410, gone)
    };
    let told = of_query("Trino's protocol: a query of yours");
    let ended = of_query("Trino's protocol: end a query of yours");
    let info = Operation::new("Trino's protocol: the server's version");
    let state = Operation::new("Trino's protocol: the server's state");
    let words = [("application/json", text())];
    Described::from([
        (("/v1/query/{id}", "get"), of_trino(told.answers(200, page("The query", &[])))),
        (("/v1/query/{id}", "delete"), of_trino(ended.answers(204, response("Done", &[], &[])))),
        (("/v1/info", "get"), of_trino(info.answers(200, page("The version", &[])))),
        (
            ("/v1/info/state", "get"),
            of_trino(state.answers(200, response("`ACTIVE`", &words, &[]))),
        ),
    ])
}

/// As Trino's clients are refused.
fn of_trino(operation: Operation) -> Operation {
    let credentials = [NO_STORE, ("www-authenticate", "`Basic` and `Bearer`, a header each")];
    let refused = |about| response(about, &plain(), &[NO_STORE]);
    operation
        .answers(400, refused("The request cannot be read"))
        .answers(401, response("Nobody is known by its credentials", &plain(), &credentials))
        .answers(403, refused("Not under this `Host`, or for a page of another place"))
        .answers(500, refused("The server failed; its log says why"))
}

fn aws() -> Operation {
    let about = "`CloudTrail_20131101.OPERATION`, whatever stands before it, or \
        `AmazonAthena.OPERATION`";
    let id = ("x-amzn-requestid", "An id of the request");
    let failed = [id, ("x-amzn-errortype", "The name of the error")];
    let body = [(AWS_JSON, json!({"type": "object"}))];
    Operation::new("AWS's protocol (JSON 1.1): CloudTrail Lake and Athena")
        .parameter("header", "X-Amz-Target", about, true)
        .header("X-Amz-Date", "When the request was signed")
        .header("X-Amz-Content-Sha256", "The hash of the body that was signed")
        .body(&body)
        .answers(200, response("What the operation returns", &body, &[id]))
        .answers(
            400,
            response("An error of the service's model, or of credentials", &body, &failed),
        )
        .answers(500, response("The server failed; its log says why", &body, &failed))
        .answers(503, response("The server is about to stop", &body, &failed))
}

fn buckets() -> Described {
    let list = Operation::new("S3's protocol: ListObjectsV2 and GetBucketLocation")
        .part("bucket", "Any; it has the files of results that were wanted there")
        .query("list-type", "`2`")
        .query("location", "For GetBucketLocation")
        .query("prefix", "What keys begin with")
        .query("delimiter", "What a folder's name ends with")
        .query("start-after", "The key behind which it begins")
        .query("continuation-token", "The `NextContinuationToken` of the page before")
        .query("max-keys", "Keys of a page, at most 1000")
        .query("encoding-type", "`url`")
        .query("fetch-owner", "Taken, and not looked at")
        .query("x-id", "Taken, and not looked at");
    let head = Operation::new("S3's protocol: HeadBucket").part("bucket", "Any");
    let there = response("Results can go there", &[], &[("x-amz-bucket-region", "`us-east-1`")]);
    let delete = Operation::new("S3's protocol: DeleteObjects; the answers are forgotten")
        .part("bucket", "Any")
        .parameter("query", "delete", "Without a value", true)
        .body(&[(XML, text())]);
    Described::from([
        (("/{bucket}", "get"), of_s3(list.answers(200, xml("The page")), &[501])),
        (("/{bucket}", "head"), of_s3(head.answers(200, there), &[])),
        (("/{bucket}", "post"), of_s3(delete.answers(200, xml("What was deleted")), &[405])),
    ])
}

fn files() -> Described {
    let at = |summary| {
        Operation::new(summary)
            .part("bucket", "Any")
            .part("key", "The key of a result's file, which has slashes in it")
            .query("x-id", "Taken, and not looked at")
            .query("versionId", "Taken, and not looked at")
    };
    let read = |summary, whole: &[(&str, Value)]| {
        let mut headers = vec![
            ("accept-ranges", "`bytes`"),
            ("etag", "The tag of the file"),
            ("last-modified", "When its query ended"),
        ];
        let operation = at(summary).query("partNumber", "Taken, and not looked at");
        let presigned = PRESIGNED.iter();
        let operation = presigned.fold(operation, |all, (name, about)| all.query(name, about));
        let operation = operation
            .header("Range", "One range of bytes")
            .header("If-Match", "Tags of which the file must have one")
            .header("If-None-Match", "Tags of which the file must have none")
            .secured_by(&["token", "password", "signature", "presigned"])
            .answers(200, response("The file", whole, &headers))
            .answers(304, response("It has such a tag", &[], &[("etag", "Its tag")]));
        headers.push(("content-range", "Which bytes, of how many"));
        let operation = operation.answers(206, response("A part of the file", whole, &headers));
        of_s3(operation, &[404, 412, 416, 501])
    };
    let bytes = [("application/octet-stream", text())];
    let delete = at("S3's protocol: DeleteObject; the answer is forgotten");
    let deleted = response("It is not there, or not any more", &[], &[]);
    Described::from([
        (("/{bucket}/{key}", "get"), read("S3's protocol: GetObject", &bytes)),
        (("/{bucket}/{key}", "head"), read("S3's protocol: HeadObject", &[])),
        (("/{bucket}/{key}", "delete"), of_s3(delete.answers(204, deleted), &[501])),
    ])
}

fn xml(about: &str) -> Value {
    response(about, &[(XML, text())], &[("x-amz-request-id", "An id of the request")])
}

/// As S3's clients are refused; with those statuses beside what every request may end in.
fn of_s3(operation: Operation, statuses: &[u16]) -> Operation {
    let id = ("x-amz-request-id", "An id of the request");
    [400, 403, 500].iter().chain(statuses).fold(operation, |operation, status| {
        let about = match *status {
            403 => "`AccessDenied`: credentials, `Host`, or a URL that is good no more",
            404 => "`NoSuchKey`",
            405 => "`MethodNotAllowed`",
            412 => "`PreconditionFailed`",
            416 => "`InvalidRange`",
            500 => "`InternalError`",
            501 => "`NotImplemented`",
            _ => "The request is not valid",
        };
        let allow = ("allow", "What else the path takes");
        let headers = if *status == 405 { vec![id, allow] } else { vec![id] };
        operation.answers(*status, response(about, &[(XML, text())], &headers))
    })
}
