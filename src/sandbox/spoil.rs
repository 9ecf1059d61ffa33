//! Answers as faults make them.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::faults::Odd;

/// This answer instead of the work.
pub(super) fn instead(code: u16, retry_after: Option<u64>, body: Option<String>) -> Response {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let reason = status.canonical_reason().unwrap_or("Error");
    let body = body.unwrap_or_else(|| match code {
        429 | 502..=504 => format!("<html><body><h1>{code} {reason}</h1></body></html>"),
        _ => json!({ "code": format!("T{code}"), "message": reason }).to_string(),
    });
    let kind = match serde_json::from_str::<Value>(&body) {
        Ok(_) => "application/json",
        Err(_) => "text/html; charset=utf-8",
    };
    let mut response = (status, [(CONTENT_TYPE, kind)], body).into_response();
    if let Some(seconds) = retry_after {
        let value = HeaderValue::from(seconds);
        response.headers_mut().insert(RETRY_AFTER, value);
    }
    response
}

/// Success, and nothing was done.
pub(super) fn instead_of_work(odd: Odd) -> Response {
    let uuid = "0dd00000-0000-4000-8000-000000000000";
    let other = json!({
        "uuid": uuid, "name": "something else", "description": "not what was asked for", "community_uuid": uuid,
        "parent_community_uuid": uuid, "permissions": [], "status": { "uuid": uuid, "name": "Closed" },
        "revoked": true, "key": "sandbox-key-of-something-else", "short_key": "sandbox",
    });
    let text = other.to_string();
    let (code, body) = match odd {
        Odd::Html => (200, "<html><body><h1>Please log in</h1></body></html>"),
        Odd::Queued => (200, r#"{"message":"queued"}"#),
        Odd::Empty => (200, ""),
        Odd::Cut => (200, &text[..text.len() / 2]),
        Odd::Other => (200, &*text),
        Odd::Accepted => (202, "{}"),
    };
    instead(code, None, Some(body.to_owned()))
}

/// The same request without its `offset`.
pub(super) fn first_page(mut request: Request) -> Request {
    let query = request.uri().query().unwrap_or_default();
    let kept: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("offset=")).collect();
    let target = format!("{}?{}", request.uri().path(), kept.join("&"));
    // Made of a good one.
    if let Ok(uri) = target.parse() {
        *request.uri_mut() = uri;
    }
    request
}

/// Without a count, and filled up to a page: a page that is not full would be the last one.
pub(super) async fn endless(response: Response) -> Response {
    change_list(response, go_on).await
}

/// Each entry twice.
pub(super) async fn doubled(response: Response) -> Response {
    change_list(response, double).await
}

fn go_on(list: &mut Value) {
    if let Some(fields) = list.as_object_mut() {
        fields.remove("total");
    }
    let Some(items) = list["items"].as_array_mut().filter(|items| !items.is_empty()) else { return };
    let original = items.clone();
    items.extend(original.into_iter().cycle().take(100_usize.saturating_sub(items.len())));
    if !list["has_more"].is_null() {
        list["has_more"] = true.into();
    }
}

fn double(list: &mut Value) {
    let Some(items) = list["items"].as_array_mut() else { return };
    *items = items.iter().flat_map(|item| [item.clone(), item.clone()]).collect();
    let total = items.len();
    list["total"] = total.into();
}

async fn change_list(response: Response, change: fn(&mut Value)) -> Response {
    let (mut parts, body) = response.into_parts();
    // The bodies are our own and in memory: reading one cannot fail.
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let Ok(mut list) = serde_json::from_slice(&bytes) else { return Response::from_parts(parts, Body::from(bytes)) };
    change(&mut list);
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(list.to_string()))
}

pub(super) async fn cut(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    // The bodies are our own and in memory: reading one cannot fail.
    let bytes: Bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(bytes.slice(..bytes.len() / 2)))
}
