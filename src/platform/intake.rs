//! What all routes have in common when a request comes in: its body, within bounds, and what was
//! refused.
//!
//! Whatever needs no body is checked before a body is read. How much is buffered is bounded over all
//! connections together; usual bodies have a part of that for themselves, so that large ones from
//! anybody leave room for them.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::refused::Refused;
pub use crate::timing::platform::BODY_TIMEOUT;

/// No request that we understand is longer, in bytes.
pub const BODY_LIMIT: usize = 1024 * 1024;
/// Bodies up to here are usual; only long lists and whole forms are larger.
const USUAL: usize = 64 * 1024;
/// Bytes of usual bodies, and of larger ones, that are buffered at the same time.
const BUFFERED: usize = 16 * 1024 * 1024;
/// Seconds after which somebody who found no room may try again.
const RETRY_AFTER: &str = "1";

#[derive(Debug)]
pub struct Intake {
    pub refused: Refused,
    usual: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// A whole body; while it lives, its room is taken.
#[derive(Debug)]
pub struct Body {
    bytes: Bytes,
    _room: Room,
}

/// The part of the bound that a body takes.
#[derive(Debug, Default)]
struct Room {
    bytes: usize,
    permit: Option<OwnedSemaphorePermit>,
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Default for Intake {
    fn default() -> Self {
        Self::new(BUFFERED)
    }
}

impl Intake {
    /// With room for `buffered` bytes of usual bodies, and as many of larger ones.
    pub fn new(buffered: usize) -> Self {
        let room = || Arc::new(Semaphore::new(buffered));
        Self { refused: Refused::default(), usual: room(), large: room() }
    }

    /// Counts a refusal and makes its answer, which has no body.
    pub fn refuse(&self, status: StatusCode) -> Response {
        let status = self.refused.count(status);
        if status == StatusCode::SERVICE_UNAVAILABLE { overloaded() } else { status.into_response() }
    }

    /// The request's body, or what is answered instead: 400 for a kind of content that no platform
    /// sends, 413 above `BODY_LIMIT`, 408 after `BODY_TIMEOUT`, 503 when there is no room.
    pub async fn body(&self, request: Request) -> Result<Body, Response> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        if !kind.is_none_or(|kind| is_understood(kind.as_bytes())) {
            return Err(self.refuse(StatusCode::BAD_REQUEST));
        }
        if length(request.headers()).is_some_and(|length| length > BODY_LIMIT as u64) {
            // Read and forgotten, up to a point: whoever is still sending may not see the answer.
            let _ = tokio::time::timeout(BODY_TIMEOUT, forget(request)).await;
            return Err(self.refuse(StatusCode::PAYLOAD_TOO_LARGE));
        }
        // Most bodies are there already: those never start the clock.
        match tokio::time::timeout(BODY_TIMEOUT, self.collect(request)).await {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(status)) => Err(self.refuse(status)),
            Err(_) => Err(self.refuse(StatusCode::REQUEST_TIMEOUT)),
        }
    }

    async fn collect(&self, request: Request) -> Result<Body, StatusCode> {
        let mut chunks = request.into_body().into_data_stream();
        let (mut first, mut more, mut room) = (Bytes::new(), BytesMut::new(), Room::default());
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| StatusCode::BAD_REQUEST)?;
            self.make_room(&mut room, chunk.len())?;
            if first.is_empty() && more.is_empty() {
                // Usually the only one: it is not copied.
                first = chunk;
                continue;
            }
            if more.is_empty() {
                more.extend_from_slice(&std::mem::take(&mut first));
            }
            more.extend_from_slice(&chunk);
        }
        let bytes = if more.is_empty() { first } else { more.freeze() };
        Ok(Body { bytes, _room: room })
    }

    fn make_room(&self, room: &mut Room, more: usize) -> Result<(), StatusCode> {
        let (before, after) = (room.bytes, room.bytes + more);
        if after > BODY_LIMIT {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        // A body that turns out to be large takes its whole room among the large ones.
        let moves = before <= USUAL && after > USUAL;
        let (of, take) = match (after > USUAL, moves) {
            (false, _) => (&self.usual, more),
            (true, true) => (&self.large, after),
            (true, false) => (&self.large, more),
        };
        let take = u32::try_from(take).map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
        let permit = Arc::clone(of).try_acquire_many_owned(take).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
        match &mut room.permit {
            Some(held) if !moves => held.merge(permit),
            held => *held = Some(permit),
        }
        room.bytes = after;
        Ok(())
    }
}

