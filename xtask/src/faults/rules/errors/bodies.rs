//! Bodies of failures as providers, compatible servers and proxies in front of them send them, and what each means.

use crate::faults::rules::canned::Reply;

/// What happens after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// The same provider is asked again, and then another.
    Again,
    /// Another is asked.
    Another,
    /// Nobody: the request is at fault.
    Nobody,
}

/// A failure and what it means.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) reply: Reply,
    /// The kind of the error, as the native format names it.
    pub(super) kind: &'static str,
    pub(super) then: Then,
}

impl Case {
    /// The status of the kind.
    pub(super) fn status(&self) -> u16 {
        match self.kind {
            "invalid_request" | "context_length" | "content_filtered" => 400,
            "unauthenticated" => 401,
            "permission_denied" => 403,
            "not_found" => 404,
            "too_large" => 413,
            "rate_limited" => 429,
            "upstream" => 502,
            _ => 503,
        }
    }
}

const fn case(status: u16, kind: &'static str, then: Then, body: &'static str) -> Case {
    let head = match body.as_bytes() {
        [b'{' | b'[', ..] => "content-type: application/json\r\n",
        [b'<', ..] => "content-type: text/html\r\n",
        [] if status / 100 == 3 => "location: http://127.0.0.1:1/elsewhere\r\n",
        _ => "content-type: text/plain\r\n",
    };
    Case { reply: Reply { status, head, body }, kind, then }
}

