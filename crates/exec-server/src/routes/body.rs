//! Reading the body of a request, within its limits.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use exec_core::{Error, ErrorKind, Result};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, EXPECT};
use http_body_util::BodyExt;
use tokio::time::timeout;

use crate::config::ServerConfig;

/// How long the rest of a body that is too large is read, and thrown away, before it is refused.
const PATIENCE: Duration = Duration::from_secs(5);

/// The whole body in one piece. Its memory is taken once when its length is announced.
///
/// # Errors
/// `TooLarge` beyond the limit, `InvalidRequest` when it breaks off or does not come in time.
pub(super) async fn whole(headers: &HeaderMap, mut body: Body, settings: &ServerConfig) -> Result<Bytes> {
    let (limit, wait) = (settings.max_body_bytes, settings.body_timeout);
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let read = async {
        if announced.is_some_and(|length| length > limit) {
            return Err(too_large(limit));
        }
        collect(&mut body, announced.unwrap_or_default(), limit).await
    };
    let read = timeout(wait, read).await.unwrap_or_else(|_| {
        let message = format!("the body did not come within {wait:?}");
        Err(Error::new(ErrorKind::InvalidRequest, message).with_code("body_timeout"))
    });
    // A caller that is still sending may never look at an answer: it is let finish, within bounds. One that asked first
    // is told first.
    if read.as_ref().is_err_and(|error| error.kind() == ErrorKind::TooLarge) && !headers.contains_key(EXPECT)
    {
        let _ = timeout(PATIENCE.min(wait), discard(&mut body, limit)).await;
    }
    read
}

async fn collect(body: &mut Body, announced: usize, limit: usize) -> Result<Bytes> {
    let mut whole = BytesMut::with_capacity(announced);
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|_| Error::new(ErrorKind::InvalidRequest, "the body broke off").with_code("body_cut"))?;
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + data.len() > limit {
            return Err(too_large(limit));
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

/// Reads and forgets, at most as much again as is allowed.
async fn discard(body: &mut Body, limit: usize) {
    let mut left = limit;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        if length >= left {
            return;
        }
        left -= length;
    }
}

fn too_large(limit: usize) -> Error {
    let message =
        format!("the body is larger than {limit} bytes; the operator can raise server.max_body_bytes");
    Error::new(ErrorKind::TooLarge, message).with_code("body_too_large")
}