/// What a request gets that finds no room.
fn overloaded() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, RETRY_AFTER)]).into_response()
}

/// Chat platforms and Sekoia send forms and JSON.
fn is_understood(kind: &[u8]) -> bool {
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    kind.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") || kind.eq_ignore_ascii_case(b"application/json")
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn forget(request: Request) {
    let mut chunks = request.into_body().into_data_stream();
    let mut read = 0;
    while let Some(Ok(chunk)) = chunks.next().await {
        read += chunk.len();
        if read > 2 * BODY_LIMIT {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(kind: &'static str, chunks: &[usize]) -> Request {
        let chunks: Vec<_> = chunks.iter().map(|n| Ok::<_, std::io::Error>(Bytes::from(vec![b'a'; *n]))).collect();
        let body = axum::body::Body::from_stream(futures_util::stream::iter(chunks));
        Request::post("/slack/commands").header(header::CONTENT_TYPE, kind).body(body).expect("a request")
    }

    async fn status(intake: &Intake, kind: &'static str, chunks: &[usize]) -> u16 {
        intake.body(request(kind, chunks)).await.map_or_else(|refused| refused.status().as_u16(), |_| 200)
    }

    const JSON: &str = "application/json; charset=utf-8";

    #[tokio::test]
    async fn a_body_is_whole_however_it_comes() {
        let intake = Intake::default();
        for chunks in [&[][..], &[5], &[1, 2, 3], &[USUAL, 1], &[USUAL - 1, 1, 1, 70_000], &[0, 7]] {
            let body = intake.body(request(JSON, chunks)).await.expect("it is taken");
            assert_eq!(body.len(), chunks.iter().sum::<usize>(), "{chunks:?}");
        }
        assert_eq!(status(&intake, JSON, &[BODY_LIMIT / 2, BODY_LIMIT / 2, 1]).await, 413);
        for (kind, expected) in
            [("application/x-www-form-urlencoded", 200), ("text/plain", 400), ("multipart/form-data; boundary=x", 400)]
        {
            assert_eq!(status(&intake, kind, &[1]).await, expected, "{kind}");
        }
        let counts = intake.refused.counts();
        assert_eq!((counts.too_large, counts.malformed), (1, 2));
        // What is over takes no room.
        assert_eq!((intake.usual.available_permits(), intake.large.available_permits()), (BUFFERED, BUFFERED));
    }

    #[tokio::test]
    async fn what_is_buffered_is_bounded_and_large_bodies_leave_room_for_usual_ones() {
        let intake = Intake::new(200_000);
        let large = [intake.body(request(JSON, &[60_000, 40_000])).await, intake.body(request(JSON, &[90_000])).await];
        assert!(large.iter().all(Result::is_ok));
        let refused = intake.body(request(JSON, &[70_000])).await.expect_err("no room");
        assert_eq!(
            (refused.status().as_u16(), &refused.headers()["retry-after"]),
            (503, &"1".parse().expect("a value"))
        );
        let usual: Vec<_> = futures_util::future::join_all((0..3).map(|_| intake.body(request(JSON, &[60_000])))).await;
        assert!(usual.iter().all(Result::is_ok));
        assert_eq!(status(&intake, JSON, &[30_000]).await, 503);
        assert_eq!(intake.refused.counts().overloaded, 2);
        drop((large, usual));
        assert_eq!(status(&intake, JSON, &[70_000]).await, 200);
    }
}