/// OpenAI and what is compatible with it.
pub(super) const OPENAI: &[Case] = &[
    case(
        400,
        "context_length",
        Then::Nobody,
        r#"{"error":{"message":"This model's maximum context length is 128000 tokens. However, your messages resulted in 200021 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
    ),
    case(
        400,
        "context_length",
        Then::Nobody,
        r#"{"object":"error","message":"This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.","type":"BadRequestError","param":null,"code":400}"#,
    ),
    case(
        400,
        "content_filtered",
        Then::Nobody,
        r#"{"error":{"message":"Your request was rejected as a result of our safety system.","type":"invalid_request_error","param":null,"code":"content_policy_violation"}}"#,
    ),
    case(
        400,
        "content_filtered",
        Then::Nobody,
        r#"{"error":{"message":"The response was filtered due to the prompt triggering a content management policy.","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#,
    ),
    case(
        403,
        "content_filtered",
        Then::Nobody,
        r#"{"error":{"code":403,"message":"Your input was flagged by moderation","metadata":{"reasons":["violence"]}}}"#,
    ),
    case(
        401,
        "unauthenticated",
        Then::Another,
        r#"{"error":{"message":"Incorrect API key provided.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#,
    ),
    case(401, "unauthenticated", Then::Another, r#"{"detail":"Unauthorized"}"#),
    case(
        400,
        "unauthenticated",
        Then::Another,
        r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}]"#,
    ),
    case(
        402,
        "rate_limited",
        Then::Another,
        r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}"#,
    ),
    case(402, "rate_limited", Then::Another, r#"{"error":{"message":"Insufficient credits","code":402}}"#),
    case(
        403,
        "permission_denied",
        Then::Another,
        r#"{"error":{"code":"unsupported_country_region_territory","message":"Country, region, or territory not supported","param":null,"type":"request_forbidden"}}"#,
    ),
    case(403, "permission_denied", Then::Another, r#""#),
    case(
        404,
        "not_found",
        Then::Another,
        r#"{"error":{"message":"The model `x` does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#,
    ),
    case(404, "not_found", Then::Another, r#"{"error":"model 'llama' not found, try pulling it first"}"#),
    case(404, "not_found", Then::Another, r#"{"detail":"Not Found"}"#),
    case(
        400,
        "invalid_request",
        Then::Nobody,
        r#"{"error":{"message":"Unsupported parameter: 'max_tokens'.","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}"#,
    ),
    case(
        422,
        "invalid_request",
        Then::Nobody,
        r#"{"detail":[{"loc":["body","messages"],"msg":"field required","type":"value_error.missing"}]}"#,
    ),
    case(418, "invalid_request", Then::Nobody, r#"{"error":{"message":"what nobody has seen"}}"#),
    case(
        408,
        "upstream",
        Then::Again,
        r#"{"error":{"message":"Request timed out.","type":"timeout","param":null,"code":null}}"#,
    ),
    case(
        409,
        "upstream",
        Then::Again,
        r#"{"error":{"message":"The resource was updated by another request.","type":"invalid_request_error","param":null,"code":null}}"#,
    ),
    case(
        413,
        "too_large",
        Then::Nobody,
        r#"<html><head><title>413 Request Entity Too Large</title></head></html>"#,
    ),
    case(
        429,
        "rate_limited",
        Then::Again,
        r#"{"error":{"message":"Rate limit reached for requests","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#,
    ),
    case(429, "rate_limited", Then::Again, r#"{"message":"Requests rate limit exceeded"}"#),
    case(
        429,
        "rate_limited",
        Then::Another,
        r#"{"error":{"message":"Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 60000.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
    ),
    case(
        429,
        "rate_limited",
        Then::Another,
        r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
    ),
    case(
        400,
        "rate_limited",
        Then::Another,
        r#"{"error":{"message":"Billing hard limit has been reached","type":"invalid_request_error","param":null,"code":"billing_hard_limit_reached"}}"#,
    ),
    case(
        500,
        "upstream",
        Then::Again,
        r#"{"error":{"message":"The server had an error while processing your request.","type":"server_error","param":null,"code":null}}"#,
    ),
    case(500, "upstream", Then::Again, r#"Internal Server Error"#),
    case(502, "unavailable", Then::Again, r#"<html><head><title>502 Bad Gateway</title></head></html>"#),
    case(
        503,
        "overloaded",
        Then::Again,
        r#"{"error":{"message":"The engine is currently overloaded, please try again later","type":"server_error","param":null,"code":null}}"#,
    ),
    case(
        503,
        "overloaded",
        Then::Again,
        r#"{"error":{"message":"Slow down","type":"server_error","param":null,"code":"slow_down"}}"#,
    ),
    case(504, "upstream", Then::Again, r#""#),
    case(
        529,
        "overloaded",
        Then::Again,
        r#"{"error":{"message":"overloaded","type":"server_error","param":null,"code":null}}"#,
    ),
    case(307, "upstream", Then::Another, r#""#),
    case(200, "upstream", Then::Again, r#"<html>captive portal</html>"#),
    case(200, "unavailable", Then::Again, r#"{"error":{"message":"Provider returned error","code":502}}"#),
];

/// Anthropic.
pub(super) const ANTHROPIC: &[Case] = &[
    case(
        400,
        "invalid_request",
        Then::Nobody,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"messages: at least one message is required"},"request_id":"req_1"}"#,
    ),
    case(
        400,
        "context_length",
        Then::Nobody,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 200021 tokens > 200000 maximum"},"request_id":"req_1"}"#,
    ),
    case(
        400,
        "context_length",
        Then::Nobody,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 199000 + 8192 > 200000, decrease input length"},"request_id":"req_1"}"#,
    ),
    case(
        400,
        "content_filtered",
        Then::Nobody,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"Output blocked by content filtering policy"},"request_id":"req_1"}"#,
    ),
    case(
        400,
        "rate_limited",
        Then::Another,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."},"request_id":"req_1"}"#,
    ),
    case(
        400,
        "rate_limited",
        Then::Another,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified API usage limits."},"request_id":"req_1"}"#,
    ),
    case(
        401,
        "unauthenticated",
        Then::Another,
        r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"},"request_id":"req_1"}"#,
    ),
    case(
        402,
        "rate_limited",
        Then::Another,
        r#"{"type":"error","error":{"type":"billing_error","message":"Your credit balance is too low."},"request_id":"req_1"}"#,
    ),
    case(
        403,
        "permission_denied",
        Then::Another,
        r#"{"type":"error","error":{"type":"permission_error","message":"Your API key does not have permission to use the specified resource."},"request_id":"req_1"}"#,
    ),
    case(
        404,
        "not_found",
        Then::Another,
        r#"{"type":"error","error":{"type":"not_found_error","message":"model: claude-9"},"request_id":"req_1"}"#,
    ),
    case(
        413,
        "too_large",
        Then::Nobody,
        r#"{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"},"request_id":"req_1"}"#,
    ),
    case(413, "too_large", Then::Nobody, r#"<html>413</html>"#),
    case(
        409,
        "upstream",
        Then::Again,
        r#"{"type":"error","error":{"type":"conflict_error","message":"The request conflicts with the current state of the resource"},"request_id":"req_1"}"#,
    ),
    case(
        429,
        "rate_limited",
        Then::Again,
        r#"{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your organization's rate limit of 50 requests per minute."},"request_id":"req_1"}"#,
    ),
    case(
        429,
        "rate_limited",
        Then::Another,
        r#"{"type":"error","error":{"type":"rate_limit_error","message":"Your organization has reached its enforced spend limit.","details":{"error_code":"enforced_spend_limit_reached"}},"request_id":"req_1"}"#,
    ),
    case(429, "rate_limited", Then::Again, r#""#),
    case(
        500,
        "upstream",
        Then::Again,
        r#"{"type":"error","error":{"type":"api_error","message":"Internal server error"},"request_id":"req_1"}"#,
    ),
    case(500, "upstream", Then::Again, r#""#),
    case(502, "unavailable", Then::Again, r#"<html>502</html>"#),
    case(503, "unavailable", Then::Again, r#"upstream connect error or disconnect/reset before headers"#),
    case(
        504,
        "upstream",
        Then::Again,
        r#"{"type":"error","error":{"type":"timeout_error","message":"The request timed out while processing"},"request_id":"req_1"}"#,
    ),
    case(
        529,
        "overloaded",
        Then::Again,
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}"#,
    ),
    case(529, "overloaded", Then::Again, r#""#),
    case(200, "upstream", Then::Again, r#"<html>captive portal</html>"#),
    case(308, "upstream", Then::Another, r#""#),
    case(
        418,
        "invalid_request",
        Then::Nobody,
        r#"{"type":"error","error":{"type":"a_new_error","message":"what nobody has seen"}}"#,
    ),
];
